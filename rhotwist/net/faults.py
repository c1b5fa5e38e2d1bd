"""Logging what is wrong in our program or in a user's handler, at a rate that no stranger can turn into a full disk."""

from __future__ import annotations

from collections.abc import Callable

from twisted.logger import Logger
from twisted.python.failure import Failure

#: Seconds in which one site logs at most once.
EVERY = 60.0
#: Sites remembered; a program has as many as it has lines that raise, so this is never reached by accident.
SITES = 1_024

Site = tuple[str, int]


class Faults:
    """Failures, logged once per site and minute. The site is the line that raised."""

    log = Logger()

    def __init__(self, mono: Callable[[], float], counters: dict[str, int]) -> None:
        self._mono = mono
        self._counters = counters
        counters.setdefault("logged_errors", 0)
        counters.setdefault("unlogged_errors", 0)
        self._sites: dict[Site, tuple[float, int]] = {}

    def failure(self, what: str, failure: Failure) -> None:
        """Log failure with its traceback, or only count it if its site has logged within the last minute.

        what says in words what failed; it must be a constant or the name of a schema, never a peer's text.
        """
        site = _site(failure)
        mono = self._mono()
        since, silent = self._sites.get(site, (mono - EVERY, 0))
        if mono - since < EVERY:
            self._sites[site] = since, silent + 1
            self._counters["unlogged_errors"] += 1
            return
        if len(self._sites) >= SITES:
            self._sites.clear()
        self._sites[site] = mono, 0
        self._counters["logged_errors"] += 1
        if silent:
            self.log.failure("{what} ({silent} more of these since the last line)", failure, what=what, silent=silent)
        else:
            self.log.failure("{what}", failure, what=what)


def _site(failure: Failure) -> Site:
    trace = failure.getTracebackObject()
    if trace is None:
        # A Deferred failed with an exception that was never raised: its class is all there is to tell sites apart.
        return str(failure.type), 0
    while trace.tb_next is not None:
        trace = trace.tb_next
    return trace.tb_frame.f_code.co_filename, trace.tb_lineno
