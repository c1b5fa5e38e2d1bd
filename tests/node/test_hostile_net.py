"""The whole spine on a net that loses, doubles, reorders and damages, in virtual time."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from rhotwist.testing.cases import SeededTestCase
from rhotwist.testing.link import Faults
from rhotwist.testing.network import Network
from tests.node.talk import Said, Say, server, sessions

HOSTILE = Faults(loss=0.3, burst=3, duplicate=0.1, reorder=0.1, corrupt=0.03, truncate=0.01, delay=0.02, jitter=0.02)
CLIENTS, REQUESTS = 20, 200
OPEN_WITHIN, OPEN_ALL = 15.0, 30.0


def opened_at(network: Network, hosts: list, limit: float) -> list[float]:
    """When each host's first session was confirmed, in virtual seconds; limit for one that never was."""
    times: dict[str, float] = {}
    while network.clock.now < limit and len(times) < len(hosts):
        network.run(0.1)
        for host in hosts:
            if host.name not in times and host.node.counters["opened"]:
                times[host.name] = network.clock.now
    return [times.get(host.name, limit) for host in hosts]


def one_run(network: Network) -> tuple[list[float], list, list]:
    """CLIENTS open sessions and fire REQUESTS at random moments of 10 s; times of opening, outcomes, hosts."""
    node = server(network)
    hosts = [network.node(f"client {number}") for number in range(CLIENTS)]
    draw = network.chance("requests")
    outcomes = [host.request(node, Say(text="first"), timeout=90) for host in hosts]

    def ask(job: tuple) -> None:
        host, number = job
        outcomes.append(host.request(node, Say(text=f"message {number}"), timeout=90))

    for number in range(REQUESTS - CLIENTS):
        network.clock.later(draw.uniform(0, 10), ask, (draw.choice(hosts), number))
    times = opened_at(network, hosts, 35.0)
    network.run(max(0.0, 11.0 - network.clock.now))
    network.wait(*outcomes, limit=120)
    network.run(60)  # settle
    return times, outcomes, [node, *hosts]


class HostileNet(SeededTestCase):
    """30 % loss each way in bursts, duplicates, reordering, bit errors and cut datagrams."""

    def test_handshakes_open_in_time_and_every_request_has_one_outcome(self) -> None:
        times: list[float] = []
        replies = requests = 0
        for seed in self.seeds(10, 1000):
            opened, outcomes, hosts = one_run(self.network(seed, HOSTILE))
            times += opened
            requests += len(outcomes)
            for outcome in outcomes:
                self.assertTrue(outcome.settled, outcome)
                if isinstance(outcome.reply, Said):
                    replies += 1
            node, *clients = hosts
            self.assertEqual([len(sessions(host)) for host in clients], [1] * CLIENTS)
            self.assertEqual(len(sessions(node)), CLIENTS)
            self.assertEqual(node.node.status()["pending_requests"], 0)
            self.assertEqual([host.node.status()["pending_requests"] for host in clients], [0] * CLIENTS)
        self.assertGreaterEqual(sum(time <= OPEN_WITHIN for time in times) / len(times), 0.995)
        self.assertLessEqual(max(times), OPEN_ALL)
        self.assertGreater(replies / requests, 0.99)

    def test_a_handler_runs_once_for_each_request(self) -> None:
        for seed in self.seeds(5, 200):
            network = self.network(seed, HOSTILE)
            seen: list[str] = []
            node = network.node("server")
            node.answer(Say, lambda call, seen=seen: (seen.append(call.body.text), Said(text="ok"))[1])
            client = network.node("client")
            outcomes = [client.request(node, Say(text=str(number)), timeout=90) for number in range(100)]
            network.wait(*outcomes, limit=120)
            self.assertEqual(len(seen), len(set(seen)))
            answered = sum(isinstance(outcome.reply, Said) for outcome in outcomes)
            self.assertEqual(answered, 100)
            self.assertEqual(len(seen), 100)

    def test_same_seed_same_trace_under_another_hash_seed(self) -> None:
        script = (
            "from tests.node.test_hostile_net import HOSTILE, one_run\n"
            "from rhotwist.testing.network import Network\n"
            "network = Network(7, HOSTILE)\n"
            "one_run(network)\n"
            "print(network.trace.digest())\n"
        )
        traces = set()
        for hash_seed in ("0", "1", "4711"):
            environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
            run = subprocess.run(
                [sys.executable, "-c", script], cwd=Path(__file__).parents[2], env=environment, capture_output=True,
                text=True, check=True,
            )  # fmt: skip
            traces.add(run.stdout)
        self.assertEqual(len(traces), 1, traces)
