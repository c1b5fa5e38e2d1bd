"""The sender of one big object: what is there, what is under way, what is lost. Spec page: docs/spec/objects.md.

The array of pieces is a few ints with one bit a piece, so what an ack says is taken in by a handful of operations on
whole arrays, and what was sent is remembered by batch, not by packet (``rhotwist.link.batches``).

Packets that are all too big for the path look like this: small packets are answered, and of at least ten packets sent
over three timeouts none has arrived. Only then are they halved, so that a line which loses a fifth of everything makes
that mistake once in 10**7 tries. Pieces of half the size go under the same key and the next counters.

Now and then a piece is held back for a while: whoever acknowledges what was never sent has given himself away.

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
from rhotwist.moment import Rng
from rhotwist.secret.object_seal import ObjectSeal
from rhotwist.wire.object_packet import CLASSES, HALF, OBJECT_OVERHEAD, double_bits, halvings, piece_count

#: Packets of one size that must have vanished before they are halved.
VANISHED = 10
#: Of so many pieces one is held back.
HELD_OF = 64
#: So few pieces under way and none to come are the tail of an object.
TAIL = 8
#: Beats without an answer after which one a second must do.
MISSED = 8
#: Round trips below this are short beside the wait of an ack (``Limits.object_ack``).
SHORT = 0.02
#: The longest pause between two signs of life while something is under way.
PAUSE = 1.0


class ObjectOut:
    """One object on its way out.

    size_class changes when packets are halved. done: the receiver has it whole and has checked its hash. failed says
    why it is given up, None while it is not. sent_bytes is all that was sent for it.
    """

    __slots__ = (
        "_acked", "_alive_from", "_alive_last", "_batches", "_beat_at", "_beats", "_control", "_copied", "_copy_at",
        "_counter", "_data", "_flying", "_heard", "_held", "_limits", "_lost", "_moved", "_next", "_open", "_pto_at",
        "_ptos", "_rng", "_sent_at", "_spend", "_stride", "done", "failed", "halved", "seal", "sent_bytes", "size",
        "size_class", "total",
    )  # fmt: skip

    def __init__(
        self, data: bytes, seal: ObjectSeal, controller: Controller, *, limits: Limits, mono: float, rng: Rng,
        size_class: int | None = None,
    ) -> None:  # fmt: skip
        """size_class is the one that was offered; without it, the best of the controller's path."""
        self._data = memoryview(data)
        self.seal = seal
        self._control = controller
        self._limits = limits
        self._rng = rng
        self.size = len(data)
        self.size_class = controller.sizes.best if size_class is None else size_class
        self._stride = CLASSES[self.size_class]
        self.total = piece_count(self.size, self.size_class)
        self.done = False
        self.failed: str | None = None
        self.halved = 0
        self.sent_bytes = 0
        self._spend = limits.object_spend * self.size + 10 * self._stride
        # the array: acknowledged, under way, lost and to be sent again; from _next on nothing was sent, but the held
        self._acked = self._flying = self._lost = 0
        self._next = 0
        self._held = -1
        self._batches = Batches()
        self._counter = -1  # the highest counter the receiver has named
        self._open = False  # the receiver has answered
        self._heard = self._moved = self._sent_at = mono  # last ack, last that said something new, last sending
        self._ptos = 0
        self._pto_at = inf
        self._copy_at, self._copied = inf, -inf  # the last pieces under way are sent twice
        self._beats = 0
        self._beat_at = inf
        self._alive_from = self._alive_last = inf  # first and last sign of life since anything of ours arrived

    # --- what it has come to

    @property
    def delivered(self) -> int:
        """Bytes that the peer acknowledged."""
        if self.done:
            return self.size
        full = self._acked.bit_count() * self._stride
        short = self.total * self._stride - self.size
        return full - short if self._acked >> (self.total - 1) else full

    @property
    def missing(self) -> int:
        """Pieces of the present size that the peer has not acknowledged."""
        return self.total - self._acked.bit_count()

    def close(self, reason: str | None = None) -> None:
        """Give it up, or let go of what is done: nothing is under way any more and the key is erased."""
        self._control.gone(self._flying.bit_count() * self._stride)
        self._flying = self._lost = 0
        if reason is not None and not self.done:
            self.failed = self.failed or reason
        self._batches.forget_all()
        self.seal.erase()

    # --- going out

    def burst(self, mono: float) -> list[bytes]:
        """The datagrams of one quantum that may go now, all of one size but for the last; none if none may."""
        if self.done or self.failed:
            return []
        self._expire(mono)
        control, size = self._control, self._stride + OBJECT_OVERHEAD
        if not self._waiting():
            return self._tail(mono) or self._probe(mono)
        count = control.grant(mono, size)
        if not self._open:
            count = min(count, int((self._limits.object_flight - self.sent_bytes) // size) or not self.sent_bytes)
        if count <= 0:
            return self._probe(mono) if self._open else []
        # On a short way the wait for company is what an ack costs most: ask when nothing more may go before it comes.
        full = control.least < SHORT and control.inflight + (count + 1) * self._stride > control.window
        indices, mask = self._take(count)
        return self._send(indices, mask, mono, ask=full or self._ptos > 0 or not self._waiting())

    def deadline(self) -> float | None:
        """When burst or beat_due has something to do next, unless an ack comes before; None when it is over."""
        if self.done or self.failed:
            return None
        times = [self._pto_at, self._beat_at, self._batches.waiting_since + self._control.patience]
        if not self._waiting():
            times.append(self._copy_at)
        size = self._stride + OBJECT_OVERHEAD
        if self._waiting() and self._control.has_room(size) and (self._open or self._first_flight_left(size)):
            times.append(self._control.next_send)
        return min(times)

    def beat_due(self, mono: float) -> bool:
        """Whether a Beat goes now: nothing was heard for a while. It is taken for sent."""
        if self.done or self.failed or mono < self._beat_at:
            return False
        self._beats += 1
        self._beat_at = mono + (PAUSE if self._beats >= MISSED else self._beat_gap())
        return True

    def too_big(self, length: int, mono: float) -> None:
        """The system has refused a datagram of that length (EMSGSIZE); none of its burst was sent."""
        if length > self._stride + OBJECT_OVERHEAD:
            self._control.sizes.failed(self._control.sizes.asked, mono)
        elif length == self._stride + OBJECT_OVERHEAD:
            self._halve(mono)

    # --- coming in

    def have(self, bitmap: bytes, mono: float) -> None:
        """The receiver has answered the offer: these pieces of the class offered are there already."""
        bits = int.from_bytes(bitmap, "little")
        if bits >> self.total:
            raise BadPacket("index")
        if self._open:
            return  # acks have said more already
        self._open = True
        self._heard = self._moved = mono
        # what was sent behind an offer that came late, or twice, found nobody who knew its key
        late = mono - self._sent_at > self._control.pto
        gone = self._flying if late else bits & self._flying
        self._control.gone(gone.bit_count() * self._stride)
        self._flying ^= gone
        self._acked |= bits
        self._lost = (self._lost | gone) & ~bits
        if late:
            self._batches.forget_all()
        self._set_timers(mono)

    def acked(self, ack: Ack, mono: float) -> None:
        """The receiver says what it has. Raises BadPacket for what cannot be: the object is to be given up then."""
        if self.done or self.failed:
            return
        self._open = True
        self._heard = mono
        self._beats = 0
        if ack.size_class == self._control.sizes.asked and not ack.base and not ack.bitmap:
            self._control.sizes.passed(ack.size_class)
        bits, whole = self._read(ack)
        fresh = bits & ~self._acked
        control = self._control
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
            flew = fresh & self._flying
            self._acked |= fresh
            self._flying ^= flew
            self._lost &= ~fresh
            control.on_ack(flew.bit_count() * self._stride, sent_at, sample, mono)
            self._look_for_losses(mono)
        if whole:
            self.done = True
            self.close()
        self._set_timers(mono)

    # --- inside: sending

    def _waiting(self) -> bool:
        """Whether any piece is to be sent that is not under way."""
        return bool(self._lost) or self._next < self.total or self._held >= 0

    def _first_flight_left(self, size: int) -> bool:
        return not self.sent_bytes or self.sent_bytes + size <= self._limits.object_flight

    def _take(self, count: int) -> tuple[list[int], int]:
        """The next pieces to send and their bits: the lost before the new."""
        indices: list[int] = []
        mask, lost = 0, self._lost
        while lost and len(indices) < count:
            low = lost & -lost
            lost ^= low
            mask |= low
            indices.append(low.bit_length() - 1)
        self._lost = lost
        if len(indices) < count:
            mask |= self._take_new(indices, count - len(indices))
        return indices, mask

    def _take_new(self, indices: list[int], count: int) -> int:
        """Add new pieces, in order but for the one held back, and give their bits."""
        mask, acked = 0, self._acked
        while count and self._next < self.total:
            at = self._next
            if not at % HELD_OF:
                if self._held >= 0:
                    mask |= self._release(indices)
                    count -= 1
                    if not count:
                        break
                if at + HELD_OF < self.total:
                    self._held = at + self._rng(1)[0] % HELD_OF
            end = min(at + count, (at // HELD_OF + 1) * HELD_OF, self.total)
            run = (1 << end) - (1 << at)
            unwanted = run & acked
            if at <= self._held < end:
                unwanted |= 1 << self._held
            if unwanted:
                run ^= unwanted
                indices.extend(index for index in range(at, end) if run >> index & 1)
            else:
                indices.extend(range(at, end))
            mask |= run
            count -= end - at - unwanted.bit_count()
            self._next = end
        if count and self._held >= 0:
            mask |= self._release(indices)
        return mask

    def _release(self, indices: list[int]) -> int:
        held, self._held = self._held, -1
        bit = 1 << held
        if self._acked & bit:
            return 0
        indices.append(held)
        return bit

    def _send(self, indices: list[int], mask: int, mono: float, *, ask: bool) -> list[bytes]:
        if not indices:
            return []
        if self.sent_bytes > self._spend or self.seal.left < len(indices):
            self._fail("spent")
            return []
        run = self.seal.seal_run(self.size_class, indices, self._data, ask=ask)
        self._batches.add(self.seal.sealed, mask, mono)
        self._flying |= mask
        size = len(indices) * (self._stride + OBJECT_OVERHEAD)
        self.sent_bytes += size
        self._control.sent(mask.bit_count() * self._stride, mono)
        self._sent_at = mono
        self._set_timers(mono)
        return run

    def _tail(self, mono: float) -> list[bytes]:
        """Second copies of the last few pieces, on a line that loses: else its last losses cost a timeout each."""
        if mono < self._copy_at - 1e-9 or self.seal.left < TAIL:
            return []
        indices, flying = [], self._flying
        while flying:
            low = flying & -flying
            flying ^= low
            indices.append(low.bit_length() - 1)
        run = self.seal.seal_run(self.size_class, indices, self._data, ask=True)
        self._batches.add(self.seal.sealed, 0, mono)
        self.sent_bytes += sum(map(len, run))
        self._copied = mono
        self._set_timers(mono)
        return run

    def _probe(self, mono: float) -> list[bytes]:
        control = self._control
        if not self._open or not self._flying or self._alive_from != inf:
            return []
        wanted = control.sizes.wanted(mono, self.size - self.delivered)
        if wanted is None or not self.seal.left:
            return []
        control.sizes.probing(wanted, mono, control.pto)
        probe = self.seal.seal_probe(wanted)
        self._batches.add(self.seal.sealed, 0, mono)
        self.sent_bytes += len(probe)
        self._spend += len(probe)
        return [probe]

    # --- inside: losses and timers

    def _look_for_losses(self, mono: float) -> None:
        lost, sent_at = self._batches.lost(self._acked, mono - self._control.patience)
        if lost:
            self._lost |= lost
            self._flying &= ~lost
            self._control.on_loss(lost.bit_count() * self._stride, sent_at, mono)

    def _expire(self, mono: float) -> None:
        """Timers: losses by age, then the timeout."""
        if self._batches.waiting_since + self._control.patience <= mono + 1e-9:
            self._look_for_losses(mono)
        if mono < self._pto_at - 1e-9:
            return
        self._ptos += 1
        flying = self._flying
        if self._ptos == 1 and flying and self._alive_from == inf:
            # first the last piece again: the answer tells what became of the rest
            last = 1 << flying.bit_length() - 1
            self._control.gone(self._stride)
            self._flying ^= last
            self._lost |= last
            self._batches.forget(last)
        else:
            self._lost |= flying
            self._flying = 0
            self._batches.forget_all()
            self._control.on_timeout(flying.bit_count() * self._stride, mono)
        self._sent_at = mono
        self._set_timers(mono)

    def _beat_gap(self) -> float:
        return max(self._control.round_trip, self._limits.object_beat)

    def _set_timers(self, mono: float) -> None:
        if self.done or self.failed:
            self._pto_at = self._beat_at = self._copy_at = inf
            return
        pto = self._control.pto
        if self._flying and self._open:
            backoff = 1 if self._alive_from != inf else 1 << min(self._ptos, 6)
            self._pto_at = max(self._moved, self._sent_at) + min(pto * backoff, max(PAUSE, pto))
        else:
            self._pto_at = inf
        self._copy_at = inf
        tail = self._pto_at < inf and self._flying.bit_count() <= TAIL and not self._waiting()
        if tail and self._control.lossy and self._alive_from == inf:
            self._copy_at = max(mono, self._copied + self._control.round_trip)
        if not self._open or not (self._flying or self._acked.bit_count() == self.total):
            self._beat_at = inf
        elif self._beats < MISSED:
            self._beat_at = max(self._heard + self._beat_gap(), mono if self._beats else 0.0)

    # --- inside: acks

    def _read(self, ack: Ack) -> tuple[int, bool]:
        """The bits of an ack in pieces of our size, and whether it says that all is here and checked."""
        times = halvings(ack.size_class, self.size_class)
        if ack.counter >= self.seal.sealed:
            raise BadPacket("counter")
        if times is None:
            if ack.base or ack.bitmap:
                raise BadPacket("class")
            return 0, False  # a probe has arrived
        total = piece_count(self.size, ack.size_class)
        bits = int.from_bytes(ack.bitmap, "little") << ack.base | (1 << ack.base) - 1
        if ack.base > total or bits >> total:
            raise BadPacket("index")
        for _ in range(times):
            bits = double_bits(bits)
        if times:
            bits &= (1 << self.total) - 1
        unsent = bits >> self._next
        held = self._held >= 0 and bits >> self._held & 1
        if (unsent or held) and bits & ~self._acked & ~((1 << self._next) - 1 & ~self._held_bit()):
            raise BadPacket("unsent")
        return bits, ack.base == total

    def _held_bit(self) -> int:
        return 1 << self._held if self._held >= 0 else 0

    def _no_progress(self, mono: float) -> None:
        """The peer lives, and nothing of ours has come to it since it last spoke."""
        gap = 2.5 * max(self._beat_gap(), self._control.pto)
        if self._alive_from == inf or mono - self._alive_last > gap:
            self._alive_from = mono
        self._alive_last = mono
        if not self._flying or mono - self._alive_from < 3 * self._control.pto:
            return
        late = self._control.round_trip  # what went out in that time and could have been answered
        if self._batches.packets_between(self._alive_from - late, mono - late) >= VANISHED:
            self._halve(mono)

    def _halve(self, mono: float) -> None:
        """Packets of this size do not pass: each becomes two. The counter goes on."""
        half = HALF[self.size_class]
        self._control.sizes.failed(self.size_class, mono)
        if half is None:
            self._fail("no way")
            return
        self._control.gone(self._flying.bit_count() * self._stride)
        self.halved += 1
        self.size_class = half
        self._stride = CLASSES[half]
        total = piece_count(self.size, half)
        every = (1 << total) - 1
        self._acked = double_bits(self._acked) & every
        self._next = min(2 * self._next, total)
        self._held = -1
        self._flying = 0
        self._lost = every & ~self._acked & ((1 << self._next) - 1)
        self.total = total
        self._spend += 10 * self._stride + VANISHED * 4 * self._stride
        self._batches.forget_all()
        self._alive_from = inf
        self._ptos = 0
        self._sent_at = mono
        self._set_timers(mono)

    def _fail(self, reason: str) -> None:
        self.failed = reason
        self.close()
        self._set_timers(0.0)
