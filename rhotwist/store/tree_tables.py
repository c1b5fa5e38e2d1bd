"""The tables under the directory's tree, as ``rhotwist.tree`` wants them: leaves, and branches by bits and prefix."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable

from rhotwist.errors import StoreError
from rhotwist.tree.hashes import Leaf, cut
from rhotwist.tree.rows import Branch, Ref

WIDTH = 32
"""Bytes of an address."""

_BETWEEN = "SELECT address, hash FROM leaf WHERE address BETWEEN ? AND ? ORDER BY address"
_LOWEST = "SELECT address FROM leaf WHERE address BETWEEN ? AND ? ORDER BY address LIMIT 1"
_HIGHEST = "SELECT address FROM leaf WHERE address BETWEEN ? AND ? ORDER BY address DESC LIMIT 1"
_CHILDREN = "left_bits, left_prefix, left_hash, right_bits, right_prefix, right_hash"
_GET = f"SELECT {_CHILDREN} FROM node WHERE bits = ? AND prefix = ?"  # noqa: S608
_TOP = f"SELECT bits, prefix, {_CHILDREN} FROM node ORDER BY bits LIMIT 1"  # noqa: S608
_PUT = f"INSERT OR REPLACE INTO node (bits, prefix, {_CHILDREN}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"  # noqa: S608


class LeafTable:
    """The leaves that its connection sees; fits ``rhotwist.tree.heap.Leaves``. connection is set before each use."""

    connection: sqlite3.Connection

    def between(self, first: bytes, last: bytes) -> Iterable[Leaf]:
        """``Leaves.between``."""
        return self.connection.execute(_BETWEEN, (first, last))

    def ends(self, first: bytes, last: bytes) -> tuple[bytes, bytes] | None:
        """``Leaves.ends``."""
        lowest = self.connection.execute(_LOWEST, (first, last)).fetchone()
        highest = self.connection.execute(_HIGHEST, (first, last)).fetchone()
        return None if lowest is None else (lowest[0], highest[0])

    def count(self) -> int:
        """``Leaves.count``."""
        return int(self.connection.execute("SELECT count(*) FROM leaf").fetchone()[0])

    def below(self, bits: int, prefix: bytes) -> list[Leaf]:
        """The leaves whose addresses begin with the first ``bits`` bits of prefix, in order."""
        first = cut(prefix, bits)
        rest = (1 << (8 * WIDTH - bits)) - 1
        return list(self.between(first, (int.from_bytes(first, "big") | rest).to_bytes(WIDTH, "big")))

    def everything(self) -> Iterable[Leaf]:
        """All leaves, in order."""
        return self.connection.execute("SELECT address, hash FROM leaf ORDER BY address")


class NodeTable:
    """The branches that its connection sees; fits ``rhotwist.tree.rows.Rows``."""

    connection: sqlite3.Connection

    def get(self, bits: int, prefix: bytes) -> Branch:
        """``Rows.get``."""
        row = self.connection.execute(_GET, (bits, prefix)).fetchone()
        if row is None:
            raise StoreError(f"no branch at {prefix.hex()}/{bits}")
        return Branch(bits, prefix, Ref(*row[:3]), Ref(*row[3:]))

    def put(self, branch: Branch) -> None:
        """``Rows.put``."""
        left, right = branch.left, branch.right
        row = (branch.bits, branch.prefix, left.bits, left.prefix, left.hash, right.bits, right.prefix, right.hash)
        self.connection.execute(_PUT, row)

    def delete(self, bits: int, prefix: bytes) -> None:
        """``Rows.delete``."""
        self.connection.execute("DELETE FROM node WHERE bits = ? AND prefix = ?", (bits, prefix))

    def clear(self) -> None:
        """``Rows.clear``."""
        self.connection.execute("DELETE FROM node")

    def top(self) -> Ref | None:
        """The branch above all others, where all branches are rows; None if there is none."""
        row = self.connection.execute(_TOP).fetchone()
        return row and Branch(row[0], row[1], Ref(*row[2:5]), Ref(*row[5:])).ref
