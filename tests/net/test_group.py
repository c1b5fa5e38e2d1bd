"""One Deferred for many: one outcome, and nothing left behind."""

from __future__ import annotations

import gc
from random import Random

from twisted.internet.defer import CancelledError, Deferred
from twisted.trial.unittest import SynchronousTestCase

from rhotwist.net.group import together
from tests import FULL

SEEDS = 1_000 if FULL else 100


class TogetherTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.members: list[Deferred[int]] = [Deferred() for _ in range(4)]
        self.seen: list[tuple[int, int]] = []
        self.group = together(self.members, lambda done, total: self.seen.append((done, total)))

    def test_it_fires_with_all_results_in_the_order_of_the_members(self) -> None:
        for index in (2, 0, 3, 1):
            self.assertNoResult(self.group)
            self.members[index].callback(index * 10)
        self.assertEqual(self.successResultOf(self.group), [0, 10, 20, 30])
        self.assertEqual(self.seen, [(1, 4), (2, 4), (3, 4), (4, 4)])

    def test_the_first_failure_is_the_groups_and_the_others_are_cancelled(self) -> None:
        cancelled: list[Deferred[int]] = []
        members: list[Deferred[int]] = [Deferred(cancelled.append) for _ in range(4)]
        group = together(members)
        members[0].callback(1)
        members[2].errback(ValueError("lost"))
        self.assertEqual(str(self.failureResultOf(group, ValueError).value), "lost")
        self.assertEqual(cancelled, [members[1], members[3]])
        gc.collect()
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_cancelling_it_cancels_the_members(self) -> None:
        self.members[1].callback(5)
        self.group.cancel()
        self.failureResultOf(self.group, CancelledError)
        self.assertTrue(all(member.called for member in self.members))
        gc.collect()
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_a_progress_that_raises_fails_the_group(self) -> None:
        def broken(done: int, total: int) -> None:
            raise ZeroDivisionError

        members: list[Deferred[int]] = [Deferred(), Deferred()]
        group = together(members, broken)
        members[0].callback(1)
        self.failureResultOf(group, ZeroDivisionError)
        self.assertTrue(members[1].called)

    def test_a_group_of_nobody_has_fired(self) -> None:
        self.assertEqual(self.successResultOf(together([])), [])

    def test_members_that_have_their_result_already_count(self) -> None:
        done: Deferred[int] = Deferred()
        done.callback(7)
        self.assertEqual(self.successResultOf(together([done])), [7])

    def test_whatever_becomes_of_members_there_is_one_outcome_and_nothing_unhandled(self) -> None:
        for seed in range(SEEDS):
            random = Random(seed)
            members: list[Deferred[int]] = [Deferred() for _ in range(random.randint(1, 12))]
            outcomes: list[object] = []
            together(members).addBoth(outcomes.append)
            for index in random.sample(range(len(members)), len(members)):
                if members[index].called:
                    continue
                if random.random() < 0.1:
                    members[index].errback(ValueError(str(seed)))
                else:
                    members[index].callback(index)
            self.assertEqual(len(outcomes), 1, f"seed {seed}")
        gc.collect()
        self.assertEqual(self.flushLoggedErrors(), [])
