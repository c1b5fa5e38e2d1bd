"""What an operator can do wrong, told by the real programs: three lines, a status, no traceback, nothing lost."""

from __future__ import annotations

import os
import signal
import socket
import time

from tests.end_to_end.programs import FOREGROUND, ProgramCase


class MistakeTests(ProgramCase):
    """twistd rhocoin."""

    def mistake(self, code: str, *arguments: str, status: int = 1, before: tuple[str, ...] = FOREGROUND) -> str:
        """The stderr of a twistd that is refused with this code."""
        found, out, err = self.ended(self.twistd(*arguments, before=before))
        self.assertEqual(status, found, err)
        self.assertEqual(3, len(err.splitlines()), err)
        self.assertIn(f"[{code}]", err)
        self.assertNotIn("Traceback", out + err)
        self.assertNotIn("node rho1n", out)
        return err

    def test_a_taken_port_is_told_in_the_foreground_and_in_the_background(self) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as held:
            held.bind(("127.0.0.1", 0))
            place = f"127.0.0.1:{held.getsockname()[1]}"
            for before in (FOREGROUND, ("--pidfile=", "--logfile=log")):
                self.assertIn(place, self.mistake("RHO-1105", "--datadir", "d", "--listen", place, before=before))

    def test_a_folder_in_use_names_the_process_and_leaves_it_alone(self) -> None:
        child, at = self.node("--datadir", "d", "--listen", "127.0.0.1:0")
        self.assertIn(str(child.pid), self.mistake("RHO-1102", "--datadir", "d", "--listen", "127.0.0.1:0"))
        self.assertIn("key proven", self.good("d", "ping", at))
        self.assertIn(at.partition("@")[0], self.good("d", "status"))
        child.send_signal(signal.SIGTERM)
        out, err = child.communicate(timeout=30)
        self.assertNotIn("Traceback", out + err)
        self.assertFalse((self.home / "d" / "node.sock").exists())
        self.assertEqual(-signal.SIGTERM, child.returncode)

    def test_a_wrong_setting_is_exit_2_and_makes_nothing(self) -> None:
        self.mistake("RHO-1004", "--datadir", "e", "--listen", "nowhere", status=2)
        self.assertFalse((self.home / "e").exists())

    def test_debug_shows_where_it_was_raised(self) -> None:
        status, _, err = self.ended(self.twistd("--datadir", "d", "--listen", "192.0.2.99:1", "--debug"))
        self.assertEqual(1, status)
        self.assertIn("Traceback", err)
        self.assertTrue(err.rstrip().endswith("[RHO-1107]"))


class NodeTests(ProgramCase):
    """A node as an operator runs it."""

    def test_in_the_background_it_keeps_its_lock_and_answers(self) -> None:
        status, _, err = self.ended(
            self.twistd("--datadir", "d", "--listen", "127.0.0.1:0", before=("--pidfile=pid", "--logfile=log"))
        )
        self.assertEqual(0, status, err)
        until = time.monotonic() + 30
        while not (self.home / "d" / "node.sock").exists() and time.monotonic() < until:
            time.sleep(0.02)  # noqa: TID251 - a process that is not our child cannot be waited for
        pid = int((self.home / "pid").read_text())
        self.addCleanup(os.kill, pid, signal.SIGTERM)
        self.assertIn(f"pid {pid}", self.good("d", "status"))
        self.assertEqual(str(pid), (self.home / "d" / "node" / "lock").read_text().strip())
