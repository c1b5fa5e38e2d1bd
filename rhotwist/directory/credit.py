"""What a walk may still cost: parts are paid for with records that move, so that nobody can invent parts without end.

Records are paid for when they were looked at, not when they come: until then it is not known what they are worth.
"""

from __future__ import annotations

from rhotwist.errors import BadPacket

FIRST, EACH, MOST = 128, 8, 3_072
"""Parts, said or heard, that a walk may cost before a record moves: the first, so many for each difference that was
claimed, at most the last. An honest walk needs some three a difference in the largest tree."""
FAN = 16
"""Parts that one that was asked about may be answered with."""
EARNED = 16
"""Parts that a record which moves pays for."""


class Credit:
    """That of one comparison, in parts."""

    def __init__(self) -> None:
        self.left = 0

    def begin(self, claimed: int) -> None:
        """A walk begins, to find so many differences."""
        self.left = min(MOST, FIRST + EACH * claimed)

    def scarce(self, asked: int) -> bool:
        """Whether so many parts may cost more than is left, with all that they may be answered with."""
        return self.left < (1 + FAN) * asked

    def pay(self, parts: int) -> None:
        """Parts are said or heard. Raises BadPacket where they are more than was earned: dear."""
        self.left -= parts
        if self.left < 0:
            raise BadPacket("dear")

    def given(self, records: int) -> None:
        """Records are handed over."""
        self.left += EARNED * records

    def settled(self, new: int, records: int) -> None:
        """Of records that came so many were new."""
        self.left += EARNED * new - records
