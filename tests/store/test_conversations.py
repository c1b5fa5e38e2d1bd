"""Conversations on the disk: an index is given out once, forks are kept, and what fails is as if it had not been."""

from __future__ import annotations

import functools
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from random import Random

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from twisted.trial.unittest import SynchronousTestCase

from rhotwist.errors import DiskFull, StoreError
from rhotwist.keys.pair import SeedKey
from rhotwist.store import conversations, inbox, outbox
from rhotwist.store.conversations import KIND, Conversations, OtherPair, View
from rhotwist.store.crashpoint import STATUS
from rhotwist.store.database import Database
from rhotwist.store.inbox import Inbox, Letter
from rhotwist.store.upgrade import SCHEMA
from rhotwist.talk.messages import Said
from rhotwist.talk.record import Pair, Place, compose, entry_of, pair_of
from rhotwist.tree.conversation import HIGHER, Conversation
from tests import FULL
from tests.store.support import SECONDS, FolderCase

ANN, BOB, CAROL = (SeedKey(bytes([number]) * 32) for number in (1, 2, 3))
PAIR = pair_of(ANN, BOB.public)


@functools.cache
def record(author: SeedKey, index: int, text: str = "hi", pair: Pair = PAIR) -> Said:
    """A record that has seen nothing."""
    return compose(author, pair, Place(index), text, 1_000 + index)


def letter(said: Said) -> Letter:
    """The same as a letter to Ann."""
    return Letter(entry_of(said).leaf, 5, said.date, BOB.public, ANN.public, said.text, said.encode())


def making(author: SeedKey, text: str, pair: Pair = PAIR) -> Callable[[Place], Said]:
    """What say wants."""
    return lambda place: compose(author, pair, place, text, 7)


class ConversationsCase(FolderCase):
    def setUp(self) -> None:
        super().setUp()
        self.open()

    def open(self, schema: Path = SCHEMA) -> None:
        """Open the database, as a start does."""
        self.database = Database(self.folder / "user.db", KIND, durable=True, schema=schema)
        self.addCleanup(self.database.close)
        self.store = Conversations(self.database)

    def restart(self) -> None:
        self.database.close()
        self.open()

    def hear(self, *said: Said, pair: Pair = PAIR) -> int:
        return self.store.hear(pair, said).result(SECONDS)

    def say(self, author: SeedKey = ANN, text: str = "hi") -> Said:
        return self.store.say(PAIR, author.public, making(author, text)).result(SECONDS)

    def state(self, pair: Pair = PAIR) -> tuple[bytes, tuple[int, int], int]:
        def work(view: View) -> tuple[bytes, tuple[int, int], int]:
            return view.talk.root, view.talk.sizes, len(view.talk.forks)

        return self.store.look(pair.name, work).result(SECONDS)


class SayTests(ConversationsCase):
    def test_an_index_is_given_out_once_over_restarts_and_what_is_brought_counts(self) -> None:
        self.assertEqual([0, 1], [entry_of(self.say()).index for _ in range(2)])
        self.restart()
        self.assertEqual(2, entry_of(self.say()).index)
        self.hear(record(ANN, 3), record(ANN, 9))
        self.assertEqual(10, entry_of(self.say()).index)
        self.assertEqual(0, entry_of(self.say(BOB)).index)

    def test_what_the_author_had_seen_is_in_what_he_says(self) -> None:
        self.hear(record(BOB, 0), record(BOB, 1), record(BOB, 5))
        said = self.say()
        talk = Conversation()
        for one in (record(BOB, 0), record(BOB, 1)):
            talk.put(entry_of(one))
        self.assertEqual(talk.view(PAIR.side(ANN.public)), (said.seen_size, said.seen_root))
        self.assertEqual(2, said.seen_size)

    def test_what_is_said_lies_in_the_outbox_too(self) -> None:
        self.say()
        self.assertEqual(1, outbox.Outbox(self.database).count(kept=False))

    def test_what_could_not_be_made_leaves_its_place_free(self) -> None:
        def fail(place: Place) -> Said:
            raise ValueError("no key")

        self.assertRaises(ValueError, self.store.say(PAIR, ANN.public, fail).result, SECONDS)
        self.assertEqual(0, entry_of(self.say()).index)


class HearTests(ConversationsCase):
    def test_a_record_counts_once_and_a_letter_with_it(self) -> None:
        said = record(BOB, 0)
        self.assertEqual(1, self.store.hear(PAIR, [said], [letter(said)]).result(SECONDS))
        self.assertEqual(0, self.store.hear(PAIR, [said, said], [letter(said)]).result(SECONDS))
        self.assertEqual(1, Inbox(self.database).count())

    def test_a_letter_that_fails_takes_its_record_with_it(self) -> None:
        said = record(BOB, 0)
        bad = Letter(b"short", 5, 5, BOB.public, ANN.public, "", b"")
        self.assertRaises(StoreError, self.store.hear(PAIR, [said], [bad]).result, SECONDS)
        self.assertEqual((0, 0), self.state()[1])
        self.assertEqual(1, self.hear(said))

    def test_a_lost_transaction_leaves_nothing_in_memory(self) -> None:
        self.hear(record(BOB, 0))

        futures = [self.store.hear(PAIR, [record(BOB, 1)])]
        self.database.submit(lambda connection: connection.execute("ROLLBACK"))
        futures.append(self.store.hear(PAIR, [record(BOB, 2)]))
        for future in futures:
            future.exception(SECONDS)
        self.hear(record(BOB, 1), record(BOB, 2), record(BOB, 3))
        before = self.state()
        self.assertEqual(4, max(before[1]))
        self.restart()
        self.assertEqual(before, self.state())

    def test_another_pair_hash_is_refused(self) -> None:
        self.hear(record(BOB, 0))
        other = Pair(PAIR.lower, PAIR.higher, bytes(32))
        self.assertRaises(OtherPair, self.store.hear(other, [record(BOB, 1)]).result, SECONDS)
        self.assertEqual([PAIR], self.store.all())

    def test_a_fork_is_kept_over_restarts_and_what_is_dropped_is_gone(self) -> None:
        rivals = [record(BOB, 0, text) for text in "abcde"]
        first, second, *rest = sorted(rivals, key=lambda said: entry_of(said).leaf)
        self.hear(*rivals, record(BOB, 1))
        self.restart()
        self.assertEqual(1, self.state()[2])
        view = self.store.look(PAIR.name, lambda v: v.records(v.talk.at(entry_of(first).address))).result(SECONDS)
        self.assertEqual([first, second], view)
        self.assertEqual(3, self.database.read(lambda c: c.execute("SELECT count(*) FROM said").fetchone())[0])
        self.assertEqual(0, self.hear(*rest))

    def test_what_waits_joins_after_a_restart(self) -> None:
        self.hear(record(BOB, 1), record(BOB, 2))
        self.assertEqual((0, 0), self.state()[1])
        self.restart()
        self.assertEqual(2, self.store.look(PAIR.name, lambda view: view.talk.waiting).result(SECONDS))
        self.hear(record(BOB, 0))
        self.assertEqual(3, max(self.state()[1]))

    def test_an_unknown_conversation_is_empty_and_is_not_made_by_looking(self) -> None:
        self.assertEqual((bytes(32), (0, 0), 0), self.state())
        self.assertEqual([], self.store.all())

    def test_more_conversations_than_stay_in_memory_are_all_there(self) -> None:
        others = [SeedKey(bytes([9, number]) + bytes(30)) for number in range(conversations.HELD_MOST + 3)]
        pairs = [pair_of(ANN, other.public) for other in others]
        for _ in range(2):
            for other, pair in zip(others, pairs, strict=True):
                self.hear(record(other, 0, "hi", pair), pair=pair)
        self.assertEqual(pairs, self.store.all())
        self.assertEqual({1}, {max(self.state(pair)[1]) for pair in pairs})
        self.assertEqual(conversations.HELD_MOST, len(self.store._held))

    def test_a_damaged_record_is_told(self) -> None:
        self.hear(record(BOB, 0), record(BOB, 1))
        for change in ("body = substr(body, 1, 80)", "body = zeroblob(length(body))"):
            self.database.submit(lambda c, change=change: c.execute(f"UPDATE said SET {change}")).result(SECONDS)
            self.restart()
            with self.assertRaisesRegex(StoreError, "damaged"):
                self.state()

    def test_a_record_acknowledged_survives_a_kill(self) -> None:
        code = (
            "from pathlib import Path\nfrom rhotwist.store.database import Database\n"
            "from rhotwist.keys.pair import SeedKey\nfrom rhotwist.store.conversations import *\n"
            "from rhotwist.talk.record import compose, pair_of\n"
            "key = SeedKey(bytes(32))\npair = pair_of(key, SeedKey(b'b' * 32).public)\n"
            "store = Conversations(Database(Path('user.db'), KIND, durable=True))\n"
            "print(store.hear(pair, [compose(key, pair, Place(0), 'hi', 7)]).result())"
        )
        self.database.close()
        self.assertEqual(self.run_python(code, crash="write-commit").returncode, STATUS)
        self.assertEqual(self.run_python(code).stdout, "1\n")
        self.assertEqual(self.run_python(code, crash="write-committed").returncode, STATUS)
        self.assertEqual(self.run_python(code).stdout, "0\n")


class UpgradeTests(ConversationsCase):
    def test_what_inbox_and_outbox_held_before_is_in_the_conversations(self) -> None:
        self.database.close()
        (self.folder / "user.db").unlink()
        old = self.folder / "schema"
        old.mkdir()
        for name in ("user-001-inbox.sql", "user-002-outbox.sql"):
            shutil.copy(SCHEMA / name, old / name)
        self.open(old)
        heard, said = [record(BOB, index) for index in range(3)], [record(ANN, index) for index in range(2)]
        carol = pair_of(CAROL, BOB.public)

        def fill(connection: object) -> None:
            for one in heard:
                inbox.put(connection, letter(one))
            third = record(CAROL, 0, "hi", carol)
            inbox.put(connection, Letter(
                entry_of(third).leaf, 5, 5, CAROL.public, BOB.public, "hi", third.encode()
            ))  # fmt: skip
            inbox.put(connection, Letter(b"x" * 32, 5, 5, CAROL.public, BOB.public, "odd", b"no record"))
            for index, one in enumerate(said):
                draft = outbox.Draft(entry_of(one).leaf, one.date, one.text, one.encode())
                outbox.put(connection, ANN.public, BOB.public, index, draft)

        self.database.submit(fill).result(SECONDS)
        self.restart()
        talk = Conversation()
        for one in (*heard, *said):
            talk.put(entry_of(one))
        self.assertEqual((talk.root, talk.sizes, 0), self.state())
        self.assertEqual({PAIR, carol}, set(self.store.all()))
        self.assertEqual(2, entry_of(self.say()).index)


class ConversationsMachine(RuleBasedStateMachine):
    """Any records in any order against a conversation in memory; restart and a lost transaction are rules."""

    authors = st.sampled_from([ANN, BOB])
    texts = st.sampled_from("ab")

    def __init__(self) -> None:
        super().__init__()
        self.holder = tempfile.TemporaryDirectory()
        self.model = Conversation()
        self.held: set[Said] = set()
        self.open()

    def open(self) -> None:
        """Open the database, as a start does."""
        self.database = Database(Path(self.holder.name) / "user.db", KIND, durable=False)
        self.store = Conversations(self.database)

    @rule(said=st.lists(st.tuples(authors, st.integers(0, 6), texts), max_size=5))
    def hear(self, said: list[tuple[SeedKey, int, str]]) -> None:
        some = [record(*one) for one in said]
        new = {entry_of(one) for one in some} - {entry_of(one) for one in self.held}
        assert self.store.hear(PAIR, some).result(SECONDS) == len(new)
        self.keep(*some)

    @rule(author=authors, text=texts)
    def say(self, author: SeedKey, text: str) -> None:
        side = PAIR.side(author.public)
        numbers = [one.address & HIGHER - 1 for one in self.held if one.address >> 63 == side]
        view = self.model.view(side)
        said = self.store.say(PAIR, author.public, making(author, text)).result(SECONDS)
        assert (said.address & HIGHER - 1) == max(numbers, default=-1) + 1
        assert (said.seen_size, said.seen_root) == view
        self.keep(said)

    @rule(author=authors, index=st.integers(0, 6), text=texts)
    def lose(self, author: SeedKey, index: int, text: str) -> None:
        """An operation that fails after it has put a record."""

        def work(connection: object) -> None:
            held = self.store._opened(connection, PAIR)
            self.store._put(connection, held, [record(author, index, text)])
            raise DiskFull("no room")

        assert isinstance(self.database.submit(work).exception(SECONDS), DiskFull)

    @rule()
    def restart(self) -> None:
        self.database.close()
        self.open()

    @invariant()
    def agree(self) -> None:
        def work(view: View) -> object:
            return view.talk.root, view.talk.sizes, view.talk.forks, list(view.talk.order()), view.talk.waiting

        model = self.model
        want = model.root, model.sizes, model.forks, list(model.order()), model.waiting
        assert self.store.look(PAIR.name, work).result(SECONDS) == want

    def keep(self, *some: Said) -> None:
        for one in some:
            self.held.add(one)
            self.model.put(entry_of(one))

    def teardown(self) -> None:
        """Leave nothing."""
        self.database.close()
        self.holder.cleanup()


class ConversationsMachineTests(SynchronousTestCase):
    def test_the_store_agrees_with_a_conversation_in_memory_over_restarts_and_losses(self) -> None:
        run_state_machine_as_test(
            ConversationsMachine, settings=settings(stateful_step_count=25, max_examples=300 if FULL else 12)
        )

    def test_three_stores_have_one_root_whatever_order_records_come_in(self) -> None:
        random = Random(3)
        said = [record(author, index, text) for author in (ANN, BOB) for index in range(8) for text in "ab"]
        roots = set()
        for _ in range(3):
            random.shuffle(said)
            with tempfile.TemporaryDirectory() as folder:
                database = Database(Path(folder, "user.db"), KIND, durable=False)
                store = Conversations(database)
                for one in said:
                    store.hear(PAIR, [one]).result(SECONDS)
                roots.add(store.look(PAIR.name, lambda view: view.talk.root).result(SECONDS))
                database.close()
        self.assertEqual(1, len(roots))
