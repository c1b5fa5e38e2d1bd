"""One node: bytes and moments in, bytes and jobs out. This file is its verbs; the modules beside it are what they do.

    receive(path, datagrams, moment)   tick(moment)         what the world tells it
    outgoing()   jobs()   deadline()                        what it wants of the world, asked for after each of the
    above fire(...)   answer(call, reply, moment)   done(...)     what its owner does

It reads no clock, draws no randomness, waits for nothing and calls nobody; whatever strangers send, ``receive``
returns.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rhotwist.errors import BadPacket, Cancelled, Closed, LocalError, NotProven, Refused, SessionLost, TableFull
from rhotwist.event.pending import Event
from rhotwist.keys.pair import SeedKey
from rhotwist.limits import Limits
from rhotwist.link.gate import Pending
from rhotwist.link.messages import RATCHET, Challenge, Close, CloseReason, Have, Offer, Proofs, Prove, Reach, Welcome
from rhotwist.link.session import Session
from rhotwist.moment import Moment, Rng
from rhotwist.node import answering, asking, opening, speaking, streams, taking, tending, turning
from rhotwist.node.connecting import Connecting
from rhotwist.node.digest import digest
from rhotwist.node.jobs import Admit, Admitted, Call, Job, Solve
from rhotwist.node.knowing import Knowing
from rhotwist.node.mentioning import Mentioning
from rhotwist.node.objects import Objects
from rhotwist.node.state import Ask, Dialing, Sibling, State
from rhotwist.node.streams import Streams
from rhotwist.secret.cookie import StatelessSecrets
from rhotwist.secret.curve import OPERATIONS
from rhotwist.secret.kem import ML_KEM_768, Kem
from rhotwist.secret.suite import DEFAULT_ORDER
from rhotwist.secret.table import GRAIN
from rhotwist.wire.datagram import Burst, Path, Train
from rhotwist.wire.frame import Answered, Control, Frame, Said, pack_control, read_frame, read_frames
from rhotwist.wire.packet import ACCEPT, FINISH, HEADER, HELLO, OBJECT, RETRY, SMALL, TAG_SIZE, read_header
from rhotwist.wire.schema import Request, Schema

_LEAST_SMALL = HEADER + TAG_SIZE
_SMALL, _OBJECT, _ANSWERED, _SAID = SMALL, OBJECT, Answered, Said


class Node(Knowing, Mentioning, Connecting):
    """The sans-I/O core of one process: one Ed25519 key, any number of sessions.

    order are the cipher suites it offers and takes, best first. shared are the stateless secrets it has in common with
    siblings, where a newcomer is sent when there is no room. private_net takes private addresses from the net too.
    spill gives room for an object of so many bytes when memory is used up.
    """

    def __init__(
        self, key: SeedKey, *, rng: Rng, limits: Limits = Limits(), kem: Kem = ML_KEM_768,
        suites: tuple[int, ...] = DEFAULT_ORDER, shared: StatelessSecrets | None = None,
        siblings: tuple[Sibling, ...] = (), private_net: bool = False,
        spill: Callable[[int], memoryview | None] | None = None,
    ) -> None:  # fmt: skip
        self._state = State(
            key, limits=limits, rng=rng, kem=kem, order=suites, secrets=shared or StatelessSecrets.alone(rng),
            siblings=tuple(sibling for sibling in siblings if sibling.key != key.public), private_net=private_net,
        )  # fmt: skip
        self._state.spill = spill
        for schema in (Prove, Proofs, Reach, Offer, Have):
            self._state.vocabulary.add(schema)

    @property
    def public(self) -> bytes:
        """The node's Ed25519 key, 32 bytes."""
        return self._state.key.public

    @property
    def limits(self) -> Limits:
        """The bounds it lives within."""
        return self._state.limits

    @property
    def counters(self) -> dict[str, int]:
        """What happened so far: datagrams dropped by reason, handshakes by outcome. The node's own dict: read it."""
        return self._state.counters

    # --- requests of ours ------------------------------------------------------------------------------------------

    def fire(
        self, peer: bytes, body: Schema, moment: Moment, *, timeout: float | None = None, paths: Sequence[Path] = (),
        identity: SeedKey | None = None, source: SeedKey | None = None, destination: bytes | None = None,
        background: bool = False, watch: bool = False, doubted: bool = False,
    ) -> Event:  # fmt: skip
        """Send a request to whoever holds the key peer; its one outcome is a Fired job with this Event.

        timeout is seconds, ``math.inf`` for never; of a body or a reply too big for one packet, seconds without
        progress. paths are where to look for peer if no session is open. identity is who we are to the peer, the node's
        key if None; source a wallet we speak for, destination a wallet we speak to. background lets all else on the way
        go first, watch asks for Progress jobs. doubted: paths come from a record that may name anybody's, and get one
        packet until they answer. Raises LocalError at once for what can never be sent.
        """
        state = self._state
        if not isinstance(body, Request):
            raise LocalError(f"{type(body).__name__} wants no answer; use tell, or declare it as a Request[...]")
        ask = self._compose(peer, body, paths, identity, source, destination)
        patience = state.limits.request_timeout if timeout is None else timeout
        if not patience > 0:
            raise LocalError(f"a timeout of {timeout} s is not above 0")
        ask.background, ask.watched, ask.doubted = background, watch, doubted
        asking.begin(state, ask, moment.mono + patience, moment.mono)
        opening.route(state, ask, moment)
        if state.stirred:
            turning.turn(state, moment.mono)
        return ask

    def tell(
        self, peer: bytes, body: Schema, moment: Moment, *, paths: Sequence[Path] = (),
        identity: SeedKey | None = None, source: SeedKey | None = None, destination: bytes | None = None,
    ) -> None:  # fmt: skip
        """Send a message that wants no answer: once, and lost if the net loses it. Arguments as for ``fire``."""
        state = self._state
        opening.route(state, self._compose(peer, body, paths, identity, source, destination), moment)
        if state.stirred:
            turning.turn(state, moment.mono)

    def ping(
        self, peer: bytes, moment: Moment, *, timeout: float | None = None, paths: Sequence[Path] = (),
        identity: SeedKey | None = None, doubted: bool = False,
    ) -> Event:  # fmt: skip
        """Ask peer whether it is there; the outcome is a ``jobs.Reached`` or a RequestFailed."""
        return self.fire(peer, Reach(), moment, timeout=timeout, paths=paths, identity=identity, doubted=doubted)

    def _compose(
        self, peer: bytes, body: Schema, paths: Sequence[Path], identity: SeedKey | None, source: SeedKey | None,
        destination: bytes | None,
    ) -> Ask:  # fmt: skip
        if self._state.closed:
            raise Closed("this node was stopped")
        return asking.compose_ask(
            self._state, peer, body, identity=identity or self._state.key, source=source, destination=destination,
            paths=tuple(paths),
        )  # fmt: skip

    def cancel(self, event: Event, moment: Moment) -> None:
        """Withdraw a request: its outcome is Cancelled, unless it has one already."""
        if isinstance(event, Ask):
            asking.fail(self._state, event, Cancelled("the caller withdrew the request"), moment.mono)
            turning.turn(self._state, moment.mono)

    def keep_alive(self, peer: bytes, moment: Moment, *, identity: SeedKey | None = None, on: bool = True) -> bool:
        """Keep the NATs between us and peer open from now on, or stop; False if there is no session to keep."""
        state = self._state
        session = state.pairs.get(((identity or state.key).public, peer))
        if session is None:
            return False
        first = state.limits.stream_keepalive if session.path.stream else state.limits.keepalive_first
        session.keep_step = first if on else 0.0
        session.keep = moment.mono + session.keep_step if on else 0.0
        state.schedule(session, session.keep or None)
        return True

    # --- requests of theirs ----------------------------------------------------------------------------------------

    def answer(self, call: Call, reply: Schema | Refused | NotProven, moment: Moment) -> None:
        """Answer a Call, at once or any time later. A second answer, or one whose session is gone, does nothing.

        Raises LocalError for a reply that no object carries; the call can then still be answered.
        """
        answering.answer(self._state, call, reply, moment)
        if self._state.stirred:
            turning.turn(self._state, moment.mono)

    # --- the world -------------------------------------------------------------------------------------------------

    def receive(self, path: Path, datagrams: Sequence[bytes], moment: Moment) -> None:
        """Take what came over a path, in order. Never raises for anything that is in a datagram."""
        state = self._state
        sessions = state.sessions.sessions
        pieces: list[bytes] = []
        if type(datagrams) is Train and taking.train(state, datagrams, moment.mono):
            datagrams = ()
        for data in datagrams:
            try:
                if data and data[0] & 15 == _SMALL:
                    if len(data) < _LEAST_SMALL:
                        raise BadPacket("short")
                    code = int.from_bytes(data[8:12], "big")
                    session = sessions.get(code)
                    if session is None:
                        session = self._fresh(code)
                    self._small(session, data, path, moment)
                elif data and data[0] & 15 == _OBJECT:
                    pieces.append(data)  # behind what came with them: that may be what offers them
                else:
                    self._stranger(data, path, moment)
            except BadPacket as error:
                state.counters["drop " + error.reason] += 1
        if pieces:
            taking.arrived(state, pieces, moment.mono)
        if state.stirred:
            turning.turn(state, moment.mono)

    def _fresh(self, code: int) -> Session:
        """A session of ours that is not confirmed yet, and so in no table."""
        session = self._state.codes.live.get(code)
        if type(session) is not Session:
            raise BadPacket("unknown")
        return session

    def _small(self, session: Session, data: bytes, path: Path, moment: Moment) -> None:
        state, mono = self._state, moment.mono
        seal = session.seal
        newest = seal.newest
        if not session.warm:
            state.warm(session)
        counter, plain = seal.open(data)
        session.heard = mono
        session.redialled = False
        if path != session.path and counter > newest:
            self._elsewhere(session, len(data), path, mono)
        turned = seal.turned
        if turned:
            tending.ratchet(state, session, mono)
        frames = read_frames(plain)
        if not session.confirmed:
            self._first(session, frames[0], moment)
        if mono >= session.touched + GRAIN and not all(map(_idle, frames)):
            session.touched = mono
            state.sessions.touch(session.code, mono)
        for frame in frames:
            kind = type(frame)
            try:
                if kind is _SAID:
                    answering.said(state, session, frame, path, mono)  # type: ignore[arg-type]
                elif kind is _ANSWERED:
                    asking.answered(state, session, frame, mono)  # type: ignore[arg-type]
                elif kind is Control:
                    speaking.heard(state, session, frame, path, moment)  # type: ignore[arg-type]
                    if state.codes.live.get(session.code) is not session:
                        return  # that was its end
                elif session.ratchet is not None and not turned:
                    speaking.give(state, session, session.ratchet.on_empty())
            except BadPacket as error:
                state.counters["drop " + error.reason] += 1

    def _first(self, session: Session, frame: object, moment: Moment) -> None:
        """Confirm a session; one that continues another waits for Welcome, which says whether the peer does too."""
        dialing = self._state.dials.get((session.own, session.peer)) if session.initiator else None
        if dialing is not None and dialing.old is not None:
            if not isinstance(frame, Control) or frame.schema != Welcome.identifier:
                raise BadPacket("early")
            if Welcome.decode(frame.body).kept:
                session.continues = dialing.old
        opening.confirmed(self._state, session, moment)

    def _elsewhere(self, session: Session, size: int, path: Path, mono: float) -> None:
        """A newest packet from another address: challenge it, if we are the one who follows."""
        state = self._state
        if session.initiator:
            return
        if path.stream and streams.gone(state, session.path):
            session.path, session.roam = path, None  # nothing else leads there, and a connection is no forged address
            state.counters["roamed"] += 1
            return
        data = session.candidate(path, size, mono, state.rng(8), state.limits)
        if data is not None:
            plain = pack_control(Challenge.identifier, Challenge(data=data).encode())
            state.send_alone(session, plain, path)
            state.counters["challenged"] += 1

    def _stranger(self, data: bytes, path: Path, moment: Moment) -> None:
        state = self._state
        if state.closed:
            raise BadPacket("closed")
        if data and data[0] & 15 == HELLO:
            self._sort()
            room = state.sessions.room(moment.mono)
            datagram = state.gate.hello(data, path, moment, room)
            if datagram is not None:
                state.post(path, datagram)
            return
        header = read_header(data)
        entry = state.codes.live.get(header.receiver)
        if header.type == FINISH:
            if type(entry) is Pending:
                self._finish(entry, data, path, moment)
            elif type(entry) is Session and entry.finish == data:
                opening.welcome(state, entry, moment.mono)
            else:
                raise BadPacket("unknown")
        elif type(entry) is not Dialing:
            raise BadPacket("unknown")
        elif header.type == RETRY:
            opening.retried(state, entry, data, path, moment)
        elif header.type == ACCEPT:
            opening.accepted(state, entry, data, path, moment)

    def _sort(self) -> None:
        """Have the carriers told whose turn it is to be read."""
        sieve = self._state.gate.sieve
        if sieve.moved():
            self._state.jobs.append(Admit(sieve.turn))

    def _finish(self, pending: Pending, data: bytes, path: Path, moment: Moment) -> None:
        state = self._state
        if not state.sessions.room(moment.mono):
            raise BadPacket("full")
        finish = state.gate.finish(pending, data, path, moment.mono)
        try:
            session = opening.finished(state, finish, pending, path, data, moment)
        except (BadPacket, TableFull):
            state.codes.free(pending.code, moment.mono)
            raise BadPacket("finish") from None
        state.counters["finished"] += 1
        if session.first:
            frame = read_frame(session.first)
            session.first = b""
            if isinstance(frame, Said):
                answering.said(state, session, frame, path, moment.mono)

    def tick(self, moment: Moment) -> None:
        """Do what is due."""
        state, mono = self._state, moment.mono
        asking.expire(state, mono)
        state.gate.tick(mono)
        self._sort()
        for item in state.due(mono):
            if isinstance(item, Dialing):
                opening.tick_dial(state, item, moment)
            elif isinstance(item, Session):
                tending.tend(state, item, moment)
            elif isinstance(item, Objects):
                turning.tick(state, item, mono)
            elif isinstance(item, Streams):
                streams.look(state, moment)
        if state.stirred:
            turning.turn(state, mono)

    def deadline(self) -> float | None:
        """When ``tick`` wants to be called, mono seconds; None for never."""
        state = self._state
        dues = [state.deadline(), state.pending.deadline(), state.gate.deadline()]
        return min((due for due in dues if due is not None), default=None)

    def outgoing(self) -> list[Burst]:
        """All that is to be sent, by path, in order. Asked for after every other verb."""
        return self._state.drain()

    def jobs(self) -> list[Job]:
        """What the world has to do, in order. Asked for after every other verb."""
        state = self._state
        found, state.jobs = state.jobs, []
        return found

    def done(self, job: Job, result: object, moment: Moment) -> None:
        """A job's result: of Solve the puzzle field of 8 bytes, or None if there is none; of Admit an Admitted."""
        if isinstance(job, Solve) and isinstance(job._dialing, Dialing):
            opening.solved(self._state, job._dialing, result if isinstance(result, bytes) else None, moment)
        elif isinstance(result, Admitted):
            self._state.gate.sieve.told(result.dropped, result.full, moment.mono)
            self._sort()

    def close(self, moment: Moment) -> None:
        """Stop: say goodbye to every peer, fail what is under way, take nothing new."""
        state, mono = self._state, moment.mono
        state.closed = True
        for dialing in list(state.dials.values()):
            opening.give_up(state, dialing, mono)
        for session in list(state.sessions.sessions.values()):
            for ask in asking.lose(state, session, "this node was stopped", mono):
                asking.fail(state, ask, SessionLost("this node was stopped"), mono)
            speaking.tell(state, session, Close(reason=CloseReason.STOPPED))
            opening.forget(state, session, mono)

    # --- looking at it ---------------------------------------------------------------------------------------------

    def status(self) -> dict[str, object]:
        """Figures for people and programs: gauges by name, and all counters under ``counters``."""
        state = self._state
        return {
            "sessions": len(state.sessions),
            "half_open": len(state.gate),
            "connecting": len(state.dials),
            "connections": len(state.streams.by_path),
            "pending_requests": len(state.pending),
            "reserved_bytes": state.reserved,
            "object_bytes": state.object_bytes,
            "puzzle_bits": state.gate.difficulty.bits,
            "curve_operations": OPERATIONS.total,
            "wallets": len(state.wallets),
            "counters": dict(sorted(state.counters.items())),
        }

    def state_digest(self) -> bytes:
        """SHA-256 over all that the node holds but counters and clocks: what did not change is the same."""
        return digest(self._state)


def _idle(frame: Frame) -> bool:
    """What does not keep a session from being the idlest."""
    return frame is None or (type(frame) is Control and frame.schema in RATCHET)
