"""What strangers say of trees, for the fuzzer: proofs and sketches, valid ones of small trees."""

from __future__ import annotations

import hashlib
from random import Random

from rhotwist.errors import BadPacket
from rhotwist.testing.trees import MemoryRows
from rhotwist.tree import proof, sketch
from rhotwist.tree.batch import merge
from rhotwist.tree.hashes import Leaf, leaf_of
from rhotwist.tree.rows import Tree


def _read(body: bytes) -> Leaf:
    if not body:
        raise BadPacket("body")
    address = hashlib.sha256(body).digest()
    return address, leaf_of(address, body)


def _tree(count: int) -> tuple[Tree, dict[bytes, bytes]]:
    bodies = [bytes([number]) * 9 for number in range(count)]
    rows = MemoryRows()
    return Tree(rows, 32, merge(rows, None, sorted(map(_read, bodies)))[0]), {_read(body)[0]: body for body in bodies}


def _paths() -> list[bytes]:
    found = [b"\0\0"]
    for count in (2, 40):
        tree, bodies = _tree(count)
        found += [proof.inclusion(tree, address).encode() for address in bodies]
    return found


def _absences() -> list[bytes]:
    found = []
    for count in (0, 1, 2, 40):
        tree, bodies = _tree(count)
        found += [proof.absence(tree, Random(n).randbytes(32), bodies.__getitem__).encode() for n in range(9)]
    return found


def _read_path(data: bytes) -> object:
    path = proof.read_path(data)
    if path.encode() != data:
        raise AssertionError("two byte strings for one path")
    return path.fold(bytes(32))


def _read_absence(data: bytes) -> object:
    found = proof.read_absence(data)
    if found.encode() != data:
        raise AssertionError("two byte strings for one proof")
    return proof.absent(bytes(32), found, bytes(32), _read)


def _sketches() -> list[bytes]:
    found = []
    for size, count in ((1, 1), (1, 3), (20, 2), (20, 30), (88, 40)):
        made = sketch.Sketch(size)
        ours, theirs = ([Random(sign * n).randbytes(sketch.ID) for n in range(1, count + 1)] for sign in (1, 1_000))
        made.change(ours, theirs)
        found.append(made.first(size).encode())
    return found


def _read_cells(data: bytes) -> object:
    cells = sketch.read_cells(data)
    if cells.encode() != data:
        raise AssertionError("two byte strings for the same cells")
    return sketch.decode(cells), sketch.estimate(cells, 0)


TARGETS = {
    "tree.proof.read_path": (_read_path, _paths, (proof.read_path, proof._path)),
    "tree.proof.read_absence": (_read_absence, _absences, (proof.read_absence, proof._witness, proof.absent)),
    "tree.sketch.read_cells": (_read_cells, _sketches, (sketch.read_cells, sketch.decode, sketch.estimate)),
}
