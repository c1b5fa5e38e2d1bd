"""What a server can check without remembering whom it gave it to: cookies, address tokens, redirect tickets.

Each is a MAC under a secret that is used for one period and honoured for one more. The secret of a period is a MAC of
the period's number under a master of 32 bytes, so nothing is stored and nothing need be drawn when a period begins.

Which clock numbers the periods depends on whose master it is.

- ``StatelessSecrets.alone``: drawn at start, known to this process only. Periods follow the monotonic clock; the wall
  clock may say what it likes.
- ``StatelessSecrets.shared_by``: sibling processes share the master, perhaps on several machines, and must agree
  without talking. Monotonic clocks of two machines have nothing in common, so periods follow the wall clock: the
  servers' own, never a client's. Since siblings' clocks differ a little, the secret of the period to come is honoured
  too. Where a wall clock jumps, what was given out before is no longer honoured: whoever brings it gets a Retry and
  comes back with a new one. One round trip is all that a jump can cost; sessions do not read these secrets.

So a cookie is honoured for 1 to 2 lives, among siblings up to 3: 120 and 180 seconds. Spec page: docs/spec/cookies.md.
"""

from __future__ import annotations

import hmac
from hashlib import blake2s

import attrs

from rhotwist.errors import LocalError
from rhotwist.limits import Limits
from rhotwist.moment import Moment, Rng
from rhotwist.secret.labels import COOKIE, STATELESS, TICKET, TOKEN

MASTER_SIZE = 32
COOKIE_SIZE = 16
TOKEN_SIZE = 16
TICKET_SIZE = 32

#: Kinds of address token: 1 stands for a cookie, 2 (given with a redirect) for a cookie and a puzzle.
SAVED, REDIRECTED = 1, 2

_SALT = 4  # random bytes at the head of a token
_IP = 16  # of the 18 bytes of an address
_USE_COOKIE, _USE_TOKEN, _USE_TICKET = 1, 2, 3


def _mac(secret: bytes, message: bytes) -> bytes:
    return blake2s(message, key=secret, digest_size=16).digest()


@attrs.frozen
class StatelessSecrets:
    """The master all stateless secrets of a process, or of siblings, come from.

    shared says that other processes have it too, and so which clock counts: see the module's text.
    """

    master: bytes = attrs.field(repr=False)
    shared: bool

    @master.validator
    def _sized(self, _: object, master: bytes) -> None:
        if len(master) != MASTER_SIZE:
            raise LocalError(f"a master secret has {MASTER_SIZE} bytes, not {len(master)}")

    @classmethod
    def alone(cls, rng: Rng) -> StatelessSecrets:
        """A master of this process's own."""
        return cls(rng(MASTER_SIZE), False)

    @classmethod
    def shared_by(cls, master: bytes) -> StatelessSecrets:
        """The master that all siblings have, 32 random bytes. Raises LocalError for another size."""
        return cls(master, True)


class Rotating:
    """One secret that changes every ``life`` seconds. use tells apart the secrets of one master."""

    __slots__ = ("_at", "_cached", "_life", "_master", "_shared", "_use")

    def __init__(self, secrets: StatelessSecrets, use: int, life: float) -> None:
        if life <= 0:
            raise LocalError(f"a secret's life of {life} s is not above 0")
        self._master = secrets.master
        self._shared = secrets.shared
        self._use = use
        self._life = life
        self._at = 0
        self._cached: tuple[tuple[int, bytes], ...] = ()

    def valid(self, moment: Moment) -> tuple[tuple[int, bytes], ...]:
        """(period, secret) of those honoured now, the present one first; periods count from 1."""
        clock = moment.wall if self._shared else moment.mono
        period = max(int(clock // self._life), 0) + 1
        if period != self._at:
            numbers = [period, period - 1, period + 1] if self._shared else [period, period - 1]
            self._cached = tuple((number, self._secret(number)) for number in numbers if number)
            self._at = period
        return self._cached

    def current(self, moment: Moment) -> bytes:
        """The 32-byte secret that new things are made under."""
        return self.valid(moment)[0][1]

    def periods(self, moment: Moment) -> tuple[int, ...]:
        """The numbers of the periods honoured now."""
        return tuple(period for period, _ in self.valid(moment))

    def _secret(self, period: int) -> bytes:
        message = STATELESS + bytes((self._use,)) + period.to_bytes(8, "big")
        return hmac.digest(self._master, message, "sha256")


class CookieJar:
    """Cookies: 16 bytes that say "whoever has this receives at that address". About 2 µs to make or check."""

    __slots__ = ("rotating",)

    def __init__(self, secrets: StatelessSecrets, life: float = Limits().cookie_life) -> None:
        self.rotating = Rotating(secrets, _USE_COOKIE, life)

    def make(self, address: bytes, hashcode: int, moment: Moment) -> bytes:
        """The cookie of an address (18 bytes) and the client's hashcode."""
        return _mac(self.rotating.current(moment), COOKIE + address + hashcode.to_bytes(4, "big"))

    def check(self, cookie: bytes, address: bytes, hashcode: int, moment: Moment) -> int | None:
        """The period a cookie was made in, 1 or more, None if it is none of ours for this address and hashcode."""
        message = COOKIE + address + hashcode.to_bytes(4, "big")
        for period, secret in self.rotating.valid(moment):
            if hmac.compare_digest(_mac(secret, message), cookie):
                return period
        return None


class Tokens:
    """Address tokens: a cookie to be kept for a later visit. They bind the IP, not the port, which NATs change."""

    __slots__ = ("rotating",)

    def __init__(self, secrets: StatelessSecrets, life: float = Limits().token_life) -> None:
        self.rotating = Rotating(secrets, _USE_TOKEN, life)

    def make(self, kind: int, address: bytes, rng: Rng, moment: Moment) -> bytes:
        """A token of kind SAVED or REDIRECTED for the IP of an address, 16 bytes, 4 of them random."""
        salt = rng(_SALT)
        return salt + self._tag(self.rotating.current(moment), kind, address, salt)

    def check(self, kind: int, token: bytes, address: bytes, moment: Moment) -> int | None:
        """The period a token was made in, 1 or more, None if it is none of ours of that kind for that IP."""
        salt, tag = token[:_SALT], token[_SALT:]
        for period, secret in self.rotating.valid(moment):
            if hmac.compare_digest(self._tag(secret, kind, address, salt), tag):
                return period
        return None

    @staticmethod
    def _tag(secret: bytes, kind: int, address: bytes, salt: bytes) -> bytes:
        return _mac(secret, TOKEN + bytes((kind,)) + address[:_IP] + salt)[: TOKEN_SIZE - _SALT]


class Tickets:
    """Redirect tickets: "S sent client C to S'", 32 bytes that S makes and its sibling S' checks in Finish."""

    __slots__ = ("rotating",)

    def __init__(self, secrets: StatelessSecrets, life: float = Limits().cookie_life) -> None:
        self.rotating = Rotating(secrets, _USE_TICKET, life)

    def make(self, sender: bytes, target: bytes, client: bytes, moment: Moment) -> bytes:
        """The ticket with which sender sends client to target; each is 32 bytes of an Ed25519 key."""
        return self._ticket(self.rotating.current(moment), sender, target, client)

    def check(self, ticket: bytes, sender: bytes, target: bytes, client: bytes, moment: Moment) -> bool:
        """Whether sender made this ticket for client to bring to target, and not long ago."""
        return any(
            hmac.compare_digest(self._ticket(secret, sender, target, client), ticket)
            for _, secret in self.rotating.valid(moment)
        )

    @staticmethod
    def _ticket(secret: bytes, sender: bytes, target: bytes, client: bytes) -> bytes:
        return hmac.digest(secret, b"".join((TICKET, sender, target, client)), "sha256")
