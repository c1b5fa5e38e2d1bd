"""Puzzles: when even proven addresses ask for more curve work than we have, each handshake costs its client some
hashing.

    puzzle field  0 1 difficulty d, bits   1 7 solution
    SHA-256(label ‖ cookie ‖ e ‖ puzzle field) begins with at least d zero bits

The cookie ties a solution to an address and a minute, e to one handshake. A try costs a Python client about 0.5 µs, so
14 bits are 8 ms and 20 bits half a second; a check is one hash. That prices a botnet of ordinary machines, not somebody
with graphics cards. Spec page: docs/spec/cookies.md.
"""

from __future__ import annotations

from hashlib import sha256

from rhotwist.errors import LocalError, PuzzleRefused
from rhotwist.limits import Limits
from rhotwist.secret.labels import PUZZLE
from rhotwist.wire.packet import PUZZLE_SIZE

#: The field where no puzzle was asked.
NO_PUZZLE = bytes(PUZZLE_SIZE)
#: A Hello may be this many bits below what we ask now: it was solved when we asked less.
SLACK = 2

_SOLUTION = PUZZLE_SIZE - 1
_CAP = Limits().puzzle_cap


def check(cookie: bytes, e: bytes, field: bytes, least: int) -> bool:
    """Whether field holds at least ``least`` bits of work, and does hold what it says. One hash, about 1 µs.

    cookie is what stands in the Hello's cookie field, e the client's ephemeral key. Difficulty 0 is the field of zeros.
    """
    bits = field[0]
    if bits < least:
        return False
    if not bits:
        return field == NO_PUZZLE
    digest = sha256(b"".join((PUZZLE, cookie, e, field))).digest()
    return not int.from_bytes(digest, "big") >> 256 - bits


def refuse(difficulty: int, cap: int = _CAP) -> None:
    """Raises PuzzleRefused for a difficulty, in bits, beyond our cap: before anything is hashed for it."""
    if difficulty > cap:
        raise PuzzleRefused(f"the server asks for a puzzle of {difficulty} bits; we solve up to {cap}")


def solve(cookie: bytes, e: bytes, difficulty: int, start: int = 0, tries: int = 2**12) -> bytes | None:
    """The puzzle field, 8 bytes, if one of the solutions from start to start + tries - 1 does it; else None.

    2**12 tries take about 2 ms, so a loop that has other work goes on from there with start = start + tries. A worker
    takes more at once. Raises PuzzleRefused beyond the cap and LocalError where the solutions end at 2**56.
    """
    refuse(difficulty)
    if not difficulty:
        return NO_PUZZLE
    if not 0 <= start <= start + tries <= 1 << 8 * _SOLUTION:
        raise LocalError(f"solutions {start} to {start + tries} are not below 2**56")
    head = bytes((difficulty,))
    begun = sha256(b"".join((PUZZLE, cookie, e, head)))
    bound = (1 << 256 - difficulty).to_bytes(32, "big")
    for number in range(start, start + tries):
        solution = number.to_bytes(_SOLUTION, "big")
        attempt = begun.copy()
        attempt.update(solution)
        if attempt.digest() < bound:
            return head + solution
    return None


class Difficulty:
    """How many bits the server asks: ``first`` when the budget is first exceeded, a bit more in each further second
    over it, a bit less in each under it, 0 below ``first``, never more than ``cap``. Times are monotonic seconds.
    """

    __slots__ = ("_cap", "_first", "_since", "bits")

    def __init__(self, first: int = Limits().puzzle_first, cap: int = _CAP) -> None:
        if not 0 < first <= cap:
            raise LocalError(f"a first puzzle of {first} bits is not from 1 to the cap of {cap}")
        self._first = first
        self._cap = cap
        self._since: float | None = None
        self.bits = 0

    @property
    def least(self) -> int:
        """What a Hello must bring now."""
        return max(0, self.bits - SLACK)

    def update(self, mono: float, over: bool) -> int:
        """Tell whether proven addresses alone exceed the budget now; returns the bits to ask. Call it as often as you
        like.

        Seconds in which nobody called count as under: nobody asked for anything.
        """
        if self._since is None or (over and not self.bits):
            self._since = mono
            if over:
                self.bits = self._first
            return self.bits
        passed = int(mono - self._since)
        if passed >= 1:
            self._since += passed
            self._fall(passed - 1 if over else passed)
            if over:
                self.bits = min(self.bits + 1, self._cap) if self.bits else self._first
        return self.bits

    def _fall(self, seconds: int) -> None:
        self.bits -= seconds
        if self.bits < self._first:
            self.bits = 0
