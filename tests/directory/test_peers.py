"""Whom a node keeps: nobody fills its places by having many keys, and what it learned outlives a restart."""

from __future__ import annotations

from collections import Counter
from random import Random

from twisted.trial.unittest import SynchronousTestCase

from rhotwist.directory.endpoints import Endpoint, Kind, at_ip
from rhotwist.directory.peers import BAD, HALF, TRIED_CROWD, UNTRIED_CROWD, Connect, Known, Peers, Use, alone, crowd_of
from rhotwist.limits import Limits
from rhotwist.secret.crowd import Crowd
from rhotwist.testing import SeededTestCase

OWN = b"own".ljust(32)


def key(number: int, kind: str = "honest") -> bytes:
    """A node's key."""
    return f"{kind} {number}".encode().ljust(32)


def place(group: int, number: int = 1) -> bytes:
    """An endpoint in a /16 of that number."""
    return at_ip("udp", f"{20 + group // 256}.{group % 256}.{number // 256}.{number % 256}", 7460).encode()


def peers(seed: int = 0, **limits: float) -> Peers:
    """A choice that has made none yet."""
    return Peers(OWN, Limits(**limits), Random(seed).randbytes)  # type: ignore[arg-type]


class ChoiceTests(SynchronousTestCase):
    def fill(self, some: Peers, mono: float = 0.0, answers: object = None) -> list[Connect]:
        """Let whoever is dialled answer, until nobody is."""
        dialled = []
        for _ in range(50):
            chosen = some.choose(mono, 0)
            if not chosen:
                break
            for connect in chosen:
                dialled.append(connect)
                some.opened(connect.key, connect.place, mono, 0)
        return dialled

    def test_eight_are_kept_each_of_another_neighbourhood_where_there_is_a_choice(self) -> None:
        some = peers()
        for group in range(12):
            for number in range(1 + 30 * (group < 2)):
                some.learn(key(100 * group + number), place(group, number))
        dialled = [connect for connect in self.fill(some) if not connect.feel]
        self.assertEqual(8, len(some.out))
        self.assertEqual([1] * 8, list(Counter(crowd_of(connect.place) for connect in dialled).values()))

    def test_two_of_a_neighbourhood_where_there_is_none_up_to_half_the_places_and_never_three(self) -> None:
        for crowds, kept in ((1, 2), (3, 4), (5, 5)):
            some = peers(feel_every=1e9)
            some.choose(0.0, 0)
            for number in range(90):
                some.learn(key(number), place(number % crowds, number))
            self.fill(some)
            self.assertEqual(kept, len(some.out))

    def test_neighbourhoods_are_sixteen_bits_thirty_two_of_ipv6_and_an_onion_service(self) -> None:
        self.assertEqual(crowd_of(place(5, 1)), crowd_of(place(5, 9_999)))
        self.assertNotEqual(crowd_of(place(5)), crowd_of(place(6)))
        six = [at_ip("udp", f"2a00:{block}:{rest}::1", 1).encode() for block, rest in ((1, 1), (1, 2), (2, 1))]
        self.assertEqual([True, False], [crowd_of(six[0]) == crowd_of(other) for other in six[1:]])
        onion = [Endpoint(Kind.ONION, bytes([n]) * 32, port).encode() for n, port in ((1, 1), (1, 2), (2, 1))]
        self.assertEqual([True, False], [crowd_of(onion[0]) == crowd_of(other) for other in onion[1:]])
        self.assertEqual(crowd_of(at_ip("tcp", "20.5.1.1", 9).encode()), crowd_of(place(5)))

    def test_the_pasted_one_is_first_then_two_of_the_last_run(self) -> None:
        before = peers()
        for group in range(12):
            before.learn(key(group), place(group))
        self.fill(before)
        best = before.out[5]
        before.judge(best, 3.0, 0)
        kept = before.kept()
        self.assertEqual(2, sum(known.kept for known in kept))
        after = peers(1)
        after.load(kept)
        after.paste(key(99), place(99))
        first = [connect.key for connect in after.choose(0.0, 0)][:3]
        self.assertEqual((key(99), True), (first[0], best in first))
        self.assertEqual({known.key for known in kept if known.kept}, set(first[1:]))

    def test_our_own_record_is_no_peer_of_ours_and_a_withdrawn_one_none_of_anybody(self) -> None:
        some = peers()
        some.learn(OWN, place(1))
        some.learn(key(2), place(2))
        some.forget(key(2))
        self.assertEqual([], some.choose(0.0, 0))

    def test_who_does_not_answer_is_tried_again_after_longer_and_longer(self) -> None:
        some = peers(feel_every=1e9)
        some.choose(0.0, 0)
        some.learn(key(1), place(1))
        tried = []
        for minute in range(200):
            for connect in some.choose(60.0 * minute, 0):
                tried.append(minute)
                some.failed(connect.key, 60.0 * minute, 0)
        self.assertEqual([0, 1, 3, 7, 15, 31, 63, 123, 183], tried)

    def test_a_lost_peer_makes_a_free_place(self) -> None:
        some = peers()
        for group in range(20):
            some.learn(key(group), place(group))
        self.fill(some)
        lost = some.out[0]
        some.closed(lost, 0.0)
        self.assertNotIn(lost, some)
        self.fill(some)
        self.assertEqual((8, False), (len(some.out), lost in some.out))

    def test_visitors_are_taken_up_to_a_number_and_whoever_behaved_badly_is_not(self) -> None:
        some = peers(peers_in=3)
        some.judge(key(0), BAD, 0)
        uses = [some.opened(key(n), place(n), 0.0, 0) for n in range(5)]
        self.assertEqual([Use.NONE, Use.KEPT, Use.KEPT, Use.KEPT, Use.NONE], uses)
        some.closed(key(1), 0.0)
        self.assertIs(Use.KEPT, some.opened(key(4), place(4), 0.0, 0))
        self.assertEqual((), some.out)
        some.named = frozenset((key(0), key(5)))
        uses = [some.opened(key(n), place(n), 0.0, 0) for n in (0, 5, 6)]
        self.assertEqual([Use.NONE, Use.KEPT, Use.NONE], uses)  # strangers shut out nobody whom our people named


class MemoryTests(SynchronousTestCase):
    def test_scores_outlive_restarts_and_new_sessions_and_fade(self) -> None:
        some = peers()
        some.learn(key(1), place(1))
        some.choose(0.0, 0)
        some.opened(key(1), place(1), 0.0, 0)
        self.assertFalse(some.judge(key(1), -20.0, 0))
        some.closed(key(1), 0.0)
        after = peers()
        after.load(some.kept())
        self.assertEqual([], after.choose(1e6, 0))
        self.assertIs(Use.NONE, after.opened(key(1), place(1), 1e6, 0))
        self.assertEqual(BAD, after.score(key(1), int(HALF)))
        self.assertEqual([key(1)], [connect.key for connect in after.choose(1e6, int(HALF) + 60)])

    def test_what_their_records_were_is_counted_of_visitors_too_and_outlives_a_restart(self) -> None:
        some = peers()
        some.count(key(1), good=2)  # whom no record names yet
        some.count(key(1), bad=1)
        self.assertEqual(((2, 1), (0, 0)), (some.counts(key(1)), some.counts(key(2))))
        some.learn(key(2), place(2))
        some.choose(0.0, 0)
        some.opened(key(2), place(2), 0.0, 0)
        some.count(key(2), 5, 3)
        after = peers()
        after.load(some.kept())
        self.assertEqual((5, 3), after.counts(key(2)))

    def test_one_of_the_last_run_that_took_its_record_back_and_visits_is_not_dialled(self) -> None:
        some = peers(feel_every=1e9)
        some.choose(0.0, 0)
        some.load([Known(key(1), place(1), kept=True)])
        some.forget(key(1))
        some.opened(key(1), place(1), 0.0, 0)
        some.judge(key(1), 1.0, 0)
        some.closed(key(1), 0.0)
        self.assertEqual([], some.choose(1.0, 0))
        some.paste(key(1), place(2))
        self.assertEqual([Connect(key(1), place(2))], some.choose(2.0, 0))
        some.learn(key(3), place(3))
        some.learn(key(4), place(2, 4))
        chosen = [connect.key for connect in some.choose(3.0, 0)]
        self.assertEqual(key(3), chosen[0])  # whoever is dialled counts for its neighbourhood

    def test_no_more_of_the_last_run_are_first_than_may_be_kept(self) -> None:
        some = peers(peers_kept=2)
        some.load([Known(key(number), place(number), kept=number != 1) for number in range(5)])
        self.assertEqual([key(0), key(2)], some._first)

    def test_another_record_says_where_it_is_now_whatever_is_known_of_it(self) -> None:
        some = peers(peers_out=1, feel_every=1e9)
        some.load([Known(key(1), place(1))])
        some.learn(key(1), place(5))
        self.assertEqual((place(5), 0), (some._tried[key(1)].place, len(some._untried)))
        for number in range(UNTRIED_CROWD):
            some.learn(key(100 + number), place(2, number))
        some.learn(key(100), place(2, 999))
        some.learn(key(500), place(2, 500))
        self.assertEqual((place(2, 999), UNTRIED_CROWD), (some._untried.get(key(100)).place, len(some._untried)))  # type: ignore[union-attr]
        some.learn(OWN, place(3))
        self.assertNotIn(OWN, some._untried)

    def test_a_peer_of_now_stays_one_when_its_record_is_withdrawn_and_a_stranger_s_is_no_matter(self) -> None:
        some = peers()
        some.learn(key(1), place(1))
        [connect, *_] = some.choose(0.0, 0)
        some.opened(connect.key, connect.place, 0.0, 0)
        some.judge(key(1), 1.0, 0)
        some.forget(key(1))
        some.forget(key(99))
        self.assertEqual([Known(key(1), place(1), 1.0, 0, True)], some.kept())

    def test_one_that_is_opened_twice_is_a_peer_once(self) -> None:
        some = peers()
        some.learn(key(1), place(1))
        [connect, *_] = some.choose(0.0, 0)
        uses = [some.opened(key(1), place(1), 0.0, 0) for _ in range(2)]
        self.assertEqual(([Use.KEPT] * 2, (key(1),), {}), (uses, some.out, some._in))

    def test_one_that_was_felt_is_left_though_there_is_room_and_one_too_many_though_it_was_not(self) -> None:
        some = peers(peers_out=1)
        for number, feel, use in ((1, True, Use.ONCE), (2, False, Use.KEPT), (3, False, Use.ONCE)):
            some.learn(key(number), place(number))
            some._dialling[key(number)] = feel
            self.assertIs(use, some.opened(key(number), place(number), 0.0, 0))
        self.assertEqual(((key(2),), 3), (some.out, len(some._tried)))

    def test_who_is_compared_with_once_is_not_dialled_until_that_is_over(self) -> None:
        """It is no peer, and a second connect to it would come to nothing and keep its place for ever."""
        some = peers(peers_out=2, feel_every=1.0)
        some.learn(key(1), place(1))
        some._dialling[key(1)] = True
        self.assertIs(Use.ONCE, some.opened(key(1), place(1), 0.0, 0))
        self.assertEqual([], some.choose(1.0, 0))
        self.assertNotIn(key(1), some)
        some.closed(key(1), 2.0)
        self.assertEqual([key(1)], [connect.key for connect in some.choose(3.0, 0)])

    def test_as_many_are_dialled_as_places_are_free_and_whom_it_feels_takes_none(self) -> None:
        some = peers(peers_out=2, feel_every=1e9)
        for number in range(9):
            some.learn(key(number), place(number))
        first = some.choose(0.0, 0)
        self.assertEqual([False, False, True], [connect.feel for connect in first])
        self.assertEqual([], some.choose(1.0, 0))
        some.opened(first[0].key, first[0].place, 1.0, 0)
        self.assertEqual([], some.choose(2.0, 0))
        some.failed(first[1].key, 2.0, 0)
        self.assertEqual(1, len(some.choose(3.0, 0)))

    def test_one_that_went_is_dialled_again_after_a_minute_and_one_that_failed_is_still_known(self) -> None:
        some = peers(peers_out=1, feel_every=1e9)
        some.load([Known(key(1), place(1))])
        [connect, *_] = some.choose(0.0, 0)
        some.opened(key(1), connect.place, 0.0, 0)
        some.closed(key(1), 10.0)
        self.assertEqual(([], 1), (some.choose(69.0, 0), len(some.choose(70.0, 0))))
        some.failed(key(1), 70.0, 0)
        self.assertEqual([key(1)], [known.key for known in some.kept()])
        some._newcomers[key(1)] = key(9)  # whom its table has dropped meanwhile
        some.failed(key(1), 80.0, 0)
        self.assertEqual(([], {}), (some.kept(), some._newcomers))

    def test_a_score_is_of_the_day_it_was_given_and_tells_who_may_stay(self) -> None:
        some = peers()
        self.assertIs(True, some.judge(key(1), BAD + 0.5, 0))
        self.assertIs(False, some.judge(key(1), -0.5, 0))
        self.assertIs(True, some.judge(key(1), 0.0, int(HALF)))
        self.assertEqual(BAD / 4, some.score(key(1), 2 * int(HALF)))

    def test_blame_outlives_another_record_and_a_withdrawal(self) -> None:
        for again in (place(1), place(2)):
            for tried in (False, True):
                some = peers(feel_every=1e9)
                some.learn(key(1), place(1))
                if tried:
                    some.choose(0.0, 0)
                some.opened(key(1), place(1), 0.0, 0)
                self.assertEqual(tried, key(1) in some.out)
                some.judge(key(1), -20.0, 0)
                some.closed(key(1), 0.0)
                some.learn(key(1), again)
                self.assertEqual(2 * BAD, some.score(key(1), 0))
                some.forget(key(1))
                self.assertEqual(2 * BAD, some.score(key(1), 0))
                some.learn(key(1), again)
                self.assertIs(Use.NONE, some.opened(key(1), again, 9e3, 0))
                self.assertEqual([], some.choose(9e3, 0))
                self.assertEqual([key(1)], [connect.key for connect in some.choose(9e3, int(HALF) + 60)])
                self.assertEqual(0, len(some._strangers))

    def test_merit_is_not_kept_of_whoever_took_its_record_back(self) -> None:
        some = peers()
        for number in range(3):
            some.learn(key(number), place(number))
            some.judge(key(number), 1.0, 0)
            some.forget(key(number))
        self.assertEqual(0, len(some._strangers))

    def test_a_test_before_anybody_is_forgotten_who_has_answered(self) -> None:
        for alive in (True, False):
            some = peers(peers_out=0, feel_every=1.0)
            for number in range(TRIED_CROWD + 1):
                some.learn(key(number), place(1, number))
            mono = 0.0
            while not some._newcomers:
                mono += 2.0
                for connect in some.choose(mono, 0):
                    self.assertTrue(connect.feel)
                    self.assertIs(Use.ONCE, some.opened(connect.key, connect.place, mono, 0))
                    some.closed(connect.key, mono)
            self.assertEqual(TRIED_CROWD, len(some.kept()))
            [(oldest, newcomer)] = some._newcomers.items()
            dialled = {connect.key: connect for connect in some.choose(mono + 9.0, 0)}[oldest]
            self.assertTrue(dialled.feel)
            if alive:
                some.opened(oldest, dialled.place, mono + 9.0, 0)
            else:
                some.failed(oldest, mono + 9.0, 0)
            known = {one.key for one in some.kept()}
            self.assertEqual((alive, not alive), (oldest in known, newcomer in known))
            self.assertEqual({}, some._newcomers)

    def test_what_is_remembered_is_bounded_also_of_one_neighbourhood(self) -> None:
        some = peers(peers_untried=100)
        for number in range(500):
            some.learn(key(number), place(1, number))
        self.assertEqual(UNTRIED_CROWD, len(some._untried))
        for number in range(500):
            some.learn(key(1_000 + number), place(2 + number))
        self.assertEqual(100, len(some._untried))
        self.assertEqual(100, sum(map(len, some._untried_of.values())))
        self.assertNotIn({}, some._untried_of.values())

    def test_what_a_full_memory_costs_does_not_grow_with_it(self) -> None:
        looked: list[bytes] = []
        contains, free = Crowd.__contains__, Peers._free
        self.patch(Crowd, "__contains__", lambda crowd, key: looked.append(key) or contains(crowd, key))
        self.patch(Peers, "_free", lambda some, key, *when: looked.append(key) or free(some, key, *when))
        for most in (50, 3_200):
            some = peers(peers_untried=most, feel_every=1e9)
            some.choose(0.0, 0)
            for number in range(most):
                some.learn(key(number), place(number))
            looked.clear()
            for number in range(10):
                some.learn(key(10_000 + number), place(10_000 + number))
            self.assertEqual(8, len(some.choose(1.0, 0)))
            self.assertLess(len(looked), 40)


class AloneTests(SynchronousTestCase):
    def test_one_root_against_three_that_agree_stands_alone(self) -> None:
        views = {b"a": (10, b"x"), b"b": (10, b"x"), b"c": (10, b"x"), b"d": (10, b"y")}
        self.assertEqual([False, False, False, True], [alone(views, key) for key in views])
        self.assertFalse(alone({**views, b"e": (10, b"y")}, b"d"))
        self.assertFalse(alone({key: views[key] for key in (b"a", b"b", b"d")}, b"d"))
        self.assertFalse(alone(views, b"elsewhere"))

    def test_one_that_has_fewer_than_all_others_stands_alone(self) -> None:
        views = {b"a": (1_000, b"x"), b"b": (1_001, b"y"), b"c": (1_002, b"z"), b"d": (980, b"w")}
        self.assertEqual([False, False, False, True], [alone(views, key) for key in views])


class EclipseTests(SeededTestCase):
    """A day in which a thousand keys in four /16s try to become all our peers; honest nodes come and go."""

    def test_after_a_day_at_least_four_of_eight_are_honest(self) -> None:
        good = runs = 0
        for seed in self.seeds(3, 200):
            good += self.day(seed) >= 4
            runs += 1
        self.assertGreaterEqual(good, 0.99 * runs)

    def day(self, seed: int) -> int:
        noise = Random(seed)
        some = Peers(OWN, Limits(), noise.randbytes)
        where = {key(n): place(n, n) for n in range(50)}
        where |= {key(n, "attacker"): place(1_000 + n % 4, n) for n in range(1_000)}
        order = list(where)
        noise.shuffle(order)
        for one in order:
            some.learn(one, where[one])
        up = {one: noise.random() < 0.7 for one in where}
        for minute in range(24 * 60):
            mono = 60.0 * minute
            for number in range(50):
                if noise.random() < 1 / 240:  # four hours on average, up or down
                    up[key(number)] = not up[key(number)]
            for one in some.out:
                if not up[one] and one.startswith(b"honest"):
                    some.closed(one, mono)
            for dialled in range(3):  # a dial that fails does so in 20 seconds
                now = mono + 20.0 * dialled
                for connect in some.choose(now, int(now)):
                    if up[connect.key] or connect.key.startswith(b"attacker"):
                        if some.opened(connect.key, connect.place, now, int(now)) is Use.ONCE:
                            some.closed(connect.key, now)
                    else:
                        some.failed(connect.key, now, int(now))
            if minute == 720:  # a restart at noon
                kept, some = some.kept(), Peers(OWN, Limits(), noise.randbytes)
                some.load(kept)
                for one in order:
                    some.learn(one, where[one])
        return sum(one.startswith(b"honest") for one in some.out)
