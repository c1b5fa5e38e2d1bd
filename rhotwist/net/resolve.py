"""Host names to addresses. Only what a user typed is ever looked up; records and peers name IP addresses."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Sequence
from typing import Any

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import Deferred
from twisted.internet.error import DNSLookupError
from twisted.internet.interfaces import IAddress, IHostResolution, IResolutionReceiver
from zope.interface import implementer


def is_ip(host: str) -> bool:
    """True for an IP address as text, which needs no look-up."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


@implementer(IResolutionReceiver)
class _Found:
    def __init__(self, done: Callable[[list[str]], None]) -> None:
        self._hosts: list[str] = []
        self._done = done

    def resolutionBegan(self, resolutionInProgress: IHostResolution) -> None:
        """Nothing is known yet."""

    def addressResolved(self, address: IAddress) -> None:
        """One address."""
        if isinstance(address, (IPv4Address, IPv6Address)):
            self._hosts.append(address.host)

    def resolutionComplete(self) -> None:
        """There are no more."""
        self._done(self._hosts)


def resolve(reactor: Any, host: str, port: int, families: Sequence[type]) -> Deferred[list[str]]:
    """The IP addresses of a name, of those families (IPv4Address, IPv6Address), in the resolver's order.

    Fails with DNSLookupError. Cancelling it fails it at once; the resolver's thread ends in its own time.
    """
    found: Deferred[list[str]] = Deferred()

    def done(hosts: list[str]) -> None:
        if found.called:
            return
        if hosts:
            found.callback(hosts)
        else:
            found.errback(DNSLookupError(f"{host} has no address that this node can send to"))

    reactor.nameResolver.resolveHostName(_Found(done), host, port, list(families), "UDP")
    return found
