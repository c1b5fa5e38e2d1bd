"""A node that takes records in, by the way that its users have; prints what it took as JSON.

Arguments: how many records, ``bundle`` or ``network``, and how many bits of work are asked for. 0: signatures alone
are checked; 1: work too, and a check costs the same for any number of bits. A bundle is a file, as for ``rho bundle
import``; over the network an empty node compares itself with a full one in a process of its own, by sealed sessions on
the loopback address. Meanwhile a delayed call every 5 ms measures how late it comes.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred, ensureDeferred
from twisted.internet.task import deferLater, react

from rhotwist.control.directory import BundleFile
from rhotwist.directory import bundle, validity
from rhotwist.directory.endpoints import at_ip
from rhotwist.directory.record import make_record
from rhotwist.directory.work import search
from rhotwist.keys.pair import SeedKey
from rhotwist.net.clock import make_monotonic, now
from rhotwist.service.claim import claim
from rhotwist.service.node import NodeService
from rhotwist.service.options import Options, settings
from rhotwist.service.tap import favour_reactor

EVERY = 0.005
PATIENCE = 120.0


def start(reactor: Any, home: Path, bits: int, *arguments: str) -> NodeService:
    """A node in this process, as its command line would start it."""
    options = Options()
    options.parseOptions(["--listen", "127.0.0.1:0", "--private-net", *arguments])
    told = {"RHO_HOME": str(home), "RHO_LIMITS_DIRECTORY_WORK": str(bits)}
    make_monotonic(reactor)
    made = NodeService(claim(settings(options, told, home)), reactor)
    made.startService()
    return made


def write(path: Path, count: int, bits: int) -> None:
    """A bundle of so many new keys' records."""
    issued = now().date - 3_600
    records = []
    for number in range(count):
        place = at_ip("udp", f"8.{number >> 16}.{number >> 8 & 255}.{number & 255}", 7460)
        made = make_record(SeedKey(number.to_bytes(32, "big")), issued, [place])
        found = search(validity.quarter_of(validity.epoch_of(made.issued)), made.address, bits)
        records.append(made.with_nonce(next(filter(None, found))).encode())
    path.write_text(bundle.write(bundle.Bundle(records=tuple(records))), encoding="ascii")


class Lateness:
    """How late a delayed call comes, in seconds."""

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor
        self.found: list[float] = []
        self._call: Any = None

    def begin(self) -> None:
        """From now on."""
        self._wait(time.perf_counter())

    def end(self) -> list[float]:
        """Sorted."""
        self._call.cancel()
        return sorted(self.found)

    def _wait(self, mono: float) -> None:
        self._call = self._reactor.callLater(EVERY, self._due, mono + EVERY)

    def _due(self, due: float) -> None:
        mono = time.perf_counter()
        self.found.append(mono - due)
        self._wait(mono)


async def measure(reactor: Any, count: str, way: str, bits: str) -> None:
    """One run."""
    with tempfile.TemporaryDirectory() as name:
        home = Path(name)
        with _told(home / "giver", count, bits) if way == "network" else _written(home, count, bits) as given:
            node = start(reactor, home / "taker", int(bits), *(("--peer", given) if way == "network" else ()))
            await _opened(reactor, node)
            lateness = Lateness(reactor)
            lateness.begin()
            began, cpu = time.perf_counter(), time.process_time()
            if way == "bundle":
                await node.bundles.take(BundleFile(given))
            else:
                while not node.directory.store.count():
                    began, cpu = time.perf_counter(), time.process_time()
                    await deferLater(reactor, 0.001)
                while node.directory.store.state.count < int(count) and time.perf_counter() < began + PATIENCE:
                    await deferLater(reactor, 0.01)
            took, busy = time.perf_counter() - began, time.process_time() - cpu
            lags = lateness.end()
            stood = node.directory.store.state.count
            await node.stopService()
        usage = resource.getrusage(resource.RUSAGE_CHILDREN)
        print(json.dumps({
            "records": stood, "seconds": took, "cpu": busy, "others": usage.ru_utime + usage.ru_stime,
            "lag": lags[len(lags) * 99 // 100], "worst": lags[-1],
        }))  # fmt: skip


async def give(reactor: Any, folder: str, count: str, bits: str) -> None:
    """A node that has all of them; it tells where it is, and ends with its stdin."""
    home = Path(folder)
    with _written(home, count, bits) as path:
        node = start(reactor, home, int(bits))
        await _opened(reactor, node)
        await node.bundles.take(BundleFile(path))
    print(node.node.address, flush=True)
    ended: Deferred[bytes] = Deferred()
    reactor.callInThread(lambda: reactor.callFromThread(ended.callback, sys.stdin.buffer.read()))
    await ended
    await node.stopService()


async def _opened(reactor: Any, node: NodeService) -> None:
    """Its directory and its worker are there."""
    await node.directory.ask(lambda view: None)
    await deferLater(reactor, 1.0)
    favour_reactor()


@contextmanager
def _written(home: Path, count: str, bits: str) -> Iterator[str]:
    path = home / "bundle.txt"
    home.mkdir(mode=0o700, exist_ok=True)
    write(path, int(count), int(bits))
    yield str(path)


@contextmanager
def _told(home: Path, count: str, bits: str) -> Iterator[str]:
    """Where another process with all of the records is."""
    command = [sys.executable, "-m", "benchmarks.sides.ingest", "give", str(home), count, bits]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, text=True, env={**os.environ, "PYTHONUNBUFFERED": "1"}, **pipes) as process:
        if process.stdin is None or process.stdout is None:
            raise RuntimeError("no pipes")
        lines = iter(process.stdout.readline, "")
        yield next(line.strip() for line in lines if line.startswith("rho1") and "@" in line)
        process.stdin.close()


if __name__ == "__main__":
    kind, *rest = sys.argv[1:]
    work = give if kind == "give" else measure
    react(lambda reactor: ensureDeferred(work(reactor, *(rest if kind == "give" else (kind, *rest)))))
