"""Big objects over one TCP connection, MB a second: ours, Twisted TLS, bare Twisted TCP."""

from __future__ import annotations

import statistics
from collections.abc import Iterator

from benchmarks.contest import ROUNDS, Contender, Result, once

OURS = Contender("objects of 2 MB as records, AES-256-GCM", "ours_stream")
PEERS = [
    Contender("Twisted TLS 1.3", "bulk_twisted", ("tls",), ("tls",)),
    Contender("Twisted TCP", "bulk_twisted", ("tcp",), ("tcp",)),
]
MEGABYTES, WINDOW = 1_000, 3


def run() -> Iterator[dict[str, object]]:
    """One line for each peer; rounds in turn, medians."""
    results: dict[str, list[Result]] = {}
    for _ in range(ROUNDS):
        for contender in (OURS, *PEERS):
            results.setdefault(contender.name, []).append(once(contender, "bulk", MEGABYTES, WINDOW))
    mine = statistics.median(result.rate for result in results[OURS.name])
    for peer in PEERS:
        theirs = statistics.median(result.rate for result in results[peer.name])
        yield {
            "benchmark": "stream",
            "what": f"{OURS.name}, window {WINDOW}",
            "ours": round(mine),
            "peer": round(theirs),
            "peer_name": peer.name,
            "ratio": round(mine / theirs, 3),
            "unit": "MB/s",
            "ours_cpu_us": _cpu(results[OURS.name]),
            "peer_cpu_us": _cpu(results[peer.name]),
        }


def _cpu(results: list[Result]) -> dict[str, float]:
    """CPU microseconds for each MB."""
    return {
        "client": round(statistics.median(result.client_cpu for result in results)),
        "server": round(statistics.median(result.server_cpu for result in results)),
    }
