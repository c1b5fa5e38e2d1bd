"""Sent on: the responder has no room and names a sibling process, where the initiator goes. Times are mono seconds."""

from __future__ import annotations

from rhotwist.errors import BadKey, BadPacket
from rhotwist.keys.pair import check_key
from rhotwist.link.messages import Redirect
from rhotwist.link.session import Session
from rhotwist.moment import Moment
from rhotwist.node import opening
from rhotwist.node.asking import portable, retarget
from rhotwist.node.objects import not_begun
from rhotwist.node.state import Pair, State
from rhotwist.wire.datagram import is_public, prefix


def redirected(state: State, session: Session, body: Redirect, moment: Moment) -> None:
    """The responder sends us on: open a session with its sibling and take along what it has not acted on."""
    mono, server = moment.mono, body.server
    identity = session.identity
    if identity is None or body.kind != 1 or not body.addresses or server in (session.own, session.peer):
        raise BadPacket("redirect")
    try:
        check_key(server)
    except BadKey:
        raise BadPacket("redirect") from None
    # Who is itself reached at a private address may name another; from the internet that would be a way to knock at
    # doors inside our own network.
    anywhere = state.private_net or not is_public(session.path.address)
    family = len(prefix(session.path.address))  # the carrier we have to this server reaches no other
    addresses = [
        address for address in body.addresses if len(prefix(address)) == family and (anywhere or is_public(address))
    ]
    if not addresses:
        raise BadPacket("redirect")
    pair: Pair = (session.own, server)
    exchange = session.exchange
    waiting = state.unproven.pop(session.code, [])
    if exchange is not None:
        waiting += exchange.not_taken(body.taken) + exchange.unsent()
    waiting += not_begun(session)
    moved = [ask for ask in portable(state, waiting, mono) if retarget(state, ask, server, mono)]
    if state.pairs.get((session.own, session.peer)) is session:
        del state.pairs[session.own, session.peer]
    state.counters["redirected"] += 1
    if pair not in state.pairs and pair not in state.dials and moved:
        paths = tuple(session.path._replace(address=address) for address in addresses)
        opening.dial(state, identity, server, paths, moment, redirected=(body.token, (session.peer, body.ticket)))
    if moved:
        state.alias((session.own, session.peer), server)
    for ask in moved:
        opening.route(state, ask, moment)
    opening.drain(state, session, mono)
