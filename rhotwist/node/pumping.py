"""Our objects when a turn ends: what has happened is acted upon, and what may go goes. Times are mono seconds."""

from __future__ import annotations

from collections import deque
from math import inf

from rhotwist.errors import SessionLost
from rhotwist.link.messages import Beat, GoneReason
from rhotwist.link.object_out import ObjectOut
from rhotwist.node import asking, giving, recording, taking
from rhotwist.node.objects import Objects, Parcel
from rhotwist.node.state import State
from rhotwist.wire.datagram import Train

#: Bytes that one session adds to one turn: others have their turn, and small packets slip in between.
TURN = 1 << 18
#: An object whose key has room for fewer packets than this is offered anew, under another.
SPENT = 64


def turn(state: State, objects: Objects, mono: float) -> list[Train]:
    """Act on what happened, begin what there is room for, and give the datagrams that may go now."""
    for ask in objects.fresh:
        if asking.waits(state, ask):
            giving.request(state, objects, ask, mono)
    objects.fresh.clear()
    if objects.withdrawn or objects.settled:
        _ended(state, objects, mono)
    answered, objects.answered = objects.answered, []
    for parcel, outcome in answered:
        giving.offered(state, objects, parcel, outcome, mono)
    _from_line(state, objects, mono)
    run = _pump(state, objects, mono)
    exchange = objects.session.exchange
    if exchange is not None:
        exchange.objects = len(objects.out) + len(objects.line)
    return run


def _ended(state: State, objects: Objects, mono: float) -> None:
    """Requests have their outcome: their objects are not needed any more, or have arrived, whatever the acks say."""
    withdrawn, objects.withdrawn = objects.withdrawn, []
    settled, objects.settled = objects.settled, []
    for parcel in [*objects.out.values(), *objects.line]:
        if parcel.ask is None or (parcel.ask not in withdrawn and parcel.ask not in settled):
            continue
        if parcel in objects.line:
            objects.line.remove(parcel)
        if parcel.ask in settled:
            giving.over(state, objects, parcel, None, mono)
        else:
            giving.give_up(state, objects, parcel, GoneReason.CANCELLED, SessionLost("nobody waits for it"), mono)
    for ask in withdrawn:
        taking.withdrawn(state, objects, ask, mono)


def _from_line(state: State, objects: Objects, mono: float) -> None:
    """Begin what fits beside what is on its way: as much as the peer takes in one session."""
    limits = state.limits
    for _ in range(len(objects.line)):
        parcel = objects.line[0]
        if objects.out and objects.bytes_out + parcel.message.size > limits.object_session:
            return
        if len(objects.out) >= limits.object_offers:
            return
        objects.line.popleft()
        if parcel.again > mono:
            objects.line.append(parcel)
        elif parcel.ask is None or asking.waits(state, parcel.ask):
            giving.begin(state, objects, parcel, mono)


def _pump(state: State, objects: Objects, mono: float) -> list[Train]:
    """A quantum of each object in turn while there is room, and two of the oldest: those that begin together shall not
    end together, or nothing is on its way while the next ones are offered. When their time has come each is looked at;
    in between, when an ack has come, no more of them than it takes to fill the window.
    """
    all_due, looked = objects.due is None, objects.heard
    run: list[Train] = []
    size = 0
    waiting = deque(objects.out)
    oldest = min(waiting, default=0)
    while waiting and size < TURN:
        id = waiting.popleft()
        parcel = objects.out.get(id)
        if parcel is None or parcel.out is None:
            continue
        looked.add(id)
        if not recording.pump(state, objects, parcel, mono):
            giving.take_back(objects, parcel)
            objects.line.appendleft(parcel)
            state.schedule(objects, mono)
            continue
        burst = parcel.out.burst(mono)
        if burst is not None:
            run.append(burst)
            size += len(burst.data)
            if id == oldest and objects.last_out != id:
                waiting.appendleft(id)
            else:
                objects.out[id] = objects.out.pop(id)  # the others first when there is room again
                waiting.append(id)
            objects.last_out = id
        elif parcel.out.failed is not None:
            _failed(state, objects, parcel, mono)
        elif parcel.out.beat_due(mono):
            giving.tell(state, objects.session, Beat(id=id))
        elif not all_due and parcel.out.stalled:
            break
    if all_due:
        looked.update(waiting)
    return run


def _failed(state: State, objects: Objects, parcel: Parcel, mono: float) -> None:
    out = parcel.out
    why = out.failed if out is not None else ""
    if isinstance(out, ObjectOut) and out.seal.sealed + SPENT > state.limits.object_seals_max:
        giving.withdraw_offer(state, objects, parcel, mono)
        giving.take_back(objects, parcel)
        parcel.anew = True
        objects.line.appendleft(parcel)
        state.schedule(objects, mono)
        return
    error = SessionLost(f"the object could not be sent: {why}")
    giving.give_up(state, objects, parcel, GoneReason.NO_WAY, error, mono)


def due(objects: Objects, mono: float) -> float:
    """When the next turn is wanted, as far as those know that this turn was about; the others have said so before."""
    when = inf
    for id in objects.heard:
        parcel = objects.out.get(id)
        if parcel is not None and parcel.out is not None and (next_ := parcel.out.deadline()) is not None:
            when = min(when, next_)
    objects.heard.clear()
    for parcel in objects.line:
        if parcel.again > mono:
            when = min(when, parcel.again)
    return when


