"""Token buckets: each network gets its share, in bounded memory."""

import random

import attrs
from twisted.trial.unittest import SynchronousTestCase

from rhotwist.limits import Limits
from rhotwist.secret.buckets import PrefixBuckets
from rhotwist.wire.datagram import pack_address

LIMITS = Limits(prefix_rate=10.0, prefix_burst=20.0, prefix_max=50)


def v4(last: int, port: int = 1) -> bytes:
    return pack_address(f"192.0.2.{last}", port)


def v6(site: int, subnet: int = 0, host: int = 1) -> bytes:
    return pack_address(f"2001:db8:{site:x}:{subnet:x}::{host:x}", 1)


class BucketTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.buckets = PrefixBuckets(LIMITS, random.Random(1).randbytes)

    def taken(self, addresses: list[bytes], mono: float) -> int:
        return sum(self.buckets.take(address, mono) for address in addresses)

    def test_a_burst_is_given_at_once_and_then_the_rate(self) -> None:
        self.assertEqual(self.taken([v4(1)] * 100, 5.0), 20)
        self.assertEqual(self.taken([v4(1)] * 100, 5.05), 0)
        self.assertEqual(self.taken([v4(1)] * 100, 6.0), 10)
        self.assertEqual(self.taken([v4(1)] * 100, 1_000.0), 20)

    def test_asking_in_vain_costs_nothing(self) -> None:
        self.taken([v4(1)] * 20, 0.0)
        for tenth in range(1, 10):
            self.taken([v4(1)] * 5, tenth / 100)
        self.assertEqual(self.taken([v4(1)] * 5, 0.1), 1)

    def test_ports_share_and_addresses_do_not(self) -> None:
        self.assertEqual(self.taken([v4(1, port) for port in range(1, 100)], 0.0), 20)
        self.assertEqual(self.taken([v4(2)] * 100, 0.0), 20)

    def test_a_64_is_one_network_and_a_48_has_eight_times_as_much(self) -> None:
        self.assertEqual(self.taken([v6(1, 0, host) for host in range(1, 100)], 0.0), 20)
        self.assertEqual(self.taken([v6(1, subnet) for subnet in range(1, 40) for _ in range(20)], 0.0), 140)
        self.assertEqual(self.taken([v6(2)] * 100, 0.0), 20)
        self.assertEqual(self.taken([v6(1, 1)] * 100 + [v6(1, 77)] * 100, 1.0), 30)

    def test_a_full_48_takes_nothing_from_its_64(self) -> None:
        for subnet in range(8):
            self.taken([v6(1, subnet)] * 20, 0.0)
        self.assertEqual(self.taken([v6(1, 9)] * 50, 0.0), 0)
        self.assertEqual(self.taken([v6(1, 9)] * 50, 0.25), 20)

    def test_a_million_networks_take_no_more_memory_than_the_bound(self) -> None:
        for number in range(5_000):
            self.buckets.take(v6(number % 65536, number // 3), float(number))
            self.assertLessEqual(len(self.buckets), 50)

    def test_a_flood_of_networks_seldom_refills_the_bucket_of_one(self) -> None:
        buckets = PrefixBuckets(attrs.evolve(LIMITS, prefix_max=1_000), random.Random(3).randbytes)
        while buckets.take(v4(1), 0.0):
            pass
        for number in range(500):
            buckets.take(pack_address(f"10.0.{number >> 8}.{number & 255}", 1), 0.0)
        self.assertFalse(buckets.take(v4(1), 0.0))
