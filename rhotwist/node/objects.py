"""The big objects of one session, both ways, as values: what waits, what is on its way, what has come.

``giving`` sends ours, ``taking`` takes theirs. Whatever happens to them is noted here and acted upon at the end of the
turn, when the node knows all that came in it. Times are mono seconds. Spec page: docs/spec/objects.md.
"""

from __future__ import annotations

from collections import deque
from math import inf
from typing import TYPE_CHECKING, NamedTuple

from rhotwist.errors import TooBig
from rhotwist.limits import Limits
from rhotwist.link.congestion import Controller
from rhotwist.link.messages import BACKGROUND, OBJECT_REPLY, Offer, Working
from rhotwist.link.object_in import ObjectIn
from rhotwist.link.object_out import ObjectOut
from rhotwist.link.record_out import RecordOut
from rhotwist.link.session import Session
from rhotwist.link.small import Taken
from rhotwist.wire.datagram import Path
from rhotwist.wire.frame import pack_control
from rhotwist.wire.message import HEAD, Message
from rhotwist.wire.schema import Schema

if TYPE_CHECKING:
    from rhotwist.node.state import Ask, State
    from rhotwist.node.streams import Stream

#: Objects that came whole and are remembered, so that one offered again is not acted upon twice.
OVER = 256
#: Objects that came whole whose last ack may still have to be repeated, and for how many seconds.
LINGERING, LINGER = 16, 5.0


class Parcel:
    """One object of ours. ask is the request it is, or taken the request it answers; with neither it was only told.

    message is what it carries, kind as in ``Offer``. out is its sender once it was offered, offer the
    request that offered it, done what the peer had of it when progress was told last.
    """

    __slots__ = (
        "again", "anew", "ask", "done", "hashcode", "id", "kind", "message", "offer", "out", "stream", "taken", "tries",
    )  # fmt: skip

    def __init__(
        self, message: Message, hashcode: int, kind: int, *, ask: Ask | None = None, taken: Taken | None = None
    ) -> None:
        self.message = message
        self.hashcode = hashcode
        self.kind = kind
        self.ask = ask
        self.taken = taken
        self.id = self.done = self.tries = 0
        self.out: ObjectOut | RecordOut | None = None
        self.stream: Stream | None = None  # the connection that it was given to
        self.offer: Ask | None = None
        self.again = 0.0
        self.anew = False  # it was offered before

    @property
    def background(self) -> bool:
        """Nobody waits for it."""
        return bool(self.kind & BACKGROUND)


class Arrival:
    """One object of theirs. inner is its receiver from its first packet on; reserved are the bytes booked for it.

    ask is the request of ours that it answers; since is when it was offered, or came whole; recorded says that it came
    over a connection, where no ack is lost.
    """

    __slots__ = ("ask", "inner", "offer", "recorded", "reserved", "since", "told", "watched", "whole")

    def __init__(self, offer: Offer, ask: Ask | None, mono: float) -> None:
        self.offer = offer
        self.ask = ask
        self.inner: ObjectIn | None = None
        self.reserved = 0
        self.since = mono
        self.told = 0
        #: Whether a handler wants to hear of its progress; None while its head is not here.
        self.watched: bool | None = None
        self.recorded = self.whole = False

    def ends(self, limits: Limits) -> float:
        """When it has something to do next."""
        if self.whole:
            return min(self.since + LINGER, self.inner.deadline() if self.inner is not None else self.since)
        return self.inner.deadline() if self.inner is not None else self.since + limits.object_idle


class Over(NamedTuple):
    """What is remembered of an object that came whole."""

    size: int
    size_class: int


class Objects:
    """All of one session. It has a deadline of its own, so that pacing wakes nothing else.

    line are parcels that wait for room, out those on their way by id, last_out the id of the one that sent last, offers
    those whose offer is unanswered by its hashcode. welcome: the peer had room for the last one that was offered, so
    the next need not wait for an answer; a peer without room would have it sent for nothing. incoming are arrivals by
    id, over what came whole lately by its hash. owed are bytes that handlers hold, by the request they have not
    answered. Until the turn ends: fresh requests, what became of offers (answered), requests that were settled or that
    nobody waits for any more (withdrawn), arrivals of which something came (touched), ids of parcels whose deadline may
    be another now (heard).
    """

    __slots__ = (
        "answered", "bytes_out", "controllers", "due", "fresh", "heard", "incoming", "last_id", "last_out", "line",
        "next_in", "offers", "out", "over", "owed", "path", "reserved", "session", "settled", "touched", "welcome",
        "withdrawn",
    )  # fmt: skip

    def __init__(self, session: Session) -> None:
        self.session = session
        self.due: float | None = None
        self.fresh: list[Ask] = []
        self.heard: set[int] = set()
        self.line: deque[Parcel] = deque()
        self.out: dict[int, Parcel] = {}
        self.offers: dict[int, Parcel] = {}
        self.answered: list[tuple[Parcel, object]] = []
        self.withdrawn: list[Ask] = []
        self.settled: list[Ask] = []
        self.incoming: dict[int, Arrival] = {}
        self.touched: dict[int, Arrival] = {}
        self.over: dict[bytes, Over] = {}
        self.owed: dict[int, int] = {}
        self.next_in = inf  # when an arrival may want something; at or before the time it does
        self.last_id = self.last_out = self.bytes_out = self.reserved = 0
        self.welcome = False
        self.controllers: dict[bool, Controller] = {}
        self.path: Path = session.path

    def offer_over(self, offer: Ask, outcome: object) -> None:
        """An offer was answered, or never will be."""
        parcel = self.offers.pop(offer.hashcode, None)
        if parcel is not None:
            self.answered.append((parcel, outcome))

    def replies(self, taken: Taken) -> bool:
        """Whether a reply to that request is on its way already."""
        return any(parcel.taken is taken for parcel in (*self.out.values(), *self.line))

    def answer(self, state: State, message: Message, taken: Taken) -> None:
        """Send a reply as an object. The peer is told that it is worked at, and so does not ask again."""
        exchange = self.session.requests(state.limits)
        parcel = Parcel(message, taken.hashcode, OBJECT_REPLY, taken=taken)
        exchange.kept += message.size
        state.reserved += message.size
        if not taken.told:
            taken.told = True
            state.send(self.session, pack_control(Working.identifier, Working(hashcode=taken.hashcode).encode()))
        self.line.append(parcel)

    def let_go(self, state: State, number: int) -> None:
        """A handler has answered: what it held of an object is free."""
        size = self.owed.pop(number, 0)
        self.reserved -= size
        state.object_bytes -= size

    def controller(self, background: bool, limits: Limits, mono: float) -> Controller:
        """The one of the present path. Another port is another NAT at most; another host is another path, of which
        nothing is known yet.
        """
        path = self.session.path
        if self.path.address[:16] != path.address[:16] or self.path.carrier != path.carrier:
            self.controllers.clear()
        self.path = path
        found = self.controllers.get(background)
        if found is None:
            exchange = self.session.exchange
            found = self.controllers[background] = Controller(
                limits, mono, round_trip=exchange.round_trip if exchange is not None else 0.0, background=background
            )
        return found

    def came(self, arrival: Arrival) -> None:
        """Remember one that came whole."""
        if len(self.over) >= OVER:
            del self.over[next(iter(self.over))]
        inner = arrival.inner
        if inner is not None:
            self.over[arrival.offer.named] = Over(inner.size, inner.size_class)


def stir(state: State, session: Session) -> Objects:
    """The objects of a session, to be looked at when this turn ends."""
    objects: Objects | None = session.objects
    if objects is None:
        objects = session.objects = Objects(session)
    state.stirred[objects] = None
    return objects


def check_size(limits: Limits, body: Schema, size: int) -> None:
    """Raises TooBig for a body, of size bytes when encoded, that no object carries."""
    most = limits.object_max - HEAD
    if size > most:
        raise TooBig(f"{body.schema_name}: a body of {size} bytes; one object carries at most {most}")


def not_begun(session: Session) -> list[Ask]:
    """Take out the requests of a session that were to go as objects and were never offered: they can go elsewhere."""
    objects: Objects | None = session.objects
    if objects is None:
        return []
    parcels = [parcel for parcel in objects.line if parcel.ask is not None and not parcel.anew]
    for parcel in parcels:
        objects.line.remove(parcel)
    asks = [parcel.ask for parcel in parcels if parcel.ask is not None] + objects.fresh
    objects.fresh = []
    if session.exchange is not None:
        for ask in asks:
            session.exchange.held.pop(ask.hashcode, None)
    return asks
