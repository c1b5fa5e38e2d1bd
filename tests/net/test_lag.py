"""The lag ring."""

from twisted.trial.unittest import SynchronousTestCase

from rhotwist.net.lag import KEPT, LoopLag


class LoopLagTests(SynchronousTestCase):
    """Percentiles of lateness."""

    def test_without_samples_there_is_no_lag(self) -> None:
        self.assertEqual((LoopLag().p99(), LoopLag().worst()), (0.0, 0.0))

    def test_one_late_call_in_two_hundred_is_the_worst_and_not_the_p99(self) -> None:
        lag = LoopLag()
        for at in range(200):
            lag.add(1.0 if at == 7 else 0.001)
        self.assertEqual((lag.p99(), lag.worst()), (0.001, 1.0))

    def test_early_counts_as_on_time_and_old_samples_go(self) -> None:
        lag = LoopLag()
        lag.add(9.0)
        for _ in range(KEPT):
            lag.add(-5.0)
        self.assertEqual(lag.worst(), 0.0)
