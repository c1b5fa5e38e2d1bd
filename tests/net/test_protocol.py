"""The way over listenUDP."""

from __future__ import annotations

import errno
from typing import Any

from twisted.internet.error import MessageLengthError
from twisted.trial.unittest import SynchronousTestCase

from rhotwist.link.sieve import Turn
from rhotwist.net.protocol import RhoDatagramProtocol
from rhotwist.wire.datagram import pack_address
from rhotwist.wire.packet import COOKIE, HELLO, Header
from tests.net.fakes import FROM, Sink, error

TO = pack_address("192.0.2.9", 7460)


class FakeTransport:
    """What listenUDP gives a protocol."""

    def __init__(self, *wrong: Exception | None) -> None:
        self.wrong = list(wrong)
        self.written: list[Any] = []
        self.listening = True

    def write(self, data: bytes, sockaddr: Any) -> None:
        wrong = self.wrong.pop(0) if self.wrong else None
        if wrong is not None:
            raise wrong
        self.written.append((data, sockaddr))

    def stopListening(self) -> None:
        self.listening = False


class ProtocolTests(SynchronousTestCase):
    """Datagrams through a fake transport."""

    def protocol(self, *wrong: Exception | None, interface: str = "0.0.0.0") -> RhoDatagramProtocol:
        self.sink = Sink()
        self.counters: dict[str, int] = {}
        made = RhoDatagramProtocol(2, self.sink, interface, counters=self.counters)
        self.transport: Any = FakeTransport(*wrong)
        made.transport = self.transport
        return made

    def test_of_hellos_without_a_cookie_only_those_whose_turn_it_is_go_in(self) -> None:
        protocol = self.protocol()
        bare, paid = (Header(HELLO, 4, 1, flags, 7, 0).encode() + bytes(100) for flags in (0, COOKIE))
        protocol.admit(Turn(bytes(24), 1, 0))
        for data in (bare, paid, b"\x05"):
            protocol.datagramReceived(data, FROM)
        self.assertEqual([datagrams for _, datagrams in self.sink.received], [[paid], [b"\x05"]])
        self.assertEqual((protocol.admit(None), self.counters["read_dropped"]), ((1, 0.0), 1))
        protocol.datagramReceived(bare, FROM)
        self.assertEqual(len(self.sink.received), 3)

    def test_a_datagram_goes_in_with_its_path_and_is_settled(self) -> None:
        self.protocol().datagramReceived(b"in", FROM)
        path, datagrams = self.sink.received[0]
        self.assertEqual((path, datagrams), ((2, pack_address(*FROM), False), [b"in"]))
        self.assertEqual((self.sink.settled, self.counters["read_datagrams"]), (1, 1))

    def test_datagrams_go_out_in_order(self) -> None:
        self.protocol().send(TO, [b"1", b"2"])
        self.assertEqual(self.transport.written, [(b"1", ("192.0.2.9", 7460)), (b"2", ("192.0.2.9", 7460))])

    def test_an_ipv6_address_is_written_as_twisted_wants_it(self) -> None:
        self.protocol(interface="::").send(pack_address("2001:db8::1", 9), [b"1"])
        self.assertEqual(self.transport.written, [(b"1", ("2001:db8::1", 9))])

    def test_whatever_write_raises_is_counted_and_the_next_one_goes(self) -> None:
        for wrong, counter in (
            (MessageLengthError(), "send_too_big"),
            (error(errno.EAGAIN), "send_overflow"),
            (error(errno.ENOBUFS), "send_overflow"),
            (error(errno.ENETUNREACH), "send_unreachable"),
            (error(errno.EPERM), "send_forbidden"),
            (error(errno.EINVAL), "send_failed"),
        ):
            self.protocol(wrong).send(TO, [b"lost", b"kept"])
            self.assertEqual(([data for data, _ in self.transport.written], self.counters[counter]), ([b"kept"], 1))

    def test_the_other_family_and_a_stopped_port_are_unreachable(self) -> None:
        protocol = self.protocol()
        protocol.send(pack_address("2001:db8::1", 9), [b"six"])
        protocol.stopProtocol()
        protocol.send(TO, [b"1"])
        self.assertEqual((self.transport.written, self.counters["send_unreachable"]), ([], 2))

    def test_icmp_errors_are_counted(self) -> None:
        self.protocol().connectionRefused()
        self.assertEqual(self.counters["read_refused"], 1)

    def test_closing_stops_listening_once(self) -> None:
        protocol = self.protocol()
        protocol.close()
        self.assertFalse(self.transport.listening)
        self.transport.listening = True
        protocol.close()
        self.assertTrue(self.transport.listening)
