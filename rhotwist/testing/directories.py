"""Hosts with a directory, in virtual time: everything that ``directory.Directory`` hands out is done for it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from math import inf
from typing import Any

from rhotwist.directory import jobs
from rhotwist.directory.checks import judge
from rhotwist.directory.directory import Directory
from rhotwist.directory.endpoints import Kind, at_ip, unpack
from rhotwist.directory.messages import MENTIONS, REQUESTS
from rhotwist.directory.peers import Connect, Known
from rhotwist.directory.record import Record, make_record
from rhotwist.directory.validity import epoch_of
from rhotwist.errors import Refused
from rhotwist.limits import Limits
from rhotwist.testing.host import Host
from rhotwist.testing.network import Network
from rhotwist.testing.outcome import Outcome
from rhotwist.testing.replicas import MemoryReplica
from rhotwist.wire.datagram import Path, pack_address, unpack_address

SHARED = bytes(32)
"""The key for fingerprints towards a host whose session is gone by the time it is asked for."""


class DirectoryHost:
    """A host and its directory. silent: it takes what it is told, tells nobody and answers nothing."""

    def __init__(self, host: Host, limits: Limits, *, cells: int = 256, silent: bool = False) -> None:
        self.host = host
        self.silent = silent
        self.limits = limits
        network = host.network
        chance = network.chance(f"directory/{host.name}")
        self.tree = MemoryReplica(chance.randbytes(8), epoch_of(host.moment().date), cells)
        self.directory = Directory(host.public, self.tree, limits, chance.randbytes, private=True)
        #: When each record came here, by its address, in virtual seconds.
        self.came: dict[bytes, float] = {}
        self._armed = inf
        self._paths: dict[bytes, Path] = {}
        self._keys: dict[bytes, bytes] = {}
        for request in REQUESTS:
            host.answer(request, self._answer)
        for mention in MENTIONS:
            host.heed(mention, self._heard)
        self._do: dict[type, Callable[[Any], object]] = {
            jobs.Ask: self._ask, jobs.Mention: self._mention, jobs.Answer: self._settle, jobs.Judge: self._judge,
            jobs.Keep: self._keep, jobs.Purge: lambda job: self.tree.purge(job.epoch), Connect: self._connect,
            jobs.Leave: self._leave,
        }  # fmt: skip
        host.store["directory"] = self
        self.act()

    # --- what a test does with it

    @property
    def place(self) -> bytes:
        """Its endpoint, as records have it."""
        return _place(self.host.path)

    def record(self, later: int = 0) -> Record:
        """Its own record, issued at this minute or so many minutes later."""
        return make_record(self.host.key, self.host.moment().date + 60 * later, [unpack(self.place)])

    def publish(self, records: Iterable[Record]) -> None:
        """Let it have records of its own people."""
        self.directory.publish([record.encode() for record in records], self.host.moment())
        self.act()

    def befriend(self, other: DirectoryHost) -> Outcome[Any]:
        """Open a session with another host, and let both take each other for peers."""
        outcome = self.host.ping(other.host)

        def opened(_: object) -> None:
            if outcome.failure is None:
                for one, peer in (self, other), (other, self):
                    if peer.host.public not in one.directory.flood.neighbours:
                        one.open(peer.host.public, peer.host.path)

        outcome.watch(opened)
        return outcome

    def open(self, peer: bytes, path: Path) -> None:
        """A session with a peer is there."""
        key = self.host.node.fingerprint_key(peer) or SHARED
        self._paths[peer] = path
        self._keys[peer] = key
        self.directory.opened(peer, _place(path), key, self.host.moment())
        self.act()

    def load(self, kept: Iterable[Known]) -> None:
        """What an earlier run's ``state`` gave."""
        self.directory.load(list(kept))

    # --- what the directory wants

    def act(self) -> None:
        """Do what the directory wants, then wait for its deadline."""
        while work := self.directory.jobs():
            for job in work:
                self._do[type(job)](job)
        network = self.host.network
        wait = max(0.0, self.directory.deadline() - self.host.moment().mono)
        if network.clock.now + wait < self._armed:
            self._armed = network.clock.now + wait
            network.clock.at(self._armed, self._tick, self._armed)

    def _tick(self, armed: float) -> None:
        if armed == self._armed:
            self._armed = inf
            if self.host.up:
                moment = self.host.moment()
                self.directory.tick(moment._replace(mono=moment.mono + 1e-6))
                self.act()

    def _ask(self, job: jobs.Ask) -> None:
        outcome = self.host.request(job.peer, job.request, timeout=30)
        outcome.watch(lambda _: self._replied(job, outcome))

    def _replied(self, job: jobs.Ask, outcome: Outcome[Any]) -> None:
        failure, moment = outcome.failure, self.host.moment()
        self.directory.replied(job, outcome.reply if failure is None else None, moment)
        if failure is not None and not isinstance(failure, Refused):
            self.directory.closed(job.peer, moment)
        self.act()

    def _mention(self, job: jobs.Mention) -> None:
        if not self.silent:
            self.host.mention(job.peer, job.body)

    def _settle(self, job: jobs.Answer) -> None:
        outcome: Any = job.ticket
        outcome.settle(self.host.network.clock.now, job.reply)

    def _judge(self, job: jobs.Judge) -> None:
        self.directory.judged(job, judge(job.checks, self.limits.directory_work), self.host.moment())

    def _keep(self, job: jobs.Keep) -> None:
        self.tree.apply(job.settled)
        for put in job.settled.puts:
            self.came.setdefault(put.address, self.host.network.clock.now)
        self.directory.kept(job, self.host.moment())

    def _connect(self, job: Any) -> None:
        path = _path(job.place)
        outcome = self.host.ping(job.key, paths=(path,), timeout=10)

        def done(_: object) -> None:
            if outcome.failure is None:
                self.open(job.key, path)
            else:
                self.directory.failed(job.key, self.host.moment())
                self.act()

        outcome.watch(done)

    def _leave(self, job: jobs.Leave) -> None:
        """The session ends, as the peer sees too."""
        for machine in self.host.network.machines.values():
            other = machine.store.get("directory")
            if other is not None and other.host.public == job.peer:
                other.directory.closed(self.host.public, other.host.moment())

    # --- what peers want

    def _heard(self, call: Any) -> None:
        self._meet(call)
        self.directory.heard(call.peer, call.body, self.host.moment())
        self.act()

    def _answer(self, call: Any) -> object:
        later: Outcome[Any] = Outcome("a directory's answer", self.host.network.clock.now)
        if self.silent:
            return later
        self._meet(call)
        reply = self.directory.asked(call.peer, call.body, later, self.host.moment())
        self.act()
        if isinstance(reply, Exception):
            raise reply
        return later if reply is None else reply

    def _meet(self, call: Any) -> None:
        """Whoever speaks of directories has one; over a new session with a new key."""
        key = self.host.node.fingerprint_key(call.peer)
        if call.peer not in self.directory.flood.neighbours or key != self._keys.get(call.peer):
            self.open(call.peer, call.path)


def _place(path: Path) -> bytes:
    host, port = unpack_address(path.address)
    return at_ip("udp", host, port).encode()


def _path(place: bytes) -> Path:
    found = unpack(place)
    if found.kind not in (Kind.UDP4, Kind.UDP6):
        return Path(0, bytes(18))
    return Path(0, pack_address(found.host, found.port))


def ring(network: Network, hosts: list[DirectoryHost], degree: int) -> None:
    """Make each host a peer of ``degree`` others, at random, and all of them reachable from each other."""
    draw = network.chance("ring")
    opened: list[Outcome[Any]] = []
    for _ in range(degree // 2):
        order = list(hosts)
        draw.shuffle(order)
        opened += (one.befriend(other) for one, other in zip(order, order[1:] + order[:1], strict=True))
    network.wait(*opened)
