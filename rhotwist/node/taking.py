"""Their objects: offers judged, packets taken in batches, acks told, what is whole handed on. Times are mono seconds.

Nothing is reserved for an offer but a few hundred bytes, and of those no more than ``object_offers`` a session. Memory
comes with the first packet that opens, as far as session and process have any; beyond that from ``State.spill``, files
that nobody sees, or not at all.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import inf

from rhotwist.link.messages import (
    BACKGROUND,
    OBJECT_MESSAGE,
    OBJECT_REPLY,
    Ack,
    Beat,
    Gone,
    GoneReason,
    Have,
    Offer,
    Refusal,
    RefusalCode,
)
from rhotwist.link.object_in import Buffer, ObjectIn
from rhotwist.link.session import Session
from rhotwist.node import jobs
from rhotwist.node.objects import LINGER, LINGERING, Arrival, Objects, stir
from rhotwist.node.state import Ask, State
from rhotwist.secret.object_seal import ObjectSeal
from rhotwist.secret.table import GRAIN
from rhotwist.wire.datagram import Train
from rhotwist.wire.frame import pack_control
from rhotwist.wire.message import HEAD
from rhotwist.wire.object_packet import CLASSES, ID_MAX, piece_count
from rhotwist.wire.packet import OBJECT
from rhotwist.wire.schema import Schema

#: Objects from this size on have memory that is used again, and the most of it that is kept: 2 MB each.
LARGE, SPARE = 1 << 19, 4
#: Bytes of a datagram that are the same for all packets of one object and class: class, type, id, hashcode.
HEADED = 8


def most(state: State, session: Session) -> int:
    """Bytes of the largest message object that this peer may send us."""
    limits = state.limits
    if session.initiator or session.peer in state.peers:
        return limits.object_max
    return limits.object_max_client if session.proven_peer else limits.object_max_stranger


def offered(state: State, session: Session, offer: Offer, mono: float) -> Schema:
    """What to answer an offer: Have, or why not."""
    kind = offer.kind & ~BACKGROUND
    fits = 1 <= offer.id <= ID_MAX and offer.size_class < len(CLASSES) and offer.size >= HEAD
    if not fits or kind not in (OBJECT_MESSAGE, OBJECT_REPLY) or (kind == OBJECT_REPLY and not offer.hashcode):
        return Refusal(code=RefusalCode.BAD_BODY)
    objects = stir(state, session)
    over = objects.over.get(offer.named)
    if over is not None:
        return Have(bitmap=_ones(piece_count(over.size, offer.size_class)))
    ask: Ask | None = None
    largest = most(state, session)
    if kind == OBJECT_REPLY:
        ask = state.pending.find(session.peer, offer.hashcode)
        if ask is None:
            return Refusal(code=RefusalCode.REFUSED, said="nobody waits for that reply")
        largest = state.limits.object_max
    if offer.size > largest:
        return Refusal(code=RefusalCode.TOO_BIG, said=f"{offer.size} bytes; {largest} are taken from you")
    exchange = session.exchange
    if offer.id in objects.incoming or (exchange is not None and -offer.id in exchange.taken):
        return Refusal(code=RefusalCode.BAD_BODY)  # it is coming, or being answered: no id comes twice
    known = next((old for old in objects.incoming.values() if old.offer.named == offer.named), None)
    if known is not None:
        return Have(bitmap=_again(objects, known, offer, session, mono))
    coming = sum(not arrival.whole for arrival in objects.incoming.values())
    if coming >= state.limits.object_offers or not _room(state, objects, offer.size):
        return Refusal(code=RefusalCode.NO_ROOM)
    if ask is not None and not ask.coming:
        ask.coming = True  # once: a peer that offers ever again gains no time by it
        patience = max(1.0, min(ask.deadline - ask.started, state.limits.request_timeout))
        ask.idle = min(ask.idle, patience)
        ask.deadline = mono + patience + state.limits.object_grace + offer.size / state.limits.object_rate
        state.pending.progress(ask, mono)
    objects.incoming[offer.id] = objects.touched[offer.id] = Arrival(offer, ask, mono)
    return Have(bitmap=b"")


def _again(objects: Objects, arrival: Arrival, offer: Offer, session: Session, mono: float) -> bytes:
    """What began to come under another id, or another session, goes on under this one."""
    objects.incoming.pop(arrival.offer.id, None)
    arrival.offer = offer
    objects.incoming[offer.id] = arrival
    arrival.since = mono
    objects.touched[offer.id] = arrival
    if arrival.inner is None:
        return b""
    return arrival.inner.again(offer, _seal(session, offer), mono)


def _seal(session: Session, offer: Offer) -> ObjectSeal:
    return ObjectSeal(offer.key, session.suite, session.code, offer.id)


def _ones(count: int) -> bytes:
    return ((1 << count) - 1).to_bytes((count + 7) // 8, "little")


def _room(state: State, objects: Objects, size: int) -> bool:
    limits = state.limits
    if objects.reserved + size <= limits.object_session and state.object_bytes + size <= limits.object_process:
        return True
    return state.spill is not None


# --- packets ------------------------------------------------------------------------------------------------------


def train(state: State, datagrams: Train, mono: float) -> bool:
    """Take a train that brought packets of one object and nothing else, as those of a busy line do; False if it is not
    one."""
    head = bytes(datagrams.data[:HEADED])
    if head[0] & 15 != OBJECT or not datagrams.begins_with(head):
        return False
    session = state.sessions.sessions.get(int.from_bytes(head[4:], "big"))
    if session is None or session.objects is None or int.from_bytes(head[1:4], "big") not in session.objects.incoming:
        return False
    _take(state, session, session.objects, datagrams, mono)
    return True


def arrived(state: State, datagrams: list[bytes], mono: float) -> None:
    """Packets of objects have come, of whichever sessions, in one read: take them in runs of one object."""
    at, count = 0, len(datagrams)
    while at < count:
        head, end = datagrams[at][:HEADED], at + 1
        while end < count and datagrams[end].startswith(head):
            end += 1
        session = state.sessions.sessions.get(int.from_bytes(head[4:], "big"))
        objects = session.objects if session is not None else None
        id = int.from_bytes(head[1:4], "big")
        if session is None or objects is None or id not in objects.incoming:
            state.counters["drop object unknown"] += end - at
        else:
            _take(state, session, objects, datagrams[at:end] if end - at < count else datagrams, mono)
        at = end


def _take(state: State, session: Session, objects: Objects, run: Sequence[bytes], mono: float) -> None:
    """Take packets whose first HEADED bytes are the same."""
    id = int.from_bytes(run[0][1:4], "big")
    arrival = objects.incoming[id]
    inner = arrival.inner
    if inner is None:
        inner = arrival.inner = receiver(state, objects, arrival, session, mono)
    seal = inner.seal
    newest, refused = seal.newest, seal.refused
    new = inner.take(run, mono)
    if seal.newest > newest:
        session.heard = mono
        session.redialled = False
        if mono >= session.touched + GRAIN:
            session.touched = mono
            state.sessions.touch(session.code, mono)
    if seal.refused > refused:
        state.counters["drop object"] += seal.refused - refused
    objects.touched[id] = arrival
    state.stirred[objects] = None
    if new and arrival.ask is not None:
        state.pending.progress(arrival.ask, mono)


def receiver(state: State, objects: Objects, arrival: Arrival, session: Session, mono: float) -> ObjectIn:
    """The receiver of an object whose first packet has come. It asks for memory once that packet has opened."""

    def store(size: int) -> Buffer | None:
        limits = state.limits
        if objects.reserved + size <= limits.object_session and state.object_bytes + size <= limits.object_process:
            arrival.reserved = size
            objects.reserved += size
            state.object_bytes += size
            return _memory(state, size)
        return state.spill(size) if state.spill is not None else None

    exchange = session.exchange
    return ObjectIn(
        arrival.offer, _seal(session, arrival.offer), limits=state.limits, mono=mono, store=store,
        round_trip=exchange.round_trip if exchange is not None else 0.0,
    )  # fmt: skip


def _memory(state: State, size: int) -> Buffer:
    """Memory for an object. What a large one leaves is used again: new memory costs as much as opening what fills it.

    What lies in it is another's until every byte is overwritten, and an object is handed on when it is whole.
    """
    if size < LARGE or size > state.limits.object_max:
        return bytearray(size)
    buffer = state.spare.pop() if state.spare else bytearray(state.limits.object_max)
    return memoryview(buffer)[:size]


def spare(state: State, view: memoryview) -> None:
    """An object has been handed on: keep its memory, if it is worth it."""
    buffer = view.obj
    view.release()
    if type(buffer) is bytearray and len(buffer) == state.limits.object_max and len(state.spare) < SPARE:
        state.spare.append(buffer)


# --- the turn -----------------------------------------------------------------------------------------------------


def turn(state: State, objects: Objects, mono: float) -> list[tuple[Arrival, memoryview]]:
    """Say what is to be said of what came, let go of what is over; what is whole, to be handed on, with its bytes."""
    whole = []
    for id, arrival in list(objects.touched.items()):
        inner = arrival.inner
        if objects.incoming.get(id) is not arrival:
            continue
        if inner is None:
            objects.next_in = min(objects.next_in, arrival.ends(state.limits))
            continue
        if inner.failed is not None:
            give_up(state, objects, arrival, inner.failed, mono)
            continue
        if inner.whole and not arrival.whole:
            arrival.whole, arrival.since = True, mono
            objects.came(arrival)
            whole.append((arrival, inner.hand_over()))
            _linger(objects, arrival)
        _progress(state, arrival)
        while (ack := inner.ack(mono)) is not None:
            _tell(state, objects.session, ack)
        if arrival.whole and arrival.recorded:
            objects.incoming.pop(id, None)
            continue
        objects.next_in = min(objects.next_in, arrival.ends(state.limits))
    objects.touched.clear()
    return whole


def tick(state: State, objects: Objects, mono: float) -> None:
    """Give up what is too slow, have due acks told, forget what has lingered."""
    first = inf
    for id, arrival in list(objects.incoming.items()):
        ends = arrival.ends(state.limits)
        if ends > mono:
            first = min(first, ends)
            continue
        inner = arrival.inner
        if arrival.whole and mono >= arrival.since + LINGER:
            forget(state, objects, arrival)
        elif inner is None or inner.expired(mono):
            give_up(state, objects, arrival, GoneReason.TOO_SLOW, mono)
        else:
            objects.touched[id] = arrival
    objects.next_in = first  # what was touched is looked at when this turn ends


def _linger(objects: Objects, arrival: Arrival) -> None:
    """Of those that came whole, the last few can still repeat their last ack; without their memory."""
    past = [old for old in objects.incoming.values() if old.whole]
    if len(past) > LINGERING:
        oldest = min(past, key=lambda old: old.since)
        if oldest.inner is not None and oldest is not arrival:
            oldest.inner.release()
            del objects.incoming[oldest.offer.id]


def _progress(state: State, arrival: Arrival) -> None:
    """Tell who wants to know how far it is."""
    inner, ask = arrival.inner, arrival.ask
    if inner is None or inner.progress == arrival.told:
        return
    if ask is not None:
        if ask.watched and ask in state.pending:
            arrival.told = inner.progress
            sent = HEAD + len(ask.body) + len(ask.bulk) if ask.big else 0
            state.jobs.append(jobs.Progress(ask, sent + inner.progress, sent + inner.size))
        return
    if not state.watched or arrival.watched is False:
        return
    if arrival.watched is None:
        head = inner.head(HEAD)
        if head is None:
            return
        arrival.watched = int.from_bytes(head[:4], "big") in state.watched
        if not arrival.watched:
            return
    head = inner.head(HEAD) or b""
    schema = state.handled.get(int.from_bytes(head[:4], "big"))
    if schema is not None:
        arrival.told = inner.progress
        named = arrival.offer.named
        state.jobs.append(jobs.Arriving(schema, head[4:36], head[36:68], named, inner.progress, inner.size))


def forget(state: State, objects: Objects, arrival: Arrival) -> None:
    """Let go of an arrival and of what is reserved for it."""
    objects.incoming.pop(arrival.offer.id, None)
    unreserve(state, objects, arrival)
    if arrival.inner is not None:
        arrival.inner.release()


def unreserve(state: State, objects: Objects, arrival: Arrival) -> None:
    """Its bytes are not held any more."""
    objects.reserved -= arrival.reserved
    state.object_bytes -= arrival.reserved
    arrival.reserved = 0


def give_up(state: State, objects: Objects, arrival: Arrival, reason: GoneReason, mono: float) -> None:
    """End an object of theirs and say so."""
    state.counters["object " + reason.name.lower().replace("_", " ")] += 1
    forget(state, objects, arrival)
    _tell(state, objects.session, Gone(id=arrival.offer.id, reason=reason, ours=False))


def withdrawn(state: State, objects: Objects, ask: Ask, mono: float) -> None:
    """Nobody waits any more for what an arriving reply answers."""
    for arrival in list(objects.incoming.values()):
        if arrival.ask is ask and not arrival.whole:
            give_up(state, objects, arrival, GoneReason.CANCELLED, mono)


# --- what the peer says -------------------------------------------------------------------------------------------


def gone(state: State, session: Session, body: Gone) -> None:
    """The sender gives an object up."""
    objects = session.objects
    arrival = objects.incoming.get(body.id) if objects is not None else None
    if objects is not None and arrival is not None and not arrival.whole:
        forget(state, objects, arrival)


def beat(state: State, session: Session, body: Beat, mono: float) -> None:
    """A sender asks whether we live: what has come, or that nothing is known of it."""
    objects = session.objects
    arrival = objects.incoming.get(body.id) if objects is not None else None
    if arrival is None:
        _tell(state, session, Gone(id=body.id, reason=GoneReason.UNKNOWN, ours=False))
    elif arrival.inner is not None:
        _tell(state, session, arrival.inner.state(mono))
    else:
        size_class = arrival.offer.size_class
        _tell(state, session, Ack(id=body.id, size_class=size_class, base=0, counter=0, delay=0xFFFF, bitmap=b""))


def drop(state: State, objects: Objects) -> None:
    """The session is gone, and all that was coming."""
    for arrival in list(objects.incoming.values()):
        forget(state, objects, arrival)
    state.object_bytes -= objects.reserved  # what handlers hold
    objects.reserved = 0


def _tell(state: State, session: Session, body: Schema) -> None:
    state.send(session, pack_control(body.identifier, body.encode()))

