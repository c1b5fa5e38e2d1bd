"""How far files are, while somebody looks on: one line on a terminal, counted by what the receiver acknowledged."""

from __future__ import annotations

import shutil
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import TextIO

from rhotwist.cli.run import Run, fitting
from rhotwist.control.text import size, span, visible
from rhotwist.control.values import TransferRow

LOOK = 0.25
"""Seconds between two looks."""
WINDOW = 8.0
"""Seconds over which the speed is taken."""
STILL = 3.0
"""Seconds without a byte after which the line says so."""
_WIDTH = 24  # characters of the bar itself, at most
OVER = frozenset(("done", "cancelled", "paused"))
"""States in which nothing more happens by itself."""


class Bar:
    """One line that is drawn over itself. Silent where stderr is no terminal, with --quiet and with --json.

    mono counts seconds.
    """

    def __init__(self, run: Run, stream: TextIO | None = None, mono: Callable[[], float] = time.monotonic) -> None:
        self._stream = stream or sys.stderr
        self._mono = mono
        self._seen: deque[tuple[float, int]] = deque()
        self._drawn = 0
        self.shown = not run.quiet and not run.json and self._stream.isatty()

    def draw(self, rows: Sequence[TransferRow]) -> None:
        """Show how these files stand now."""
        if not self.shown or not rows:
            return
        done = sum(row.done for row in rows)
        self._seen.append((self._mono(), done))
        while self._seen[-1][0] - self._seen[0][0] > WINDOW and len(self._seen) > 2:
            self._seen.popleft()
        columns = shutil.get_terminal_size((80, 24)).columns - 1
        self._say(fitting(line(rows, self.speed(), columns), self._stream))

    def speed(self) -> float | None:
        """Bytes per second, over the last WINDOW; None in the first moments, in which nothing can be told."""
        (began, first), (now, last) = self._seen[0], self._seen[-1]
        if last <= first:
            return None if now - began < STILL else 0.0
        return (last - first) / (now - began)

    def clear(self) -> None:
        """Take the line away, for what is printed next."""
        if self._drawn:
            self._say("")

    def _say(self, text: str) -> None:
        self._stream.write("\r" + text + " " * (self._drawn - len(text)) + ("\r" if not text else ""))
        self._stream.flush()
        self._drawn = len(text)


def line(rows: Sequence[TransferRow], speed: float | None, columns: int) -> str:
    """The line for these files, at most so many characters. 100 % is said of what its receiver has checked whole."""
    total, done = sum(row.total for row in rows), sum(row.done for row in rows)
    whole = all(row.state == "done" for row in rows)
    share = 1.0 if whole else min(0.99, done / total) if total else 0.0
    name = visible(rows[0].name) if len(rows) == 1 else f"{len(rows)} files"
    facts = f"{int(100 * share + 1e-9):3d} %  {size(done)} of {size(total)}"
    if whole:
        facts += "  checked"
    elif all(row.state == "offered" for row in rows):
        facts += "  waits for its receiver" if rows[0].outgoing else "  waits"
    elif done >= total - len(rows):
        facts += "  being checked"
    elif speed:
        facts += f"  {size(int(speed))}/s  {span(max(1.0, (total - done) / speed))} left"
    elif speed is not None:
        facts += "  nothing moves"
    room = columns - len(facts) - 4
    kept = max(8, room - _WIDTH - 2)
    name = name if len(name) <= kept else name[: kept - 1] + "…"
    width = min(_WIDTH, room - len(name) - 2)
    bar = f"  {'█' * int(width * share):·<{width}}" if width >= 6 else ""
    return f"{name}{bar}  {facts}"[:columns]


def wait(seconds: float) -> None:
    """Let time pass; Ctrl-C ends it at once."""
    threading.Event().wait(seconds)
