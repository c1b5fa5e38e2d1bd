"""A day of sessions that come and go in every way there is: afterwards everything is as empty as it was before."""

from __future__ import annotations

import gc
from random import Random

from rhotwist.keys.pair import SeedKey
from rhotwist.limits import Limits
from rhotwist.link import messages
from rhotwist.link.session import Session
from rhotwist.link.small import Exchange, Outgoing, Taken
from rhotwist.node.state import Ask, Dialing
from rhotwist.testing.cases import SeededTestCase, full
from rhotwist.testing.host import Host
from rhotwist.testing.kem import StandInKem
from rhotwist.testing.link import Faults
from rhotwist.testing.machine import Work
from rhotwist.testing.network import Network
from rhotwist.wire.frame import pack_control, pack_message
from tests.node.talk import Say, server, sessions

DAY = 24 * 3600.0


def held(host: Host) -> dict[str, int]:
    """How many things a node holds, by the name of what holds them."""
    state = host.node._state
    gate = state.gate
    return {
        "pairs": len(state.pairs), "dials": len(state.dials), "sessions": len(state.sessions),
        "idle": len(state.sessions._idle), "codes": len(state.codes), "quarantined": state.codes.quarantined,
        "unproven": len(state.unproven), "pending": len(state.pending), "warm": len(state._warm),
        "out": len(state.out), "jobs": len(state.jobs), "half-open": len(gate), "by hello": len(gate._by_hello),
        "fragments": len(gate._fragments), "reserved": state.reserved,
    }  # fmt: skip


def alive(*kinds: type) -> int:
    """Objects of these kinds in the whole process."""
    gc.collect()
    return sum(type(item) in kinds for item in gc.get_objects())


def anything(draw: Random, session: Session, hosts: list[Host]) -> bytes:
    """One frame of any kind, right but for its time and its numbers."""
    codes = [code for host in hosts for code in host.node._state.codes.live] or [1]
    code, key = draw.choice(codes), draw.choice(hosts).public
    epoch = max(0, session.seal.epoch + draw.randrange(-1, 3))
    place = draw.choice(hosts).address
    number = draw.randrange(40) if draw.random() < 0.7 else draw.randrange(1 << 16)
    rest = (draw.randbytes(16), draw.choice((b"", key)), draw.choice((b"", key)), Say(text="y").encode())
    bodies = (
        messages.Welcome(token=bytes(16), kept=draw.random() < 0.5), messages.Ping(nonce=1),
        messages.Pong(nonce=1, seen=bytes(18)), messages.Working(hashcode=code), messages.Got(hashcode=code),
        messages.RekeyWanted(epoch=epoch), messages.Rekey(epoch=epoch, key=draw.randbytes(32)),
        messages.Rekeyed(epoch=epoch, key=draw.randbytes(32)),
        messages.Challenge(data=bytes(8)), messages.ChallengeMet(data=bytes(8)),
        messages.Redirect(1, key, (place,), bytes(16), bytes(32), draw.randrange(1 << 16)),
        messages.Close(reason=draw.choice((1, 2, 2, 2, 3))), messages.Beat(id=draw.randrange(4)),
        messages.Ack(draw.randrange(4), draw.randrange(12), draw.randrange(9), draw.randrange(9), 0, draw.randbytes(3)),
        messages.Gone(id=draw.randrange(4), reason=draw.randrange(9), ours=draw.random() < 0.5),
    )  # fmt: skip
    if draw.random() < 0.3:
        return pack_message(number, min(number, draw.randrange(256)), code, Say.identifier, rest)
    body = draw.choice(bodies)
    return pack_control(body.identifier, body.encode())


class Churn(SeededTestCase):
    """One busy server, and clients that do not behave."""

    def settle(self, net: Network, hosts: list[Host]) -> None:
        """Heal everything, end every session in good order, and let what is still to come come."""
        net.heal()
        net.everywhere(Faults())
        net.run(60)
        for host in hosts:
            host.stop()
            host.restart()
        net.run(120)

    def empty(self, host: Host) -> None:
        self.assertEqual({name: count for name, count in held(host).items() if count}, {}, host.name)
        state = host.node._state
        self.assertLess(len(state._heap), 200)
        self.assertLess(len(state.pending._heap), 200)
        self.assertLessEqual(len(state.tokens), 1024)
        self.assertLessEqual(len(state.aliases), 1024)
        self.assertLess(len(state.counters), 100)

    def test_a_day_of_ten_thousand_sessions_leaves_nothing(self) -> None:
        count = 12_000 if full() else 600
        kinds = (Session, Exchange, Outgoing, Taken, Ask, Dialing)
        before = alive(*kinds)
        net = self.network(1, Faults(loss=0.02, jitter=0.02, duplicate=0.02))
        net.kem = StandInKem(net.chance("kem").randbytes)
        draw = net.chance("churn")
        limits = Limits(session_max=count // 20)
        node = server(net, limits=limits, work=Work(delay=0.2, failure=0.01))
        clients = [server(net, f"client {number}") for number in range(10)]
        wallets = [SeedKey(draw.randbytes(32)) for _ in range(4)]
        for wallet in wallets:
            node.add_wallet(wallet)
        for _ in range(count):
            self.one(net, draw, node, draw.choice(clients), wallets)
            net.run(draw.expovariate(count / DAY))
        self.assertGreater(net.clock.now, DAY * 0.8)
        self.assertGreater(node.node.counters["finished"], count * 0.6)
        self.assertGreater(node.node.counters["evicted"], 0)
        self.settle(net, clients)
        net.flush_errors()
        self.assertLessEqual(len(sessions(node)), limits.session_max)
        node.node.close(node.moment())
        node.act()
        net.run(60)
        for host in (node, *clients):
            self.empty(host)
            host.node._state._heap.clear()  # a deadline that moved holds what it was for; how many, empty has seen
            host.node._state.pending._heap.clear()
        self.assertLess(alive(*kinds) - before, 20)

    def test_whatever_peers_say_at_whatever_time_raises_nothing_and_leaves_nothing(self) -> None:
        for seed in self.seeds(4, 300):
            net = self.network(seed, Faults(jitter=0.01))
            net.kem = StandInKem(net.chance("kem").randbytes)
            draw = net.chance("chaos")
            hosts = [server(net, name, work=Work(delay=0.3)) for name in "abc"]
            wallets = [SeedKey(bytes([number]) * 32) for number in range(1, 4)]
            for host, wallet in zip(hosts, wallets, strict=True):
                host.add_wallet(wallet)
            for step in range(300):
                one, other = draw.sample(hosts, 2)
                if step % 5 == 0:
                    source = draw.choice((None, *wallets))
                    one.request(other, Say(text="x"), timeout=draw.choice((1, 20, 200)), source=source)
                for session in sessions(one):
                    if draw.random() < 0.5:
                        one.node._state.send(session, anything(draw, session, hosts))
                one.act()
                net.run(draw.expovariate(1 / draw.choice((0.01, 0.3, 8.0))))
            self.settle(net, hosts)
            for host in hosts:
                host.node.close(host.moment())
                host.act()
            net.run(120)
            for host in hosts:
                self.empty(host)

    def one(self, net: Network, draw: Random, node: Host, client: Host, wallets: list[SeedKey]) -> None:
        """One more session, or something that befalls those there are."""
        kind = draw.randrange(20)
        how: dict[str, object] = {"timeout": draw.choice((0.3, 5.0, 60.0, 4000.0))}
        if kind < 14:
            how["identity"] = SeedKey(draw.randbytes(32))
        if kind % 3 == 0:
            how["source"] = draw.choice(wallets)
        if kind % 4 == 0:
            how["destination"] = draw.choice(wallets).public
        outcome = client.request(node, Say(text=str(kind)), **how)
        if kind == 1:
            net.run(draw.random() * 0.1)
            client.cancel(outcome)
        elif kind == 2:
            net.rebind(client, host=True)
        elif kind == 3:
            net.cut(client, node)
            net.clock.later(draw.choice((3.0, 8.0, 31.0, 50.0)), lambda _: net.heal(client))
        elif kind == 4 and not draw.randrange(8):
            client.crash()
            client.restart()
        elif kind == 5:
            net.run(0.2)
            for session in sessions(node)[-3:]:
                body = messages.Close(reason=draw.randrange(4))
                node.node._state.send(session, pack_control(body.identifier, body.encode()))
            node.act()
        elif kind == 6:
            net.run(0.2)
            back = [session.peer for session in sessions(node)[-5:]]
            node.request(draw.choice(back or [client.public]), Say(text="you?"), timeout=20)
        elif kind == 7:
            client.request(node, Say(text="own key"), timeout=10)
            node.request(client, Say(text="crossed"), timeout=10)
