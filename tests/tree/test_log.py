"""A log that grows has the root and the proofs of its list at every size."""

from __future__ import annotations

from random import Random

from twisted.trial.unittest import SynchronousTestCase

from rhotwist.errors import LocalError
from rhotwist.tree import merkle
from rhotwist.tree.log import Log

LEAVES = [merkle.leaf_hash(b"%d" % number) for number in range(1_025)]


def log_of(leaves: list[bytes]) -> Log:
    log = Log()
    for leaf in leaves:
        log.append(leaf)
    return log


class LogTests(SynchronousTestCase):
    def test_its_root_is_that_of_the_list_at_every_size(self) -> None:
        log = Log()
        self.assertEqual(log.root(), merkle.EMPTY)
        for count, leaf in enumerate(LEAVES, 1):
            log.append(leaf)
            self.assertEqual((len(log), log.root()), (count, merkle.root(LEAVES[:count])))
        for count in range(0, 1_026, 5):
            self.assertEqual(log.root(count), merkle.root(LEAVES[:count]))

    def test_an_entry_may_be_another(self) -> None:
        random = Random(1)
        for count in (1, 2, 3, 13, 64, 100):
            leaves = LEAVES[:count]
            log = log_of(leaves)
            for _ in range(10):
                index, leaf = random.randrange(count), random.randbytes(32)
                leaves[index] = leaf
                log.replace(index, leaf)
                self.assertEqual(log.root(), merkle.root(leaves))
            log.append(LEAVES[count])
            self.assertEqual(log.root(), merkle.root([*leaves, LEAVES[count]]))

    def test_it_proves_that_it_only_grew(self) -> None:
        log = log_of(LEAVES[:100])
        for first, count in ((1, 100), (64, 100), (63, 64), (17, 80), (100, 100)):
            path = log.consistency(first, count)
            self.assertEqual(path, merkle.consistency(lambda begin, end: merkle.root(LEAVES[begin:end]), first, count))
            self.assertTrue(merkle.consistent(first, log.root(first), count, log.root(count), path))
        self.assertEqual(log.consistency(7), log.consistency(7, 100))

    def test_what_it_does_not_hold_is_our_mistake(self) -> None:
        log = log_of(LEAVES[:5])
        for call in (
            lambda: log.root(6), lambda: log.root(-1), lambda: log.replace(5, LEAVES[0]),
            lambda: log.replace(-1, LEAVES[0]), lambda: log.consistency(1, 6),
        ):  # fmt: skip
            self.assertRaises(LocalError, call)
