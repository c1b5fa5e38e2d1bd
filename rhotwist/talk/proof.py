"""What one shows a stranger of a conversation without showing it: its root, one record in it, that it only grew.

    signed = "rho/talk/1" ‖ statement 32 ‖ pair hash 32 ‖ lower u64
    statement: that of docs/spec/tree.md, kind 2, of the conversation, the date, both sides' count and the root

Whoever holds an older proof compares its root with the one that this begins with. Spec page: docs/spec/conversation.md.
"""

from __future__ import annotations

from typing import Any

import attrs

from rhotwist.errors import LocalError
from rhotwist.keys.pair import SeedKey, verify
from rhotwist.talk.messages import Proof, Said
from rhotwist.talk.record import BadRecord, Pair, check, entry_of, from_line, to_line
from rhotwist.tree import hashes, merkle
from rhotwist.tree.conversation import HIGHER, Conversation, root_of
from rhotwist.tree.hashes import EMPTY

LABEL = b"rho/talk/1"
VERSION = 1


@attrs.frozen
class Proven:
    """What a proof shows. before and before_root are how it stood before; record stands in it, if one was shown."""

    pair: Pair
    sizes: tuple[int, int]
    root: bytes
    date: int
    witness: bytes
    record: Said | None
    before: tuple[int, int]
    before_root: bytes


def prove(
    talk: Conversation, pair: Pair, witness: SeedKey, date: int, *,
    record: Said | None = None, before: tuple[int, int] = (0, 0),
) -> Proof:  # fmt: skip
    """A signed proof, of a record that stands in it and of how it grew since before. date is ``Moment.date``.

    Raises LocalError for a record that does not stand there, and for more than there is.
    """
    if record is not None and talk.entry(record.address) != entry_of(record):
        raise LocalError("that record does not stand in the conversation")
    roots = [talk.root_at(author, size) for author, size in enumerate(talk.sizes)]
    old = [talk.root_at(author, count) for author, count in enumerate(before)]
    paths = [
        talk.consistency(author, count, size) if count else ()
        for author, (count, size) in enumerate(zip(before, talk.sizes, strict=True))
    ]
    fields: dict[str, Any] = {
        "version": VERSION, "lower_key": pair.lower, "higher_key": pair.higher, "pair": pair.hash, "date": date,
        "lower": talk.sizes[0], "higher": talk.sizes[1], "lower_root": roots[0], "higher_root": roots[1],
        "old_lower": before[0], "old_higher": before[1], "old_lower_root": old[0], "old_higher_root": old[1],
        "lower_path": paths[0], "higher_path": paths[1], "witness": witness.public,
        "line": None if record is None else to_line(record),
        "path": () if record is None else talk.inclusion(record.address),
    }  # fmt: skip
    unsigned = Proof(signature=bytes(64), **fields)
    return Proof(signature=witness.sign(_signed(unsigned, pair)), **fields)


def check_proof(proof: Proof) -> Proven:
    """What a proof shows, if all of it holds. Raises BadRecord, saying what does not; BadPacket for a line that is no
    record."""
    pair = Pair(proof.lower_key, proof.higher_key, proof.pair)
    if proof.version != VERSION or pair.lower >= pair.higher:
        raise BadRecord("it is of another version, or its keys are in the wrong order")
    sizes, roots = (proof.lower, proof.higher), (proof.lower_root, proof.higher_root)
    before, old = (proof.old_lower, proof.old_higher), (proof.old_lower_root, proof.old_higher_root)
    for count, root in zip((*sizes, *before), (*roots, *old), strict=True):
        if count >= HIGHER or bool(count) != (root != EMPTY):
            raise BadRecord("a side without records has no root, and only such a side")
    if not verify(proof.witness, _signed(proof, pair), proof.signature):
        raise BadRecord("the signature of its witness does not hold")
    record = None
    if proof.line is not None:
        record = from_line(proof.line, pair)
        entry = check(record, pair)
        size, root = sizes[entry.author], roots[entry.author]
        if not merkle.included(entry.leaf, entry.index, size, proof.path, root):
            raise BadRecord("the record does not stand where it says")
    elif proof.path:
        raise BadRecord("it has a path and no record")
    for at, path in enumerate((proof.lower_path, proof.higher_path)):
        if not merkle.consistent(before[at], old[at], sizes[at], roots[at], path):
            raise BadRecord("it does not begin with what it says it was before")
    return Proven(pair, sizes, root_of(*roots), proof.date, proof.witness, record, before, root_of(*old))


def _signed(proof: Proof, pair: Pair) -> bytes:
    root, count = root_of(proof.lower_root, proof.higher_root), proof.lower + proof.higher
    said = hashes.statement(hashes.CONVERSATION, pair.name, proof.date, count, root)
    return LABEL + said + pair.hash + proof.lower.to_bytes(8, "big")
