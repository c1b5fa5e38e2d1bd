"""What a node asks of the world, as values: run a handler, hand out an outcome, solve a puzzle, keep a token."""

from __future__ import annotations

from typing import NamedTuple

import attrs

from rhotwist.event.pending import Event
from rhotwist.link.sieve import Turn
from rhotwist.link.small import Taken
from rhotwist.wire.datagram import Path
from rhotwist.wire.schema import Schema


@attrs.define(eq=False)
class Call:
    """A message for one of our handlers. If wants_answer, ``Node.answer`` is owed, at once or any time later.

    peer is the identity that the session proved (32 bytes), source who speaks: that identity or a wallet proven in the
    session. destination is ours: the node's key or a wallet of this process. hash names the message object. size is its
    bytes if it came as a big object, else 0. Nobody
    changes it; frozen, it would cost a microsecond more, and every request has one.
    """

    peer: bytes
    source: bytes
    destination: bytes
    body: Schema
    hash: bytes
    path: Path
    _session: object = attrs.field(default=None, repr=False)
    _taken: Taken | None = attrs.field(default=None, repr=False)
    size: int = 0

    @property
    def wants_answer(self) -> bool:
        """False for a message that was only told."""
        return self._taken is not None


class Progress(NamedTuple):
    """An event that somebody watches is further: done of total bytes have arrived. A request that goes as an object
    counts what the peer has acknowledged; a reply that comes as one adds to both what has come, and is going to.
    """

    event: Event
    done: int
    total: int


class Arriving(NamedTuple):
    """A message for a handler that wants to know is coming: who says it to whom, its hash, done of total bytes."""

    schema: type[Schema]
    source: bytes
    destination: bytes
    hash: bytes
    done: int
    total: int


class Fired(NamedTuple):
    """An event has its one outcome: the reply, a Pong of ``Node.ping``, or a RequestFailed."""

    event: Event
    outcome: object


@attrs.frozen(eq=False)
class Solve:
    """Find a puzzle's solution in a worker, then ``Node.done(job, puzzle field of 8 bytes or None, moment)``."""

    cookie: bytes
    ephemeral: bytes
    difficulty: int
    _dialing: object = attrs.field(default=None, repr=False)


@attrs.frozen(eq=False)
class KeepToken:
    """A server gave us an address token for a later Hello: store it, and ``Node.learn_token`` at the next start."""

    server: bytes
    token: bytes = attrs.field(repr=False)


@attrs.frozen(eq=False)
class ForgetToken:
    """The token of that server goes out with this turn's datagrams: delete it, or an observer could link two Hellos."""

    server: bytes


class Hang(NamedTuple):
    """End a connection; why is a short slug for counters and logs. The node counts it as gone already."""

    path: Path
    why: str


@attrs.frozen
class Admit:
    """Of Hellos without a cookie read those whose turn it is and drop the others as cheaply as you can; None: read all.

    Then ``Node.done(job, Admitted(...), moment)``. It saves nothing but work: who cannot do it reads everything.
    """

    turn: Turn | None


class Admitted(NamedTuple):
    """How reading went since the last Admit: datagrams dropped unread, and how crowded it is before us, from 0 to 1."""

    dropped: int
    full: float


@attrs.frozen
class Reached:
    """The outcome of a ping: what the session runs on and how long the answer took.

    suite is the cipher suite's name, post_quantum whether it has a KEM, round_trip seconds, seen the 18 bytes of our
    address as the peer sees it, peer the key that was proven.
    """

    peer: bytes
    suite: str
    post_quantum: bool
    round_trip: float
    seen: bytes


Job = Call | Fired | Progress | Arriving | Solve | KeepToken | ForgetToken | Hang | Admit
