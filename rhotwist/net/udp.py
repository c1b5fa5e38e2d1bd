"""A UDP socket on the reactor: batches in, batches out, and never an exception into whoever was sending.

Not ``twisted.internet.udp.Port``: that one counts bytes, so that a flood of empty datagrams never leaves its read loop;
it cuts at 8,192 bytes, drops the segment size of coalesced reads, and lets every error of a send unwind its caller.
Here:

- A read ends after ``Limits.read_datagrams`` system calls or ``Limits.read_seconds``, whichever comes first; then
  timers and other sockets get their turn, and the reactor comes back, because its polling is level-triggered.
- Hellos without a cookie wait until all else that was read is done and sent (``net/strangers.py``); of more than get an
  answer some are dropped, where possible by the kernel (``net/filters.py``).
- Where the kernel coalesces (UDP_GRO), one system call brings up to 64 kB of datagrams of one sender.
- From ``RUN_LEAST`` datagrams of one size on, a burst goes out in one system call (UDP_SEGMENT), where that works.
- A send that would block waits in a bounded queue; any other error drops that datagram and counts it. Datagrams may get
  lost anywhere: what must arrive is repeated by ``link/``.

Windows has no recvmsg and gets plain reads and sends with its select reactor; its IOCP reactor knows no readers at all
and takes ``net/protocol.py`` instead. macOS gets plain reads and sends.
"""

from __future__ import annotations

import errno
import socket
import struct
import time
from collections import deque
from collections.abc import Sequence
from socket import IPPROTO_UDP
from typing import Any, Protocol

from twisted.internet.interfaces import IReadDescriptor, IWriteDescriptor
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from rhotwist.limits import Limits
from rhotwist.link.sieve import Turn
from rhotwist.net import filters
from rhotwist.net.addresses import AddressBook, SockAddr
from rhotwist.net.sockets import UDP_SEGMENT, coalesces, is_ipv6, segments
from rhotwist.net.strangers import LEAST, Strangers
from rhotwist.wire.datagram import TRAIN_BYTES, TRAIN_MOST, Path, Train, run, split
from rhotwist.wire.packet import HELLO, OBJECT, RETRY_SIZE

#: Datagrams of equal size from which one segmented send is used. On loopback it costs 7 µs against 5.5 µs for each
#: plain send, so two would do; the third pays for network cards that do it in software.
RUN_LEAST = 3
#: Datagrams that may wait for a full socket; beyond, the oldest goes: what it would have said is stale first.
QUEUE_MOST = 512
#: While every wake-up brings one datagram, only every eighth looks for a second one: the system call that says "nothing
#: more" costs as much as the one that read.
_PROBE = 7

#: Bytes of one coalesced read that are answered together, but for pieces of objects, of which a whole read is. The
#: answers to the first leave while the next are worked at, so that both ends work at once.
TOGETHER = 2_048

_BUFFER = 65_536
_ANCILLARY = socket.CMSG_SPACE(4) if hasattr(socket, "CMSG_SPACE") else 0
_SEGMENT = struct.Struct("i")
_SEGMENT_OUT = struct.Struct("H")
_FULL = frozenset({errno.EAGAIN, errno.EWOULDBLOCK, errno.ENOBUFS})
#: What a kernel or a driver says when it cannot segment after all.
_NO_SEGMENTS = frozenset({errno.EIO, errno.EINVAL, errno.EMSGSIZE, errno.ENOPROTOOPT, errno.EOPNOTSUPP})
_monotonic = time.monotonic

#: The counters of all sockets of a node; each is there from the start.
COUNTERS = (
    "read_datagrams", "read_dropped", "read_refused", "read_failed", "sent_datagrams", "send_waited", "send_overflow",
    "send_unreachable", "send_forbidden", "send_refused", "send_too_big", "send_failed", "send_segments_given_up",
)  # fmt: skip


_DROPPED: dict[int | None, str] = {
    errno.EAGAIN: "send_overflow",
    errno.EWOULDBLOCK: "send_overflow",
    errno.ENOBUFS: "send_overflow",
    errno.ENETUNREACH: "send_unreachable",
    errno.EHOSTUNREACH: "send_unreachable",
    errno.ENETDOWN: "send_unreachable",
    errno.EADDRNOTAVAIL: "send_unreachable",
    errno.EAFNOSUPPORT: "send_unreachable",
    errno.EPERM: "send_forbidden",
    errno.EACCES: "send_forbidden",
    errno.ECONNREFUSED: "send_refused",
    errno.ECONNRESET: "send_refused",
    errno.EMSGSIZE: "send_too_big",
}


def counter_of(error: OSError) -> str:
    """The counter of a datagram that was dropped because sending it failed so."""
    return _DROPPED.get(error.errno, "send_failed")


class Receiver(Protocol):
    """Who gets what was read: ``receive`` for each run of one sender's datagrams, then ``settle`` once."""

    def receive(self, path: Path, datagrams: Sequence[bytes]) -> None:
        """Take datagrams that came by path."""

    def settle(self) -> None:
        """Do what they ask for."""


@implementer(IReadDescriptor, IWriteDescriptor)
class UdpPort:
    """One bound socket and its place on the reactor. carrier is its index among the node's ways out."""

    log = Logger()

    def __init__(
        self,
        reactor: Any,
        sock: socket.socket,
        carrier: int,
        receiver: Receiver,
        *,
        limits: Limits,
        counters: dict[str, int],
    ) -> None:
        self._reactor = reactor
        self._socket = sock
        self._receiver = receiver
        self._limits = limits
        self._counters = counters
        for name in COUNTERS:
            counters.setdefault(name, 0)
        name = sock.getsockname()
        self.host: str = name[0]
        self.port: int = name[1]
        self._ipv6 = is_ipv6(self.host)
        self._book = AddressBook(carrier, self._ipv6)
        self._buffer = bytearray(_BUFFER)
        self._view = memoryview(self._buffer)
        self._receive: Any = sock.recvmsg_into if coalesces(sock) else self._receive_plainly
        self._segments = segments(sock)
        self._lone = 0
        self._strangers = Strangers()
        self._again: Any = None
        self._dropped = 0
        self._waiting: deque[tuple[bytes, SockAddr]] = deque()
        self.closed = False

    # --- what the reactor asks for ------------------------------------------------------------------------------------

    def fileno(self) -> int:
        """The socket's descriptor, -1 when closed."""
        return self._socket.fileno()

    def logPrefix(self) -> str:
        """How log lines of this socket begin."""
        return f"rhotwist-udp-{self.port}"

    def connectionLost(self, reason: Failure) -> None:
        """The reactor stops, or found the descriptor dead."""
        self.close()

    # --- reading ------------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin to read."""
        self._reactor.addReader(self)

    def doRead(self) -> None:
        """Read what has come, within the limits, and have it settled once at the end."""
        # After a wake-up that brought one datagram the next one stops after one, except for every eighth.
        most = self._limits.read_datagrams if self._lone & _PROBE == 0 else 1
        until = _monotonic() + self._limits.read_seconds
        reads = self._read(most, until)
        if most > 1:
            self._lone = 1 if reads <= 1 else 0
        else:
            self._lone += 1
        self._receiver.settle()
        if self._strangers:
            self._hear(until)

    def _read(self, most: int, until: float) -> int:
        """Make at most that many system calls; how many brought or cost something."""
        buffer, view = self._buffer, self._view
        buffers, datagrams = (buffer,), 0
        for reads in range(most):
            try:
                size, ancillary, _, sender = self._receive(buffers, _ANCILLARY)
            except BlockingIOError:
                break
            except OSError as error:
                # An ICMP message about something sent earlier (Linux: only if asked for; Windows: always), or worse. It
                # counts like a datagram, so that a socket full of errors cannot hold the reactor either.
                self._read_failed(error)
            else:
                # The socket asks for no other ancillary data than the segment size.
                segment = _SEGMENT.unpack(ancillary[0][2])[0] if ancillary else 0
                datagrams += -(-size // segment) if segment else 1
                if size >= RETRY_SIZE and buffer[0] & 15 == HELLO and not buffer[3]:
                    self._strangers.take(buffer, size, segment, sender)
                elif segment and buffer[0] & 15 == OBJECT:
                    self._give_train(Train(view[:size], segment), sender)
                else:
                    self._give(bytes(view[:size]), segment, sender)
            if self.closed or _monotonic() >= until:
                reads += 1
                break
        else:
            reads = most
        self._counters["read_datagrams"] += datagrams
        return reads

    def _give(self, data: bytes, segment: int, sender: SockAddr) -> None:
        """Hand over what one read brought; segment is the size of its datagrams if there are several."""
        receive = self._receiver.receive
        pieces = split(data, segment) if segment else (data,)
        path = self._book.paths.get(sender) or self._book.path(sender)
        if len(data) > TOGETHER:
            together = TOGETHER // len(pieces[0]) + 1
            while len(pieces) >= together:
                receive(path, pieces[:together])
                self._receiver.settle()
                pieces = pieces[together:]
        if pieces:
            receive(path, pieces)

    def _give_train(self, train: Train, sender: SockAddr) -> None:
        """Hand over packets of objects, a whole read at once and where they lie: they are opened into another place."""
        self._receiver.receive(self._book.paths.get(sender) or self._book.path(sender), train)
        if len(train.data) > TOGETHER:
            self._receiver.settle()

    def _hear(self, until: float) -> None:
        """Hand over Hellos without a cookie for as long as there is time; if some are left, go on in the next turn."""
        strangers, least = self._strangers, LEAST
        while strangers and (least > 0 or _monotonic() < until):
            self._give(*strangers.next())
            least -= 1
        self._receiver.settle()
        if strangers and self._again is None:
            self._again = self._reactor.callLater(0, self._go_on)

    def _go_on(self) -> None:
        self._again = None
        self.doRead()

    def admit(self, turn: Turn | None) -> tuple[int, float]:
        """Hand over only those Hellos without a cookie whose turn it is, from now on; None for all. How many datagrams
        were dropped unread since it was called last, and how crowded it is before us, from 0 to 1."""
        if self.closed:
            return 0, 0.0
        strangers = self._strangers
        if turn is None:
            strangers.turn = None
            filters.detach(self._socket)
        else:
            strangers.turn = None if filters.attach(self._socket, turn, self._ipv6) else turn
        before, (self._dropped, full) = self._dropped, filters.crowd(self._socket)
        dropped = strangers.dropped + (self._dropped - before) % 2**32
        strangers.dropped = 0
        self._counters["read_dropped"] += dropped
        return dropped, max(full, strangers.full)

    def _receive_plainly(self, buffers: Sequence[bytearray], room: int) -> tuple[int, list[Any], int, SockAddr]:
        """``recvmsg_into`` where there is no ancillary data, or no recvmsg."""
        size, sender = self._socket.recvfrom_into(buffers[0])
        return size, [], 0, sender

    def _read_failed(self, error: OSError) -> None:
        refused = isinstance(error, (ConnectionRefusedError, ConnectionResetError))
        self._counters["read_refused" if refused else "read_failed"] += 1

    # --- sending ------------------------------------------------------------------------------------------------------

    def send(self, address: bytes, datagrams: Sequence[bytes]) -> None:
        """Send datagrams, in order, to 18 bytes of address. Never raises for what the network says."""
        sockaddr = self._book.sockaddrs.get(address) or self._book.sockaddr(address)
        if sockaddr is None or self.closed:
            self._counters["send_unreachable"] += len(datagrams)
            return
        if self._waiting:
            self._wait(datagrams, sockaddr)
        elif len(datagrams) >= RUN_LEAST and self._segments:
            if type(datagrams) is Train:
                self._send_train(datagrams, sockaddr)
            else:
                self._send_runs(datagrams, sockaddr)
        else:
            self._send_singly(datagrams, sockaddr)

    def _send_singly(self, datagrams: Sequence[bytes], sockaddr: SockAddr) -> bool:
        """False if the socket is full; what is left waits."""
        sendto = self._socket.sendto
        sent = 0
        for at, datagram in enumerate(datagrams):
            try:
                sendto(datagram, sockaddr)
                sent += 1
            except OSError as error:
                if error.errno in _FULL:
                    self._counters["sent_datagrams"] += sent
                    self._wait(datagrams[at:], sockaddr)
                    return False
                self._drop(error)
        self._counters["sent_datagrams"] += sent
        return True

    def _send_runs(self, datagrams: Sequence[bytes], sockaddr: SockAddr) -> None:
        at = 0
        while at < len(datagrams):
            end = run(datagrams, at)
            if end - at >= RUN_LEAST and self._segments:
                at += self._send_segments(Train(b"".join(datagrams[at:end]), len(datagrams[at])), sockaddr)
            if not self._send_singly(datagrams[at:end], sockaddr):
                self._wait(datagrams[end:], sockaddr)
                return
            at = end

    def _send_train(self, train: Train, sockaddr: SockAddr) -> None:
        most = min(TRAIN_MOST, max(1, TRAIN_BYTES // train.size))
        for at in range(0, len(train), most):
            part = train[at : at + most] if len(train) > most else train
            sent = self._send_segments(part, sockaddr) if len(part) >= RUN_LEAST and self._segments else 0
            if not self._send_singly(part[sent:], sockaddr):
                self._wait(train[at + most :], sockaddr)
                return

    def _send_segments(self, train: Train, sockaddr: SockAddr) -> int:
        """One segmented send. How many of the datagrams have gone; the others must be sent one by one."""
        segment = [(IPPROTO_UDP, UDP_SEGMENT, _SEGMENT_OUT.pack(train.size))]
        try:
            self._socket.sendmsg((train.data,), segment, 0, sockaddr)
        except OSError as error:
            if error.errno not in _NO_SEGMENTS:
                return 0
        else:
            self._counters["sent_datagrams"] += len(train)
            return len(train)
        # Whose fault is it? The same errors come for an address or a size that a plain send is refused for, too, and no
        # peer shall talk us out of segmenting by having port 0.
        try:
            self._socket.sendto(train[0], sockaddr)
        except OSError:
            return 0
        self._segments = False
        self._counters["send_segments_given_up"] += 1
        self._counters["sent_datagrams"] += 1
        return 1

    def _drop(self, error: OSError) -> None:
        self._counters[counter_of(error)] += 1

    def _wait(self, datagrams: Sequence[bytes], sockaddr: SockAddr) -> None:
        if not datagrams:
            return
        if not self._waiting:
            self._reactor.addWriter(self)
        self._counters["send_waited"] += len(datagrams)
        self._waiting.extend([(datagram, sockaddr) for datagram in datagrams])
        while len(self._waiting) > QUEUE_MOST:
            self._waiting.popleft()
            self._counters["send_overflow"] += 1

    def doWrite(self) -> None:
        """The socket takes datagrams again: send what waited."""
        while self._waiting and not self.closed:
            datagram, sockaddr = self._waiting[0]
            try:
                self._socket.sendto(datagram, sockaddr)
                self._counters["sent_datagrams"] += 1
            except OSError as error:
                if error.errno == errno.ENOBUFS:
                    # Full below the socket, which polls as writable all the same: giving one up for each turn of the
                    # reactor keeps us from spinning for ever.
                    self._counters["send_overflow"] += 1
                    self._waiting.popleft()
                    break
                if error.errno in _FULL:
                    break
                self._drop(error)
            self._waiting.popleft()
        if not self._waiting:
            self._reactor.removeWriter(self)

    # --- ending -------------------------------------------------------------------------------------------------------

    def loseConnection(self) -> None:
        """The same as close, by the name the reactor's other ports have."""
        self.close()

    def close(self) -> None:
        """Leave the reactor and close the socket, at once; what still waits is dropped. Closing twice does nothing."""
        if self.closed:
            return
        self.closed = True
        self._waiting.clear()
        self._strangers.clear()
        if self._again is not None:
            self._again.cancel()
        self._reactor.removeReader(self)
        self._reactor.removeWriter(self)
        self._socket.close()

