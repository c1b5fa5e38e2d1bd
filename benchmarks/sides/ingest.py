"""A node's way of records from a bundle to the disk, on the reactor as in a node; prints what it took as JSON.

Arguments: how many records, how many verifying processes, and ``new`` or ``known``: whether the keys come for the first
time, so that their work is checked, or stand there already, so that their signatures alone are. Text is read in one go,
as a paste is; then batches of 300 go through admission, a process and the writer, some under way at a time, while a
delayed call every 5 ms measures how late it comes.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from collections.abc import Generator
from pathlib import Path
from typing import Any

from twisted.internet import reactor as the_reactor
from twisted.internet.defer import Deferred, DeferredList, inlineCallbacks
from twisted.internet.threads import deferToThread

from rhotwist.directory import bundle
from rhotwist.directory.admission import Admission
from rhotwist.directory.endpoints import at_ip
from rhotwist.directory.record import make_record
from rhotwist.directory.waiting import Origin, Source
from rhotwist.keys.pair import SeedKey
from rhotwist.limits import Limits
from rhotwist.moment import EPOCH_2020, Moment
from rhotwist.service.verifier import Verifier
from rhotwist.store.database import Database
from rhotwist.store.directory import KIND, Directory
from rhotwist.store.replica import Replica

reactor: Any = the_reactor
BATCH = 300
EVERY = 0.005
DATE = 160_000_000


class Ingest:
    """One run."""

    def __init__(self, folder: str, count: int, workers: int, kind: str) -> None:
        self._workers = workers
        self._before = [_record(number, DATE - 120) for number in range(count)] if kind == "known" else []
        self._limits = Limits(directory_work=0)  # asked for or not, the work of each record is computed
        self._text = bundle.write(bundle.Bundle(records=tuple(_record(number, DATE - 60) for number in range(count))))
        self._database = Database(Path(folder) / "machine.db", KIND, durable=False)
        self.directory = Directory(self._database, Replica(os.urandom))
        self._admission = Admission(self._limits, os.urandom)
        self._verifier = Verifier(self._limits.directory_work, workers)
        self._lags: list[float] = []

    @inlineCallbacks
    def run(self) -> Generator[Any, Any, None]:
        """Read, admit, verify, store; then print."""
        yield _later(self._verifier.judge([]))  # the process is up
        self._left = self._before
        yield self._flow()
        start, cpu = time.perf_counter(), time.process_time()
        pasted = yield deferToThread(bundle.read, self._text)
        read = time.perf_counter()
        self._tick(time.perf_counter())
        self._left = list(pasted.records)
        yield DeferredList([self._flow() for _ in range(2 + self._workers)], fireOnOneErrback=True)
        took, busy = time.perf_counter() - start, time.process_time() - cpu
        lags = sorted(self._lags)
        print(json.dumps({
            "records": self.directory.count(), "seconds": took, "read": read - start, "cpu": busy,
            "lag": lags[len(lags) * 99 // 100], "worst": lags[-1],
        }))  # fmt: skip
        self._verifier.close()
        self.directory.close()
        self._database.close()
        reactor.stop()

    @inlineCallbacks
    def _flow(self) -> Generator[Any, Any, None]:
        source = Source(Origin.ASKED, bytes(32))
        while self._left:
            chunk, self._left = self._left[:BATCH], self._left[BATCH:]
            batch = self._admission.take(chunk, source, self.directory, _moment())
            verdicts = yield _later(self._verifier.judge(batch.checks))
            settled = self._admission.settle(batch, verdicts, self.directory, _moment())
            yield _later(self.directory.apply(settled.puts, settled.removed))

    def _tick(self, due: float) -> None:
        now = time.perf_counter()
        self._lags.append(now - due)
        reactor.callLater(EVERY, self._tick, now + EVERY)


def _later(future: Any) -> Deferred[Any]:
    """A Deferred that fires in the reactor's thread."""
    made: Deferred[Any] = Deferred()
    future.add_done_callback(lambda done: reactor.callFromThread(lambda: made.callback(done.result())))
    return made


def _moment() -> Moment:
    return Moment(time.monotonic(), EPOCH_2020 + DATE)


def _record(number: int, issued: int) -> bytes:
    key = SeedKey(number.to_bytes(32, "big"))
    place = at_ip("udp", f"8.{number >> 16}.{number >> 8 & 255}.{number & 255}", 7460)
    return make_record(key, issued, [place]).encode()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        ingest = Ingest(name, int(sys.argv[1]), int(sys.argv[2]), sys.argv[3])
        reactor.callWhenRunning(ingest.run)
        reactor.run()
