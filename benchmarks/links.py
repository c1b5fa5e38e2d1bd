"""Big objects over simulated bottlenecks, aioquic beside them on the same: goodput, fairness, queue. Virtual time."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator, Sequence
from random import Random
from typing import NamedTuple

from benchmarks.sides.quic_flow import QuicFlow
from rhotwist.testing.clock import Clock
from rhotwist.testing.link import Faults, Link
from rhotwist.testing.transfer import Transfer

PEER = "aioquic, CUBIC"
PART = 2_000_000


class Line(NamedTuple):
    """A bottleneck: megabits and seconds there and back, how much is sent, how many seeds of ours and of the peer's."""

    rate: float
    round_trip: float
    size: int
    seeds: int
    peer_seeds: int


LINES = (Line(10, 0.1, PART, 20, 5), Line(2, 0.3, 500_000, 20, 5), Line(100, 0.04, 10 * PART, 5, 2))
LOSSES = (0.0, 0.01, 0.03, 0.1)
#: Queues of the shared bottleneck, in bandwidth-delay products.
QUEUES = (0.1, 0.25, 0.5, 1.0, 3.0)
SHARED, SHARED_TRIP, SHARED_FROM, SHARED_TO, SHARED_SEEDS = 10, 0.05, 5.0, 30.0, 3
MTU = 1_452


def _links(line: Line, queue: float, loss: float, seed: int) -> tuple[Clock, Link, Link]:
    rate = line.rate * 125_000
    size = max(queue * rate * line.round_trip, 4 * 1_488.0)
    faults = Faults(delay=line.round_trip / 2, loss=loss, rate=rate, queue=int(size), mtu=MTU)
    return Clock(), Link(faults, Random(f"{seed}/there")), Link(faults, Random(f"{seed}/back"))


def _parts(size: int) -> list[int]:
    return [PART] * (size // PART) or [size]


def _ours(line: Line, loss: float, seed: int) -> tuple[float, float]:
    """Seconds until all had arrived, and bytes sent for each that was to be."""
    clock, there, back = _links(line, 1.0, loss, seed)
    run = Transfer(clock, there, back, _parts(line.size), random=Random(seed), size_class=5)
    clock.run(3_600, until=lambda: not run.senders)
    return run.whole_at if not run.failures else 3_600.0, run.sent / line.size


def _theirs(line: Line, loss: float, seed: int) -> tuple[float, float]:
    clock, there, back = _links(line, 1.0, loss, seed)
    run = QuicFlow(clock, there, back, line.size)
    clock.run(3_600, until=lambda: run.ended < 3_600)
    return run.ended, run.sent / line.size


def _tail(values: Sequence[float]) -> float:
    """The 99th percentile, from above: of fewer than a hundred the greatest."""
    return sorted(values)[min(len(values) - 1, int(len(values) * 0.99))]


def _row(what: str, ours: float, unit: str, peer: float | None = None, **more: object) -> dict[str, object]:
    return {
        "benchmark": "links", "what": what, "ours": ours, "peer": peer, "peer_name": None if peer is None else PEER,
        "ratio": round(ours / peer, 2) if peer else None, "unit": unit, **more,
    }  # fmt: skip


def _goodput() -> Iterator[dict[str, object]]:
    for line in LINES:
        for loss in LOSSES:
            ideal = line.size / (line.rate * 125_000)
            ours = [_ours(line, loss, seed) for seed in range(line.seeds)]
            theirs = [_theirs(line, loss, seed) for seed in range(line.peer_seeds)]
            ended = [seconds for seconds, _ in ours]
            other = [seconds for seconds, _ in theirs]
            yield _row(
                f"{line.rate:g} Mbit/s, {line.round_trip * 1000:g} ms, {line.size / 1e6:g} MB, loss {loss:.0%}",
                round(100 * ideal / statistics.median(ended), 1), "% of the link",
                round(100 * ideal / statistics.median(other), 1),
                ours_p99=round(100 * ideal / _tail(ended), 1), peer_p99=round(100 * ideal / _tail(other), 1),
                ours_sent=round(_tail([sent for _, sent in ours]), 3), seeds=[line.seeds, line.peer_seeds],
            )  # fmt: skip


def _short() -> Iterator[dict[str, object]]:
    line = Line(2, 0.3, 100_000, 100, 20)
    ended = [_ours(line, 0.1, seed)[0] for seed in range(line.seeds)]
    other = [_theirs(line, 0.1, seed)[0] for seed in range(line.peer_seeds)]
    yield _row(
        "2 Mbit/s, 300 ms, 100 kB, loss 10%", round(statistics.median(ended), 2), "s",
        round(statistics.median(other), 2), ours_p99=round(_tail(ended), 2), peer_p99=round(_tail(other), 2),
    )  # fmt: skip


class _Shared(NamedTuple):
    """Megabits a second of each of two flows, and the median queue in round trips."""

    first: float
    second: float
    queue: float


def _share(queue: float, seed: int, kinds: str) -> _Shared:
    """Two flows on one bottleneck, the second up to a second later; which kind comes first is the seed's."""
    line = Line(SHARED, SHARED_TRIP, 0, 0, 0)
    clock, there, back = _links(line, queue, 0.0, seed)
    flows: dict[int, Transfer | QuicFlow] = {}

    def begin(number: int) -> None:
        if kinds[number] == "o":
            flows[number] = Transfer(
                clock, there, back, [PART] * 40, random=Random(f"{seed}/{number}"), size_class=5
            )
        else:
            flows[number] = QuicFlow(clock, there, back, 40 * PART)

    order = range(len(kinds)) if seed % 2 else reversed(range(len(kinds)))
    begins = (0.0, Random(seed).uniform(0.1, 1.0))
    for when, number in zip(begins, order, strict=False):
        clock.at(when, begin, number)
    waits: list[float] = []
    for tick in range(int(SHARED_FROM * 100), int(SHARED_TO * 100)):
        clock.at(tick / 100, lambda _: waits.append(max(0.0, there.busy_until - clock.now) / SHARED_TRIP))
    clock.run(SHARED_FROM)
    before = [flows[number].arrived for number in range(len(kinds))]
    clock.run(SHARED_TO)
    rates = [
        (flows[number].arrived - was) * 8e-6 / (SHARED_TO - SHARED_FROM) for number, was in enumerate(before)
    ]
    return _Shared(rates[0], rates[-1], statistics.median(waits))


def _fairness() -> Iterator[dict[str, object]]:
    for kinds, name in (("oq", "beside one aioquic CUBIC flow"), ("oo", "beside one of ours")):
        for queue in QUEUES:
            runs = [_share(queue, seed, kinds) for seed in range(SHARED_SEEDS)]
            shares = [100 * run.first / (run.first + run.second) for run in runs]
            yield _row(
                f"share of {SHARED} Mbit/s, {SHARED_TRIP * 1000:g} ms {name}, queue {queue:g} BDP",
                round(statistics.median(shares), 1), "% of both",
                shares=[round(share, 1) for share in shares],
                mbit=[[round(run.first, 2), round(run.second, 2)] for run in runs],
                queue=[round(run.queue, 2) for run in runs],
            )  # fmt: skip
    for queue in QUEUES:
        runs = [_share(queue, seed, "o") for seed in range(SHARED_SEEDS)]
        yield _row(
            f"median queue of one alone, queue {queue:g} BDP at most", round(max(run.queue for run in runs), 2),
            "round trips", mbit=[round(run.first, 2) for run in runs],
        )  # fmt: skip


def _cpu() -> Iterator[dict[str, object]]:
    """What the simulation costs, all told: both ends with sealing, and the links."""
    line = LINES[2]
    start = time.process_time()
    _ours(line, 0.01, 1)
    middle = time.process_time()
    _theirs(line, 0.01, 1)
    end = time.process_time()
    yield _row(
        f"CPU of both ends and the link, {line.size / 1e6:g} MB at loss 1%", round(middle - start, 2), "s",
        round(end - middle, 2),
    )  # fmt: skip


def run() -> Iterator[dict[str, object]]:
    """Goodput, a short object, fairness and queue, CPU."""
    yield from _goodput()
    yield from _short()
    yield from _fairness()
    yield from _cpu()
