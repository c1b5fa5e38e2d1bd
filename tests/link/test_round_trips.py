"""What acks say of the way, and what of it is queue."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from rhotwist.link.round_trips import RoundTrips


def seen(*samples: float, mono: float = 0.0) -> RoundTrips:
    """After these samples."""
    trips = RoundTrips(0.0, 0.0)
    for sample in samples:
        trips.take(sample, mono)
    return trips


class RoundTripTests(SynchronousTestCase):
    def test_the_mean_and_variation_are_those_of_rfc_6298(self) -> None:
        trips = seen(0.1)
        self.assertEqual((trips.round_trip, trips.variation), (0.1, 0.05))
        trips.take(0.2, 0.0)
        self.assertAlmostEqual(trips.round_trip, 0.1125)
        self.assertAlmostEqual(trips.variation, 0.0625)
        self.assertEqual((trips.latest, trips.least), (0.2, 0.1))

    def test_a_queue_is_seen_when_every_late_sample_has_it(self) -> None:
        self.assertFalse(seen().queue_seen())
        self.assertFalse(seen(0.1, *[0.112] * 8).queue_seen())
        self.assertTrue(seen(0.1, *[0.114] * 8).queue_seen())
        self.assertFalse(seen(0.1, *[0.3] * 7).queue_seen())
        self.assertFalse(seen(0.1, *[0.114] * 8).queue_seen(sure=True))
        self.assertTrue(seen(0.1, *[0.130] * 8).queue_seen(sure=True))

    def test_the_least_is_forgotten_after_a_while(self) -> None:
        trips = seen(0.1)
        for second in range(1, 64):
            trips.take(0.2, float(second))
        self.assertEqual(trips.least, 0.2)
        trips.take(0.15, 64.0)
        self.assertEqual(trips.least, 0.15)
