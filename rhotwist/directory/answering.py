"""The answering side of comparing: a function of tree and request, with nothing kept. Page: docs/spec/sync.md."""

from __future__ import annotations

from collections.abc import Sequence

from rhotwist.directory.messages import (
    CELLS,
    PREFIX,
    RECORDS_MOST,
    Kind,
    SyncAnswer,
    SyncCells,
    SyncHello,
    SyncMore,
    SyncParts,
    SyncRecords,
    SyncWalk,
    SyncWant,
    pack_pieces,
    read_pieces,
)
from rhotwist.directory.parts import CUT, WHOLE, Comparison, read_parts
from rhotwist.directory.replica import Replica
from rhotwist.errors import BadPacket
from rhotwist.tree.sketch import CELLS_MOST, Cells, decode, estimate, read_cells, subtract
from rhotwist.wire.schema import Request, Schema

MANY = 7_000
"""Differences, by estimate, beyond which no sketch is sent: 8,192 cells decode some 5,900, and estimates scatter."""
PAGE = 512
"""Records of the journal in one answer: 5 ms for whoever reads them, and as much to look at them."""
AT_ONCE = 128
"""Parts compared for one request: half a second of one core where all parts below differ, 150 ms for leaves."""


def answer(replica: Replica, request: Request[Schema], key: bytes) -> Schema:
    """The answer to any request of comparing but ``SyncGive``. key is the session's, 32 bytes (docs/spec/sync.md).

    Raises BadPacket for what no honest peer asks.
    """
    if isinstance(request, SyncHello):
        return _hello(replica, request)
    if isinstance(request, SyncMore):
        return _more(replica, request)
    if isinstance(request, SyncWalk):
        return _walk(replica, request, key)
    if isinstance(request, SyncWant):
        return SyncRecords(records=bring(replica, read_pieces(request.wants, PREFIX)))
    raise BadPacket("request")


def bring(replica: Replica, prefixes: Sequence[bytes]) -> bytes:
    """The records whose addresses begin so, as many as one message holds."""
    found: list[bytes] = []
    left = RECORDS_MOST
    for one in (one for prefix in prefixes for one in replica.records(prefix)):
        left -= len(one)
        if left < 0:
            break  # the rest is not even read
        found.append(one)
    return b"".join(found)


def cells_for(differences: int) -> int:
    """How many cells to send for an estimate: 1.45 each and 60 more."""
    return min(CELLS_MOST, 145 * differences // 100 + 60)


def _hello(replica: Replica, request: SyncHello) -> SyncAnswer:
    if request.epoch != replica.epoch:
        return _answer(replica, Kind.OTHER_DAY)
    if request.root == replica.root:
        return _answer(replica, Kind.SAME)
    if request.store == replica.store_id and request.cursor <= replica.seq:
        lines = replica.since(request.cursor, PAGE)
        until = lines[-1][0] if len(lines) == PAGE else replica.seq
        return _answer(replica, Kind.DELTA, until=until, records=b"".join(encoded for _, encoded in lines))
    if not request.cells:
        return _answer(replica, Kind.NOTHING)
    difference = subtract(replica.cells(CELLS), read_cells(request.cells))
    found = decode(difference)
    if found is not None:
        records = bring(replica, [id[:PREFIX] for id in found.ours])
        return _answer(replica, Kind.FOUND, records=records, wants=pack_pieces(id[:PREFIX] for id in found.theirs))
    differences = estimate(difference, replica.total - request.count)
    if differences > MANY:
        return _answer(replica, Kind.MANY)
    return _answer(replica, Kind.CELLS, cells=replica.cells(cells_for(differences)).encode())


def _answer(replica: Replica, kind: Kind, **more: bytes | int) -> SyncAnswer:
    return SyncAnswer(
        kind=kind, epoch=replica.epoch, count=replica.total, root=replica.root, store=replica.store_id,
        seq=replica.seq, **({"until": 0} | more),  # type: ignore[arg-type]
    )  # fmt: skip


def _more(replica: Replica, request: SyncMore) -> SyncCells:
    end = request.first + request.count
    if not 0 < request.first < end <= CELLS_MOST:
        raise BadPacket("cells")
    whole = replica.cells(end)
    return SyncCells(cells=Cells(whole.mixed[request.first :], whole.counts[request.first :]).encode())


def _walk(replica: Replica, request: SyncWalk, key: bytes) -> SyncParts:
    sizes = WHOLE if request.whole else CUT
    parts = read_parts(request.parts, sizes)
    if request.epoch != replica.epoch or len(parts) > AT_ONCE:
        raise BadPacket("walk")
    found = Comparison(replica, key, sizes).compare(parts)
    return SyncParts(
        count=replica.total, root=replica.root, seq=replica.seq, records=bring(replica, found.lacking),
        parts=b"".join(part.encode() for part in found.parts), wants=pack_pieces(found.wants),
    )  # fmt: skip
