"""Parts of trees as bytes, and their comparison."""

from __future__ import annotations

from random import Random

import attrs
from twisted.trial.unittest import SynchronousTestCase

from rhotwist.directory.messages import CELLS, MENTIONS, NEWS, REQUESTS, SyncHello, filled, pack_pieces, read_pieces
from rhotwist.directory.parts import BESIDE, CUT, DEEPEST, LEAVES, SPARE, WHOLE, Comparison, Entry, Part, read_parts
from rhotwist.errors import BadPacket
from rhotwist.limits import Limits
from rhotwist.link import messages as link_messages
from rhotwist.service import messages as service_messages
from rhotwist.testing.parsers import schemas
from rhotwist.tree.sketch import CELL
from rhotwist.wire.schema import Vocabulary
from tests.directory.comparing import KEY, made, replica

OTHER = b"o" * 32


def parts() -> list[Part]:
    """Some of each form."""
    noise = Random(1)
    deep = noise.randbytes(31) + b"\xe0"
    return [
        Part(0, bytes(32), prints=tuple(noise.randbytes(8) for _ in range(16))),
        Part(11, b"\x12\x20" + bytes(30), prints=tuple(noise.randbytes(8) for _ in range(8))),
        Part(DEEPEST, deep, prints=(bytes(8),) * 2),
        Part(16, b"ab" + bytes(30)),
        Part(16, b"ac" + bytes(30), entries=tuple(Entry(noise.randbytes(5), n, b"h") for n in range(LEAVES))),
    ]


class BytesTests(SynchronousTestCase):
    def test_parts_come_back_as_they_went(self) -> None:
        data = b"".join(part.encode() for part in parts())
        self.assertEqual(parts(), read_parts(data, CUT))
        whole = Part(3, bytes(32), entries=(Entry(OTHER, 7, OTHER),))
        self.assertEqual([whole], read_parts(whole.encode(), WHOLE))

    def test_each_refusal_has_its_reason(self) -> None:
        prints = bytes(8 * 16)
        for data, reason in (
            (b"\0", "short"), (b"\x09\x01", "short"), (b"\0\4" + prints[1:], "short"), (b"\0\x11123456789", "short"),
            (b"\4\x11\4" + prints, "prefix"), (b"\0\0", "form"), (b"\0\5" + prints, "form"),
            (b"\0\x21" + bytes(170), "form"), (b"\xfc" + bytes(32) + b"\4" + prints, "bits"),
        ):  # fmt: skip
            self.assertEqual(reason, self.assertRaises(BadPacket, read_parts, data, CUT).reason, data)

    def test_parts_below_follow_each_other_and_fill_the_part(self) -> None:
        below = [prefix for prefix, _ in parts()[1].below()]
        self.assertEqual([b"\x12" + bytes((0x20 + 4 * n,)) for n in range(8)], [prefix[:2] for prefix in below])

    def test_pieces_ascend_and_are_whole(self) -> None:
        self.assertEqual(b"aabbcc", pack_pieces([b"cc", b"aa", b"bb", b"aa"]))
        self.assertEqual([b"aa", b"bb"], read_pieces(b"aabb", 2))
        for data in b"aab", b"bbaa", b"aaaa":
            self.assertRaises(BadPacket, read_pieces, data, 2)

    def test_records_fill_messages_in_order_and_a_long_one_is_alone(self) -> None:
        self.assertEqual([[b"aa", b"b"], [b"cccc"], [b"d"]], filled([b"aa", b"b", b"cccc", b"d"], 3))


class ComparisonTests(SynchronousTestCase):
    def test_fingerprints_hang_on_the_session_s_key_and_nothing_is_zeros(self) -> None:
        tree = replica(range(100))
        one, other = (Comparison(tree, key, CUT).part(0, bytes(32)).prints for key in (KEY, OTHER))
        self.assertEqual(set(), set(one) & set(other))
        self.assertEqual(bytes(8), Comparison(tree, KEY, CUT).print_of(bytes(32)))
        self.assertEqual({32}, set(map(len, Comparison(tree, KEY, WHOLE).part(0, bytes(32)).prints)))

    def test_up_to_sixteen_leaves_are_listed_and_three_times_as_many_told_in_eight_parts(self) -> None:
        for count, width in ((16, -1), (17, 3), (48, 3), (49, 4)):
            self.assertEqual(width, Comparison(replica(range(count)), KEY, CUT).part(0, bytes(32)).width, count)

    def test_of_two_at_one_address_the_newer_moves_and_what_is_here_alone(self) -> None:
        ours, theirs = replica((1, 2, 3)), replica((1, 2))
        ours.put([made(1, made(1).issued + 60)])
        part = Comparison(theirs, KEY, CUT).part(0, bytes(32))
        found = Comparison(ours, KEY, CUT).compare([part])
        self.assertEqual({made(1).address, made(3).address}, set(found.lacking))
        self.assertEqual(([], []), (found.wants, found.parts))
        back = Comparison(theirs, KEY, CUT).compare([Comparison(ours, KEY, CUT).part(0, bytes(32))])
        self.assertEqual({made(1).address[:5], made(3).address[:5]}, set(back.wants))

    def test_of_more_leaves_than_are_looked_at_nothing_is_wanted_that_may_be_here(self) -> None:
        """Behind the last one that was looked at it is not known what is lacking."""
        tree = replica(range(BESIDE + SPARE + 500))
        ordered = sorted(tree.held.records)
        listed = [Entry(one[:5], 0, b"h") for one in (ordered[0][:4] + b"\0", ordered[-1])]
        both = Part(0, bytes(32), entries=tuple(listed)), Part(0, bytes(32), entries=(listed[1],))
        found = Comparison(tree, KEY, CUT).compare(both)
        self.assertEqual(ordered[: BESIDE + SPARE] + ordered[:BESIDE], found.lacking)
        self.assertEqual([listed[0].address], found.wants)

    def test_of_one_minute_the_smaller_hash_wins(self) -> None:
        one = made(1)
        lower = Entry(one.address[:5], one.issued, bytes(1))
        found = Comparison(replica((1,)), KEY, CUT).compare([Part(0, bytes(32), entries=(lower,))])
        self.assertEqual(([], [one.address[:5]]), (found.lacking, found.wants))
        higher = attrs.evolve(Part(0, bytes(32)), entries=(lower._replace(hash=b"\xff"),))
        self.assertEqual([one.address], Comparison(replica((1,)), KEY, CUT).compare([higher]).lacking)


class SchemaTests(SynchronousTestCase):
    def test_no_identifier_is_used_twice(self) -> None:
        vocabulary = Vocabulary()
        for schema in (*REQUESTS, *MENTIONS, *schemas(link_messages), *schemas(service_messages)):
            vocabulary.add(schema)
            vocabulary.add(getattr(schema, "reply", schema))

    def test_a_hello_and_every_mention_fit_one_small_packet(self) -> None:
        hello = SyncHello(epoch=1, count=1, root=bytes(32), store=bytes(8), cursor=0, cells=bytes(CELL * CELLS))
        self.assertLessEqual(len(hello.encode()), Limits().body_max)
        self.assertLessEqual(NEWS + 2, Limits().body_max)
