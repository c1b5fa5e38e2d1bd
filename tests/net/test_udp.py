"""The UDP port: bounded reads, coalesced reads, segmented sends, and every error a send can have."""

from __future__ import annotations

import errno
import socket
from typing import Any

from twisted.internet.interfaces import IReadDescriptor, IWriteDescriptor
from twisted.trial.unittest import SkipTest, SynchronousTestCase
from zope.interface.verify import verifyObject

from rhotwist.limits import Limits
from rhotwist.link.sieve import Turn
from rhotwist.net import filters, udp
from rhotwist.net.strangers import LEAST, MOST
from rhotwist.net.udp import COUNTERS, QUEUE_MOST, RUN_LEAST, UdpPort
from rhotwist.wire.datagram import Train, pack_address
from rhotwist.wire.packet import COOKIE, HELLO, Header
from tests.net.fakes import FROM, FROM6, FakeReactor, FakeSocket, Sink, error

TO = pack_address("192.0.2.9", 7460)
THERE = ("192.0.2.9", 7460)


class PortCase(SynchronousTestCase):
    """A port on a fake socket."""

    def port(self, sock: FakeSocket | None = None, limits: Limits | None = None) -> UdpPort:
        self.sock = sock or FakeSocket()
        self.reactor = FakeReactor()
        self.sink = Sink()
        self.counters: dict[str, int] = {}
        made: Any = UdpPort(
            self.reactor, self.sock, 3, self.sink, limits=limits or Limits(read_datagrams=10, read_seconds=60.0),
            counters=self.counters,
        )  # fmt: skip
        made.start()
        return made  # type: ignore[no-any-return]

    def counted(self) -> dict[str, int]:
        """The counters that are not 0."""
        return {name: count for name, count in self.counters.items() if count}

    def sent(self) -> list[bytes]:
        return [data for data, _ in self.sock.sent]


class ReadTests(PortCase):
    """What comes in."""

    def test_it_is_what_the_reactor_takes(self) -> None:
        port = self.port()
        verifyObject(IReadDescriptor, port)
        verifyObject(IWriteDescriptor, port)
        self.assertEqual((self.reactor.readers, port.fileno(), port.logPrefix()), ([port], 7, "rhotwist-udp-7460"))
        self.assertEqual(set(self.counters), set(COUNTERS))

    def test_each_datagram_goes_to_the_receiver_with_the_path_back_and_all_are_settled_once(self) -> None:
        port = self.port()
        self.sock.arrivals.extend([(b"one", 0, FROM), (b"two", 0, ("192.0.2.2", 1))])
        port.doRead()
        (first, one), (second, two) = self.sink.received
        self.assertEqual((one, two, self.sink.settled), ([b"one"], [b"two"], 1))
        self.assertEqual((first.carrier, first.address, first.stream), (3, pack_address("192.0.2.1", 4000), False))
        self.assertEqual(second.address, pack_address("192.0.2.2", 1))
        self.assertEqual(self.counted(), {"read_datagrams": 2})

    def test_an_ipv6_socket_gives_ipv6_paths(self) -> None:
        port = self.port(FakeSocket("::"))
        self.sock.arrivals.append((b"six", 0, FROM6))
        port.doRead()
        self.assertEqual(self.sink.received[0][0].address, pack_address("2001:db8::1", 4000))

    def test_a_coalesced_read_is_cut_at_the_segment_size(self) -> None:
        port = self.port()
        self.sock.arrivals.append((b"aaabbbc", 3, FROM))
        port.doRead()
        self.assertEqual(self.sink.received[0][1], [b"aaa", b"bbb", b"c"])
        self.assertEqual(self.counted(), {"read_datagrams": 3})

    def test_without_coalescing_plain_reads_do_the_same(self) -> None:
        port = self.port(FakeSocket(coalesces=False))
        self.sock.arrivals.extend([(b"x", 0, FROM), (b"", 0, FROM)])
        port.doRead()
        self.assertEqual([datagrams for _, datagrams in self.sink.received], [[b"x"], [b""]])

    def test_a_flood_of_empty_or_tiny_datagrams_ends_a_read_by_count(self) -> None:
        for data, segment in ((b"", 0), (b"x", 0), (b"x" * 64, 1)):
            for coalesces in (True, False):
                port = self.port(FakeSocket(coalesces=coalesces))
                self.sock.endless = lambda data=data, segment=segment: (data, segment, FROM)
                port.doRead()
                self.assertEqual((self.sock.reads, self.sink.settled), (10, 1))

    def test_packets_of_objects_are_handed_over_as_the_train_they_came_in_and_answered_at_once(self) -> None:
        port = self.port(FakeSocket(coalesces=True))
        packets = [b"\x56" + bytes([number]) * 1_439 for number in range(4)]
        self.sock.arrivals.append((b"".join(packets)[:-7], 1_440, FROM))
        port.doRead()
        [(path, train)] = self.sink.received
        self.assertEqual((self.sink.trains, train), (1, [*packets[:3], packets[3][:-7]]))
        self.assertEqual(path.address, pack_address("192.0.2.1", 4000))
        self.assertEqual((self.sink.settled, self.counted()), (2, {"read_datagrams": 4}))

    def test_full_datagrams_of_one_read_are_answered_two_at_a_time(self) -> None:
        port = self.port(FakeSocket(coalesces=True))
        self.sock.arrivals.append((b"x" * 6_000, 1_200, FROM))
        port.doRead()
        self.assertEqual([len(datagrams) for _, datagrams in self.sink.received], [2, 2, 1])
        self.assertEqual(self.sink.settled, 3)

    def test_a_flood_of_errors_ends_a_read_by_count_too(self) -> None:
        port = self.port()
        self.sock.endless = lambda: error(errno.ECONNREFUSED)
        port.doRead()
        self.assertEqual((self.sock.reads, self.counted()), (10, {"read_refused": 10}))

    def test_a_read_ends_by_time(self) -> None:
        times = iter([0.0, 0.004, 0.006])
        self.patch(udp, "_monotonic", lambda: next(times))
        port = self.port(limits=Limits())
        self.sock.endless = lambda: (b"x", 0, FROM)
        port.doRead()
        self.assertEqual((self.sock.reads, self.sink.settled), (2, 1))

    def test_icmp_errors_are_counted_and_what_comes_behind_them_is_read(self) -> None:
        port = self.port()
        for code in (errno.ECONNREFUSED, errno.ECONNRESET, errno.EHOSTUNREACH):
            self.sock.arrivals.append(error(code))
        self.sock.arrivals.append((b"x", 0, FROM))
        port.doRead()
        self.assertEqual(self.counted(), {"read_refused": 2, "read_failed": 1, "read_datagrams": 1})

    def test_lone_datagrams_save_the_second_system_call_seven_times_in_eight(self) -> None:
        port = self.port()
        for _ in range(16):
            self.sock.arrivals.append((b"x", 0, FROM))
            port.doRead()
        self.assertEqual((len(self.sink.received), self.sock.reads), (16, 16 + 2))

    def test_after_lone_datagrams_a_flood_is_read_in_batches_again(self) -> None:
        port = self.port()
        self.sock.arrivals.append((b"x", 0, FROM))
        port.doRead()
        self.sock.endless = lambda: (b"x", 0, FROM)
        self.sock.reads = 0
        for _ in range(9):
            port.doRead()
        self.assertEqual(self.sock.reads, 7 + 10 + 10)

    def test_closing_while_reading_ends_the_read(self) -> None:
        port = self.port()
        self.sock.endless = lambda: (b"x", 0, FROM)
        self.sink.on_receive = port.close
        port.doRead()
        self.assertEqual((self.sock.reads, len(self.sink.received)), (1, 1))


class StrangerTests(PortCase):
    """Hellos without a cookie wait, and give way."""

    bare = Header(HELLO, 4, 1, 0, 7, 0).encode() + bytes(100)
    paid = Header(HELLO, 4, 1, COOKIE, 7, 0).encode() + bytes(100)
    nobody = Turn(bytes(24), 1, 0)

    def got(self) -> list[bytes]:
        return [data for _, datagrams in self.sink.received for data in datagrams]

    def test_they_are_handed_over_when_all_else_was_answered(self) -> None:
        port = self.port()
        self.sock.arrivals.extend([(data, 0, FROM) for data in (self.bare, b"\x05a", self.bare, self.paid, b"\x05b")])
        settled: list[int] = []
        self.patch(self.sink, "settle", lambda: settled.append(len(self.sink.received)))
        port.doRead()
        self.assertEqual(self.got(), [b"\x05a", self.paid, b"\x05b", self.bare, self.bare])
        self.assertEqual((settled, self.counted()), ([3, 5], {"read_datagrams": 5}))

    def test_those_of_a_coalesced_read_are_cut_apart_then(self) -> None:
        port = self.port()
        self.sock.arrivals.append((self.bare * 2, len(self.bare), FROM))
        port.doRead()
        self.assertEqual((self.got(), self.counted()), ([self.bare] * 2, {"read_datagrams": 2}))

    def test_beyond_the_time_a_few_are_handed_over_and_the_others_in_the_next_turn(self) -> None:
        mono = [0.0]

        def pass_() -> None:
            mono[0] += 0.002

        self.patch(udp, "_monotonic", lambda: mono[0])
        port = self.port(limits=Limits(read_seconds=0.005))
        self.sink.on_receive = pass_
        self.sock.arrivals.extend([(self.bare, 0, FROM)] * 9)
        port.doRead()
        self.assertEqual(len(self.got()), LEAST)
        self.sock.arrivals.append((b"\x05", 0, FROM))
        self.reactor.advance(0)
        self.assertEqual((self.got()[LEAST], self.got()[LEAST + 1 :]), (b"\x05", [self.bare] * 5))
        self.assertEqual((self.sink.settled, self.reactor.getDelayedCalls()), (6, []))

    def test_closing_forgets_them(self) -> None:
        port = self.port(limits=Limits(read_seconds=-1.0, read_datagrams=9))
        for _ in range(6):
            self.sock.arrivals.extend([(self.bare, 0, FROM)])
            port._read(1, 1e9)
        port._hear(-1.0)
        self.assertEqual((len(self.got()), len(self.reactor.getDelayedCalls())), (LEAST, 1))
        port.close()
        self.assertEqual(self.reactor.getDelayedCalls(), [])
        self.assertEqual(port.admit(None), (0, 0.0))

    def test_the_kernel_is_told_whose_turn_it_is_and_tells_what_it_dropped(self) -> None:
        port = self.port()
        del self.sock.options[:]
        self.sock.crowd = (250, 1000, 2**32 - 1)
        told = [port.admit(self.nobody)]
        self.sock.crowd = (0, 1000, 8)
        told.append(port.admit(None))
        if not filters._LINUX:
            raise SkipTest("no filters here")
        self.assertEqual(told, [(2**32 - 1, 0.25), (9, 0.0)])
        self.assertEqual(self.sock.options, [filters.SO_ATTACH_FILTER, filters.SO_DETACH_FILTER])

    def test_where_the_kernel_does_not_take_it_we_drop_them_unread(self) -> None:
        port = self.port(FakeSocket(coalesces=False))
        port.admit(self.nobody)
        self.sock.arrivals.extend([(data, 0, FROM) for data in (self.bare, self.paid, b"\x05")])
        port.doRead()
        self.assertEqual(self.got(), [self.paid, b"\x05"])
        self.assertEqual(port.admit(None), (1, 0.0))
        self.sock.arrivals.append((self.bare, 0, FROM))
        port.doRead()
        self.assertEqual(self.got()[2:], [self.bare])
        self.assertEqual(self.counted(), {"read_datagrams": 4, "read_dropped": 1})

    def test_a_full_queue_is_told_as_a_crowd(self) -> None:
        port = self.port()
        self.sock.endless = lambda: (self.bare, 0, FROM)
        port._read(MOST + 5, 1e9)
        self.assertEqual(port.admit(None), (5, 1.0))


class SendTests(PortCase):
    """What goes out."""

    def test_a_few_go_singly_and_in_order(self) -> None:
        port = self.port()
        port.send(TO, [b"one", b"two"])
        self.assertEqual((self.sock.sent, self.sock.runs), ([(b"one", THERE), (b"two", THERE)], []))
        self.assertEqual(self.counted(), {"sent_datagrams": 2})

    def test_an_ipv6_address_gets_the_form_that_sockets_want(self) -> None:
        port = self.port(FakeSocket("::"))
        port.send(pack_address("2001:db8::1", 9), [b"six"])
        self.assertEqual(self.sock.sent, [(b"six", ("2001:db8::1", 9, 0, 0))])

    def test_the_other_family_is_counted_as_unreachable(self) -> None:
        self.port().send(pack_address("2001:db8::1", 9), [b"six"])
        self.assertEqual((self.sock.sent, self.counted()), ([], {"send_unreachable": 1}))
        self.port(FakeSocket("::")).send(TO, [b"four"])
        self.assertEqual((self.sock.sent, self.counted()), ([], {"send_unreachable": 1}))

    def test_equal_datagrams_go_in_one_segmented_send_and_the_last_may_be_shorter(self) -> None:
        port = self.port()
        port.send(TO, [b"aaa", b"bbb", b"ccc", b"d"])
        self.assertEqual((self.sock.runs, self.counted()), ([(b"aaabbbcccd", 3)], {"sent_datagrams": 4}))

    def test_unequal_datagrams_are_cut_into_runs_and_stay_in_order(self) -> None:
        port = self.port()
        datagrams = [b"aa", b"bb", b"cc", b"d", b"eeeee", b"ff", b"", b"gg", b"hh", b"ii"]
        port.send(TO, datagrams)
        self.assertEqual(self.sent(), datagrams)
        self.assertEqual(self.sock.runs, [(b"aabbccd", 2), (b"gghhii", 2)])

    def test_a_train_goes_as_it_is_within_the_limits_of_the_kernel_and_a_short_one_singly(self) -> None:
        for size, count, runs in ((2, 200, [64, 64, 64, 8]), (1_440, 50, [45, 5]), (45_088, 3, []), (2, 2, [])):
            port = self.port()
            data = bytes(at % 251 for at in range(size * count - 1))
            port.send(TO, Train(data, size))
            self.assertEqual(self.sent(), [data[at : at + size] for at in range(0, len(data), size)])
            self.assertEqual([-(-len(run) // segment) for run, segment in self.sock.runs], runs)
            self.assertEqual(self.counted(), {"sent_datagrams": count})

    def test_a_train_that_a_full_socket_does_not_take_waits_whole(self) -> None:
        port = self.port()
        self.sock.refuse["sendmsg"].extend([None, error(errno.EAGAIN)])
        self.sock.refuse["sendto"].append(error(errno.EAGAIN))
        train = Train(bytes(range(200)), 1)
        port.send(TO, train)
        self.assertEqual((len(self.sent()), self.counters["send_waited"]), (64, 136))
        port.doWrite()
        self.assertEqual(b"".join(self.sent()), train.data)

    def test_where_segmenting_fails_the_same_datagrams_go_singly_and_it_is_not_tried_again(self) -> None:
        for code in (errno.EIO, errno.EINVAL, errno.EMSGSIZE):
            port = self.port()
            self.sock.refuse["sendmsg"].append(error(code))
            port.send(TO, [b"aa", b"bb", b"cc"])
            port.send(TO, [b"dd", b"ee", b"ff"])
            self.assertEqual(self.sent(), [b"aa", b"bb", b"cc", b"dd", b"ee", b"ff"])
            self.assertEqual((self.sock.runs, self.counters["send_segments_given_up"]), ([], 1))
            self.assertEqual(self.counters["sent_datagrams"], 6)

    def test_a_bad_address_does_not_talk_us_out_of_segmenting(self) -> None:
        port = self.port()
        self.sock.refuse["sendmsg"].append(error(errno.EINVAL))
        self.sock.refuse["sendto"].extend([error(errno.EINVAL)] * 4)
        port.send(TO, [b"aa", b"bb", b"cc"])
        port.send(TO, [b"dd", b"ee", b"ff"])
        self.assertEqual((self.sent(), self.counters["send_failed"]), ([b"dd", b"ee", b"ff"], 3))
        self.assertEqual((len(self.sock.runs), self.counters["send_segments_given_up"]), (1, 0))

    def test_a_kernel_without_segmenting_gets_plain_sends(self) -> None:
        port = self.port(FakeSocket(segments=False))
        port.send(TO, [b"aa"] * (RUN_LEAST + 3))
        self.assertEqual((len(self.sock.sent), self.sock.runs), (RUN_LEAST + 3, []))

    def test_no_error_of_a_send_is_raised_and_each_is_counted(self) -> None:
        for code, counter in {
            errno.ENETUNREACH: "send_unreachable",
            errno.EHOSTUNREACH: "send_unreachable",
            errno.ENETDOWN: "send_unreachable",
            errno.EPERM: "send_forbidden",
            errno.EACCES: "send_forbidden",
            errno.ECONNREFUSED: "send_refused",
            errno.EMSGSIZE: "send_too_big",
            errno.EINVAL: "send_failed",
            errno.EIO: "send_failed",
        }.items():
            port = self.port()
            self.sock.refuse["sendto"].append(error(code))
            port.send(TO, [b"lost", b"kept"])
            self.assertEqual(self.sent(), [b"kept"])
            self.assertEqual(self.counted(), {counter: 1, "sent_datagrams": 1})

    def test_what_a_full_socket_does_not_take_waits_and_goes_in_order_when_it_does(self) -> None:
        for code in (errno.EAGAIN, errno.ENOBUFS):
            port = self.port()
            self.sock.refuse["sendto"].extend([None, error(code)])
            port.send(TO, [b"1", b"22"])
            port.send(TO, [b"3"])
            self.assertEqual((self.sent(), self.reactor.writers), ([b"1"], [port]))
            port.doWrite()
            self.assertEqual((self.sent(), self.reactor.writers), ([b"1", b"22", b"3"], []))
            self.assertEqual(self.counted(), {"sent_datagrams": 3, "send_waited": 2})

    def test_a_run_that_a_full_socket_does_not_take_waits_whole_with_all_behind_it(self) -> None:
        port = self.port()
        self.sock.refuse["sendmsg"].append(error(errno.EAGAIN))
        self.sock.refuse["sendto"].append(error(errno.EAGAIN))
        datagrams = [b"aa", b"bb", b"cc", b"ddd", b"e"]
        port.send(TO, datagrams)
        self.assertEqual(self.sent(), [])
        port.doWrite()
        self.assertEqual((self.sent(), self.counters["send_segments_given_up"]), (datagrams, 0))

    def test_a_socket_still_full_keeps_waiting(self) -> None:
        port = self.port()
        self.sock.refuse["sendto"].extend([error(errno.EAGAIN), error(errno.EAGAIN)])
        port.send(TO, [b"1"])
        port.doWrite()
        self.assertEqual((self.sent(), self.reactor.writers), ([], [port]))
        port.doWrite()
        self.assertEqual((self.sent(), self.reactor.writers), ([b"1"], []))

    def test_a_device_that_stays_full_costs_one_datagram_a_turn_and_never_spins_for_ever(self) -> None:
        port = self.port(FakeSocket(segments=False))
        self.sock.refuse["sendto"].extend([error(errno.ENOBUFS)] * 4)
        port.send(TO, [b"1", b"2", b"3"])
        turns = 0
        while port in self.reactor.writers:
            port.doWrite()
            turns += 1
        self.assertEqual((turns, self.counters["send_overflow"]), (3, 3))

    def test_a_waiting_datagram_that_cannot_go_is_dropped_and_the_next_one_goes(self) -> None:
        port = self.port()
        self.sock.refuse["sendto"].extend([error(errno.EAGAIN), error(errno.ENETUNREACH)])
        port.send(TO, [b"1", b"2"])
        port.doWrite()
        self.assertEqual((self.sent(), self.counters["send_unreachable"]), ([b"2"], 1))

    def test_the_queue_is_bounded_and_the_oldest_goes(self) -> None:
        port = self.port(FakeSocket(segments=False))
        self.sock.refuse["sendto"].append(error(errno.EAGAIN))
        port.send(TO, [b"%d" % at for at in range(QUEUE_MOST + 5)])
        self.assertEqual(self.counters["send_overflow"], 5)
        port.doWrite()
        self.assertEqual(self.sent(), [b"%d" % at for at in range(5, QUEUE_MOST + 5)])


class CloseTests(PortCase):
    """The end."""

    def test_closing_leaves_the_reactor_and_the_descriptor_at_once(self) -> None:
        port = self.port()
        self.sock.refuse["sendto"].append(error(errno.EAGAIN))
        port.send(TO, [b"1"])
        port.loseConnection()
        port.close()
        self.assertEqual((self.reactor.readers, self.reactor.writers, self.sock.open), ([], [], False))
        port.send(TO, [b"2"])
        port.doWrite()
        self.assertEqual(self.sock.sent, [])

    def test_a_reactor_that_stops_closes_it(self) -> None:
        port = self.port()
        port.connectionLost(None)  # type: ignore[arg-type]
        self.assertTrue(port.closed)


class KernelTests(SynchronousTestCase):
    """The same against this machine's kernel."""

    def test_runs_arrive_as_the_datagrams_they_were(self) -> None:
        from rhotwist.net.sockets import open_udp

        sink, reactor = Sink(), FakeReactor()
        ports: list[Any] = []
        for carrier in range(2):
            made: Any = UdpPort(
                reactor, open_udp("127.0.0.1", 0), carrier, sink, limits=Limits(), counters={}
            )  # fmt: skip
            self.addCleanup(made.close)
            ports.append(made)
        datagrams = [bytes([at]) * 500 for at in range(100)] + [b"", b"end"]
        ports[0].send(pack_address("127.0.0.1", ports[1].port), datagrams)
        for _ in range(30):
            ports[1].doRead()
        self.assertEqual([one for _, some in sink.received for one in some], datagrams)
        self.assertEqual({path.address for path, _ in sink.received}, {pack_address("127.0.0.1", ports[0].port)})

    def test_the_socket_is_closed_for_the_kernel_too(self) -> None:
        from rhotwist.net.sockets import open_udp

        sock = open_udp("127.0.0.1", 0)
        port = UdpPort(FakeReactor(), sock, 0, Sink(), limits=Limits(), counters={})
        port.close()
        self.assertEqual(port.fileno(), -1)
        self.assertIsInstance(sock, socket.socket)
