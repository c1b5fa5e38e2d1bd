"""How a process is, as a value."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from rhotwist.keys.address import parse_node_at
from rhotwist.keys.pair import SeedKey
from rhotwist.service import status
from rhotwist.service.listening import Place
from rhotwist.service.options import Options, Settings, settings

KEY = SeedKey(b"k" * 32).public


def told(**more: Any) -> dict[str, Any]:
    """What a node says of itself."""
    base = {"sessions": 4, "sockets": [("0.0.0.0", 7460), ("::", 7460)], "loop_lag_p99": 0.001, "loop_lag_worst": 0.5,
            "counters": {"drop tag": 3}}  # fmt: skip
    return {**base, **more}


class StatusTests(SynchronousTestCase):
    """From the node's figures to what people and programs see."""

    def said(self, *arguments: str) -> Settings:
        """The settings of a command line."""
        options = Options()
        options.parseOptions(arguments)
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        return settings(options, {"RHO_HOME": folder.name}, Path(folder.name))

    def test_everything_is_told(self) -> None:
        found = status.describe(self.said(), KEY, told(), uptime=3.5)
        self.assertEqual(("node", os.getpid(), 3.5, ()), (found.role, found.pid, found.uptime, found.health))
        self.assertTrue(found.address.startswith("rho1n"))
        self.assertEqual(("udp 0.0.0.0:7460", "udp [::]:7460"), found.listening)
        self.assertEqual({"sessions": 4, "loop_lag_p99_us": 1000, "loop_lag_worst_us": 500_000, "drop tag": 3},
                         found.counters)

    def test_a_missing_family_a_late_loop_and_failed_handlers_are_illnesses(self) -> None:
        found = status.health(self.said(), [Place("0.0.0.0", 7460)],
                              told(loop_lag_p99=0.2, counters={"handler_failed": 2}))
        self.assertEqual(3, len(found))
        for part, line in zip(("IPv6", "200 ms", "2 requests"), found, strict=True):
            self.assertIn(part, line)

    def test_a_family_that_was_not_asked_for_is_no_illness(self) -> None:
        self.assertEqual((), status.health(self.said("--listen", "0.0.0.0:1"), [Place("0.0.0.0", 1)], told()))

    def test_a_socket_of_all_addresses_is_reached_on_this_machine_last(self) -> None:
        found = status.reachable(KEY, [Place("0.0.0.0", 5), Place("::", 5)])
        hosts = [parse_node_at(at).host for at in found]
        self.assertEqual({"127.0.0.1", "::1"}, set(hosts[-2:]))
        self.assertTrue({"0.0.0.0", "::"}.isdisjoint(hosts))

    def test_connections_are_listed_beside_datagrams(self) -> None:
        found = status.describe(self.said(), KEY, told(streams=[("127.0.0.1", 7)]), uptime=1.0)
        self.assertEqual("tcp 127.0.0.1:7", found.listening[-1])
        self.assertEqual(("127.0.0.1", 7, "tcp"), (lambda at: (at.host, at.port, at.carrier))(
            parse_node_at(next(at for at in found.reachable if "tcp" in at))))
        wanted = self.said("--listen", "7460", "--listen", "tcp:7460")
        self.assertEqual(2, len(status.health(wanted, [Place("0.0.0.0", 7460), Place("::", 7460)], told())))

    def test_a_socket_of_one_address_is_reached_there_alone(self) -> None:
        [found] = status.reachable(KEY, [Place("127.0.0.1", 5)])
        self.assertEqual(("127.0.0.1", 5, KEY), (parse_node_at(found).host, parse_node_at(found).port,
                                                 parse_node_at(found).key))
