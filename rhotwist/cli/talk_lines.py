"""Conversations as lines for people: lists, the picture of who said what, proofs."""

from __future__ import annotations

import time

from rhotwist.control.talks import TalkItem, TalkParty, TalkRow
from rhotwist.control.text import visible
from rhotwist.keys.address import WALLET, Address, format_address

SHIFT = 8
"""Columns by which what the other said stands further right."""


def listing(row: TalkRow) -> str:
    """One conversation in a list."""
    when = "" if row.said_at is None else f"  {_minute(row.said_at)}"
    return f"{row.id[:8]}  {_who(row)}{when}  root {row.root[:16]}{_marks(row)}"


def heading(row: TalkRow) -> list[str]:
    """What stands above a conversation."""
    marks = _marks(row)
    return [f"{_who(row)}{marks}", f"id {row.id}", f"root {row.root}"]


def item_lines(row: TalkRow, item: TalkItem) -> list[str]:
    """One record: ours at the left, or the lower key's where none is ours."""
    left = item.ours or (not row.higher.ours and item.author == row.lower.name)
    shift = " " * (0 if left else SHIFT)
    first, *more = visible(item.text, lines=True).split("\n")
    head = f"{item.number:>5}  {_minute(item.said_at)}  {shift}"
    lines = [f"{head}{_short(item.author)}: {first}", *(f"{' ' * len(head)}  {line}" for line in more)]
    note = " " * len(head)
    if item.seen == "no":
        lines.append(f"{note}! its author had seen something else of the other's")
    if item.rival:
        lines.append(f"{note}! a fork: {_short(item.author)} signed this too, {item.rival[:16]}:")
        lines += [f"{note}!   {line}" for line in visible(item.rival_text, lines=True).split("\n")]
    return lines


def proof_lines(encoded: bytes) -> list[str]:
    """A proof as text that somebody can check."""
    from rhotwist.talk import pasted

    return pasted.write(pasted.PROOF, encoded).splitlines()


def wallet(key: bytes) -> str:
    """A key as people know it."""
    return format_address(Address(WALLET, key))


def _who(row: TalkRow) -> str:
    return f"{_party(row.lower)} and {_party(row.higher)}  {row.lower.records}+{row.higher.records} records"


def _party(party: TalkParty) -> str:
    return _short(party.name)


def _short(name: str) -> str:
    return f"{name[:12]}…{name[-4:]}" if len(name) > 40 else name


def _marks(row: TalkRow) -> str:
    found = [f"{row.forks} forks" if row.forks > 1 else "a fork"] if row.forks else []
    found += [f"{row.waiting} wait for what is missing"] if row.waiting else []
    return f"  ! {', '.join(found)}" if found else ""


def _minute(date: int) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(date))
