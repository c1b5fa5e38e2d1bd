"""A second implementation of Noise XK and XKhfs, for tests: straight lines, written from the specification's text.

It shares nothing with ``rhotwist.secret.noise``: its HMAC is the standard library's, its curve OpenSSL's, its order of
operations is spelled out here once for each message. ``kem`` None means plain XK.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import Any

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305


def public_of(private: bytes) -> bytes:
    """X25519 public key."""
    return X25519PrivateKey.from_private_bytes(private).public_key().public_bytes_raw()


def dh(private: bytes, public: bytes) -> bytes:
    """X25519."""
    return X25519PrivateKey.from_private_bytes(private).exchange(X25519PublicKey.from_public_bytes(public))


def mac(key: bytes, data: bytes) -> bytes:
    """HMAC-SHA256."""
    return hmac.new(key, data, hashlib.sha256).digest()


class Plain:
    """One side of a handshake."""

    def __init__(self, name: str, prologue: bytes, static: bytes, remote: bytes | None, kem: Any = None) -> None:
        raw = name.encode()
        self.h = raw + bytes(32 - len(raw)) if len(raw) <= 32 else hashlib.sha256(raw).digest()
        self.ck = self.h
        self.aes = "AESGCM" in name
        self.kem = kem
        self.s, self.rs = static, remote or b""
        self.mix_hash(prologue)
        self.mix_hash(remote if remote is not None else public_of(static))

    def mix_hash(self, data: bytes) -> None:
        self.h = hashlib.sha256(self.h + data).digest()

    def mix_key(self, material: bytes) -> None:
        temp = mac(self.ck, material)
        self.ck = mac(temp, b"\x01")
        self.k = mac(temp, self.ck + b"\x02")
        self.n = 0

    def nonce(self) -> bytes:
        self.n += 1
        return bytes(4) + (self.n - 1).to_bytes(8, "big" if self.aes else "little")

    def cipher(self) -> Any:
        return AESGCM(self.k) if self.aes else ChaCha20Poly1305(self.k)

    def seal(self, plain: bytes) -> bytes:
        sealed: bytes = self.cipher().encrypt(self.nonce(), plain, self.h)
        self.mix_hash(sealed)
        return sealed

    def open(self, sealed: bytes) -> bytes:
        plain: bytes = self.cipher().decrypt(self.nonce(), sealed, self.h)
        self.mix_hash(sealed)
        return plain

    # -> e, es, [e1], payload

    def write_1(self, e: bytes, payload: bytes) -> bytes:
        self.e = e
        out = public_of(e)
        self.mix_hash(out)
        self.mix_key(dh(e, self.rs))
        if self.kem:
            self.e1, e1 = self.kem.generate()
            out += self.seal(e1)
        return out + self.seal(payload)

    def read_1(self, message: bytes) -> bytes:
        self.re, message = message[:32], message[32:]
        self.mix_hash(self.re)
        self.mix_key(dh(self.s, self.re))
        if self.kem:
            self.re1, message = self.open(message[:1200]), message[1200:]
        return self.open(message)

    # <- e, ee, [ekem1], payload

    def write_2(self, e: bytes, payload: bytes) -> bytes:
        self.e = e
        out = public_of(e)
        self.mix_hash(out)
        self.mix_key(dh(e, self.re))
        if self.kem:
            shared, ciphertext = self.kem.encapsulate(self.re1)
            out += self.seal(ciphertext)
            self.mix_key(shared)
        return out + self.seal(payload)

    def read_2(self, message: bytes) -> bytes:
        self.re, message = message[:32], message[32:]
        self.mix_hash(self.re)
        self.mix_key(dh(self.e, self.re))
        if self.kem:
            ciphertext, message = self.open(message[:1104]), message[1104:]
            self.mix_key(self.kem.decapsulate(self.e1, ciphertext))
        return self.open(message)

    # -> s, se, payload

    def write_3(self, payload: bytes) -> bytes:
        out = self.seal(public_of(self.s))
        self.mix_key(dh(self.s, self.re))
        return out + self.seal(payload)

    def read_3(self, message: bytes) -> bytes:
        self.rs, message = self.open(message[:48]), message[48:]
        self.mix_key(dh(self.e, self.rs))
        return self.open(message)

    def split(self) -> tuple[bytes, bytes]:
        temp = mac(self.ck, b"")
        first = mac(temp, b"\x01")
        return first, mac(temp, first + b"\x02")
