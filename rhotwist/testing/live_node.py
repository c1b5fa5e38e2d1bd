"""A whole node as a parser: what strangers send to its port, and what a peer with a session seals for it."""

from __future__ import annotations

import functools
from collections.abc import Callable
from random import Random

from rhotwist.errors import BadPacket
from rhotwist.link import messages
from rhotwist.moment import Moment
from rhotwist.node import jobs
from rhotwist.node.core import Node
from rhotwist.secret.greeting import mac1, mac1_key
from rhotwist.testing import live
from rhotwist.wire import schema
from rhotwist.wire.datagram import Path, pack_address
from rhotwist.wire.frame import pack_control, pack_message, pack_reply, pack_several
from rhotwist.wire.packet import ACCEPT, MAC_SIZE

#: Inputs after which a node that a peer feeds starts anew, so that a long run is many short ones.
RENEWED = 5_000

_OURS, _THEIRS = Path(0, pack_address("192.0.2.1", 7460)), Path(0, pack_address("192.0.2.2", 7460))
_ZERO = Moment(1_000.0, 1_800_000_000.0)


class Heard(schema.Schema, name="rho.testing.heard"):
    """The reply of the fuzzed node."""

    text: str = schema.text(100)


class Hear(schema.Request[Heard], name="rho.testing.hear"):
    """A request to the fuzzed node."""

    text: str = schema.text(100)


class Pair:
    """A server and a client with a session between them, all on one instant of one clock."""

    def __init__(self, seed: str) -> None:
        random = Random(f"live node/{seed}")
        kem = live.SeededKem(random.randbytes)
        self.server = Node(live.SERVER, rng=random.randbytes, kem=kem)
        self.client = Node(live.CLIENT, rng=random.randbytes, kem=kem)
        self.server.handle(Hear)
        self.server.add_wallet(live.WALLET)
        self.seen: list[bytes] = []
        self.moment = _ZERO
        self.fed = 0
        for text in ("first", "second"):
            self.client.fire(live.SERVER.public, Hear(text=text), _ZERO, paths=(_OURS,))
            self.exchange()

    def exchange(self) -> None:
        """Carry datagrams to and fro until nobody has any; what the client sends is remembered."""
        while bursts := self.client.outgoing():
            for burst in bursts:
                self.seen += burst.datagrams
                self.server.receive(_THEIRS, burst.datagrams, self.moment)
            self.answer()
            for burst in self.server.outgoing():
                self.client.receive(_OURS, burst.datagrams, self.moment)
            self.client.jobs()

    def answer(self) -> None:
        """Do the server's jobs."""
        for job in self.server.jobs():
            if isinstance(job, jobs.Call) and job.wants_answer:
                self.server.answer(job, Heard(text="yes"), self.moment)

    def dropped(self, node: Node | None = None) -> int:
        """How many datagrams a node, the server unless it is named, has dropped."""
        counters = (node or self.server).counters
        return sum(count for name, count in counters.items() if name.startswith("drop"))

    def seal(self, plain: bytes) -> bytes:
        """What the client would send if it wanted to say that."""
        (session,) = self.client._state.pairs.values()
        return session.seal.seal(plain)

    def seal_back(self, plain: bytes) -> bytes:
        """The same of the server."""
        (session,) = self.server._state.pairs.values()
        return session.seal.seal(plain)


class Stranger:
    """Feeds a node what anybody can send: nothing of it may change the node, make work, or draw more than it is."""

    pair: Pair
    digest: bytes

    def __init__(self) -> None:
        self.valid = frozenset(corpus())
        self.begin()

    def begin(self) -> None:
        """Start with a new node."""
        self.pair = Pair("stranger")
        self.digest = self.pair.server.state_digest()

    def __call__(self, data: bytes) -> object:
        """Raises BadPacket where the node drops it, AssertionError where it does anything it must not."""
        server, dropped = self.pair.server, self.pair.dropped()
        server.receive(_THEIRS, [data], _ZERO)
        out = [datagram for burst in server.outgoing() for datagram in burst.datagrams]
        if sum(map(len, out)) > len(data):
            raise AssertionError(f"{out} out for {len(data)} bytes in, to an address that has proven nothing")
        if server.jobs():
            raise AssertionError("a stranger's bytes made work")
        if data in self.valid or any(datagram[0] & 15 == ACCEPT for datagram in out):
            self.begin()  # he may have become somebody
        elif server.state_digest() != self.digest:
            raise AssertionError("a stranger's bytes changed the node")
        elif self.pair.dropped() > dropped:
            raise BadPacket("dropped")
        return None

    def checked(self, data: bytes) -> object:
        """The same with the right mac1 put behind it, so that the curve meets what no honest client sends."""
        body = data[:-MAC_SIZE]
        return self(body + mac1(mac1_key(live.SERVER.public), body))


@functools.cache
def stranger() -> Stranger:
    """The one that ``node.receive`` feeds."""
    return Stranger()


def hellos() -> list[bytes]:
    """Hellos to the node, whole and halved."""
    return [live.exchange(suite).sent.datagram for suite in live.ORDER] + list(live.exchange(4).sent.halves)


@functools.cache
def _valid() -> tuple[bytes, ...]:
    others = [getattr(live.exchange(suite), name) for suite in live.ORDER for name in ("retry", "accept", "finish")]
    return (*Pair("stranger").seen, *hellos(), *others)


def corpus() -> list[bytes]:
    """Every kind of packet: new Hellos, whole and halved, packets of other sessions and replays of this one."""
    return list(_valid())


class Peer:
    """Feeds a node what somebody with a session may seal: any of it may be heard, none of it may raise."""

    def __init__(self) -> None:
        self.pair = Pair("peer")

    def __call__(self, data: bytes) -> object:
        """Raises BadPacket where the node drops it."""
        pair = self.pair
        pair.fed += 1
        dropped = pair.dropped()
        mono = pair.moment.mono + 0.001
        pair.moment = Moment(mono, pair.moment.wall + 0.001)
        pair.server.receive(_THEIRS, [pair.seal(data)], pair.moment)
        pair.answer()
        deadline = pair.server.deadline()
        if deadline is not None and deadline <= mono:
            pair.server.tick(pair.moment)
        pair.server.outgoing()
        refused = pair.dropped() > dropped
        if pair.fed >= RENEWED or not pair.server.status()["sessions"]:
            self.pair = Pair("peer")
        if refused:
            raise BadPacket("dropped")
        return None


@functools.cache
def peer() -> Peer:
    """The one that ``node.receive.sealed`` feeds."""
    return Peer()


class Host:
    """Feeds a node what the server it dialled may seal: the other role, with requests of its own under way."""

    def __init__(self) -> None:
        self.pair = Pair("host")

    def __call__(self, data: bytes) -> object:
        """Raises BadPacket where the node drops it."""
        pair, client = self.pair, self.pair.client
        pair.fed += 1
        dropped = pair.dropped(client)
        mono = pair.moment.mono + 0.001
        pair.moment = Moment(mono, pair.moment.wall + 0.001)
        if not pair.fed % 16:
            client.fire(live.SERVER.public, Hear(text="hello"), pair.moment, timeout=0.1, paths=(_OURS,))
        client.receive(_OURS, [pair.seal_back(data)], pair.moment)
        deadline = client.deadline()
        if deadline is not None and deadline <= mono:
            client.tick(pair.moment)
        client.jobs()
        client.outgoing()
        refused = pair.dropped(client) > dropped
        if pair.fed >= RENEWED or not client.status()["sessions"]:
            self.pair = Pair("host")
        if refused:
            raise BadPacket("dropped")
        return None


@functools.cache
def host() -> Host:
    """The one that ``node.receive.sealed.back`` feeds."""
    return Host()


def plains() -> list[bytes]:
    """What peers say: every control message, a request, replies, and several of them in one packet."""
    random = Random("plains")
    some = random.randbytes(16)
    said = Hear(text="hello").encode()
    found = [b"\0"]
    for number in range(1, 40, 7):
        for source, destination in ((b"", b""), (b"", live.WALLET.public), (live.WALLET.public, b"")):
            rest = (some, source, destination, said)
            found.append(pack_message(number, 0, number, Hear.identifier, rest))
    found.append(pack_message(0, 0, 0, Hear.identifier, (some, b"", b"", said)))
    prove = messages.Prove(own=(), asked=(live.WALLET.public,)).encode()
    found.append(pack_message(50, 0, 50, messages.Prove.identifier, (some, b"", b"", prove)))
    found.append(pack_message(51, 0, 51, messages.Reach.identifier, (some, b"", b"", b"")))
    offer = messages.Offer(
        id=1, key=bytes(32), named=bytes(32), size=5_000, size_class=4, hashcode=0, kind=0
    ).encode()
    found.append(pack_message(52, 0, 52, messages.Offer.identifier, (some, b"", b"", offer)))
    found.append(pack_reply(9, Heard.identifier, bytes(32), some, Heard(text="yes").encode()))
    for body in (
        messages.Ping(nonce=1), messages.Pong(nonce=1, seen=bytes(18)), messages.Working(hashcode=3),
        messages.Got(hashcode=3), messages.Rekey(epoch=1, key=live.CLIENT.x_public),
        messages.Rekeyed(epoch=1, key=live.CLIENT.x_public), messages.RekeyWanted(epoch=1),
        messages.Challenge(data=bytes(8)), messages.ChallengeMet(data=bytes(8)), messages.Welcome(bytes(16), False),
        messages.Redirect(1, live.WALLET.public, (bytes(18),), bytes(16), bytes(32), 0), messages.Close(reason=1),
        messages.Ack(id=1, size_class=4, base=0, counter=0, delay=0, bitmap=b"\7"), messages.Beat(id=1),
        messages.Gone(id=1, reason=1, ours=False), messages.Gone(id=1, reason=2, ours=True),
    ):  # fmt: skip
        found.append(pack_control(body.identifier, body.encode()))
    frames = found[1:]
    for _ in range(40):
        found += pack_several(random.sample(frames, random.randint(2, 6)), 1_200)
    return found


TARGETS: dict[str, tuple[Callable[[bytes], object], Callable[[], list[bytes]]]] = {
    "node.receive": (lambda data: stranger()(data), corpus),
    "node.receive.checked": (lambda data: stranger().checked(data), hellos),
    "node.receive.sealed": (lambda data: peer()(data), plains),
    "node.receive.sealed.back": (lambda data: host()(data), plains),
}
