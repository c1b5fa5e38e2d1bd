"""The initiator's machine, pair by pair, and what it sends when."""

from __future__ import annotations

import itertools

from twisted.trial.unittest import SynchronousTestCase

from rhotwist.errors import BadPacket, PuzzleRefused, SuiteRefused
from rhotwist.keys.pair import SeedKey
from rhotwist.limits import Limits
from rhotwist.link.dial import TRANSITIONS, Dial, Phase, Signal
from rhotwist.link.sieve import SLOT
from rhotwist.secret import handshake
from rhotwist.secret.kem import ML_KEM_768
from rhotwist.secret.suite import DEFAULT_ORDER, mask
from rhotwist.testing.network import Network
from rhotwist.wire.datagram import Path, pack_address
from rhotwist.wire.packet import COOKIE, TOKEN, TOKEN_REDIRECT, read_hello

SERVER, CLIENT = SeedKey(b"s" * 32), SeedKey(b"c" * 32)
PATH, OTHER = Path(0, pack_address("10.0.0.1", 1)), Path(0, pack_address("10.0.0.2", 2))


class DialCase(SynchronousTestCase):
    """A connect, and the server's answers made by hand."""

    def setUp(self) -> None:
        self.rng = Network(1).chance("dial").randbytes
        self.dial = self.make()

    def make(self, order: tuple[int, ...] = DEFAULT_ORDER, paths: tuple[Path, ...] = (PATH,)) -> Dial:
        return Dial(
            CLIENT, SERVER.public, paths, 77, order=order, limits=Limits(), rng=self.rng, kem=ML_KEM_768, mono=0.0
        )

    def retry(self, hello: bytes, difficulty: int = 0, suites: tuple[int, ...] = DEFAULT_ORDER) -> bytes:
        return handshake.retry(
            SERVER.public, read_hello(hello), b"c" * 16,
            difficulty=difficulty, mask=mask(suites), reason=1, rng=self.rng,
        )  # fmt: skip

    def accept(self, hello: bytes, suites: tuple[int, ...] = DEFAULT_ORDER) -> tuple[bytes, handshake.HalfOpen]:
        return handshake.accept(
            SERVER, read_hello(hello), code=99, mask=mask(suites), address=bytes(18), rng=self.rng, kem=ML_KEM_768
        )


class Table(DialCase):
    """The machine is its table."""

    def test_every_pair_that_is_not_in_the_table_raises(self) -> None:
        for phase, signal in itertools.product(Phase, Signal):
            self.dial.phase = phase
            if (phase, signal) in TRANSITIONS:
                self.dial._move(signal)
                self.assertIs(self.dial.phase, TRANSITIONS[phase, signal])
            else:
                self.assertRaises(KeyError, self.dial._move, signal)

    def test_open_and_failed_are_the_ends(self) -> None:
        ends = set(TRANSITIONS.values()) - {phase for phase, _ in TRANSITIONS}
        self.assertEqual(ends, {Phase.OPEN, Phase.FAILED})


class Sending(DialCase):
    """Repeats, halves, addresses."""

    def test_repeats_are_byte_for_byte_every_half_second_and_never_later_than_the_server_waits(self) -> None:
        dial = self.make((1,))
        sent = dial.start(0.0)
        gaps, last = [], 0.0
        while dial.phase is Phase.HELLO:
            now = dial.due
            again = dial.tick(now)
            if again:
                self.assertEqual(again, sent)
                gaps.append(now - last)
            last = now
        self.assertTrue(all(0.39 <= gap <= SLOT + 1e-9 for gap in gaps), gaps)
        self.assertEqual((dial.phase, last), (Phase.FAILED, 30.0))
        self.assertEqual(dial.tick(40.0), [])

    def test_nothing_is_sent_before_it_is_due(self) -> None:
        self.dial.start(0.0)
        self.assertEqual(self.dial.tick(0.1), [])

    def test_after_two_hybrid_hellos_without_answer_the_first_half_goes_along_as_a_probe(self) -> None:
        sizes = [[len(data) for _, data in self.dial.start(0.0)]]
        for _ in range(3):
            sizes.append([len(data) for _, data in self.dial.tick(self.dial.due)])
        self.assertEqual([len(one) for one in sizes], [1, 1, 2, 2])
        self.assertTrue(all(size <= 1232 for size in sizes[2][1:]))

    def test_with_a_cookie_both_halves_follow(self) -> None:
        first = self.dial.start(0.0)[0][1]
        for _ in range(2):
            self.dial.tick(self.dial.due)
        self.assertIsNone(self.dial.retry(self.retry(first), PATH))
        sent = [data for _, data in self.dial.again(5.0)]
        self.assertEqual([read_hello(data).header.fragment for data in sent], [0x01, 0x02, 0x12])
        self.assertEqual({read_hello(data).header.flags for data in sent}, {COOKIE})
        self.assertEqual({read_hello(data).cookie for data in sent}, {b"c" * 16})

    def test_a_classical_hello_is_never_cut(self) -> None:
        dial = self.make((2, 1))
        dial.start(0.0)
        self.assertTrue(all(len(dial.tick(dial.due)) == 1 for _ in range(6)))

    def test_all_addresses_are_tried_until_one_answers(self) -> None:
        dial = self.make((1,), (PATH, OTHER))
        sent = dial.start(0.0)
        self.assertEqual([path for path, _ in sent], [PATH, OTHER])
        dial.retry(self.retry(sent[0][1], suites=(1,)), OTHER)
        self.assertEqual([path for path, _ in dial.again(1.0)], [OTHER])

    def test_further_addresses_join_as_long_as_none_has_answered(self) -> None:
        dial = self.make((1,))
        [(_, hello)] = dial.start(0.0)
        self.assertEqual([(OTHER, hello)], dial.also((PATH, OTHER), 10.0))
        self.assertEqual([], dial.also((PATH, OTHER), 11.0))
        self.assertEqual([(PATH, hello), (OTHER, hello)], dial.tick(dial.due))
        while dial.phase is Phase.HELLO:
            last = dial.due
            dial.tick(last)
        self.assertEqual(40.0, last)

    def test_where_one_has_answered_or_a_bound_is_set_none_joins(self) -> None:
        hello = self.dial.start(0.0)[0][1]
        self.dial.retry(self.retry(hello), PATH)
        self.assertEqual([], self.dial.also((OTHER,), 1.0))
        again = self.dial.again(1.0)[0][1]
        self.assertEqual([], self.dial.also((OTHER,), 2.0))
        accepted = self.dial.accept(self.accept(again)[0], PATH)
        assert accepted is not None
        self.dial.finish(accepted.finish(b"")[0], 2.0)
        self.assertEqual([], self.dial.also((OTHER,), 3.0))
        bound = self.make()
        bound.hellos_left = 3
        bound.start(0.0)
        self.assertEqual([], bound.also((OTHER,), 1.0))

    def test_tokens_go_where_a_cookie_would(self) -> None:
        for redirected, flag in ((False, TOKEN), (True, TOKEN_REDIRECT)):
            hello = read_hello(self.make().start(0.0, b"t" * 16, redirected)[0][1])
            self.assertEqual((hello.header.flags, hello.cookie), (flag, b"t" * 16))

    def test_a_bound_on_hellos_to_an_unproven_address_holds_until_it_answers(self) -> None:
        self.dial.hellos_left = 3
        sent = self.dial.start(0.0)
        for _ in range(10):
            sent += self.dial.tick(self.dial.due)
        self.assertEqual(len(sent), 3)


class Answers(DialCase):
    """Retry and Accept."""

    def test_after_a_retry_everything_is_fresh_but_the_hashcode(self) -> None:
        first = self.dial.start(0.0)[0][1]
        self.dial.retry(self.retry(first), PATH)
        second = self.dial.again(0.1)[0][1]
        one, two = read_hello(first), read_hello(second)
        self.assertEqual(one.header.sender, two.header.sender)
        self.assertNotEqual(one.noise[:32], two.noise[:32])
        with self.assertRaises(BadPacket):
            self.dial.retry(self.retry(first), PATH)

    def test_four_retries_are_taken_and_no_fifth(self) -> None:
        hello = self.dial.start(0.0)[0][1]
        for _ in range(4):
            self.dial.retry(self.retry(hello), PATH)
            hello = self.dial.again(0.1)[0][1]
        with self.assertRaises(BadPacket) as caught:
            self.dial.retry(self.retry(hello), PATH)
        self.assertEqual(caught.exception.reason, "retries")

    def test_a_puzzle_is_solved_before_the_next_hello(self) -> None:
        hello = self.dial.start(0.0)[0][1]
        puzzle = self.dial.retry(self.retry(hello, difficulty=9), PATH)
        assert puzzle is not None
        self.assertEqual((puzzle[0], puzzle[2], self.dial.phase), (b"c" * 16, 9, Phase.SOLVING))
        self.assertEqual(self.dial.tick(10.0), [])
        again = self.dial.solved(bytes([9]) + bytes(7), 11.0)[0][1]
        self.assertEqual(read_hello(again).noise[:32], puzzle[1])
        self.assertEqual(self.dial.solved(bytes(8), 12.0), [])

    def test_a_puzzle_beyond_the_cap_fails_at_once(self) -> None:
        hello = self.dial.start(0.0)[0][1]
        self.assertIsNone(self.dial.retry(self.retry(hello, difficulty=21), PATH))
        self.assertEqual((self.dial.phase, type(self.dial.error)), (Phase.FAILED, PuzzleRefused))
        self.assertEqual(self.dial.again(1.0), [])

    def test_a_retry_steers_to_the_first_suite_of_ours_that_the_server_has(self) -> None:
        hello = self.dial.start(0.0)[0][1]
        self.dial.retry(self.retry(hello, suites=(1, 2)), PATH)
        self.assertEqual(read_hello(self.dial.again(0.1)[0][1]).header.suite, 2)

    def test_no_common_suite_fails_by_name(self) -> None:
        dial = self.make((4, 3))
        hello = dial.start(0.0)[0][1]
        dial.retry(self.retry(hello, suites=(1,)), PATH)
        self.assertEqual((dial.phase, type(dial.error)), (Phase.FAILED, SuiteRefused))

    def test_an_accept_that_shows_a_better_suite_fails_by_name(self) -> None:
        hello = self.dial.start(0.0)[0][1]
        self.dial.retry(self.retry(hello, suites=(1,)), PATH)
        weaker = self.dial.again(0.1)[0][1]
        self.assertEqual(read_hello(weaker).header.suite, 1)
        with self.assertRaises(handshake.WrongSuite):
            self.accept(weaker)
        accept, _ = self.accept(weaker, suites=(1,))
        self.assertIsNotNone(self.dial.accept(accept, PATH))

    def test_answers_from_an_address_that_was_not_asked_are_dropped(self) -> None:
        hello = self.dial.start(0.0)[0][1]
        accept, _ = self.accept(hello)
        for read, data in ((self.dial.retry, self.retry(hello)), (self.dial.accept, accept)):
            with self.assertRaises(BadPacket):
                read(data, OTHER)
        self.assertIsNotNone(self.dial.accept(accept, PATH))

    def test_finish_is_repeated_until_a_good_packet_comes(self) -> None:
        hello = self.dial.start(0.0)[0][1]
        accept, half = self.accept(hello)
        accepted = self.dial.accept(accept, PATH)
        assert accepted is not None
        datagram, _ = accepted.finish(b"\0\0")
        self.assertEqual(self.dial.finish(datagram, 0.1), [(PATH, datagram)])
        self.assertEqual(self.dial.tick(self.dial.due), [(PATH, datagram)])
        self.assertEqual(half.read_finish(datagram).identity, CLIENT.public)
        with self.assertRaises(BadPacket):
            self.dial.accept(accept, PATH)
        self.dial.confirm()
        self.assertEqual((self.dial.phase, self.dial.tick(99.0)), (Phase.OPEN, []))
