"""Connections: who speaks over which, since when, and when each has to end. Times are mono seconds.

The world opens connections and moves bytes; it asks ``attach`` for a ``Stream``, feeds what comes and pulls what goes.
A burst for the path of a connection, even an empty one, says that there is something to pull; a ``Hang`` job that the
connection has to end.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from rhotwist.errors import BadPacket, TableFull
from rhotwist.limits import Limits
from rhotwist.link.records import Inbound, Outbound, Piece
from rhotwist.link.session import Session
from rhotwist.moment import Moment
from rhotwist.node.jobs import Hang
from rhotwist.secret.stream_seal import StreamSeal
from rhotwist.secret.table import GRAIN
from rhotwist.wire.datagram import Path
from rhotwist.wire.packet import HEADER

if TYPE_CHECKING:
    from rhotwist.node.objects import Arrival, Objects
    from rhotwist.node.state import State

#: A record begins with the id of the object that it carries, u32, and where in it, u32.
RECORD_HEAD = 8
#: What becomes of the pieces of records: True to go on with a record, False to let the rest of it go by.
Taker = Callable[[Session, Piece], bool]


class Stream:
    """One connection. ours says that we opened it; proven that somebody has shown over it that he holds a key."""

    __slots__ = (
        "_limits", "_moved", "_old", "_strange", "arrival", "began", "ended", "inbound", "ours", "outbound",
        "path", "proven", "start", "used", "users",
    )  # fmt: skip

    def __init__(self, path: Path, mono: float, limits: Limits, *, ours: bool) -> None:
        self.path = path
        self.ours = ours
        self.proven = ours
        self.ended = False
        #: Whose objects have gone over it; whether its peer takes them; which of the peer's is coming.
        self.users: dict[Objects, None] = {}
        self.arrival: Arrival | None = None
        self.start = 0  # where in it the record under way begins
        self.inbound, self.outbound = Inbound(), Outbound(limits)
        self.began = self.used = self._moved = mono
        self._old: float | None = None  # since when its last USE is of an epoch that was left
        self._strange = 0
        self._limits = limits

    def say(self, datagrams: Sequence[bytes], mono: float) -> None:
        """Queue datagrams; ``pull`` gives them out."""
        if not self.outbound:
            self._moved = mono  # nothing waited, so nobody kept anything waiting
        self.outbound.say(datagrams)

    def send(self, seal: StreamSeal, plain: bytes | memoryview, mono: float, head: bytes = b"") -> None:
        """Queue a record, head and plain; ``pull`` gives it out."""
        if not self.outbound:
            self._moved = mono
        self.outbound.send(seal, plain, head)

    def pull(self, most: int, mono: float) -> list[bytes]:
        """Bytes to write, as ``Outbound.pull`` has it. Raises KeySpent: the connection has to end then."""
        data = self.outbound.pull(most)
        if data:
            self.used = self._moved = mono
            for objects in list(self.users):
                if objects.out:  # the way takes their bytes: small packets behind them are late, not lost
                    objects.session.alive = mono
                else:
                    del self.users[objects]
        return data

    def reusable(self, mono: float) -> bool:
        """Whether something new may go over it: one idle for long may just be closed by its peer."""
        return mono - self.used < self._limits.stream_reuse

    def heard(self, size: int, mono: float) -> None:
        """Bytes came. Raises BadPacket when a stranger says too much."""
        self.used = mono
        if not self.proven:
            self._strange += size
            if self._strange > self._limits.stream_stranger:
                raise BadPacket("stranger")

    def over(self, mono: float) -> str:
        """Why it has to end now, "" if it does not."""
        limits = self._limits
        if not self.inbound.behind:
            self._old = None
        elif self._old is None:
            self._old = mono
        if mono - self.used >= limits.stream_close and not self.outbound:
            return "idle"
        if not self.proven and mono - self.began >= limits.half_open_life:
            return "unproven"
        if self._old is not None and mono - self._old >= limits.stream_old_keys:
            return "old keys"
        if self.outbound and mono - self._moved >= limits.stream_stall:
            return "stalled"
        return ""


class Streams:
    """The connections of one node by path. due is when they are looked at next."""

    __slots__ = ("by_path", "due")

    def __init__(self) -> None:
        self.by_path: dict[Path, Stream] = {}
        self.due: float | None = None


def attach(state: State, path: Path, moment: Moment, *, ours: bool) -> Stream:
    """A connection is there, or about to be. Where there are too many the oldest stranger's goes.

    Raises TableFull if there is none.
    """
    known = state.streams.by_path
    if len(known) >= state.limits.stream_max and path not in known and not ours:
        stranger = next((stream for stream in known.values() if not stream.proven), None)
        if stranger is None:
            raise TableFull(f"{len(known)} connections, all of them somebody's")
        _hang(state, stranger, "crowded")
    stream = known[path] = Stream(path, moment.mono, state.limits, ours=ours)
    state.schedule(state.streams, _next_look(state, moment))
    return stream


def detach(state: State, stream: Stream) -> None:
    """A connection is gone. Sessions that went over it live on, and look how their objects fare."""
    stream.ended = True
    state.stirred.update(stream.users)
    stream.users.clear()
    if state.streams.by_path.get(stream.path) is stream:
        del state.streams.by_path[stream.path]


def look(state: State, moment: Moment) -> None:
    """End the connections whose time has come. This is the one timer that follows the wall clock, see ``Limits``."""
    for stream in list(state.streams.by_path.values()):
        why = stream.over(moment.mono)
        if why:
            _hang(state, stream, why)
    if state.streams.by_path:
        state.schedule(state.streams, _next_look(state, moment))


def feed(state: State, stream: Stream, data: bytes, moment: Moment, take: Taker) -> Iterator[list[bytes]]:
    """Bytes came over a connection: gives the datagrams in them, to be received before the next step.

    Pieces of records go to ``take``. What does not parse or open ends the connection; iterate to the end.
    """

    def find(code: int) -> tuple[StreamSeal, int]:
        session = state.sessions.get(code)
        if session is None:
            raise BadPacket("unknown")
        return streams_of(state, session), record_most(state, session)

    if stream.ended:
        return
    mono = moment.mono
    try:
        stream.heard(len(data), mono)
        for event in stream.inbound.feed(data, find):
            if isinstance(event, Piece):
                session = state.sessions.get(event.code)
                stream.proven = True
                if session is None:
                    raise BadPacket("unknown")
                session.heard = mono
                session.redialled = False
                if mono >= session.touched + GRAIN:
                    session.touched = mono
                    state.sessions.touch(session.code, mono)
                if not take(session, event):
                    stream.inbound.skip()
                continue
            yield event
            if not stream.proven:
                stream.proven = any(_proved(state, stream, datagram, mono) for datagram in event)
    except BadPacket as error:
        state.counters["drop stream " + error.reason] += 1
        _hang(state, stream, error.reason)


def streams_of(state: State, session: Session) -> StreamSeal:
    """A session's streams, made when first needed."""
    if session.streams is None:
        session.streams = StreamSeal(session.seal, state.limits.ratchet_seals_max)
    return session.streams


def record_most(state: State, session: Session) -> int:
    """Bytes of the largest record that a session's peer may send."""
    return RECORD_HEAD + state.limits.object_max


def gone(state: State, path: Path) -> bool:
    """Whether a path is that of a connection which is no more, or carries nothing new."""
    return path.stream and path not in state.streams.by_path


def _proved(state: State, stream: Stream, datagram: bytes, mono: float) -> bool:
    """Whether a datagram just received over a connection was a good one of a session: a Finish, or a packet."""
    session = state.sessions.get(int.from_bytes(datagram[8:HEADER], "big"))
    return session is not None and session.heard == mono


def _hang(state: State, stream: Stream, why: str) -> None:
    detach(state, stream)
    state.counters["hung " + why] += 1
    state.jobs.append(Hang(stream.path, why))


def _next_look(state: State, moment: Moment) -> float:
    every = state.limits.stream_look
    return moment.mono + every - moment.wall % every
