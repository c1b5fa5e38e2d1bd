"""Kept tokens against a dict, over restarts: each is handed out once."""

import tempfile
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test
from twisted.trial.unittest import SynchronousTestCase

from rhotwist.errors import StoreError
from rhotwist.store.database import Database
from rhotwist.store.tokens import KIND, MOST, KeptToken, Tokens
from tests import FULL
from tests.store.support import SECONDS, FolderCase

SERVER, OTHER = bytes([1]) * 32, bytes([2]) * 32
HOME, AWAY = bytes([3]) * 18, b""


def token(number: int, server: bytes = SERVER, address: bytes = HOME, kind: int = 1, expires: int = 100) -> KeptToken:
    """The token of a number."""
    return KeptToken(server, address, kind, bytes([number]) * 16, expires)


class TokenTests(FolderCase):
    def setUp(self) -> None:
        super().setUp()
        self.database = Database(self.folder / "machine.db", KIND, durable=False)
        self.addCleanup(self.database.close)
        self.tokens = Tokens(self.database)

    def test_a_token_is_taken_once(self) -> None:
        self.tokens.keep(token(1)).result(SECONDS)
        first, second = (self.tokens.take(SERVER, HOME, 1, 0) for _ in range(2))
        self.assertEqual(first.result(SECONDS), token(1))
        self.assertIsNone(second.result(SECONDS))

    def test_server_address_and_kind_must_all_be_right(self) -> None:
        self.tokens.keep(token(1)).result(SECONDS)
        for wrong in ((OTHER, HOME, 1), (SERVER, AWAY, 1), (SERVER, HOME, 2)):
            self.assertIsNone(self.tokens.take(*wrong, 0).result(SECONDS))
        self.assertEqual(self.tokens.take(SERVER, HOME, 1, 0).result(SECONDS), token(1))

    def test_an_expired_token_is_not_handed_out_and_does_not_stay(self) -> None:
        self.tokens.keep(token(1, expires=100)).result(SECONDS)
        self.assertIsNone(self.tokens.take(SERVER, HOME, 1, 100).result(SECONDS))
        self.assertIsNone(self.tokens.take(SERVER, HOME, 1, 0).result(SECONDS))
        self.tokens.keep(token(2, expires=100)).result(SECONDS)
        self.assertEqual(self.tokens.take(SERVER, HOME, 1, 99).result(SECONDS), token(2, expires=100))

    def test_a_newer_token_takes_the_place_of_the_older(self) -> None:
        self.tokens.keep(token(1))
        self.tokens.keep(token(2, expires=50)).result(SECONDS)
        self.assertEqual(self.tokens.take_all(0).result(SECONDS), [token(2, expires=50)])

    def test_all_can_be_taken_the_longest_lived_first(self) -> None:
        kept = [token(1, expires=50), token(2, OTHER, expires=70), token(3, OTHER, AWAY, 2, 60)]
        self.tokens.keep(token(4, address=AWAY, expires=9)).result(SECONDS)
        for one in kept:
            self.tokens.keep(one).result(SECONDS)
        self.assertEqual(self.tokens.take_all(9).result(SECONDS), [kept[1], kept[2], kept[0]])
        self.assertEqual(self.tokens.take_all(0).result(SECONDS), [])

    def test_only_so_many_are_kept_and_those_that_expire_first_go(self) -> None:
        futures = [
            self.tokens.keep(token(number % 256, number.to_bytes(32, "big"), expires=1_000 + number * 7 % 2_000))
            for number in range(MOST + 20)
        ]
        self.assertEqual({future.result(SECONDS) for future in futures}, {None})
        kept = self.tokens.take_all(0).result(SECONDS)
        self.assertEqual(len(kept), MOST)
        self.assertEqual(min(one.expires for one in kept), sorted(1_000 + n * 7 % 2_000 for n in range(MOST + 20))[20])

    def test_the_table_refuses_what_cannot_be(self) -> None:
        for bad in (token(1, bytes(31)), token(1, address=bytes(17)), KeptToken(SERVER, HOME, 1, bytes(15), 9)):
            self.assertRaises(StoreError, self.tokens.keep(bad).result, SECONDS)

    def test_a_token_is_not_shown(self) -> None:
        self.assertNotIn("x07", repr(token(7)))


class TokenMachine(RuleBasedStateMachine):
    """Tokens by server, address and kind; restart is a rule."""

    servers = st.sampled_from([SERVER, OTHER])
    addresses = st.sampled_from([HOME, AWAY])
    kinds = st.integers(1, 2)

    def __init__(self) -> None:
        super().__init__()
        self.holder = tempfile.TemporaryDirectory()
        self.model: dict[tuple[bytes, bytes, int], KeptToken] = {}
        self.taken: set[bytes] = set()
        self.number = 0
        self.open()

    def open(self) -> None:
        """Open the database, as a start does."""
        self.database = Database(Path(self.holder.name) / "machine.db", KIND, durable=False)
        self.tokens = Tokens(self.database)

    @rule(server=servers, address=addresses, kind=kinds, expires=st.integers(1, 20))
    def keep(self, server: bytes, address: bytes, kind: int, expires: int) -> None:
        self.number += 1
        kept = token(self.number % 256, server, address, kind, expires)
        self.tokens.keep(kept).result(SECONDS)
        self.model[server, address, kind] = kept

    @rule(server=servers, address=addresses, kind=kinds, date=st.integers(0, 20))
    def take(self, server: bytes, address: bytes, kind: int, date: int) -> None:
        kept = self.model.pop((server, address, kind), None)
        wanted = kept if kept is not None and kept.expires > date else None
        assert self.tokens.take(server, address, kind, date).result(SECONDS) == wanted
        if wanted is not None:
            assert wanted.token not in self.taken
            self.taken.add(wanted.token)

    @rule(date=st.integers(0, 20))
    def take_all(self, date: int) -> None:
        wanted = {kept for kept in self.model.values() if kept.expires > date}
        assert set(self.tokens.take_all(date).result(SECONDS)) == wanted
        self.model.clear()

    @rule()
    def restart(self) -> None:
        self.database.close()
        self.open()

    def teardown(self) -> None:
        """Leave nothing."""
        self.database.close()
        self.holder.cleanup()


class TokenMachineTests(SynchronousTestCase):
    def test_the_tokens_agree_with_a_dict_over_restarts(self) -> None:
        run_state_machine_as_test(
            TokenMachine, settings=settings(stateful_step_count=30, max_examples=300 if FULL else 12)
        )
