"""Opening UDP sockets with all that the kernel offers, and taking no offence where it offers less."""

from __future__ import annotations

import errno
import socket
import sys
from collections.abc import Sequence
from contextlib import suppress
from socket import (
    AF_INET,
    AF_INET6,
    IPPROTO_IP,
    IPPROTO_IPV6,
    IPPROTO_UDP,
    SO_RCVBUF,
    SO_REUSEADDR,
    SO_SNDBUF,
    SOCK_DGRAM,
    SOCK_STREAM,
    SOL_SOCKET,
)

from twisted.internet.error import CannotListenError

from rhotwist.errors import LocalError

# Names the socket module does not have (linux/udp.h, linux/in.h, linux/in6.h).
UDP_SEGMENT = 103
UDP_GRO = 104
_IP_MTU_DISCOVER = 10
_IPV6_MTU_DISCOVER = 23
_PMTUDISC_PROBE = 3

#: Bytes asked of the kernel for datagrams that wait to be read; it gives what net.core.rmem_max allows.
RECEIVE_BUFFER = 4 * 2**20
#: Connections that the kernel holds until they are taken.
BACKLOG = 128
#: Bytes asked for datagrams that wait to be sent.
SEND_BUFFER = 2**20

#: With port 0 the kernel chooses; every family shall get the same port, so it may have to choose again.
_TRIES = 16
_NO_FAMILY = (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL, errno.EPROTONOSUPPORT)
_LINUX = sys.platform.startswith("linux")


def is_ipv6(host: str) -> bool:
    """True for an IPv6 address as text."""
    return ":" in host


def open_tcp(host: str, port: int) -> socket.socket:
    """A non-blocking TCP socket that listens. host is as for ``open_udp``. Raises OSError.

    It listens at once: two that are only bound may share a port, and nobody would be told that it is taken.
    """
    ipv6 = is_ipv6(host)
    if not 0 <= port <= 0xFFFF:
        raise LocalError(f"port {port} is not from 0 to 65535")
    made = socket.socket(AF_INET6 if ipv6 else AF_INET, SOCK_STREAM)
    try:
        made.setblocking(False)
        if ipv6:
            made.setsockopt(IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        if not sys.platform.startswith("win"):  # there it would let others listen at the same port
            made.setsockopt(SOL_SOCKET, SO_REUSEADDR, 1)
        made.bind((host, port))
        made.listen(BACKLOG)
    except BaseException:
        made.close()
        raise
    return made


def open_udp(host: str, port: int) -> socket.socket:
    """A bound, non-blocking UDP socket. host is an IP address as text, "0.0.0.0" or "::" for all. Raises OSError.

    An IPv6 socket takes IPv6 only, so that each family has its own and an address looks the same on every system.
    """
    ipv6 = is_ipv6(host)
    if not 0 <= port <= 0xFFFF:
        raise LocalError(f"port {port} is not from 0 to 65535")
    made = socket.socket(AF_INET6 if ipv6 else AF_INET, SOCK_DGRAM)
    try:
        made.setblocking(False)
        if ipv6:
            made.setsockopt(IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        for name, size in ((SO_RCVBUF, RECEIVE_BUFFER), (SO_SNDBUF, SEND_BUFFER)):
            with suppress(OSError):
                made.setsockopt(SOL_SOCKET, name, size)
        if _LINUX:
            # We say how large a datagram may be; the kernel neither splits one nor believes an ICMP message about it.
            with suppress(OSError):
                if ipv6:
                    made.setsockopt(IPPROTO_IPV6, _IPV6_MTU_DISCOVER, _PMTUDISC_PROBE)
                else:
                    made.setsockopt(IPPROTO_IP, _IP_MTU_DISCOVER, _PMTUDISC_PROBE)
        made.bind((host, port))
    except BaseException:
        made.close()
        raise
    return made


def coalesces(sock: socket.socket) -> bool:
    """Ask the kernel to hand over runs of datagrams in one read (UDP_GRO). False where it cannot."""
    if not _LINUX or not hasattr(sock, "recvmsg_into"):
        return False
    try:
        sock.setsockopt(IPPROTO_UDP, UDP_GRO, 1)
    except OSError:
        return False
    return True


def segments(sock: socket.socket) -> bool:
    """True where the kernel takes runs of datagrams in one call (UDP_SEGMENT), as far as it tells beforehand."""
    if not _LINUX or not hasattr(sock, "sendmsg"):
        return False
    try:
        sock.getsockopt(IPPROTO_UDP, UDP_SEGMENT)
    except OSError:
        return False
    return True


def open_all(interface: Sequence[str], port: int, optional: bool, kind: int = SOCK_DGRAM) -> list[socket.socket]:
    """A bound UDP or TCP socket for each IP address, all at one port. Raises CannotListenError, and leaves none.

    port 0 is chosen by the kernel. optional: a family that this machine does not have may be left out.
    """
    for _ in range(_TRIES):
        try:
            return _open_once(interface, port, optional, kind)
        except CannotListenError as error:
            if port or error.socketError.errno != errno.EADDRINUSE:
                raise
            last = error
    raise last


def _open_once(interface: Sequence[str], port: int, optional: bool, kind: int) -> list[socket.socket]:
    opened: list[socket.socket] = []
    for host in interface:
        try:
            sock = open_udp(host, port) if kind == SOCK_DGRAM else open_tcp(host, port)
        except OSError as error:
            if optional and error.errno in _NO_FAMILY and (opened or host != interface[-1]):
                continue
            for other in opened:
                with suppress(OSError):
                    other.close()
            raise CannotListenError(host, port, error) from None
        opened.append(sock)
        port = port or sock.getsockname()[1]
    return opened
