"""The message object: what is said, by whom, to whom, in answer to what. Named by its 256-bit hash.

    0  4  schema identifier          36 32 destination wallet       100 16 random
    4 32  source wallet              68 32 hash of what it answers  116 .. body
                                           or zeros
The hash is an RFC 6962 leaf hash, SHA256(0 ‖ object), and covers neither handles nor hashcodes: those are of one
session.
Spec page: docs/spec/message.md.
"""

from __future__ import annotations

import hashlib

import attrs

from rhotwist.errors import BadPacket

NO_HASH = bytes(32)
HEAD = 116
_sha256 = hashlib.sha256
_LONG = 4_096  # from here on a second call costs less than the copy


@attrs.frozen
class Message:
    """One message object. schema is its identifier (u32); the other fields are bytes of the sizes above.

    bulk is the end of the body where that is kept apart, because it is large.
    """

    schema: int
    source: bytes
    destination: bytes
    answers: bytes
    random: bytes
    body: bytes
    hash: bytes
    bulk: bytes = b""

    @property
    def size(self) -> int:
        """Bytes of the object whole."""
        return HEAD + len(self.body) + len(self.bulk)

    def halves(self, most: int) -> tuple[bytes, bytes]:
        """The object as a beginning of up to most bytes, at least HEAD, and the rest, which nobody copied."""
        head = b"".join((self.schema.to_bytes(4, "big"), self.source, self.destination, self.answers, self.random))
        if not self.bulk:
            return head, self.body
        if HEAD + len(self.body) <= most:
            return head + self.body, self.bulk
        return head, self.body + self.bulk

    def encode(self) -> bytes:
        """The object whole, as it is hashed and as it travels where no session says who speaks."""
        return b"".join(self.halves(HEAD))


def compose(
    schema: int, source: bytes, destination: bytes, answers: bytes, random: bytes, body: bytes, bulk: bytes = b""
) -> Message:
    """A message object from its parts, hashed. The sizes are the caller's promise."""
    named = object_hash(schema, source, destination, answers, random, body, bulk)
    return Message(schema, source, destination, answers, random, body, named, bulk)


def object_hash(
    schema: int, source: bytes, destination: bytes, answers: bytes, random: bytes, body: bytes, bulk: bytes = b""
) -> bytes:
    """The 32-byte hash of the object with these parts, without making one: the fast path."""
    if bulk or len(body) > _LONG:
        hashed = _sha256(b"".join((b"\0", schema.to_bytes(4, "big"), source, destination, answers, random)))
        hashed.update(body)
        hashed.update(bulk)
        return hashed.digest()
    return _sha256(
        b"".join((b"\0", schema.to_bytes(4, "big"), source, destination, answers, random, body))
    ).digest()


def decode(data: bytes) -> Message:
    """Read a message object whole. Raises BadPacket."""
    if len(data) < HEAD:
        raise BadPacket("short")
    return compose(
        int.from_bytes(data[:4], "big"), data[4:36], data[36:68], data[68:100], data[100:116], data[116:]
    )
