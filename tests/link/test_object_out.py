"""The sender of one object: what it sends when, what it believes, and when it gives up."""

from __future__ import annotations

from random import Random

from twisted.trial.unittest import SynchronousTestCase

from rhotwist.errors import BadPacket
from rhotwist.limits import Limits
from rhotwist.link.congestion import Controller
from rhotwist.link.messages import Ack
from rhotwist.link.object_out import MISSED, VANISHED, ObjectOut
from rhotwist.secret.object_seal import ObjectSeal
from rhotwist.secret.suite import AES
from rhotwist.wire.object_packet import CLASSES, PROBE, ObjectHeader, read_object_header

TRIP = 0.05
LIMITS = Limits()


class Talk:
    """A sender and, by hand, its receiver."""

    def __init__(self, size: int = 200_000, *, open_: bool = True, size_class: int = 5, seals: int = 10_000) -> None:
        self.mono = 0.0
        self.control = Controller(LIMITS, 0.0, round_trip=TRIP)
        self.seal = ObjectSeal(bytes(32), AES, 9, 1, seals_max=seals)
        self.out = ObjectOut(
            bytes(size), self.seal, self.control, limits=LIMITS, mono=0.0, rng=Random(1).randbytes,
            size_class=size_class,
        )  # fmt: skip
        self.here = 0
        self.newest = -1
        if open_:
            self.out.have(b"", 0.0)

    def send(self, mono: float | None = None) -> list[ObjectHeader]:
        """All that goes out by that time, whatever the pace."""
        found: list[bytes] = []
        until = self.mono if mono is None else mono
        while True:
            while run := self.out.burst(self.mono):
                found += run
            due = self.out.deadline()
            if due is None or due > until:
                break
            self.mono = max(self.mono, due)
            self.out.beat_due(self.mono)
        self.mono = until
        return [read_object_header(datagram) for datagram in found]

    def arrive(self, headers: list[ObjectHeader]) -> None:
        """These have come to the receiver."""
        for header in headers:
            if header.index != PROBE:
                self.here |= 1 << header.index
            self.newest = max(self.newest, header.counter)

    def ack(self, mono: float | None = None, **changed: int) -> None:
        """The receiver says what it has."""
        self.mono = self.mono if mono is None else mono
        fields = {"id": 1, "size_class": self.out.size_class, "base": 0, "counter": max(self.newest, 0), "delay": 0}
        bitmap = self.here.to_bytes((self.here.bit_length() + 7) // 8, "little")
        self.out.acked(Ack(**(fields | changed), bitmap=bitmap), self.mono)


class SendingTests(SynchronousTestCase):
    def test_ten_packets_go_behind_the_offer_and_no_more_before_an_answer(self) -> None:
        talk = Talk(open_=False)
        talk.control.window = 100_000.0
        self.assertEqual(len(talk.send(5.0)), 10)
        talk.out.have(b"", talk.mono)
        self.assertGreater(len(talk.send(talk.mono + 0.01)), 0)

    def test_one_of_the_largest_goes_however_large_it_is(self) -> None:
        self.assertEqual(len(Talk(open_=False, size_class=10).send(1.0)), 1)

    def test_what_went_behind_an_offer_that_came_late_goes_again_at_once(self) -> None:
        talk = Talk(open_=False)
        first = talk.send(1.0)
        talk.out.have(b"", 1.0)
        self.assertEqual([header.index for header in talk.send(1.05)[:10]], [header.index for header in first])

    def test_what_the_receiver_has_already_is_not_sent(self) -> None:
        talk = Talk(14_080, open_=False)
        talk.out.have(b"\xfe\x01", 0.0)
        self.assertEqual([header.index for header in talk.send(0.01)], [0, 9])
        self.assertRaises(BadPacket, Talk(14_080, open_=False).out.have, b"\0\x04", 0.0)

    def test_an_ack_opens_the_way_as_well_as_have_and_have_after_it_changes_nothing(self) -> None:
        talk = Talk(open_=False)
        talk.arrive(talk.send(TRIP))
        talk.ack()
        talk.send(TRIP)
        inflight = talk.control.inflight
        self.assertGreater(talk.seal.sealed, 10)
        talk.out.have(b"", TRIP + 5.0)
        self.assertEqual(talk.control.inflight, inflight)

    def test_from_have_on_silence_counts(self) -> None:
        talk = Talk(14_080, open_=False)
        talk.send(TRIP)
        self.assertEqual(talk.out.deadline(), float("inf"))
        talk.out.have(b"", TRIP)
        beat = TRIP + LIMITS.object_beat
        self.assertEqual(talk.out.deadline(), beat)
        talk.out.beat_due(beat)
        self.assertEqual(talk.send(TRIP + 0.99 * talk.control.pto), [])
        self.assertEqual(len(talk.send(TRIP + 1.01 * talk.control.pto)), 1)

    def test_a_round_trip_is_what_an_ack_took_less_what_it_waited(self) -> None:
        talk = Talk()
        talk.arrive(talk.send(0.0))
        talk.ack(0.060, delay=150)
        self.assertAlmostEqual(talk.control.latest, 0.045)
        talk.ack(0.090)
        self.assertAlmostEqual(talk.control.latest, 0.045)
        talk.arrive(talk.send(0.1))
        talk.ack(5.0, delay=40_000)
        self.assertAlmostEqual(talk.control.latest, 0.045)

    def test_packets_are_spread_over_the_round_trip(self) -> None:
        talk = Talk()
        at_once, later = len(talk.send(0.0)), len(talk.send(TRIP * 0.2))
        self.assertEqual((at_once <= 4, 2 <= later <= 6), (True, True))
        talk.send(TRIP)
        self.assertEqual(talk.seal.sealed, 10)

    def test_the_last_packet_asks_for_an_ack(self) -> None:
        asks = [header.ask for header in Talk(14_080).send(TRIP)]
        self.assertEqual(asks, [False] * 9 + [True])

    def test_on_a_short_way_the_last_that_the_window_lets_go_asks_too(self) -> None:
        talk = Talk()
        talk.control.least = 0.001
        self.assertEqual([header.ask for header in talk.send(TRIP * 0.9)], [False] * 9 + [True])
        talk.control.least = TRIP
        talk.arrive([])
        self.assertFalse(any(header.ask for header in Talk().send(TRIP * 0.9)))

    def test_it_is_done_when_the_receiver_says_so_and_not_before(self) -> None:
        talk = Talk(14_080)
        talk.arrive(talk.send(TRIP))
        talk.ack(TRIP + 0.01)
        self.assertEqual((talk.out.done, talk.out.delivered, talk.out.missing), (False, 14_080, 0))
        self.assertIsNotNone(talk.out.deadline())
        talk.here = 0
        talk.ack(TRIP + 0.02, base=10)
        self.assertEqual((talk.out.done, talk.out.delivered, talk.out.deadline()), (True, 14_080, None))
        self.assertEqual((talk.out.burst(9.0), talk.control.inflight, talk.seal.left), (None, 0, 0))

    def test_whatever_is_said_after_the_end_changes_nothing(self) -> None:
        talk = Talk(14_080)
        talk.send(TRIP)
        talk.ack(base=10)
        for counter in range(1_000):
            talk.ack(counter=counter, base=counter)
        self.assertEqual(talk.send(60.0), [])

    def test_giving_it_up_frees_the_window_and_erases_the_key(self) -> None:
        talk = Talk()
        talk.send(0.01)
        self.assertGreater(talk.control.inflight, 0)
        talk.out.close("cancelled")
        self.assertEqual((talk.control.inflight, talk.seal.left, talk.out.failed), (0, 0, "cancelled"))
        self.assertEqual((talk.out.deadline(), talk.send(9.0), talk.out.failed), (None, [], "cancelled"))


class LossTests(SynchronousTestCase):
    def test_a_hole_before_a_later_ack_goes_again_when_it_is_old_enough_and_only_then(self) -> None:
        talk = Talk()
        sent = talk.send(TRIP * 0.9)
        talk.arrive(sent[1:])
        talk.ack(TRIP)
        self.assertNotIn(0, [header.index for header in talk.send(TRIP)])
        again = talk.send(2 * TRIP)
        self.assertEqual([header.index for header in again].count(0), 1)

    def test_silence_brings_the_last_piece_again_and_then_all_with_a_question(self) -> None:
        talk = Talk(14_080)
        talk.send(TRIP)
        pto = talk.control.pto
        again = talk.send(TRIP + 1.01 * pto)
        self.assertEqual([(header.index, header.ask) for header in again], [(9, True)])
        again = talk.send(TRIP + 4 * pto)
        self.assertEqual(sorted(header.index for header in again), list(range(10)))
        self.assertTrue(any(header.ask for header in again))

    def test_on_a_line_that_loses_the_last_few_go_twice_a_round_trip_apart(self) -> None:
        for lossy, count in ((False, 60), (True, 60), (True, 30)):
            talk = Talk(count * 1_408)
            talk.control.window = 1e6
            talk.arrive(talk.send(TRIP)[:-5])
            if lossy:
                talk.control._usual, talk.control._weight = 0.05, 400.0
            talk.ack()
            twice = lossy and count == 60
            copies = talk.send(talk.mono + 0.01)
            self.assertEqual(len(copies), 5 if twice else 0)
            self.assertEqual([header.ask for header in copies[-1:]], [True] if twice else [])
            inflight = talk.control.inflight
            self.assertEqual(len(talk.send(talk.mono + TRIP * 1.01)), 5 if twice else 0)
            self.assertEqual(talk.control.inflight, inflight)

    def test_a_key_with_no_room_for_second_copies_leaves_nothing_that_is_due(self) -> None:
        for room in (7, 8):
            talk = Talk(60 * 1_408)
            talk.control.window = 1e6
            talk.arrive(talk.send(TRIP)[:-5])
            talk.seal._seals_max = talk.seal.sealed + room
            talk.control._usual, talk.control._weight = 0.05, 400.0
            talk.ack()
            copies = talk.out.burst(talk.mono)
            self.assertEqual(len(copies or ()), 5 if room == 8 else 0)
            self.assertGreater(talk.out.deadline() or 0.0, talk.mono)

    def test_after_eight_beats_without_an_answer_nothing_but_beats_goes(self) -> None:
        talk = Talk()
        talk.send(0.01)
        while talk.out._beats < 8:
            talk.send(talk.out.deadline() or 0.0)
        self.assertEqual(talk.send(talk.mono + 20), [])
        self.assertGreater(talk.out._beats, 20)
        talk.ack(talk.mono)
        self.assertTrue(talk.send(talk.mono + 0.5))

    def test_while_no_round_trip_is_known_an_answered_beat_tells_what_it_is_at_most(self) -> None:
        for known in (0.0, TRIP):
            talk = Talk()
            talk.control.round_trip = talk.control.least = known
            talk.send(0.01)
            first = talk.out.deadline() or 0.0
            for _ in range(2):
                talk.send(talk.out.deadline() or 0.0)
            talk.ack(first + 0.25)
            self.assertAlmostEqual(talk.control.round_trip, known or 0.25)
            self.assertEqual(talk.control.least, known)

    def test_silence_is_met_by_beats_that_get_rare(self) -> None:
        talk = Talk()
        talk.send(0.0)
        beats: list[float] = []
        for tick in range(1, 800):
            talk.mono = tick / 100
            talk.out.burst(talk.mono)
            if talk.out.beat_due(talk.mono):
                beats.append(talk.mono)
        gaps = [after - before for before, after in zip(beats, beats[1:], strict=False)]
        self.assertLess(max(gaps[: MISSED - 1]), 0.15)
        self.assertGreater(min(gaps[MISSED:]), 0.98)

    def test_an_ack_makes_beats_frequent_again_and_the_next_silence_the_first(self) -> None:
        talk = Talk()
        first = talk.send(0.0)
        talk.send(5.0)
        talk.arrive(first)
        talk.ack()
        talk.send(talk.mono + 0.001)
        start, beats = talk.mono, 0
        gap = max(talk.control.round_trip, LIMITS.object_beat)
        while talk.mono < start + 3.5 * gap:
            talk.mono += 0.01
            talk.out.burst(talk.mono)
            beats += talk.out.beat_due(talk.mono)
        self.assertEqual(beats, 3)
        talk = Talk(14_080)
        sent = talk.send(TRIP)
        talk.send(TRIP + 4 * talk.control.pto)
        talk.arrive(sent[:1])
        talk.ack()
        talk.send(talk.mono + TRIP)
        self.assertEqual(len(talk.send(talk.mono + 1.02 * talk.control.pto)), 1)

    def test_a_receiver_that_never_has_enough_draws_no_more_than_three_times_the_object(self) -> None:
        talk = Talk(100_000)
        for _ in range(10_000):
            sent = talk.send(talk.mono + TRIP)
            if sent:
                talk.newest = sent[-1].counter
            talk.here = 1
            talk.ack()
            if talk.out.failed:
                break
        self.assertEqual(talk.out.failed, "spent")
        self.assertLessEqual(talk.out.sent_bytes, 3 * 100_000 + 20 * 1_440)

    def test_a_key_that_is_spent_fails_the_object_rather_than_seal_on(self) -> None:
        talk = Talk(14_080, seals=9)
        talk.send(5.0)
        self.assertEqual(talk.out.failed, "spent")


class LieTests(SynchronousTestCase):
    def test_an_ack_of_what_was_never_sent_is_refused(self) -> None:
        talk = Talk()
        talk.send(0.01)
        talk.here = 1 << 100
        self.assertRaises(BadPacket, talk.ack)
        talk.here = 0
        self.assertRaises(BadPacket, talk.ack, base=143)

    def test_a_counter_that_was_never_sealed_is_refused(self) -> None:
        talk = Talk()
        talk.send(0.01)
        self.assertRaises(BadPacket, talk.ack, counter=talk.seal.sealed)


class SizeTests(SynchronousTestCase):
    def vanish(self, talk: Talk, *, alive: bool = True, seconds: float = 3.0) -> int:
        """Nothing sent arrives, and beats are answered or not; packets sent."""
        sent, end = 0, talk.mono + seconds
        while talk.mono < end and not talk.out.failed:
            sent += len(talk.send(talk.mono + 0.1))
            if alive:
                talk.ack()
        return sent

    def test_packets_that_all_vanish_while_beats_are_answered_are_halved(self) -> None:
        talk = Talk()
        talk.arrive(talk.send(TRIP))
        talk.ack()
        self.vanish(talk, seconds=2.0)
        self.assertGreaterEqual(talk.out.halved, 1)
        self.assertLess(talk.out.size_class, 5)
        self.assertLess(talk.control.sizes.best, 5)

    def test_where_beats_are_not_answered_nothing_is_halved(self) -> None:
        talk = Talk()
        talk.arrive(talk.send(TRIP))
        talk.ack()
        sent = self.vanish(talk, alive=False, seconds=20.0)
        talk.ack()
        self.assertGreater(sent, VANISHED)
        self.assertEqual(talk.out.halved, 0)

    def test_one_that_arrives_now_and_then_is_proof_that_the_size_passes(self) -> None:
        talk = Talk()
        for _ in range(100):
            talk.arrive(talk.send(talk.mono + 0.1)[:1])
            talk.ack()
        self.assertEqual(talk.out.halved, 0)

    def test_at_the_smallest_size_it_ends(self) -> None:
        talk = Talk(size_class=0)
        self.vanish(talk, seconds=20.0)
        self.assertEqual(talk.out.failed, "no way")

    def test_what_the_system_refuses_is_halved_at_once_and_no_counter_comes_twice(self) -> None:
        talk = Talk()
        first = talk.send(0.01)
        talk.out.too_big(1_440, 0.01)
        again = talk.send(0.2)
        self.assertEqual((talk.out.size_class, again[0].size_class), (3, 3))
        counters = [header.counter for header in first + again]
        self.assertEqual(counters, list(range(len(counters))))

    def test_a_probe_that_the_system_refuses_halves_nothing(self) -> None:
        talk = Talk()
        talk.send(0.01)
        talk.control.sizes.passed(5)
        talk.control.sizes.probing(6, 0.01, 0.1)
        talk.out.too_big(2_848, 0.01)
        talk.out.too_big(2_848, 0.01)
        self.assertEqual((talk.out.size_class, talk.control.sizes.wanted(1.0, 2_000_000)), (5, None))

    def test_an_answered_probe_is_the_size_of_the_next_object(self) -> None:
        talk = Talk(size_class=4)
        probes: list[ObjectHeader] = []
        for _ in range(20):
            sent = talk.send(talk.mono + TRIP)
            probes += [header for header in sent if header.index == PROBE]
            talk.arrive(sent)
            talk.ack()
            if probes:
                break
        self.assertGreater(talk.out.missing, 50)
        (probe,) = probes
        self.assertEqual((probe.size_class, probe.ask), (5, True))
        talk.here = 0
        talk.ack(size_class=5)
        self.assertEqual((talk.control.sizes.best, talk.out.size_class), (5, 4))
        own = ObjectOut(
            bytes(9), ObjectSeal(bytes(32), AES, 9, 2), talk.control, limits=LIMITS, mono=0.0, rng=Random(1).randbytes
        )
        self.assertEqual((own.size_class, own.total, CLASSES[own.size_class]), (5, 1, 1_408))
