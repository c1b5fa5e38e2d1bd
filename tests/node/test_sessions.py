"""Which session of a pair lives: crossed, replaced, moved, sent on, refused; and wallets proven inside."""

from __future__ import annotations

from rhotwist.errors import BadKey, NotProven, SessionLost, Unreachable
from rhotwist.keys.address import Address, format_address
from rhotwist.keys.pair import SeedKey
from rhotwist.limits import Limits
from rhotwist.link.messages import Redirect
from rhotwist.node.jobs import Call
from rhotwist.node.state import Sibling
from rhotwist.secret.cookie import StatelessSecrets
from rhotwist.testing.cases import SeededTestCase
from rhotwist.testing.link import Faults
from rhotwist.wire.datagram import pack_address
from tests.node.talk import Said, Say, server, sessions, turned

MASTER = StatelessSecrets.shared_by(bytes(range(32)))


class Crossed(SeededTestCase):
    """Two nodes dial each other at the same moment."""

    def test_one_session_survives_and_both_agree_which(self) -> None:
        for seed in self.seeds(60, 1000):
            net = self.network(seed, Faults(loss=0.2, jitter=0.01, duplicate=0.1))
            one, other = server(net, "one"), server(net, "other")
            outcomes = [one.request(other, Say(text="a"), timeout=90)]
            net.run(net.chance("gap").uniform(0, 0.06))
            outcomes.append(other.request(one, Say(text="b"), timeout=90))
            net.wait(*outcomes, limit=120)
            net.run(45)
            outcomes += [one.request(other, Say(text="c"), timeout=90), other.request(one, Say(text="d"), timeout=90)]
            net.wait(*outcomes, limit=120)
            self.assertEqual([outcome.failure for outcome in outcomes], [None] * 4)
            net.run(45)
            mine, theirs = sessions(one), sessions(other)
            self.assertEqual((len(mine), len(theirs)), (1, 1), f"seed {seed}")
            self.assertEqual(mine[0].binding, theirs[0].binding)

    def test_the_lower_key_is_the_initiator_that_stays(self) -> None:
        net = self.network(3)
        one, other = server(net, "one"), server(net, "other")
        net.wait(one.request(other, Say(text="a")), other.request(one, Say(text="b")))
        net.run(45)
        lower = min(one, other, key=lambda host: host.public)
        self.assertTrue(sessions(lower)[0].initiator)


    def test_who_was_killed_and_opens_from_his_side_is_let_in_whoever_has_the_lower_key(self) -> None:
        lower = set()
        for seed in range(6):
            net = self.network(seed, Faults(delay=0.02))
            one, other = server(net, "one"), server(net, "other")
            lower.add(one.public < other.public)
            net.result(other.request(one, Say(text="a")))
            net.run(5)
            one.crash()
            one.restart()
            self.assertEqual(Said(text="b"), net.result(one.request(other, Say(text="b"))))
            net.run(1)
            # From now on both use the new one: what needs no dialling is answered in one round trip.
            for asker, asked in (one, other), (other, one):
                again = asker.request(asked, Say(text="c"))
                net.wait(again)
                self.assertIsNone(again.failure)
                self.assertLess(again.took, 0.1)
            net.run(45)
            mine, theirs = sessions(one), sessions(other)
            self.assertEqual((1, 1), (len(mine), len(theirs)))
            self.assertEqual(mine[0].binding, theirs[0].binding)
        self.assertEqual({True, False}, lower)


    def test_who_was_killed_and_is_elsewhere_now_is_found_where_the_next_request_says(self) -> None:
        """Before, until the session was given up for dead: half a minute."""
        for seed in range(3):
            net = self.network(seed, Faults(delay=0.02))
            client, node = net.node("client"), server(net, "node")
            net.result(client.request(node, Say(text="a")))
            net.run(5)
            node.crash()
            net.rebind(node, host=True)
            node.restart()
            lost = client.request(node, Say(text="ab"), timeout=20.0)
            net.wait(lost)
            # It may have been acted upon before the kill, so it is not asked twice; the next one goes there.
            self.assertIsInstance(lost.failure, SessionLost)
            self.assertLess(lost.took, 6.0)
            self.assertEqual(Said(text="ba"), net.result(client.request(node, Say(text="ab"), timeout=2.0)))
            net.run(45)
            self.assertEqual((1, 1), (len(sessions(client)), len(sessions(node))))


class Doubted(SeededTestCase):
    """An address that a record names may be anybody's."""

    def test_it_gets_one_packet_until_it_answers_or_somebody_of_ours_says_it(self) -> None:
        net = self.network(1)
        client, node = net.node("client"), server(net, "node")
        sent: list[float] = []
        net.on_path = lambda source, target, data: sent.append(net.clock.now) or []  # type: ignore[func-returns-value]
        net.wait(client.request(node, Say(text="a"), timeout=10.0, doubted=True))
        client.request(node, Say(text="b"), timeout=5.0, doubted=True)
        net.run(15)
        self.assertEqual(1, len(sent))
        client.request(node, Say(text="c"), timeout=5.0)
        net.run(5)
        self.assertGreater(len(sent), 5)

    def test_one_packet_is_enough_where_the_key_is(self) -> None:
        net = self.network(1)
        client, node = net.node("client"), server(net, "node")
        self.assertEqual(Said(text="ba"), net.result(client.request(node, Say(text="ab"), doubted=True)))


class Known(SeededTestCase):
    """What is known of a session."""

    def test_where_it_leads_is_told_for_each_identity_while_it_lives(self) -> None:
        net = self.network(1)
        one, other = server(net, "one"), server(net, "other")
        self.assertIsNone(one.node.path_to(other.public, one.public))
        net.wait(one.request(other, Say(text="a")))
        path = one.node.path_to(other.public, one.public)
        self.assertEqual(other.node.path_to(one.public, other.public).carrier, path.carrier)
        self.assertIsNone(one.node.path_to(other.public, other.public))


class Replaced(SeededTestCase):
    """The client comes back, or the server does."""

    def test_a_client_that_crashed_is_let_in_again_and_the_old_session_goes(self) -> None:
        for seed in self.seeds(20, 300):
            net = self.network(seed, Faults(loss=0.2, jitter=0.01))
            node, client = server(net), net.node("client")
            net.result(client.request(node, Say(text="a"), timeout=90), limit=120)
            client.crash()
            client.restart()
            net.result(client.request(node, Say(text="b"), timeout=90), limit=120)
            net.run(40)
            self.assertEqual(len(sessions(node)), 1)

    def test_a_server_that_crashed_is_found_again_within_seconds(self) -> None:
        net = self.network(1)
        node, client = server(net), net.node("client")
        net.result(client.request(node, Say(text="a")))
        node.crash()
        node.restart()
        lost = client.request(node, Say(text="b"))
        net.wait(lost)
        self.assertIsInstance(lost.failure, SessionLost)  # it may have been acted on: we cannot know, and say so
        self.assertLess(lost.took, 6)
        self.assertEqual(net.result(client.request(node, Say(text="c"))), Said(text="c"))

    def test_a_session_lost_on_the_way_only_is_taken_up_without_a_request_lost_or_run_twice(self) -> None:
        dialled = 0
        for seed in self.seeds(10, 200):
            net = self.network(seed, Faults(jitter=0.01))
            seen: list[str] = []
            node, client = net.node("server"), net.node("client")
            node.answer(Say, lambda call, seen=seen: (seen.append(call.body.text), turned(call))[1])
            net.result(client.ping(node))
            net.everywhere(Faults(loss=0.9))
            outcomes = [client.request(node, Say(text=str(number)), timeout=200) for number in range(30)]
            net.run(12)
            net.everywhere(Faults(loss=0.1))
            net.wait(*outcomes, limit=250)
            self.assertEqual([outcome.failure for outcome in outcomes], [None] * 30)
            self.assertEqual(sorted(seen), sorted(str(number) for number in range(30)))
            dialled += client.node.counters["dialled"] - 1
        self.assertGreater(dialled, 0)  # some seeds did take it up

    def test_a_replayed_handshake_opens_nothing_and_ends_nothing(self) -> None:
        net = self.network(1)
        node, client = server(net), net.node("client")
        tape: list[tuple[bytes, bytes, bytes]] = []

        def record(source: object, target: object, datagram: bytes) -> list[bytes]:
            tape.append((source.address, target.address, datagram))  # type: ignore[attr-defined]
            return [datagram]

        net.on_path = record  # type: ignore[assignment]
        net.result(client.request(node, Say(text="a")))
        net.run(5)
        net.on_path = None
        draw = net.chance("replay")
        for _ in range(300):
            draw.shuffle(tape)
            for source, target, datagram in tape:
                net.inject(source, target, datagram)
            net.run(0.2)
        self.assertEqual(len(sessions(node)), 1)
        self.assertEqual(node.node.counters["opened"], 1)
        net.run(60)
        self.assertEqual(net.result(client.request(node, Say(text="b"))), Said(text="b"))
        self.assertEqual(client.node.counters["dialled"], 1)

    def test_a_replayed_handshake_opens_nothing_after_a_restart_either(self) -> None:
        net = self.network(1)
        node, client = server(net), net.node("client")
        tape: list[tuple[bytes, bytes, bytes]] = []
        net.on_path = lambda source, target, data: (tape.append((source.address, target.address, data)), [data])[1]
        net.result(client.request(node, Say(text="a")))
        net.on_path = None
        node.crash()
        node.restart()
        for entry in tape * 20:
            net.inject(*entry)
        net.run(40)
        self.assertEqual(sessions(node), [])


class Roaming(SeededTestCase):
    """The client's address changes under it."""

    def test_the_server_follows_after_its_challenge_is_met_without_a_new_handshake(self) -> None:
        for seed in self.seeds(10, 100):
            net = self.network(seed, Faults(loss=0.05))
            node, client = server(net), net.node("client")
            net.result(client.request(node, Say(text="a")), limit=90)
            for number in range(5):
                net.rebind(client, host=bool(number % 2))
                net.result(client.request(node, Say(text=str(number)), timeout=60), limit=90)
            self.assertEqual(client.node.counters["opened"], 1)
            self.assertGreaterEqual(node.node.counters["roamed"], 4)

    def test_a_copied_packet_from_a_strangers_address_moves_nothing_and_earns_less_than_it_costs(self) -> None:
        net = self.network(1)
        node, client = server(net), net.node("client")
        net.result(client.request(node, Say(text="a")))
        net.run(5)
        victim = pack_address("10.9.9.9", 9)
        sent: list[int] = []
        copies: list[bytes] = []

        def divert(source: object, target: object, datagram: bytes) -> list[bytes]:
            if target is node and datagram[0] & 15 == 5:
                copies.append(datagram)
                return []  # the copy arrives first, from the stranger
            return [datagram]

        net.on_path = divert  # type: ignore[assignment]
        original = net.carry

        def watch(source: object, burst: object) -> None:
            if burst.path.address == victim:  # type: ignore[attr-defined]
                sent.extend(len(datagram) for datagram in burst.datagrams)  # type: ignore[attr-defined]
            original(source, burst)  # type: ignore[arg-type]

        net.carry = watch  # type: ignore[assignment,method-assign]
        outcomes = [client.request(node, Say(text="x"), timeout=5) for _ in range(20)]
        net.run(0.01)
        for datagram in copies:
            net.inject(victim, node.address, datagram)
        net.run(10)
        self.assertLessEqual(len(sent), 3)
        self.assertLessEqual(sum(sent), sum(map(len, copies)))
        self.assertEqual(sessions(node)[0].path.address, client.address)
        del outcomes

    def test_the_initiator_never_follows(self) -> None:
        net = self.network(1)
        node, client = server(net), net.node("client")
        net.result(client.ping(node))
        net.run(1)
        before = sessions(client)[0].path
        net.rebind(node)
        back = node.request(client.public, Say(text="from elsewhere"), timeout=3)
        net.run(5)
        self.assertEqual(sessions(client)[0].path, before)
        del back


class SentOn(SeededTestCase):
    """REDIRECT to a sibling process."""

    def siblings(self, names: tuple[str, ...], full: tuple[str, ...]) -> list:
        net = self.network(1)
        keys = {name: SeedKey(net.chance(name).randbytes(32)) for name in names}
        places = {name: pack_address(f"10.7.0.{number}", 7460) for number, name in enumerate(names)}
        hosts = []
        for name in names:
            others = tuple(Sibling(keys[other].public, (places[other],)) for other in names if other != name)
            hosts.append(
                server(
                    net, name, key=keys[name], address=places[name], shared=MASTER, siblings=others,
                    limits=Limits(session_max=0 if name in full else 1000),
                )
            )  # fmt: skip
        return [net, *hosts]

    def test_a_full_node_sends_a_client_to_its_sibling_in_two_round_trips_without_puzzle(self) -> None:
        net, full, free = self.siblings(("full", "free"), ("full",))
        client = net.node("client")
        outcome = client.request(full, Say(text="a"))
        self.assertEqual(net.result(outcome), Said(text="a"))
        self.assertEqual(len(sessions(free)), 1)
        self.assertAlmostEqual(outcome.took, 8 * 0.010, places=6)
        self.assertEqual(free.node.counters["retry"], 0)
        again = client.request(full, Say(text="b"))
        net.result(again)
        self.assertAlmostEqual(again.took, 2 * 0.010, places=6)
        net.run(60)
        self.assertEqual((len(sessions(full)), len(sessions(free)), len(sessions(client))), (0, 1, 1))

    def test_a_circle_ends_after_three_hops_at_most(self) -> None:
        net, *hosts = self.siblings(("a", "b", "c"), ("a", "b", "c"))
        client = net.node("client")
        outcome = client.request(hosts[0], Say(text="x"), timeout=20)
        net.wait(outcome, limit=60)
        self.assertIsInstance(outcome.failure, Unreachable)
        self.assertLessEqual(client.node.counters["dialled"], 4)

    def test_a_redirect_to_a_victim_costs_it_at_most_three_hellos(self) -> None:
        net = self.network(1)
        victim = pack_address("10.9.9.9", 9)
        sibling = Sibling(SeedKey(b"v" * 32).public, (victim,))
        full = server(net, "full", siblings=(sibling,), limits=Limits(session_max=0))
        client = net.node("client")
        sent: list[bytes] = []
        original = net.carry

        def watch(source: object, burst: object) -> None:
            if burst.path.address == victim:  # type: ignore[attr-defined]
                sent.extend(burst.datagrams)  # type: ignore[attr-defined]
            original(source, burst)  # type: ignore[arg-type]

        net.carry = watch  # type: ignore[assignment,method-assign]
        outcome = client.request(full, Say(text="x"), timeout=40)
        net.wait(outcome, limit=60)
        self.assertIsInstance(outcome.failure, Unreachable)
        self.assertLessEqual(len(sent), 3)

    def test_a_server_on_the_internet_cannot_send_a_client_into_its_own_network(self) -> None:
        inside = pack_address("192.168.1.1", 53)
        for private_net, hellos in ((False, 0), (True, 3)):
            net = self.network(1)
            sibling = Sibling(SeedKey(b"v" * 32).public, (inside,))
            full = server(
                net, "full", siblings=(sibling,), limits=Limits(session_max=0), address=pack_address("9.9.9.9", 7460)
            )
            client = net.node("client", private_net=private_net)
            sent: list[bytes] = []
            original = net.carry

            def watch(source: object, burst: object) -> None:
                if burst.path.address == inside:  # type: ignore[attr-defined]
                    sent.extend(burst.datagrams)  # type: ignore[attr-defined]  # noqa: B023
                original(source, burst)  # type: ignore[arg-type]  # noqa: B023

            net.carry = watch  # type: ignore[assignment,method-assign]
            net.wait(client.request(full, Say(text="x"), timeout=20), limit=60)
            self.assertEqual(len(sent), hellos)

    def test_a_client_takes_no_redirect_from_one_it_did_not_dial(self) -> None:
        net = self.network(1)
        node, client = server(net), net.node("client")
        net.result(client.ping(node))
        net.run(1)
        session = sessions(client)[0]
        body = Redirect(kind=1, server=b"k" * 32, addresses=(bytes(18),), token=bytes(16), ticket=bytes(32), taken=0)
        client.node._state.send(session, b"\x01" + body.identifier.to_bytes(4, "big") + body.encode())
        client.act()
        net.run(1)
        self.assertEqual(node.node.counters["drop redirect"], 1)
        self.assertEqual(node.node.counters["dialled"], 0)


class Full(SeededTestCase):
    """The table of sessions."""

    def test_the_idlest_goes_after_20_minutes_and_before_that_the_newcomer_is_refused(self) -> None:
        net = self.network(1)
        node = server(net, limits=Limits(session_max=3))
        old = [net.node(f"old {number}") for number in range(3)]
        for host in old:
            net.result(host.ping(node))
            net.run(10)
        late = net.node("late")
        refused = late.ping(node, timeout=10)
        net.wait(refused)
        self.assertIsInstance(refused.failure, Unreachable)
        self.assertEqual(len(sessions(node)), 3)
        self.assertGreater(node.node.counters["drop full"], 0)
        net.run(600)
        for host in old[1:]:
            net.result(host.ping(node))
        net.run(700)
        net.result(late.ping(node))
        self.assertEqual(
            {session.peer for session in sessions(node)}, {late.public, old[1].public, old[2].public}
        )


class Wallets(SeededTestCase):
    """Who speaks, and for whom it is, proven inside the session."""

    def setUp(self) -> None:
        self.net = self.network(1)
        self.ann, self.bob = SeedKey(b"a" * 32), SeedKey(b"b" * 32)
        self.calls: list[Call] = []
        self.node = self.net.node("server")
        self.node.answer(Say, lambda call: (self.calls.append(call), Said(text="ok"))[1])
        self.client = self.net.node("client")

    def test_both_are_proven_before_the_message_is_sent(self) -> None:
        self.node.add_wallet(self.bob)
        say = Say(text="hi")
        outcome = self.client.request(self.node, say, source=self.ann, destination=self.bob.public)
        self.net.result(outcome)
        call = self.calls[0]
        self.assertEqual((call.source, call.destination), (self.ann.public, self.bob.public))
        self.assertEqual(call.peer, self.client.public)

    def test_the_second_message_needs_no_second_proof(self) -> None:
        self.node.add_wallet(self.bob)
        for number in range(3):
            outcome = self.client.request(
                self.node, Say(text=str(number)), source=self.ann, destination=self.bob.public
            )
            self.net.result(outcome)
        self.assertAlmostEqual(outcome.took, 0.020, places=6)

    def test_a_wallet_that_does_not_live_there_is_said_to_be_not_proven(self) -> None:
        outcome = self.client.request(self.node, Say(text="hi"), destination=self.bob.public)
        self.net.wait(outcome)
        self.assertIsInstance(outcome.failure, NotProven)
        self.assertEqual(str(outcome.failure), f"{format_address(Address('w', self.bob.public))} does not live there")
        self.assertEqual(self.calls, [])

    def test_a_wallet_that_nobody_can_hold_is_our_callers_mistake(self) -> None:
        with self.assertRaisesRegex(BadKey, "00" * 32):
            self.client.request(self.node, Say(text="hi"), destination=bytes(32))

    def test_many_wallets_over_one_session(self) -> None:
        wallets = [SeedKey(bytes([number]) * 32) for number in range(1, 12)]
        for wallet in wallets:
            self.node.add_wallet(wallet)
        outcomes = [
            self.client.request(self.node, Say(text="x"), source=self.ann, destination=wallet.public)
            for wallet in wallets
        ]
        self.net.wait(*outcomes)
        self.assertEqual([outcome.failure for outcome in outcomes], [None] * 11)
        self.assertEqual({call.destination for call in self.calls}, {wallet.public for wallet in wallets})

    def test_a_source_that_was_not_proven_is_dropped(self) -> None:
        self.net.result(self.client.ping(self.node))
        session = sessions(self.client)[0]
        session.proven_own |= {self.ann.public}  # a lie
        outcome = self.client.request(self.node, Say(text="hi"), source=self.ann, timeout=3)
        self.net.wait(outcome)
        self.assertIsNone(outcome.reply)
        self.assertEqual(self.calls, [])
        self.assertGreater(self.node.node.counters["drop source"], 0)

    def test_a_wallet_locked_again_is_not_spoken_to(self) -> None:
        self.node.add_wallet(self.bob)
        self.net.result(self.client.request(self.node, Say(text="hi"), destination=self.bob.public))
        self.node.node.drop_wallet(self.bob.public)
        outcome = self.client.request(self.node, Say(text="hi"), destination=self.bob.public)
        self.net.wait(outcome)
        self.assertIsInstance(outcome.failure, NotProven)

    def test_a_responder_cannot_make_an_initiator_tell_which_wallets_it_has(self) -> None:
        self.client.add_wallet(self.ann)
        self.net.result(self.client.ping(self.node))
        self.net.run(1)
        outcome = self.node.request(self.client.public, Say(text="who?"), destination=self.ann.public)
        self.net.wait(outcome)
        self.assertIsInstance(outcome.failure, NotProven)
