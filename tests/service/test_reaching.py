"""A contact at several places, in processes on the loopback interface."""

from __future__ import annotations

from concurrent.futures import Future
from typing import Any

from twisted.internet import reactor  # noqa: TID251 - real sockets
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater

from rhotwist.control import directory, talks, values
from rhotwist.errors import OperatorError, StoreError
from rhotwist.keys.address import NODE, Address, format_address
from rhotwist.keys.pair import SeedKey
from rhotwist.net import ways
from tests.service.processes import ProcessCase, at, heat
from tests.service.test_found_by_key import carry
from tests.service.test_wallet import failure_of

NOBODY = format_address(Address(NODE, SeedKey(b"s" * 32).public))


class ReachingCase(ProcessCase):
    """Ann's process and Bob's."""

    def setUp(self) -> None:
        super().setUp()
        self.patch(ways, "PATIENCE", 0.4)  # a silent place is given that much of a real clock
        self.ann, self.bob = self.wallet("ann"), self.wallet("bob")
        self.to = self.bob.keystore.hot["bob"].address
        self.node, _, self.where = at(self.bob).partition("@")

    async def know(self, *places: str, node: str = "") -> None:
        """Ann knows Bob at these places."""
        invitation = f"{self.to}@{node or self.node}@{','.join(places)}" if places else self.to
        await Deferred.fromCoroutine(self.ann.book.add(talks.ContactAdd("bob", invitation)))

    async def say(self, text: str = "hi", to: str = "bob") -> None:
        """Ann says something."""
        await self.ann.send(values.Send(to, "", text, timeout=20.0))

    def heard(self) -> list[str]:
        """What Bob has heard."""
        return [item.text for item in self.bob.list_inbox(values.InboxAsk()).items]


class PlacesTests(ReachingCase):
    """Places of a contact, and behind them those of the directory."""

    async def test_where_the_first_place_is_silent_the_next_is_asked(self) -> None:
        await self.know("127.0.0.2:9", self.where)
        await self.say()
        self.assertEqual(["hi"], self.heard())

    async def test_the_best_is_asked_first_and_alone(self) -> None:
        tried: list[Any] = []
        peer = self.ann.node.core.fire
        self.ann.node.core.fire = lambda *what, **how: tried.append(how["paths"]) or peer(*what, **how)
        await self.know(self.where, "127.0.0.2:9")
        await self.say()
        self.assertEqual({self.ann.node.peer(at(self.bob)).paths}, set(tried))

    async def test_where_he_is_no_more_the_directory_says_where_he_is(self) -> None:
        await carry((await self.bob.publisher.publish(directory.Publish())).bundle, self.ann)
        await self.know("127.0.0.2:9", node=NOBODY)
        await self.say("over another node")
        synced = await self.ann.sync(talks.TalkSync("bob", timeout=20.0))
        self.assertEqual((["over another node"], True), (self.heard(), synced.same))

    async def test_a_process_that_has_another_wallet_unlocked_is_passed_over(self) -> None:
        await carry((await self.bob.publisher.publish(directory.Publish())).bundle, self.ann)
        other, _, where = at(self.wallet("carol")).partition("@")
        await self.know(where, node=other)
        await self.say()
        self.assertEqual(["hi"], self.heard())
        self.bob.keystore.lock("bob")
        error = await failure_of(self.ann.send(values.Send("bob", "", "hi", timeout=20.0)))
        self.assertEqual("RHO-2206", error.code)

    async def test_a_contact_without_a_place_is_where_the_directory_says(self) -> None:
        await self.know()
        error = await failure_of(Deferred.fromCoroutine(self.late()))
        self.assertEqual("RHO-2601", error.code)
        await carry((await self.bob.publisher.publish(directory.Publish())).bundle, self.ann)
        await self.say()
        self.assertEqual("bob", (await self.ann.sync(talks.TalkSync("bob", timeout=20.0))).to)

    async def late(self) -> None:
        await self.say()

    async def test_a_session_lost_under_way_is_made_up_for_at_the_next_place(self) -> None:
        moved = self.start("moved", "wallet", "--listen", "127.0.0.1:0")
        other, _, where = at(moved).partition("@")
        heat(moved, "bob")
        await carry((await self.bob.publisher.publish(directory.Publish())).bundle, self.ann)
        await self.know(where, node=other)
        await self.say("first")
        asked: list[Any] = []
        moved.talks.store.hear = lambda *what: asked.append(what) or Future()
        sending = self.ann.send(values.Send("bob", "", "second", timeout=20.0))
        while not asked:
            await deferLater(reactor, 0.01)
        await moved.stopService()
        await sending
        self.assertEqual(["second"], self.heard()[-1:])

    async def test_a_directory_that_cannot_be_read_keeps_nobody_from_a_known_place(self) -> None:
        def broken(*what: Any) -> Any:
            raise StoreError("no room")

        self.ann.directory.store.lookup = broken
        await self.know(self.where)
        await self.say()
        self.assertEqual(["hi"], self.heard())

    async def test_what_goes_on_by_itself_does_not_knock_again_where_nobody_proved_a_key(self) -> None:
        published = await self.bob.publisher.publish(directory.Publish(addresses=("udp:127.0.0.2:9",)))
        await carry(published.bundle, self.ann)
        hot, bob = self.ann.keystore.hot["ann"], self.bob.keystore.hot["bob"].key.public
        [once] = self.ann.reaching.route(hot, bob, "", asked=False)._ways._peers
        self.assertEqual(1, len(once.paths))
        route = self.ann.reaching.route(hot, bob, "", asked=False)
        [again] = route._ways._find(False)
        self.assertEqual((self.bob.node.public, ()), (again.key, again.paths))  # over an open session or not at all
        [asked] = self.ann.reaching.route(hot, bob, "")._ways._find(False)
        self.assertEqual(1, len(asked.paths))

    async def test_a_file_goes_by_the_next_place_and_follows_the_contact(self) -> None:
        await self.know("127.0.0.2:9", self.where)
        path = self.home / "file"
        path.write_bytes(b"abc")
        row = await self.ann.send_file(values.FileSend("bob", "", str(path)))
        while not self.bob.files.listed(values.TransfersAsk()).items:
            await deferLater(reactor, 0.02)
        self.assertEqual("", row.at)


class LookupTests(ReachingCase):
    """What a person may ask about where somebody is."""

    async def test_a_contact_is_found_by_name_and_key_with_what_he_said_and_what_the_directory_says(self) -> None:
        await self.know("127.0.0.2:9", self.where)
        said = (f"{self.node}@127.0.0.2:9", at(self.bob))
        for key in ("bob", self.to):
            found = self.ann.reaching.lookup(directory.Lookup(key))
            self.assertEqual(((), self.node, (), said), (found.records, found.node, found.places, found.said))
        await carry((await self.bob.publisher.publish(directory.Publish())).bundle, self.ann)
        found = self.ann.reaching.lookup(directory.Lookup(" bob"))
        self.assertEqual((2, (at(self.bob),), said), (len(found.records), found.places, found.said))
        self.assertEqual((), self.ann.reaching.lookup(directory.Lookup(self.node)).said)

    def test_who_is_nowhere_is_told(self) -> None:
        for key, code in (("bob", "RHO-2401"), (self.to, "RHO-2601"), (self.node, "RHO-2601"), ("rho1x", "RHO-2201")):
            error = self.assertRaises(OperatorError, self.ann.reaching.lookup, directory.Lookup(key))
            self.assertEqual(code, error.code)
