"""Answering who compares: the same again for the same request, and a refusal for what no honest peer asks."""

from __future__ import annotations

from collections import Counter

from twisted.trial.unittest import SynchronousTestCase

from rhotwist.directory.answering import AT_ONCE, answer
from rhotwist.directory.credit import MOST
from rhotwist.directory.messages import RECORDS_MOST, SyncGive, SyncHello, SyncMore, SyncWalk, SyncWant
from rhotwist.directory.parts import BESIDE, SPARE, Part
from rhotwist.directory.step import Ending
from rhotwist.errors import BadPacket
from tests.directory.comparing import KEY, SAME, compare, made, pair, replica


class AnsweringTests(SynchronousTestCase):
    """Whoever answers keeps nothing."""

    def test_the_same_request_has_the_same_answer(self) -> None:
        ours, theirs = pair(200, 200)
        run = compare(replica([*range(SAME), *range(10_000, 10_200)]), theirs)
        for request in run.requests:
            if not isinstance(request, SyncGive):
                self.assertEqual(answer(ours, request, KEY), answer(ours, request, KEY))

    def test_what_no_honest_peer_asks_is_refused(self) -> None:
        tree = replica(range(300))
        part = Part(4, bytes(32), entries=()).encode()
        for request in (
            SyncMore(first=0, count=5), SyncMore(first=5, count=0), SyncMore(first=8_000, count=200),
            SyncWalk(epoch=tree.epoch + 1, whole=False, parts=part),
            SyncWalk(epoch=tree.epoch, whole=False, parts=part * (AT_ONCE + 1)), SyncWant(wants=b"12345" * 2),
            SyncGive(records=b""),
            SyncHello(epoch=tree.epoch, count=1, root=bytes(32), store=bytes(8), cursor=0, cells=b"short"),
        ):  # fmt: skip
            self.assertRaises(BadPacket, answer, tree, request, KEY)

    def test_a_replica_with_a_small_sketch_gives_what_it_has(self) -> None:
        ours, theirs = pair(300, 300)
        small = replica((), b"store--c", cells=200)
        small.put(theirs.held.records.values())
        self.assertIs(Ending.EQUAL, compare(ours, small).ending)

    def test_a_few_bytes_do_not_have_all_the_tree_read(self) -> None:
        """Who says that he has nothing, in parts that hold much, gets what one message holds, and no more is read."""
        tree = replica(range(40_000))
        read = Counter[str]()

        def counted(name: str) -> None:
            real = getattr(tree, name)

            def count(*told: object) -> object:
                found = real(*told)
                read[name] += len(found)
                return found

            self.patch(tree, name, count)

        counted("records")
        counted("entries")
        parts = b"".join(Part(8, bytes((n,)) + bytes(31)).encode() for n in range(AT_ONCE))
        reply = answer(tree, SyncWalk(epoch=tree.epoch, whole=False, parts=parts), KEY)
        self.assertGreater(len(reply.records), RECORDS_MOST - 200)  # type: ignore[attr-defined]
        self.assertLessEqual(read["entries"], AT_ONCE * BESIDE + SPARE)
        self.assertLessEqual(read["records"], RECORDS_MOST // len(made(1).encode()) + 1)

    def test_what_a_walk_costs_at_most(self) -> None:
        self.assertEqual(3_072, MOST)
