"""Finding the wallet process, and telling why it did not start. That it starts is shown by tests/end_to_end."""

from __future__ import annotations

import io

from rhotwist.cli import wallet_process
from rhotwist.cli.run import Run
from rhotwist.control import trouble, values, verbs
from rhotwist.control.places import Places
from tests.cli.stage import ROW, CliCase


class FailedTests(CliCase):
    """The child's words become ours."""

    def told(self, said: bytes, status: int = 1) -> trouble.OperatorError:
        """The error for a child that said this."""
        return wallet_process._failed(Places(self.home), io.BytesIO(said), status)

    def test_three_lines_of_the_child_are_our_three_lines(self) -> None:
        error = trouble.FOLDER_OPEN(path="/x", mode="0755", wanted="700")
        found = self.told(f"some warning\n{error}\n".encode(), 1)
        self.assertEqual((str(error), 1), (str(found), found.exit_status))

    def test_anything_else_is_its_last_line(self) -> None:
        found = self.told(b"Traceback ...\nImportError: no module\n", 1)
        self.assertEqual(("RHO-1111", 3), (found.code, found.exit_status))
        self.assertIn("ImportError: no module", found.why)
        self.assertIn("said nothing", self.told(b"", -9).why)


class FindTests(CliCase):
    """A process that runs is taken."""

    def test_no_second_one_is_started(self) -> None:
        self.process("wallet", {verbs.WALLETS: values.WalletList((ROW,))})
        self.patch(wallet_process, "_spawn", lambda *arguments: self.fail("started one"))
        found = wallet_process.wallet_process(Run(datadir=str(self.home)), 5.0).ask(verbs.WALLETS)
        self.assertEqual((ROW,), found.wallets)
