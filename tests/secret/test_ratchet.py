"""The ratchet: both sides reach the next epoch whatever the net does to its messages, and nothing said is lost."""

import random
from pathlib import Path

import attrs
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from rhotwist.errors import BadPacket, LocalError
from rhotwist.limits import Limits
from rhotwist.secret import audit
from rhotwist.secret.ratchet import (
    LINGER_LEAST,
    LINGER_MOST,
    PATIENCE,
    REPEAT_MOST,
    Message,
    Phase,
    Ratchet,
    Rekey,
    Rekeyed,
    RekeyWanted,
    Turn,
)
from rhotwist.secret.seal import PacketSeal, next_root
from tests import FULL
from tests.secret.sides import ROOT, counting, opens, pair, state

PAGE = Path(__file__).parents[2] / "docs" / "spec" / "ratchet.md"
LIMITS = Limits()
RTT = 0.1


class Side:
    """One end, its messages as bytes."""

    def __init__(self, seal: PacketSeal, initiator: bool, seed: int, limits: Limits) -> None:
        self.seal = seal
        self.rng = counting(seed)
        self.ratchet = Ratchet(seal, initiator=initiator, rng=self.rng, limits=limits)
        self.heard: list[bytes] = []

    def packed(self, message: Message | None) -> list[bytes]:
        if message is None:
            return []
        if isinstance(message, Turn):
            return [self.seal.seal(b"\0")]
        kind = {Rekey: b"k", Rekeyed: b"d", RekeyWanted: b"w"}[type(message)]
        return [self.seal.seal(kind + message.epoch.to_bytes(4, "big") + getattr(message, "key", b""))]

    def say(self, text: bytes) -> bytes:
        return self.seal.seal(b"s" + text)

    def tick(self, mono: float) -> list[bytes]:
        return self.packed(self.ratchet.tick(mono, RTT, self.rng))

    def receive(self, datagram: bytes, mono: float) -> list[bytes]:
        try:
            _, plain = self.seal.open(datagram)
        except BadPacket:
            return []
        out = self.tick(mono) if self.seal.turned else []
        number, key = int.from_bytes(plain[1:5], "big"), plain[5:]
        if plain[:1] == b"s":
            self.heard.append(plain[1:])
        elif plain[:1] == b"k":
            out += self.packed(self.ratchet.on_rekey(Rekey(number, key), mono, self.rng))
        elif plain[:1] == b"d":
            out += self.packed(self.ratchet.on_rekeyed(Rekeyed(number, key), mono, RTT))
        elif plain[:1] == b"w":
            out += self.packed(self.ratchet.on_wanted(RekeyWanted(number), mono, RTT, self.rng))
        elif not out:
            out += self.packed(self.ratchet.on_empty())
        return out


def sides(limits: Limits = LIMITS, seed: int = 0) -> tuple[Side, Side]:
    a, b = pair(suite=1, seals_max=limits.ratchet_seals_max)
    return Side(a, True, seed, limits), Side(b, False, seed + 10**6, limits)


def settle(a: Side, b: Side, mono: float) -> None:
    """Let everything under way arrive at once, without loss."""
    queue = [(b, d) for d in a.tick(mono)] + [(a, d) for d in b.tick(mono)]
    while queue:
        to, datagram = queue.pop(0)
        queue += [(a if to is b else b, d) for d in to.receive(datagram, mono)]


def use(a: Side, b: Side) -> None:
    assert opens(b.seal, a.say(b"")) and opens(a.seal, b.say(b""))


class QuietTests(SynchronousTestCase):
    def test_the_vector_of_the_spec_page_holds(self) -> None:
        root = next_root(ROOT, b"\x22" * 32, 1, b"\x33" * 32, b"\x44" * 32)
        self.assertIn(root.hex(), PAGE.read_text())

    def test_both_sides_reach_the_next_epoch_and_talk_on(self) -> None:
        a, b = sides()
        use(a, b)
        settle(a, b, 0.0)
        self.assertEqual((a.seal.epoch, b.seal.epoch), (0, 0))
        settle(a, b, 1.1 * LIMITS.ratchet_seconds)
        self.assertEqual((a.seal.epoch, b.seal.epoch), (1, 1))
        self.assertEqual((a.ratchet.phase, b.ratchet.phase), (Phase.REST, Phase.REST))
        use(a, b)
        self.assertEqual(a.say(b"")[0] >> 4, 1)
        self.assertEqual(b.say(b"")[0] >> 4, 1)

    def test_the_steps_in_order(self) -> None:
        a, b = sides()
        use(a, b)
        rekey = a.ratchet.start(0.0, RTT, a.rng)
        self.assertEqual((rekey.epoch, len(rekey.key), a.ratchet.phase), (1, 32, Phase.ASKED))
        rekeyed = b.ratchet.on_rekey(rekey, 0.0, b.rng)
        self.assertEqual(b.ratchet.phase, Phase.OFFERED)
        assert rekeyed is not None
        self.assertEqual(rekeyed.epoch, 1)
        self.assertEqual(b.say(b"")[0] >> 4, 0)
        self.assertEqual(a.ratchet.on_rekeyed(rekeyed, 0.0, RTT), Turn())
        self.assertEqual((a.ratchet.phase, a.seal.epoch), (Phase.MOVED, 0))
        turn = a.seal.seal(b"\0")
        self.assertEqual(turn[0] >> 4, 1)
        b.seal.open(turn)
        self.assertEqual(b.ratchet.tick(0.0, RTT, b.rng), Turn())
        self.assertEqual((b.ratchet.phase, b.seal.epoch), (Phase.REST, 1))
        a.seal.open(b.seal.seal(b"\0"))
        self.assertIsNone(a.ratchet.tick(0.0, RTT, a.rng))
        self.assertEqual((a.ratchet.phase, a.seal.epoch), (Phase.REST, 1))

    def test_only_the_initiator_starts_and_only_at_rest(self) -> None:
        a, b = sides()
        self.assertRaises(LocalError, b.ratchet.start, 0.0, RTT, b.rng)
        a.ratchet.start(0.0, RTT, a.rng)
        self.assertRaises(LocalError, a.ratchet.start, 0.0, RTT, a.rng)

    def test_messages_out_of_place_change_nothing(self) -> None:
        a, b = sides()
        key = b"\x09" + bytes(31)
        before = state(a.seal), state(b.seal)
        for number in (0, 2, 3, 2**32 - 1):
            self.assertIsNone(b.ratchet.on_rekey(Rekey(number, key), 0.0, b.rng))
            self.assertIsNone(a.ratchet.on_rekeyed(Rekeyed(number, key), 0.0, RTT))
            self.assertIsNone(a.ratchet.on_wanted(RekeyWanted(number), 0.0, RTT, a.rng))
        self.assertIsNone(a.ratchet.on_rekey(Rekey(1, key), 0.0, a.rng))
        self.assertIsNone(b.ratchet.on_rekeyed(Rekeyed(1, key), 0.0, RTT))
        self.assertIsNone(a.ratchet.on_rekeyed(Rekeyed(1, key), 0.0, RTT))
        self.assertIsNone(b.ratchet.on_wanted(RekeyWanted(1), 0.0, RTT, b.rng))
        self.assertIsNone(a.ratchet.on_empty())
        self.assertIsNone(b.ratchet.on_empty())
        self.assertEqual((state(a.seal), state(b.seal)), before)
        self.assertEqual((a.ratchet.phase, b.ratchet.phase), (Phase.REST, Phase.REST))

    def test_a_second_offer_of_one_epoch_gets_the_same_answer_and_another_key_none(self) -> None:
        a, b = sides()
        rekey = a.ratchet.start(0.0, RTT, a.rng)
        answer = b.ratchet.on_rekey(rekey, 0.0, b.rng)
        before = state(b.seal)
        self.assertEqual(b.ratchet.on_rekey(rekey, 1.0, b.rng), answer)
        self.assertIsNone(b.ratchet.on_rekey(attrs.evolve(rekey, key=b"\x09" + bytes(31)), 1.0, b.rng))
        self.assertEqual(state(b.seal), before)

    def test_a_key_of_small_order_changes_nothing(self) -> None:
        a, b = sides()
        for point in (bytes(32), b"\x01" + bytes(31)):
            self.assertRaises(BadPacket, b.ratchet.on_rekey, Rekey(1, point), 0.0, b.rng)
            self.assertEqual((b.ratchet.phase, b.seal._next), (Phase.REST, None))
        rekey = a.ratchet.start(0.0, RTT, a.rng)
        self.assertRaises(BadPacket, a.ratchet.on_rekeyed, Rekeyed(1, bytes(32)), 0.0, RTT)
        self.assertEqual((a.ratchet.phase, a.seal._next), (Phase.ASKED, None))
        answer = b.ratchet.on_rekey(rekey, 0.0, b.rng)
        assert answer is not None
        self.assertIsNotNone(a.ratchet.on_rekeyed(answer, 0.0, RTT))

    def test_the_private_key_is_let_go(self) -> None:
        a, b = sides()
        rekey = a.ratchet.start(0.0, RTT, a.rng)
        self.assertTrue(a.ratchet._private)
        answer = b.ratchet.on_rekey(rekey, 0.0, b.rng)
        assert answer is not None
        a.ratchet.on_rekeyed(answer, 0.0, RTT)
        self.assertEqual((a.ratchet._private, b.ratchet._private), (b"", b""))


class WhenTests(SynchronousTestCase):
    def ages(self, initiator: bool) -> list[float]:
        found = []
        for byte in range(256):
            seal = pair(suite=1)[0 if initiator else 1]
            ratchet = Ratchet(seal, initiator=initiator, rng=lambda n, byte=byte: bytes([byte]) * n, limits=LIMITS)
            seal.seal(b"s")
            self.assertFalse(ratchet.wanted(100.0))
            due = ratchet.deadline()
            assert due is not None
            self.assertFalse(ratchet.wanted(due - 0.001))
            self.assertTrue(ratchet.wanted(due))
            found.append(due - 100.0)
        return found

    def test_an_epoch_lasts_20_minutes_give_or_take_a_tenth(self) -> None:
        ages = self.ages(True)
        self.assertEqual((round(min(ages)), round(max(ages))), (1080, 1320))
        self.assertEqual(len(set(ages)), 256)

    def test_a_responder_asks_only_when_the_initiator_is_late(self) -> None:
        self.assertEqual(round(min(self.ages(False))), round(1080 * PATIENCE))
        self.assertGreater(min(self.ages(False)), max(self.ages(True)))

    def test_an_unused_epoch_never_ends(self) -> None:
        a, b = sides()
        for side in (a, b):
            self.assertFalse(side.ratchet.wanted(1e9))
            self.assertIsNone(side.ratchet.deadline())
            self.assertEqual(side.tick(1e9), [])

    def test_an_idle_session_ratchets_once_and_not_again(self) -> None:
        a, b = sides()
        use(a, b)
        for mono in range(0, 100_000, 400):
            settle(a, b, float(mono))
        self.assertEqual((a.seal.epoch, b.seal.epoch), (1, 1))
        self.assertIsNone(a.ratchet.deadline())
        use(a, b)
        for mono in range(100_000, 200_000, 400):
            settle(a, b, float(mono))
        self.assertEqual((a.seal.epoch, b.seal.epoch), (2, 2))

    def test_many_packets_end_an_epoch_on_either_side(self) -> None:
        limits = attrs.evolve(LIMITS, ratchet_seals=100)
        for speaker in (0, 1):
            a, b = sides(limits)
            both = (a, b)
            for _ in range(99):
                opens(both[1 - speaker].seal, both[speaker].say(b""))
            settle(a, b, 0.0)
            self.assertEqual(a.seal.epoch, 0)
            opens(both[1 - speaker].seal, both[speaker].say(b""))
            settle(a, b, 0.0)
            self.assertEqual((a.seal.epoch, b.seal.epoch), (1, 1))

    def test_a_wanted_epoch_starts_at_once_and_once(self) -> None:
        a, _ = sides()
        self.assertEqual(a.ratchet.on_wanted(RekeyWanted(2), 0.0, RTT, a.rng), None)
        first = a.ratchet.on_wanted(RekeyWanted(1), 0.0, RTT, a.rng)
        self.assertEqual(first and first.epoch, 1)
        self.assertIsNone(a.ratchet.on_wanted(RekeyWanted(1), 0.0, RTT, a.rng))

    def test_both_sides_count_each_epoch_from_its_own_first_use(self) -> None:
        a, b = sides()
        use(a, b)
        settle(a, b, 0.0)
        settle(a, b, 1_400.0)
        for side, other in ((a, b), (b, a)):
            self.assertEqual((side.seal.epoch, side.ratchet._public, side.ratchet._peer_key), (1, b"", b""))
            side.tick(1_500.0)
            self.assertIsNone(side.ratchet.deadline())
            opens(other.seal, side.say(b""))
            self.assertFalse(side.ratchet.wanted(2_000.0))
            due = side.ratchet.deadline()
            assert due is not None
            self.assertTrue(1_080 <= due - 2_000.0 <= 1_320 * PATIENCE)
            self.assertTrue(side.ratchet.wanted(due))

    def test_each_epoch_draws_its_own_age(self) -> None:
        bytes_drawn = iter(range(1, 200))
        seal, other = pair(suite=1)
        rng = lambda size: bytes([next(bytes_drawn)]) * size  # noqa: E731
        ratchet = Ratchet(seal, initiator=True, rng=rng, limits=LIMITS)
        ages = []
        for mono in (0.0, 10_000.0):
            seal.seal(b"")
            ratchet.wanted(mono)
            ages.append((ratchet.deadline() or 0.0) - mono)
            for side in (seal, other):
                side.prepare(bytes(32), bytes(32), bytes(32))
            ratchet.phase = Phase.MOVED
            seal.switch()
            other.open(seal.seal(b""))
            seal.open(other.seal(b""))
            ratchet.tick(mono + 1, RTT, rng)
            ratchet.tick(mono + 100, RTT, rng)
            ratchet._first, ratchet._own = None, seal.under
        self.assertNotAlmostEqual(ages[0], ages[1], 3)

    def test_nothing_is_wanted_while_an_epoch_is_under_way(self) -> None:
        a, b = sides()
        for _ in range(3):
            use(a, b)
        a.ratchet.wanted(0.0)
        b.ratchet.wanted(0.0)
        b.ratchet.on_rekey(a.ratchet.start(1.0, RTT, a.rng), 1.0, b.rng)
        self.assertFalse(a.ratchet.wanted(1e5))
        self.assertFalse(b.ratchet.wanted(1e5))

    def test_a_responder_that_asked_asks_no_more_once_it_is_offered_what_it_wanted(self) -> None:
        a, b = sides()
        use(a, b)
        b.ratchet.wanted(0.0)
        self.assertEqual(b.ratchet.tick(3_000.0, RTT, b.rng), RekeyWanted(1))
        self.assertEqual(b.ratchet.tick(3_001.0, RTT, b.rng), RekeyWanted(1))
        b.ratchet.on_rekey(a.ratchet.start(3_002.0, RTT, a.rng), 3_002.0, b.rng)
        self.assertEqual([b.ratchet.tick(3_002.0 + second, RTT, b.rng) for second in range(100)], [None] * 100)

    def test_turn_is_repeated_from_half_a_second_again(self) -> None:
        a, b = sides()
        rekey = a.ratchet.start(0.0, RTT, a.rng)
        for mono in (0.5, 1.5, 3.5, 7.5):
            a.ratchet.tick(mono, RTT, a.rng)
        answer = b.ratchet.on_rekey(rekey, 8.0, b.rng)
        assert answer is not None
        a.ratchet.on_rekeyed(answer, 8.0, RTT)
        self.assertEqual(a.ratchet.deadline(), 8.5)
        self.assertEqual(a.ratchet.tick(8.5, RTT, a.rng), Turn())

    def test_repeats_slow_down_to_one_a_minute_and_carry_the_same_key(self) -> None:
        a, _ = sides()
        first = a.ratchet.start(0.0, RTT, a.rng)
        times, mono = [], 0.0
        while mono < 1_000:
            due = a.ratchet.deadline()
            assert due is not None
            self.assertIsNone(a.ratchet.tick(due - 0.001, RTT, a.rng))
            mono = due
            self.assertEqual(a.ratchet.tick(mono, RTT, a.rng), first)
            times.append(mono)
        gaps = [after - before for before, after in zip([0.0, *times], times, strict=False)]
        self.assertEqual(gaps[:4], [0.5, 1.0, 2.0, 4.0])
        self.assertEqual(gaps[-1], REPEAT_MOST)

    def test_a_long_round_trip_is_waited_for(self) -> None:
        a, _ = sides()
        a.ratchet.start(0.0, 3.0, a.rng)
        self.assertEqual(a.ratchet.deadline(), 6.0)

    def test_a_day_without_an_answer_is_the_end(self) -> None:
        day = LIMITS.session_unused
        a, b = sides()
        self.assertFalse(a.ratchet.expired(1e9))
        rekey = a.ratchet.start(50.0, RTT, a.rng)
        b.ratchet.on_rekey(rekey, 50.0, b.rng)
        for side in (a, b):
            for mono in (50.0, day / 2, day + 49.0):
                side.tick(mono)
            self.assertFalse(side.ratchet.expired(day + 49.0))
            due = side.ratchet.deadline()
            assert due is not None
            self.assertLessEqual(due, day + 50.0)
            self.assertTrue(side.ratchet.expired(day + 50.0))

    def test_the_old_receive_key_lasts_three_round_trips_within_1_and_30_seconds(self) -> None:
        for round_trip, linger in ((0.01, LINGER_LEAST), (2.0, 6.0), (60.0, LINGER_MOST), (0.0, LINGER_MOST)):
            a, b = sides()
            late = [a.say(b"late") for _ in range(2)]
            answer = b.ratchet.on_rekey(a.ratchet.start(0.0, RTT, a.rng), 0.0, b.rng)
            assert answer is not None
            a.ratchet.on_rekeyed(answer, 0.0, RTT)
            b.seal.open(a.seal.seal(b"\0"))
            b.ratchet.tick(10.0, round_trip, b.rng)
            self.assertEqual(b.ratchet.deadline(), 10.0 + linger)
            b.ratchet.tick(10.0 + linger - 0.001, round_trip, b.rng)
            self.assertTrue(opens(b.seal, late[0]))
            b.ratchet.tick(10.0 + linger, round_trip, b.rng)
            self.assertFalse(opens(b.seal, late[1]))


class HostileNetTests(SynchronousTestCase):
    """A net that loses, doubles and delays. Everything that is said is sealed once; what arrives must open."""

    def run_net(self, seed: int, fate: list[int], rounds: int, limits: Limits = LIMITS, loss: float = 0.0) -> int:
        """Drive a session whose first packets meet the fates given: 0 arrives, 1 lost, 2 doubled, 3 half a second late.

        Returns the epochs both reached. Says something each way every quarter of a second.
        """
        chance = random.Random(seed)
        a, b = sides(limits, seed)
        mono, order = 0.0, 0
        due: list[tuple[float, int, Side, bytes]] = []
        expected: dict[int, set[bytes]] = {id(a): set(), id(b): set()}

        def post(to: Side, datagrams: list[bytes], said: bytes | None = None) -> None:
            nonlocal order
            for datagram in datagrams:
                what = fate.pop(0) if fate else (1 if chance.random() < loss else chance.choice((0, 0, 0, 2, 3)))
                times = {0: [0.05], 1: [], 2: [0.05, 0.4], 3: [0.5]}[what]
                if said is not None and times:
                    expected[id(to)].add(said)
                for delay in times:
                    order += 1
                    due.append((mono + delay, order, to, datagram))

        if limits is LIMITS:
            a.ratchet.start(0.0, RTT, a.rng)  # as if lost
        for number in range(rounds):
            text = number.to_bytes(4, "big")
            post(b, [a.say(text)], text)
            post(a, [b.say(text)], text)
            mono += 0.25
            for item in sorted(due, key=lambda item: item[:2]):
                if item[0] <= mono:
                    due.remove(item)
                    to = item[2]
                    post(a if to is b else b, to.receive(item[3], mono))
            post(b, a.tick(mono))
            post(a, b.tick(mono))
            self.assertLessEqual(abs(a.seal.epoch - b.seal.epoch), 1, (seed, mono))
        mono += 1
        for item in sorted(due, key=lambda item: item[:2]):
            item[2].receive(item[3], mono)
        for side in (a, b):
            self.assertEqual(len(side.heard), len(set(side.heard)), seed)
            self.assertEqual(set(side.heard), expected[id(side)], seed)
        self.assertEqual(a.seal.epoch, b.seal.epoch, seed)
        return a.seal.epoch

    def test_every_message_lost_doubled_or_late_in_turn(self) -> None:
        for place in range(14):
            for what in (1, 2, 3):
                self.assertEqual(self.run_net(place, [0] * place + [what] + [0] * 60, 40), 1, (place, what))

    def test_every_pair_of_messages_lost(self) -> None:
        for one in range(12):
            for two in range(one):
                fate = [0] * 80
                fate[one] = fate[two] = 1
                self.assertEqual(self.run_net(0, fate, 40), 1, (one, two))

    @given(st.lists(st.integers(0, 3), max_size=60))
    def test_any_fate_of_the_first_sixty_packets(self, fate: list[int]) -> None:
        self.assertEqual(self.run_net(1, [*fate, *[0] * 60], 80), 1)

    def settle_quietly(self, lost: set[int], *, wanted: bool) -> tuple[Side, Side]:
        """Drive one change of epoch with no other traffic, losing the packets with these numbers."""
        a, b = sides(attrs.evolve(LIMITS, ratchet_seals=1))
        (b if wanted else a).say(b"")
        number, queue = -1, []
        for step in range(400):
            mono = step / 4
            queue += [(b, d) for d in a.tick(mono)] + [(a, d) for d in b.tick(mono)]
            while queue:
                to, datagram = queue.pop(0)
                number += 1
                if number not in lost:
                    queue += [(a if to is b else b, d) for d in to.receive(datagram, mono)]
        return a, b

    def test_without_other_traffic_any_three_messages_may_be_lost(self) -> None:
        for wanted in (False, True):
            for one in range(7):
                for two in range(one + 1):
                    for three in range(two + 1):
                        a, b = self.settle_quietly({one, two, three}, wanted=wanted)
                        self.assertEqual((a.seal.epoch, b.seal.epoch), (1, 1), (wanted, one, two, three))
                        self.assertEqual((a.ratchet.phase, b.ratchet.phase), (Phase.REST, Phase.REST))
                        self.assertEqual((a.ratchet.deadline(), b.ratchet.deadline()), (None, None))

    def test_epoch_after_epoch_under_loss_and_no_nonce_twice(self) -> None:
        used: set[tuple[bytes, bytes]] = set()

        def hook(key: bytes, nonce: bytes, digest: bytes) -> None:
            self.assertNotIn((key, nonce), used)
            used.add((key, nonce))

        self.patch(audit, "hook", hook)
        limits = attrs.evolve(LIMITS, ratchet_seals=30)
        for seed in range(50 if FULL else 4):
            used.clear()
            self.assertGreater(self.run_net(seed, [], 800, limits, loss=0.3), 8)
