"""The tree as the directory's core reads it: in the reactor's thread, at moments when nothing changes it."""

from __future__ import annotations

from collections.abc import Sequence

from rhotwist.directory.replica import Entry
from rhotwist.errors import LocalError
from rhotwist.store.compared import Compared
from rhotwist.store.directory import Directory
from rhotwist.tree.sketch import Cells


class SteadyTree:
    """Fits ``directory.directory.Tree``. What walks the tree needs ``here``, which ``Directory.steady`` gives."""

    def __init__(self, store: Directory) -> None:
        self._store = store
        self.here: Compared | None = None
        self.standing = store.standing
        self.addresses = store.addresses
        self.pinned = store.pinned
        self.count = store.count

    @property
    def root(self) -> bytes:
        """``Replica.root``."""
        return self._store.state.root

    @property
    def total(self) -> int:
        """``Replica.total``."""
        return self._store.state.count

    @property
    def epoch(self) -> int:
        """``Replica.epoch``."""
        return self._store.state.epoch

    @property
    def store_id(self) -> bytes:
        """``Replica.store_id``."""
        return self._store.state.store_id

    @property
    def seq(self) -> int:
        """``Replica.seq``."""
        return self._store.state.seq

    def since(self, cursor: int, most: int) -> Sequence[tuple[int, bytes]]:
        """``Replica.since``."""
        return self._now.since(cursor, most)

    def records(self, prefix: bytes) -> Sequence[bytes]:
        """``Replica.records``."""
        return self._now.records(prefix)

    def cells(self, count: int) -> Cells:
        """``Replica.cells``."""
        return self._now.cells(count)

    def region(self, bits: int, prefix: bytes) -> bytes:
        """``Replica.region``."""
        return self._now.region(bits, prefix)

    def entries(self, bits: int, prefix: bytes, most: int) -> Sequence[Entry]:
        """``Replica.entries``."""
        return self._now.entries(bits, prefix, most)

    @property
    def _now(self) -> Compared:
        if self.here is None:
            raise LocalError("the tree is walked only while it is held steady")
        return self.here
