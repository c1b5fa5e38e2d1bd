"""Plans of files: one byte string each, names that harm nobody, and BadPacket for the rest."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from rhotwist.errors import BadPacket, LocalError
from rhotwist.link import file_plan
from rhotwist.link.file_plan import FilePlan, plain_name, read_plan
from rhotwist.tree import merkle
from tests import FULL
from tests.keys.pages import vectors
from tests.wire.support import mutated, refused

PARTS = (b"abc", b"\0\0\0", b"g")


def plan(name: str = "a.txt", parts: tuple[bytes, ...] = PARTS, part: int = 3) -> FilePlan:
    """The plan of a file with these parts."""
    return FilePlan(name, sum(map(len, parts)), part, b"".join(map(merkle.leaf_hash, parts)))


PLANS = st.builds(
    lambda name, total, part, seed: FilePlan(
        plain_name(name), total, part, (seed * 80)[: 32 * file_plan.count_of(total, part)]
    ),
    st.text(max_size=8), st.integers(0, 60), st.integers(1, 70), st.binary(min_size=32, max_size=32),
)  # fmt: skip


class PlanTests(SynchronousTestCase):
    """The list of parts."""

    def test_the_page_says_what_the_code_does(self) -> None:
        page = vectors("files.md")
        made = plan()
        self.assertEqual(page["plan"], made.encode().hex())
        self.assertEqual(page["root"], made.root().hex())
        self.assertEqual(page["hash of part 0"], made.hash(0).hex())
        self.assertEqual(page["plan of an empty file `e`"], plan("e", ()).encode().hex())
        self.assertEqual(page["root of an empty file"], plan("e", ()).root().hex())

    def test_a_part_fits_by_index_length_and_hash(self) -> None:
        made = plan()
        self.assertEqual((3, [3, 3, 1]), (made.count, [made.size(index) for index in range(3)]))
        for index, part in enumerate(PARTS):
            self.assertTrue(made.fits(index, part))
            self.assertFalse(made.fits(index, part[:-1]))
            self.assertFalse(made.fits(index, b"x" * len(part)))
        self.assertFalse(made.fits(1, PARTS[0]))
        self.assertFalse(made.fits(3, b""))

    def test_parts_of_zeros_are_known_by_their_hash(self) -> None:
        self.assertEqual(0b010, plan().empty_parts())
        self.assertEqual(0b11, plan(parts=(bytes(3), bytes(2))).empty_parts())
        self.assertEqual(0, plan(parts=()).empty_parts())

    def test_what_cannot_be_a_file_is_our_caller_s_mistake(self) -> None:
        for name, total, part, hashes in (
            ("../a", 0, 1, b""), ("a", 1, 0, b""), ("a", 1, 2_000_001, bytes(32)), ("a", 1 << 64, 1, b""),
            ("a", -1, 1, b""), ("a", 3, 3, b""), ("a", 3, 3, bytes(64)), ("", 0, 1, b""),
        ):  # fmt: skip
            self.assertRaises(LocalError, FilePlan, name, total, part, hashes)

    @given(PLANS)
    def test_a_plan_comes_back_from_its_bytes(self, made: FilePlan) -> None:
        data = made.encode()
        self.assertEqual(made, read_plan(data))
        self.assertEqual(len(data), file_plan.plan_size(made.name, made.total, made.part))

    @given(mutated(PLANS.map(FilePlan.encode)))
    @settings(max_examples=3_000 if FULL else 100)
    def test_other_bytes_are_refused_or_are_the_one_string_of_another_plan(self, data: bytes) -> None:
        try:
            made = read_plan(data)
        except BadPacket:
            return
        self.assertEqual(data, made.encode())

    def test_what_no_plan_has_is_refused_by_its_reason(self) -> None:
        data = plan().encode()
        for wrong, reason in (
            (data[:23], "short"), (b"", "short"), (b"x" + data[1:], "label"), (data[:-1], "length"),
            (data + b"\0", "length"), (data[:-1] + b"\2", "part size"), (data.replace(b"a.txt", b"a/txt"), "name"),
            (data.replace(b"a.txt", b"a\xfftxt"), "name"), (data.replace(b"a.txt", b".atxt"), "name"),
            (data[:18] + bytes(4) + data[22:], "part size"),
            (data[:18] + (2_000_001).to_bytes(4, "big") + data[22:], "part size"),
            (data[:10] + b"\xff" * 8 + data[18:], "length"),
        ):  # fmt: skip
            self.assertEqual(reason, refused(read_plan, wrong), wrong)


class NameTests(SynchronousTestCase):
    """What a stranger may call his file."""

    def test_nothing_leads_out_of_a_folder_hides_or_opens_a_device(self) -> None:
        for name, plain in (
            ("a.txt", "a.txt"), ("Übung 世界.pdf", "Übung 世界.pdf"), ("../../etc/passwd", "passwd"), ("/", "_"),
            ("..", "_"), (".", "_"), ("...", "_"), ("", "_"), ("a/..", "_"), ("C:\\x\\y.doc", "y.doc"), ("..\\..", "_"),
            (".ssh", "_ssh"), ("-rf", "_rf"), ("~root", "_root"), ("a\0b", "a_b"), ("a\nb", "a_b"), ("a:b", "a_b"),
            ("CON", "_CON"), ("nul.tar.gz", "_nul.tar.gz"), ("com1 .txt", "_com1 .txt"), ("COM¹", "_COM¹"),
            ("console", "console"), ("a. ", "a"), (" a", "a"), ("a\u202eb", "a_b"), ("a\ud800b", "a_b"),
            ("x" * 300, "x" * 200), ("x" * 300 + ".jpeg", "x" * 195 + ".jpeg"), ("ü" * 150, "ü" * 100),
            ("x" * 300 + "." + "y" * 30, "x" * 200), ("a" * 199 + "ü", "a" * 199),
        ):  # fmt: skip
            self.assertEqual(plain, plain_name(name), name)

    @given(
        st.text(max_size=12) | st.text(alphabet="./\\ ~-nulNUL\0:é", max_size=8) | st.text(min_size=150, max_size=260)
    )
    @settings(max_examples=5_000 if FULL else 200)
    def test_a_plain_name_is_its_own_plain_name_and_fits(self, name: str) -> None:
        plain = plain_name(name)
        self.assertEqual(plain, plain_name(plain))
        self.assertTrue(0 < len(plain.encode()) <= file_plan.NAME_MOST)
        self.assertFalse(set(plain) & set("/\\\0:"))
        self.assertNotIn(plain, (".", ".."))


class BitTests(SynchronousTestCase):
    """Which parts are here."""

    def test_bit_0_is_the_lowest_of_the_first_byte(self) -> None:
        self.assertEqual(b"\x01\x02", file_plan.pack_bits(1 | 1 << 9, 10))
        self.assertEqual(b"", file_plan.pack_bits(0, 0))
        self.assertEqual(1 | 1 << 9, file_plan.read_bits(b"\x01\x02", 10))
        for data, count in ((b"\x01\x02", 9), (b"\x01", 9), (b"\x01\x02\x00", 10), (b"\x01", 0)):
            self.assertEqual("bits", refused(lambda d, count=count: file_plan.read_bits(d, count), data))

    def test_bits_are_gathered_from_indexes(self) -> None:
        self.assertEqual(0b1000000101, file_plan.bits_of((0, 9, 2), 10))
        self.assertEqual(0, file_plan.bits_of((), 0))

    def test_what_is_missing_comes_in_order(self) -> None:
        self.assertEqual([1, 3], file_plan.missing(0b0101, 4))
        self.assertEqual([], file_plan.missing(0b11, 2))
        self.assertEqual([0, 1, 2], file_plan.missing(0, 3))
        self.assertEqual([], file_plan.missing(0, 0))
