"""A process among others that are not there: a directory on a real disk, sessions as a test says, in virtual time."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

import attrs
from twisted.internet.defer import Deferred

from rhotwist.directory.directory import Directory
from rhotwist.directory.endpoints import at_ip
from rhotwist.directory.record import Record, make_record
from rhotwist.keys.address import NodeAt
from rhotwist.service.finding import Finder
from rhotwist.service.replication import Replication
from rhotwist.store.peers import Peers
from rhotwist.wire.datagram import Path, pack_address
from rhotwist.wire.schema import Schema
from tests.directory.support import NOON, key
from tests.service.directories import LIMITS, Home, HomeCase

ALONE = attrs.evolve(LIMITS, feel_every=1e9)


@attrs.frozen
class Said:
    """A call as a handler sees it."""

    peer: bytes
    body: Any


@attrs.frozen(eq=False)
class Asked:
    """A request of ours that waits for its reply."""

    peer: bytes
    body: Any
    patience: float
    reply: Deferred[Any]


class FakePeer:
    """Somebody to ask."""

    def __init__(self, node: FakeNode, at: NodeAt | bytes) -> None:
        self.key = at if isinstance(at, bytes) else at.key
        self._node, self._at = node, at

    def request(self, body: Any, patience: float) -> Deferred[Any]:
        """Ask."""
        made = Asked(self.key, body, patience, Deferred())
        self._node.asked.append(made)
        if self.key in self._node.gone:
            made.reply.errback(self._node.gone[self.key])
        return made.reply

    def ping(self, patience: float) -> Deferred[Any]:
        """Prove that it is there."""
        reply: Deferred[Any] = Deferred()
        self._node.pinged.append((self._at, patience, reply))
        return reply


class FakeNode:
    """A node whose sessions and requests are a test's."""

    def __init__(self) -> None:
        self.core = self.driver = self
        self.public = key(0).public
        self.handlers: dict[type[Schema], Callable[[Any], Any]] = {}
        self.heard: dict[type[Schema], Callable[[Any], Any]] = {}
        self.heeded: list[type[Schema]] = []
        self.sessions: dict[bytes, tuple[bytes, Path]] = {}
        #: Peers whose sessions are over, and how what they are asked fails.
        self.gone: dict[bytes, Exception] = {}
        #: Peers to whom nothing can be mentioned.
        self.mute: set[bytes] = set()
        self.asked: list[Asked] = []
        self.pinged: list[tuple[Any, float, Deferred[Any]]] = []
        self.mentioned: list[tuple[bytes, Any]] = []
        self.admitted: set[bytes] = set()
        self.settled = 0

    def answer(self, schema: type[Schema], handler: Callable[[Any], Any]) -> None:
        """Serve."""
        self.handlers[schema] = handler

    def hear(self, schema: type[Schema], handler: Callable[[Any], Any]) -> None:
        """Listen."""
        self.heard[schema] = handler

    def heed(self, schema: type[Schema]) -> None:
        """Listen to what is mentioned."""
        self.heeded.append(schema)

    def settle(self) -> None:
        """Send."""
        self.settled += 1

    def admit(self, peer: bytes, on: bool = True) -> None:
        """Take large objects of it."""
        (self.admitted.add if on else self.admitted.discard)(peer)

    def mention(self, peer: bytes, body: Schema, moment: Any) -> bool:
        """Say something small."""
        if peer in self.gone or peer in self.mute:
            return False
        self.mentioned.append((peer, body))
        return True

    def fingerprint_key(self, peer: bytes) -> bytes | None:
        """The key of a session."""
        return self.sessions[peer][0] if peer in self.sessions else None

    def path_to(self, peer: bytes, identity: bytes) -> Path | None:
        """Where a session leads."""
        return self.sessions[peer][1] if peer in self.sessions and identity == self.public else None

    def peer(self, at: NodeAt | bytes) -> FakePeer:
        """Somebody to ask."""
        return FakePeer(self, at)


class AmongCase(HomeCase):
    """Has one process, ``here``, with ``node`` and ``others``."""

    def setUp(self) -> None:
        self.promised: list[tuple[Future[Any], Deferred[Any]]] = []
        self.named: list[NodeAt] = []
        self.node = FakeNode()

    def begin(self, home: Home | None = None, *, serves: bool = True, **more: Any) -> Replication:
        """Go among the others."""
        self.here = home or self.home(0, attrs.evolve(ALONE, **more), private=True)
        self.here.keeper._world = attrs.evolve(self.here.world, soon=self.soon)
        self.finder = Finder(self.here.keeper, self.node)  # type: ignore[arg-type]
        self.others = Replication(
            self.here.keeper, self.finder, self.node, self.here.world, bytes, serves=serves,  # type: ignore[arg-type]
            named=lambda: self.named,
        )  # fmt: skip
        return self.others

    def start(self, **more: Any) -> Replication:
        """The same, and start."""
        made = self.begin(**more)
        made.start(Peers(self.here.database))
        self.addCleanup(made.stop)
        return made

    def soon(self, future: Future[Any]) -> Deferred[Any]:
        """What a store promised, once the test says that time passes."""
        made: Deferred[Any] = Deferred()
        self.promised.append((future, made))
        return made

    def finish(self) -> None:
        """Have done what the disk was given."""
        while self.promised:
            future, made = self.promised.pop(0)
            try:
                result = future.result(10)
            except Exception as error:
                made.errback(error)
            else:
                made.callback(result)

    def written(self) -> None:
        """Wait until all that was given to the disk is on it."""
        self.here.database.submit(lambda connection: None).result(10)

    def pass_on(self, seconds: float = 0.0, step: float = 0.1) -> None:
        """Let time go on."""
        self.finish()
        for _ in range(round(seconds / step)):
            self.here.clock.advance(step)
            self.finish()

    @property
    def core(self) -> Directory:
        """The core."""
        assert self.others._core is not None
        return self.others._core

    def session(self, number: int, shared: bytes = b"k" * 32) -> bytes:
        """A session with a node is open; its key."""
        peer = key(number).public
        self.node.sessions[peer] = shared, Path(0, pack_address(f"10.0.{number}.1", 7460))
        return peer

    def meet(self, number: int) -> bytes:
        """A node becomes a neighbour."""
        peer = self.session(number)
        self.others.meet(peer)
        return peer

    def hello_of(self, peer: bytes) -> Asked:
        """What a peer was asked last."""
        return [one for one in self.node.asked if one.peer == peer][-1]


def node_record(number: int, issued: int = NOON) -> Record:
    """Where a node is, of a private net."""
    return make_record(key(number), issued, [at_ip("udp", f"10.0.{number}.1", 7460)])
