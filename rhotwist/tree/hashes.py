"""What a tree of records hashes, and the root of a set from scratch. Page: docs/spec/tree.md.

    address   = SHA-256("rho/addr/1" ‖ algorithm u8 ‖ public key)
    leaf      = SHA-256(0 ‖ address ‖ body)
    node      = SHA-256(1 ‖ left ‖ right)
    statement = SHA-256(2 ‖ "rho/root/1" ‖ kind u8 ‖ tree 32 ‖ epoch u32 ‖ count u64 ‖ root 32)

A set is a binary Patricia tree: a node stands wherever two addresses part, and nowhere else, so one set has one root.
The root of one leaf is that leaf, of none 32 zero bytes. A node's hash leaves out where it stands; its leaves hash it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from rhotwist.errors import LocalError
from rhotwist.tree.merkle import leaf_hash, node_hash

#: An address, 32 bytes in the directory and 8 in a conversation, and the hash of the leaf there, never EMPTY.
Leaf = tuple[bytes, bytes]

EMPTY = bytes(32)
"""The root of the set without leaves."""
ADDRESS_LABEL = b"rho/addr/1"
ROOT_LABEL = b"rho/root/1"
DIRECTORY, CONVERSATION = 1, 2
"""Kinds of tree in a root statement."""


def address_of(algorithm: int, public: bytes) -> bytes:
    """Where the record of a public key stands in the directory."""
    return hashlib.sha256(ADDRESS_LABEL + bytes([algorithm]) + public).digest()


def leaf_of(address: bytes, body: bytes) -> bytes:
    """The hash of the leaf at an address."""
    return leaf_hash(address + body)


def statement(kind: int, tree: bytes, epoch: int, count: int, root: bytes) -> bytes:
    """What one signs who says that a tree, by its 32-byte name (the directory's is zeros), had this root.

    Raises LocalError for what has another size.
    """
    if len(tree) != 32 or len(root) != 32:
        raise LocalError(f"a tree's name and its root have 32 bytes, not {len(tree)} and {len(root)}")
    try:
        numbers = kind.to_bytes(1, "big"), epoch.to_bytes(4, "big"), count.to_bytes(8, "big")
    except OverflowError:
        raise LocalError(f"kind {kind}, epoch {epoch} or count {count} is not within u8, u32, u64") from None
    return hashlib.sha256(b"\2" + ROOT_LABEL + numbers[0] + tree + numbers[1] + numbers[2] + root).digest()


def common(one: bytes, other: bytes) -> int:
    """How many bits two addresses of one width begin with alike."""
    return 8 * len(one) - (int.from_bytes(one, "big") ^ int.from_bytes(other, "big")).bit_length()


def bit(address: bytes, at: int) -> int:
    """The bit of an address, counted from its front."""
    return address[at >> 3] >> (~at & 7) & 1


def cut(address: bytes, bits: int) -> bytes:
    """The address with every bit behind the first ``bits`` cleared: how the prefix of a node is written."""
    rest = 8 * len(address) - bits
    return (int.from_bytes(address, "big") >> rest << rest).to_bytes(len(address), "big")


def root_of(leaves: Iterable[Leaf]) -> bytes:
    """The root of leaves in order of address; 1 µs each. Raises LocalError where they are not in order.

    Between neighbours stands the length of what is behind their common prefix; the tree joins the shortest first.
    """
    hashes: list[bytes] = []
    gaps: list[int] = []  # falling; one fewer than hashes
    before = -1
    for address, leaf in leaves:
        number = int.from_bytes(address, "big")
        if number <= before:
            raise LocalError(f"leaf {address.hex()} comes after one that is not below it")
        if before >= 0:
            gap = (number ^ before).bit_length()
            while gaps and gaps[-1] < gap:
                gaps.pop()
                right = hashes.pop()
                hashes[-1] = node_hash(hashes[-1], right)
            gaps.append(gap)
        hashes.append(leaf)
        before = number
    if not hashes:
        return EMPTY
    made = hashes.pop()
    while hashes:
        made = node_hash(hashes.pop(), made)
    return made
