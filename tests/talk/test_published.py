"""What Ann and Bob said, in Carol's hands: she comes to their root, or is told why not."""

from __future__ import annotations

from random import Random

import attrs
from twisted.trial.unittest import SynchronousTestCase

from rhotwist.errors import BadArmour, BadPacket, LocalError
from rhotwist.keys.pair import SeedKey
from rhotwist.talk import pasted, published
from rhotwist.talk.messages import PUBLISHED_MOST, Published
from rhotwist.talk.published import check_published, publish, read, to_file, to_text
from rhotwist.talk.record import BadRecord, Pair, Place, compose, pair_of, to_line
from rhotwist.tree.hashes import EMPTY
from rhotwist.wire import armour
from tests import FULL
from tests.talk.support import ANN, BOB, CAROL, PAIR, Reader, fork, spoken


def given(reader: Reader, **changes: object) -> Published:
    """A conversation as it is published, or changed."""
    return attrs.evolve(publish(reader.pair, reader.talk, reader.all()), **changes)


class CarolTests(SynchronousTestCase):
    def refused(self, why: str, wrong: Published) -> None:
        with self.assertRaisesRegex(BadRecord, why):
            check_published(wrong)

    def test_a_third_reader_has_all_records_and_the_same_root_by_file_and_by_text(self) -> None:
        reader = spoken(40)
        for data in (to_file(given(reader)), to_text(given(reader)).encode()):
            shown = check_published(read(data))
            self.assertEqual((PAIR, reader.all()), (shown.pair, list(shown.records)))
            self.assertEqual(reader.talk.root, shown.talk.root)
            self.assertEqual(list(reader.talk.order()), list(shown.talk.order()))

    def test_500_pairs_have_one_root_for_three_readers(self) -> None:
        random = Random(5)
        for _ in range(500 if FULL else 25):
            one, other = SeedKey(random.randbytes(32)), SeedKey(random.randbytes(32))
            ann, bob = Reader(pair=pair_of(one, other.public)), Reader(pair=pair_of(other, one.public))
            for _ in range(4):
                bob.put(ann.say(one, "there"))
                ann.put(bob.say(other, "back"))
            carol = check_published(read(to_file(given(ann))))
            self.assertEqual({ann.talk.root}, {bob.talk.root, carol.talk.root})

    def test_a_fork_goes_along_as_proof(self) -> None:
        reader = spoken(6)
        fork(reader, BOB, 0)
        shown = check_published(given(reader))
        self.assertEqual((reader.talk.root, 1), (shown.talk.root, len(shown.talk.forks)))

    def test_whatever_byte_is_changed_nothing_else_is_believed(self) -> None:
        reader = spoken(5)
        data = given(reader).encode()
        for at in range(0, len(data), 1 if FULL else 7):
            wrong = bytearray(data)
            wrong[at] ^= 1
            with self.assertRaises((BadRecord, BadPacket), msg=str(at)):
                check_published(Published.decode(bytes(wrong)))

    def test_a_missing_a_doubled_and_a_displaced_record_are_told(self) -> None:
        reader = spoken(8)
        lines = given(reader).lines
        self.refused("missing", given(reader, lines=lines[1:]))
        self.refused("another root", given(reader, lines=lines[:-1]))
        self.refused("record 2 is not in its place", given(reader, lines=(lines[0], *lines)))
        self.refused("in its place", given(reader, lines=lines[::-1]))
        self.refused("another root", given(reader, root=EMPTY))

    def test_more_than_two_records_at_one_address_are_refused(self) -> None:
        reader = spoken(4)
        for text in "abc":
            fork(reader, BOB, 0, text)
        self.refused("more than two", given(reader))

    def test_a_record_of_another_conversation_is_refused(self) -> None:
        reader, pair = spoken(4), pair_of(ANN, CAROL.public)
        foreign = compose(ANN, pair, Place(reader.talk.sizes[PAIR.side(ANN.public)]), "hi", 7)
        lines = sorted((*given(reader).lines, to_line(foreign)))
        self.refused("signature", given(reader, lines=tuple(lines)))

    def test_who_has_not_spoken_has_no_part_in_it(self) -> None:
        reader = Reader()
        self.refused("only one", given(reader))
        reader.say(ANN, "he said so")
        self.refused("only one", given(reader))

    def test_the_two_keys_are_two_and_in_order(self) -> None:
        reader = spoken(4)
        self.refused("order", given(reader, lower_key=PAIR.higher, higher_key=PAIR.lower))
        self.refused("order", given(reader, lower_key=PAIR.higher))

    def test_one_pair_hash_stands_under_both_signatures(self) -> None:
        reader, false = spoken(4), Pair(PAIR.lower, PAIR.higher, bytes(32))
        self.refused("record 1: its signature", given(reader, pair=false.hash))
        mixed = Reader(*(compose(key, pair, Place(0), "hi", 7) for key, pair in ((ANN, PAIR), (BOB, false))))
        self.refused("signature", given(mixed))


class TextTests(SynchronousTestCase):
    def test_it_comes_through_a_quoted_mail_and_says_what_to_paste_again(self) -> None:
        text = to_text(given(spoken(40)))
        quoted = "\n".join(f"> {line}" for line in text.splitlines())
        self.assertEqual(given(spoken(40)), read(quoted.encode()))
        tokens = [line for line in text.splitlines() if line.startswith("rho1.")]
        with self.assertRaisesRegex(BadArmour, "paste part 3 again"):
            read(text.replace(tokens[2], tokens[2][:-9] + "." ).encode())

    def test_text_without_one_or_with_something_else_is_refused(self) -> None:
        self.assertRaises(BadArmour, read, b"nothing")
        two = to_text(given(spoken(3))) + to_text(given(spoken(4)))
        for wrong in (two, pasted.write(pasted.PROOF, b"x"), armour.text(armour.tokens([(1, b"x")]))):
            with self.assertRaisesRegex(BadPacket, "kind"):
                read(wrong.encode())
        self.assertRaises(BadPacket, read, published.MAGIC + b"x")

    def test_what_no_reader_takes_is_not_written(self) -> None:
        reader = spoken(3)
        self.assertRaises(LocalError, publish, PAIR, reader.talk, reader.all() * (PUBLISHED_MOST // 3 + 1))
        self.assertRaises(LocalError, pasted.write, pasted.PROOF, b"")
        most = bytes(armour.TEXT_MOST * 5 // 7)
        self.assertLessEqual(len(pasted.write(pasted.PROOF, most)), armour.TEXT_MOST)
        self.assertRaises(LocalError, pasted.write, pasted.PROOF, bytes(armour.TEXT_MOST * 3 // 4))

    def test_several_values_of_one_text_are_told_apart(self) -> None:
        one, other = bytes(range(250)) * 9, b"other"
        text = pasted.write(pasted.PROOF, one) + pasted.write(pasted.PUBLISHED, other)
        self.assertEqual({(pasted.PROOF, one), (pasted.PUBLISHED, other)}, set(pasted.read(text)))
