"""The inbox against a dict, over restarts and crashes."""

import tempfile
from pathlib import Path

import attrs
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from twisted.trial.unittest import SynchronousTestCase

from rhotwist.errors import StoreError
from rhotwist.store.crashpoint import STATUS
from rhotwist.store.database import Database
from rhotwist.store.inbox import KIND, Inbox, Letter
from tests import FULL
from tests.store.support import SECONDS, FolderCase

ANN, BOB, CAROL = (bytes([number]) * 32 for number in (1, 2, 3))


def letter(number: int, destination: bytes = BOB, **changes: object) -> Letter:
    """The letter of a number."""
    return attrs.evolve(
        Letter(
            hash=number.to_bytes(32, "big"), received=1_000 + number, said=900 + number, source=ANN,
            destination=destination, text=f"letter {number}", body=b"\0signed" + bytes([number]), name=None,
        ),
        **changes,
    )  # fmt: skip


class InboxTests(FolderCase):
    def setUp(self) -> None:
        super().setUp()
        self.database = Database(self.folder / "user.db", KIND, durable=True)
        self.addCleanup(self.database.close)
        self.inbox = Inbox(self.database)

    def test_a_letter_comes_back_as_it_was_put(self) -> None:
        whole = letter(1, name="Ann \N{SNOWMAN}", text="\x1b[31mred\x00\N{SNOWMAN}", body=bytes(range(256)), read=True)
        for kept in (whole, letter(2), letter(3, text="", body=b"", name="")):
            self.assertTrue(self.inbox.put(kept).result(SECONDS))
            self.assertEqual(self.inbox.get(kept.hash), kept)
        self.assertIsNone(self.inbox.get(bytes(32)))
        self.assertNotIn("signed", repr(letter(2)))

    def test_a_message_is_kept_once_however_often_it_comes(self) -> None:
        futures = [self.inbox.put(letter(1)) for _ in range(3)]
        self.assertEqual([future.result(SECONDS) for future in futures], [True, False, False])
        self.assertFalse(self.inbox.put(letter(1, text="other")).result(SECONDS))
        self.assertEqual(self.inbox.newest(), [letter(1)])

    def test_the_newest_come_first_by_arrival_whatever_the_clocks_say(self) -> None:
        for number, received in ((1, 500), (2, 400), (3, 900)):
            self.inbox.put(letter(number, received=received, said=5_000 - number)).result(SECONDS)
        self.assertEqual([kept.text for kept in self.inbox.newest()], ["letter 3", "letter 2", "letter 1"])
        self.assertEqual([kept.text for kept in self.inbox.newest(limit=2)], ["letter 3", "letter 2"])

    def test_each_wallet_sees_its_own(self) -> None:
        for number in range(6):
            self.inbox.put(letter(number, (BOB, CAROL)[number % 2])).result(SECONDS)
        self.assertEqual([kept.text for kept in self.inbox.newest(CAROL)], ["letter 5", "letter 3", "letter 1"])
        self.assertEqual([kept.text for kept in self.inbox.newest(BOB, 1)], ["letter 4"])
        self.assertEqual((self.inbox.count(), self.inbox.count(BOB), self.inbox.count(ANN)), (6, 3, 0))

    def test_reading_is_remembered_and_counted_once(self) -> None:
        for number in range(3):
            self.inbox.put(letter(number, (BOB, CAROL)[number % 2])).result(SECONDS)
        wanted = [letter(0).hash, letter(1).hash, letter(9).hash]
        self.assertEqual(self.inbox.mark_read(wanted).result(SECONDS), 2)
        self.assertEqual(self.inbox.mark_read(wanted).result(SECONDS), 0)
        self.assertEqual(self.inbox.mark_read([]).result(SECONDS), 0)
        self.assertEqual([kept.read for kept in self.inbox.newest()], [False, True, True])
        self.assertEqual((self.inbox.count(unread=True), self.inbox.count(CAROL, unread=True)), (1, 0))

    def test_the_table_refuses_what_cannot_be(self) -> None:
        for bad in (
            letter(1, hash=bytes(31)), letter(1, source=bytes(33)), letter(1, destination=b""), letter(1, text=None),
            letter(1, received=None), letter(1, said="soon"), letter(1, body="text"),
        ):  # fmt: skip
            self.assertRaises(StoreError, self.inbox.put(bad).result, SECONDS)
        self.assertEqual(self.inbox.count(), 0)

    def test_a_letter_acknowledged_survives_a_kill_and_one_lost_can_come_again(self) -> None:
        code = (
            "import sys\nfrom pathlib import Path\nfrom rhotwist.store.database import Database\n"
            "from rhotwist.store.inbox import *\n"
            "inbox = Inbox(Database(Path('user.db'), KIND, durable=True))\n"
            "k = bytes(32)\nprint(inbox.put(Letter(bytes(31) + b'1', 1, 1, k, k, 'x', b'')).result())"
        )
        self.database.close()
        self.assertEqual(self.run_python(code, crash="write-commit").returncode, STATUS)
        self.assertEqual(self.run_python(code).stdout, "True\n")
        self.assertEqual(self.run_python(code, crash="write-committed").returncode, STATUS)
        self.assertEqual(self.run_python(code).stdout, "False\n")


class InboxMachine(RuleBasedStateMachine):
    """Letters in order of arrival by hash; restart is a rule."""

    numbers = st.integers(0, 12)
    wallets = st.sampled_from([BOB, CAROL])

    def __init__(self) -> None:
        super().__init__()
        self.holder = tempfile.TemporaryDirectory()
        self.model: dict[bytes, Letter] = {}
        self.open()

    def open(self) -> None:
        """Open the database, as a start does."""
        self.database = Database(Path(self.holder.name) / "user.db", KIND, durable=False)
        self.inbox = Inbox(self.database)

    @rule(number=numbers, wallet=wallets)
    def put(self, number: int, wallet: bytes) -> None:
        kept = letter(number, wallet)
        assert self.inbox.put(kept).result(SECONDS) == (kept.hash not in self.model)
        self.model.setdefault(kept.hash, kept)

    @rule(numbers=st.lists(numbers, max_size=4, unique=True))
    def mark_read(self, numbers: list[int]) -> None:
        hashes = [letter(number).hash for number in numbers]
        unread = [name for name in hashes if name in self.model and not self.model[name].read]
        assert self.inbox.mark_read(hashes).result(SECONDS) == len(unread)
        for name in unread:
            self.model[name] = attrs.evolve(self.model[name], read=True)

    @rule(wallet=st.none() | wallets, limit=st.integers(0, 5))
    def look(self, wallet: bytes | None, limit: int) -> None:
        mine = [kept for kept in self.model.values() if wallet in (None, kept.destination)][::-1]
        assert self.inbox.newest(wallet, limit) == mine[:limit]
        assert self.inbox.count(wallet) == len(mine)
        assert self.inbox.count(wallet, unread=True) == sum(not kept.read for kept in mine)

    @rule()
    def restart(self) -> None:
        self.database.close()
        self.open()

    @invariant()
    def agree(self) -> None:
        assert self.inbox.newest() == list(self.model.values())[::-1]

    def teardown(self) -> None:
        """Leave nothing."""
        self.database.close()
        self.holder.cleanup()


class InboxMachineTests(SynchronousTestCase):
    def test_the_inbox_agrees_with_a_dict_over_restarts(self) -> None:
        run_state_machine_as_test(
            InboxMachine, settings=settings(stateful_step_count=30, max_examples=300 if FULL else 12)
        )
