"""Joins a core that never waits to a reactor: bytes and time in, work and bytes out.

Whatever happens (datagrams, a timer, a user's request, a finished job) tells the core and then calls ``settle``: it
runs the core's jobs until there are none, sends what is to be sent, and sees that one delayed call comes no later than
the core's deadline. ``settle`` inside ``settle`` leaves its work to the loop that runs already: a chain of replies,
each causing the next request, is a loop and never deepens the stack; and after ``ROUNDS`` rounds the rest waits for the
next turn of the reactor, so it does not starve timers either.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import inf
from typing import Any, Protocol

from twisted.internet.interfaces import IDelayedCall
from twisted.python.failure import Failure

from rhotwist.link.sieve import Turn
from rhotwist.moment import Moment
from rhotwist.net import clock as clocks
from rhotwist.net.faults import Faults
from rhotwist.net.lag import EVERY, LoopLag
from rhotwist.wire.datagram import Burst, Path

#: Rounds of jobs that one call of ``settle`` runs. A round is all that was waiting; each costs 20 µs and more.
ROUNDS = 32


class Core(Protocol):
    """What a driver asks of the core; ``rhotwist.node`` is the real one."""

    def receive(self, path: Path, datagrams: Sequence[bytes], moment: Moment) -> None:
        """Take datagrams."""

    def tick(self, moment: Moment) -> None:
        """Do what is due."""

    def deadline(self) -> float | None:
        """When tick has something to do, in seconds of the monotonic clock."""

    def outgoing(self) -> Sequence[Burst]:
        """Datagrams to send, each told once."""

    def jobs(self) -> Sequence[Any]:
        """Work for the world outside, each told once."""


class Carrier(Protocol):
    """A way out: a socket. Its index in ``Driver.carriers`` is what paths call it."""

    @property
    def host(self) -> str:
        """The IP address it is bound to, as text."""

    @property
    def port(self) -> int:
        """The port it is bound to."""

    def send(self, address: bytes, datagrams: Sequence[bytes]) -> None:
        """Send datagrams to 18 bytes of address; never raises."""

    def admit(self, turn: Turn | None) -> tuple[int, float]:
        """Read only those Hellos without a cookie whose turn it is, from now on; None for all. How many datagrams were
        dropped unread since it was called last, whatever they were, and how crowded it is, from 0 to 1."""

    def close(self) -> Any:
        """Leave the reactor at once."""


class Driver:
    """The loop of one core. runners says what to do with each type of job."""

    def __init__(
        self,
        core: Core,
        reactor: Any,
        *,
        counters: dict[str, int],
        now: Callable[[], Moment] = clocks.now,
    ) -> None:
        self._core = core
        self._reactor = reactor
        self._call: IDelayedCall | None = None
        self._due = inf
        self._busy = self._sampled = self._settling = self._unsettled = False
        self._watch: clocks.JumpWatch | None = None
        self.now = now
        self.counters = counters
        self.faults = Faults(lambda: now().mono, counters)
        self.lag = LoopLag()
        self.carriers: list[Carrier] = []
        self.runners: dict[type, Callable[[Any], None]] = {}
        self.closed = False

    def start(self) -> None:
        """Begin to watch the clock, if the reactor follows the wall clock."""
        if clocks.follows_wall(self._reactor):
            self._watch = clocks.JumpWatch.of(self._reactor)
            self._watch.subscribe(self.rearm)

    # --- what happens -------------------------------------------------------------------------------------------------

    def receive(self, path: Path, datagrams: Sequence[bytes]) -> None:
        """A socket read datagrams. Follow it, or a row of them, with ``settle``."""
        try:
            self._core.receive(path, datagrams, self.now())
        except Exception:
            # The core promises not to raise for strangers' bytes. Should it, one datagram is lost and not the reader.
            self.faults.failure("receiving datagrams", Failure())

    def settle(self) -> None:
        """Run the core's jobs, send what is to be sent, arm the timer."""
        self._busy = True
        if not self._settling and not self.closed:
            self._rounds()

    def _rounds(self) -> None:
        core, runners = self._core, self.runners
        self._settling = True
        try:
            for _ in range(ROUNDS):
                jobs = core.jobs()
                if not jobs:
                    self._unsettled = False
                    break
                for job in jobs:
                    try:
                        runners[type(job)](job)
                    except Exception:
                        self.faults.failure(f"running a {type(job).__name__}", Failure())
            else:
                self._unsettled = True
            # After the jobs, so that what they make the core say goes out in the same bursts.
            self._send()
        except Exception:
            self.faults.failure("doing what the node wants", Failure())
        finally:
            self._settling = False
        self._arm()

    def _send(self) -> None:
        carriers = self.carriers
        for (carrier, address, _stream), datagrams in self._core.outgoing():
            carriers[carrier].send(address, datagrams)

    # --- time ---------------------------------------------------------------------------------------------------------

    def _arm(self) -> None:
        """See that the delayed call comes by the deadline. One that comes sooner is left: it looks again then.

        While there is traffic it comes at least every ``EVERY`` seconds, to measure the loop's lag; so the deadlines of
        a busy node, which are later than that, never touch the reactor's timers.
        """
        if self.closed:
            return
        want = -inf if self._unsettled else self._core.deadline()
        if want is None:
            want = inf
        if want >= self._due and (self._sampled or not self._busy):
            return
        mono = self.now().mono
        if self._busy:
            self._sampled = True
            want = min(want, mono + EVERY)
        if want >= self._due:
            return
        delay = max(0.0, want - mono)
        self._due = mono + delay
        if self._call is None:
            self._call = self._reactor.callLater(delay, self._timer)
        else:
            self._call.reset(delay)

    def _timer(self) -> None:
        moment = self.now()
        self.lag.add(moment.mono - self._due)
        self._call, self._due = None, inf
        self._busy = self._sampled = False
        try:
            self._core.tick(moment)
        except Exception:
            self.faults.failure("doing what is due", Failure())
        self._rounds()

    def rearm(self) -> None:
        """The reactor's clock was moved: arm the delayed call anew, for as long as is really left."""
        if self._call is not None and not self.closed:
            self._call.reset(max(0.0, self._due - self.now().mono))

    # --- the end ------------------------------------------------------------------------------------------------------

    def close(self) -> None:
        """Send what is still to be sent, then leave the reactor at once and for good. Closing twice does nothing."""
        if self.closed:
            return
        if self._settling:
            # Closed by a handler: the farewell goes now, the jobs behind it are nobody's any more.
            self._send()
        else:
            self._rounds()
        self.closed = True
        if self._watch is not None:
            self._watch.unsubscribe(self.rearm)
        if self._call is not None:
            self._call.cancel()
            self._call, self._due = None, inf
        for carrier in self.carriers:
            carrier.close()
