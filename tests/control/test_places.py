"""Where files lie."""

from __future__ import annotations

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from rhotwist.control.places import Places, find
from rhotwist.errors import OperatorError

HERE = Path("/somewhere")


class FindTests(SynchronousTestCase):
    """One data folder, found in one order."""

    def test_the_option_goes_before_the_environment_and_that_before_the_default(self) -> None:
        self.assertEqual(Path("/a"), find("/a", {"RHO_HOME": "/b"}, HERE).datadir)
        self.assertEqual(Path("/b"), find(None, {"RHO_HOME": "/b"}, HERE).datadir)
        default = find(None, {}, HERE).datadir
        self.assertEqual("rhotwist", default.name)
        self.assertTrue(default.is_absolute())

    def test_a_command_that_is_shown_names_the_folder_that_was_said_and_no_other(self) -> None:
        here = Path("/here")
        for argument, environ, option in (
            ("a b", {}, " --datadir '/here/a b'"), ("/x", {"RHO_HOME": "/y"}, " --datadir /x"),
            (None, {"RHO_HOME": "/y"}, ""), (None, {}, ""),
        ):  # fmt: skip
            self.assertEqual(option, find(argument, environ, here).option)

    def test_a_relative_folder_begins_where_the_person_stands(self) -> None:
        self.assertEqual(Path("/somewhere/data"), find("data", {}, HERE).datadir)

    def test_the_two_roles_share_wallets_and_nothing_else(self) -> None:
        places = Places(Path("/d"))
        self.assertEqual(Path("/d/node/node.key"), places.key("node"))
        for of in (places.key, places.machine, places.socket, places.folder):
            self.assertNotEqual(of("node"), of("wallet"))


class SocketPathTests(SynchronousTestCase):
    """A path that does not fit into a socket address is told at once, with both lengths."""

    def test_the_last_path_that_fits_is_taken_and_the_next_is_not(self) -> None:
        exact = Path("/" + "d" * (107 - len("/") - len("/wallet.sock")))
        self.assertEqual(107, len(str(Places(exact).checked_socket("wallet", "linux"))))
        with self.assertRaises(OperatorError) as caught:
            Places(Path(f"{exact}d")).checked_socket("wallet", "linux")
        self.assertEqual("RHO-1104", caught.exception.code)
        self.assertIn("107", caught.exception.why)
        self.assertIn("108", caught.exception.why)

    def test_bytes_are_counted_not_characters(self) -> None:
        with self.assertRaises(OperatorError):
            Places(Path("/" + "é" * 60)).checked_socket("node", "linux")

    def test_an_unknown_system_gets_the_shorter_limit(self) -> None:
        path = Path("/" + "d" * (105 - len("/") - len("/node.sock")))
        Places(path).checked_socket("node", "linux")
        with self.assertRaises(OperatorError):
            Places(path).checked_socket("node", "freebsd14")
