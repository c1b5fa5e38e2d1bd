"""What stands behind ``twistd rhocoin``."""

from __future__ import annotations

import tempfile
from pathlib import Path

from twisted.python import usage
from twisted.trial.unittest import SynchronousTestCase

from rhotwist.errors import OperatorError
from rhotwist.service.listening import Place
from rhotwist.service.options import Options, Settings, settings


class OptionsTests(SynchronousTestCase):
    """Options, environment and file together are the settings."""

    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.home = Path(folder.name)

    def said(self, *arguments: str, **environ: str) -> Settings:
        """The settings of a command line."""
        options = Options()
        options.parseOptions(arguments)
        return settings(options, {"RHO_HOME": str(self.home), **environ}, self.home)

    def test_a_node_listens_at_7460_on_both_families(self) -> None:
        found = self.said()
        self.assertEqual("node", found.role)
        self.assertEqual((Place("0.0.0.0", 7460), Place("::", 7460)), found.listen)
        self.assertEqual(self.home, found.places.datadir)
        self.assertIsNone(found.siblings)

    def test_a_wallet_process_listens_at_any_port(self) -> None:
        found = self.said("wallet")
        self.assertEqual(("wallet", (Place("0.0.0.0", 0), Place("::", 0))), (found.role, found.listen))

    def test_listen_may_be_repeated_and_goes_before_environment_and_file(self) -> None:
        self.home.joinpath("config.toml").write_text('[node]\nlisten = ["1"]\n[wallet]\nlisten = ["3"]\n')
        self.assertEqual(1, self.said().listen[0].port)
        self.assertEqual(2, self.said(RHO_NODE_LISTEN="127.0.0.1:2").listen[0].port)
        found = self.said("--listen", "127.0.0.1:5", "-l", "[::1]:6", RHO_NODE_LISTEN="2")
        self.assertEqual((Place("127.0.0.1", 5), Place("::1", 6)), found.listen)
        self.assertEqual(3, self.said("wallet").listen[0].port)
        self.assertEqual((Place("127.0.0.1", 9),), self.said("wallet", "--listen", "127.0.0.1:9").listen)

    def test_two_command_lines_do_not_share_their_lists(self) -> None:
        self.said("--listen", "127.0.0.1:5")
        self.assertEqual(7460, self.said().listen[0].port)

    def test_the_folder_may_stand_before_the_role_or_after_it(self) -> None:
        for arguments in (("--datadir", "sub", "wallet"), ("wallet", "-d", "sub")):
            self.assertEqual(self.home / "sub", self.said(*arguments).places.datadir)

    def test_a_configuration_file_may_be_named(self) -> None:
        self.home.joinpath("other.toml").write_text('[wallet]\nkdf = "interactive"\n')
        self.assertEqual("interactive", self.said("--config", "other.toml", "wallet").config["wallet.kdf"])
        with self.assertRaises(OperatorError):
            self.said("--config", "missing.toml")

    def test_siblings_and_private_net_are_the_node_s(self) -> None:
        found = self.said("--siblings", "s.toml", "--private-net", "--debug")
        self.assertEqual((self.home / "s.toml", True, True), (found.siblings, found.private_net, found.debug))
        self.assertIsNone(self.said("--siblings", "s.toml", "wallet").siblings)

    def test_nowhere_is_no_place_to_listen(self) -> None:
        self.home.joinpath("config.toml").write_text("[node]\nlisten = []\n")
        with self.assertRaises(OperatorError) as caught:
            self.said()
        self.assertEqual("RHO-1004", caught.exception.code)

    def test_an_unknown_option_is_a_usage_error(self) -> None:
        for arguments in (("--lisetn", "1"), ("walet",), ("wallet", "--siblings", "x")):
            with self.assertRaises(usage.UsageError):
                self.said(*arguments)
