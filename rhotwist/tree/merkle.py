"""The hash tree of RFC 6962 2.1 over a list: its root, and the proofs that an entry stands in it and that it only grew.

Leaf and inner hashes begin with different bytes, so no inner node can be passed off as an entry. The empty list has the
root SHA-256(""). Everything here is SHA-256, 32 bytes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence

from rhotwist.errors import LocalError

SIZE = 32
EMPTY = hashlib.sha256(b"").digest()
"""The root of the list without entries."""
_sha256 = hashlib.sha256


def leaf_hash(entry: bytes | memoryview) -> bytes:
    """The hash of one entry, of any length."""
    made = _sha256(b"\0")
    made.update(entry)
    return made.digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of two hashes."""
    return _sha256(b"\1" + left + right).digest()


def root(leaves: Iterable[bytes]) -> bytes:
    """The root over leaf hashes, in one pass with log2(n) of them in memory; 2 to 4 µs a leaf."""
    waiting: list[bytes] = []  # the roots of whole subtrees, the largest first: one for each set bit of count
    for count, leaf in enumerate(leaves):
        made, height = leaf, count
        while height & 1:
            made = node_hash(waiting.pop(), made)
            height >>= 1
        waiting.append(made)
    if not waiting:
        return EMPTY
    made = waiting.pop()
    while waiting:
        made = node_hash(waiting.pop(), made)
    return made


def inclusion(leaves: Sequence[bytes], index: int) -> tuple[bytes, ...]:
    """The audit path of the leaf at index, the hash beside the leaf first (RFC 6962 2.1.1). Raises LocalError."""
    if not 0 <= index < len(leaves):
        raise LocalError(f"entry {index} of {len(leaves)}")
    path: list[bytes] = []
    begin, end = 0, len(leaves)
    while end - begin > 1:
        middle = begin + _left(end - begin)
        if index < middle:
            path.append(root(leaves[middle:end]))
            end = middle
        else:
            path.append(root(leaves[begin:middle]))
            begin = middle
    return tuple(reversed(path))


def included(leaf: bytes, index: int, count: int, path: Sequence[bytes], wanted: bytes) -> bool:
    """Whether path proves that leaf stands at index of count entries under the root wanted. All of it may be a lie."""
    if not 0 <= index < count:
        return False
    made, last = leaf, count - 1
    for beside in path:
        if index & 1 or index == last:
            made = node_hash(beside, made)
            while not index & 1 and index:  # levels at which nothing stands to the right
                index >>= 1
                last >>= 1
        else:
            made = node_hash(made, beside)
        index >>= 1
        last >>= 1
    return last == 0 and made == wanted


def consistency(span: Callable[[int, int], bytes], first: int, count: int) -> tuple[bytes, ...]:
    """The proof that a list of count entries begins with its first ones as they were (RFC 6962 2.1.2).

    span(begin, end) is the root over that part of the list. Raises LocalError for none or more than there are.
    """
    if not 1 <= first <= count:
        raise LocalError(f"the first {first} of {count} entries")
    path: list[bytes] = []
    begin, end = 0, count
    while first < end:
        middle = begin + _left(end - begin)
        if first <= middle:
            path.append(span(middle, end))
            end = middle
        else:
            path.append(span(begin, middle))
            begin = middle
    if begin:
        path.append(span(begin, end))
    return tuple(reversed(path))


def consistent(first: int, old: bytes, count: int, new: bytes, path: Sequence[bytes]) -> bool:
    """Whether path proves that the list of count entries with root new begins with the first ones, whose root was old.

    All of it may be a lie. Every list begins with the list of no entries, whatever root that was given.
    """
    if not 0 <= first <= count:
        return False
    if first in (0, count):
        return not path and (first == 0 or old == new)
    index, last = first - 1, count - 1
    while index & 1:
        index >>= 1
        last >>= 1
    # Where the old list is one whole subtree its root is the first hash, which its reader has.
    steps = [old, *path] if not index else list(path)
    if not steps:
        return False
    made = grown = steps[0]
    for beside in steps[1:]:
        if not last:
            return False
        if index & 1 or index == last:
            made, grown = node_hash(beside, made), node_hash(beside, grown)
            while not index & 1 and index:
                index >>= 1
                last >>= 1
        else:
            grown = node_hash(grown, beside)
        index >>= 1
        last >>= 1
    return last == 0 and made == old and grown == new


def _left(count: int) -> int:
    """The largest power of two below count: how many leaves the left subtree has."""
    return 1 << ((count - 1).bit_length() - 1)
