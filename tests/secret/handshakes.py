"""Handshakes for tests: two parties, every message within reach, and hands to forge with."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

from rhotwist.keys.pair import SeedKey, x_form
from rhotwist.secret import audit, greeting
from rhotwist.secret.handshake import Accepted, Draft, Finished, HalfOpen, SentHello, SessionKeys, accept
from rhotwist.secret.kem import ML_KEM_768
from rhotwist.secret.noise import HandshakeState
from rhotwist.secret.suite import SUITES, mask
from rhotwist.wire.packet import ACCEPT, HEADER, MAC_SIZE, Header, Hello, read_hello

ADDRESS = bytes(10) + b"\xff\xff" + bytes([192, 0, 2, 7]) + (40_000).to_bytes(2, "big")
CLIENT_CODE, SERVER_CODE = 0x0C11E175, 0x5E7FE700
ALL = mask(SUITES)


class Liar:
    """An identity that says one public key and has another's secret."""

    def __init__(self, public: bytes, secret: SeedKey) -> None:
        self.public, self.x_private, self.x_public = public, secret.x_private, secret.x_public


class Pair:
    """A client and a server that have not met."""

    def __init__(self, seed: int = 0) -> None:
        rng = random.Random(seed)
        self.rng = rng.randbytes
        self.client, self.server = SeedKey(self.rng(32)), SeedKey(self.rng(32))

    def hello(self, suite: int, order: tuple[int, ...] = (), identity: Any = None, **seal: Any) -> SentHello:
        """A sealed Hello that offers order, or its suite alone."""
        return Draft.draw(
            identity or self.client, self.server.public, suite, order or (suite,),
            code=CLIENT_CODE, rng=self.rng, kem=ML_KEM_768,
        ).seal(**seal)  # fmt: skip

    def accept(self, hello: bytes | Hello, suites: int = ALL) -> tuple[bytes, HalfOpen]:
        """What the server makes of a Hello."""
        if isinstance(hello, bytes):
            hello = read_hello(hello)
        return accept(self.server, hello, code=SERVER_CODE, mask=suites, address=ADDRESS, rng=self.rng, kem=ML_KEM_768)

    def run(self, suite: int, payload: bytes = b"\0\0") -> tuple[list[bytes], SessionKeys, Finished]:
        """A whole handshake: its three datagrams, the client's keys, what the server knows."""
        sent = self.hello(suite)
        answer, half = self.accept(sent.datagram)
        finish, keys = sent.read_accept(answer).finish(payload)
        return [sent.datagram, answer, finish], keys, half.read_finish(finish)

    # --- forgery ------------------------------------------------------------------------------------------------------

    def mac_hello(self, body: bytes) -> bytes:
        """A Hello with the mac1 that anyone who knows the server's key can make."""
        return body + greeting.mac1(greeting.mac1_key(self.server.public), body)

    def mac_accept(self, body: bytes, hello: bytes) -> bytes:
        """An Accept with the mac1 that anyone who also saw the Hello can make."""
        return body + greeting.mac1(greeting.accept_key(self.server.public, hello[-MAC_SIZE:]), body)

    def state_of_server(self, hello: bytes) -> HandshakeState:
        """The server's Noise state after an honest Hello, to answer it by hand."""
        parts = read_hello(hello)
        state = HandshakeState(
            SUITES[parts.header.suite],
            greeting.prologue(self.server.public, parts.header, parts.cookie, parts.puzzle),
            (self.server.x_private, x_form(self.server.public)),
            rng=self.rng,
            kem=ML_KEM_768,
        )
        state.read_payload(state.read_tokens(parts.noise))
        return state

    def accept_by_hand(self, hello: bytes, payload: bytes, sender: int = SERVER_CODE) -> bytes:
        """An A of the true server with any payload."""
        state = self.state_of_server(hello)
        header = Header(ACCEPT, state.suite.number, greeting.WHOLE, 0, sender, CLIENT_CODE).encode()
        return self.mac_accept(header + state.write_tokens() + state.write_payload(payload), hello)

    def hello_by_hand(self, suite: int, payload: bytes, server: bytes | None = None) -> bytes:
        """An H of the client with any payload."""
        header = Header(1, suite, greeting.WHOLE, 0, CLIENT_CODE, 0)
        server = server or self.server.public
        state = HandshakeState(
            SUITES[suite],
            greeting.prologue(server, header, bytes(16), bytes(8)),
            (self.client.x_private, self.client.x_public),
            remote=x_form(server),
            rng=self.rng,
            kem=ML_KEM_768,
        )
        return self.mac_hello(header.encode() + state.write_tokens() + state.write_payload(payload) + bytes(24))


def flipped(data: bytes, step: int = 1, end: int | None = None) -> Iterator[bytes]:
    """Every copy of data with one bit of its first end bytes changed; with a step, every step-th of them."""
    for bit in range(0, 8 * (len(data) if end is None else end), step):
        at, value = bit // 8, 1 << bit % 8
        yield data[:at] + bytes([data[at] ^ value]) + data[at + 1 :]


def negative(public: bytes) -> bytes:
    """The key with the same X form: the sign bit of an Ed25519 key turned."""
    return public[:31] + bytes([public[31] ^ 0x80])


def joined(first: bytes, second: bytes) -> Hello:
    """What a server makes of the two halves of a Hello: header, tail and mac1 are the first half's."""
    one, two = read_hello(first), read_hello(second)
    return Hello(one.header, one.noise + two.noise, one.cookie, one.puzzle, one.mac1, one.body)


class Audit:
    """Remembers every seal; ``wrong`` holds the keys and nonces that met two contents."""

    def __init__(self, case: Any) -> None:
        self.seen: dict[tuple[bytes, bytes], bytes] = {}
        self.wrong: list[tuple[bytes, bytes]] = []
        case.patch(audit, "hook", self)

    def __call__(self, key: bytes, nonce: bytes, digest: bytes) -> None:
        if self.seen.setdefault((key, nonce), digest) != digest:
            self.wrong.append((key, nonce))


__all__ = [
    "ADDRESS",
    "ALL",
    "CLIENT_CODE",
    "HEADER",
    "SERVER_CODE",
    "Accepted",
    "Audit",
    "Liar",
    "Pair",
    "flipped",
    "joined",
    "negative",
]
