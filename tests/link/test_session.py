"""What a session wants and when: pings, keep-alive, redial, death."""

from __future__ import annotations

from math import inf

from twisted.trial.unittest import SynchronousTestCase

from rhotwist.keys.pair import SeedKey
from rhotwist.limits import Limits
from rhotwist.link.messages import Ping
from rhotwist.link.session import BEAT, REDIAL, Session
from rhotwist.link.small import Outgoing
from rhotwist.wire.datagram import Path
from rhotwist.wire.frame import Control, read_frame

LIMITS = Limits()
HOME, AWAY, FAR = (Path(0, bytes([number]) * 18) for number in (1, 2, 3))


def nonces(frames: list[bytes]) -> list[int]:
    """The nonces of Pings."""
    found = []
    for frame in frames:
        control = read_frame(frame)
        assert isinstance(control, Control)
        found.append(Ping.decode(control.body).nonce)
    return found


class Times(SynchronousTestCase):
    """Seconds of the monotonic clock, from 100."""

    def setUp(self) -> None:
        self.session = Session(HOME, own=b"o" * 32, peer=b"p" * 32, suite=4, mono=100.0)
        self.session.identity = SeedKey(b"i" * 32)
        self.session.confirmed = True

    def ask(self, held: bool = False) -> None:
        exchange = self.session.requests(LIMITS)
        exchange.submit(Outgoing((b"", 1, b"", inf), 2, (bytes(16), b"", b"", b"")), 100.0)
        if held:
            exchange.hold(1)

    def test_an_idle_session_wants_nothing(self) -> None:
        self.assertIsNone(self.session.deadline(LIMITS))
        self.assertEqual(self.session.pings(10_000.0), [])
        self.assertFalse(self.session.dead(10_000.0, LIMITS) or self.session.silent(10_000.0))

    def test_while_something_is_under_way_silence_draws_a_ping_every_five_seconds(self) -> None:
        self.ask()
        self.assertEqual(self.session.pings(100.0 + BEAT - 0.01), [])
        self.assertEqual(nonces(self.session.pings(100.0 + BEAT)), [0])
        self.assertEqual(self.session.pings(100.0 + BEAT + 1), [])
        self.assertEqual(nonces(self.session.pings(100.0 + 2 * BEAT)), [0])
        self.session.heard = 112.0
        self.assertEqual(self.session.pings(116.9), [])

    def test_it_is_dead_after_thirty_seconds_of_silence_and_not_while_it_is_heard(self) -> None:
        self.ask()
        self.assertFalse(self.session.dead(129.9, LIMITS))
        self.assertTrue(self.session.dead(130.0, LIMITS))
        self.session.heard = 120.0
        self.assertFalse(self.session.dead(149.0, LIMITS))
        self.session.confirmed = False
        self.assertFalse(self.session.dead(1000.0, LIMITS))

    def test_an_initiator_redials_once_after_four_silent_seconds_and_a_held_one_after_its_ping(self) -> None:
        self.ask()
        self.assertFalse(self.session.silent(100.0 + REDIAL - 0.01))
        self.assertTrue(self.session.silent(100.0 + REDIAL))
        self.session.redialled = True
        self.assertFalse(self.session.silent(200.0))

    def test_where_all_is_held_a_ping_must_go_unanswered_first(self) -> None:
        self.ask(held=True)
        self.assertFalse(self.session.silent(100.0 + BEAT + REDIAL - 0.01))
        self.assertTrue(self.session.silent(100.0 + BEAT + REDIAL))

    def test_a_responder_a_draining_and_an_unconfirmed_one_do_not_redial(self) -> None:
        self.ask()
        self.session.ends = 500.0
        self.assertFalse(self.session.silent(200.0))
        self.session.ends, self.session.confirmed = None, False
        self.assertFalse(self.session.silent(200.0))
        self.session.confirmed, self.session.identity = True, None
        self.assertFalse(self.session.silent(200.0))

    def test_the_deadline_is_the_first_of_all_of_these(self) -> None:
        self.ask()
        self.assertEqual(self.session.deadline(LIMITS), 100.5)
        self.session.keep = 100.2
        self.assertEqual(self.session.deadline(LIMITS), 100.2)
        self.session.ends = 100.1
        self.assertEqual(self.session.deadline(LIMITS), 100.1)

    def test_at_its_deadline_it_has_something_to_do_however_the_clock_is_rounded(self) -> None:
        self.ask(held=True)
        for since in (2_044.285240205036, 100.1, 1e6 / 3, 7e5 / 9):
            for dead, wanted in ((False, BEAT), (True, LIMITS.session_dead)):
                self.session.heard, self.session.beat, self.session.redialled = since, 0.0, True
                if dead:
                    self.session.beat = since + LIMITS.session_dead
                due = self.session.deadline(LIMITS)
                self.assertEqual(since + wanted, due)
                done = self.session.dead(due, LIMITS) if dead else self.session.pings(due)
                self.assertTrue(done, (since, due))

    def test_keep_alive_doubles_while_it_is_answered(self) -> None:
        self.session.keep_step, self.session.keep = 25.0, 125.0
        self.assertEqual(nonces(self.session.pings(125.0)), [1])
        self.assertEqual(self.session.keep, 150.0)
        steps = []
        for _ in range(4):
            self.session.kept(125.0, LIMITS)
            steps.append(self.session.keep - 125.0)
        self.assertEqual(steps, [50.0, 100.0, 110.0, 110.0])
        self.session.keep = 0.0
        self.session.kept(125.0, LIMITS)
        self.assertEqual(self.session.keep, 0.0)


class Moves(SynchronousTestCase):
    """Another address."""

    def setUp(self) -> None:
        self.session = Session(HOME, own=b"o" * 32, peer=b"p" * 32, suite=4, mono=100.0)

    def test_only_the_candidate_itself_with_its_own_eight_bytes_is_followed(self) -> None:
        data = self.session.candidate(AWAY, 100, 100.0, b"8 bytes!", LIMITS)
        self.assertEqual(data, b"8 bytes!")
        self.assertIsNone(self.session.moved(FAR, b"8 bytes!"))
        self.assertIsNone(self.session.moved(AWAY, b"another!"))
        self.assertEqual(self.session.path, HOME)
        self.assertEqual(self.session.moved(AWAY, b"8 bytes!"), [])
        self.assertEqual((self.session.path, self.session.roam), (AWAY, None))
        self.assertIsNone(self.session.moved(AWAY, b"8 bytes!"))

    def test_addresses_that_change_with_every_packet_draw_one_challenge_a_round_trip(self) -> None:
        drawn = sum(
            self.session.candidate(Path(0, number.to_bytes(18, "big")), 100, 100.0 + number / 100, b"8 bytes!", LIMITS)
            is not None
            for number in range(100)
        )
        self.assertLessEqual(drawn, 3)
