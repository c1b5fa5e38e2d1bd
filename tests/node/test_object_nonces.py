"""No key seals two texts under one nonce while objects are lost, halved, withdrawn, continued, rekeyed, restarted."""

from __future__ import annotations

from typing import Any

from rhotwist.limits import Limits
from rhotwist.secret import audit
from rhotwist.testing.cases import full
from rhotwist.testing.link import Faults
from rhotwist.testing.outcome import Outcome
from tests.node.talk import sessions
from tests.node.test_objects import Count, Give, ObjectsTestCase, content


class Nonces(ObjectsTestCase):
    """A hook on every seal."""

    def setUp(self) -> None:
        self.seen: dict[tuple[bytes, bytes], bytes] = {}
        self.seals = self.repeats = 0
        self.addCleanup(setattr, audit, "hook", None)
        audit.hook = self.watch

    def watch(self, key: bytes, nonce: bytes, text: bytes) -> None:
        self.seals += 1
        if self.seen.setdefault((key, nonce), text) != text:
            self.repeats += 1

    def test_no_nonce_meets_two_texts(self) -> None:
        wanted = 1_000_000 if full() else 25_000
        limits = Limits(object_max_stranger=2**21, ratchet_seals=200, object_seals_max=400)
        for seed in self.seeds(10_000, 10_000):
            lossy = Faults(loss=0.05, burst=3, duplicate=0.05, reorder=0.1, corrupt=0.01, rate=1_250_000)
            self.build(seed, lossy, limits)
            draw = self.net.chance("mischief")
            for round_ in range(8):
                asked: list[Outcome[Any]] = [
                    self.client.request(self.server, Count(data=content(300_000)), timeout=40) for _ in range(3)
                ]
                asked += [self.client.request(self.server, Give(size=300_000), timeout=40) for _ in range(3)]
                self.net.run(draw.uniform(0.2, 0.8))
                if round_ % 4 == 0:
                    self.net.rebind(self.client)
                elif round_ % 4 == 1:
                    self.net.everywhere(Faults(loss=0.05, mtu=600, rate=1_250_000))
                elif round_ % 4 == 2:
                    self.net.isolate(self.client)
                    self.net.run(12)
                    self.net.heal()
                else:
                    self.client.cancel(asked[0])
                    victim = draw.choice((self.client, self.server))
                    victim.crash()
                    victim.restart()
                self.net.wait(*asked, limit=300)
                self.net.everywhere(lossy)
            if seed == 0:
                self.assertGreater(self.server.node.counters["finished"] + self.client.node.counters["opened"], 0)
                self.assertTrue(sessions(self.client))
            self.assertEqual(self.repeats, 0)
            self.seen.clear()
            self.net.flush_errors()
            if self.seals >= wanted:
                break
        self.assertGreaterEqual(self.seals, wanted)
