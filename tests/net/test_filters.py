"""The kernel's part in sorting Hellos out: its program run by hand, and by the kernel of this machine."""

from __future__ import annotations

import os
import socket
import struct
from ipaddress import ip_address
from typing import Any

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from rhotwist.link.sieve import PLACES, Turn
from rhotwist.net import filters
from rhotwist.net.filters import attach, crowd, detach, is_bare, passes, program
from rhotwist.net.sockets import open_udp
from rhotwist.testing.network import Network
from rhotwist.wire.packet import COOKIE, FINISH, HELLO, HELLO_TAIL, SMALL, Header
from tests.net.fakes import FakeSocket

BODY = bytes(HELLO_TAIL + 60)
NOBODY = Turn(bytes(24), 1, 0)


def hello(code: int = 7, flags: int = 0) -> bytes:
    """The head of a Hello, and enough behind it."""
    return Header(HELLO, 4, 1, flags, code, 0).encode() + BODY


OTHERS = {
    "a cookie's": hello(flags=COOKIE), "a Finish": Header(FINISH, 4, 1, 0, 7, 9).encode() + BODY,
    "a session's": bytes([SMALL]) + BODY, "short": hello()[:63], "one byte": b"\x11", "empty": b"",
}  # fmt: skip


def run(code: bytes, data: bytes, ip: str, port: int) -> int:
    """What the program returns for a datagram from there: classic BPF, as Linux describes it (filter.txt)."""
    address = ip_address(ip).packed
    head = bytes(8 if len(address) == 16 else 12) + address
    packet = struct.pack("!HHHH", port, 7460, 8 + len(data), 0) + data

    def load(at: int, size: int) -> int | None:
        held, at = (head, at - 0xFFF00000) if at >= 0xFFF00000 else (packet, at)
        return int.from_bytes(held[at : at + size], "big") if at + size <= len(held) else None

    steps = [struct.unpack_from("HBBI", code, at) for at in range(0, len(code), 8)]
    a = x = at = 0
    while True:
        op, yes, no, k = steps[at]
        at += 1
        if op in (0x30, 0x28, 0x20):
            loaded = load(k, {0x30: 1, 0x28: 2, 0x20: 4}[op])
            if loaded is None:
                return 0
            a = loaded
        elif op == 0x80:
            a = len(packet)
        elif op == 0x07:
            x = a
        elif op in (0x54, 0x24, 0x14, 0x0C):
            a = {0x54: a & k, 0x24: a * k, 0x14: a - k, 0x0C: a + x}[op] % PLACES
        elif op in (0x15, 0x35):
            at += yes if (a == k if op == 0x15 else a >= k) else no
        else:
            return k


class ProgramTests(SynchronousTestCase):
    """What the program says."""

    def setUp(self) -> None:
        self.chance = Network(1).chance("filters")

    def senders(self, ipv6: bool) -> list[tuple[str, int, int]]:
        """Hosts, ports and hashcodes as a flood would have them."""
        hosts = [f"2001:db8::{n:x}:1" if ipv6 else f"127.{n % 250}.3.{n // 250 + 1}" for n in range(400)]
        return [(host, 1024 + n, n % 50 + 1) for n, host in enumerate(hosts)]

    def test_windows_side_by_side_let_everybody_through_once(self) -> None:
        for ipv6 in (False, True):
            key = self.chance.randbytes(24)
            turns = [Turn(key, (99 + n * (PLACES // 4)) % PLACES, PLACES // 4) for n in range(4)]
            codes = [program(turn, ipv6) for turn in turns]
            through = [[bool(run(one, hello(code), ip, port)) for one in codes]
                       for ip, port, code in self.senders(ipv6)]  # fmt: skip
            self.assertEqual({sum(one) for one in through}, {1})
            shares = [sum(column) / len(through) for column in zip(*through, strict=True)]
            self.assertTrue(all(0.1 < share < 0.4 for share in shares), shares)

    def test_address_port_and_hashcode_each_matter_and_the_key_does(self) -> None:
        for ipv6, ip, other in ((False, "192.0.2.1", "192.0.2.2"), (True, "2001:db8::1", "2001:db8:0:1::1")):
            differ = dict.fromkeys(("ip", "port", "code", "key"), 0)
            for _ in range(50):
                turn = Turn(self.chance.randbytes(24), 0, PLACES // 2)
                code = program(turn, ipv6)
                base = run(code, hello(1), ip, 4000)
                differ["ip"] += run(code, hello(1), other, 4000) != base
                differ["port"] += run(code, hello(1), ip, 4001) != base
                differ["code"] += run(code, hello(2), ip, 4000) != base
                differ["key"] += run(program(turn._replace(key=self.chance.randbytes(24)), ipv6),
                                     hello(1), ip, 4000) != base  # fmt: skip
            self.assertTrue(all(10 <= count <= 45 for count in differ.values()), differ)

    def test_all_but_hellos_without_a_cookie_pass_whole(self) -> None:
        code = program(NOBODY, False)
        self.assertEqual(run(code, hello(), "192.0.2.1", 4000), 0)
        for name, data in OTHERS.items():
            self.assertEqual((name, run(code, data, "192.0.2.1", 4000)), (name, 0xFFFFFFFF))

    def test_by_hand_it_is_the_same(self) -> None:
        self.assertTrue(is_bare(hello()))
        self.assertEqual([name for name, data in OTHERS.items() if is_bare(data)], [])
        turns = [Turn(b"k" * 24, 99 + n * (PLACES // 4), PLACES // 4) for n in range(4)]
        through = [[passes(turn, (ip, port), code.to_bytes(4, "big")) for turn in turns]
                   for ip, port, code in self.senders(False)]  # fmt: skip
        self.assertEqual({sum(one) for one in through}, {1})


class KernelTests(SynchronousTestCase):
    """This machine's kernel, if it does such things."""

    def socket(self, host: str) -> socket.socket:
        try:
            made = open_udp(host, 0)
        except OSError as error:
            raise SkipTest(f"no {host} here") from error
        self.addCleanup(made.close)
        return made

    def through(self, host: str, data: bytes) -> bool:
        self.away.sendto(data, self.here.getsockname())
        try:
            return self.here.recv(2000) == data
        except BlockingIOError:
            return False

    def test_the_kernel_drops_those_whose_turn_it_is_not_until_told_otherwise(self) -> None:
        for host in ("127.0.0.1", "::1"):
            self.here, self.away = self.socket(host), self.socket(host)
            if not attach(self.here, NOBODY, ":" in host):
                raise SkipTest("this kernel takes no filters")
            before = crowd(self.here)[0]
            self.assertFalse(self.through(host, hello()))
            for data in OTHERS.values():
                self.assertTrue(self.through(host, data))
            self.assertEqual((crowd(self.here)[0] - before, crowd(self.here)[1]), (1, 0.0))
            detach(self.here)
            self.assertTrue(self.through(host, hello()))
            detach(self.here)

    def test_it_agrees_with_the_program_run_by_hand(self) -> None:
        self.here, self.away = self.socket("127.0.0.1"), self.socket("127.0.0.1")
        turn = Turn(os.urandom(24), 5, PLACES // 3)
        if not attach(self.here, turn, False):
            raise SkipTest("this kernel takes no filters")
        code, port = program(turn, False), self.away.getsockname()[1]
        for number in range(1, 60):
            expected = bool(run(code, hello(number), "127.0.0.1", port))
            self.assertEqual(self.through("127.0.0.1", hello(number)), expected, (turn, port, number))

    def test_how_full_the_buffer_is_can_be_seen(self) -> None:
        self.here, self.away = self.socket("127.0.0.1"), self.socket("127.0.0.1")
        self.away.sendto(bytes(1200), self.here.getsockname())
        if crowd(self.here)[1] == 0.0:
            raise SkipTest("this kernel does not say")
        self.assertTrue(0.0 < crowd(self.here)[1] < 0.5)

    def test_a_kernel_that_offers_nothing_is_believed(self) -> None:
        plain: Any = FakeSocket(coalesces=False)
        detach(plain)
        self.assertEqual((attach(plain, NOBODY, False), crowd(plain)), (False, (0, 0.0)))
        self.patch(filters, "_LINUX", False)
        other: Any = FakeSocket()
        self.assertEqual((attach(other, NOBODY, False), crowd(other), other.options), (False, (0, 0.0), []))
