"""Contacts of a wallet process: what a name means, and what others are given."""

from __future__ import annotations

from typing import Any

import attrs
from twisted.internet.defer import Deferred, succeed

from rhotwist.control import talks, values
from rhotwist.directory.record import address_of
from rhotwist.errors import OperatorError
from rhotwist.keys.address import NODE, Address, format_address
from rhotwist.keys.invitation import parse_invitation
from rhotwist.keys.pair import SeedKey
from tests.service.processes import ProcessCase, at, heat
from tests.service.test_wallet import failure_of


class ContactsCase(ProcessCase):
    """Ann's process and Bob's."""

    def setUp(self) -> None:
        super().setUp()
        self.ann, self.bob = self.wallet("ann"), self.wallet("bob")
        self.to = self.bob.keystore.hot["bob"].address

    def add(self, name: str = "bob", invitation: str = "") -> Deferred[talks.ContactRow]:
        """Ann notes somebody."""
        invitation = invitation or f"{self.to}@{at(self.bob)}"
        return Deferred.fromCoroutine(self.ann.book.add(talks.ContactAdd(name, invitation)))


class BookTests(ContactsCase):
    async def test_a_message_and_a_file_go_to_a_name_at_the_place_it_carries(self) -> None:
        await self.add()
        sent = await self.ann.send(values.Send("bob", "", "hi", timeout=5.0))
        self.assertEqual("bob", sent.kept_by)
        path = self.home / "file"
        path.write_bytes(b"abc")
        row = await self.ann.send_file(values.FileSend("bob", "", str(path)))
        self.assertEqual((self.to, ""), (row.peer, row.at))  # it follows the contact wherever he goes
        self.assertEqual(["hi"], [item.text for item in self.bob.list_inbox(values.InboxAsk()).items])

    async def test_the_address_of_a_contact_has_its_place_too(self) -> None:
        await self.add()
        await self.ann.send(values.Send(self.to, "", "hi", timeout=5.0))

    async def test_a_message_from_a_contact_says_its_name(self) -> None:
        ann = self.ann.keystore.hot["ann"].address
        await Deferred.fromCoroutine(self.bob.book.add(talks.ContactAdd("annie", ann)))
        await self.ann.send(values.Send(self.to, at(self.bob), "hi", timeout=5.0))
        [item] = self.bob.list_inbox(values.InboxAsk()).items
        self.assertEqual(("annie", ann), (item.contact, item.sender))

    async def test_a_place_that_is_said_goes_before_the_one_that_is_known(self) -> None:
        nobody = f"{at(self.bob).partition('@')[0]}@127.0.0.2:9"
        await self.add(invitation=f"{self.to}@{nobody}")
        await self.ann.send(values.Send("bob", at(self.bob), "hi", timeout=5.0))
        await self.add()
        error = await failure_of(self.ann.send(values.Send("bob", f"{_stranger()}@127.0.0.2:9", "hi", timeout=0.3)))
        self.assertEqual("RHO-2203", error.code)  # there alone

    async def test_a_place_that_this_machine_has_no_network_for_is_passed_over(self) -> None:
        node, _, where = at(self.bob).partition("@")
        await self.add(invitation=f"{self.to}@{node}@[::1]:7,{where}")
        await self.ann.send(values.Send("bob", "", "hi", timeout=1.0))
        await self.add(invitation=f"{self.to}@{node}@[::1]:7")
        error = await failure_of(Deferred.fromCoroutine(self.late(values.Send("bob", "", "hi"))))
        self.assertEqual("RHO-1108", error.code)

    async def late(self, ask: values.Send) -> Any:
        return await self.ann.send(ask)

    async def test_added_again_it_has_its_new_places_and_a_bare_address_takes_none_away(self) -> None:
        await self.add()
        moved = at(self.ann)
        self.assertEqual((moved,), (await self.add(invitation=f"{self.to}@{moved}")).places)
        self.assertEqual((moved,), (await self.add(invitation=self.to)).places)
        self.assertEqual([("bob", self.to, (moved,))], [
            (row.name, row.address, row.places) for row in self.ann.book.listed().contacts
        ])  # fmt: skip

    async def test_a_name_is_one_wallet_and_a_wallet_has_one_name(self) -> None:
        await self.add()
        carol = heat(self.ann, "carol").address
        for name, invitation in (("bob", carol), ("robert", self.to)):
            error = await failure_of(self.add(name, invitation))
            self.assertEqual("RHO-2402", error.code)
            self.assertIn("rho contact remove bob", error.hint)

    async def test_what_is_no_name_or_no_invitation_is_told(self) -> None:
        for name, invitation, code in (
            ("Bob", self.to, "RHO-2403"), ("", self.to, "RHO-2403"), ("rho1bob", self.to, "RHO-2403"),
            ("../bob", self.to, "RHO-2403"), ("bob", self.to[:-1], "RHO-2201"), ("bob", at(self.bob), "RHO-2201"),
        ):  # fmt: skip
            self.assertEqual(code, (await failure_of(self.add(name, invitation))).code)
        self.assertEqual((), self.ann.book.listed().contacts)

    async def test_a_forgotten_contact_is_nobody(self) -> None:
        await self.add()
        self.assertEqual((), (await self.ann.book.remove(talks.ContactRemove("bob"))).contacts)
        error = await failure_of(Deferred.fromCoroutine(self.ann.book.remove(talks.ContactRemove("bob"))))
        self.assertEqual("RHO-2401", error.code)
        for to, code in (("bob", "RHO-2401"), (self.to, "RHO-2601")):
            error = await failure_of(Deferred.fromCoroutine(self.late(values.Send(to, "", "hi"))))
            self.assertEqual(code, error.code)


def _stranger() -> str:
    return format_address(Address(NODE, SeedKey(b"s" * 32).public))


class PinTests(ContactsCase):
    """The directory keeps what it knows of contacts, however full it is."""

    def pinned(self, *keys: bytes) -> bool:
        """Whether these keys are pinned, and nothing else."""
        return self.ann.directory.store.state.pins == {address_of(key) for key in keys}

    async def test_a_contact_is_pinned_with_the_node_it_was_said_to_be_at_until_it_is_forgotten(self) -> None:
        bob, node = self.bob.keystore.hot["bob"].key.public, self.bob.node.public
        carol = heat(self.bob, "carol")
        await self.add()
        self.assertTrue(self.pinned(bob, node))
        await self.add("carol", f"{carol.address}@{at(self.bob)}")
        await self.ann.book.remove(talks.ContactRemove("bob"))
        self.assertTrue(self.pinned(carol.key.public, node))  # another contact is there
        await self.ann.book.remove(talks.ContactRemove("carol"))
        self.assertTrue(self.pinned())

    async def test_a_process_that_ended_between_both_writes_pins_at_its_start(self) -> None:
        self.ann.book.changed = lambda: succeed(None)
        await self.add()
        self.assertTrue(self.pinned())
        await self.ann.stopService()
        self.ann = self.wallet("ann")
        while not self.pinned(self.bob.keystore.hot["bob"].key.public, self.bob.node.public):
            await self.ann.world.later(0.02)


class InviteTests(ContactsCase):
    def setUp(self) -> None:
        super().setUp()
        row = attrs.evolve(self.bob.keystore.row("bob"), address=self.to)
        self.rows = [row]
        self.bob.keystore.rows = lambda: tuple(self.rows)
        self.bob.keystore.existing = lambda name: attrs.evolve(row, name=name)

    def test_an_invitation_has_the_wallet_and_where_the_process_is(self) -> None:
        made = self.bob.book.invite(talks.InvitationAsk())
        self.assertEqual(("bob", f"{self.to}@{at(self.bob)}"), (made.wallet, made.text))

    def test_places_may_be_said(self) -> None:
        node = at(self.bob).partition("@")[0]
        made = self.bob.book.invite(talks.InvitationAsk("bob", (f"{node}@example.org:1", f"{node}@tcp:192.0.2.1")))
        hosts = [(place.host, place.port, place.carrier) for place in parse_invitation(made.text).places]
        self.assertEqual([("example.org", 1, "udp"), ("192.0.2.1", 7460, "tcp")], hosts)

    def test_what_cannot_be_is_told(self) -> None:
        other = at(self.ann)
        for places, code in (((at(self.bob), other), "RHO-1007"), (("x",), "RHO-2201"), ((other,) * 5, "RHO-1007")):
            with self.assertRaises(OperatorError) as caught:
                self.bob.book.invite(talks.InvitationAsk("bob", places))
            self.assertEqual(code, caught.exception.code)
        for rows, code in (([], "RHO-1215"), (self.rows * 2, "RHO-1209")):
            self.rows = rows
            with self.assertRaises(OperatorError) as caught:
                self.bob.book.invite(talks.InvitationAsk())
            self.assertEqual(code, caught.exception.code)
        self.rows = [attrs.evolve(self.bob.keystore.row("bob"), address="")]
        with self.assertRaises(OperatorError) as caught:
            self.bob.book.invite(talks.InvitationAsk())
        self.assertEqual("RHO-1207", caught.exception.code)
