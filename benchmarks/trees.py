"""The set of 100,000 records in memory: a change, a batch, a start, beside the same tree kept as rows."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from typing import TypeVar

from rhotwist.testing.trees import MemoryLeaves, MemoryRows
from rhotwist.tree.batch import Change, merge
from rhotwist.tree.hashes import Leaf
from rhotwist.tree.heap import Heap
from rhotwist.tree.rows import Tree
from rhotwist.tree.sketch import Sketch, decode, sketch_id, subtract

COUNT = 100_000
SINGLE = 5_000
BATCH = 10_000
ROUNDS = 5
Result = TypeVar("Result")


def run() -> Iterator[dict[str, object]]:
    """Lines: microseconds a leaf for each way to change a set, then the sketch."""
    source = random.Random(1)
    leaves = sorted(_leaves(source, COUNT))
    rows, held, spare = MemoryRows(), MemoryLeaves(leaves), MemoryRows()
    took, (top, _) = _timed(lambda: merge(rows, None, leaves))
    built, heap = _timed(lambda: Heap.build(held, spare))
    yield _line("all from leaves", built / COUNT, took / COUNT, "batched rows")
    loaded, heap = _timed(lambda: Heap.load(held, spare, heap.buckets(), heap.depth))
    yield _line("all from bucket rows", loaded / COUNT, took / COUNT, "batched rows")
    tree = Tree(rows, 32, top)
    singles, rivals = [], []
    for _ in range(ROUNDS):
        ours = theirs = 0.0
        for address, leaf in _leaves(source, SINGLE // ROUNDS):
            theirs += _timed(lambda: tree.put(address, leaf))[0]  # noqa: B023 - called at once
            held.put(address, leaf)
            ours += _timed(lambda: heap.changed((address,)))[0]  # noqa: B023
        singles.append(ours * ROUNDS / SINGLE)
        rivals.append(theirs * ROUNDS / SINGLE)
    yield _line("one leaf put", _middle(singles), _middle(rivals), "rows, one by one")
    batches, rivals, top = [], [], tree.top
    for _ in range(ROUNDS):
        changes: list[Change] = [*sorted(_leaves(source, BATCH))]
        took, (top, _) = _timed(lambda: merge(rows, top, changes))  # noqa: B023
        for address, made in changes:
            held.put(address, made or b"")
        batches.append(_timed(lambda: heap.changed(address for address, _ in changes))[0] / BATCH)  # noqa: B023
        rivals.append(took / BATCH)
    yield _line(f"a leaf of {BATCH:,} put at once", _middle(batches), _middle(rivals), "batched rows")
    if top is None or heap.root != top.hash:
        raise RuntimeError("the roots differ")
    yield from _sketches(leaves)


def _sketches(leaves: list[Leaf]) -> Iterator[dict[str, object]]:
    ids = [sketch_id(*leaf) for leaf in leaves]
    whole = Sketch()
    yield _line("an id into 8,192 cells", _timed(lambda: whole.change(ids))[0] / COUNT, 10.0, "bound")
    told, took, trials = 0, 0.0, 500
    for trial in range(trials):
        ours, theirs = Sketch(88), Sketch(88)
        ours.change(ids[40 * trial : 40 * trial + 20])
        theirs.change(ids[40 * trial + 20 : 40 * trial + 40])
        seconds, found = _timed(lambda: decode(subtract(ours.first(88), theirs.first(88))))  # noqa: B023
        told += found is not None
        took += seconds
    yield _line(f"40 differences out of 88 cells, {told} of {trials} decoded", took / trials, 1_000.0, "bound")


def _leaves(source: random.Random, count: int) -> list[Leaf]:
    return [(source.randbytes(32), source.randbytes(32)) for _ in range(count)]


def _timed(action: Callable[[], Result]) -> tuple[float, Result]:
    """Microseconds of CPU it took, and what it gave."""
    start = time.process_time_ns()
    made = action()
    return (time.process_time_ns() - start) / 1_000, made


def _middle(values: list[float]) -> float:
    return sorted(values)[len(values) // 2]


def _line(what: str, ours: float, peer: float, name: str) -> dict[str, object]:
    return {
        "benchmark": "trees", "what": what, "ours": round(ours, 2), "peer": round(peer, 2), "peer_name": name,
        "ratio": round(peer / ours, 2), "unit": "us",
    }  # fmt: skip
