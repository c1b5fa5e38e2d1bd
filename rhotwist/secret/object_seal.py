"""Packets of one big object, sealed and opened. Layout: ``rhotwist.wire.object_packet``; page: docs/spec/objects.md.

Each object has a key of its own, 32 random bytes that travel in its offer, and under it one counter from 0, which rises
with every seal: first sending, resend, probe, half of a packet. Callers name pieces, never counters or nonces. That is
why no nonce comes twice, whatever befalls the transfer: an object offered anew has a new key.

Trains are the hot path of bulk transfer: what is made of a packet is made for the whole train in one pass, without a
line of Python for each. A packet that does not open changes nothing but bytes of a piece that is not here yet.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain, repeat
from operator import ge
from struct import Struct

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305

from rhotwist.errors import KeySpent, LocalError
from rhotwist.limits import Limits
from rhotwist.secret import audit
from rhotwist.secret.suite import SUITES
from rhotwist.wire.datagram import Train
from rhotwist.wire.object_packet import ASK, CLASSES, ID_MAX, OBJECT_OVERHEAD, PROBE
from rhotwist.wire.packet import OBJECT

_HEADER = Struct("!IIII")
_SIZE = _HEADER.size
_INDEX = Struct("!I")
_PAD = bytes(8)  # with the header's counter u32: the 12 bytes of a nonce
_NONCES = [_PAD + counter.to_bytes(4, "big") for counter in range(2_048)]  # those of nearly every object
_FIELDS = [Struct(f"!B7xII{stride + OBJECT_OVERHEAD - _SIZE}x") for stride in CLASSES]  # of each packet of a train
_PARTS = [Struct(f"{_SIZE}s{stride + OBJECT_OVERHEAD - _SIZE}s") for stride in CLASSES]
_KEY = 32
#: Packets sealed under one object's key, unless the caller says less.
SEALS_MAX = Limits().object_seals_max


class ObjectSeal:
    """The key of one object: its sender seals with it, its receiver opens.

    sealed counts the packets sealed, so ``sealed - 1`` is the counter of the last. newest is the highest counter opened
    (-1 before the first), asked whether a packet that opened wanted an ack (whoever acks clears it), refused how many
    datagrams did not open. peer_code is the receiver's hashcode in the header.
    """

    __slots__ = ("_cipher", "_key", "_seals_max", "asked", "id", "newest", "peer_code", "refused", "sealed")

    def __init__(self, key: bytes, suite: int, peer_code: int, id: int, *, seals_max: int = SEALS_MAX) -> None:
        """id is from 1 to 2**24-1. Raises LocalError for another, another size of key, or an unknown suite."""
        if len(key) != _KEY:
            raise LocalError(f"a key of {len(key)} bytes, not {_KEY}")
        if not 1 <= id <= ID_MAX:
            raise LocalError(f"object id {id} is not from 1 to {ID_MAX}")
        if suite not in SUITES:
            raise LocalError(f"suite {suite} is none of {sorted(SUITES)}")
        self._key = bytearray(key)
        # The two classes themselves rather than Aead: sealing in place is theirs alone.
        cipher: AESGCM | ChaCha20Poly1305 = SUITES[suite].aead(key)  # type: ignore[assignment]
        self._cipher: AESGCM | ChaCha20Poly1305 | None = cipher
        self._seals_max = seals_max
        self.peer_code = peer_code
        self.id = id
        self.sealed = 0
        self.newest = -1
        self.asked = False
        self.refused = 0

    @property
    def left(self) -> int:
        """Packets that may still be sealed."""
        return self._seals_max - self.sealed if self._cipher else 0

    def seal_run(
        self, size_class: int, indices: Sequence[int], data: memoryview, *, ask: bool = False, head: bytes = b""
    ) -> Train:
        """The datagrams that carry these pieces of the object, which is head, shorter than a piece, and data behind it.

        ask: the last wants an ack at once. indices are in order. Raises LocalError otherwise, and KeySpent when the key
        has no room for them all or was erased; nothing is sealed then.
        """
        counter, count = self.sealed, len(indices)
        cipher = self._cipher
        if cipher is None or counter + count > self._seals_max:
            raise KeySpent(f"{counter} packets of one object sealed: erased, or at its limit of {self._seals_max}")
        stride = CLASSES[size_class]
        if any(map(ge, indices, indices[1:])):
            raise LocalError(f"pieces {indices} are not in order")
        lead = len(head)
        pieces = [data[index * stride - lead : (index + 1) * stride - lead] for index in indices]
        if lead and indices and not indices[0]:
            pieces[0] = memoryview(head + data[: stride - lead])
        self.sealed = counter + count  # before the cipher runs: whatever happens there, these are gone
        marked = [*indices[:-1], indices[-1] | ASK] if ask and indices else indices
        first = (size_class << 4 | OBJECT) << 24 | self.id
        counters = range(counter, counter + count)
        headers = list(map(_HEADER.pack, repeat(first), repeat(self.peer_code), counters, marked))
        nonces = _nonces(counters)
        if audit.hook is not None:
            for nonce, piece, header in zip(nonces, pieces, headers, strict=True):
                audit.hook(bytes(self._key), nonce, audit.digest_of(bytes(piece), header))
        sealed = map(cipher.encrypt, nonces, pieces, headers)
        return Train(b"".join(chain.from_iterable(zip(headers, sealed, strict=True))), stride + OBJECT_OVERHEAD)

    def seal_probe(self, size_class: int) -> bytes:
        """A datagram of the full size of a class that carries zeros. Raises KeySpent."""
        zeros = memoryview(bytes(CLASSES[size_class]))
        counter = self.sealed
        cipher = self._cipher
        if cipher is None or counter >= self._seals_max:
            raise KeySpent(f"{counter} packets of one object sealed: erased, or at its limit of {self._seals_max}")
        self.sealed = counter + 1
        header = _HEADER.pack((size_class << 4 | OBJECT) << 24 | self.id, self.peer_code, counter, PROBE | ASK)
        nonce = _PAD + header[8:12]
        if audit.hook is not None:
            audit.hook(bytes(self._key), nonce, audit.digest_of(bytes(zeros), header))
        return header + cipher.encrypt(nonce, zeros, header)

    def open_run(
        self, datagrams: Sequence[bytes], size_class: int, buffer: memoryview, here: bytearray
    ) -> tuple[list[int], list[bytes]]:
        """Open packets of one object, each piece into its place in ``buffer``, which is as long as the object.

        here holds one byte a piece of size_class, 1 for those that are here; it is updated. Returns the indices that
        are new, and the datagrams left alone: of another class, or probes, for ``open_one``. A piece that is here is
        not opened again unless it asks for an ack. Whoever calls has looked at type, id and hashcode.
        """
        if type(datagrams) is not Train:
            return self._open_each(datagrams, size_class, buffer, here)
        fresh = self._open_train(datagrams, size_class, buffer, here)
        more, others = self._open_each(datagrams[len(fresh) :], size_class, buffer, here)
        return fresh + more, others

    def _open_train(self, train: Train, size_class: int, buffer: memoryview, here: bytearray) -> list[int]:
        """Open the whole packets of a train, a last one that asks left out, if each of them brings a new piece of this
        class; else none of them."""
        size, stride, cipher = train.size, CLASSES[size_class], self._cipher
        count = len(train.data) // size
        if cipher is None or size != stride + OBJECT_OVERHEAD or not count:
            return []
        data = memoryview(train.data)[: count * size]
        kinds, counters, indices = zip(*_FIELDS[size_class].iter_unpack(data), strict=True)
        if indices[-1] & ASK:
            count -= 1
            counters, indices, data = counters[:-1], indices[:-1], data[:-size]
        if not count or kinds.count(size_class << 4 | OBJECT) != len(kinds) or max(indices) >= len(buffer) // stride:
            return []
        if any(map(here.__getitem__, indices)) or len(set(indices)) != count:
            return []
        headers, sealed = zip(*_PARTS[size_class].iter_unpack(data), strict=True)
        places = [buffer[index * stride : (index + 1) * stride] for index in indices]
        try:
            list(map(cipher.decrypt_into, _nonces(counters), sealed, headers, places))
        except InvalidTag:
            return []  # one by one, then: what has opened is not here yet, and opens again
        for index in indices:
            here[index] = 1
        self.newest = max(self.newest, *counters)
        return list(indices)

    def _open_each(
        self, datagrams: Sequence[bytes], size_class: int, buffer: memoryview, here: bytearray
    ) -> tuple[list[int], list[bytes]]:
        """As ``open_run``, one by one."""
        cipher = self._cipher
        if cipher is None:
            self.refused += len(datagrams)
            return [], []
        stride, total, size = CLASSES[size_class], len(here), len(buffer)
        kind = size_class << 4 | OBJECT
        whole = stride + OBJECT_OVERHEAD
        unpack, decrypt, pad, newest = _HEADER.unpack_from, cipher.decrypt_into, _PAD, self.newest
        fresh: list[int] = []
        others: list[bytes] = []
        for datagram in datagrams:
            length = len(datagram)
            if length <= OBJECT_OVERHEAD or datagram[0] != kind:
                others.append(datagram)
                continue
            _, _, counter, index = unpack(datagram)
            ask = index & ASK
            index ^= ask
            if index >= total:
                others.append(datagram)
                continue
            if here[index] and not ask:
                continue
            at = index * stride
            end = at + length - OBJECT_OVERHEAD
            if end != size if at + stride > size else length != whole:
                self.refused += 1
                continue
            header = datagram[:_SIZE]
            nonce = pad + header[8:12]
            try:
                if here[index]:  # it is opened beside its place: what is here stays as it was checked
                    cipher.decrypt(nonce, datagram[_SIZE:], header)
                else:
                    decrypt(nonce, datagram[_SIZE:], header, buffer[at:end])
                    here[index] = 1
                    fresh.append(index)
            except InvalidTag:
                self.refused += 1
                continue
            if counter > newest:
                newest = counter
            if ask:
                self.asked = True
        self.newest = newest
        return fresh, others

    def open_one(self, datagram: bytes) -> tuple[int, int, bytes] | None:
        """Size class, index (PROBE for a probe) and piece of one datagram; None if it does not open."""
        cipher = self._cipher
        if cipher is None or len(datagram) <= OBJECT_OVERHEAD or datagram[0] >> 4 >= len(CLASSES):
            self.refused += 1
            return None
        header = datagram[:_SIZE]
        try:
            piece = cipher.decrypt(_PAD + header[8:12], datagram[_SIZE:], header)
        except InvalidTag:
            self.refused += 1
            return None
        (counter,) = _INDEX.unpack_from(header, 8)
        (index,) = _INDEX.unpack_from(header, 12)
        self.newest = max(self.newest, counter)
        if index & ASK:
            self.asked = True
        return header[0] >> 4, index & ~ASK, piece

    def erase(self) -> None:
        """Overwrite the key. From then on nothing is sealed (KeySpent) and nothing opens."""
        self._key[:] = bytes(_KEY)
        self._cipher = None


def _nonces(counters: Sequence[int]) -> list[bytes]:
    """The nonce of each counter, from a table as far as it goes."""
    if counters and max(counters) < len(_NONCES):
        return list(map(_NONCES.__getitem__, counters))
    return [_PAD + counter.to_bytes(4, "big") for counter in counters]
