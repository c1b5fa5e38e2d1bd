"""Sessions begin, are confirmed, take over from older ones, and end. Times are mono seconds.

Two sessions of one pair. Same initiator: the newer takes over after its first packet from each side. Crossed: the one
whose initiator has the lower key stays, the other drains. docs/spec/handshake.md, "Two sessions of one pair".
"""

from __future__ import annotations

from rhotwist.errors import BadPacket, RequestFailed, Unreachable
from rhotwist.keys.pair import SeedKey
from rhotwist.link.dial import Dial, Phase, Sending
from rhotwist.link.finish import FinishPayload, read_finish_payload
from rhotwist.link.gate import Pending
from rhotwist.link.messages import Close, CloseReason, Redirect, Welcome
from rhotwist.link.session import Session, crossed
from rhotwist.moment import Moment
from rhotwist.node import asking, giving
from rhotwist.node.jobs import ForgetToken, KeepToken, Solve
from rhotwist.node.objects import not_begun
from rhotwist.node.state import Ask, Dialing, State
from rhotwist.secret.cookie import REDIRECTED, SAVED
from rhotwist.secret.handshake import Finished, SessionKeys
from rhotwist.secret.proof import INITIATOR, prove, read_proof
from rhotwist.secret.ratchet import Ratchet
from rhotwist.secret.seal import PacketSeal
from rhotwist.wire.datagram import Path
from rhotwist.wire.frame import EMPTY, pack_control

#: Seconds that a session which lost against a better one has to finish what is under way.
DRAIN = 35.0
#: Seconds that a session lives which only sends its client on.
SENT_ON = 10.0
#: Welcome is repeated until the client's first packet: every second at first, later at most every so many seconds.
WELCOME_PAUSE = 4.0
#: Address tokens kept by a client.
TOKENS = 1_024
NOTHING = bytes((EMPTY,))


def route(state: State, ask: Ask, moment: Moment) -> None:
    """Send an ask over the session of its pair, or open one for it."""
    own = ask.identity.public
    if state.aliases:
        alias = state.aliases.get((own, ask.peer))
        known = alias is not None and ((own, alias) in state.pairs or (own, alias) in state.dials)
        if alias is not None and known and not asking.retarget(state, ask, alias, moment.mono):
            return
    pair = own, ask.peer
    session = state.pairs.get(pair)
    if session is not None:
        asking.offer(state, session, ask, moment.mono)
        return
    dialing = state.dials.get(pair)
    if dialing is None:
        if not ask.paths:
            asking.fail(state, ask, Unreachable("no address of that node is known"), moment.mono)
            return
        dialing = dial(state, ask.identity, ask.peer, ask.paths, moment, doubted=ask.doubted)
    else:
        sent(state, dialing.dial.also(ask.paths, moment.mono, ask.doubted))
    dialing.waiting.append(ask)


# --- as the initiator ---------------------------------------------------------------------------------------------


def dial(
    state: State, identity: SeedKey, server: bytes, paths: tuple[Path, ...], moment: Moment, *,
    old: Session | None = None, redirected: tuple[bytes, tuple[bytes, bytes]] | None = None, doubted: bool = False,
) -> Dialing:  # fmt: skip
    """Begin a connect. redirected is the token of kind 2 and the ticket of a redirect; doubted as in ``fire``."""
    mono = moment.mono
    code = state.codes.allocate(None, mono)
    attempt = Dial(
        identity, server, paths, code, order=state.order, limits=state.limits, rng=state.rng, kem=state.kem, mono=mono
    )
    dialing = Dialing(attempt, old)
    state.codes.assign(code, dialing)
    state.dials[identity.public, server] = dialing
    token = b"" if paths[0].stream else state.tokens.pop((identity.public, server), b"")
    if token and identity is state.key:
        state.jobs.append(ForgetToken(server))
    if redirected is not None:
        token, attempt.ticket = redirected
        attempt.hellos_left = state.limits.redirect_hellos
    attempt.doubted = frozenset(paths if doubted else ())
    sent(state, attempt.start(mono, token, redirected is not None))
    state.counters["dialled"] += 1
    state.schedule(dialing, attempt.due)
    return dialing


def sent(state: State, sending: Sending) -> None:
    """Queue what a connect wants sent."""
    for path, datagram in sending:
        state.post(path, datagram)


def retried(state: State, dialing: Dialing, data: bytes, path: Path, moment: Moment) -> None:
    """A Retry came."""
    attempt = dialing.dial
    puzzle = attempt.retry(data, path)
    state.counters["retried"] += 1
    if attempt.phase is Phase.FAILED:
        give_up(state, dialing, moment.mono)
    elif puzzle is not None:
        state.jobs.append(Solve(*puzzle, dialing))
    else:
        sent(state, attempt.again(moment.mono))
        state.schedule(dialing, attempt.due)


def solved(state: State, dialing: Dialing, puzzle: bytes | None, moment: Moment) -> None:
    """A worker is done with a puzzle, or could not solve it (None): then the connect runs into its end."""
    if puzzle is not None and state.codes.live.get(dialing.dial.code) is dialing:
        sent(state, dialing.dial.solved(puzzle, moment.mono))
        state.schedule(dialing, dialing.dial.due)


def accepted(state: State, dialing: Dialing, data: bytes, path: Path, moment: Moment) -> None:
    """An Accept came: send Finish with proofs and a first request, and have the session ready."""
    attempt, mono = dialing.dial, moment.mono
    answer = attempt.accept(data, path)
    if answer is None:
        give_up(state, dialing, mono)
        return
    own, server = attempt.identity.public, attempt.server
    if dialing.old is not state.pairs.get((own, server)):
        dialing.old = None  # it is gone, and what it knew
    given = asking.speakers(dialing.waiting, own)[: asking.PROOFS_AT_ONCE]
    proofs = tuple(prove(key, INITIATOR, answer.h_before_payload, own, server) for key in given)
    payload = FinishPayload(dialing.old is not None, attempt.ticket, proofs)
    session = Session(path, own=own, peer=server, suite=answer.suite, mono=mono)
    session.identity = attempt.identity
    session.proven_own = frozenset(key.public for key in given)
    if dialing.waiting and dialing.old is None:
        frame = asking.first_frame(state, session, dialing.waiting[0], payload.room(), mono)
        if frame:
            payload = FinishPayload(False, attempt.ticket, proofs, frame)
            dialing.waiting.pop(0)
    datagram, keys = answer.finish(payload.encode())
    session.keyed(_seal(state, keys, attempt.code, answer.peer_code), attempt.code, keys.h)
    state.codes.assign(attempt.code, session)
    dialing.session = session
    sent(state, attempt.finish(datagram, mono))
    state.schedule(dialing, attempt.due)


def give_up(state: State, dialing: Dialing, mono: float) -> None:
    """A connect failed: so do the requests that waited for it."""
    attempt = dialing.dial
    pair = attempt.identity.public, attempt.server
    if state.dials.get(pair) is dialing:
        del state.dials[pair]
    state.counters["unreachable"] += 1
    error: RequestFailed = attempt.error or Unreachable("nobody who holds that key answered at that address")
    waiting = dialing.waiting
    if dialing.session is not None:
        waiting = waiting + asking.lose(state, dialing.session, "the connect was never confirmed", mono)
        forget(state, dialing.session, mono)
    else:
        state.codes.free(attempt.code, mono)
    for ask in waiting:
        ask.session = None
        asking.fail(state, ask, error, mono)


def tick_dial(state: State, dialing: Dialing, moment: Moment) -> None:
    """Repeat or give up."""
    attempt = dialing.dial
    if state.dials.get((attempt.identity.public, attempt.server)) is not dialing:
        return
    sent(state, attempt.tick(moment.mono))
    if attempt.phase is Phase.FAILED:
        give_up(state, dialing, moment.mono)
    elif attempt.phase is not Phase.OPEN:
        state.schedule(dialing, attempt.due if attempt.phase is not Phase.SOLVING else attempt.ends)


# --- as the responder ---------------------------------------------------------------------------------------------


def finished(
    state: State, finish: Finished, pending: Pending, path: Path, data: bytes, moment: Moment
) -> Session:
    """A Finish was read: the session exists, with its code still allocated. Raises BadPacket and TableFull."""
    mono, own, peer = moment.mono, state.key.public, finish.identity
    code = pending.code
    payload = read_finish_payload(finish.payload)
    proven = [read_proof(proof, INITIATOR, finish.binding, peer, own) for proof in payload.proofs]
    if payload.ticket is not None and not state.gate.tickets.check(
        payload.ticket[1], payload.ticket[0], own, peer, moment
    ):
        raise BadPacket("ticket")
    session = Session(path, own=own, peer=peer, suite=finish.keys.suite, mono=mono)
    session.keyed(_seal(state, finish.keys, code, pending.half.peer_code), code, finish.keys.h)
    session.proven_peer = frozenset(proven)
    full = len(state.sessions) >= state.limits.session_max and bool(state.siblings)
    gone = state.sessions.add(code, session, mono)
    state.codes.assign(code, session)
    if gone is not None:
        state.counters["evicted"] += 1
        lost(state, gone, "the session was idle and made room", mono)
    session.finish = data
    old = state.pairs.get((own, peer))
    kept = payload.continues and old is not None and not old.initiator
    session.continues = old if kept else None
    if old is None and not full:
        state.pairs[own, peer] = session  # no older one to wait for
    if full:
        _send_on(state, session, moment)
        return session
    token = state.gate.tokens.make(SAVED, path.address, state.rng, moment)
    session.welcome = pack_control(Welcome.identifier, Welcome(token=token, kept=kept).encode())
    welcome(state, session, mono)
    session.first = payload.frame
    return session


def welcome(state: State, session: Session, mono: float) -> None:
    """Send T, again until the client has been heard."""
    state.send_alone(session, session.welcome)
    session.welcomes += 1
    state.schedule(session, mono + min(1.0 + session.welcomes // 4, WELCOME_PAUSE))


def _send_on(state: State, session: Session, moment: Moment) -> None:
    """Answer a newcomer for whom there is no room with the address of a sibling."""
    sibling = state.siblings[state.rng(1)[0] % len(state.siblings)]
    body = Redirect(
        kind=1,
        server=sibling.key,
        addresses=sibling.addresses,
        token=state.gate.tokens.make(REDIRECTED, session.path.address, state.rng, moment),
        ticket=state.gate.tickets.make(session.own, sibling.key, session.peer, moment),
        taken=0,
    )
    session.redirect = body
    session.welcome = pack_control(Redirect.identifier, body.encode())
    session.ends = moment.mono + SENT_ON
    state.schedule(session, session.ends)
    state.counters["sent on"] += 1
    welcome(state, session, moment.mono)


# --- both ---------------------------------------------------------------------------------------------------------


def _seal(state: State, keys: SessionKeys, code: int, peer_code: int) -> PacketSeal:
    return PacketSeal(keys, code, peer_code, int.from_bytes(state.rng(4), "big"), state.limits.ratchet_seals_max)


def ratchet(state: State, session: Session) -> Ratchet:
    """A session's ratchet, made when first needed."""
    if session.ratchet is None:
        session.ratchet = Ratchet(session.seal, initiator=session.initiator, rng=state.rng, limits=state.limits)
    return session.ratchet


def confirmed(state: State, session: Session, moment: Moment) -> None:
    """The first good packet from the other side came: the session takes its place."""
    mono = moment.mono
    session.confirmed = True
    session.finish = session.welcome = b""
    if session.redirect is not None:
        return
    pair = session.own, session.peer
    dialing = state.dials.get(pair)
    if session.initiator:
        if dialing is None or dialing.session is not session:
            raise BadPacket("late")
        dialing.dial.confirm()
        del state.dials[pair]
        gone = state.sessions.add(session.code, session, mono, ours=True)
        if gone is not None:
            lost(state, gone, "the session was idle and made room", mono)
        if session.exchange is not None:
            session.exchange.begin(mono, dialing.dial.repeated)
        state.schedule(session, session.deadline(state.limits) or mono + state.limits.ratchet_seconds)
    state.counters["opened"] += 1
    old = state.pairs.get(pair)
    waiting: list[Ask] = []
    if dialing is not None and (session.initiator or dialing.dial.phase is not Phase.FINISH):
        waiting += dialing.waiting
        if not session.initiator:
            del state.dials[pair]
            state.codes.free(dialing.dial.code, mono)
    winner, heir, session.continues = session, session.continues, None
    while heir is not None and heir is not old and heir.successor is not None:
        heir = heir.successor  # a repeat of an earlier connect was confirmed first, and holds what it held
    if heir is not None and heir is not old:
        _disown(state, session, waiting, moment)
    if old is None or old is session:
        state.pairs[pair] = session
    elif old.initiator != session.initiator:
        winner, loser = crossed(session, old)
        state.pairs[pair] = winner
        drain(state, loser, mono)
        if loser.exchange is not None:
            waiting += asking.portable(state, loser.exchange.unsent(), mono)
        waiting += not_begun(loser)
        waiting += state.unproven.pop(loser.code, [])
    else:
        state.pairs[pair] = session
        waiting += _replace(state, session, old, heir is old, mono)
    for ask in waiting:
        if asking.waits(state, ask):
            asking.offer(state, winner, ask, mono)


def _disown(state: State, session: Session, waiting: list[Ask], moment: Moment) -> None:
    """The peer counts on what we knew of an older session, and that has ended meanwhile: begin anew."""
    state.send(session, pack_control(Close.identifier, Close(reason=CloseReason.STOPPED).encode()))
    lost(state, session, "the session it continued has ended", moment.mono)
    for ask in waiting:
        ask.session, ask.paths = None, ask.paths or (session.path,)
        route(state, ask, moment)
    raise BadPacket("heir")


def _replace(state: State, session: Session, old: Session, kept: bool, mono: float) -> list[Ask]:
    """Let a newer session of the same initiator take over; the asks that have not been sent yet.

    kept says that both sides go on with what they knew; but wallets are proven anew, for a proof is of one session.
    """
    if kept:
        unproven = state.unproven.pop(old.code, [])
        old.successor = session
        giving.carry_over(state, old, session)
        if old.exchange is not None:
            session.exchange, old.exchange = old.exchange, None
            session.exchange.hurry(mono)
            for ask in asking.of(session):
                ask.session = session
            asking.prove_again(state, session, mono)
            state.schedule(session, mono)
        forget(state, old, mono)
        return unproven
    unsent = asking.lose(state, old, "the peer has a new session and does not remember the old one", mono)
    forget(state, old, mono)
    return unsent


def drain(state: State, session: Session, mono: float) -> None:
    """Begin no more on this session; it ends when nothing is under way on either side."""
    session.ends = mono + DRAIN
    state.schedule(session, mono)


def drained(state: State, session: Session, mono: float) -> bool:
    """Say that we are done with a draining session, once; True when it can go."""
    if session.ends is not None and mono >= session.ends:
        return True
    if session.busy or (session.redirect is not None and not session.peer_done):
        return False
    state.send(session, pack_control(Close.identifier, Close(reason=CloseReason.SUPERSEDED).encode()))
    return session.peer_done


def lost(state: State, session: Session, why: str, mono: float) -> None:
    """A session is gone and nothing takes its place: its requests fail."""
    for ask in asking.lose(state, session, why, mono):
        asking.fail(state, ask, Unreachable(why), mono)
    forget(state, session, mono)


def forget(state: State, session: Session, mono: float) -> None:
    """Take a session out of every table and overwrite its keys."""
    if state.pairs.get((session.own, session.peer)) is session:
        del state.pairs[session.own, session.peer]
    giving.drop(state, session)
    if session.exchange is not None:
        state.reserved -= session.exchange.kept
        session.exchange = None
    if state.sessions.get(session.code) is session:
        state.sessions.remove(session.code, mono)
    elif state.codes.live.get(session.code) is session:
        state.codes.free(session.code, mono)
    state.flush(session)
    session.seal.erase()
    state.cool(session)
    session.due = None


def learned(state: State, session: Session, token: bytes) -> None:
    """A server gave us an address token. That of the node's own key is worth keeping over a restart.

    One from a connection is good for that connection's address alone, which is never met again.
    """
    if session.path.stream:
        return
    if len(state.tokens) >= TOKENS:
        del state.tokens[next(iter(state.tokens))]
    state.tokens[session.own, session.peer] = token
    if session.own == state.key.public:
        state.jobs.append(KeepToken(session.peer, token))
