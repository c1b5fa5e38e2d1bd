"""The node's verbs: what a request comes to, and what its owner may ask of it."""

from __future__ import annotations

from rhotwist import errors
from rhotwist.errors import (
    BadKey,
    Cancelled,
    Closed,
    HandlerFailed,
    LocalError,
    NotSpoken,
    Overloaded,
    Refused,
    TimedOut,
    TooBig,
    Unreachable,
    WrongReply,
)
from rhotwist.keys.pair import SeedKey
from rhotwist.limits import Limits
from rhotwist.node.jobs import Call, Fired, Reached
from rhotwist.testing.cases import SeededTestCase
from rhotwist.testing.link import Faults
from rhotwist.testing.network import Network
from rhotwist.testing.outcome import Outcome
from rhotwist.wire.schema import Request, Schema, bulk, text
from tests.node.talk import Said, Say, server, sessions


class Other(Schema, name="test.other"):
    """An answer nobody declared."""

    text: str = text(100)


class Requests(SeededTestCase):
    """One client and one server on a good net."""

    def setUp(self) -> None:
        self.net = self.network(1)
        self.server = server(self.net)
        self.client = self.net.node("client")

    def fails(self, kind: type[BaseException], outcome: Outcome) -> BaseException:
        self.net.wait(outcome, limit=120)
        self.assertIsInstance(outcome.failure, kind)
        assert outcome.failure is not None
        return outcome.failure

    def test_a_request_rides_in_finish_and_is_answered_after_two_round_trips(self) -> None:
        outcome = self.client.request(self.server, Say(text="hello"))
        self.assertEqual(self.net.result(outcome), Said(text="olleh"))
        self.assertAlmostEqual(outcome.took, 4 * 0.010, places=6)

    def test_the_next_one_takes_one_round_trip_over_the_same_session(self) -> None:
        self.net.result(self.client.request(self.server, Say(text="a")))
        outcome = self.client.request(self.server, Say(text="b"))
        self.net.result(outcome)
        self.assertAlmostEqual(outcome.took, 2 * 0.010, places=6)
        self.assertEqual(len(sessions(self.server)), 1)

    def test_a_ping_says_the_suite_the_round_trip_and_who_was_proven(self) -> None:
        reached = self.net.result(self.client.ping(self.server))
        self.assertEqual(
            reached,
            Reached(
                self.server.public, "Noise_XKhfs_25519+MLKEM768_AESGCM_SHA256", True, reached.round_trip,
                self.client.address,
            ),
        )  # fmt: skip
        self.assertAlmostEqual(reached.round_trip, 0.020, places=6)

    def test_both_sides_may_ask(self) -> None:
        self.client.answer(Say, lambda call: Said(text="from the client"))
        self.net.result(self.client.request(self.server, Say(text="a")))
        self.net.run(0.1)
        back = self.server.request(self.client.public, Say(text="b"))
        self.assertEqual(self.net.result(back), Said(text="from the client"))
        self.assertEqual(len(sessions(self.client)), 1)

    def test_many_at_once_are_all_answered_in_turn(self) -> None:
        outcomes = [self.client.request(self.server, Say(text=str(number))) for number in range(1000)]
        self.net.wait(*outcomes)
        self.assertEqual([outcome.reply.text for outcome in outcomes], [str(number)[::-1] for number in range(1000)])

    def test_a_wrong_key_gets_silence_and_the_caller_a_clear_error(self) -> None:
        path = self.client.path_to(self.server)
        outcome = self.client.request(SeedKey(b"x" * 32).public, Say(text="a"), paths=(path,), timeout=5)
        error = self.fails(Unreachable, outcome)
        self.assertEqual(str(error), "nobody who holds that key answered at that address")
        self.assertEqual(self.net.sent_datagrams, self.client.node.counters["dialled"] and self.net.sent_datagrams)
        self.assertEqual(self.server.node.counters["retry"], 0)
        self.assertGreater(self.server.node.counters["drop mac1"], 3)
        self.assertEqual(self.server.node.status()["half_open"], 0)

    def test_without_an_address_it_fails_at_once(self) -> None:
        self.fails(Unreachable, self.client.request(self.server.public, Say(text="a"), paths=()))

    def test_a_request_that_knows_another_address_does_not_wait_for_the_first_to_be_given_up(self) -> None:
        elsewhere = self.client.path_to(self.net.node("of another key"))
        first = self.client.request(self.server.public, Say(text="a"), paths=(elsewhere,))
        self.net.run(1.0)
        second = self.client.request(self.server, Say(text="b"), timeout=2.0)
        self.net.wait(first, second)
        self.assertEqual(("a", "b"), (first.reply.text, second.reply.text))
        self.assertEqual(1, self.client.node.counters["dialled"])

    def test_an_unknown_schema_is_refused(self) -> None:
        class Unheard(Request[Said], name="test.unheard"):
            """Nobody answers it."""

        self.fails(NotSpoken, self.client.request(self.server, Unheard()))

    def test_a_handler_that_fails_fails_one_request(self) -> None:
        self.server.answer(Say, lambda call: 1 / 0)
        self.fails(HandlerFailed, self.client.request(self.server, Say(text="a")))
        self.assertIsInstance(self.net.flush_errors()[0], ZeroDivisionError)

    def test_a_handler_may_refuse_with_a_reason(self) -> None:
        def handler(call: Call) -> Said:
            raise Refused(77, "not today\n\x1b[31m")

        self.server.answer(Say, handler)
        error = self.fails(Refused, self.client.request(self.server, Say(text="a")))
        self.assertEqual(error.code, 77)
        self.assertEqual(error.said, "not today\N{REPLACEMENT CHARACTER}\N{REPLACEMENT CHARACTER}[31m")
        self.assertIn("not today", str(error))
        self.assertNotIn("\x1b", str(error))

    def test_another_schema_than_declared_is_a_wrong_reply(self) -> None:
        self.client.request(self.server, Say(text="a"))
        held: list[Call] = []
        self.server.node.handle(Say)
        original = self.server._call
        self.server._runners[Call] = held.append
        outcome = self.client.request(self.server, Say(text="b"))
        self.net.run(0.1)
        self.server.node.answer(held[-1], Other(text="?"), self.server.moment())
        self.server.act()
        self.fails(WrongReply, outcome)
        del original

    def test_no_reply_in_time_is_a_timeout_and_a_late_one_is_dropped(self) -> None:
        waiting: list[Outcome] = []
        self.server.answer(Say, lambda call: waiting.append(Outcome("late", 0.0)) or waiting[-1])
        outcome = self.client.request(self.server, Say(text="a"), timeout=2)
        error = self.fails(TimedOut, outcome)
        self.assertIn("2 s", str(error))
        waiting[0].settle(self.net.clock.now, Said(text="too late"))
        self.net.run(5)
        self.assertGreater(self.client.node.counters["late"], 0)

    def test_cancel_withdraws_once(self) -> None:
        outcome = self.client.request(self.server, Say(text="a"))
        self.client.cancel(outcome)
        self.fails(Cancelled, outcome)
        self.net.run(5)
        self.assertEqual(self.client.node.status()["pending_requests"], 0)

    def test_what_can_never_be_sent_raises_at_once_with_value_and_limit(self) -> None:
        class Big(Request[Said], name="test.big"):
            """Too much."""

            data: bytes = bulk(3_000_000)

        most = Limits().object_max - 116
        with self.assertRaisesRegex(TooBig, f"{most + 1} bytes; one object carries at most {most}"):
            self.client.request(self.server, Big(data=bytes(most - 3)))
        for bad in (Said(text="no request"), "no schema"):
            with self.assertRaises(LocalError):
                self.client.request(self.server, bad)
        with self.assertRaises(LocalError):
            self.client.request(self.server, Say(text="a"), timeout=0)
        with self.assertRaises(LocalError):
            self.client.request(self.client, Say(text="to myself"))
        with self.assertRaises(BadKey):
            self.client.request(self.server, Say(text="a"), destination=bytes(32))
        with self.assertRaises(BadKey):
            self.client.request(bytes(32), Say(text="a"), paths=(self.client.path_to(self.server),))
        self.assertEqual(self.client.node.status()["pending_requests"], 0)

    def test_a_reply_too_big_leaves_the_call_to_be_answered(self) -> None:
        class Huge(Schema, name="test.huge"):
            """Too much."""

            data: bytes = bulk(3_000_000)

        held: list[Call] = []
        self.server._runners[Call] = held.append
        outcome = self.client.request(self.server, Say(text="a"))
        self.net.run(0.05)
        with self.assertRaises(TooBig):
            self.server.node.answer(held[0], Huge(data=bytes(3_000_000)), self.server.moment())
        self.server.node.answer(held[0], Said(text="b"), self.server.moment())
        self.server.act()
        self.assertEqual(self.net.result(outcome), Said(text="b"))

    def test_an_answer_hours_later_is_pushed_and_confirmed(self) -> None:
        waiting: list[Outcome] = []
        self.server.answer(Say, lambda call: waiting.append(Outcome("late", 0.0)) or waiting[-1])
        outcome = self.client.request(self.server, Say(text="a"), timeout=100_000)
        self.net.run(1)
        sent = self.net.sent_datagrams
        self.net.run(3 * 3600)
        self.assertLess(self.net.sent_datagrams - sent, 3 * 3600 / 5 * 2.2 + 20)  # beats, no repeats
        waiting[0].settle(self.net.clock.now, Said(text="at last"))
        self.net.run(0.05)
        self.assertEqual(outcome.reply, Said(text="at last"))
        self.net.run(5)
        self.assertEqual(self.server.node.status()["reserved_bytes"], 0)

    def test_a_told_message_is_heard_once_and_answered_never(self) -> None:
        heard: list[str] = []
        self.server.answer(Say, lambda call: (heard.append((call.body.text, call.wants_answer)), Said(text=""))[1])
        self.net.result(self.client.ping(self.server))
        self.client.node.tell(self.server.public, Say(text="by the way"), self.client.moment())
        self.client.act()
        self.net.run(5)
        self.assertEqual(heard, [("by the way", False)])

    def test_a_stopped_node_says_so_and_takes_nothing_more(self) -> None:
        self.net.result(self.client.ping(self.server))
        outcome = self.client.request(self.server, Say(text="a"))
        node = self.client.node
        node.close(self.client.moment())
        self.client.act()
        self.fails(errors.SessionLost, outcome)
        with self.assertRaises(Closed):
            self.client.request(self.server, Say(text="b"))
        self.net.run(1)
        self.assertEqual(sessions(self.server), [])

    def test_a_peer_that_stopped_is_dialled_anew(self) -> None:
        self.net.result(self.client.ping(self.server))
        self.server.stop()
        self.server.restart()
        self.net.run(0.1)
        outcome = self.client.request(self.server, Say(text="again"))
        self.assertEqual(self.net.result(outcome), Said(text="niaga"))

    def test_replies_kept_are_let_go_when_the_peer_is_silent_for_a_minute(self) -> None:
        outcomes = [self.client.request(self.server, Say(text=str(number))) for number in range(50)]
        self.net.wait(*outcomes)
        self.assertGreater(self.server.node.status()["reserved_bytes"], 0)
        self.net.run(70)
        self.assertEqual(self.server.node.status()["reserved_bytes"], 0)

    def test_beyond_the_reserve_requests_are_refused_and_not_acted_on(self) -> None:
        self.net.everywhere(Faults(together=0))
        small = server(self.net, "small", limits=Limits(session_reserve=2_000))
        draw = [self.client.request(small, Say(text="x" * 100)) for _ in range(20)]
        self.net.wait(*draw)
        self.assertTrue(any(isinstance(outcome.failure, Overloaded) for outcome in draw))
        self.assertTrue(any(isinstance(outcome.reply, Said) for outcome in draw))

    def test_more_in_line_than_the_limit_fail_as_overloaded(self) -> None:
        client = self.net.node("eager", limits=Limits(outstanding_max=4, waiting_max=4))
        self.net.result(client.ping(self.server))
        outcomes = [client.request(self.server, Say(text=str(number))) for number in range(12)]
        self.net.wait(*outcomes)
        self.assertEqual(sum(isinstance(outcome.failure, Overloaded) for outcome in outcomes), 4)

    def test_an_event_fires_exactly_once(self) -> None:
        outcome = self.client.request(self.server, Say(text="a"))
        self.net.result(outcome)
        for job in self.client.node.jobs():
            self.assertNotIsInstance(job, Fired)


class Keeping(SeededTestCase):
    """Sessions that idle, and those that must not."""

    def test_an_idle_session_is_silent_but_for_its_ratchet(self) -> None:
        network = self.network(1)
        node, client = server(network), network.node("client")
        network.result(client.ping(node))
        network.run(60)
        before = network.sent_datagrams
        network.run(600)
        self.assertEqual(network.sent_datagrams, before)
        network.run(3600)
        self.assertLess(network.sent_datagrams - before, 12)
        self.assertEqual(sessions(client)[0].seal.epoch, 1)

    def test_keep_alive_starts_at_25_seconds_and_doubles_to_110(self) -> None:
        network = self.network(1)
        node, client = server(network), network.node("client")
        network.result(client.ping(node))
        network.run(60)
        client.node.keep_alive(node.public, client.moment())
        client.act()
        before = network.sent_datagrams
        network.run(25 + 50 + 100 + 110 + 5)
        self.assertEqual(network.sent_datagrams - before, 8)
        self.assertFalse(client.node.keep_alive(b"x" * 32, client.moment()))

    def test_a_saved_token_spares_the_next_connect_a_retry_and_is_used_once_also_after_a_crash(self) -> None:
        network = self.network(1)
        node, client = server(network, limits=Limits(cookie_load=-1.0)), network.node("client")
        network.result(client.ping(node))
        network.run(1)
        self.assertEqual(client.node.counters["retried"], 1)
        self.assertEqual(list(client.store["tokens"]), [node.public])
        client.crash()
        client.restart()
        network.result(client.ping(node))
        self.assertEqual(client.node.counters["retried"], 0)
        self.assertEqual(node.node.counters["retry"], 1)

    def test_a_token_is_gone_from_the_store_when_its_hello_goes_out(self) -> None:
        network = self.network(1)
        node, client = server(network), network.node("client")
        network.result(client.ping(node))
        network.run(1)
        network.cut(node, client)
        client.crash()
        client.restart()
        client.ping(node, timeout=1)
        network.run(2)
        self.assertEqual(client.store["tokens"], {})

    def test_two_identities_do_not_share_a_token(self) -> None:
        network = self.network(1)
        node, client = server(network, limits=Limits(cookie_load=-1.0)), network.node("client")
        network.result(client.ping(node))
        network.run(1)
        network.result(client.ping(node, identity=SeedKey(b"i" * 32)))
        self.assertEqual(client.node.counters["retried"], 2)

    def test_a_handler_may_ask_back_whoever_asked_in_finish(self) -> None:
        network = self.network(1)
        node, client = network.node("server"), server(network, "client")
        back: list = []
        node.answer(Say, lambda call: (back.append(node.request(call.peer, Say(text="you?"))), Said(text="ok"))[1])
        network.result(client.request(node, Say(text="me")))
        self.assertEqual(network.result(back[0]), Said(text="?uoy"))

    def test_a_peer_that_falls_silent_loses_the_request_after_30_seconds(self) -> None:
        network = self.network(1)
        node, client = server(network), network.node("client")
        network.result(client.ping(node))
        network.run(60)
        network.cut(node, client)
        outcome = client.request(node, Say(text="a"), timeout=300)
        network.wait(outcome, limit=60)
        self.assertIsInstance(outcome.failure, errors.RequestFailed)
        self.assertLessEqual(outcome.took, 36)

    def test_the_wall_clock_may_jump_by_a_year_either_way(self) -> None:
        for years in (-1, 1):
            network = Network(3, Faults(loss=0.1))
            node, client = server(network), network.node("client")
            network.result(client.request(node, Say(text="a")))
            outcomes = []
            for host in (node, client):
                host.wall_skew += years * 365 * 86400
                outcomes += [client.request(node, Say(text=str(number))) for number in range(50)]
                network.run(2)
            network.wait(*outcomes)
            self.assertEqual([outcome.failure for outcome in outcomes], [None] * 100)
            self.assertEqual(client.node.counters["opened"], 1)
