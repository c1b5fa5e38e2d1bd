"""What a peer with a session may try: make us hold, work, send or fall over. Each test was an attack that worked."""

from __future__ import annotations

from rhotwist.errors import BadKey, RequestFailed
from rhotwist.keys.pair import SeedKey
from rhotwist.limits import Limits
from rhotwist.link import messages
from rhotwist.link.finish import FINISH_MAX
from rhotwist.node import answering
from rhotwist.node.jobs import Call, KeepToken
from rhotwist.secret.curve import OPERATIONS
from rhotwist.secret.proof import INITIATOR, prove, read_proof
from rhotwist.testing.cases import SeededTestCase
from rhotwist.testing.host import Host
from rhotwist.testing.network import Network
from rhotwist.wire.datagram import Path, pack_address
from rhotwist.wire.frame import pack_control, pack_message, pack_reply
from rhotwist.wire.packet import ACCEPT, FINISH, SMALL
from rhotwist.wire.schema import Schema
from tests.node.talk import Said, Say, server, sessions

VICTIM = Path(0, pack_address("10.9.9.9", 9))


def say(host: Host, plain: bytes) -> None:
    """Seal whatever bytes under a host's one session and send them."""
    host.node._state.send(sessions(host)[0], plain)
    host.act()


def tell(host: Host, body: Schema) -> None:
    """Send a control message over a host's one session."""
    say(host, pack_control(body.identifier, body.encode()))


def ask(host: Host, number: int, behind: int, body: Schema, hashcode: int = 0) -> None:
    """Send a request over a host's one session, with a number of the attacker's choice."""
    rest = (number.to_bytes(16, "big"), b"", b"", body.encode())
    say(host, pack_message(number, behind, hashcode or number + 1, body.identifier, rest))


def pair(net: Network, **how: object) -> tuple[Host, Host]:
    """A server and a client with a session between them."""
    node, client = server(net, **how), net.node("client")
    net.result(client.ping(node))
    net.run(5)
    return node, client


class Held(SeededTestCase):
    """Memory."""

    def test_what_was_let_go_is_not_counted_as_held(self) -> None:
        net = self.network(1)
        node, client = pair(net, limits=Limits(session_reserve=20_000))
        for _ in range(100):
            net.result(client.request(node, Say(text="x" * 1000)))
        held = sum(session.exchange.kept for session in sessions(node))
        self.assertEqual(node.node.status()["reserved_bytes"], held)

    def test_a_peer_that_never_lets_go_of_replies_takes_no_room_from_others(self) -> None:
        net = self.network(1)
        node, client = pair(net, limits=Limits(session_reserve=20_000))
        for number in range(600):
            ask(client, number, min(number, 255), Say(text="x" * 1000))
            net.run(0.01)
        self.assertGreater(node.node.status()["reserved_bytes"], 20_000)
        self.assertLess(node.node.status()["reserved_bytes"], 60_000)
        self.assertGreater(node.node.counters["refused overloaded"], 0)
        other = net.node("other")
        for number in range(20):
            self.assertEqual(net.result(other.request(node, Say(text="x" * 1000))), Said(text="x" * 1000), number)

    def test_requests_without_bodies_count_too(self) -> None:
        net = self.network(1)
        node, client = pair(net)
        node.work = node.work.__class__(delay=10_000.0)
        for number in range(256):
            ask(client, number, 0, Say(text=""))
        net.run(1)
        self.assertGreater(node.node.status()["reserved_bytes"], 256 * 200)

    def test_an_answer_over_the_peers_other_session_ends_the_request_in_its_own(self) -> None:
        net = self.network(1)
        node, client = pair(net)
        node._runners = {**node._runners, Call: lambda call: None}
        outcome = client.request(node, Say(text="x"), timeout=60)
        net.run(0.05)
        (event,) = client._asked
        alias = SeedKey(b"i" * 32)
        net.result(client.ping(node, identity=alias))
        other = next(session for session in sessions(node) if session.peer == alias.public)
        reply = pack_reply(event.hashcode, Said.identifier, event.request_hash, bytes(16), Said(text="y").encode())
        node.node._state.send(other, reply)
        node.act()
        self.assertEqual(net.result(outcome), Said(text="y"))
        for session in sessions(client):
            self.assertFalse(session.busy)

    def test_proofs_of_ever_more_wallets_are_refused(self) -> None:
        net = self.network(1)
        node, client = pair(net)
        session = sessions(client)[0]
        for number in range(200):
            keys = [SeedKey((4 * number + part + 1).to_bytes(32, "big")) for part in range(4)]
            own = tuple(prove(key, INITIATOR, session.binding, client.public, node.public) for key in keys)
            ask(client, number, 0, messages.Prove(own=own, asked=()))
            net.run(0.02)
        self.assertLessEqual(len(sessions(node)[0].proven_peer), 256)

    def test_the_same_proof_again_costs_no_room(self) -> None:
        net = self.network(1)
        node, client = pair(net)
        session = sessions(client)[0]
        own = (prove(SeedKey(b"w" * 32), INITIATOR, session.binding, client.public, node.public),)
        read: list[object] = []
        self.patch(answering, "read_proof", lambda *what: (read.append(what), read_proof(*what))[1])
        for number in range(300):
            ask(client, number, 0, messages.Prove(own=own, asked=()))
            net.run(0.02)
        self.assertEqual((len(sessions(node)[0].proven_peer), len(read)), (1, 1))
        self.assertEqual(node.node.counters["refused overloaded"], 0)

    def test_redirects_leave_no_more_aliases_than_a_client_keeps(self) -> None:
        net = self.network(1)
        node, client = pair(net)
        state = client.node._state
        for number in range(3000):
            state.alias((client.public, number.to_bytes(32, "big")), node.public)
        self.assertLessEqual(len(state.aliases), 1024)

    def test_replies_owed_to_a_new_address_are_not_held_beyond_the_exchange(self) -> None:
        net = self.network(1)
        node, client = pair(net)
        elsewhere = sessions(client)[0]
        for number in range(70):
            rest = (number.to_bytes(16, "big"), b"", b"", Say(text="x" * 1000).encode())
            datagram = elsewhere.seal.seal(pack_message(number, 0, number + 1, Say.identifier, rest))
            net.inject(VICTIM.address, node.address, datagram)
        net.run(120)
        self.assertEqual(node.node.status()["reserved_bytes"], 0)
        self.assertFalse(any(isinstance(item, bytes) for item in sessions(node)[0].roam.owed))


class Timers(SeededTestCase):
    """The heap of deadlines, and what makes it turn."""

    def test_pongs_that_nobody_asked_for_set_no_timer(self) -> None:
        net = self.network(1)
        node, client = pair(net)
        before, timers = node.node.deadline(), len(node.node._state._heap)
        for _ in range(50):
            tell(client, messages.Pong(nonce=1, seen=bytes(18)))
            net.run(0.05)
        self.assertEqual((node.node.deadline(), len(node.node._state._heap)), (before, timers))

    def test_deadlines_that_moved_do_not_pile_up(self) -> None:
        net = self.network(1)
        node, client = pair(net)
        for _ in range(3000):
            net.result(client.request(node, Say(text="x")))
            net.run(0.2)
        for host in (node, client):
            self.assertLess(len(host.node._state._heap), 200)


class Work(SeededTestCase):
    """Curve operations."""

    def test_an_endless_ratchet_is_slowed_to_one_step_a_second(self) -> None:
        net = self.network(1)
        node, client = pair(net)
        net.run(60)
        machine = client.node._state
        from rhotwist.node import opening, speaking

        session = sessions(client)[0]
        started = sessions(node)[0].seal.epoch
        for _ in range(1000):
            ratchet = opening.ratchet(machine, session)
            if ratchet.phase.value == "rest":
                speaking.give(machine, session, ratchet.start(client.moment().mono, 0.0, machine.rng))
                client.act()
            net.run(0.03)
        self.assertLess(sessions(node)[0].seal.epoch - started, 32)

    def test_an_initiator_is_not_driven_either(self) -> None:
        net = self.network(1)
        node, client = pair(net)
        net.run(60)
        before = sessions(client)[0].seal.epoch
        for _ in range(1000):
            session = sessions(node)[0]
            if session.ratchet is not None:
                session.ratchet._ended = float("-inf")  # an attacker waits for nothing
            tell(node, messages.RekeyWanted(epoch=session.seal.epoch + 1))
            net.run(0.03)
        self.assertLess(sessions(client)[0].seal.epoch - before, 32)

    def test_a_key_of_small_order_costs_the_session(self) -> None:
        net = self.network(1)
        node, client = pair(net)
        before = OPERATIONS.total
        for _ in range(100):
            session = sessions(client)[0]
            tell(client, messages.Rekey(epoch=session.seal.epoch + 1, key=bytes(32)))
        net.run(0.05)
        self.assertLess(OPERATIONS.total - before, 10)
        self.assertEqual(sessions(node), [])

    def test_a_client_that_forges_its_own_finish_gets_a_quarter_of_a_core_and_no_more(self) -> None:
        """Whoever sent the Hello has the key of the Finish's static part, so he gets us past its tag to the curve."""
        net = self.network(1)
        node, client = server(net), net.node("client")
        held: list[bytes] = []

        def spoil(source: Host, target: Host, datagram: bytes) -> list[bytes]:
            if datagram[0] & 15 == FINISH:
                held.append(datagram)
                return []
            return [datagram]

        net.on_path = spoil  # type: ignore[assignment]
        client.request(node, Say(text="x"), timeout=20)
        net.run(0.1)
        before = OPERATIONS.total
        for number in range(5000):
            forged = bytearray(held[0])
            forged[-2 - number // 255] ^= 1 + number % 255
            net.inject(client.address, node.address, bytes(forged))
        self.assertLessEqual(OPERATIONS.total - before, 4100)
        self.assertGreater(node.node.counters["drop forged"], 800)
        self.assertTrue(node.node._state.gate.demanded(node.moment().mono))

    def test_a_few_forged_finishes_do_not_keep_the_true_one_out(self) -> None:
        net = self.network(1)
        node, client = server(net), net.node("client")

        def spoil(source: Host, target: Host, datagram: bytes) -> list[bytes]:
            if datagram[0] & 15 != FINISH:
                return [datagram]
            bad = bytearray(datagram)
            bad[-1] ^= 1
            return [bytes(bad)] * 8 + [datagram]

        net.on_path = spoil  # type: ignore[assignment]
        self.assertEqual(net.result(client.request(node, Say(text="ab"))), Said(text="ba"))

    def test_a_server_cannot_make_its_client_write_tokens_without_end(self) -> None:
        net = self.network(1)
        node, client = pair(net)
        kept: list[object] = []
        client._runners = {**client._runners, KeepToken: kept.append}
        for number in range(100):
            tell(node, messages.Welcome(token=number.to_bytes(16, "big"), kept=False))
        net.run(0.1)
        self.assertEqual(kept, [])


class Amplified(SeededTestCase):
    """Bytes to whom has not asked."""

    def test_a_finish_from_another_address_than_its_hello_opens_nothing(self) -> None:
        net = self.network(1)
        node, client = server(net), net.node("client")
        finish: list[bytes] = []

        def steal(source: Host, target: Host, datagram: bytes) -> list[bytes]:
            if datagram[0] & 15 == FINISH:
                finish.append(datagram)
                return []
            return [datagram]

        net.on_path = steal  # type: ignore[assignment]
        client.request(node, Say(text="x" * 900), timeout=5)
        net.run(0.1)
        self.assertLessEqual(len(finish[0]), FINISH_MAX)
        lost = net.lost["nobody"]
        net.inject(VICTIM.address, node.address, finish[0])
        net.run(60)
        self.assertEqual(net.lost["nobody"], lost)
        self.assertEqual(sessions(node), [])

    def test_nothing_but_challenges_goes_to_an_address_that_only_claims(self) -> None:
        net = self.network(1)
        node, client = pair(net)
        session = sessions(client)[0]
        for nonce in range(200):
            plain = pack_control(messages.Ping.identifier, messages.Ping(nonce=nonce).encode())
            net.inject(VICTIM.address, node.address, session.seal.seal(plain))
            net.run(0.01)
        self.assertLessEqual(net.lost["nobody"], 5)


class Thrown(SeededTestCase):
    """Exceptions that leave the core."""

    def test_a_redirect_to_what_is_no_key_is_dropped(self) -> None:
        net = self.network(1)
        node, client = pair(net)
        node._runners = {**node._runners, Call: lambda call: None}
        outcome = client.request(node, Say(text="x"), timeout=10)
        net.run(0.05)
        live = len(client.node._state.codes.live)
        for bad in (b"\xff" * 32, bytes(32), b"\1" + bytes(31)):
            body = messages.Redirect(
                kind=1, server=bad, addresses=(bytes(18),), token=bytes(16), ticket=bytes(32), taken=0
            )
            tell(node, body)
            net.run(0.1)
        self.assertEqual(client.node.counters["drop redirect"], 3)
        self.assertEqual(len(client.node._state.codes.live), live)
        self.assertEqual(client.node.status()["connecting"], 0)
        net.wait(outcome)

    def test_our_own_connect_finds_room_where_strangers_have_taken_all(self) -> None:
        net = self.network(1)
        node = server(net, limits=Limits(session_max=2))
        other = server(net, "other")
        for name in ("a", "b"):
            net.result(net.node(name).ping(node))
        self.assertEqual(net.result(node.request(other, Say(text="ab"))), Said(text="ba"))
        self.assertEqual(len(sessions(node)), 3)

    def test_a_spent_key_challenges_nobody(self) -> None:
        net = self.network(1)
        node, client = pair(net)
        spent = sessions(node)[0].seal
        spent._last = spent.sent
        for _ in range(3):
            net.inject(VICTIM.address, node.address, sessions(client)[0].seal.seal(b"\0"))
        self.assertEqual(net.lost["nobody"], 0)
        self.assertGreater(node.node.counters["spent"], 0)

    def test_a_wrong_key_is_told_at_once_and_leaves_nothing(self) -> None:
        net = self.network(1)
        client = net.node("client")
        with self.assertRaises(BadKey):
            client.request(b"\xff" * 32, Say(text="x"), paths=(VICTIM,))
        status = client.node.status()
        self.assertEqual((status["connecting"], status["pending_requests"]), (0, 0))
        self.assertEqual(client.node._state.codes.live, {})

    def test_a_stopped_node_takes_no_handshake_to_its_end(self) -> None:
        net = self.network(1)
        node, client = server(net), net.node("client")

        def stop(source: Host, target: Host, datagram: bytes) -> list[bytes]:
            if datagram[0] & 15 == ACCEPT:
                node.node.close(node.moment())
            return [datagram]

        net.on_path = stop  # type: ignore[assignment]
        outcome = client.request(node, Say(text="x"), timeout=3)
        net.run(10)
        self.assertIsInstance(outcome.failure, RequestFailed)
        self.assertEqual(sessions(node), [])

    def test_the_least_packets_of_every_kind_raise_nothing(self) -> None:
        net = self.network(1)
        node, client = pair(net)
        for kind in range(256):
            for size in range(3):
                say(client, bytes((kind,)) + bytes(size))
        net.run(1)
        self.assertEqual(len(sessions(node)), 1)
        self.assertEqual(SMALL, 5)
