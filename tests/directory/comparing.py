"""What the tests of comparing share: replicas with records of their own, and a comparison run to its end."""

from __future__ import annotations

import functools
import hashlib
from collections import deque
from collections.abc import Callable, Iterable

import attrs

from rhotwist.directory.answering import answer
from rhotwist.directory.merge import beats
from rhotwist.directory.messages import SyncGive, SyncTaken
from rhotwist.directory.record import Record, read_layout, split
from rhotwist.directory.step import Ending, Mark, Step
from rhotwist.directory.sync import Sync
from rhotwist.testing.replicas import MemoryReplica
from rhotwist.wire.schema import Request, Schema
from tests.directory.support import NOON, TODAY, record

KEY = b"k" * 32
SAME = 2_000
"""Records that both trees of a pair have."""


@functools.cache
def made(number: int, issued: int = NOON) -> Record:
    """The record of a number without a good signature, which costs nothing to make: comparing never looks at it."""
    like = _likeness()
    key = hashlib.sha256(b"made %d" % number).digest()
    body = like[:3] + key + issued.to_bytes(4, "big") + like[39:-72]
    return read_layout(body + hashlib.sha512(key).digest() + bytes(8))


@functools.cache
def _likeness() -> bytes:
    return record(1).encode()


def replica(numbers: Iterable[int], store: bytes = b"store---", cells: int = 8_192) -> MemoryReplica:
    """A tree of these records."""
    tree = MemoryReplica(store, TODAY, cells)
    tree.put(map(made, numbers))
    return tree


def put_better(tree: MemoryReplica, encoded: Iterable[bytes]) -> int:
    """Admission without its checks: those that beat what stands are put; how many."""
    best: dict[bytes, Record] = {}
    for one in map(read_layout, encoded):
        held = best.get(one.address) or tree.held.records.get(one.address)
        if beats(one.issued, one.hash, None if held is None else (held.issued, held.hash)):
            best[one.address] = one
    tree.put(best.values())
    return len(best)


@attrs.define
class Run:
    """How a comparison went. size is bytes of bodies both ways, without the records; trips are round trips."""

    sync: Sync
    ending: Ending | None = None
    requests: list[Request[Schema]] = attrs.Factory(list)
    replies: list[Schema] = attrs.Factory(list)
    size: int = 0
    trips: int = 0

    @property
    def kinds(self) -> list[str]:
        """The requests, by name."""
        return [type(request).__name__ for request in self.requests]


def serve(tree: MemoryReplica, request: Request[Schema]) -> Schema:
    """An honest peer."""
    if isinstance(request, SyncGive):
        new = put_better(tree, split(request.records))
        return SyncTaken(count=tree.total, root=tree.root, seq=tree.seq, new=new)
    return answer(tree, request, KEY)


def compare(
    ours: MemoryReplica, theirs: MemoryReplica, *, mark: Mark | None = None, walk: bool = False,
    peer: Callable[[MemoryReplica, Request[Schema]], Schema] = serve, most: int = 10_000,
) -> Run:  # fmt: skip
    """Compare to the end; every request and every reply goes as bytes. peer answers instead of an honest one."""
    sync = Sync(ours, KEY, mark)
    run = Run(sync)
    step, coming = sync.begin(walk), deque[Request[Schema]]()
    while True:
        steps = [step]
        if step.records:
            steps.append(sync.settled(put_better(ours, step.records)))
        for one in steps:
            coming.extend(one.asks)
            run.ending = run.ending or one.ending
        if run.ending or not coming or len(run.requests) >= most:
            return run
        request = coming.popleft()
        run.requests.append(request)
        reply = peer(theirs, type(request).decode(request.encode()))
        run.replies.append(reply)
        run.size += _weight(request) + _weight(reply)
        step = sync.heard(request, type(reply).decode(reply.encode()))


def _weight(said: Schema) -> int:
    return len(said.encode()) - len(getattr(said, "records", b""))


def first(step: Step) -> Request[Schema]:
    """The one request of a step."""
    [request] = step.asks
    return request


def pair(only_ours: int, only_theirs: int, updated: int = 0) -> tuple[MemoryReplica, MemoryReplica]:
    """Two trees that differ so: records only here, only there, and newer there."""
    ours, theirs = replica(range(SAME), b"store--a"), replica(range(SAME), b"store--b")
    ours.put(made(10_000 + n) for n in range(only_ours))
    theirs.put(made(20_000 + n) for n in range(only_theirs))
    theirs.put(made(n, NOON + 60) for n in range(updated))
    return ours, theirs
