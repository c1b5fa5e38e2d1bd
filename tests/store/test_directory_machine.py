"""The directory against a dict: any order of batches, losses, purges and restarts in either form."""

import sqlite3
import tempfile
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from twisted.trial.unittest import SynchronousTestCase

from rhotwist.directory.record import Record
from rhotwist.directory.validity import stands
from rhotwist.errors import LocalError, StoreError
from rhotwist.store.database import Database
from rhotwist.store.directory import KIND, Directory
from rhotwist.tree.sketch import Sketch, sketch_id
from tests import FULL
from tests.directory import support
from tests.directory.support import TODAY
from tests.store.directory_support import CELLS, put, puts, record, root_of_records, small
from tests.store.support import SECONDS


class DirectoryMachine(RuleBasedStateMachine):
    """Records by key; restart in either form, lost transactions and purges are rules. The model is three dicts."""

    numbers = st.integers(0, 40)
    minutes = st.integers(0, 3)
    lives = st.sampled_from([1, 3, 5, 30])
    some = st.lists(st.tuples(numbers, minutes, lives), max_size=12)

    def __init__(self) -> None:
        super().__init__()
        self.holder = tempfile.TemporaryDirectory()
        self.tree: dict[bytes, Record] = {}
        self.beside: dict[bytes, Record] = {}
        self.pins: set[bytes] = set()
        self.epoch = 0
        self.seq = 0
        self.open(False)

    def open(self, reference: bool) -> None:
        """Open it, as a start does."""
        self.database = Database(Path(self.holder.name) / "machine.db", KIND, durable=False)
        self.directory = Directory(self.database, small(reference))
        self.directory.opened.result(SECONDS)

    @initialize()
    def begin(self) -> None:
        self.purge(TODAY)

    @rule(some=some, gone=st.lists(numbers, max_size=4))
    def apply(self, some: list[tuple[int, int, int]], gone: list[int]) -> None:
        made = [record(*one) for one in some]
        removed = {record(number).address for number in gone} - {one.address for one in made}
        self.directory.apply(puts(made), removed).result(SECONDS)
        for address in removed:
            self.tree.pop(address, None)
        self.tree.update((one.address, one) for one in made)

    @rule(number=numbers, minute=minutes)
    def apply_local(self, number: int, minute: int) -> None:
        made = record(number, minute)
        self.directory.apply([put(made, local=True)]).result(SECONDS)
        held = self.beside.get(made.address)
        if held is None or held.issued < made.issued:
            self.beside[made.address] = made

    @rule(some=some, commit=st.booleans())
    def lose(self, some: list[tuple[int, int, int]], commit: bool) -> None:
        def work(connection: sqlite3.Connection) -> None:
            self.directory._replica.apply(connection, puts(record(*one) for one in some), ())
            if commit:
                connection.execute("ROLLBACK")
            raise LocalError("lost")

        assert isinstance(self.database.submit(work).exception(SECONDS), StoreError | LocalError)

    @rule(number=numbers, pinned=st.booleans())
    def pin(self, number: int, pinned: bool) -> None:
        (self.pins.add if pinned else self.pins.discard)(record(number).address)
        self.directory.pin(self.pins).result(SECONDS)

    @rule(epoch=st.integers(TODAY, TODAY + 6))
    def purge(self, epoch: int) -> None:
        self.directory.purge(epoch).result(SECONDS)
        if epoch != self.epoch:
            self.epoch = epoch
            for held in (self.tree, self.beside):
                for address in [address for address, one in held.items() if not stands(one.until, epoch)]:
                    del held[address]

    @rule()
    def rebuild(self) -> None:
        made = self.directory.rebuild(self.epoch).result(SECONDS)
        assert (made.lost, made.lost_local, made.lost_pins) == ((), (), 0)
        self.tree = {address: one for address, one in self.tree.items() if stands(one.until, self.epoch)}

    @rule(reference=st.booleans())
    def restart(self, reference: bool) -> None:
        state = self.directory.state
        self.directory.close()
        self.database.close()
        self.open(reference)
        assert (self.directory.root, self.directory.epoch) == (state.root, state.epoch)

    @rule()
    def audit(self) -> None:
        assert self.directory.audit(True).result(SECONDS).damage == ()
        whole = Sketch(CELLS)
        whole.change(sketch_id(one.address, one.leaf) for one in self.tree.values())
        assert self.directory.ask(lambda view: view.cells(CELLS)).result(SECONDS) == whole.first(CELLS)

    @rule(number=numbers)
    def look(self, number: int) -> None:
        address = record(number).address
        assert self.directory.record(address) == self.tree.get(address)
        both = [held[address] for held in (self.tree, self.beside) if address in held]
        wanted = max(both, key=lambda one: (one.issued, [-byte for byte in one.hash]), default=None)
        assert self.directory.lookup(support.key(number).public) == wanted

    @invariant()
    def agree(self) -> None:
        state = self.directory.state
        assert state.root == root_of_records(self.tree.values())
        assert (state.count, state.epoch) == (len(self.tree), self.epoch)
        assert self.directory.count() == len(self.tree.keys() - self.pins)
        assert state.seq >= self.seq
        self.seq = state.seq
        assert set(self.directory.since(0, 1_000).records) == {one.encode() for one in self.tree.values()}

    def teardown(self) -> None:
        """Leave nothing."""
        self.directory.close()
        self.database.close()
        self.holder.cleanup()


class DirectoryMachineTests(SynchronousTestCase):
    def test_it_agrees_with_a_dict_over_restarts_failures_and_days(self) -> None:
        """100,000 steps in the long run."""
        run_state_machine_as_test(
            DirectoryMachine,
            settings=settings(stateful_step_count=100 if FULL else 25, max_examples=1_000 if FULL else 12),
        )
