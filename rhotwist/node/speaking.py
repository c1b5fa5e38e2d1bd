"""What the protocol itself says inside a session, one small function a message. Times are mono seconds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rhotwist.errors import BadPacket
from rhotwist.link import messages
from rhotwist.link.session import Session
from rhotwist.moment import Moment
from rhotwist.node import giving, opening, sent_on, taking
from rhotwist.node.asking import lose
from rhotwist.node.mentioning import mentioned
from rhotwist.node.state import State
from rhotwist.secret import ratchet
from rhotwist.wire.datagram import Path
from rhotwist.wire.frame import Control, pack_control
from rhotwist.wire.schema import Schema


def heard(state: State, session: Session, frame: Control, path: Path, moment: Moment) -> None:
    """Act on a control message. Raises BadPacket for one that is unknown, malformed or out of place."""
    schema = messages.CONTROL.get(frame.schema)
    if schema is None:
        mentioned(state, session, frame, path)
        return
    _ANSWERS[schema](state, session, schema.decode(frame.body), path, moment)


def tell(state: State, session: Session, body: Schema) -> None:
    """Send a control message."""
    state.send(session, pack_control(body.identifier, body.encode()))


def give(state: State, session: Session, message: ratchet.Message | None) -> None:
    """Send what the ratchet gives, in a packet of its own."""
    if isinstance(message, ratchet.Turn):
        state.send_alone(session, opening.NOTHING)
    elif isinstance(message, ratchet.Rekey):
        tell(state, session, messages.Rekey(epoch=message.epoch, key=message.key))
    elif isinstance(message, ratchet.Rekeyed):
        tell(state, session, messages.Rekeyed(epoch=message.epoch, key=message.key))
    elif isinstance(message, ratchet.RekeyWanted):
        tell(state, session, messages.RekeyWanted(epoch=message.epoch))


def measured(session: Session) -> float:
    """The session's round trip in seconds, 0 while unknown."""
    return session.exchange.round_trip if session.exchange is not None else 0.0


def _welcome(state: State, session: Session, body: messages.Welcome, path: Path, moment: Moment) -> None:
    if not session.initiator:
        raise BadPacket("control")
    state.send_alone(session, opening.NOTHING)
    if not session.welcomes:  # its repeats bring the same one
        session.welcomes = 1
        opening.learned(state, session, body.token)


def _ping(state: State, session: Session, body: messages.Ping, path: Path, moment: Moment) -> None:
    tell(state, session, messages.Pong(nonce=body.nonce, seen=path.address))


def _pong(state: State, session: Session, body: messages.Pong, path: Path, moment: Moment) -> None:
    if body.nonce == 1 and session.keep:
        session.kept(moment.mono, state.limits)
        state.schedule(session, session.keep)


def _working(state: State, session: Session, body: messages.Working, path: Path, moment: Moment) -> None:
    if session.exchange is not None:
        session.exchange.hold(body.hashcode)
        for frame in session.exchange.drain(moment.mono):
            state.send(session, frame)


def _got(state: State, session: Session, body: messages.Got, path: Path, moment: Moment) -> None:
    exchange = session.exchange
    if exchange is not None:
        before = exchange.kept
        exchange.got(body.hashcode)
        state.reserved += exchange.kept - before


@contextmanager
def _small_order(state: State, session: Session, mono: float) -> Iterator[None]:
    """A key of small order is nobody's mistake, and each costs us the curve: whoever sends one has no session more."""
    try:
        yield
    except BadPacket:
        opening.lost(state, session, "the peer offered a key of small order", mono)
        raise


def _rekey(state: State, session: Session, body: messages.Rekey, path: Path, moment: Moment) -> None:
    machine = opening.ratchet(state, session)
    with _small_order(state, session, moment.mono):
        give(state, session, machine.on_rekey(ratchet.Rekey(body.epoch, body.key), moment.mono, state.rng))
    state.schedule(session, machine.deadline())


def _rekeyed(state: State, session: Session, body: messages.Rekeyed, path: Path, moment: Moment) -> None:
    machine = opening.ratchet(state, session)
    message = ratchet.Rekeyed(body.epoch, body.key)
    with _small_order(state, session, moment.mono):
        give(state, session, machine.on_rekeyed(message, moment.mono, measured(session)))
    state.schedule(session, machine.deadline())


def _rekey_wanted(state: State, session: Session, body: messages.RekeyWanted, path: Path, moment: Moment) -> None:
    machine = opening.ratchet(state, session)
    message = ratchet.RekeyWanted(body.epoch)
    give(state, session, machine.on_wanted(message, moment.mono, measured(session), state.rng))
    state.schedule(session, machine.deadline())


def _challenge(state: State, session: Session, body: messages.Challenge, path: Path, moment: Moment) -> None:
    if not session.initiator:
        raise BadPacket("control")
    tell(state, session, messages.ChallengeMet(data=body.data))


def _challenge_met(state: State, session: Session, body: messages.ChallengeMet, path: Path, moment: Moment) -> None:
    owed = session.moved(path, body.data)
    if owed is not None:
        state.counters["roamed"] += 1
        for frame in owed:
            state.send_alone(session, frame)
        if session.exchange is not None:
            session.exchange.hurry(moment.mono)
            state.schedule(session, moment.mono)


def _redirect(state: State, session: Session, body: messages.Redirect, path: Path, moment: Moment) -> None:
    if session.ends is None:
        sent_on.redirected(state, session, body, moment)


def _close(state: State, session: Session, body: messages.Close, path: Path, moment: Moment) -> None:
    mono = moment.mono
    if body.reason == messages.CloseReason.SUPERSEDED:
        session.peer_done = True
        if session.ends is None:
            session.ends = mono + opening.DRAIN
        state.schedule(session, mono)
        return
    unsent = lose(state, session, "the peer closed the session", mono)
    paths = (session.path,)
    opening.forget(state, session, mono)
    for ask in unsent:
        ask.session, ask.paths = None, ask.paths or paths
        opening.route(state, ask, moment)


def _ack(state: State, session: Session, body: messages.Ack, path: Path, moment: Moment) -> None:
    giving.acked(state, session, body, moment.mono)


def _gone(state: State, session: Session, body: messages.Gone, path: Path, moment: Moment) -> None:
    if body.ours:
        taking.gone(state, session, body)
    else:
        giving.gone(state, session, body, moment.mono)


def _beat(state: State, session: Session, body: messages.Beat, path: Path, moment: Moment) -> None:
    taking.beat(state, session, body, moment.mono)


_ANSWERS: dict[type[Schema], Callable[..., None]] = {
    messages.Welcome: _welcome,
    messages.Ping: _ping,
    messages.Pong: _pong,
    messages.Working: _working,
    messages.Got: _got,
    messages.Rekey: _rekey,
    messages.Rekeyed: _rekeyed,
    messages.RekeyWanted: _rekey_wanted,
    messages.Challenge: _challenge,
    messages.ChallengeMet: _challenge_met,
    messages.Redirect: _redirect,
    messages.Close: _close,
    messages.Ack: _ack,
    messages.Gone: _gone,
    messages.Beat: _beat,
}
