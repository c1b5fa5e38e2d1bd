"""Handles: small integers for objects of this process. Local: never on the wire, never on disk, never hashed."""

from __future__ import annotations

from typing import Generic, TypeVar

from rhotwist.errors import LocalError

T = TypeVar("T")


class HandleTable(Generic[T]):
    """Objects by handle. A freed handle is the next one given out, so the table is as long as its busiest moment."""

    __slots__ = ("_free", "_rows")

    def __init__(self) -> None:
        self._rows: list[T | None] = []
        self._free: list[int] = []

    def __len__(self) -> int:
        return len(self._rows) - len(self._free)

    def add(self, obj: T) -> int:
        """The handle that stands for obj from now on, from 0 up. Raises LocalError for None, which means free."""
        if obj is None:
            raise LocalError("None cannot have a handle")
        if self._free:
            handle = self._free.pop()
            self._rows[handle] = obj
            return handle
        self._rows.append(obj)
        return len(self._rows) - 1

    def get(self, handle: int) -> T | None:
        """The object of a handle, None where the handle is free or was never given out."""
        return self._rows[handle] if 0 <= handle < len(self._rows) else None

    def remove(self, handle: int) -> T:
        """Free a handle and return what it stood for. Raises LocalError if it stood for nothing."""
        obj = self.get(handle)
        if obj is None:
            raise LocalError(f"handle {handle} stands for nothing")
        self._rows[handle] = None
        self._free.append(handle)
        return obj
