"""The replay window: which of the last 2,049 counters have been seen, as one integer (RFC 6479 is the idea).

Two values make a window: newest, the highest counter opened so far (-1 before the first), and seen, an integer whose
bit i says that newest - i has been opened. A session that has received little has a small integer, a busy one 300
bytes. Look up before a packet is opened, mark after its tag has held: a forged packet must not move anything.
"""

from __future__ import annotations

#: Counters this far below the newest may still arrive, once.
WINDOW = 2_048

# Above this the marking trims; 512 bits of slack make that rare, and comparing integers of unequal length is one step.
_CEILING = 1 << (WINDOW + 512)
_KEPT = (1 << (WINDOW + 1)) - 1


def fresh(newest: int, seen: int, counter: int) -> bool:
    """Whether a counter may still be opened: above newest, or within the window and not seen."""
    below = newest - counter
    return below < 0 or (below <= WINDOW and not seen >> below & 1)


def mark(newest: int, seen: int, counter: int) -> tuple[int, int]:
    """The window after a fresh counter was opened: (newest, seen)."""
    above = counter - newest
    if above <= 0:
        return newest, seen | 1 << -above
    if above > WINDOW:
        return counter, 1
    seen = seen << above | 1
    return counter, seen if seen < _CEILING else seen & _KEPT
