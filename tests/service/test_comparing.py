"""A comparison that a person asks for, step by step, in virtual time."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred

from rhotwist.control import directory as values
from rhotwist.control import verbs
from rhotwist.directory.answering import answer
from rhotwist.directory.messages import SyncGive, SyncHello, SyncTaken, SyncWalk
from rhotwist.directory.parts import CUT, Comparison
from rhotwist.directory.record import split
from rhotwist.errors import LocalError, NotSpoken, OperatorError, Refused, SessionLost
from rhotwist.keys.address import NODE, Address, format_address
from rhotwist.service.comparing import Comparer
from rhotwist.service.replication import ASK, CONNECT
from rhotwist.testing.replicas import MemoryReplica
from tests.directory.comparing import put_better
from tests.directory.support import NOON, PASTED, TODAY, key
from tests.service.replicating import AmongCase, node_record

SHARED = b"k" * 32


def name(number: int) -> str:
    """The address of a node."""
    return format_address(Address(NODE, key(number).public))


class ComparingTests(AmongCase):
    """With peers whose trees are in memory."""

    def setUp(self) -> None:
        super().setUp()
        self.start(sync_every=1e9)
        self.comparer = Comparer(self.here.keeper, self.node, self.others)  # type: ignore[arg-type]
        self.trees: dict[bytes, MemoryReplica] = {}

    def neighbour(self, number: int, *records: int) -> bytes:
        """A peer that has some records; comparisons of its own accord are over."""
        peer = self.meet(number)
        self.tree(number, *records)
        self.core._friends[peer].next = 1e9
        return peer

    def tree(self, number: int, *records: int) -> MemoryReplica:
        """What a peer has."""
        tree = self.trees[key(number).public] = MemoryReplica(b"theirs %d" % number, TODAY, 300)
        tree.put([node_record(one) for one in records])
        return tree

    def serve(self, peer: bytes, request: Any) -> Any:
        """What an honest peer says."""
        tree = self.trees[peer]
        if isinstance(request, SyncGive):
            new = put_better(tree, split(request.records))
            return SyncTaken(count=tree.total, root=tree.root, seq=tree.seq, new=new)
        return answer(tree, request, SHARED)

    def answer_all(self) -> list[Any]:
        """Answer what is asked until nothing is; the requests."""
        asked = []
        while waiting := [one for one in self.node.asked if not one.reply.called]:
            for one in waiting:
                self.assertEqual(ASK, one.patience)
                asked.append(one.body)
                one.reply.callback(self.serve(one.peer, one.body))
                self.pass_on()
        self.pass_on()
        return asked

    def sync(self, at: str = "") -> Deferred[values.Synced]:
        """A person asks."""
        return Deferred.fromCoroutine(self.comparer.sync(values.SyncAsk(at)))

    def keep(self, *numbers: int) -> None:
        """Records that are here."""
        giving = self.here.keeper.give([node_record(number).encode() for number in numbers], PASTED)
        self.pass_on()
        self.successResultOf(giving)

    def test_it_is_what_may_be_asked(self) -> None:
        self.assertEqual({verbs.DIR_SYNC: self.comparer.sync}, self.comparer.handlers())

    def test_with_a_node_that_is_named_both_have_the_same_in_the_end(self) -> None:
        self.keep(1, 2)
        self.neighbour(21, 1, 2)
        self.session(20)
        tree = self.tree(20, 2, 3, 4)
        comparing = self.sync(f"{name(20)}@10.0.20.1:7460")
        [(at, patience, reply)] = self.node.pinged[-1:]
        self.assertEqual((key(20).public, CONNECT), (at.key, patience))
        self.assertNoResult(comparing)
        reply.callback(None)
        self.assertIn(key(20).public, self.others.neighbours)
        self.core._friends[key(20).public].next = 1e9
        self.answer_all()
        found = self.successResultOf(comparing)
        self.assertEqual((values.SyncRow(name(20), "equal", 2),), found.rows)
        self.assertEqual((4, 4, tree.root.hex()), (tree.total, found.count, found.root))

    def test_with_all_peers_one_after_the_other(self) -> None:
        self.neighbour(20, 1)
        self.neighbour(21, 1, 2)
        comparing = self.sync()
        self.assertEqual([key(20).public], [one.peer for one in self.node.asked])
        self.answer_all()
        found = self.successResultOf(comparing)
        self.assertEqual([(name(20), "equal", 1), (name(21), "equal", 1)],
                         [(row.node, row.ending, row.new) for row in found.rows])  # fmt: skip

    def test_newer_records_are_new_here(self) -> None:
        self.keep(1)
        self.neighbour(20)
        self.trees[key(20).public].put([node_record(1, NOON + 60), node_record(2)])
        comparing = self.sync()
        self.answer_all()
        self.assertEqual(2, self.successResultOf(comparing).rows[0].new)

    def test_it_walks_under_the_key_of_the_session(self) -> None:
        self.neighbour(20, *range(1, 150))
        comparing = self.sync()
        asked = self.answer_all()
        self.assertNotEqual([SyncHello], [type(one) for one in asked])
        self.assertEqual("equal", self.successResultOf(comparing).rows[0].ending)
        # One that says that too much differs is walked with, under the one key that both have.
        self.trees[key(20).public].put([node_record(number) for number in range(150, 200)])
        honest = self.serve
        walked: list[Any] = []

        def many(peer: bytes, request: Any) -> Any:
            reply = honest(peer, request)
            if isinstance(request, SyncHello) and reply.kind in (3, 4):
                return type(reply)(kind=5, epoch=reply.epoch, count=reply.count, root=reply.root, store=reply.store,
                                   seq=reply.seq, until=0, records=b"", wants=b"", cells=b"")  # fmt: skip
            walked.extend([request] * isinstance(request, SyncWalk))
            return reply

        self.patch(self, "serve", many)
        first = self.successResultOf(self.others.look(
            lambda tree: Comparison(tree, SHARED, CUT).part(0, bytes(32)).encode()
        ))  # fmt: skip
        comparing = self.sync()
        self.answer_all()
        self.assertEqual((values.SyncRow(name(20), "equal", 50),), self.successResultOf(comparing).rows)
        self.assertEqual(first, walked[0].parts)
        self.assertFalse(any(request.whole for request in walked))

    def test_a_peer_without_an_answer_or_with_nonsense_is_told(self) -> None:
        peer = self.neighbour(20, 1)
        for reply, ending in ((SessionLost("over"), "broken"), (Refused(64, "no"), "broken"),
                              (SyncTaken(count=1, root=bytes(32), seq=1, new=0), "lied")):  # fmt: skip
            comparing = self.sync()
            waiting = self.hello_of(peer).reply
            if isinstance(reply, Exception):
                waiting.errback(reply)
            else:
                waiting.callback(reply)
            self.pass_on()
            self.assertEqual((values.SyncRow(name(20), ending, 0),), self.successResultOf(comparing).rows)

    def test_a_peer_that_serves_nobody_is_left_out_and_told_of_if_it_was_named(self) -> None:
        mute = self.neighbour(20, 1)
        comparing = self.sync()
        self.hello_of(mute).reply.errback(NotSpoken(1))
        self.pass_on()
        self.assertEqual("RHO-2616", self.failureResultOf(comparing, OperatorError).value.code)
        self.neighbour(21, 1)
        comparing = self.sync()
        self.hello_of(mute).reply.errback(NotSpoken(1))
        self.answer_all()
        self.assertEqual([(name(21), "equal")], [(r.node, r.ending) for r in self.successResultOf(comparing).rows])
        comparing = self.sync(f"{name(20)}@10.0.20.1:7460")
        self.node.pinged[-1][2].callback(None)
        self.hello_of(mute).reply.errback(NotSpoken(1))
        self.pass_on()
        self.assertEqual((values.SyncRow(name(20), "mute", 0),), self.successResultOf(comparing).rows)

    def test_whom_it_cannot_reach_it_names(self) -> None:
        def none(at: Any) -> Any:
            raise LocalError("no IPv6")

        self.assertEqual("RHO-2616", self.code(self.sync()))
        self.assertEqual("RHO-2615", self.code(self.sync("x" * 500)))
        comparing = self.sync(place := f"{name(20)}@10.0.20.1:7460")
        self.node.pinged[-1][2].errback(SessionLost("over"))
        error = self.failureResultOf(comparing, OperatorError).value
        self.assertIn(place, str(error))
        self.assertNotEqual("RHO-2615", error.code)
        self.patch(self.node, "peer", none)
        failure = self.failureResultOf(self.sync(place), OperatorError)
        self.assertEqual(("RHO-2615", True), (failure.value.code, "no IPv6" in failure.value.why))
        self.assertEqual((), self.others.neighbours)

    def code(self, comparing: Deferred[Any]) -> str:
        """The code of an error."""
        found: str = self.failureResultOf(comparing, OperatorError).value.code
        return found
