"""Records of a conversation."""

from __future__ import annotations

from random import Random

import attrs
from twisted.trial.unittest import SynchronousTestCase

from rhotwist.errors import BadPacket, LocalError
from rhotwist.keys.pair import SeedKey
from rhotwist.limits import Limits
from rhotwist.talk import record as said
from rhotwist.talk.messages import LINE_MOST, RECORD_MOST, TEXT_MOST, Said
from rhotwist.talk.record import Place, pair_of
from tests import FULL

ANN, BOB, CAROL = (SeedKey(bytes([n]) * 32) for n in (1, 2, 3))


def sent(text: str = "hi", index: int = 0) -> Said:
    """A record of Ann for Bob."""
    return said.compose(ANN, pair_of(ANN, BOB.public), Place(index), text, 217_000_000)


def check(record: Said, receiver: SeedKey, author: bytes) -> bytes:
    """The hash of what a receiver takes from an author."""
    return said.check_from(record, pair_of(receiver, author), author).leaf


class RecordTests(SynchronousTestCase):
    """What Ann signs Bob takes, and nothing else."""

    def test_a_record_is_taken_by_the_one_it_is_for_with_the_hash_its_author_knows(self) -> None:
        record = sent("grüß dich")
        self.assertEqual(said.record_hash(record), check(Said.decode(record.encode()), BOB, ANN.public))

    def test_both_sides_name_the_conversation_alike_and_their_records_apart(self) -> None:
        there, back = sent(), said.compose(BOB, pair_of(BOB, ANN.public), Place(0), "hi", 217_000_000)
        self.assertEqual(there.conversation, back.conversation)
        self.assertEqual(there.pair, back.pair)
        self.assertEqual({0, said.HIGHER}, {there.address, back.address})
        higher = max(ANN, BOB, key=lambda key: key.public)
        self.assertEqual(said.HIGHER, said.address_of(higher.public, min(ANN.public, BOB.public), 0))

    def test_every_changed_field_is_refused(self) -> None:
        record = sent()
        changes = {
            "conversation": bytes(32), "address": record.address ^ 1, "pair": bytes(32), "seen_size": 1,
            "seen_root": bytes([1]) * 32, "date": 1, "text": "ho", "signature": bytes(64),
        }  # fmt: skip
        self.assertEqual({field.name for field in attrs.fields(Said)}, set(changes))
        for name, value in changes.items():
            with self.assertRaises(said.BadRecord, msg=name):
                check(attrs.evolve(record, **{name: value}), BOB, ANN.public)

    def test_another_s_good_record_is_refused_from_whoever_brings_it(self) -> None:
        with self.assertRaises(said.BadRecord):
            check(sent(), BOB, CAROL.public)
        with self.assertRaises(said.BadRecord):
            check(sent(), CAROL, ANN.public)

    def test_a_record_sent_back_to_its_author_is_refused(self) -> None:
        with self.assertRaisesRegex(said.BadRecord, "receiver's own"):
            check(sent(), ANN, BOB.public)
        with self.assertRaisesRegex(LocalError, "itself"):
            pair_of(BOB, BOB.public)
        with self.assertRaisesRegex(said.BadRecord, "none of the two"):
            said.check_from(sent(), pair_of(ANN, BOB.public), CAROL.public)

    def test_a_record_signed_with_another_s_pair_hash_is_refused(self) -> None:
        record = attrs.evolve(sent(), pair=pair_of(ANN, CAROL.public).hash)
        record = attrs.evolve(record, signature=ANN.sign(said.signed(record)))
        with self.assertRaisesRegex(said.BadRecord, "pair hash"):
            check(record, BOB, ANN.public)

    def test_a_record_signed_for_another_conversation_is_refused(self) -> None:
        record = attrs.evolve(sent(), conversation=said.conversation_of(ANN.public, CAROL.public))
        record = attrs.evolve(record, signature=ANN.sign(said.signed(record)))
        with self.assertRaisesRegex(said.BadRecord, "another conversation"):
            check(record, BOB, ANN.public)

    def test_equal_texts_are_two_records_and_a_second_signature_is_none(self) -> None:
        self.assertNotEqual(said.record_hash(sent(index=0)), said.record_hash(sent(index=1)))
        self.assertEqual(said.record_hash(sent()), said.record_hash(attrs.evolve(sent(), signature=bytes(64))))

    def test_the_longest_text_fits_into_one_packet_and_one_byte_more_is_refused(self) -> None:
        self.assertLessEqual(len(sent("x" * TEXT_MOST).encode()), Limits().body_max)
        for text in ("x" * (TEXT_MOST + 1), "é" * (TEXT_MOST // 2 + 1), ""):
            with self.assertRaises(LocalError):
                sent(text)

    def test_an_empty_text_is_refused_by_the_receiver_too(self) -> None:
        record = attrs.evolve(sent(), text="")
        record = attrs.evolve(record, signature=ANN.sign(said.signed(record)))
        with self.assertRaisesRegex(said.BadRecord, "no text"):
            check(record, BOB, ANN.public)

    def test_an_index_beyond_63_bits_is_refused(self) -> None:
        for index in (-1, 1 << 63):
            with self.assertRaises(LocalError):
                sent(index=index)
        sent(index=said.INDEX_MOST)

    def test_a_known_record_has_its_known_hash(self) -> None:
        record = sent("hello", 7)
        self.assertEqual(
            "1b509fb7b63878a38240d0dfd1c76fd01d50012b38138f1a689e37d0a3dfada7", said.record_hash(record).hex()
        )

    def test_a_line_is_the_record_without_what_all_have_in_common(self) -> None:
        record, pair = sent("x" * TEXT_MOST), pair_of(ANN, BOB.public)
        line = said.to_line(record)
        self.assertEqual((RECORD_MOST, LINE_MOST), (len(record.encode()), len(line)))
        self.assertEqual(record, said.from_line(line, pair))
        for short in (b"", line[:7], line[:-1]):
            self.assertRaises(BadPacket, said.from_line, short, pair)

    def test_records_that_somebody_brings_are_all_checked(self) -> None:
        pair = pair_of(ANN, BOB.public)
        good = [sent(index=index).encode() for index in range(3)]
        self.assertEqual(3, len(said.read_all(tuple(good), pair)))
        with self.assertRaises(said.BadRecord):
            said.read_all((*good, good[0][:-1] + bytes([good[0][-1] ^ 1])), pair)
        with self.assertRaises(BadPacket):
            said.read_all((*good, good[0][:-1]), pair)

    def test_the_pair_is_the_same_from_both_sides_for_500_pairs_and_equal_beginnings(self) -> None:
        random = Random(7)
        for number in range(500 if FULL else 60):
            one, other = (SeedKey(random.randbytes(32)) for _ in range(2))
            pair = pair_of(one, other.public)
            self.assertEqual(pair, pair_of(other, one.public), number)
            self.assertEqual(sorted((one.public, other.public)), list(pair.keys))
            self.assertEqual((other.public, one.public), (pair.other(one.public), pair.other(other.public)))
            self.assertEqual({0, 1}, {pair.side(one.public), pair.side(other.public)})
            with self.assertRaises(LocalError):
                pair.side(ANN.public)
        # Keys that begin alike, as nobody grinds them, are told apart by their first byte that differs.
        lower, higher = b"a" * 32, b"a" * 31 + b"b"
        self.assertEqual(said.conversation_of(lower, higher), said.conversation_of(higher, lower))
        self.assertNotEqual(said.conversation_of(lower, higher), said.conversation_of(lower, b"a" * 31 + b"c"))
        self.assertEqual((said.HIGHER, 0), (said.address_of(higher, lower, 0), said.address_of(lower, higher, 0)))
