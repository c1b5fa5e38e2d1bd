"""docs/spec/sync.md is what the code does: schemas, numbers, worked vectors."""

from __future__ import annotations

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from rhotwist.directory import answering, credit, messages, parts, sync
from rhotwist.directory.messages import SyncGive, SyncHello, SyncTaken
from rhotwist.directory.parts import CUT, WHOLE, Comparison
from rhotwist.directory.record import Record, read_record, split
from rhotwist.testing.parsers import schemas
from rhotwist.testing.replicas import MemoryReplica
from rhotwist.wire.schema import Schema
from tests.directory.comparing import KEY, put_better
from tests.keys.pages import vectors

PAGE = Path(__file__).parents[2] / "docs" / "spec" / "sync.md"
EPOCH = 1_861


def records() -> dict[str, Record]:
    """Those of docs/spec/record.md, without their work."""
    page = vectors("record.md")
    return {
        name: read_record(bytes.fromhex(page[f"{name}: body"] + page[f"{name}: signature"]) + bytes(8))
        for name in ("node", "wallet")
    }


def trees() -> tuple[MemoryReplica, MemoryReplica]:
    """The asker's and the answerer's."""
    found = []
    for store, names in ((b"A" * 8, ("node", "wallet")), (b"B" * 8, ("wallet",))):
        tree = MemoryReplica(store, EPOCH, 300)
        tree.put(records()[name] for name in names)
        found.append(tree)
    return found[0], found[1]


def worked() -> dict[str, str]:
    """What the rows of the page must be."""
    ours, theirs = trees()
    comparison = sync.Sync(ours, KEY)
    [hello] = comparison.begin().asks
    assert isinstance(hello, SyncHello)  # noqa: S101 - for the type checker
    found: dict[str, Schema] = {
        "Hello, of 2 cells": SyncHello(
            epoch=EPOCH, count=2, root=ours.root, store=bytes(8), cursor=0, cells=ours.cells(2).encode()
        ),
        "answer": answering.answer(theirs, hello, KEY),
    }
    [give] = comparison.heard(hello, found["answer"]).asks
    assert isinstance(give, SyncGive)  # noqa: S101 - for the type checker
    new = put_better(theirs, split(give.records))
    found["taken"] = SyncTaken(count=theirs.total, root=theirs.root, seq=theirs.seq, new=new)
    rows = {what: said.encode().hex() for what, said in found.items()}
    rows["roots"] = f"{ours.root.hex()}" if ours.root == theirs.root else "unequal"
    for name, sizes in (("part", CUT), ("part, whole", WHOLE)):
        rows[f"{name}, of entries"] = Comparison(ours, KEY, sizes).part(0, bytes(32)).encode().hex()
    rows["fingerprint of that root"] = Comparison(ours, KEY, CUT).print_of(ours.root).hex()
    return rows


class PageTests(SynchronousTestCase):
    maxDiff = None

    def test_every_message_stands_there_with_identifier_and_layout(self) -> None:
        page = PAGE.read_text(encoding="utf-8")
        for schema in schemas(messages):
            self.assertIn(f"| `{schema.schema_name}` | `{schema.identifier:08x}` | `{schema.layout}` |", page)

    def test_the_vectors(self) -> None:
        self.assertEqual(worked(), vectors("sync.md"))

    def test_its_numbers_are_those_of_the_code(self) -> None:
        page = PAGE.read_text(encoding="utf-8")
        for number in (
            messages.CELLS, messages.WANTS_MOST, answering.MANY, answering.AT_ONCE, sync.REQUESTS_MOST,
            credit.FIRST, credit.MOST, parts.LEAVES,
        ):  # fmt: skip
            self.assertIn(f"{number:,}", page)

    def test_the_kinds_are_those_of_the_code(self) -> None:
        page = PAGE.read_text(encoding="utf-8")
        for kind in messages.Kind:
            self.assertIn(f"| {kind.value} {kind.name} |", page)
