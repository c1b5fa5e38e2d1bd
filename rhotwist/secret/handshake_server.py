"""The server's side of a handshake: ``accept`` a Hello, then ``HalfOpen.read_finish``.

Nothing here asks whether the stranger deserves it: mac1, cookie, puzzle and budget are the gate's, and come first.
Byte tables: docs/spec/handshake.md.
"""

from __future__ import annotations

import attrs

from rhotwist.errors import BadKey, BadPacket
from rhotwist.keys.pair import SeedKey, x_form
from rhotwist.moment import Rng
from rhotwist.secret.greeting import (
    LEAST_LARGEST,
    OFFER_SIZE,
    WHOLE,
    Answer,
    SessionKeys,
    WrongSuite,
    accept_key,
    check_header,
    fits,
    mac1,
    prologue,
    read_offer,
    session_keys,
)
from rhotwist.secret.handshake_client import FINISH_MAX
from rhotwist.secret.kem import Kem
from rhotwist.secret.noise import HandshakeState
from rhotwist.secret.suite import SUITES
from rhotwist.wire.packet import ACCEPT, FINISH, HEADER, Header, Hello, read_header

_FINISH_LEAST = HEADER + 48 + 32 + 16  # bytes of an F whose payload is the identity alone


def accept(
    key: SeedKey,
    hello: Hello,
    *,
    code: int,
    mask: int,
    address: bytes,
    rng: Rng,
    kem: Kem,
    largest: int = LEAST_LARGEST,
    features: int = 0,
) -> tuple[bytes, HalfOpen]:
    """Answer a whole Hello whose mac1 held; of one put together from halves, header and mac1 are the first half's.

    code is the hashcode we give the session, mask our suites, address the 18 bytes it came from, largest the most
    bytes of a datagram that we take. Gives A and what waits for F. Raises WrongSuite, which asks for a Retry, and
    BadPacket. Costs two exchanges and a key pair, about 85 µs, 140 with the KEM.
    """
    number = hello.header.suite
    suite = SUITES.get(number)
    if suite is None or not mask >> number & 1:
        raise WrongSuite
    if len(hello.noise) != suite.first_size(OFFER_SIZE):
        raise BadPacket("short")
    state = HandshakeState(
        suite,
        prologue(key.public, hello.header, hello.cookie, hello.puzzle),
        (key.x_private, key.x_public),
        rng=rng,
        kem=kem,
    )
    offer = read_offer(state.read_payload(state.read_tokens(hello.noise)))
    if not fits(offer.order, mask, number):
        raise WrongSuite
    answer = Answer(mask, largest, features, code, address).encode()
    header = Header(ACCEPT, number, WHOLE, 0, code, hello.header.sender).encode()
    body = header + state.write_tokens() + state.write_payload(answer)
    datagram = body + mac1(accept_key(key.public, hello.mac1), body)
    return datagram, HalfOpen(key.public, key.x_public, state, code, hello.header.sender, offer.largest, offer.features)


@attrs.frozen
class Finished:
    """Who opened the session, proven, and what Finish carried behind the identity.

    binding, 32 bytes, is what wallet proofs inside that payload name.
    """

    identity: bytes
    binding: bytes
    payload: bytes
    keys: SessionKeys


class HalfOpen:
    """A handshake that waits for Finish; about 1 kB.

    ``largest`` and ``features`` are the client's, ``code`` our hashcode, ``peer_code`` the client's.
    """

    __slots__ = ("_server", "_server_x", "_state", "code", "features", "largest", "peer_code", "suite")

    def __init__(
        self, server: bytes, server_x: bytes, state: HandshakeState, code: int, peer_code: int, *rest: int
    ) -> None:
        """Made by ``accept``; rest is the client's largest datagram and features."""
        self._server, self._server_x = server, server_x
        self._state: HandshakeState | None = state
        self.suite: int = state.suite.number
        self.code: int = code
        self.peer_code: int = peer_code
        self.largest, self.features = rest

    def __repr__(self) -> str:
        return f"<HalfOpen suite {self.suite}, hashcodes {self.code:08x} and {self.peer_code:08x}>"

    def read_finish(self, data: bytes) -> Finished:
        """Read a Finish, once. Raises BadPacket, which changes nothing. An exchange and a conversion, about 65 µs."""
        if self._state is None:
            raise BadPacket("late")
        if not _FINISH_LEAST <= len(data) <= FINISH_MAX:
            raise BadPacket("short")
        check_header(read_header(data), FINISH, self.suite, self.peer_code, self.code)
        state = self._state.copy()
        rest = state.read_tokens(data[HEADER:])
        if state.remote == self._server_x:
            raise BadPacket("self")
        binding = state.h
        payload = state.read_payload(rest)
        identity = payload[:32]
        try:
            if x_form(identity) != state.remote:
                raise BadPacket("identity")
        except BadKey:
            raise BadPacket("identity") from None
        self._state = None
        keys = session_keys(self.suite, state.split(), state.h, False, identity)
        return Finished(identity, binding, payload[32:], keys)
