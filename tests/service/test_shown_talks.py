"""What an owner sees of conversations, and what others make of what he gives them."""

from __future__ import annotations

import stat
from concurrent.futures import Future
from typing import Any

from twisted.internet import reactor  # noqa: TID251 - real sockets
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import deferLater

from rhotwist.control import talks, values
from rhotwist.control.talks import TalkExport, TalkImport, TalkName, TalkProve, TalkShow, TalkSync
from rhotwist.errors import BadPacket
from rhotwist.keys.pair import SeedKey
from rhotwist.talk import published
from rhotwist.talk.messages import Proof, Said
from rhotwist.talk.proof import Proven, check_proof
from rhotwist.talk.record import Pair, Place, compose, entry_of, pair_of
from tests.service.processes import ProcessCase, at, heat
from tests.service.test_wallet import failure_of
from tests.talk.support import Reader


class ShownCase(ProcessCase):
    """Ann and Bob talk on the loopback interface; Carol is a third."""

    def setUp(self) -> None:
        super().setUp()
        self.ann, self.bob = self.wallet("ann"), self.wallet("bob")
        self.keys = {name: one.keystore.hot[name].key for name, one in (("ann", self.ann), ("bob", self.bob))}
        self.address = {name: one.keystore.hot[name].address for name, one in (("ann", self.ann), ("bob", self.bob))}
        self.pair = pair_of(self.keys["ann"], self.keys["bob"].public)
        self.name = TalkName(self.pair.name.hex()[:8])

    async def said(self) -> None:
        """Three records of Ann's and two of Bob's."""
        for who, other, text in (
            (self.ann, "bob", "one"), (self.bob, "ann", "two"), (self.ann, "bob", "three"), (self.bob, "ann", "four"),
            (self.ann, "bob", "five"),
        ):  # fmt: skip
            there = self.bob if other == "bob" else self.ann
            await who.send(values.Send(self.address[other], at(there), text, timeout=5.0))

    def hear(self, process: Any, *said: Said, pair: Pair | None = None) -> None:
        """Put records into a process, as if they had come."""
        process.talks.store.hear(pair or self.pair, said).result(10)

    async def error(self, coroutine: Any) -> str:
        return str((await failure_of(Deferred.fromCoroutine(coroutine))).code)


class ShowTests(ShownCase):
    async def test_both_see_the_same_in_the_same_order_under_the_same_root(self) -> None:
        await self.said()
        shown = [await process.shown.show(TalkShow(self.name)) for process in (self.ann, self.bob)]
        self.assertEqual(shown[0].talk.root, shown[1].talk.root)
        for one in shown:
            self.assertEqual(["one", "two", "three", "four", "five"], [item.text for item in one.items])
            self.assertEqual([1, 2, 3, 4, 5], [item.number for item in one.items])
            self.assertEqual({"yes"}, {item.seen for item in one.items})
            self.assertEqual({2, 3}, {one.talk.lower.records, one.talk.higher.records})
        self.assertEqual([True, False, True, False, True], [item.ours for item in shown[0].items])
        self.assertEqual({"ann", self.address["bob"]}, {item.author for item in shown[0].items})
        [row] = (await self.ann.shown.listed(values.Nothing())).talks
        self.assertEqual(shown[0].talk, row)

    async def test_the_newest_are_shown_with_their_numbers(self) -> None:
        await self.said()
        shown = await self.ann.shown.show(TalkShow(self.name, 2))
        self.assertEqual(([4, 5], 3), ([item.number for item in shown.items], shown.left_out))

    async def test_what_one_says_has_seen_what_the_other_said(self) -> None:
        await self.said()
        seen = self.bob.talks.store.look(
            self.pair.name, lambda view: [entry.seen for entry in view.talk.order()]
        ).result(10)
        self.assertEqual([0, 1, 1, 2, 2], seen)

    async def test_a_fork_and_a_view_that_does_not_fit_are_marked(self) -> None:
        await self.said()
        odd = compose(self.keys["bob"], self.pair, Place(2, 1, b"x" * 32), "odd", 1)
        self.hear(self.ann, odd, compose(self.keys["bob"], self.pair, Place(2, 1, b"x" * 32), "odder", 1))
        self.hear(self.ann, compose(self.keys["bob"], self.pair, Place(3, 99), "later", 1))
        self.hear(self.ann, compose(self.keys["bob"], self.pair, Place(9), "waits", 1))
        shown = await self.ann.shown.show(TalkShow(self.name))
        self.assertEqual((1, 1), (shown.talk.forks, shown.talk.waiting))
        [item] = [item for item in shown.items if item.rival]
        self.assertEqual({"odd", "odder"}, {item.text, item.rival_text})
        self.assertEqual("no", item.seen)
        self.assertIn("unknown", [one.seen for one in shown.items])

    async def test_a_conversation_is_found_by_contact_address_and_id(self) -> None:
        await self.said()
        await self.ann.book.add(talks.ContactAdd("bob", self.address["bob"]))
        for name in ("bob", self.address["bob"], self.pair.name.hex(), self.pair.name.hex()[:4].upper()):
            self.assertEqual(self.pair, self.ann.shown._find(TalkName(name)))
        self.assertEqual({"ann", "bob"}, {row.name for row in await self.parties()})
        self.assertEqual("RHO-2401", await self.error(self.ann.shown.show(TalkShow(TalkName("carol")))))
        self.assertEqual("RHO-2405", await self.error(self.ann.shown.show(TalkShow(TalkName("ffffffff")))))
        self.assertEqual("RHO-1201", await self.error(self.ann.shown.show(TalkShow(TalkName("bob", "carol")))))

    async def parties(self) -> list[talks.TalkParty]:
        row = await self.ann.shown.row(self.pair)
        return [row.lower, row.higher]

    async def test_two_wallets_of_ours_with_one_contact_are_told_apart(self) -> None:
        carol = heat(self.ann, "carol")
        pair = pair_of(carol.key, self.keys["bob"].public)
        self.hear(self.ann, compose(self.keys["bob"], pair, Place(0), "hi carol", 1), pair=pair)
        self.hear(self.ann, compose(self.keys["bob"], self.pair, Place(0), "hi ann", 1))
        self.ann.keystore.existing = lambda name: None
        bob = self.address["bob"]
        self.assertEqual("RHO-2406", await self.error(self.ann.shown.show(TalkShow(TalkName(bob)))))
        self.assertEqual(pair, self.ann.shown._find(TalkName(bob, "carol")))
        self.assertEqual(self.pair, self.ann.shown._find(TalkName(bob, "ann")))

    async def test_a_conversation_of_ours_goes_before_one_of_others(self) -> None:
        await self.said()
        dave = SeedKey(b"d" * 32)
        pair = pair_of(dave, self.keys["bob"].public)
        self.hear(self.ann, compose(dave, pair, Place(0), "hi", 1), pair=pair)
        self.assertEqual(self.pair, self.ann.shown._find(TalkName(self.address["bob"])))


class SyncTests(ShownCase):
    async def test_a_wallet_process_brings_both_to_one_state(self) -> None:
        self.hear(self.ann, *(compose(self.keys["ann"], self.pair, Place(n), f"{n}", 1) for n in range(60)))
        found = await self.ann.sync(TalkSync(self.address["bob"], at(self.bob), timeout=10.0))
        self.assertEqual((60, 0, True), (found.sent, found.received, found.same))
        self.assertEqual(60, len(self.bob.list_inbox(values.InboxAsk()).items))
        self.assertEqual(found.talk.root, (await self.bob.shown.row(self.pair)).root)

    async def test_nothing_said_is_nothing_to_show(self) -> None:
        found = await self.ann.sync(TalkSync(self.address["bob"], at(self.bob), timeout=5.0))
        self.assertEqual((0, 0, True, None), (found.sent, found.received, found.same, found.talk))

    async def test_a_message_whose_receipt_was_lost_is_there_after_the_next(self) -> None:
        store, asked = self.bob.talks.store, []
        hear = store.hear
        store.hear = lambda *what: asked.append(hear(*what).result(10)) or Future()
        sending = self.ann.send(values.Send(self.address["bob"], at(self.bob), "lost", timeout=9.0))
        while not asked:
            await deferLater(reactor, 0.01)
        sending.cancel()
        await failure_of(sending, CancelledError)
        store.hear = hear
        await self.ann.send(values.Send(self.address["bob"], at(self.bob), "next", timeout=5.0))
        self.assertEqual(["lost", "next"], [item.text for item in self.bob.list_inbox(values.InboxAsk()).items])


def false_pair(pair: Pair) -> Pair:
    """The same two with a pair hash that nobody has: what is put under it is refused."""
    return Pair(pair.lower, pair.higher, bytes(32))


class OthersTests(ShownCase):
    async def setUpTalk(self) -> str:
        await self.said()
        path = str(self.home / "talk")
        await self.ann.shown.export(TalkExport(self.name, path))
        return path

    async def test_a_third_process_takes_it_and_has_the_same_root(self) -> None:
        path = await self.setUpTalk()
        carol = self.wallet("carol")
        found = await carol.shown.take(TalkImport(path))
        self.assertEqual((5, (await self.bob.shown.row(self.pair)).root), (found.new, found.talk.root))
        self.assertEqual(0, (await carol.shown.take(TalkImport(path))).new)
        self.assertEqual(set(self.address.values()), {found.talk.lower.name, found.talk.higher.name})
        self.assertFalse(found.talk.lower.ours or found.talk.higher.ours)
        # What she has is as good: she exports, and the next one checks.
        again = str(self.home / "again")
        await carol.shown.export(TalkExport(self.name, again))
        self.assertEqual(open(path, "rb").read(), open(again, "rb").read())  # noqa: SIM115 - a test's own

    async def test_a_file_is_private_and_never_overwritten(self) -> None:
        path = await self.setUpTalk()
        self.assertEqual(0o600, stat.S_IMODE((self.home / "talk").stat().st_mode))
        self.assertEqual("RHO-2409", await self.error(self.ann.shown.export(TalkExport(self.name, path))))
        absent = str(self.home / "absent" / "talk")
        self.assertEqual("RHO-2409", await self.error(self.ann.shown.export(TalkExport(self.name, absent))))

    async def test_what_does_not_hold_is_not_taken(self) -> None:
        path = await self.setUpTalk()
        data = (self.home / "talk").read_bytes()
        wrong = self.home / "wrong"
        for change in (data[:-1], data[:-1] + bytes([data[-1] ^ 1]), b"", data[3:]):
            wrong.write_bytes(change)
            self.assertEqual("RHO-2408", await self.error(self.bob.shown.take(TalkImport(str(wrong)))))
        self.assertEqual("RHO-2409", await self.error(self.bob.shown.take(TalkImport(path + "x"))))
        self.patch(published, "FILE_MOST", 10)
        self.assertEqual("RHO-2408", await self.error(self.bob.shown.take(TalkImport(path))))

    async def test_a_conversation_of_our_own_comes_back_where_the_pair_hash_is_ours(self) -> None:
        path = await self.setUpTalk()
        fresh = self.start("fresh", "wallet", "--listen", "127.0.0.1:0")
        heat(fresh, "bob")
        self.assertEqual(5, (await fresh.shown.take(TalkImport(path))).new)
        false = false_pair(self.pair)
        reader = Reader(pair=false)
        for key in self.keys.values():
            reader.say(key, "hi")
        (self.home / "false").write_bytes(published.to_file(published.publish(false, reader.talk, reader.all())))
        self.assertEqual("RHO-2408", await self.error(fresh.shown.take(TalkImport(str(self.home / "false")))))
        carol = self.wallet("carol")
        await carol.shown.take(TalkImport(path))
        self.assertEqual("RHO-2408", await self.error(carol.shown.take(TalkImport(str(self.home / "false")))))

    async def test_our_own_wallet_must_be_unlocked_to_know_its_pair_hash(self) -> None:
        path = await self.setUpTalk()
        self.ann.shown._own = lambda: {self.keys["ann"].public: "ann"}
        self.ann.keystore.lock("ann")
        self.assertEqual("RHO-1207", await self.error(self.ann.shown.take(TalkImport(path))))


class ProveTests(ShownCase):
    def shown(self, made: talks.TalkProof) -> Proven:
        return check_proof(Proof.decode(bytes.fromhex(made.proof)))

    async def test_a_proof_shows_the_newest_record_or_the_one_that_is_named_or_none(self) -> None:
        await self.said()
        for record, text in ((None, "five"), (1, "one"), (4, "four"), (0, None)):
            made = await self.ann.shown.prove(TalkProve(self.name, record))
            found = self.shown(made)
            self.assertEqual(text, found.record and found.record.text)
            self.assertEqual((made.talk.root, self.keys["ann"].public), (found.root.hex(), found.witness))

    async def test_it_shows_that_the_conversation_only_grew(self) -> None:
        await self.said()
        before = await self.ann.shown.row(self.pair)
        await self.ann.send(values.Send(self.address["bob"], at(self.bob), "six", timeout=5.0))
        sizes = (before.lower.records, before.higher.records)
        found = self.shown(await self.bob.shown.prove(TalkProve(self.name, before=sizes)))
        self.assertEqual((sizes, before.root), (found.before, found.before_root.hex()))

    async def test_what_never_was_is_not_proven(self) -> None:
        await self.said()
        for ask in (TalkProve(self.name, 6), TalkProve(self.name, before=(9, 9)), TalkProve(self.name, before=(1,))):
            self.assertEqual("RHO-2407", await self.error(self.ann.shown.prove(ask)))

    async def test_a_third_wallet_may_be_the_witness_and_a_locked_one_may_not(self) -> None:
        await self.said()
        carol = heat(self.ann, "carol")
        self.ann.keystore._existing = lambda name: None
        found = self.shown(await self.ann.shown.prove(TalkProve(self.name, witness="carol")))
        self.assertEqual(carol.key.public, found.witness)
        self.ann.keystore.lock_named("")
        self.assertEqual("RHO-1208", await self.error(self.ann.shown.prove(TalkProve(self.name))))

    async def test_a_proof_is_no_conversation(self) -> None:
        await self.said()
        made = await self.ann.shown.prove(TalkProve(self.name))
        self.assertRaises(BadPacket, published.read, published.MAGIC + bytes.fromhex(made.proof))
        self.assertEqual(5, len({entry_of(said).leaf for said in self.records()}))

    def records(self) -> list[Said]:
        return self.ann.talks.store.look(
            self.pair.name, lambda view: view.records(view.talk.order())
        ).result(10)
