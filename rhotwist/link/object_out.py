"""The sender of one big object: what is there, what is under way, what is lost. Spec page: docs/spec/objects.md.

The array of pieces is a few ints (``rhotwist.link.pieces``), and what was sent is remembered by batch, not by packet
(``rhotwist.link.batches``).

Packets that are all too big for the path look like this: small packets are answered, and of at least ten packets sent
over three timeouts none has arrived. Only then are they halved, so that a line which loses a fifth of everything makes
that mistake once in 10**7 tries. Pieces of half the size go under the same key and the next counters.

Sans I/O. ``burst`` gives the datagrams that may go now, until it gives none; ``deadline`` is when to ask again, and so
is each ack for any object of the same controller. Times are mono seconds.
"""

from __future__ import annotations

from math import inf

from rhotwist.errors import BadPacket
from rhotwist.limits import Limits
from rhotwist.link.batches import Batches
from rhotwist.link.congestion import Controller
from rhotwist.link.messages import Ack
from rhotwist.link.pieces import Pieces
from rhotwist.moment import Rng
from rhotwist.secret.object_seal import ObjectSeal
from rhotwist.wire.datagram import Train
from rhotwist.wire.object_packet import OBJECT_OVERHEAD, piece_count

#: Packets of one size that must have vanished before they are halved.
VANISHED = 10
#: So few pieces under way and none to come, and a share so small of the object, are its tail.
TAIL = 8
#: Beats without an answer after which one a second must do, and nothing else goes.
MISSED = 8
#: Round trips below this are short beside the wait of an ack (``Limits.object_ack``).
SHORT = 0.02
#: Windows below this hold little more than twice what is acknowledged at once anyway.
NARROW = 2_400_000
#: The longest pause between two signs of life while something is under way.
PAUSE = 1.0


class ObjectOut:
    """One object on its way out.

    size_class changes when packets are halved. done: the receiver has it whole and has checked its hash. failed says
    why it is given up, None while it is not. sent_bytes is all that was sent for it.
    """

    __slots__ = (
        "_alive_from", "_alive_last", "_ask_after", "_batches", "_beat_at", "_beat_first", "_beaten", "_beats",
        "_control", "_copied", "_copy_at", "_counter", "_data", "_flight", "_head", "_heard", "_limits", "_moved",
        "_open", "_pieces", "_pto_at", "_ptos", "_sent_at", "_spend", "done", "failed", "halved", "seal",
        "sent_bytes", "size",
    )  # fmt: skip

    def __init__(
        self, data: bytes, seal: ObjectSeal, controller: Controller, *, limits: Limits, mono: float, rng: Rng,
        size_class: int | None = None, head: bytes = b"", flight: int | None = None,
    ) -> None:  # fmt: skip
        """size_class is the one that was offered; without it, the best of the controller's path. head, shorter than the
        smallest piece, is the beginning of the object, so that nobody has to copy data behind it. flight is how many
        bytes may go before the offer is answered, ``Limits.object_flight`` without it.
        """
        self._head = head
        self._data = memoryview(data)
        self.seal = seal
        self._control = controller
        self._limits = limits
        self._flight = limits.object_flight if flight is None else flight
        self._pieces = Pieces(len(head) + len(data), controller.sizes.best if size_class is None else size_class, rng)
        self.size = len(head) + len(data)
        self.done = False
        self.failed: str | None = None
        self.halved = 0
        self.sent_bytes = self._ask_after = 0
        self._spend = limits.object_spend * self.size + 10 * self._pieces.stride
        self._batches = Batches()
        self._counter = -1  # the highest counter the receiver has named
        self._open = False  # the receiver has answered
        self._heard = self._moved = self._sent_at = mono  # last ack, last that said something new, last sending
        self._ptos = 0
        self._pto_at = inf
        self._copy_at, self._copied = inf, -inf  # the last pieces under way are sent twice
        self._beats, self._beaten = 0, -inf  # without an answer; when the last went
        self._beat_first = -inf  # when the first of them went
        self._beat_at = inf
        self._alive_from = self._alive_last = inf  # first and last sign of life since anything of ours arrived

    # --- what it has come to

    @property
    def delivered(self) -> int:
        """Bytes that the peer acknowledged."""
        if self.done:
            return self.size
        return self._pieces.delivered

    @property
    def size_class(self) -> int:
        """The present one; it changes when packets are halved."""
        return self._pieces.size_class

    @property
    def total(self) -> int:
        """Pieces of the present class."""
        return self._pieces.total

    @property
    def missing(self) -> int:
        """Pieces of the present class that the peer has not acknowledged."""
        return self._pieces.total - self._pieces.here.bit_count()

    def close(self, reason: str | None = None) -> None:
        """Give it up, or let go of what is done: nothing is under way any more and the key is erased."""
        self._control.gone(self._pieces.lose(self._pieces.flying))
        if reason is not None and not self.done:
            self.failed = self.failed or reason
        self.seal.erase()

    # --- going out

    def burst(self, mono: float) -> Train | None:
        """The datagrams of one quantum that may go now; None if none may."""
        if self.done or self.failed or self._silent:
            return None
        self._expire(mono)
        control, pieces = self._control, self._pieces
        size = pieces.stride + OBJECT_OVERHEAD
        probe = self._probe(mono)
        if probe is not None:
            return probe
        if not pieces.waiting:
            return self._tail(mono)
        count = control.grant(mono, size)
        if not self._open:
            count = min(count, (self._flight - self.sent_bytes) // size or not self.sent_bytes)
        if count <= 0:
            return None
        # On a short way the wait for company is what an ack costs most: ask when nothing more may go before it comes.
        left = control.window - control.inflight - count * pieces.stride
        full = left < pieces.stride and control.least < SHORT and control.window < NARROW
        full = full and self.sent_bytes >= self._ask_after
        if full:
            self._ask_after = self.sent_bytes + int(control.window / 2)
        if self.sent_bytes > self._spend or self.seal.left < count:
            self._fail("spent")
            return None
        indices, mask = pieces.take(count)
        return self._send(indices, mask, mono, ask=full or self._ptos > 0 or not pieces.waiting)

    def deadline(self) -> float | None:
        """When burst or beat_due has something to do next, unless an ack comes before; None when it is over."""
        if self.done or self.failed:
            return None
        if self._silent:
            return self._beat_at
        times = [self._pto_at, self._beat_at, self._batches.waiting_since + self._control.patience]
        waiting = self._pieces.waiting
        if not waiting:
            times.append(self._copy_at)
        size = self._pieces.stride + OBJECT_OVERHEAD
        if waiting and self._control.has_room(size) and (self._open or self._first_flight_left(size)):
            times.append(self._control.next_send)
        return min(times)

    @property
    def stalled(self) -> bool:
        """It has something to send, and the window no room for it."""
        return self._pieces.waiting and not self._control.has_room(self._pieces.stride + OBJECT_OVERHEAD)

    def beat_due(self, mono: float) -> bool:
        """Whether a Beat goes now: nothing was heard for a while. It is taken for sent."""
        if self.done or self.failed or mono < self._beat_at:
            return False
        if not self._beats:
            self._beat_first = mono
        self._beats += 1
        self._beaten = mono
        self._set_timers(mono)
        return True

    def too_big(self, length: int, mono: float) -> None:
        """The system has refused a datagram of that length (EMSGSIZE); none of its burst was sent."""
        size = self._pieces.stride + OBJECT_OVERHEAD
        if length > size:
            self._control.sizes.failed(self._control.sizes.asked, mono)
        elif length == size:
            self._halve(mono)

    # --- coming in

    def have(self, bitmap: bytes, mono: float) -> None:
        """The receiver has answered the offer: these pieces of the class offered are there already."""
        bits = int.from_bytes(bitmap, "little")
        pieces = self._pieces
        if bits >> pieces.total:
            raise BadPacket("index")
        if self._open:
            return  # acks have said more already
        self._open = True
        self._heard = self._moved = mono
        # what was sent behind an offer that came late, or twice, found nobody who knew its key
        late = mono - self._sent_at > self._control.pto
        self._control.gone(pieces.arrived(bits))
        if late:
            self._control.gone(pieces.lose(pieces.flying))
            self._batches.forget_all()
        self._set_timers(mono)

    def acked(self, ack: Ack, mono: float) -> None:
        """The receiver says what it has. Raises BadPacket for what cannot be: the object is to be given up then."""
        if self.done or self.failed:
            return
        self._open = True
        self._heard = mono
        if self._beats:
            self._control.guess(mono - self._beat_first)
            self._beats = 0
        if ack.size_class == self._control.sizes.asked and not ack.base and not ack.bitmap:
            self._control.sizes.passed(ack.size_class)
        pieces, control = self._pieces, self._control
        if ack.counter >= self.seal.sealed:
            raise BadPacket("counter")
        bits = pieces.read(ack)
        fresh = bits & ~pieces.here
        sent_at, sample = -inf, 0.0
        advanced = ack.counter > self._counter and bool(bits or self._counter >= 0)
        if fresh or advanced:
            self._alive_from = inf
            self._ptos = 0
            self._moved = mono
        else:
            self._no_progress(mono)
        if advanced:
            self._counter = ack.counter
            sent_at = self._batches.acknowledged(ack.counter)
            waited = ack.delay / 10_000
            if fresh and waited <= control.pto:
                sample = mono - sent_at - waited
        if fresh or advanced:
            control.on_ack(pieces.arrived(bits), sent_at, sample, mono)
        if ack.base and ack.base == piece_count(self.size, ack.size_class):
            self.done = True
            self.close()
        self._set_timers(mono)

    # --- inside: sending

    def _first_flight_left(self, size: int) -> bool:
        return not self.sent_bytes or self.sent_bytes + size <= self._flight

    def _send(self, indices: list[int], mask: int, mono: float, *, ask: bool) -> Train | None:
        if not indices:
            return None
        run = self.seal.seal_run(self.size_class, indices, self._data, ask=ask, head=self._head)
        self._batches.add(self.seal.sealed, mask, mono)
        self.sent_bytes += len(indices) * (self._pieces.stride + OBJECT_OVERHEAD)
        self._control.sent(len(indices) * self._pieces.stride, mono)
        self._sent_at = mono
        self._set_timers(mono)
        return run

    def _tail(self, mono: float) -> Train | None:
        """Second copies of the last few pieces, on a line that loses: else its last losses cost a timeout each."""
        if mono < self._copy_at - 1e-9:
            return None
        run = self.seal.seal_run(self.size_class, self._pieces.tail, self._data, ask=True, head=self._head)
        self._batches.add(self.seal.sealed, 0, mono)
        self.sent_bytes += len(run.data)
        self._copied = mono
        self._set_timers(mono)
        return run

    def _probe(self, mono: float) -> Train | None:
        control = self._control
        if self._counter < 0 or not self._pieces.flying or self._alive_from != inf:
            return None
        wanted = control.sizes.wanted(mono, control.delivered + self.size - self.delivered)
        if wanted is None or not self.seal.left:
            return None
        control.sizes.probing(wanted, mono, control.pto)
        probe = self.seal.seal_probe(wanted)
        self._batches.add(self.seal.sealed, 0, mono)
        self.sent_bytes += len(probe)
        self._spend += len(probe)
        return Train(probe, len(probe))

    # --- inside: losses and timers

    def _look_for_losses(self, mono: float) -> None:
        lost, sent_at = self._batches.lost(self._pieces.here, mono - self._control.patience)
        if lost:
            self._control.on_loss(self._pieces.lose(lost), sent_at, mono)

    def _expire(self, mono: float) -> None:
        """Timers: losses by age, then the timeout."""
        if self._batches.waiting_since + self._control.patience <= mono + 1e-9:
            self._look_for_losses(mono)
        if mono < self._pto_at - 1e-9:
            return
        pieces, flying = self._pieces, self._pieces.flying
        if not flying:  # all of it has just been taken for lost
            self._set_timers(mono)
            return
        self._ptos += 1
        if self._ptos == 1 and self._alive_from == inf:
            # first the last piece again: the answer tells what became of the rest
            last = 1 << flying.bit_length() - 1
            self._batches.forget(last)
            self._control.gone(pieces.lose(last))
        else:
            self._batches.forget_all()
            self._control.on_timeout(pieces.lose(flying), mono)
        self._sent_at = mono
        self._set_timers(mono)

    @property
    def _silent(self) -> bool:
        """So many beats went unanswered that nothing but beats goes any more."""
        return self._beats >= MISSED

    def _beat_gap(self) -> float:
        return max(self._control.round_trip, self._limits.object_beat)

    def _set_timers(self, mono: float) -> None:
        if self.done or self.failed:
            self._pto_at = self._beat_at = self._copy_at = inf
            return
        pto, pieces = self._control.pto, self._pieces
        if pieces.flying and self._open:
            backoff = 1 if self._alive_from != inf else 1 << min(self._ptos, 6)
            self._pto_at = max(self._moved, self._sent_at) + min(pto * backoff, max(PAUSE, pto))
        else:
            self._pto_at = inf
        self._copy_at = inf
        few = pieces.flying.bit_count() <= min(TAIL, pieces.total // TAIL)
        tail = few and self._pto_at < inf and not pieces.waiting
        if tail and self.seal.left >= TAIL and self._control.may_lose and self._alive_from == inf:
            self._copy_at = max(mono, self._copied + self._control.round_trip)
        if not self._open or not (pieces.flying or not self.missing):
            self._beat_at = inf
        else:
            self._beat_at = max(self._heard, self._beaten) + (PAUSE if self._silent else self._beat_gap())

    # --- inside: acks

    def _no_progress(self, mono: float) -> None:
        """The peer lives, and nothing of ours has come to it since it last spoke."""
        gap = 2.5 * max(self._beat_gap(), self._control.pto)
        if self._alive_from == inf or mono - self._alive_last > gap:
            self._alive_from = mono
        self._alive_last = mono
        if not self._pieces.flying or mono - self._alive_from < 3 * self._control.pto:
            return
        late = self._control.round_trip  # what went out in that time and could have been answered
        if self._batches.packets_between(self._alive_from - late, mono - late) >= VANISHED:
            self._halve(mono)

    def _halve(self, mono: float) -> None:
        """Packets of this size do not pass: each becomes two. The counter goes on."""
        pieces = self._pieces
        self._control.sizes.failed(pieces.size_class, mono)
        self._control.gone(pieces.lose(pieces.flying))
        if not pieces.halve():
            self._fail("no way")
            return
        self.halved += 1
        self._spend += 50 * pieces.stride
        self._batches.forget_all()
        self._alive_from = inf
        self._ptos = 0
        self._sent_at = mono
        self._set_timers(mono)

    def _fail(self, reason: str) -> None:
        self.failed = reason
        self.close()
        self._set_timers(0.0)
