"""A counter that several clients raise, tested over a network that loses, doubles, delays and damages datagrams.

    python -m twisted.trial docs/examples/counter_test.py
"""

from rhotwist import Request, Schema, u32
from rhotwist.errors import SessionLost
from rhotwist.testing import HOSTILE, SeededTestCase


class Total(Schema, name="example.total"):
    value: int = u32()


class Add(Request[Total], name="example.add"):
    value: int = u32()


class Counter:
    """The program under test: what it does with a request does not know where it runs."""

    def __init__(self, store):
        self.store = store

    def add(self, call):
        self.store["total"] = self.store.get("total", 0) + call.body.value
        return Total(value=self.store["total"])


class CounterTests(SeededTestCase):
    def test_every_addition_counts_exactly_once(self):
        for seed in self.seeds(5, 500):
            network = self.network(seed, HOSTILE)
            server = network.node("server")
            server.answer(Add, Counter(server.store).add)
            outcomes = [network.node(f"client {n}").request(server, Add(value=1)) for n in range(3)]
            network.wait(*outcomes, limit=60)
            counted = [outcome.reply.value for outcome in outcomes if outcome.failure is None]
            self.assertEqual(len(set(counted)), len(counted))
            self.assertLessEqual(max(counted), 3)

    def test_the_total_outlives_a_crash(self):
        network = self.network(1)
        server, client = network.node("server"), network.node("client")
        server.answer(Add, Counter(server.store).add)
        self.assertEqual(Total(value=5), network.result(client.request(server, Add(value=5))))
        server.crash()
        lost = client.request(server, Add(value=2), timeout=60)
        network.run(5)
        server.restart()
        network.wait(lost, limit=60)
        self.assertIsInstance(lost.failure, SessionLost)  # nobody is left who knows whether it was acted on
        self.assertEqual(Total(value=7), network.result(client.request(server, Add(value=2))))
