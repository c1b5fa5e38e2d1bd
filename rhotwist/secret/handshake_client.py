"""The client's side of a handshake: Draft, then SentHello, then Accepted, then session keys.

Each object makes one step once. What a stranger can forge, a Retry or an Accept, is read on a copy of the Noise
state, so a forged one costs its reading and nothing else. Byte tables: docs/spec/handshake.md.
"""

from __future__ import annotations

from hmac import compare_digest
from typing import Any

from rhotwist.errors import BadPacket, LocalError, SuiteRefused, TooBig
from rhotwist.keys.pair import SeedKey, x_form
from rhotwist.moment import Rng
from rhotwist.secret.curve import generate
from rhotwist.secret.greeting import (
    ANSWER_SIZE,
    LEAST_LARGEST,
    WHOLE,
    Offer,
    Retry,
    SessionKeys,
    accept_key,
    check_header,
    fits,
    mac1,
    mac1_key,
    prologue,
    read_answer,
    read_retry,
    session_keys,
)
from rhotwist.secret.kem import Kem
from rhotwist.secret.noise import HandshakeState
from rhotwist.secret.suite import SUITES
from rhotwist.wire.packet import (
    ACCEPT,
    COOKIE,
    COOKIE_SIZE,
    FINISH,
    HEADER,
    HELLO,
    MAC_SIZE,
    PUZZLE_SIZE,
    TOKEN,
    TOKEN_REDIRECT,
    Header,
    read_header,
)

FINISH_MAX = 1200  # bytes of a whole F
#: Bytes that ``Accepted.finish`` takes: F less its header, the sealed static key, the client's identity and a tag.
FINISH_ROOM = FINISH_MAX - HEADER - 48 - 32 - 16

FIRST_HALF, SECOND_HALF = 0x02, 0x12


class Draft:
    """A Hello not yet sealed. Its ephemeral keys serve one sealed Hello: after a Retry there is a new Draft.

    A second Hello with the same ephemeral key and another cookie would seal two texts under one key and nonce.
    """

    __slots__ = ("_e1", "_ephemeral", "_identity", "_kem", "_order", "_rng", "_server", "_server_x", "code", "suite")

    @staticmethod
    def draw(
        identity: SeedKey, server: bytes, suite: int, order: tuple[int, ...], *, code: int, rng: Rng, kem: Kem
    ) -> Draft:
        """Draw the ephemeral keys for one Hello from identity to the Ed25519 key server.

        code is our hashcode for the session, order all we offer, suite among it. Raises BadKey when server is no key,
        and LocalError for the rest.
        """
        if suite not in SUITES or suite not in order:
            raise LocalError(f"suite {suite} is not one of ours {sorted(SUITES)} and of those offered {order}")
        if not 0 < code < 2**32:
            raise LocalError(f"hashcode {code} is not from 1 to 2**32 - 1")
        if identity.public == server:
            raise LocalError("a key cannot open a session to itself")
        draft = Draft()
        draft._server_x = x_form(server)
        draft._identity, draft._server, draft._order = identity, server, order
        draft.suite, draft.code, draft._rng, draft._kem = suite, code, rng, kem
        draft._ephemeral = generate(rng)
        draft._e1 = kem.generate() if SUITES[suite].kem else None
        return draft

    _identity: SeedKey
    _server: bytes
    _server_x: bytes
    _order: tuple[int, ...]
    _rng: Rng
    _kem: Kem
    _ephemeral: tuple[bytes, bytes] | None
    _e1: tuple[Any, bytes] | None
    suite: int
    """The suite of this Hello."""
    code: int
    """Our hashcode."""

    def __repr__(self) -> str:
        return f"<Draft suite {self.suite} to {self._server.hex()}>"

    @property
    def e(self) -> bytes:
        """The public ephemeral key, 32 bytes; the puzzle is solved over it. Raises LocalError once sealed."""
        return self._unused()[1]

    def seal(
        self,
        cookie: bytes = bytes(COOKIE_SIZE),
        flags: int = 0,
        puzzle: bytes = bytes(PUZZLE_SIZE),
        largest: int = LEAST_LARGEST,
    ) -> SentHello:
        """Write the Hello, once. cookie is what the flag says it is; largest is the most bytes of a datagram we take.

        Raises LocalError the second time, and for fields that no server would take.
        """
        ephemeral = self._unused()
        if flags not in (0, COOKIE, TOKEN, TOKEN_REDIRECT):
            raise LocalError(f"flags {flags} are none of 0, {COOKIE}, {TOKEN}, {TOKEN_REDIRECT}")
        if len(cookie) != COOKIE_SIZE or (not flags and any(cookie)):
            raise LocalError(f"cookie {cookie.hex()} wants {COOKIE_SIZE} bytes, and a flag or zeros")
        if len(puzzle) != PUZZLE_SIZE or (not puzzle[0] and any(puzzle)):
            raise LocalError(f"puzzle {puzzle.hex()} wants {PUZZLE_SIZE} bytes, all zero at difficulty 0")
        offer = Offer(self._order, largest).encode()
        self._ephemeral = None
        header = Header(HELLO, self.suite, WHOLE, flags, self.code, 0)
        state = HandshakeState(
            SUITES[self.suite],
            prologue(self._server, header, cookie, puzzle),
            (self._identity.x_private, self._identity.x_public),
            remote=self._server_x,
            rng=self._rng,
            kem=self._kem,
        )
        if self._e1 is None:
            state.draw(ephemeral)
        else:
            state.draw(ephemeral, self._e1)
            self._e1 = None
        noise = state.write_tokens() + state.write_payload(offer)
        return SentHello(self, state, header, noise, cookie + puzzle)

    def _unused(self) -> tuple[bytes, bytes]:
        if self._ephemeral is None:
            raise LocalError("this ephemeral key has sealed its Hello; draw another")
        return self._ephemeral


class SentHello:
    """A sealed Hello that waits for its Accept.

    ``datagram`` is the whole of it. ``halves``, empty for a classical suite, is the same cut in two for paths that
    carry no 1,320 bytes: same noise, cookie and puzzle, a mac1 of their own. With no cookie yet the first half alone
    is the probe that a server answers with a Retry.
    """

    __slots__ = ("_identity", "_mac1s", "_order", "_server", "_state", "code", "datagram", "halves", "suite")

    def __init__(self, draft: Draft, state: HandshakeState, header: Header, noise: bytes, tail: bytes) -> None:
        """Made by ``Draft.seal``; tail is cookie and puzzle."""
        self._identity, self._server, self._order = draft._identity, draft._server, draft._order
        self.suite, self.code = draft.suite, draft.code
        self._state: HandshakeState | None = state
        key = mac1_key(draft._server)

        def whole(fragment: int, part: bytes) -> bytes:
            clear = header.encode()
            body = b"".join((clear[:2], bytes((fragment,)), clear[3:], part, tail))
            return body + mac1(key, body)

        self.datagram: bytes = whole(WHOLE, noise)
        self.halves: tuple[bytes, ...] = ()
        if state.suite.kem:
            middle = len(noise) // 2
            self.halves = (whole(FIRST_HALF, noise[:middle]), whole(SECOND_HALF, noise[middle:]))
        # A server that put two halves together answers the first one's mac1.
        self._mac1s = tuple(data[-MAC_SIZE:] for data in (self.datagram, *self.halves[:1]))

    def __repr__(self) -> str:
        return f"<SentHello suite {self.suite} to {self._server.hex()}>"

    def read_retry(self, data: bytes) -> Retry:
        """Open a Retry for this Hello. Changes nothing. Raises BadPacket, also once an Accept was read."""
        if self._state is None:
            raise BadPacket("late")
        return read_retry(data, self._server, self._mac1s, suite=self.suite, code=self.code)

    def read_accept(self, data: bytes) -> Accepted:
        """Read an Accept, once. Raises BadPacket, which changes nothing, and SuiteRefused.

        SuiteRefused: the server, now proven, has a better suite than the one somebody made us use, or lacks this one.
        """
        if self._state is None:
            raise BadPacket("late")
        suite = self._state.suite
        if len(data) != HEADER + suite.second_size(ANSWER_SIZE) + MAC_SIZE:
            raise BadPacket("short")
        header = read_header(data)
        check_header(header, ACCEPT, self.suite, None, self.code)
        body, mac = data[:-MAC_SIZE], data[-MAC_SIZE:]
        if not any(compare_digest(mac1(accept_key(self._server, sent), body), mac) for sent in self._mac1s):
            raise BadPacket("mac1")
        state = self._state.copy()
        answer = read_answer(state.read_payload(state.read_tokens(body[HEADER:])))
        if answer.code != header.sender:
            raise BadPacket("hashcode")
        if not fits(self._order, answer.mask, self.suite):
            raise SuiteRefused(
                f"the server's suites {answer.mask:#x} and ours {self._order} do not lead to suite {self.suite}"
            )
        self._state = None
        return Accepted(self, state, answer.code, answer.features, answer.address, answer.largest, answer.mask)


class Accepted:
    """The server is proven and waits for our Finish.

    ``h_before_payload``, 32 bytes, is what wallet proofs inside F name. ``your_address`` is ours as the server sees it.
    """

    __slots__ = (
        "_identity",
        "_server",
        "_state",
        "_static",
        "code",
        "features",
        "h_before_payload",
        "largest",
        "mask",
        "peer_code",
        "suite",
        "your_address",
    )

    def __init__(
        self, sent: SentHello, state: HandshakeState, peer_code: int, features: int, address: bytes, *rest: int
    ) -> None:
        """Made by ``SentHello.read_accept``; rest is largest datagram and suite mask."""
        self._identity, self._server, self.suite, self.code = sent._identity, sent._server, sent.suite, sent.code
        self._state: HandshakeState | None = state
        self.peer_code: int = peer_code
        self.features: int = features
        self.your_address: bytes = address
        self.largest, self.mask = rest
        self._static = state.write_tokens()
        self.h_before_payload: bytes = state.h

    def __repr__(self) -> str:
        return f"<Accepted suite {self.suite} by {self._server.hex()}>"

    def finish(self, payload: bytes) -> tuple[bytes, SessionKeys]:
        """Write F, once: our identity, then payload. Gives the datagram and the session's keys.

        payload has at most FINISH_ROOM bytes, or TooBig is raised. LocalError the second time.
        """
        if len(payload) > FINISH_ROOM:
            raise TooBig(f"{len(payload)} bytes do not fit the {FINISH_ROOM} of a Finish")
        state, self._state = self._state, None
        if state is None:
            raise LocalError("this handshake is finished")
        header = Header(FINISH, self.suite, WHOLE, 0, self.code, self.peer_code).encode()
        datagram = header + self._static + state.write_payload(self._identity.public + payload)
        return datagram, session_keys(self.suite, state.split(), state.h, True, self._server)
