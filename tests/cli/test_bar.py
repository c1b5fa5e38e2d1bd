"""The line that shows how far files are."""

from __future__ import annotations

import io
import os

import attrs
from twisted.trial.unittest import SynchronousTestCase

from rhotwist.cli.bar import Bar, line
from rhotwist.cli.run import Run
from rhotwist.control.values import TransferRow
from tests.cli.stage import BOB

ROW = TransferRow(3, True, "alice", BOB, "film.mkv", 1000 * 2**20, 0, "going", "", "/f", "", "ab" * 32, 1_600_000_000)


def at(share: float, **more: object) -> TransferRow:
    """The row at that share."""
    return attrs.evolve(ROW, done=int(share * ROW.total), **more)  # type: ignore[arg-type]


class Terminal(io.StringIO):
    """A stream that is one."""

    encoding = "utf-8"  # type: ignore[assignment]

    def isatty(self) -> bool:
        return True


class LineTests(SynchronousTestCase):
    """What it says."""

    def test_it_shows_share_bytes_speed_and_what_is_left(self) -> None:
        said = line([at(0.52)], 105 * 2**20, 100)
        self.assertIn("film.mkv", said)
        self.assertIn(" 52 %  520.0 MiB of 1000.0 MiB  105.0 MiB/s  4 s left", said)
        self.assertIn("████████████·", said)

    def test_100_is_said_of_what_was_checked_and_of_nothing_else(self) -> None:
        self.assertIn("100 %", line([at(1, state="done")], None, 100))
        self.assertIn("checked", line([at(1, state="done")], None, 100))
        for row in (at(1), attrs.evolve(ROW, done=ROW.total - 1)):
            self.assertIn(" 99 %", line([row], 9.0, 100))
            self.assertIn("being checked", line([row], 9.0, 100))
        self.assertNotIn("100 %", line([at(1, state="done"), at(0.999)], 9.0, 100))

    def test_an_empty_file_is_done_when_it_is_there(self) -> None:
        empty = attrs.evolve(ROW, total=0)
        self.assertIn("  0 %", line([empty], None, 100))
        self.assertIn("100 %", line([attrs.evolve(empty, state="done")], None, 100))

    def test_what_waits_and_what_does_not_move_is_told(self) -> None:
        self.assertIn("waits for its receiver", line([at(0, state="offered")], None, 100))
        self.assertNotIn("receiver", line([at(0, state="offered", outgoing=False)], None, 100))
        self.assertIn("nothing moves", line([at(0.5)], 0.0, 100))
        self.assertNotIn("nothing moves", line([at(0.5)], None, 100))

    def test_several_files_are_one_sum(self) -> None:
        said = line([at(0.5), at(1, state="done", name="b")], 2**20, 100)
        self.assertIn("2 files", said)
        self.assertIn(" 75 %", said)

    def test_it_never_is_longer_than_the_terminal_and_a_name_cannot_colour_it(self) -> None:
        evil = at(0.3, name="x\x1b[31m" + "y" * 300)
        for columns in range(1, 150):
            said = line([evil], 9e6, columns)
            self.assertLessEqual(len(said), columns)
            self.assertNotIn("\x1b", said)
        self.assertIn("… ", line([evil], 9e6, 100))
        self.assertIn("s left", line([evil], 9e6, 100))


class BarTests(SynchronousTestCase):
    """How it is drawn."""

    def setUp(self) -> None:
        self.now = 0.0
        self.out = Terminal()
        self.patch(os, "environ", {**os.environ, "COLUMNS": "100"})
        self.bar = Bar(Run(), self.out, lambda: self.now)

    def draw(self, seconds: float, share: float) -> str:
        """What is drawn when so many seconds have passed."""
        self.now += seconds
        self.out.truncate(0)
        self.out.seek(0)
        self.bar.draw([at(share)])
        return self.out.getvalue()

    def test_speed_is_that_of_the_last_seconds(self) -> None:
        self.draw(0, 0.0)
        self.assertIn("100.0 MiB/s", self.draw(1, 0.1))
        for second in range(20):
            said = self.draw(1, 0.1 + second / 100)
        self.assertIn("10.0 MiB/s", said)

    def test_nothing_is_called_still_in_the_first_moments(self) -> None:
        self.assertNotIn("nothing", self.draw(0, 0.0) + self.draw(2, 0.0))
        self.assertIn("nothing moves", self.draw(2, 0.0))

    def test_a_shorter_line_leaves_nothing_of_the_longer_one(self) -> None:
        long, short = self.draw(0, 0.0), self.draw(1, 0.5)
        self.assertTrue(long.startswith("\r") and short.startswith("\r"))
        self.bar.clear()
        self.assertTrue(self.out.getvalue().endswith(" \r"))

    def test_it_is_silent_where_nobody_looks(self) -> None:
        for run, out in ((Run(quiet=True), Terminal()), (Run(json=True), Terminal()), (Run(), io.StringIO())):
            bar = Bar(run, out)
            bar.draw([at(0.5)])
            bar.clear()
            self.assertEqual("", out.getvalue())
