"""Connections as the node has them: strangers bounded, idle ones ended by the clock, sessions that outlive theirs."""

from __future__ import annotations

from rhotwist.errors import Closed, TableFull
from rhotwist.limits import Limits
from rhotwist.node import opening, speaking
from rhotwist.node.jobs import Hang
from rhotwist.node.streams import Stream, streams_of
from rhotwist.testing.cases import SeededTestCase
from rhotwist.testing.host import Host
from rhotwist.testing.link import Faults
from rhotwist.testing.network import Network
from rhotwist.wire.datagram import Path
from rhotwist.wire.stream import frame, pack_head
from tests.node.talk import Said, Say, quick, server, sessions


def path(number: int) -> Path:
    return Path(0, b"\xff" + number.to_bytes(17, "big"), True)


def hangs(host: Host) -> list[str]:
    """Why the node wants connections ended."""
    return [job.why for job in host.node.jobs() if isinstance(job, Hang)]


class StreamCase(SeededTestCase):
    streams = True

    def setUp(self) -> None:
        self.net = self.network(1)
        self.server = server(self.net)
        self.client = self.net.node("client")

    def ask(self, text: str = "a", net: Network | None = None) -> None:
        net = net or self.net
        self.assertEqual(net.result(self.client.request(self.server, Say(text=text))), Said(text=text[::-1]))

    def connections(self, host: Host) -> list[Stream]:
        return list(host.node._state.streams.by_path.values())


class Strangers(StreamCase):
    """Who has shown no key is given little, and not for long."""

    def attach(self, number: int = 1) -> Stream:
        stream = self.server.node.attach(path(number), self.server.moment(), ours=False)
        self.server.act()
        return stream

    def feed(self, stream: Stream, data: bytes) -> list[str]:
        self.server.node.feed(stream, data, self.server.moment())
        return hangs(self.server)

    def test_a_stranger_may_say_so_much_and_is_hung_up_on(self) -> None:
        stream = self.attach()
        junk = frame(bytes(1_000))
        said = 0
        while not (why := self.feed(stream, junk)):
            said += len(junk)
        self.assertEqual(why, ["stranger"])
        self.assertLessEqual(said, 16_384)
        self.assertEqual(self.server.node.counters["drop stream stranger"], 1)
        self.assertEqual(self.connections(self.server), [])

    def test_nothing_is_read_from_a_connection_that_has_been_hung_up_on(self) -> None:
        stream = self.attach()
        self.assertEqual(self.feed(stream, pack_head(7, 1)), ["frame kind"])
        before = dict(self.server.node.counters)
        self.assertEqual(self.feed(stream, pack_head(7, 1)), [])
        self.assertEqual(dict(self.server.node.counters), before)

    def test_whoever_proves_nothing_in_time_goes(self) -> None:
        stream = self.attach()
        for _ in range(5):  # it talks all the time, and says nothing
            self.net.run(8)
            self.feed(stream, frame(b"x"))
        self.assertEqual(self.connections(self.server), [])
        self.assertEqual(self.server.node.counters["hung unproven"], 1)

    def test_a_good_datagram_of_a_session_makes_a_connection_somebodys(self) -> None:
        self.ask()
        self.assertEqual([stream.proven for stream in self.connections(self.server)], [True])
        stream = self.attach(9)
        code = sessions(self.server)[0].code
        self.feed(stream, frame(b"\5" + bytes(7) + code.to_bytes(4, "big") + bytes(30)))
        self.assertFalse(stream.proven)
        packet = sessions(self.client)[0].seal.seal(b"\0")
        self.net.run(1)
        self.feed(stream, frame(packet))
        self.assertTrue(stream.proven)

    def test_where_there_are_too_many_the_oldest_stranger_goes_and_nobody_else(self) -> None:
        net = self.network(2)
        node = server(net, limits=quick(stream_max=3))
        client = net.node("client")
        net.result(client.ping(node))
        for number in range(3):
            node.node.attach(path(number), node.moment(), ours=False)
        self.assertEqual(hangs(node), ["crowded"])
        self.assertEqual(len(node.node._state.streams.by_path), 3)
        self.assertNotIn(path(0), node.node._state.streams.by_path)
        net.result(client.request(node, Say(text="a")))
        for stream in node.node._state.streams.by_path.values():
            stream.proven = True
        self.assertRaises(TableFull, node.node.attach, path(9), node.moment(), ours=False)
        node.node.attach(path(8), node.moment(), ours=True)

    def test_two_hundred_idle_connections_do_not_keep_an_honest_one_out(self) -> None:
        net = self.network(3)
        node, client = server(net, limits=quick(stream_max=100)), net.node("client")
        for number in range(200):
            node.node.attach(path(number), node.moment(), ours=False)
        outcome = client.request(node, Say(text="a"))
        net.result(outcome)
        self.assertLess(outcome.took, 5)

    def test_a_node_that_was_stopped_takes_none(self) -> None:
        self.server.node.close(self.server.moment())
        self.assertRaises(Closed, self.attach)

    def test_every_flipped_bit_of_a_use_and_a_record_ends_the_connection_and_leaves_the_session(self) -> None:
        self.ask()
        session, peer = sessions(self.server)[0], sessions(self.client)[0]
        seal = streams_of(self.client.node._state, peer)
        outward = seal.use()
        wire = outward.frame + b"".join(outward.record(b"record").next())
        for bit in range(8 * len(wire)):
            damaged = bytearray(wire)
            damaged[bit >> 3] ^= 1 << (bit & 7)
            stream = self.attach(bit)
            session.streams = None  # else a USE that held would be a replay for the next bit
            hung = self.feed(stream, bytes(damaged))
            if bit >= 8 * len(outward.frame) + 8 and bit < 8 * len(outward.frame) + 32:
                continue  # another size: it waits for the rest, or ends
            self.assertEqual(len(hung), 1, bit)
        self.ask("still here")


class Clocks(StreamCase):
    """The 8, 24 and 32 seconds."""

    def test_an_idle_connection_is_closed_at_a_multiple_of_8_seconds_past_the_epoch(self) -> None:
        for start in (0.0, 3.0, 7.9):
            net = self.network(1)
            net.start_of_wall += start
            node, client = server(net), net.node("client")
            net.result(client.ping(node))
            ended: list[float] = []
            net.run(60, until=lambda: not client.node._state.streams.by_path)  # noqa: B023 - called at once
            ended.append(client.moment().wall)
            self.assertAlmostEqual(ended[0] % 8.0, 0.0, places=3)
            idle = net.clock.now - 0.05
            self.assertTrue(31.9 <= idle <= 40.1, idle)
            self.assertEqual(client.node.counters["hung idle"] + node.node.counters["hung idle"] > 0, True)

    def test_after_24_seconds_another_connection_is_made_and_the_session_goes_on(self) -> None:
        for pause, made in ((23.0, 1), (25.0, 2), (100.0, 2)):
            net = self.network(1)
            node, client = server(net), net.node("client")
            net.result(client.request(node, Say(text="a")))
            net.run(pause)
            net.result(client.request(node, Say(text="b")))
            self.assertEqual((net.wires.made, client.node.counters["opened"]), (made, 1), pause)

    def test_keep_alive_keeps_a_connection_every_15_seconds(self) -> None:
        self.ask()
        self.client.node.keep_alive(self.server.public, self.client.moment())
        self.client.act()
        self.net.run(1)
        before = self.net.sent_datagrams
        self.net.run(150)
        self.assertEqual((self.net.sent_datagrams - before) // 2, 10)
        self.assertEqual(self.net.wires.made, 1)

    def test_a_request_that_takes_minutes_keeps_its_connection(self) -> None:
        self.server.answer(Say, lambda call: self.net.do(self.later()))
        outcome = self.client.request(self.server, Say(text="a"), timeout=300)
        self.assertEqual(self.net.result(outcome, limit=300), Said(text="late"))
        self.assertEqual(self.net.wires.made, 1)

    async def later(self) -> Said:
        await self.net.sleep(120)
        return Said(text="late")

    def test_clocks_that_jump_end_nothing_that_is_used(self) -> None:
        self.ask()
        for jump in (3600.0, -7200.0, 3.1e8):
            self.client.wall_skew += jump
            self.server.wall_skew -= jump
            self.net.run(7)
            self.ask()
        self.assertEqual(self.net.wires.made, 1)

    def test_a_peer_that_reads_nothing_for_60_seconds_loses_its_connection(self) -> None:
        self.ask()
        self.net.wires._ends[self.client.index, self.connections(self.client)[0].path].deaf = True
        session = sessions(self.server)[0]
        self.server.node.tell(self.client.public, Say(text="anybody?"), self.server.moment())
        self.server.act()
        for _ in range(20):
            self.net.run(4)
            for other in self.connections(self.client):
                other.used = self.client.moment().mono
            if not self.connections(self.server):
                break
        self.assertEqual(self.server.node.counters["hung stalled"], 1)
        self.assertTrue(60 <= self.net.clock.now <= 72, self.net.clock.now)
        self.assertIs(sessions(self.server)[0], session)

    def test_it_is_not_held_against_a_peer_that_nothing_waited_for_it_before(self) -> None:
        self.ask()
        seal = streams_of(self.server.node._state, sessions(self.server)[0])
        for record in (False, True):
            stream = Stream(path(1), 0.0, Limits(), ours=True)
            for _ in range(2):  # the second only joins what waits
                if record:
                    stream.send(seal, b"x", 100.0)
                else:
                    stream.say([b"x"], 100.0)
            self.assertEqual((stream.over(159.0), stream.over(160.0)), ("", "stalled"))
            stream.say([b"y"], 159.0)
            self.assertEqual(stream.over(160.0), "stalled")

    def test_what_is_pulled_counts_as_use_and_as_the_peers_reading(self) -> None:
        stream = Stream(path(1), 0.0, Limits(), ours=True)
        stream.say([b"x" * 1_000] * 3, 0.0)
        stream.pull(1, 50.0)
        self.assertEqual((stream.over(109.0), stream.over(110.0)), ("", "stalled"))
        stream.pull(10_000, 60.0)
        self.assertEqual((stream.over(91.0), stream.over(92.0)), ("", "idle"))
        stream.pull(10_000, 91.0)
        self.assertEqual((stream.over(92.0), stream.reusable(83.9), stream.reusable(84.0)), ("idle", True, False))

    def test_a_connection_under_old_keys_ends_a_minute_after_the_ratchet(self) -> None:
        net = self.network(1)
        node, client = server(net), net.node("client")
        net.result(client.request(node, Say(text="a")))
        outward = streams_of(client.node._state, sessions(client)[0]).use()
        wire = outward.frame + b"".join(outward.record(b"record").next())
        node.node.feed(self.connections(node)[0], wire, node.moment())
        net.run(0.1)
        machine = opening.ratchet(client.node._state, sessions(client)[0])
        speaking.give(client.node._state, sessions(client)[0], machine.start(client.moment().mono, 0.0, bytes))
        client.act()
        net.run(1)
        self.assertEqual(sessions(node)[0].seal.epoch, 1)
        for _ in range(20):
            net.run(4)
            net.result(client.request(node, Say(text="on")))
            if node.node.counters["hung old keys"]:
                break
        self.assertEqual(node.node.counters["hung old keys"], 1)
        self.assertTrue(60 <= net.clock.now <= 80, net.clock.now)
        net.result(client.request(node, Say(text="and on")))
        self.assertEqual(client.node.counters["opened"], 1)


class Sessions(StreamCase):
    """A session is no connection's."""

    def test_a_lost_connection_is_made_anew_in_the_middle_of_requests(self) -> None:
        for seed in self.seeds(5, 50):
            net = self.network(seed, Faults(loss=0.02, jitter=0.01))
            node, client = server(net), net.node("client")
            net.result(client.ping(node))
            outcomes = [client.request(node, Say(text=str(number))) for number in range(100)]
            net.run(0.012)
            net.wires.cut(client, client.path_to(node))
            net.wait(*outcomes)
            self.assertEqual([outcome.result().text for outcome in outcomes], [str(n)[::-1] for n in range(100)])
            self.assertEqual((client.node.counters["opened"], net.wires.made), (1, 2))

    def test_the_same_seed_is_the_same_run(self) -> None:
        def run() -> str:
            net = self.network(4, Faults(loss=0.1, jitter=0.01))
            node = server(net)
            clients = [net.node(f"client {number}") for number in range(3)]
            net.wait(*(client.request(node, Say(text=str(n))) for client in clients for n in range(20)))
            net.wires.cut(clients[0], clients[0].path_to(node))
            net.wait(*(client.request(node, Say(text="again")) for client in clients))
            net.run(50)
            return net.trace.digest()

        self.assertEqual(run(), run())

    def test_a_request_may_come_back_by_another_carrier_than_it_left_by(self) -> None:
        self.server.answer(Say, lambda call: self.net.do(self.later()))
        over = Path(0, self.server.address, True)
        outcome = self.client.request(self.server, Say(text="a"), paths=(over,))
        self.net.run(1)
        mine, theirs = sessions(self.client)[0], sessions(self.server)[0]
        self.assertTrue(theirs.path.stream)
        mine.path = Path(0, self.server.address)  # the client goes on by datagrams
        self.client.ping(self.server.public)
        self.net.run(1)
        self.assertEqual(theirs.path, Path(0, self.client.address))
        self.net.wires.cut(self.client, over)
        self.assertEqual(self.net.result(outcome), Said(text="late"))
        self.assertEqual(self.net.wires.made, 1)

    async def later(self) -> Said:
        await self.net.sleep(5)
        return Said(text="late")

    def test_a_request_may_come_back_under_another_secret_than_it_left_by(self) -> None:
        self.server.answer(Say, lambda call: self.net.do(self.later()))
        outcome = self.client.request(self.server, Say(text="a"))
        self.net.run(1)
        first = sessions(self.client)[0]
        opening.dial(
            self.client.node._state, self.client.key, self.server.public, (Path(0, self.server.address),),
            self.client.moment(), old=first,
        )  # fmt: skip
        self.client.act()
        self.assertEqual(self.net.result(outcome), Said(text="late"))
        self.assertIsNot(sessions(self.client)[0], first)
        self.assertFalse(sessions(self.client)[0].path.stream)

    def test_a_session_with_a_living_connection_follows_to_another_only_after_a_challenge(self) -> None:
        self.ask()
        theirs = sessions(self.server)[0]
        before = theirs.path
        stream = self.server.node.attach(path(5), self.server.moment(), ours=False)
        packet = sessions(self.client)[0].seal.seal(b"\0")
        self.server.node.feed(stream, frame(packet), self.server.moment())
        self.assertEqual(theirs.path, before)
        self.server.node.detach(self.connections(self.server)[0], self.server.moment())
        self.server.node.feed(stream, frame(sessions(self.client)[0].seal.seal(b"\0")), self.server.moment())
        self.assertEqual(theirs.path, path(5))

    def test_no_token_is_taken_from_a_connection(self) -> None:
        self.ask()
        self.net.run(5)
        self.assertEqual(self.client.node._state.tokens, {})
        self.client.node.learn_token(self.server.public, bytes(16))
        self.client.crash()
        self.client.restart()
        self.client.node.learn_token(self.server.public, bytes(16))
        self.ask()
        self.assertEqual(self.client.node.counters["retried"], 0)

    def test_bytes_of_a_peer_that_does_not_read_are_bounded(self) -> None:
        self.ask()
        self.net.wires._ends[self.client.index, self.connections(self.client)[0].path].deaf = True
        for _ in range(2_000):
            self.server.node.tell(self.client.public, Say(text="x" * 1_000), self.server.moment())
            self.server.act()
        stream = self.connections(self.server)[0]
        self.assertLessEqual(stream.outbound.queued, Limits().stream_queue)
        self.assertGreater(stream.outbound.dropped, 1_000)

    def test_records_keep_a_session_from_being_the_idlest(self) -> None:
        self.ask()
        self.net.run(5)
        node, session = self.server.node, sessions(self.server)[0]
        outward = streams_of(self.client.node._state, sessions(self.client)[0]).use()
        wire = outward.frame + b"".join(outward.record(b"record").next())
        node.feed(self.connections(self.server)[0], wire, self.server.moment())
        now = self.server.moment().mono
        self.assertEqual((session.heard, session.touched), (now, now))
        self.assertEqual(node._state.sessions._idle[session.code], now)

    def test_the_digest_sees_connections_and_their_uses(self) -> None:
        self.ask()
        node, moment = self.server.node, self.server.moment()
        seen = [node.state_digest()]
        stream = node.attach(path(3), moment, ours=False)
        seen.append(node.state_digest())
        stream.proven = True
        seen.append(node.state_digest())
        streams_of(node._state, sessions(self.server)[0]).use()
        seen.append(node.state_digest())
        node.detach(stream, moment)
        seen.append(node.state_digest())
        self.assertEqual(len(set(seen)), 5)
