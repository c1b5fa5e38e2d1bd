"""Proofs that a leaf stands in a tree, and that none stands at an address; checked without a tree.

A node's hash says nothing of where it stands, so nothing that a prover says of that is believed either: which way a
path turns is bound by the hashes, and where a branch stands follows from a leaf on either side of it. Page:
docs/spec/tree.md.

    path    = levels u16 ‖ sides, a bit a level from the leaf up, 1 where the way comes from the right ‖ hashes 32 each
    witness = length u16 ‖ body ‖ path
    absence = form u8 ‖ witnesses ‖ [witness beside ‖ path above]
"""

from __future__ import annotations

from collections.abc import Callable

import attrs

from rhotwist.errors import BadPacket, LocalError
from rhotwist.tree.hashes import EMPTY, Leaf, bit, common
from rhotwist.tree.merkle import SIZE, node_hash
from rhotwist.tree.rows import Branch, Nodes, Ref, descend

LEVELS_MOST = 256
"""Levels of a path: as many as an address of 32 bytes has bits."""
BODY_MOST = 1_024
"""Bytes of a witness' body; a record of the directory has 384 at most."""
_BESIDE = 4

#: What a body says of itself: address and leaf. Raises BadPacket for a body that none has.
Reader = Callable[[bytes], Leaf]


@attrs.frozen
class Path:
    """The way from a node up: at each level 1 if it is the right child, and the hash of the other child."""

    steps: tuple[tuple[int, bytes], ...] = ()

    def fold(self, made: bytes) -> bytes:
        """The hash at its upper end if the node at its lower end has this one."""
        for side, beside in self.steps:
            made = node_hash(beside, made) if side else node_hash(made, beside)
        return made

    def encode(self) -> bytes:
        """Its bytes, at most 35 a level."""
        sides = bytearray((len(self.steps) + 7) // 8)
        for at, (side, _) in enumerate(self.steps):
            sides[at >> 3] |= side << (~at & 7)
        return b"".join([len(self.steps).to_bytes(2, "big"), sides, *(beside for _, beside in self.steps)])


@attrs.frozen
class Witness:
    """A leaf, by its body, and the way from it up to a node that is spoken of."""

    body: bytes
    path: Path = Path()

    def encode(self) -> bytes:
        """Its bytes. Raises LocalError for a body that no proof carries."""
        if len(self.body) > BODY_MOST:
            raise LocalError(f"a body of {len(self.body)} bytes in a proof, where {BODY_MOST} fit")
        return len(self.body).to_bytes(2, "big") + self.body + self.path.encode()


@attrs.frozen
class Absence:
    """Why nothing stands at an address: it parts from the node in its way above where that node's leaves part.

    node is that node: a leaf, or one leaf from either half of a branch, or nothing if the tree is empty. beside is a
    leaf of the other half of the branch above it, which shows that the address had not parted there; above leads from
    that branch to the root. A node that is the root has neither.
    """

    node: tuple[Witness, ...] = ()
    beside: Witness | None = None
    above: Path = Path()

    def encode(self) -> bytes:
        """Its bytes."""
        made = bytes([len(self.node) | (_BESIDE if self.beside else 0)]) + b"".join(one.encode() for one in self.node)
        return made + self.beside.encode() + self.above.encode() if self.beside else made


# --- made from a tree


def inclusion(nodes: Nodes, address: bytes) -> Path:
    """The way from the leaf at an address to the root. Raises LocalError if there is no leaf."""
    trail, end = descend(nodes, address)
    if end is None or end.prefix != address:
        raise LocalError(f"there is no leaf at {address.hex()}")
    return _up(trail)


def absence(nodes: Nodes, address: bytes, body: Callable[[bytes], bytes]) -> Absence:
    """The proof that no leaf stands at an address. body gives the one at another. Raises LocalError if a leaf does."""
    trail, end = descend(nodes, address)
    if end is None:
        return Absence()
    if end.prefix == address:
        raise LocalError(f"there is a leaf at {address.hex()}")

    def witness(ref: Ref) -> Witness:
        way: list[tuple[Branch, int]] = []
        while not ref.leaf:
            branch = nodes.branch(ref.bits, ref.prefix)
            side = int(branch.right.leaf)  # the short way, where there is one
            way.append((branch, side))
            ref = branch.right if side else branch.left
        return Witness(body(ref.prefix), _up(way))

    if end.leaf:
        below = [end]
    else:
        parting = nodes.branch(end.bits, end.prefix)
        below = [parting.left, parting.right]
    node = tuple(map(witness, below))
    if not trail:
        return Absence(node)
    branch, side = trail.pop()
    return Absence(node, witness(branch.left if side else branch.right), _up(trail))


def _up(trail: list[tuple[Branch, int]]) -> Path:
    return Path(tuple((side, (branch.left if side else branch.right).hash) for branch, side in reversed(trail)))


# --- checked without one


def included(leaf: bytes, path: Path, root: bytes) -> bool:
    """Whether a leaf, whose hash is made from its address and body by whoever asks, stands in the tree of that root."""
    return path.fold(leaf) == root


def absent(address: bytes, proof: Absence, root: bytes, read: Reader) -> bool:
    """Whether a proof shows that nothing stands at an address in the tree of that root.

    Raises BadPacket where read does, for the body of a witness.
    """
    if not proof.node:
        return proof == Absence() and root == EMPTY
    leaves = [read(one.body) for one in proof.node]
    tops = [one.path.fold(leaf) for one, (_, leaf) in zip(proof.node, leaves, strict=True)]
    near = leaves[0][0]
    if len(leaves) == 1:
        if proof.node[0].path.steps:
            return False
        made, parting = tops[0], 8 * len(near)
    else:
        made, parting = node_hash(*tops), common(near, leaves[1][0])
        if near >= leaves[1][0]:
            return False
    shared = common(near, address)
    if shared >= parting:
        return False
    if proof.beside is not None:
        other, leaf = read(proof.beside.body)
        turn = common(near, other)
        if turn >= shared:
            return False
        beside = proof.beside.path.fold(leaf)
        made = node_hash(beside, made) if bit(near, turn) else node_hash(made, beside)
    elif proof.above.steps:
        return False
    return proof.above.fold(made) == root


# --- read from bytes


def read_path(data: bytes) -> Path:
    """The path that data is. Raises BadPacket."""
    path, end = _path(data, 0)
    if end != len(data):
        raise BadPacket("trailing")
    return path


def read_absence(data: bytes) -> Absence:
    """The proof of absence that data is. Raises BadPacket."""
    if not data:
        raise BadPacket("short")
    count, beside, above = data[0] & 3, None, Path()
    if data[0] not in (0, 1, 2, _BESIDE | 1, _BESIDE | 2):
        raise BadPacket("form")
    at = 1
    node = []
    for _ in range(count):
        one, at = _witness(data, at)
        node.append(one)
    if data[0] & _BESIDE:
        beside, at = _witness(data, at)
        above, at = _path(data, at)
    if at != len(data):
        raise BadPacket("trailing")
    return Absence(tuple(node), beside, above)


def _witness(data: bytes, at: int) -> tuple[Witness, int]:
    size = int.from_bytes(data[at : at + 2], "big")
    if size > BODY_MOST:
        raise BadPacket("long")
    path, end = _path(data, at + 2 + size)
    return Witness(data[at + 2 : at + 2 + size], path), end


def _path(data: bytes, at: int) -> tuple[Path, int]:
    levels = int.from_bytes(data[at : at + 2], "big")
    if levels > LEVELS_MOST:
        raise BadPacket("levels")
    first = at + 2 + (levels + 7) // 8
    end = first + SIZE * levels
    if end > len(data):
        raise BadPacket("short")
    sides = int.from_bytes(data[at + 2 : first], "big")
    spare = -levels % 8
    if sides & (1 << spare) - 1:
        raise BadPacket("sides")
    sides >>= spare
    return Path(tuple(
        (sides >> (levels - 1 - level) & 1, data[first + SIZE * level : first + SIZE * (level + 1)])
        for level in range(levels)
    )), end  # fmt: skip
