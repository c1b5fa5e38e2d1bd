"""What both sides of a handshake share: the payloads inside H and A, Retry, MACs, and the keys that come out.

Byte tables, key schedule and a worked example: docs/spec/handshake.md.
"""

from __future__ import annotations

import functools
import hashlib
from hmac import compare_digest
from struct import Struct

import attrs
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from rhotwist.errors import BadPacket, LocalError
from rhotwist.moment import Rng
from rhotwist.secret import audit, labels
from rhotwist.secret.noise import hmac_sha256
from rhotwist.secret.suite import choose
from rhotwist.wire.packet import (
    COOKIE_SIZE,
    HEADER,
    MAC_SIZE,
    RETRY,
    RETRY_SIZE,
    VERSION,
    Header,
    Hello,
    pack_header,
    read_header,
)

WHOLE = 0x01  # fragment byte of a packet that is not cut: fragment 0 of 1
LEAST_LARGEST = 1232  # bytes; every path of IPv6 carries that many in one datagram (1,280 less 48 of headers)

# 0 8 suites, best first, then zeros   8 1 lowest version     9 1 highest version   10 2 largest datagram
# 12 4 features   16 4 zeros
_OFFER = Struct("!8sBBHI4s")
OFFER_SIZE = _OFFER.size
# 0 4 suite mask   4 1 version   5 1 zero   6 2 largest datagram   8 4 features   12 4 hashcode   16 18 address
# 34 6 zeros
_ANSWER = Struct("!IBBHII18s6s")
ANSWER_SIZE = _ANSWER.size
# 0 16 cookie   16 1 difficulty   17 1 version   18 4 suite mask   22 1 reason   23 1 zero
_RETRIED = Struct("!16sBBIBB")
_RETRY_NONCE = 12

_sha256 = hashlib.sha256
_blake2s = hashlib.blake2s


class WrongSuite(BadPacket):
    """A Hello under a suite that we do not have, or not the one due: it deserves a Retry with our mask."""

    def __init__(self) -> None:
        super().__init__("suite")


# --- MACs -------------------------------------------------------------------------------------------------------------


@functools.lru_cache(maxsize=1024)
def mac1_key(server: bytes) -> bytes:
    """What mac1 of every Hello for that server is keyed with, 32 bytes; who knows the server's key knows it."""
    return _sha256(labels.MAC1 + server).digest()


def mac1(key: bytes, body: bytes) -> bytes:
    """16 bytes of keyed BLAKE2s over all that stands before them."""
    return _blake2s(body, key=key, digest_size=MAC_SIZE).digest()


def check_mac1(hello: Hello, key: bytes) -> bool:
    """Whether a Hello, or half of one, was made by one who knows the server's key. About 1 µs, before anything dear."""
    return compare_digest(mac1(key, hello.body), hello.mac1)


def accept_key(server: bytes, hello_mac1: bytes) -> bytes:
    """What mac1 of an Accept is keyed with: only who saw that Hello can make one."""
    return _sha256(labels.MAC1 + server + hello_mac1).digest()


def prologue(server: bytes, header: Header, cookie: bytes, puzzle: bytes) -> bytes:
    """Everything a Hello says in clear, and whom it is for, as Noise's prologue; the fragment byte counts as 0."""
    clear = header.encode()
    return b"".join((labels.NOISE, server, clear[:2], b"\0", clear[3:], cookie, puzzle))


def check_header(header: Header, kind: int, suite: int, sender: int | None, receiver: int) -> None:
    """Hold a header of R, A or F against the one it must be; sender None takes any but 0. Raises BadPacket.

    Those headers are outside Noise's hash, so no byte of them may have two permitted values.
    """
    if header.type != kind:
        raise BadPacket("type")
    if header.suite != suite:
        raise BadPacket("suite")
    if header.fragment != WHOLE:
        raise BadPacket("fragment")
    if header.flags:
        raise BadPacket("flags")
    if header.receiver != receiver or (not header.sender if sender is None else header.sender != sender):
        raise BadPacket("hashcode")


# --- what H and A say inside ------------------------------------------------------------------------------------------


@attrs.frozen
class Offer:
    """The payload of H: what the client can do. Replayable and not forward-secret, so nothing of a person is in it.

    order is the client's suites, best first; largest the most bytes of a datagram it takes; features are bits, none
    yet.
    """

    order: tuple[int, ...]
    largest: int
    features: int = 0

    def encode(self) -> bytes:
        """The 20 bytes. Raises LocalError."""
        if not 1 <= len(self.order) <= 8 or len(set(self.order)) != len(self.order) or not all(self.order):
            raise LocalError(f"a Hello offers 1 to 8 different suites, not {self.order}")
        _check_largest(self.largest)
        return _OFFER.pack(bytes(self.order), VERSION, VERSION, self.largest, self.features, bytes(4))


def read_offer(data: bytes) -> Offer:
    """The payload of H. Raises BadPacket for another size, a version range without ours, or a field that must be 0."""
    if len(data) != OFFER_SIZE:
        raise BadPacket("short")
    suites, lowest, highest, largest, features, zeros = _OFFER.unpack(data)
    order = suites.rstrip(b"\0")
    if not order or 0 in order or len(set(order)) != len(order) or any(zeros) or largest < LEAST_LARGEST:
        raise BadPacket("payload")
    if not 1 <= lowest <= VERSION <= highest:
        raise BadPacket("version")
    return Offer(tuple(order), largest, features)


@attrs.frozen
class Answer:
    """The payload of A: what the server can do, its hashcode for the session, the client's address as it sees it."""

    mask: int
    largest: int
    features: int
    code: int
    address: bytes

    def encode(self) -> bytes:
        """The 40 bytes. Raises LocalError."""
        _check_largest(self.largest)
        if not 0 < self.code < 2**32 or len(self.address) != 18:
            raise LocalError(f"hashcode {self.code} and address {self.address.hex()}: want 1 to 2**32 - 1 and 18 bytes")
        return _ANSWER.pack(self.mask, VERSION, 0, self.largest, self.features, self.code, self.address, bytes(6))


def read_answer(data: bytes) -> Answer:
    """The payload of A. Raises BadPacket as ``read_offer`` does."""
    if len(data) != ANSWER_SIZE:
        raise BadPacket("short")
    mask, version, zero, largest, features, code, address, zeros = _ANSWER.unpack(data)
    if zero or any(zeros) or largest < LEAST_LARGEST or not code:
        raise BadPacket("payload")
    if version != VERSION:
        raise BadPacket("version")
    return Answer(mask, largest, features, code, address)


def _check_largest(largest: int) -> None:
    if not LEAST_LARGEST <= largest <= 0xFFFF:
        raise LocalError(f"largest datagram {largest} is not from {LEAST_LARGEST} to 65535 bytes")


def fits(order: tuple[int, ...], mask: int, suite: int) -> bool:
    """Whether suite is the one that order and mask lead to; both sides ask, so nobody between can take one away."""
    return choose(order, mask) == suite


# --- Retry ------------------------------------------------------------------------------------------------------------

#: Why a Hello was not taken. A client acts on the other fields; this one is for its counters and its user.
COOKIE_WANTED, PUZZLE_WANTED, SUITE_WANTED, SPENT, CHANCE = 1, 2, 3, 4, 5


@attrs.frozen
class Retry:
    """What R says: try again with this cookie, at least this difficulty (bits), and a suite of this mask."""

    cookie: bytes
    difficulty: int
    version: int
    mask: int
    reason: int


def retry(server: bytes, hello: Hello, cookie: bytes, *, difficulty: int, mask: int, reason: int, rng: Rng) -> bytes:
    """The 64 bytes of R for a Hello, or half of one, whose mac1 held. Keeps nothing; about 5 µs, no curve work."""
    if len(cookie) != COOKIE_SIZE:
        raise LocalError(f"a cookie has {COOKIE_SIZE} bytes, not {len(cookie)}")
    header = pack_header(RETRY, hello.header.suite, WHOLE, 0, 0, hello.header.sender)
    key, nonce = _sha256(labels.RETRY + server + hello.mac1).digest(), rng(_RETRY_NONCE)
    plain = _RETRIED.pack(cookie, difficulty, VERSION, mask, reason, 0)
    if audit.hook is not None:
        audit.hook(key, nonce, audit.digest_of(plain, header))
    return header + nonce + ChaCha20Poly1305(key).encrypt(nonce, plain, header)


def read_retry(data: bytes, server: bytes, mac1s: tuple[bytes, ...], *, suite: int, code: int) -> Retry:
    """Open R. mac1s are those of the datagrams it may answer, code is the client's hashcode. Raises BadPacket."""
    if len(data) != RETRY_SIZE:
        raise BadPacket("short")
    check_header(read_header(data), RETRY, suite, 0, code)
    header, nonce, sealed = data[:HEADER], data[HEADER : HEADER + _RETRY_NONCE], data[HEADER + _RETRY_NONCE :]
    for mac in mac1s:
        try:
            plain = ChaCha20Poly1305(_sha256(labels.RETRY + server + mac).digest()).decrypt(nonce, sealed, header)
        except InvalidTag:
            continue
        cookie, difficulty, version, mask, reason, zero = _RETRIED.unpack(plain)
        if zero:
            raise BadPacket("payload")
        return Retry(cookie, difficulty, version, mask, reason)
    raise BadPacket("tag")


# --- the session ------------------------------------------------------------------------------------------------------


@attrs.frozen
class SessionKeys:
    """What a finished handshake leaves: the root of the session's key schedule and h, which names the session.

    initiator tells which side we are; peer is the 32 bytes of the other's Ed25519 key, proven.
    """

    suite: int
    root: bytes = attrs.field(repr=False)
    h: bytes
    initiator: bool
    peer: bytes


def session_keys(suite: int, split: tuple[bytes, bytes], h: bytes, initiator: bool, peer: bytes) -> SessionKeys:
    """Root 0 = HMAC(k1 ‖ k2, label ‖ h)."""
    return SessionKeys(suite, hmac_sha256(split[0] + split[1], labels.SESSION + h), h, initiator, peer)
