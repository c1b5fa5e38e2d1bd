"""A node process: it starts, tells, answers, remembers, and leaves nothing behind."""

from __future__ import annotations

import os
import stat
from typing import Any

from twisted.internet import reactor  # noqa: TID251 - real sockets
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread

from rhotwist.cli.client import Client
from rhotwist.control import verbs
from rhotwist.control.values import Nothing
from rhotwist.errors import OperatorError, StoreError
from rhotwist.keys.address import Address, format_address
from rhotwist.keys.pair import SeedKey
from rhotwist.node.jobs import KeepToken
from rhotwist.store import tokens
from tests.service.processes import ProcessCase, at


class NodeTests(ProcessCase):
    """On loopback sockets."""

    def node(self, name: str = "node", *arguments: str) -> Any:
        """A running node process."""
        return self.start(name, *(arguments or ("--listen", "127.0.0.1:0")))

    async def test_it_tells_who_it_is_where_it_listens_and_what_comes_next(self) -> None:
        made = self.node()
        key = format_address(Address("n", made.node.public))
        port = made.node.sockets[0][1]
        self.assertEqual(
            f"node {key} udp 127.0.0.1:{port}\nnext: rho wallet create alice\n", self.printed.getvalue()
        )

    async def test_what_comes_next_names_the_folder_that_was_said(self) -> None:
        made = self.node("node", "--listen", "127.0.0.1:0", "--datadir", str(self.home / "said here"))
        self.assertIn(f"rho wallet create alice --datadir '{self.home}/said here'\n", self.printed.getvalue())
        self.assertEqual(self.home / "said here", made.settings.places.datadir)

    async def test_it_answers_a_ping_of_another(self) -> None:
        one, other = self.node("one"), self.node("other")
        reached = await one.node.peer(at(other)).ping(5.0)
        self.assertTrue(reached.post_quantum)
        self.assertEqual(other.node.public, reached.peer)

    async def test_it_takes_connections_beside_datagrams_or_instead_of_them(self) -> None:
        one = self.node("one")
        for arguments in (("--listen", "127.0.0.1:0", "--listen", "tcp:127.0.0.1:0"), ("--listen", "tcp:127.0.0.1:0")):
            other = self.node(f"other {len(arguments)}", *arguments)
            [(host, port)] = other.node.streams.places
            where = f"{format_address(Address('n', other.node.public))}@tcp:{host}:{port}"
            reached = await one.node.peer(where).ping(5.0)
            self.assertEqual(other.node.public, reached.peer)
            self.assertIn(f" tcp 127.0.0.1:{port}\n", self.printed.getvalue())
            self.assertEqual((f"tcp 127.0.0.1:{port}", where), (other.status(Nothing()).listening[-1],
                                                              other.status(Nothing()).reachable[-1]))

    async def test_its_socket_is_its_owner_s_and_answers_status(self) -> None:
        made = self.node()
        path = made.claim.control_socket
        self.assertEqual(0o600, stat.S_IMODE(path.stat().st_mode))
        client = Client(made.settings.places, "node", 5.0)
        found = await deferToThread(client.ask, verbs.STATUS)
        self.assertEqual(("node", format_address(Address("n", made.node.public))), (found.role, found.address))
        with self.assertRaises(OperatorError) as caught:
            await deferToThread(client.ask, verbs.WALLETS)
        self.assertIn("another role", caught.exception.why)

    async def test_stopped_it_leaves_no_socket_no_lock_and_no_delayed_call(self) -> None:
        made = self.node()
        await made.stopService()
        self.assertFalse(made.claim.control_socket.exists())
        again = self.node()
        self.assertEqual(made.node.public, again.node.public)

    async def test_a_socket_left_by_a_dead_process_is_replaced(self) -> None:
        made = self.node()
        path = made.claim.control_socket
        await made.stopService()
        path.write_bytes(b"left behind")
        made = self.node()
        await deferToThread(Client(made.settings.places, "node", 5.0).ask, verbs.STATUS)

    async def test_address_tokens_outlive_the_process_and_serve_once(self) -> None:
        made = self.node()
        server, token = SeedKey(b"s" * 32).public, b"t" * 16
        made.node.driver.runners[KeepToken](KeepToken(server, token))
        await made.stopService()
        learned: list[tuple[bytes, bytes]] = []
        from rhotwist.node.core import Node

        self.patch(Node, "learn_token", lambda self, *known: learned.append(known))
        made = self.node()
        self.assertEqual([(server, token)], learned)
        await made.stopService()
        self.node()
        self.assertEqual([(server, token)], learned)

    async def test_a_token_that_cannot_be_kept_costs_a_log_line_and_nothing_else(self) -> None:
        made = self.node()

        def fail(self: Any, token: Any) -> Any:
            return made._machine.submit(_raise)

        self.patch(tokens.Tokens, "keep", fail)
        made.node.driver.runners[KeepToken](KeepToken(bytes(32), bytes(16)))
        await made.soon(made._machine.submit(lambda connection: None))

    async def test_what_a_store_promised_comes_in_the_reactor_s_thread_once(self) -> None:
        made = self.node()
        self.assertEqual(3, await made.soon(made._machine.submit(lambda connection: 3)))
        with self.assertRaises(StoreError):
            await made.soon(made._machine.submit(_raise))
        waiting: Deferred[int] = made.soon(made._machine.submit(lambda connection: 3))
        waiting.addErrback(lambda failure: None)
        waiting.cancel()
        for _ in range(3):
            await deferLater(reactor, 0.01)

    async def test_siblings_share_the_secret_and_are_known_to_the_core(self) -> None:
        first = self.node("first")
        other = format_address(Address("n", SeedKey(b"o" * 32).public))
        me = format_address(Address("n", first.node.public))
        await first.stopService()
        path = self.home / "siblings.toml"
        path.write_text(
            f'secret = "{"5c" * 32}"\n[[member]]\nkey = "{me}"\naddresses = ["127.0.0.1:1"]\n'
            f'[[member]]\nkey = "{other}"\naddresses = ["127.0.0.1:2", "[::1]:2"]\n'
        )
        path.chmod(0o600)
        made = self.node("first", "--listen", "127.0.0.1:0", "--siblings", str(path))
        [sibling] = made.node.core._state.siblings
        self.assertEqual((SeedKey(b"o" * 32).public, 2), (sibling.key, len(sibling.addresses)))


def _raise(connection: Any) -> None:
    raise StoreError("no")

    async def test_asked_to_stop_it_answers_and_then_ends_its_reactor(self) -> None:
        made, ended = self.node(), Deferred()
        self.patch(reactor, "stop", lambda: ended.callback(None))
        client = Client(made.settings.places, "node", 5.0)
        stopping = await deferToThread(client.ask, verbs.STOP)
        self.assertEqual(os.getpid(), stopping.pid)
        await ended
