"""The wallet process: found running, or started in the background."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import IO

import rhotwist
from rhotwist.cli.client import Client
from rhotwist.cli.run import Run
from rhotwist.control import trouble
from rhotwist.control.places import Places
from rhotwist.errors import OperatorError

START_MOST = 20.0  # seconds; it takes about one
_LOOK = 0.05  # seconds between two looks whether it is up


def wallet_process(run: Run, patience: float) -> Client:
    """A client of the wallet process, which is started if none runs. patience: seconds to wait for one answer.

    Raises OperatorError.
    """
    client = Client(run.places, "wallet", patience)
    if not client.runs():
        _start(run, client)
    return client


def _start(run: Run, client: Client) -> None:
    with tempfile.TemporaryFile() as said:
        child = _spawn(run.places, said, run.debug)
        late = time.monotonic() + START_MOST
        while not client.runs():
            status = child.poll()
            # Another rho may have started one a moment before: then ours ends, and that one will answer soon.
            if status is not None and not _soon(client):
                raise _failed(run.places, said, status)
            if time.monotonic() > late:
                child.kill()
                why = f"its control socket did not answer within {START_MOST:.0f} s"
                raise trouble.START_FAILED(why=why, log=run.places.log)
            _pause(_LOOK)
    run.advise(f"started the wallet process (pid {child.pid}, log {run.places.log})")


def _spawn(places: Places, said: IO[bytes], debug: bool) -> subprocess.Popen[bytes]:
    """Start it detached, so that it outlives this terminal. What it says before it is up goes to said.

    It runs from the folder that holds the package: there ``-m`` finds the very code that runs here, installed or not.
    """
    arguments = [sys.executable, "-m", "rhotwist.service", "wallet", "--datadir", str(places.datadir)]
    return subprocess.Popen(
        [*arguments, "--debug"] if debug else arguments,
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=said,
        cwd=Path(rhotwist.__file__).parents[1], start_new_session=True, close_fds=True,
        env={name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")},
    )  # fmt: skip


def _soon(client: Client) -> bool:
    for _ in range(20):
        if client.runs():
            return True
        _pause(_LOOK)
    return False


def _pause(seconds: float) -> None:
    threading.Event().wait(seconds)


def _failed(places: Places, said: IO[bytes], status: int) -> OperatorError:
    """The child's own error, which it printed in our three lines, or what it said last."""
    said.seek(0)
    lines = said.read().decode("utf-8", "replace").splitlines()
    for at in range(len(lines) - 2):
        what, why, hint = lines[at : at + 3]
        if what.startswith("error: ") and why.startswith("why: ") and hint.startswith("try: "):
            hint, _, code = hint.removeprefix("try: ").rpartition(" [")
            what, why = what.removeprefix("error: "), why.removeprefix("why: ")
            return OperatorError(code.rstrip("]"), what, why, hint, status or trouble.FAILED)
    last = lines[-1].strip() if lines else "it said nothing"
    return trouble.START_FAILED(why=f"it ended with status {status}: {last[:200]}", log=places.log)
