"""How much may be under way to one peer over one path, and how fast: CUBIC (RFC 9438) that asks the queue.

On a phone line most losses say nothing about how much fits. A loss counts as congestion only with a witness: a queue,
which is a round trip that has grown. There are lines with hardly a queue, and so three more: nearly half of a round is
lost; more is sent than before and no more arrives; or, in a trial every few thousand packets on a line that seems to
lose for no reason, the window is made smaller and the losses vanish. Then every loss counts for a while, as in plain
CUBIC. If they do not vanish they are the line's own, and the window is put back.

A queue of more than the line's own round trip is too long: it counts as a loss does, so a line that is ours alone never
holds a longer one. That too is a trial. If the queue does not drain when we step back, somebody else fills it; then we
stop stepping back for a while, or they would have the whole line.

How it does against others: ``benchmarks/links``. Times are mono seconds, sizes bytes.
"""

from __future__ import annotations

from math import inf, sqrt

from rhotwist.limits import Limits
from rhotwist.link.cubic import BETA, PACKET, Cubic
from rhotwist.link.round_trips import RoundTrips
from rhotwist.link.sizes import PathSizes
from rhotwist.link.trial import Trial

#: Bytes of a quantum at the most: what one system call sends, and for packets of which it sends few, several.
QUANTUM, QUANTUM_LARGE, LARGE = 65_000.0, 230_000.0, 2_000
#: Slow start ends when so many samples in a row are beyond this (HyStart++, RFC 9406 4.2: an eighth, 4 ms, 8).
START_SHARE, START_TIME, START_SAMPLES = 1.125, 0.004, 4
#: How fast the line delivers is measured over this share of a round trip, and this time at least.
TRAIN_SHARE, TRAIN_TIME = 1 / 8, 0.010
#: A queue is too long there: one bandwidth-delay product stands in it.
LONG_SHARE, LONG_TIME = 2.0, 0.005
#: On the shortest ways, a round trip below this says more of two processes that share their cores than of a queue.
BUSY = 0.012
#: From this share of losses on that had no witness, a line is known for them. There whoever else uses it has long been
#: driven back, and what is free may be taken faster than CUBIC does: by this share of the window a round trip.
LOSSY, REGAIN = 0.01, 1 / 16
#: No window is cut below this share of what the line has just carried: enough to drain the queue.
DRAINING = 0.9
#: Share of a round that hardly a line loses over which anything else works.
HEAVY = 0.4
#: A line is full when this much more is sent than before, less than half of it arrives, and chance does not explain it.
FULLER = 1.25
#: After so many packets on a line that seems to lose for no reason this is tried; four times as many the next time.
DOUBT = 4_000
#: A line on which losses go on below this share of the window where they began has losses of its own after all.
PLAIN_LEAST = 0.4
#: What a trial found holds this long, and twice as long the next time, up to the most.
HOLD, HOLD_MOST = 10.0, 80.0
#: Acks wait up to 5 ms for company (``Limits.object_ack``), and a timer may be as late.
SLACK = 0.010
#: A sender whose timer came late may catch up that much.
CREDIT = 0.004


class Controller(RoundTrips):
    """What all objects of one session send over one path together.

    window is what may be under way, inflight what is. round_trip, variation and least (of late) are seconds, 0 before
    the first sample. background: nobody waits for these objects, and who else wants the line has it. ``sizes`` is what
    is known of packet sizes on this path. Counted: bytes ``delivered``, ``reductions``.
    """

    __slots__ = (
        "_crowded", "_cubic", "_doubt", "_doubtful", "_excused", "_fastest", "_heard", "_hold", "_level",
        "_limited", "_limits", "_lost", "_mark", "_next", "_offered", "_over", "_passed", "_plain", "_plain_least",
        "_round", "_round_least", "_tainted", "_train", "_trial", "_usual", "_weight", "background", "delivered",
        "inflight", "reductions", "sizes", "slow_start", "window",
    )  # fmt: skip

    def __init__(self, limits: Limits, mono: float, *, round_trip: float = 0.0, background: bool = False) -> None:
        """round_trip is what the handshake or small packets have measured, 0 if nothing has."""
        super().__init__(mono, round_trip)
        self._limits = limits
        self.background = background
        self.sizes = PathSizes(limits)
        self.window = float(limits.object_flight)
        self.inflight = 0
        self.slow_start = True
        self.reductions = 0
        self._next = self._heard = mono
        self._limited = False
        # a round ends when something is acknowledged that was sent after it began
        self._round = mono
        self._passed = self._lost = 0
        self._round_least, self._tainted = inf, False
        self.delivered = 0
        self._mark = (mono, 0)  # when the round before began, and what had been delivered by then
        self._train = (mono, 0)  # since when the line's rate is being measured, and what had been delivered by then
        self._fastest = 0.0
        self._over = 0  # samples in a row that slow start should not see
        self._cubic = Cubic()
        self._excused = mono  # losses of what was sent before have had their answer
        self._usual, self._weight = 0.0, 0.0  # the share this line loses, and of how many packets that is known
        self._trial: Trial | None = None
        self._offered: list[tuple[float, float]] = []  # packets sent and arrived in each of up to three rounds
        self._level = (0.0, 0.0)  # the same of three rounds to compare with
        self._doubtful, self._doubt = 0.0, DOUBT  # packets since losses were last tried, and when they are again
        self._plain = self._crowded = mono  # every loss counts until; no queue is too long until
        self._plain_least = 0.0
        self._hold = HOLD

    # --- sending

    @property
    def rate(self) -> float:
        """Bytes a second at which packets are spread; infinite while no round trip is known."""
        if not self.round_trip:
            return inf
        return (2.0 if self.slow_start else 1.25) * self.window / self.round_trip

    def grant(self, mono: float, size: int) -> int:
        """How many packets of ``size`` bytes may go now as one quantum; 0 while the pace or the window says wait.

        A quantum is what the rate brings in a millisecond: one packet on a slow line, a whole GSO send on a fast one.
        """
        if mono < self._next - 1e-9:
            self._limited = True
            return 0
        room = self.window - self.inflight
        if room < size and self.inflight:
            self._limited = True
            return 0
        rate = self.rate
        quantum = self._limits.object_flight if rate == inf else rate * 0.001
        if quantum < 2 * size:
            return 1
        most = QUANTUM if size < LARGE else QUANTUM_LARGE
        return max(1, int(min(quantum, most, 46.0 * size, room) / size))

    @property
    def next_send(self) -> float:
        """When the pace lets the next quantum go."""
        return self._next

    def has_room(self, size: int) -> bool:
        """Whether the window lets another packet of that size go, whatever the pace says."""
        return self.inflight <= 0 or self.window - self.inflight >= size

    def sent(self, size: int, mono: float) -> None:
        """So many bytes have just been sent."""
        if self.inflight <= 0 and mono - self._heard > 1.0:
            self._rested(mono)
        self.inflight += size
        rate = self.rate
        if rate != inf:
            self._next = max(self._next, mono - CREDIT) + size / rate

    def gone(self, size: int) -> None:
        """So many bytes are no longer under way, and nothing is to be learnt from it."""
        self.inflight -= size

    @property
    def pto(self) -> float:
        """How long after the last sign the peer is asked for another (RFC 9002 6.2)."""
        if not self.round_trip:
            return 2 * self._limits.repeat_first
        return self.round_trip + 4 * self.variation + max(SLACK, self.round_trip / 8)

    @property
    def patience(self) -> float:
        """A packet older than this is lost when a later one was acknowledged (RACK, RFC 8985)."""
        return max(self.round_trip, self.latest) + max(self.least / 8, 0.002)

    # --- hearing

    def on_ack(self, size: int, sent_at: float, sample: float, mono: float) -> None:
        """size bytes were newly acknowledged; the newest packet named was sent at sent_at.

        sample is its round trip less the peer's delay, or 0 if it says nothing.
        """
        used = self.inflight
        self.inflight -= size
        self._passed += size
        self.delivered += size
        self._heard = mono
        if sample > 0:
            self._measured(sample, mono)
        if size and sent_at >= self._round:
            self._round_ends(mono)
        if size and (self._limited or used >= self.window * (0.5 if self.slow_start else 0.8)):
            self._grow(size, mono)
        self._limited = False

    def on_loss(self, size: int, sent_at: float, mono: float) -> None:
        """size bytes are taken for lost; the newest of them was sent at sent_at."""
        self.inflight -= size
        if sent_at <= self._excused:
            return
        self._lost += size
        seen = self.queue_seen()
        self._tainted = self._tainted or seen
        if self.background or mono < self._plain or seen and self.queue_seen(sure=self.lossy):
            self._reduce(mono)

    def on_timeout(self, size: int, mono: float) -> None:
        """All that was under way, size bytes, is taken for lost: nothing was heard for several timeouts."""
        self.inflight -= size
        if self.window > self._limits.object_flight:
            self._cubic.cut(self.window)
            self.window = float(self._limits.object_flight)
            self.slow_start = True
        self._trial = None
        self._new_round(mono)

    # --- inside

    def _measured(self, sample: float, mono: float) -> None:
        self.take(sample, mono)
        self._round_least = min(self._round_least, sample)
        if self.slow_start:
            self._watch_train(mono)
            late = sample > max(START_SHARE * self.least + START_TIME, BUSY)
            self._over = self._over + 1 if late else 0
            if self._over >= START_SAMPLES:
                self._start_ends(mono)

    def _grow(self, size: int, mono: float) -> None:
        window = self.window
        if self._trial is not None:
            return
        queue = self.latest - self.least
        if self.background and queue > self._limits.object_queue / 2:
            self.slow_start = False
            if queue > self._limits.object_queue:
                return
        if self.slow_start:
            window += size
            if 0 < self._cubic.top <= window:
                self.slow_start = False
        elif self.background:
            window += PACKET * size / window
        else:
            gain = self._cubic.gain(window, size, self.round_trip, mono)
            if self.lossy and not self.queue_seen():
                gain = max(gain, size * REGAIN)
            window += gain
        self.window = min(window, float(self._limits.object_window))

    def _reduce(self, mono: float) -> None:
        """Congestion: once a round trip, since what is under way now was sent before this answer to it."""
        if self.slow_start:
            self._cubic.top = 0.0
        if mono < self._plain and self.window * BETA < self._plain_least:
            self._plain, self._doubtful, self._doubt = mono, 0.0, 4 * self._doubt
            self._plain_least = 0.0
        self._cubic.cut(self.window)
        carried = 0.0 if mono < self._plain else DRAINING * self._carried(mono) / (1 - min(self._usual, 0.5))
        self.window = max(2.0 * PACKET, self.window * BETA, min(carried, self.window))
        self.slow_start = False
        self._excused = mono
        self.reductions += 1

    @property
    def lossy(self) -> bool:
        """Whether this line is known to lose packets for no reason of ours."""
        return self._weight >= 100 and self._usual >= LOSSY and not self._plain_least

    @property
    def may_lose(self) -> bool:
        """Whether so many packets get lost, for whatever reason, that the last of an object had better go twice."""
        return self._weight >= 100 and self._usual >= LOSSY / 2

    def _carried(self, mono: float) -> float:
        """Bytes that have arrived of late in one round trip without a queue."""
        since, delivered = self._mark
        return (self.delivered - delivered) / max(mono - since, 1e-6) * self.least

    def _watch_train(self, mono: float) -> None:
        since, delivered = self._train
        if mono - since >= max(TRAIN_SHARE * self.least, TRAIN_TIME):
            self._fastest = max(self._fastest, (self.delivered - delivered) / (mono - since))
            self._train = (mono, self.delivered)

    def _start_ends(self, mono: float) -> None:
        """The queue has begun to fill, and as much again is on its way: keep what the line has shown to carry.

        Packets that queued come out at the line's own rate, whatever ours was.
        """
        carries = START_SHARE * self._fastest * self.least
        self.window = min(self.window, max(carries, float(self._limits.object_flight)))
        self._excused = mono
        self._cubic.top = 0.0
        self._cubic.rest()
        self.slow_start = False
        self._over = 0

    def _new_round(self, mono: float) -> None:
        self._mark = (self._round, self.delivered - self._passed)
        self._round = mono
        self._passed = self._lost = 0
        self._round_least, self._tainted = inf, False

    def _round_ends(self, mono: float) -> None:
        passed, lost, least, tainted = self._passed, self._lost, self._round_least, self._tainted
        self._new_round(mono)
        if self._trial is not None:
            self._judge(self._trial, passed, lost, least, mono)
            return
        if self.background:
            if inf > least > self.least + self._limits.object_queue and self._excused < mono - self.round_trip:
                self._reduce(mono)
        elif mono >= self._crowded and inf > least > max(LONG_SHARE * self.least + LONG_TIME, BUSY):
            self._try(Trial(self.window, self._cubic.top, queue=least), mono)
            return
        if self._plain_least and mono >= self._plain:
            self._plain_least = 0.0
        self._count_losses(passed, lost, mono, tainted=tainted)

    def _count_losses(self, passed: int, lost: int, mono: float, *, tainted: bool) -> None:
        """Losses that no queue bears witness to: are they this line's own?"""
        packets, missing = (passed + lost) / PACKET, lost / PACKET
        if packets < 1:
            return
        if missing >= 12 and missing > (HEAVY + (self._usual if self._weight > 100 else 0)) * packets:
            self._fit(mono)
        if tainted:
            return
        self._weight = min(self._weight + packets, 400.0)
        self._usual += (missing / packets - self._usual) * min(packets / self._weight, 0.25)
        self._offered.append((packets, passed / PACKET))
        if len(self._offered) == 3 or self.slow_start and packets >= 20:
            self._compare(mono)
        if self.lossy:
            self._doubtful += packets
            if self._doubtful >= self._doubt and not self.slow_start:
                self._try(Trial(self.window, self._cubic.top, share=self._usual), mono)

    def _compare(self, mono: float) -> None:
        """Three rounds against those before: a line to which more is sent and from which no more comes is full."""
        packets, passed = (sum(rounds) for rounds in zip(*self._offered, strict=True))
        self._offered.clear()
        before, came = self._level
        if packets > FULLER * before and came > 0:
            expected = (1 - came / before) * packets
            leap = packets - passed - expected > 3 + 3 * sqrt(expected)  # more than chance does
            if leap and passed / came < (1 + packets / before) / 2:
                started = self.slow_start
                self._fit(mono)
                if not started:
                    self._plainly(mono)
                return
        if packets > FULLER * before or packets < before:
            self._level = packets, passed

    def _fit(self, mono: float) -> None:
        """No more under way than has arrived: a line that is too narrow loses next to nothing then."""
        self._reduce(mono)
        self.window = max(2.0 * PACKET, min(self.window, DRAINING * self._carried(mono)))
        self._level = 0.0, 0.0

    def _plainly(self, mono: float) -> None:
        """For a while every loss counts."""
        self._plain, self._plain_least = mono + self._hold, PLAIN_LEAST * self.window
        self._hold = min(2 * self._hold, HOLD_MOST)
        self._doubtful, self._doubt = 0.0, DOUBT

    def _try(self, trial: Trial, mono: float) -> None:
        if trial.share:
            self._fit(mono)
        else:
            self._reduce(mono)
        self._trial = trial

    def _judge(self, trial: Trial, passed: int, lost: int, least: float, mono: float) -> None:
        helped = trial.verdict(passed, lost, least)
        if helped is None:
            return
        self._trial = None
        if not helped:
            self._take_back(trial)
            if trial.queue:
                self._crowded = mono + self._hold
            else:
                self._doubtful, self._doubt = 0.0, 4 * self._doubt
        elif not trial.queue:
            self._plainly(mono)

    def _take_back(self, trial: Trial) -> None:
        self.window = max(self.window, trial.window)
        self._cubic.top = max(trial.top, trial.window)
        self._cubic.rest()

    def _rested(self, mono: float) -> None:
        """Nothing was under way for more than a second: what the window was then may not fit now (RFC 7661)."""
        flight = float(self._limits.object_flight)
        if self.window > flight:
            self._cubic.top = max(self._cubic.top, self.window)
            self.window = max(flight, self.window / 2)
            self.slow_start = True
        self._cubic.rest()
        self._next = mono
        self._new_round(mono)
