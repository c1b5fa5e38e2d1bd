"""The same way in and out over ``reactor.listenUDP``, for reactors that know no readers (IOCP) and for fakes in tests.

Slower than ``net/udp.py``, with one datagram a call, and with what Twisted's own port does: a flood of empty datagrams
holds the reactor for as long as it lasts. Use it where nothing else works.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from twisted.internet.error import MessageLengthError
from twisted.internet.protocol import DatagramProtocol

from rhotwist.link.sieve import Turn
from rhotwist.net.addresses import AddressBook
from rhotwist.net.filters import is_bare, passes
from rhotwist.net.sockets import is_ipv6
from rhotwist.net.udp import COUNTERS, Receiver, counter_of

#: What listenUDP must be told, because it cuts at 8,192 bytes otherwise.
MAX_PACKET_SIZE = 65_536


class RhoDatagramProtocol(DatagramProtocol):
    """Give it to ``reactor.listenUDP(port, protocol, interface, maxPacketSize=MAX_PACKET_SIZE)``."""

    noisy = False

    def __init__(self, carrier: int, receiver: Receiver, interface: str, *, counters: dict[str, int]) -> None:
        self._receiver = receiver
        self._book = AddressBook(carrier, is_ipv6(interface))
        self._counters = counters
        for name in COUNTERS:
            counters.setdefault(name, 0)
        self._turn: Turn | None = None
        self._sieved = 0
        self.closed = False

    @property
    def host(self) -> str:
        """The address it is bound to."""
        return str(self._transport().getHost().host)

    @property
    def port(self) -> int:
        """The port it is bound to."""
        return int(self._transport().getHost().port)

    def _transport(self) -> Any:
        return self.transport

    def datagramReceived(self, datagram: bytes, addr: Any) -> None:
        """Twisted read a datagram."""
        self._counters["read_datagrams"] += 1
        if (
            self._turn is not None
            and is_bare(datagram)
            and not passes(self._turn, addr, datagram[4:8])
        ):
            self._counters["read_dropped"] += 1
            self._sieved += 1
            return
        self._receiver.receive(self._book.path(addr), (datagram,))
        self._receiver.settle()

    def connectionRefused(self) -> None:
        """An ICMP message about something sent earlier."""
        self._counters["read_refused"] += 1

    def send(self, address: bytes, datagrams: Sequence[bytes]) -> None:
        """Send datagrams, in order, to 18 bytes of address. Never raises for what the network says."""
        sockaddr = self._book.sockaddr(address)
        transport = self._transport()
        if sockaddr is None or self.closed or transport is None:
            self._counters["send_unreachable"] += len(datagrams)
            return
        for datagram in datagrams:
            try:
                transport.write(datagram, sockaddr[:2])
            except MessageLengthError:
                self._counters["send_too_big"] += 1
            except OSError as error:
                self._counters[counter_of(error)] += 1
            else:
                self._counters["sent_datagrams"] += 1

    def admit(self, turn: Turn | None) -> tuple[int, float]:
        """Hand over only those Hellos without a cookie whose turn it is, from now on; None for all. How many others
        there were since it was called last, and 0: Twisted does not say how full the buffer is."""
        self._turn = turn
        sieved, self._sieved = self._sieved, 0
        return sieved, 0.0

    def stopProtocol(self) -> None:
        """The port was closed."""
        self.closed = True

    def close(self) -> None:
        """Stop listening. Closing twice does nothing."""
        if not self.closed:
            self.closed = True
            self._transport().stopListening()
