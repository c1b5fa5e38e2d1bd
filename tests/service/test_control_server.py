"""The control socket: what comes in is a value or is refused, and every failure is a problem for people."""

from __future__ import annotations

import json
import socket
import tempfile
from pathlib import Path
from typing import Any

from twisted.internet import reactor  # noqa: TID251 - real sockets
from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from rhotwist.control import trouble, values, verbs
from rhotwist.control.verbs import BODY_MOST
from rhotwist.errors import DiskFull
from rhotwist.service import control_server
from rhotwist.service.control_server import ControlSite

SEND = b'{"to":"a","at":"b","text":"c"}'


class ServerTests(TestCase):
    """A server with handlers of the test's own, and a client that writes bytes."""

    timeout = 20

    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = str(Path(folder.name, "s"))
        self.asked: list[Any] = []
        self.outcome: Any = values.Sent("00", "alice", "bob", 0.5)
        self.site = ControlSite({verbs.SEND: self.handle, verbs.WALLETS: self.handle}, reactor)
        port = reactor.listenUNIX(self.path, self.site, mode=0o600)
        self.addCleanup(port.stopListening)

    def handle(self, asked: Any) -> Any:
        """Keep what was asked; give or raise the outcome."""
        self.asked.append(asked)
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return self.outcome

    def say(self, data: bytes) -> Deferred[tuple[int, dict[str, Any]]]:
        """Write data to the socket; status and body of the answer."""

        def talk() -> tuple[int, dict[str, Any]]:
            with socket.socket(socket.AF_UNIX) as made:
                made.settimeout(10)
                made.connect(self.path)
                try:
                    made.sendall(data)
                except OSError:
                    pass
                answer = b""
                try:
                    while more := made.recv(65536):
                        answer += more
                except ConnectionResetError:
                    pass  # the server closed with our body unread; what it answered came first
            head, _, body = answer.partition(b"\r\n\r\n")
            return int(head.split()[1]), json.loads(body)

        return deferToThread(talk)

    def ask(self, method: bytes, path: bytes, body: bytes = b"", kind: bytes = b"application/json") -> Any:
        """One request by HTTP."""
        head = b"%s %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n" % (method, path)
        if body:
            head += b"Content-Type: %s\r\nContent-Length: %d\r\n" % (kind, len(body))
        return self.say(head + b"\r\n" + body)

    async def test_a_request_becomes_a_value_and_a_value_the_answer(self) -> None:
        status, answer = await self.ask(b"POST", b"/1/send", SEND)
        self.assertEqual((200, {"hash": "00", "wallet": "alice", "kept_by": "bob", "seconds": 0.5}), (status, answer))
        self.assertEqual([values.Send("a", "b", "c")], self.asked)

    async def test_a_handler_may_take_its_time(self) -> None:
        async def later() -> values.Sent:
            return values.Sent("01", "", "", 0.0)

        for outcome in (succeed(values.Sent("01", "", "", 0.0)), later()):
            self.outcome = outcome
            _, answer = await self.ask(b"POST", b"/1/send", SEND, b"application/json; charset=utf-8")
            self.assertEqual("01", answer["hash"])

    async def test_what_is_no_request_is_refused_before_any_handler(self) -> None:
        good = b"application/json"
        for status, method, path, body, kind in (
            (404, b"GET", b"/", b"", b""), (404, b"GET", b"/1/../1/wallets", b"", b""),
            (404, b"GET", b"/1/status", b"", b""), (405, b"GET", b"/1/send", b"", b""),
            (405, b"POST", b"/1/wallets", b"{}", good), (405, b"DELETE", b"/1/wallets", b"", b""),
            (415, b"POST", b"/1/send", SEND, b"text/plain"), (415, b"POST", b"/1/send", b"", b""),
            (415, b"POST", b"/1/send", SEND, b"application/x-www-form-urlencoded"),
            (400, b"POST", b"/1/send", b"{", good), (400, b"POST", b"/1/send", b"[]", good),
            (400, b"POST", b"/1/send", SEND[:-1] + b',"x":1}', good),
        ):  # fmt: skip
            found, answer = await self.ask(method, path, body, kind)
            self.assertEqual((status, "RHO-1120"), (found, answer["code"]), (method, path, body))
        self.assertEqual([], self.asked)

    async def test_a_body_over_the_cap_is_refused_before_it_is_read(self) -> None:
        head = b"POST /1/send HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        over = BODY_MOST + 1
        self.assertEqual(413, (await self.say(head + b"Content-Length: %d\r\n\r\n" % 10**12))[0])
        self.assertEqual(413, (await self.say(head + b"Content-Length: %d\r\n\r\n%s" % (over, b"x" * over)))[0])
        chunk = b"%x\r\n%s\r\n" % (40_000, b" " * 40_000)
        chunked = head + b"Transfer-Encoding: chunked\r\n\r\n" + 2 * chunk + b"0\r\n\r\n"
        self.assertEqual(413, (await self.say(chunked))[0])
        self.assertEqual([], self.asked)

    async def test_a_body_of_just_the_cap_is_read(self) -> None:
        body = SEND + b" " * (BODY_MOST - len(SEND))
        self.assertEqual(200, (await self.ask(b"POST", b"/1/send", body))[0])

    async def test_an_error_for_the_operator_is_the_answer(self) -> None:
        self.outcome = trouble.WALLET_LOCKED(name="alice")
        status, answer = await self.ask(b"POST", b"/1/send", SEND)
        self.assertEqual((409, "RHO-1207", 4), (status, answer["code"], answer["exit_status"]))

    async def test_a_full_disk_is_told_as_such(self) -> None:
        self.outcome = DiskFull("no room at /x")
        self.assertEqual("RHO-1113", (await self.ask(b"POST", b"/1/send", SEND))[1]["code"])

    async def test_an_exception_is_logged_and_told_without_a_traceback(self) -> None:
        self.outcome = ZeroDivisionError("by zero")
        status, answer = await self.ask(b"POST", b"/1/send", SEND)
        self.assertEqual((409, "RHO-9001"), (status, answer["code"]))
        self.assertNotIn("Traceback", json.dumps(answer))
        self.assertEqual(1, len(self.flushLoggedErrors(ZeroDivisionError)))

    async def test_who_goes_away_withdraws_his_request(self) -> None:
        gone: Deferred[None] = Deferred()
        self.outcome = Deferred(lambda _: gone.callback(None))

        def leave() -> None:
            with socket.socket(socket.AF_UNIX) as made:
                made.connect(self.path)
                made.sendall(b"POST /1/send HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n")
                made.sendall(b"Content-Length: %d\r\n\r\n%s" % (len(SEND), SEND))
                while not self.asked:
                    pass

        await deferToThread(leave)
        await gone

    async def test_more_connections_than_allowed_are_closed_at_once(self) -> None:
        self.patch(control_server, "CONNECTIONS_MOST", 3)

        def crowd() -> int:
            made = [socket.socket(socket.AF_UNIX) for _ in range(5)]
            refused = 0
            for one in made:
                one.connect(self.path)
                one.settimeout(0.1)
                try:
                    refused += one.recv(1) == b""
                except TimeoutError:
                    pass
            for one in made:
                one.close()
            return refused

        self.assertEqual(2, await deferToThread(crowd))
        while self.site.connections:
            await deferLater(reactor, 0.01)
        status, _ = await self.ask(b"POST", b"/1/send", SEND)
        self.assertEqual(200, status)
