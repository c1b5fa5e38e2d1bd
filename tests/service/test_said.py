"""Records of a conversation."""

from __future__ import annotations

import attrs
from twisted.trial.unittest import SynchronousTestCase

from rhotwist.errors import LocalError
from rhotwist.keys.pair import SeedKey
from rhotwist.limits import Limits
from rhotwist.service import said
from rhotwist.service.messages import TEXT_MOST, Said

ANN, BOB, CAROL = (SeedKey(bytes([n]) * 32) for n in (1, 2, 3))


def sent(text: str = "hi", index: int = 0) -> Said:
    """A record of Ann for Bob."""
    return said.compose(ANN, BOB.public, index, text, 217_000_000)


class RecordTests(SynchronousTestCase):
    """What Ann signs Bob takes, and nothing else."""

    def test_a_record_is_taken_by_the_one_it_is_for_with_the_hash_its_author_knows(self) -> None:
        record = sent("grüß dich")
        self.assertEqual(said.record_hash(record), said.check(Said.decode(record.encode()), BOB, ANN.public))

    def test_both_sides_name_the_conversation_alike_and_their_records_apart(self) -> None:
        there, back = sent(), said.compose(BOB, ANN.public, 0, "hi", 217_000_000)
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
                said.check(attrs.evolve(record, **{name: value}), BOB, ANN.public)

    def test_another_s_good_record_is_refused_from_whoever_brings_it(self) -> None:
        with self.assertRaises(said.BadRecord):
            said.check(sent(), BOB, CAROL.public)
        with self.assertRaises(said.BadRecord):
            said.check(sent(), CAROL, ANN.public)

    def test_a_record_sent_back_to_its_author_is_refused(self) -> None:
        with self.assertRaisesRegex(said.BadRecord, "receiver's own"):
            said.check(sent(), ANN, BOB.public)
        with self.assertRaisesRegex(said.BadRecord, "one wallet"):
            said.check(sent(), BOB, BOB.public)

    def test_a_record_signed_with_another_s_pair_hash_is_refused(self) -> None:
        record = attrs.evolve(sent(), pair=said.compose(ANN, CAROL.public, 0, "hi", 1).pair)
        record = attrs.evolve(record, signature=ANN.sign(said.signed(record)))
        with self.assertRaisesRegex(said.BadRecord, "pair hash"):
            said.check(record, BOB, ANN.public)

    def test_a_record_signed_for_another_conversation_is_refused(self) -> None:
        record = attrs.evolve(sent(), conversation=said.conversation_of(ANN.public, CAROL.public))
        record = attrs.evolve(record, signature=ANN.sign(said.signed(record)))
        with self.assertRaisesRegex(said.BadRecord, "another conversation"):
            said.check(record, BOB, ANN.public)

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
            said.check(record, BOB, ANN.public)

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
