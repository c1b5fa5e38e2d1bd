"""One session: a shared secret, a path, the requests under way. Small when idle, and it never calls anybody.

Times are seconds of the monotonic clock. What is to be sent comes back as plain frames; ``sealed`` makes datagrams of
them.
"""

from __future__ import annotations

from typing import Any

from rhotwist.keys.pair import SeedKey
from rhotwist.limits import Limits
from rhotwist.link.messages import Ping, Redirect
from rhotwist.link.roam import Candidate
from rhotwist.link.small import Exchange
from rhotwist.secret.ratchet import Ratchet
from rhotwist.secret.seal import PacketSeal
from rhotwist.secret.stream_seal import StreamSeal
from rhotwist.wire.datagram import Path
from rhotwist.wire.frame import pack_control

#: Seconds between Pings while something is under way and nothing is heard, and the most while the peer stays silent.
BEAT = 5.0
#: An initiator whose requests meet silence for this long opens a new session beside the old one.
REDIAL = 4.0
#: Sessions opened from both ends within so many seconds have crossed. After more, whoever opens another has lost the
#: one before, as a node that was killed has.
CROSSING = 3.0


class Session:
    """A live shared secret between own and peer (Ed25519 identities, 32 bytes each).

    code is ours, by which packets find this session; binding is the handshake hash that wallet proofs sign. proven_own
    are wallets we have proven to the peer, proven_peer those it has proven to us.

    Of a responder, until the client is heard: finish is the Finish that opened it, welcome the T to repeat, first the
    frame that came with Finish. continues is the older session whose exchange this one takes over, successor who took
    over ours.
    """

    __slots__ = (
        "alive", "beat", "binding", "code", "confirmed", "continues", "due", "ends", "exchange", "finish", "first",
        "heard", "identity", "keep", "keep_step", "objects", "opened", "own", "path", "peer", "peer_done", "proven_own",
        "proven_peer", "ratchet", "redialled", "redirect", "roam", "seal", "streams", "successor", "suite", "touched",
        "warm", "welcome", "welcomes",
    )  # fmt: skip

    seal: PacketSeal

    def __init__(self, path: Path, *, own: bytes, peer: bytes, suite: int, mono: float) -> None:
        self.path = path
        self.own = own
        self.peer = peer
        self.suite = suite
        self.code = 0
        self.binding = b""
        self.identity: SeedKey | None = None
        self.confirmed = False
        self.finish = self.first = self.welcome = b""
        self.welcomes = 0
        self.continues: Session | None = None
        self.successor: Session | None = None
        self.exchange: Exchange[Any] | None = None
        self.objects: Any = None  # node.objects.Objects, from the first big one on
        self.ratchet: Ratchet | None = None
        self.streams: StreamSeal | None = None
        self.roam: Candidate | None = None
        self.proven_own: frozenset[bytes] = frozenset()
        self.proven_peer: frozenset[bytes] = frozenset()
        self.redirect: Redirect | None = None
        self.opened = self.heard = self.alive = self.touched = mono
        self.beat = 0.0
        self.keep = 0.0
        self.keep_step = 0.0
        self.due: float | None = None
        self.ends: float | None = None
        self.peer_done = False
        self.redialled = False
        self.warm = False

    def keyed(self, seal: PacketSeal, code: int, binding: bytes) -> None:
        """Give a session its keys, before anybody can reach it."""
        self.seal, self.code, self.binding = seal, code, binding

    @property
    def initiator(self) -> bool:
        """We opened it; then identity is the key pair we did it with."""
        return self.identity is not None

    def __repr__(self) -> str:
        side = "initiator" if self.initiator else "responder"
        return f"<Session {self.code:08x} {side} with {self.peer.hex()[:8]}>"

    def requests(self, limits: Limits) -> Exchange[Any]:
        """The exchange, made when first needed: an idle session has none."""
        if self.exchange is None:
            self.exchange = Exchange(limits)
        return self.exchange

    @property
    def busy(self) -> bool:
        """Something of ours is under way."""
        return self.exchange is not None and self.exchange.busy

    @property
    def draining(self) -> bool:
        """A better session has taken over; nothing new starts here."""
        return self.ends is not None

    def round_trip(self, limits: Limits) -> float:
        """Seconds; what a request waits for its first repeat while none was measured."""
        return (self.exchange.round_trip if self.exchange else 0.0) or limits.repeat_first

    def candidate(self, path: Path, size: int, mono: float, data: bytes, limits: Limits) -> bytes | None:
        """Book a newest packet from another address than the peer's; the 8 bytes to challenge it with, if it is time.

        data is 8 fresh random bytes, used when the address is new.
        """
        if self.roam is None or self.roam.path != path:
            last = self.roam.asked if self.roam is not None else float("-inf")
            self.roam = Candidate(path, data)
            if mono - last < self.round_trip(limits):  # one challenge per round trip, whichever address asks for it
                self.roam.asked = last
        return self.roam.data if self.roam.heard(size, mono, self.round_trip(limits)) else None

    def moved(self, path: Path, data: bytes) -> list[bytes] | None:
        """The answer to a challenge came from path: follow the candidate. The replies it is owed."""
        roam = self.roam
        if roam is None or roam.path != path or roam.data != data:
            return None
        self.path, self.roam = path, None
        taken = self.exchange.taken if self.exchange is not None else {}
        replies = [taken[number].frame for number in roam.owed if number in taken]
        return [frame for frame in replies if frame is not None]

    def dead(self, mono: float, limits: Limits) -> bool:
        """Something is under way and no authenticated packet has come for as long as a session survives that."""
        return self.confirmed and self.busy and mono >= max(self.heard, self.alive) + limits.session_dead

    def silent(self, mono: float) -> bool:
        """It is time to try a new session beside this one."""
        return self._redial is not None and mono >= self._redial

    @property
    def _redial(self) -> float | None:
        """When silence will have lasted too long: after an unanswered request, or a Ping if all are held."""
        if not self.initiator or not self.confirmed or self.redialled or self.draining or self.exchange is None:
            return None
        if not self.exchange.busy:
            return None
        return max(self.heard, self.alive) + (REDIAL if self.exchange.outstanding else BEAT + REDIAL)

    def pings(self, mono: float) -> list[bytes]:
        """A Ping when one is due: to know that the peer lives, or to keep a NAT's door open."""
        frames = []
        # The very sum that deadline() gives: a difference may be rounded to less, and then nothing is ever due.
        if self.busy and mono >= max(self.heard, self.alive, self.beat) + BEAT:
            self.beat = mono
            frames.append(pack_control(Ping.identifier, Ping(nonce=0).encode()))
        if self.keep and mono >= self.keep:
            self.keep = mono + self.keep_step
            frames.append(pack_control(Ping.identifier, Ping(nonce=1).encode()))
        return frames

    def kept(self, mono: float, limits: Limits) -> None:
        """A keep-alive was answered: the next may come later."""
        if self.keep:
            if not self.path.stream:  # a connection must not idle as long as a NAT lets it
                self.keep_step = min(self.keep_step * 2, limits.keepalive_most)
            self.keep = mono + self.keep_step

    def deadline(self, limits: Limits) -> float | None:
        """When this session has something to do next."""
        due = []
        if self.exchange is not None:
            if (first := self.exchange.deadline()) is not None:
                due.append(first)
            if self.exchange.busy:
                since = max(self.heard, self.alive)
                due.append(max(since, self.beat) + BEAT)
                if self.confirmed:
                    due.append(since + limits.session_dead)
                if self._redial is not None:
                    due.append(self._redial)
        if self.keep:
            due.append(self.keep)
        if self.ends is not None:
            due.append(self.ends)
        if self.ratchet is not None and (first := self.ratchet.deadline()) is not None:
            due.append(first)
        return min(due, default=None)


def crossed(one: Session, other: Session) -> tuple[Session, Session]:
    """Winner and loser of two sessions opened from both ends: the lower initiator's if they crossed, else the later."""
    if abs(one.opened - other.opened) > CROSSING:
        return (one, other) if one.opened > other.opened else (other, one)
    initiator = one.own if one.initiator else one.peer
    rival = other.own if other.initiator else other.peer
    return (one, other) if initiator < rival else (other, one)
