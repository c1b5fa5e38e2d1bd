"""Records: one byte string for each meaning, signed by whose they are, small."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from rhotwist.directory import record as records
from rhotwist.directory import work
from rhotwist.directory.endpoints import Endpoint, Kind, at_ip
from rhotwist.directory.merge import rank
from rhotwist.directory.record import Record, make_record, read_layout, read_record, split
from rhotwist.directory.validity import DAY, epoch_of, quarter_of
from rhotwist.errors import BadPacket, LocalError
from rhotwist.keys.authority import Authority
from rhotwist.keys.pair import SeedKey, verify
from rhotwist.tree.merkle import leaf_hash
from tests import FULL
from tests.keys.pages import vectors
from tests.wire.support import mutated, refused

NODE, WALLET = SeedKey(bytes(range(32))), SeedKey(bytes(range(32, 64)))
ISSUED = 180_000_000
PLACES = [at_ip("tcp", "2001:db8::7", 443), at_ip("udp", "198.51.100.7", 7460)]
RELAY = Endpoint(Kind.RELAY, NODE.public)
AUTHORITY = Authority(WALLET.public, NODE.public, 1, ISSUED + 1, ISSUED + 1 + 92 * DAY, 1)
ONE = make_record(NODE, ISSUED, PLACES)
HIS = make_record(WALLET, ISSUED, [RELAY], 24, b"x")
GONE = records.withdraw(WALLET, ISSUED + 60)
LEAVE = records.delegation(AUTHORITY.sign(WALLET))
ALL = (ONE, HIS, GONE, LEAVE)


def patched(record: Record, at: int, to: bytes) -> bytes:
    data = record.encode()
    return data[:at] + to + data[at + len(to) :]


class PageTests(SynchronousTestCase):
    def test_the_page_says_what_the_code_does(self) -> None:
        page = vectors("record.md")
        nonce = bytes.fromhex(page["node: work"])
        named = {"node": ONE.with_nonce(nonce), "wallet": HIS, "withdrawal": GONE, "delegation": LEAVE}
        for name, one in named.items():
            for what in ("body", "signature", "address", "hash", "leaf"):
                said = page.get(f"{name}: {what}")
                if said is not None:
                    self.assertEqual(said, getattr(one, what).hex(), (name, what))
        self.assertEqual(page["node: rank in quarter 22"], rank(quarter_of(epoch_of(ISSUED)), ONE.address).hex())
        self.assertGreaterEqual(work.bits_of(quarter_of(epoch_of(ISSUED)), ONE.address, nonce), 14)


class RecordTests(SynchronousTestCase):
    def test_all_kinds_come_back_from_their_bytes(self) -> None:
        for one in ALL:
            self.assertEqual(one, read_record(one.encode()))
            self.assertEqual(one, read_layout(one.encode()))

    def test_its_key_signed_it(self) -> None:
        for one in ALL:
            self.assertTrue(verify(one.key, one.signed, one.signature))
        self.assertEqual(b"rho/rec/1" + ONE.body, ONE.signed)
        self.assertEqual(AUTHORITY.sign(WALLET), LEAVE.authority)
        self.assertRaises(LocalError, getattr, ONE, "authority")

    def test_signature_and_work_are_in_no_hash(self) -> None:
        other = read_layout(ONE.body + bytes(64) + b"12345678")
        self.assertEqual((ONE.hash, ONE.leaf, ONE.address), (other.hash, other.leaf, other.address))
        self.assertEqual(leaf_hash(ONE.address + ONE.body), ONE.leaf)
        self.assertEqual(other.nonce, ONE.with_nonce(b"12345678").nonce)
        self.assertRaises(LocalError, ONE.with_nonce, b"1234567")

    def test_a_delegation_has_the_address_of_its_pair(self) -> None:
        self.assertEqual(HIS.address, GONE.address)
        addresses = {records.address_of(*keys) for keys in (
            (WALLET.public,), (NODE.public,), (WALLET.public, NODE.public), (NODE.public, WALLET.public),
        )}  # fmt: skip
        self.assertEqual(4, len(addresses))
        self.assertEqual(LEAVE.address, records.address_of(WALLET.public, NODE.public))

    def test_how_long_each_lasts(self) -> None:
        self.assertEqual((ISSUED, ISSUED + 720 * 3_600), (ONE.issued, ONE.until))
        self.assertEqual(ISSUED + 24 * 3_600, HIS.until)
        self.assertEqual(GONE.issued + 720 * 3_600, GONE.until)
        self.assertEqual(AUTHORITY.issued + 93 * DAY, LEAVE.until)

    def test_what_takes_back_says_so(self) -> None:
        back = records.delegation(Authority(WALLET.public, NODE.public, 2, 1, 2, 0).sign(WALLET))
        self.assertEqual([False, False, True, False, True], [one.withdraws for one in (*ALL, back)])

    def test_every_key_it_names_is_checked(self) -> None:
        self.assertEqual(((NODE.public,), (WALLET.public, NODE.public)), (ONE.parties(), HIS.parties()))
        bad = b"\x02" + bytes(31)  # no point of the curve
        for one, at in ((ONE, 3), (HIS, 43), (LEAVE, 2), (LEAVE, 34)):
            data = patched(one, at, bad)
            self.assertEqual("key", refused(read_record, data))
            self.assertIsNone(refused(read_layout, data))
        both = records.delegation(Authority(WALLET.public, NODE.public, 1, 1, 2, 3, NODE.public).sign(WALLET))
        self.assertEqual("key", refused(read_record, patched(both, 79, bad)))

    def test_the_largest_is_taken_and_one_byte_more_is_not(self) -> None:
        many = [at_ip("udp", f"2001:db8::{n}", 1) for n in range(13)]
        spare = records.MOST - len(make_record(NODE, 0, many).encode())
        self.assertTrue(0 < spare < records.EXTENSION_MOST)
        full = make_record(NODE, 0, many, extension=bytes(spare))
        self.assertEqual(records.MOST, len(full.encode()))
        self.assertRaises(LocalError, make_record, NODE, 0, many, extension=bytes(spare + 1))
        self.assertEqual("size", refused(read_layout, full.encode() + b"\0"))

    def test_typical_ones_are_as_small_as_was_said(self) -> None:
        onion = Endpoint(Kind.ONION, bytes(32), 80)
        self.assertEqual(122, len(make_record(NODE, 0, PLACES[1:]).encode()))
        self.assertEqual(157, len(make_record(NODE, 0, [*PLACES[1:], onion]).encode()))

    def test_what_no_record_has_is_refused_by_its_reason(self) -> None:
        end = len(HIS.body)
        for data, reason in (
            (b"", "size"), (GONE.encode()[:-1], "size"), (bytes(400), "size"), (LEAVE.encode() + b"\0", "size"),
            (patched(ONE, 0, b"\2"), "version"), (patched(ONE, 1, b"\0"), "kind"), (patched(ONE, 1, b"\4"), "kind"),
            (patched(ONE, 2, b"\2"), "algorithm"), (patched(ONE, 35, b"\0\0\0\1"), "issued"),
            (patched(ONE, 39, b"\0\0"), "life"), (patched(ONE, 39, b"\2\xd1"), "life"),
            (patched(GONE, 39, b"\2\xcf"), "life"),
            (patched(ONE, 41, b"\xff"), "type"), (patched(ONE, 42, b"\7"), "type"),
            (patched(ONE, 1, b"\2"), "endpoints"),
            (patched(GONE, 1, b"\1"), "endpoints"), (patched(HIS, end - 2, b"\2"), "length"),
            (patched(HIS, end - 2, b"\x41"), "extension"), (patched(HIS, end - 2, b"\0"), "length"),
            (HIS.encode()[: end - 2] + bytes(72), "extension"), (LEAVE.encode()[:-1], "size"),
            (patched(LEAVE, 78, b"\4"), "scope"), (patched(LEAVE, 74, bytes(4)), "life"),
        ):  # fmt: skip
            self.assertEqual(reason, refused(read_layout, data), (reason, data.hex()))

    def test_the_shortest_life_and_the_longest_extension_are_taken(self) -> None:
        made = make_record(NODE, 0, PLACES, 1, bytes(records.EXTENSION_MOST))
        self.assertEqual((3_600, made), (made.until, read_record(made.encode())))

    def test_a_relay_stands_alone(self) -> None:
        self.assertRaises(LocalError, make_record, WALLET, 0, [RELAY, *PLACES])
        self.assertRaises(LocalError, make_record, WALLET, 0, [RELAY, Endpoint(Kind.RELAY, WALLET.public)])

    def test_what_cannot_be_said_is_our_caller_s_mistake(self) -> None:
        for issued, life, extension in (
            (-60, 1, b""), (1 << 33, 1, b""), (0, 0, b""), (0, 721, b""), (0, 1, bytes(65)), (0, 1, bytes(256)),
        ):  # fmt: skip
            self.assertRaises(LocalError, make_record, NODE, issued, PLACES, life, extension)
        self.assertRaises(LocalError, records.delegation, bytes(173))
        self.assertEqual(120, make_record(NODE, 179, PLACES).issued)

    @given(mutated(st.sampled_from([one.encode() for one in ALL])))
    @settings(max_examples=10_000 if FULL else 300)
    def test_other_bytes_are_refused_or_are_the_one_string_of_another_record(self, data: bytes) -> None:
        try:
            read = read_layout(data)
        except BadPacket:
            return
        self.assertEqual(data, read.encode())
        self.assertEqual([data], split(data))

    def test_every_flipped_bit_is_refused_or_breaks_the_signature(self) -> None:
        for one in ALL:
            data = one.encode()
            for bit in range(0, 8 * (len(data) - records.NONCE_SIZE), 1 if FULL else 7):
                wrong = bytearray(data)
                wrong[bit >> 3] ^= 1 << (bit & 7)
                try:
                    read = read_record(bytes(wrong))
                except BadPacket:
                    continue
                self.assertFalse(verify(read.key, read.signed, read.signature), bit)

    def test_records_that_lie_one_behind_the_other_come_apart(self) -> None:
        encoded = [one.encode() for one in ALL]
        joined = b"".join(encoded)
        self.assertEqual(encoded, split(joined))
        self.assertEqual([], split(b""))
        whole = {sum(map(len, encoded[:count])) for count in range(5)}
        for end in set(range(len(joined))) - whole:
            self.assertEqual("short", refused(split, joined[:end]), end)
        self.assertEqual("type", refused(split, patched(ONE, 42, b"\0")))
