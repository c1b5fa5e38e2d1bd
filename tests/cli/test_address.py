"""rho address."""

from __future__ import annotations

import attrs

from rhotwist.control import values, verbs
from tests.cli.stage import ALICE, ROW, CliCase


class AddressTests(CliCase):
    """The address stands alone, so that a script can take it."""

    def test_it_is_the_only_line(self) -> None:
        self.process("wallet", {verbs.WALLETS: values.WalletList((ROW,))})
        self.assertEqual(f"{ALICE}\n", self.rho("address").out)
        self.assertEqual({"name": "alice", "address": ALICE}, self.rho("address", "alice", "--json").json)

    def test_with_a_qr_code_it_is_the_last_line(self) -> None:
        self.process("wallet", {verbs.WALLETS: values.WalletList((ROW,))})
        lines = self.rho("address", "--qr").out.splitlines()
        self.assertEqual(ALICE, lines[-1])
        self.assertEqual(17, len(lines[:-1]))  # 29 squares and a border of 2 on each side, two in a line

    def test_an_address_that_is_not_known_yet_is_told(self) -> None:
        self.process("wallet", {verbs.WALLETS: values.WalletList((attrs.evolve(ROW, address=""),))})
        printed = self.rho("address")
        self.assertEqual(4, printed.status)
        self.assertIn("RHO-1207", printed.err)
