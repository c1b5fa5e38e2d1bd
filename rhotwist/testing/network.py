"""Any number of machines in one process, joined by bad links, in virtual time, all from one seed."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Coroutine, Sequence
from typing import TYPE_CHECKING, Any, TypeVar, cast

from rhotwist.errors import LocalError
from rhotwist.keys.pair import SeedKey
from rhotwist.limits import Limits
from rhotwist.moment import EPOCH_2020
from rhotwist.secret.kem import ML_KEM_768, Kem
from rhotwist.testing.clock import Clock
from rhotwist.testing.link import GOOD, Faults, Link
from rhotwist.testing.machine import AT_ONCE, Core, Machine, Work
from rhotwist.testing.outcome import NotSettled, Outcome, drive
from rhotwist.testing.timers import Timers
from rhotwist.testing.trace import EVERYBODY, NAMES, NAT, NOBODY, Trace
from rhotwist.testing.wires import Wires
from rhotwist.wire.datagram import Burst, Path, couple, pack_address

if TYPE_CHECKING:
    from rhotwist.testing.host import Host

T = TypeVar("T")

#: On-path editor: gets sender, receiver and datagram, gives back what travels on instead.
OnPath = Callable[[Machine, Machine, bytes], Sequence[bytes]]

WALL = EPOCH_2020 + 200_000_000.0
"""What right wall clocks show at virtual second 0: a day in May 2026."""


class Network:
    """A network in virtual time: machines, links, faults, all of it decided by the seed.

    faults is how bad every link is unless said otherwise; keep_trace=True keeps every line of the trace for reading;
    streams=True has hosts speak over connections instead of datagrams.
    """

    def __init__(
        self, seed: int = 0, faults: Faults = GOOD, *, keep_trace: bool = False, streams: bool = False
    ) -> None:
        self.seed = seed
        self.faults = faults
        self.clock = Clock()
        self.trace = Trace(keep=keep_trace)
        self.start_of_wall = WALL
        #: Whether hosts reach each other by connections, where no paths are given.
        self.streams = streams
        #: Sees and may replace every datagram on its way, before the faults of the link; None for nobody.
        self.on_path: OnPath | None = None
        #: Datagrams that did not arrive, by reason (``trace.NAMES``).
        self.lost: Counter[str] = Counter()
        #: Datagrams that set out, and their bytes.
        self.sent_datagrams = 0
        self.sent_bytes = 0
        #: The key encapsulation of every node made from now on; ``kem.StandInKem`` makes handshakes cheap.
        self.kem: Kem = ML_KEM_768
        #: Timers in virtual time, for a handler that wants a reactor: ``deferLater`` or ``addTimeout``.
        self.reactor = Timers(self.clock, lambda error: self.errors.append(error))
        #: What handlers raised, or other work of the machines; ``check`` raises the first.
        self.errors: list[BaseException] = []
        self.machines: dict[str, Machine] = {}
        self._at: dict[bytes, Machine] = {}
        self._cuts: set[tuple[int, int]] = set()
        self._isolated: set[int] = set()
        self._ports = self.chance("ports")
        self.wires = Wires(self)

    # --- making it

    def chance(self, what: str) -> random.Random:
        """A source of chance of its own for ``what``, from the seed: drawing from it changes nothing elsewhere."""
        return random.Random(f"rhotwist/{self.seed}/{what}")

    def attach(
        self,
        name: str,
        start: Callable[[Machine], Core],
        work: Callable[[Machine, Any], object] | None = None,
        *,
        address: bytes | None = None,
    ) -> Machine:
        """Put a machine on the network and start its core.

        start makes the core, now and after each crash; work does one job of it. address is 18 bytes, 10.0.x.y:7460 by
        default. Raises LocalError for a name or an address in use.
        """
        return self.join(Machine(self, name, start, work or _no_work), address)

    def join(self, machine: Machine, address: bytes | None = None) -> Machine:
        """Put a machine made by hand on the network and start it: what ``attach`` does with the one it makes."""
        if machine.name in self.machines:
            raise LocalError(f"there is a machine {machine.name!r} already")
        number = len(self.machines) + 1
        place = address or pack_address(f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}", 7460)
        if place in self._at:
            raise LocalError(f"{self._at[place].name} has that address already")
        machine.index = number - 1
        self.machines[machine.name] = machine
        machine.reappear(place)
        self._at[place] = machine
        machine.restart()
        return machine

    def node(
        self,
        name: str,
        key: SeedKey | None = None,
        *,
        limits: Limits | None = None,
        work: Work = AT_ONCE,
        address: bytes | None = None,
        **options: Any,
    ) -> Host:
        """Put a whole node on the network; its key comes from the seed and its name unless it is given one.

        limits are the node's, work says how it does its jobs, address is 18 bytes, options go to the Node as they are.
        """
        from rhotwist.testing.host import Host  # here, so that a network of other cores needs no node

        own = key or SeedKey(self.chance(f"key/{name}").randbytes(32))
        host = Host(self, name, own, limits=limits or Limits(), work=work, options={"kem": self.kem} | options)
        self.join(host, address)
        return host

    def link(self, source: Machine, target: Machine) -> Link:
        """One direction of the link between two machines."""
        link = source.links.get(target.index)
        if link is None:
            link = Link(self.faults, self.chance(f"link/{source.name}>{target.name}"))
            source.links[target.index] = link
            self._close(source, target, link)
        return link

    def between(self, one: Machine, other: Machine, faults: Faults) -> None:
        """Make the link between two machines this bad, both ways, from now on."""
        self.link(one, other).faults = faults
        self.link(other, one).faults = faults

    def everywhere(self, faults: Faults) -> None:
        """Make every link this bad, from now on."""
        self.faults = faults
        for machine in self.machines.values():
            for link in machine.links.values():
                link.faults = faults

    # --- what befalls it

    def cut(self, one: Machine, other: Machine, *, one_way: bool = False) -> None:
        """Let nothing through between two machines until ``heal``; one_way: only what goes from one to other is lost.

        What is on its way already arrives.
        """
        self._cuts.add((one.index, other.index))
        if not one_way:
            self._cuts.add((other.index, one.index))
        self._close_all()

    def isolate(self, machine: Machine) -> None:
        """Let nothing through from or to one machine until ``heal``."""
        self._isolated.add(machine.index)
        self._close_all()

    def heal(self, *machines: Machine) -> None:
        """Undo ``cut`` and ``isolate`` wherever one of these machines is concerned; without any, everywhere."""
        healed = {machine.index for machine in machines or self.machines.values()}
        self._cuts = {pair for pair in self._cuts if not healed.intersection(pair)}
        self._isolated -= healed
        self._close_all()

    def swizzle(self, machines: Sequence[Machine], seconds: float) -> None:
        """Isolate these machines one after another in random order, then heal them in another, all within ``seconds``.

        Finds what plain partitions do not: every mixture of who sees whom comes up on the way.
        """
        draw = self.chance(f"swizzle/{self.clock.now}")
        going, coming = list(machines), list(machines)
        draw.shuffle(going)
        draw.shuffle(coming)
        for order, action, begin in ((going, self.isolate, 0.0), (coming, self.heal, seconds / 2)):
            times = sorted(draw.uniform(begin, begin + seconds / 2) for _ in order)
            for when, machine in zip(times, order, strict=True):
                self.clock.later(when, action, machine)

    def rebind(self, machine: Machine, *, host: bool = False) -> bytes:
        """Give a machine another port as others see it, or with host=True another IP address too, as a NAT may do.

        The old address leads nowhere from now on. Returns the new one.
        """
        old = machine.address
        while True:
            ip = old[:13] + self._ports.randbytes(3) if host else old[:16]
            new = ip + self._ports.randint(1024, 0xFFFF).to_bytes(2, "big")
            if new not in self._at:
                break
        del self._at[old]
        self._at[new] = machine
        machine.reappear(new)
        self.trace.note(self.clock.now, machine.index, "rebind")
        return new

    # --- running it

    def run(self, seconds: float, *, until: Callable[[], object] | None = None) -> bool:
        """Let so many virtual seconds pass, or fewer if ``until`` turns true after an event; True if it did.

        Exceptions of cores and handlers come out of here.
        """
        if until is not None and until():
            return True
        return self.clock.run(self.clock.now + seconds, until)

    def wait(self, *outcomes: Outcome[Any], limit: float = 60.0) -> None:
        """Run until all these have settled, however. Raises NotSettled, naming one, if limit seconds are not enough."""
        missing = {id(outcome) for outcome in outcomes if not outcome.settled}

        def settled(outcome: Outcome[Any]) -> None:
            if missing:
                missing.discard(id(outcome))
                if not missing:
                    self.clock.stop()

        for outcome in outcomes:
            if not outcome.settled:
                outcome.watch(settled)
        if missing:
            self.clock.run(self.clock.now + limit)
        late = [outcome for outcome in outcomes if not outcome.settled]
        missing.clear()  # what settles later must not stop somebody else's run
        if late:
            raise NotSettled(f"{late[0]!r} after {limit} s; {len(late)} of {len(outcomes)} missing (seed {self.seed})")

    def result(self, outcome: Outcome[T], *, limit: float = 60.0) -> T:
        """Run until it has settled and return its reply. Raises its failure, or NotSettled after limit seconds."""
        self.wait(outcome, limit=limit)
        return outcome.result()

    def do(self, coroutine: Coroutine[Any, Any, T]) -> Outcome[T]:
        """Run a coroutine that awaits Outcomes, Deferreds or ``sleep``, and hold what it returns or raises."""
        outcome: Outcome[T] = Outcome(f"coroutine {coroutine!r}", self.clock.now)
        drive(coroutine, lambda result: outcome.settle(self.clock.now, result))
        return outcome

    def sleep(self, seconds: float) -> Outcome[None]:
        """Something to await that comes so many virtual seconds from now."""
        outcome: Outcome[None] = Outcome(f"sleep of {seconds} s", self.clock.now)
        self.clock.later(seconds, lambda _: outcome.settle(self.clock.now, None))
        return outcome

    def flush_errors(self) -> list[BaseException]:
        """What handlers raised since the last call; a test that expects it takes it away with this."""
        errors, self.errors = self.errors, []
        return errors

    def check(self) -> None:
        """Raise the first thing a handler raised that nobody has flushed: the peer was told, the test was not."""
        if self.errors:
            raise self.flush_errors()[0]

    # --- what the machines call

    def carry(self, source: Machine, burst: Burst) -> None:
        """Send a burst on its way."""
        address = burst.path.address
        if burst.path.stream:
            self.wires.carry(cast("Host", source), burst)
            return
        target = self._at.get(address)
        if target is None:
            self.lose(NOBODY, (source.index, EVERYBODY), burst.datagrams)
            return
        datagrams: Sequence[bytes] = burst.datagrams
        if self.on_path is not None:
            datagrams = [piece for datagram in datagrams for piece in self.on_path(source, target, datagram)]
        link = source.links.get(target.index) or self.link(source, target)
        if len(datagrams) > 1 and link.together():
            self._carry_together(source, target, Burst(burst.path, list(datagrams)))
            return
        clock = self.clock
        now = clock.now
        ends = (source.index, target.index)
        for datagram in datagrams:
            fate, copies = link.carry(now, datagram, link.wait())
            self.sent_datagrams += 1
            self.sent_bytes += len(datagram)
            self.trace.packet(now, fate, ends, datagram[0] if datagram else 0, len(datagram))
            if fate:
                self.lost[NAMES[fate]] += 1
            for arrival, copy in copies:
                clock.at(arrival, self._arrive, (address, source.path, (copy,)))

    def host_at(self, address: bytes) -> Host | None:
        """The whole node that is seen at those 18 bytes."""
        from rhotwist.testing.host import Host

        machine = self._at.get(address)
        return machine if isinstance(machine, Host) else None

    def inject(self, source: bytes, target: bytes, datagram: bytes) -> None:
        """Deliver a datagram to the machine at ``target`` at once, as if from ``source`` (18 bytes each): a forgery."""
        self._arrive((target, Path(0, source), (datagram,)))

    def lose(self, fate: int, ends: tuple[int, int], datagrams: Sequence[bytes]) -> None:
        """Record datagrams that nobody gets."""
        for datagram in datagrams:
            self.trace.packet(self.clock.now, fate, ends, datagram[0] if datagram else 0, len(datagram))
        self.lost[NAMES[fate]] += len(datagrams)

    def _carry_together(self, source: Machine, target: Machine, burst: Burst) -> None:
        link = self.link(source, target)
        now = self.clock.now
        wait = link.wait()
        reads: dict[float, list[bytes]] = {}
        for datagram in burst.datagrams:
            fate, copies = link.carry(now, datagram, wait)
            self.sent_datagrams += 1
            self.sent_bytes += len(datagram)
            self.trace.packet(now, fate, (source.index, target.index), datagram[0] if datagram else 0, len(datagram))
            if fate:
                self.lost[NAMES[fate]] += 1
            for arrival, copy in copies:
                reads.setdefault(arrival, []).append(copy)
        for arrival, together in reads.items():
            for read in couple(together):
                self.clock.at(arrival, self._arrive, (burst.path.address, source.path, read))

    def _arrive(self, read: tuple[bytes, Path, Sequence[bytes]]) -> None:
        address, path, datagrams = read
        machine = self._at.get(address)
        if machine is None:
            self.lose(NOBODY, (EVERYBODY, EVERYBODY), datagrams)
        elif machine.nat_timeout is not None and not machine.reachable():
            self.lose(NAT, (EVERYBODY, machine.index), datagrams)
        else:
            machine.receive(path, datagrams)

    def _close_all(self) -> None:
        by_index = {machine.index: machine for machine in self.machines.values()}
        for machine in by_index.values():
            for index, link in machine.links.items():
                self._close(machine, by_index[index], link)

    def _close(self, source: Machine, target: Machine, link: Link) -> None:
        apart = (source.index, target.index) in self._cuts
        link.closed = apart or source.index in self._isolated or target.index in self._isolated


def _no_work(machine: Machine, job: object) -> None:
    raise LocalError(f"{machine.name} has a job and nobody to do it: {job!r}")
