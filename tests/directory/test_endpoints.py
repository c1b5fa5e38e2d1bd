"""Endpoints: one byte string each, and none that aims at somebody's private net."""

from __future__ import annotations

import ipaddress
from random import Random

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from rhotwist.directory.endpoints import Endpoint, Kind, at_ip, crowd_of, is_public, read_endpoints, unpack
from rhotwist.errors import LocalError
from tests import FULL
from tests.wire.support import refused

KEY = bytes(range(32))
PORTS = st.integers(1, 65_535)


def octets(size: int) -> st.SearchStrategy[bytes]:
    """Bytes that are no mapped address."""
    return st.binary(min_size=size, max_size=size).map(lambda value: b"\x20" + value[1:])


ENDPOINTS = st.one_of(
    st.builds(Endpoint, st.sampled_from([Kind.UDP4, Kind.TCP4]), octets(4), PORTS),
    st.builds(Endpoint, st.sampled_from([Kind.UDP6, Kind.TCP6]), octets(16), PORTS),
    st.builds(Endpoint, st.just(Kind.ONION), octets(32), PORTS),
    st.builds(Endpoint, st.just(Kind.RELAY), octets(32), st.just(0)),
)


def public(host: str, carrier: str = "udp") -> bool:
    return is_public(at_ip(carrier, host, 1).encode())


class EndpointTests(SynchronousTestCase):
    @given(ENDPOINTS)
    def test_one_comes_back_from_its_bytes(self, endpoint: Endpoint) -> None:
        self.assertEqual(endpoint, unpack(endpoint.encode()))

    @given(st.lists(ENDPOINTS, unique=True, max_size=6))
    def test_many_come_back_in_their_one_order(self, many: list[Endpoint]) -> None:
        encoded = sorted(endpoint.encode() for endpoint in many)
        self.assertEqual(tuple(encoded), read_endpoints(b"?" + b"".join(encoded), 1, len(encoded)))

    def test_a_host_says_its_type(self) -> None:
        for carrier, host, kind in (
            ("udp", "192.0.2.1", 1), ("udp", "2001:db8::1", 2), ("tcp", "192.0.2.1", 3), ("tcp", "2001:db8::1", 4),
        ):  # fmt: skip
            made = at_ip(carrier, host, 7460)
            self.assertEqual((kind, host, 7460), (made.kind, made.host, made.port))
        for wrong in (("sctp", "192.0.2.1"), ("udp", "example.org")):
            self.assertRaises(LocalError, at_ip, *wrong, 1)
        self.assertRaises(LocalError, getattr, Endpoint(Kind.RELAY, KEY), "host")

    def test_what_is_none_is_not_written(self) -> None:
        for wrong in (
            Endpoint(0, KEY), Endpoint(7, KEY), Endpoint(300, KEY), Endpoint(Kind.RELAY, KEY, 1),
            Endpoint(Kind.RELAY, KEY[1:]),
            Endpoint(Kind.UDP4, bytes(4), 0), Endpoint(Kind.UDP4, bytes(4), 65_536), Endpoint(Kind.UDP4, bytes(4), -1),
            Endpoint(Kind.UDP4, bytes(16), 1), at_ip("tcp", "::ffff:192.0.2.1", 1), Endpoint(Kind.ONION, KEY, 0),
        ):  # fmt: skip
            self.assertRaises(LocalError, wrong.encode)

    def test_what_is_none_is_refused_by_its_reason(self) -> None:
        one, two = at_ip("udp", "192.0.2.1", 1).encode(), at_ip("udp", "192.0.2.2", 1).encode()
        for data, count, reason in (
            (one[:-1], 1, "short"), (b"", 1, "type"), (one, 2, "type"), (b"\0" + one[1:], 1, "type"),
            (b"\7" + bytes(40), 1, "type"), (one[:-2] + b"\0\0", 1, "port"), (two + one, 2, "order"),
            (one + one, 2, "order"),
            (b"\2" + bytes(10) + b"\xff\xff\1\2\3\4\0\1", 1, "mapped"), (one + two, 2, None), (b"", 0, None),
        ):  # fmt: skip
            self.assertEqual(reason, refused(lambda data, count=count: read_endpoints(data, 0, count), data), data)


class PublicTests(SynchronousTestCase):
    """What a stranger may name."""

    def test_nobody_s_private_net_is_named_by_a_stranger(self) -> None:
        for network in (
            "0.0.0.0/8", "10.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16",
            "100.64.0.0/10",
            "224.0.0.0/3", "192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "198.18.0.0/15",
            "fc00::/7", "fe80::/10", "ff00::/8", "2001:db8::/32", "3fff::/20", "2002::/16", "64:ff9b::/96", "::/127",
        ):  # fmt: skip
            net = ipaddress.ip_network(network)
            for host in (net[0], net[-1]):
                self.assertFalse(public(str(host)) or public(str(host), "tcp"), host)

    def test_what_lies_beside_is_taken(self) -> None:
        for host in (
            "1.0.0.0", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "126.255.255.255", "128.0.0.0",
            "169.253.255.255", "169.255.0.0", "172.15.255.255", "172.32.0.0", "192.167.255.255", "192.169.0.0",
            "223.255.255.255", "198.17.255.255", "198.20.0.0", "2000::", "2001:200::", "2001:db9::", "2003::",
            "2a00::1",
            "3ffe::", "3fff:1000::",
        ):  # fmt: skip
            self.assertTrue(public(host) and public(host, "tcp"), host)

    def test_what_ipaddress_calls_private_is_never_public_and_few_others_are_not(self) -> None:
        random = Random(1)
        beyond = [ipaddress.ip_network(net) for net in (
            "192.0.0.0/24", "192.88.99.0/24", "2001::/23", "2002::/16", "3fff::/20",
        )]  # fmt: skip
        for _ in range(100_000 if FULL else 3_000):
            ip: ipaddress.IPv4Address | ipaddress.IPv6Address = ipaddress.IPv4Address(random.randbytes(4))
            if random.random() < 0.5:
                ip = ipaddress.IPv6Address(bytes((random.randrange(0x20, 0x40),)) + random.randbytes(15))
            more = any(ip in net for net in beyond if net.version == ip.version)
            self.assertEqual(ip.is_global and not ip.is_multicast and not more, public(str(ip)), ip)

    def test_onion_services_and_relays_are_everybody_s(self) -> None:
        self.assertTrue(is_public(Endpoint(Kind.ONION, bytes(32), 1).encode()))
        self.assertTrue(is_public(Endpoint(Kind.RELAY, bytes(32)).encode()))

    def test_neighbours_share_a_crowd(self) -> None:
        def crowd(carrier: str, host: str) -> bytes | None:
            return crowd_of(at_ip(carrier, host, 1).encode())

        self.assertEqual(crowd("udp", "8.8.8.1"), crowd("tcp", "8.8.8.200"))
        self.assertNotEqual(crowd("udp", "8.8.8.1"), crowd("udp", "8.8.9.1"))
        self.assertEqual(crowd("udp", "2a00:1:2:3::1"), crowd("tcp", "2a00:1:2:4::"))
        self.assertNotEqual(crowd("udp", "2a00:1:2::"), crowd("udp", "2a00:1:3::"))
        self.assertEqual(KEY, crowd_of(Endpoint(Kind.ONION, KEY, 1).encode()))
        self.assertIsNone(crowd_of(Endpoint(Kind.RELAY, KEY).encode()))
