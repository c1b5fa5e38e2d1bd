"""``state_digest`` sees every change but those of counters and clocks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rhotwist.keys.pair import SeedKey
from rhotwist.link.messages import Redirect
from rhotwist.link.roam import Candidate
from rhotwist.testing.cases import SeededTestCase
from rhotwist.testing.outcome import Outcome
from rhotwist.wire.datagram import Path
from tests.node.talk import Said, Say, server, sessions


class Digests(SeededTestCase):
    """A node with one of everything."""

    def setUp(self) -> None:
        self.net = self.network(1)
        self.server = server(self.net)
        self.client = self.net.node("client")
        self.net.result(self.client.request(self.server, Say(text="a")))
        self.net.run(1)
        self.session = sessions(self.server)[0]
        self.state = self.server.node._state

    def changes(self, what: str, change: Callable[[], Any]) -> None:
        before = self.server.node.state_digest()
        change()
        self.assertNotEqual(self.server.node.state_digest(), before, what)

    def test_each_field_of_a_session_is_seen(self) -> None:
        session = self.session
        redirect = Redirect(kind=1, server=bytes(32), addresses=(), token=bytes(16), ticket=bytes(32), taken=0)
        changes: list[tuple[str, object]] = [
            ("path", Path(0, b"p" * 18)), ("confirmed", False), ("suite", 1), ("binding", b"b" * 32),
            ("proven_own", frozenset([b"w"])), ("proven_peer", frozenset([b"w"])), ("peer_done", True), ("ends", 99.0),
            ("redirect", redirect), ("roam", Candidate(Path(0, b"r" * 18), b"8 bytes!")), ("own", b"o" * 32),
            ("peer", b"x" * 32),
        ]  # fmt: skip
        for name, value in changes:
            self.changes(name, lambda name=name, value=value: setattr(session, name, value))

    def test_the_keys_the_window_and_the_epoch_are_seen(self) -> None:
        peer = sessions(self.client)[0]
        path = Path(0, self.client.address)
        self.changes("window", lambda: self.server.node.receive(path, [peer.seal.seal(b"\0")], self.server.moment()))
        self.changes("keys", self.session.seal.erase)

    def test_what_is_under_way_is_seen(self) -> None:
        moment = self.server.moment()
        self.changes("request", lambda: self.server.request(self.client.public, Say(text="b")))
        self.changes("told", lambda: self.server.node.tell(self.client.public, Say(text="b"), moment))
        self.changes("outgoing", self.server.node.outgoing)
        held: list[Outcome] = []
        self.server.answer(Say, lambda call: held.append(Outcome("later", 0.0)) or held[-1])
        self.client.request(self.server, Say(text="c"))
        self.changes("taken", lambda: self.net.run(0.05))
        self.changes("told", lambda: self.net.run(0.5))
        self.changes("reply", lambda: held[0].settle(self.net.clock.now, Said(text="d")))

    def test_what_the_node_holds_is_seen(self) -> None:
        node, moment = self.server.node, self.server.moment()
        stranger, path = SeedKey(b"s" * 32).public, Path(0, b"q" * 18)
        self.changes("wallet", lambda: node.add_wallet(SeedKey(b"w" * 32)))
        self.changes("token", lambda: node.learn_token(bytes(32), bytes(16)))
        self.changes("dial", lambda: node.ping(stranger, moment, paths=(path,)))
        self.changes("close", lambda: node.close(moment))

    def test_a_half_open_handshake_is_seen(self) -> None:
        other = self.net.node("other")
        other.ping(self.server)
        self.changes("half-open", lambda: self.net.run(0.012))

    def test_counters_and_clocks_are_not(self) -> None:
        before = self.server.node.state_digest()
        self.state.counters["anything"] += 1
        self.session.heard += 100.0
        self.session.alive += 100.0
        self.server.node.tick(self.server.moment())
        self.assertEqual(self.server.node.state_digest(), before)
