"""Packet headers: the page's bytes, and every Hello that no sender makes refused for its reason."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from rhotwist.errors import BadPacket
from rhotwist.wire.packet import (
    ACCEPT,
    COOKIE,
    FINISH,
    HEADER,
    HELLO,
    HELLO_TAIL,
    RETRY,
    TOKEN,
    TOKEN_REDIRECT,
    Header,
    Hello,
    read_header,
    read_hello,
    small_header,
)  # fmt: skip
from tests.keys.pages import vectors
from tests.wire.support import mutated, refused

U32 = st.integers(0, 2**32 - 1)
U8 = st.integers(0, 255)
HEADERS = st.builds(Header, st.sampled_from([HELLO, RETRY, ACCEPT, FINISH]), U8, U8, U8, U32, U32)


def hello(
    header: Header | None = None, noise: bytes = b"noise", cookie: bytes = bytes(16), puzzle: bytes = bytes(8)
) -> bytes:
    """A Hello from its parts."""
    return (header or Header(HELLO, 4, 1, 0, 9, 0)).encode() + noise + cookie + puzzle + b"m" * 16


@st.composite
def hellos(draw: st.DrawFn) -> bytes:
    """A Hello that may be right."""
    flags = draw(st.sampled_from([0, COOKIE, TOKEN, TOKEN_REDIRECT]))
    fragment = draw(st.sampled_from([0x01, 0x02, 0x12]))
    header = Header(HELLO, draw(U8), fragment, flags, draw(st.integers(1, 2**32 - 1)), 0)
    cookie = draw(st.binary(min_size=16, max_size=16)) if flags else bytes(16)
    puzzle = draw(st.sampled_from([bytes(8), b"\x08solved!"]))
    return hello(header, draw(st.binary(min_size=1, max_size=60)), cookie, puzzle)


def whole(read: Hello) -> bytes:
    """The bytes of a Hello that was read."""
    return read.header.encode() + read.noise + read.cookie + read.puzzle + read.mac1


class HeaderTests(SynchronousTestCase):
    def test_the_page_says_what_the_code_does(self) -> None:
        page = vectors("packets.md")
        for what, header in (
            ("header of a whole Hello, suite 4, cookie flag, sender `01020304`", Header(1, 4, 1, 1, 0x01020304, 0)),
            ("header of an Accept, suite 4, from `0a0b0c0d` to `01020304`", Header(3, 4, 1, 0, 0x0A0B0C0D, 0x01020304)),
            (
                "header of the second half of a Hello, suite 3, no flag, sender `01020304`",
                Header(1, 3, 0x12, 0, 0x01020304, 0),
            ),
        ):
            self.assertEqual(header.encode().hex(), page[what])
            self.assertEqual(read_header(bytes.fromhex(page[what])), header)
        small = small_header(17, 0, 258, 0x01020304)
        self.assertEqual(small.hex(), page["small header, epoch 17, counter 258, receiver `01020304`"])

    @given(HEADERS, st.binary(max_size=5))
    def test_a_header_comes_back_from_its_bytes_whatever_follows(self, header: Header, tail: bytes) -> None:
        self.assertEqual(read_header(header.encode() + tail), header)

    def test_other_versions_types_and_lengths_are_refused(self) -> None:
        good = Header(HELLO, 4, 1, 0, 9, 0).encode()
        for first in range(256):
            reason = "version" if first >> 4 != 1 else None if 1 <= first & 15 <= 4 else "type"
            self.assertEqual(refused(read_header, bytes([first]) + good[1:]), reason)
        for size in range(HEADER):
            self.assertEqual(refused(read_header, good[:size]), "short")

    @given(mutated(HEADERS.map(Header.encode)))
    def test_other_bytes_are_refused_or_are_another_header(self, data: bytes) -> None:
        try:
            header = read_header(data)
        except BadPacket:
            return
        self.assertEqual(header.encode(), data[:HEADER])

    def test_a_small_header_has_a_place_for_every_bit(self) -> None:
        self.assertEqual(small_header(0, 0, 0, 0).hex(), "05" + "00" * 11)
        self.assertEqual(small_header(15, 255, 2**48 - 1, 2**32 - 1).hex(), "f5" + "ff" * 11)
        self.assertEqual(small_header(16, 0, 0, 0), small_header(0, 0, 0, 0))
        self.assertEqual(small_header(1, 2, 3, 4).hex(), "150200000000000300000004")


class HelloTests(SynchronousTestCase):
    def test_a_hello_is_taken_apart(self) -> None:
        data = hello(Header(HELLO, 4, 1, COOKIE, 9, 0), b"noise", b"c" * 16, b"\x08puzzles")
        read = read_hello(data)
        self.assertEqual(read.header, Header(HELLO, 4, 1, COOKIE, 9, 0))
        self.assertEqual((read.noise, read.cookie, read.puzzle), (b"noise", b"c" * 16, b"\x08puzzles"))
        self.assertEqual((read.mac1, read.body), (b"m" * 16, data[:-16]))

    def test_each_clear_field_is_held_to_what_is_permitted(self) -> None:
        for reason, data in (
            ("type", hello(Header(ACCEPT, 4, 1, 0, 9, 0))),
            ("version", b"\x21" + hello()[1:]),
            ("hashcode", hello(Header(HELLO, 4, 1, 0, 0, 0))),
            ("hashcode", hello(Header(HELLO, 4, 1, 0, 9, 1))),
            ("cookie", hello(cookie=bytes(15) + b"\1")),
            ("puzzle", hello(puzzle=bytes(7) + b"\1")),
            ("short", hello(noise=b"")),
            ("short", hello()[: HEADER + HELLO_TAIL - 1]),
            ("short", b""),
        ):
            self.assertEqual(refused(read_hello, data), reason)

    def test_only_these_fragments_and_flags_exist(self) -> None:
        fragments = {n for n in range(256) if refused(read_hello, hello(Header(HELLO, 4, n, 0, 9, 0))) != "fragment"}
        self.assertEqual(fragments, {0x01, 0x02, 0x12})
        flags = {n for n in range(256) if refused(read_hello, hello(Header(HELLO, 4, 1, n, 9, 0))) != "flags"}
        self.assertEqual(flags, {0, COOKIE, TOKEN, TOKEN_REDIRECT})

    @given(hellos())
    def test_a_hello_comes_back_from_its_parts(self, data: bytes) -> None:
        self.assertEqual(whole(read_hello(data)), data)

    @given(mutated(hellos()))
    def test_other_bytes_are_refused_or_are_another_hello(self, data: bytes) -> None:
        try:
            read = read_hello(data)
        except BadPacket:
            return
        self.assertEqual(whole(read), data)
