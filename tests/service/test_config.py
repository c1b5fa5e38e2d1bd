"""What an operator may set, and how a mistake is told."""

from __future__ import annotations

import tempfile
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from rhotwist.errors import OperatorError
from rhotwist.limits import Limits
from rhotwist.service.config import KEYS, Config, load


class ConfigTests(SynchronousTestCase):
    """The file, the environment, and the defaults."""

    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = Path(folder.name, "config.toml")

    def read(self, text: str, **environ: str) -> Config:
        """The configuration of a file with this text."""
        self.path.write_text(text, encoding="utf-8")
        return load(self.path, environ)

    def refused(self, text: str, **environ: str) -> OperatorError:
        """The error that a file with this text is."""
        with self.assertRaises(OperatorError) as caught:
            self.read(text, **environ)
        self.assertEqual(2, caught.exception.exit_status)
        return caught.exception

    def test_without_a_file_every_key_has_its_default(self) -> None:
        found = load(self.path, {})
        self.assertEqual({key.full: key.default for key in KEYS}, dict(found.values))
        self.assertEqual({"default"}, set(found.sources.values()))
        self.assertEqual(Limits(), found.limits)

    def test_a_file_that_was_named_must_be_there(self) -> None:
        with self.assertRaises(OperatorError) as caught:
            load(self.path, {}, required=True)
        self.assertEqual("RHO-1003", caught.exception.code)

    def test_the_file_goes_before_the_default_and_the_environment_before_the_file(self) -> None:
        found = self.read('[wallet]\nkdf = "interactive"\nautolock_minutes = 3\n', RHO_WALLET_KDF="sensitive")
        self.assertEqual(("sensitive", 3.0), (found["wallet.kdf"], found["wallet.autolock_minutes"]))
        self.assertEqual("RHO_WALLET_KDF", found.sources["wallet.kdf"])
        self.assertEqual(str(self.path), found.sources["wallet.autolock_minutes"])

    def test_limits_are_keys_of_their_own_types(self) -> None:
        text = "[limits]\nsession_max = 5\nsession_keep = 7\nretry_share = 0.5\n"
        limits = self.read(text, RHO_LIMITS_HELLO_FIRST="2").limits
        self.assertEqual((5, 7.0, 0.5, 2.0), (limits.session_max, limits.session_keep, limits.retry_share,
                                              limits.hello_first))
        self.assertIs(float, type(limits.session_keep))

    def test_every_type_is_read_from_the_environment(self) -> None:
        found = self.read("", RHO_NODE_LISTEN="7460, [::1]:9", RHO_NODE_PRIVATE_NET="yes",
                          RHO_WALLET_AUTOLOCK_MINUTES="0.5", RHO_LIMITS_SESSION_MAX="9", RHO_NODE_SIBLINGS="/s")
        self.assertEqual(("7460", "[::1]:9"), found["node.listen"])
        self.assertEqual((True, 0.5, 9, "/s"), (found["node.private_net"], found["wallet.autolock_minutes"],
                                                found["limits.session_max"], found["node.siblings"]))

    def test_what_else_stands_in_the_environment_is_none_of_ours(self) -> None:
        self.assertEqual({}, {k: v for k, v in load(self.path, {"RHO_HOME": "/x", "RHO_FULL": "1", "HOME": "/"}).sources
                              .items() if v != "default"})

    def test_an_unknown_key_is_told_with_the_nearest_name(self) -> None:
        for text, key, near in (
            ("[node]\nlisten_at = []\n", "node.listen_at", "listen"),
            ("[wallet]\nautolock = 3\n", "wallet.autolock", "autolock_minutes"),
            ("[limits]\nsession_maximum = 3\n", "limits.session_maximum", "session_max"),
            ("[nodes]\n", "[nodes]", "[node]"),
            ("listen = 3\n", "listen", ""),
        ):
            error = self.refused(text)
            self.assertEqual("RHO-1001", error.code)
            self.assertIn(key, error.what)
            self.assertIn(near, error.hint)
        error = self.refused("", RHO_WALLET_KFD="moderate")
        self.assertEqual("RHO-1008", error.code)
        self.assertIn("RHO_WALLET_KDF", error.hint)

    def test_a_value_of_another_type_is_told_with_what_belongs_there(self) -> None:
        for section, lines in {
            "node": ("listen = 7460", 'listen = ["a", 3]', 'private_net = "no"', "siblings = 3"),
            "wallet": ('kdf = "cheap"', "autolock_minutes = -1", "autolock_minutes = nan", "autolock_minutes = true"),
            "limits": ("session_max = 1.5", "session_max = true", "session_max = -1", "hello_first = inf"),
        }.items():
            for line in lines:
                self.assertEqual("RHO-1002", self.refused(f"[{section}]\n{line}\n").code, line)
        for name, text in (("RHO_LIMITS_SESSION_MAX", "many"), ("RHO_NODE_PRIVATE_NET", "perhaps"),
                           ("RHO_WALLET_AUTOLOCK_MINUTES", "soon"), ("RHO_WALLET_KDF", "cheap")):
            self.assertIn(name, self.refused("", **{name: text}).what)

    def test_a_file_that_is_no_toml_is_told_with_the_place(self) -> None:
        error = self.refused("[node\n")
        self.assertEqual("RHO-1003", error.code)
        self.assertIn("line 1", error.why)
        self.path.write_bytes(b"[node]\n# \xff\n")
        with self.assertRaises(OperatorError) as caught:
            load(self.path, {})
        self.assertIn("byte 9", caught.exception.why)

    def test_a_folder_in_place_of_the_file_is_told(self) -> None:
        with self.assertRaises(OperatorError) as caught:
            load(self.path.parent, {})
        self.assertEqual("RHO-1003", caught.exception.code)
