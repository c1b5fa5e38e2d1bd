"""Sessions opened a second, 32 in flight and one after another: ours, aioquic, Twisted TLS."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.contest import Contender, contest

OURS = [
    Contender("classical suite", "ours", ("classical",), ("classical",)),
    Contender("default post-quantum suite", "ours", ("default",), ("default",)),
    Contender("default suite, cookies demanded", "ours", ("guarded",), ("guarded",)),
]
PEERS = [Contender("aioquic", "aioquic_quic"), Contender("Twisted TLS", "twisted_tls")]


def run() -> Iterator[dict[str, object]]:
    """One line for each of ours, each peer and each window."""
    many = {"ours": 4000, "aioquic_quic": 400, "twisted_tls": 800}
    few = {"ours": 1500, "aioquic_quic": 200, "twisted_tls": 400}
    yield from contest("handshakes", "handshakes", 32, OURS, PEERS, many)
    yield from contest("handshakes", "handshakes", 1, OURS, PEERS, few)
