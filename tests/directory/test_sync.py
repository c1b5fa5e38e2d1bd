"""Comparing two trees: what it costs, that it ends equal, and that no peer makes it cost more or end otherwise."""

from __future__ import annotations

import itertools
from collections import deque
from random import Random

import attrs
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from rhotwist.directory import sync as comparing
from rhotwist.directory.answering import PAGE
from rhotwist.directory.messages import (
    CELLS,
    Kind,
    SyncAnswer,
    SyncCells,
    SyncGive,
    SyncHello,
    SyncParts,
    SyncRecords,
    SyncTaken,
    SyncWalk,
    SyncWant,
)
from rhotwist.directory.parts import CUT, WHOLE, Part, read_parts
from rhotwist.directory.step import Ending, Mark, Stage
from rhotwist.directory.sync import _MOVES, Sync
from rhotwist.testing import SeededTestCase
from rhotwist.testing.replicas import MemoryReplica
from rhotwist.tree.sketch import CELL, Cells, Sketch, sketch_id
from rhotwist.wire.schema import Request, Schema
from tests.directory.comparing import KEY, SAME, Run, compare, first, made, pair, put_better, replica, serve
from tests.directory.support import NOON


class EqualTests(SynchronousTestCase):
    """It ends equal."""

    def claim_equal(self, ours: MemoryReplica, theirs: MemoryReplica, **how: object) -> Run:
        everything = {**ours.held.records, **theirs.held.records}
        run = compare(ours, theirs, **how)  # type: ignore[arg-type]
        self.assertEqual((Ending.EQUAL, ours.root), (run.ending, theirs.root))
        self.assertEqual(everything, ours.held.records)
        self.assertEqual(everything, theirs.held.records)
        return run

    def test_equal_trees_say_so_in_one_round(self) -> None:
        run = self.claim_equal(*pair(0, 0))
        self.assertEqual((["SyncHello"], [Kind.SAME]), (run.kinds, [reply.kind for reply in run.replies]))  # type: ignore[attr-defined]
        self.assertEqual(0, run.sync.new)

    def test_forty_differences_are_told_in_one_packet_each_way(self) -> None:
        run = self.claim_equal(*pair(20, 20))
        self.assertEqual(["SyncHello", "SyncGive"], run.kinds)
        self.assertEqual((818, 20), (len(run.requests[0].encode()), run.sync.new))
        self.assertLessEqual(run.size, 1_100)

    def test_an_update_is_two_differences(self) -> None:
        run = self.claim_equal(*pair(0, 0, 15))
        self.assertEqual((["SyncHello", "SyncGive"], 15), (run.kinds, run.sync.new))

    def test_hundreds_take_a_larger_sketch_and_few_bytes_each(self) -> None:
        for differences, most in ((100, 40), (1_000, 23)):
            run = self.claim_equal(*pair(differences // 2, differences // 2))
            self.assertLessEqual(run.size / differences, most)
            self.assertLessEqual(len(run.requests), 4)
            self.assertNotIn("SyncWalk", run.kinds)

    def test_a_sketch_that_was_too_small_goes_on_once(self) -> None:
        for cells, walks in ((120, False), (30, True)):

            def peer(tree: MemoryReplica, request: Request[Schema], cells: int = cells) -> Schema:
                reply = serve(tree, request)
                return attrs.evolve(reply, cells=reply.cells[: CELL * cells]) if told(reply, Kind.CELLS) else reply

            run = self.claim_equal(*pair(50, 50), peer=peer)
            self.assertEqual("SyncMore", run.kinds[1])
            self.assertEqual((walks, 1), ("SyncWalk" in run.kinds, run.kinds.count("SyncMore")))

    def test_too_many_for_a_sketch_are_found_by_walking(self) -> None:
        run = self.claim_equal(*pair(5_000, 4_000))
        self.assertEqual(["SyncHello", "SyncWalk"], run.kinds[:2])
        self.assertEqual(4_000, run.sync.new)

    def test_records_that_take_long_to_look_at_make_nobody_a_liar(self) -> None:
        """A walk waits for what it has to be paid with; before, this one ended as a lie."""
        for ours, theirs in ((4_001, 8_000), (6_000, 5_000)):
            here, there = replica(range(ours), b"store--a"), replica(range(20_000, 20_000 + theirs), b"store--b")
            sync, waiting, ending = Sync(here, KEY), [], None
            asks = deque(sync.begin().asks)
            while ending is None:
                if asks:
                    request = asks.popleft()
                    step = sync.heard(request, serve(there, request))
                else:
                    step = sync.settled(put_better(here, waiting.pop(0)))
                if step.records:
                    waiting.append(step.records)
                asks += step.asks
                ending = step.ending
            self.assertEqual((Ending.EQUAL, ours + theirs), (ending, here.total))

    def test_records_looked_at_while_leaves_are_asked_for_make_nobody_a_liar(self) -> None:
        """One part of a walk is under way at a time, also where it is of leaves alone; before, another went beside it,
        and an honest answer to that was found out of place.
        """
        self.patch(comparing, "AT_ONCE", 4)  # by 128 it takes trees of 60,000
        ours, theirs = replica(range(3_500), b"store--a"), replica(range(20_000, 26_500), b"store--b")
        run = self.claim_equal(ours, theirs, walk=True)
        self.assertEqual(6_500, run.sync.new)

    def test_what_others_brought_meanwhile_makes_nobody_a_liar(self) -> None:
        """Records that are known when they come pay for nothing, and a walk may run out of credit."""
        for others, ending in ((True, Ending.MOVED), (False, Ending.LIED)):
            here, there = replica(range(4_001), b"store--a"), replica(range(20_000, 28_000), b"store--b")
            sync = Sync(here, KEY)
            walk = first(sync.begin(walk=True))
            reply = serve(there, walk)
            if others:
                here.put(made(number) for number in range(20_000, 20_100))
            sync._credit.left = 0
            self.assertEqual(ending, sync.heard(walk, reply).ending)

    def test_an_empty_tree_gets_all_and_gives_all(self) -> None:
        empty, full = replica((), b"store--a"), replica(range(SAME), b"store--b")
        self.claim_equal(empty, full)
        self.claim_equal(full, replica((), b"store--c"))
        self.claim_equal(replica((), b"store--c"), replica((7,), b"store--d"), walk=True)

    def test_who_has_less_than_half_takes_the_journal_page_by_page(self) -> None:
        for ours, kinds in ((4_000, {Kind.MANY, Kind.DELTA, Kind.SAME}), (4_001, {Kind.MANY})):
            here, there = replica(range(ours), b"store--a"), replica(range(12_000, 20_000), b"store--b")
            run = compare(here, there)
            self.assertEqual(20_000 - 12_000 + ours, here.total)
            said = {reply.kind for reply in run.replies if isinstance(reply, SyncAnswer)}
            self.assertEqual(kinds - {Kind.SAME}, said - {Kind.SAME, Kind.CELLS})
            self.assertEqual(ours > 4_000, "SyncWalk" in run.kinds)

    def test_an_empty_tree_pays_hardly_more_than_the_records(self) -> None:
        run = self.claim_equal(replica((), b"store--a"), replica(range(9_000), b"store--b"))
        self.assertEqual({"SyncHello"}, set(run.kinds))
        self.assertLessEqual(run.size, 9_000)

    def test_a_journal_that_breaks_off_is_continued_where_it_was(self) -> None:
        here, there = replica((), b"store--a"), replica(range(9_000), b"store--b")
        first = compare(here, there, most=6)
        self.assertEqual(Mark(b"store--b", 4 * PAGE), first.sync.reached)
        self.assertTrue(first.sync.fetches_all)
        second = self.claim_equal(here, there, mark=first.sync.reached)
        self.assertEqual(9_000 - 5 * PAGE, second.sync.new)  # the last page came and was kept: it brings nothing again
        self.assertFalse(second.sync.fetches_all)
        self.assertEqual({"SyncHello"}, set(second.kinds))
        self.assertEqual(1 + -(-9_000 // PAGE) - 5, len(second.requests))

    def test_who_has_twice_as_much_leaves_it_to_the_other_where_that_is_agreed(self) -> None:
        full = replica(range(16_000), b"store--a")
        for count, leaves, ending in ((8_000, True, Ending.MOVED), (8_001, True, None), (8_000, False, None)):
            sync = Sync(full, KEY, leaves=leaves)
            request = first(sync.begin())
            reply = serve(replica(range(20_000, 20_000 + count)), request)
            self.assertEqual(Kind.MANY, reply.kind)  # type: ignore[attr-defined]
            step = sync.heard(request, reply)
            self.assertEqual((ending, 0 if ending else 1), (step.ending, len(step.asks)))

    def test_a_walk_finds_all_by_itself_and_moves_the_newer_of_two_alone(self) -> None:
        ours, theirs = pair(30, 30, 40)
        run = self.claim_equal(ours, theirs, walk=True)
        self.assertEqual(70, run.sync.new)
        moved = sum(len(getattr(said, "records", b"")) for said in (*run.requests, *run.replies))
        self.assertEqual(100 * len(made(0).encode()), moved)

    def test_a_peer_that_comes_back_needs_one_round_and_no_cells(self) -> None:
        ours, theirs = pair(0, 0)
        first = compare(ours, theirs)
        self.assertEqual(Mark(b"store--b", theirs.seq), first.sync.mark)
        theirs.put(made(30_000 + n) for n in range(300))
        run = self.claim_equal(ours, theirs, mark=first.sync.mark)
        self.assertEqual(["SyncHello"], run.kinds)
        self.assertEqual((Kind.DELTA, 300), (run.replies[0].kind, run.sync.new))  # type: ignore[attr-defined]
        self.assertLessEqual(run.size, 160)

    def test_a_long_delta_comes_in_several_and_what_we_alone_have_goes_by_sketch(self) -> None:
        ours, theirs = pair(0, 0)
        mark = compare(ours, theirs).sync.mark
        theirs.put(made(30_000 + n) for n in range(2_500))
        ours.put(made(40_000 + n) for n in range(5))
        run = self.claim_equal(ours, theirs, mark=mark)
        kinds = [reply.kind for reply in run.replies if isinstance(reply, SyncAnswer)]
        self.assertEqual([*[Kind.DELTA] * 5, Kind.FOUND], kinds)

    def test_a_cursor_of_another_store_or_from_the_future_is_answered_with_nothing(self) -> None:
        for mark in Mark(b"elsewher", 5), Mark(b"store--b", 10**6):
            ours, theirs = pair(3, 3)
            run = self.claim_equal(ours, theirs, mark=mark)
            self.assertEqual(["SyncHello", "SyncHello", "SyncGive"], run.kinds)

    def test_trees_of_different_days_are_not_compared(self) -> None:
        ours, theirs = pair(3, 3)
        theirs.epoch += 1
        run = compare(ours, theirs)
        self.assertEqual((Ending.OTHER_DAY, 1, SAME + 3), (run.ending, len(run.requests), ours.total))

    def test_any_two_sets_end_equal(self) -> None:
        @given(st.lists(st.tuples(st.integers(0, 60), st.integers(0, 2), st.integers(0, 2))), st.booleans())
        def check(some: list[tuple[int, int, int]], walk: bool) -> None:
            ours, theirs = (MemoryReplica(store, 0, 200) for store in (b"store--a", b"store--b"))
            for number, here, there in some:
                for tree, issued in ((ours, here), (theirs, there)):
                    if issued and made(number).address not in tree.held.records:
                        tree.put([made(number, NOON + 60 * issued)])
            run = compare(ours, theirs, walk=walk)
            self.assertEqual(ours.root, theirs.root)
            # Where a side sent a record that was no news there, the roots alone do not tell why they were unequal.
            self.assertEqual(Ending.EQUAL, run.ending)

        check()


class Blind(MemoryReplica):
    """A tree whose sketch does not show some records, as if their ids had been ground to cancel each other."""

    def cells(self, count: int) -> Cells:
        shown = Sketch(count)
        shown.change(sketch_id(one.address, one.leaf) for one in self.held.records.values() if one.issued != NOON + 120)
        return shown.first(count)


class HiddenTests(SynchronousTestCase):
    """What a sketch or short fingerprints hide is found all the same."""

    def blind(self, numbers: tuple[int, ...]) -> Blind:
        tree = Blind(b"store--b", replica(()).epoch, 200)
        tree.put(made(n) for n in range(200))
        tree.put(made(n, NOON + 120) for n in numbers)
        return tree

    def test_records_that_cancel_in_the_sketch_are_found_by_walking(self) -> None:
        ours, theirs = self.blind(()), self.blind((500, 501))
        run = compare(ours, theirs)
        self.assertEqual((Ending.EQUAL, 202, 202), (run.ending, ours.total, theirs.total))
        self.assertIn("SyncWalk", run.kinds)

    def test_what_short_fingerprints_hide_is_found_with_whole_hashes(self) -> None:
        def peer(tree: MemoryReplica, request: Request[Schema]) -> Schema:
            reply = serve(tree, request)
            if isinstance(reply, SyncParts) and isinstance(request, SyncWalk) and not request.whole:
                return attrs.evolve(reply, parts=b"", records=b"", wants=b"")
            return reply

        ours, theirs = self.blind((600,)), self.blind((500, 501))
        run = compare(ours, theirs, peer=peer)
        self.assertEqual((Ending.EQUAL, 203, 203), (run.ending, ours.total, theirs.total))
        self.assertIn(True, [request.whole for request in run.requests if isinstance(request, SyncWalk)])


class LyingTests(SeededTestCase):
    """A peer that lies ends the comparison soon and changes nothing."""

    def test_a_root_that_is_nowhere_in_the_tree_is_a_lie_told_by_whole_hashes(self) -> None:
        ours, theirs = pair(0, 0)

        def peer(tree: MemoryReplica, request: Request[Schema]) -> Schema:
            reply = serve(tree, attrs.evolve(request, root=b"x" * 32) if isinstance(request, SyncHello) else request)
            return attrs.evolve(reply, root=b"lie" + bytes(29))

        run = compare(ours, theirs, peer=peer)
        self.assertEqual((Ending.UNEQUAL, Stage.OVER, SAME), (run.ending, run.sync.stage, ours.total))
        self.assertLessEqual(len(run.requests), 4)

    def test_a_peer_that_invents_nodes_costs_no_more_than_the_difference_it_claims_and_adds_nothing(self) -> None:
        noise, claim = Random(1), []

        def peer(tree: MemoryReplica, request: Request[Schema]) -> Schema:
            if isinstance(request, SyncHello):
                lie = {"kind": claim[-1], "count": 10**6, "root": bytes(32), "records": b"", "wants": b""}
                return attrs.evolve(serve(tree, request), **lie)
            self.assertIsInstance(request, SyncWalk)
            parts = []
            for part in read_parts(request.parts, WHOLE if request.whole else CUT):
                for prefix, _ in part.below():
                    prints = tuple(noise.randbytes(8) for _ in range(16))
                    parts.append(Part(part.bits + part.width, prefix, prints=prints).encode())
            return SyncParts(count=10**6, root=bytes(32), seq=10**6, parts=b"".join(parts), records=b"", wants=b"")

        for kind, differences in ((Kind.FOUND, 100), (Kind.MANY, 9_000)):
            claim.append(kind)
            ours, theirs = pair(0, 0)
            run = compare(ours, theirs, peer=peer)
            self.assertEqual((Ending.LIED, SAME, 0), (run.ending, ours.total, run.sync.new))
            self.assertLessEqual(len(run.requests), 40)
            honest = compare(*pair(differences // 2, differences // 2), walk=True)
            self.assertLessEqual(run.size, 2 * honest.size)

    def test_a_peer_that_has_something_everywhere_and_never_brings_it_is_given_up(self) -> None:
        def peer(tree: MemoryReplica, request: Request[Schema]) -> Schema:
            return SyncRecords(records=b"") if isinstance(request, SyncWant) else serve(tree, request)

        ours, theirs = replica(range(SAME)), replica(range(SAME, 2 * SAME))
        run = compare(ours, theirs, peer=peer, walk=True)
        self.assertEqual(Ending.UNEQUAL, run.ending)
        honest = compare(replica(range(SAME)), replica(range(SAME, 2 * SAME)), walk=True)
        self.assertLessEqual(run.size, 2 * honest.size)

    def test_parts_that_lie_elsewhere_than_asked_or_come_twice_are_refused(self) -> None:
        def shapes(part: Part) -> list[list[Part]]:
            below = [Part(part.bits + part.width, prefix) for prefix, _ in part.below()]
            return [
                [part], [below[0], below[0]], [attrs.evolve(below[0], bits=below[0].bits + 4)],
                [attrs.evolve(below[0], bits=0, prefix=bytes(32))],
            ]  # fmt: skip

        for shape in range(4):

            def peer(tree: MemoryReplica, request: Request[Schema], shape: int = shape) -> Schema:
                reply = serve(tree, request)
                if isinstance(request, SyncWalk):
                    lies = shapes(read_parts(request.parts, CUT)[0])[shape]
                    return attrs.evolve(reply, parts=b"".join(part.encode() for part in lies))
                return reply

            ours, theirs = pair(0, 500)
            run = compare(ours, theirs, peer=peer, walk=True)
            self.assertEqual((Ending.LIED, SAME), (run.ending, ours.total), shape)

    def test_a_delta_that_brings_nothing_new_is_not_asked_for_again(self) -> None:
        def peer(tree: MemoryReplica, request: Request[Schema]) -> Schema:
            if isinstance(request, SyncHello) and request.store != bytes(8):
                return SyncAnswer(
                    kind=Kind.DELTA, epoch=tree.epoch, count=1, root=bytes(32), store=b"store--b", seq=10**9,
                    until=request.cursor + 1, records=made(1).encode(),
                )  # fmt: skip
            return serve(tree, request)

        ours, theirs = pair(0, 1)
        run = compare(ours, theirs, peer=peer, mark=Mark(b"store--b", 5))  # the first page may have been kept before
        self.assertEqual([(5, False), (6, False), (0, True)],
                         [(hello.cursor, bool(hello.cells)) for hello in run.requests])  # type: ignore[attr-defined]

    def test_more_records_than_can_have_been_wanted_are_refused(self) -> None:
        size = len(made(0).encode())
        many = b"".join(made(30_000 + n).encode() for n in range(CELLS + 17))
        for schema, most in ((SyncAnswer, CELLS + 16), (SyncRecords, 1 + 16)):
            for records in many[: most * size], many[: (most + 1) * size]:

                def peer(tree: MemoryReplica, request: Request[Schema], some: object = (schema, records)) -> Schema:
                    reply = serve(tree, request)
                    return attrs.evolve(reply, records=some[1]) if type(reply) is some[0] else reply  # type: ignore[index]

                run = compare(replica(range(50)), replica(range(51)), peer=peer, walk=schema is SyncRecords)
                self.assertEqual(len(records) > most * size, run.ending is Ending.LIED, schema)

    def test_a_reply_out_of_place_is_a_lie_at_every_stage(self) -> None:
        tree = {"count": 1, "root": b"x" * 32, "seq": 1}
        answers = [
            SyncAnswer(kind=kind, epoch=0, store=bytes(8), until=0, **tree)
            for kind in (*Kind, 99)  # type: ignore[arg-type]
        ]
        replies: list[Schema] = [
            *answers, SyncCells(cells=b""), SyncRecords(records=b""), SyncTaken(new=0, **tree),  # type: ignore[arg-type]
            SyncParts(parts=b"", records=b"", wants=b"", **tree),  # type: ignore[arg-type]
        ]  # fmt: skip
        for stage, reply in itertools.product(Stage, replies):
            came = reply.kind if isinstance(reply, SyncAnswer) else type(reply)
            if (stage, came) not in _MOVES and stage is not Stage.OVER:
                sync = Sync(replica((1,)), KEY)
                sync.begin()
                sync.stage = stage
                self.assertIs(Ending.LIED, sync.heard(SyncWant(wants=b""), reply).ending, (stage, came))

    def test_a_number_that_no_journal_comes_to_is_a_lie_and_never_a_cursor(self) -> None:
        tree = replica((1,))
        for seq, ending in ((2**63 - 1, Ending.EQUAL), (2**63, Ending.LIED)):
            sync = Sync(tree, KEY)
            [hello] = sync.begin().asks
            same = SyncAnswer(kind=Kind.SAME, epoch=tree.epoch, count=1, root=tree.root, store=b"store--b", seq=seq,
                              until=0, records=b"", wants=b"", cells=b"")  # fmt: skip
            self.assertIs(ending, sync.heard(hello, same).ending)
            self.assertEqual(Mark(b"store--b", seq) if ending is Ending.EQUAL else None, sync.mark)

    def test_whatever_is_said_it_ends_within_its_budget_and_raises_nothing(self) -> None:
        for seed in self.seeds(8, 3_000):
            noise = Random(seed)
            ours, theirs = pair(noise.randrange(300), noise.randrange(300))
            before = {**ours.held.records}

            def peer(tree: MemoryReplica, request: Request[Schema]) -> Schema:
                reply = serve(tree, request)
                while noise.random() < 0.4:  # noqa: B023 - called at once
                    name, value = noise.choice(sorted(attrs.asdict(reply, recurse=False).items()))  # noqa: B023
                    reply = attrs.evolve(reply, **{name: wrong(noise, name, value)})  # noqa: B023
                return reply

            run = compare(ours, theirs, peer=peer, walk=noise.random() < 0.5)
            self.assertIsNotNone(run.ending)
            self.assertLess(len(run.requests), 100)
            self.assertLessEqual(set(before), set(ours.held.records))


class MovedTests(SynchronousTestCase):
    """Trees that change meanwhile."""

    def test_a_tree_that_changed_meanwhile_proves_nothing(self) -> None:
        for ours_moves in (False, True):
            ours, theirs = pair(3, 3)

            def peer(tree: MemoryReplica, request: Request[Schema]) -> Schema:
                reply = serve(tree, request)
                if isinstance(request, SyncHello):
                    (ours if ours_moves else theirs).put([made(50_000)])  # noqa: B023 - called at once
                return reply

            run = compare(ours, theirs, peer=peer)
            self.assertEqual((Ending.MOVED, 2), (run.ending, len(run.requests)))
            self.assertIs(Ending.EQUAL, compare(ours, theirs).ending)

    def test_what_is_the_same_there_may_differ_here_by_now(self) -> None:
        ours, theirs = pair(0, 0)
        sync = Sync(ours, KEY)
        [request] = sync.begin().asks
        ours.put([made(50_000)])
        self.assertIs(Ending.MOVED, sync.heard(request, serve(theirs, request)).ending)

    def test_a_record_that_was_held_back_there_is_no_lie(self) -> None:
        def peer(tree: MemoryReplica, request: Request[Schema]) -> Schema:
            if isinstance(request, SyncGive):
                return SyncTaken(count=tree.total, root=tree.root, seq=tree.seq, new=0)
            return serve(tree, request)

        self.assertIs(Ending.MOVED, compare(*pair(3, 3), peer=peer).ending)

    def test_a_request_without_a_reply_ends_it_and_what_comes_later_is_not_looked_at(self) -> None:
        ours, theirs = pair(1, 1)
        sync = Sync(ours, KEY)
        [request] = sync.begin().asks
        self.assertIs(Ending.BROKEN, sync.failed().ending)
        for step in (sync.heard(request, serve(theirs, request)), sync.settled(1), sync.failed()):
            self.assertEqual(([], [], None), (step.asks, step.records, step.ending))


def wrong(noise: Random, name: str, value: object) -> object:
    """Another value of the same type."""
    if isinstance(value, bytes):
        if not value or (name not in ("root", "store") and noise.random() < 0.3):
            return value + value[:13]
        at = noise.randrange(len(value))
        return value[:at] + bytes((noise.randrange(256),)) + value[at + 1 :]
    return noise.choice((0, 1, int(value) ^ 1, 255))  # type: ignore[call-overload]


def told(reply: Schema, kind: Kind) -> bool:
    """Whether a reply is the answer to a Hello, of that kind."""
    return isinstance(reply, SyncAnswer) and reply.kind == kind
