"""Fields: one byte string for each value, the page's vectors, and BadPacket for anything else."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from rhotwist.errors import BadPacket, LocalError, TooBig
from rhotwist.wire.fields import Blob, Bulk, Field, Flag, Many, Maybe, Octets, Text, Unsigned
from tests import FULL
from tests.keys.pages import vectors
from tests.wire.support import mutated, refused

#: A field of each kind, with its layout and values that fit it.
KINDS: list[tuple[Field, str, st.SearchStrategy[Any]]] = [
    (Unsigned(1), "u8", st.integers(0, 2**8 - 1)),
    (Unsigned(2), "u16", st.integers(0, 2**16 - 1)),
    (Unsigned(4), "u32", st.integers(0, 2**32 - 1)),
    (Unsigned(8), "u64", st.integers(0, 2**64 - 1)),
    (Flag(), "flag", st.booleans()),
    (Octets(4), "octets4", st.binary(min_size=4, max_size=4)),
    (Blob(9), "blob<=9", st.binary(max_size=9)),
    (Bulk(70_000), "bulk<=70000", st.binary(max_size=9) | st.just(bytes(66_000))),
    (Text(20), "text<=20", st.text(max_size=5)),
    (Many(Unsigned(2), 3), "many<=3(u16)", st.lists(st.integers(0, 65535), max_size=3).map(tuple)),
    (Maybe(Text(20)), "maybe(text<=20)", st.none() | st.text(max_size=5)),
    (
        Many(Maybe(Many(Blob(3), 2)), 4), "many<=4(maybe(many<=2(blob<=3)))",
        st.lists(st.none() | st.lists(st.binary(max_size=3), max_size=2).map(tuple), max_size=4).map(tuple),
    ),
]  # fmt: skip
#: What the page's vectors say, as layout to value.
SAID = {
    "7 as `u8`": ("u8", 7), "258 as `u16`": ("u16", 258), "16909060 as `u32`": ("u32", 16909060),
    "1 as `u64`": ("u64", 1), "true as `flag`": ("flag", True), "`abcd` as `octets4`": ("octets4", b"abcd"),
    "`ab` as `blob<=9`": ("blob<=9", b"ab"), "`ab` as `bulk<=70000`": ("bulk<=70000", b"ab"),
    "`é` as `text<=20`": ("text<=20", "é"),
    "1, 2 as `many<=3(u16)`": ("many<=3(u16)", (1, 2)), "none as `maybe(text<=20)`": ("maybe(text<=20)", None),
    "`é` as `maybe(text<=20)`": ("maybe(text<=20)", "é"),
}  # fmt: skip
BY_LAYOUT = {layout: field for field, layout, _ in KINDS}


class FieldTests(SynchronousTestCase):
    def test_each_field_says_its_layout(self) -> None:
        self.assertEqual([field.layout for field, _, _ in KINDS], [layout for _, layout, _ in KINDS])

    def test_the_page_says_what_the_code_does(self) -> None:
        page = {what: value for what, value in vectors("message.md").items() if " as " in what}
        self.assertEqual(set(page), set(SAID))
        for what, (layout, value) in SAID.items():
            data = bytes.fromhex(page[what])
            self.assertEqual(BY_LAYOUT[layout].pack(value), data, what)
            self.assertEqual(BY_LAYOUT[layout].take(b"\xff" + data + b"\xff", 1), (value, 1 + len(data)), what)

    @given(st.data())
    @settings(max_examples=1_000 if FULL else 30)
    def test_a_value_comes_back_from_its_bytes_wherever_they_lie(self, data: st.DataObject) -> None:
        for field, _, values in KINDS:
            value = data.draw(values)
            before, after = data.draw(st.binary(max_size=3)), data.draw(st.binary(max_size=3))
            packed = field.pack(value)
            found, end = field.take(before + packed + after, len(before))
            self.assertEqual((found, type(found), end), (value, type(value), len(before) + len(packed)))

    @given(st.data())
    @settings(max_examples=1_000 if FULL else 30)
    def test_other_bytes_are_refused_or_are_the_one_string_of_another_value(self, data: st.DataObject) -> None:
        for field, layout, values in KINDS:
            wrong = data.draw(mutated(values.map(field.pack)))
            try:
                value, end = field.take(wrong, 0)
            except BadPacket:
                continue
            self.assertEqual(field.pack(value), wrong[:end], layout)

    def test_every_cut_is_short(self) -> None:
        for layout, value in SAID.values():
            field = BY_LAYOUT[layout]
            packed = field.pack(value)
            for size in range(len(packed)):
                self.assertEqual(refused(lambda d, field=field: field.take(d, 0), packed[:size]), "short", layout)
        for layout in ("blob<=9", "bulk<=70000", "text<=20", "many<=3(u16)"):  # half a count is no count, however large
            self.assertEqual(refused(lambda d, at=layout: BY_LAYOUT[at].take(d, 0), b"\xff"), "short", layout)

    def test_what_no_value_has_is_refused_by_its_reason(self) -> None:
        for layout, data, reason in (
            ("flag", "02", "flag"), ("flag", "ff", "flag"), ("maybe(text<=20)", "02", "flag"),
            ("blob<=9", "000a" + "00" * 10, "long"),
            ("bulk<=70000", "00011171" + "00" * 70_001, "long"),
            ("text<=20", "0015" + "61" * 21, "long"),
            ("many<=3(u16)", "0004" + "0000" * 4, "long"), ("text<=20", "0001ff", "utf-8"),
            ("text<=20", "0002c080", "utf-8"), ("text<=20", "0003eda080", "utf-8"),
        ):  # fmt: skip
            self.assertEqual(refused(lambda d, at=layout: BY_LAYOUT[at].take(d, 0), bytes.fromhex(data)), reason)

    def test_a_value_of_ours_that_does_not_fit_is_told_with_value_and_limit(self) -> None:
        for layout, value, kind, told in (
            ("u8", 256, LocalError, "256 is no integer from 0 to 255"), ("u8", -1, LocalError, "-1"),
            ("u16", 65536, LocalError, "65535"), ("u8", True, LocalError, "True"), ("u8", False, LocalError, "False"),
            ("u8", "7", LocalError, "'7'"), ("u8", 7.0, LocalError, "7.0"), ("u8", None, LocalError, "None"),
            ("flag", 1, LocalError, "1 is neither"), ("flag", None, LocalError, "None is neither"),
            ("octets4", b"abc", LocalError, "3 bytes where exactly 4"), ("octets4", b"abcde", LocalError, "5 bytes"),
            ("octets4", "abcd", LocalError, "str where exactly"), ("octets4", bytearray(4), LocalError, "bytearray"),
            ("blob<=9", bytes(10), TooBig, "10 bytes where at most 9"), ("blob<=9", "ab", LocalError, "str"),
            ("bulk<=70000", bytes(70_001), TooBig, "70001 bytes where at most 70000"),
            ("text<=20", "é" * 11, TooBig, "22 bytes of text where at most 20"),
            ("text<=20", b"ab", LocalError, "2 bytes where text"),
            ("text<=20", "a\ud800", LocalError, "surrogate at character 1"),
            ("many<=3(u16)", (1, 2, 3, 4), TooBig, "4 items where at most 3"),
            ("many<=3(u16)", [1], LocalError, "list where a tuple"), ("many<=3(u16)", (65536,), LocalError, "65536"),
            ("maybe(text<=20)", 5, LocalError, "int where text"),
        ):  # fmt: skip
            error = self.assertRaises(LocalError, BY_LAYOUT[layout].pack, value)
            self.assertIs(type(error), kind, value)
            self.assertIn(told, str(error))

    def test_limits_themselves_fit(self) -> None:
        for layout, value in (("u8", 255), ("blob<=9", bytes(9)), ("text<=20", "é" * 10), ("many<=3(u16)", (1, 2, 3))):
            packed = BY_LAYOUT[layout].pack(value)
            self.assertEqual(BY_LAYOUT[layout].take(packed, 0), (value, len(packed)))

    def test_an_error_never_shows_what_may_be_a_secret(self) -> None:
        error = self.assertRaises(LocalError, Octets(4).pack, b"hush!")
        self.assertNotIn("hush", str(error))
