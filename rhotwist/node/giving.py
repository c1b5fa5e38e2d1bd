"""Our objects on their way: offered, sent in quanta, acknowledged, given up, offered anew. Times are mono seconds.

An offer is an ordinary small request. Its answer opens the way; the first few packets go right behind it. A request
that went as an object is held, as one that the peer is working at: its answer will be pushed.
"""

from __future__ import annotations

from math import inf

from rhotwist.errors import BadPacket, Overloaded, Refused, RequestFailed, SessionLost
from rhotwist.link.messages import (
    BACKGROUND,
    OBJECT_MESSAGE,
    Ack,
    Gone,
    GoneReason,
    Have,
    Offer,
    Refusal,
    RefusalCode,
)
from rhotwist.link.object_out import ObjectOut
from rhotwist.link.record_out import RecordOut
from rhotwist.link.session import Session
from rhotwist.link.small import Taken
from rhotwist.node import asking, jobs, recording, taking
from rhotwist.node.objects import Objects, Parcel
from rhotwist.node.state import Ask, State
from rhotwist.secret.object_seal import ObjectSeal
from rhotwist.wire.frame import pack_control, pack_reply
from rhotwist.wire.message import NO_HASH, Message, compose
from rhotwist.wire.object_packet import CLASSES, ID_MAX
from rhotwist.wire.schema import Schema

#: Seconds until an object is offered again that the peer had no room for; twice as long each time, up to the most.
PAUSE, PAUSE_MOST = 0.25, 8.0
_UNPROVEN = "the peer says that it has what was never sent"
_WHY: dict[int, str] = {
    GoneReason.CANCELLED: "the peer wants it no more",
    GoneReason.REFUSED: "the peer refused it",
    GoneReason.TOO_SLOW: "it came too slowly for the peer",
    GoneReason.WRONG_HASH: "what arrived is not what was offered",
    GoneReason.NO_ROOM: "the peer has no memory for it now",
    GoneReason.UNKNOWN: "the peer does not know of it",
}


# --- into the line ------------------------------------------------------------------------------------------------


def request(state: State, objects: Objects, ask: Ask, mono: float) -> None:
    """Put a request, or what is only told, into the line as an object."""
    session = objects.session
    source = session.own if ask.source is None else ask.source.public
    destination = session.peer if ask.destination is None else ask.destination
    parts = ask.schema, source, destination, NO_HASH, ask.random, ask.body
    message = Message(*parts, ask.request_hash, ask.bulk) if ask.hashcode else compose(*parts, ask.bulk)
    kind = OBJECT_MESSAGE | (BACKGROUND if ask.background else 0)
    parcel = Parcel(message, ask.hashcode, kind, ask=ask)
    if ask.hashcode:
        exchange = session.requests(state.limits)
        if not exchange.busy:
            session.alive = mono
        exchange.held[ask.hashcode] = ask
        if ask.idle == inf:  # once, though it may move from session to session
            ask.idle = ask.deadline - ask.started
            ask.deadline += state.limits.object_grace + parcel.message.size / state.limits.object_rate
    objects.line.append(parcel)


# --- offers -------------------------------------------------------------------------------------------------------


def begin(state: State, objects: Objects, parcel: Parcel, mono: float) -> None:
    """Offer an object under a fresh id and key."""
    session = objects.session
    if objects.last_id >= ID_MAX:
        over(state, objects, parcel, SessionLost("the session has no numbers left for objects"), mono)
        return
    objects.last_id += 1
    parcel.id = objects.last_id
    key = state.rng(32)
    seal = ObjectSeal(key, session.suite, session.seal.peer_code, parcel.id, seals_max=state.limits.object_seals_max)
    flight = state.limits.object_flight
    head, body = parcel.message.halves(CLASSES[0])
    if session.path.stream:
        eager = objects.welcome or parcel.message.size <= flight
        parcel.out = RecordOut(body, eager=eager, head=head)
    else:
        control = objects.controller(parcel.background, state.limits, mono)
        if objects.welcome and not control.may_lose:  # what goes behind an offer that gets lost has gone for nothing
            flight = state.limits.object_window
        parcel.out = ObjectOut(
            body, seal, control, limits=state.limits, mono=mono, rng=state.rng, head=head, flight=flight
        )  # fmt: skip
    offer = Offer(
        id=parcel.id, key=key, named=parcel.message.hash, size=parcel.message.size, size_class=parcel.out.size_class,
        hashcode=parcel.hashcode, kind=parcel.kind,
    )  # fmt: skip
    ask = Ask(
        session.identity or state.key, session.peer, Offer.identifier, offer.encode(), reply=Have, source=None,
        destination=None, random=state.salt(), paths=(),
    )  # fmt: skip
    ask.session = session
    asking.begin(state, ask, mono + state.limits.request_timeout, mono)
    parcel.offer = ask
    objects.offers[ask.hashcode] = parcel
    objects.out[parcel.id] = parcel
    objects.heard.add(parcel.id)
    objects.bytes_out += parcel.message.size
    asking.submit(state, session, ask, mono)


def offered(state: State, objects: Objects, parcel: Parcel, outcome: object, mono: float) -> None:
    """An offer was answered, or not."""
    parcel.offer = None
    if parcel.out is None or parcel.id not in objects.out:
        return
    objects.heard.add(parcel.id)
    if isinstance(outcome, Have):
        try:
            parcel.out.have(outcome.bitmap, mono)
        except BadPacket:
            give_up(state, objects, parcel, GoneReason.LIED, Refused(RefusalCode.REFUSED, _UNPROVEN), mono)
            return
        objects.welcome = True
        if parcel.out.done:
            over(state, objects, parcel, None, mono)
    elif isinstance(outcome, Refused) and outcome.code in (RefusalCode.NO_ROOM, RefusalCode.OVERLOADED):
        _later(state, objects, parcel, mono)
    else:
        error = outcome if isinstance(outcome, RequestFailed) else SessionLost("the offer was answered with nonsense")
        over(state, objects, parcel, error, mono)


def _later(state: State, objects: Objects, parcel: Parcel, mono: float) -> None:
    """The peer has no room now: offer it again after a while, as long as its request waits."""
    objects.welcome = False
    take_back(objects, parcel)
    parcel.anew = True
    parcel.again = mono + min(PAUSE * 2**parcel.tries, PAUSE_MOST)
    parcel.tries += 1
    if parcel.ask is not None and not asking.waits(state, parcel.ask) or parcel.tries > 8 and not parcel.hashcode:
        over(state, objects, parcel, Overloaded(RefusalCode.NO_ROOM, _WHY[GoneReason.NO_ROOM]), mono)
    else:
        objects.line.append(parcel)


def take_back(objects: Objects, parcel: Parcel) -> None:
    """Take an object out of what is on its way."""
    if objects.out.pop(parcel.id, None) is not None:
        objects.bytes_out -= parcel.message.size
    recording.withdraw(parcel)
    if parcel.out is not None:
        parcel.out.close()
        parcel.out = None
    if parcel.offer is not None:
        objects.offers.pop(parcel.offer.hashcode, None)


def withdraw_offer(state: State, objects: Objects, parcel: Parcel, mono: float) -> None:
    """Nobody waits any more for the answer to an offer."""
    ask, parcel.offer = parcel.offer, None
    if ask is not None and state.pending.cancel(ask):
        objects.offers.pop(ask.hashcode, None)
        state.codes.free(ask.hashcode, mono)
        if objects.session.exchange is not None:
            objects.session.exchange.withdraw(ask.hashcode)


# --- what the peer says -------------------------------------------------------------------------------------------


def acked(state: State, session: Session, ack: Ack, mono: float) -> None:
    """An ack came. One for an object that is over, or never was, is nothing."""
    objects = session.objects
    parcel = objects.out.get(ack.id) if objects is not None else None
    if objects is None or parcel is None or parcel.out is None:
        state.counters["ack late"] += 1
        return
    state.stirred[objects] = None
    objects.heard.add(ack.id)
    if parcel.anew and parcel.offer is not None:
        return  # Have, which says what is there from before, was lost: it is on its way again
    try:
        parcel.out.acked(ack, mono)
    except BadPacket as error:
        state.counters["ack " + error.reason] += 1
        give_up(state, objects, parcel, GoneReason.LIED, Refused(RefusalCode.REFUSED, _UNPROVEN), mono)
        return
    _progress(state, objects, parcel, mono)
    if parcel.out.done:
        over(state, objects, parcel, None, mono)


def gone(state: State, session: Session, body: Gone, mono: float) -> None:
    """The receiver of an object of ours gives it up."""
    objects = session.objects
    parcel = objects.out.get(body.id) if objects is not None else None
    if objects is None or parcel is None:
        return
    state.stirred[objects] = None
    withdraw_offer(state, objects, parcel, mono)
    if body.reason == GoneReason.NO_ROOM:
        _later(state, objects, parcel, mono)
    else:
        why = _WHY.get(body.reason, "the peer gave it up")
        over(state, objects, parcel, Refused(RefusalCode.REFUSED, why), mono)


def _progress(state: State, objects: Objects, parcel: Parcel, mono: float) -> None:
    ask, out = parcel.ask, parcel.out
    if out is None or out.delivered == parcel.done:
        return
    parcel.done = out.delivered
    if ask is not None and ask.hashcode:
        state.pending.progress(ask, mono)
        if ask.watched:
            state.jobs.append(jobs.Progress(ask, parcel.done, out.size))
    for waiting in objects.line:  # they come after this one
        if waiting.ask is not None and waiting.ask.hashcode:
            state.pending.progress(waiting.ask, mono)


# --- the end ------------------------------------------------------------------------------------------------------


def give_up(
    state: State, objects: Objects, parcel: Parcel, reason: GoneReason, error: RequestFailed, mono: float
) -> None:
    """End an object of ours and say so."""
    if parcel.id in objects.out:
        tell(state, objects.session, Gone(id=parcel.id, reason=reason, ours=True))
    withdraw_offer(state, objects, parcel, mono)
    over(state, objects, parcel, error, mono)


def over(state: State, objects: Objects, parcel: Parcel, error: RequestFailed | None, mono: float) -> None:
    """An object of ours has arrived (no error), or will not."""
    withdraw_offer(state, objects, parcel, mono)
    take_back(objects, parcel)
    state.counters["object lost" if error else "object sent"] += 1
    if parcel.taken is not None:
        _replied(state, objects, parcel, parcel.taken, error, mono)
    elif error is not None and parcel.ask is not None and parcel.ask.hashcode:
        asking.fail(state, parcel.ask, error, mono)


def _replied(
    state: State, objects: Objects, parcel: Parcel, taken: Taken, error: RequestFailed | None, mono: float
) -> None:
    """A reply has gone, or cannot: what is kept for repeats is a few bytes from now on."""
    session = objects.session
    exchange = session.exchange
    if exchange is None or exchange.taken.get(taken.number) is not taken:
        return
    exchange.kept -= parcel.message.size
    state.reserved -= parcel.message.size
    code, said = RefusalCode.REFUSED, str(error)[:200] if error else "it was sent"
    body = Refusal(code=code, said=said).encode()
    frame = pack_reply(taken.hashcode, Refusal.identifier, taken.hash, state.salt(), body, True)
    taken.told = error is not None
    before = exchange.kept
    exchange.reply(taken, frame, mono)
    state.reserved += exchange.kept - before
    if error is not None:
        state.send(session, frame)
        state.schedule(session, taken.due)


def drop(state: State, session: Session) -> None:
    """The session is gone: so is all that was on its way. Its requests fail with the exchange."""
    objects: Objects | None = session.objects
    if objects is None:
        return
    session.objects = None
    taking.drop(state, objects)
    objects.due = None
    for parcel in [*objects.out.values(), *objects.line]:
        parcel.offer = None
        take_back(objects, parcel)
    objects.line.clear()


def carry_over(state: State, old: Session, session: Session) -> None:
    """Another session goes on with the objects of this one: what had not arrived is offered anew, under its keys."""
    objects: Objects | None = old.objects
    if objects is None:
        return
    session.objects, old.objects = objects, None
    objects.session = session
    state.stirred[objects] = None
    objects.controllers.clear()
    for parcel in reversed(list(objects.out.values())):
        parcel.offer = None
        parcel.anew = True
        take_back(objects, parcel)
        objects.line.appendleft(parcel)
    objects.offers.clear()
    objects.answered.clear()


def tell(state: State, session: Session, body: Schema) -> None:
    """Say something of an object."""
    state.send(session, pack_control(body.identifier, body.encode()))
