"""The directory record: what the holder of a key says about where he is. Spec page: docs/spec/record.md.

    endpoint (1), withdrawn (2)                     delegation (3)
      0  1  version, 1                                0   1  version, 1
      1  1  kind                                      1   1  kind
      2  1  algorithm, 1: Ed25519                     2 173  authority, with its signature
      3 32  key                                     175   8  work
     35  4  issued, a multiple of 60
     39  2  life, hours, 1 to 720
     41  1  count of endpoints, and they
         1  length of the extension, and it, at most 64
        64  signature by the key over the label and all before
         8  work

All before the signature is the body, and the body alone is hashed. So a record signed anew is no new record, and the
work, which stands behind the signature, may be done by somebody else than the key's holder.

A wallet's record holds one relay, the key of its node, and no address; a node's record holds addresses and no relay.
Nothing else says what a key is, so a record cannot contradict itself.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Sequence

import attrs

from rhotwist.directory import endpoints as ends
from rhotwist.directory.endpoints import Endpoint, Kind
from rhotwist.directory.validity import DAY, HOUR, MINUTE
from rhotwist.errors import BadKey, BadPacket, LocalError
from rhotwist.keys import authority
from rhotwist.keys.pair import SIGNATURE_SIZE, SeedKey, check_key
from rhotwist.tree import hashes

LABEL = b"rho/rec/1"
VERSION = 1
ED25519 = 1
#: Kinds of record.
ENDPOINT, WITHDRAWN, DELEGATION = 1, 2, 3
MOST = 384
"""Bytes of a record, at most."""
EXTENSION_MOST = 64
LIFE_MOST = 720
"""Hours a record may last, and a withdrawal does: whatever it beats has expired when it does."""
NONCE_SIZE = 8
DELEGATION_LIFE = 93 * DAY
"""Seconds a delegation stays, whatever its authority says: by then every authority it beats has expired."""

_HEAD = struct.Struct(">BBB32sIHB")
_TAIL = SIGNATURE_SIZE + NONCE_SIZE
_LEAST = _HEAD.size + 1 + _TAIL
_DELEGATION = 2 + authority.SIZE + NONCE_SIZE
_SCOPE = 2 + 76
_NO_NONCE = bytes(NONCE_SIZE)
_sha256 = hashlib.sha256


@attrs.frozen
class Record:
    """One record, its layout checked; its keys and its signature are not, unless ``read_record`` made it.

    body is what is hashed; key signed it; address (32 bytes) is its place in the tree, leaf its hash there, hash
    SHA-256 of the body. issued and until are dates; endpoints are encoded, ascending.
    """

    body: bytes
    signature: bytes
    nonce: bytes
    kind: int
    key: bytes
    issued: int
    until: int
    address: bytes = attrs.field(repr=bytes.hex)
    hash: bytes = attrs.field(repr=bytes.hex)
    endpoints: tuple[bytes, ...] = ()

    def encode(self) -> bytes:
        """The one byte string of this record."""
        return self.body + self.signature + self.nonce

    @property
    def leaf(self) -> bytes:
        """The hash of its leaf in the tree."""
        return hashes.leaf_of(self.address, self.body)

    @property
    def signed(self) -> bytes:
        """What its key signed."""
        if self.kind == DELEGATION:
            return authority.LABEL + self.body[2:]
        return LABEL + self.body

    @property
    def authority(self) -> bytes:
        """The 173 bytes that a delegation carries. Raises LocalError for another kind."""
        if self.kind != DELEGATION:
            raise LocalError(f"a record of kind {self.kind} carries no authority")
        return self.body[2:] + self.signature

    @property
    def withdraws(self) -> bool:
        """Whether it only takes back what was said."""
        return self.kind == WITHDRAWN or (self.kind == DELEGATION and not self.body[_SCOPE])

    def parties(self) -> tuple[bytes, ...]:
        """Every key that it names and that ``check_key`` must take."""
        if self.kind == DELEGATION:
            return authority.read_authority(self.authority).parties()
        return (self.key, *(one[1:] for one in self.endpoints if one[0] == Kind.RELAY))

    def with_nonce(self, nonce: bytes) -> Record:
        """The same record with its work. Raises LocalError for another size than 8 bytes."""
        if len(nonce) != NONCE_SIZE:
            raise LocalError(f"{len(nonce)} bytes of work where {NONCE_SIZE} belong")
        return attrs.evolve(self, nonce=nonce)


def address_of(*keys: bytes) -> bytes:
    """The place in the tree of a key; of master and subordinate for a delegation, so that each pair has one."""
    return hashes.address_of(ED25519, b"".join(keys))


# --- reading ----------------------------------------------------------------------------------------------------------


def read_record(data: bytes) -> Record:
    """The record of these bytes, all its keys checked; its signature is not.

    Raises BadPacket as ``read_layout`` does, and for a key that is none: key. 32 µs for each key not seen before.
    """
    record = read_layout(data)
    try:
        for key in record.parties():
            check_key(key)
    except BadKey:
        raise BadPacket("key") from None
    return record


def read_layout(data: bytes) -> Record:
    """The record of these bytes, its keys not checked yet; 6 µs.

    Raises BadPacket: size, version, kind, algorithm, issued, life, endpoints (a withdrawal has none, a wallet one relay
    alone, a node no relay), extension, length, and as ``read_endpoints`` and ``read_authority`` do.
    """
    size = len(data)
    if not _LEAST <= size <= MOST:
        raise BadPacket("size")
    if data[0] != VERSION:
        raise BadPacket("version")
    if data[1] == DELEGATION:
        return _read_delegation(data)
    _, kind, algorithm, key, issued, life, count = _HEAD.unpack_from(data)
    if kind not in (ENDPOINT, WITHDRAWN):
        raise BadPacket("kind")
    if algorithm != ED25519:
        raise BadPacket("algorithm")
    if issued % MINUTE:
        raise BadPacket("issued")
    if not 1 <= life <= LIFE_MOST or (kind == WITHDRAWN and life != LIFE_MOST):
        raise BadPacket("life")
    end = size - _TAIL
    found = ends.read_endpoints(data[:end], _HEAD.size, count)
    if bool(found) != (kind == ENDPOINT) or (count > 1 and any(one[0] == Kind.RELAY for one in found)):
        raise BadPacket("endpoints")
    at = _HEAD.size + sum(map(len, found))
    if at >= end or data[at] > EXTENSION_MOST:
        raise BadPacket("extension")
    if at + 1 + data[at] != end:
        raise BadPacket("length")
    body = data[:end]
    return Record(
        body, data[end:-NONCE_SIZE], data[-NONCE_SIZE:], kind, key, issued, issued + life * HOUR,
        address_of(body[3:35]), _sha256(body).digest(), found,
    )  # fmt: skip


def _read_delegation(data: bytes) -> Record:
    if len(data) != _DELEGATION:
        raise BadPacket("size")
    made = authority.read_authority(data[2:-NONCE_SIZE])
    body = data[: 2 + authority.BODY]
    return Record(
        body, data[len(body) : -NONCE_SIZE], data[-NONCE_SIZE:], DELEGATION, made.master, made.issued,
        made.issued + DELEGATION_LIFE, address_of(made.master, made.subordinate), _sha256(body).digest(),
    )  # fmt: skip


def split(data: bytes) -> list[bytes]:
    """Records that lie one behind the other, each as its bytes; only what says where one ends is read.

    Raises BadPacket where one does not end within the data.
    """
    found = []
    at = 0
    while at < len(data):
        end = at + _length(data, at)
        if end > len(data):
            raise BadPacket("short")
        found.append(data[at:end])
        at = end
    return found


def _length(data: bytes, at: int) -> int:
    start = at
    if data[at + 1 : at + 2] == bytes((DELEGATION,)):
        return _DELEGATION
    try:
        count = data[at + _HEAD.size - 1]
        at += _HEAD.size
        for _ in range(count):
            step = ends.SIZES[data[at]]
            if not step:
                raise BadPacket("type")
            at += step
        return at + 1 + data[at] + _TAIL - start
    except IndexError:
        raise BadPacket("short") from None


# --- making -----------------------------------------------------------------------------------------------------------


def make_record(
    key: SeedKey, issued: int, endpoints: Sequence[Endpoint], life: int = LIFE_MOST, extension: bytes = b""
) -> Record:
    """A signed record of where a key's holder is, without its work. issued is rounded down to the minute.

    Of two records of one minute the hash decides, so whoever says something new issues it a minute later than what he
    said last. life is in hours. Raises LocalError for what no record says.
    """
    kind = ENDPOINT if endpoints else WITHDRAWN
    encoded = sorted(endpoint.encode() for endpoint in endpoints)
    try:
        body = b"".join((
            _HEAD.pack(VERSION, kind, ED25519, key.public, issued - issued % MINUTE, life, len(encoded)),
            *encoded, bytes((len(extension),)), extension,
        ))  # fmt: skip
        return read_record(body + key.sign(LABEL + body) + _NO_NONCE)
    except (struct.error, ValueError, BadPacket) as wrong:
        raise LocalError(f"{len(encoded)} endpoints for {life} hours from {issued} are no record: {wrong}") from None


def withdraw(key: SeedKey, issued: int) -> Record:
    """A signed record that takes back whatever was issued before."""
    return make_record(key, issued, ())


def delegation(signed: bytes) -> Record:
    """The record of an authority, 173 bytes, without its work. Raises LocalError."""
    try:
        return read_record(bytes((VERSION, DELEGATION)) + signed + _NO_NONCE)
    except BadPacket as wrong:
        raise LocalError(f"{len(signed)} bytes are no authority: {wrong}") from None
