"""docs/spec/tree.md and docs/spec/conversation.md are what the code does: their worked vectors and their numbers."""

from __future__ import annotations

import hashlib
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from rhotwist.testing.trees import MemoryRows
from rhotwist.tree import conversation, hashes, heap, merkle, proof, sketch
from rhotwist.tree.batch import merge
from rhotwist.tree.conversation import HIGHER, Conversation, Entry
from rhotwist.tree.hashes import Leaf, leaf_of
from rhotwist.tree.rows import Tree
from tests.keys.pages import vectors

PAGES = Path(__file__).parents[2] / "docs" / "spec"
WORDS = (b"two", b"three", b"four", b"five")


def read(body: bytes) -> Leaf:
    """Address and leaf of a body, as the page has it."""
    address = hashlib.sha256(body).digest()
    return address, leaf_of(address, body)


def tree_vectors() -> dict[str, str]:
    """What the rows of tree.md must be."""
    bodies = {read(body)[0]: body for body in WORDS}
    rows = MemoryRows()
    tree = Tree(rows, 32, merge(rows, None, sorted(map(read, WORDS)))[0])
    cells = sketch.Sketch(5)
    cells.change(sketch.sketch_id(*read(body)) for body in WORDS)
    key = bytes(range(32))
    found = {f"leaf `{body.decode()}`": read(body)[1] for body in WORDS}
    found |= {f"node of the first {bits} bits": tree.branch(bits, prefix).ref.hash for bits, prefix in rows.branches}
    found |= {
        "root": tree.root,
        "statement: kind 1, epoch 2,528, count 4": hashes.statement(1, bytes(32), 2_528, 4, tree.root),
        "address of the key `000102…1f`": hashes.address_of(1, key),
        "path of `five`": proof.inclusion(tree, read(b"five")[0]).encode(),
        "absence of `4000…00`": proof.absence(tree, b"\x40" + bytes(31), bodies.__getitem__).encode(),
        "absence of `ffff…ff`": proof.absence(tree, b"\xff" * 32, bodies.__getitem__).encode(),
        "sketch": cells.first(5).encode(),
        "cells below 8,192 of the id `00010203040506`, u16 each": b"".join(
            at.to_bytes(2, "big") for at in sketch.spread(key[:7], 8_192)[1]
        ),
    }
    return {what: value.hex() for what, value in found.items()}


def conversation_vectors() -> dict[str, str]:
    """What the rows of conversation.md must be."""

    def entry(author: int, index: int, letter: bytes) -> Entry:
        return Entry(author * HIGHER | index, merkle.leaf_hash(letter), 0, bytes(32), 0)

    talk = Conversation()
    found = {}
    for author, letters in ((0, b"abc"), (1, b"ABCDE")):
        for index, letter in enumerate(letters):
            talk.put(entry(author, index, bytes([letter])))
            sizes = "{} and {}".format(*talk.sizes)
            found[f"root of {sizes} records"] = talk.root
    found["consistency of the higher side, 3 to 5"] = b"".join(talk.consistency(1, 3, 5))
    talk.put(entry(0, 1, b"y"))
    found["root with the fork"] = talk.root
    return {what: value.hex() for what, value in found.items()}


class PageTests(SynchronousTestCase):
    maxDiff = None

    def test_the_vectors_of_trees(self) -> None:
        self.assertEqual(vectors("tree.md"), tree_vectors())

    def test_the_vectors_of_conversations(self) -> None:
        page = vectors("conversation.md")  # where the exchange stands too: tests/talk has the rest
        self.assertEqual({what: page[what] for what in conversation_vectors()}, conversation_vectors())

    def test_the_proofs_there_are_proofs(self) -> None:
        page = {what: bytes.fromhex(value) for what, value in vectors("tree.md").items()}
        path = proof.read_path(page["path of `five`"])
        self.assertTrue(proof.included(page["leaf `five`"], path, page["root"]))
        for what, address in (("4000…00", b"\x40" + bytes(31)), ("ffff…ff", b"\xff" * 32)):
            data = page[f"absence of `{what}`"]
            self.assertTrue(proof.absent(address, proof.read_absence(data), page["root"], read))

    def test_their_numbers_are_those_of_the_code(self) -> None:
        for page, numbers in (
            ("tree.md", (sketch.CELLS_MOST, proof.BODY_MOST, proof.LEVELS_MOST, heap.MEAN, sketch.CELL)),
            ("conversation.md", (conversation.WAITING_MOST,)),
        ):
            text = (PAGES / page).read_text(encoding="utf-8")
            for number in numbers:
                self.assertIn(f"{number:,}", text)
