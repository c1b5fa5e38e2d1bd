"""64-byte requests and replies a second: ours, aioquic with a stream a request, a bare Twisted UDP echo."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.contest import Contender, contest

OURS = [Contender("default post-quantum suite", "ours", ("default",), ("default",))]
PEERS = [Contender("aioquic", "aioquic_quic"), Contender("bare Twisted UDP echo", "bare_udp")]


def run() -> Iterator[dict[str, object]]:
    """One line for each peer and each window."""
    few = {"ours": 15_000, "aioquic_quic": 5_000, "bare_udp": 25_000}
    many = {"ours": 60_000, "aioquic_quic": 10_000, "bare_udp": 100_000}
    yield from contest("requests", "requests", 1, OURS, PEERS, few)
    yield from contest("requests", "requests", 64, OURS, PEERS, many)
