"""A peer's journal taken in pages: which page is wanted next, and when no more is.

Whoever comes back to a peer has all of its journal up to a cursor; whoever is new has it up to 0. A page is looked at
while the next one comes, once one has brought something new; the first that brings hardly anything is the last, so that
nobody has us fetch what we have. Where a journal is gone on with, that is the second at the earliest.
"""

from __future__ import annotations

from rhotwist.directory.messages import SyncAnswer, SyncHello
from rhotwist.directory.step import Mark
from rhotwist.errors import BadPacket

AHEAD = 2
"""Pages that may be here and not settled when another is asked for."""
LEAST = 8
"""Of so many records of a page one must be new."""


class Delta:
    """The journal of one peer. mark is the page to be asked for next, None for none."""

    def __init__(self, mark: Mark | None) -> None:
        self.mark = mark
        #: How far the pages reach that came before the last one: there another comparison goes on.
        self.reached: Mark | None = None
        #: Whether the journal was begun at its start.
        self.started = False
        #: Whether it goes on where it broke off: the page that came last may have been kept, and bring nothing again.
        self._resumed = mark is not None
        self._asked = False
        self._barren = False
        self._fruitful = False

    def due(self, waiting: int) -> bool:
        """Whether the next page should be asked for now; so many are here and not settled."""
        return self.mark is not None and not self._asked and waiting < (AHEAD if self._fruitful else 1)

    def start(self, store: bytes) -> bool:
        """Begin a journal at its start. False if that was done before."""
        if self.started:
            return False
        self.started = True
        self._barren = self._fruitful = self._resumed = False
        self.mark = Mark(store, 0)
        return True

    def ask(self) -> Mark | None:
        """The page that is asked for now."""
        mark, self.mark = self.mark, None
        self._asked = mark is not None
        return mark

    def came(self, request: SyncHello, reply: SyncAnswer) -> None:
        """A page came. Raises BadPacket for none that answers the request."""
        if request.cells or reply.store != request.store or not request.cursor <= reply.until <= reply.seq:
            raise BadPacket("delta")
        if reply.until == request.cursor and reply.records:
            raise BadPacket("delta")
        self._asked = False
        self.reached = Mark(reply.store, request.cursor)
        if request.cursor < reply.until < reply.seq and reply.records and not self._barren:
            self.mark = Mark(reply.store, reply.until)

    def none(self) -> None:
        """There is no such journal."""
        self._asked = False

    def settled(self, new: int, count: int) -> None:
        """Of the records of a page, the earliest that waited, so many were new."""
        resumed, self._resumed = self._resumed, False
        if LEAST * new >= count:
            self._fruitful = True
        elif not resumed:
            self._barren = True
            self.mark = None
