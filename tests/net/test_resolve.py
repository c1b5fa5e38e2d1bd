"""Host names."""

from __future__ import annotations

from typing import Any

from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.defer import CancelledError
from twisted.internet.error import DNSLookupError
from twisted.trial.unittest import SynchronousTestCase

from rhotwist.net.resolve import is_ip, resolve


class FakeResolver:
    """A reactor's nameResolver that answers when it is told."""

    def __init__(self) -> None:
        self.asked: list[Any] = []
        self.receiver: Any = None

    @property
    def nameResolver(self) -> FakeResolver:
        return self

    def resolveHostName(self, receiver: Any, *asked: Any) -> None:
        self.receiver, self.asked = receiver, [*asked]
        receiver.resolutionBegan(None)

    def answer(self, *addresses: Any) -> None:
        for address in addresses:
            self.receiver.addressResolved(address)
        self.receiver.resolutionComplete()


class ResolveTests(SynchronousTestCase):
    """Names to addresses."""

    def test_what_is_an_address_needs_no_looking_up(self) -> None:
        self.assertEqual(
            [is_ip(host) for host in ("192.0.2.1", "2001:db8::1", "example.org", "localhost")],
            [True, True, False, False],
        )

    def test_addresses_come_in_the_resolvers_order(self) -> None:
        resolver = FakeResolver()
        found = resolve(resolver, "example.org", 9, (IPv4Address, IPv6Address))
        self.assertEqual(resolver.asked, ["example.org", 9, [IPv4Address, IPv6Address], "UDP"])
        resolver.answer(IPv6Address("UDP", "2001:db8::1", 9), UNIXAddress("x"), IPv4Address("UDP", "192.0.2.1", 9))
        self.assertEqual(self.successResultOf(found), ["2001:db8::1", "192.0.2.1"])

    def test_no_address_is_a_failure(self) -> None:
        resolver = FakeResolver()
        found = resolve(resolver, "example.org", 9, (IPv4Address,))
        resolver.answer()
        self.failureResultOf(found, DNSLookupError)

    def test_an_answer_after_the_cancel_is_ignored(self) -> None:
        resolver = FakeResolver()
        found = resolve(resolver, "example.org", 9, (IPv4Address,))
        found.cancel()
        self.failureResultOf(found, CancelledError)
        resolver.answer(IPv4Address("UDP", "192.0.2.1", 9))
