"""Frames of one turn share packets; what is said again goes alone."""

from __future__ import annotations

from rhotwist.link.messages import Close, CloseReason, Ping
from rhotwist.moment import Moment
from rhotwist.node import state
from rhotwist.testing.cases import SeededTestCase
from rhotwist.testing.host import Host
from rhotwist.testing.link import Faults
from rhotwist.wire.datagram import Burst
from rhotwist.wire.frame import pack_control, pack_message, pack_several, read_frames
from rhotwist.wire.schema import Schema
from tests.node.talk import Said, Say, server, sessions


def control(body: Schema) -> bytes:
    """A control frame."""
    return pack_control(body.identifier, body.encode())


def say(number: int, body: bytes) -> bytes:
    """A request frame."""
    return pack_message(number, 0, number + 1, Say.identifier, (number.to_bytes(16, "big"), b"", b"", body))


def later(host: Host) -> Moment:
    """A second from now, when what was not answered is repeated."""
    moment = host.moment()
    return moment._replace(mono=moment.mono + 1)


class Sharing(SeededTestCase):
    def setUp(self) -> None:
        self.net = self.network(1)
        self.server = server(self.net)
        self.client = self.net.node("client")
        self.net.result(self.client.ping(self.server))
        self.net.run(5)

    def fire(self, count: int) -> list[Burst]:
        """Requests of one turn, and what goes out for them."""
        node, moment = self.client.node, self.client.moment()
        self.events = [node.fire(self.server.public, Say(text=str(number)), moment) for number in range(count)]
        return node.outgoing()

    def deliver(self, host: Host, sender: Host, datagrams: list[bytes]) -> None:
        """Hand datagrams to a host as if they had come from another."""
        host.node.receive(host.path_to(sender), datagrams, host.moment())

    def test_64_requests_of_one_turn_and_their_replies_take_a_tenth_of_the_packets(self) -> None:
        (burst,) = self.fire(64)
        self.assertLessEqual(len(burst.datagrams), 7)
        self.assertLessEqual(max(map(len, burst.datagrams)), 1_232)
        self.deliver(self.server, self.client, burst.datagrams)
        node = self.server.node
        calls = node.jobs()
        self.assertEqual(len(calls), 64)
        for call in calls:
            node.answer(call, Said(text="yes"), self.server.moment())
        (back,) = node.outgoing()
        self.assertLessEqual(len(back.datagrams), 7)
        self.deliver(self.client, self.server, back.datagrams)
        fired = self.client.node.jobs()
        self.assertEqual({job.event for job in fired}, set(self.events))
        self.assertEqual({job.outcome for job in fired}, {Said(text="yes")})

    def test_what_is_repeated_goes_alone_so_a_narrow_path_delays_and_does_not_stop(self) -> None:
        self.assertEqual(len(self.fire(20)[0].datagrams), 1)
        self.client.node.tick(later(self.client))
        (burst,) = self.client.node.outgoing()
        self.assertEqual(len(burst.datagrams), 20)
        self.assertLess(max(map(len, burst.datagrams)), 150)

    def test_a_repeated_request_is_given_its_kept_reply_alone(self) -> None:
        (burst,) = self.fire(3)
        self.deliver(self.server, self.client, burst.datagrams)
        for call in self.server.node.jobs():
            self.server.node.answer(call, Said(text="yes"), self.server.moment())
        self.assertEqual(len(self.server.node.outgoing()[0].datagrams), 1)
        self.client.node.tick(later(self.client))
        self.deliver(self.server, self.client, self.client.node.outgoing()[0].datagrams)
        self.assertEqual(len(self.server.node.outgoing()[0].datagrams), 3)
        self.assertEqual(self.server.node.jobs(), [])

    def sealed(self, plain: bytes) -> bytes:
        return sessions(self.client)[0].seal.seal(plain)

    def test_a_frame_out_of_place_is_dropped_alone(self) -> None:
        frames = [say(10, Say(text="a").encode()), control(Ping(nonce=1))[:5], say(11, Say(text="b").encode())]
        self.deliver(self.server, self.client, [self.sealed(pack_several(frames, 1_000)[0])])
        self.assertEqual([call.body.text for call in self.server.node.jobs()], ["a", "b"])
        self.assertEqual(self.server.node.counters["drop short"], 1)

    def test_a_packet_that_is_ill_made_is_dropped_whole_and_changes_nothing_but_the_window(self) -> None:
        plain = pack_several([say(10, b""), say(11, b"")], 1_000)[0]
        self.deliver(self.server, self.client, [self.sealed(plain[:-1])])
        self.assertEqual((self.server.node.jobs(), self.server.node.outgoing()), ([], []))
        self.assertEqual(self.server.node.counters["drop short"], 1)

    def test_nothing_behind_a_close_is_acted_on(self) -> None:
        frames = [control(Close(reason=CloseReason.STOPPED)), say(10, Say(text="a").encode())]
        self.deliver(self.server, self.client, [self.sealed(pack_several(frames, 1_000)[0])])
        self.assertEqual((self.server.node.jobs(), sessions(self.server)), ([], []))

    def test_what_was_said_before_the_end_is_sealed_before_the_keys_are_gone(self) -> None:
        self.client.node.fire(self.server.public, Say(text="last"), self.client.moment())
        seal = sessions(self.server)[0].seal
        self.client.node.close(self.client.moment())
        (burst,) = self.client.node.outgoing()
        frames = [frame for datagram in burst.datagrams for frame in read_frames(seal.open(datagram)[1])]
        self.assertEqual([type(frame).__name__ for frame in frames], ["Said", "Control"])
        self.assertEqual(self.client.node.counters["spent"], 0)

    def test_a_queued_frame_is_part_of_the_digest(self) -> None:
        before = self.client.node.state_digest()
        self.client.node._state.send(sessions(self.client)[0], control(Ping(nonce=0)))
        self.assertNotEqual(self.client.node.state_digest(), before)


class NarrowPath(SeededTestCase):
    def test_requests_of_one_turn_arrive_over_a_path_that_swallows_full_packets(self) -> None:
        net = self.network(2)
        node, client = server(net), net.node("client")
        net.result(client.ping(node))
        net.run(5)
        net.between(client, node, Faults(mtu=600))
        events = [client.node.fire(node.public, Say(text=str(number)), client.moment()) for number in range(30)]
        outcomes = [client._hold(event, "say") for event in events]
        client.act()
        net.wait(*outcomes)
        self.assertEqual([outcome.reply.text for outcome in outcomes], [str(number)[::-1] for number in range(30)])


class Warm(SeededTestCase):
    """Built ciphers take 4.6 kB a session: only the last so many keep them."""

    def test_no_more_sessions_keep_their_ciphers_than_may_and_none_that_has_ended(self) -> None:
        self.patch(state, "WARM", 2)
        net = self.network(3)
        node = server(net)
        clients = [net.node(f"client {number}") for number in range(4)]
        for client in clients:
            net.result(client.ping(node))
        net.run(5)
        for client in clients:  # the server speaks first: what is built to send counts as much
            node.node.tell(client.public, Said(text="told"), node.moment())
            node.act()
            built = [session for session in sessions(node) if session.seal._encrypt or session.seal._decrypt]
            self.assertLessEqual(len(built), 2)
            self.assertEqual(set(built), set(node.node._state._warm.values()))
        for client in clients:
            client.stop()
        net.run(1)
        self.assertEqual((sessions(node), node.node._state._warm), ([], {}))
