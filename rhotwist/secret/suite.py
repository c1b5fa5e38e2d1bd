"""The cipher suites, one row each: a new one is a row here, its byte table in docs/spec/handshake.md and its tests.

All share SHA-256, because Noise forbids one static key under two hash functions (Noise 13.1).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Literal, Protocol

import attrs
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305

from rhotwist.errors import LocalError
from rhotwist.secret.kem import CIPHERTEXT_SIZE, PUBLIC_SIZE

_KEY = 32
_TAG = 16


class Aead(Protocol):
    """A cipher under one key. Nonces are 12 bytes, tags 16 and stand behind the text."""

    def encrypt(self, nonce: bytes, data: bytes | memoryview, associated_data: bytes | None, /) -> bytes:
        """Seal data."""

    def decrypt(self, nonce: bytes, data: bytes | memoryview, associated_data: bytes | None, /) -> bytes:
        """Open data. Raises cryptography.exceptions.InvalidTag."""


@attrs.frozen
class Suite:
    """One cipher suite.

    number stands in packet headers, 1 to 31. name is the Noise protocol name. aead builds the cipher from a key of 32
    bytes. kem says whether ML-KEM-768 joins the exchange. endian is the byte order of Noise's own nonces (12.3, 12.4).
    """

    number: int
    name: str
    aead: Callable[[bytes], Aead]
    kem: bool
    endian: Literal["little", "big"]

    def first_size(self, payload: int) -> int:
        """Bytes of Noise message 1 with a payload of that many: e, sealed e1 of a hybrid, sealed payload."""
        return _KEY + (PUBLIC_SIZE + _TAG if self.kem else 0) + payload + _TAG

    def second_size(self, payload: int) -> int:
        """Bytes of Noise message 2: e, sealed ciphertext of a hybrid, sealed payload."""
        return _KEY + (CIPHERTEXT_SIZE + _TAG if self.kem else 0) + payload + _TAG


CHACHA, AES, HYBRID_CHACHA, HYBRID_AES = 1, 2, 3, 4

SUITES: dict[int, Suite] = {
    suite.number: suite
    for suite in (
        Suite(CHACHA, "Noise_XK_25519_ChaChaPoly_SHA256", ChaCha20Poly1305, False, "little"),
        Suite(AES, "Noise_XK_25519_AESGCM_SHA256", AESGCM, False, "big"),
        Suite(HYBRID_CHACHA, "Noise_XKhfs_25519+MLKEM768_ChaChaPoly_SHA256", ChaCha20Poly1305, True, "little"),
        Suite(HYBRID_AES, "Noise_XKhfs_25519+MLKEM768_AESGCM_SHA256", AESGCM, True, "big"),
    )
}

#: What a client offers unless told otherwise: post-quantum before classical, AES before ChaCha.
DEFAULT_ORDER = (HYBRID_AES, HYBRID_CHACHA, AES, CHACHA)


def aead(number: int, key: bytes) -> Aead:
    """The cipher of a suite under a key of 32 bytes. Raises LocalError for a suite that we do not have."""
    suite = SUITES.get(number)
    if suite is None:
        raise LocalError(f"suite {number} is none of {sorted(SUITES)}")
    return suite.aead(key)


def mask(numbers: Iterable[int]) -> int:
    """A set of suites as 32 bits, bit n for suite n. Raises LocalError for a number that is not from 1 to 31."""
    bits = 0
    for number in numbers:
        if not 1 <= number <= 31:
            raise LocalError(f"suite {number} is not from 1 to 31")
        bits |= 1 << number
    return bits


def choose(client_order: Iterable[int], server_mask: int) -> int | None:
    """The suite both must use: the first of the client's that the server has. None if they share none."""
    for number in client_order:
        if server_mask >> number & 1:
            return number
    return None
