"""A session takes over from another, or is sent on: no request lost, none run twice, nothing of the old one kept."""

from __future__ import annotations

from rhotwist.keys.pair import SeedKey
from rhotwist.limits import Limits
from rhotwist.node import opening
from rhotwist.node.jobs import Call
from rhotwist.node.state import Sibling
from rhotwist.secret.cookie import StatelessSecrets
from rhotwist.testing.cases import SeededTestCase
from rhotwist.testing.host import Host
from rhotwist.testing.network import Network
from rhotwist.wire.datagram import pack_address
from rhotwist.wire.packet import FINISH, SMALL
from tests.node.talk import Said, Say, server, sessions, turned

MASTER = StatelessSecrets.shared_by(bytes(range(32)))


def receiver(datagram: bytes) -> int | None:
    """The hashcode a small packet goes to, None for another packet."""
    return int.from_bytes(datagram[8:12], "big") if datagram[0] & 15 == SMALL else None


class Continued(SeededTestCase):
    """The client dials again beside a session that fell silent."""

    def setUp(self) -> None:
        self.net = self.network(1)
        self.calls: list[Call] = []
        self.node = self.net.node("server")
        self.node.answer(Say, lambda call: (self.calls.append(call), turned(call))[1])
        self.client = self.net.node("client")
        self.net.result(self.client.request(self.node, Say(text="first")))
        self.net.run(1)

    def deaden(self) -> None:
        """Let no packet of the sessions there are now through any more."""
        codes = {session.code for host in (self.node, self.client) for session in sessions(host)}

        def through(source: Host, target: Host, datagram: bytes) -> list[bytes]:
            return [] if receiver(datagram) in codes else [datagram]

        self.net.on_path = through  # type: ignore[assignment]

    def test_the_old_session_is_let_go(self) -> None:
        for number in range(5):
            self.deaden()
            self.net.result(self.client.request(self.node, Say(text=str(number)), timeout=60))
            self.net.run(1)
        self.assertEqual(self.client.node.counters["dialled"], 6)
        for host in (self.node, self.client):
            (session,) = sessions(host)
            self.assertIsNone(session.continues)
        self.assertEqual([call.body.text for call in self.calls], ["first", "0", "1", "2", "3", "4"])

    def test_what_is_said_for_a_wallet_is_proven_anew(self) -> None:
        ann = SeedKey(b"a" * 32)
        self.net.result(self.client.request(self.node, Say(text="x"), source=ann))
        self.deaden()
        outcomes = [self.client.request(self.node, Say(text=str(number)), source=ann, timeout=60) for number in "ab"]
        self.net.wait(*outcomes, limit=100)
        self.assertEqual([outcome.failure for outcome in outcomes], [None, None])
        self.assertEqual([call.source for call in self.calls[-2:]], [ann.public, ann.public])

    def test_what_more_wallets_say_than_one_packet_proves_is_proven_too(self) -> None:
        wallets = [SeedKey(bytes([number]) * 32) for number in range(1, 7)]
        for wallet in wallets:
            self.net.result(self.client.request(self.node, Say(text="x"), source=wallet))
        self.deaden()
        outcomes = [self.client.request(self.node, Say(text="y"), source=wallet, timeout=60) for wallet in wallets]
        self.net.wait(*outcomes, limit=100)
        self.assertEqual([outcome.failure for outcome in outcomes], [None] * 6)

    def test_a_proof_that_was_on_its_way_is_made_anew_too(self) -> None:
        """And the old one is not sent: it would be refused, and take with it what waits for the new one."""
        self.deaden()
        through, left = self.net.on_path, [1]

        def lose(source: Host, target: Host, datagram: bytes) -> list[bytes]:
            passed = through(source, target, datagram)  # type: ignore[misc]
            if passed and receiver(datagram) is not None and len(datagram) > 120 and left[0]:
                left[0] -= 1
                return []
            return list(passed)

        self.net.on_path = lose  # type: ignore[assignment]
        outcome = self.client.request(self.node, Say(text="ab"), source=SeedKey(b"a" * 32), timeout=60)
        self.assertEqual(self.net.result(outcome), Said(text="ba"))
        self.assertEqual(left, [0])

    def test_a_request_after_half_a_minute_of_silence_is_answered(self) -> None:
        """The old session died while its successor was being opened: they begin anew on both sides, or the numbers of
        one side would be stale to the other."""
        for number in range(20):
            self.net.result(self.client.request(self.node, Say(text=str(number))))
        for pause in (29.0, 30.5, 31.5, 32.5, 33.5):
            self.net.cut(self.client, self.node)
            lost = self.client.request(self.node, Say(text="lost"), timeout=200)
            self.net.run(pause)
            self.net.heal()
            outcome = self.client.request(self.node, Say(text="ab"), timeout=20)
            self.assertEqual(self.net.result(outcome), Said(text="ba"), pause)
            self.net.wait(lost, limit=200)
            self.net.run(45)
            self.assertEqual((len(sessions(self.node)), len(sessions(self.client))), (1, 1))
        self.assertEqual(self.client.node.counters["dialled"], 6)

    def meanwhile(self, host: Host) -> None:
        """Have a host lose the old session when the Welcome of the new one is on its way."""
        (old,) = sessions(host)
        self.deaden()
        through = self.net.on_path

        def lose(source: Host, target: Host, datagram: bytes) -> list[bytes]:
            table = host.node._state.sessions
            if source is self.node and len(sessions(self.node)) > 1 and table.get(old.code) is old:
                opening.lost(host.node._state, old, "test", host.moment().mono)
                host.act()
            return through(source, target, datagram)  # type: ignore[misc,return-value]

        self.net.on_path = lose  # type: ignore[assignment]

    def test_a_server_that_lost_the_old_session_meanwhile_runs_nothing_twice(self) -> None:
        waiting: list[Call] = []
        self.node._runners = {**self.node._runners, Call: waiting.append}
        outcome = self.client.request(self.node, Say(text="once"), timeout=60)
        self.net.run(0.05)
        self.meanwhile(self.node)
        self.net.wait(outcome, limit=100)
        self.assertEqual(len(waiting), 1)
        self.node._runners[Call] = self.node._call
        self.assertEqual(self.net.result(self.client.request(self.node, Say(text="ab"))), Said(text="ba"))

    def test_a_client_that_lost_the_old_session_meanwhile_begins_anew(self) -> None:
        for number in range(20):
            self.net.result(self.client.request(self.node, Say(text=str(number))))
        outcome = self.client.request(self.node, Say(text="x"), timeout=60)
        self.meanwhile(self.client)
        self.net.run(6)
        later = self.client.request(self.node, Say(text="ab"), timeout=20)
        self.assertEqual(self.net.result(later), Said(text="ba"))
        self.net.wait(outcome, limit=100)
        self.net.run(45)
        self.assertEqual((len(sessions(self.node)), len(sessions(self.client))), (1, 1))


class Begun(SeededTestCase):
    """A session whose Finish had to be repeated."""

    def test_its_first_answer_measures_no_round_trip(self) -> None:
        net = self.network(1)
        node, client = server(net), net.node("client")
        left = [2]

        def lose(source: Host, target: Host, datagram: bytes) -> list[bytes]:
            if datagram[0] & 15 == FINISH and left[0]:
                left[0] -= 1
                return []
            return [datagram]

        net.on_path = lose  # type: ignore[assignment]
        net.result(client.request(node, Say(text="ab")))
        self.assertEqual(sessions(client)[0].exchange.round_trip, 0.0)
        net.result(client.request(node, Say(text="ab")))
        self.assertAlmostEqual(sessions(client)[0].exchange.round_trip, 0.020)


    def test_one_that_waited_in_line_is_repeated_in_its_own_time(self) -> None:
        net = self.network(1)
        node, client = server(net), net.node("client", limits=Limits(outstanding_max=1))
        net.result(client.ping(node))
        net.run(1)
        lost = [4]

        def lose(source: Host, target: Host, datagram: bytes) -> list[bytes]:
            if receiver(datagram) is not None and len(datagram) > 45 and lost[0]:
                lost[0] -= 1
                return []
            return [datagram]

        net.on_path = lose  # type: ignore[assignment]
        first = client.request(node, Say(text="first"))
        second = client.request(node, Say(text="second"))
        net.run(60, until=lambda: first.settled)
        lost[0] = 1
        answered = net.clock.now
        self.assertEqual(net.result(second), Said(text="dnoces"))
        self.assertLess(net.clock.now - answered, 0.2)


class SentOn(SeededTestCase):
    """REDIRECT, when more is under way than one request."""

    def setUp(self) -> None:
        self.net: Network = self.network(1)
        free = SeedKey(b"f" * 32)
        place = pack_address("10.7.0.1", 7460)
        self.free = server(self.net, "free", key=free, address=place, shared=MASTER)
        sibling = Sibling(free.public, (place,))
        self.full = server(self.net, "full", shared=MASTER, siblings=(sibling,), limits=Limits(session_max=0))
        self.client = self.net.node("client")

    def test_requests_made_while_the_client_is_on_its_way_come_along(self) -> None:
        outcomes = []
        for _ in range(30):
            outcomes.append(self.client.request(self.full, Say(text="ab"), timeout=5))
            self.net.run(0.005)
        self.net.wait(*outcomes, limit=60)
        self.assertEqual([outcome.reply for outcome in outcomes], [Said(text="ba")] * 30)
        self.assertEqual(self.client.node.counters["dialled"], 2)

    def test_wallets_are_proven_to_whom_the_request_ends_up_with(self) -> None:
        wallets = [SeedKey(bytes([number]) * 32) for number in range(1, 13)]
        for wallet in wallets:
            self.free.add_wallet(wallet)
            self.full.add_wallet(wallet)
        outcomes = [
            self.client.request(self.full, Say(text="ab"), source=one, destination=other.public, timeout=5)
            for one, other in zip(wallets, reversed(wallets), strict=True)
        ]
        self.net.wait(*outcomes)
        self.assertEqual([outcome.failure for outcome in outcomes], [None] * 12)

    def test_one_that_wanted_nothing_any_more_is_sent_on_the_next_time(self) -> None:
        for after in range(10):
            client = self.net.node(f"client {after}")
            first = client.request(self.full, Say(text="ab"))
            self.net.run(0.025)
            client.cancel(first)
            self.net.run(0.005 * after)
            again = client.request(self.full, Say(text="ab"), timeout=5)
            self.assertEqual(self.net.result(again), Said(text="ba"), after)

    def test_a_redirect_that_is_lost_comes_again(self) -> None:
        for lost in range(1, 4):
            left = [lost]

            def lose(source: Host, target: Host, datagram: bytes) -> list[bytes]:
                if source is self.full and receiver(datagram) is not None and left[0]:  # noqa: B023
                    left[0] -= 1  # noqa: B023
                    return []
                return [datagram]

            self.net.on_path = lose  # type: ignore[assignment]
            client = self.net.node(f"client {lost}")
            self.assertEqual(self.net.result(client.request(self.full, Say(text="ab"), timeout=9)), Said(text="ba"))

    def test_both_ends_forget_the_session_that_only_sent_on(self) -> None:
        self.net.result(self.client.request(self.full, Say(text="ab")))
        self.net.run(5)
        self.assertEqual((len(sessions(self.full)), len(sessions(self.client))), (0, 1))
