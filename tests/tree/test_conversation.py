"""Conversations: one root for all readers, whatever came in whatever order, and nobody rewrites what he said."""

from __future__ import annotations

import hashlib
from random import Random

import attrs
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from rhotwist.errors import LocalError
from rhotwist.tree import merkle
from rhotwist.tree.conversation import HIGHER, WAITING_MOST, Conversation, Entry, Fork, Gap, Put
from rhotwist.tree.hashes import EMPTY, root_of
from tests import FULL


def entry(author: int, index: int, text: str = "", date: int = 0, seen: int = 0) -> Entry:
    """A record whose hash is its own."""
    leaf = hashlib.sha256(f"{author} {index} {text} {date} {seen}".encode()).digest()
    return Entry(author * HIGHER | index, leaf, seen, EMPTY, date)


def spoken(random: Random, count: int) -> list[Entry]:
    """An honest conversation: each author has seen some of what was said, and says so."""
    talk, found = Conversation(), []
    seen = [0, 0]
    for number in range(count):
        author = random.randrange(2)
        seen[author] = random.randint(seen[author], talk.sizes[1 - author])
        plain = entry(author, talk.sizes[author], str(number), random.randrange(1_000), seen[author])
        said = attrs.evolve(plain, seen_root=talk.root_at(1 - author, seen[author]))
        talk.put(said)
        found.append(said)
    return found


def heard(entries: list[Entry], waiting_most: int = WAITING_MOST) -> Conversation:
    talk = Conversation(waiting_most)
    for said in entries:
        talk.put(said)
    return talk


def state(talk: Conversation) -> object:
    """All that can be asked of it."""
    return talk.root, talk.sizes, list(talk.order()), talk.forks, talk.view(0), talk.view(1)


class RootTests(SynchronousTestCase):
    def test_it_is_that_of_rfc_6962_for_1_to_1_025_records(self) -> None:
        talks = Conversation(), Conversation()
        leaves: list[bytes] = []
        for count in range(1, 1_026):
            said = entry(0, count - 1)
            leaves.append(said.leaf)
            talks[0].put(said)
            talks[1].put(attrs.evolve(said, address=said.address | HIGHER))
            want = merkle.root(leaves)
            self.assertEqual((talks[0].root, talks[1].root), (want, want))

    def test_it_is_that_of_the_patricia_tree_over_the_addresses(self) -> None:
        for low in (0, 1, 2, 3, 5, 8, 100, 1_000, 1_023, 1_024, 1_025):
            for high in (0, 1, 2, 7, 129):
                said = [entry(0, index) for index in range(low)] + [entry(1, index) for index in range(high)]
                talk = heard(said)
                self.assertEqual(talk.sizes, (low, high))
                self.assertEqual(talk.root, root_of((one.address.to_bytes(8, "big"), one.leaf) for one in said))

    def test_three_readers_have_one_root_whatever_order_and_however_often(self) -> None:
        random = Random(1)
        said = spoken(random, 200)
        want = state(heard(said))
        for _ in range(1_000 if FULL else 20):
            order = random.sample(said, 200) + random.sample(said, 40)
            random.shuffle(order)
            self.assertEqual(state(heard(order)), want)

    def test_it_proves_that_it_only_grew(self) -> None:
        talk = heard([entry(1, index) for index in range(40)])
        path = talk.consistency(1, 13, 40)
        self.assertTrue(merkle.consistent(13, talk.root_at(1, 13), 40, talk.root_at(1, 40), path))

    def test_an_address_beyond_u64_is_our_mistake(self) -> None:
        for address in (-1, 2 * HIGHER):
            self.assertRaises(LocalError, Conversation().put, attrs.evolve(entry(0, 0), address=address))


class GapTests(SynchronousTestCase):
    def test_what_comes_early_waits_and_joins_with_what_was_missing(self) -> None:
        talk = Conversation()
        zero, one, two, other = entry(0, 0), entry(0, 1), entry(0, 2), entry(1, 1)
        self.assertEqual([talk.put(said) for said in (two, one, other)], [Put()] * 3)
        self.assertEqual((talk.root, talk.sizes, talk.entry(two.address)), (EMPTY, (0, 0), None))
        self.assertEqual(talk.put(zero), Put(joined=(zero, one, two)))
        self.assertEqual((talk.sizes, talk.entry(two.address)), ((3, 0), two))
        self.assertEqual(talk.put(one), Put())

    def test_what_another_reader_has_and_we_do_not_is_named(self) -> None:
        talk = heard([entry(0, 0), entry(0, 3), entry(0, 4), entry(0, 9), entry(1, 2)])
        self.assertEqual(talk.missing((8, 3)), [Gap(0, 1, 3), Gap(0, 5, 8), Gap(1, 0, 2)])
        self.assertEqual(talk.missing((1, 0)), [])
        self.assertEqual(talk.missing((HIGHER, 0)), [Gap(0, 1, 3), Gap(0, 5, 9), Gap(0, 10, HIGHER)])

    def test_of_too_many_that_wait_the_farthest_goes(self) -> None:
        talk = heard([entry(0, index) for index in (5, 9, 7)], waiting_most=3)
        talk.put(entry(0, 9, "again"))
        forked = {entry(0, 9), entry(0, 9, "again")}
        self.assertEqual(talk.put(entry(0, 11)), Put(dropped=(entry(0, 11),)))
        self.assertEqual(set(talk.put(entry(0, 6)).dropped), forked)
        self.assertEqual((talk.forks, talk.missing((10, 0))), ((), [Gap(0, 0, 5), Gap(0, 8, 10)]))
        self.assertEqual(talk.put(entry(1, 4)), Put())

    def test_a_flood_of_early_records_keeps_no_more_than_it_may(self) -> None:
        talk = Conversation(10)
        for index in range(1_000, 1, -1):
            talk.put(entry(0, index))
            talk.put(entry(0, index, "other"))
        self.assertEqual(len(talk.forks), 10)
        self.assertEqual(talk.missing((1_001, 0)), [Gap(0, 0, 2), Gap(0, 12, 1_001)])


class ForkTests(SynchronousTestCase):
    def test_of_two_records_at_one_address_the_smaller_hash_stands_and_both_are_kept(self) -> None:
        small, large = sorted([entry(0, 1, "a"), entry(0, 1, "b")], key=lambda said: said.leaf)
        rest = [entry(0, 0), entry(0, 2)]
        for order in ([*rest, small, large], [large, *rest, small], [large, small, *rest], [*rest, large, small]):
            talk = Conversation()
            proofs = [put.fork for put in map(talk.put, order) if put.fork]
            self.assertEqual(proofs, [Fork(small, large)])
            self.assertEqual(talk.forks, (Fork(small, large),))
            self.assertEqual(talk.root, heard([*rest, small]).root)
            self.assertEqual(talk.put(entry(0, 3)).joined, (entry(0, 3),))

    def test_a_record_that_takes_a_place_is_told(self) -> None:
        small, large = sorted([entry(0, 0, "a"), entry(0, 0, "b")], key=lambda said: said.leaf)
        talk = Conversation()
        self.assertEqual(talk.put(large), Put(joined=(large,)))
        self.assertEqual(talk.put(small), Put(joined=(small,), fork=Fork(small, large)))
        self.assertEqual([talk.put(small), talk.put(large)], [Put(), Put()])

    @given(st.permutations([(author, index, text) for author in (0, 1) for index in (0, 1, 2) for text in "abc"]))
    def test_whatever_order_rivals_come_in_the_state_is_one(self, order: list[tuple[int, int, str]]) -> None:
        talk = heard([entry(*said) for said in order])
        forks = []
        for author, index in ((0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2)):
            first, second, _ = sorted((entry(author, index, text) for text in "abc"), key=lambda said: said.leaf)
            forks.append(Fork(first, second))
        self.assertEqual(talk.forks, tuple(forks))
        self.assertEqual(talk.root, heard([fork.kept for fork in forks]).root)

    def test_what_is_dropped_is_told(self) -> None:
        first, second, third = sorted((entry(0, 0, text) for text in "abc"), key=lambda said: said.leaf)
        talk = heard([first, second])
        self.assertEqual(talk.put(third), Put(dropped=(third,)))
        talk = heard([first, third])
        self.assertEqual(talk.put(second), Put(fork=Fork(first, second), dropped=(third,)))
        talk = heard([second, third])
        self.assertEqual(talk.put(first), Put((first,), Fork(first, second), (third,)))

    def test_who_saw_something_else_is_noticed(self) -> None:
        said = spoken(Random(2), 60)
        talk = heard(said)
        self.assertEqual({talk.agrees(one) for one in said}, {True})
        late = next(one for one in said if one.seen)
        self.assertIsNone(heard([]).agrees(late))
        self.assertIs(talk.agrees(attrs.evolve(late, seen_root=bytes([1]) * 32)), False)
        self.assertIs(talk.agrees(attrs.evolve(late, seen=0)), False)

    def test_a_view_is_what_the_other_said(self) -> None:
        talk = heard([entry(0, 0), entry(0, 1)])
        self.assertEqual(talk.view(0), (0, EMPTY))
        self.assertEqual(talk.view(1), (2, merkle.root([entry(0, 0).leaf, entry(0, 1).leaf])))


class OrderTests(SynchronousTestCase):
    def test_what_an_author_had_seen_comes_before_what_he_said(self) -> None:
        for seed in range(200 if FULL else 20):
            talk = heard(spoken(Random(seed), 60))
            counts = [0, 0]
            for said in talk.order():
                self.assertEqual(said.index, counts[said.author])
                self.assertGreaterEqual(counts[1 - said.author], said.seen)
                counts[said.author] += 1
            self.assertEqual(tuple(counts), talk.sizes)

    def test_else_dates_decide_and_then_the_lower_key(self) -> None:
        early, late, same = entry(1, 0, date=1), entry(0, 0, date=5), entry(1, 1, date=5)
        self.assertEqual(list(heard([late, early, same]).order()), [early, late, same])

    def test_a_wrong_clock_does_not_put_an_answer_before_its_question(self) -> None:
        question, answer = entry(0, 0, date=900), entry(1, 0, date=1, seen=1)
        self.assertEqual(list(heard([answer, question]).order()), [question, answer])
        question, answer = entry(1, 0, date=900), entry(0, 0, date=1, seen=1)
        self.assertEqual(list(heard([answer, question]).order()), [question, answer])

    def test_two_that_say_to_have_seen_each_other_s_next_stop_nothing(self) -> None:
        one, other = entry(0, 0, date=2, seen=1), entry(1, 0, date=1, seen=HIGHER)
        self.assertEqual(list(heard([one, other]).order()), [other, one])
