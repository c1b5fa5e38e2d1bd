"""Every stranger's first stop: what a Hello must show, in order of what it costs us to look.

    length, a Retry left to send     0.7 µs   else silence
    type, fields                     4 µs
    a repeat of a pending Hello      0.3 µs   its stored Accept again
    mac1: knows our key              2 µs     else silence
    cookie or token: has the address 2 µs     else Retry, where one is demanded
    puzzle: has worked               1 µs     else Retry, where one is asked
    one use of cookie or token       2 µs     else Retry
    bucket of its network            1 µs     else silence
    room and budget                  0.1 µs   else silence
    two exchanges, a key pair, a KEM 150 µs   the first thing that is kept: about 2 kB, for 30 s

Nothing is allocated for a stranger before the last line, but for half a Hello behind a valid cookie. Times are mono
seconds; no clock of a peer is ever read. Spec pages: docs/spec/handshake.md, docs/spec/cookies.md.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from typing import Any

from rhotwist.codes.hashcodes import HashcodeTable
from rhotwist.errors import BadPacket
from rhotwist.keys.pair import SeedKey
from rhotwist.limits import Limits
from rhotwist.link.sieve import Sieve
from rhotwist.moment import Moment, Rng
from rhotwist.secret import handshake, puzzle
from rhotwist.secret.bloom import OneUse
from rhotwist.secret.buckets import PrefixBuckets
from rhotwist.secret.cookie import REDIRECTED, SAVED, CookieJar, StatelessSecrets, Tickets, Tokens
from rhotwist.secret.curve import OPERATIONS
from rhotwist.secret.fragments import FIRST, WHOLE, Fragments
from rhotwist.secret.handshake import Finished, HalfOpen, WrongSuite
from rhotwist.secret.kem import Kem
from rhotwist.secret.load import Load
from rhotwist.secret.suite import mask
from rhotwist.wire.datagram import Path
from rhotwist.wire.packet import COOKIE, RETRY_SIZE, TOKEN, TOKEN_REDIRECT, Hello, read_hello

#: What a pending handshake is found by when its Hello is repeated: address 18, the client's hashcode, and mac1 or e.
_Key = tuple[bytes, int, bytes]

#: Part of ``Limits.retry_rate`` that the sieve aims at: whoever it lets through shall not fail for want of a Retry.
SIEVED = 0.8

#: Forged Finishes, good enough to cost an exchange, that one handshake has free.
FORGED = 16


class Pending:
    """A handshake that waits for its Finish, until mono seconds."""

    __slots__ = ("accept", "code", "forged", "half", "keys", "until")

    def __init__(self, half: HalfOpen, keys: tuple[_Key, _Key], code: int, accept: bytes, until: float) -> None:
        self.half = half
        self.keys = keys
        self.code = code
        self.accept = accept
        self.until = until
        self.forged = 0


class Gate:
    """The gate of one node. Datagrams in, at most one datagram out for each, never a longer one."""

    def __init__(
        self, key: SeedKey, codes: HashcodeTable[Any], *, limits: Limits, rng: Rng, kem: Kem, order: tuple[int, ...],
        secrets: StatelessSecrets, counters: Counter[str],
    ) -> None:  # fmt: skip
        self._key, self._codes, self._limits, self._rng, self._kem = key, codes, limits, rng, kem
        self._mac1_key = handshake.mac1_key(key.public)
        self._mask = mask(order)
        self._counters = counters
        self.cookies = CookieJar(secrets, limits.cookie_life)
        self.tokens = Tokens(secrets, limits.token_life)
        self.tickets = Tickets(secrets, limits.cookie_life)
        self._used = {COOKIE: OneUse(rng(32)), TOKEN: OneUse(rng(32))}
        self._used[TOKEN_REDIRECT] = self._used[TOKEN]
        self._buckets = PrefixBuckets(limits, rng)
        self._fragments = Fragments(limits, rng)
        self._load = Load()
        self._retries = limits.retry_rate
        self._refilled = 0.0
        #: Whose turn it is to be read at all, of those who bring no cookie.
        self.sieve = Sieve(SIEVED * limits.retry_rate, rng)
        self.difficulty = puzzle.Difficulty(limits.puzzle_first, limits.puzzle_cap)
        self._by_hello: dict[_Key, Pending] = {}
        #: By our hashcode, in the order in which they expire.
        self._pending: dict[int, Pending] = {}

    def __len__(self) -> int:
        return len(self._pending)

    def hello(self, data: bytes, path: Path, moment: Moment, room: bool) -> bytes | None:
        """What to answer a Hello with, if anything. room says whether a session would find place. Raises BadPacket."""
        if len(data) < RETRY_SIZE:
            raise BadPacket("short")  # or the Retry would be longer than what it answers
        mono = moment.mono
        if not data[3] and self.demanded(mono):  # no flag, so no cookie: a Retry is all it could get
            self.sieve.came(mono)
            if self._tokens(mono) < 1:
                raise BadPacket("busy")
        hello = read_hello(data)
        key = path.address, hello.header.sender, hello.mac1
        pending = self._by_hello.get(key)
        if pending is not None:
            self._counters["hello repeated"] += 1
            return pending.accept
        if not handshake.check_mac1(hello, self._mac1_key):
            raise BadPacket("mac1")
        flags, cut = hello.header.flags, hello.header.fragment != WHOLE
        demanded = self.demanded(mono)
        period = self._proven(hello, path.address, moment)
        if period is None:
            if cut and hello.header.fragment != FIRST:
                raise BadPacket("cookie")
            if flags or cut or demanded:
                return self._retry(hello, path, moment, handshake.COOKIE_WANTED)
            if self._rng(2) < self._chance:
                return self._retry(hello, path, moment, handshake.CHANCE)
        if cut:
            whole = self._fragments.add(path.address, hello, mono)
            if whole is None:
                return None
            hello = whole
            key = path.address, hello.header.sender, hello.mac1
        ephemeral = hello.noise[:32]
        pending = self._by_hello.get((*key[:2], ephemeral))
        if pending is not None:  # the same Hello came whole before, and its Accept answers both forms
            self._counters["hello repeated"] += 1
            return pending.accept
        over = self._load.share(mono) > self._limits.handshake_share
        bits = self.difficulty.update(mono, over)
        least = 0 if flags == TOKEN_REDIRECT else self.difficulty.least
        if not puzzle.check(hello.cookie, ephemeral, hello.puzzle, least):
            if hello.puzzle[0] >= least:
                raise BadPacket("puzzle")
            return self._retry(hello, path, moment, handshake.PUZZLE_WANTED, bits)
        if not self._mask >> hello.header.suite & 1:
            return self._retry(hello, path, moment, handshake.SUITE_WANTED)
        if period is not None:
            entry = hello.cookie + ephemeral if flags == COOKIE else hello.cookie
            rotating = self.cookies.rotating if flags == COOKIE else self.tokens.rotating
            if not self._used[flags].first(entry, period, rotating.periods(moment)):
                return self._retry(hello, path, moment, handshake.SPENT)
            if demanded and not self._buckets.take(path.address, mono):
                raise BadPacket("bucket")
        if not room or len(self._pending) >= self._limits.half_open_max:
            raise BadPacket("full")
        return self._accept(hello, key, path, moment)

    @property
    def _chance(self) -> bytes:
        return int(self._limits.retry_share * 0xFFFF).to_bytes(2, "big")

    def _tokens(self, mono: float) -> float:
        """Retries that may be sent now."""
        rate = self._limits.retry_rate
        self._retries = min(rate, self._retries + (mono - self._refilled) * rate)
        self._refilled = mono
        return self._retries

    def demanded(self, mono: float) -> bool:
        """Whether strangers must prove their address now."""
        limits = self._limits
        return len(self._pending) > limits.cookie_pending or self._load.share(mono) > limits.cookie_load

    def _proven(self, hello: Hello, address: bytes, moment: Moment) -> int | None:
        """The period of the cookie or token that a Hello carries, None if it has none that is valid."""
        flags = hello.header.flags
        if flags == COOKIE:
            return self.cookies.check(hello.cookie, address, hello.header.sender, moment)
        if flags == TOKEN:
            return self.tokens.check(SAVED, hello.cookie, address, moment)
        if flags == TOKEN_REDIRECT:
            return self.tokens.check(REDIRECTED, hello.cookie, address, moment)
        return None

    def _retry(self, hello: Hello, path: Path, moment: Moment, reason: int, bits: int | None = None) -> bytes:
        if self._tokens(moment.mono) < 1:
            raise BadPacket("busy")
        self._retries -= 1
        self._counters["retry"] += 1
        cookie = self.cookies.make(path.address, hello.header.sender, moment)
        return handshake.retry(
            self._key.public, hello, cookie, difficulty=self.difficulty.bits if bits is None else bits, mask=self._mask,
            reason=reason, rng=self._rng,
        )  # fmt: skip

    def _accept(self, hello: Hello, key: _Key, path: Path, moment: Moment) -> bytes:
        mono = moment.mono
        self._load.book(mono, self._limits.handshake_cost)
        self._counters["curve"] += 1
        code = self._codes.allocate(None, mono)
        try:
            accept, half = handshake.accept(
                self._key, hello, code=code, mask=self._mask, address=path.address, rng=self._rng, kem=self._kem,
                largest=self._limits.datagram_max,
            )  # fmt: skip
        except WrongSuite:
            self._codes.free(code, mono)
            return self._retry(hello, path, moment, handshake.SUITE_WANTED)
        except BadPacket:
            self._codes.free(code, mono)
            raise
        keys = (key, (*key[:2], hello.noise[:32]))
        pending = Pending(half, keys, code, accept, mono + self._limits.half_open_life)
        self._codes.assign(code, pending)
        for one in keys:
            self._by_hello[one] = pending
        self._pending[code] = pending
        return accept

    def finish(self, pending: Pending, data: bytes, path: Path, mono: float) -> Finished:
        """Read a Finish: the handshake is pending no more, its code is the caller's. Raises BadPacket.

        It must come from where the Hello came from: no other address has shown that it wants to hear from us. Whoever
        sent the Hello can make one that fails only after the curve. Each of those is booked, and after FORGED of them a
        handshake's Finish is read only while there is little other work.
        """
        if path.address != pending.keys[0][0]:
            raise BadPacket("address")
        if pending.forged >= FORGED and self._load.share(mono) > self._limits.cookie_load:
            raise BadPacket("forged")
        before = OPERATIONS.total
        try:
            finished = pending.half.read_finish(data)
        except BadPacket:
            if OPERATIONS.total > before:
                pending.forged += 1
                self._load.book(mono, self._limits.handshake_cost / 4)
            raise
        self.close(pending)
        return finished

    def close(self, pending: Pending) -> None:
        """The handshake is pending no more; its code is the caller's to keep or free."""
        if self._pending.pop(pending.code, None) is not None:
            for one in pending.keys:
                del self._by_hello[one]

    def deadline(self) -> float | None:
        """When ``tick`` has something to do."""
        first = next(iter(self._pending.values()), None)
        dues = self._fragments.until, self.sieve.deadline(), None if first is None else first.until
        return min((due for due in dues if due is not None), default=None)

    def tick(self, mono: float) -> None:
        """Forget handshakes that took too long, whole or halved."""
        self._fragments.expire(mono)
        self.sieve.tick(mono, self.demanded(mono))
        while (pending := next(iter(self._pending.values()), None)) is not None and pending.until <= mono:
            self.close(pending)
            self._codes.free(pending.code, mono)
            self._counters["half-open expired"] += 1

    def digest(self) -> bytes:
        """A hash over all that is kept for strangers, but for what only time moves."""
        state = hashlib.sha256()
        for key, pending in sorted(self._by_hello.items()):
            state.update(repr((key, pending.code)).encode() + pending.accept)
        state.update(repr((len(self._fragments), len(self._buckets), self.difficulty.bits)).encode())
        return state.digest()
