"""The network whole: delivery, partitions, addresses, crashes, and one trace a seed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path as FilePath

from rhotwist.errors import LocalError
from rhotwist.testing import HOSTILE, Faults, Network, NotSettled, SeededTestCase
from rhotwist.testing.network import WALL
from rhotwist.testing.trace import EVERYBODY
from rhotwist.wire.datagram import Path, pack_address, unpack_address
from tests.testing.fakes import ASK, Talker, digests, sealed, talk

ROOT = FilePath(__file__).resolve().parents[2]


def pair(network: Network, **named: float) -> tuple[Talker, Talker]:
    one, other = Talker(network, "one", **named), Talker(network, "other", **named)
    network.join(one)
    network.join(other)
    return one, other


class TraceOfARunTests(SeededTestCase):
    """Same seed, same trace."""

    def test_the_same_seed_gives_the_same_trace_and_another_seed_another(self) -> None:
        seen = set()
        for seed in self.seeds(10, 1000):
            first, second = talk(seed, HOSTILE), talk(seed, HOSTILE)
            self.assertEqual(first.trace.digest(), second.trace.digest())
            self.assertEqual(first.clock.now, second.clock.now)
            self.assertNotIn(first.trace.digest(), seen)
            seen.add(first.trace.digest())

    def test_the_trace_does_not_depend_on_how_python_hashes(self) -> None:
        found = set()
        for hashing in ("0", "4711"):
            found.add(
                subprocess.run(
                    [sys.executable, "-m", "tests.testing.fakes", "7"],
                    env=os.environ | {"PYTHONHASHSEED": hashing, "PYTHONPATH": str(ROOT)},
                    cwd=ROOT,
                    check=True,
                    capture_output=True,
                    text=True,
                ).stdout
            )
        self.assertEqual({digests(7)}, found)

    def test_one_machine_more_changes_nothing_between_the_others(self) -> None:
        """Each link and core has its own chance, so a failing run can be cut down without becoming another."""

        def seen(bystander: bool) -> list[object]:
            network = Network(5, HOSTILE)
            one, other = pair(network)
            if bystander:
                third = Talker(network, "third")
                network.join(third)
                third.ask(other, 1)
            outcomes = [one.ask(other, number) for number in range(20)]
            network.wait(*outcomes)
            return [outcome.settled_at for outcome in outcomes]

        self.assertEqual(seen(False), seen(True))


class DeliveryTests(SeededTestCase):
    """Datagrams reach the address they are sent to, and come from the address of their sender."""

    def test_every_question_gets_its_answer_over_a_hostile_network(self) -> None:
        for seed in self.seeds(20, 500):
            network = talk(seed, HOSTILE)
            self.assertTrue(network.lost["loss"] > 0)
            for name, machine in network.machines.items():
                if name != "server":
                    assert isinstance(machine, Talker)
                    self.assertEqual({}, machine.waiting)

    def test_the_receiver_sees_the_address_of_the_sender(self) -> None:
        network = Network(1)
        one, other = pair(network)
        network.result(one.ask(other, 1))
        [(_, path, [_])] = other.chatter.received
        self.assertEqual(("10.0.0.1", 7460), unpack_address(path.address))
        self.assertEqual(Path(0, one.address), path)

    def test_machines_have_the_addresses_they_are_given_and_none_has_two(self) -> None:
        network = Network(1)
        six = pack_address("fd00::7", 99)
        one = network.join(Talker(network, "six"), six)
        self.assertEqual(six, one.address)
        self.assertRaises(LocalError, network.join, Talker(network, "again"), six)
        self.assertRaises(LocalError, network.join, Talker(network, "six"))

    def test_what_is_sent_nowhere_is_lost_and_counted(self) -> None:
        network = Network(1)
        one, _ = pair(network)
        one.chatter.say(Path(0, pack_address("192.0.2.1", 1)), [b"x", b""])
        one.act()
        network.run(1.0)
        self.assertEqual({"nobody": 2}, dict(network.lost))

    def test_bursts_stay_together_or_come_apart_as_the_faults_say(self) -> None:
        for share, reads in ((1.0, 1), (0.0, 3)):
            network = Network(1, Faults(together=share))
            one, other = pair(network)
            one.chatter.say(Path(0, other.address), [sealed(9, n) for n in range(3)])
            one.act()
            network.run(1.0)
            self.assertEqual(reads, len(other.chatter.received))
            came = [datagram for _, _, datagrams in other.chatter.received for datagram in datagrams]
            self.assertEqual([sealed(9, n) for n in range(3)], came)

    def test_a_burst_that_stays_together_still_suffers_every_fault(self) -> None:
        network = Network(1, Faults(together=1.0, loss=0.3, duplicate=0.3, reorder=0.3))
        one, other = pair(network)
        for _ in range(100):
            one.chatter.say(Path(0, other.address), [bytes([n]) * 20 for n in range(10)])
            one.act()
            network.run(1.0)
        came = sum(len(datagrams) for _, _, datagrams in other.chatter.received)
        self.assertTrue(100 < network.lost["loss"] < 500)
        self.assertTrue(came > 1000 - network.lost["loss"])
        self.assertTrue(any(1 < len(datagrams) < 10 for _, _, datagrams in other.chatter.received))

    def test_someone_on_the_path_sees_and_replaces_what_travels(self) -> None:
        network = Network(1)
        one, other = pair(network)
        seen = []

        def double_and_mark(source: object, target: object, datagram: bytes) -> list[bytes]:
            seen.append((source, target, datagram))
            return [datagram, b"!" + datagram] if source is one else [datagram]

        network.on_path = double_and_mark
        network.result(one.ask(other, 1))
        self.assertEqual([(one, other), (other, one)], [(source, target) for source, target, _ in seen])
        came = [datagram for _, _, datagrams in other.chatter.received for datagram in datagrams]
        self.assertEqual([seen[0][2], b"!" + seen[0][2]], came)

    def test_a_forged_sender_is_answered_at_the_address_he_claims(self) -> None:
        network = Network(1)
        one, other = pair(network)
        network.inject(one.address, other.address, sealed(ASK, 5))
        network.run(1.0)
        self.assertEqual(1, one.chatter.answers[5])

    def test_counts_say_what_set_out(self) -> None:
        network = Network(1)
        one, other = pair(network)
        network.result(one.ask(other, 1))
        self.assertEqual((2, 53 + 33), (network.sent_datagrams, network.sent_bytes))


class PartitionTests(SeededTestCase):
    """Who sees whom."""

    def test_a_cut_lasts_until_it_is_healed(self) -> None:
        network = Network(1)
        one, other = pair(network)
        network.cut(one, other)
        outcome = one.ask(other, 1)
        self.assertRaises(NotSettled, network.wait, outcome, limit=10.0)
        self.assertTrue(network.lost["cut"] >= 19)
        network.heal()
        network.wait(outcome, limit=1.0)

    def test_a_one_way_cut_lets_questions_in_and_no_answer_out(self) -> None:
        network = Network(1)
        one, other = pair(network)
        network.cut(other, one, one_way=True)
        outcome = one.ask(other, 1)
        network.run(5.0)
        self.assertFalse(outcome.settled)
        self.assertTrue(len(other.chatter.asked) >= 9)
        self.assertEqual(0, one.chatter.answers[1])

    def test_isolating_one_leaves_the_others_together(self) -> None:
        network = Network(1)
        one, other = pair(network)
        third = Talker(network, "third")
        network.join(third)
        network.isolate(third)
        network.wait(one.ask(other, 1), limit=1.0)
        for outcome in (one.ask(third, 2), third.ask(one, 3)):
            self.assertRaises(NotSettled, network.wait, outcome, limit=3.0)
        network.cut(one, other)
        network.heal(third)
        network.wait(one.ask(third, 4), limit=1.0)
        self.assertRaises(NotSettled, network.wait, one.ask(other, 5), limit=1.0)

    def test_machines_that_come_later_are_cut_off_too(self) -> None:
        network = Network(1)
        one, other = pair(network)
        network.cut(one, other)
        self.assertTrue(network.link(one, other).closed)
        network.isolate(one)
        third = Talker(network, "third")
        network.join(third)
        self.assertTrue(network.link(third, one).closed)
        self.assertFalse(network.link(third, other).closed)

    def test_a_swizzle_passes_through_mixtures_and_ends_healed(self) -> None:
        for seed in self.seeds(5, 100):
            network = Network(seed)
            talkers = [Talker(network, f"m{n}") for n in range(6)]
            for talker in talkers:
                network.join(talker)
            network.swizzle(talkers, 10.0)
            states = set()
            for _ in range(100):
                network.run(0.1)
                states.add(tuple(network.link(talkers[n], talkers[n - 1]).closed for n in range(6)))
            network.run(0.1)
            self.assertTrue(len(states) > 3)
            self.assertIn((True,) * 6, states)
            self.assertEqual([False] * 6, [network.link(talkers[n], talkers[n - 1]).closed for n in range(6)])

    def test_faults_can_differ_by_link_and_change_everywhere(self) -> None:
        network = Network(1)
        one, other = pair(network)
        third = Talker(network, "third")
        network.join(third)
        network.between(one, other, Faults(loss=1.0))
        network.wait(one.ask(third, 1), limit=1.0)
        self.assertRaises(NotSettled, network.wait, other.ask(one, 2), limit=3.0)
        network.everywhere(Faults(loss=1.0))
        self.assertRaises(NotSettled, network.wait, one.ask(third, 3), limit=3.0)
        network.everywhere(Faults())
        network.wait(one.ask(other, 4), one.ask(third, 5), limit=1.0)


class NatTests(SeededTestCase):
    """Addresses that change under way."""

    def test_after_a_rebinding_the_old_address_leads_nowhere_and_the_new_one_is_seen(self) -> None:
        network = Network(1)
        one, other = pair(network)
        old = one.address
        for moved_host in (False, True):
            before = one.address
            new = network.rebind(one, host=moved_host)
            self.assertEqual(new, one.address)
            self.assertEqual(moved_host, before[:16] != new[:16])
            network.wait(one.ask(other, 1 + moved_host), limit=1.0)
            self.assertEqual(new, other.chatter.received[-1][1].address)
        network.inject(other.address, old, b"x")
        self.assertEqual({"nobody": 1}, dict(network.lost))

    def test_what_is_on_its_way_when_the_address_changes_is_lost(self) -> None:
        network = Network(1, Faults(delay=0.1))
        one, other = pair(network)
        outcome = one.ask(other, 1)
        network.run(0.15)
        network.rebind(one)
        network.run(0.2)
        self.assertEqual((0, {"nobody": 1}), (one.chatter.answers[1], dict(network.lost)))
        network.wait(outcome, limit=1.0)

    def test_a_nat_forgets_an_idle_mapping_and_gives_a_new_port(self) -> None:
        network = Network(1)
        one, other = pair(network)
        one.nat_timeout = 30.0
        network.inject(other.address, one.address, b"unasked")
        self.assertEqual({"nat": 1}, dict(network.lost), "nobody gets in before the first packet went out")
        network.wait(one.ask(other, 1), limit=1.0)
        old = one.address
        network.run(29.0)
        network.inject(other.address, old, sealed(ASK, 9))
        self.assertEqual([9], [job.number for job in one.chatter.asked], "still open, and answering keeps it open")
        network.run(31.0)
        network.inject(other.address, old, b"late")
        self.assertEqual({"nat": 2}, dict(network.lost))
        network.wait(one.ask(other, 2), limit=1.0)
        self.assertNotEqual(old, one.address)
        self.assertEqual(old[:16], one.address[:16])


class RunTests(SeededTestCase):
    """Letting time pass."""

    def test_run_lets_exactly_so_much_time_pass(self) -> None:
        network = Network(1)
        self.assertFalse(network.run(2.5))
        self.assertEqual(2.5, network.clock.now)
        self.assertEqual(WALL, network.start_of_wall)

    def test_run_until_stops_at_the_event_that_makes_it_true(self) -> None:
        network = Network(1)
        one, other = pair(network)
        one.ask(other, 1)
        self.assertTrue(network.run(10.0, until=lambda: other.chatter.received))
        self.assertAlmostEqual(0.010, network.clock.now)
        self.assertTrue(network.run(10.0, until=lambda: True))
        self.assertFalse(network.run(1.0, until=lambda: False))

    def test_wait_names_what_is_missing_and_the_seed(self) -> None:
        network = Network(17, Faults(loss=1.0))
        one, other = pair(network)
        outcomes = [one.ask(other, number) for number in range(3)]
        error = self.assertRaises(NotSettled, network.wait, *outcomes, limit=2.0)
        for told in ("one asks other number 0", "3 of 3", "seed 17", "2.0 s"):
            self.assertIn(told, str(error))

    def test_what_settles_after_its_wait_was_given_up_stops_no_later_run(self) -> None:
        network = Network(1, Faults(delay=1.0))
        one, other = pair(network, every=10.0)
        outcome = one.ask(other, 1)
        self.assertRaises(NotSettled, network.wait, outcome, limit=1.5)
        network.run(5.0)
        self.assertEqual(6.5, network.clock.now)
        self.assertTrue(outcome.settled)

    def test_work_that_nobody_does_is_an_error_of_the_test(self) -> None:
        network = Network(1)
        one, other = pair(network)
        bare = network.attach("bare", other.make)
        one.ask(bare, 1)
        self.assertRaises(LocalError, network.run, 1.0)

    def test_the_trace_tells_who_was_lost_on_whom(self) -> None:
        network = Network(1)
        one, other = pair(network)
        other.crash()
        one.ask(other, 1)
        network.run(0.1)
        self.assertIn(f"{EVERYBODY}>{other.index} type 1 53 B down", network.trace.tail(1)[0])
