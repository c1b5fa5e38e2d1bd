"""Run contenders in turn, several rounds, and compare medians: one JSON object a line.

    {"benchmark", "what", "ours", "peer", "peer_name", "ratio", "unit"} and the CPU microseconds of both sides.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from collections.abc import Iterator

import attrs

ROUNDS = 5


@attrs.frozen
class Contender:
    """module below ``benchmarks.sides`` and what its two sides are told."""

    name: str
    module: str
    server: tuple[str, ...] = ()
    client: tuple[str, ...] = ()


@attrs.frozen
class Result:
    """rate is operations a second; the CPU figures are microseconds an operation."""

    rate: float
    client_cpu: float
    server_cpu: float


def once(contender: Contender, what: str, count: int, window: int) -> Result:
    """One round of one contender, two fresh processes. Raises RuntimeError with what a failed one said."""
    module = f"benchmarks.sides.{contender.module}"
    server = subprocess.Popen(
        [sys.executable, "-m", module, "server", *contender.server], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        text=True,
    )  # fmt: skip
    assert server.stdin and server.stdout  # noqa: S101 - for the type checker
    try:
        address = server.stdout.readline().strip()
        arguments = [address, *contender.client, what, str(count), str(window)]
        client = subprocess.run(
            [sys.executable, "-m", module, "client", *arguments], stdout=subprocess.PIPE, text=True, timeout=300
        )
        if client.returncode:
            raise RuntimeError(f"{contender.name}: the client ended with {client.returncode}")
        report = json.loads(client.stdout.splitlines()[-1])
        server.stdin.close()
        used = json.loads(server.stdout.readline())["cpu"]
    finally:
        server.kill()
        server.wait()
    return Result(
        report["operations"] / report["seconds"], report["cpu"] / report["operations"] * 1e6,
        used / report["operations"] * 1e6,
    )  # fmt: skip


def contest(
    benchmark: str, what: str, window: int, ours: list[Contender], peers: list[Contender], counts: dict[str, int]
) -> Iterator[dict[str, object]]:
    """Rounds in turn; a line for each pair of one of ours and one peer. counts is operations by contender's module."""
    results: dict[str, list[Result]] = {}
    for _ in range(ROUNDS):
        for contender in (*ours, *peers):
            result = once(contender, what, counts[contender.module], window)
            results.setdefault(contender.name, []).append(result)
    for own in ours:
        for peer in peers:
            mine, theirs = _median(results[own.name]), _median(results[peer.name])
            yield {
                "benchmark": benchmark,
                "what": f"{own.name}, {what}, window {window}",
                "ours": round(mine.rate),
                "peer": round(theirs.rate),
                "peer_name": peer.name,
                "ratio": round(mine.rate / theirs.rate, 3),
                "unit": "operations/s",
                "ours_cpu_us": {"client": round(mine.client_cpu, 1), "server": round(mine.server_cpu, 1)},
                "peer_cpu_us": {"client": round(theirs.client_cpu, 1), "server": round(theirs.server_cpu, 1)},
            }


def _median(results: list[Result]) -> Result:
    return Result(
        statistics.median(result.rate for result in results),
        statistics.median(result.client_cpu for result in results),
        statistics.median(result.server_cpu for result in results),
    )
