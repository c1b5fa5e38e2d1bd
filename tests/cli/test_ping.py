"""rho ping: from another process, because it runs a reactor of its own."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from typing import Any

from twisted.internet import reactor  # noqa: TID251 - real sockets
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from rhotwist.keys.address import parse_node_at
from rhotwist.net.endpoint import listen
from tests.cli.stage import ENVIRON, NODE_ADDRESS, CliCase


def ping(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run rho ping to its end."""
    return subprocess.run(
        [sys.executable, "-m", "rhotwist.cli", "ping", *arguments], capture_output=True, text=True, timeout=60,
        env=ENVIRON,
    )  # fmt: skip


class PingTests(TestCase):
    """A node in this process, rho in another."""

    timeout = 90

    async def test_the_answer_tells_suite_and_round_trip_and_that_the_key_was_proven(self) -> None:
        node = await listen(reactor, interface="127.0.0.1")
        try:
            done = await deferToThread(ping, node.address)
            self.assertEqual(0, done.returncode, done.stderr)
            self.assertRegex(done.stdout, r"MLKEM768.* \(post-quantum\)  round trip \d+\.\d ms  key proven\n$")
            done = await deferToThread(ping, node.address, "--json", "--timeout", "20")
            found: dict[str, Any] = json.loads(done.stdout)
            self.assertEqual((True, True, node.address), (found["post_quantum"], found["key_proven"], found["node"]))
        finally:
            await node.close()

    async def test_another_key_gets_silence_and_rho_says_so(self) -> None:
        node = await listen(reactor, interface="127.0.0.1")
        try:
            at = f"{NODE_ADDRESS}@127.0.0.1:{parse_node_at(node.address).port}"
            done = await deferToThread(ping, at, "--timeout", "0.7")
            self.assertEqual((1, ""), (done.returncode, done.stdout))
            self.assertEqual(3, len(done.stderr.splitlines()), done.stderr)
            self.assertIn("another key", done.stderr)
            self.assertIn("RHO-2203", done.stderr)
            self.assertEqual(0, node.counters["sent_datagrams"])
        finally:
            await node.close()


class RefusedTests(CliCase):
    """What needs no net."""

    def test_what_is_no_node_is_told_at_once(self) -> None:
        for text in ("rho1x", NODE_ADDRESS[:-1], f"{NODE_ADDRESS}@", f"{NODE_ADDRESS}@[::1"):
            printed = self.rho("ping", text)
            self.assertEqual(2, printed.status, text)
            self.assertIn("RHO-2201", printed.err)

    def test_a_host_that_is_not_found_is_told_as_that(self) -> None:
        done = ping(f"{NODE_ADDRESS}@no-such-host.invalid:7460", "--json")  # RFC 6761 6.4: no resolver knows it
        self.assertEqual("RHO-2213", json.loads(done.stdout)["error"]["code"])

    def test_nobody_there_is_told_after_the_timeout(self) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as held:
            held.bind(("127.0.0.1", 0))
            done = ping(f"{NODE_ADDRESS}@127.0.0.1:{held.getsockname()[1]}", "--timeout", "0.3", "--json")
        self.assertEqual("RHO-2203", json.loads(done.stdout)["error"]["code"])
