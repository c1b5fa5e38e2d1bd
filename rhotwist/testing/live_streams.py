"""Connections as parsers: what a stranger sends over one, and what a peer with a session seals into records."""

from __future__ import annotations

import functools
from collections.abc import Callable
from random import Random

from rhotwist.errors import BadPacket
from rhotwist.limits import Limits
from rhotwist.link.messages import Offer
from rhotwist.link.record_out import RECORD_CLASS
from rhotwist.link.records import Inbound, Outbound, Piece
from rhotwist.moment import Moment
from rhotwist.node.jobs import Hang
from rhotwist.node.recording import taken
from rhotwist.node.state import Ask
from rhotwist.node.streams import streams_of
from rhotwist.secret.handshake import SessionKeys
from rhotwist.secret.seal import PacketSeal
from rhotwist.secret.stream_seal import Inward, StreamSeal
from rhotwist.testing import live, live_node
from rhotwist.wire.datagram import ADDRESS, Path
from rhotwist.wire.frame import pack_message
from rhotwist.wire.message import NO_HASH, compose
from rhotwist.wire.stream import HEAD_SIZE, frame, pack_head

_OURS, _THEIRS = 5, 6
_MOST = 100_000


def _seals() -> tuple[StreamSeal, StreamSeal]:
    """Both ends of a session, always the same."""
    one, other = (SessionKeys(2, bytes(range(32)), bytes(32), initiator, bytes(32)) for initiator in (True, False))
    return StreamSeal(PacketSeal(one, _OURS, _THEIRS, 0)), StreamSeal(PacketSeal(other, _THEIRS, _OURS, 0))


def _feed(seal: StreamSeal, data: bytes) -> list[bytes]:
    """What a connection brings, cut in three: the datagrams and the records."""

    def find(code: int) -> tuple[StreamSeal, int]:
        if code != _THEIRS:
            raise BadPacket("unknown")
        return seal, _MOST

    inbound, found = Inbound(), []
    third = len(data) // 3
    for chunk in (data[:third], data[third : 2 * third], data[2 * third :]):
        for event in inbound.feed(chunk, find):
            if not isinstance(event, Piece):
                found += event
            elif event.at:
                found[-1] += event.data
            else:
                found.append(event.data)
                if event.size == 99:
                    inbound.skip()
        if inbound.held > 65_552 + len(chunk):
            raise AssertionError(f"{inbound.held} bytes are held of a connection")
    return found


def _raw(data: bytes) -> object:
    return _feed(_seals()[1], data)


def _wire(*said: bytes) -> bytes:
    ours, _ = _seals()
    out = Outbound(Limits())
    for plain in said:
        out.send(ours, plain)
    return b"".join(piece for piece in out.pull(10**9))


def _raw_corpus() -> list[bytes]:
    random = Random("streams")
    return [
        frame(b"one"), pack_head(3, 1), frame(b"one") + frame(bytes(1_232)), _wire(b"record"),
        _wire(b"record") + pack_head(2, 0), _wire(bytes(5_000)) + frame(b"behind"),
        _wire(bytes(99), random.randbytes(70_000), b"x"), pack_head(2, 1), pack_head(1, 24) + bytes(24), b"",
    ]  # fmt: skip


def _sealed(data: bytes) -> object:
    """Whatever a peer puts into a record comes out; one that begins with 2 is damaged on its way."""
    plain = data or b"\0"
    wire = _wire(plain)
    found = _feed(_seals()[1], _damaged(wire) if plain[0] == 2 else wire)
    if found != [plain] and len(plain) != 99:
        raise AssertionError("what was opened is not what was sealed")
    return found


def _damaged(wire: bytes) -> bytes:
    return wire[:-1] + bytes((wire[-1] ^ 1,))


def _take(data: bytes) -> object:
    """A USE behind its head, after the second of them; a refused one has changed nothing."""
    _, theirs = _seals()
    theirs.take(_uses()[1])
    before = theirs.digest()
    try:
        return theirs.take(data)
    except BadPacket as bad:
        if theirs.digest() != before:
            raise AssertionError(f"a USE refused for {bad.reason} changed the seal") from bad
        raise


def _uses() -> list[bytes]:
    ours, _ = _seals()
    found = [ours.use().frame[HEAD_SIZE:] for _ in range(3)]
    return [*found, found[0][:-1], found[0][:4] + b"\7" + found[0][5:]]


class _Peer:
    """A node and a peer of it, and a connection between them for each input."""

    def __init__(self) -> None:
        self.pair = live_node.Pair("streams")
        self.moment: Moment = self.pair.moment
        self.number = 0

    def connection(self, data: bytes) -> None:
        """Feed the server over a fresh connection. Raises BadPacket if it hangs up."""
        server = self.pair.server
        self.number += 1
        path = Path(0, b"\xff" + self.number.to_bytes(ADDRESS - 1, "big"), True)
        stream = server.attach(path, self.moment, ours=False)
        server.feed(stream, data, self.moment)
        server.detach(stream, self.moment)
        server.outgoing()
        hung = [job for job in server.jobs() if isinstance(job, Hang)]
        if hung:
            raise BadPacket(hung[0].why)


#: Inputs after which node and peer are made anew: an object of which nothing came is only forgotten by time.
_RENEWED = 50


def _peer(renew: int = _RENEWED) -> _Peer:
    if _any_peer().number >= renew:
        _any_peer.cache_clear()
    return _any_peer()


@functools.cache
def _any_peer() -> _Peer:
    return _Peer()


def _connection(data: bytes) -> object:
    _peer().connection(data)
    return None


def _connections() -> list[bytes]:
    return [frame(datagram) for datagram in _peer().pair.seen[:2]] + [pack_head(0, 2), b""]


def _record(data: bytes) -> object:
    """A peer offers an object and sends a record for it: the object, or what begins with 1 or 2; 2 is damaged, too."""
    peer = _peer()
    pair = peer.pair
    state = pair.client._state
    session = next(iter(state.sessions.sessions.values()))
    message = compose(4, live.CLIENT.public, live.SERVER.public, NO_HASH, bytes(16), data)
    offer = Offer(
        id=peer.number + 1, key=bytes(32), named=message.hash, size=len(message.encode()), size_class=RECORD_CLASS,
        hashcode=0, kind=0,
    )  # fmt: skip
    ask = Ask(
        live.CLIENT, live.SERVER.public, Offer.identifier, offer.encode(), reply=None, source=None, destination=None,
        random=peer.number.to_bytes(16, "big"), paths=(),
    )  # fmt: skip
    small = session.seal.seal(_said(ask, peer.number))
    out = Outbound(Limits())
    good = data[:1] not in (b"\1", b"\2")
    out.send(streams_of(state, session), message.encode() if good else data, offer.id.to_bytes(4, "big") + bytes(4))
    wire = frame(small) + b"".join(out.pull(10**9))
    peer.connection(_damaged(wire) if data[:1] == b"\2" else wire)
    return None


def _said(ask: Ask, number: int) -> bytes:
    return pack_message(number + 1_000, 0, number + 1, ask.schema, (ask.random, b"", b"", ask.body))


TARGETS: dict[str, tuple[Callable[[bytes], object], Callable[[], list[bytes]], tuple[object, ...]]] = {
    "link.records.feed": (_raw, _raw_corpus, (Inbound.feed, Inbound._wanted, Inbound._begin, Inbound.skip)),
    "link.records.feed.sealed": (
        _sealed, lambda: [b"x", bytes(64), bytes(99), b"\2x", bytes(5_000), bytes(66_000)],
        (Inbound._opened, Inward.open),
    ),
    "secret.stream_seal.take": (_take, _uses, (StreamSeal.take, PacketSeal.stream_in)),
    "node.feed": (_connection, _connections, ()),
    "node.feed.sealed": (_record, lambda: [b"x", bytes(5_000), b"\1wrong", b"\1", b"\2x"], (taken,)),
}  # fmt: skip
