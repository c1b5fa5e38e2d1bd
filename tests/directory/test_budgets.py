"""What a stranger may cost: buckets that only delay, a room that is bounded, one knock at an address."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from twisted.trial.unittest import SynchronousTestCase

from rhotwist.directory.allowance import Allowance
from rhotwist.directory.attempts import Attempts
from rhotwist.directory.endpoints import Endpoint, Kind, at_ip
from rhotwist.directory.waiting import Origin, Source, Waiter, WaitingRoom
from rhotwist.errors import LocalError
from rhotwist.limits import Limits
from tests import FULL
from tests.directory.support import NOON, PEER, chance, place, record

OTHER = Source(Origin.UNSOLICITED, b"\1" * 32)


class AllowanceTests(SynchronousTestCase):
    def test_a_burst_goes_at_once_and_the_rest_at_the_rate(self) -> None:
        some = Allowance(0.5, 3, 10, chance)
        self.assertEqual([0, 0, 0, 2, 4], [some.take(b"a", 1, 100.0) for _ in range(5)])
        self.assertEqual([0, 0], [some.take(b"b", 1, 100.0), some.take(b"b", 2, 100.0)])

    def test_it_fills_up_to_the_burst_and_no_further(self) -> None:
        some = Allowance(0.5, 3, 10, chance)
        some.take(b"a", 3, 0.0)
        self.assertEqual([0, 2], [some.take(b"a", 1, 2.0) for _ in range(2)])
        self.assertEqual([0, 0, 0, 2], [some.take(b"a", 1, 1_000.0) for _ in range(4)])

    def test_asking_books_nothing_and_a_booking_is_taken_back(self) -> None:
        some = Allowance(1, 2, 10, chance)
        self.assertEqual([0, 0, 1], [some.wait(b"a", amount, 0.0) for amount in (1, 2, 3)])
        some.take(b"a", 2, 0.0)
        self.assertEqual(1, some.wait(b"a", 1, 0.0))
        some.take(b"a", -1, 0.0)
        self.assertEqual(0, some.wait(b"a", 1, 0.0))

    def test_a_million_keys_take_no_more_memory_than_the_bound(self) -> None:
        some = Allowance(1, 1, 10, chance)
        for number in range(1_000):
            some.take(number.to_bytes(4, "big"), 1, 0.0)
        self.assertEqual(10, len(some))
        self.assertRaises(LocalError, Allowance, 0, 1, 1, chance)
        self.assertRaises(LocalError, Allowance, 1, 0, 1, chance)


def waiter(number: int, due: float, source: Source = PEER, verified: bool = False, issued: int = NOON) -> Waiter:
    return Waiter(record(number, issued), source, due, verified)


class RoomTests(SynchronousTestCase):
    def test_they_leave_in_the_order_of_their_time(self) -> None:
        room = WaitingRoom(10, 10)
        some = [waiter(number, due) for number, due in enumerate((3.0, 1.0, 2.0))]
        self.assertTrue(all(map(room.put, some)))
        self.assertEqual((3, 1.0), (len(room), room.deadline()))
        self.assertEqual([], room.due(0.9, 10))
        self.assertEqual([some[1], some[2]], room.due(2.0, 10))
        self.assertEqual(3.0, room.deadline())
        self.assertEqual([some[0]], room.due(9.0, 10))
        self.assertIsNone(room.deadline())

    def test_the_newest_of_an_address_waits_alone_at_the_time_of_the_first(self) -> None:
        room = WaitingRoom(10, 10)
        for issued, due in ((NOON, 5.0), (NOON + 60, 9.0), (NOON - 60, 1.0)):
            self.assertTrue(room.put(waiter(1, due, issued=issued)))
        self.assertEqual([waiter(1, 5.0, issued=NOON + 60)], room.due(10.0, 10))

    def test_a_forgery_does_not_push_out_what_another_peer_brought_or_what_was_verified(self) -> None:
        room = WaitingRoom(10, 10)
        true, verified, forged = waiter(1, 1.0), waiter(1, 2.0, verified=True), waiter(1, 3.0, OTHER, issued=NOON + 60)
        self.assertTrue(all(map(room.put, (true, verified, forged))))
        self.assertEqual([true, verified, forged], room.due(9.0, 10))

    def test_a_full_room_refuses_the_newcomer_and_a_peer_has_its_share(self) -> None:
        room = WaitingRoom(3, 2)
        self.assertEqual([True, True, False], [room.put(waiter(number, 1.0)) for number in range(3)])
        self.assertEqual([True, False], [room.put(waiter(number, 1.0, OTHER)) for number in (7, 8)])
        self.assertTrue(room.put(waiter(1, 1.0, issued=NOON + 60)))
        self.assertEqual(2, len(room.due(1.0, 2)))
        self.assertTrue(room.put(waiter(9, 1.0)))
        self.assertTrue(WaitingRoom(1, 1).put(waiter(1, 1.0)))

    def test_a_sender_none_of_whose_records_waits_is_forgotten(self) -> None:
        room = WaitingRoom(9, 9)
        self.assertTrue(all(map(room.put, (waiter(1, 1.0), waiter(2, 2.0), waiter(3, 1.0, OTHER)))))
        room.due(1.0, 9)
        self.assertEqual({PEER.sender: 1}, room._of)


class RoomMachine(RuleBasedStateMachine):
    """The room against a list."""

    def __init__(self) -> None:
        super().__init__()
        self.room = WaitingRoom(6, 4)
        self.here: list[Waiter] = []
        self.mono = 0.0

    @rule(number=st.integers(0, 5), issued=st.integers(0, 3), wait=st.integers(0, 9), other=st.booleans())
    def put(self, number: int, issued: int, wait: int, other: bool) -> None:
        new = waiter(number, self.mono + wait + number / 10, OTHER if other else PEER, issued=NOON + 60 * issued)
        same = [at for at, old in enumerate(self.here)
                if (old.source, old.record.address) == (new.source, new.record.address)]  # fmt: skip
        taken = self.room.put(new)
        if same:
            assert taken
            old = self.here[same[0]]
            if new.record.issued > old.record.issued:
                self.here[same[0]] = new._replace(due=old.due)
            return
        fits = len(self.here) < 6 and sum(old.source == new.source for old in self.here) < 4
        assert taken == fits
        self.here += [new] * fits

    @rule(passed=st.integers(0, 5), most=st.integers(1, 3))
    def due(self, passed: int, most: int) -> None:
        self.mono += passed
        found = self.room.due(self.mono, most)
        want = sorted(old.due for old in self.here if old.due <= self.mono)[:most]
        assert [one.due for one in found] == want
        for one in found:
            self.here.remove(one)

    @invariant()
    def same(self) -> None:
        assert len(self.room) == len(self.here)
        assert self.room.deadline() == min((old.due for old in self.here), default=None)


class MachineTests(SynchronousTestCase):
    def test_the_room_is_what_a_list_would_be(self) -> None:
        run_state_machine_as_test(RoomMachine, settings=settings(max_examples=300 if FULL else 40))


class AttemptTests(SynchronousTestCase):
    def test_an_address_is_tried_once_in_ten_minutes_whatever_the_port_and_carrier(self) -> None:
        tries = Attempts(Limits())
        self.assertEqual(0, tries.begin(at_ip("udp", "8.8.8.8", 1).encode(), 100.0))
        self.assertEqual(600, tries.begin(at_ip("udp", "8.8.8.8", 1).encode(), 100.0))
        self.assertEqual(1, tries.begin(at_ip("tcp", "8.8.8.8", 2).encode(), 699.0))
        for other in ("8.8.8.9", "9.8.8.8"):
            self.assertEqual(0, tries.begin(at_ip("tcp", other, 2).encode(), 699.0))
        self.assertEqual(0, tries.begin(at_ip("tcp", "8.8.8.8", 2).encode(), 700.0))

    def test_a_household_of_ipv6_is_one_address_and_an_onion_service_is_one(self) -> None:
        tries = Attempts(Limits())
        onion = Endpoint(Kind.ONION, bytes(32), 80)
        for first, same, *others in (
            (at_ip("udp", "2a00::1", 1), at_ip("tcp", "2a00::ff00:0:0:2", 1), at_ip("udp", "2a00:0:0:1::1", 1),
             at_ip("udp", "2b00::1", 1)),
            (onion, onion._replace(port=1), onion._replace(value=bytes(31) + b"\1"),
             onion._replace(value=b"\1" + bytes(31))),
        ):  # fmt: skip
            results = [tries.begin(one.encode(), 0.0) for one in (first, same, *others)]
            self.assertEqual([0, 600, 0, 0], results)

    def test_a_full_table_waits_for_the_oldest_and_forgets_nobody(self) -> None:
        tries = Attempts(Limits(attempt_max=3))
        some = [place(number).encode() for number in range(4)]
        self.assertEqual([0, 0, 0, 597], [tries.begin(one, float(mono)) for mono, one in enumerate(some)])
        self.assertEqual((599, 3), (tries.begin(some[1], 2.0), len(tries)))
        self.assertEqual((0, 3), (tries.begin(some[3], 600.0), len(tries)))

    def test_ten_thousand_records_that_name_one_victim_draw_ten_packets_a_minute_at_most(self) -> None:
        """Attack: reflection. An attempt is six datagrams."""
        tries, made = Attempts(Limits()), []
        for second in range(0, 3_600, 30):
            for port in range(1, 10_000 if FULL else 100):
                if not tries.begin(at_ip("udp", "8.8.8.8", port).encode(), float(second)):
                    made.append(second)
        self.assertEqual([600 * n for n in range(6)], made)
        self.assertLessEqual(max(6 * sum(start <= at < start + 60 for at in made) for start in made), 10)
