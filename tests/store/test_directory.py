"""The directory on disk: what was applied stands, in the tree, the journal and the look-ups; and nothing else does."""

import sqlite3
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import closing
from random import Random
from threading import Event
from typing import Any

import attrs

from rhotwist.directory.admission import Admission
from rhotwist.directory.checks import judge
from rhotwist.errors import Closed, LocalError, StoreError
from rhotwist.store.database import Database
from rhotwist.store.upgrade import connect
from rhotwist.testing.holdings import MemoryHoldings
from rhotwist.tree.hashes import EMPTY
from rhotwist.tree.proof import inclusion, read_path
from rhotwist.tree.sketch import Cells, Sketch, sketch_id
from tests.directory import support
from tests.directory.support import ASKED, NO_WORK, NOON, TODAY, at
from tests.store.directory_support import CELLS, DirectoryCase, put, puts, record, root_of_records, small
from tests.store.support import SECONDS


class ReadTests(DirectoryCase):
    def test_a_new_directory_is_empty_and_has_a_name(self) -> None:
        directory = self.open()
        state = directory.opened.result(SECONDS)
        self.assertEqual((state.count, state.root, state.seq, state.epoch), (0, EMPTY, 0, 0))
        self.assertEqual(len(state.store_id), 8)
        self.assertEqual(directory.state, state)
        self.assertIsNone(directory.lookup(support.key(1).public))
        self.assertIsNone(directory.record(bytes(32)))

    def test_what_was_applied_is_found_by_key_and_by_address_and_is_the_root(self) -> None:
        directory = self.open()
        made = self.fill(directory, 60)
        self.assertEqual(directory.lookup(support.key(7).public), made[7])
        self.assertEqual(directory.record(made[8].address), made[8])
        self.assertEqual(directory.root, root_of_records(made))
        self.assertEqual((directory.count(), directory.state.count), (60, 60))
        self.assertEqual(set(directory.addresses()), {one.address for one in made})

    def test_of_two_records_of_one_address_the_last_one_applied_stands_and_the_other_is_gone(self) -> None:
        directory = self.open()
        self.fill(directory, 3)
        directory.apply(puts([record(1, 1), record(1, 2)])).result(SECONDS)
        self.assertEqual(directory.record(record(1).address), record(1, 2))
        left = (record(0), record(2), record(1, 2))
        self.assertEqual(directory.since(0, 9).records, tuple(one.encode() for one in left))

    def test_the_journal_goes_on_behind_a_cursor_in_order_of_arrival_and_gives_no_number_twice(self) -> None:
        directory = self.open()
        made = self.fill(directory, 5)
        first = directory.since(0, 2)
        self.assertEqual((first.records, first.cursor), (tuple(one.encode() for one in made[:2]), 2))
        rest = directory.since(first.cursor, 9)
        self.assertEqual((rest.records, rest.cursor), (tuple(one.encode() for one in made[2:]), 5))
        directory.apply((), [made[4].address]).result(SECONDS)
        directory.apply([put(record(9))]).result(SECONDS)
        last = directory.since(rest.cursor, 9)
        self.assertEqual((last.records, last.cursor), ((record(9).encode(),), 7))
        self.assertEqual(directory.since(7, 9).records, ())
        self.assertEqual(directory.since(20, 9).cursor, 20)

    def test_a_question_sees_one_tree_with_its_regions_leaves_proofs_and_sketch(self) -> None:
        for reference in (False, True):
            self.path = self.folder / f"{reference}.db"
            directory = self.open(small(reference))
            made = self.fill(directory, 40)
            whole = Sketch(CELLS)
            whole.change(sketch_id(one.address, one.leaf) for one in made)
            for bits in (0, 1, 5, 9, 256):
                prefix = made[3].address
                below = [one for one in made if _front(one.address, bits) == _front(prefix, bits)]
                found = directory.ask(lambda view: (view.region(bits, prefix), view.leaves(bits, prefix)))  # noqa: B023
                leaves = sorted((one.address, one.leaf) for one in below)
                self.assertEqual(found.result(SECONDS), (root_of_records(below), leaves))
            elsewhere = bytes((made[0].address[0], *(~one & 255 for one in made[0].address[1:])))
            self.assertEqual(directory.ask(lambda view: view.region(200, elsewhere)).result(SECONDS), EMPTY)  # noqa: B023
            self.assertEqual(directory.ask(lambda view: view.cells(CELLS)).result(SECONDS), whole.first(CELLS))
            self.assertEqual(directory.ask(lambda view: view.record(made[2].address)).result(SECONDS), made[2])  # noqa: B023
            proof = directory.ask(lambda view: inclusion(view.tree, made[5].address)).result(SECONDS)  # noqa: B023
            self.assertEqual(read_path(proof.encode()).fold(made[5].leaf), directory.root)
            self.close(directory)

    def test_a_directory_without_a_sketch_says_so(self) -> None:
        replica = small()
        replica._cells = 0
        directory = self.open(replica)
        self.fill(directory, 3)
        self.assertRaises(LocalError, directory.ask(lambda view: view.cells(1)).result, SECONDS)

    def test_anybody_can_walk_the_reference_with_plain_sql(self) -> None:
        directory = self.open(small(reference=True))
        made = self.fill(directory, 30)
        with closing(connect(self.path, "ro")) as another:
            branches = another.execute("SELECT count(*) FROM node").fetchone()[0]
            leaves = another.execute(
                "SELECT left_prefix FROM node WHERE left_bits = 256 "
                "UNION SELECT right_prefix FROM node WHERE right_bits = 256"
            )
            self.assertEqual({row[0] for row in leaves}, {one.address for one in made})
        self.assertEqual(branches, 29)

    def test_a_local_record_stands_beside_the_tree_and_the_better_one_is_found(self) -> None:
        directory = self.open()
        self.fill(directory, 2)
        state = directory.apply(puts([record(1, 5), record(7, 1)], local=True)).result(SECONDS)
        self.assertEqual((state.count, directory.count()), (2, 2))
        self.assertEqual(directory.lookup(support.key(1).public), record(1, 5))
        self.assertEqual(directory.record(record(1).address), record(1))
        self.assertEqual(directory.lookup(support.key(7).public), record(7, 1))
        directory.apply([put(record(1, 6)), put(record(7), local=True)]).result(SECONDS)
        self.assertEqual(directory.lookup(support.key(1).public), record(1, 6))
        self.assertEqual(directory.lookup(support.key(7).public), record(7, 1))

    def test_a_purge_makes_it_the_tree_of_that_day(self) -> None:
        directory = self.open()
        kept, going = [record(n, days=9) for n in range(9)], [record(n, days=2) for n in range(9, 30)]
        directory.apply([*puts(kept + going), put(record(40, days=2), True), put(record(41, days=9), True)])
        directory.purge(TODAY).result(SECONDS)
        self.assertEqual(directory.count(), 30)
        before = directory.state.seq
        state = directory.purge(TODAY + 2).result(SECONDS)
        self.assertEqual((state.root, state.count, state.epoch), (root_of_records(kept), 9, TODAY + 2))
        self.assertGreater(state.seq, before)
        self.assertEqual(directory.purge(TODAY + 2).result(SECONDS), state)
        self.assertIsNone(directory.lookup(support.key(40).public))
        self.assertEqual(directory.lookup(support.key(41).public), record(41, days=9))
        self.assertEqual(directory.since(0, 99).records, tuple(one.encode() for one in kept))

    def test_after_closing_nothing_changes_and_nothing_counts(self) -> None:
        directory = self.open()
        self.fill(directory, 2)
        self.close(directory)
        self.assertRaises(Closed, directory.apply, [put(record(5))])
        self.assertEqual(directory.count(), 2)


class RestartTests(DirectoryCase):
    def test_all_is_as_it_was_and_no_leaf_is_read_for_it(self) -> None:
        directory = self.open()
        made = self.fill(directory, 50)
        directory.pin([made[3].address]).result(SECONDS)
        directory.apply([put(record(60))], [made[0].address]).result(SECONDS)
        state, cells = directory.state, directory.ask(lambda view: view.cells(CELLS)).result(SECONDS)
        self.close(directory)
        replica = small(deep=64)
        replica._made_sketch = lambda: self.fail("the sketch was made from the leaves")  # type: ignore[method-assign]
        directory = self.open(replica)
        self.assertEqual(directory.opened.result(SECONDS), state)
        self.assertEqual(directory.ask(lambda view: view.cells(CELLS)).result(SECONDS), cells)
        self.assertTrue(directory.pinned(made[3].address))

    def test_another_form_has_the_same_root_and_leaves_no_rows_of_the_first(self) -> None:
        directory = self.open()
        made = self.fill(directory, 50)
        for reference in (True, False):
            self.close(directory)
            directory = self.open(small(reference))
            self.assertEqual(directory.opened.result(SECONDS).root, root_of_records(made))
            self.assertEqual(directory.audit(True).result(SECONDS).damage, ())
        with closing(connect(self.path, "ro")) as another:
            self.assertLess(another.execute("SELECT count(*) FROM node").fetchone()[0], 49)

    def test_a_sketch_in_the_layout_of_another_version_is_made_anew(self) -> None:
        wide = self.patch(Cells, "encode", lambda cells: b"".join(bytes(13) for _ in cells.counts))
        directory = self.open(small(fold=1))
        made = self.fill(directory, 20)
        state = directory.state
        self.close(directory)
        wide.restore()
        directory = self.open()
        opened = directory.opened.result(SECONDS)
        self.assertEqual((state.root, state.store_id), (opened.root, opened.store_id))
        whole = Sketch(CELLS)
        whole.change(sketch_id(one.address, one.leaf) for one in made)
        self.assertEqual(directory.ask(lambda view: view.cells(CELLS)).result(SECONDS), whole.first(CELLS))
        self.assertEqual(directory.audit(True).result(SECONDS).damage, ())

    def test_the_sketch_is_written_once_in_many_records_and_steps_go_then(self) -> None:
        directory = self.open(small(fold=10))
        steps = []
        for number in range(25):
            directory.apply([put(record(number))]).result(SECONDS)
            steps.append(self.database.read(lambda c: c.execute("SELECT count(*) FROM step").fetchone()[0]))
        self.assertLessEqual(max(steps), 10)
        self.assertEqual(min(steps[1:]), 1)


class FailureTests(DirectoryCase):
    def test_a_transaction_that_failed_leaves_memory_as_the_tables_are(self) -> None:
        directory = self.open()
        made = self.fill(directory, 20)
        replica = directory._replica

        def lost(connection: sqlite3.Connection) -> None:
            replica.apply(connection, puts([record(30)]), [made[0].address])
            connection.execute("ROLLBACK")

        def refused(connection: sqlite3.Connection) -> None:
            replica.apply(connection, puts([record(31)]), ())
            raise LocalError("not today")

        for work in (lost, refused):
            self.assertRaises((StoreError, LocalError), self.database.submit(work).result, SECONDS)  # type: ignore[arg-type]
            self.assertEqual(directory.ask(lambda view: view.state.root).result(SECONDS), root_of_records(made))
        directory.apply([put(record(32))]).result(SECONDS)
        self.assertEqual(directory.root, root_of_records([*made, record(32)]))

    def test_what_failed_half_way_does_not_count_and_what_comes_next_does(self) -> None:
        directory = self.open()
        made = self.fill(directory, 20)
        broken = attrs.evolve(record(50), body="no bytes")  # type: ignore[arg-type]
        failing = directory.apply([put(record(40)), put(record(50))._replace(record=broken)])
        self.assertRaises(TypeError, failing.result, SECONDS)
        self.assertEqual((directory.count(), directory.standing([record(40).address])), (20, [None]))
        directory.apply([put(record(41))]).result(SECONDS)
        self.assertEqual(directory.root, root_of_records([*made, record(41)]))


class HoldingsTests(DirectoryCase):
    def test_a_batch_counts_before_it_is_committed(self) -> None:
        directory = self.open()
        self.fill(directory, 5)
        directory.pin([record(20).address]).result(SECONDS)
        stopper: Any = _Held(self.database)
        future = directory.apply([put(record(1, 1)), put(record(10)), put(record(20))], [record(2).address])
        self.assertEqual(directory.count(), 5)
        standing = directory.standing([record(number).address for number in (0, 1, 2, 10, 11)])
        self.assertEqual([one and one.hash for one in standing],
                         [record(0).hash, record(1, 1).hash, None, record(10).hash, None])  # fmt: skip
        wanted = {record(number).address for number in (0, 1, 3, 4, 10)}
        self.assertEqual(set(directory.addresses()), wanted)
        stopper.release()
        future.result(SECONDS)
        self.assertEqual((directory.count(), set(directory.addresses())), (5, wanted))
        self.assertEqual((directory.state.count, directory.state.pinned), (6, 1))

    def test_what_is_committed_while_it_is_looked_for_is_found_and_counted_once(self) -> None:
        """The writer's thread takes out what was ahead between one look and the next."""
        for look in ("standing", "apply"):
            with self.subTest(look):
                self.path = self.folder / f"{look}.db"
                directory = self.open()
                self.fill(directory, 3)
                first, second = Event(), Event()
                self.addCleanup(second.set)
                self.database.submit(lambda _: first.wait(SECONDS))  # noqa: B023
                newer = record(0, 1)
                waiting = directory.apply([put(newer), put(record(9))])
                read = self.database.read

                def late(work: Callable[[sqlite3.Connection], Any]) -> Any:
                    first.set()  # noqa: B023
                    waiting.result(SECONDS)  # noqa: B023
                    self.database.submit(lambda _: second.wait(SECONDS))  # noqa: B023
                    return read(work)  # noqa: B023

                patched = self.patch(self.database, "read", late)
                if look == "standing":
                    [held] = directory.standing([newer.address])
                    self.assertEqual(newer.hash, held.hash if held else b"")
                else:
                    going = directory.apply([put(record(0, 2)), put(record(9, 1))])
                    self.assertEqual(4, directory.count())
                    second.set()
                    going.result(SECONDS)
                second.set()
                patched.restore()
                self.assertEqual(4, directory.count())

    def test_one_that_was_withdrawn_before_it_ran_counts_no_longer(self) -> None:
        directory = self.open()
        self.fill(directory, 5)
        stopper = _Held(self.database)
        future = directory.apply([put(record(1, 1)), put(record(10))])
        self.assertEqual(directory.count(), 6)
        future.cancel()
        self.assertEqual((directory.count(), directory.standing([record(10).address])), (5, [None]))
        stopper.release()

    def test_whoever_waits_for_a_batch_finds_it_done(self) -> None:
        directory = self.open()
        seen: list[int] = []
        settle = Future.set_result

        def watched(future: Any, result: Any) -> None:
            seen.append(directory.state.count)
            settle(future, result)

        self.patch(Future, "set_result", watched)
        directory.apply([put(record(1))]).result(SECONDS)
        self.assertEqual(seen[-1:], [1])

    def test_admission_over_it_comes_to_the_same_tree_as_over_a_dict(self) -> None:
        directory, model = self.open(), MemoryHoldings()
        limits = attrs.evolve(NO_WORK, directory_max=25)
        gates = Admission(limits, bytes), Admission(limits, bytes)
        random = Random(3)
        model.pins.add(record(3).address)
        directory.pin([record(3).address]).result(SECONDS)
        moment = at(NOON)
        for _ in range(40):
            chosen = [(random.randrange(60), random.randrange(3)) for _ in range(random.randrange(1, 9))]
            encoded = [record(*one).encode() for one in chosen]
            settled = []
            for gate, tree in zip(gates, (directory, model), strict=True):
                batch = gate.take(encoded, ASKED, tree, moment)
                settled.append(gate.settle(batch, judge(batch.checks, 0), tree, moment))
            self.assertEqual({*settled[0].removed}, {*settled[1].removed})
            directory.apply(settled[0].puts, settled[0].removed)
            model.apply(settled[1])
            self.assertEqual(directory.count(), model.count())
        directory.purge(TODAY).result(SECONDS)
        self.assertEqual(directory.root, root_of_records(model.records.values()))
        self.assertEqual(directory.count(), 25)


class _Held:
    """The writer, held until released."""

    def __init__(self, database: Database) -> None:
        from tests.store.test_database import Stopper

        self._stopper = Stopper(database)

    def release(self) -> None:
        """Let it go on."""
        self._stopper.release()


def _front(address: bytes, bits: int) -> int:
    return int.from_bytes(address, "big") >> 256 - bits
