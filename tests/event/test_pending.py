"""Pending events: the right answer fires them once; everything else finds nothing."""

import math

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from twisted.trial.unittest import SynchronousTestCase

from rhotwist.errors import LocalError
from rhotwist.event.pending import Event, PendingEvents
from tests import FULL

ANN, BOB = bytes([1]) * 32, bytes([2]) * 32
HASH, OTHER = bytes([3]) * 32, bytes([4]) * 32


class MatchTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.pending = PendingEvents()
        self.event = self.pending.add(Event(ANN, 77, HASH, 30.0))

    def test_the_answer_fires_the_event(self) -> None:
        self.assertIs(self.pending.match(ANN, 77, HASH), self.event)
        self.assertEqual((self.event.peer, self.event.hashcode, self.event.request_hash), (ANN, 77, HASH))
        self.assertEqual((self.event.deadline, self.event.due), (30.0, 30.0))
        self.assertNotIn(self.event, self.pending)
        self.assertEqual(len(self.pending), 0)

    def test_each_of_the_three_must_hold(self) -> None:
        for peer, code, request in ((BOB, 77, HASH), (ANN, 78, HASH), (ANN, 77, OTHER), (ANN, 0, HASH)):
            self.assertIsNone(self.pending.match(peer, code, request))
        self.assertIn(self.event, self.pending)
        self.assertIs(self.pending.match(ANN, 77, HASH), self.event)

    def test_the_first_of_two_answers_wins(self) -> None:
        self.assertIsNotNone(self.pending.match(ANN, 77, HASH))
        self.assertIsNone(self.pending.match(ANN, 77, HASH))

    def test_an_answer_after_the_timeout_finds_nothing(self) -> None:
        self.assertEqual(self.pending.expire(30.0), [self.event])
        self.assertIsNone(self.pending.match(ANN, 77, HASH))
        self.assertEqual(self.pending.expire(31.0), [])

    def test_a_cancelled_event_neither_fires_nor_times_out(self) -> None:
        self.assertTrue(self.pending.cancel(self.event))
        self.assertFalse(self.pending.cancel(self.event))
        self.assertIsNone(self.pending.match(ANN, 77, HASH))
        self.assertEqual(self.pending.expire(99.0), [])
        self.assertIsNone(self.pending.deadline())

    def test_cancelling_a_fired_event_leaves_the_next_holder_of_its_hashcode_alone(self) -> None:
        self.pending.match(ANN, 77, HASH)
        second = self.pending.add(Event(BOB, 77, OTHER, 40.0))
        self.assertFalse(self.pending.cancel(self.event))
        self.assertIn(second, self.pending)
        self.assertNotIn(self.event, self.pending)
        self.assertEqual(self.pending.expire(39.0), [])
        self.assertEqual(self.pending.expire(40.0), [second])

    def test_a_hashcode_waits_for_one_answer_and_zero_for_none(self) -> None:
        self.assertRaises(LocalError, self.pending.add, Event(BOB, 77, OTHER, 5.0))
        self.assertRaises(LocalError, self.pending.add, Event(BOB, 0, OTHER, 5.0))
        self.assertIs(self.pending.match(ANN, 77, HASH), self.event)

    def test_a_redirected_event_answers_to_its_new_peer_only(self) -> None:
        self.event.peer = BOB
        self.assertIsNone(self.pending.match(ANN, 77, HASH))
        self.assertIs(self.pending.match(BOB, 77, HASH), self.event)

    def test_an_event_shows_no_hash(self) -> None:
        self.assertEqual(repr(self.event), "<Event 0000004d to 01010101 due 30.000>")


class TimeTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.pending = PendingEvents()

    def add(self, code: int, deadline: float) -> Event:
        return self.pending.add(Event(ANN, code, HASH, deadline))

    def test_events_time_out_in_order_of_time_and_ties_in_order_of_adding(self) -> None:
        late, early, tie = self.add(1, 20.0), self.add(2, 10.0), self.add(3, 20.0)
        self.assertEqual(self.pending.deadline(), 10.0)
        self.assertEqual(self.pending.expire(9.999), [])
        self.assertEqual(self.pending.expire(20.0), [early, late, tie])
        self.assertIsNone(self.pending.deadline())

    def test_the_deadline_is_that_of_a_pending_event(self) -> None:
        first, _ = self.add(1, 10.0), self.add(2, 20.0)
        self.pending.cancel(first)
        self.assertEqual(self.pending.deadline(), 20.0)

    def test_an_event_may_wait_for_ever(self) -> None:
        event = self.add(1, math.inf)
        self.assertIsNone(self.pending.deadline())
        self.assertEqual(self.pending.expire(1e300), [])
        self.assertIn(event, self.pending)

    def test_no_progress_for_the_idle_time_ends_an_event_early(self) -> None:
        event = self.add(1, 100.0)
        self.pending.limit_idle(event, 5.0, 10.0)
        self.assertEqual(self.pending.deadline(), 15.0)
        self.assertEqual(self.pending.expire(14.9), [])
        self.assertEqual(self.pending.expire(15.0), [event])

    def test_progress_moves_the_idle_time_but_not_the_deadline(self) -> None:
        event = self.add(1, 22.0)
        self.pending.limit_idle(event, 5.0, 10.0)
        self.pending.progress(event, 14.0)
        self.assertEqual(self.pending.expire(15.0), [])
        self.assertEqual(self.pending.deadline(), 19.0)
        self.pending.progress(event, 12.0)  # an older moment takes nothing back
        self.assertEqual(self.pending.deadline(), 19.0)
        self.pending.progress(event, 18.5)
        self.assertEqual(self.pending.deadline(), 22.0)
        self.assertEqual(self.pending.expire(22.0), [event])
        self.assertEqual(self.pending.expire(99.0), [])

    def test_progress_without_an_idle_limit_changes_nothing(self) -> None:
        event = self.add(1, 22.0)
        self.pending.progress(event, 14.0)
        self.assertEqual((self.pending.deadline(), event.due), (22.0, 22.0))

    def test_an_idle_limit_can_be_widened(self) -> None:
        event = self.add(1, 100.0)
        self.pending.limit_idle(event, 5.0, 0.0)
        self.pending.limit_idle(event, 50.0, 0.0)
        self.assertEqual(self.pending.expire(49.0), [])
        self.assertEqual(self.pending.deadline(), 50.0)

    def test_an_event_that_is_gone_gets_no_timer_back(self) -> None:
        event = self.add(1, 100.0)
        self.pending.cancel(event)
        self.pending.limit_idle(event, 5.0, 0.0)
        self.pending.progress(event, 3.0)
        self.assertIsNone(self.pending.deadline())
        self.assertEqual(self.pending._heap, [])

    def test_the_heap_stays_small_over_many_lives(self) -> None:
        keeper = self.add(1, 1e9)
        most = 0
        for number in range(1_000_000 if FULL else 30_000):
            self.pending.cancel(self.add(2 + number, 30.0 + number))
            most = max(most, len(self.pending._heap))
        for _ in range(10_000):
            self.pending.limit_idle(keeper, 1e6 - most, 0.0)
            most = max(most, len(self.pending._heap))
            self.pending.limit_idle(keeper, 1e7, 0.0)
        self.assertLess(most, 70)
        self.assertEqual(self.pending.expire(2e9), [keeper])

    def test_building_the_heap_anew_keeps_every_time_and_their_order(self) -> None:
        kept = [self.add(1 + number, 1_000.0 - number % 7) for number in range(50)]
        for number in range(1_000):
            if number % 9:
                self.pending.cancel(self.add(1_000 + number, 2.0))
            else:
                kept.append(self.add(1_000 + number, 1_000.0 - number % 7))
            self.assertLess(len(self.pending._heap), 2 * len(kept) + 70)
        self.pending.limit_idle(kept[30], 5.0, 0.0)
        self.assertEqual(self.pending.deadline(), 5.0)
        self.assertEqual(self.pending.expire(5.0), [kept.pop(30)])
        self.assertEqual(self.pending.expire(1e9), sorted(kept, key=lambda event: event.deadline))

    def test_an_idle_limit_set_while_the_heap_is_built_anew_holds(self) -> None:
        events = [self.add(1 + number, 1_000.0 + number) for number in range(200)]
        for event in events[1:]:
            self.pending.cancel(event)
        self.pending.limit_idle(events[0], 5.0, 0.0)
        self.assertEqual(len(self.pending._heap), 1)
        self.assertEqual(self.pending.deadline(), 5.0)


class PendingMachine(RuleBasedStateMachine):
    """Against a dict of (deadline, idle, last progress)."""

    codes = st.integers(1, 12)
    peers = st.sampled_from([ANN, BOB])
    hashes = st.sampled_from([HASH, OTHER])

    def __init__(self) -> None:
        super().__init__()
        self.pending = PendingEvents()
        self.mono = 0.0
        self.model: dict[int, tuple[Event, float]] = {}
        self.gone: list[Event] = []

    def forget(self, event: Event) -> None:
        del self.model[event.hashcode]
        self.gone.append(event)

    @rule(code=codes, peer=peers, request=hashes, after=st.integers(0, 40))
    def add(self, code: int, peer: bytes, request: bytes, after: int) -> None:
        if code in self.model:
            return
        self.model[code] = self.pending.add(Event(peer, code, request, self.mono + after)), self.mono + after

    @rule(code=codes, peer=peers, request=hashes)
    def answer(self, code: int, peer: bytes, request: bytes) -> None:
        fired = self.pending.match(peer, code, request)
        event = self.model.get(code, (None, 0.0))[0]
        if event is not None and (event.peer, event.request_hash) == (peer, request):
            assert fired is event
            self.forget(event)
        else:
            assert fired is None

    @rule(code=codes)
    def cancel(self, code: int) -> None:
        if code in self.model:
            event = self.model[code][0]
            assert self.pending.cancel(event)
            self.forget(event)
        assert not any(self.pending.cancel(event) for event in self.gone)

    @rule(code=codes, idle=st.integers(1, 20))
    def limit(self, code: int, idle: int) -> None:
        if code in self.model:
            event = self.model[code][0]
            self.pending.limit_idle(event, idle, self.mono)
            self.model[code] = event, min(event.deadline, self.mono + idle)

    @rule(code=codes)
    def progress(self, code: int) -> None:
        if code in self.model:
            event, due = self.model[code]
            self.pending.progress(event, self.mono)
            self.model[code] = event, max(due, min(event.deadline, self.mono + event.idle))

    @rule(seconds=st.integers(0, 15))
    def wait(self, seconds: int) -> None:
        self.mono += seconds
        expired = self.pending.expire(self.mono)
        assert set(expired) == {event for event, due in self.model.values() if due <= self.mono}
        assert [event.due for event in expired] == sorted(event.due for event in expired)
        for event in expired:
            self.forget(event)

    @invariant()
    def agree(self) -> None:
        assert len(self.pending) == len(self.model)
        assert self.pending.deadline() == min((due for _, due in self.model.values()), default=None)


class PendingMachineTests(SynchronousTestCase):
    def test_events_fire_at_most_once_and_never_for_another(self) -> None:
        run_state_machine_as_test(
            PendingMachine, settings=settings(stateful_step_count=50, max_examples=1_000 if FULL else 60)
        )
