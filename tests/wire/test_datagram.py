"""Addresses as 18 bytes, prefixes, and what the kernel glued together taken apart."""

from ipaddress import IPv4Address, IPv6Address

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from rhotwist.wire.datagram import (
    ADDRESS,
    TRAIN_BYTES,
    TRAIN_MOST,
    Burst,
    Path,
    Train,
    couple,
    is_public,
    pack_address,
    prefix,
    split,
    unpack_address,
)
from tests.keys.pages import vectors

IPS = st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6))


class AddressTests(SynchronousTestCase):
    def test_only_unicast_addresses_of_the_open_internet_with_a_port_are_public(self) -> None:
        inside = ("127.0.0.1", "10.1.2.3", "192.168.1.1", "172.16.0.1", "169.254.1.1", "224.0.0.1", "0.0.0.0", "::1",
                  "fe80::1", "fd00::1", "ff02::1", "255.255.255.255")  # fmt: skip
        for host in inside:
            self.assertFalse(is_public(pack_address(host, 7460)), host)
        for host in ("9.9.9.9", "2620:fe::fe"):
            self.assertTrue(is_public(pack_address(host, 7460)), host)
            self.assertFalse(is_public(pack_address(host, 0)), host)

    def test_the_page_says_what_the_code_does(self) -> None:
        page = vectors("packets.md")
        for host, port in (("192.0.2.1", 7460), ("2001:db8::1", 65535)):
            data = bytes.fromhex(page[f"address {host}, port {port}"])
            self.assertEqual((pack_address(host, port), len(data)), (data, ADDRESS))
            self.assertEqual(unpack_address(data), (host, port))

    @given(IPS, st.integers(0, 65535))
    def test_an_address_comes_back_from_its_bytes(self, ip: IPv4Address | IPv6Address, port: int) -> None:
        mapped = ip.ipv4_mapped if isinstance(ip, IPv6Address) else None
        self.assertEqual(unpack_address(pack_address(str(ip), port)), (str(mapped or ip), port))

    def test_a_mapped_address_is_its_ipv4_address(self) -> None:
        self.assertEqual(pack_address("::ffff:192.0.2.1", 5), pack_address("192.0.2.1", 5))

    def test_what_is_no_address_or_port_is_told(self) -> None:
        for host, port in (("localhost", 1), ("192.0.2.256", 1), ("", 1), ("192.0.2.1", -1), ("192.0.2.1", 65536)):
            error = self.assertRaises(ValueError, pack_address, host, port)
            self.assertIn(host if port == 1 else str(port), str(error))
        self.assertEqual(unpack_address(pack_address("::", 0)), ("::", 0))

    def test_a_prefix_is_what_one_household_has(self) -> None:
        self.assertEqual(prefix(pack_address("192.0.2.1", 1)), prefix(pack_address("192.0.2.1", 2)))
        self.assertNotEqual(prefix(pack_address("192.0.2.1", 1)), prefix(pack_address("192.0.2.2", 1)))
        self.assertEqual(prefix(pack_address("2001:db8::1", 1)), prefix(pack_address("2001:db8::ffff:1", 9)))
        self.assertNotEqual(prefix(pack_address("2001:db8::1", 1)), prefix(pack_address("2001:db8:0:1::1", 1)))
        self.assertEqual(prefix(pack_address("2001:db8::1", 1)), bytes.fromhex("20010db800000000"))


class SplitTests(SynchronousTestCase):
    @given(st.lists(st.just(b"abcd"), min_size=1, max_size=9), st.binary(min_size=1, max_size=4))
    def test_equal_pieces_and_a_shorter_last_one_come_apart(self, pieces: list[bytes], last: bytes) -> None:
        self.assertEqual(split(b"".join([*pieces, last]), 4), [*pieces, last])

    def test_what_was_not_glued_stays_whole(self) -> None:
        for segment in (-1, 0, 4, 5):
            self.assertEqual(list(split(b"abcd", segment)), [b"abcd"])
        self.assertEqual(list(split(b"", 0)), [b""])
        self.assertEqual(list(split(b"abcd", 3)), [b"abc", b"d"])


class TrainTests(SynchronousTestCase):
    def test_it_is_the_sequence_of_its_datagrams(self) -> None:
        for data in (b"aaabbbc", memoryview(bytearray(b"aaabbbc"))):
            train = Train(data, 3)
            self.assertEqual((list(train), len(train)), ([b"aaa", b"bbb", b"c"], 3))
            self.assertEqual((train[0], train[2], train[-1], train[-3]), (b"aaa", b"c", b"c", b"aaa"))
            self.assertRaises(IndexError, train.__getitem__, 3)
            self.assertEqual([list(train[at:]) for at in range(4)], [list(train)[at:] for at in range(4)])
            self.assertEqual(list(train[:-1]), [b"aaa", b"bbb"])
        self.assertEqual((list(Train(b"", 5)), bool(Train(b"", 5))), ([], False))

    def test_what_is_taken_out_is_a_copy(self) -> None:
        buffer = bytearray(b"aabb")
        train = Train(memoryview(buffer), 2)
        kept = [*train, train[1]]
        buffer[:] = b"xxxx"
        self.assertEqual(kept, [b"aa", b"bb", b"bb"])

    def test_it_tells_whether_all_begin_alike(self) -> None:
        train = Train(b"abcabdab", 3)
        for head, alike in ((b"", True), (b"a", True), (b"ab", True), (b"abc", False), (b"b", False)):
            self.assertEqual(train.begins_with(head), alike)

    def test_what_is_coupled_keeps_the_kernels_limits_and_its_order(self) -> None:
        for size, count in ((1, 200), (1232, 200), (1400, 100), (30_000, 7), (65_000, 3)):
            datagrams = [bytes([at % 256]) * size for at in range(count)] + [b"z"]
            reads = couple(datagrams)
            self.assertEqual([datagram for read in reads for datagram in read], datagrams)
            for read in reads:
                self.assertLessEqual(len(read), TRAIN_MOST)
                self.assertTrue(len(read) == 1 or sum(map(len, read)) <= TRAIN_BYTES)
        mixed = [b"", b"aa", b"bb", b"c", b"ddd", b"", b"e"]
        self.assertEqual([list(read) for read in couple(mixed)], [[b""], [b"aa", b"bb", b"c"], [b"ddd"], [b""], [b"e"]])


class PathTests(SynchronousTestCase):
    def test_a_path_is_a_datagram_path_unless_it_says_stream(self) -> None:
        one, two = Path(0, bytes(18)), Path(0, bytes(18), True)
        self.assertEqual((one.stream, two.stream), (False, True))
        self.assertEqual(len({one, two, Path(0, bytes(18)), Path(1, bytes(18))}), 3)
        self.assertEqual(Burst(one, [b"a"]).path, one)
