"""Sets of leaves for the tests of trees, and the tree as its definition has it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from random import Random

from rhotwist.tree.hashes import EMPTY, Leaf
from rhotwist.tree.rows import Nodes, Ref

WIDTH = 32


def leaf(address: bytes, body: bytes = b"") -> Leaf:
    """A leaf with a hash that is its own."""
    return address, hashlib.sha256(b"\0" + address + body).digest()


def random_leaves(random: Random, count: int, width: int = WIDTH) -> list[Leaf]:
    """So many leaves in order of address."""
    return sorted(leaf(random.randbytes(width)) for _ in range(count))


def chain(width: int = WIDTH) -> list[Leaf]:
    """What a grinder of prefixes dreams of: one path with a branch at every bit."""
    victim = int.from_bytes(b"\x5a" * width, "big")
    numbers = [victim, *(victim ^ 1 << at for at in range(8 * width))]
    return sorted(leaf(number.to_bytes(width, "big")) for number in numbers)


def by_the_book(leaves: Sequence[Leaf], at: int = 0) -> bytes:
    """The root as docs/spec/tree.md defines it, bit by bit."""
    if not leaves:
        return EMPTY
    if len(leaves) == 1:
        return leaves[0][1]
    halves: tuple[list[Leaf], list[Leaf]] = ([], [])
    for one in leaves:
        halves[one[0][at // 8] >> (7 - at % 8) & 1].append(one)
    if not halves[0] or not halves[1]:
        return by_the_book(halves[0] or halves[1], at + 1)
    return hashlib.sha256(b"\1" + by_the_book(halves[0], at + 1) + by_the_book(halves[1], at + 1)).digest()


def leaves_of(nodes: Nodes, ref: Ref | None) -> list[Leaf]:
    """The leaves below a node, in order, and that every branch above them is where it says it is."""
    found: list[Leaf] = []
    waiting = [ref]
    while waiting:
        ref = waiting.pop()
        if ref is not None and ref.leaf:
            found.append((ref.prefix, ref.hash))
        elif ref is not None:
            branch = nodes.branch(ref.bits, ref.prefix)
            assert branch.ref == ref
            waiting += branch.right, branch.left
    return found
