"""Somebody on the way edits, flips, forges and asks: what he may reach, with its number."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from rhotwist.errors import SuiteRefused, Unreachable
from rhotwist.limits import Limits
from rhotwist.secret.suite import DEFAULT_ORDER, SUITES, choose, mask
from rhotwist.testing.cases import SeededTestCase, full
from rhotwist.testing.fuzz import mutate
from rhotwist.testing.host import Host
from rhotwist.testing.network import Network
from rhotwist.wire.datagram import Path, pack_address
from rhotwist.wire.packet import ACCEPT, FINISH, HELLO, RETRY, SMALL
from tests.node.talk import Said, Say, server, sessions

#: Fields of the clear bytes of each handshake message: name, where, size; a negative place counts from the end.
HEADER = (("version and type", 0, 1), ("suite", 1, 1), ("fragment", 2, 1), ("flags", 3, 1), ("sender", 4, 4),
          ("receiver", 8, 4))  # fmt: skip
FIELDS = {
    HELLO: (*HEADER, ("e", 12, 32), ("sealed", 44, 16), ("cookie", -40, 16), ("difficulty", -24, 1),
            ("solution", -23, 7), ("mac1", -16, 16)),
    RETRY: (*HEADER, ("nonce", 12, 12), ("sealed", 24, 40)),
    ACCEPT: (*HEADER, ("e", 12, 32), ("sealed", 44, 16), ("mac1", -16, 16)),
    FINISH: (*HEADER, ("static", 12, 48), ("sealed", 60, 16)),
}  # fmt: skip
IMPATIENT = Limits(half_open_life=3.0, hello_first=0.1, hello_again=0.2, request_timeout=4.0)
SUBSETS = [subset for size in range(1, 5) for subset in itertools.combinations(DEFAULT_ORDER, size)]


def kind(datagram: bytes) -> int:
    """The packet type of a datagram."""
    return datagram[0] & 15


def changed(datagram: bytes, at: int, value: bytes) -> bytes:
    """A datagram with some bytes replaced."""
    start = at % len(datagram)
    return datagram[:start] + value + datagram[start + len(value) :]


class Downgrade(SeededTestCase):
    """Every field of every handshake message, edited on every copy that passes."""

    def best(self, client: tuple[int, ...], node: tuple[int, ...]) -> int | None:
        return choose(client, mask(node))

    def dial(self, net: Network, suites: tuple[int, ...], node: Host) -> tuple[Host, object]:
        client = net.node(f"client {len(net.machines)}", limits=IMPATIENT, suites=suites)
        outcome = client.request(node, Say(text="x"), timeout=4)
        net.wait(outcome, limit=30)
        return client, outcome

    def held(self, client: Host, node: Host, suites: tuple[int, ...], taken: tuple[int, ...]) -> int:
        """Assert that no session is below the best common suite; how many there are."""
        best = self.best(suites, taken)
        for session in sessions(client) + sessions(node):
            self.assertEqual(session.suite, best)
        return len(sessions(client))

    def test_every_pair_of_suite_sets_meets_at_the_clients_first_common_one(self) -> None:
        for offered in SUBSETS:
            for taken in SUBSETS:
                net = self.network(1)
                node = server(net, suites=taken, limits=IMPATIENT)
                client, outcome = self.dial(net, offered, node)
                best = self.best(offered, taken)
                if best is None:
                    self.assertIsInstance(outcome.failure, SuiteRefused, (offered, taken))
                else:
                    self.assertEqual(sessions(client)[0].suite, best, (offered, taken))

    def edits(self) -> Iterator[tuple[int, str, int, bytes]]:
        for message, fields in FIELDS.items():
            for name, at, size in fields:
                values = [bytes(size), b"\xff" * size, b"\x01" * size]
                if name == "suite":
                    values = [bytes([number]) for number in (0, 1, 2, 3, 4, 5, 255)]
                elif name == "fragment":
                    values = [b"\x00", b"\x02", b"\x12", b"\x11", b"\x03"]
                elif name == "flags":
                    values = [bytes([1 << bit]) for bit in range(8)]
                elif name == "version and type":
                    values = [bytes([version << 4 | type_]) for version in (0, 1, 2) for type_ in range(7)]
                for value in values:
                    yield message, name, at, value

    def test_an_editor_of_any_field_gets_no_session_below_the_best_common_suite(self) -> None:
        sessions_opened = edited = 0
        offers = SUBSETS if full() else [DEFAULT_ORDER]
        for offered in offers:
            for message, name, at, value in self.edits():
                net = self.network(1)
                limits = IMPATIENT if message != RETRY else Limits(half_open_life=3.0, retry_share=0.999)
                node = server(net, limits=limits)

                def editor(source: object, target: object, datagram: bytes) -> list[bytes]:
                    if kind(datagram) == message and len(datagram) > 60:  # noqa: B023
                        return [changed(datagram, at, value)]  # noqa: B023
                    return [datagram]

                net.on_path = editor  # type: ignore[assignment]
                client, outcome = self.dial(net, offered, node)
                sessions_opened += self.held(client, node, offered, DEFAULT_ORDER)
                edited += 1
                self.assertEqual(net.errors, [], (message, name, value))
        self.assertGreater(edited, 100)

    def test_an_editor_who_swaps_the_suite_only_in_hellos_and_answers_with_a_forged_retry_is_named(self) -> None:
        """He knows the server's key, so he can make a good mac1 and a good Retry; the mask in Accept finds him out."""
        from rhotwist.secret import handshake
        from rhotwist.wire.packet import read_hello

        for weaker in (1, 2, 3):
            net = self.network(1)
            node = server(net)
            attacked: list[bytes] = []

            def forge(source: Host, target: Host, datagram: bytes) -> list[bytes]:
                if kind(datagram) == HELLO and not attacked:  # noqa: B023
                    attacked.append(datagram)  # noqa: B023
                    forged = handshake.retry(
                        node.public, read_hello(datagram), bytes(16), difficulty=0, mask=mask((weaker,)), reason=1,  # noqa: B023
                        rng=net.chance("forger").randbytes,  # noqa: B023
                    )  # fmt: skip
                    net.inject(target.address, source.address, forged)  # noqa: B023
                    return []
                return [datagram]

            net.on_path = forge  # type: ignore[assignment]
            client = net.node("client")
            outcome = client.request(node, Say(text="x"), timeout=20)
            net.wait(outcome, limit=60)
            self.assertEqual(len(attacked), 1)
            for session in sessions(client):
                self.assertEqual(session.suite, 4)
            self.assertTrue(sessions(client) or isinstance(outcome.failure, Unreachable))

    def test_the_default_is_post_quantum_and_the_same_on_both_sides(self) -> None:
        net = self.network(1)
        node, client = server(net), net.node("client")
        net.result(client.ping(node))
        net.run(1)
        self.assertTrue(SUITES[sessions(node)[0].suite].kem)
        self.assertEqual(sessions(node)[0].binding, sessions(client)[0].binding)


class Flips(SeededTestCase):
    """Every single bit of every packet type, flipped: nothing is accepted, raised or changed."""

    def frozen(self, wanted: int, suites: tuple[int, ...]) -> tuple[Network, Host, Path, bytes]:
        """A net stopped just before the first packet of a type arrives: who gets it, from where, what."""
        net = self.network(1)
        node = server(net, suites=suites, limits=Limits(retry_share=0.999 if wanted == RETRY else 0.0))
        client = net.node("client", suites=suites)
        caught: list[tuple[Host, Path, bytes]] = []

        def catch(source: Host, target: Host, datagram: bytes) -> list[bytes]:
            if kind(datagram) == wanted:
                caught.append((target, Path(0, source.address), datagram))
                return []
            return [datagram]

        net.on_path = catch  # type: ignore[assignment]
        client.request(node, Say(text="x" * 40))
        net.run(1, until=lambda: caught)
        return (net, *caught[0])

    def test_no_flip_is_accepted(self) -> None:
        flipped = 0
        for wanted in (HELLO, RETRY, ACCEPT, FINISH, SMALL):
            for suites in ((4,), (3,), (2,), (1,)):
                net, host, path, datagram = self.frozen(wanted, suites)
                host.act()
                before = host.node.state_digest()
                moment = host.moment()
                step = 1 if full() or len(datagram) < 200 else 7
                for bit in range(0, 8 * len(datagram), step):
                    damaged = bytearray(datagram)
                    damaged[bit >> 3] ^= 1 << (bit & 7)
                    host.node.receive(path, [bytes(damaged)], moment)
                    flipped += 1
                    out = host.node.outgoing()
                    self.assertEqual(out, [], (wanted, suites, bit))
                    self.assertEqual(host.node.jobs(), [])
                self.assertEqual(host.node.state_digest(), before, (wanted, suites))
                host.node.receive(path, [datagram], moment)
                self.assertNotEqual(host.node.state_digest(), before, "the true one is still taken")
        self.assertGreater(flipped, 10_000)

    def test_every_length_is_survived(self) -> None:
        net, host, path, datagram = self.frozen(SMALL, DEFAULT_ORDER)
        before = host.node.state_digest()
        for size in [*range(0, 1500, 1 if full() else 13), 8192, 8193, 65507]:
            for first in range(0, 256, 17):
                host.node.receive(path, [bytes([first]) * size], host.moment())
        self.assertEqual(host.node.state_digest(), before)

    def test_junk_among_the_segments_of_one_read_costs_the_others_nothing(self) -> None:
        net = self.network(1)
        node, client = server(net), net.node("client")
        net.result(client.ping(node))
        net.run(1)
        seals = [sessions(client)[0].seal.seal(b"\0") for _ in range(44)]
        for place in range(44):
            coalesced = [*seals[:place], b"junk" * 20, b"", *seals[place:]]
            node.node.receive(Path(0, client.address), coalesced, node.moment())
            seals = [sessions(client)[0].seal.seal(b"\0") for _ in range(44)]
        self.assertEqual(node.node.counters["drop replay"], 0)
        self.assertEqual(sessions(node)[0].seal.newest, sessions(client)[0].seal.sent - 44)


class Amplification(SeededTestCase):
    """Nobody gets more bytes than he sent before his address is proven, and no timer ever sends to him."""

    def test_bytes_out_never_exceed_bytes_in_for_any_first_packet(self) -> None:
        net = self.network(1)
        node, client = server(net), net.node("client")
        tape: list[tuple[Host, bytes]] = []
        net.on_path = lambda source, target, data: (tape.append((target, data)), [data])[1]  # type: ignore[misc]
        for suites in ((4,), (1,)):
            net.result(net.node(f"c{suites}", suites=suites).request(node, Say(text="x" * 100)))
        net.result(client.ping(node))
        net.run(5)
        valid = [data for target, data in tape if target is node]
        valid += [data for target, data in tape if target is not node]
        busy = server(net, "busy", key=node.key, limits=Limits(cookie_load=0.0), address=pack_address("10.8.0.1", 1))
        draw = net.chance("mutants")
        worst = 0.0
        answered = 0
        for number in range(100_000 if full() else 10_000):
            host = (node, busy)[number & 1]
            address = pack_address(f"10.66.{draw.randrange(256)}.{draw.randrange(256)}", draw.randrange(1, 65536))
            data = draw.choice(valid)
            if draw.random() < 0.8:
                data = mutate(draw, data)
            host.node.receive(Path(0, address), [data], host.moment())
            bursts = [burst for burst in host.node.outgoing() if burst.path.address == address]
            out = sum(len(datagram) for burst in bursts for datagram in burst.datagrams)
            answered += out > 0
            worst = max(worst, out / max(1, len(data)))
        self.assertLessEqual(worst, 1.0)
        self.assertGreater(answered, 100)
        net.on_path = None
        sent = net.sent_datagrams
        for host in (node, busy):
            host.act()
        net.run(120)
        stray = net.lost.get("nobody", 0)
        self.assertLess(stray, 50, "only sessions that were open before may time out towards their peers")
        del sent, stray

    def test_a_captured_hello_names_nobody(self) -> None:
        net = self.network(1)
        node = server(net)
        client = net.node("client")
        seen: list[bytes] = []
        net.on_path = lambda source, target, data: (seen.append(data), [data])[1]  # type: ignore[misc]
        net.result(client.request(node, Say(text="x")))
        net.run(5)
        everything = b"".join(seen)
        for key in (node.key, client.key):
            for secret in (key.public, key.x_public, key.seed, key.x_private):
                self.assertNotIn(secret, everything)


class Guessing(SeededTestCase):
    """32-bit hashcodes are an index and never authority."""

    def test_random_codes_reach_nothing(self) -> None:
        net = self.network(1)
        node = server(net)
        clients = [net.node(f"c{number}") for number in range(30)]
        for client in clients:
            net.result(client.ping(node))
        net.run(5)
        before = node.node.state_digest()
        draw = net.chance("guesses")
        codes = [session.code for session in sessions(node)]
        path = Path(0, pack_address("10.66.0.1", 1))
        for number in range(100_000 if full() else 5_000):
            code = draw.choice(codes) if number % 2 else draw.randrange(1 << 32)
            data = bytes([5, 0]) + draw.randbytes(6) + code.to_bytes(4, "big") + draw.randbytes(40)
            node.node.receive(path, [data], node.moment())
        self.assertEqual(node.node.outgoing(), [])
        self.assertEqual(node.node.state_digest(), before)

    def test_another_peer_cannot_answer_in_somebody_elses_place(self) -> None:
        from rhotwist.wire.frame import pack_reply

        net = self.network(1)
        node, client, thief = net.node("server"), net.node("client"), net.node("thief")
        node.answer(Say, lambda call: None)
        node._runners = {**node._runners}
        held: list[object] = []
        from rhotwist.node.jobs import Call

        node._runners[Call] = held.append
        net.result(client.ping(node))
        net.result(client.ping(thief))
        net.run(1)
        outcome = client.request(node, Say(text="x"), timeout=5)
        net.run(0.1)
        event = next(iter(client._asked))
        forged = pack_reply(event.hashcode, Said.identifier, event.request_hash, bytes(16), Said(text="lie").encode())
        thief.node._state.send(sessions(thief)[0], forged)
        thief.act()
        net.wait(outcome)
        self.assertIsNone(outcome.reply)
        self.assertEqual(client.node.counters["late"], 1)


