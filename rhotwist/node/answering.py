"""Their requests: sorted, checked, handed to a handler as a Call, answered now or later. Times are mono seconds."""

from __future__ import annotations

from rhotwist.errors import BadPacket, HandlerFailed, LocalError, NotProven, NotSpoken, Overloaded, Refused
from rhotwist.link.messages import Offer, Proofs, Prove, Reach, Reached, Redirect, Refusal, RefusalCode, Working
from rhotwist.link.session import Session
from rhotwist.link.small import Taken, Verdict
from rhotwist.moment import Moment
from rhotwist.node import taking
from rhotwist.node.asking import parties
from rhotwist.node.jobs import Call
from rhotwist.node.objects import check_size, stir
from rhotwist.node.state import State
from rhotwist.secret.proof import INITIATOR, RESPONDER, prove, read_proof, wallet_of
from rhotwist.wire.datagram import Path
from rhotwist.wire.frame import Said, pack_control, pack_reply
from rhotwist.wire.message import NO_HASH, compose, object_hash
from rhotwist.wire.schema import Schema

_NEW = Verdict.NEW
#: Requests that the node answers by itself.
_OWN = frozenset((Prove.identifier, Reach.identifier, Offer.identifier))
#: Wallets that a peer may prove in one session.
PROVEN = 256


def said(state: State, session: Session, frame: Said, path: Path, mono: float) -> None:
    """A message or request came over a session. Raises BadPacket for one that may not come from there."""
    if session.redirect is not None:
        state.send(session, pack_control(Redirect.identifier, session.redirect.encode()))
        return
    source, destination = session.peer, session.own
    if frame.source is not None or frame.destination is not None:
        source, destination = _parties(session, frame)
    named = object_hash(frame.schema, source, destination, NO_HASH, frame.random, frame.body)
    taken: Taken | None = None
    greed = _greed(state, session) if state.reserved > state.limits.session_reserve else 0.0
    if frame.hashcode:
        exchange = session.exchange or session.requests(state.limits)
        before = exchange.kept
        verdict, taken = exchange.take(frame, named, mono, greed <= 2.0)
        state.reserved += exchange.kept - before
        if verdict is not _NEW:
            _again(state, session, verdict, taken)
            return
        if taken is not None and (session.due is None or taken.due < session.due):
            state.schedule(session, taken.due)
    if greed > 1.0:
        refuse(state, session, taken, RefusalCode.OVERLOADED, mono)
    elif destination is not session.own and destination not in state.wallets:
        refuse(state, session, taken, RefusalCode.NOT_HERE, mono)
    elif frame.schema in _OWN:
        _own(state, session, taken, frame, path, mono)
    else:
        schema = state.handled.get(frame.schema)
        if schema is None:
            refuse(state, session, taken, RefusalCode.NOT_SPOKEN, mono)
            return
        try:
            body = schema.decode(frame.body)
        except BadPacket:
            state.counters["bad body"] += 1
            refuse(state, session, taken, RefusalCode.BAD_BODY, mono)
            return
        state.jobs.append(Call(session.peer, source, destination, body, named, path, session, taken))


def _greed(state: State, session: Session) -> float:
    """How much of its share of the reserve a session holds, once that is used up: beyond 1 it is refused.

    So one that never lets go of its replies takes no room from the others. Beyond 2 even its refusals would be too much
    to keep, and what it asks waits until it lets go of something. All sessions together stay below 3 reserves.
    """
    if session.exchange is None:
        return 0.0
    return session.exchange.kept * len(state.sessions) / state.limits.session_reserve


def _parties(session: Session, frame: Said) -> tuple[bytes, bytes]:
    """Who speaks to whom; both proven, and named only where they are not the session's own."""
    source, destination = session.peer, session.own
    if frame.source is not None:
        source = frame.source
        if source not in session.proven_peer:
            raise BadPacket("source")
    if frame.destination is not None:
        destination = frame.destination
        if destination == session.own:
            raise BadPacket("destination")
    return source, destination


def _again(state: State, session: Session, verdict: Verdict, taken: Taken | None) -> None:
    state.counters[f"request {verdict.value}"] += 1
    if taken is None:
        return
    if taken.frame is not None:
        _owe(session, taken)
        state.send_alone(session, taken.frame)
    elif taken.told:
        state.send(session, pack_control(Working.identifier, Working(hashcode=taken.hashcode).encode()))


def _own(state: State, session: Session, taken: Taken | None, frame: Said, path: Path, mono: float) -> None:
    """A request that the node answers by itself."""
    if taken is None:
        raise BadPacket("no answer")
    try:
        if frame.schema == Reach.identifier:
            Reach.decode(frame.body)
            reply: Schema = Reached(seen=path.address)
        elif frame.schema == Offer.identifier:
            reply = taking.offered(state, session, Offer.decode(frame.body), mono)
        else:
            request = Prove.decode(frame.body)
            if len(session.proven_peer) + len(request.own) > PROVEN:
                refuse(state, session, taken, RefusalCode.OVERLOADED, mono)
                return
            reply = _prove(state, session, request)
    except BadPacket as error:
        state.counters[error.reason] += 1
        refuse(state, session, taken, RefusalCode.BAD_BODY, mono)
        return
    _reply(state, session, taken, reply, mono)


def _prove(state: State, session: Session, request: Prove) -> Proofs:
    """Take the peer's proofs and give what it asks for: a responder any wallet's, an initiator what it gave before."""
    theirs, ours = (RESPONDER, INITIATOR) if session.initiator else (INITIATOR, RESPONDER)
    for proof in request.own:
        if wallet_of(proof) not in session.proven_peer:
            session.proven_peer |= {read_proof(proof, theirs, session.binding, *parties(session))}
    proofs: list[bytes | None] = []
    for wallet in request.asked:
        key = state.wallets.get(wallet)
        if key is None or (session.initiator and wallet not in session.proven_own):
            proofs.append(None)
        else:
            proofs.append(prove(key, ours, session.binding, *parties(session)))
            session.proven_own |= {wallet}
    return Proofs(proofs=tuple(proofs))


def answer(state: State, call: Call, reply: Schema | Refused | NotProven, moment: Moment) -> None:
    """Answer a Call, now or later; nothing happens if its session is gone, or it was only told, or answered before.

    Raises LocalError for a reply that cannot be sent; the call is then still unanswered.
    """
    session, taken = call._session, call._taken
    if taken is None or not isinstance(session, Session):
        return
    while session.successor is not None:
        session = session.successor
    if taken.frame is not None or session.exchange is None or session.exchange.taken.get(taken.number) is not taken:
        return
    if session.objects is not None and session.objects.replies(taken):
        return
    said = _refusal(reply) if isinstance(reply, Exception) else reply
    apart = _reply(state, session, taken, said, moment.mono)
    if apart is not None:
        check_size(state.limits, said, sum(map(len, apart)))
        message = compose(said.identifier, call.destination, call.source, taken.hash, state.salt(), *apart)
        stir(state, session).answer(state, message, taken)
    if session.objects is not None:
        session.objects.let_go(state, taken.number)


def _owe(session: Session, taken: Taken) -> None:
    """While the peer may be moving, a reply may go where it is no more: remember to give it again there."""
    if session.roam is not None:
        session.roam.owe(taken.number)


def _refusal(error: Exception) -> Refusal:
    codes = {
        NotSpoken: RefusalCode.NOT_SPOKEN,
        HandlerFailed: RefusalCode.HANDLER_FAILED,
        Overloaded: RefusalCode.OVERLOADED,
        NotProven: RefusalCode.NOT_HERE,
    }
    code = codes.get(type(error), getattr(error, "code", RefusalCode.REFUSED))
    told: str = getattr(error, "said", str(error))
    return Refusal(code=code, said=told.encode("utf-8", "replace")[:200].decode("utf-8", "ignore"))


def refuse(state: State, session: Session, taken: Taken | None, code: RefusalCode, mono: float) -> None:
    """Do not act on a message of theirs, and say why if it wanted an answer."""
    state.counters[f"refused {code.name.lower()}"] += 1
    if taken is not None:
        _reply(state, session, taken, Refusal(code=code), mono)


def _reply(state: State, session: Session, taken: Taken, reply: Schema, mono: float) -> tuple[bytes, bytes] | None:
    """Reply in a small packet; the body, and its bulk, if that is too big for one."""
    exchange = session.exchange
    if exchange is None:
        return None
    if not isinstance(reply, Schema):
        raise LocalError(f"{type(reply).__name__} is no Schema and no refusal")
    body, bulk = reply.encode_apart()
    if len(body) + len(bulk) > state.room:
        return body, bulk
    body += bulk
    frame = pack_reply(taken.hashcode, reply.identifier, taken.hash, state.salt(), body, taken.told)
    before = exchange.kept
    exchange.reply(taken, frame, mono)
    state.reserved += exchange.kept - before
    _owe(session, taken)
    state.send(session, frame)
    if taken.told:
        state.schedule(session, taken.due)
    return None
