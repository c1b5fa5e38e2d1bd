"""How two that speak bring their conversation to one state: what one lacks, and where two sides of one size part.

Two sizes say what is missing. Where sizes agree and roots do not somebody has forked; halving finds the first record
that differs in log2(n) questions. Spec page: docs/spec/conversation.md.
"""

from __future__ import annotations

from collections.abc import Generator

from rhotwist.talk.messages import RECORDS_MOST
from rhotwist.tree.conversation import Conversation, Entry


def lacking(talk: Conversation, sizes: tuple[int, int], most: int = RECORDS_MOST) -> list[Entry]:
    """What a reader of these sizes has not, in order of address, rivals beside each other; at most so many."""
    found: list[Entry] = []
    for author, size in enumerate(sizes):
        for index in range(min(size, talk.sizes[author]), talk.sizes[author]):
            both = talk.at(author << 63 | index)
            if len(found) + len(both) > most:
                return found
            found += both
    return found


def parting(size: int) -> Generator[int, bool, int]:
    """Find the first record in which two sides of this size differ. They do.

    Yields a count; send whether both have the same root over so many. Returns the record's number.
    """
    alike, apart = 0, size
    while apart - alike > 1:
        middle = (alike + apart) // 2
        if (yield middle):
            alike = middle
        else:
            apart = middle
    return alike
