"""Two trees of 100,000 records compared over loopback sessions: sealed bytes and round trips, beside negentropy."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
from collections.abc import Iterator

COUNT = int(os.environ.get("RHO_COUNT", "100000"))
SETS = int(os.environ.get("RHO_SETS", "20"))
DIFFERENCES = (1, 10, 40, 100, 1_000, 5_000)
#: Bytes a difference, bounds of the design; below 40 bytes in all.
BOUNDS = {1: 1_450, 10: 1_450, 40: 1_450, 100: 45, 1_000: 28, 5_000: 25}
WALK_BOUND = 300


def run() -> Iterator[dict[str, object]]:
    """Lines: medians of the sets. Bytes are those of sealed datagrams both ways, less the records; negentropy's are its
    bare messages, without the 32 bytes that fetching an id takes.
    """
    arguments = [str(COUNT), str(SETS), *map(str, DIFFERENCES)]
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.sides.sync_ours", *arguments], stdout=subprocess.PIPE, text=True, check=True
    )
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    for some in DIFFERENCES:
        for how in ("sketch", "walk"):
            found = [line for line in lines if line["d"] == some and line["how"] == how]
            if not found:
                continue
            per = 1 if some <= 40 else some
            middle = {name: statistics.median(line[name] for line in found) for name in found[0] if name != "how"}
            unit = "bytes" if per == 1 else "bytes a difference"
            what = f"{some:,} differences" + ("" if how == "sketch" else ", walked")
            yield _line(
                f"{what}: until both know them", middle["known"] / per, middle["peer"] / per, "negentropy", unit
            )
            bound = BOUNDS[some] if how == "sketch" else WALK_BOUND
            yield _line(f"{what}: all but the records", middle["bytes"] / per, bound, "bound", unit)
            if how == "sketch":
                others = middle["peer_trips"] + 1
                yield _line(f"{what}: until the last is there", middle["trips"], others, "negentropy", "RTT")
    for line in lines:
        if line["how"] == "cursor":
            what = f"a peer that comes back to {line['d']} new"
            yield _line(what + ", without the records", line["bytes"], 100.0, "bound", "bytes")
            yield _line(what, line["trips"], 1.0, "bound", "RTT")


def _line(what: str, ours: float, peer: float, name: str, unit: str) -> dict[str, object]:
    return {
        "benchmark": "sync", "what": what, "ours": round(ours, 2), "peer": round(peer, 2), "peer_name": name,
        "ratio": round(peer / ours, 2), "unit": unit,
    }  # fmt: skip
