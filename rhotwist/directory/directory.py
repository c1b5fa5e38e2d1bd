"""One node's directory whole: peers, news, comparing, and the way of records into the tree, as values in and out.

    opened, closed, failed     sessions come and go           asked      a peer's request: the answer, now or as a job
    heard                      what a peer mentioned          replied    what became of an Ask
    judged, kept, lost         what became of other jobs      publish    a record of our own people
    tick, deadline, jobs       as a node has them

It calls nobody and waits for nothing. Its jobs are handed out in order, and ``Keep`` has to be begun before the next
verb: what admission decides rests on all that it decided before.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from math import inf
from typing import Protocol

import attrs

from rhotwist.directory import validity
from rhotwist.directory.admission import Admission, Batch, Holdings
from rhotwist.directory.answering import answer
from rhotwist.directory.endpoints import Kind
from rhotwist.directory.flood import Flood
from rhotwist.directory.jobs import Answer, Ask, Given, Job, Judge, Keep, Leave, Mention, Owner, Pulled, Purge, Slices
from rhotwist.directory.messages import (
    ID,
    PREFIX,
    News,
    NewsRecords,
    NewsWanted,
    SyncGive,
    SyncHello,
    SyncTaken,
    SyncWalk,
    read_pieces,
)
from rhotwist.directory.peers import Known, Peers, Use, alone
from rhotwist.directory.record import Record, read_layout, split
from rhotwist.directory.replica import Replica
from rhotwist.directory.serving import Serving
from rhotwist.directory.step import Ending, Mark, Step
from rhotwist.directory.sync import Sync
from rhotwist.directory.waiting import Origin, Source
from rhotwist.errors import BadPacket, Refused
from rhotwist.limits import Limits
from rhotwist.moment import Moment, Rng
from rhotwist.wire.schema import Request, Schema

#: Codes of a Refusal that a directory gives.
BUSY, WRONG = 64, 65
#: What a peer earns: a comparison that ended well; nonsense; records that are refused by their signature or work; roots
#: that nothing explains; a lie.
GOOD, NONSENSE, FORGED, UNEQUAL, LIE = 0.5, -4.0, -2.0, -4.0, -8.0
_STEP = 1.0
SLICE = 256
"""Records that are settled and written together: some 5 ms of the reactor."""
ALONE = 30.0
"""Seconds for which one peer alone is asked for all that it has; then the others are compared with, too."""
ALONE_AGAIN = 600.0
"""Seconds after which that may be again: who promises all and brings nothing must not keep the others off for long."""


class Tree(Replica, Holdings, Protocol):
    """The tree that a node keeps."""


@attrs.define
class _Friend:
    key: bytes
    next: float  # mono, when it is compared with again
    mark: Mark | None = None
    once: bool = False
    view: tuple[int, bytes] | None = None
    sync: Sync | None = None
    begun: float = 0.0
    until: float = 0.0


class Directory:
    """The directory of the node whose key is own. tree is what it keeps; what it is told by jobs it does itself."""

    def __init__(self, own: bytes, tree: Tree, limits: Limits, rng: Rng, *, private: bool = False) -> None:
        self.peers = Peers(own, limits, rng)
        self.flood = Flood(limits, rng)
        self.admission = Admission(limits, rng, private)
        self._tree = tree
        self._limits = limits
        self._rng = rng
        self._friends: dict[bytes, _Friend] = {}
        self._marks: dict[bytes, Mark] = {}
        self._serving = Serving(limits, rng)
        self._jobs: list[Job] = []
        self._next = 0.0
        self._alone = -ALONE_AGAIN  # when the comparison was begun for which the others waited last
        self._purged = tree.epoch

    # --- the node's side

    def load(self, kept: Sequence[Known]) -> None:
        """What the last run gave as ``state``."""
        self.peers.load(kept)
        self._marks = {known.key: Mark(known.store_id, known.cursor) for known in kept if known.cursor}

    def state(self) -> list[Known]:
        """What to keep for the next run."""
        marks = self._marks | {key: friend.mark for key, friend in self._friends.items() if friend.mark is not None}
        found = []
        for known in self.peers.kept():
            mark = marks.get(known.key, Mark(bytes(8), 0))
            found.append(attrs.evolve(known, store_id=mark.store_id, cursor=mark.cursor))
        return found

    def jobs(self) -> list[Job]:
        """Work that needs the world; each call hands out what came up since the last."""
        jobs, self._jobs = self._jobs, []
        return jobs

    def deadline(self) -> float:
        """When ``tick`` wants to be called, mono seconds."""
        times = [self._next, self.flood.deadline(), self.admission.deadline()]
        return min(time for time in times if time is not None)

    def tick(self, moment: Moment) -> None:
        """Do what is due."""
        epoch = validity.epoch_of(moment.date)
        if epoch > self._purged:
            self._purged = epoch
            self.admission.forget()
            self._jobs.append(Purge(epoch))
        due = self.admission.deadline()
        if due is not None and due <= moment.mono:
            self._judge(self.admission.due(self._tree, moment), None, moment)
        self.flood.tick(moment.mono)
        self._mentions()
        if self._next <= moment.mono:
            self._next = moment.mono + _STEP
            self._jobs += self.peers.choose(moment.mono, moment.date)
            self._begin_comparing(moment)

    # --- sessions

    def opened(self, peer: bytes, place: bytes, key: bytes, moment: Moment) -> None:
        """A session with a node is open, or another instead of the one before: its encoded endpoint, the session's key
        for fingerprints.
        """
        friend = self._friends.get(peer)
        if friend is not None:
            if friend.key != key and friend.sync is not None:  # what it walks by is not the peer's key any more
                self._step(peer, friend.sync, friend.sync.failed(), moment)
            friend.key = key
            return
        use = self.peers.opened(peer, place, moment.mono, moment.date)
        if use is Use.NONE:
            self._jobs.append(Leave(peer))
            return
        if use is Use.KEPT:
            self.flood.join(peer)
        # Not all at once, and the first soon: what happened meanwhile is what it has to tell.
        wait = int.from_bytes(self._rng(2), "big") / 65_536 * _STEP
        self._friends[peer] = _Friend(key, moment.mono + wait, self._marks.pop(peer, None), once=use is Use.ONCE)
        self._next = min(self._next, moment.mono + wait)

    def closed(self, peer: bytes, moment: Moment) -> None:
        """That session is over."""
        friend = self._friends.pop(peer, None)
        mark = friend.mark or (friend.sync.reached if friend.sync is not None else None) if friend is not None else None
        if mark is not None:
            self._remember(peer, mark)
        self.flood.leave(peer, moment.mono)
        self.peers.closed(peer, moment.mono)
        self._mentions()

    def failed(self, peer: bytes, moment: Moment) -> None:
        """A Connect came to nothing."""
        self.peers.failed(peer, moment.mono, moment.date)

    def mute(self, peer: bytes, moment: Moment) -> None:
        """It serves nobody, as wallets do: a visitor is told of news and asked no more, one that we dialled is left."""
        friend = self._friends.get(peer)
        if peer in self.peers.out:
            self._part(peer, moment)
            self.peers.shun(peer, moment.mono)
        elif friend is not None:
            friend.next = inf

    # --- records

    def publish(self, encoded: Iterable[bytes], moment: Moment) -> None:
        """Records of our own people, pasted or made here."""
        self._take(list(encoded), Source(Origin.PASTED), None, moment)

    def judged(self, job: Judge, verdicts: bytes, moment: Moment) -> None:
        """A worker's verdicts."""
        self._settle(job._batch, verdicts, job._owner, moment)

    def kept(self, job: Keep, moment: Moment) -> None:
        """The tree has it, on the disk."""
        records = [put.record for put in job.settled.puts if not put.local]
        for record in records:
            self._learn(record)
        for giver, count in job.givers.items():
            self.peers.count(giver, good=count)
        self.flood.stored(records, moment.mono, self._known_to(job._owner))
        self._pay(job._owner, len(records), moment)

    def _known_to(self, owner: Owner) -> Collection[bytes]:
        """The neighbours who have the records that came for this."""
        if isinstance(owner, Slices):
            owner = owner.owner
        if isinstance(owner, Pulled) and owner.sync.fetches_all:
            return self.flood.neighbours  # who is new has no news for them
        return (owner.peer,) if isinstance(owner, Pulled | Given) else ()

    def lost(self, job: Judge | Keep, moment: Moment) -> None:
        """A worker or the disk failed: nothing of it was kept, and whoever waits for it is told."""
        owner = job._owner
        if isinstance(owner, Slices):
            owner.owner, owner = None, owner.owner  # it is told once, whatever becomes of the other slices
        if isinstance(owner, Pulled):
            self._step(owner.peer, owner.sync, owner.sync.failed(), moment)
        elif isinstance(owner, Given):
            self._jobs.append(Answer(owner.ticket, Refused(BUSY, "nothing was kept")))

    def _take(self, encoded: Sequence[bytes], source: Source, owner: Owner, moment: Moment) -> None:
        """Look at records, in slices, so that no later turn takes long."""
        slices = [encoded[start : start + SLICE] for start in range(0, len(encoded), SLICE)] or [encoded]
        whole = Slices(owner, len(slices))
        for some in slices:
            self._judge(self.admission.take(some, source, self._tree, moment), whole, moment)

    def _judge(self, batch: Batch, owner: Owner, moment: Moment) -> None:
        if batch.checks:
            self._jobs.append(Judge(batch.checks, batch, owner))
        else:
            self._settle(batch, b"", owner, moment)

    def _settle(self, batch: Batch, verdicts: bytes, owner: Owner, moment: Moment) -> None:
        settled = self.admission.settle(batch, verdicts, self._tree, moment)
        for entry, verdict in zip(batch.entries, verdicts, strict=True):
            if verdict and entry.source.origin is not Origin.PASTED:
                self.peers.count(entry.source.sender, bad=1)
                self._blame(entry.source.sender, FORGED, moment)
        if settled.puts or settled.removed:
            self._jobs.append(Keep.of(batch, settled, owner))
        else:
            self._pay(owner, 0, moment)

    def _pay(self, owner: Owner, new: int, moment: Moment) -> None:
        """The batch is through: whoever waits for it learns how much was new."""
        if isinstance(owner, Slices):
            owner.left -= 1
            owner.new += new
            if not owner.left:
                self._pay(owner.owner, owner.new, moment)
        elif isinstance(owner, Pulled):
            friend = self._friends.get(owner.peer)
            if friend is not None and friend.sync is owner.sync:
                friend.until += new / self._limits.sync_least
            self._step(owner.peer, owner.sync, owner.sync.settled(new), moment)
        elif isinstance(owner, Given):
            tree = self._tree
            taken = SyncTaken(count=tree.total, root=tree.root, seq=tree.seq, new=new)
            self._jobs.append(Answer(owner.ticket, taken))

    def _learn(self, record: Record) -> None:
        """Whoever is at an address is a node, and may become a peer."""
        places = [place for place in record.endpoints if place[0] != Kind.RELAY]
        if places:
            self.peers.learn(record.key, places[0])
        elif record.withdraws:
            self.peers.forget(record.key)

    # --- what peers say

    def heard(self, peer: bytes, body: Schema, moment: Moment) -> None:
        """A peer mentioned something. What is no honest peer's is blamed on it."""
        try:
            if isinstance(body, News):
                self.flood.news(peer, read_pieces(body.ids, ID), self._tree, moment.mono)
            elif isinstance(body, NewsWanted):
                self.flood.wanted(peer, read_pieces(body.wants, PREFIX), self._tree, moment.mono)
            elif isinstance(body, NewsRecords) and peer in self._friends:
                came = self.flood.came(peer, map(read_layout, split(body.records)))
                # Pulled, but nobody of ours wished for them: whoever announced them pays.
                self._take([one.encode() for one in came], Source(Origin.UNSOLICITED, peer), None, moment)
        except BadPacket:
            self._blame(peer, NONSENSE, moment)
        self._mentions()

    def asked(self, peer: bytes, request: Request[Schema], ticket: object, moment: Moment) -> Schema | Refused | None:
        """A peer's request: its answer, or None if an ``Answer`` with this ticket will follow.

        Whoever is no peer of ours has no key for fingerprints here and is refused.
        """
        friend = self._friends.get(peer)
        if friend is None or self._serving.spent(peer, moment.mono):
            return Refused(BUSY, "not now")
        other_day = isinstance(request, SyncWalk) and request.epoch != self._tree.epoch  # it was begun before midnight
        if other_day or (isinstance(request, SyncHello) and self._left_to_one(moment)):
            return Refused(BUSY, "not now")  # or we would be given what is on its way already
        try:
            if isinstance(request, SyncGive):
                records = split(request.records)
                origin = self._serving.given(peer, len(records), len(request.records), moment.mono)
                self._take(records, Source(origin, peer), Given(peer, ticket), moment)
                return None
            reply = answer(self._tree, request, friend.key)
        except BadPacket:
            self._blame(peer, NONSENSE, moment)
            return Refused(WRONG, "nothing that can be compared")
        self._serving.told(peer, request, reply, moment.mono)
        return reply

    def replied(self, job: Ask, reply: Schema | None, moment: Moment) -> None:
        """What became of a request of ours."""
        sync = job._sync
        if sync is not None:
            step = sync.failed() if reply is None else sync.heard(job.request, reply)
            self._step(job.peer, sync, step, moment)

    # --- comparing

    def _begin_comparing(self, moment: Moment) -> None:
        views = {peer: friend.view for peer, friend in self._friends.items() if friend.view is not None}
        for peer, friend in tuple(self._friends.items()):  # who is given up may be left
            if friend.sync is not None and friend.until <= moment.mono:
                self._step(peer, friend.sync, friend.sync.failed(), moment)
        if self._left_to_one(moment):
            return  # the others have mostly the same
        due = [peer for peer, friend in self._friends.items() if friend.sync is None and friend.next <= moment.mono]
        # Whose tree stands alone may withhold: what he has is known soonest from the others.
        due.sort(key=lambda peer: (alone(views, peer), self._friends[peer].next))
        under_way = sum(friend.sync is not None for friend in self._friends.values())
        for peer in due[: max(0, self._limits.sync_most - under_way)]:
            friend = self._friends[peer]
            friend.sync = Sync(self._tree, friend.key, friend.mark, leaves=True)
            friend.mark = None
            friend.begun = moment.mono
            friend.until = moment.mono + self._limits.sync_patience
            self._step(peer, friend.sync, friend.sync.begin(), moment)

    def _left_to_one(self, moment: Moment) -> bool:
        """Whether a peer that brings all that it has is left alone to do so; when it began is remembered."""
        for friend in self._friends.values():
            if friend.sync is not None and friend.sync.fetches_all:
                if friend.begun >= self._alone + ALONE_AGAIN:
                    self._alone = friend.begun
                if friend.begun == self._alone and moment.mono < self._alone + ALONE:
                    return True
        return False

    def _step(self, peer: bytes, sync: Sync, step: Step, moment: Moment) -> None:
        self._jobs += (Ask(peer, request, sync) for request in step.asks)
        if step.records:
            self._take(step.records, Source(Origin.ASKED, peer), Pulled(peer, sync), moment)
        if step.ending is not None:
            self._ended(peer, sync, step.ending, moment)

    def _ended(self, peer: bytes, sync: Sync, ending: Ending, moment: Moment) -> None:
        friend = self._friends.get(peer)
        if friend is None or friend.sync is not sync:
            return
        friend.sync = None
        broke = ending in (Ending.BROKEN, Ending.MOVED)
        if ending is Ending.BROKEN:
            friend.mark = sync.reached
        friend.next = moment.mono + (self._limits.sync_again if broke else self._limits.sync_every)
        if sync.seen is not None:
            friend.view = (sync.seen.count, sync.seen.root)
        if ending is Ending.EQUAL:
            # Used when the session is opened anew: while it lives, news goes both ways, and a sketch tells best.
            if sync.mark is not None:
                self._remember(peer, sync.mark)
            self.peers.judge(peer, GOOD, moment.date)
        elif ending in (Ending.UNEQUAL, Ending.LIED):
            self._blame(peer, UNEQUAL if ending is Ending.UNEQUAL else LIE, moment)
        if friend.once and peer in self._friends:
            # Who was cut off from half of the net and found other peers meanwhile hears of the others by this alone.
            self._part(peer, moment)

    def _remember(self, peer: bytes, mark: Mark) -> None:
        """Where to go on with a peer when its session is opened anew; those remembered longest go."""
        self._marks.pop(peer, None)
        self._marks[peer] = mark
        if len(self._marks) > self._limits.peers_tried:
            del self._marks[next(iter(self._marks))]

    def _part(self, peer: bytes, moment: Moment) -> None:
        self.closed(peer, moment)
        self._jobs.append(Leave(peer))

    def _blame(self, peer: bytes, points: float, moment: Moment) -> None:
        if not self.peers.judge(peer, points, moment.date) and peer in self._friends:
            self._part(peer, moment)

    def _mentions(self) -> None:
        self._jobs += (Mention(peer, body) for peer, body in self.flood.outgoing())
