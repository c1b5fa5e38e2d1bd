"""The directory on disk with 100,000 records: a commit, a batch, a start, an audit, beside a row for each node."""

from __future__ import annotations

import gc
import json
import os
import random
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import TypeVar

from rhotwist.directory.admission import Put
from rhotwist.directory.record import read_layout
from rhotwist.store import records
from rhotwist.store.audit import audit
from rhotwist.store.directory import KIND
from rhotwist.store.replica import Replica
from rhotwist.store.upgrade import bring_up, connect

COUNT = int(os.environ.get("RHO_STORE_COUNT", "100000"))
"""Records that are there before anything is measured."""
LOAD = 20_000
SINGLE = 1_000
BATCH = 10_000
ROUNDS = 3
JUNK = 7
"""Strangers' records for each honest one."""
SIZE = 160
"""Bytes of a record, its signature and work included."""
#: Issued, life, and one endpoint, of IPv4.
_REST = bytes.fromhex("00000000 02d0 01 01 08080808 1d24")
_EXTENSION = SIZE - 35 - len(_REST) - 1 - 72
Result = TypeVar("Result")


class _Kept:
    """A replica of one kind over a file of its own, with the pragmas of a node, driven without a thread."""

    def __init__(self, folder: Path, name: str, *, reference: bool = False, cells: int) -> None:
        self.path = folder / f"{name}.db"
        bring_up(self.path, KIND)
        self.connection = connect(self.path, "rw")
        self.connection.execute("PRAGMA synchronous = NORMAL")
        self.replica = Replica(os.urandom, reference=reference, cells=cells)

    def commit(self, puts: Sequence[Put]) -> None:
        """One transaction, as the writer makes it."""
        self.connection.execute("BEGIN IMMEDIATE")
        self.replica.apply(self.connection, puts, ())
        self.connection.execute("COMMIT")

    def bytes(self) -> int:
        """What the file takes with all that was written in it."""
        self.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return self.path.stat().st_size


def run() -> Iterator[dict[str, object]]:
    """Lines: microseconds a record of three replicas fed the same, in turns; then what a start and an audit take."""
    with tempfile.TemporaryDirectory() as name:
        folder, source = Path(name), random.Random(1)
        rows = _Kept(folder, "rows", reference=True, cells=0)
        bare = _Kept(folder, "bare", cells=0)
        ours = _Kept(folder, "ours", cells=8_192)
        rivals = (rows, bare, ours)
        empty = ours.bytes()
        for _ in range(0, COUNT, LOAD):
            puts = _puts(source, min(LOAD, COUNT))
            for kept in rivals:
                kept.commit(puts)
        size = (ours.bytes() - empty) / ours.replica.state.count
        yield _line(f"disk a leaf, records of {SIZE} bytes", size, 275.0, "bound", "B")
        yield from _writes(rivals, source)
        if len({kept.replica.state.root for kept in rivals}) != 1:
            raise RuntimeError("the roots differ")
        yield from _starts(ours)
        yield from _beside_junk(_Kept(folder, "junk", cells=8_192), source)
    for way in ("bundle", "network"):
        for bits in (0, 1):
            yield from _ingest(way, bits)


def _writes(rivals: Sequence[_Kept], source: random.Random) -> Iterator[dict[str, object]]:
    for what, batch, count in (("one record, one commit", 1, SINGLE), (f"a record of {BATCH:,}, one commit", BATCH, 1)):
        took: list[list[float]] = [[], [], []]
        for _ in range(ROUNDS):
            batches = [_puts(source, batch) for _ in range(count)]
            for kept, figures in zip(rivals, took, strict=True):
                figures.append(_timed(lambda: [kept.commit(puts) for puts in batches])[0] / batch / count)  # noqa: B023
        peer, bare, sketched = map(statistics.median, took)
        yield _line(f"{what}, no sketch", bare, peer, "rows of nodes")
        yield _line(f"{what}, sketch kept", sketched, peer, "rows of nodes without")


def _starts(kept: _Kept) -> Iterator[dict[str, object]]:
    count = kept.replica.state.count
    kept.connection.close()
    with closing(connect(kept.path, "rw")) as connection:
        fresh = Replica(os.urandom)
        took, state = _timed(lambda: fresh.follow(connection))
        yield _line(f"start with {count:,}: root known", took / 1_000, 150.0, "bound", "ms")
        if state.root != kept.replica.state.root:
            raise RuntimeError("the root is another after a start")
        took, found = _timed(lambda: audit(connection, False))
        yield _line(f"audit of {count:,} leaves", took / 1_000, 2_000.0, "bound", "ms")
        took, whole = _timed(lambda: audit(connection, True))
        yield _line(f"audit of {count:,} leaves and records", took / 1_000, None, None, "ms")
        if found.damage or whole.damage:
            raise RuntimeError(f"damage: {found.damage} {whole.damage}")
        yield from _reads(connection)


def _reads(connection: sqlite3.Connection) -> Iterator[dict[str, object]]:
    addresses = [row[0] for row in connection.execute("SELECT address FROM leaf ORDER BY seq DESC LIMIT 5000")]
    yield _line("a record looked up and hashed, p99", _looked_up(connection, addresses), 50.0, "bound")


def _beside_junk(kept: _Kept, source: random.Random) -> Iterator[dict[str, object]]:
    """Seven strangers' records to an honest one, all of which are under the cap: what finding each honest one takes."""
    honest = []
    for _ in range(0, COUNT, LOAD):
        puts = _puts(source, min(LOAD, COUNT))
        honest += [put.address for put in puts]
        kept.commit(puts)
        for _ in range(JUNK):
            kept.commit(_puts(source, len(puts)))
    source.shuffle(honest)
    what = f"each of {len(honest):,} looked up among {kept.replica.state.count:,}, p99"
    yield _line(what, _looked_up(kept.connection, honest), 100.0, "bound")


def _looked_up(connection: sqlite3.Connection, addresses: Sequence[bytes]) -> float:
    """The 99th percentile of looking up each, in microseconds. All must be there."""
    took = []
    for address in addresses:
        start = time.perf_counter_ns()
        found = records.in_tree(connection, address)
        took.append((time.perf_counter_ns() - start) / 1_000)
        if found is None:
            raise RuntimeError(f"{address.hex()} was not found")
    return sorted(took)[len(took) * 99 // 100]


def _ingest(way: str, bits: int) -> Iterator[dict[str, object]]:
    """Records into a node that has none, in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.sides.ingest", str(LOAD), way, str(bits)]
    lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    told = json.loads(lines[-1])
    if told["records"] != LOAD:
        raise RuntimeError(f"{told['records']} records of {LOAD} arrived")
    what = f"{LOAD:,} from {'a bundle' if way == 'bundle' else 'a peer'}, signature{' and work' * bits} checked"
    yield _line(what + ", stored: a record", 1e6 * told["seconds"] / LOAD, 100.0, "bound")
    yield _line("the same: how late the reactor is, p99", 1e3 * told["lag"], 20.0, "bound", "ms")


def _puts(source: random.Random, count: int) -> list[Put]:
    """Records as admission gives them; no signature is made, as none is looked at here."""
    made = []
    for _ in range(count):
        extension = bytes((_EXTENSION,)) + source.randbytes(_EXTENSION)
        body = b"".join((b"\1\1\1", source.randbytes(32), _REST, extension))
        record = read_layout(body + source.randbytes(72))
        made.append(Put(record.address, record.leaf, record, False))
    return made


def _timed(action: Callable[[], Result]) -> tuple[float, Result]:
    """Microseconds it took, and what it gave."""
    gc.collect()
    start = time.perf_counter_ns()
    made = action()
    return (time.perf_counter_ns() - start) / 1_000, made


def _line(what: str, ours: float, peer: float | None, name: str | None, unit: str = "us") -> dict[str, object]:
    return {
        "benchmark": "store", "what": what, "ours": round(ours, 1), "peer": peer and round(peer, 1), "peer_name": name,
        "ratio": peer and round(peer / ours, 2), "unit": unit,
    }  # fmt: skip
