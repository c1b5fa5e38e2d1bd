"""The way into the tree: the cheap checks first, budgets that only delay, and one tree in the end."""

from __future__ import annotations

import pickle
from random import Random

import attrs
from twisted.trial.unittest import SynchronousTestCase

from rhotwist.directory import validity, work
from rhotwist.directory.checks import BAD_KEY, BAD_SIGNATURE, BAD_WORK, GOOD, judge
from rhotwist.directory.endpoints import Endpoint, Kind, at_ip
from rhotwist.directory.record import Record, delegation, make_record, read_layout, withdraw
from rhotwist.errors import LocalError
from rhotwist.keys.authority import Authority
from rhotwist.limits import Limits
from rhotwist.testing import SeededTestCase
from rhotwist.testing.cases import full
from tests.directory.support import ASKED, NO_WORK, NOON, PASTED, PEER, TODAY, Node, at, key, place, record

SIX_BITS = Limits(directory_work=6)


def worked(one: Record, bits: int = 6) -> Record:
    quarter = validity.quarter_of(validity.epoch_of(one.issued))
    return one.with_nonce(next(nonce for nonce in work.search(quarter, one.address, bits) if nonce))


def forged(one: Record) -> Record:
    return attrs.evolve(one, signature=bytes(64))


class WayTests(SynchronousTestCase):
    """One batch."""

    def test_good_records_come_out_as_leaves_for_the_tree(self) -> None:
        node, some = Node(), [record(1), record(2), withdraw(key(3), NOON)]
        batch, settled = node.admit(some)
        self.assertEqual([(one.key, one.signed, one.signature) for one in some], [check[:3] for check in batch.checks])
        self.assertEqual([(one.address, one.leaf, one, False) for one in some], list(settled.puts))
        self.assertEqual((({}, 0, 0), ()), ((batch.refused, batch.duplicates, batch.held), settled.removed))

    def test_what_is_here_already_is_a_duplicate_and_what_is_older_is_old_before_any_signature(self) -> None:
        node, old, new = Node(), record(1, NOON - 60), record(1, NOON)
        node.admit([new])
        batch = node.take([new, old, forged(new)])
        self.assertEqual(((), 2, {"old": 1}), (batch.checks, batch.duplicates, batch.refused))

    def test_the_same_twice_in_a_batch_is_checked_once(self) -> None:
        batch = Node().take([record(1), record(2), record(1)])
        self.assertEqual((2, 1), (len(batch.checks), batch.duplicates))

    def test_the_best_of_a_batch_stands_and_a_forgery_is_not_the_best(self) -> None:
        node, new = Node(), record(1, NOON)
        _, settled = node.admit([record(1, NOON - 60), new, forged(record(1, NOON + 60)), record(1, NOON - 120)])
        self.assertEqual([new], [put.record for put in settled.puts])
        self.assertEqual({"signature": 1}, settled.refused)

    def test_another_batch_may_have_come_first(self) -> None:
        node, new = Node(), record(1, NOON)
        early, late = node.take([record(1, NOON - 60)]), node.take([new, record(2)])
        again = node.take([new])
        node.settle(late)
        self.assertEqual({"old": 1}, node.settle(early).refused)
        self.assertEqual(1, node.settle(again).duplicates)
        self.assertEqual(new, node.tree.records[new.address])

    def test_a_record_that_expired_while_it_was_checked_is_not_put(self) -> None:
        node = Node()
        batch = node.take([record(1, NOON, life=11), record(2, NOON, life=12)])
        self.assertEqual((1, {"expired": 1}), (len(batch.checks), batch.refused))
        settled = node.settle(batch, at(NOON + 12 * 3_600))
        self.assertEqual(((), {"expired": 1}), (settled.puts, settled.refused))

    def test_each_refusal_has_its_reason(self) -> None:
        bad_key = bytearray(make_record(key(1), NOON, [Endpoint(Kind.RELAY, key(2).public)]).encode())
        bad_key[43:75] = b"\2" + bytes(31)
        node = Node(SIX_BITS)
        good = worked(record(1))
        lazy = next(one for n in range(5, 9) if not worth(one := record(n)))
        late, private = record(3, NOON - 40 * validity.DAY), record(4, NOON, at_ip("udp", "10.0.0.1", 1))
        batch, settled = node.admit([good, bytes(bad_key), forged(good), b"", late, private, lazy])
        self.assertEqual({"size": 1, "expired": 1, "address": 1}, batch.refused)
        self.assertEqual({"key": 1, "signature": 1, "work": 1}, settled.refused)
        self.assertEqual([good], [put.record for put in settled.puts])

    def test_verdicts_are_one_byte_a_check_and_as_many(self) -> None:
        node = Node()
        batch = node.take([record(1), forged(record(2))])
        self.assertEqual(bytes((GOOD, BAD_SIGNATURE)), judge(batch.checks, 0))
        self.assertRaises(LocalError, node.settle, batch, None, [GOOD])
        self.assertEqual((BAD_KEY, BAD_WORK), (1, 3))

    def test_checks_go_to_another_process_and_back(self) -> None:
        checks = Node().take([worked(record(1)), forged(record(2))]).checks
        self.assertEqual(judge(checks, 6), judge(pickle.loads(pickle.dumps(checks)), 6))

    def test_delegations_go_the_same_way(self) -> None:
        node = Node()
        keys = (key(1).public, key(2).public)
        first, second = (
            delegation(Authority(*keys, n, NOON + n, NOON + 1_000, 1).sign(key(1))) for n in (1, 2)
        )
        own = record(1)
        node.admit([second, own])
        self.assertEqual({"old": 1}, node.take([first]).refused)
        self.assertEqual({own.address: own, second.address: second}, node.tree.records)


def worth(one: Record) -> bool:
    """Whether a record has six bits of work by chance."""
    return work.bits_of(validity.quarter_of(validity.epoch_of(one.issued)), one.address, one.nonce) >= 6


class WorkTests(SynchronousTestCase):
    def test_work_is_looked_at_once_for_a_key_and_quarter(self) -> None:
        node, first = Node(SIX_BITS), worked(record(1, NOON))
        node.admit([first])
        later = record(1, NOON + 60).with_nonce(first.nonce)
        self.assertIsNone(node.take([later]).checks[0].work)
        self.assertIsNotNone(node.take([later.with_nonce(b"another!")]).checks[0].work)
        node.admit([later])
        self.assertEqual(later, node.tree.records[later.address])

    def test_it_is_that_of_the_quarter_of_issue_so_a_record_keeps_it(self) -> None:
        boundary = (TODAY // validity.QUARTER + 1) * validity.QUARTER * validity.DAY
        node, old = Node(SIX_BITS), worked(record(1, boundary - 60))
        node.admit([old], PEER, at(boundary))
        self.assertEqual([old], list(node.tree.records.values()))
        new = record(1, boundary).with_nonce(old.nonce)
        [check] = node.take([new], PEER, at(boundary)).checks
        self.assertEqual((boundary // validity.DAY // 91, new.address, old.nonce), check.work)

    def test_what_was_pasted_without_work_stays_beside_the_tree(self) -> None:
        node = Node(SIX_BITS)
        lazy = next(one for n in range(9) if not worth(one := record(n)))
        _, settled = node.admit([lazy, worked(record(10))], PASTED)
        self.assertEqual([True, False], [put.local for put in settled.puts])
        self.assertEqual(([lazy.address], {}), (list(node.tree.beside), settled.refused))


class AddressTests(SynchronousTestCase):
    def test_a_private_address_is_nobody_s_but_our_own_people_s(self) -> None:
        home = record(1, NOON, place(1), at_ip("tcp", "192.168.1.2", 1))
        for source in (PEER, ASKED):
            batch, _ = Node().admit([home], source)
            self.assertEqual(({"address": 1}, ()), (batch.refused, batch.checks))
        node = Node()
        node.admit([home], PASTED)
        self.assertEqual(([home], []), (list(node.tree.beside.values()), list(node.tree.records)))
        node.admit([withdraw(key(1), NOON + 60)], PEER)
        self.assertEqual(1, len(node.tree.records))

    def test_a_network_of_one_s_own_lifts_the_rule(self) -> None:
        node = Node(private=True)
        node.admit([record(1, NOON, at_ip("udp", "127.0.0.1", 1))])
        self.assertEqual(1, len(node.tree.records))


class DateTests(SynchronousTestCase):
    """Attack: future timestamps."""

    def test_a_record_from_the_future_waits_until_it_is_due(self) -> None:
        node, soon = Node(), record(1, NOON + 660)
        self.assertEqual((1, ()), ((batch := node.take([soon], ASKED)).held, batch.checks))
        self.assertEqual(60.0, node.admission.deadline())
        self.assertEqual((), node.wait(at(NOON + 59)).puts)
        self.assertEqual([soon], [put.record for put in node.wait(at(NOON + 60)).puts])
        self.assertIsNone(node.admission.deadline())

    def test_ten_minutes_are_slack_up_to_an_hour_waits_and_a_minute_more_is_refused(self) -> None:
        node = Node()
        for ahead, (checks, held, refused) in {
            600: (1, 0, {}), 660: (0, 1, {}), 3_600: (0, 1, {}), 3_660: (0, 0, {"future": 1}),
        }.items():  # fmt: skip
            batch = node.take([record(ahead, NOON + ahead)], ASKED)
            self.assertEqual((checks, held, refused), (len(batch.checks), batch.held, batch.refused), ahead)

    def test_the_last_date_there_is_freezes_no_key(self) -> None:
        node = Node()
        last = record(1, 2**32 - 60)
        self.assertEqual({"future": 1}, node.take([last]).refused)
        node.admit([record(1)])
        self.assertEqual(1, len(node.tree.records))


class BudgetTests(SynchronousTestCase):
    def test_a_peer_has_a_burst_and_then_a_rate_and_the_rest_waits(self) -> None:
        node = Node(attrs.evolve(NO_WORK, record_burst=3.0))
        batch, _ = node.admit([record(n) for n in range(5)])
        self.assertEqual((3, 2, 2), (len(batch.checks), batch.held, node.admission.waiting))
        self.assertEqual([], list(node.wait(at(NOON + 9)).puts))
        self.assertEqual(1, len(node.wait(at(NOON + 10)).puts))
        self.assertEqual(1, len(node.wait(at(NOON + 20)).puts))
        self.assertEqual(5, len(node.tree.records))

    def test_checks_are_booked_by_what_they_cost(self) -> None:
        node = Node(attrs.evolve(NO_WORK, verify_burst=75.0 + 36, verify_rate=111.0))
        batch = node.take([record(1), record(2), record(3)])
        self.assertEqual((1, 2), (len(batch.checks), batch.held))
        self.assertEqual(1.0, node.admission.deadline())

    def test_what_was_asked_for_or_pasted_has_no_budget(self) -> None:
        for source in (ASKED, PASTED):
            node = Node(attrs.evolve(NO_WORK, record_burst=3.0, key_burst=1.0))
            self.assertEqual(9, len(node.take([record(n) for n in range(9)], source).checks))
            node.admit([record(1, NOON + 60)], source)
            node.admit([record(1, NOON + 120)], source)
            self.assertEqual(NOON + 120, node.tree.records[record(1).address].issued)

    def test_one_peer_s_budget_is_not_another_s(self) -> None:
        node = Node(attrs.evolve(NO_WORK, record_burst=1.0))
        node.admit([record(n) for n in range(5)])
        self.assertEqual(1, len(node.take([record(9)], PEER._replace(sender=b"\1" * 32)).checks))

    def test_whoever_finds_no_place_is_refused_and_not_booked(self) -> None:
        node = Node(attrs.evolve(NO_WORK, record_burst=1.0, waiting_share=2))
        batch = node.take([record(n) for n in range(9)])
        self.assertEqual((1, 2, {"full": 6}), (len(batch.checks), batch.held, batch.refused))
        self.assertEqual(20.0, max(one.due for one in node.admission._room.due(1e9, 9)))
        self.assertEqual(1, len(node.take([record(10)], PEER, at(NOON, 30.0)).checks))

    def test_what_was_never_booked_is_not_given_back(self) -> None:
        node = Node(attrs.evolve(NO_WORK, record_burst=1.0, record_rate=0.001, waiting_share=1))
        node.admit([record(1)])
        node.take([record(2, NOON + 660), record(3, NOON + 660)], ASKED._replace(sender=PEER.sender))
        node.admission.due(node.tree, at(NOON + 60))
        self.assertEqual(1, node.take([record(4)], PEER, at(NOON + 60)).held)

    def test_a_key_changes_four_times_and_then_its_newest_waits_six_hours(self) -> None:
        node = Node()
        held = [node.admit([record(1, NOON - 600 + 60 * n)])[1].held for n in range(7)]
        self.assertEqual([0, 0, 0, 0, 1, 1, 1], held)
        stands = node.tree.records[record(1).address]
        self.assertEqual((NOON - 420, 1), (stands.issued, node.admission.waiting))
        self.assertEqual(6 * 3_600.0, node.admission.deadline())
        node.wait(at(NOON + 6 * 3_600))
        self.assertEqual(NOON - 240, node.tree.records[record(1).address].issued)

    def test_a_withdrawal_never_waits_for_its_key(self) -> None:
        node = Node()
        for n in range(6):
            node.admit([record(1, NOON - 600 + 60 * n)])
        gone = withdraw(key(1), NOON)
        node.admit([gone])
        self.assertEqual([gone], list(node.tree.records.values()))
        node.wait(at(NOON + 12 * 3_600))
        self.assertEqual([gone], list(node.tree.records.values()))

    def test_forgeries_do_not_spend_a_key_s_budget(self) -> None:
        node = Node()
        node.admit([forged(record(1, NOON - 60 * n)) for n in range(9)])
        node.admit([record(1)])
        self.assertEqual(1, len(node.tree.records))

    def test_a_newcomer_waits_longer_the_fuller_the_tree_and_a_known_key_does_not(self) -> None:
        for share, wait in ((0, None), (25, None), (50, 1.0), (80, 4.0), (90, 9.0), (100, 3_600.0)):
            node = Node(attrs.evolve(NO_WORK, directory_max=100))
            node.admit([record(n) for n in range(share)], ASKED)
            node.take([record(1_000)])
            found = node.admission.deadline()
            self.assertEqual(wait, found if found is None else round(found, 6), share)
            self.assertEqual(1, len(node.take([record(0, NOON + 60)]).checks))

    def test_newcomers_of_one_neighbourhood_wait_longer_the_more_of_them_came_that_day(self) -> None:
        node = Node()
        near = [at_ip("udp", f"8.8.8.{n}", 1) for n in range(1, 30)]
        node.admit([record(n, NOON, one) for n, one in enumerate(near[:15])], ASKED)
        batch = node.take([record(100, NOON, near[20]), record(101)])
        self.assertEqual((1, 1), (len(batch.checks), batch.held))
        self.assertAlmostEqual(1.0, node.admission.deadline() or 0.0, 3)
        tomorrow = at(NOON + validity.DAY)
        self.assertEqual(1, len(node.take([record(102, NOON, near[21])], PEER, tomorrow).checks))


class CapTests(SynchronousTestCase):
    def test_a_full_tree_keeps_the_lowest_ranks_and_the_pinned(self) -> None:
        some = [record(n) for n in range(40)]
        trees = []
        for order in (some, some[::-1]):
            node = Node(attrs.evolve(NO_WORK, directory_max=20))
            node.tree.pins.add(some[0].address)
            for at_once in range(0, 40, 7):
                node.admit(order[at_once : at_once + 7], ASKED)
            trees.append(node.tree.records)
        self.assertEqual(trees[0], trees[1])
        self.assertEqual(21, len(trees[0]))
        self.assertIn(some[0].address, trees[0])

    def test_who_would_go_at_once_is_refused_before_its_signature_and_never_put(self) -> None:
        node, some = Node(attrs.evolve(NO_WORK, directory_max=20)), [record(n) for n in range(40)]
        _, settled = node.admit(some, ASKED)
        self.assertEqual((20, (), {"cap": 20}), (len(settled.puts), settled.removed, settled.refused))
        out = [one for one in some if one.address not in node.tree.records]
        batch = node.take(out, ASKED)
        self.assertEqual(((), {"cap": 20}), (batch.checks, batch.refused))
        node.tree.pins.add(out[0].address)
        self.assertEqual(1, len(node.take(out, ASKED).checks))
        self.assertEqual(20, len(node.take(out, ASKED, at(NOON + 20 * validity.DAY)).checks))

    def test_beside_a_full_tree_there_is_room(self) -> None:
        node = Node(attrs.evolve(NO_WORK, directory_max=1))
        node.admit([record(n) for n in range(9)], ASKED)
        home = at_ip("udp", "10.0.0.1", 1)
        node.admit([record(n, NOON, home) for n in range(10, 19)], PASTED)
        self.assertEqual((1, 9), (len(node.tree.records), len(node.tree.beside)))

    def test_who_was_refused_has_a_place_when_others_were_unpinned_or_removed(self) -> None:
        node, some = Node(attrs.evolve(NO_WORK, directory_max=20)), [record(n) for n in range(40)]
        node.admit(some, ASKED)
        out = next(one for one in some if one.address not in node.tree.records)
        self.assertEqual((), node.take([out], ASKED).checks)
        node.tree.records.popitem()
        node.admission.forget()
        node.admit([out], ASKED)
        self.assertIn(out.address, node.tree.records)

    def test_a_refresh_that_goes_in_the_same_batch_is_removed_and_not_put(self) -> None:
        node, some = Node(attrs.evolve(NO_WORK, directory_max=10)), [record(n) for n in range(10)]
        node.admit(some, ASKED)
        batch, settled = node.admit([*(record(n, NOON + 60) for n in range(10)), *map(record, range(10, 30))], ASKED)
        self.assertEqual(10, len(node.tree.records))
        self.assertTrue(settled.removed)
        self.assertFalse(set(settled.removed) & {put.address for put in settled.puts})
        self.assertEqual(30 - len(batch.checks) + settled.refused["cap"], 30 - len(settled.puts) - batch.refused["cap"])


class ConvergenceTests(SeededTestCase):
    """Whatever came first, and whatever had to wait, all trees are one."""

    def test_budgets_decide_nothing_once_the_trees_were_compared(self) -> None:
        tight = attrs.evolve(
            NO_WORK, record_burst=2.0, key_burst=1.0, waiting_records=6, waiting_share=3, directory_max=25
        )
        some = [record(n % 30, NOON - 60 * (n % 4)) for n in range(60)]
        for seed in self.seeds(5, 200):
            random = Random(seed)
            nodes = [Node(tight) for _ in range(3)]
            for node in nodes:
                random.shuffle(some)
                for start in range(0, 60, 6):
                    node.admit(some[start : start + 6])
                    node.wait(at(NOON, 10.0 * start))
            for _ in range(2):
                for node in nodes:
                    for other in nodes:
                        node.admit(list(other.tree.records.values()), ASKED)
            self.assertEqual(1, len({node.tree.root() for node in nodes}))


class AttackTests(SeededTestCase):
    """What an enemy of the directory does."""

    def test_a_million_records_of_one_peer_cost_its_budget_and_no_more(self) -> None:
        """Attack: record spam. 1,000 and 0.1 a second are checked; the room is bounded."""
        total, step = (1_000_000, 10_000) if full() else (12_000, 2_000)
        node, template = Node(), record(1).encode()
        checked = 0
        for start in range(0, total, step):
            spam = [template[:3] + n.to_bytes(32, "big") + template[35:] for n in range(start, start + step)]
            moment = at(NOON, start / step)
            checked += len(node.take(spam, PEER, moment).checks)
            checked += len(node.admission.due(node.tree, moment).checks)
            self.assertLessEqual(node.admission.waiting, node.limits.waiting_share)
        self.assertLessEqual(checked, node.limits.record_burst + node.limits.record_rate * total / step + 1)
        self.assertGreaterEqual(checked, node.limits.record_burst)

    def test_a_thousand_old_records_change_nothing_also_after_a_restart(self) -> None:
        """Attack: rollback."""
        count = 1_000 if full() else 100
        node = Node()
        node.admit([record(n) for n in range(10)] + [withdraw(key(10), NOON)], ASKED)
        root = node.tree.root()
        old = [record(n % 11, NOON - 60 * (1 + n // 11)) for n in range(count)]
        for source in (PEER, ASKED, PASTED):
            batch, settled = node.admit(old, source)
            self.assertEqual(((), {"old": count}), (batch.checks, batch.refused))
            restarted = Node()
            restarted.tree = node.tree
            _, settled = restarted.admit(old, source)
            self.assertEqual(((), root), (settled.puts, restarted.tree.root()))

    def test_a_withdrawn_key_fed_again_from_an_old_bundle_never_comes_back(self) -> None:
        node, old = Node(), record(1, NOON - 60)
        node.admit([withdraw(key(1), NOON)], ASKED)
        for day in range(35):
            date = NOON + day * validity.DAY
            node.tree.purge(validity.epoch_of(date))
            node.admit([old], PASTED, at(date))
            self.assertFalse([one for one in node.tree.records.values() if not one.withdraws], day)
        self.assertEqual({}, node.tree.records)

    def test_two_records_of_one_minute_end_alike_in_six_orders_at_three_nodes(self) -> None:
        """Attack: equivocation."""
        three = [record(1, NOON, place(n)) for n in range(3)]
        roots = set()
        for order in ((0, 1, 2), (0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0)):
            for cut in (1, 2, 3):
                node = Node()
                node.admit([three[n] for n in order[:cut]])
                node.admit([three[n] for n in order[cut:]])
                roots.add(node.tree.root())
        self.assertEqual(1, len(roots))

    def test_a_thousand_orders_of_200_records_are_one_root(self) -> None:
        """Attack: order, duplicates. The signatures are taken as good: the merge is what is tried."""
        some = [record(n % 60, NOON - 60 * (n % 3), place(n)) for n in range(200)]
        roots = set()
        for seed in self.seeds(20, 1_000):
            random, node = Random(seed), Node()
            arriving = some + random.choices(some, k=50)
            random.shuffle(arriving)
            for start in range(0, 250, 25):
                batch = node.take(arriving[start : start + 25], ASKED)
                node.settle(batch, None, [GOOD] * len(batch.checks))
            roots.add(node.tree.root())
        self.assertEqual(1, len(roots))

    def test_a_huge_record_is_refused_before_its_signature(self) -> None:
        for size in (385, 1_025, 100_000):
            batch = Node().take([record(1).encode().ljust(size, b"\0")])
            self.assertEqual(((), {"size": 1}), (batch.checks, batch.refused))

    def test_another_signature_of_the_same_words_is_no_new_record(self) -> None:
        node, one = Node(), record(1)
        node.admit([one])
        again = attrs.evolve(one, signature=bytes(64), nonce=b"another!")
        self.assertEqual(1, node.take([again]).duplicates)
        self.assertEqual(read_layout(again.encode()).leaf, one.leaf)
