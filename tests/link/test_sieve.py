"""Whose turn it is among strangers without a cookie."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from rhotwist.link.sieve import EARLY, KEY, KEY_LIFE, LEAST, PLACES, SLOT, SLOWEST, Sieve
from rhotwist.testing.network import Network

AIM = 1_000.0


class SieveCase(SynchronousTestCase):
    """A sieve that aims at 1,000 Hellos a second, and a flood with addresses all over the places."""

    def setUp(self) -> None:
        self.chance = Network(1).chance("sieve")
        self.sieve = Sieve(AIM, self.chance.randbytes)
        self.now = 50.0
        self.dropped = self.read = 0
        self.full = 0.0

    def reads(self, place: int) -> bool:
        """Whether a carrier reads a Hello at that place now."""
        turn = self.sieve.turn
        return turn is None or (place - turn.start) % PLACES < turn.width

    def flood(self, pace: float, seconds: float) -> None:
        """Hellos at a pace a second, and the carriers' side of it."""
        for _ in range(int(pace * seconds)):
            self.now += 1 / pace
            if self.reads(self.chance.randrange(PLACES)):
                self.read += 1
                self.sieve.came(self.now)
            else:
                self.dropped += 1
            self.sieve.tick(self.now, True)
            while self.sieve.moved():
                dropped, self.dropped = self.dropped, 0
                self.sieve.told(dropped, self.full, self.now)

    @property
    def share(self) -> float:
        """The part of all places that is read now."""
        return self.sieve.turn.width / PLACES if self.sieve.turn else 1.0


class Width(SieveCase):
    """As wide as there is time for."""

    def test_while_as_many_come_as_get_an_answer_all_are_read(self) -> None:
        self.flood(0.95 * AIM, 3.0)
        self.assertEqual((self.sieve.turn, self.read), (None, int(0.95 * AIM * 3.0)))

    def test_a_rush_is_met_within_a_tenth_of_a_second(self) -> None:
        self.flood(10 * AIM, 0.1)
        self.assertTrue(self.share < 0.2, self.share)
        self.assertTrue(self.read <= 10 * AIM * EARLY * 1.5, self.read)

    def test_under_a_flood_about_as_many_are_read_as_is_aimed_at(self) -> None:
        self.flood(8 * AIM, 2.0)
        self.read = 0
        self.flood(8 * AIM, 6.0)
        self.assertTrue(0.9 * AIM < self.read / 6.0 < 1.1 * AIM, self.read)
        self.assertTrue(0.11 < self.share < 0.14, self.share)

    def test_what_was_dropped_for_want_of_room_counts_as_having_come(self) -> None:
        self.sieve.came(self.now)
        self.assertTrue(self.sieve.moved())
        self.sieve.told(0, 0.0, self.now)
        self.sieve.came(self.now + 1.0)  # one was read in a second, the others did not fit
        self.sieve.told(9_999, 0.0, self.now + 1.0)
        self.assertAlmostEqual(self.share, 0.1, 3)

    def test_it_is_never_narrower_than_a_64th_and_never_widens_by_more_than_twice(self) -> None:
        self.flood(200 * AIM, 0.2)
        self.assertEqual(self.sieve.turn.width if self.sieve.turn else 0, LEAST)
        shares = []
        for _ in range(14):
            self.flood(10.0, SLOT - 0.1)
            shares.append(self.share)
        self.assertTrue(all(new <= 2 * old for old, new in zip(shares, shares[1:], strict=False)), shares)
        self.assertEqual(shares[-1], 1.0)

    def test_a_crowded_buffer_halves_what_is_aimed_at_down_to_a_16th_and_it_comes_back(self) -> None:
        self.flood(4 * AIM, 2.0)
        self.full, self.read = 1.0, 0
        self.flood(4 * AIM, 6.0)
        self.assertTrue(self.share <= 0.26 * SLOWEST, self.share)
        self.full = 0.0
        self.flood(4 * AIM, 15.0)
        self.assertTrue(self.share > 0.2, self.share)


class Window(SieveCase):
    """Everybody has a turn."""

    def test_who_repeats_himself_within_a_slot_is_read_within_a_lap(self) -> None:
        self.flood(4 * AIM, 2.0)
        waits = []
        for _ in range(40):
            place, begun, again = self.chance.randrange(PLACES), self.now, self.now
            while True:
                if self.now >= again:
                    if self.reads(place):
                        break
                    again += SLOT
                self.flood(4 * AIM, 0.05)
            waits.append(self.now - begun)
        self.assertTrue(max(waits) <= SLOT / 0.22 + SLOT, max(waits))

    def test_each_window_begins_where_the_last_one_ended(self) -> None:
        self.flood(4 * AIM, 2.0)
        first = self.sieve.turn
        self.flood(4 * AIM, SLOT)
        second = self.sieve.turn
        assert first is not None  # noqa: S101
        assert second is not None  # noqa: S101
        self.assertEqual((second.key, second.start), (first.key, (first.start + first.width) % PLACES))

    def test_the_places_are_dealt_anew_every_minute(self) -> None:
        self.flood(2 * AIM, 2.0)
        keys = set()
        for _ in range(10):
            self.flood(2 * AIM, KEY_LIFE / 10)
            if self.sieve.turn is not None:
                keys.add(self.sieve.turn.key)
        self.assertEqual((len(keys), {len(key) for key in keys}), (2, {KEY}))

    def test_it_moves_on_by_itself_and_ends_when_no_cookie_is_demanded(self) -> None:
        self.assertIsNone(self.sieve.deadline())
        self.flood(4 * AIM, 2.0)
        due = self.sieve.deadline() or 0.0
        self.assertTrue(self.now < due <= self.now + SLOT)
        before = self.sieve.turn
        self.sieve.tick(due - 0.01, True)
        self.assertIs(self.sieve.turn, before)
        self.sieve.tick(due, True)
        self.assertIsNot(self.sieve.turn, before)
        self.assertTrue(self.sieve.moved())
        self.sieve.tick(due + SLOT, False)
        self.assertEqual((self.sieve.turn, self.sieve.moved(), self.sieve.moved()), (None, True, False))
        self.sieve.told(10**6, 1.0, due + SLOT)
        self.assertIsNone(self.sieve.turn)
