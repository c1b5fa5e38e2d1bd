"""One traceback a site and minute."""

from __future__ import annotations

from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from rhotwist.net.faults import EVERY, SITES, Faults


def here() -> Failure:
    try:
        raise ValueError("here")
    except ValueError:
        return Failure()


def there() -> Failure:
    try:
        raise KeyError("there")
    except KeyError:
        return Failure()


class FaultsTests(SynchronousTestCase):
    """What is logged."""

    def setUp(self) -> None:
        self.mono = 5.0
        self.counters: dict[str, int] = {}
        self.faults = Faults(lambda: self.mono, self.counters)

    def test_a_site_logs_once_a_minute_and_another_site_for_itself(self) -> None:
        for _ in range(10):
            self.faults.failure("handling", here())
        self.faults.failure("handling", there())
        self.assertEqual(self.counters, {"logged_errors": 2, "unlogged_errors": 9})
        self.mono += EVERY
        self.faults.failure("handling", here())
        self.assertEqual(self.counters["logged_errors"], 3)
        self.assertEqual([len(self.flushLoggedErrors(kind)) for kind in (ValueError, KeyError)], [2, 1])

    def test_failures_that_were_never_raised_are_told_apart_by_class(self) -> None:
        for kind in (ValueError, KeyError, ValueError):
            self.faults.failure("handling", Failure(kind("x")))
        self.assertEqual(self.counters, {"logged_errors": 2, "unlogged_errors": 1})
        self.flushLoggedErrors(ValueError, KeyError)

    def test_the_sites_remembered_are_bounded(self) -> None:
        for at in range(SITES + 1):
            self.faults.failure("handling", Failure(type(f"Odd{at}", (Exception,), {})("x")))
        self.assertEqual(len(self.faults._sites), 1)
        self.flushLoggedErrors()
