"""rho status."""

from __future__ import annotations

import attrs

from rhotwist.cli.status import wallet_line
from rhotwist.control import verbs
from tests.cli.stage import NODE_ADDRESS, ROW, STATUS, CliCase


class StatusTests(CliCase):
    """Health first, then who runs."""

    def test_nothing_running_is_exit_3_and_said_so(self) -> None:
        printed = self.rho("status")
        self.assertEqual(3, printed.status)
        self.assertEqual(2, printed.out.count("not running"))
        self.assertEqual({"node": None, "wallet": None}, self.rho("status", "--json").json)

    def test_what_starts_a_process_names_the_folder_that_was_said(self) -> None:
        printed = self.rho("dir", "root", "--node", "--datadir", "/none/here")
        self.assertIn("twistd -n rhocoin --datadir /none/here", printed.err)

    def test_a_running_node_is_shown_for_people_and_programs(self) -> None:
        self.process("node", {verbs.STATUS: STATUS})
        printed = self.rho("status")
        self.assertEqual(0, printed.status)
        for part in (NODE_ADDRESS, "udp 0.0.0.0:7460", "up 2 min", "pid 7", "sessions 3", "wallet  not running"):
            self.assertIn(part, printed.out)
        found = self.rho("status", "--json").json
        self.assertEqual((NODE_ADDRESS, 125.0, {"sessions": 3}),
                         (found["node"]["address"], found["node"]["uptime"], found["node"]["counters"]))

    def test_what_is_wrong_stands_first(self) -> None:
        self.process("node", {verbs.STATUS: attrs.evolve(STATUS, health=("too much to do",))})
        self.assertEqual("! too much to do", self.rho("status").out.splitlines()[0])

    def test_the_wallets_of_a_wallet_process_are_listed(self) -> None:
        hot = attrs.evolve(ROW, state="hot", locks_in=899.5)
        self.process("wallet", {verbs.STATUS: attrs.evolve(STATUS, role="wallet", wallets=(hot,))})
        self.assertIn("hot, locks after 15 min idle", self.rho("status").out)

    def test_a_process_that_answers_nonsense_is_an_error(self) -> None:
        self.process("node", {verbs.STATUS: (200, b"{}")})
        self.assertEqual(1, self.rho("status").status)

    def test_a_hot_wallet_that_never_locks_says_so(self) -> None:
        self.assertIn("hot until locked", wallet_line(attrs.evolve(ROW, state="hot")))

    def test_a_wallet_whose_address_is_not_known_yet_says_so(self) -> None:
        self.assertIn("unlock it once", wallet_line(attrs.evolve(ROW, address="")))
