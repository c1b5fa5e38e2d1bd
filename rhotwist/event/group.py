"""Group events: one event for a fixed array of members, each an index.

It fires exactly once, when all members have fired, or fails exactly once, when one is lost for good; then the others
are to be withdrawn. The packets of a big object are such an array, the parts of a file, the requests of a program.
Members are bits of one Python int, bit i for member i, so that a batch of any size costs one step.
"""

from __future__ import annotations

from rhotwist.errors import LocalError


class Group:
    """A group event of count members. here are the bits of those that have fired already; none at all fires at once."""

    __slots__ = ("_all", "count", "error", "here")

    def __init__(self, count: int, here: int = 0) -> None:
        if count < 0:
            raise LocalError(f"a group of {count} members")
        self.count = count
        self._all = (1 << count) - 1
        self.here = self._inside(here)
        self.error: BaseException | None = None

    def fire(self, bits: int) -> int:
        """Members have fired. Those bits among them that are new; 0 once the group has its outcome.

        So ``group.fire(bits) and group.fired`` is true for one call only. Raises LocalError for a bit outside.
        """
        self._inside(bits)
        if self.error is not None:
            return 0
        new = bits & ~self.here
        self.here |= new
        return new

    def lose(self, error: BaseException) -> int | None:
        """A member is lost for good, or the caller gives up: the bits to withdraw. None if there is an outcome already.

        The member that was lost is among them: whoever lost it knows.
        """
        if self.over:
            return None
        self.error = error
        return self.missing

    @property
    def missing(self) -> int:
        """The bits of those that have not fired."""
        return self._all & ~self.here

    @property
    def done(self) -> int:
        """How many have fired."""
        return self.here.bit_count()

    @property
    def fired(self) -> bool:
        """All have."""
        return self.error is None and self.here == self._all

    @property
    def over(self) -> bool:
        """It has its outcome."""
        return self.error is not None or self.here == self._all

    def __repr__(self) -> str:
        said = "failed" if self.error is not None else "fired" if self.fired else "waits"
        return f"<Group {said}, {self.done} of {self.count}>"

    def _inside(self, bits: int) -> int:
        if bits < 0 or bits > self._all:
            raise LocalError(f"a member outside a group of {self.count}")
        return bits


def indices(bits: int) -> list[int]:
    """The indices of the bits that are set, lowest first. 60 ns for each bit up to the highest."""
    return [index for index, bit in enumerate(bin(bits)[:1:-1]) if bit == "1"]
