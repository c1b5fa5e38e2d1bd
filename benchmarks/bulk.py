"""Megabytes a second between two processes over loopback: ours, aioquic, Twisted's TLS and bare TCP.

The clock is the sender's, from the first byte to the last answer, which says that all has come and was checked: no
shorter than what the receiver sees. CPU is microseconds for each packet of 1,408 bytes, on each side.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterator

from benchmarks.contest import ROUNDS, Contender, Result, once

#: Requests of 2 MB under way at once: as many as a session takes without asking for more than the default.
WINDOW = 2
#: Bytes of one piece in the class that fits an Ethernet packet.
PIECE = 1_408
OURS = [
    Contender("datagrams of 1,440 bytes", "bulk_ours", ("1440",), ("1440",)),
    Contender("the largest datagrams", "bulk_ours", ("45088",), ("45088",)),
]
PEERS = [
    Contender("aioquic", "bulk_aioquic"),
    Contender("Twisted TLS", "bulk_twisted", ("tls",), ("tls",)),
    Contender("Twisted TCP", "bulk_twisted", ("tcp",), ("tcp",)),
]
#: Megabytes, so that each takes about a second.
AMOUNT = {"bulk_ours": 200, "bulk_aioquic": 20, "bulk_twisted": 500}


def run() -> Iterator[dict[str, object]]:
    """One line for each of ours and each peer."""
    results: dict[str, list[Result]] = {}
    for _ in range(ROUNDS):
        for contender in (*OURS, *PEERS):
            result = once(contender, "bulk", AMOUNT[contender.module], WINDOW)
            results.setdefault(contender.name, []).append(result)
    for own in OURS:
        for peer in PEERS:
            mine, theirs = results[own.name], results[peer.name]
            rate, other = _rate(mine), _rate(theirs)
            yield {
                "benchmark": "bulk", "what": f"{own.name}, sealed, acked, paced, 2 MB objects, window {WINDOW}",
                "ours": round(rate, 1), "peer": round(other, 1), "peer_name": peer.name,
                "ratio": round(rate / other, 2), "unit": "MB/s",
                "ours_cpu_us": _cpu(mine), "peer_cpu_us": _cpu(theirs),
            }  # fmt: skip


def _rate(results: list[Result]) -> float:
    return statistics.median(result.rate for result in results)


def _cpu(results: list[Result]) -> dict[str, float]:
    share = PIECE / 1e6
    return {
        "client": round(statistics.median(result.client_cpu for result in results) * share, 2),
        "server": round(statistics.median(result.server_cpu for result in results) * share, 2),
    }
