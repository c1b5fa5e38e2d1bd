"""New keys for a living session, so that a key stolen later opens nothing old. Spec page: docs/spec/ratchet.md.

    initiator                                      responder
    REST   start: Rekey(n+1, e_i)  ── under n ──>  REST   takes it, makes epoch n+1 ready
    ASKED                          <── under n ──  OFFERED  Rekeyed(n+1, e_r)
    takes it, sends under n+1
    MOVED  Turn (empty packet)   ── under n+1 ──>  its first good packet: sends under n+1, epoch n ends
    first good packet: n ends    <── under n+1 ──  REST   Turn
    REST

Only the initiator starts; a responder that wants new keys says RekeyWanted. Whatever has no answer is repeated by the
side that waits: Rekey, Turn and RekeyWanted. Messages that fit no row of the table below, such as late copies, are
dropped and change nothing. Counters of packets are not touched.

Messages are handed out as values: the caller seals each in one packet of its own, at once, and nothing else in it. So
the ratchet can tell them from traffic, and an idle session is not kept ratcheting by its own ratchet.
"""

from __future__ import annotations

import enum
from typing import TypeVar

import attrs

from rhotwist.errors import LocalError
from rhotwist.limits import Limits
from rhotwist.moment import Rng
from rhotwist.secret import curve
from rhotwist.secret.seal import PacketSeal


@attrs.frozen
class Rekey:
    """The initiator offers an epoch with its fresh X25519 public key, 32 bytes."""

    epoch: int
    key: bytes


@attrs.frozen
class Rekeyed:
    """The responder takes that epoch with its own."""

    epoch: int
    key: bytes


@attrs.frozen
class RekeyWanted:
    """The responder asks the initiator to start that epoch."""

    epoch: int


@attrs.frozen
class Turn:
    """An empty packet, whose use is the epoch it is sealed under."""


Message = Rekey | Rekeyed | RekeyWanted | Turn


class Phase(enum.Enum):
    """Where a side stands between two epochs."""

    REST = "rest"
    ASKED = "asked"  # initiator: Rekey sent
    MOVED = "moved"  # initiator: sends under the next epoch, has seen nothing under it
    OFFERED = "offered"  # responder: can open the next epoch, sends under the present one


class Step(enum.Enum):
    """What moves a side."""

    START = "start"
    REKEY = "rekey"
    REKEYED = "rekeyed"
    TURNED = "turned"  # the first packet under the next epoch has opened


_INITIATOR: dict[tuple[Phase, Step], Phase] = {
    (Phase.REST, Step.START): Phase.ASKED,
    (Phase.ASKED, Step.REKEYED): Phase.MOVED,
    (Phase.MOVED, Step.TURNED): Phase.REST,
}
_RESPONDER: dict[tuple[Phase, Step], Phase] = {
    (Phase.REST, Step.REKEY): Phase.OFFERED,
    (Phase.OFFERED, Step.REKEY): Phase.OFFERED,
    (Phase.OFFERED, Step.TURNED): Phase.REST,
}

#: Seconds an epoch's receive key stays after the next has taken over: 3 round trips, but within these.
LINGER_LEAST, LINGER_MOST = 1.0, 30.0
#: Seconds until the first repeat, if a round trip is not longer, and the most between two: it doubles in between.
REPEAT_LEAST, REPEAT_MOST = 0.5, 60.0
#: A responder asks by age only when the initiator, whose turn it is, is this much late.
PATIENCE = 1.25

_NEVER = float("inf")
_M = TypeVar("_M", Rekey, Rekeyed, RekeyWanted, Turn)


class Ratchet:
    """One session's ratchet over its ``PacketSeal``. Times are seconds of the monotonic clock.

    Call ``tick`` when ``deadline`` comes, after each packet opened while ``PacketSeal.turned`` is set, and at times
    while there is traffic: it learns from there when an epoch was first used.
    """

    __slots__ = (
        "_again", "_asked", "_chance", "_ended", "_first", "_forget", "_initiator", "_limits", "_own", "_pause",
        "_peer_key", "_private", "_public", "_seal", "phase",
    )  # fmt: skip

    def __init__(self, seal: PacketSeal, *, initiator: bool, rng: Rng, limits: Limits) -> None:
        self._seal = seal
        self._initiator = initiator
        self._limits = limits
        self.phase = Phase.REST
        self._private = b""
        self._public = b""
        self._peer_key = b""
        self._own = 0  # ratchet messages among the packets sealed under this key
        self._first: float | None = None  # when this epoch was first used
        self._asked: float | None = None  # since when the peer owes us a step
        self._again = _NEVER
        self._pause = 0.0
        self._forget = _NEVER
        self._ended = -_NEVER
        self._chance = rng(1)[0]

    # --- time

    def wanted(self, mono: float) -> bool:
        """Whether this epoch has been used long or often enough that a new one should begin."""
        if self.phase is not Phase.REST:
            return False
        seals = self._seal.under - self._own
        if seals <= 0:
            return False
        if self._first is None:
            self._first = mono
        return max(seals, self._seal.pieces) >= self._limits.ratchet_seals or mono >= self._first + self._age

    def expired(self, mono: float) -> bool:
        """Whether the peer has owed a step for a day: the session's keys are to be erased."""
        return self._asked is not None and mono >= self._asked + self._limits.session_unused

    def tick(self, mono: float, round_trip: float, rng: Rng) -> Message | None:
        """What is to be sent now, if anything. round_trip is 0 while unknown."""
        if mono >= self._forget:
            self._forget = _NEVER
            self._seal.forget_before()
        if self._seal.turned:
            return self._turned(mono, round_trip, rng)
        if self.phase is Phase.REST and self._asked is None and self.wanted(mono):
            if self._initiator:
                return self.start(mono, round_trip, rng)
            self._expect(mono, round_trip)
            return self._give(RekeyWanted(self._seal.epoch + 1))
        if mono < self._again:
            return None
        self._pause = min(2 * self._pause, REPEAT_MOST)
        self._again = mono + self._pause
        if self.phase is Phase.ASKED:
            return self._give(Rekey(self._seal.epoch + 1, self._public))
        if self.phase is Phase.MOVED:
            return self._give(Turn())
        return self._give(RekeyWanted(self._seal.epoch + 1))

    def deadline(self) -> float | None:
        """When ``tick`` has something to do, as far as is known; None while the epoch is unused."""
        due = min(self._again, self._forget)
        if self._asked is not None:
            due = min(due, self._asked + self._limits.session_unused)
        elif self._first is not None:
            due = min(due, self._first + self._age)
        return due if due < _NEVER else None

    # --- messages

    def start(self, mono: float, round_trip: float, rng: Rng) -> Rekey:
        """Begin the next epoch. Raises LocalError for a responder, and before the last one is settled."""
        if not self._initiator or not self._moves(Step.START):
            raise LocalError(f"no epoch can be started by this side in phase {self.phase.value}")
        self._private, self._public = curve.generate(rng)
        self._step(Step.START)
        self._expect(mono, round_trip)
        return self._give(Rekey(self._seal.epoch + 1, self._public))

    def on_wanted(self, message: RekeyWanted, mono: float, round_trip: float, rng: Rng) -> Rekey | None:
        """The responder asks: the Rekey to send, None if it is under way, done, or not ours to start."""
        if not self._initiator or message.epoch != self._seal.epoch + 1 or not self._moves(Step.START):
            return None
        if self._lingers(mono):
            return None
        return self.start(mono, round_trip, rng)

    def on_rekey(self, message: Rekey, mono: float, rng: Rng) -> Rekeyed | None:
        """The initiator offers: the Rekeyed to send, None for a late copy or another number.

        Raises BadPacket("zero") for a key of small order, and then nothing has changed.
        """
        if message.epoch != self._seal.epoch + 1 or not self._moves(Step.REKEY) or self._seal.turned:
            return None
        if self._lingers(mono):
            return None
        if self.phase is Phase.OFFERED:
            if message.key != self._peer_key:
                return None
        else:
            private, public = curve.generate(rng)
            self._seal.prepare(curve.exchange(private, message.key), message.key, public)
            self._peer_key, self._public = message.key, public
            self._step(Step.REKEY)
            self._settle()
            self._asked = mono
        return self._give(Rekeyed(message.epoch, self._public))

    def on_rekeyed(self, message: Rekeyed, mono: float, round_trip: float) -> Turn | None:
        """The responder takes: from now on we send under the new epoch, at once this; None for a late copy.

        Raises BadPacket("zero") for a key of small order, and then nothing has changed.
        """
        if message.epoch != self._seal.epoch + 1 or not self._moves(Step.REKEYED):
            return None
        self._seal.prepare(curve.exchange(self._private, message.key), self._public, message.key)
        self._seal.switch()
        self._private = self._public = b""
        self._step(Step.REKEYED)
        self._own = 0
        self._first = None
        self._expect(mono, round_trip)
        return self._give(Turn())

    def on_empty(self) -> Turn | None:
        """An empty packet has opened. A responder answers it in kind: the initiator may not know that we have turned.

        Call ``tick`` instead while ``PacketSeal.turned`` is set.
        """
        if self._initiator or not self._seal.epoch:
            return None
        return self._give(Turn())

    # --- inside

    @property
    def _age(self) -> float:
        """How old this epoch may become: the limit give or take a tenth, so that sessions do not march in step."""
        age = self._limits.ratchet_seconds * (0.9 + 0.2 * self._chance / 255)
        return age if self._initiator else age * PATIENCE

    def _lingers(self, mono: float) -> bool:
        """Whether the last epoch ended just now. No peer gets us to begin another so soon: each costs us curve work,
        and packets of the one before are on their way. It asks again.
        """
        return mono < self._ended + LINGER_LEAST

    def _moves(self, step: Step) -> bool:
        return (self.phase, step) in (_INITIATOR if self._initiator else _RESPONDER)

    def _step(self, step: Step) -> None:
        self.phase = (_INITIATOR if self._initiator else _RESPONDER)[self.phase, step]

    def _turned(self, mono: float, round_trip: float, rng: Rng) -> Turn | None:
        """The next epoch is the present one on both sides, as far as we can know."""
        self._seal.turned = False
        self._step(Step.TURNED)
        self._settle()
        self._public = self._peer_key = b""
        linger = min(max(3 * round_trip, LINGER_LEAST), LINGER_MOST) if round_trip else LINGER_MOST
        self._forget = mono + linger
        self._ended = mono
        self._chance = rng(1)[0]
        if self._initiator:
            return None
        self._own = 0
        self._first = None
        return self._give(Turn())

    def _expect(self, mono: float, round_trip: float) -> None:
        """The peer owes a step from now on, and is reminded."""
        self._asked = mono
        self._pause = max(2 * round_trip, REPEAT_LEAST)
        self._again = mono + self._pause

    def _settle(self) -> None:
        """The peer owes nothing."""
        self._asked = None
        self._again = _NEVER

    def _give(self, message: _M) -> _M:
        self._own += 1
        return message
