"""No key seals two texts under one nonce: every seal is watched, with loss, moves, new epochs and restarts."""

from __future__ import annotations

from rhotwist.limits import Limits
from rhotwist.secret import audit
from rhotwist.testing.cases import SeededTestCase, full
from rhotwist.testing.link import Faults
from tests.node.talk import Say, server, sessions


class Nonces(SeededTestCase):
    """A hook on every seal, of handshakes and of packets."""

    def setUp(self) -> None:
        self.seen: dict[bytes, set[bytes]] = {}
        self.seals = self.repeats = 0
        self.addCleanup(setattr, audit, "hook", None)
        audit.hook = self.watch

    def watch(self, key: bytes, nonce: bytes, text: bytes) -> None:
        self.seals += 1
        nonces = self.seen.setdefault(key, set())
        if nonce in nonces:
            self.repeats += 1
        nonces.add(nonce)

    def test_no_nonce_repeats_under_loss_roaming_ratchet_redial_and_restart(self) -> None:
        wanted = 1_000_000 if full() else 20_000
        limits = Limits(ratchet_seals=300, retry_share=0.3)
        for seed in self.seeds(10_000, 10_000):
            faults = Faults(loss=0.05, burst=4, duplicate=0.05, reorder=0.1, corrupt=0.01, jitter=0.005)
            net = self.network(seed, faults)
            node = server(net, limits=limits)
            clients = [net.node(f"client {number}", limits=limits) for number in range(4)]
            draw = net.chance("mischief")
            for round_ in range(25):
                outcomes = [client.request(node, Say(text=str(n)), timeout=60) for client in clients for n in range(60)]
                net.wait(*outcomes, limit=90)
                victim = draw.choice(clients)
                if round_ % 8 == 3:
                    victim.crash()
                    victim.restart()
                elif round_ % 8 == 5:
                    net.isolate(victim)
                    late = victim.request(node, Say(text="?"), timeout=40)
                    net.run(7)
                    net.heal()
                    net.wait(late, limit=90)
                else:
                    net.rebind(victim)
            if round_ and seed == 0:
                self.assertGreater(max(session.seal.epoch for session in sessions(node)), 1)
                self.assertGreater(node.node.counters["roamed"], 3)
            self.assertEqual(self.repeats, 0)
            self.seen.clear()
            if self.seals >= wanted:
                break
        self.assertGreaterEqual(self.seals, wanted)


class Ratchets(SeededTestCase):
    """New keys for a living session, over the real exchange."""

    def test_rekey_every_thousand_packets_under_loss_loses_no_request(self) -> None:
        for seed in self.seeds(2, 50):
            net = self.network(seed, Faults(loss=0.05, jitter=0.005))
            limits = Limits(ratchet_seals=1000)
            node, client = server(net, limits=limits), net.node("client", limits=limits)
            for _ in range(40):
                outcomes = [client.request(node, Say(text=str(number)), timeout=60) for number in range(100)]
                net.wait(*outcomes, limit=90)
                self.assertEqual([outcome.failure for outcome in outcomes], [None] * 100)
            self.assertGreaterEqual(sessions(node)[0].seal.epoch, 3)
            self.assertEqual(client.node.counters["opened"], 1)

    def test_a_key_at_its_limit_ends_the_session_and_the_next_request_opens_another(self) -> None:
        net = self.network(1)
        limits = Limits(ratchet_seals=10**9, ratchet_seconds=1e9, ratchet_seals_max=200)
        node, client = server(net, limits=limits), net.node("client", limits=limits)
        answered = 0
        for number in range(400):
            outcome = client.request(node, Say(text=str(number)), timeout=60)
            net.wait(outcome, limit=90)
            answered += outcome.failure is None
        self.assertGreaterEqual(client.node.counters["opened"], 2)
        self.assertGreaterEqual(answered, 396)
        net.run(60)
        self.assertEqual(len(sessions(node)), len(sessions(client)))
