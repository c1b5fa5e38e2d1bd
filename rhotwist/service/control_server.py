"""The control socket's server: HTTP and JSON over a Unix socket that only its owner can open.

Each request is one ``Verb``; its body is read into a value before anything is done, and every failure is a ``Problem``
that the client prints. Whoever can connect may do everything: the socket's mode and the folder's are the guard.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from twisted.internet.defer import CancelledError, Deferred, fail, succeed
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web import http, resource, server

from rhotwist.control import codec, explain, trouble
from rhotwist.control.values import Problem
from rhotwist.control.verbs import BODY_MOST, CONTENT_TYPE, VERBS, Verb
from rhotwist.errors import OperatorError, StoreError

Handler = Callable[[Any], Any]
"""Takes the verb's request and gives its answer: a value, a coroutine or a Deferred. Raises OperatorError."""

IDLE_MOST = 30  # seconds a connection may take to say its request
CONNECTIONS_MOST = 64
"""Connections at once; more are closed at once, so that nobody's loop can use up the process's files."""
_JSON = CONTENT_TYPE.encode("ascii")


class ControlRequest(server.Request):
    """A request whose body ends at BODY_MOST: Twisted itself would write one of any size to the disk."""

    _refused = False

    def gotLength(self, length: int | None) -> None:
        """The head is read; the body begins. None means that its length is not told."""
        if length is not None and length > BODY_MOST:
            self._refuse_body()
        super().gotLength(min(length or 0, BODY_MOST))

    def handleContentChunk(self, data: bytes) -> None:
        """Part of the body."""
        if self.content is not None and self.content.tell() + len(data) > BODY_MOST:
            self._refuse_body()
        elif not self._refused:
            super().handleContentChunk(data)

    def requestReceived(self, command: bytes, path: bytes, version: bytes) -> None:
        """The body is whole; a refused one is never looked at."""
        if not self._refused:
            super().requestReceived(command, path, version)

    def _refuse_body(self) -> None:
        if self._refused or self.channel is None:
            return
        self._refused = True
        problem = trouble.REQUEST_UNREADABLE(why=f"its body is larger than {BODY_MOST} bytes")
        body = codec.to_json(explain.to_problem(problem))
        head = b"HTTP/1.1 413 Content Too Large\r\nContent-Type: %s\r\nContent-Length: %d\r\nConnection: close\r\n\r\n"
        transport: Any = self.channel.transport
        transport.write(head % (_JSON, len(body)) + body)
        transport.loseConnection()


class ControlResource(resource.Resource):
    """Answers verbs with handlers."""

    isLeaf = True
    _log = Logger()

    def __init__(self, handlers: Mapping[Verb, Handler]) -> None:
        super().__init__()
        self._by_path = {verb.path.encode("ascii"): (verb, handler) for verb, handler in handlers.items()}
        self._elsewhere = {verb.path.encode("ascii") for verb in VERBS} - set(self._by_path)

    def render(self, request: server.Request) -> int:
        """Called for every request."""
        found = self._by_path.get(request.path)
        if found is None:
            other = request.path in self._elsewhere
            why = "this process has another role and does not answer that" if other else "there is no such thing to ask"
            return self._refuse(request, http.NOT_FOUND, why)
        verb, handler = found
        if request.method != verb.method.encode("ascii"):
            request.setHeader(b"Allow", verb.method.encode("ascii"))
            return self._refuse(request, http.NOT_ALLOWED, f"{verb.path} is asked by {verb.method}")
        try:
            asked = self._read(request, verb)
        except _NotJson as error:
            return self._refuse(request, http.UNSUPPORTED_MEDIA_TYPE, str(error))
        except codec.BadBody as error:
            return self._refuse(request, http.BAD_REQUEST, str(error))
        working = _started(handler, asked)
        # Whoever asked may go away: then the work is withdrawn, and its outcome has nobody to go to.
        request.notifyFinish().addErrback(lambda gone: working.cancel())
        working.addCallbacks(self._answer, self._failed, callbackArgs=(request,), errbackArgs=(request,))
        return server.NOT_DONE_YET

    def _read(self, request: server.Request, verb: Verb) -> Any:
        if verb.method == "GET":
            return verb.asks()
        kind = request.getHeader(b"content-type") or b""
        if kind.partition(b";")[0].strip().lower() != _JSON:
            raise _NotJson(f"a request is {CONTENT_TYPE}")
        return codec.from_json(verb.asks, request.content.read() if request.content else b"")

    def _answer(self, value: Any, request: server.Request) -> None:
        self._finish(request, http.OK, value)

    def _failed(self, failure: Failure, request: server.Request) -> None:
        error = failure.value
        if isinstance(error, OperatorError):
            told = error
        elif isinstance(error, StoreError):
            told = explain.store(error)
        elif isinstance(error, CancelledError):
            told = trouble.INTERRUPTED_BY_USER()
        else:
            self._log.failure("answering {path} failed", failure, path=request.path.decode("ascii", "replace"))
            told = explain.bug(error if isinstance(error, BaseException) else RuntimeError("no exception"))
        self._finish(request, http.CONFLICT, explain.to_problem(told))

    def _refuse(self, request: server.Request, status: int, why: str) -> int:
        self._finish(request, status, explain.to_problem(trouble.REQUEST_UNREADABLE(why=why)))
        return server.NOT_DONE_YET

    def _finish(self, request: server.Request, status: int, value: Any | Problem) -> None:
        if request._disconnected or request.finished:
            return
        body = codec.to_json(value)
        request.setResponseCode(status)
        request.setHeader(b"Content-Type", _JSON)
        request.setHeader(b"Content-Length", b"%d" % len(body))
        request.setHeader(b"Cache-Control", b"no-store")
        request.write(body)
        request.finish()


class ControlSite(server.Site):
    """The factory of control connections. Quiet: every request is the owner's own."""

    noisy = False
    displayTracebacks = False

    def __init__(self, handlers: Mapping[Verb, Handler], reactor: Any) -> None:
        super().__init__(ControlResource(handlers), requestFactory=ControlRequest, timeout=IDLE_MOST, reactor=reactor)
        self.connections = 0

    def buildProtocol(self, addr: Any) -> Any:
        """One more connection; None refuses it."""
        if self.connections >= CONNECTIONS_MOST:
            return None
        made = super().buildProtocol(addr)
        lost = made.connectionLost

        def counted(reason: Failure) -> Any:
            self.connections -= 1
            return lost(reason)

        self.connections += 1
        made.connectionLost = counted
        return made

    def log(self, request: http.Request) -> None:
        """No line for each request: rho status in a loop would fill the log."""


class _NotJson(Exception):
    """Another content type."""


def _started(handler: Handler, asked: Any) -> Deferred[Any]:
    try:
        result = handler(asked)
    except Exception:
        return fail(Failure())
    if isinstance(result, Deferred):
        return result
    if isinstance(result, Coroutine):
        return Deferred.fromCoroutine(result)
    return succeed(result)
