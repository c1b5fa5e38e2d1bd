"""The trace: equal for equal runs, different for any difference, whole whatever is folded away."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from rhotwist.testing.trace import LOST, SENT, Trace


def filled(count: int, *, keep: bool = False, odd: int = -1) -> Trace:
    trace = Trace(keep=keep)
    for number in range(count):
        trace.packet(number / 7, LOST if number == odd else SENT, (1, 2), number & 255, number)
    return trace


class TraceTests(SynchronousTestCase):
    """One hash for a run."""

    def test_equal_runs_have_one_digest_and_one_changed_record_another(self) -> None:
        self.assertEqual(filled(10_000).digest(), filled(10_000).digest())
        for odd in (0, 4_095, 4_096, 9_999):
            self.assertNotEqual(filled(10_000).digest(), filled(10_000, odd=odd).digest())

    def test_looking_at_the_digest_does_not_change_it(self) -> None:
        looked = Trace()
        plain = Trace()
        for number in range(10):
            looked.packet(float(number), SENT, (1, 2), 5, 100)
            plain.packet(float(number), SENT, (1, 2), 5, 100)
            looked.digest()
        self.assertEqual(plain.digest(), looked.digest())

    def test_a_note_counts_with_its_text(self) -> None:
        one, other, same = Trace(), Trace(), Trace()
        one.note(1.0, 3, "TimedOut")
        other.note(1.0, 3, "Answered")
        same.note(1.0, 3, "TimedOut")
        self.assertNotEqual(one.digest(), other.digest())
        self.assertEqual(one.digest(), same.digest())

    def test_only_the_type_of_the_first_byte_counts_not_what_stands_beside_it(self) -> None:
        one, other = Trace(), Trace()
        one.packet(0.0, SENT, (1, 2), 0x15, 9)
        other.packet(0.0, SENT, (1, 2), 0xF5, 9)
        self.assertEqual(one.digest(), other.digest())

    def test_the_tail_reads_as_text_also_across_a_fold(self) -> None:
        trace = filled(5_000)
        trace.note(999.5, 4, "crash")
        tail = trace.tail(3)
        self.assertEqual("999.500000000 4 crash", tail[-1])
        self.assertEqual("714.142857143 1>2 type 7 4999 B sent", tail[-2])
        self.assertEqual(3, len(tail))
        self.assertEqual(100, len(trace.tail(100)))

    def test_keep_keeps_every_line(self) -> None:
        trace = filled(20_000, keep=True)
        trace.digest()
        self.assertEqual(20_000, len(trace.tail(10**9)))
        self.assertTrue(len(filled(20_000).tail(10**9)) < 10_000)
