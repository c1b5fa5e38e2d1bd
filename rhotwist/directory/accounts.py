"""What moved between two trees while they were compared: whether that explains how they stand now."""

from __future__ import annotations

import attrs

from rhotwist.directory.step import Seen
from rhotwist.errors import BadPacket

SEQ_MOST = 2**63 - 1
"""The highest number that a journal can come to, and that a store keeps."""


@attrs.define
class Accounts:
    """Of one comparison, which began when our journal was at began.

    seen is what the peer said last of its tree, first what it said first. Records: came, of which new were new here;
    gone, of which taken were new there.
    """

    began: int
    seen: Seen | None = None
    first: Seen | None = None
    came: int = 0
    new: int = 0
    gone: int = 0
    taken: int = 0

    def see(self, told: Seen) -> None:
        """The peer said how its tree is; of replies that overtook each other the newest counts. Raises BadPacket."""
        if told.seq > SEQ_MOST:
            raise BadPacket("seq")
        if self.seen is None or told.seq >= self.seen.seq:
            self.seen = told
        if self.first is None:
            self.first = told

    def others_wrote(self, seq: int) -> bool:
        """Whether our journal, now at seq, got more than came from here."""
        return seq - self.began != self.new

    def came_for_nothing(self, seq: int) -> bool:
        """Whether something came that was not new, or may not have been because others wrote."""
        return self.new != self.came or self.others_wrote(seq)

    def moved(self, seq: int) -> bool:
        """Whether a tree changed by more than this comparison moved, or something that moved was not new."""
        if self.seen is None or self.first is None:
            return True
        theirs = self.seen.seq - self.first.seq == self.taken == self.gone
        return self.came_for_nothing(seq) or not theirs
