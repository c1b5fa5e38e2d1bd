"""Frames: what an opened small packet holds, one byte string a meaning."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from rhotwist.errors import BadPacket
from rhotwist.wire.frame import (
    MESSAGE_HEAD,
    REPLY_HEAD,
    Answered,
    Control,
    Said,
    pack_control,
    pack_message,
    pack_reply,
    pack_several,
    read_frame,
    read_frames,
)  # fmt: skip
from tests.wire.support import mutated, refused

RANDOM, SOURCE, DESTINATION, HASH = bytes(range(16)), b"\x0a" * 32, b"\x0b" * 32, b"\x0c" * 32
U32 = st.integers(0, 2**32 - 1)
CODE = st.integers(1, 2**32 - 1)
SHORT = st.binary(max_size=20)
WALLET = st.sampled_from([b"", SOURCE, DESTINATION])
REST = st.tuples(st.binary(min_size=16, max_size=16), WALLET, WALLET, SHORT)
FRAMES = st.one_of(
    st.just(b"\0"),
    st.builds(pack_control, U32, SHORT),
    st.builds(pack_message, st.integers(0, 65535), st.integers(0, 255), CODE, U32, REST),
    st.builds(lambda schema, rest: pack_message(0, 0, 0, schema, rest), U32, REST),
    st.builds(pack_reply, CODE, U32, st.just(HASH), st.just(RANDOM), SHORT, st.booleans()),
)


SHARED = FRAMES.filter(lambda frame: frame != b"\0")


def packed(frame: Any) -> bytes:
    """The bytes of a frame that was read."""
    if isinstance(frame, Control):
        return pack_control(frame.schema, frame.body)
    if isinstance(frame, Said):
        rest = (frame.random, frame.source or b"", frame.destination or b"", frame.body)
        return pack_message(frame.number, frame.behind, frame.hashcode, frame.schema, rest)
    if isinstance(frame, Answered):
        return pack_reply(frame.hashcode, frame.schema, frame.answers, frame.random, frame.body, frame.confirm)
    return b"\0"


class FrameTests(SynchronousTestCase):
    def test_an_empty_frame_is_one_zero_byte(self) -> None:
        self.assertIsNone(read_frame(b"\0"))
        self.assertEqual((refused(read_frame, b""), refused(read_frame, b"\0\0")), ("short", "kind"))

    def test_a_known_control_message(self) -> None:
        self.assertEqual(pack_control(0x01020304, b"body"), b"\x01\x01\x02\x03\x04body")
        self.assertEqual(read_frame(b"\x01\x01\x02\x03\x04body"), Control(0x01020304, b"body"))

    def test_a_known_message_with_and_without_its_wallets(self) -> None:
        head = "00070900000005" "01020304" + RANDOM.hex()
        for kind, source, destination in (
            ("02", b"", b""), ("12", SOURCE, b""), ("22", b"", DESTINATION), ("32", SOURCE, DESTINATION),
        ):  # fmt: skip
            data = pack_message(7, 9, 5, 0x01020304, (RANDOM, source, destination, b"body"))
            self.assertEqual(data, bytes.fromhex(kind + head) + source + destination + b"body")
            said = Said(7, 9, 5, 0x01020304, RANDOM, source or None, destination or None, b"body")
            self.assertEqual(read_frame(data), said)

    def test_a_known_reply(self) -> None:
        for kind, confirm in (("03", False), ("43", True)):
            data = pack_reply(5, 0x01020304, HASH, RANDOM, b"body", confirm)
            self.assertEqual(data.hex(), kind + "0000000501020304" + HASH.hex() + RANDOM.hex() + b"body".hex())
            self.assertEqual(read_frame(data), Answered(confirm, 5, 0x01020304, HASH, RANDOM, b"body"))

    def test_numbers_go_round(self) -> None:
        said = read_frame(pack_message(65536 + 3, 0, 5, 1, (RANDOM, b"", b"", b"")))
        assert isinstance(said, Said)
        self.assertEqual(said.number, 3)

    def test_what_wants_no_answer_has_no_number(self) -> None:
        for number, behind in ((1, 0), (0, 1)):
            self.assertEqual(refused(read_frame, pack_message(number, behind, 0, 1, (RANDOM, b"", b"", b""))), "number")
        said = read_frame(pack_message(0, 0, 0, 1, (RANDOM, b"", b"", b"")))
        assert isinstance(said, Said)
        self.assertEqual(said.hashcode, 0)

    def test_a_reply_to_no_request_is_refused(self) -> None:
        self.assertEqual(refused(read_frame, pack_reply(0, 1, HASH, RANDOM, b"")), "hashcode")

    def test_every_other_kind_is_refused(self) -> None:
        known = {0x00, 0x01, 0x02, 0x12, 0x22, 0x32, 0x03, 0x43}
        body = b"\1" * 150
        taken = {kind for kind in range(256) if refused(read_frame, bytes([kind]) + body) is None}
        self.assertEqual(taken, known - {0x00})

    def test_every_cut_of_a_head_is_short(self) -> None:
        wallets = pack_message(1, 0, 5, 1, (RANDOM, SOURCE, DESTINATION, b""))
        only = pack_message(1, 0, 5, 1, (RANDOM, b"", DESTINATION, b""))
        reply = pack_reply(5, 1, HASH, RANDOM, b"")
        self.assertEqual((len(wallets), len(reply)), (MESSAGE_HEAD + 64, REPLY_HEAD))
        for data in (wallets, only, reply, pack_control(1, b"")):
            for size in range(1, len(data)):
                self.assertEqual(refused(read_frame, data[:size]), "short", size)

    @given(FRAMES)
    def test_a_frame_comes_back_from_its_bytes(self, data: bytes) -> None:
        self.assertEqual(packed(read_frame(data)), data)

    @given(mutated(FRAMES))
    def test_other_bytes_are_refused_or_are_the_one_string_of_another_frame(self, data: bytes) -> None:
        try:
            frame = read_frame(data)
        except BadPacket:
            return
        self.assertEqual(packed(frame), data)


class SeveralTests(SynchronousTestCase):
    def test_a_known_packet_of_two(self) -> None:
        one, two = pack_control(1, b"a"), pack_control(2, b"bc")
        known = bytes.fromhex("04" "0006" "010000000161" "0007" "01000000026263")
        self.assertEqual(pack_several([one, two], 100), [known])
        self.assertEqual(read_frames(pack_several([one, two], 100)[0]), [Control(1, b"a"), Control(2, b"bc")])

    def test_one_alone_goes_as_it_is_whatever_its_size(self) -> None:
        frame = pack_control(1, b"x" * 50)
        self.assertEqual(pack_several([frame], 20), [frame])
        self.assertEqual(pack_several([frame, frame], 20), [frame, frame])
        self.assertEqual(read_frames(frame), [Control(1, b"x" * 50)])

    def test_a_packet_is_filled_to_the_byte_and_not_beyond(self) -> None:
        frames = [pack_control(number, b"12345") for number in range(5)]  # 10 bytes, 12 in company
        self.assertEqual([len(plain) for plain in pack_several(frames, 37)], [37, 25])
        self.assertEqual([len(plain) for plain in pack_several(frames, 36)], [25, 25, 10])

    def test_a_big_one_between_small_ones_goes_alone_and_in_its_turn(self) -> None:
        small, big = pack_control(1, b""), pack_control(2, b"x" * 90)
        plains = pack_several([small, small, big, small, small], 60)
        self.assertEqual([len(read_frames(plain)) for plain in plains], [2, 1, 2])

    def test_what_one_packet_may_not_hold(self) -> None:
        frame = pack_control(1, b"a")
        size = len(frame).to_bytes(2, "big")
        two = b"\4" + 2 * (size + frame)
        for data, reason in (
            (b"\4", "kind"),
            (b"\4" + size + frame, "kind"),
            (two + b"\0", "short"),
            (two[:-1], "short"),
            (two + b"\0\0", "short"),
            (two + b"\0\1\0", "kind"),
            (two + len(two).to_bytes(2, "big") + two, "kind"),
        ):  # fmt: skip
            self.assertEqual(refused(read_frames, data), reason, data)

    @given(st.lists(SHARED, min_size=1, max_size=12), st.integers(1, 200))
    def test_all_come_back_in_order_and_no_packet_of_several_is_too_big(self, frames: list[bytes], room: int) -> None:
        plains = pack_several(frames, room)
        self.assertEqual([packed(frame) for plain in plains for frame in read_frames(plain)], frames)
        for plain in plains:
            self.assertTrue(len(plain) <= room or len(read_frames(plain)) == 1)

    @given(mutated(st.lists(SHARED, min_size=2, max_size=4).map(lambda frames: pack_several(frames, 2_000)[0])))
    def test_other_bytes_are_refused_or_are_the_one_string_of_other_frames(self, data: bytes) -> None:
        try:
            frames = [packed(frame) for frame in read_frames(data)]
        except BadPacket:
            return
        self.assertEqual(pack_several(frames, 70_000), [data])
