"""A dict that stays within a bound by dropping a random entry, so that no stranger can choose who is dropped."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Generic, TypeVar

from rhotwist.errors import LocalError
from rhotwist.moment import Rng

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Crowd(Generic[K, V]):
    """At most ``most`` values by key. Every operation takes the same time however many there are."""

    __slots__ = ("_keys", "_most", "_places", "_rng", "dropped")

    def __init__(self, most: int, rng: Rng) -> None:
        if most < 1:
            raise LocalError(f"a bound of {most} is not above 0")
        self._most = most
        self._rng = rng
        self._keys: list[K] = []
        self._places: dict[K, tuple[int, V]] = {}
        #: Entries that had to make room.
        self.dropped = 0

    def __len__(self) -> int:
        return len(self._keys)

    def __contains__(self, key: K) -> bool:
        return key in self._places

    def get(self, key: K) -> V | None:
        """The value of a key, None if it has none."""
        found = self._places.get(key)
        return None if found is None else found[1]

    def put(self, key: K, value: V) -> tuple[K, V] | None:
        """Set the value of a key; a random other goes if there is no room for a new one, and is given back."""
        found = self._places.get(key)
        if found is not None:
            self._places[key] = (found[0], value)
            return None
        gone = None
        if len(self._keys) >= self._most:
            self.dropped += 1
            other = self._keys[int.from_bytes(self._rng(8), "big") % len(self._keys)]
            gone = other, self._places[other][1]
            self.pop(other)
        self._places[key] = (len(self._keys), value)
        self._keys.append(key)
        return gone

    def pop(self, key: K) -> V | None:
        """Take a key out and return its value, None if it had none."""
        found = self._places.pop(key, None)
        if found is None:
            return None
        place, value = found
        last = self._keys.pop()
        if last != key:  # the last key moves into the gap
            self._keys[place] = last
            self._places[last] = (place, self._places[last][1])
        return value
