"""The verifier: the same verdicts wherever they are made, and nothing left when it is closed."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
from concurrent.futures import CancelledError
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from rhotwist.directory.checks import BAD_KEY, BAD_SIGNATURE, BAD_WORK, GOOD, Check
from rhotwist.service import verifier
from rhotwist.service.verifier import DEATHS_MOST, Verifier, decode, encode, serve
from tests.directory.support import record

SECONDS = 30.0


def checks() -> list[Check]:
    """One of each kind: good, good with its work, a bad key, a bad signature, too little work."""
    made = [record(number) for number in range(5)]
    kinds = [Check(one.key, one.signed, one.signature, (), None) for one in made]
    kinds[1] = kinds[1]._replace(keys=(made[2].key, made[3].key))
    kinds[2] = kinds[2]._replace(keys=(made[1].key, bytes(32)))
    kinds[3] = kinds[3]._replace(message=b"")
    kinds[4] = kinds[4]._replace(work=(20, made[4].address, b"\1" * 8))
    return kinds


WANTED = bytes((GOOD, GOOD, BAD_KEY, BAD_SIGNATURE, BAD_WORK))
BITS = 60


class VerifierTests(SynchronousTestCase):
    def open(self, spawn: Any = None, workers: int = 1) -> Verifier:
        """A verifier, closed when the test ends."""
        made = Verifier(BITS, workers, spawn)
        self.addCleanup(made.close)
        return made

    def test_a_batch_is_the_same_behind_the_pipe(self) -> None:
        self.assertEqual(decode(encode(checks())), checks())
        self.assertEqual(decode(b""), [])

    def test_the_process_answers_each_batch_in_its_order(self) -> None:
        source, sink = io.BytesIO(), io.BytesIO()
        for batch in (checks(), [], checks()[3:]):
            verifier._write(source, encode(batch))
        source.seek(0)
        serve(source, sink, BITS)
        sink.seek(0)
        self.assertEqual([verifier._read(sink) for _ in range(4)], [WANTED, b"", WANTED[3:], None])

    def test_verdicts_come_from_a_process_of_its_own_that_ends_with_it(self) -> None:
        made = self.open(workers=2)
        pids = made.pids
        self.assertEqual(len({*pids, os.getpid()}), 3)
        futures = [made.judge(checks()) for _ in range(5)]
        self.assertEqual([future.result(SECONDS) for future in futures], [WANTED] * 5)
        self.assertEqual(made.pids, pids)
        made.close()
        for pid in pids:
            self.assertRaises(ProcessLookupError, os.kill, pid, 0)
        self.assertRaises(RuntimeError, made.judge, [])
        made.close()

    def test_where_no_process_can_be_made_a_thread_judges(self) -> None:
        def refuse(bits: int) -> subprocess.Popen[bytes]:
            raise OSError("no more processes")

        made = self.open(refuse)
        self.assertEqual(made.pids, [])
        self.assertEqual(made.judge(checks()).result(SECONDS), WANTED)

    def test_a_killed_process_costs_no_verdict_and_another_is_made(self) -> None:
        made = self.open()
        (pid,) = made.pids
        os.kill(pid, signal.SIGKILL)
        self.assertEqual(made.judge(checks()).result(SECONDS), WANTED)
        self.assertNotIn(made.pids, ([], [pid]))
        self.assertEqual(made.judge(checks()).result(SECONDS), WANTED)

    def test_one_that_always_dies_or_lies_is_made_no_more(self) -> None:
        for code in ("", "import sys; sys.stdout.buffer.write(b'\\0\\0\\0\\1\\0')"):
            spawned = []

            def spawn(bits: int, code: str = code, spawned: list[int] = spawned) -> subprocess.Popen[bytes]:
                spawned.append(bits)
                return subprocess.Popen([sys.executable, "-c", code], stdin=-1, stdout=-1)

            made = self.open(spawn)
            for _ in range(DEATHS_MOST + 1):
                self.assertEqual(made.judge(checks()).result(SECONDS), WANTED)
            self.assertEqual(spawned, [BITS] * DEATHS_MOST)
            self.assertEqual(made.pids, [])

    def test_closing_cancels_what_waits(self) -> None:
        made = self.open(lambda bits: subprocess.Popen(["sleep", "60"], stdin=-1, stdout=-1))
        futures = [made.judge(checks()) for _ in range(3)]
        process = made._workers[0].process
        assert process is not None
        while not futures[0].running():
            pass
        process.kill()
        made.close()
        self.assertEqual(futures[0].result(SECONDS), WANTED)
        self.assertRaises(CancelledError, futures[2].result, SECONDS)
