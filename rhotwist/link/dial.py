"""Opening a session as the initiator: a table of phases, one sealed Hello at a time, whole or halved, until it is
answered.

Repeats are byte for byte; after a Retry everything is fresh but the hashcode (docs/spec/handshake.md). Times are mono
seconds.
"""

from __future__ import annotations

import enum

from rhotwist.errors import BadPacket, PuzzleRefused, SuiteRefused
from rhotwist.keys.pair import SeedKey
from rhotwist.limits import Limits
from rhotwist.moment import Rng
from rhotwist.secret.handshake import Accepted, Draft, SentHello, SessionKeys
from rhotwist.secret.kem import Kem
from rhotwist.secret.suite import SUITES, choose
from rhotwist.wire.datagram import Path
from rhotwist.wire.packet import COOKIE, PUZZLE_SIZE, TOKEN, TOKEN_REDIRECT


class Phase(enum.Enum):
    """Where a connect stands."""

    SOLVING = "solving"  # a puzzle is with a worker
    HELLO = "hello"  # Hello is repeated
    FINISH = "finish"  # Accept was read; Finish is repeated
    OPEN = "open"  # a good packet of the server came
    FAILED = "failed"


class Signal(enum.Enum):
    """What moves it."""

    SOLVED = "solved"
    RETRY = "retry"
    PUZZLE = "puzzle"
    ACCEPT = "accept"
    CONFIRM = "confirm"
    GIVE_UP = "give up"


TRANSITIONS: dict[tuple[Phase, Signal], Phase] = {
    (Phase.SOLVING, Signal.SOLVED): Phase.HELLO,
    (Phase.SOLVING, Signal.GIVE_UP): Phase.FAILED,
    (Phase.HELLO, Signal.RETRY): Phase.HELLO,
    (Phase.HELLO, Signal.PUZZLE): Phase.SOLVING,
    (Phase.HELLO, Signal.ACCEPT): Phase.FINISH,
    (Phase.HELLO, Signal.GIVE_UP): Phase.FAILED,
    (Phase.FINISH, Signal.CONFIRM): Phase.OPEN,
    (Phase.FINISH, Signal.GIVE_UP): Phase.FAILED,
}

Sending = list[tuple[Path, bytes]]


class Dial:
    """One connect of identity to the server that holds the key ``server``, over any of paths.

    code is the hashcode under which answers come back. token is an address token and its Hello flag. done says in which
    phase it stands; ``error`` why it failed. hellos_left bounds what an address gets that has not answered, where one
    is set. Of paths those that are doubted get one Hello, and no more until they answer.
    """

    def __init__(
        self, identity: SeedKey, server: bytes, paths: tuple[Path, ...], code: int, *, order: tuple[int, ...],
        limits: Limits, rng: Rng, kem: Kem, mono: float,
    ) -> None:  # fmt: skip
        self.identity, self.server, self.paths, self.code = identity, server, paths, code
        self.phase = Phase.HELLO
        self.error: PuzzleRefused | SuiteRefused | None = None
        self.ends = mono + limits.half_open_life
        self.due = mono
        self.keys: SessionKeys | None = None
        self._order, self._limits, self._rng, self._kem = order, limits, rng, kem
        self._suite = order[0]
        self._retries = 0
        self._tries = 0  # of the present Hello or Finish
        self._unanswered = 0  # whole hybrid Hellos
        self._cookie, self._flags, self._difficulty = bytes(16), 0, 0
        self._draft: Draft | None = None
        self._sent: SentHello | None = None
        self._finish = b""
        self.ticket: tuple[bytes, bytes] | None = None
        self.hellos_left: int | None = None
        self.doubted: frozenset[Path] = frozenset()

    def _move(self, signal: Signal) -> None:
        self.phase = TRANSITIONS[self.phase, signal]

    def start(self, mono: float, token: bytes = b"", redirected: bool = False) -> Sending:
        """The first Hello. token, if there is one, goes where a cookie would."""
        if token:
            self._cookie, self._flags = token, TOKEN_REDIRECT if redirected else TOKEN
        self._fresh(bytes(PUZZLE_SIZE))
        return self._send(mono)

    def _draw(self) -> Draft:
        self._draft = Draft.draw(
            self.identity, self.server, self._suite, self._order, code=self.code, rng=self._rng, kem=self._kem
        )
        return self._draft

    def _fresh(self, puzzle: bytes) -> None:
        draft = self._draft or self._draw()
        self._sent = draft.seal(self._cookie, self._flags, puzzle, self._limits.datagram_max)
        self._draft = None
        self._tries = 0

    def also(self, paths: tuple[Path, ...], mono: float, doubted: bool = False) -> Sending:
        """Have it try further addresses, as long as none has answered: each gets the time that the first had."""
        if not doubted and self.doubted.intersection(paths):
            self.doubted -= set(paths)
            self.ends = mono + self._limits.half_open_life
        new, sent = tuple(path for path in paths if path not in self.paths), self._sent
        if not new or sent is None or self._retries or self.hellos_left is not None:
            return []
        self.paths += new
        self.doubted |= set(new if doubted else ())
        self.ends = mono + self._limits.half_open_life
        return [(path, sent.datagram) for path in new]

    def tick(self, mono: float) -> Sending:
        """Repeat what is due; a connect that took too long fails."""
        if self.phase in (Phase.OPEN, Phase.FAILED):
            return []
        if mono >= self.ends:
            self._move(Signal.GIVE_UP)
            return []
        return self._send(mono) if mono >= self.due and self.phase is not Phase.SOLVING else []

    def _send(self, mono: float) -> Sending:
        limits = self._limits
        self._tries += 1
        pause = limits.hello_first if self._tries == 1 else limits.hello_again
        self.due = min(mono + pause * (0.8 + 0.4 * self._rng(1)[0] / 255), self.ends)
        if self.phase is Phase.FINISH:
            return [(path, self._finish) for path in self.paths]
        datagrams = self._forms()
        paths = self.paths if self._tries == 1 else [path for path in self.paths if path not in self.doubted]
        sending = [(path, datagram) for path in paths for datagram in datagrams]
        if self.hellos_left is not None and not self._retries:
            sending = sending[: self.hellos_left]
            self.hellos_left -= len(sending)
        return sending

    def _forms(self) -> tuple[bytes, ...]:
        """This try's datagrams: a whole Hello and, once whole hybrid ones met silence, a halved one behind it."""
        sent = self._sent
        if sent is None:
            return ()
        if not SUITES[self._suite].kem:
            return (sent.datagram,)
        if self._unanswered >= self._limits.loss_before_halving:
            return (sent.datagram, *(sent.halves if self._flags else sent.halves[:1]))
        self._unanswered += 1
        return (sent.datagram,)

    def retry(self, data: bytes, path: Path) -> tuple[bytes, bytes, int] | None:
        """Read a Retry. None to call ``again`` at once; else a puzzle (cookie, e, bits) to be solved first.

        Raises BadPacket for one that is not for the present Hello or comes too late.
        """
        if self.phase is not Phase.HELLO or self._sent is None or path not in self.paths:
            raise BadPacket("late")
        if self._retries >= self._limits.retry_max:
            raise BadPacket("retries")
        retry = self._sent.read_retry(data)
        self._retries += 1
        self.paths, self.doubted = (path,), frozenset()
        suite = choose(self._order, retry.mask)
        if suite is None:
            self.error = SuiteRefused("the server has none of the cipher suites we allow")
            self._move(Signal.GIVE_UP)
            return None
        if retry.difficulty > self._limits.puzzle_cap:
            self.error = PuzzleRefused(
                f"the server wants a puzzle of {retry.difficulty} bits; we solve at most {self._limits.puzzle_cap}"
            )
            self._move(Signal.GIVE_UP)
            return None
        self._suite, self._cookie, self._flags = suite, retry.cookie, COOKIE
        self._difficulty = retry.difficulty
        self._sent = None
        if retry.difficulty:
            self._move(Signal.PUZZLE)
            return retry.cookie, self._draw().e, retry.difficulty
        self._move(Signal.RETRY)
        return None

    def again(self, mono: float) -> Sending:
        """The fresh Hello after a Retry without a puzzle."""
        if self.phase is not Phase.HELLO:
            return []
        self._fresh(bytes(PUZZLE_SIZE))
        return self._send(mono)

    def solved(self, puzzle: bytes, mono: float) -> Sending:
        """The fresh Hello after its puzzle was solved; puzzle is the 8-byte field."""
        if self.phase is not Phase.SOLVING:
            return []
        self._move(Signal.SOLVED)
        self._fresh(puzzle)
        return self._send(mono)

    def accept(self, data: bytes, path: Path) -> Accepted | None:
        """Read an Accept. Raises BadPacket; a downgrade fails the connect by name (None)."""
        if self.phase is not Phase.HELLO or self._sent is None or path not in self.paths:
            raise BadPacket("late")
        try:
            accepted = self._sent.read_accept(data)
        except SuiteRefused as error:
            self.error = error
            self._move(Signal.GIVE_UP)
            return None
        self.paths = (path,)
        return accepted

    def finish(self, datagram: bytes, mono: float) -> Sending:
        """Send Finish, made from what ``accept`` returned."""
        self._move(Signal.ACCEPT)
        self._finish, self._sent, self._tries = datagram, None, 0
        return self._send(mono)

    @property
    def repeated(self) -> bool:
        """The present Hello or Finish was sent more than once."""
        return self._tries > 1

    def confirm(self) -> None:
        """A good packet of the server came: the session is open."""
        self._move(Signal.CONFIRM)
        self._finish = b""
