"""A trial TestCase for tests that draw from a seed: it goes through many, names the one that failed, and replays it."""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Iterator
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from rhotwist.errors import LocalError
from rhotwist.testing.link import GOOD, Faults
from rhotwist.testing.network import Network

SEED = "RHO_SEED"
FULL = "RHO_FULL"


def chosen() -> range | None:
    """The seeds that RHO_SEED asks for: ``17`` or ``100-199``; None if it is not set. Raises LocalError."""
    text = os.environ.get(SEED, "")
    if not text:
        return None
    first, _, last = text.partition("-")
    try:
        return range(int(first), int(last or first) + 1)
    except ValueError:
        raise LocalError(f"{SEED}={text!r} is neither a seed such as 17 nor a range such as 100-199") from None


def full() -> bool:
    """Whether RHO_FULL=1 asks for the whole counts."""
    return os.environ.get(FULL, "") not in ("", "0")


class SeededTestCase(SynchronousTestCase):
    """Write ``for seed in self.seeds(10, 1000):`` around the body of a test and build everything from that seed."""

    #: Whether the hosts of ``network`` speak over connections: set it in a subclass to run the same tests over those.
    streams = False

    def __init__(self, methodName: str = "runTest") -> None:
        super().__init__(methodName)
        self._seed: int | None = None
        self._networks: list[Network] = []
        method: Any = getattr(self, methodName, None)  # None for a case that was made without a test to run
        if method is not None:
            setattr(self, methodName, self._naming_the_seed(method))

    def seeds(self, default: int, full_count: int) -> Iterator[int]:
        """Seeds 0, 1, 2 and on: so many, or the full count with RHO_FULL=1, or just those of RHO_SEED.

        After each, the networks made by ``network`` for it are checked.
        """
        for seed in chosen() or range(full_count if full() else default):
            self._seed = seed
            yield seed
            self._check()
        self._seed = None

    def network(self, seed: int, faults: Faults = GOOD) -> Network:
        """A network whose handlers' errors fail the test, unless it has taken them with ``Network.flush_errors``."""
        network = Network(seed, faults, streams=self.streams)
        self._networks.append(network)
        return network

    def _check(self) -> None:
        networks, self._networks = self._networks, []
        for network in networks:
            network.check()

    def _naming_the_seed(self, method: Any) -> Any:
        @functools.wraps(method)
        def run(*arguments: Any, **named: Any) -> None:
            try:
                method(*arguments, **named)
                self._check()
            except Exception as error:
                if self._seed is not None:
                    told = f"{SEED}={self._seed} replays {self.id()}"
                    error.add_note(told)
                    sys.stderr.write(f"\n{told}\n")  # trial prints no notes
                raise

        found: Any = run
        found.__func__ = getattr(method, "__func__", method)  # trial compares it when it loads one test by its name
        return found
