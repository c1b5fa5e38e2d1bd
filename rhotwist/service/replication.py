"""The directory among others: drives ``directory.directory.Directory`` with real sessions, a real disk and real time.

The core's verbs wait in a queue for a moment at which the tree stands still; such moments come every few milliseconds,
because no change of the live path takes longer. Nothing here blocks.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from functools import partial
from typing import Any, TypeVar

import attrs
from twisted.internet.defer import CancelledError, Deferred, maybeDeferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from rhotwist.control import directory as values
from rhotwist.control import verbs
from rhotwist.control.values import Nothing
from rhotwist.control.verbs import Verb
from rhotwist.directory import jobs
from rhotwist.directory.admission import Put, Settled
from rhotwist.directory.directory import BUSY, Directory
from rhotwist.directory.endpoints import Kind, is_public, unpack
from rhotwist.directory.messages import MENTIONS, REQUESTS
from rhotwist.directory.peers import Connect, Known
from rhotwist.errors import BadAddress, DamagedStore, LocalError, NotSpoken, Refused, RequestFailed, StoreError
from rhotwist.keys.address import NODE, Address, NodeAt, format_address
from rhotwist.moment import EPOCH_2020, Moment, Rng
from rhotwist.net.endpoint import RhoNode
from rhotwist.net.handlers import Call
from rhotwist.service.directory import DirectoryKeeper
from rhotwist.service.files_in import World
from rhotwist.service.finding import CARRIERS, Finder, places_of, readable
from rhotwist.service.steady_tree import SteadyTree
from rhotwist.service.timers import Timers
from rhotwist.service.turns import break_off, lose, or_else
from rhotwist.store.peers import Peer as KeptPeer
from rhotwist.store.peers import Peers

R = TypeVar("R")
AGAIN = 0.01  # seconds until the tree may stand still
TURN = 0.005  # seconds of verbs at a time: then others have their turn
QUEUE_MOST = 1_024  # verbs that wait for the tree, beyond which nothing that strangers say is taken
TICK_MOST = 1.0  # seconds between two ticks
CONNECT = 10.0  # seconds that a peer has to prove its key
ASK = 60.0  # seconds without progress of a request
PASTED_AGAIN = 30.0  # seconds between two tries to reach a peer that was named
REFUSED_MOST = 12  # requests that a peer may refuse in a row, a minute: it may be full, and others have room
SAVE = 600.0  # seconds between two times that peers are written down
LEARNED_MOST = 4_096
"""Records of the tree from which peers are learnt at the start: the newest."""


@attrs.define
class _Session:
    """What is kept of a peer: its session's key, how many requests it answered, did not, and did not in a row."""

    key: bytes
    answered: int = 0
    failed: int = 0
    refused: int = 0


class Replication:
    """One process among the others. serves: it answers those who compare; named gives the peers that its people said.

    ``start`` when the directory is open, ``stop`` before the node closes.
    """

    _log = Logger()

    def __init__(
        self, keeper: DirectoryKeeper, finder: Finder, node: RhoNode, world: World, rng: Rng, *, serves: bool,
        named: Callable[[], Iterable[NodeAt]],
    ) -> None:  # fmt: skip
        self._keeper = keeper
        self._finder = finder
        self._node = node
        self._world = world
        self._named = named
        self._over = False
        self._rng = rng
        self._core: Directory | None = None
        self._tree: SteadyTree
        self._peers: Peers
        self._queue: deque[Callable[[Directory, Moment], None]] = deque()
        self._timers = Timers(world.later)
        self._sessions: dict[bytes, _Session] = {}
        self._first: dict[bytes, int] = {}
        self._do: dict[type, Callable[[Any], None]] = {
            jobs.Ask: self._ask, jobs.Mention: self._mention, jobs.Answer: lambda job: job.ticket.callback(job.reply),
            jobs.Judge: self._judge, jobs.Keep: self._keep, jobs.Purge: lambda job: None, Connect: self._connect,
            jobs.Leave: lambda job: self._part(job.peer),
        }  # fmt: skip
        for request in REQUESTS if serves else ():
            node.answer(request, self._asked)
        for mention in MENTIONS:
            node.hear(mention, self._heard)
            node.core.heed(mention)

    # --- its life ----------------------------------------------------------------------------------------------------

    def start(self, peers: Peers) -> None:
        """Go among the others."""
        self._tree = SteadyTree(self._keeper.store)
        self._peers = peers
        keeper = self._keeper
        self._core = made = Directory(self._node.public, self._tree, keeper.limits, self._rng, private=keeper.private)
        self._keeper.admission = made.admission
        self._keeper.kept = self._stored
        try:
            self._load(made)
        except StoreError as error:
            self._keeper.failed(error)
        self._tick()
        self._reach_named()
        self._timers.set("save", SAVE, self._save)

    def stop(self) -> None:
        """Leave them; what is known of peers is written down."""
        self._over = True
        if self._core is not None:
            self._write(self._core)
        self._core = None
        self._queue.clear()
        self._timers.stop()

    @property
    def neighbours(self) -> tuple[bytes, ...]:
        """The nodes with which news goes both ways now."""
        return () if self._core is None else tuple(self._core.flood.neighbours)

    def _load(self, made: Directory) -> None:
        """Peers of the last run, where their records say they are now, and further nodes of the tree."""
        store = self._keeper.store
        kept = self._peers.best(self._keeper.limits.peers_tried)
        found = []
        for number, one in enumerate(kept):
            self._first[one.key], record = one.first, None
            with suppress(DamagedStore):
                record = store.lookup(one.key)
            if record is not None and places_of(record):
                place, mark = record.endpoints[0], one.store_id or bytes(8)
                first = number < self._keeper.limits.peers_kept
                found.append(Known(one.key, place, one.score, one.last, first, mark, one.cursor, one.good, one.bad))
        made.load(found)
        page = store.since(max(0, store.state.seq - LEARNED_MOST), LEARNED_MOST)
        for record in readable(page.records):
            if record.endpoints and record.endpoints[0][0] != Kind.RELAY:
                made.peers.learn(record.key, record.endpoints[0])

    def _save(self) -> None:
        if self._core is not None:
            self._write(self._core)
            self._timers.set("save", SAVE, self._save)

    def _write(self, made: Directory) -> None:
        date = self._world.date()
        known_now = made.state()
        self._first = {known.key: self._first.get(known.key, date) for known in known_now}
        for known in known_now:
            here = known.key in self._sessions  # a score goes with its date, or it would fade twice
            score, last = (made.peers.score(known.key, date), date) if here else (known.score, known.date)
            self._peers.put(KeptPeer(
                known.key, known.store_id, known.cursor, score, known.good, known.bad,
                self._first[known.key], last,
            ))  # fmt: skip

    # --- what may be asked -------------------------------------------------------------------------------------------

    def handlers(self) -> Mapping[Verb, Callable[[Any], Any]]:
        """What the control socket answers."""
        return {verbs.PEERS: self.listed}

    def listed(self, _: Nothing) -> values.PeerList:
        """The nodes that answered once, and those that are peers now."""
        made, date = self._core, self._world.date()
        if made is None:
            return values.PeerList(())
        dates = {known.key: known.date for known in made.state()}
        here = set(self.neighbours)
        rows = []
        for key in {**dict.fromkeys(here), **dates}:
            session = self._sessions.get(key, _Session(b""))
            last = date if key in here else dates.get(key, 0)
            rows.append(values.PeerRow(
                format_address(Address(NODE, key)), key in here, round(made.peers.score(key, date), 2),
                session.answered, session.failed, last + EPOCH_2020 if last else 0, *made.peers.counts(key),
            ))  # fmt: skip
        return values.PeerList(tuple(sorted(rows, key=lambda row: (not row.here, -row.score, row.node))))

    def look(self, question: Callable[[SteadyTree], R]) -> Deferred[R]:
        """Ask something of the tree while it stands still. Fails with what the question raises."""
        found: Deferred[R] = Deferred()

        def asked(made: Directory, moment: Moment) -> None:
            maybeDeferred(question, self._tree).addCallbacks(found.callback, found.errback)

        self.turn(asked)
        return found

    # --- turns -------------------------------------------------------------------------------------------------------

    def turn(self, verb: Callable[[Directory, Moment], None]) -> None:
        """Have the core do something as soon as the tree stands still, and then what it wants done."""
        if not self._over:
            self._queue.append(verb)
            self._drain()

    def _drain(self) -> None:
        # What a job comes to at once, as a request to a peer that is gone, waits until the verbs before it are done.
        if self._core is None or self._tree.here is not None or "drain" in self._timers:
            return
        try:
            self._work_off(self._core)
        except StoreError as error:
            self._keeper.failed(error)
            self._timers.set("drain", TICK_MOST, self._drain)
        except BaseException:
            self._arm()  # whatever it was, time goes on
            raise

    def _work_off(self, made: Directory) -> None:
        """Do what waits, for as long as the tree may be held; the rest soon. Raises StoreError."""
        until = self._world.mono() + TURN
        try:
            with self._keeper.store.steady() as here:
                if here is None:
                    done = self._keeper.store.still()
                    self._timers.set("drain", AGAIN, self._drain, None if done is None else self._world.soon(done))
                    return
                self._tree.here = here
                while self._queue:
                    self._queue.popleft()(made, self._keeper.moment)
                    # Keeping begins before the next verb; it is written when the tree is let go.
                    for job in made.jobs():
                        self._do[type(job)](job)
                    if self._world.mono() >= until:
                        break
        finally:
            self._tree.here = None
        if self._queue:
            self._timers.set("drain", 0.0, self._drain)
        self._node.driver.settle()
        self._arm()

    def _arm(self) -> None:
        if self._core is not None:
            wait = self._core.deadline() - self._world.mono()
            self._timers.set("tick", min(TICK_MOST, max(AGAIN, wait)), self._tick)

    def _tick(self) -> None:
        self.turn(lambda made, moment: made.tick(moment))

    # --- what the core wants -----------------------------------------------------------------------------------------

    def _ask(self, job: jobs.Ask) -> None:
        session = self._sessions.get(job.peer, _Session(b""))

        def replied(reply: Any) -> None:
            session.answered, session.refused = session.answered + 1, 0
            if job.peer in self._sessions:
                self.meet(job.peer)  # over another session it answered by another key
            self.turn(or_else(lambda made, moment: made.replied(job, reply, moment), break_off(job)))

        def failed(failure: Failure) -> None:
            session.failed, session.refused = session.failed + 1, session.refused + 1

            def told(made: Directory, moment: Moment) -> None:
                made.replied(job, None, moment)
                if failure.check(NotSpoken):
                    made.mute(job.peer, moment)
                elif not failure.check(Refused) or (session.refused >= REFUSED_MOST and job.peer in made.peers.out):
                    self._closed(job.peer, made, moment)

            self.turn(told)

        maybeDeferred(self._node.peer(job.peer).request, job.request, ASK).addCallbacks(replied, failed)

    def _mention(self, job: jobs.Mention) -> None:
        if not self._node.core.mention(job.peer, job.body, self._keeper.moment):
            self._queue.append(partial(self._closed, job.peer))

    def _judge(self, job: jobs.Judge) -> None:
        def judged(verdicts: bytes) -> None:
            self.turn(or_else(lambda made, moment: made.judged(job, verdicts, moment), lose(job)))

        maybeDeferred(self._keeper.judge, job.checks).addCallbacks(judged, partial(self._lost, job))

    def _keep(self, job: jobs.Keep) -> None:
        def kept(_: object) -> None:
            self.turn(or_else(lambda made, moment: made.kept(job, moment), lose(job)))

        maybeDeferred(self._keeper.begin, job.settled.puts, job.settled.removed).addCallbacks(
            kept, partial(self._lost, job)
        )

    def _lost(self, job: jobs.Judge | jobs.Keep, failure: Failure) -> None:
        """A batch came to nothing; comparing brings it again."""
        if failure.check(StoreError):
            self._keeper.failed(failure.value)
        elif not failure.check(CancelledError):
            self._log.failure("a batch of records was lost", failure)
        self.turn(lose(job))

    def _stored(self, puts: tuple[Put, ...]) -> None:
        """Records of our own people were kept: the others hear of them."""
        job = jobs.Keep(Settled(puts, (), Counter(), 0, 0), None)
        self.turn(lambda made, moment: made.kept(job, moment))

    def _connect(self, job: Connect) -> None:
        place = unpack(job.place)
        carrier = CARRIERS.get(Kind(place.kind))
        private = self._keeper.private and not is_public(job.place)
        if carrier is None or not (private or self._finder.may_try(job.place)):
            self._queue.append(lambda made, moment: made.failed(job.key, moment))
            return
        self._reach(NodeAt(job.key, place.host, place.port, carrier), not private and self._finder.doubts(job.place))

    # --- sessions ----------------------------------------------------------------------------------------------------

    def _reach(self, at: NodeAt, doubted: bool = False) -> None:
        """Open a session with a node, and take it for a peer."""

        def failed(failure: Failure) -> None:
            if not failure.check(RequestFailed, LocalError, BadAddress, CancelledError):
                self._log.failure("connecting to a peer failed", failure)
            self.turn(lambda made, moment: made.failed(at.key, moment))

        try:
            peer = self._node.peer(at)
            peer.doubted = doubted
            reaching: Deferred[Any] = peer.ping(CONNECT)
        except LocalError:  # a family that this process has no socket of
            self._queue.append(lambda made, moment: made.failed(at.key, moment))
            return
        reaching.addCallback(lambda _: self.meet(at.key)).addErrback(failed)

    def _reach_named(self) -> None:
        """Those that people named are tried again and again."""
        named = tuple(self._named())
        if self._core is not None:
            self._core.peers.named = frozenset(at.key for at in named)
        for at in named:
            if at.key not in self.neighbours and at.key != self._node.public:
                self._reach(at)
        self._timers.set("named", PASTED_AGAIN, self._reach_named)

    def meet(self, peer: bytes) -> None:
        """Whoever speaks of directories has one: it is a peer, if there is room. Over a new session with a new key."""
        key = self._node.core.fingerprint_key(peer)
        path = self._node.core.path_to(peer, self._node.public)
        session = self._sessions.get(peer)
        if key is None or path is None:  # it is gone again, and if it was dialled that came to nothing
            self.turn(lambda made, moment: made.failed(peer, moment))
            return
        if session and session.key == key and peer in self.neighbours:
            return
        self._sessions.setdefault(peer, _Session(key)).key = key
        place = self._finder.proven_path(path)
        self._node.admit(peer)
        self.turn(lambda made, moment: made.opened(peer, place, key, moment))

    def _closed(self, peer: bytes, made: Directory, moment: Moment) -> None:
        made.closed(peer, moment)
        self._part(peer)

    def _part(self, peer: bytes) -> None:
        """Nothing is kept of it: whoever comes and goes must not fill tables."""
        self._sessions.pop(peer, None)
        self._node.admit(peer, False)

    def _heard(self, call: Call[Any]) -> None:
        if len(self._queue) < QUEUE_MOST:
            self.meet(call.peer)
            self.turn(lambda made, moment: made.heard(call.peer, call.body, moment))

    def _asked(self, call: Call[Any]) -> Deferred[Any]:
        if len(self._queue) >= QUEUE_MOST:
            raise Refused(BUSY, "not now")
        answer: Deferred[Any] = Deferred()
        self.meet(call.peer)

        def asked(made: Directory, moment: Moment) -> None:
            try:
                reply = made.asked(call.peer, call.body, answer, moment)
            except StoreError:
                answer.errback(Refused(BUSY, "not now"))
                raise
            if isinstance(reply, Exception):
                answer.errback(reply)
            elif reply is not None:
                answer.callback(reply)

        self.turn(asked)
        return answer
