"""Asking a running process over its control socket.

Plain ``http.client`` over a Unix socket, because ``rho`` asks one thing and waits: importing Twisted and treq for that
costs 0.8 s, more than all the rest of ``rho status`` (docs/command-line.md has the figures).
"""

from __future__ import annotations

import http.client
import socket
import sys
from pathlib import Path
from typing import Any

from rhotwist.control import trouble
from rhotwist.control.codec import BadBody, from_json, to_json
from rhotwist.control.explain import from_problem
from rhotwist.control.places import Places
from rhotwist.control.values import Nothing, Problem
from rhotwist.control.verbs import CONTENT_TYPE, Verb

ANSWER_MOST = 16 * 2**20
"""Bytes of an answer that we read."""
_HINTS = {"node": "twistd -n rhocoin{0}", "wallet": "rho wallet list{0} starts it; or: twistd -n rhocoin{0} wallet"}


class _UnixConnection(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: Path, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        """Called by the first request."""
        made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            made.settimeout(self.timeout)
            made.connect(str(self._path))
        except BaseException:
            made.close()
            raise
        self.sock = made


class Client:
    """Asks the process of one role in one data folder."""

    def __init__(self, places: Places, role: str, timeout: float) -> None:
        if not hasattr(socket, "AF_UNIX"):
            raise trouble.NO_UNIX_SOCKETS()
        self.places = places
        self.role = role
        self.timeout = timeout
        self.path = places.checked_socket(role, sys.platform)

    def ask(self, verb: Verb, request: Any = None) -> Any:
        """The process's answer, a value of ``verb.answers``. Raises OperatorError: its own, or one about the socket."""
        status, data = self._exchange(verb, b"" if verb.method == "GET" else to_json(request or Nothing()))
        try:
            if status == http.client.OK:
                return from_json(verb.answers, data, strict=False)
            raise from_problem(from_json(Problem, data, strict=False))
        except BadBody as error:
            why = f"status {status}: {error}"
            raise trouble.ANSWER_UNREADABLE(path=self.path, why=why) from None

    def runs(self) -> bool:
        """Whether anything takes connections at the socket."""
        try:
            connection = _UnixConnection(self.path, 1.0)
            connection.connect()
            connection.close()
        except OSError:
            return False
        return True

    def _exchange(self, verb: Verb, body: bytes) -> tuple[int, bytes]:
        connection = _UnixConnection(self.path, self.timeout)
        headers = {"Content-Type": CONTENT_TYPE} if body else {}
        try:
            connection.request(verb.method, verb.path, body or None, headers)
            answer = connection.getresponse()
            return answer.status, answer.read(ANSWER_MOST)
        except TimeoutError:
            raise trouble.PROCESS_BUSY(role=self.role, seconds=f"{self.timeout:g}") from None
        except PermissionError:
            raise trouble.SOCKET_DENIED(path=self.path) from None
        except (FileNotFoundError, NotADirectoryError, ConnectionRefusedError):
            raise self.not_started() from None
        except (ConnectionError, http.client.IncompleteRead):
            raise trouble.PROCESS_GONE(role=self.role, path=self.path) from None
        except (OSError, http.client.HTTPException) as error:
            why = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
            raise trouble.ANSWER_UNREADABLE(path=self.path, why=why) from None
        finally:
            connection.close()

    def not_started(self) -> Exception:
        """The error that says nobody answers at the socket."""
        hint = _HINTS[self.role].format(self.places.option)
        return trouble.NOT_STARTED(role=self.role, path=self.places.datadir, hint=hint)
