"""The command rho: help at once, errors in three lines, exit statuses."""

from __future__ import annotations

import subprocess
import sys
from unittest import mock

import click

import rhotwist.cli.status
from rhotwist.cli import main
from rhotwist.control import errors_page, trouble
from tests.cli.stage import ENVIRON, CliCase


class HelpTests(CliCase):
    """Help loads nothing that takes time."""

    def test_help_names_every_command_once(self) -> None:
        printed = self.rho("--help")
        self.assertEqual(0, printed.status)
        for name in main.COMMANDS:
            self.assertEqual(1, printed.out.count(f"\n  {name} "), name)

    def test_help_and_errors_import_neither_twisted_nor_cryptography(self) -> None:
        program = (
            "import sys\nfrom rhotwist.cli.main import run\n"
            "for line in ('--help', 'nonsense', 'explain RHO-1105'): run(line.split())\n"
            "slow = ('twisted', 'cryptography', 'nacl', 'mnemonic', 'segno')\n"
            "sys.exit(','.join(name for name in slow if name in sys.modules))"
        )
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, env=ENVIRON)
        self.assertEqual("", done.stderr.splitlines()[-1] if done.returncode else "")

    def test_every_command_has_its_own_help_and_takes_the_common_options(self) -> None:
        for name in main.COMMANDS:
            printed = self.rho(name, "--help")
            self.assertEqual(0, printed.status, name)
            for option in ("--json", "--quiet", "--debug", "--datadir", "--home", "--timeout"):
                self.assertIn(option, printed.out, name)

    def test_every_command_s_line_in_the_list_is_a_sentence(self) -> None:
        for name, (_, about) in main.COMMANDS.items():
            self.assertRegex(about, r"^[A-Z].*\.$", name)

    def test_nothing_said_is_help_and_a_usage_error(self) -> None:
        self.assertEqual(2, self.rho().status)


class ErrorTests(CliCase):
    """Every failure is three lines on stderr, or one JSON object, and a documented status."""

    def test_a_usage_error_says_what_to_read(self) -> None:
        for arguments in (("nonsense",), ("status", "--nonsense"), ("send",), ("ping",), ("inbox", "--limit", "0")):
            printed = self.rho(*arguments)
            self.assertEqual((2, ""), (printed.status, printed.out), arguments)
            self.assertEqual(3, len(printed.err.splitlines()), printed.err)
            self.assertIn("--help", printed.err)
            self.assertIn("[RHO-1007]", printed.err)

    def test_json_errors_are_one_object_on_stdout(self) -> None:
        for arguments in (("--json", "explain", "RHO-0"), ("explain", "RHO-0", "--json"), ("nonsense", "--json")):
            printed = self.rho(*arguments)
            self.assertEqual((2, ""), (printed.status, printed.err))
            self.assertEqual({"code", "what", "why", "hint", "exit_status"}, set(printed.json["error"]))

    def fails_with(self, error: BaseException, *arguments: str) -> tuple[int, str]:
        """Status and stderr of a command that raises error."""
        with mock.patch.object(rhotwist.cli.status, "_status", side_effect=error):
            printed = self.rho("status", *arguments)
        return printed.status, printed.err

    def test_each_exit_status_reaches_the_shell(self) -> None:
        for status in (1, 2, 3, 4, 5, 6, 130):
            entry = trouble.Entry("RHO-1105", "what", "why", "try", status)
            self.assertEqual((status, "error: what\nwhy: why\ntry: try [RHO-1105]\n"), self.fails_with(entry()))

    def test_an_unforeseen_exception_has_no_traceback_unless_asked_for(self) -> None:
        status, err = self.fails_with(ZeroDivisionError("by zero"))
        self.assertEqual((1, 3), (status, len(err.splitlines())))
        self.assertIn("RHO-9001", err)
        self.assertIn("ZeroDivisionError: by zero", err)
        for arguments in (("--debug",),):
            self.assertIn("Traceback", self.fails_with(ZeroDivisionError("by zero"), *arguments)[1])

    def test_ctrl_c_is_130(self) -> None:
        for error in (KeyboardInterrupt(), click.Abort()):
            status, err = self.fails_with(error)
            self.assertEqual(130, status)
            self.assertIn("RHO-9002", err)

    def test_a_reader_that_went_away_is_no_traceback(self) -> None:
        program = "import sys\nfrom rhotwist.cli.main import main\nmain(['explain', '--page'])"
        child = subprocess.Popen(
            [sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=ENVIRON
        )
        child.stdout.close()
        err = child.stderr.read()
        child.stderr.close()
        child.wait(30)
        self.assertNotIn(b"Traceback", err)

    def test_main_exits_with_the_status(self) -> None:
        with mock.patch.object(main, "run", return_value=4), self.assertRaises(SystemExit) as caught:
            main.main(["status"])
        self.assertEqual(4, caught.exception.code)


class SmallCommandTests(CliCase):
    """version and explain."""

    def test_version_is_told_for_people_and_programs(self) -> None:
        self.assertRegex(self.rho("version").out, r"^rhotwist \d+\.\d+\.\d+  Python \d")
        self.assertEqual({"rhotwist", "python"}, set(self.rho("version", "--json").json))

    def test_explain_finds_a_code_however_it_is_written(self) -> None:
        for code in ("RHO-1105", "rho-1105", "1105"):
            printed = self.rho("explain", code)
            self.assertEqual(0, printed.status)
            self.assertIn("is taken", printed.out)
        self.assertEqual("RHO-1105", self.rho("explain", "1105", "--json").json["code"])

    def test_explain_without_a_code_lists_all(self) -> None:
        self.assertEqual(errors_page.page(), self.rho("explain", "--page").out)
        self.assertEqual(len(trouble.ENTRIES), len(self.rho("explain", "--json").json["codes"]))
