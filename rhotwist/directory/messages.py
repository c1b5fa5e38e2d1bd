"""What two nodes say about their directories. Spec page: docs/spec/sync.md.

Comparing goes by requests: whoever asks has the state, whoever answers has none. News goes by ``mention``: ids, then
which of them one wants, then the records; each is harmless twice, and what the net loses comes by comparing.
"""

from __future__ import annotations

import enum
import itertools
from collections.abc import Iterable, Sequence

from rhotwist.errors import BadPacket
from rhotwist.tree.sketch import CELL, CELLS_MOST
from rhotwist.wire.schema import Request, Schema, blob, bulk, flag, octets, u8, u16, u32, u64

CELLS = 76
"""Cells in a Hello: 818 bytes with them; they decode 36 differences 98 times in 100, and 40 96 times."""
PREFIX = 5
"""Bytes of an address by which a record is wanted."""
ID = 8
"""Bytes of an id, by which a record is announced."""
WANTS_MOST = 1_024
"""Records wanted at once."""
RECORDS_MOST = 400_000
"""Bytes of records in one message: somewhat more than that many."""
PARTS_MOST = 400_000
"""Bytes of parts in one message, about: what 128 parts are answered with at most."""
NEWS = 1_120
"""Bytes of ids, prefixes or records in one mention, so that it fits one small packet."""


class Kind(enum.IntEnum):
    """What a Hello comes to."""

    SAME = 0
    """The roots are equal."""
    OTHER_DAY = 1
    """The epochs differ: both ask again later."""
    DELTA = 2
    """Here is what came since your cursor."""
    FOUND = 3
    """The cells decoded: here is what you lack, and I want these."""
    CELLS = 4
    """They did not; here are more of mine."""
    MANY = 5
    """No sketch will do: walk the trees."""
    NOTHING = 6
    """The roots differ, and neither cursor nor cells came that would tell more."""


class SyncAnswer(Schema, name="rho.sync-answer"):
    """kind is a Kind. epoch, count and root are those of the tree, store names it, its newest record has number seq.

    records are those you lack, one behind the other, until of your cursor's records; wants prefixes of addresses.
    """

    kind: int = u8()
    epoch: int = u32()
    count: int = u32()
    root: bytes = octets(32)
    store: bytes = octets(8)
    seq: int = u64()
    until: int = u64()
    records: bytes = bulk(RECORDS_MOST + 384, default=b"")
    wants: bytes = blob(PREFIX * CELLS, default=b"")
    cells: bytes = bulk(CELL * CELLS_MOST, default=b"")


class SyncHello(Request[SyncAnswer], name="rho.sync-hello"):
    """Compare: my tree, and either the first cells of its sketch, or that I have all of store up to cursor."""

    epoch: int = u32()
    count: int = u32()
    root: bytes = octets(32)
    store: bytes = octets(8)
    cursor: int = u64()
    cells: bytes = blob(CELL * CELLS, default=b"")


class SyncCells(Schema, name="rho.sync-cells"):
    """Cells of the sketch."""

    cells: bytes = bulk(CELL * CELLS_MOST)


class SyncMore(Request[SyncCells], name="rho.sync-more"):
    """Give me count cells of your sketch, from number first on."""

    first: int = u16()
    count: int = u16()


class SyncParts(Schema, name="rho.sync-parts"):
    """Where the parts that were asked about differ from mine: parts, records you lack, prefixes I want; and my tree."""

    count: int = u32()
    root: bytes = octets(32)
    seq: int = u64()
    parts: bytes = bulk(PARTS_MOST)
    records: bytes = bulk(RECORDS_MOST + 384)
    wants: bytes = bulk(PREFIX * 0x4000)


class SyncWalk(Request[SyncParts], name="rho.sync-walk"):
    """Compare these parts of my tree with yours. whole: fingerprints are the hashes themselves."""

    epoch: int = u32()
    whole: bool = flag()
    parts: bytes = bulk(PARTS_MOST)


class SyncRecords(Schema, name="rho.sync-records"):
    """Those of the wanted records that are here."""

    records: bytes = bulk(RECORDS_MOST + 384)


class SyncWant(Request[SyncRecords], name="rho.sync-want"):
    """Give me the records whose addresses begin so."""

    wants: bytes = blob(PREFIX * WANTS_MOST)


class SyncTaken(Schema, name="rho.sync-taken"):
    """They have been looked at and those that stand are kept, of which new were new; and my tree with them."""

    count: int = u32()
    root: bytes = octets(32)
    seq: int = u64()
    new: int = u16()


class SyncGive(Request[SyncTaken], name="rho.sync-give"):
    """Records that you want or lack."""

    records: bytes = bulk(RECORDS_MOST + 384)


class News(Schema, name="rho.news"):
    """I have these: ids of 8 bytes (``flood.news_id``)."""

    ids: bytes = blob(NEWS)


class NewsWanted(Schema, name="rho.news-wanted"):
    """Mention to me the records whose addresses begin so."""

    wants: bytes = blob(NEWS)


class NewsRecords(Schema, name="rho.news-records"):
    """Records, one behind the other."""

    records: bytes = blob(NEWS)


#: Requests, answered by whoever serves a directory.
REQUESTS: tuple[type[Request[Schema]], ...] = (SyncHello, SyncMore, SyncWalk, SyncWant, SyncGive)
#: Said by ``mention``.
MENTIONS: tuple[type[Schema], ...] = (News, NewsWanted, NewsRecords)


def read_pieces(data: bytes, size: int) -> list[bytes]:
    """What lies one behind the other, size bytes each, ascending, so that each set has one string. Raises BadPacket."""
    pieces = [data[at : at + size] for at in range(0, len(data), size)]
    if len(data) % size or any(one >= next for one, next in itertools.pairwise(pieces)):
        raise BadPacket("pieces")
    return pieces


def pack_pieces(pieces: Iterable[bytes]) -> bytes:
    """The string of a set."""
    return b"".join(sorted(set(pieces)))


def filled(records: Sequence[bytes], most: int) -> list[list[bytes]]:
    """Records in runs of at most most bytes; one that is longer by itself is a run."""
    runs: list[list[bytes]] = []
    left = 0
    for one in records:
        left -= len(one)
        if left < 0:
            runs.append([])
            left = most - len(one)
        runs[-1].append(one)
    return runs
