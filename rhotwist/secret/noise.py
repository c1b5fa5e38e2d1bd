"""Noise XK and XKhfs as specified (noiseprotocol.org, revision 34, and "KEM-based Hybrid Forward Secrecy").

A pattern is a table of tokens and one small engine walks it. Names are those of the Noise specification; its
CipherState is folded into the handshake's, since the keys that come out of ``split`` feed a key schedule and seal
nothing themselves.

All fields are immutable, so ``copy`` is shallow: read a stranger's message on a copy, and put the copy in the
original's place only when its last tag has held.
"""

from __future__ import annotations

import hashlib
from typing import Any

from cryptography.exceptions import InvalidTag

from rhotwist.errors import BadPacket, LocalError
from rhotwist.moment import Rng
from rhotwist.secret import audit
from rhotwist.secret.curve import exchange, generate
from rhotwist.secret.kem import CIPHERTEXT_SIZE, PUBLIC_SIZE, Kem
from rhotwist.secret.suite import Aead, Suite

Pattern = tuple[tuple[str, ...], ...]

#: <- s .. -> e, es <- e, ee -> s, se
XK: Pattern = (("e", "es"), ("e", "ee"), ("s", "se"))
#: The same, with the KEM's key behind es and its ciphertext behind ee.
XK_HFS: Pattern = (("e", "es", "e1"), ("e", "ee", "ekem1"), ("s", "se"))

KEY_SIZE = 32
TAG_SIZE = 16
_NO_KEM_KEY: tuple[Any, bytes] = (None, b"")

_sha256 = hashlib.sha256
_INNER = bytes(byte ^ 0x36 for byte in range(256))
_OUTER = bytes(byte ^ 0x5C for byte in range(256))


def initial(name: str) -> bytes:
    """Where h and ck start: the protocol name, zero-padded to 32 bytes or hashed when longer (Noise 5.2)."""
    raw = name.encode("ascii")
    return raw.ljust(32, b"\0") if len(raw) <= 32 else _sha256(raw).digest()


def hmac_sha256(key: bytes, message: bytes) -> bytes:
    """HMAC-SHA256 (RFC 2104) under a key of at most 64 bytes.

    Two hashes by hand take 1.5 µs where ``hmac.digest`` takes 2 to 8, because OpenSSL looks its MAC up anew each time.
    """
    block = key.ljust(64, b"\0")
    return _sha256(block.translate(_OUTER) + _sha256(block.translate(_INNER) + message).digest()).digest()


def hkdf(key: bytes, material: bytes) -> tuple[bytes, bytes]:
    """Noise's HKDF with two outputs (Noise 4.3)."""
    block = hmac_sha256(key, material).ljust(64, b"\0")
    inner, outer = block.translate(_INNER), block.translate(_OUTER)
    first = _sha256(outer + _sha256(inner + b"\x01").digest()).digest()
    return first, _sha256(outer + _sha256(inner + first + b"\x02").digest()).digest()


class HandshakeState:
    """One side of one handshake. Reading raises BadPacket and then leaves this object useless: read on a ``copy``.

    Messages go in two steps, tokens and payload, because what a payload proves may have to name ``h`` between the two.
    """

    __slots__ = (
        "_aead",
        "_ck",
        "_e",
        "_e1",
        "_k",
        "_kem",
        "_n",
        "_pattern",
        "_re",
        "_re1",
        "_rng",
        "_s",
        "h",
        "initiator",
        "remote",
        "step",
        "suite",
    )

    h: bytes
    """The running hash of everything both sides saw; after the last message it names the session."""
    remote: bytes
    """The other side's static X25519 key; empty until known."""
    step: int
    """How many messages have been written or read, 0 to 3."""

    def __init__(
        self, suite: Suite, prologue: bytes, static: tuple[bytes, bytes], *, remote: bytes = b"", rng: Rng, kem: Kem
    ) -> None:
        """static is our own (private, public). remote is the responder's static key; only an initiator is given it."""
        self.suite = suite
        self.initiator = bool(remote)
        self._pattern = XK_HFS if suite.kem else XK
        self._rng = rng
        self._kem = kem
        self._s = static
        self._e = (b"", b"")
        self._e1 = _NO_KEM_KEY
        self.remote = remote
        self._re = b""
        self._re1 = b""
        self._k = b""
        self._n = 0
        self._aead: Aead | None = None
        self.step = 0
        self._ck = initial(suite.name)
        self.h = _sha256(_sha256(self._ck + prologue).digest() + (remote or static[1])).digest()

    def __repr__(self) -> str:
        return f"<{self.suite.name} {'initiator' if self.initiator else 'responder'} after {self.step} messages>"

    def copy(self) -> HandshakeState:
        """The same state, to be moved on its own. About 1 µs."""
        other = HandshakeState.__new__(HandshakeState)
        other.suite, other.initiator, other._pattern = self.suite, self.initiator, self._pattern
        other._rng, other._kem = self._rng, self._kem
        other._s, other._e, other._e1 = self._s, self._e, self._e1
        other.remote, other._re, other._re1 = self.remote, self._re, self._re1
        other._k, other._n, other._aead = self._k, self._n, None
        other.step, other._ck, other.h = self.step, self._ck, self.h
        return other

    # --- messages -----------------------------------------------------------------------------------------------------

    def draw(self, ephemeral: tuple[bytes, bytes], e1: tuple[Any, bytes] = _NO_KEM_KEY) -> None:
        """Take an ephemeral pair, and a KEM pair, made before; what is not given is drawn when its token comes."""
        self._e, self._e1 = ephemeral, e1

    def write_tokens(self) -> bytes:
        """The keys of our next message. ``write_payload`` must follow."""
        parts = []
        for name in self._turn(writing=True):
            if name == "e":
                if not self._e[0]:
                    self._e = generate(self._rng)
                self._mix_hash(self._e[1])
                parts.append(self._e[1])
            elif name == "s":
                parts.append(self._encrypt(self._s[1]))
            elif name == "e1":
                if not self._e1[1]:
                    self._e1 = self._kem.generate()
                parts.append(self._encrypt(self._e1[1]))
            elif name == "ekem1":
                shared, ciphertext = self._kem.encapsulate(self._re1)
                parts.append(self._encrypt(ciphertext))
                self._mix_key(shared)
                self._re1 = b""  # its 1,184 bytes are most of what a waiting server would hold
            else:
                self._mix_key(self._agree(name))
        return b"".join(parts)

    def write_payload(self, payload: bytes) -> bytes:
        """The sealed payload of the message whose tokens were just written."""
        sealed = self._encrypt(payload)
        self._done()
        return sealed

    def read_tokens(self, message: bytes) -> bytes:
        """Read the keys of their next message; gives the rest, which ``read_payload`` must take. Raises BadPacket."""
        at = 0
        for name in self._turn(writing=False):
            start = at
            if name == "e":
                at += KEY_SIZE
                self._re = message[start:at]
                self._mix_hash(self._re)
            elif name == "s":
                at += KEY_SIZE + TAG_SIZE
                self.remote = self._decrypt(message[start:at])
            elif name == "e1":
                at += PUBLIC_SIZE + TAG_SIZE
                self._re1 = self._decrypt(message[start:at])
            elif name == "ekem1":
                at += CIPHERTEXT_SIZE + TAG_SIZE
                ciphertext = self._decrypt(message[start:at])
                self._mix_key(self._kem.decapsulate(self._e1[0], ciphertext))
                self._e1 = _NO_KEM_KEY
            else:
                self._mix_key(self._agree(name))
        return message[at:]

    def read_payload(self, sealed: bytes) -> bytes:
        """Open the payload of the message whose tokens were just read. Raises BadPacket."""
        payload = self._decrypt(sealed)
        self._done()
        return payload

    def split(self) -> tuple[bytes, bytes]:
        """The two keys, the initiator's to send with first (Noise 5.2). Raises LocalError before the last message."""
        if self.step < len(self._pattern):
            raise LocalError(f"the handshake has {self.step} of {len(self._pattern)} messages")
        return hkdf(self._ck, b"")

    # --- the specification's steps ------------------------------------------------------------------------------------

    def _turn(self, writing: bool) -> tuple[str, ...]:
        if self.step >= len(self._pattern) or (self.step % 2 == 0) is not (self.initiator is writing):
            raise LocalError(f"message {self.step + 1} is not ours to {'write' if writing else 'read'}")
        return self._pattern[self.step]

    def _done(self) -> None:
        self.step += 1
        self._aead = None  # A state waits as long as the peer likes; a cipher object is larger than all the rest of it.

    def _agree(self, name: str) -> bytes:
        if name == "ee":
            return exchange(self._e[0], self._re)
        # es is the initiator's e with the responder's s, se the other way round.
        if (name == "es") is self.initiator:
            return exchange(self._e[0], self.remote)
        return exchange(self._s[0], self._re)

    def _mix_hash(self, data: bytes) -> None:
        self.h = _sha256(self.h + data).digest()

    def _mix_key(self, material: bytes) -> None:
        self._ck, self._k = hkdf(self._ck, material)
        self._n = 0
        self._aead = None

    def _encrypt(self, plain: bytes) -> bytes:
        if not self._k:
            raise LocalError("nothing is sealed before the first key")
        nonce = bytes(4) + self._n.to_bytes(8, self.suite.endian)
        if audit.hook is not None:
            audit.hook(self._k, nonce, audit.digest_of(plain, self.h))
        if self._aead is None:
            self._aead = self.suite.aead(self._k)
        sealed = self._aead.encrypt(nonce, plain, self.h)
        self._n += 1
        self._mix_hash(sealed)
        return sealed

    def _decrypt(self, sealed: bytes) -> bytes:
        if self._aead is None:
            self._aead = self.suite.aead(self._k)
        try:
            plain = self._aead.decrypt(bytes(4) + self._n.to_bytes(8, self.suite.endian), sealed, self.h)
        except InvalidTag:  # also for what is shorter than a tag
            raise BadPacket("tag") from None
        self._n += 1
        self._mix_hash(sealed)
        return plain
