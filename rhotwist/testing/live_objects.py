"""Parsers of big objects: packets as strangers forge them and as a sender with the key may seal them, acks as lies."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable
from random import Random

from rhotwist.errors import BadPacket
from rhotwist.limits import Limits
from rhotwist.link.congestion import Controller
from rhotwist.link.messages import Ack, Offer
from rhotwist.link.object_in import ObjectIn
from rhotwist.link.object_out import ObjectOut
from rhotwist.link.pieces import Pieces
from rhotwist.secret.object_seal import ObjectSeal
from rhotwist.secret.suite import AES, aead
from rhotwist.wire.datagram import Train
from rhotwist.wire.object_packet import CLASSES, OBJECT_OVERHEAD, PROBE, ObjectHeader, piece_count, read_object_header

_KEY, _CODE, _ID, _CLASS = bytes(range(32)), 0x01020304, 7, 2
_SIZE = 5_000
_LIMITS = Limits()


def _seal() -> ObjectSeal:
    return ObjectSeal(_KEY, AES, _CODE, _ID)


@functools.cache
def _data() -> bytes:
    return Random("object").randbytes(_SIZE)


def _headers() -> list[bytes]:
    kinds = ((4, 1, 0, False), (10, 2**24 - 1, 2**31 - 2, True), (0, 9, PROBE, True))
    return [ObjectHeader(kind, id_, 5, 6, index, ask).encode() + bytes(40) for kind, id_, index, ask in kinds]


def _packets() -> list[bytes]:
    seal, data = _seal(), memoryview(_data())
    return [*seal.seal_run(_CLASS, [0, 3, 8], data, ask=True), *seal.seal_run(0, [1, 17], data), seal.seal_probe(3)]


def _opened(data: bytes) -> object:
    """One datagram to the seal of an object that has begun to come."""
    seal = _seal()
    buffer, here = bytearray(_SIZE), bytearray(piece_count(_SIZE, _CLASS))
    fresh, others = seal.open_run([data], _CLASS, memoryview(buffer), here)
    found = [seal.open_one(other) for other in others]
    if seal.refused:
        raise BadPacket("refused")
    if sum(here) != len(fresh) or len(buffer) != _SIZE:
        raise AssertionError("pieces that are not where they belong")
    return found


def _train(data: bytes) -> object:
    """A train of such datagrams, as one read brings them; what it leaves alone is nothing's business here."""
    seal, train = _seal(), Train(data, CLASSES[_CLASS] + OBJECT_OVERHEAD)
    buffer, here = bytearray(_SIZE), bytearray(piece_count(_SIZE, _CLASS))
    fresh, others = seal.open_run(train, _CLASS, memoryview(buffer), here)
    if sum(here) != len(fresh) or len(buffer) != _SIZE or len(fresh) + len(others) + seal.refused > len(train):
        raise AssertionError("pieces that are not where they belong")
    if not fresh and not seal.asked:
        raise BadPacket("refused")
    return fresh


def _trains() -> list[bytes]:
    seal, data = _seal(), memoryview(_data())
    runs = seal.seal_run(_CLASS, [0, 3, 8], data, ask=True), seal.seal_run(_CLASS, [1, 2, 4], data)
    return [bytes(run.data) for run in runs]


def _sealed(data: bytes) -> bytes:
    """A datagram whose seal is right, whatever its header and piece: what a sender that means ill can make."""
    header = (data[:16] + bytes(16))[:16]
    return header + aead(AES, _KEY).encrypt(bytes(8) + header[8:12], data[16:], header)


def _taken(data: bytes) -> object:
    """Such datagrams to a whole receiver: no memory beyond the object, nothing whole that is not what was named."""
    offer = Offer(
        id=_ID, key=_KEY, named=hashlib.sha256(b"\0" + _data()).digest(), size=_SIZE, size_class=_CLASS, hashcode=0,
        kind=0,
    )  # fmt: skip
    receiver = ObjectIn(offer, _seal(), limits=_LIMITS, mono=0.0, store=bytearray)
    new = receiver.take([_sealed(data)], 1.0)
    if receiver.whole or receiver.progress > _SIZE:
        raise AssertionError("whole from one packet")
    receiver.state(2.0).encode()
    if not new and not receiver.seal.asked and receiver.ack(1.0) is None:
        raise BadPacket("nothing")
    return new


def _plain_packets() -> list[bytes]:
    found = []
    for size_class, index, size in ((2, 0, 576), (2, 8, 392), (0, 1, 288), (4, 1, 1_152), (3, PROBE, CLASSES[3])):
        header = ObjectHeader(size_class, _ID, _CODE, 5, index, index == PROBE).encode()
        found.append(header + bytes(size))
    return found


def _acked(data: bytes) -> object:
    """An ack to a sender that has sent five of its nine pieces."""
    ack = Ack.decode(data)
    control = Controller(_LIMITS, 0.0, round_trip=0.05)
    sender = ObjectOut(
        _data(), _seal(), control, limits=_LIMITS, mono=0.0, rng=Random(1).randbytes, size_class=_CLASS
    )
    sender.have(b"", 0.0)
    mono = 0.0
    while sender.seal.sealed < 5:
        sender.burst(mono)
        mono += 0.01
    sender.acked(ack, mono)
    if sender.delivered > 5 * 576 or control.inflight < 0 or sender.done:
        raise AssertionError("more was acknowledged than was sent")
    return sender.deadline()


def _acks() -> list[bytes]:
    kinds = ((_CLASS, 2, 4, b"\5"), (_CLASS, 0, 0, b""), (_CLASS, 5, 4, b""), (5, 0, 3, b""), (4, 1, 4, b"\1"))
    return [
        Ack(id=_ID, size_class=size_class, base=base, counter=counter, delay=12, bitmap=bitmap).encode()
        for size_class, base, counter, bitmap in kinds
    ]


#: Parser, corpus and the functions whose lines the corpus must reach, by name.
TARGETS: dict[str, tuple[Callable[[bytes], object], Callable[[], list[bytes]], tuple[object, ...]]] = {
    "wire.object_packet.read_object_header": (read_object_header, _headers, (read_object_header,)),
    "secret.object_seal.open": (_opened, _packets, (ObjectSeal.open_one,)),
    "secret.object_seal.open_train": (_train, _trains, (ObjectSeal._open_train,)),
    "link.object_in.take.sealed": (_taken, _plain_packets, ()),
    "link.object_out.acked": (_acked, _acks, (Pieces.read,)),
}
