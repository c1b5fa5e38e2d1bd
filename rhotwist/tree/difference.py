"""Where two trees differ, by walking both at once: what has one hash is not looked into."""

from __future__ import annotations

from collections.abc import Iterator

import attrs

from rhotwist.tree.hashes import bit, common
from rhotwist.tree.rows import Nodes, Ref


@attrs.frozen
class Differing:
    """An address, and the hash of the leaf there in either tree; None where there is none."""

    address: bytes
    here: bytes | None
    there: bytes | None


def difference(here: Nodes, there: Nodes) -> Iterator[Differing]:
    """What differs, in order of address: leaves only here, only there, and changed.

    Reads the branches above differing leaves and no others. Both trees have addresses of one width and stay as they are
    while the answer is being read.
    """
    waiting = [(here.top, there.top)]
    while waiting:
        one, other = waiting.pop()
        some = one or other
        if some is None:
            continue
        bits = some.bits
        if one is not None and other is not None:
            if one.hash == other.hash:
                continue
            bits = min(common(one.prefix, other.prefix), one.bits, other.bits)
        if bits == 8 * len(some.prefix):
            yield Differing(some.prefix, *(None if ref is None else ref.hash for ref in (one, other)))
            continue
        low, high = _halves(here, one, bits)
        other_low, other_high = _halves(there, other, bits)
        waiting += (high, other_high), (low, other_low)


def _halves(nodes: Nodes, ref: Ref | None, bits: int) -> tuple[Ref | None, Ref | None]:
    """The parts of a node whose next bit, at ``bits``, is 0 and 1."""
    if ref is None:
        return None, None
    if ref.bits == bits:
        branch = nodes.branch(ref.bits, ref.prefix)
        return branch.left, branch.right
    return (None, ref) if bit(ref.prefix, bits) else (ref, None)
