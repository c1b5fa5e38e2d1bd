"""Socket addresses to the 18 bytes of our formats and back, remembered: each is asked for with every datagram."""

from __future__ import annotations

from socket import AF_INET, AF_INET6, inet_ntop, inet_pton
from typing import Any

from rhotwist.wire.datagram import Path

#: Addresses remembered each way; about 0.4 kB each. Beyond, all are forgotten, so that a flood of spoofed addresses
#: costs a microsecond each and no memory.
KEPT = 2_048
_MAPPED = bytes(10) + b"\xff\xff"

#: What the socket module takes and gives: host and port, and flow and scope behind them for IPv6.
SockAddr = tuple[Any, ...]


class AddressBook:
    """The addresses met on one socket. carrier is the socket's index, which every path of it carries.

    paths and sockaddrs are what it remembers; look there first, and call the methods for what is not there.
    """

    __slots__ = ("_carrier", "_ipv6", "paths", "sockaddrs")

    def __init__(self, carrier: int, ipv6: bool) -> None:
        self._carrier = carrier
        self._ipv6 = ipv6
        self.paths: dict[SockAddr, Path] = {}
        self.sockaddrs: dict[bytes, SockAddr] = {}

    def path(self, sender: SockAddr) -> Path:
        """The path back to whoever sent a datagram from there."""
        path = self.paths.get(sender)
        if path is None:
            host, port = sender[0], sender[1]
            if self._ipv6:
                packed = inet_pton(AF_INET6, host.partition("%")[0])
            else:
                packed = _MAPPED + inet_pton(AF_INET, host)
            path = Path(self._carrier, packed + port.to_bytes(2, "big"))
            if len(self.paths) >= KEPT:
                self.paths.clear()
            self.paths[sender] = path
            # Remembered for the way back, too: a link-local IPv6 address is nothing without its scope.
            self._remember(path.address, sender)
        return path

    def sockaddr(self, address: bytes) -> SockAddr | None:
        """What to hand to the socket for those 18 bytes. None if they are of the other family."""
        known = self.sockaddrs.get(address)
        if known is not None:
            return known
        mapped = address[:12] == _MAPPED
        if mapped is self._ipv6:
            return None
        port = int.from_bytes(address[16:18], "big")
        made: SockAddr
        if mapped:
            made = (inet_ntop(AF_INET, address[12:16]), port)
        else:
            made = (inet_ntop(AF_INET6, address[:16]), port, 0, 0)
        self._remember(address, made)
        return made

    def _remember(self, address: bytes, sockaddr: SockAddr) -> None:
        if len(self.sockaddrs) >= KEPT:
            self.sockaddrs.clear()
        self.sockaddrs[address] = sockaddr
