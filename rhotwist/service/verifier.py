"""Checks of records, judged beside the reactor: by a process of its own, or more, with a byte for each check.

A thread would not do: beside a busy reactor it gets 5,000 signatures a second and holds the reactor up for as long as
the interpreter takes to change hands. A process ends when its pipe does, however we end. Where none can be made, or it
dies again and again, a thread of ours judges after all: slower, and as right.

Over the pipes goes what this module writes, a u32 of length before each batch:

     0  32  key of the signature
    32  64  signature
    96   2  length of what is signed, and it
         1  further keys, 32 bytes each
         1  1 if work is to be looked at, then quarter 2, address 32, nonce 8
"""

from __future__ import annotations

import signal
import struct
import subprocess
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue
from typing import IO

import rhotwist
from rhotwist.directory.checks import Check, judge

DEATHS_MOST = 3
"""Processes that may die at work before no other is made."""
END = 5.0
"""Seconds that a process may take to end; it judges nothing then."""

_LENGTH = struct.Struct(">I")
_HEAD = struct.Struct(">32s64sH")
_WORK = struct.Struct(">H32s8s")


class Verifier:
    """The workers of a node; bits is the work that records must have. spawn makes processes, other ones in tests."""

    def __init__(
        self, bits: int, workers: int = 1, spawn: Callable[[int], subprocess.Popen[bytes]] | None = None
    ) -> None:
        self._threads = ThreadPoolExecutor(workers, "verifier")
        self._workers = [_Worker(bits, spawn or _spawn) for _ in range(workers)]
        self._idle: SimpleQueue[_Worker] = SimpleQueue()
        for worker in self._workers:
            self._idle.put(worker)

    def judge(self, checks: Sequence[Check]) -> Future[bytes]:
        """What ``checks.judge`` says of some checks: a verdict each, in order. 110 µs a check and worker.

        May be cancelled until its turn comes. Raises RuntimeError after ``close``.
        """
        return self._threads.submit(self._judge, tuple(checks))

    def close(self) -> None:
        """Finish the batches under way, cancel the others, and see the processes end. Blocks until then."""
        self._threads.shutdown(cancel_futures=True)
        for worker in self._workers:
            worker.stop()

    @property
    def pids(self) -> list[int]:
        """The processes at work; where there is none, a thread does it."""
        return [worker.process.pid for worker in self._workers if worker.process is not None]

    def _judge(self, checks: tuple[Check, ...]) -> bytes:
        worker = self._idle.get()
        try:
            return worker.judge(checks)
        finally:
            self._idle.put(worker)


class _Worker:
    """One process, or what is done without."""

    def __init__(self, bits: int, spawn: Callable[[int], subprocess.Popen[bytes]]) -> None:
        self._bits = bits
        self._spawn = spawn
        self._deaths = 0
        self.process: subprocess.Popen[bytes] | None = None
        self._start()

    def judge(self, checks: tuple[Check, ...]) -> bytes:
        """The verdicts of a batch, from the process or from this thread."""
        process = self.process
        if process is not None and process.stdin is not None and process.stdout is not None:
            try:
                _write(process.stdin, encode(checks))
                verdicts = _read(process.stdout)
                if verdicts is not None and len(verdicts) == len(checks):
                    return verdicts
            except OSError:
                pass
            self.stop()
            self._deaths += 1
            if self._deaths < DEATHS_MOST:
                self._start()
        return judge(checks, self._bits)

    def _start(self) -> None:
        try:
            self.process = self._spawn(self._bits)
        except OSError:
            self.process = None

    def stop(self) -> None:
        """See the process end."""
        process, self.process = self.process, None
        if process is None:
            return
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                try:
                    pipe.close()
                except OSError:  # what was left to be written found nobody
                    pass
        try:
            process.wait(END)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def encode(checks: Sequence[Check]) -> bytes:
    """A batch as bytes."""
    parts: list[bytes] = []
    for public, message, signature, keys, work in checks:
        parts += _HEAD.pack(public, signature, len(message)), message, bytes((len(keys),)), *keys
        parts += (b"\0",) if work is None else (b"\1", _WORK.pack(*work))
    return b"".join(parts)


def decode(data: bytes) -> list[Check]:
    """The batch that ``encode`` made."""
    found = []
    at = 0
    while at < len(data):
        public, signature, size = _HEAD.unpack_from(data, at)
        at += _HEAD.size + size
        message, count = data[at - size : at], data[at]
        keys = tuple(data[at + 1 + 32 * key : at + 33 + 32 * key] for key in range(count))
        at += 1 + 32 * count
        work = _WORK.unpack_from(data, at + 1) if data[at] else None
        at += 1 + (_WORK.size if work else 0)
        found.append(Check(public, message, signature, keys, work))
    return found


def serve(source: IO[bytes], sink: IO[bytes], bits: int) -> None:
    """Answer batches until there are no more: the whole life of the process."""
    while (data := _read(source)) is not None:
        _write(sink, judge(decode(data), bits))


def _write(pipe: IO[bytes], data: bytes) -> None:
    pipe.write(_LENGTH.pack(len(data)) + data)
    pipe.flush()


def _read(pipe: IO[bytes]) -> bytes | None:
    """What one batch or answer is; None where the other end is gone."""
    head = pipe.read(_LENGTH.size)
    if len(head) < _LENGTH.size:
        return None
    size = _LENGTH.unpack(head)[0]
    data = pipe.read(size)
    return data if len(data) == size else None


def _spawn(bits: int) -> subprocess.Popen[bytes]:
    """Start it from the folder that holds the package: there ``-m`` finds the very code that runs here."""
    return subprocess.Popen(
        [sys.executable, "-m", "rhotwist.service.verifier", str(bits)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, close_fds=True,
        cwd=Path(rhotwist.__file__).parents[1],
    )  # fmt: skip


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C goes to all of a terminal; we end when our pipe does
    serve(sys.stdin.buffer, sys.stdout.buffer, int(sys.argv[1]))
