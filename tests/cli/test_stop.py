"""rho stop."""

from __future__ import annotations

import json
from typing import Any
from unittest import mock

from rhotwist.cli.client import Client
from rhotwist.control import values, verbs
from tests.cli.stage import CliCase


class StopTests(CliCase):
    """Asked once, and waited for."""

    def stopping(self, *runs: bool) -> Any:
        """A process that is seen running so often, and then is gone."""
        self.process("wallet", {verbs.STOP: values.Stopping(7)})
        left = iter(runs)
        return mock.patch.object(Client, "runs", lambda client: next(left, True))

    def test_it_waits_until_the_process_is_gone_and_says_which_it_was(self) -> None:
        with self.stopping(True, True, False):
            printed = self.rho("stop")
        self.assertEqual((0, "stopped the wallet process (pid 7)\n"), (printed.status, printed.out))

    def test_programs_get_the_pid(self) -> None:
        with self.stopping(False):
            self.assertEqual({"pid": 7}, self.rho("stop", "wallet", "--json").json)

    def test_one_that_does_not_end_is_an_error_after_the_timeout(self) -> None:
        with self.stopping():
            printed = self.rho("stop", "--timeout", "0.2", "--json")
        self.assertNotEqual(0, printed.status)
        self.assertIn("error", json.loads(printed.out or printed.err))

    def test_nothing_to_stop_is_exit_3_and_starts_nothing(self) -> None:
        for role in ("wallet", "node"):
            self.assertEqual(3, self.rho("stop", role).status)

    def test_another_role_is_a_usage_error(self) -> None:
        self.assertEqual(2, self.rho("stop", "everything").status)
