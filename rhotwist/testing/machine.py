"""One machine on the network: a sans-I/O core, an address, two clocks, and what may befall them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import inf
from typing import TYPE_CHECKING, Any, Protocol

import attrs

from rhotwist.errors import LocalError
from rhotwist.moment import Moment
from rhotwist.testing.trace import DOWN, EVERYBODY, TICK
from rhotwist.wire.datagram import Burst, Path

if TYPE_CHECKING:
    from rhotwist.testing.link import Link
    from rhotwist.testing.network import Network

#: Ticks of one machine at one virtual instant after which it is stuck: its deadline does not move.
STUCK = 1_000


class Core(Protocol):
    """What the network needs of whatever runs on a machine; ``rhotwist.node.Node`` fits."""

    def receive(self, path: Path, datagrams: Sequence[bytes], moment: Moment) -> object:
        """Take datagrams that came from path.address. Must not raise for strangers' bytes: it would end the run."""

    def tick(self, moment: Moment) -> object:
        """Do what is due."""

    def deadline(self) -> float | None:
        """When tick wants to be called, in seconds of the machine's monotonic clock; None for never."""

    def outgoing(self) -> Sequence[Burst]:
        """What is to be sent; each call hands out what came up since the last."""

    def jobs(self) -> Sequence[object]:
        """Work that needs the world; each call hands out what came up since the last."""


@attrs.frozen
class Work:
    """How a machine does its jobs. delay is the mean of an exponential distribution, in virtual seconds; 0: at once.

    failure is the share of jobs that fail, where the job can fail.
    """

    delay: float = 0.0
    failure: float = 0.0


AT_ONCE = Work()
"""Every job is done in no time and none fails."""


class Machine:
    """One core at one address. Made by ``Network.attach``.

    The wall clock may be skewed and may jump; the monotonic clock starts anywhere, and anew after a crash, so that
    code that mixes up machines, or stores such times, is found out.
    """

    def __init__(
        self,
        network: Network,
        name: str,
        start: Callable[[Machine], Core],
        work: Callable[[Machine, Any], object],
    ) -> None:
        self.network = network
        #: Its number on the network; -1 until it has joined one.
        self.index = -1
        self.name = name
        #: Whatever outlives a crash; here as a plain dict, for the cores and tests that keep something.
        self.store: dict[Any, Any] = {}
        #: What the wall clock shows beyond the true time, in seconds; may be changed at any time.
        self.wall_skew = 0.0
        #: Datagrams the socket holds while the machine is paused; more are dropped.
        self.socket_room = 256
        #: Counts crashes.
        self.life = 0
        #: Seconds after which a NAT in front of it forgets an idle mapping; None: there is no NAT.
        self.nat_timeout: float | None = None
        self.links: dict[int, Link] = {}
        self.path = Path(0, b"")
        self._start = start
        self._work = work
        self._acting = False
        self._paused = False
        self._held: list[tuple[Path, Sequence[bytes]]] = []
        self._offset = 0.0
        self._mono = 0.0
        self._armed = inf
        self._ticks = 0
        self._ticked_at = -1.0
        self._sent_at = -inf
        self._mapped = b""
        self._core: Core | None = None

    # --- what it is

    @property
    def core(self) -> Core:
        """What runs on it. Raises LocalError while it is down."""
        if self._core is None:
            raise LocalError(f"{self.name} is down")
        return self._core

    @property
    def up(self) -> bool:
        """Whether it runs; a paused one counts as running."""
        return self._core is not None

    @property
    def address(self) -> bytes:
        """The 18 bytes under which others see it at present."""
        return self.path.address

    @property
    def paused(self) -> bool:
        """Whether it stands still."""
        return self._paused

    def moment(self) -> Moment:
        """What its clocks show."""
        now = self.network.clock.now
        # Rounding may put the sum an instant before a deadline that was just kept; the clock never goes back.
        mono = max(now + self._offset, self._mono)
        return Moment(mono, self.network.start_of_wall + now + self.wall_skew)

    # --- what befalls it

    def pause(self, seconds: float | None = None) -> None:
        """Stop it dead as SIGSTOP does: datagrams wait in its socket, timers wait; for so long, or until ``resume``."""
        self._paused = True
        if seconds is not None:
            self.network.clock.later(seconds, lambda _: self.resume())

    def resume(self) -> None:
        """Let a paused machine go on; it first reads what its socket holds."""
        self._paused = False
        held, self._held = self._held, []
        for path, datagrams in held:
            self.receive(path, datagrams)
        if self._core is not None:
            self._wake(self._armed)

    def crash(self) -> None:
        """Lose power: the core is gone without a word, ``store`` stays. Its requests settle with ``Crashed``."""
        if self._core is not None:
            self._core = None
            self.life += 1
            self._armed, self._held, self._paused = inf, [], False
            self.network.trace.note(self.network.clock.now, self.index, "crash")

    def restart(self) -> None:
        """Start a core anew at the same address, with ``store`` as the crash left it. Raises LocalError if it is up."""
        if self._core is not None:
            raise LocalError(f"{self.name} is up; crash it first")
        self._offset = self.network.chance(f"mono/{self.name}/{self.life}").uniform(0.0, 1e6)
        self._mono = 0.0
        self._core = self._start(self)
        self.act()

    def reappear(self, address: bytes) -> None:
        """Let others see it at another address, as after a NAT rebinding; the old one leads nowhere."""
        self.path = Path(0, address)

    # --- what drives it

    def receive(self, path: Path, datagrams: Sequence[bytes]) -> None:
        """Deliver datagrams as if they came from path; called by the network."""
        if self._core is None:
            self.network.lose(DOWN, (EVERYBODY, self.index), datagrams)
        elif self._paused:
            if len(self._held) < self.socket_room:
                self._held.append((path, datagrams))
            else:
                self.network.lose(DOWN, (EVERYBODY, self.index), datagrams)
        else:
            self._core.receive(path, datagrams, self.moment())
            self.act()

    def act(self) -> None:
        """Carry out what the core wants: jobs, datagrams, the next deadline. Call it after any verb called by hand."""
        core = self._core
        if core is None or self._acting:
            return  # work that calls us back is served by the loop it is called from: no recursion
        self._acting = True
        try:
            while jobs := core.jobs():
                for job in jobs:
                    self._work(self, job)
                if self._core is not core:
                    return
        finally:
            self._acting = False
        bursts = core.outgoing()
        if bursts:
            if self.nat_timeout is not None:
                self._map()
            carry = self.network.carry
            for burst in bursts:
                carry(self, burst)
        deadline = core.deadline()
        if deadline is not None:
            when = deadline - self._offset
            # A deadline that moved away costs nothing here: the event finds out when it comes and asks again.
            if when < self._armed:
                self._armed = when
                self.network.clock.at(when, self._wake, when)

    def later(self, seconds: float, action: Callable[[], object]) -> None:
        """Call ``action()`` so many virtual seconds from now, unless the machine has crashed by then, then ``act``."""
        life = self.life

        def go(_: object) -> None:
            if self._core is not None and self.life == life:
                action()
                self.act()

        self.network.clock.later(seconds, go)

    def reachable(self) -> bool:
        """Whether a NAT in front of it, if any, still lets datagrams in."""
        return self.nat_timeout is None or self.network.clock.now - self._sent_at <= self.nat_timeout

    def _map(self) -> None:
        if not self.reachable() and self._sent_at > -inf:
            self.network.rebind(self)
        self._sent_at = self.network.clock.now

    def _wake(self, when: float) -> None:
        if when != self._armed or self._core is None or self._paused:
            return
        self._armed = inf
        core = self._core
        deadline = core.deadline()
        if deadline is None:
            return
        moment = self.moment()
        if deadline - self._offset <= self.network.clock.now:
            # As below: rounding must not leave the core an instant short of its own deadline.
            if moment.mono < deadline:
                self._mono = deadline
                moment = moment._replace(mono=deadline)
            self._count(deadline)
            self.network.trace.packet(self.network.clock.now, TICK, (self.index, EVERYBODY), 0, 0)
            core.tick(moment)
        self.act()

    def _count(self, deadline: float) -> None:
        now = self.network.clock.now
        if now != self._ticked_at:
            self._ticked_at, self._ticks = now, 0
        self._ticks += 1
        if self._ticks > STUCK:
            raise AssertionError(
                f"{self.name} is stuck at {now} s: deadline() stays at {deadline}, which is due, whatever tick does"
            )
