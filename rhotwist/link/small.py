"""Requests and replies in small packets, one session's both directions: repeats, duplicates, replies kept, flow.

Ours: at most 256 numbers lie between the oldest request we still wait for and the newest; later ones wait in line. A
request is repeated until its reply or a Working comes. After Working it is held: no longer repeated, no longer
holding the window, and its reply is pushed by the peer until we say Got.
Theirs: each number is acted on at most once. Its reply is kept, and given again to a repeat, until the peer's
``behind`` says that it waits for it no more, or until the peer has been silent for a minute.

Nothing here seals, sends or fires: frames and values go out. Spec page: docs/spec/small-packets.md.
"""

from __future__ import annotations

import enum
from collections import deque
from typing import Generic, TypeVar

from rhotwist.event.pending import Event
from rhotwist.limits import Limits
from rhotwist.wire.frame import Rest, Said, pack_message

#: ``behind`` is one byte.
WINDOW = 256
#: What one request of the peer takes beside its reply, bytes: a peer of many small ones is not let off.
OVERHEAD = 320
#: Seconds of silence after which replies kept for the peer are let go: twice what a session survives without a packet.
FORGET = 60.0


class Outgoing(Event):
    """One request of ours. again is when it is repeated next, sent when it went first (mono seconds)."""

    __slots__ = ("again", "number", "repeats", "rest", "schema", "sent")

    def __init__(self, event: tuple[bytes, int, bytes, float], schema: int, rest: Rest) -> None:
        """event is what an Event is made of."""
        super().__init__(*event)
        self.schema = schema
        self.rest = rest
        self.number = -1
        self.sent = self.again = 0.0
        self.repeats = 0


R = TypeVar("R", bound=Outgoing)


class Taken:
    """One request of the peer that we have acted on. frame is the reply once there is one."""

    __slots__ = ("due", "frame", "hash", "hashcode", "number", "repeats", "told")

    def __init__(self, number: int, hashcode: int, hash_: bytes, due: float) -> None:
        self.number = number
        self.hashcode = hashcode
        self.hash = hash_
        self.due = due
        self.frame: bytes | None = None
        self.told = False
        self.repeats = 0


class Verdict(enum.Enum):
    """What an arriving request is."""

    NEW = "new"
    REPEAT = "repeat"
    STALE = "stale"
    FULL = "full"


_NEW = Verdict.NEW


class Exchange(Generic[R]):
    """The requests of one session, both ways. Times are mono seconds."""

    __slots__ = (
        "_floor", "_late", "_limits", "_next", "_patience", "_top", "_working", "heard", "held", "kept", "objects",
        "outstanding", "round_trip", "taken", "variation", "waiting",
    )  # fmt: skip

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._next = 0
        self.outstanding: dict[int, R] = {}
        self.held: dict[int, R] = {}
        self.waiting: dict[int, R] = {}
        self.round_trip = 0.0
        self.variation = 0.0
        self._patience = limits.repeat_first
        self._floor = 0
        self._top = -1
        self.taken: dict[int, Taken] = {}
        self._working: deque[Taken] = deque()
        self._late: dict[int, Taken] = {}
        self.heard = 0.0
        self.kept = 0
        #: Objects of ours under way beside: they keep the session busy.
        self.objects = 0

    # --- ours

    def submit(self, request: R, mono: float) -> bytes | None:
        """Send a request, or let it wait in line (None)."""
        behind = -1 if self.waiting else self._behind()
        if behind < 0:
            self.waiting[request.hashcode] = request
            return None
        return self._first(request, behind, mono)

    def drain(self, mono: float) -> list[bytes]:
        """The frames of those in line for which there is room now."""
        frames = []
        while self.waiting and (behind := self._behind()) >= 0:
            frames.append(self._first(self.waiting.pop(next(iter(self.waiting))), behind, mono))
        return frames

    def _behind(self) -> int:
        """How far the next number is from the oldest waited for, -1 if that or their count is too much."""
        outstanding = self.outstanding
        if not outstanding:
            return 0
        behind = self._next - next(iter(outstanding.values())).number
        return behind if behind < WINDOW and len(outstanding) < self._limits.outstanding_max else -1

    def _first(self, request: R, behind: int, mono: float) -> bytes:
        number = request.number = self._next
        self._next = number + 1
        request.sent = mono
        request.again = mono + self._patience
        self.outstanding[request.hashcode] = request
        return pack_message(number, behind, request.hashcode, request.schema, request.rest)

    def answered(self, hashcode: int, mono: float) -> R | None:
        """A reply to this hashcode has come: what it answers, or None if nothing waits for it."""
        request = self.outstanding.pop(hashcode, None)
        if request is None:
            return self.held.pop(hashcode, None)
        if not request.repeats:  # Karn: a repeated one cannot tell which copy was answered
            self.measured(mono - request.sent)
        return request

    def measured(self, sample: float) -> None:
        """Take a round trip into account (RFC 6298 2)."""
        if self.round_trip:
            self.variation += (abs(self.round_trip - sample) - self.variation) / 4
            self.round_trip += (sample - self.round_trip) / 8
        else:
            self.round_trip, self.variation = sample, sample / 2
        limits = self._limits
        self._patience = min(max(self.round_trip + 4 * self.variation, limits.repeat_least), limits.repeat_most)

    def hold(self, hashcode: int) -> None:
        """The peer is working at it: it is no longer repeated."""
        request = self.outstanding.pop(hashcode, None)
        if request is not None:
            self.held[hashcode] = request

    def withdraw(self, hashcode: int) -> None:
        """Nobody waits for it any more, whether it was sent or not."""
        if self.outstanding.pop(hashcode, None) is None and self.held.pop(hashcode, None) is None:
            self.waiting.pop(hashcode, None)

    def begin(self, mono: float, repeated: bool) -> None:
        """The session is confirmed only now: what went out with Finish has its first patience from here.

        repeated says that Finish was, and the request in it: its answer then measures no round trip.
        """
        for request in self.outstanding.values():
            request.again = mono + self._patience
            request.repeats += repeated

    def hurry(self, mono: float) -> None:
        """Another session carries this exchange now: repeat everything at once, and measure the way anew."""
        self.round_trip = self.variation = 0.0
        self._patience = self._limits.repeat_first
        for request in [*self.outstanding.values(), *self.held.values()]:
            request.again = mono
        for taken in self._late.values():
            taken.due = mono

    def unsent(self) -> list[R]:
        """Take out all that wait in line."""
        requests, self.waiting = list(self.waiting.values()), {}
        return requests

    def not_taken(self, number: int) -> list[R]:
        """Take out all that were sent and, the peer says, not acted on: those from number (mod 2**16) on."""
        edge = self._next - ((self._next - number) & 0xFFFF)
        requests = [request for request in self.outstanding.values() if request.number >= edge]
        for request in requests:
            del self.outstanding[request.hashcode]
        return requests

    def abandoned(self) -> list[R]:
        """Take out all of ours: the session is gone."""
        requests = [*self.outstanding.values(), *self.held.values(), *self.waiting.values()]
        self.outstanding.clear()
        self.held.clear()
        self.waiting.clear()
        return requests

    def _frame(self, request: R) -> bytes:
        number = request.number
        oldest = next(iter(self.outstanding.values())).number
        return pack_message(number, number - oldest, request.hashcode, request.schema, request.rest)

    def patience(self) -> float:
        """Seconds until a first repeat (RFC 6298 2, with our own least and most)."""
        return self._patience

    # --- theirs

    def take(self, said: Said, hash_: bytes, mono: float, room: bool = True) -> tuple[Verdict, Taken | None]:
        """Sort an arriving request that wants an answer. For REPEAT, the Taken with the reply so far.

        Without room a new one is FULL: not acted on, and taken when it is repeated later.
        """
        self.heard = mono
        top, kept = self._top, self.taken
        number = top + ((said.number - top + 0x8000) & 0xFFFF) - 0x8000
        floor = number - said.behind
        if floor > self._floor:
            self._forget(floor)
        known = kept.get(number)
        if known is not None:
            return (Verdict.REPEAT, known) if known.hash == hash_ else (Verdict.STALE, None)
        if number < self._floor:
            return Verdict.STALE, None
        if not room or len(kept) >= 2 * WINDOW:
            return Verdict.FULL, None
        if number > top:
            self._top = number
        taken = kept[number] = Taken(number, said.hashcode, hash_, mono + self._limits.working_after)
        self._working.append(taken)
        self.kept += OVERHEAD
        return _NEW, taken

    @property
    def next_number(self) -> int:
        """One more than the highest number of theirs we acted on, mod 2**16."""
        return (self._top + 1) & 0xFFFF

    def adopt(self, number: int, hashcode: int, hash_: bytes, mono: float) -> Taken:
        """A request of theirs that came as an object, under a number below 0: its reply is pushed until Got."""
        taken = self.taken[number] = Taken(number, hashcode, hash_, mono)
        taken.told = True
        self.kept += OVERHEAD
        return taken

    def reply(self, taken: Taken, frame: bytes, mono: float) -> None:
        """Keep the reply to a request of theirs; one that was said to be worked at is pushed until Got."""
        if self.taken.get(taken.number) is not taken:
            return
        taken.frame = frame
        self.kept += len(frame)
        if taken.told:
            self._late[taken.hashcode] = taken
            taken.due = mono + self.patience()

    def got(self, hashcode: int) -> None:
        """The peer has a pushed reply."""
        taken = self._late.pop(hashcode, None)
        if taken is not None:
            self._drop(taken)

    def _forget(self, floor: int) -> None:
        self._floor = floor
        done = []
        for number, taken in self.taken.items():
            if number >= floor:
                break  # numbers arrive nearly in order: what a reordered one hides goes with the next call
            if taken.frame is not None and not taken.told:
                done.append(taken)
        for taken in done:
            self._drop(taken)

    def _drop(self, taken: Taken) -> None:
        if self.taken.pop(taken.number, None) is not None:
            self.kept -= OVERHEAD + len(taken.frame or b"")

    # --- both

    @property
    def busy(self) -> bool:
        """Something of ours is under way, or a pushed reply is unconfirmed."""
        return bool(self.outstanding or self.held or self._late or self.objects)

    @property
    def empty(self) -> bool:
        """Nothing is remembered that a new Exchange would not know, but for the numbers."""
        return not (self.outstanding or self.held or self.waiting or self.taken)

    def tick(self, mono: float) -> tuple[list[bytes], list[int]]:
        """Frames to repeat now, and hashcodes of theirs to be told Working."""
        frames = []
        for request in self.outstanding.values():
            if request.again <= mono:
                request.repeats += 1
                request.again = mono + self._backoff(request.repeats)
                frames.append(self._frame(request))
        for taken in self._late.values():
            if taken.due <= mono and taken.frame is not None:
                taken.repeats += 1
                taken.due = mono + self._backoff(taken.repeats)
                frames.append(taken.frame)
        working = []
        while self._working and (self._working[0].frame is not None or self._working[0].due <= mono):
            taken = self._working.popleft()
            if taken.frame is None and taken.number in self.taken:
                taken.told = True
                working.append(taken.hashcode)
        if self.taken and mono >= self.heard + FORGET:
            self._forget(self._top + 1)
        return frames, working

    def _backoff(self, repeats: int) -> float:
        return float(min(self.patience() * 2 ** min(repeats, 6), self._limits.repeat_most))

    def deadline(self) -> float | None:
        """When ``tick`` has something to do next."""
        due = [request.again for request in self.outstanding.values()]
        due += [taken.due for taken in self._late.values()]
        if self._working:
            due.append(self._working[0].due)
        if any(taken.frame is not None and not taken.told for taken in self.taken.values()):
            due.append(self.heard + FORGET)
        return min(due, default=None)
