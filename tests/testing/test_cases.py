"""The test case that goes through seeds: which ones, and what a failing one tells."""

from __future__ import annotations

import io
import os
import sys
import unittest
from typing import Any

from twisted.trial import runner
from twisted.trial.unittest import SynchronousTestCase

from rhotwist.errors import LocalError
from rhotwist.testing.cases import FULL, SEED, SeededTestCase


class Sample(SeededTestCase):
    """Cases that are run by the tests below, not by the suite."""

    def fails_at_3(self) -> None:
        """Fails at seed 3."""
        for seed in self.seeds(5, 50):
            self.assertNotEqual(3, seed, "three is wrong")

    def counts(self) -> None:
        """Passes, remembering the seeds."""
        self.went = list(self.seeds(5, 50))

    def fails_after(self) -> None:
        """Fails when all seeds are done, so it is no seed's fault."""
        list(self.seeds(5, 50))
        self.fail("something else")

    def handler_fails(self) -> None:
        """A handler raises on the network of seed 2."""
        for seed in self.seeds(5, 50):
            network = self.network(seed)
            if seed == 2:
                network.errors.append(KeyError("handler of two"))


class SeededTestCaseTests(SynchronousTestCase):
    """What the user of the test case sees."""

    def setUp(self) -> None:
        for name in (SEED, FULL):
            value = os.environ.pop(name, None)
            if value is not None:
                self.addCleanup(os.environ.__setitem__, name, value)
            self.addCleanup(os.environ.pop, name, None)

    def told(self, name: str) -> tuple[str, str, Any]:
        """Run one case: what the result says, what stderr says, the case."""
        case = Sample(name)
        result = unittest.TestResult()
        self.patch(sys, "stderr", io.StringIO())
        case.run(result)
        errors = "".join(text for _, text in result.failures + result.errors)
        return errors, sys.stderr.getvalue(), case  # type: ignore[attr-defined]

    def test_the_default_count_and_the_full_one(self) -> None:
        self.assertEqual([0, 1, 2, 3, 4], self.told("counts")[2].went)
        os.environ[FULL] = "1"
        self.assertEqual(list(range(50)), self.told("counts")[2].went)

    def test_a_failing_seed_is_named_with_the_test_that_replays_it(self) -> None:
        errors, stderr, _ = self.told("fails_at_3")
        self.assertIn("three is wrong", errors)
        self.assertIn("RHO_SEED=3 replays tests.testing.test_cases.Sample.fails_at_3", stderr)

    def test_the_environment_names_the_seed_to_replay(self) -> None:
        os.environ[SEED] = "2"
        self.assertEqual(("", "", [2]), (*self.told("fails_at_3")[:2], self.told("counts")[2].went))
        os.environ[SEED] = "3"
        self.assertIn("RHO_SEED=3 replays", self.told("fails_at_3")[1])

    def test_a_range_of_seeds_can_be_asked_for(self) -> None:
        os.environ[SEED] = "100-103"
        self.assertEqual([100, 101, 102, 103], self.told("counts")[2].went)

    def test_what_is_no_seed_is_refused_by_name(self) -> None:
        os.environ[SEED] = "three"
        self.assertIn("'three' is neither a seed", self.told("counts")[0])
        self.assertIn(LocalError.__name__, self.told("counts")[0])

    def test_a_failure_after_the_seeds_blames_none(self) -> None:
        errors, stderr, _ = self.told("fails_after")
        self.assertIn("something else", errors)
        self.assertEqual("", stderr)

    def test_an_error_that_a_handler_raised_fails_the_seed_it_belongs_to(self) -> None:
        errors, stderr, _ = self.told("handler_fails")
        self.assertIn("handler of two", errors)
        self.assertIn("RHO_SEED=2 replays", stderr)

    def test_trial_loads_one_test_by_the_name_that_is_told(self) -> None:
        suite = runner.TestLoader().loadByName(f"{__name__}.Sample.counts")
        self.assertEqual([Sample], [type(test) for test in suite])
