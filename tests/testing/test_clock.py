"""The clock: events in order, each at its own time."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from rhotwist.testing.clock import Clock


class ClockTests(SynchronousTestCase):
    """A heap, not a real clock."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.seen: list[tuple[float, object]] = []

    def note(self, what: object) -> None:
        self.seen.append((self.clock.now, what))

    def test_events_run_in_order_of_time_and_see_their_own_time(self) -> None:
        for when in (3.0, 1.0, 2.0):
            self.clock.at(when, self.note, when)
        self.assertFalse(self.clock.run(10.0))
        self.assertEqual([(1.0, 1.0), (2.0, 2.0), (3.0, 3.0)], self.seen)
        self.assertEqual(10.0, self.clock.now)
        self.assertEqual(3, self.clock.events)

    def test_events_of_one_time_run_in_the_order_asked_for(self) -> None:
        for _ in range(100):
            self.clock.at(1.0, self.note, object())
        asked = [entry[3] for entry in sorted(self.clock._heap, key=lambda entry: entry[1])]
        self.clock.run(1.0)
        self.assertEqual(asked, [what for _, what in self.seen])

    def test_an_event_at_the_end_runs_and_one_after_it_waits(self) -> None:
        self.clock.at(1.0, self.note, "at")
        self.clock.at(1.0000001, self.note, "after")
        self.clock.run(1.0)
        self.assertEqual([(1.0, "at")], self.seen)
        self.assertEqual(1, self.clock.pending())

    def test_what_is_asked_for_in_the_past_runs_now_and_time_never_goes_back(self) -> None:
        self.clock.run(5.0)
        self.clock.at(1.0, self.note, "late")
        self.clock.run(5.0)
        self.assertEqual([(5.0, "late")], self.seen)
        self.clock.run(2.0)
        self.assertEqual(5.0, self.clock.now)

    def test_events_made_by_events_run_in_the_same_run(self) -> None:
        self.clock.later(1.0, lambda _: self.clock.later(1.0, self.note, "second"))
        self.clock.run(2.0)
        self.assertEqual([(2.0, "second")], self.seen)

    def test_stop_leaves_the_clock_where_it_is_and_the_rest_for_later(self) -> None:
        self.clock.at(1.0, lambda _: self.clock.stop())
        self.clock.at(2.0, self.note, "rest")
        self.assertTrue(self.clock.run(10.0))
        self.assertEqual(1.0, self.clock.now)
        self.assertFalse(self.clock.run(10.0))
        self.assertEqual([(2.0, "rest")], self.seen)

    def test_until_ends_the_run_after_the_event_that_makes_it_true(self) -> None:
        for when in range(1, 6):
            self.clock.at(float(when), self.note, when)
        self.assertTrue(self.clock.run(10.0, lambda: len(self.seen) == 3))
        self.assertEqual(3.0, self.clock.now)

    def test_an_exception_comes_out_and_the_event_counts_as_run(self) -> None:
        self.clock.at(1.0, lambda _: 1 // 0)
        self.assertRaises(ZeroDivisionError, self.clock.run, 2.0)
        self.assertEqual(1, self.clock.events)
        self.assertFalse(self.clock.run(2.0))
