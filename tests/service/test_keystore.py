"""Wallets: locked files and hot secrets."""

from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from rhotwist.errors import LocalError, OperatorError
from rhotwist.keys import words
from rhotwist.service import keystore as module
from rhotwist.service.keystore import Hot, Keystore

ZEROS = words.to_words(bytes(32))
ONES = words.to_words(bytes([1]) * 32)


def fast(work: Any) -> Deferred[Any]:
    """In place of a worker thread."""
    return maybeDeferred(work)


class KeystoreTests(SynchronousTestCase):
    """One keystore on a clock of its own. Keys are derived at the floor, 64 MiB: that is what these tests spend."""

    made: dict[str, bytes] = {}

    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.clock = Clock()
        self.store = Keystore(self.folder, self.clock, fast, os.urandom, idle_most=900.0, kdf="interactive")

    def run_(self, coroutine: Any) -> Any:
        """The result of a coroutine that waits for nothing."""
        return self.successResultOf(Deferred.fromCoroutine(coroutine))

    def refused(self, coroutine: Any) -> OperatorError:
        """The error of one."""
        return self.failureResultOf(Deferred.fromCoroutine(coroutine), OperatorError).value

    def alice(self) -> None:
        """The wallet alice, whose file is made once for all tests."""
        if not self.made:
            self.run_(self.store.add("alice", ONES, "pass"))
            self.made.update({path.name: path.read_bytes() for path in self.folder.iterdir()})
        for name, data in self.made.items():
            self.folder.joinpath(name).write_bytes(data)
            self.folder.joinpath(name).chmod(0o600)

    def hot(self) -> Hot:
        """The same, unlocked."""
        self.alice()
        return self.run_(self.store.unlock("alice", "pass"))

    def test_a_new_wallet_is_a_private_file_that_is_locked_and_known_by_its_address(self) -> None:
        self.alice()
        [row] = self.store.rows()
        self.assertEqual(("alice", "locked", 0.0), (row.name, row.state, row.locks_in))
        self.assertTrue(row.address.startswith("rho1w"))
        self.assertEqual(0o600, stat.S_IMODE(Path(row.file).stat().st_mode))
        self.assertNotIn(bytes([1]) * 32, Path(row.file).read_bytes())

    def test_an_unlocked_wallet_has_the_key_of_its_words(self) -> None:
        hot = self.hot()
        self.assertEqual(self.store.row("alice").address, hot.address)
        self.assertEqual("hot", self.store.row("alice").state)
        self.assertIs(hot, self.store.hot_by_key(hot.key.public))
        self.assertIs(hot, self.store.speaker("alice"))
        self.assertIs(hot, self.store.speaker(""))

    def test_the_words_bring_the_same_wallet_back_under_another_name_and_passphrase(self) -> None:
        self.alice()
        row = self.run_(self.store.add("again", ONES, "forgot it"))
        self.assertEqual(self.store.row("alice").address, row.address)

    def test_only_what_became_hot_is_told_and_only_once(self) -> None:
        told: list[Hot] = []
        self.store.unlocked = told.append
        hot = self.hot()
        self.run_(self.store.unlock("alice", "pass"))
        self.assertEqual([hot], told)

    def test_every_copy_of_the_secret_but_the_hot_one_is_overwritten(self) -> None:
        secrets: list[Any] = []
        make, forgotten = module.WalletSecret.wallet_key, []
        self.patch(module.WalletSecret, "wallet_key", lambda secret: secrets.append(secret) or make(secret))
        self.patch(module, "_forget", lambda hot, forget=module._forget: forgotten.append(hot) or forget(hot))
        self.run_(self.store.add("bob", ONES, "pass"))
        hot = self.run_(self.store.unlock("bob", "pass"))
        self.run_(self.store.unlock("bob", "pass"))
        self.assertEqual([bytearray(32)] * 3, [secret.link for secret in secrets])
        self.assertEqual(bytearray([1]) * 32, hot.link)
        self.assertEqual([bytearray(32)], [other.link for other in forgotten])

    def test_a_file_whose_key_is_kept_apart_is_refused(self) -> None:
        secret = module.WalletSecret(True, bytearray(32), (), "ready")
        path = self.folder / "ready.rhowallet"
        path.write_bytes(module.seal_wallet(secret, bytes(32), None, os.urandom))
        path.chmod(0o600)
        self.assertEqual("RHO-1206", self.refused(self.store.unlock("ready", "pass")).code)

    def test_an_existing_one_is_found_and_no_other(self) -> None:
        self.alice()
        self.assertEqual("alice", self.store.existing("alice").name)
        with self.assertRaises(OperatorError):
            self.store.existing("../keystore")

    def test_it_is_another_towards_each_node(self) -> None:
        hot, nodes = self.hot(), [module.SeedKey(bytes([n]) * 32).public for n in (8, 9)]
        identities = {hot.identity(node).public for node in nodes}
        self.assertEqual(2, len(identities - {hot.key.public}))
        self.assertEqual(hot.identity(nodes[0]), hot.identity(nodes[0]))

    def test_a_wrong_passphrase_unlocks_nothing(self) -> None:
        self.alice()
        error = self.refused(self.store.unlock("alice", "other"))
        self.assertEqual(("RHO-1204", {}), (error.code, self.store.hot))
        self.assertIsNone(self.store.hot_by_key(bytes(32)))

    def test_a_second_unlock_needs_the_passphrase_too_and_finds_the_same(self) -> None:
        hot = self.hot()
        self.refused(self.store.unlock("alice", "other"))
        self.assertIs(hot, self.run_(self.store.unlock("alice", "pass")))
        hot.key.sign(b"still whole")

    def test_a_damaged_file_is_told_before_the_passphrase_is_tried(self) -> None:
        self.alice()
        path = self.folder / "alice.rhowallet"
        data = bytearray(path.read_bytes())
        data[-40] ^= 1
        path.write_bytes(data)
        self.assertEqual("RHO-1205", self.refused(self.store.unlock("alice", "other")).code)

    def test_a_file_that_others_may_read_is_refused(self) -> None:
        self.alice()
        (self.folder / "alice.rhowallet").chmod(0o644)
        self.assertEqual("RHO-1103", self.refused(self.store.unlock("alice", "pass")).code)

    def test_lock_forgets_the_secret(self) -> None:
        hot, told = self.hot(), []
        self.store.locked = told.append
        self.store.lock("alice")
        self.assertEqual(([hot], {}), (told, self.store.hot))
        self.assertEqual(bytearray(32), hot.link)
        with self.assertRaises(LocalError):
            hot.key.sign(b"x")
        self.store.lock("alice")
        self.assertEqual([hot], told)
        self.assertEqual([], self.clock.getDelayedCalls())

    def test_lock_withdraws_what_is_under_way(self) -> None:
        hot, gone = self.hot(), []
        working: Deferred[None] = Deferred(gone.append)
        working.addErrback(lambda _: None)
        hot.busy.add(working)
        self.store.lock_named("")
        self.assertEqual([working], gone)

    def test_an_idle_wallet_is_locked_and_a_used_one_later(self) -> None:
        hot = self.hot()
        self.assertEqual(900.0, self.store.row("alice").locks_in)
        self.clock.advance(800)
        self.store.touch(hot)
        self.clock.advance(899)
        self.assertIn("alice", self.store.hot)
        self.clock.advance(1)
        self.assertEqual({}, self.store.hot)

    def test_zero_minutes_mean_never(self) -> None:
        self.store = Keystore(self.folder, self.clock, fast, os.urandom, idle_most=0.0, kdf="interactive")
        self.hot()
        self.assertEqual([], self.clock.getDelayedCalls())
        self.assertEqual(0.0, self.store.row("alice").locks_in)

    def test_two_hot_wallets_must_be_named(self) -> None:
        hot = self.hot()
        self.store.hot["bob"] = hot
        with self.assertRaises(OperatorError) as caught:
            self.store.speaker("")
        self.assertEqual("RHO-1209", caught.exception.code)

    def test_a_locked_and_a_missing_wallet_cannot_speak(self) -> None:
        self.alice()
        for name, code, status in (("", "RHO-1208", 4), ("alice", "RHO-1207", 4), ("bob", "RHO-1201", 1)):
            with self.assertRaises(OperatorError) as caught:
                self.store.speaker(name)
            self.assertEqual((code, status), (caught.exception.code, caught.exception.exit_status))

    def test_a_name_is_never_a_path(self) -> None:
        for name in ("../x", "a/b", ".", "", "Alice", "a b", "-a", "a" * 41, "\u202ea"):
            self.assertEqual("RHO-1203", self.refused(self.store.add(name, ZEROS, "pass")).code, name)
            self.assertEqual("RHO-1201", self.refused(self.store.unlock(name, "pass")).code, name)
        self.assertEqual([], list(self.folder.iterdir()))

    def test_an_existing_wallet_is_never_overwritten(self) -> None:
        self.alice()
        before = (self.folder / "alice.rhowallet").read_bytes()
        self.patch(module, "derive", lambda *arguments: self.fail("derived a key for nothing"))
        self.assertEqual("RHO-1202", self.refused(self.store.add("alice", ZEROS, "pass")).code)
        self.assertEqual(before, (self.folder / "alice.rhowallet").read_bytes())

    def test_of_two_that_make_one_name_at_once_the_second_is_refused(self) -> None:
        waiting: list[tuple[Deferred[Any], Any]] = []

        def later(work: Any) -> Deferred[Any]:
            waiting.append((Deferred(), work))
            return waiting[-1][0]

        self.store = Keystore(self.folder, self.clock, later, os.urandom, idle_most=0.0, kdf="interactive")
        adds = [Deferred.fromCoroutine(self.store.add("alice", text, "pass")) for text in (ZEROS, ONES)]
        self.assertEqual(1, len(waiting))  # one key is derived at a time
        waiting[0][0].callback(bytes(32))
        waiting[1][0].callback(bytes(32))
        self.successResultOf(adds[0])
        self.assertEqual("RHO-1202", self.failureResultOf(adds[1], OperatorError).value.code)

    def test_bad_words_empty_passphrases_and_unknown_costs_make_nothing(self) -> None:
        wrong = " ".join(["zoo", *ZEROS.split()[1:]])
        self.assertEqual("RHO-1210", self.refused(self.store.add("alice", wrong, "pass")).code)
        self.assertEqual("RHO-1213", self.refused(self.store.add("alice", ZEROS, "")).code)
        self.assertEqual("RHO-1007", self.refused(self.store.add("alice", ZEROS, "pass", "cheap")).code)
        self.assertEqual([], list(self.folder.iterdir()))

    def test_a_file_brought_without_its_address_is_known_once_it_was_unlocked(self) -> None:
        self.alice()
        note = self.folder / "alice.address"
        address = note.read_text()
        for text in (None, "rho1wnonsense", "\xff"):
            note.unlink()
            if text is not None:
                note.write_bytes(text.encode("latin-1"))
                note.chmod(0o600)
            self.assertEqual("", self.store.row("alice").address)
            self.run_(self.store.unlock("alice", "pass"))
            self.store.lock("alice")
            self.assertEqual(address, note.read_text())

    def test_nothing_secret_is_in_a_repr(self) -> None:
        hot = self.hot()
        for secret in (hot.link, hot.key.seed):
            self.assertNotIn(repr(bytes(secret))[2:20], repr(hot))
            self.assertNotIn(secret.hex(), repr(hot))

    def test_every_cost_is_within_the_file_s_bounds(self) -> None:
        for operations, memory in module.KDF.values():
            module.Argon2.fresh(os.urandom, operations, memory)
