"""A node under floods from another process: honest clients, memory, loop lag, log lines, established sessions."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

JUNK_RATE, HELLO_RATE, SECONDS, OFFER = 100_000, 20_000, 10, 5_000


def _start(module: str, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", f"benchmarks.sides.{module}", *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        text=True,
    )  # fmt: skip


class Victim:
    """The node under attack, as a process."""

    def __init__(self) -> None:
        self.process = _start("victim", "node")
        self.address, self.key = _line(self.process).split()
        self.port = self.address.rsplit(":", 1)[1]

    def state(self) -> dict[str, Any]:
        """What it says of itself now."""
        assert self.process.stdin  # noqa: S101 - for the type checker
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        state: dict[str, Any] = json.loads(_line(self.process))
        return state

    def stop(self) -> None:
        """End it."""
        self.process.kill()
        self.process.wait()


def _line(process: subprocess.Popen[str]) -> str:
    assert process.stdout  # noqa: S101 - for the type checker
    return process.stdout.readline()


def _row(what: str, ours: float, unit: str, bound: str) -> dict[str, object]:
    return {
        "benchmark": "floods", "what": what, "ours": ours, "peer": bound, "peer_name": "bound", "ratio": None,
        "unit": unit,
    }  # fmt: skip


def junk(kind: str) -> Iterator[dict[str, object]]:
    """100,000 datagrams a second of one kind for 10 s."""
    victim = Victim()
    try:
        warm = _start("victim", "honest", victim.address, "1", "10")
        warm.wait()
        before = victim.state()
        flood = _start("flood", victim.port, kind, str(JUNK_RATE), str(SECONDS))
        time.sleep(1)
        client = _start("victim", "honest", victim.address, "1", "100")
        seen = json.loads(_line(client))
        sent = int(_line(flood))
        after = victim.state()
    finally:
        victim.stop()
    name = f"{kind}, {sent / SECONDS:.0f}/s"
    yield _row(f"{name}: honest client connected in", round(seen["connects"][0], 3), "s", "connects")
    yield _row(f"{name}: of its 100 requests answered", seen["answered"], "requests", "100")
    yield _row(f"{name}: loop lag p99", round(after["lag_p99"] * 1000, 2), "ms", "<= 50")
    yield _row(f"{name}: memory grew by", round((after["rss"] - before["rss"]) / 2**20, 2), "MiB", "<= 8")
    yield _row(f"{name}: log lines", after["log_lines"] - before["log_lines"], "lines", "<= 10")


def _offered(victim: Victim, port: str) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any], int]:
    """The fixed offer and honest strangers beside a flood of Hellos at a port; load, strangers, state, sent."""
    load = _start("victim", "load", victim.address, str(OFFER), str(SECONDS))
    _line(load)
    flood = _start("flood", port, "hello", str(HELLO_RATE), str(SECONDS + 3), victim.key)
    time.sleep(2)  # it makes its Hellos first
    assert load.stdin  # noqa: S101 - for the type checker
    load.stdin.write("\n")
    load.stdin.flush()
    strangers = _start("victim", "honest", victim.address, "50", "0")
    got = json.loads(_line(load))
    met = json.loads(_line(strangers))
    sent = int(_line(flood))
    return got, met, victim.state(), sent


def hellos() -> Iterator[dict[str, object]]:
    """20,000 spoofed valid Hellos a second, beside the same flood aimed at a sink."""
    if os.geteuid():
        yield _row("spoofed Hellos: not run, a raw socket wants root", 0, "-", "-")
        return
    victim = Victim()
    try:
        aside = _start("victim", "sink")
        baseline, _, _, _ = _offered(victim, _line(aside).strip())
        aside.kill()
        before = victim.state()
        got, met, after, sent = _offered(victim, victim.port)
    finally:
        victim.stop()
    name = f"spoofed Hellos, {sent / (SECONDS + 3):.0f}/s"
    counters = {key: after["counters"].get(key, 0) - before["counters"].get(key, 0) for key in after["counters"]}
    finished = counters.get("finished", 0)
    within = sum(seconds <= 3 for seconds in met["connects"])
    took = sorted(met["connects"])
    yield _row(f"{name}: honest handshakes, half of them within", round(took[len(took) // 2], 2), "s", "-")
    yield _row(f"{name}: honest handshakes, all of them within", round(took[-1], 2), "s", "-")
    yield _row(f"{name}: Retries sent", counters.get("retry", 0), "datagrams", "-")
    yield _row(f"{name}: handshakes begun beyond those finished", counters.get("curve", 0) - finished, "handshakes",
               "those before cookies are demanded")  # fmt: skip
    yield _row(f"{name}: pending table at most", after["half_open_most"], "handshakes", "<= 8192")
    kept = got["answered"] / max(1, baseline["answered"])
    beside = f"baseline {baseline['answered']}"
    yield _row(f"{name}: of {OFFER}/s offered, answered in time", got["answered"], "requests", beside)
    yield _row(f"{name}: that is of the baseline", round(kept, 4), "", ">= 0.95")
    yield _row(f"{name}: honest handshakes within 3 s, of {len(met['connects'])}", within, "handshakes", ">= 95 %")
    yield _row(f"{name}: loop lag p99", round(after["lag_p99"] * 1000, 2), "ms", "<= 50")
    yield _row(f"{name}: memory grew by", round((after["rss"] - before["rss"]) / 2**20, 2), "MiB", "<= 8")
    yield _row(f"{name}: log lines", after["log_lines"] - before["log_lines"], "lines", "<= 10")


def run() -> Iterator[dict[str, object]]:
    """Junk of four kinds, then Hellos."""
    for kind in ("junk", "empty", "one", "coalesced"):
        yield from junk(kind)
    yield from hellos()
