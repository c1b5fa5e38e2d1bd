"""Our requests: composed, proven, sent, matched, moved to another session, failed. Times are mono seconds."""

from __future__ import annotations

from math import inf

from rhotwist.errors import (
    BadKey,
    BadPacket,
    HandlerFailed,
    LocalError,
    NotProven,
    NotSpoken,
    Overloaded,
    Refused,
    RequestFailed,
    SessionLost,
    TimedOut,
    Unreachable,
    WrongReply,
)
from rhotwist.keys.address import Address, format_address
from rhotwist.keys.pair import SeedKey, check_key
from rhotwist.link.messages import Got, Offer, Proofs, Prove, Reached, Refusal, RefusalCode
from rhotwist.link.session import Session
from rhotwist.node import jobs
from rhotwist.node.objects import check_size, not_begun, stir
from rhotwist.node.state import Ask, State, body_room
from rhotwist.secret.proof import INITIATOR, RESPONDER, prove, read_proof, wallet_of
from rhotwist.secret.suite import SUITES
from rhotwist.wire.datagram import Path
from rhotwist.wire.frame import Answered, Rest, pack_control, pack_message
from rhotwist.wire.message import NO_HASH, object_hash
from rhotwist.wire.schema import Request, Schema

#: Proofs given and asked for in one Prove.
PROOFS_AT_ONCE = 4
#: Requests of the protocol that mean something in one session only.
_BOUND = frozenset((Prove.identifier, Offer.identifier))


def compose_ask(
    state: State, peer: bytes, body: Schema, *, identity: SeedKey, source: SeedKey | None, destination: bytes | None,
    paths: tuple[Path, ...],
) -> Ask:  # fmt: skip
    """A request as a value, checked. Raises LocalError for what can never be sent."""
    if not isinstance(body, Schema):
        raise LocalError(f"{type(body).__name__} is no Schema; declare one: class Say(Request[Said], name=...)")
    check_key(peer)
    if identity.public == peer:
        raise LocalError("a key cannot open a session to itself")
    data, bulk = body.encode_apart()
    room = state.room
    if source is not None or destination is not None:
        if destination is not None:
            check_key(destination)
        named = (source is not None and source.public != identity.public) + (destination not in (None, peer))
        room = body_room(state.limits, named)
    reply = type(body).reply if isinstance(body, Request) else None
    big = len(data) + len(bulk) > room
    if big:
        check_size(state.limits, body, len(data) + len(bulk))
    elif bulk:
        data, bulk = data + bulk, b""
    ask = Ask(
        identity, peer, body.identifier, data, reply=reply, source=source, destination=destination,
        random=state.salt(), paths=paths, bulk=bulk,
    )  # fmt: skip
    ask.big = big
    return ask


def begin(state: State, ask: Ask, deadline: float, mono: float) -> None:
    """Have an ask wait for its answer."""
    ask.hashcode = state.codes.allocate(None, mono)
    ask.request_hash = _hash(ask)
    ask.deadline = ask.due = deadline
    ask.started = mono
    state.pending.add(ask)


def waits(state: State, ask: Ask) -> bool:
    """Whether an ask is still to be sent: it has no outcome yet, or waits for none."""
    return not ask.hashcode or ask in state.pending


def _hash(ask: Ask) -> bytes:
    source = ask.identity.public if ask.source is None else ask.source.public
    destination = ask.peer if ask.destination is None else ask.destination
    return object_hash(ask.schema, source, destination, NO_HASH, ask.random, ask.body, ask.bulk)


# --- onto a session -----------------------------------------------------------------------------------------------


def offer(state: State, session: Session, ask: Ask, mono: float) -> None:
    """Send an ask over an open session, after the proofs it needs."""
    ask.session = session
    if (ask.source is not None or ask.destination is not None) and _unproven(session, ask):
        waiting = state.unproven.setdefault(session.code, [])
        waiting.append(ask)
        if len(waiting) == 1:
            _prove(state, session, mono)
        return
    submit(state, session, ask, mono)


def submit(state: State, session: Session, ask: Ask, mono: float) -> None:
    """Hand an ask that needs no proof to the session's exchange."""
    if ask.big:
        stir(state, session).fresh.append(ask)
        return
    ask.rest = _rest(session, ask)
    if not ask.hashcode:
        state.send(session, pack_message(0, 0, 0, ask.schema, ask.rest))
        return
    exchange = session.exchange or session.requests(state.limits)
    if len(exchange.waiting) >= state.limits.waiting_max:
        fail(state, ask, Overloaded(RefusalCode.OVERLOADED, f"{len(exchange.waiting)} requests wait in line"), mono)
        return
    if not exchange.busy:
        session.alive = mono
    frame = exchange.submit(ask, mono)
    if frame is not None:
        state.send(session, frame)
        if session.due is None or ask.again < session.due:
            state.schedule(session, ask.again)


def first_frame(state: State, session: Session, ask: Ask, room: int, mono: float) -> bytes:
    """The frame of an ask to ride in Finish, submitted; b"" if it is too big or needs the peer's proof first."""
    if not ask.hashcode or ask.big or _unproven(session, ask) or len(ask.body) + 28 + 64 > room:
        return b""
    ask.session = session
    ask.rest = _rest(session, ask)
    session.alive = mono
    frame = session.requests(state.limits).submit(ask, mono)
    state.schedule(session, ask.again)
    return frame or b""


def _rest(session: Session, ask: Ask) -> Rest:
    if ask.source is None and ask.destination is None:
        return ask.random, b"", b"", ask.body
    source = b"" if ask.source is None or ask.source.public == session.own else ask.source.public
    destination = b"" if ask.destination is None or ask.destination == session.peer else ask.destination
    return ask.random, source, destination, ask.body


# --- proofs -------------------------------------------------------------------------------------------------------


def parties(session: Session) -> tuple[bytes, bytes]:
    """Client and server of a session, as proofs name them."""
    return (session.own, session.peer) if session.initiator else (session.peer, session.own)


def _unproven(session: Session, ask: Ask) -> bool:
    return _gives(session, ask) is not None or _wants(session, ask) is not None


def _gives(session: Session, ask: Ask) -> SeedKey | None:
    source = ask.source
    if source is None or source.public == session.own or source.public in session.proven_own:
        return None
    return source


def _wants(session: Session, ask: Ask) -> bytes | None:
    destination = ask.destination
    if destination is None or destination == session.peer or destination in session.proven_peer:
        return None
    return destination


def _named(wallet: bytes) -> str:
    try:
        return format_address(Address("w", wallet))
    except BadKey:
        return f"wallet {wallet.hex()}, which is no key,"


def _prove(state: State, session: Session, mono: float) -> None:
    """Ask for what those that wait need, with one request of the protocol's own."""
    waiting = state.unproven[session.code]
    own = {key.public: key for ask in waiting if (key := _gives(session, ask)) is not None}
    asked = list(dict.fromkeys(wallet for ask in waiting if (wallet := _wants(session, ask)) is not None))
    _ask_proofs(state, session, list(own.values())[:PROOFS_AT_ONCE], asked[:PROOFS_AT_ONCE], mono)


def _ask_proofs(state: State, session: Session, given: list[SeedKey], asked: list[bytes], mono: float) -> None:
    role = INITIATOR if session.initiator else RESPONDER
    proofs = tuple(prove(key, role, session.binding, *parties(session)) for key in given)
    body = Prove(own=proofs, asked=tuple(asked))
    ask = Ask(
        session.identity or state.key, session.peer, Prove.identifier, body.encode(), reply=Proofs, source=None,
        destination=None, random=state.rng(16), paths=(),
    )  # fmt: skip
    ask.session = session
    begin(state, ask, mono + state.limits.request_timeout, mono)
    submit(state, session, ask, mono)


def speakers(asks: list[Ask], own: bytes) -> list[SeedKey]:
    """The wallets that speak in these asks, own not among them."""
    keys = [ask.source for ask in asks if ask.source is not None and ask.source.public != own]
    return list({key.public: key for key in keys}.values())


def of(session: Session) -> list[Ask]:
    """The asks that are in a session's exchange."""
    exchange = session.exchange
    if exchange is None:
        return []
    return [*exchange.outstanding.values(), *exchange.held.values(), *exchange.waiting.values()]


def portable(state: State, asks: list[Ask], mono: float) -> list[Ask]:
    """Those of these asks that still wait and can go to another session. Proofs and offers are good in one session
    alone: what was asked for them ends here, and those that wait for them have them asked for anew.
    """
    kept = []
    for ask in asks:
        if ask.schema not in _BOUND:
            if waits(state, ask):
                kept.append(ask)
        elif state.pending.cancel(ask):
            state.codes.free(ask.hashcode, mono)
            if ask.session is not None and ask.session.exchange is not None:
                ask.session.exchange.withdraw(ask.hashcode)
    return kept


def prove_again(state: State, session: Session, mono: float) -> None:
    """A session has taken over an exchange: prove to the peer who speaks in it."""
    asks = portable(state, of(session), mono)
    missing = [key for key in speakers(asks, session.own) if key.public not in session.proven_own]
    for at in range(0, len(missing), PROOFS_AT_ONCE):
        _ask_proofs(state, session, missing[at : at + PROOFS_AT_ONCE], [], mono)


def _proven(state: State, session: Session, ask: Ask, outcome: object, mono: float) -> None:
    """Proofs have come, or not: let go those that waited for them."""
    waiting = state.unproven.pop(session.code, [])
    if isinstance(outcome, Proofs):
        request = Prove.decode(ask.body)
        asked = request.asked
        session.proven_own |= {wallet_of(proof) for proof in request.own}
        role = RESPONDER if session.initiator else INITIATOR
        for wallet, proof in zip(asked, outcome.proofs, strict=False):
            try:
                if proof is not None and read_proof(proof, role, session.binding, *parties(session)) == wallet:
                    session.proven_peer |= {wallet}
            except BadPacket:
                state.counters["proof"] += 1
        for other in waiting:
            wanted = _wants(session, other)
            if wanted is not None and wanted in asked:
                fail(state, other, NotProven(f"{_named(wanted)} does not live there"), mono)
            elif waits(state, other):
                offer(state, session, other, mono)
    else:
        error = outcome if isinstance(outcome, RequestFailed) else WrongReply("no proofs in the answer")
        for other in waiting:
            fail(state, other, error, mono)


# --- outcomes -----------------------------------------------------------------------------------------------------


def answered(state: State, session: Session, frame: Answered, mono: float) -> None:
    """A reply came over a session: fire what it answers."""
    if frame.confirm:
        state.send(session, pack_control(Got.identifier, Got(hashcode=frame.hashcode).encode()))
    ask = state.pending.match(session.peer, frame.hashcode, frame.answers)
    if ask is None:
        state.counters["late"] += 1
        return
    state.codes.free(ask.hashcode, mono)
    holder = ask.session or session  # a peer with two sessions may answer over the other one
    exchange = holder.exchange or holder.requests(state.limits)
    request = exchange.answered(ask.hashcode, mono)
    outcome = _outcome(ask, frame)
    if ask.schema in _BOUND:
        if ask.schema == Prove.identifier:
            _proven(state, session, ask, outcome, mono)
        else:
            stir(state, holder).offer_over(ask, outcome)
    else:
        if ask.big:
            stir(state, holder).settled.append(ask)
        if isinstance(outcome, Reached) and request is not None:
            suite = SUITES[session.suite]
            outcome = jobs.Reached(session.peer, suite.name, bool(suite.kem), mono - request.sent, outcome.seen)
        state.jobs.append(jobs.Fired(ask, outcome))
    if exchange.waiting:
        for plain in exchange.drain(mono):
            state.send(holder, plain)
        state.schedule(holder, mono + exchange.patience())


def _outcome(ask: Ask, frame: Answered) -> object:
    reply = ask.reply
    try:
        if reply is not None and frame.schema == reply.identifier:
            return reply.decode(frame.body)
        if frame.schema == Refusal.identifier:
            return refused(Refusal.decode(frame.body))
    except BadPacket as error:
        return WrongReply(f"the reply is malformed ({error.reason})")
    wanted = reply.schema_name if reply is not None else "no reply"
    return WrongReply(f"the peer answered with schema {frame.schema:08x} where {wanted} was declared")


_REFUSALS: dict[int, tuple[type[Refused], str]] = {
    RefusalCode.NOT_SPOKEN: (NotSpoken, "the peer does not answer this schema"),
    RefusalCode.HANDLER_FAILED: (HandlerFailed, "the peer's handler failed"),
    RefusalCode.OVERLOADED: (Overloaded, "the peer has no room for it now"),
}


def refused(refusal: Refusal) -> RequestFailed:
    """A Refusal as the exception it stands for. What the peer wrote is quoted, never trusted, and alone in its said."""
    said = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in refusal.said)
    told = f": {said!r}" if said else ""
    if refusal.code == RefusalCode.NOT_HERE:
        return NotProven(f"the wallet does not live there{told}")
    kind, text = _REFUSALS.get(refusal.code, (Refused, f"the peer refused with code {refusal.code}"))
    error = kind(refusal.code, text + told)
    error.said = said
    return error


def fail(state: State, ask: Ask, error: RequestFailed, mono: float) -> None:
    """End an ask that has no outcome yet, wherever it waits."""
    if state.pending.cancel(ask):
        ended(state, ask, error, mono)


def ended(state: State, ask: Ask, error: RequestFailed, mono: float) -> None:
    """Give an ask that is no longer pending its failure, and forget it everywhere."""
    session = ask.session
    state.codes.free(ask.hashcode, mono)
    if session is not None:
        if session.exchange is not None:
            session.exchange.withdraw(ask.hashcode)
        waiting = state.unproven.get(session.code, [])
        if ask in waiting:
            waiting.remove(ask)
        if session.objects is not None:
            stir(state, session).withdrawn.append(ask)
    else:
        dialing = state.dials.get((ask.identity.public, ask.peer))
        if dialing is not None and ask in dialing.waiting:
            dialing.waiting.remove(ask)
    if ask.schema == Prove.identifier and session is not None:
        _proven(state, session, ask, error, mono)
    elif ask.schema == Offer.identifier and session is not None:
        stir(state, session).offer_over(ask, error)
    else:
        state.jobs.append(jobs.Fired(ask, error))


def expire(state: State, mono: float) -> None:
    """Fail what has waited as long as its caller said."""
    for ask in state.pending.expire(mono):
        if ask.session is None:
            error: RequestFailed = Unreachable("nobody who holds that key answered at that address")
        else:
            patience = min(ask.idle, ask.deadline - ask.started)
            error = TimedOut(f"no {'sign of a ' if ask.idle < inf else ''}reply within {patience:.3g} s")
        ended(state, ask, error, mono)


def lose(state: State, session: Session, why: str, mono: float) -> list[Ask]:
    """Fail what was sent over a session that is gone; what was not sent comes back, to go elsewhere."""
    unsent = state.unproven.pop(session.code, [])
    unsent += not_begun(session)
    exchange, session.exchange = session.exchange, None
    if exchange is None:
        return unsent
    state.reserved -= exchange.kept
    waiting = exchange.unsent()
    for ask in exchange.abandoned():
        fail(state, ask, SessionLost(why), mono)
    return portable(state, unsent + waiting, mono)


def retarget(state: State, ask: Ask, server: bytes, mono: float) -> bool:
    """Point an ask at another server, as a redirect says; False if it failed instead: too many hops, or a circle."""
    if server == ask.peer or server in ask.visited or len(ask.visited) >= state.limits.redirect_max:
        fail(state, ask, Unreachable(f"redirected in a circle or more than {state.limits.redirect_max} times"), mono)
        return False
    ask.visited += (ask.peer,)
    ask.peer, ask.session, ask.paths = server, None, ()
    if ask.hashcode:
        ask.request_hash = _hash(ask)
    return True
