"""How the two processes of a contender talk to the benchmark: one line when ready, one JSON line at the end."""

from __future__ import annotations

import json
import resource
import sys
import threading
import time
from collections.abc import Callable


def cpu() -> float:
    """CPU seconds of this process so far."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def ready(address: str, stop: Callable[[], object]) -> None:
    """Tell where the server listens; when the benchmark closes our input, report the CPU used since and stop."""
    used = cpu()
    print(address, flush=True)

    def wait() -> None:
        sys.stdin.read()
        print(json.dumps({"cpu": cpu() - used}), flush=True)
        stop()

    threading.Thread(target=wait, daemon=True).start()


class Stopwatch:
    """Time and CPU from now to ``done``."""

    def __init__(self) -> None:
        self._start, self._cpu = time.perf_counter(), cpu()

    def done(self, operations: int) -> None:
        """Print what it took."""
        seconds = time.perf_counter() - self._start
        print(json.dumps({"operations": operations, "seconds": seconds, "cpu": cpu() - self._cpu}), flush=True)
