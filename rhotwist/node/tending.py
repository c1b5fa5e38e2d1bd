"""What one session needs when its time comes. Times are mono seconds."""

from __future__ import annotations

from rhotwist.link.messages import Working
from rhotwist.link.session import Session
from rhotwist.moment import Moment
from rhotwist.node import opening, speaking
from rhotwist.node.state import State
from rhotwist.wire.datagram import Path

PLACES_MOST = 4
"""Places that are tried at once for a peer that fell silent."""


def ratchet(state: State, session: Session, mono: float) -> None:
    """Give a session's ratchet its turn."""
    machine = opening.ratchet(state, session)
    speaking.give(state, session, machine.tick(mono, speaking.measured(session), state.rng))
    state.schedule(session, machine.deadline())


def _places(session: Session) -> tuple[Path, ...]:
    """Where a silent peer may be: where it was, and where they say who wait for it; it may have moved."""
    waiting = () if session.exchange is None else session.exchange.outstanding.values()
    asks = (ask for ask in waiting if not ask.doubted)
    said = (path for ask in asks for path in ask.paths if path.stream == session.path.stream)
    return tuple(dict.fromkeys((session.path, *said)))[:PLACES_MOST]


def tend(state: State, session: Session, moment: Moment) -> None:
    """Do what is due for one session: repeat, ping, redial, drain, end; and see when it is due again."""
    mono = moment.mono
    if state.codes.live.get(session.code) is not session:
        return
    if session.initiator and not session.confirmed:
        return  # only Finish is repeated until the server is heard: a packet would tell it that T has come
    if session.dead(mono, state.limits):
        opening.lost(state, session, "the peer fell silent", mono)
        return
    if session.ends is not None and opening.drained(state, session, mono):
        opening.lost(state, session, "another session took over", mono)
        return
    if session.welcome:
        if mono - session.heard >= state.limits.half_open_life:
            opening.lost(state, session, "the client was never heard", mono)
            return
        opening.welcome(state, session, mono)
    if session.exchange is not None:
        kept = session.exchange.kept
        frames, working = session.exchange.tick(mono)
        state.reserved += session.exchange.kept - kept
        for frame in frames:
            state.send_alone(session, frame)
        for hashcode in working:
            speaking.tell(state, session, Working(hashcode=hashcode))
    for frame in session.pings(mono):
        state.send(session, frame)
    if session.silent(mono):
        session.redialled = True
        if session.identity is not None and (session.own, session.peer) not in state.dials:
            opening.dial(state, session.identity, session.peer, _places(session), moment, old=session)
    if session.confirmed and (session.ratchet is not None or session.initiator or session.exchange is not None):
        machine = opening.ratchet(state, session)
        if machine.expired(mono) or session.seal.spent:
            opening.lost(state, session, "its keys are worn out", mono)
            return
        ratchet(state, session, mono)
    due = session.deadline(state.limits)
    state.schedule(session, due if session.ends is None or due is None else min(due, mono + 1.0))
