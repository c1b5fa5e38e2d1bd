"""The wallet process: said, kept, confirmed."""

from __future__ import annotations

import threading
from concurrent.futures import Future
from typing import Any

import attrs
from twisted.internet import reactor  # noqa: TID251 - real sockets
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import deferLater

from rhotwist.control import values
from rhotwist.errors import DiskFull, OperatorError, Refused
from rhotwist.keys.pair import SeedKey
from rhotwist.moment import EPOCH_2020
from rhotwist.net.clock import now
from rhotwist.talk import record as said
from rhotwist.talk.messages import TEXT_MOST, Said
from tests.service.processes import ProcessCase, at, heat


async def failure_of(deferred: Deferred[Any], kind: type[Exception] = OperatorError) -> Any:
    """The exception of that kind that a Deferred fails with."""
    try:
        result = await deferred
    except kind as error:
        return error
    raise AssertionError(f"no {kind.__name__} but {result}")


class SendTests(ProcessCase):
    """Two wallet processes on the loopback interface."""

    def setUp(self) -> None:
        super().setUp()
        self.ann, self.bob = self.wallet("ann"), self.wallet("bob")
        self.to = self.bob.keystore.hot["bob"].address

    def send(self, text: str = "hi", **more: Any) -> Deferred[values.Sent]:
        """Ann says something to Bob."""
        ask = values.Send(self.to, at(self.bob), text, timeout=5.0)
        return self.ann.send(attrs.evolve(ask, **more))

    def inbox(self, **more: Any) -> tuple[values.InboxItem, ...]:
        """What Bob has."""
        found: values.Inbox = self.bob.list_inbox(values.InboxAsk(**more))
        return found.items

    def record(self, text: str = "hi", index: int = 0) -> Said:
        """A record as Ann's process makes it."""
        ann, bob = self.ann.keystore.hot["ann"], self.bob.keystore.hot["bob"]
        return said.compose(ann.key, said.pair_of(ann.key, bob.key.public), said.Place(index), text, now().date)

    def carry(self, record: Said) -> Deferred[Any]:
        """Ann's process sends a record to Bob's, as a request of its own."""
        hot = self.ann.keystore.hot["ann"]
        peer = self.ann.node.peer(at(self.bob))
        to = self.bob.keystore.hot["bob"].key.public
        return peer.request(record, 5.0, source=hot.key, destination=to, identity=hot.identity(peer.key))

    async def test_what_is_said_lies_in_the_inbox_under_the_hash_of_the_receipt(self) -> None:
        sent = await self.send("grüß dich")
        [item] = self.inbox()
        ann = self.ann.keystore.hot["ann"].address
        self.assertEqual((sent.hash, "grüß dich", ann), (item.hash, item.text, item.sender))
        self.assertEqual(("ann", self.to), (sent.wallet, sent.kept_by))
        self.assertGreater(item.kept_at, EPOCH_2020)
        self.assertEqual((1, 0), (self.ann._outbox.count(kept=True), self.ann._outbox.count(kept=False)))

    async def test_equal_texts_are_two_messages_and_come_in_order(self) -> None:
        hashes = [(await self.send(text)).hash for text in ("one", "one", "two")]
        self.assertEqual(hashes, [item.hash for item in self.inbox()])
        self.assertEqual(3, len(set(hashes)))
        self.assertEqual(["two"], [item.text for item in self.inbox(limit=1)])
        self.assertEqual(2, self.bob.list_inbox(values.InboxAsk(limit=1)).left_out)

    async def test_one_record_is_kept_once_however_often_it_comes(self) -> None:
        record = self.record()
        receipts = [await self.carry(record) for _ in range(3)]
        self.assertEqual({said.record_hash(record)}, {receipt.record for receipt in receipts})
        self.assertEqual(1, len(self.inbox()))

    async def test_no_receipt_leaves_before_the_message_is_on_the_disk(self) -> None:
        gate, held = threading.Event(), threading.Event()
        self.addCleanup(gate.set)
        asked: list[Any] = []
        put = self.bob.talks.store.hear

        def hear(*what: Any) -> Future[int]:
            self.bob._user.submit(lambda connection: (held.set(), gate.wait(10)))
            self.assertTrue(held.wait(5))
            asked.append(what)
            return put(*what)

        self.bob.talks.store.hear = hear
        sending = self.send()
        while not asked:
            await deferLater(reactor, 0.01)
        for _ in range(10):
            await deferLater(reactor, 0.01)
        self.assertNoResult(sending)
        self.assertEqual((), self.inbox())
        gate.set()
        sent = await sending
        self.assertEqual([sent.hash], [item.hash for item in self.inbox()])

    async def test_a_full_disk_is_no_receipt(self) -> None:
        def full(*what: Any) -> Future[bool]:
            future: Future[bool] = Future()
            future.set_exception(DiskFull("no room"))
            return future

        self.bob.talks.store.hear = full
        error = await failure_of(self.send())
        self.assertEqual("RHO-2212", error.code)
        self.assertEqual(1, self.ann._outbox.count(kept=False))

    async def test_a_changed_record_is_refused_with_its_reason_and_not_kept(self) -> None:
        error = await failure_of(self.carry(attrs.evolve(self.record(), text="ho")), Refused)
        self.assertIn("signature", str(error))
        self.assertEqual((), self.inbox())

    async def test_a_wallet_speaks_to_a_node_under_an_identity_of_its_own(self) -> None:
        calls: list[Any] = []
        hear = self.bob.talks.hear
        handlers = self.bob.node._handlers._handlers
        handlers[Said] = lambda call: calls.append(call) or hear(call)
        await self.send()
        hot = self.ann.keystore.hot["ann"]
        self.assertEqual(hot.identity(self.bob.node.public).public, calls[0].peer)
        self.assertEqual(hot.key.public, calls[0].source)
        self.assertNotIn(calls[0].peer, (hot.key.public, self.ann.node.public))

    async def test_a_wallet_that_is_locked_there_is_told(self) -> None:
        self.bob.keystore.lock("bob")
        error = await failure_of(self.send())
        self.assertEqual("RHO-2206", error.code)

    async def test_a_wallet_locked_between_two_messages_takes_no_second(self) -> None:
        await self.send("one")
        self.bob.keystore.lock("bob")
        await failure_of(self.send("two"))
        self.assertEqual(["one"], [item.text for item in self.inbox()])

    async def test_nobody_there_is_told_after_the_timeout(self) -> None:
        stranger = SeedKey(b"s" * 32)
        wrong = self.bob.node.address.replace(at(self.bob).partition("@")[0], _node(stranger))
        error = await failure_of(self.send(at=wrong, timeout=0.3))
        self.assertIn(error.code, ("RHO-2203", "RHO-2204"))

    async def test_a_session_lost_under_way_is_made_up_for_with_the_same_record(self) -> None:
        await self.send("first")
        port = self.bob.node.sockets[0][1]
        asked: list[Any] = []
        self.bob.talks.store.hear = lambda *what: asked.append(what) or Future()
        sending = self.send("second")
        while not asked:
            await deferLater(reactor, 0.01)
        await self.bob.stopService()
        self.bob = self.wallet("bob", f"127.0.0.1:{port}")
        sent = await sending
        self.assertEqual(["first", "second"], [item.text for item in self.inbox()])
        self.assertEqual(sent.hash, self.inbox()[1].hash)

    async def test_lock_withdraws_what_is_being_sent(self) -> None:
        asked: list[Any] = []
        self.bob.talks.store.hear = lambda *what: asked.append(what) or Future()
        sending = self.send()
        while not asked:
            await deferLater(reactor, 0.01)
        self.ann.keystore.lock("ann")
        await failure_of(sending, CancelledError)

    async def test_what_cannot_be_sent_is_told_at_once(self) -> None:
        ann = self.ann.keystore.hot["ann"].address
        for change, code in (
            ({"to": "rho1wx"}, "RHO-2201"), ({"to": at(self.bob)[:63]}, "RHO-2201"), ({"at": self.to}, "RHO-2201"),
            ({"text": ""}, "RHO-2216"), ({"text": "x" * (TEXT_MOST + 1)}, "RHO-2202"), ({"to": ann}, "RHO-2215"),
            ({"at": at(self.bob).replace("127.0.0.1", "[::1]")}, "RHO-1108"), ({"wallet": "carol"}, "RHO-1201"),
            ({"timeout": 0.0}, "RHO-1007"), ({"timeout": -1.0}, "RHO-1007"),
        ):  # fmt: skip
            with self.assertRaises(OperatorError, msg=change) as caught:
                self.send(**change)
            self.assertEqual(code, caught.exception.code)
        self.assertEqual(0, self.ann._outbox.count(kept=False))

    async def test_sending_keeps_the_wallet_awake_and_receiving_does_not(self) -> None:
        touched: list[str] = []
        for process in (self.ann, self.bob):
            process.keystore.touch = lambda hot: touched.append(hot.name)
        await self.send()
        self.assertEqual(["ann"], touched)

    async def test_the_inbox_of_one_wallet_is_shown_without_that_of_another(self) -> None:
        carol = heat(self.bob, "carol")
        await self.send("to bob")
        await self.send("to carol", to=carol.address)
        self.bob.keystore.existing = lambda name: values.WalletRow(name, carol.address, "", "", "")
        self.assertEqual(["to carol"], [item.text for item in self.inbox(wallet="carol")])
        self.assertEqual(2, len(self.inbox()))


def _node(key: SeedKey) -> str:
    from rhotwist.keys.address import NODE, Address, format_address

    return format_address(Address(NODE, key.public))
