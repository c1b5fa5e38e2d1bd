"""What one side lacks, and where two sides of one size part."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from rhotwist.limits import Limits
from rhotwist.talk.exchange import lacking, parting
from rhotwist.talk.messages import RECORD_MOST, RECORDS_MOST, TalkStand, TalkSync
from tests.talk.support import ANN, PAIR, fork, spoken


class LackingTests(SynchronousTestCase):
    def test_two_sizes_say_what_is_missing(self) -> None:
        talk = spoken(20).talk
        for low in range(talk.sizes[0] + 3):
            for high in range(talk.sizes[1] + 3):
                want = [(0, at) for at in range(low, talk.sizes[0])] + [(1, at) for at in range(high, talk.sizes[1])]
                found = [(entry.author, entry.index) for entry in lacking(talk, (low, high))]
                self.assertEqual(want, found)

    def test_rivals_go_together_and_no_message_has_more_than_it_holds(self) -> None:
        reader = spoken(20)
        fork(reader, ANN, 2)
        side = PAIR.side(ANN.public)
        sizes = tuple(0 if at == side else 99 for at in (0, 1))
        self.assertEqual([0, 1, 2, 2], [entry.index for entry in lacking(reader.talk, sizes, 4)])
        self.assertEqual([0, 1], [entry.index for entry in lacking(reader.talk, sizes, 3)])
        self.assertEqual(RECORDS_MOST, len(lacking(spoken(2 * RECORDS_MOST).talk, (0, 0))))

    def test_the_largest_message_is_taken_of_anybody_who_has_proven_a_wallet(self) -> None:
        records = (bytes(RECORD_MOST),) * RECORDS_MOST
        ask = TalkSync(lower=0, higher=0, records=records).encode()
        stand = TalkStand(lower=0, higher=0, lower_root=bytes(32), higher_root=bytes(32), records=records).encode()
        self.assertLess(max(len(ask), len(stand)) + 200, Limits().object_max_client)


class PartingTests(SynchronousTestCase):
    def test_the_first_difference_is_found_in_log2_questions(self) -> None:
        for size in (1, 2, 3, 7, 8, 9, 100, 1_025):
            for first in {0, 1, size // 2, size - 2, size - 1} & set(range(size)):
                search, asked = parting(size), 0
                try:
                    count = next(search)
                    while True:
                        asked += 1
                        count = search.send(count <= first)
                except StopIteration as found:
                    self.assertEqual(first, found.value)
                self.assertLessEqual(asked, (size - 1).bit_length())

