"""The end of a turn for big objects: what came whole is handed on, what may go goes. Times are mono seconds."""

from __future__ import annotations

from math import inf

from rhotwist.errors import BadPacket
from rhotwist.link.messages import BACKGROUND, OBJECT_REPLY, RefusalCode
from rhotwist.node import answering, asking, pumping, taking
from rhotwist.node.jobs import Call
from rhotwist.node.objects import Arrival, Objects
from rhotwist.node.state import State
from rhotwist.wire.frame import Answered
from rhotwist.wire.message import HEAD, NO_HASH


def turn(state: State, mono: float) -> None:
    """Look at all sessions whose objects were stirred."""
    stirred, state.stirred = state.stirred, {}
    for objects in stirred:
        session = objects.session
        if session.objects is not objects:
            continue
        for arrival, view in taking.turn(state, objects, mono):
            _whole(state, objects, arrival, view, mono)
            taking.spare(state, view)
        run = pumping.turn(state, objects, mono)
        if run:
            path = session.path
            if path in state.bulk:
                state.bulk[path] += run
            else:
                state.bulk[path] = run
        due = min(pumping.due(objects, mono), objects.next_in)
        if due != inf and (objects.due is None or due < objects.due):
            state.schedule(objects, due)


def tick(state: State, objects: Objects, mono: float) -> None:
    """The deadline of a session's objects has come."""
    if objects.session.objects is objects:
        taking.tick(state, objects, mono)
        state.stirred[objects] = None


def _whole(state: State, objects: Objects, arrival: Arrival, view: memoryview, mono: float) -> None:
    """An object has come and is what was offered: a message for a handler, or the reply to a request."""
    head, body = bytes(view[:HEAD]), view[HEAD:]
    schema = int.from_bytes(head[:4], "big")
    source, destination, answers, random = head[4:36], head[36:68], head[68:100], head[100:116]
    session, offer = objects.session, arrival.offer
    state.counters["object taken"] += 1
    if offer.kind & ~BACKGROUND == OBJECT_REPLY:
        taking.unreserve(state, objects, arrival)
        ask = arrival.ask
        if ask is None or (source, destination) != parties(arrival):
            state.counters["drop object parties"] += 1
            return
        asking.answered(state, session, Answered(False, offer.hashcode, schema, answers, random, body), mono)
        return
    taken = None
    if offer.hashcode:
        exchange = session.requests(state.limits)
        before = exchange.kept
        taken = exchange.adopt(-offer.id, offer.hashcode, offer.named, mono)
        state.reserved += exchange.kept - before
        objects.owed[taken.number], arrival.reserved = arrival.reserved, 0
    else:
        taking.unreserve(state, objects, arrival)
    refused = _refused(state, objects, (schema, source, destination, answers))
    if refused is None:
        kind = state.handled[schema]
        try:
            call = Call(
                session.peer, source, destination, kind.decode(body), offer.named, session.path, session, taken,
                len(view),
            )  # fmt: skip
        except BadPacket:
            state.counters["bad body"] += 1
            refused = RefusalCode.BAD_BODY
        else:
            state.jobs.append(call)
            return
    if taken is not None:
        objects.let_go(state, taken.number)
    answering.refuse(state, session, taken, refused, mono)


def parties(arrival: Arrival) -> tuple[bytes, bytes]:
    """Who a reply has to come from, and who it is for."""
    ask = arrival.ask
    if ask is None:
        return b"", b""
    source = ask.peer if ask.destination is None else ask.destination
    return source, ask.identity.public if ask.source is None else ask.source.public


def _refused(state: State, objects: Objects, head: tuple[int, bytes, bytes, bytes]) -> RefusalCode | None:
    """Why a message that has come as an object is not acted upon; None if it is."""
    schema, source, destination, answers = head
    session = objects.session
    if answers != NO_HASH or (source != session.peer and source not in session.proven_peer):
        return RefusalCode.REFUSED
    if destination != session.own and destination not in state.wallets:
        return RefusalCode.NOT_HERE
    return None if schema in state.handled else RefusalCode.NOT_SPOKEN
