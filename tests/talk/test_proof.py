"""Proofs of a conversation, checked by somebody who has nothing else."""

from __future__ import annotations

import attrs
from twisted.trial.unittest import SynchronousTestCase

from rhotwist.errors import BadPacket, LocalError
from rhotwist.talk.messages import Proof
from rhotwist.talk.proof import Proven, check_proof, prove
from rhotwist.talk.record import BadRecord, Place, compose
from rhotwist.tree.hashes import EMPTY
from tests import FULL
from tests.talk.support import ANN, BOB, CAROL, PAIR, Reader, fork, spoken


class ProofTests(SynchronousTestCase):
    def refused(self, why: str, wrong: Proof) -> None:
        with self.assertRaisesRegex(BadRecord, why):
            check_proof(wrong)

    def test_every_record_and_every_state_before_can_be_proven(self) -> None:
        reader, states = Reader(), [(EMPTY, (0, 0))]
        for number in range(12):
            reader.say((ANN, BOB)[number % 3 == 0], f"{number}")
            states.append((reader.talk.root, reader.talk.sizes))
        for record in reader.all():
            for root, sizes in states:
                made = prove(reader.talk, PAIR, CAROL, 77, record=record, before=sizes)
                shown = check_proof(Proof.decode(made.encode()))
                want = Proven(PAIR, reader.talk.sizes, reader.talk.root, 77, CAROL.public, record, sizes, root)
                self.assertEqual(want, shown)

    def test_a_proof_of_the_root_alone_shows_no_record(self) -> None:
        shown = check_proof(prove(spoken(5).talk, PAIR, ANN, 7))
        self.assertEqual((None, (0, 0), EMPTY), (shown.record, shown.before, shown.before_root))
        self.assertEqual((0, 0), check_proof(prove(Reader().talk, PAIR, ANN, 7)).sizes)

    def test_whatever_byte_is_changed_it_does_not_hold(self) -> None:
        reader = spoken(9)
        before = tuple(size - 1 for size in reader.talk.sizes)
        data = prove(reader.talk, PAIR, ANN, 7, record=reader.all()[2], before=before).encode()
        for at in range(0, len(data), 1 if FULL else 5):
            wrong = bytearray(data)
            wrong[at] ^= 1
            with self.assertRaises((BadRecord, BadPacket), msg=str(at)):
                check_proof(Proof.decode(bytes(wrong)))

    def test_what_was_rewritten_has_no_proof_that_it_only_grew(self) -> None:
        reader = spoken(9)
        before, side = reader.talk.sizes, PAIR.side(BOB.public)
        standing, number = reader.talk.at(side << 63)[0], 0
        while reader.talk.at(side << 63)[0] == standing:  # until one has a smaller hash
            fork(reader, BOB, 0, f"not that {(number := number + 1)}")
        reader.say(ANN, "more")
        made = prove(reader.talk, PAIR, BOB, 7, before=before)
        self.assertNotEqual(spoken(9).talk.root, check_proof(made).before_root)
        old = ("old_lower_root", "old_higher_root")[side]
        self.refused("begin", attrs.evolve(made, **{old: spoken(9).talk.root_at(side, before[side])}))

    def test_another_witness_version_or_order_is_refused(self) -> None:
        made = prove(spoken(5).talk, PAIR, ANN, 7)
        self.refused("witness", attrs.evolve(made, witness=BOB.public))
        self.refused("version", attrs.evolve(made, version=2))
        self.refused("order", attrs.evolve(made, lower_key=PAIR.higher, higher_key=PAIR.lower))

    def test_a_root_without_records_and_a_path_without_a_record_are_refused(self) -> None:
        made = prove(spoken(5).talk, PAIR, ANN, 7)
        self.refused("root", attrs.evolve(made, old_lower_root=bytes([1]) * 32))
        self.refused("root", attrs.evolve(made, lower=0))
        self.refused("root", attrs.evolve(made, higher=1 << 63))
        self.refused("no record", attrs.evolve(made, path=(bytes(32),)))
        self.refused("begin", attrs.evolve(made, higher_path=(bytes(32),)))

    def test_a_record_elsewhere_or_of_somebody_else_is_refused(self) -> None:
        reader = spoken(8)
        one, other = reader.all()[:2]
        made = prove(reader.talk, PAIR, ANN, 7, record=one)
        self.refused("stand", attrs.evolve(made, line=prove(reader.talk, PAIR, ANN, 7, record=other).line))
        self.refused("stand", attrs.evolve(made, path=made.path[::-1][1:]))
        self.assertRaises(BadPacket, check_proof, attrs.evolve(made, line=b"short"))

    def test_only_what_stands_there_is_proven(self) -> None:
        reader = spoken(4)
        rival = compose(ANN, PAIR, Place(0), "never said", 7)
        for wrong in ({"record": rival}, {"before": (99, 0)}, {"before": (0, -1)}):
            self.assertRaises(LocalError, prove, reader.talk, PAIR, ANN, 7, **wrong)
