"""Requests and replies of one session, both ways: windows, repeats, duplicates, replies kept."""

from __future__ import annotations

from math import inf

import hypothesis.strategies as st
from hypothesis import given, settings
from twisted.trial.unittest import SynchronousTestCase

from rhotwist.limits import Limits
from rhotwist.link.small import FORGET, OVERHEAD, WINDOW, Exchange, Outgoing, Taken, Verdict
from rhotwist.wire.frame import Rest, Said, read_frame

REST: Rest = (bytes(16), b"", b"", b"body")


def asked(frame: bytes | None) -> Said:
    """The frame of a request, read."""
    assert frame is not None
    said = read_frame(frame)
    assert isinstance(said, Said)
    return said


class Ours(SynchronousTestCase):
    """What we ask."""

    def setUp(self) -> None:
        self.exchange = Exchange(Limits())

    def submit(self, code: int, mono: float = 0.0) -> bytes | None:
        return self.exchange.submit(Outgoing((b"", code, b"", inf), 7, REST), mono)

    def test_numbers_count_up_and_behind_names_the_oldest_waited_for(self) -> None:
        said = [asked(self.submit(code)) for code in (11, 12, 13)]
        self.assertEqual([(one.number, one.behind) for one in said], [(0, 0), (1, 1), (2, 2)])
        self.exchange.answered(11, 0.1)
        self.exchange.answered(12, 0.1)
        self.assertEqual(asked(self.submit(14)).behind, 1)

    def test_no_more_than_256_numbers_lie_between_oldest_and_newest(self) -> None:
        for code in range(1, WINDOW + 1):
            self.assertIsNotNone(self.submit(code))
        self.assertIsNone(self.submit(999))
        for code in range(2, WINDOW + 1):
            self.exchange.answered(code, 0.1)
        self.assertEqual(self.exchange.drain(0.1), [])
        self.exchange.answered(1, 0.1)
        self.assertEqual([asked(frame).hashcode for frame in self.exchange.drain(0.1)], [999])

    def test_those_in_line_keep_their_order(self) -> None:
        self.exchange = Exchange(Limits(outstanding_max=1))
        self.submit(1)
        self.assertEqual([self.submit(code) for code in (2, 3)], [None, None])
        self.exchange.answered(1, 0.1)
        self.assertEqual([asked(frame).hashcode for frame in self.exchange.drain(0.1)], [2])
        self.assertIsNone(self.submit(4))
        self.assertEqual([request.hashcode for request in self.exchange.unsent()], [3, 4])

    def test_repeats_back_off_and_carry_the_same_number(self) -> None:
        first = asked(self.submit(1))
        mono, times = 0.0, []
        while mono < 20:
            mono = self.exchange.deadline() or 99
            frames, _ = self.exchange.tick(mono)
            times.append(mono)
            self.assertEqual(asked(frames[0]).number, first.number)
        self.assertEqual(times[:5], [0.5, 1.5, 3.5, 7.5, 11.5])

    def test_the_round_trip_is_measured_from_what_was_sent_once_only(self) -> None:
        self.submit(1)
        self.exchange.tick(0.5)
        self.exchange.answered(1, 0.6)
        self.assertEqual(self.exchange.round_trip, 0.0)
        self.submit(2, 1.0)
        self.exchange.answered(2, 1.2)
        self.assertAlmostEqual(self.exchange.round_trip, 0.2)
        self.assertAlmostEqual(self.exchange.patience(), 0.2 + 4 * 0.1)
        self.submit(3, 2.0)
        self.exchange.answered(3, 2.6)
        self.assertAlmostEqual(self.exchange.variation, 0.1 + (0.4 - 0.1) / 4)
        self.assertAlmostEqual(self.exchange.round_trip, 0.2 + 0.4 / 8)

    def test_patience_stays_within_its_bounds(self) -> None:
        self.exchange.measured(0.000_01)
        self.assertEqual(self.exchange.patience(), Limits().repeat_least)
        slow = Exchange(Limits())
        slow.measured(60.0)
        self.assertEqual(slow.patience(), Limits().repeat_most)

    def test_a_held_request_is_not_repeated_and_holds_no_window(self) -> None:
        self.submit(1)
        self.submit(2)
        self.exchange.hold(1)
        self.exchange.hold(77)
        self.assertEqual(asked(self.submit(3)).behind, 1)
        frames, _ = self.exchange.tick(100.0)
        self.assertEqual({asked(frame).hashcode for frame in frames}, {2, 3})
        self.assertTrue(self.exchange.busy)
        held = self.exchange.answered(1, 200.0)
        self.assertEqual(held and held.hashcode, 1)
        self.assertEqual(self.exchange.round_trip, 0.0)

    def test_withdraw_works_wherever_it_stands(self) -> None:
        self.exchange = Exchange(Limits(outstanding_max=2))
        for code in (1, 2, 3, 4):
            self.submit(code)
        self.exchange.hold(1)
        for code in (1, 2, 3):
            self.exchange.withdraw(code)
        self.assertEqual([asked(frame).hashcode for frame in self.exchange.drain(0)], [4])
        self.exchange.withdraw(4)
        self.assertTrue(self.exchange.empty)
        self.assertFalse(self.exchange.busy)

    def test_what_the_peer_did_not_take_comes_back_by_number(self) -> None:
        for code in range(1, 6):
            self.submit(code)
        self.assertEqual([request.hashcode for request in self.exchange.not_taken(3)], [4, 5])
        self.assertEqual(sorted(self.exchange.outstanding), [1, 2, 3])
        self.assertEqual(len(self.exchange.abandoned()), 3)
        self.assertTrue(self.exchange.empty)

    def test_hurry_makes_everything_due_now(self) -> None:
        self.submit(1)
        self.exchange.measured(0.3)
        self.exchange.hurry(0.01)
        self.assertEqual(self.exchange.deadline(), 0.01)
        self.assertEqual(self.exchange.round_trip, 0.0)


class Theirs(SynchronousTestCase):
    """What the peer asks."""

    def setUp(self) -> None:
        self.exchange = Exchange(Limits())

    def take(
        self, number: int, behind: int = 0, hash_: bytes = b"h", mono: float = 0.0
    ) -> tuple[Verdict, Taken | None]:
        said = Said(number & 0xFFFF, behind, 1000 + number, 7, bytes(16), None, None, b"")
        return self.exchange.take(said, hash_, mono)

    def test_each_number_is_new_once_and_then_a_repeat_that_gets_the_kept_reply(self) -> None:
        verdict, taken = self.take(0)
        assert taken is not None
        self.assertIs(verdict, Verdict.NEW)
        self.assertEqual(self.take(0), (Verdict.REPEAT, taken))
        self.exchange.reply(taken, b"reply", 0.0)
        self.assertEqual(self.take(0)[1].frame, b"reply")  # type: ignore[union-attr]
        self.assertEqual(self.exchange.kept, OVERHEAD + 5)

    def test_one_number_with_another_hash_is_stale(self) -> None:
        self.take(0)
        self.assertEqual(self.take(0, hash_=b"other"), (Verdict.STALE, None))

    def test_replies_below_behind_are_let_go_and_their_repeats_are_stale(self) -> None:
        for number in range(4):
            _, taken = self.take(number, behind=number)
            assert taken is not None
            self.exchange.reply(taken, b"12345", 0.0)
        self.take(4, behind=1)
        self.assertEqual(sorted(self.exchange.taken), [3, 4])
        self.assertEqual(self.exchange.kept, 2 * OVERHEAD + 5)
        self.assertEqual(self.take(0), (Verdict.STALE, None))

    def test_one_still_at_work_is_not_let_go(self) -> None:
        _, taken = self.take(0)
        self.take(1, behind=0)
        self.take(2, behind=0)
        assert taken is not None
        self.assertIn(0, self.exchange.taken)
        self.exchange.reply(taken, b"x", 1.0)
        self.take(3, behind=0)
        self.assertNotIn(0, self.exchange.taken)

    def test_numbers_wrap(self) -> None:
        for number in range(0xFFF0, 0x10010):
            if number == 0xFFF0:
                for step in range(0, 0xFFF0, 0x4000):
                    self.take(step)
            verdict, taken = self.take(number)
            self.assertIs(verdict, Verdict.NEW, hex(number))
            assert taken is not None
            self.exchange.reply(taken, b"x", 0.0)
        self.assertEqual(self.exchange.next_number, 0x10)

    def test_working_is_said_once_after_a_tenth_of_a_second(self) -> None:
        self.take(0)
        self.assertEqual(self.exchange.tick(0.05), ([], []))
        self.assertEqual(self.exchange.deadline(), 0.1)
        self.assertEqual(self.exchange.tick(0.1), ([], [1000]))
        self.assertEqual(self.exchange.tick(0.2), ([], []))

    def test_a_late_reply_is_pushed_until_it_is_got(self) -> None:
        _, taken = self.take(0)
        assert taken is not None
        self.exchange.tick(0.1)
        self.exchange.reply(taken, b"late", 5.0)
        self.assertTrue(self.exchange.busy)
        self.assertEqual(self.exchange.tick(5.1)[0], [])
        self.assertEqual(self.exchange.tick(5.5)[0], [b"late"])
        self.exchange.got(1000)
        self.exchange.got(1000)
        self.assertEqual((self.exchange.busy, self.exchange.kept, self.exchange.empty), (False, 0, True))

    def test_a_minute_of_silence_forgets_replies_but_acts_on_nothing_twice(self) -> None:
        _, taken = self.take(0, mono=1.0)
        assert taken is not None
        self.exchange.reply(taken, b"x", 1.0)
        self.exchange.tick(1.2)
        self.assertEqual(self.exchange.deadline(), 1.0 + FORGET)
        self.exchange.tick(1.0 + FORGET)
        self.assertTrue(self.exchange.empty)
        self.assertEqual(self.take(0), (Verdict.STALE, None))

    def test_a_peer_that_numbers_without_end_is_bounded(self) -> None:
        verdicts = [self.take(number)[0] for number in range(3 * WINDOW)]
        self.assertEqual(verdicts.count(Verdict.NEW), 2 * WINDOW)
        self.assertEqual(verdicts[-1], Verdict.FULL)

    def test_a_reply_to_what_is_not_there_keeps_nothing(self) -> None:
        self.exchange.reply(Taken(5, 5, b"h", 0.0), b"x", 0.0)
        self.assertEqual(self.exchange.kept, 0)

    @settings(max_examples=200)
    @given(st.lists(st.tuples(st.integers(0, 40), st.integers(0, 255)), max_size=200))
    def test_no_number_is_ever_new_twice(self, arrivals: list[tuple[int, int]]) -> None:
        exchange = self.exchange = Exchange(Limits())
        new: set[int] = set()
        for number, behind in arrivals:
            verdict, taken = self.take(number, min(behind, number))
            if verdict is Verdict.NEW:
                self.assertNotIn(number, new)
                new.add(number)
                assert taken is not None
                exchange.reply(taken, b"r", 0.0)
            self.assertEqual(exchange.kept, sum(OVERHEAD + len(one.frame or b"") for one in exchange.taken.values()))
