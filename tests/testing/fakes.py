"""A core small enough to see through, so that the network is tested without a node."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Sequence
from heapq import heappop, heappush
from typing import Any

import attrs

from rhotwist.moment import Moment
from rhotwist.testing import HOSTILE, Faults, Machine, Network
from rhotwist.testing.outcome import Outcome
from rhotwist.wire.datagram import Burst, Path
from rhotwist.wire.schema import Request, Schema, text

ASK, REPLY = 1, 2


@attrs.frozen
class Answered:
    """A job: a question got its answer."""

    number: int


@attrs.frozen
class Asked:
    """A job: somebody asks."""

    number: int
    path: Path


class Chatter:
    """Asks by number, again every ``every`` seconds until answered; answers what it is asked, once for each copy.

    A datagram is type 1, number 4, digest 8, filling. What does not have its digest is dropped and counted.
    """

    def __init__(self, randbytes: Callable[[int], bytes], every: float = 0.5) -> None:
        self.every = every
        self.open: dict[int, Path] = {}
        self.received: list[tuple[Moment, Path, list[bytes]]] = []
        self.ticked: list[Moment] = []
        self.dropped = 0
        self.answers: Counter[int] = Counter()
        self.asked: list[Asked] = []
        self._randbytes = randbytes
        self._due: list[tuple[float, int]] = []
        self._out: list[Burst] = []
        self._jobs: list[object] = []

    def ask(self, number: int, path: Path, moment: Moment) -> None:
        self.open[number] = path
        self._send(number, moment.mono)

    def answer(self, job: Asked) -> None:
        self._out.append(Burst(job.path, [sealed(REPLY, job.number, self._randbytes(20))]))

    def say(self, path: Path, datagrams: Sequence[bytes]) -> None:
        self._out.append(Burst(path, list(datagrams)))

    def receive(self, path: Path, datagrams: Sequence[bytes], moment: Moment) -> None:
        self.received.append((moment, path, list(datagrams)))
        for datagram in datagrams:
            kind, number = opened(datagram)
            if kind == ASK:
                self._jobs.append(Asked(number, path))
            elif kind == REPLY:
                self.answers[number] += 1
                if self.open.pop(number, None) is not None:
                    self._jobs.append(Answered(number))
            else:
                self.dropped += 1

    def tick(self, moment: Moment) -> None:
        self.ticked.append(moment)
        while self._due and self._due[0][0] <= moment.mono:
            _, number = heappop(self._due)
            if number in self.open:
                self._send(number, moment.mono)

    def deadline(self) -> float | None:
        return self._due[0][0] if self._due else None

    def outgoing(self) -> list[Burst]:
        out, self._out = self._out, []
        return out

    def jobs(self) -> list[object]:
        jobs, self._jobs = self._jobs, []
        return jobs

    def _send(self, number: int, mono: float) -> None:
        self._out.append(Burst(self.open[number], [sealed(ASK, number, self._randbytes(40))]))
        heappush(self._due, (mono + self.every, number))


class Talker(Machine):
    """A machine that runs a Chatter; ``ask`` gives an Outcome."""

    def __init__(self, network: Network, name: str, *, delay: float = 0.0, every: float = 0.5) -> None:
        super().__init__(network, name, self.make, self.do)
        self.delay, self.every = delay, every
        self.waiting: dict[int, Outcome[int]] = {}

    @property
    def chatter(self) -> Chatter:
        core = self.core
        assert isinstance(core, Chatter)
        return core

    def make(self, _: Machine) -> Chatter:
        return Chatter(self.network.chance(f"core/{self.name}/{self.life}").randbytes, self.every)

    def do(self, _: Machine, job: Any) -> None:
        if isinstance(job, Asked):
            self.chatter.asked.append(job)
            if self.delay:
                self.later(self.delay, lambda: self.chatter.answer(job))
            else:
                self.chatter.answer(job)
        else:
            self.network.trace.note(self.network.clock.now, self.index, f"answered {job.number}")
            self.waiting.pop(job.number).settle(self.network.clock.now, job.number)

    def ask(self, other: Machine, number: int) -> Outcome[int]:
        outcome: Outcome[int] = Outcome(f"{self.name} asks {other.name} number {number}", self.network.clock.now)
        self.waiting[number] = outcome
        self.chatter.ask(number, Path(0, other.address), self.moment())
        self.act()
        return outcome


def sealed(kind: int, number: int, filling: bytes = b"") -> bytes:
    """A datagram of the Chatter."""
    body = bytes([kind]) + number.to_bytes(4, "big")
    return body + hashlib.sha256(body + filling).digest()[:8] + filling


def opened(datagram: bytes) -> tuple[int, int]:
    """Kind and number of a datagram; kind 0 for a damaged one."""
    if datagram[5:13] != hashlib.sha256(datagram[:5] + datagram[13:]).digest()[:8] or not datagram:
        return 0, 0
    return datagram[0], int.from_bytes(datagram[1:5], "big")


def talk(seed: int, faults: Faults, clients: int = 5, questions: int = 20) -> Network:
    """A whole run: so many clients, so many questions each to one server, each asked while the others are under way."""
    network = Network(seed, faults)
    server = Talker(network, "server", delay=0.003)
    network.join(server)
    outcomes = []
    for number in range(clients):
        client = Talker(network, f"client {number}")
        network.join(client)
        outcomes += [client.ask(server, question) for question in range(questions)]
    network.wait(*outcomes, limit=600)
    return network


class Shouted(Schema, name="test.fakes.shouted"):
    """The reply."""

    text: str = text(100)


class Shout(Request[Shouted], name="test.fakes.shout"):
    """The request."""

    text: str = text(100)


def shout(seed: int) -> Network:
    """The same with whole nodes and the real key encapsulation: three clients, five requests each."""
    network = Network(seed, HOSTILE)
    server = network.node("server")
    server.answer(Shout, lambda call: Shouted(text=call.body.text.upper()))
    clients = [network.node(f"client {number}") for number in range(3)]
    outcomes = [client.request(server, Shout(text=str(n)), timeout=100) for n in range(5) for client in clients]
    network.wait(*outcomes, limit=120)
    return network


def digests(seed: int) -> str:
    """The traces of both, as one line of text."""
    return f"{talk(seed, HOSTILE).trace.digest()} {shout(seed).trace.digest()}\n"


if __name__ == "__main__":
    import sys

    sys.stdout.write(digests(int(sys.argv[1])))
