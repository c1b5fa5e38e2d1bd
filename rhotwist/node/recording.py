"""Big objects over connections: offered as by datagrams, carried by one record, acknowledged as by datagrams.

A record is the id of its offer, u32, where in the message object it begins, u32, and the object from there to its end.
Times are mono seconds. Spec page: docs/spec/stream.md.
"""

from __future__ import annotations

from struct import Struct

from rhotwist.link.record_out import RecordOut
from rhotwist.link.records import Piece
from rhotwist.link.session import Session
from rhotwist.node import streams, taking
from rhotwist.node.objects import Arrival, Objects, Parcel
from rhotwist.node.state import State
from rhotwist.node.streams import RECORD_HEAD, Stream

_HEAD = Struct("!II")


def pump(state: State, objects: Objects, parcel: Parcel, mono: float) -> bool:
    """Give an object to the connection once it may go. False if it has to be offered anew: the connection is gone that
    it was given to, or the session goes another way now, by datagrams or no more by them.
    """
    out, path = parcel.out, objects.session.path
    if not isinstance(out, RecordOut):
        return not path.stream
    if not out.given:
        if not path.stream:
            return False
        stream = state.streams.by_path.get(path)
        if stream is None or not out.ready:
            return True  # until the answer to the offer has come, over a connection made for it
        head = _HEAD.pack(parcel.id, out.start) + out.lead
        stream.send(streams.streams_of(state, objects.session), out.rest, mono, head)
        stream.users[objects] = None
        parcel.stream = stream
        out.given = True
        state.out.setdefault(stream.path, [])  # an empty burst has it pulled
    return parcel.stream is not None and not parcel.stream.ended


def withdraw(parcel: Parcel) -> None:
    """Nobody wants it any more: take it back from its connection, if it has not begun to go."""
    if parcel.stream is not None and isinstance(parcel.out, RecordOut):
        parcel.stream.outbound.withdraw(parcel.out.rest)
    parcel.stream = None


def taken(state: State, stream: Stream, session: Session, piece: Piece, mono: float) -> bool:
    """A piece of a record has opened. False to let the rest of it go by."""
    objects = session.objects
    if not piece.at:
        stream.arrival = _arrival(objects, stream, piece) if objects is not None else None
    arrival = stream.arrival
    if arrival is None or objects is None or objects.incoming.get(arrival.offer.id) is not arrival or arrival.whole:
        state.counters["drop record unknown"] += 1
        return False
    inner = arrival.inner
    if inner is None:
        inner = arrival.inner = taking.receiver(state, objects, arrival, session, mono)
    arrival.recorded = True
    if piece.last:
        stream.arrival = None
    if piece.at:
        inner.put(stream.start + piece.at - RECORD_HEAD, piece.data, mono)
    else:
        inner.put(stream.start, piece.data[RECORD_HEAD:], mono)
    if arrival.ask is not None:
        state.pending.progress(arrival.ask, mono)
    due = inner.deadline()
    if inner.whole or inner.failed is not None or due <= mono:
        objects.touched[arrival.offer.id] = arrival
        state.stirred[objects] = None
    else:
        state.schedule(objects, due)
    return inner.failed is None


def _arrival(objects: Objects, stream: Stream, piece: Piece) -> Arrival | None:
    """What was offered under the id that a record begins with, if it has the size that was said and leaves no gap."""
    if piece.size <= RECORD_HEAD:
        return None
    id, start = _HEAD.unpack_from(piece.data)
    arrival = objects.incoming.get(id)
    if arrival is None or start + piece.size - RECORD_HEAD != arrival.offer.size:
        return None
    if start > (arrival.inner.contiguous if arrival.inner is not None else 0):
        return None
    stream.start = start
    return arrival
