"""What a walk may cost, and what explains how two trees stand after one."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from rhotwist.directory.accounts import Accounts
from rhotwist.directory.answering import AT_ONCE
from rhotwist.directory.credit import EARNED, FAN, MOST, Credit
from rhotwist.directory.step import Seen
from rhotwist.errors import BadPacket


def seen(seq: int, count: int = 1) -> Seen:
    """A tree as its owner says."""
    return Seen(count, bytes(32), seq)


class CreditTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.credit = Credit()

    def test_it_begins_with_what_was_claimed_up_to_a_bound(self) -> None:
        for claimed, left in ((0, 128), (1, 136), (100, 928), (368, MOST), (10**6, MOST)):
            self.credit.begin(claimed)
            self.assertEqual(left, self.credit.left)

    def test_what_is_spent_is_spent(self) -> None:
        self.credit.begin(0)
        self.credit.pay(128)
        self.assertEqual("dear", self.assertRaises(BadPacket, self.credit.pay, 1).reason)

    def test_records_pay_once_they_were_looked_at(self) -> None:
        self.credit.begin(0)
        self.credit.settled(3, 10)
        self.assertEqual(128 + 3 * EARNED - 10, self.credit.left)
        self.credit.given(2)
        self.assertEqual(128 + 5 * EARNED - 10, self.credit.left)
        self.credit.settled(0, 500)
        self.assertRaises(BadPacket, self.credit.pay, 1)

    def test_it_is_scarce_where_all_answers_would_cost_more(self) -> None:
        for left, scarce in (((1 + FAN) * 5, False), ((1 + FAN) * 5 - 1, True)):
            self.credit.left = left
            self.assertEqual(scarce, self.credit.scarce(5))
        self.credit.begin(10_000)
        self.assertFalse(self.credit.scarce(AT_ONCE))


class AccountsTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.accounts = Accounts(10)

    def test_the_newest_that_was_said_counts_and_the_first_is_remembered(self) -> None:
        for seq in (5, 9, 7):
            self.accounts.see(seen(seq))
        self.accounts.see(seen(9, 2))
        self.assertEqual((seen(9, 2), seen(5)), (self.accounts.seen, self.accounts.first))

    def test_nothing_moved_where_each_journal_got_what_came_and_went(self) -> None:
        self.assertTrue(self.accounts.moved(10))  # nobody said anything
        self.accounts.see(seen(5))
        self.assertFalse(self.accounts.moved(10))
        self.accounts.came = self.accounts.new = 3
        self.accounts.gone = self.accounts.taken = 2
        self.accounts.see(seen(7))
        self.assertFalse(self.accounts.moved(13))

    def test_whatever_else_changes_is_a_move(self) -> None:
        for change in ({"new": 2}, {"came": 4}, {"gone": 3}, {"taken": 1}, {"seen": seen(8)}, {"began": 9}):
            accounts = Accounts(10, seen(7), seen(5), came=3, new=3, gone=2, taken=2)
            self.assertFalse(accounts.moved(13))
            for name, value in change.items():
                setattr(accounts, name, value)
            self.assertTrue(accounts.moved(13), change)

    def test_what_came_and_was_not_new_paid_nothing(self) -> None:
        self.accounts.came = self.accounts.new = 3
        self.assertEqual([False, True], [self.accounts.came_for_nothing(seq) for seq in (13, 14)])
        self.accounts.came = 4
        self.assertTrue(self.accounts.came_for_nothing(13))

    def test_others_wrote_what_did_not_come_from_there(self) -> None:
        self.accounts.new = 3
        self.assertEqual([False, True], [self.accounts.others_wrote(seq) for seq in (13, 14)])
