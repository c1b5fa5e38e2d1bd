"""Small packets: opened once, by the right key, and nothing moves for a wrong one."""

import random
import sys
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from rhotwist.errors import BadPacket, KeySpent
from rhotwist.secret import audit
from rhotwist.secret.seal import PacketSeal, derive, next_root
from rhotwist.secret.suite import SUITES, aead
from rhotwist.secret.window import WINDOW
from rhotwist.wire.packet import small_header
from tests import FULL
from tests.secret.sides import RESPONDER_CODE, ROOT, opens, packet, pair, state

PAGE = Path(__file__).parents[2] / "docs" / "spec" / "small-packets.md"


class PacketTests(SynchronousTestCase):
    def test_what_one_side_seals_the_other_opens_in_every_suite(self) -> None:
        for suite in SUITES:
            a, b = pair(suite, start=7)
            for size in (0, 1, 128, 1_204):
                plain = bytes(size)
                self.assertEqual(b.open(a.seal(plain)), (a.sent, plain))
                self.assertEqual(a.open(b.seal(plain)), (b.sent, plain))
            self.assertEqual((a.sent, b.newest), (10, 10))

    def test_the_bytes_are_those_of_the_spec_page(self) -> None:
        for suite in SUITES:
            a, b = pair(suite, start=2**31)
            self.assertEqual(a.seal(b"plain"), packet(2**31, b"plain", suite=suite))
            self.assertEqual(b.open(packet(2**40, b"x", suite=suite)), (2**40, b"x"))

    def test_the_vectors_of_the_spec_page_hold(self) -> None:
        page = PAGE.read_text().replace("\n", "").replace(" ", "")
        a, b = pair(1, start=0x01020304)
        for value in (derive(ROOT, 1, 0), derive(ROOT, 1, 1), a.seal(b"\0"), b.seal(b"\0"), pair(2)[0].seal(b"\0")):
            self.assertIn(value.hex(), page)

    def test_counters_begin_where_the_caller_says_and_rise_by_one(self) -> None:
        a, b = pair(start=2**32 - 1)
        self.assertEqual([b.open(a.seal(b""))[0] for _ in range(3)], [2**32 - 1, 2**32, 2**32 + 1])
        a, b = pair(start=0)
        self.assertEqual(b.open(a.seal(b""))[0], 0)

    def test_a_packet_comes_back_to_nobody(self) -> None:
        a, b = pair()
        datagram = a.seal(b"x")
        self.assertFalse(opens(a, datagram))
        self.assertTrue(opens(b, datagram))
        self.assertFalse(opens(pair(root=bytes(32))[1], datagram))
        self.assertFalse(opens(pair(suite=3)[1], datagram))

    def test_dropped_ciphers_are_built_again(self) -> None:
        a, b = pair()
        b.open(a.seal(b"1"))
        a.drop_aead()
        b.drop_aead()
        self.assertEqual(b.open(a.seal(b"2")), (1, b"2"))

    def test_an_idle_session_is_small(self) -> None:
        a, b = pair(start=2**31)
        for _ in range(20):
            b.open(a.seal(bytes(100)))
            a.open(b.seal(bytes(100)))
        a.drop_aead()
        size = sys.getsizeof(a) + sum(sys.getsizeof(getattr(a, name)) for name in PacketSeal.__slots__)
        self.assertLess(size, 930)


class RefusalTests(SynchronousTestCase):
    def reason(self, seal: PacketSeal, datagram: bytes) -> str:
        before = state(seal)
        with self.assertRaises(BadPacket) as caught:
            seal.open(datagram)
        self.assertEqual(state(seal), before)
        return caught.exception.reason

    def test_every_flipped_bit_is_refused_and_changes_nothing(self) -> None:
        for suite in (1, 2):
            a, b = pair(suite, start=5_000)
            b.open(a.seal(b"first"))
            datagram = a.seal(b"a plain text")
            reasons = set()
            for bit in range(8 * len(datagram)):
                flipped = bytearray(datagram)
                flipped[bit >> 3] ^= 1 << (bit & 7)
                reasons.add(self.reason(b, bytes(flipped)))
            self.assertEqual(reasons, {"tag", "epoch", "flags", "replay"})
            self.assertTrue(opens(b, datagram))

    def test_every_cut_and_any_addition_is_refused(self) -> None:
        a, b = pair()
        datagram = a.seal(b"a plain text")
        for size in range(len(datagram)):
            self.assertEqual(self.reason(b, datagram[:size]), "short" if size < 28 else "tag")
        self.assertEqual(self.reason(b, datagram + b"\0"), "tag")

    def test_a_replay_is_told_from_a_forgery(self) -> None:
        a, b = pair()
        datagram = a.seal(b"x")
        b.open(datagram)
        self.assertEqual(self.reason(b, datagram), "replay")
        self.assertEqual(self.reason(b, packet(9, b"x", root=bytes(32))), "tag")

    def test_another_epoch_or_a_flag_is_refused_even_with_a_good_tag(self) -> None:
        _, b = pair()
        for epoch in range(1, 16):
            self.assertEqual(self.reason(b, packet(1, epoch=epoch)), "epoch")
        for flag in range(8):
            self.assertEqual(self.reason(b, packet(1, flags=1 << flag)), "flags")

    def test_forgeries_between_good_packets_lose_none_of_them(self) -> None:
        chance = random.Random(3)
        a, b = pair()
        for number in range(10_000 if FULL else 1_000):
            datagram = bytearray(a.seal(number.to_bytes(4, "big")))
            forged = bytes(datagram[:2] + chance.randbytes(6) + datagram[8:])
            self.assertFalse(opens(b, forged))
            self.assertEqual(b.open(bytes(datagram))[1], number.to_bytes(4, "big"))

    @given(st.binary(max_size=80))
    def test_a_strangers_bytes_raise_one_thing(self, data: bytes) -> None:
        self.assertFalse(opens(pair()[1], data))
        self.assertFalse(opens(pair()[1], b"\x05\0" + data))


class ReplayTests(SynchronousTestCase):
    """The sequences that WireGuard tests its own counter with, over real packets and with our window.

    limit is what WireGuard calls the window's size plus one. Where its counters end at 2**64 less the window, ours end
    where the header does, at 2**48.
    """

    def run_through(self, steps: list[tuple[int, bool]]) -> None:
        _, b = pair()
        for number, (counter, good) in enumerate(steps):
            self.assertEqual(opens(b, packet(counter)), good, (number, counter))

    def test_the_34_steps(self) -> None:
        limit, end = WINDOW + 1, 2**48
        steps = [
            (0, True), (1, True), (1, False), (9, True), (8, True), (7, True), (7, False), (limit, True),
            (limit - 1, True), (limit - 1, False), (limit - 2, True), (2, True), (2, False), (limit + 16, True),
            (3, False), (limit + 16, False), (limit * 4, True), (limit * 4 - (limit - 1), True), (10, False),
            (limit * 4 - limit, False), (limit * 4 - (limit + 1), False), (limit * 4 - (limit - 2), True),
            (limit * 4 + 1 - limit, False), (0, False), (end, False), (end - 1, True), (end, False), (end - 1, False),
            (end - 2, True), (end + 1, False), (end + 2, False), (end - 2, False), (end - 3, True), (0, False),
        ]  # fmt: skip
        self.assertEqual(len(steps), 34)
        self.run_through(steps)

    def test_rising_through_the_window_then_its_lower_edge_twice(self) -> None:
        self.run_through([*((i, True) for i in range(1, WINDOW + 1)), (0, True), (0, False)])

    def test_rising_one_further_then_below_the_edge(self) -> None:
        self.run_through([*((i, True) for i in range(2, WINDOW + 2)), (1, True), (0, False)])

    def test_falling_through_the_window(self) -> None:
        self.run_through([(i, True) for i in range(WINDOW, -1, -1)])

    def test_falling_from_one_higher_then_below_the_edge(self) -> None:
        self.run_through([*((i, True) for i in range(WINDOW + 1, 0, -1)), (0, False)])

    def test_falling_then_the_next_then_below_the_edge(self) -> None:
        self.run_through([*((i, True) for i in range(WINDOW, 0, -1)), (WINDOW + 1, True), (0, False)])

    def test_falling_then_the_edge_then_the_next(self) -> None:
        self.run_through([*((i, True) for i in range(WINDOW, 0, -1)), (0, True), (WINDOW + 1, True)])

    def test_packets_shuffled_and_doubled_are_each_opened_once(self) -> None:
        chance = random.Random(11)
        a, b = pair()
        sent = [a.seal(n.to_bytes(4, "big")) for n in range(20_000 if FULL else 4_000)]
        arriving = [
            (n + chance.uniform(0, 900), d) for n, d in enumerate(sent) for _ in range(1 + (chance.random() < 0.2))
        ]
        opened = []
        for _, datagram in sorted(arriving):
            try:
                opened.append(int.from_bytes(b.open(datagram)[1], "big"))
            except BadPacket as error:
                self.assertEqual(error.reason, "replay")
        self.assertEqual(sorted(opened), list(range(len(sent))))


class LimitTests(SynchronousTestCase):
    def test_a_key_seals_its_limit_and_no_more(self) -> None:
        a, _ = pair(start=100, seals_max=5)
        for _ in range(5):
            a.seal(b"")
        self.assertEqual(a.under, 5)
        for _ in range(3):
            self.assertRaises(KeySpent, a.seal, b"")
        self.assertEqual(a.sent, 104)

    def test_the_limit_is_2_to_the_23(self) -> None:
        a, _ = pair()
        a.sent = 2**23 - 2
        a.seal(b"")
        self.assertRaises(KeySpent, a.seal, b"")

    def test_the_counter_never_leaves_its_48_bits(self) -> None:
        a, b = pair(start=2**48 - 1)
        self.assertEqual(b.open(a.seal(b""))[0], 2**48 - 1)
        self.assertRaises(KeySpent, a.seal, b"")

    def test_a_counter_is_spent_even_when_the_cipher_fails(self) -> None:
        a, _ = pair()
        self.assertRaises(TypeError, a.seal, "text")
        a.seal(b"")
        self.assertEqual(a.sent, 1)

    def test_an_erased_session_neither_seals_nor_opens_and_holds_no_key(self) -> None:
        a, b = pair()
        datagram = a.seal(b"")
        a.prepare(bytes(32), bytes(32), bytes(32))
        b.open(datagram)
        kept = [b._keys, a._keys, a._next]
        for side in (a, b):
            side.erase()
            self.assertRaises(KeySpent, side.seal, b"")
            self.assertRaises(KeySpent, side.prepare, b"", b"", b"")
            self.assertRaises(KeySpent, side.switch)
            self.assertFalse(opens(side, packet(77)))
            self.assertFalse(opens(side, packet(77, epoch=15)))
            self.assertEqual((side._encrypt, side._decrypt), (None, None))
        self.assertEqual([bytes(keys or b"") for keys in kept], [bytes(96)] * 3)
        self.assertEqual((a.sent, b.sent), (0, -1))

    def test_a_session_knows_when_its_key_is_spent(self) -> None:
        a, b = pair(seals_max=2)
        self.assertEqual([(a.spent, a.seal(b"")[:2]) for _ in range(2)], [(False, b"\5\0")] * 2)
        self.assertTrue(a.spent)
        self.assertFalse(b.spent)
        b.erase()
        self.assertTrue(b.spent)

    def test_no_key_meets_a_nonce_twice_through_epochs_in_both_directions(self) -> None:
        used: set[tuple[bytes, bytes]] = set()
        calls = 0

        def hook(key: bytes, nonce: bytes, digest: bytes) -> None:
            nonlocal calls
            calls += 1
            self.assertEqual((len(key), len(nonce), len(digest)), (32, 12, 32))
            self.assertNotIn((key, nonce), used)
            used.add((key, nonce))

        self.patch(audit, "hook", hook)
        a, b = pair(start=9)
        for epoch in range(20):
            for _ in range(2_000 if FULL else 50):
                b.open(a.seal(b""))
                a.open(b.seal(b""))
            for side in (a, b):
                side.prepare(bytes([epoch]) * 32, bytes(32), bytes(32))
            a.switch()
            b.open(a.seal(b"turn"))
            a.open(b.seal(b"turn"))
        self.assertEqual(len(used), calls)
        self.assertEqual(len({key for key, _ in used}), 2 * 21)


class EpochTests(SynchronousTestCase):
    def advance(self, a: PacketSeal, b: PacketSeal) -> None:
        for side in (a, b):
            side.prepare(b"s" * 32, b"o" * 32, b"t" * 32)

    def test_only_the_prepared_epoch_opens_and_its_first_packet_turns_the_receiver(self) -> None:
        a, b = pair()
        self.advance(a, b)
        self.assertEqual((a.epoch, b.epoch), (0, 0))
        old = a.seal(b"old")
        a.switch()
        new = a.seal(b"new")
        self.assertEqual((old[0], new[0]), (0x05, 0x15))
        self.assertEqual(b.open(new)[1], b"new")
        self.assertEqual((b.epoch, b.turned), (1, True))
        self.assertEqual(b.seal(b"")[0], 0x15)
        self.assertEqual(b.open(old)[1], b"old")  # still on its way when the epoch turned
        self.assertEqual(a.epoch, 0)
        self.assertEqual(a.open(b.seal(b"back"))[1], b"back")
        self.assertEqual((a.epoch, a.turned), (1, True))

    def test_counters_and_the_window_go_on_through_epochs(self) -> None:
        a, b = pair(start=50)
        first = a.seal(b"1")
        b.open(first)
        self.advance(a, b)
        a.switch()
        self.assertEqual(b.open(a.seal(b"2"))[0], 51)
        self.assertFalse(opens(b, first))
        self.assertEqual((b.newest, a.under), (51, 1))

    def test_a_forged_packet_of_the_next_epoch_turns_nothing(self) -> None:
        a, b = pair()
        self.advance(a, b)
        before = state(b)
        self.assertFalse(opens(b, packet(3, epoch=1)))
        self.assertEqual(state(b), before)
        self.assertFalse(opens(b, b"\x25" + packet(3, epoch=1)[1:]))

    def test_the_epoch_before_opens_until_it_is_forgotten(self) -> None:
        a, b = pair()
        late = [a.seal(b"late") for _ in range(2)]
        self.advance(a, b)
        a.switch()
        b.open(a.seal(b""))
        self.assertTrue(opens(b, late[0]))
        kept = b._before
        b.forget_before()
        self.assertFalse(opens(b, late[1]))
        self.assertEqual(kept, bytes(64))

    def test_an_overwritten_key_opens_nothing(self) -> None:
        a, b = pair(suite=1)
        self.advance(a, b)
        a.switch()
        b.open(a.seal(b""))
        header = small_header(0, 0, 99, RESPONDER_CODE)
        for step in (b.forget_before, b.erase):
            step()
            forged = header + aead(1, bytes(32)).encrypt(bytes(4) + (99).to_bytes(8, "big"), b"", header)
            self.assertFalse(opens(b, forged))
            self.assertFalse(opens(b, b"\x15" + forged[1:]))

    def test_keys_that_give_way_to_others_are_overwritten(self) -> None:
        a, b = pair()
        self.advance(a, b)
        unused = b._next
        b.prepare(b"x" * 32, b"o" * 32, b"t" * 32)
        self.assertEqual(unused, bytes(96))
        self.advance(a, b)
        a.switch()
        b.open(a.seal(b""))
        a.open(b.seal(b""))
        before = b._before
        self.advance(a, b)
        a.switch()
        b.open(a.seal(b""))
        self.assertEqual(before, bytes(64))

    def test_its_digest_moves_with_keys_window_and_epoch_and_with_nothing_else(self) -> None:
        a, b = pair(start=3)
        seen = [b.digest()]
        datagrams = [a.seal(b"") for _ in range(2)]
        b.seal(b"")
        b.drop_aead()
        self.assertFalse(opens(b, datagrams[0][:-1]))
        self.assertEqual([b.digest()], seen)
        steps = [
            lambda: b.open(datagrams[1]), lambda: b.open(datagrams[0]), lambda: self.advance(a, b), a.switch,
            lambda: b.open(a.seal(b"")), lambda: setattr(b, "turned", False), b.forget_before,
            lambda: setattr(b, "peer_code", 9), b.erase,
        ]  # fmt: skip
        for step in steps:
            step()
            if step != a.switch:
                seen.append(b.digest())
        self.assertEqual(len(set(seen)), len(steps))
        self.assertEqual(len(seen[0]), 32)

    def test_roots_and_send_keys_of_a_finished_epoch_are_overwritten(self) -> None:
        a, b = pair()
        self.advance(a, b)
        old = b._keys
        a.switch()
        b.open(a.seal(b""))
        self.assertEqual(old, bytes(96))
        self.assertEqual(b._before, derive(ROOT, 2, 0) + derive(ROOT, 1, 0))

    def test_epoch_numbers_wrap_at_16_without_confusion(self) -> None:
        a, b = pair()
        for number in range(40):
            late = a.seal(b"late")
            self.advance(a, b)
            a.switch()
            b.open(a.seal(bytes([number])))
            a.open(b.seal(b""))
            self.assertTrue(opens(b, late))
            self.assertEqual((a.epoch, b.epoch), (number + 1, number + 1))

    def test_preparing_changes_nothing_that_is_sent(self) -> None:
        a, b = pair()
        self.advance(a, b)
        self.assertTrue(opens(pair()[1], a.seal(b"")))
        self.assertRaises(KeySpent, pair()[0].switch)

    def test_the_next_root_depends_on_every_part(self) -> None:
        parts = (ROOT, b"s" * 32, 1, b"o" * 32, b"t" * 32)
        roots = {next_root(*parts)}
        for changed in ((bytes(32), *parts[1:]), (ROOT, b"x" * 32, *parts[2:]), (*parts[:2], 2, *parts[3:]),
                        (*parts[:3], b"t" * 32, b"o" * 32)):  # fmt: skip
            roots.add(next_root(*changed))
        self.assertEqual(len(roots), 5)
