"""The siblings file."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from rhotwist.errors import OperatorError
from rhotwist.keys.address import Address, format_address
from rhotwist.keys.pair import SeedKey
from rhotwist.service.siblings import Member, load

KEYS = [SeedKey(bytes([n]) * 32).public for n in (1, 2)]
SECRET = "5c" * 32


def whole(secret: str = SECRET, keys: list[bytes] = KEYS, more: str = "") -> str:
    """A file of members."""
    members = "".join(
        f'[[member]]\nkey = "{format_address(Address("n", key))}"\n'
        f'addresses = ["203.0.113.{n}:7460", "[2001:db8::{n}]:1"]\n'
        for n, key in enumerate(keys, 1)
    )
    return f'secret = "{secret}"\n{members}{more}'


class SiblingsTests(SynchronousTestCase):
    """A whole file is read; anything else is told, and never the secret."""

    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = Path(folder.name, "siblings.toml")

    def write(self, text: str, mode: int = 0o600) -> Path:
        """The file with this text."""
        self.path.write_text(text, encoding="utf-8")
        self.path.chmod(mode)
        return self.path

    def refused(self, text: str) -> OperatorError:
        """The error that a file with this text is."""
        with self.assertRaises(OperatorError) as caught:
            load(self.write(text))
        self.assertEqual("RHO-1005", caught.exception.code)
        self.assertNotIn(SECRET, str(caught.exception))
        return caught.exception

    def test_a_whole_file_names_members_and_secret(self) -> None:
        found = load(self.write(whole()))
        self.assertEqual(bytes.fromhex(SECRET), found.secret)
        self.assertEqual(Member(KEYS[0], (("203.0.113.1", 7460), ("2001:db8::1", 1))), found.members[0])
        self.assertEqual((found.members[1],), found.others(KEYS[0]))
        self.assertNotIn(SECRET, repr(found))
        self.assertNotIn(repr(found.secret), repr(found))

    def test_a_file_that_others_may_read_is_refused(self) -> None:
        for mode in (0o640, 0o604, 0o644):
            with self.assertRaises(OperatorError) as caught:
                load(self.write(whole(), mode))
            self.assertEqual("RHO-1006", caught.exception.code)
            self.assertIn(f"{mode:04o}", caught.exception.why)

    def test_a_missing_file_is_told(self) -> None:
        with self.assertRaises(OperatorError) as caught:
            load(self.path)
        self.assertIn(os.strerror(2), caught.exception.why)

    def test_every_mistake_is_told(self) -> None:
        for text, told in (
            ("secret = 3", "64 hex digits"), (whole(secret=SECRET[:-1]), "64 hex digits"),
            (whole(secret="zz" * 32), "64 hex digits"), (whole(secret="00" * 32), "all zeros"),
            (f'secret = "{SECRET}"', "[[member]]"), (f'secret = "{SECRET}"\nmember = [3]', "member 1"),
            (whole(keys=[KEYS[0], KEYS[0]]), "one key"), (whole(more="colour = 3\n"), "colour"),
            ("weather = 1\n" + whole(), "weather"), (whole().replace("203.0.113.2:7460", "host:7460"), "member 2"),
            (whole().replace(":7460", ":0"), "no IP address and port"), (whole().replace("rho1n", "rho1w"), "key"),
            (whole().replace("addresses", "address"), "address"), ("[", "Invalid"),
            (f'secret = "{SECRET}"\n[[member]]\nkey = 3\naddresses = ["1.2.3.4:5"]\n', "member 1 lacks"),
            (whole(keys=KEYS[:1]).replace('["203.0.113.1:7460", "[2001:db8::1]:1"]', "[]"), "member 1 lacks"),
        ):  # fmt: skip
            self.assertIn(told, self.refused(text).why, text)
