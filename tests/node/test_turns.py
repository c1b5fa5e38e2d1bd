"""A node under more Hellos without a cookie than get a Retry: whom it hears, and how soon."""

from __future__ import annotations

from rhotwist.keys.pair import SeedKey
from rhotwist.limits import Limits
from rhotwist.link.sieve import SLOT
from rhotwist.moment import Moment
from rhotwist.net.filters import passes
from rhotwist.node.core import Node
from rhotwist.node.jobs import Admit, Admitted
from rhotwist.secret.curve import OPERATIONS
from rhotwist.secret.handshake import Draft
from rhotwist.secret.kem import ML_KEM_768
from rhotwist.testing.cases import SeededTestCase
from rhotwist.testing.network import Network
from rhotwist.wire.datagram import Path, pack_address
from rhotwist.wire.packet import RETRY_SIZE

SERVER, CLIENT = SeedKey(b"s" * 32), SeedKey(b"c" * 32)
#: A twentieth of what is shipped, under a twentieth of 20,000 Hellos a second.
LIMITS = Limits(cookie_load=-1.0, retry_rate=Limits().retry_rate / 20)
FLOOD = 1_000


class Turns(SeededTestCase):
    """One node and what its carrier reads for it."""

    def setUp(self) -> None:
        chance = Network(1).chance("turns")
        self.random = chance.random
        self.node = Node(SERVER, rng=chance.randbytes, limits=LIMITS)
        draft = Draft.draw(CLIENT, SERVER.public, 2, (2,), code=77, rng=chance.randbytes, kem=ML_KEM_768)
        self.hello = draft.seal().datagram
        self.now = Moment(100.0, 0.0)
        self.turn = None
        self.told = self.dropped = 0

    def arrives(self, host: str, port: int) -> bool:
        """Whether a Hello from there draws a Retry."""
        if self.turn is not None and not passes(self.turn, (host, port), self.hello[4:8]):
            self.dropped += 1
            return False
        self.node.receive(Path(0, pack_address(host, port)), (self.hello,), self.now)
        self.carry()
        return any(len(data) == RETRY_SIZE for burst in self.node.outgoing() for data in burst.datagrams)

    def carry(self) -> None:
        """Do as carriers do."""
        while jobs := self.node.jobs():
            for job in jobs:
                self.assertIsInstance(job, Admit)
                self.turn, self.told = job.turn, self.told + 1
                dropped, self.dropped = self.dropped, 0
                self.node.done(job, Admitted(dropped, 0.0), self.now)

    def flood(self, seconds: float) -> None:
        for _ in range(int(seconds * FLOOD)):
            self.now = self.now._replace(mono=self.now.mono + 1 / FLOOD)
            number = int(self.random() * 2**30)
            self.arrives(f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}", 1024 + number % 60_000)
            if (self.node.deadline() or self.now.mono) < self.now.mono:
                self.node.tick(self.now)
                self.carry()

    def test_whoever_goes_on_knocking_is_answered_within_three_seconds(self) -> None:
        curve = OPERATIONS.total
        self.flood(2.0)
        waits = []
        for stranger in range(25):
            begun = self.now.mono
            while not self.arrives("192.0.2.7", 2000 + stranger):
                self.flood(0.5 * (0.8 + 0.4 * self.random()))
            waits.append(self.now.mono - begun)
        self.assertTrue(max(waits) <= 3.0, sorted(waits))
        self.assertEqual((OPERATIONS.total, len(self.node._state.gate)), (curve, 0))
        self.assertLess(self.node.counters["retry"], LIMITS.retry_rate * (self.now.mono - 100.0))
        self.assertNotIn("drop busy", self.node.counters)

    def test_when_it_is_over_everyone_is_heard_and_nothing_is_due(self) -> None:
        self.flood(2.0)
        self.assertIsNotNone(self.turn)
        for _ in range(6):
            self.now = self.now._replace(mono=self.now.mono + SLOT)
            self.node.tick(self.now)
            self.carry()
        self.assertEqual((self.turn, self.node.deadline()), (None, None))

    def test_nobody_is_told_anything_while_there_is_no_rush(self) -> None:
        for number in range(100):
            self.now = self.now._replace(mono=self.now.mono + 0.01)
            self.assertTrue(self.arrives("192.0.2.7", 2000 + number))
        self.assertIsNone(self.turn)
        self.assertLess(self.told, 4)
