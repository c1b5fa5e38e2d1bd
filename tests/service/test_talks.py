"""Two processes that keep one conversation, without a network between them: what comes of it in every order."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import attrs
from twisted.internet.defer import Deferred, fail, succeed
from twisted.trial.unittest import SynchronousTestCase

from rhotwist.errors import DiskFull, OperatorError, Refused
from rhotwist.keys import chain
from rhotwist.link.messages import RefusalCode
from rhotwist.service.files_in import World
from rhotwist.service.keystore import Hot
from rhotwist.service.talks import FORKS_MOST, Synced, TalkService
from rhotwist.store.conversations import KIND
from rhotwist.store.database import Database
from rhotwist.store.inbox import Inbox
from rhotwist.talk.messages import RECORDS_MOST, Said, TalkRootAt, TalkStand, TalkSync
from rhotwist.talk.record import Place, compose, entry_of, pair_of
from rhotwist.tree.conversation import HIGHER
from tests.service.processes import link_of


@attrs.frozen
class Heard:
    """What a handler is called with."""

    source: bytes
    destination: bytes
    body: Any


class Keys:
    """A keystore of hot wallets."""

    def __init__(self, *hot: Hot) -> None:
        self.hot = {one.name: one for one in hot}

    def hot_by_key(self, public: bytes) -> Hot | None:
        return next((one for one in self.hot.values() if one.key.public == public), None)


def hot(name: str) -> Hot:
    """A wallet made from its name."""
    link = link_of(name)
    return Hot(name, chain.seed_key(link), bytearray(link), 0)


def done(future: Future[Any]) -> Deferred[Any]:
    """What a store promised, waited for."""
    error = future.exception(10)
    return fail(error) if error else succeed(future.result())


class Side:
    """One wallet and all that its process keeps of conversations."""

    def __init__(self, name: str, folder: Path) -> None:
        self.hot = hot(name)
        self.database = Database(folder / f"{name}.db", KIND, durable=False)
        world = World(soon=done, in_thread=lambda work: succeed(work()), later=None, date=lambda: 9, mono=lambda: 0.0)
        self.talks = TalkService(Keys(self.hot), world)  # type: ignore[arg-type]
        self.talks.open(self.database)
        self.asked: list[Any] = []

    @property
    def key(self) -> bytes:
        return self.hot.key.public

    def texts(self) -> list[str]:
        """The inbox, the oldest first."""
        return [letter.text for letter in reversed(Inbox(self.database).newest(self.key, 10_000))]

    def to(self, other: Side, change: Callable[[Any], Any] = lambda reply: reply) -> Callable[[Any], Any]:
        """The way to ask the other side; its replies may be changed on the way."""

        async def ask(body: Any) -> Any:
            self.asked.append(body)
            handler = other.talks.handlers()[type(body)]
            reply = await handler(Heard(self.key, other.key, type(body).decode(body.encode())))
            return change(type(reply).decode(reply.encode()))

        return ask


class TalksCase(SynchronousTestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.ann, self.bob = self.side("ann"), self.side("bob")
        self.pair = pair_of(self.ann.hot.key, self.bob.key)

    def side(self, name: str) -> Side:
        made = Side(name, self.folder)
        self.addCleanup(made.database.close)
        return made

    def result(self, coroutine: Any) -> Any:
        return self.successResultOf(Deferred.fromCoroutine(coroutine))

    def say(self, who: Side, *texts: str) -> list[Said]:
        """Records that are kept where they were said, and lost on their way."""
        other = self.bob if who.hot.name == "ann" else self.ann
        return [self.successResultOf(who.talks.say(who.hot, other.key, text)) for text in texts]

    def sync(self, who: Side, other: Side, **more: Any) -> Synced:
        return self.result(who.talks.sync(who.hot, other.key, who.to(other, **more), "peer"))

    def rival(self, who: Side, index: int, text: str) -> Said:
        """A record signed twice for one place, in the hands of its author alone."""
        said = compose(who.hot.key, self.pair, Place(index), text, 5)
        who.talks.store.hear(self.pair, [said]).result(10)
        return said

    def root(self, who: Side) -> bytes:
        return who.talks.store.look(self.pair.name, lambda view: view.talk.root).result(10)

    def forks(self, who: Side) -> int:
        return len(who.talks.store.look(self.pair.name, lambda view: view.talk.forks).result(10))

    def error(self, coroutine: Any, kind: type[Exception]) -> Any:
        return self.failureResultOf(Deferred.fromCoroutine(coroutine), kind).value


class SyncTests(TalksCase):
    def test_two_that_have_the_same_ask_one_question(self) -> None:
        self.assertEqual(Synced(0, 0, True), self.sync(self.ann, self.bob))
        self.say(self.ann, "hi")
        self.assertEqual(Synced(1, 0, True), self.sync(self.ann, self.bob))
        self.ann.asked.clear()
        self.assertEqual(Synced(0, 0, True), self.sync(self.ann, self.bob))
        self.assertEqual(1, len(self.ann.asked))
        self.assertEqual((["hi"], []), (self.bob.texts(), self.ann.texts()))

    def test_asking_makes_no_conversation(self) -> None:
        self.sync(self.ann, self.bob)
        self.assertEqual(([], []), (self.ann.talks.store.all(), self.bob.talks.store.all()))

    def test_what_either_lacks_goes_and_comes_however_much_it_is(self) -> None:
        count = 2 * RECORDS_MOST + 5
        self.say(self.ann, *(f"a{number}" for number in range(count)))
        self.say(self.bob, *(f"b{number}" for number in range(count)))
        self.assertEqual(Synced(count, count, True), self.sync(self.bob, self.ann))
        self.assertEqual(self.root(self.ann), self.root(self.bob))
        self.assertEqual([f"a{number}" for number in range(count)], self.bob.texts())
        self.assertEqual([f"b{number}" for number in range(count)], self.ann.texts())
        self.assertLess(len(self.bob.asked), 9)

    def test_a_lost_record_comes_with_the_next_and_counts_once(self) -> None:
        [lost] = self.say(self.ann, "lost")
        self.result(self.ann.to(self.bob)(lost))
        self.say(self.ann, "lost too")
        for _ in range(2):
            self.sync(self.ann, self.bob)
        self.assertEqual(["lost", "lost too"], self.bob.texts())

    def test_a_wallet_restored_from_its_words_goes_on_where_it_was(self) -> None:
        self.say(self.ann, "one", "two")
        self.sync(self.ann, self.bob)
        self.say(self.bob, "back")
        self.ann.database.close()
        (self.folder / "ann.db").unlink()
        self.ann = self.side("ann")
        self.assertEqual(Synced(0, 3, True), self.sync(self.ann, self.bob))
        [third] = self.say(self.ann, "three")
        self.assertEqual((2, 1), (entry_of(third).index, third.seen_size))
        self.sync(self.ann, self.bob)
        self.assertEqual((0, 0), (self.forks(self.ann), self.forks(self.bob)))
        self.assertEqual((["back"], ["one", "two", "three"]), (self.ann.texts(), self.bob.texts()))

    def test_forks_of_both_are_found_shown_to_both_and_stop_nothing(self) -> None:
        self.say(self.ann, *(f"a{number}" for number in range(20)))
        self.say(self.bob, *(f"b{number}" for number in range(20)))
        self.sync(self.ann, self.bob)
        for index in (0, 7, 19):
            self.rival(self.ann, index, f"other a{index}")
            self.rival(self.bob, index, f"other b{index}")
        self.assertTrue(self.sync(self.ann, self.bob).same)
        self.assertEqual(self.root(self.ann), self.root(self.bob))
        self.say(self.ann, "on")
        self.assertEqual(Synced(1, 0, True), self.sync(self.ann, self.bob))
        self.assertTrue(self.forks(self.bob) and self.forks(self.ann))

    def test_more_forks_than_one_run_mends_are_mended_by_the_next(self) -> None:
        count = 4 * FORKS_MOST
        self.say(self.ann, *(f"a{number}" for number in range(count)))
        self.sync(self.ann, self.bob)
        for index in range(count):
            self.rival(self.ann, index, "otherwise")
        runs = 1
        while not self.sync(self.ann, self.bob).same:
            runs += 1
        self.assertEqual(self.root(self.ann), self.root(self.bob))
        self.assertTrue(1 < runs < 6, runs)

    def test_one_that_shows_a_root_and_not_its_records_is_told_apart(self) -> None:
        self.say(self.ann, "a", "b", "c")
        self.sync(self.ann, self.bob)

        def lie(reply: Any) -> Any:
            return attrs.evolve(reply, lower_root=b"x" * 32) if isinstance(reply, TalkStand) else reply

        self.assertFalse(self.sync(self.ann, self.bob, change=lie).same)
        self.assertLess(len(self.ann.asked), 12)

    def test_one_that_takes_nothing_is_not_asked_for_ever(self) -> None:
        self.say(self.ann, "a")

        def deaf(reply: Any) -> Any:
            return attrs.evolve(reply, lower=0, higher=0)

        self.assertFalse(self.sync(self.ann, self.bob, change=deaf).same)
        self.assertLess(len(self.ann.asked), 4)

    def test_one_record_that_does_not_hold_and_nothing_of_the_answer_is_kept(self) -> None:
        good, bad = self.say(self.bob, "good", "bad")
        wrong = (good.encode(), bad.encode()[:-1] + bytes([bad.encode()[-1] ^ 1]))
        for records in (wrong, (b"short",)):
            change = lambda reply, records=records: attrs.evolve(reply, records=records)  # noqa: E731
            asking = self.ann.to(self.bob, change)
            error = self.error(self.ann.talks.sync(self.ann.hot, self.bob.key, asking, "peer"), OperatorError)
            self.assertEqual("RHO-2210", error.code)
        self.assertEqual([], self.ann.texts())


class AnswerTests(TalksCase):
    def refusal(self, body: Any, source: bytes | None = None, destination: bytes | None = None) -> Refused:
        """What Bob's process says to a call of Ann's."""
        call = Heard(source or self.ann.key, destination or self.bob.key, body)
        return self.error(self.bob.talks.handlers()[type(body)](call), Refused)

    def test_a_wallet_that_is_not_here_answers_nothing(self) -> None:
        for body in (TalkSync(lower=0, higher=0, records=()), TalkRootAt(address=0), self.say(self.ann, "x")[0]):
            self.assertEqual(RefusalCode.NOT_HERE, self.refusal(body, destination=self.ann.key).code)

    def test_itself_and_what_is_no_key_have_no_conversation(self) -> None:
        for source in (self.bob.key, bytes(32)):
            self.assertEqual(RefusalCode.BAD_BODY, self.refusal(TalkRootAt(address=0), source=source).code)

    def test_a_record_is_taken_from_its_author_alone(self) -> None:
        [said], [own] = self.say(self.ann, "hi"), self.say(self.bob, "mine")
        for wrong, why in ((attrs.evolve(said, text="ho"), "signature"), (own, "receiver's own")):
            refused = self.refusal(wrong)
            self.assertEqual(RefusalCode.BAD_BODY, refused.code)
            self.assertIn(why, str(refused))
        self.assertEqual([], self.bob.texts())

    def test_records_that_do_not_hold_are_refused_whole(self) -> None:
        good, bad = (said.encode() for said in self.say(self.ann, "good", "bad"))
        for wrong in (bad[:-1] + bytes([bad[-1] ^ 1]), b"short"):
            refused = self.refusal(TalkSync(lower=0, higher=0, records=(good, wrong)))
            self.assertEqual(RefusalCode.BAD_BODY, refused.code)
        self.assertEqual([], self.bob.texts())

    def test_another_pair_hash_kept_before_is_told(self) -> None:
        said = self.say(self.ann, "hi")[0]
        self.bob.talks.store.hear(attrs.evolve(self.pair, hash=bytes(32)), []).result(10)
        self.assertIn("another pair hash", str(self.refusal(said)))

    def test_a_full_disk_confirms_nothing(self) -> None:
        future: Future[int] = Future()
        future.set_exception(DiskFull("no room"))
        self.bob.talks.store.hear = lambda *what: future  # type: ignore[method-assign]
        refused = self.refusal(self.say(self.ann, "hi")[0])
        self.assertEqual(RefusalCode.OVERLOADED, refused.code)

    def test_a_root_over_more_than_there_is_is_zeros(self) -> None:
        self.say(self.ann, "a", "b")
        self.sync(self.ann, self.bob)
        side = self.pair.side(self.ann.key) << 63
        roots = [self.result(self.ann.to(self.bob)(TalkRootAt(address=side | count))).root for count in (1, 2, 3)]
        self.assertEqual(3, len(set(roots)))
        self.assertEqual(bytes(32), roots[2])
        self.assertEqual(bytes(32), self.result(self.ann.to(self.bob)(TalkRootAt(address=2 * HIGHER - 1))).root)
