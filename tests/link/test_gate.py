"""What a stranger must show, in which order, and what he gets for it."""

from __future__ import annotations

import contextlib
from collections import Counter

from twisted.trial.unittest import SynchronousTestCase

from rhotwist.codes.hashcodes import HashcodeTable
from rhotwist.errors import BadPacket
from rhotwist.keys.pair import SeedKey
from rhotwist.limits import Limits
from rhotwist.link.gate import Gate, Pending
from rhotwist.moment import Moment
from rhotwist.secret import puzzle
from rhotwist.secret.cookie import REDIRECTED, SAVED, StatelessSecrets
from rhotwist.secret.curve import OPERATIONS
from rhotwist.secret.handshake import Draft, SentHello
from rhotwist.secret.kem import ML_KEM_768
from rhotwist.secret.suite import DEFAULT_ORDER
from rhotwist.testing.network import Network
from rhotwist.wire.datagram import Path, pack_address
from rhotwist.wire.packet import COOKIE, TOKEN, TOKEN_REDIRECT

SERVER, CLIENT = SeedKey(b"s" * 32), SeedKey(b"c" * 32)
HOME = Path(0, pack_address("10.0.0.9", 999))
AWAY = Path(0, pack_address("10.0.0.8", 999))
SAME_IP = Path(0, pack_address("10.0.0.9", 1000))
DEMANDING = Limits(cookie_load=-1.0)


class GateCase(SynchronousTestCase):
    """A gate, and clients to knock at it."""

    limits = Limits(retry_share=0.0)

    def setUp(self) -> None:
        self.rng = Network(1).chance("gate").randbytes
        self.counters: Counter[str] = Counter()
        self.codes: HashcodeTable = HashcodeTable(self.rng(32), 600.0, start=1)
        self.gate = self.make(self.limits)
        self.now = Moment(1000.0, 5000.0)

    def make(self, limits: Limits, suites: tuple[int, ...] = DEFAULT_ORDER) -> Gate:
        return Gate(
            SERVER, self.codes, limits=limits, rng=self.rng, kem=ML_KEM_768, order=suites,
            secrets=StatelessSecrets.alone(self.rng), counters=self.counters,
        )  # fmt: skip

    def draft(self, suite: int = 4, code: int = 77, order: tuple[int, ...] = ()) -> Draft:
        offered = order or (DEFAULT_ORDER if suite == 4 else (suite,))
        return Draft.draw(CLIENT, SERVER.public, suite, offered, code=code, rng=self.rng, kem=ML_KEM_768)

    def knock(self, data: bytes, path: Path = HOME, *, after: float = 0.0, room: bool = True) -> bytes | None:
        return self.gate.hello(data, path, Moment(self.now.mono + after, self.now.wall), room)

    def refused(self, reason: str, data: bytes, path: Path = HOME, **how: float) -> None:
        with self.assertRaises(BadPacket) as caught:
            self.knock(data, path, **how)  # type: ignore[arg-type]
        self.assertEqual(caught.exception.reason, reason)

    def cookie(self, path: Path = HOME, code: int = 77, after: float = 0.0) -> bytes:
        return self.gate.cookies.make(path.address, code, Moment(self.now.mono + after, 0.0))

    def is_retry(self, sent: SentHello, answer: bytes | None) -> bool:
        return answer is not None and len(answer) == 64 and len(sent.read_retry(answer).cookie) == 16


class Order(GateCase):
    """Cheap checks first: what fails one costs nothing of the next."""

    def test_an_idle_gate_takes_a_hello_and_repeats_its_accept_byte_for_byte(self) -> None:
        data = self.draft().seal().datagram
        first = self.knock(data)
        self.assertEqual(len(first or b""), 1220)
        curve = OPERATIONS.total
        self.assertEqual(self.knock(data), first)
        self.assertEqual(OPERATIONS.total, curve)
        self.assertEqual((len(self.gate), len(self.codes)), (1, 1))

    def test_without_mac1_there_is_silence_and_no_curve_work(self) -> None:
        data = self.draft().seal().datagram
        curve = OPERATIONS.total
        self.refused("mac1", data[:-1] + bytes([data[-1] ^ 1]))
        stranger = SeedKey(b"x" * 32).public
        draft = Draft.draw(CLIENT, stranger, 4, DEFAULT_ORDER, code=77, rng=self.rng, kem=ML_KEM_768)
        used = OPERATIONS.total
        self.refused("mac1", draft.seal().datagram)
        self.assertEqual(OPERATIONS.total - used, 1)  # the client's own
        self.assertEqual((OPERATIONS.total - curve, len(self.gate)), (2, 0))

    def test_with_cookies_demanded_nothing_is_kept_or_computed_without_one(self) -> None:
        self.gate = self.make(DEMANDING)
        sent = [self.draft(code=code).seal() for code in range(1, 30)]
        curve = OPERATIONS.total
        for one in sent:
            self.assertTrue(self.is_retry(one, self.knock(one.datagram)))
        self.assertEqual((OPERATIONS.total, len(self.gate), len(self.codes)), (curve, 0, 0))

    def test_with_the_cookie_of_that_retry_the_next_hello_is_taken(self) -> None:
        self.gate = self.make(DEMANDING)
        one = self.draft().seal()
        retry = one.read_retry(self.knock(one.datagram) or b"")
        two = self.draft().seal(retry.cookie, COOKIE)
        self.assertEqual(len(self.knock(two.datagram) or b""), 1220)

    def test_two_hellos_in_a_hundred_are_retried_for_no_reason(self) -> None:
        self.gate = self.make(Limits(retry_share=0.02, cookie_load=9e9, cookie_pending=10**6))
        retried = sum(
            len(self.knock(self.draft(2, code).seal().datagram) or b"") == 64 for code in range(1, 1501)
        )
        self.assertTrue(10 <= retried <= 55, retried)

    def test_pending_beyond_256_and_load_beyond_a_quarter_demand_cookies(self) -> None:
        self.gate = self.make(Limits(retry_share=0.0, cookie_pending=5, cookie_load=9.0))
        answers = [len(self.knock(self.draft(2, code).seal().datagram) or b"") for code in range(1, 9)]
        self.assertEqual(answers, [116] * 6 + [64] * 2)
        self.gate = self.make(Limits(retry_share=0.0, handshake_cost=0.1, cookie_load=0.25))
        answers = [len(self.knock(self.draft(2, code).seal().datagram) or b"") for code in range(11, 16)]
        self.assertEqual(answers, [116] * 3 + [64] * 2)
        self.assertEqual(len(self.knock(self.draft(2, 99).seal().datagram, after=1.5) or b""), 116)

    def test_retries_are_so_many_a_second_and_a_cookie_gets_in_all_the_same(self) -> None:
        self.gate = self.make(Limits(cookie_load=-1.0, retry_rate=5.0))
        answered = 0
        for code in range(1, 21):
            try:
                answered += self.knock(self.draft(2, code).seal().datagram) is not None
            except BadPacket as error:
                self.assertEqual(error.reason, "busy")
        self.assertEqual(answered, 5)
        paid = self.draft(2, 30).seal(self.cookie(code=30), COOKIE)
        self.assertEqual(len(self.knock(paid.datagram) or b""), 116)
        self.refused("busy", self.draft(2, 31).seal(b"not a cookie 16!", COOKIE).datagram)
        self.assertEqual(len(self.knock(self.draft(2, 32).seal().datagram, after=0.25) or b""), 64)

    def test_beyond_the_retries_hellos_without_a_cookie_take_turns_and_a_cookie_needs_none(self) -> None:
        self.gate = self.make(Limits(cookie_load=-1.0, retry_rate=100.0))
        bare, paid = self.draft(2).seal().datagram, self.draft(2, 8).seal(self.cookie(code=8), COOKIE).datagram
        for number in range(100):
            self.knock(paid, after=number / 1000)
        self.assertEqual((self.gate.sieve.turn, self.gate.deadline()), (None, self.now.mono + 30.0))
        for number in range(100):
            with contextlib.suppress(BadPacket):
                self.knock(bare, after=1 + number / 1000)
            if self.gate.sieve.moved():
                self.gate.sieve.told(0, 0.0, self.now.mono + 1 + number / 1000)
        turn = self.gate.sieve.turn
        self.assertTrue(turn is not None and turn.width < 2**32 // 5, turn)
        due = self.gate.deadline() or 0.0
        self.assertTrue(self.now.mono + 1.6 < due < self.now.mono + 1.75, due)
        self.gate.tick(due)
        self.assertTrue(self.gate.sieve.moved())

    def test_turns_end_when_no_cookie_is_demanded_any_more(self) -> None:
        self.gate = self.make(Limits(retry_rate=100.0, cookie_load=0.0, handshake_cost=1e-6, retry_share=0.0))
        for number in range(100):
            self.knock(self.draft(2, 1 + number).seal().datagram, after=number / 1000)
        self.gate.sieve.told(0, 0.0, self.now.mono + 0.1)
        self.assertIsNotNone(self.gate.sieve.turn)
        for second in range(3):
            self.gate.tick(self.now.mono + 1 + second)
        self.assertIsNone(self.gate.sieve.turn)

    def test_no_room_means_silence(self) -> None:
        self.refused("full", self.draft().seal().datagram, room=False)
        self.gate = self.make(Limits(retry_share=0.0, half_open_max=2))
        for code in (1, 2):
            self.knock(self.draft(2, code).seal().datagram)
        self.refused("full", self.draft(2, 3).seal().datagram)

    def test_a_handshake_that_is_not_finished_is_forgotten_after_30_seconds(self) -> None:
        self.knock(self.draft().seal().datagram)
        self.assertEqual(self.gate.deadline(), self.now.mono + 30.0)
        self.gate.tick(self.now.mono + 29.9)
        self.assertEqual(len(self.gate), 1)
        self.gate.tick(self.now.mono + 30.0)
        self.assertEqual((len(self.gate), len(self.codes), self.gate.deadline()), (0, 0, None))

    def test_a_finished_one_leaves_its_code_to_the_session(self) -> None:
        self.knock(self.draft().seal().datagram)
        pending = next(iter(self.codes.live.values()))
        self.assertIsInstance(pending, Pending)
        self.gate.close(pending)
        self.gate.close(pending)
        self.gate.tick(self.now.mono + 100)
        self.assertEqual((len(self.gate), len(self.codes)), (0, 1))

    def test_a_suite_we_lack_is_answered_with_our_mask_before_any_curve_work(self) -> None:
        self.gate = self.make(self.limits, (1,))
        one = self.draft(4).seal()
        curve = OPERATIONS.total
        self.assertEqual(one.read_retry(self.knock(one.datagram) or b"").mask, 0b10)
        self.assertEqual(OPERATIONS.total, curve)

    def test_a_worse_suite_than_the_client_offers_is_sent_back_after_looking_inside(self) -> None:
        one = self.draft(1, order=DEFAULT_ORDER).seal()
        self.assertTrue(self.is_retry(one, self.knock(one.datagram)))
        self.assertEqual((len(self.gate), len(self.codes)), (0, 0))


class Cookies(GateCase):
    """Who has the cookie has the address, for two minutes, once."""

    limits = DEMANDING

    def test_a_cookie_is_good_at_its_own_address_port_and_hashcode_only(self) -> None:
        cookie = self.cookie()
        for path, code in ((AWAY, 77), (SAME_IP, 77), (HOME, 78)):
            one = self.draft(code=code).seal(cookie, COOKIE)
            self.assertTrue(self.is_retry(one, self.knock(one.datagram, path)))
        self.assertEqual(len(self.gate), 0)
        self.assertEqual(len(self.knock(self.draft().seal(cookie, COOKIE).datagram) or b""), 1220)

    def test_a_cookie_lives_for_60_to_120_seconds(self) -> None:
        cookie = self.cookie()
        fresh, old = self.draft().seal(cookie, COOKIE), self.draft(code=78)
        self.assertEqual(len(self.knock(fresh.datagram, after=59) or b""), 1220)
        stale = old.seal(self.cookie(code=78), COOKIE)
        self.assertTrue(self.is_retry(stale, self.knock(stale.datagram, after=121)))

    def test_one_hello_is_taken_once_even_after_it_was_forgotten(self) -> None:
        one = self.draft().seal(self.cookie(), COOKIE)
        self.knock(one.datagram)
        self.gate.tick(self.now.mono + 31)
        self.assertTrue(self.is_retry(one, self.knock(one.datagram, after=31)))

    def test_a_saved_token_replaces_the_cookie_once_from_any_port_of_its_ip(self) -> None:
        token = self.gate.tokens.make(SAVED, HOME.address, self.rng, self.now)
        self.assertEqual(len(self.knock(self.draft().seal(token, TOKEN).datagram, SAME_IP) or b""), 1220)
        again = self.draft(code=78).seal(token, TOKEN)
        self.assertTrue(self.is_retry(again, self.knock(again.datagram)))
        elsewhere = self.draft(code=79).seal(self.gate.tokens.make(SAVED, HOME.address, self.rng, self.now), TOKEN)
        self.assertTrue(self.is_retry(elsewhere, self.knock(elsewhere.datagram, AWAY)))

    def test_a_saved_token_is_no_redirect_token(self) -> None:
        token = self.gate.tokens.make(SAVED, HOME.address, self.rng, self.now)
        one = self.draft().seal(token, TOKEN_REDIRECT)
        self.assertTrue(self.is_retry(one, self.knock(one.datagram)))

    def test_a_prefix_has_its_share_and_no_more(self) -> None:
        self.gate = self.make(Limits(cookie_load=-1.0, prefix_burst=5.0, prefix_rate=1.0))
        for code in range(1, 6):
            self.assertIsNotNone(self.knock(self.draft(2, code).seal(self.cookie(code=code), COOKIE).datagram))
        late = self.draft(2, 6).seal(self.cookie(code=6), COOKIE)
        self.refused("bucket", late.datagram)
        fresh = self.draft(2, 7).seal(self.cookie(code=7), COOKIE)
        self.assertEqual(len(self.knock(fresh.datagram, after=1.0) or b""), 116)


class Puzzles(GateCase):
    """Work for everyone when even proven addresses ask for too much."""

    limits = Limits(cookie_load=-1.0, handshake_cost=0.5, handshake_share=0.7, puzzle_first=8)

    def solved(self, cookie: bytes, bits: int, code: int = 77) -> SentHello:
        draft = self.draft(2, code)
        found = None
        start = 0
        while found is None:
            found = puzzle.solve(cookie, draft.e, bits, start)
            start += 2**12
        return draft.seal(cookie, COOKIE, found)

    def overload(self) -> None:
        for code in (1, 2):
            self.knock(self.draft(2, code).seal(self.cookie(code=code), COOKIE).datagram)

    def test_over_budget_eight_bits_are_asked_and_their_solution_is_taken_once(self) -> None:
        self.overload()
        cookie = self.cookie()
        one = self.draft(2).seal(cookie, COOKIE)
        retry = one.read_retry(self.knock(one.datagram) or b"")
        self.assertEqual(retry.difficulty, 8)
        good = self.solved(retry.cookie, 8)
        self.assertEqual(len(self.knock(good.datagram) or b""), 116)
        self.gate.tick(self.now.mono + 31)
        self.assertTrue(self.is_retry(good, self.knock(good.datagram, after=31)))

    def test_difficulty_rises_each_second_over_and_falls_to_zero_after(self) -> None:
        self.overload()
        bits = []
        for second in range(4):
            one = self.draft(2, 100 + second).seal(self.cookie(code=100 + second), COOKIE)
            answer = self.knock(one.datagram, after=0.3 * second)
            bits.append(one.read_retry(answer or b"").difficulty)
        self.assertEqual(bits[0], 8)
        self.assertEqual(bits, sorted(bits))
        quiet = self.draft(2, 200).seal(self.cookie(code=200, after=30), COOKIE)
        self.assertEqual(len(self.knock(quiet.datagram, after=30) or b""), 116)
        self.assertEqual(self.gate.difficulty.bits, 0)

    def test_a_claim_without_the_work_is_dropped(self) -> None:
        liar = self.draft(2).seal(self.cookie(), COOKIE, bytes([20]) + bytes(7))
        curve = OPERATIONS.total
        self.refused("puzzle", liar.datagram)
        self.assertEqual(OPERATIONS.total, curve)

    def test_a_redirect_token_needs_no_puzzle(self) -> None:
        self.overload()
        token = self.gate.tokens.make(REDIRECTED, HOME.address, self.rng, self.now)
        self.assertEqual(len(self.knock(self.draft(2).seal(token, TOKEN_REDIRECT).datagram) or b""), 116)


class Halves(GateCase):
    """A hybrid Hello cut in two."""

    def test_a_first_half_without_cookie_is_answered_with_a_small_retry_and_kept_nowhere(self) -> None:
        sent = self.draft().seal()
        self.assertTrue(self.is_retry(sent, self.knock(sent.halves[0])))
        self.refused("cookie", sent.halves[1])
        self.assertEqual(len(self.gate), 0)

    def test_both_halves_with_a_cookie_make_one_hello_in_any_order(self) -> None:
        for code, order in ((77, (0, 1)), (78, (1, 0))):
            sent = self.draft(code=code).seal(self.cookie(code=code), COOKIE)
            self.assertIsNone(self.knock(sent.halves[order[0]]))
            accept = self.knock(sent.halves[order[1]])
            self.assertEqual(len(accept or b""), 1220)
            self.assertEqual(sent.read_accept(accept or b"").peer_code in self.codes.live, True)

    def test_halves_of_a_hello_that_came_whole_get_the_same_accept(self) -> None:
        sent = self.draft().seal(self.cookie(), COOKIE)
        whole = self.knock(sent.datagram)
        curve = OPERATIONS.total
        self.knock(sent.halves[0])
        self.assertEqual(self.knock(sent.halves[1]), whole)
        self.assertEqual((OPERATIONS.total, len(self.gate)), (curve, 1))

    def test_a_half_waits_two_seconds(self) -> None:
        sent = self.draft().seal(self.cookie(), COOKIE)
        self.knock(sent.halves[0])
        self.assertIsNone(self.knock(sent.halves[1], after=2.1))
        self.assertEqual(len(self.gate), 0)

    def test_the_digest_shows_what_is_kept(self) -> None:
        before = self.gate.digest()
        sent = self.draft().seal(self.cookie(), COOKIE)
        self.knock(sent.halves[0])
        between = self.gate.digest()
        self.knock(sent.halves[1])
        self.assertEqual(len({before, between, self.gate.digest()}), 3)
