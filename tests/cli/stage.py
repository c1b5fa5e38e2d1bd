"""What a command needs to be tested alone: a data folder, a process that answers as told, and what was printed.

The process is a server from the standard library in a thread: the client is tested against other code than ours.
"""

from __future__ import annotations

import http.server
import io
import json
import os
import socketserver
import sys
import tempfile
import threading
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any
from unittest import mock

import attrs
from twisted.trial.unittest import SynchronousTestCase

from rhotwist.cli.main import run
from rhotwist.control import values
from rhotwist.control.codec import to_json
from rhotwist.control.verbs import Verb
from rhotwist.keys.address import NODE, WALLET, Address, format_address
from rhotwist.keys.pair import SeedKey

ROOT = Path(__file__).resolve().parents[2]
ENVIRON = {**os.environ, "PYTHONPATH": str(ROOT)}
"""For a child process: trial stands in another folder than the checkout."""
ALICE = format_address(Address(WALLET, SeedKey(b"a" * 32).public))
BOB = format_address(Address(WALLET, SeedKey(b"b" * 32).public))
NODE_ADDRESS = format_address(Address(NODE, SeedKey(b"n" * 32).public))
ROW = values.WalletRow("alice", ALICE, "master", "locked", "/w/alice.rhowallet")
STATUS = values.Status(
    "node", "0.1", 1, 7, NODE_ADDRESS, ("udp 0.0.0.0:7460",), (f"{NODE_ADDRESS}@192.0.2.9:7460",), 125.0, "/x", (), (),
    {"sessions": 3},
)  # fmt: skip


@attrs.frozen
class Printed:
    """The end of one run of rho."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The result of --json."""
        return json.loads(self.out)


class CliCase(SynchronousTestCase):
    """Runs rho in this process, in a folder of its own."""

    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.home = Path(folder.name)

    def rho(self, *arguments: str, stdin: str = "", **environ: str) -> Printed:
        """What a command line prints, and its exit status."""
        out, err = io.StringIO(), io.StringIO()
        said = io.TextIOWrapper(io.BytesIO(stdin.encode("utf-8", "surrogateescape")), encoding="utf-8")
        with (
            redirect_stdout(out), redirect_stderr(err), mock.patch.object(sys, "stdin", said),
            mock.patch.dict(os.environ, {"RHO_HOME": str(self.home), **environ}),
        ):  # fmt: skip
            status = run(list(arguments))
        return Printed(status, out.getvalue(), err.getvalue())

    def pipe(self, text: str) -> str:
        """The number of a file descriptor from which text can be read."""
        reader, writer = os.pipe()
        os.write(writer, text.encode())
        os.close(writer)
        self.addCleanup(os.close, reader)
        return str(reader)

    def process(self, role: str, answers: dict[Verb, Any]) -> list[Any]:
        """A running process of that role. answers are values, OperatorErrors, (status, bytes), or functions of the
        request that give one. What was asked, as plain data, is added to the list."""
        asked: list[Any] = []
        by_path = {verb.path: (verb, answer) for verb, answer in answers.items()}

        class Handler(http.server.BaseHTTPRequestHandler):
            def answer(self) -> None:
                verb, answer = by_path[self.path]
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                asked.append(json.loads(body) if body else None)
                if isinstance(answer, Callable):
                    answer = answer(asked[-1])
                status, data = answer if isinstance(answer, tuple) else _answer(answer)
                self.send_response(status)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            do_GET = do_POST = answer

            def address_string(self) -> str:
                return ""

            def log_message(self, *arguments: Any) -> None:
                pass

        class Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
            daemon_threads = True
            request_queue_size = 16

            def handle_error(self, *arguments: Any) -> None:
                pass

        server = Server(str(self.home / f"{role}.sock"), Handler)
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()

        def stop() -> None:
            server.shutdown()
            server.server_close()
            thread.join()

        self.addCleanup(stop)
        return asked


def _answer(answer: Any) -> tuple[int, bytes]:
    if isinstance(answer, Exception):
        problem = {"code": answer.code, "what": answer.what, "why": answer.why, "hint": answer.hint,
                   "exit_status": answer.exit_status}  # fmt: skip
        return 409, json.dumps(problem).encode()
    return 200, to_json(answer)

