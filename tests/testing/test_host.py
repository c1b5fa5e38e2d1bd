"""Whole nodes on the network: what a programmer's test sees of them."""

from __future__ import annotations

from collections import Counter
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater

from rhotwist.errors import Cancelled, HandlerFailed, NotSpoken, Refused, SessionLost, TimedOut, Unreachable
from rhotwist.keys.pair import SeedKey
from rhotwist.limits import Limits
from rhotwist.testing import HOSTILE, Crashed, Faults, Host, Network, SeededTestCase, Work
from rhotwist.testing.kem import StandInKem
from rhotwist.wire.schema import Request, Schema, text


class Said(Schema, name="test.host.said"):
    """What was said."""

    text: str = text(1000)


class Say(Request[Said], name="test.host.say"):
    """Say it again, louder."""

    text: str = text(1000)


class Note(Schema, name="test.host.note"):
    """Wants no answer."""

    text: str = text(1000)


def louder(call: Any) -> Said:
    return Said(text=call.body.text.upper())


class HostTestCase(SeededTestCase):
    """Two hosts, one of which answers."""

    def two(self, seed: int = 1, faults: Faults | None = None, **options: Any) -> tuple[Network, Host, Host]:
        network = self.network(seed, faults or Faults())
        network.kem = StandInKem(network.chance("kem").randbytes)
        ann, bob = network.node("ann", **options), network.node("bob", **options)
        bob.answer(Say, louder)
        return network, ann, bob


class RequestTests(HostTestCase):
    """Asking."""

    def test_a_request_by_key_gets_the_handler_s_reply(self) -> None:
        network, ann, bob = self.two()
        outcome = ann.request(bob, Say(text="hello"))
        self.assertEqual(Said(text="HELLO"), network.result(outcome))
        self.assertAlmostEqual(0.04, outcome.took)  # two round trips: the request rides in Finish

    def test_hosts_have_the_keys_of_the_seed_or_the_one_they_are_given(self) -> None:
        network, other = Network(1), Network(2)
        self.assertEqual(network.node("ann").public, Network(1).node("ann").public)
        self.assertNotEqual(network.node("bob").public, other.node("bob").public)
        key = SeedKey(bytes(32))
        self.assertEqual(key.public, network.node("carol", key).public)

    def test_every_request_has_exactly_one_outcome_on_a_hostile_network(self) -> None:
        for seed in self.seeds(6, 300):
            network, ann, bob = self.two(seed, HOSTILE)
            outcomes = [ann.request(bob, Say(text=str(n)), timeout=120) for n in range(20)]
            network.wait(*outcomes, limit=200)
            network.run(60)
            for n, outcome in enumerate(outcomes):
                if outcome.failure is None:
                    self.assertEqual(Said(text=str(n)), outcome.reply)

    def test_the_same_seed_gives_the_same_trace_with_real_key_encapsulation_too(self) -> None:
        def digest(seed: int) -> str:
            network = Network(seed, HOSTILE)
            ann, bob = network.node("ann"), network.node("bob")
            bob.answer(Say, louder)
            network.wait(*(ann.request(bob, Say(text="x"), timeout=100) for _ in range(10)), limit=120)
            return network.trace.digest()

        for seed in self.seeds(3, 100):
            self.assertEqual(digest(seed), digest(seed))

    def test_nobody_there_and_nobody_speaks_it_are_told_apart(self) -> None:
        network, ann, bob = self.two()
        nobody = ann.request(SeedKey(bytes(32)).public, Say(text="x"), paths=(ann.path_to(bob),), timeout=5)
        deaf = bob.request(ann, Say(text="x"))
        network.wait(nobody, deaf)
        self.assertRaises(Unreachable, nobody.result)
        self.assertRaises(NotSpoken, deaf.result)

    def test_a_ping_proves_the_key_and_tells_the_suite(self) -> None:
        network, ann, bob = self.two()
        reached = network.result(ann.ping(bob))
        self.assertEqual((bob.public, True, ann.address), (reached.peer, reached.post_quantum, reached.seen))

    def test_a_message_that_is_only_told_arrives_and_nothing_waits(self) -> None:
        network, ann, bob = self.two()
        heard: list[str] = []
        bob.answer(Note, lambda call: heard.append(call.body.text))
        ann.tell(bob, Note(text="by the way"))
        network.run(2)
        self.assertEqual(["by the way"], heard)

    def test_cancel_settles_with_cancelled_and_after_the_outcome_does_nothing(self) -> None:
        network, ann, bob = self.two()
        bob.answer(Say, lambda call: Deferred())
        outcome = ann.request(bob, Say(text="x"))
        network.run(1)
        ann.cancel(outcome)
        self.assertIsInstance(outcome.failure, Cancelled)
        ann.cancel(outcome)

    def test_a_handler_that_never_answers_is_timed_out(self) -> None:
        network, ann, bob = self.two()
        bob.answer(Say, lambda call: Deferred())
        outcome = ann.request(bob, Say(text="x"), timeout=7)
        network.wait(outcome)
        self.assertIsInstance(outcome.failure, TimedOut)
        self.assertAlmostEqual(7.0, outcome.took, 3)


class HandlerTests(HostTestCase):
    """Answering."""

    def test_handlers_answer_at_once_by_deferred_by_coroutine_or_by_outcome(self) -> None:
        network, ann, bob = self.two()
        carol = network.node("carol")

        async def ask_bob(call: Any) -> Said:
            await network.sleep(1)
            return await carol.request(bob, Say(text=call.body.text + " by coroutine"))

        for handler, heard in (
            (lambda call: deferLater(network.reactor, 2, louder, call), "X"),  # type: ignore[arg-type]
            (ask_bob, "X BY COROUTINE"),
            (lambda call: carol.request(bob, call.body), "X"),
        ):
            carol.answer(Say, handler)
            self.assertEqual(Said(text=heard), network.result(ann.request(carol, Say(text="x"))))

    def test_what_a_handler_raises_is_told_to_the_test_and_little_of_it_to_the_peer(self) -> None:
        network, ann, bob = self.two()

        async def later(call: Any) -> Said:
            raise KeyError("secret")

        for handler in (lambda call: {}["secret"], later, lambda call: "no Said", lambda call: Said(text="x" * 1_500)):
            bob.answer(Say, handler)
            outcome = ann.request(bob, Say(text="x"))
            network.wait(outcome)
            self.assertIsInstance(outcome.failure, HandlerFailed)
            self.assertNotIn("secret", str(outcome.failure))
            self.assertEqual(1, len(network.flush_errors()))

    def test_a_refusal_is_no_error_of_the_handler(self) -> None:
        network, ann, bob = self.two()

        def refuse(call: Any) -> Said:
            raise Refused(5, "not on Sundays")

        bob.answer(Say, refuse)
        outcome = ann.request(bob, Say(text="x"))
        network.wait(outcome)
        self.assertIsInstance(outcome.failure, Refused)
        self.assertEqual([], network.errors)

    def test_work_takes_time_and_fails_as_often_as_it_is_said_to(self) -> None:
        network, ann, bob = self.two()
        bob.work = Work(delay=0.5, failure=0.3)
        outcomes = [ann.request(bob, Say(text="x")) for _ in range(200)]
        network.wait(*outcomes)
        kinds = Counter(type(outcome.failure) for outcome in outcomes)
        self.assertEqual({type(None), HandlerFailed}, set(kinds))
        self.assertTrue(30 < kinds[HandlerFailed] < 90, kinds)
        mean = sum(outcome.took for outcome in outcomes) / 200
        self.assertTrue(0.35 < mean < 0.9, mean)
        self.assertEqual([], network.errors)


class TroubleTests(HostTestCase):
    """What befalls hosts."""

    def test_requests_of_a_host_that_crashes_settle_with_crashed(self) -> None:
        network, ann, bob = self.two()
        outcome = ann.request(bob, Say(text="x"))
        ann.crash()
        self.assertRaises(Crashed, outcome.result)
        network.run(60)

    def test_a_host_that_restarts_answers_with_the_same_handlers_and_wallets(self) -> None:
        network, ann, bob = self.two()
        wallet = SeedKey(b"w" * 32)
        bob.add_wallet(wallet)
        network.result(ann.request(bob, Say(text="x")))
        bob.crash()
        bob.restart()
        carol = network.node("carol")
        outcome = carol.request(bob, Say(text="y"), destination=wallet.public)
        self.assertEqual(Said(text="Y"), network.result(outcome))

    def test_a_host_that_stops_takes_its_leave(self) -> None:
        network, ann, bob = self.two()
        bob.answer(Say, lambda call: Deferred())
        outcome = ann.request(bob, Say(text="x"))
        network.run(1)
        bob.stop()
        network.wait(outcome, limit=1)
        self.assertIsInstance(outcome.failure, SessionLost)
        self.assertFalse(bob.up)

    def test_an_answer_that_is_ready_after_the_crash_goes_nowhere(self) -> None:
        network, ann, bob = self.two()
        bob.answer(Say, lambda call: deferLater(network.reactor, 5, louder, call))  # type: ignore[arg-type]
        outcome = ann.request(bob, Say(text="x"), timeout=20)
        network.run(1)
        bob.crash()
        bob.restart()
        network.wait(outcome)
        self.assertIsNotNone(outcome.failure)

    def test_puzzles_are_solved_in_virtual_time_unless_the_work_fails(self) -> None:
        network, ann, bob = self.two(limits=Limits(handshake_share=-1.0, puzzle_first=12))
        outcome = ann.request(bob, Say(text="x"))
        self.assertEqual(Said(text="X"), network.result(outcome))
        self.assertTrue(bob.node.counters["retry"])
        self.assertTrue(0.06 < outcome.took < 0.12, outcome.took)
        carol = network.node("carol", work=Work(failure=1.0))
        self.assertRaises(Unreachable, network.result, carol.request(bob, Say(text="x")))

    def test_tokens_outlive_a_crash(self) -> None:
        network, ann, bob = self.two()
        network.result(ann.request(bob, Say(text="x")))
        self.assertIn(bob.public, ann.store.get("tokens", {}))
        ann.crash()
        ann.restart()
        self.assertEqual(Said(text="Y"), network.result(ann.request(bob, Say(text="y"))))

    def test_a_request_survives_a_rebinding_of_either_side_s_nat(self) -> None:
        network, ann, bob = self.two()
        network.result(ann.request(bob, Say(text="x")))
        network.rebind(ann)
        network.result(ann.request(bob, Say(text="y")))
        network.rebind(ann, host=True)
        network.result(ann.request(bob, Say(text="z")))

    def test_wall_clocks_a_year_off_and_jumping_change_nothing(self) -> None:
        network, ann, bob = self.two()
        ann.wall_skew = 3.2e7
        network.result(ann.request(bob, Say(text="x")))
        ann.wall_skew, bob.wall_skew = -3.2e7, 3.2e7
        outcomes = [ann.request(bob, Say(text="y")) for _ in range(5)]
        network.wait(*outcomes, limit=2)
        self.assertEqual([None] * 5, [outcome.failure for outcome in outcomes])
