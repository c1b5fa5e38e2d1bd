"""One link: each fault does what it says, in the share it says, and nothing else."""

from __future__ import annotations

from random import Random

from twisted.trial.unittest import SynchronousTestCase

from rhotwist.errors import LocalError
from rhotwist.testing.link import HEADERS, HOSTILE, Faults, Link
from rhotwist.testing.trace import CUT, LOST, MTU, QUEUE, SENT

MANY = 20_000


def link(faults: Faults, seed: int = 0) -> Link:
    return Link(faults, Random(seed))


def carried(faults: Faults, count: int = MANY, size: int = 100) -> list[tuple[int, tuple[tuple[float, bytes], ...]]]:
    """What becomes of so many datagrams sent a second apart."""
    one = link(faults)
    return [one.carry(float(now), bytes(size), one.wait()) for now in range(count)]


class LinkTests(SynchronousTestCase):
    """Counts are of 20,000 datagrams from a fixed seed; bounds fit any seed and no bug."""

    def about(self, share: float, hits: int, of: int = MANY) -> None:
        self.assertTrue(abs(hits / of - share) < 0.02, f"{hits} of {of} where {share:.0%} was due")

    def test_a_good_link_only_delays(self) -> None:
        for now, (fate, copies) in enumerate(carried(Faults(delay=0.25), 1000)):
            self.assertEqual((SENT, ((now + 0.25, bytes(100)),)), (fate, copies))

    def test_loss_is_the_share_that_was_asked_for(self) -> None:
        for share in (0.02, 0.3, 0.9):
            self.about(share, sum(fate == LOST for fate, _ in carried(Faults(loss=share))))

    def test_a_loss_of_everything_lets_nothing_through(self) -> None:
        self.assertEqual({LOST}, {fate for fate, _ in carried(Faults(loss=1.0), 1000)})

    def test_losses_in_bursts_are_as_many_in_all_and_reach_the_length(self) -> None:
        fates = [fate for fate, _ in carried(Faults(loss=0.1, burst=5))]
        self.about(0.1, sum(fate == LOST for fate in fates))
        runs = [len(run) for run in "".join("x" if fate == LOST else " " for fate in fates).split()]
        mean = sum(runs) / len(runs)
        self.assertTrue(2.8 < mean < 3.6, mean)  # 3, and a little for runs that touch

    def test_jitter_has_its_mean_and_alone_never_reorders(self) -> None:
        one = link(Faults(delay=0.01, jitter=0.1))
        waits = [one.wait() - 0.01 for _ in range(MANY)]
        self.assertTrue(0.095 < sum(waits) / MANY < 0.105)
        self.assertTrue(min(waits) >= 0)
        arrivals = [copies[0][0] for now in range(1000) for _, copies in [one.carry(now / 1000, b"x", one.wait())]]
        self.assertEqual(sorted(arrivals), arrivals)

    def test_reorder_sets_that_share_back_and_lets_the_others_pass(self) -> None:
        one = link(Faults(delay=0.01, reorder=0.2, hold=0.1))
        arrivals = [copies[0][0] for now in range(MANY) for _, copies in [one.carry(now / 1000, b"x", one.wait())]]
        late = [now for now, arrival in enumerate(arrivals) if arrival > now / 1000 + 0.0100001]
        self.about(0.2, len(late))
        self.assertNotEqual(sorted(arrivals), arrivals)

    def test_duplicates_come_twice_and_the_second_copy_later(self) -> None:
        all_copies = [copies for _, copies in carried(Faults(duplicate=0.2))]
        doubled = [copies for copies in all_copies if len(copies) == 2]
        self.about(0.2, len(doubled))
        self.assertTrue(all(first[0] < second[0] and first[1] == second[1] for first, second in doubled))
        self.assertEqual({1, 2}, {len(copies) for copies in all_copies})

    def test_corruption_flips_exactly_one_bit_anywhere(self) -> None:
        damaged = [copies[0][1] for _, copies in carried(Faults(corrupt=0.2), size=20) if copies[0][1] != bytes(20)]
        self.about(0.2, len(damaged))
        self.assertEqual({1}, {int.from_bytes(data, "big").bit_count() for data in damaged})
        self.assertEqual({20}, {len(data) for data in damaged})
        self.assertEqual(160, len({int.from_bytes(data, "big") for data in damaged}))

    def test_truncation_cuts_at_every_length_from_0(self) -> None:
        sizes = [len(copies[0][1]) for _, copies in carried(Faults(truncate=0.5), size=20)]
        self.about(0.5, sum(size < 20 for size in sizes))
        self.assertEqual(set(range(21)), set(sizes))

    def test_an_empty_datagram_cannot_be_damaged_and_travels_on(self) -> None:
        one = link(Faults(corrupt=1.0, truncate=1.0, duplicate=1.0))
        fate, copies = one.carry(0.0, b"", one.wait())
        self.assertEqual((SENT, [b"", b""]), (fate, [copy for _, copy in copies]))

    def test_the_rate_spaces_datagrams_out_and_the_queue_drops_the_tail(self) -> None:
        size = 1000 - HEADERS
        one = link(Faults(delay=0.0, rate=10_000.0, queue=3_000))
        results = [one.carry(0.0, bytes(size), 0.0) for _ in range(5)]
        self.assertEqual([SENT, SENT, SENT, QUEUE, QUEUE], [fate for fate, _ in results])
        for arrival, due in zip([copies[0][0] for _, copies in results[:3]], (0.1, 0.2, 0.3), strict=True):
            self.assertAlmostEqual(due, arrival)
        fate, _ = one.carry(0.2, bytes(size), 0.0)
        self.assertEqual(SENT, fate, "what has drained makes room")

    def test_datagrams_above_the_mtu_vanish_and_those_of_its_size_pass(self) -> None:
        one = link(Faults(mtu=1200))
        self.assertEqual([SENT, MTU], [one.carry(0.0, bytes(size), 0.0)[0] for size in (1200, 1201)])

    def test_a_closed_link_lets_nothing_through(self) -> None:
        one = link(Faults())
        one.closed = True
        self.assertEqual((CUT, ()), one.carry(0.0, b"x", 0.0))
        one.closed = False
        self.assertEqual(SENT, one.carry(0.0, b"x", 0.0)[0])

    def test_the_same_seed_does_the_same_and_another_does_not(self) -> None:
        def fates(seed: int) -> list[object]:
            one = link(HOSTILE, seed)
            return [one.carry(float(now), bytes(50), one.wait()) for now in range(500)]

        self.assertEqual(fates(1), fates(1))
        self.assertNotEqual(fates(1), fates(2))

    def test_faults_changed_in_the_middle_hold_from_then_on(self) -> None:
        one = link(Faults(loss=1.0, burst=1000))
        one.carry(0.0, b"x", 0.0)
        one.faults = Faults()
        self.assertEqual({SENT}, {one.carry(0.0, b"x", 0.0)[0] for _ in range(100)})

    def test_what_cannot_be_is_refused_with_value_and_limit(self) -> None:
        for wrong, told in (({"loss": 1.1}, "loss 1.1"), ({"delay": -1.0}, "delay -1.0"), ({"burst": 0}, "burst 0")):
            error = self.assertRaises(LocalError, Faults, **wrong)
            self.assertIn(told, str(error))
        self.assertRaises(LocalError, Faults, jitter=float("nan"))
