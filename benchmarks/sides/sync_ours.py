"""Two of our nodes in one process, over loopback: what comparing takes. Arguments: COUNT SETS DIFFERENCES..."""

from __future__ import annotations

import functools
import hashlib
import json
import os
import sys
from collections.abc import Sequence
from typing import Any

from twisted.internet import defer, task

from benchmarks.sides.negentropy import reconcile
from rhotwist import Limits, SeedKey
from rhotwist.directory import messages
from rhotwist.directory.answering import answer
from rhotwist.directory.messages import SyncGive, SyncTaken, SyncWant
from rhotwist.directory.record import Record, read_layout, split
from rhotwist.directory.step import Ending, Mark
from rhotwist.directory.sync import Sync
from rhotwist.net.endpoint import RhoNode
from rhotwist.node.core import Node
from rhotwist.testing.replicas import MemoryReplica

ISSUED = 180_000_000
SIZE = 164


def record(number: int) -> Record:
    """A record that nobody signed: what comparing moves is never looked into."""
    key = hashlib.sha256(b"%d" % number).digest()
    where = hashlib.sha256(key).digest()
    issued = (ISSUED + 60 * (where[8] % 200)).to_bytes(4, "big")
    body = b"\1\1\1" + key + issued + b"\2\xd0\1\1" + bytes((20 + where[0] % 60,)) + where[1:4] + b"\x1d\x24"
    body += bytes((SIZE - 122,)) + bytes(SIZE - 122)
    return read_layout(body + where * 2 + bytes(8))


class Counted:
    """A node whose datagrams are counted as they leave for the socket."""

    def __init__(self, reactor: Any) -> None:
        self.core = Node(SeedKey(os.urandom(32)), rng=os.urandom)
        self.bytes = 0
        outgoing = self.core.outgoing

        def counted() -> Any:
            bursts = outgoing()
            self.bytes += sum(len(data) for burst in bursts for data in burst.datagrams)
            return bursts

        self.core.outgoing = counted  # type: ignore[method-assign]
        self.node = RhoNode(self.core, reactor, limits=Limits())
        self.node.bind(("127.0.0.1",), 0)


class Pair:
    """Two trees, a session, and comparisons over it."""

    def __init__(self, reactor: Any, count: int) -> None:
        self.reactor = reactor
        self.one, self.other = Counted(reactor), Counted(reactor)
        self.ours, self.theirs = MemoryReplica(b"ours----", 1), MemoryReplica(b"theirs--", 1)
        common = [record(number) for number in range(count)]
        for tree in (self.ours, self.theirs):
            tree.put(common)
        self.common = {one.address for one in common}
        self.items = sorted((one.issued, one.leaf) for one in common)
        for request in messages.REQUESTS:
            self.other.node.answer(request, self._serve)
        self.other.core.admit(self.one.core.public)
        self.peer = self.one.node.peer(self.other.node.address)
        self.next = 10**9
        self.key = b""

    @property
    def sealed(self) -> int:
        """Bytes that both have sent so far."""
        return self.one.bytes + self.other.bytes

    async def open(self) -> None:
        """Have a session that has found out how large its packets may be."""
        await self.peer.ping()
        self.key = self.one.core.fingerprint_key(self.other.core.public) or b""
        for _ in range(5):
            self.differ(4_000)
            await self.compare()
            self.equal()
        await task.deferLater(self.reactor, 1.0, int)

    def differ(self, differences: int) -> None:
        """So many records that one side alone has, half of them each."""
        for tree, some in ((self.ours, differences // 2), (self.theirs, differences - differences // 2)):
            tree.put(record(self.next + number) for number in range(some))
            self.next += some

    def equal(self) -> None:
        """Back to what both have."""
        for tree in (self.ours, self.theirs):
            tree.take_out(list(tree.held.records.keys() - self.common))

    def rival(self) -> tuple[int, int, int]:
        """What negentropy makes of the same two sets."""
        sides = []
        for tree in (self.ours, self.theirs):
            more = (tree.held.records[address] for address in tree.held.records.keys() - self.common)
            sides.append([*self.items, *((one.issued, one.leaf) for one in more)])
        return reconcile(*sides)

    def _serve(self, call: Any) -> Any:
        if isinstance(call.body, SyncGive):
            found = [read_layout(one) for one in split(call.body.records)]
            self.theirs.put(found)
            tree = self.theirs
            return SyncTaken(count=tree.total, root=tree.root, seq=tree.seq, new=len(found))
        return answer(self.theirs, call.body, self.other.core.fingerprint_key(call.peer) or b"")

    async def compare(self, walk: bool = False, mark: Mark | None = None) -> dict[str, float]:
        """Sealed bytes both ways without those of the records, round trips until the last record is there, and how many
        of the bytes it took until both knew what differs.
        """
        before = self.sealed
        sync, moved, trips, depth, known = Sync(self.ours, self.key, mark), 0, 0.0, 0, 0
        wave: Sequence[Any] = sync.begin(walk).asks
        ending: Ending | None = None
        while wave and ending is None:
            depth += 1
            if not any(isinstance(request, SyncGive | SyncWant) for request in wave):
                known = 0  # not yet
            elif not known:
                known = self.sealed - before - moved + sum(len(getattr(request, "wants", b"")) for request in wave)
            replies = await defer.gatherResults([self.peer.request(request) for request in wave])
            coming: list[Any] = []
            for request, reply in zip(wave, replies, strict=True):
                steps = [sync.heard(request, reply)]
                if isinstance(request, SyncGive):
                    moved += len(request.records)
                    trips = max(trips, depth - 0.5)
                if steps[0].records:
                    found = [read_layout(one) for one in steps[0].records]
                    moved += sum(map(len, steps[0].records))
                    self.ours.put(found)
                    trips = max(trips, depth)
                    steps.append(sync.settled(len(found)))
                for step in steps:
                    coming += step.asks
                    ending = ending or step.ending
            wave = coming
        if ending is not Ending.EQUAL or self.ours.root != self.theirs.root:
            raise RuntimeError(f"the comparison ended {ending}")
        await task.deferLater(self.reactor, 0.02, int)  # the last acknowledgements count too
        return {
            "bytes": self.sealed - before - moved,
            "trips": trips or depth,
            "known": known or self.sealed - before - moved,
        }


async def run(reactor: Any, count: str, sets: str, *differences: str) -> None:
    """A JSON line for each set."""
    pair = Pair(reactor, int(count))
    await pair.open()
    say = functools.partial(print, flush=True)
    for some in map(int, differences):
        for _ in range(int(sets)):
            pair.differ(some)
            size, trips, found = pair.rival()
            if found != some:
                raise RuntimeError(f"negentropy found {found} of {some}")
            line = await pair.compare()
            say(json.dumps({"d": some, "how": "sketch", **line, "peer": size, "peer_trips": trips}))
            pair.equal()
            if some == 100:
                pair.differ(some)
                say(json.dumps({"d": some, "how": "walk", **await pair.compare(walk=True), "peer": size}))
                pair.equal()
    mark = Mark(pair.theirs.store_id, pair.theirs.seq)
    for some in (1, 100):
        pair.theirs.put(record(pair.next + number) for number in range(some))
        pair.next += some
        line = await pair.compare(mark=mark)
        mark = Mark(pair.theirs.store_id, pair.theirs.seq)
        say(json.dumps({"d": some, "how": "cursor", **line}))


if __name__ == "__main__":
    task.react(lambda reactor: defer.ensureDeferred(run(reactor, *sys.argv[1:])))
