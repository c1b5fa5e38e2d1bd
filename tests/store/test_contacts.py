"""Contacts against a dict, over restarts."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from twisted.trial.unittest import SynchronousTestCase

from rhotwist.store.contacts import KIND, Contact, Contacts
from rhotwist.store.database import Database
from tests import FULL
from tests.store.support import SECONDS


class ContactsMachine(RuleBasedStateMachine):
    """Names and wallets belong together one to one; restart is a rule."""

    names = st.sampled_from(["ann", "bob", "carol"])
    wallets = st.sampled_from([bytes([number]) * 32 for number in (1, 2, 3)])
    places = st.lists(st.sampled_from(["a@b:1", "c@d:2"]), max_size=2)

    def __init__(self) -> None:
        super().__init__()
        self.holder = tempfile.TemporaryDirectory()
        self.model: dict[str, Contact] = {}
        self.open()

    def open(self) -> None:
        """Open the database, as a start does."""
        self.database = Database(Path(self.holder.name) / "user.db", KIND, durable=False)
        self.contacts = Contacts(self.database)

    @rule(name=names, wallet=wallets, places=places, added=st.integers(0, 9))
    def put(self, name: str, wallet: bytes, places: list[str], added: int) -> None:
        contact = Contact(name, wallet, tuple(places), added)
        taken = self.contacts.put(contact).result(SECONDS)
        in_way = [one for one in self.model.values() if (one.name == name) != (one.wallet == wallet)]
        assert (taken in in_way) if in_way else taken is None
        if taken is None:
            self.model[name] = contact

    @rule(name=names)
    def remove(self, name: str) -> None:
        assert self.contacts.remove(name).result(SECONDS) == (self.model.pop(name, None) is not None)

    @rule()
    def restart(self) -> None:
        self.database.close()
        self.open()

    @invariant()
    def agree(self) -> None:
        assert self.contacts.all() == [self.model[name] for name in sorted(self.model)]

    def teardown(self) -> None:
        """Leave nothing."""
        self.database.close()
        self.holder.cleanup()


class ContactsMachineTests(SynchronousTestCase):
    def test_contacts_agree_with_a_dict_over_restarts(self) -> None:
        run_state_machine_as_test(
            ContactsMachine, settings=settings(stateful_step_count=25, max_examples=300 if FULL else 10)
        )
