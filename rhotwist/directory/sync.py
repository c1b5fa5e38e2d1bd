"""The asking side of comparing two trees, until they are equal or it is known why not. Page: docs/spec/sync.md.

    HELLO   ──roots equal──────────────────────────────> EQUAL
      │     ──epochs differ────────────────────────────> OTHER_DAY
      │     ──delta: records behind our cursor, page by page, then HELLO with cells
      │     ──we lack half of it or more───────────────> HELLO with the cursor 0, once
      │ cells decode there          CELLS: decode here; once more of them if they do not
      v                                v
    TRADE  <───────────────────────────┘     records come, records go
      │ roots still differ, or no sketch decoded
      v
    WALK   parts of the trees by fingerprints of 8 bytes, to the leaves; records come and go
      │ roots still differ
      v
    WHOLE  the same with whole hashes: nothing can hide                 roots still differ ──> UNEQUAL

Requests go out and replies come in as values, and so do records: whoever drives this has them admitted as asked for
and then calls ``settled``. Where a tree changed by something else meanwhile, unequal roots prove nothing: MOVED, and
the next comparison tells. What a reply may cost is bounded: walking goes strictly deeper, and parts are paid for with
records that move.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from rhotwist.directory.accounts import Accounts
from rhotwist.directory.answering import AT_ONCE
from rhotwist.directory.credit import Credit
from rhotwist.directory.delta import Delta
from rhotwist.directory.messages import (
    CELLS,
    PREFIX,
    RECORDS_MOST,
    WANTS_MOST,
    Kind,
    SyncAnswer,
    SyncCells,
    SyncGive,
    SyncHello,
    SyncMore,
    SyncParts,
    SyncRecords,
    SyncTaken,
    SyncWalk,
    SyncWant,
    filled,
    pack_pieces,
    read_pieces,
)
from rhotwist.directory.parts import CUT, WHOLE, Comparison, Part, read_parts
from rhotwist.directory.record import split
from rhotwist.directory.replica import Replica
from rhotwist.directory.step import Ending, Mark, Seen, Stage, Step
from rhotwist.errors import BadPacket
from rhotwist.tree.sketch import CELLS_MOST, Cells, decode, read_cells, subtract
from rhotwist.wire.schema import Request, Schema

REQUESTS_MOST = 8_192
"""Requests of one comparison."""
ALIKE = 16
"""Records more than were asked for that a reply may hold: those of other addresses that begin alike."""
_MANY = 10_000


class Sync:
    """One comparison with one peer. key is the session's, 32 bytes; mark, if the peer is one that comes back.

    leaves: where the peer lacks half of what is here or more it will fetch that by itself, and this ends with MOVED.
    """

    def __init__(self, replica: Replica, key: bytes, mark: Mark | None = None, *, leaves: bool = False) -> None:
        self.stage = Stage.HELLO
        self._replica = replica
        self._key = key
        self._leaves = leaves
        self._delta = Delta(mark)
        self._store = bytes(8)
        self._open = 0  # requests without a reply, and batches of records that are not settled
        self._requests = 0
        self._batches: deque[int] = deque()  # how many records each of those has
        self._credit = Credit()
        self._claimed = 0
        self._accounts = Accounts(replica.seq)
        self._cells = Cells((), ())
        self._asked: set[tuple[int, bytes]] | None = None  # parts that the walk under way may be answered with
        self._queue: list[Part] = []
        self._wanted: set[bytes] = set()
        self._given: set[bytes] = set()

    def begin(self, walk: bool = False) -> Step:
        """The first request; walk: leave out the sketch."""
        step = Step()
        if walk:
            self._claimed = _MANY
            self._walk(Stage.WALK, step)
        else:
            self._hello(step)
        return step

    def heard(self, request: Request[Schema], reply: Schema) -> Step:
        """A reply came to one of its requests."""
        step = Step()
        if self.stage is not Stage.OVER:
            self._open -= 1
            with self._going_on(step):
                move = _MOVES.get((self.stage, reply.kind if isinstance(reply, SyncAnswer) else type(reply)))
                if move is None:
                    raise BadPacket("place")
                move(self, request, reply, step)
        return step

    def settled(self, new: int) -> Step:
        """The records of one step were admitted, or not; so many are new in the tree."""
        step = Step()
        if self.stage is not Stage.OVER:
            self._open -= 1
            count = self._batches.popleft()
            self._accounts.new += new
            self._credit.settled(new, count)
            with self._going_on(step):
                if self.stage is Stage.HELLO:
                    self._delta.settled(new, count)
                    self._next_page(step)
                elif self._asked is None:
                    self._walk_on(step)
        return step

    def failed(self) -> Step:
        """A request had no reply: that is the end."""
        step = Step()
        if self.stage is not Stage.OVER:
            self._end(Ending.BROKEN, step)
        return step

    @property
    def seen(self) -> Seen | None:
        """What the peer last said of its tree, None before it said anything."""
        return self._accounts.seen

    @property
    def new(self) -> int:
        """Records that came and were new here."""
        return self._accounts.new

    @property
    def fetches_all(self) -> bool:
        """Whether the peer's whole journal is on its way."""
        return self.stage is Stage.HELLO and self._delta.started

    @property
    def reached(self) -> Mark | None:
        """What to begin with next time, if this comparison does not come to its end."""
        return self._delta.reached

    @property
    def mark(self) -> Mark | None:
        """What to begin with next time, once the trees were equal."""
        seen = self.seen
        return None if seen is None or self._store == bytes(8) else Mark(self._store, seen.seq)

    # --- replies, by stage

    def _same(self, _: Request[Schema], reply: SyncAnswer, step: Step) -> None:
        self._see(reply)
        # Or ours changed while it was on its way.
        self._end(Ending.EQUAL if reply.root == self._replica.root else Ending.MOVED, step)

    def _other_day(self, _: Request[Schema], reply: SyncAnswer, step: Step) -> None:
        self._end(Ending.OTHER_DAY, step)

    def _page(self, request: SyncHello, reply: SyncAnswer, step: Step) -> None:
        self._delta.came(request, reply)
        self._see(reply)
        self._take(reply.records, step)
        self._next_page(step)

    def _nothing(self, request: SyncHello, reply: SyncAnswer, step: Step) -> None:
        if request.cells:
            raise BadPacket("nothing")
        self._see(reply)
        self._delta.none()

    def _found(self, request: SyncHello, reply: SyncAnswer, step: Step) -> None:
        if not request.cells:
            raise BadPacket("found")
        self._see(reply)
        self.stage = Stage.TRADE
        wants = read_pieces(reply.wants, PREFIX)
        self._claimed = len(wants) + self._take(reply.records, step, CELLS + ALIKE)
        self._give((one for prefix in wants for one in self._replica.records(prefix)), step)

    def _more_cells(self, request: SyncHello, reply: SyncAnswer, step: Step) -> None:
        if not request.cells:
            raise BadPacket("cells")
        self._see(reply)
        self.stage = Stage.CELLS
        self._sketch(reply.cells, step)

    def _cells_again(self, _: Request[Schema], reply: SyncCells, step: Step) -> None:
        if reply.cells:
            self._sketch(reply.cells, step)
        else:  # it keeps no more
            self._claimed = _MANY
            self._walk(Stage.WALK, step)

    def _sketch(self, data: bytes, step: Step) -> None:
        before, more = self._cells, read_cells(data)
        cells = Cells(before.mixed + more.mixed, before.counts + more.counts)
        size = len(cells.counts)
        if size > CELLS_MOST:
            raise BadPacket("cells")
        found = decode(subtract(self._replica.cells(size), cells))
        if found is not None:
            self.stage = Stage.TRADE
            self._claimed = len(found.ours) + len(found.theirs)
            self._give((one for id in found.ours for one in self._replica.records(id[:PREFIX])), step)
            self._want((id[:PREFIX] for id in found.theirs), step)
        elif before.counts or size == CELLS_MOST:
            self._claimed = _MANY
            self._walk(Stage.WALK, step)
        else:
            # What was sent goes on being of use: half as many more of the same sketch decode nearly always.
            self._cells = cells
            self._ask(SyncMore(first=size, count=min(size // 2 + 1, CELLS_MOST - size)), step)

    def _too_many(self, request: SyncHello, reply: SyncAnswer, step: Step) -> None:
        if not request.cells:
            raise BadPacket("many")
        self._see(reply)
        # Of what the journal brings half is new at least, for no more than its own bytes; a walk finds each by itself.
        if reply.count >= 2 * self._replica.total and self._delta.start(reply.store):
            self._next_page(step)
        elif self._leaves and self._replica.total >= 2 * reply.count:
            self._end(Ending.MOVED, step)
        else:
            self._claimed = _MANY
            self._walk(Stage.WALK, step)

    def _records(self, request: SyncWant, reply: SyncRecords, step: Step) -> None:
        self._take(reply.records, step, len(request.wants) // PREFIX + ALIKE)

    def _taken_there(self, _: Request[Schema], reply: SyncTaken, step: Step) -> None:
        self._see(reply)
        self._accounts.taken += reply.new

    def _parts(self, _: Request[Schema], reply: SyncParts, step: Step) -> None:
        self._see(reply)
        sizes = WHOLE if self.stage is Stage.WHOLE else CUT
        parts = read_parts(reply.parts, sizes)
        asked, self._asked = self._asked or set(), None
        for part in parts:
            # Each part must lie right below one that was asked about, and comes once: so a walk ends.
            if (part.bits, part.prefix) not in asked:
                raise BadPacket("part")
            asked.remove((part.bits, part.prefix))
        self._credit.pay(len(parts))
        found = Comparison(self._replica, self._key, sizes).compare(parts)
        self._queue += found.parts
        self._take(reply.records, step)
        wants = read_pieces(reply.wants, PREFIX)
        self._give((one for prefix in (*found.lacking, *wants) for one in self._replica.records(prefix)), step)
        self._want(found.wants, step)
        self._walk_on(step)

    # --- what is asked

    def _hello(self, step: Step) -> None:
        replica, mark = self._replica, self._delta.ask()
        cells = b"" if mark is not None else replica.cells(CELLS).encode()
        self._ask(SyncHello(
            epoch=replica.epoch, count=replica.total, root=replica.root, cells=cells,
            store=bytes(8) if mark is None else mark.store_id, cursor=0 if mark is None else mark.cursor,
        ), step)  # fmt: skip

    def _next_page(self, step: Step) -> None:
        if self._delta.due(len(self._batches)):
            self._hello(step)

    def _walk(self, stage: Stage, step: Step) -> None:
        self.stage = stage
        self._credit.begin(self._claimed)
        self._wanted.clear()
        self._given.clear()
        self._queue = [self._comparison().part(0, bytes(32))]
        self._walk_on(step)

    def _walk_on(self, step: Step) -> None:
        """Ask about the parts that were found last: what is deep is done first, so that few wait. If they may be dear,
        the records that came have to pay first.
        """
        asked, left = self._queue[-AT_ONCE:], self._queue[:-AT_ONCE]
        if not asked or (self._batches and self._credit.scarce(len(asked))):
            return
        self._queue = left
        self._credit.pay(len(asked))
        self._asked = {(part.bits + part.width, prefix) for part in asked for prefix, _ in part.below()}
        encoded = b"".join(part.encode() for part in asked)
        self._ask(SyncWalk(epoch=self._replica.epoch, whole=self.stage is Stage.WHOLE, parts=encoded), step)

    def _want(self, prefixes: Iterable[bytes], step: Step) -> None:
        fresh = sorted(set(prefixes) - self._wanted)
        self._wanted.update(fresh)
        for at in range(0, len(fresh), WANTS_MOST):
            self._ask(SyncWant(wants=pack_pieces(fresh[at : at + WANTS_MOST])), step)

    def _give(self, records: Iterable[bytes], step: Step) -> None:
        fresh = [one for one in dict.fromkeys(records) if one not in self._given]
        self._given.update(fresh)
        self._accounts.gone += len(fresh)
        self._credit.given(len(fresh))
        for run in filled(fresh, RECORDS_MOST):
            self._ask(SyncGive(records=b"".join(run)), step)

    def _ask(self, request: Request[Schema], step: Step) -> None:
        self._requests += 1
        if self._requests > REQUESTS_MOST:
            raise BadPacket("requests")
        self._open += 1
        step.asks.append(request)

    # --- accounts

    def _see(self, told: SyncAnswer | SyncTaken | SyncParts) -> None:
        self._accounts.see(Seen(told.count, told.root, told.seq))
        if isinstance(told, SyncAnswer):
            self._store = told.store

    def _take(self, data: bytes, step: Step, most: int = RECORDS_MOST) -> int:
        records = split(data)
        if len(records) > most:
            raise BadPacket("records")
        if records:
            if not step.records:
                self._open += 1
                self._batches.append(0)
            self._batches[-1] += len(records)
            step.records += records
            self._accounts.came += len(records)
        return len(records)

    @contextmanager
    def _going_on(self, step: Step) -> Iterator[None]:
        """Do something that the peer may be to blame for, and go on."""
        try:
            yield
        except BadPacket as bad:
            # Records that others brought meanwhile, or that are refused or wait here, earn nothing, and nobody lied.
            poor = bad.reason == "dear" and self._accounts.came_for_nothing(self._replica.seq)
            self._end(Ending.MOVED if poor else Ending.LIED, step)
        self._go_on(step)

    def _go_on(self, step: Step) -> None:
        """All that was open is closed: compare the roots."""
        accounts, seq = self._accounts, self._replica.seq
        if self._open or self.stage is Stage.OVER or accounts.seen is None:
            return
        if accounts.seen.root == self._replica.root:
            self._end(Ending.EQUAL, step)
        elif self.stage is Stage.HELLO:
            self._hello(step)
        elif (accounts.came or accounts.gone) and accounts.moved(seq):
            self._end(Ending.MOVED, step)
        elif self.stage in _NEXT:
            self._walk(_NEXT[self.stage], step)
        else:
            self._end(Ending.MOVED if accounts.moved(seq) else Ending.UNEQUAL, step)

    def _comparison(self) -> Comparison:
        return Comparison(self._replica, self._key, WHOLE if self.stage is Stage.WHOLE else CUT)

    def _end(self, ending: Ending, step: Step) -> None:
        self.stage = Stage.OVER
        step.asks.clear()
        step.ending = ending


#: What is done with a reply. What is not in here is out of place.
_MOVES: dict[tuple[Stage, object], Callable[..., None]] = {
    (Stage.HELLO, Kind.SAME): Sync._same,
    (Stage.HELLO, Kind.OTHER_DAY): Sync._other_day,
    (Stage.HELLO, Kind.DELTA): Sync._page,
    (Stage.HELLO, Kind.NOTHING): Sync._nothing,
    (Stage.HELLO, Kind.FOUND): Sync._found,
    (Stage.HELLO, Kind.CELLS): Sync._more_cells,
    (Stage.HELLO, Kind.MANY): Sync._too_many,
    (Stage.CELLS, SyncCells): Sync._cells_again,
    (Stage.TRADE, SyncRecords): Sync._records,
    (Stage.TRADE, SyncTaken): Sync._taken_there,
    (Stage.WALK, SyncRecords): Sync._records,
    (Stage.WALK, SyncTaken): Sync._taken_there,
    (Stage.WALK, SyncParts): Sync._parts,
    (Stage.WHOLE, SyncRecords): Sync._records,
    (Stage.WHOLE, SyncTaken): Sync._taken_there,
    (Stage.WHOLE, SyncParts): Sync._parts,
}
_NEXT = {Stage.TRADE: Stage.WALK, Stage.CELLS: Stage.WALK, Stage.WALK: Stage.WHOLE}
