"""Bundles in and out of a directory: text that people carry where no line leads.

A text comes as the path of a file, because a paste may have 16 MB and a request of the control socket has 64 KiB; it is
read, checked and looked at in a worker.
"""

from __future__ import annotations

import stat
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from rhotwist.control import directory as values
from rhotwist.control import trouble, verbs
from rhotwist.control.values import Nothing
from rhotwist.control.verbs import Verb
from rhotwist.directory import bundle
from rhotwist.directory.answering import answer, bring
from rhotwist.directory.bundle import Bundle, Pasted
from rhotwist.directory.merge import beats
from rhotwist.directory.messages import CELLS, PREFIX, WANTS_MOST, Kind, SyncAnswer, SyncHello, read_pieces
from rhotwist.directory.record import MOST, Record, split
from rhotwist.directory.replica import Replica
from rhotwist.directory.waiting import Origin, Source
from rhotwist.errors import BadArmour, BadPacket
from rhotwist.keys.pair import verify
from rhotwist.service.directory import DirectoryKeeper
from rhotwist.service.files_in import World
from rhotwist.service.finding import keys_of, read_address, readable, row_of
from rhotwist.store.directory import Directory
from rhotwist.wire.armour import TEXT_MOST, text

PASTED = Source(Origin.PASTED)
EXPORT_MOST = 8_000_000
"""Bytes of records in one bundle, at most: 11 million characters, which a reader takes whole."""
PAGE = 1_000
"""Records read from the journal at once."""
SMALL_MOST = 100
"""Records of a bundle of small parts: as many QR codes."""
#: How two trees compare, in words.
SAID = {
    Kind.SAME: "the roots are equal: both have the same records",
    Kind.OTHER_DAY: "the other directory is of another day: ask for a new hello",
    Kind.FOUND: "the other lacks {lacks} records that are here, and has {wants} that are not",
}
SHOWN_MOST = 1_000
"""Records of a bundle that are shown one by one."""


class Bundles:
    """Answers what one may ask about bundles."""

    def __init__(self, keeper: DirectoryKeeper, world: World) -> None:
        self._keeper = keeper
        self._world = world

    def handlers(self) -> Mapping[Verb, Callable[[Any], Any]]:
        """What the control socket answers."""
        return {
            verbs.BUNDLE_EXPORT: self.export,
            verbs.BUNDLE_HELLO: self.hello,
            verbs.BUNDLE_IMPORT: self.take,
            verbs.BUNDLE_SHOW: self.show,
        }

    # --- out ---------------------------------------------------------------------------------------------------------

    async def export(self, ask: values.BundleAsk) -> values.BundleText:
        """The records of some keys, with those of the nodes that they name; or all. Raises OperatorError."""
        store = self._keeper.store
        cursor, more = 0, False
        if ask.keys:
            chosen = self._chosen(ask.keys)
        else:
            pages = (1, SMALL_MOST) if ask.small else (EXPORT_MOST // (PAGE * MOST), PAGE)
            chosen, cursor, more = await self._world.in_thread(lambda: _journal(store, ask.cursor, *pages))
        if not chosen:
            raise trouble.BUNDLE_EMPTY()
        made = Bundle(records=tuple(chosen))
        # In a small part there is one record, so that its QR code is one that cameras like.
        tokens = await self._world.in_thread(lambda: bundle.tokens(made, *((1,) if ask.small else ())))
        return values.BundleText(text(tokens), len(chosen), cursor, more)

    def _chosen(self, keys: Sequence[str]) -> list[bytes]:
        found: dict[bytes, None] = {}
        store = self._keeper.store
        for key in keys:
            address = read_address(key)
            record = store.lookup(address.key)
            if record is None:
                raise trouble.KEY_ABSENT(key=key.strip(), count=store.count())
            found[record.encode()] = None
            for relay in record.parties()[1:]:
                node = store.lookup(relay)
                if node is not None:
                    found[node.encode()] = None
        return list(found)

    async def hello(self, _: Nothing) -> values.BundleText:
        """The opening of a comparison, for somebody to paste."""
        made: bytes = await self._keeper.compare(greeting)
        return values.BundleText(bundle.write(Bundle(hello=made)), 0)

    # --- in ----------------------------------------------------------------------------------------------------------

    async def take(self, ask: values.BundleFile) -> values.Merged:
        """Merge what is whole of a text, all in one transaction. Raises OperatorError."""
        pasted = await self._read(ask)
        outcome = await self._keeper.give(pasted.records, PASTED)
        answer, compared = await self._answer(pasted)
        state = self._keeper.store.state
        return values.Merged(
            outcome.total, outcome.new, outcome.newer, outcome.known, outcome.held, outcome.local,
            dict(outcome.refused), state.root.hex(), state.count, pasted.trouble or "",
            answer, compared,
        )  # fmt: skip

    async def _answer(self, pasted: Pasted) -> tuple[str, str]:
        """The bundle that answers what a text asks for, and in words how the trees compare."""
        made, said = Bundle(), ""
        if pasted.wants:
            wants = pasted.wants[:WANTS_MOST]
            made = Bundle(records=tuple(split(await self._keeper.compare(lambda here: bring(here, wants)))))
        if pasted.hellos:
            hello = pasted.hellos[0]
            found, said = await self._keeper.compare(lambda here: compared(here, hello))
            if len(pasted.hellos) > 1:
                said += f"; {len(pasted.hellos) - 1} more hellos are not answered: paste one at a time"
            made = Bundle(records=tuple(dict.fromkeys((*made.records, *found.records))), wants=found.wants)
        return bundle.write(made) if made.records or made.wants else "", said

    async def show(self, ask: values.BundleFile) -> values.BundleShown:
        """What a text holds, and how that compares with what stands here. Raises OperatorError."""
        pasted = await self._read(ask)
        store = self._keeper.store
        found: values.BundleShown = await self._world.in_thread(lambda: _compared(pasted, store))
        return found

    async def _read(self, ask: values.BundleFile) -> Pasted:
        pasted: Pasted = await self._world.in_thread(lambda: read_file(Path(ask.path)))
        return pasted


def read_file(path: Path) -> Pasted:
    """The bundles in a file. Raises OperatorError: RHO-2609 to 2611."""
    try:
        with path.open("rb") as file:
            if not stat.S_ISREG(path.stat().st_mode):
                raise trouble.BUNDLE_UNREADABLE(path=path, why="it is no file")
            data = file.read(TEXT_MOST + 1)
    except OSError as error:
        raise trouble.BUNDLE_UNREADABLE(path=path, why=error.strerror or error) from None
    if len(data) > TEXT_MOST:
        raise trouble.BUNDLE_LONG(path=path, most=TEXT_MOST)
    try:
        return bundle.read(data.decode("utf-8", "replace"))
    except BadArmour as error:
        raise trouble.BUNDLE_NONE(path=path, why=error) from None


def greeting(here: Replica) -> bytes:
    """The hello of a tree: the one that a packet carries, with the first cells of its sketch."""
    return SyncHello(
        epoch=here.epoch, count=here.total, root=here.root, store=bytes(8), cursor=0, cells=here.cells(CELLS).encode()
    ).encode()


def compared(here: Replica, hello: bytes) -> tuple[Bundle, str]:
    """What to give to whoever said hello, what to ask of him, and in words how the trees compare."""
    try:
        found = answer(here, SyncHello.decode(hello), bytes(32))
    except BadPacket as bad:
        return Bundle(), f"the hello cannot be read: {bad.reason}"
    if not isinstance(found, SyncAnswer) or found.kind not in SAID:
        return Bundle(), "more differs than a paste can tell: give the whole, rho bundle export --all"
    records, wants = tuple(split(found.records)), tuple(read_pieces(found.wants, PREFIX))
    return Bundle(records=records, wants=wants), SAID[Kind(found.kind)].format(lacks=len(records), wants=len(wants))


def _journal(store: Directory, cursor: int, pages: int, page: int) -> tuple[list[bytes], int, bool]:
    """The records of so many pages of the journal behind a cursor; the cursor behind them; whether there are more."""
    found: list[bytes] = []
    for _ in range(pages):
        read = store.since(cursor, page)
        cursor = read.cursor
        found += read.records
        if len(read.records) + len(read.damaged) < page:
            return found, cursor, False
    return found, cursor, bool(store.since(cursor, 1).records)


def _compared(pasted: Pasted, store: Directory) -> values.BundleShown:
    records = readable(pasted.records)
    signed = [record for record in records if verify(record.key, record.signed, record.signature)]
    counts: Counter[str] = Counter()
    rows: list[values.RecordRow] = []
    for record in signed:
        here = _here(record, store)
        counts[here] += 1
        if len(rows) < SHOWN_MOST:
            rows.append(row_of(record, here))
    theirs = {record.address for record in signed}
    return values.BundleShown(
        tuple(rows), len(pasted.records), counts[values.NEW], counts[values.NEWER], counts[values.OLDER],
        counts[values.SAME], len(records) - len(signed), len(pasted.records) - len(records),
        sum(address not in theirs for address in store.addresses()), bool(pasted.hellos), len(pasted.wants),
        pasted.trouble or "",
    )  # fmt: skip


def _here(record: Record, store: Directory) -> str:
    held = store.lookup(*keys_of(record))
    if held is None:
        return values.NEW
    if held.hash == record.hash:
        return values.SAME
    return values.NEWER if beats(record.issued, record.hash, (held.issued, held.hash)) else values.OLDER
