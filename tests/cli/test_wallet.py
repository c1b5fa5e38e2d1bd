"""rho wallet."""

from __future__ import annotations

from typing import Any

import attrs

from rhotwist.cli.wallet import named
from rhotwist.control import trouble, values, verbs
from rhotwist.errors import OperatorError
from rhotwist.keys import words
from tests.cli.stage import ALICE, BOB, ROW, CliCase

ZEROS = words.to_words(bytes(32))
HOT = attrs.evolve(ROW, state="hot", locks_in=900.0)
BOBS = attrs.evolve(ROW, name="bob", address=BOB)


class WalletTests(CliCase):
    """A wallet process that answers as told."""

    def answers(self, *rows: values.WalletRow, **more: Any) -> list[Any]:
        """What is asked of a process with these wallets."""
        reachable = ("rho1nx@192.0.2.1:5", "rho1nx@127.0.0.1:5")
        return self.process("wallet", {
            verbs.WALLETS: values.WalletList(rows),
            verbs.WALLET_ADD: more.get("add", values.WalletState(ROW)),
            verbs.WALLET_UNLOCK: more.get("unlock", values.WalletState(HOT, reachable)),
            verbs.WALLET_LOCK: values.WalletList(rows),
        })  # fmt: skip

    def test_create_sends_new_words_that_were_shown_once_and_a_passphrase(self) -> None:
        asked = self.answers()
        made = ("wallet", "create", "alice", "--yes-i-wrote-the-words-down")
        printed = [self.rho(*made, "--passphrase-fd", self.pipe("open sesame\nmore")) for _ in range(2)]
        sent = [ask for ask in asked if ask]
        self.assertEqual(["open sesame"] * 2, [ask["passphrase"] for ask in sent])
        self.assertNotEqual(sent[0]["words"], sent[1]["words"])
        self.assertEqual(32, len(words.from_words(sent[0]["words"])))
        for place, word in enumerate(sent[0]["words"].split(), 1):
            self.assertRegex(printed[0].err, rf"\b{place} {word}\b")
            self.assertNotRegex(printed[0].out, rf"\b{place} {word}\b")
        self.assertIn(f"alice  {ALICE}  master wallet, encrypted", printed[0].out)
        self.assertNotIn("open sesame", printed[0].out + printed[0].err)
        self.assertIn("█", printed[0].err)

    def test_create_without_a_terminal_says_how_and_makes_nothing(self) -> None:
        asked = self.answers()
        for arguments in (("--passphrase-fd", self.pipe("x")), ("--yes-i-wrote-the-words-down",)):
            printed = self.rho("wallet", "create", "alice", *arguments)
            self.assertEqual(2, printed.status)
            self.assertIn("RHO-1214", printed.err)
        self.assertEqual([None, None], asked)

    def test_create_of_a_known_name_asks_for_nothing(self) -> None:
        self.answers(ROW)
        printed = self.rho("wallet", "create", "alice", "--yes-i-wrote-the-words-down")
        self.assertIn("RHO-1202", printed.err)

    def test_a_name_that_no_wallet_may_have_is_refused_before_words_are_shown(self) -> None:
        asked = self.answers()
        for name in ("Alice", "x" * 41, "名前", "-"):
            for verb in (("create", "--yes-i-wrote-the-words-down"), ("import", "--words-fd", self.pipe(ZEROS))):
                printed = self.rho("wallet", *verb, "--passphrase-fd", self.pipe("x"), "--", name)
                self.assertEqual(2, printed.status)
                self.assertIn("RHO-1203", printed.err)
                self.assertNotIn("24 words", printed.err)
        self.assertEqual([None] * 8, asked)

    def test_an_empty_passphrase_and_a_closed_descriptor_are_refused(self) -> None:
        self.answers()
        made = ("wallet", "create", "alice", "--yes-i-wrote-the-words-down", "--passphrase-fd")
        self.assertIn("RHO-1213", self.rho(*made, self.pipe("\n")).err)
        self.assertIn("RHO-1007", self.rho(*made, "987").err)

    def test_the_cost_is_the_process_s_to_choose_unless_said(self) -> None:
        asked = self.answers()
        made = ("wallet", "create", "alice", "--yes-i-wrote-the-words-down", "--passphrase-fd")
        self.rho(*made, self.pipe("x"))
        self.rho(*made, self.pipe("x"), "--kdf", "sensitive")
        self.assertEqual(["", "sensitive"], [ask["kdf"] for ask in asked if ask])
        self.assertEqual(2, self.rho(*made, self.pipe("x"), "--kdf", "cheap").status)

    def test_import_takes_words_in_any_case_and_spacing(self) -> None:
        asked = self.answers()
        typed = self.pipe("\n".join(ZEROS.upper().split()))
        printed = self.rho("wallet", "import", "alice", "--words-fd", typed, "--passphrase-fd", self.pipe("x"))
        self.assertEqual(0, printed.status, printed.err)
        self.assertEqual(ZEROS, asked[-1]["words"])

    def test_import_names_the_wrong_word_before_it_asks_for_a_passphrase(self) -> None:
        self.answers()
        typed = ZEROS.replace("art", "arf")
        printed = self.rho("wallet", "import", "alice", "--words-fd", self.pipe(typed))
        self.assertIn("RHO-1210", printed.err)
        self.assertIn("'arf'", printed.err)

    def test_list_is_what_wallet_alone_does(self) -> None:
        self.answers(ROW, BOBS)
        listed = self.rho("wallet", "list")
        self.assertEqual(2, len(listed.out.splitlines()))
        self.assertEqual(listed, self.rho("wallet"))
        self.assertEqual(2, len(self.rho("wallet", "--json").json["wallets"]))

    def test_an_empty_list_says_what_comes_next(self) -> None:
        self.answers()
        printed = self.rho("wallet")
        self.assertEqual(("", 0), (printed.out, printed.status))
        self.assertIn("rho wallet create", printed.err)

    def test_show_shows_the_only_one_or_the_named(self) -> None:
        self.answers(ROW)
        self.assertIn(ALICE, self.rho("wallet", "show").out)
        self.assertEqual("alice", self.rho("wallet", "show", "al", "--json").json["name"])

    def test_unlock_says_for_how_long_and_where_others_reach_it(self) -> None:
        asked = self.answers(ROW)
        printed = self.rho("wallet", "unlock", "--passphrase-fd", self.pipe("x"))
        self.assertEqual({"name": "alice", "passphrase": "x"}, asked[-1])
        self.assertIn("alice is hot until locked (auto-lock after 15 min idle)", printed.out)
        self.assertIn("rho1nx@192.0.2.1:5\n", printed.out)

    def test_a_wrong_passphrase_is_the_process_s_error(self) -> None:
        self.answers(ROW, unlock=trouble.PASSPHRASE_WRONG(name="alice"))
        printed = self.rho("wallet", "unlock", "alice", "--passphrase-fd", self.pipe("x"))
        self.assertEqual(1, printed.status)
        self.assertIn("RHO-1204", printed.err)

    def test_lock_locks_one_or_all(self) -> None:
        asked = self.answers(ROW, BOBS)
        self.assertEqual(2, len(self.rho("wallet", "lock").out.splitlines()))
        self.assertEqual(1, len(self.rho("wallet", "lock", "bob").out.splitlines()))
        self.assertEqual([{"name": ""}, {"name": "bob"}], [ask for ask in asked if ask])


class NamedTests(CliCase):
    """Which wallet is meant."""

    def code(self, name: str | None, *rows: values.WalletRow) -> str:
        """The error's code."""
        with self.assertRaises(OperatorError) as caught:
            named(values.WalletList(rows), name)
        return caught.exception.code

    def test_a_name_its_beginning_or_the_address_will_do(self) -> None:
        both = values.WalletList((ROW, BOBS))
        for name in ("bob", "b", BOB):
            self.assertEqual(BOBS, named(both, name))
        self.assertEqual(ROW, named(values.WalletList((ROW,)), None))

    def test_a_whole_name_goes_before_a_longer_one(self) -> None:
        longer = attrs.evolve(ROW, name="alice2")
        self.assertEqual(ROW, named(values.WalletList((ROW, longer)), "alice"))
        self.assertEqual("RHO-1209", self.code("ali", ROW, longer))

    def test_none_and_several_are_told(self) -> None:
        self.assertEqual("RHO-1215", self.code(None))
        self.assertEqual("RHO-1201", self.code("carol"))
        with self.assertRaises(OperatorError) as caught:
            named(values.WalletList((ROW,)), "carol")
        self.assertEqual(("RHO-1201", "known here: alice"), (caught.exception.code, caught.exception.why))
        self.assertEqual("RHO-1209", self.code(None, ROW, BOBS))
