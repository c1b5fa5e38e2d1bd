"""A hash over everything a node holds but counters and clocks, so that a test can say: nothing changed."""

from __future__ import annotations

import hashlib
from itertools import chain
from typing import Any

from rhotwist.link.session import Session
from rhotwist.link.small import Exchange
from rhotwist.node.objects import Objects
from rhotwist.node.state import Dialing, State


def digest(state: State) -> bytes:
    """SHA-256, 32 bytes."""
    parts: list[object] = [state.closed, state.reserved, sorted(state.handled), sorted(state.wallets)]
    parts.append(sorted(state.tokens.items()))
    parts.append(sorted(state.aliases.items()))
    parts.append(sorted((code, type(item).__name__) for code, item in state.codes.live.items()))
    parts.append(sorted((pair, session.code) for pair, session in state.pairs.items()))
    parts.append(sorted((pair, _dialing(dialing)) for pair, dialing in state.dials.items()))
    parts.append([_session(item) for _, item in sorted(state.codes.live.items()) if isinstance(item, Session)])
    parts.append([(path, datagrams) for path, datagrams in sorted(state.out.items())])
    parts.append([(session.code, frames) for session, frames in state.frames.items()])
    parts.append(sorted((path, stream.ours, stream.proven) for path, stream in state.streams.by_path.items()))
    bulk = sorted((path, list(chain(*trains))) for path, trains in state.bulk.items())
    parts.append([bulk, sorted(state.peers), sorted(state.watched), state.object_bytes])
    parts.append([len(state.jobs), sorted(state.heeded)])
    parts.append(sorted((code, len(asks)) for code, asks in state.unproven.items()))
    return hashlib.sha256(repr(parts).encode() + state.gate.digest()).digest()


def _dialing(dialing: Dialing) -> tuple[object, ...]:
    attempt = dialing.dial
    return attempt.code, attempt.phase.value, attempt.paths, len(dialing.waiting), dialing.session is not None


def _session(session: Session) -> tuple[object, ...]:
    return (
        session.code, session.own, session.peer, session.path, session.confirmed, session.suite, session.binding,
        sorted(session.proven_own), sorted(session.proven_peer), session.peer_done, session.ends is None,
        session.redirect, session.roam and (session.roam.path, session.roam.data, session.roam.got, session.roam.sent),
        session.seal.digest(), session.streams and session.streams.digest(),
        session.ratchet and session.ratchet.phase.value,
        session.exchange and _exchange(session.exchange), session.objects and _objects(session.objects),
    )  # fmt: skip


def _objects(objects: Objects) -> tuple[object, ...]:
    return (
        objects.last_id, objects.bytes_out, objects.reserved, sorted(objects.owed.items()), list(objects.over),
        [(parcel.id, parcel.message.hash, parcel.tries) for parcel in (*objects.out.values(), *objects.line)],
        [(id, it.offer.named, it.whole, it.inner and it.inner.progress) for id, it in objects.incoming.items()],
    )  # fmt: skip


def _exchange(exchange: Exchange[Any]) -> tuple[object, ...]:
    return (
        exchange.next_number, exchange.kept,
        [(request.hashcode, request.number, request.repeats) for request in exchange.outstanding.values()],
        sorted(exchange.held), list(exchange.waiting),
        [(taken.number, taken.hashcode, taken.hash, taken.frame, taken.told) for taken in exchange.taken.values()],
    )  # fmt: skip
