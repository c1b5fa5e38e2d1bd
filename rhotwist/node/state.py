"""What one node holds, and the few moves that everything above shares: send, schedule, count."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from heapq import heapify, heappop, heappush
from math import inf
from typing import Any, Protocol

import attrs

from rhotwist.codes.hashcodes import HashcodeTable
from rhotwist.errors import KeySpent
from rhotwist.event.pending import PendingEvents
from rhotwist.keys.pair import SeedKey
from rhotwist.limits import Limits
from rhotwist.link.dial import Dial
from rhotwist.link.gate import Gate
from rhotwist.link.session import Session
from rhotwist.link.small import Outgoing
from rhotwist.moment import Rng
from rhotwist.node.jobs import Job
from rhotwist.node.objects import Objects
from rhotwist.node.streams import Streams
from rhotwist.secret.cookie import StatelessSecrets
from rhotwist.secret.kem import Kem
from rhotwist.secret.table import SessionTable
from rhotwist.wire.datagram import Burst, Path, Train
from rhotwist.wire.frame import pack_several
from rhotwist.wire.packet import HEADER, TAG_SIZE
from rhotwist.wire.schema import Schema, Vocabulary

Pair = tuple[bytes, bytes]

#: Sessions whose ciphers stay built: 4.6 kB each, against 2 µs to build them when the next packet comes.
WARM = 1_024


#: Redirects remembered: to whom requests for a server go at once.
ALIASES = 1_024
#: Deadlines that moved, beyond as many as stand, before the heap is built anew.
SLACK = 64
#: What a small datagram holds beside a body: header, tag and a reply's head; and 32 for each wallet that is named.
_REST, _NAMED = 85, 32
_NO_REST = (b"", b"", b"", b"")


def body_room(limits: Limits, named: int) -> int:
    """Bytes a body may have when that many wallets are named beside the session's own identities."""
    return min(limits.body_max, limits.datagram_max - _REST - _NAMED * named)


class Timed(Protocol):
    """Something with a next deadline, mono seconds, or None."""

    due: float | None


class Ask(Outgoing):
    """One request of ours from ``fire`` to its outcome: what is said, to whom, as whom, and where it was sent on.

    It is the event that waits and the request that is repeated in one object, for there are many. Without a hashcode it
    is only told.
    """

    __slots__ = (
        "background", "big", "body", "bulk", "coming", "destination", "doubted", "identity", "paths", "random", "reply",
        "session", "source", "started", "visited", "watched",
    )  # fmt: skip

    def __init__(
        self, identity: SeedKey, peer: bytes, schema: int, body: bytes, *, reply: type[Schema] | None,
        source: SeedKey | None, destination: bytes | None, random: bytes, paths: tuple[Path, ...], bulk: bytes = b"",
    ) -> None:  # fmt: skip
        # All that Event and Outgoing have is set here: two calls less for each request.
        self.peer = peer
        self.hashcode = 0
        self.request_hash = b""
        self.deadline = self.due = self.idle = inf
        self.schema = schema
        self.rest = _NO_REST
        self.number = -1
        self.sent = self.again = self.started = 0.0
        self.repeats = 0
        self.identity = identity
        self.body = body
        self.bulk = bulk
        self.reply = reply
        self.source = source
        self.destination = destination
        self.random = random
        self.paths = paths
        self.session: Session | None = None
        self.visited: tuple[bytes, ...] = ()
        #: It goes as an object, for which nobody waits; somebody wants to hear of its progress.
        self.big = self.background = self.watched = self.doubted = False
        #: Its reply was offered as an object.
        self.coming = False


@attrs.frozen
class Sibling:
    """A process that shares our stateless secrets: its key, and where it listens (18 bytes each)."""

    key: bytes
    addresses: tuple[bytes, ...]


class Dialing:
    """A connect and the requests that wait for it; session is there once Finish was sent."""

    __slots__ = ("dial", "due", "hellos", "old", "redirected", "session", "waiting")

    def __init__(self, dial: Dial, old: Session | None = None) -> None:
        self.dial = dial
        self.session: Session | None = None
        self.waiting: list[Ask] = []
        self.old = old
        self.redirected = False
        self.hellos = 0
        self.due: float | None = None


class State:
    """Everything a node knows. Only the modules of this folder touch it."""

    def __init__(
        self, key: SeedKey, *, limits: Limits, rng: Rng, kem: Kem, order: tuple[int, ...],
        secrets: StatelessSecrets, siblings: tuple[Sibling, ...], private_net: bool,
    ) -> None:  # fmt: skip
        self.key = key
        self.limits = limits
        #: Bytes a body may have when no wallet is named.
        self.room = body_room(limits, 0)
        self.rng = rng
        self.kem = kem
        self.order = order
        self.siblings = siblings
        self.private_net = private_net
        self.counters: Counter[str] = Counter()
        self.pairs: dict[Pair, Session] = {}
        self.dials: dict[Pair, Dialing] = {}
        self.aliases: dict[Pair, bytes] = {}
        #: By session code: asks that wait for proofs which are on their way.
        self.unproven: dict[int, list[Ask]] = {}
        self.pending: PendingEvents[Ask] = PendingEvents()
        self.codes: HashcodeTable[Any] = HashcodeTable(
            rng(32), limits.quarantine, start=int.from_bytes(rng(4), "big")
        )
        headroom = limits.redirect_headroom if siblings else 0
        self.sessions: SessionTable[Session] = SessionTable(
            self.codes, limits.session_max + headroom, limits.session_keep
        )
        self.gate = Gate(
            key, self.codes, limits=limits, rng=rng, kem=kem, order=order, secrets=secrets, counters=self.counters
        )
        self.vocabulary = Vocabulary()
        self.handled: dict[int, type[Schema]] = {}
        self.heeded: dict[int, type[Schema]] = {}
        self.wallets: dict[bytes, SeedKey] = {}
        #: Address tokens by who was given them and by whom: two identities never show one server the same token.
        self.tokens: dict[Pair, bytes] = {}
        self.out: dict[Path, list[bytes]] = {}
        #: What sessions say in this turn, sealed at its end.
        self.frames: dict[Session, list[bytes]] = {}
        self.streams = Streams()
        #: Sessions whose objects are to be looked at when this turn ends; packets of objects, which go behind all else.
        self.stirred: dict[Objects, None] = {}
        self.bulk: dict[Path, list[Train]] = {}
        #: Bytes that objects coming in hold in memory, and where more of them may lie; None for nowhere.
        self.object_bytes = 0
        self.spare: list[bytearray] = []
        self.spill: Callable[[int], memoryview | None] | None = None
        #: Those of whom large objects are taken, and the schemas whose handlers want to hear of progress.
        self.peers: set[bytes] = set()
        self.watched: set[int] = set()
        self.jobs: list[Job] = []
        self.reserved = 0
        self.closed = False
        self._salts: list[bytes] = []
        self._warm: dict[int, Session] = {}
        self._heap: list[tuple[float, int, Timed]] = []
        self._serial = 0
        self._crowded = SLACK

    # --- out

    def salt(self) -> bytes:
        """The 16 random bytes of a message object, drawn 64 at a time to save system calls."""
        if not self._salts:
            drawn = self.rng(16 * 64)
            self._salts = [drawn[at : at + 16] for at in range(0, len(drawn), 16)]
        return self._salts.pop()

    def post(self, path: Path, datagram: bytes) -> None:
        """Queue a datagram."""
        queue = self.out.get(path)
        if queue is None:
            self.out[path] = [datagram]
        else:
            queue.append(datagram)

    def warm(self, session: Session) -> None:
        """A session is about to use its ciphers: keep those of the last WARM sessions built, and no others."""
        if len(self._warm) >= WARM:
            cold = self._warm.pop(next(iter(self._warm)))
            cold.warm = False
            cold.seal.drop_aead()
        session.warm = True
        self._warm[session.code] = session

    def cool(self, session: Session) -> None:
        """A session is gone: hold it no longer."""
        if session.warm:
            session.warm = False
            self._warm.pop(session.code, None)

    def alias(self, pair: Pair, server: bytes) -> None:
        """Remember that a server sent one of our identities on to another."""
        if len(self.aliases) >= ALIASES:
            del self.aliases[next(iter(self.aliases))]
        self.aliases[pair] = server

    def send(self, session: Session, frame: bytes) -> None:
        """Have a frame go to the peer, in one packet with others of this turn. Not for the empty one."""
        frames = self.frames.get(session)
        if frames is None:
            self.frames[session] = [frame]
        else:
            frames.append(frame)

    def send_alone(self, session: Session, frame: bytes, path: Path | None = None) -> None:
        """Queue a frame in a packet of its own: the empty frame, and whatever is said again, for a path may be too
        narrow for a full packet. path is for a challenge, the one thing that goes elsewhere than to the peer's address.

        A session whose key is spent says no more.
        """
        if not session.warm:
            self.warm(session)
        try:
            datagram = session.seal.seal(frame)
        except KeySpent:
            self.counters["spent"] += 1
            return
        self.post(path or session.path, datagram)

    def flush(self, session: Session) -> None:
        """Seal what a session has to say, before its keys are erased."""
        frames = self.frames.pop(session, None)
        if frames is not None:
            self._seal(session, frames)

    def _seal(self, session: Session, frames: list[bytes]) -> None:
        if len(frames) > 1:
            frames = pack_several(frames, self.limits.datagram_max - HEADER - TAG_SIZE)
        for plain in frames:
            self.send_alone(session, plain)

    def drain(self) -> list[Burst]:
        """All that is queued, by path, in order."""
        if self.frames:
            queued, self.frames = self.frames, {}
            for session, frames in queued.items():
                self._seal(session, frames)
        out, self.out = self.out, {}
        bursts = [Burst(path, datagrams) for path, datagrams in out.items()]
        if self.bulk:
            bulk, self.bulk = self.bulk, {}
            bursts += [Burst(path, train) for path, trains in bulk.items() for train in trains]
        return bursts

    # --- time

    def schedule(self, item: Timed, due: float | None) -> None:
        """See to it that item is due no later than that. What is due earlier already stays so."""
        if due is not None and (item.due is None or due < item.due):
            item.due = due
            self._serial += 1
            heappush(self._heap, (due, self._serial, item))
            if len(self._heap) > self._crowded:
                standing = {id(entry[2]): entry for entry in self._heap if entry[2].due == entry[0]}
                self._heap = list(standing.values())
                heapify(self._heap)
                self._crowded = 2 * len(self._heap) + SLACK

    def due(self, mono: float) -> list[Timed]:
        """The items whose time has come; each must be scheduled anew."""
        items = []
        while self._heap and self._heap[0][0] <= mono:
            when, _, item = heappop(self._heap)
            if item.due == when:
                item.due = None
                items.append(item)
        return items

    def deadline(self) -> float | None:
        """When ``due`` has something next."""
        while self._heap and self._heap[0][2].due != self._heap[0][0]:
            heappop(self._heap)
        return self._heap[0][0] if self._heap else None
