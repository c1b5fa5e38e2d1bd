"""Asking a process over its socket."""

from __future__ import annotations

import os
import socket
import threading
from typing import Any

from rhotwist.cli.client import Client
from rhotwist.control import trouble, values, verbs
from rhotwist.control.places import Places
from rhotwist.errors import OperatorError
from tests.cli.stage import STATUS, CliCase


class ClientTests(CliCase):
    """Values out, values or errors in."""

    def client(self, timeout: float = 5.0) -> Client:
        """A client of the node in this folder."""
        return Client(Places(self.home), "node", timeout)

    def refused(self, verb: Any = verbs.STATUS, request: Any = None, timeout: float = 5.0) -> OperatorError:
        """The error of a request."""
        with self.assertRaises(OperatorError) as caught:
            self.client(timeout).ask(verb, request)
        return caught.exception

    def test_a_value_comes_back_and_one_went_out(self) -> None:
        asked = self.process("node", {verbs.STATUS: STATUS, verbs.INBOX: values.Inbox((), 4)})
        self.assertEqual(STATUS, self.client().ask(verbs.STATUS))
        self.assertEqual(values.Inbox((), 4), self.client().ask(verbs.INBOX, values.InboxAsk("alice", 3)))
        self.assertEqual([None, {"wallet": "alice", "limit": 3}], asked)

    def test_an_error_of_the_process_is_raised_here_as_it_was_there(self) -> None:
        error = trouble.WALLET_LOCKED(name="alice")
        self.process("node", {verbs.STATUS: error})
        found = self.refused()
        self.assertEqual((str(error), error.exit_status), (str(found), found.exit_status))

    def test_nobody_at_the_socket_is_exit_3(self) -> None:
        self.assertFalse(self.client().runs())
        self.assertEqual(("RHO-1110", 3), (self.refused().code, self.refused().exit_status))
        dead = socket.socket(socket.AF_UNIX)
        dead.bind(str(self.home / "node.sock"))
        dead.close()
        self.assertEqual("RHO-1110", self.refused().code)
        self.assertFalse(self.client().runs())

    def test_a_file_for_a_data_folder_is_nobody_who_runs(self) -> None:
        (self.home / "file").touch()
        with self.assertRaises(OperatorError) as caught:
            Client(Places(self.home / "file"), "node", 5.0).ask(verbs.STATUS)
        self.assertEqual("RHO-1110", caught.exception.code)

    def test_an_answer_that_is_none_of_ours_is_told(self) -> None:
        for answer in ((200, b"{}"), (200, b"<html>"), (500, b"oops"), (409, b'{"code": 1}'), (204, b"")):
            self.process("node", {verbs.STATUS: answer})
            self.assertEqual("RHO-1112", self.refused().code, answer)
            os.unlink(self.home / "node.sock")

    def test_an_answer_may_say_more_than_we_know(self) -> None:
        body = b'{"wallets": [], "weather": "fine"}'
        self.process("node", {verbs.WALLETS: (200, body)})
        self.assertEqual(values.WalletList(()), self.client().ask(verbs.WALLETS))

    def test_a_process_that_is_silent_is_told_after_the_timeout(self) -> None:
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(self.home / "node.sock"))
        listener.listen()
        self.addCleanup(listener.close)
        self.assertEqual("RHO-1118", self.refused(timeout=0.1).code)

    def test_a_process_that_hangs_up_is_told(self) -> None:
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(self.home / "node.sock"))
        listener.listen()
        self.addCleanup(listener.close)

        def hang_up() -> None:
            listener.accept()[0].close()

        thread = threading.Thread(target=hang_up)
        thread.start()
        self.assertEqual("RHO-1119", self.refused().code)
        thread.join()

    def test_a_socket_of_another_user_is_told(self) -> None:
        if os.geteuid() == 0:
            # root may enter everything, so the system's answer is given for it
            self.patch(socket.socket, "connect", _denied)
        else:
            self.process("node", {verbs.STATUS: STATUS})
            (self.home / "node.sock").chmod(0)
        self.assertEqual("RHO-1116", self.refused().code)

    def test_a_system_without_unix_sockets_is_told(self) -> None:
        family = socket.AF_UNIX
        del socket.AF_UNIX
        try:
            with self.assertRaises(OperatorError) as caught:
                self.client()
        finally:
            socket.AF_UNIX = family
        self.assertEqual("RHO-1117", caught.exception.code)


def _denied(self: socket.socket, address: Any) -> None:
    raise PermissionError(13, "Permission denied")
