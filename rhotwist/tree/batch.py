"""Many changes to a tree of rows in one pass: each row that any of them touches is read, hashed and written once."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence

import attrs

from rhotwist.errors import LocalError
from rhotwist.tree.hashes import Leaf, bit, common, cut
from rhotwist.tree.rows import Branch, Ref, Rows

#: An address, and the hash of the leaf to be there; None takes it out.
Change = tuple[bytes, bytes | None]


@attrs.frozen
class _Visit:
    """The changes from low to high are due below ref."""

    ref: Ref | None
    low: int
    high: int


@attrs.frozen
class _Join:
    """The two nodes made last become one; old is the row that stood there."""

    bits: int
    prefix: bytes
    old: Branch | None


def merge(rows: Rows, top: Ref | None, changes: Sequence[Change]) -> tuple[Ref | None, int]:
    """Make changes, in order of address, below top: the new top, and how many leaves there are more than before.

    Taking out what is not there changes nothing. Raises LocalError where the addresses do not rise.
    """
    for one, other in zip(changes, changes[1:], strict=False):
        if one[0] >= other[0]:
            raise LocalError(f"change {other[0].hex()} comes after one that is not below it")
    doing: list[_Visit | _Join] = [_Visit(top, 0, len(changes))]
    made: list[Ref | None] = []
    more = 0
    while doing:
        now = doing.pop()
        if isinstance(now, _Join):
            right, left = made.pop(), made.pop()
            made.append(_join(rows, now, left, right))
        elif now.low == now.high:
            made.append(now.ref)
        elif now.ref is None or now.ref.leaf:
            leaves = _apply(now.ref, changes[now.low : now.high])
            more += len(leaves) - (now.ref is not None)
            made.append(_plant(rows, leaves))
        else:
            doing += _part(rows, now.ref, changes, now.low, now.high)
    return made.pop(), more


def grow(leaves: Sequence[Leaf]) -> tuple[Ref | None, list[Branch]]:
    """The tree of leaves in order of address, which is not checked: its top and its branches, children first."""
    refs: list[Ref] = []
    gaps: list[int] = []  # as in hashes.root_of
    branches: list[Branch] = []

    def join() -> None:
        right, left = refs.pop(), refs.pop()
        bits = 8 * len(left.prefix) - gaps.pop()
        branches.append(Branch(bits, cut(left.prefix, bits), left, right))
        refs.append(branches[-1].ref)

    before = b""
    for address, leaf in leaves:
        if before:
            gap = 8 * len(address) - common(before, address)
            while gaps and gaps[-1] < gap:
                join()
            gaps.append(gap)
        refs.append(Ref(8 * len(address), address, leaf))
        before = address
    while gaps:
        join()
    return (refs.pop() if refs else None), branches


def _part(rows: Rows, ref: Ref, changes: Sequence[Change], low: int, high: int) -> tuple[_Join, _Visit, _Visit]:
    """What to do where changes meet a branch: below it, or beside it where one of them leaves its prefix."""
    bits = min(common(changes[low][0], ref.prefix), common(changes[high - 1][0], ref.prefix), ref.bits)
    prefix = cut(ref.prefix, bits)
    old = None
    left: Ref | None
    right: Ref | None
    if bits == ref.bits:
        old = rows.get(bits, prefix)
        left, right = old.left, old.right
    else:
        left, right = (None, ref) if bit(ref.prefix, bits) else (ref, None)
    turn = bytearray(prefix)
    turn[bits >> 3] |= 0x80 >> (bits & 7)
    middle = bisect_left(changes, (bytes(turn),), low, high)
    return _Join(bits, prefix, old), _Visit(right, middle, high), _Visit(left, low, middle)


def _join(rows: Rows, at: _Join, left: Ref | None, right: Ref | None) -> Ref | None:
    if left is not None and right is not None:
        branch = Branch(at.bits, at.prefix, left, right)
        if branch != at.old:
            rows.put(branch)
        return branch.ref
    if at.old is not None:
        rows.delete(at.bits, at.prefix)
    return right if left is None else left


def _apply(ref: Ref | None, changes: Sequence[Change]) -> list[Leaf]:
    """The leaves there are after changes to one leaf or none."""
    after = dict(changes)
    if ref is not None:
        after.setdefault(ref.prefix, ref.hash)
    return sorted((address, leaf) for address, leaf in after.items() if leaf is not None)


def _plant(rows: Rows, leaves: Sequence[Leaf]) -> Ref | None:
    top, branches = grow(leaves)
    for branch in branches:
        rows.put(branch)
    return top
