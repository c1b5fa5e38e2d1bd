"""Handles are small, reused at once, and never answer for what is gone."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test
from twisted.trial.unittest import SynchronousTestCase

from rhotwist.codes.handles import HandleTable
from rhotwist.errors import LocalError


class HandleTests(SynchronousTestCase):
    def test_handles_count_from_zero_and_a_freed_one_is_used_next(self) -> None:
        table: HandleTable[str] = HandleTable()
        self.assertEqual([table.add(x) for x in "abc"], [0, 1, 2])
        self.assertEqual(table.remove(1), "b")
        self.assertEqual(len(table), 2)
        self.assertEqual(table.add("d"), 1)
        self.assertEqual([table.get(i) for i in range(4)], ["a", "d", "c", None])

    def test_a_negative_handle_is_no_way_to_the_end_of_the_table(self) -> None:
        table: HandleTable[str] = HandleTable()
        table.add("a")
        self.assertIsNone(table.get(-1))
        self.assertRaises(LocalError, table.remove, -1)

    def test_a_handle_is_freed_once_and_none_stands_for_none(self) -> None:
        table: HandleTable[object] = HandleTable()
        table.add("a")
        table.remove(0)
        self.assertRaises(LocalError, table.remove, 0)
        self.assertRaises(LocalError, table.remove, 7)
        self.assertRaises(LocalError, table.add, None)
        self.assertEqual(table.add("b"), 0)
        self.assertEqual(table.add("c"), 1)


class HandleMachine(RuleBasedStateMachine):
    """The table against a dict."""

    def __init__(self) -> None:
        super().__init__()
        self.table: HandleTable[object] = HandleTable()
        self.model: dict[int, object] = {}
        self.most = 0

    @rule()
    def add(self) -> None:
        obj = object()
        handle = self.table.add(obj)
        assert handle not in self.model
        self.model[handle] = obj
        self.most = max(self.most, len(self.model))

    @precondition(lambda self: self.model)
    @rule(data=st.data())
    def remove(self, data: st.DataObject) -> None:
        handle = data.draw(st.sampled_from(sorted(self.model)))
        assert self.table.remove(handle) is self.model.pop(handle)

    @invariant()
    def agree(self) -> None:
        assert len(self.table) == len(self.model)
        assert all(self.table.get(handle) is self.model.get(handle) for handle in range(-2, self.most + 2))
        assert all(handle < self.most for handle in self.model)


class HandleMachineTests(SynchronousTestCase):
    def test_the_table_agrees_with_a_dict(self) -> None:
        run_state_machine_as_test(HandleMachine, settings=settings(stateful_step_count=50, max_examples=50))
