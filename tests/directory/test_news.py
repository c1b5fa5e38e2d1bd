"""News on whole networks of nodes in virtual time, and partitions that heal."""

from __future__ import annotations

from rhotwist.directory.directory import Directory
from rhotwist.directory.endpoints import at_ip
from rhotwist.directory.jobs import Ask
from rhotwist.directory.messages import SyncHello
from rhotwist.directory.peers import Connect
from rhotwist.directory.record import Record, make_record
from rhotwist.keys.pair import SeedKey
from rhotwist.limits import Limits
from rhotwist.testing import Faults, Network, SeededTestCase
from rhotwist.testing.cases import full
from rhotwist.testing.directories import DirectoryHost, ring
from rhotwist.testing.kem import StandInKem

#: No work, no feelers, and no comparing: what arrives, arrives as news.
NEWS_ONLY = Limits(directory_work=0, sync_every=1e9, feel_every=1e9, peers_out=0)
COMPARING = Limits(directory_work=0, session_dead=5.0, request_timeout=5.0)
NODES = 1_000 if full() else 50
SIZE = 164


def fresh(network: Network, moment_of: DirectoryHost, count: int) -> list[Record]:
    """Records of 164 bytes, each from a neighbourhood of its own."""
    draw = network.chance(f"records/{network.clock.now}")
    date = moment_of.host.moment().date
    found = []
    for _ in range(count):
        place = at_ip("udp", f"{draw.randrange(20, 90)}.{draw.randrange(256)}.{draw.randrange(256)}.1", 7460)
        found.append(make_record(SeedKey(draw.randbytes(32)), date, [place], 720, bytes(SIZE - 122)))
    return found


class NewsTests(SeededTestCase):
    """A network whose nodes have eight neighbours each, 50 ms apart."""

    def hosts(self, seed: int, count: int, silent: int = 0) -> tuple[Network, list[DirectoryHost]]:
        network = self.network(seed, Faults(delay=0.05))
        network.kem = StandInKem(network.chance("kem").randbytes)
        hosts = [
            DirectoryHost(network.node(f"node {n}", limits=NEWS_ONLY), NEWS_ONLY, silent=n < silent)
            for n in range(count)
        ]
        ring(network, hosts, 8)
        network.run(8)  # the first comparisons are over
        return network, hosts

    def spread(self, network: Network, hosts: list[DirectoryHost], count: int) -> tuple[list[float], float]:
        """Seconds until each record was at each host, sorted, and sealed bytes a node and record."""
        before, start = network.sent_bytes, network.clock.now
        records = fresh(network, hosts[-1], count)
        network.chance(f"source/{start}").choice([host for host in hosts if not host.silent]).publish(records)
        network.run(6)
        self.assertEqual(SIZE, len(records[0].encode()))
        times = [host.came.get(one.address, 1e9) - start for one in records for host in hosts if not host.silent]
        return sorted(times), (network.sent_bytes - before) / len(hosts) / count

    def test_news_reaches_99_percent_in_2500_ms_and_costs_little_more_than_itself(self) -> None:
        for seed in self.seeds(1, 3):
            network, hosts = self.hosts(seed, NODES)
            for count, most in ((1, 450), (5, 250), (20, 250)):
                times, size = self.spread(network, hosts, count)
                self.assertLessEqual(times[int(0.99 * len(times))], 2.5)
                self.assertLess(times[-1], 1e6)
                self.assertLessEqual(size, most, count)

    def test_half_the_nodes_may_be_silent(self) -> None:
        reached = all_ = 0
        for seed in self.seeds(1, 5):
            network, hosts = self.hosts(seed, NODES, NODES // 2)
            times, _ = self.spread(network, hosts, 5)
            reached += sum(time < 6 for time in times)
            all_ += len(times)
        self.assertGreaterEqual(reached / all_, 0.995)

    def test_lost_packets_are_made_up_for(self) -> None:
        network, hosts = self.hosts(2, 20)
        network.everywhere(Faults(delay=0.05, loss=0.1))
        times, _ = self.spread(network, hosts, 5)
        self.assertLess(sum(time > 6 for time in times), 3)


class PartitionTests(SeededTestCase):
    """Nodes that find each other, compare, lose each other and heal."""

    def test_after_any_partitions_there_is_one_root(self) -> None:
        for seed in self.seeds(1, 100):
            network = self.network(seed, Faults(delay=0.02))
            network.kem = StandInKem(network.chance("kem").randbytes)
            draw = network.chance("story")
            hosts = [
                DirectoryHost(network.node(f"node {n}", limits=COMPARING), COMPARING)
                for n in range(50 if full() else 10)
            ]
            for host in hosts:
                host.host.wall_skew = draw.uniform(-600, 600)
            ring(network, hosts, 4)
            own = [host.record() for host in hosts]
            for host, record in zip(hosts, own, strict=True):
                host.publish([record])
            network.run(20)
            for _ in range(2):
                side = draw.sample(hosts, len(hosts) // 2)
                for one in side:
                    for other in hosts:
                        if other not in side:
                            network.cut(one.host, other.host)
                for number, host in enumerate(draw.sample(hosts, 5)):
                    host.publish(fresh(network, hosts[0], 3)[: 1 + number % 3])
                network.run(90)
                network.heal()
            network.run(1_800, until=lambda hosts=hosts: len({host.tree.root for host in hosts}) == 1)
            self.assertEqual(1, len({host.tree.root for host in hosts}))
            self.assertGreater(hosts[0].tree.total, len(hosts))

    def test_nodes_of_different_days_wait_for_each_other(self) -> None:
        network = self.network(1, Faults(delay=0.02))
        hosts = [DirectoryHost(network.node(f"node {n}", limits=COMPARING), COMPARING) for n in range(2)]
        hosts[0].host.wall_skew = 86_400.0
        hosts[0].act()
        network.wait(hosts[0].befriend(hosts[1]))
        hosts[1].publish(fresh(network, hosts[1], 300))
        network.run(200)
        self.assertEqual(hosts[0].tree.epoch, hosts[1].tree.epoch + 1)
        hosts[1].host.wall_skew = 86_400.0
        network.run(200)
        self.assertEqual(hosts[0].tree.root, hosts[1].tree.root)
        self.assertEqual(hosts[0].tree.epoch, hosts[1].tree.epoch)

    def test_a_node_that_comes_back_reads_on_where_it_was(self) -> None:
        network = self.network(1, Faults(delay=0.02))
        one, other = (DirectoryHost(network.node(f"node {n}", limits=COMPARING), COMPARING) for n in range(2))
        other.publish(fresh(network, other, 40))
        one.directory.peers.paste(other.host.public, other.place)
        network.run(30)
        self.assertEqual((40, other.tree.root), (one.tree.total, one.tree.root))
        [known] = one.directory.state()
        self.assertEqual((other.tree.store_id, other.tree.seq, True), (known.store_id, known.cursor, known.kept))
        again = Directory(one.host.public, one.tree, COMPARING, bytes)
        again.load([known])
        again.tick(one.host.moment())
        [connect] = [job for job in again.jobs() if isinstance(job, Connect)]
        self.assertEqual((other.host.public, other.place), (connect.key, connect.place))
        again.opened(connect.key, connect.place, bytes(32), one.host.moment())
        network.run(2)
        again.tick(one.host.moment())
        [ask] = [job for job in again.jobs() if isinstance(job, Ask)]
        hello = ask.request
        self.assertIsInstance(hello, SyncHello)
        self.assertEqual((known.store_id, known.cursor, b""), (hello.store, hello.cursor, hello.cells))  # type: ignore[attr-defined]
