"""Authorities: 173 bytes, one meaning each."""

from __future__ import annotations

import attrs
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from rhotwist.errors import BadPacket, LocalError
from rhotwist.keys.authority import BODY, LABEL, LIFE_MOST, SIZE, Authority, read_authority
from rhotwist.keys.pair import SeedKey, verify
from tests.wire.support import mutated, refused

MASTER, OTHER = SeedKey(bytes([1]) * 32), SeedKey(bytes([2]) * 32)
SPEAKS = Authority(MASTER.public, OTHER.public, 7, 1_000, 2_000, 1)
BOTH = attrs.evolve(SPEAKS, scope=3, branch=OTHER.public)
SIGNED = SPEAKS.sign(MASTER)


class AuthorityTests(SynchronousTestCase):
    def test_the_layout_is_that_of_the_docstring(self) -> None:
        self.assertEqual((SIZE, BODY), (len(SIGNED), len(SPEAKS.body())))
        self.assertEqual(
            MASTER.public + OTHER.public + bytes.fromhex("00000007 000003e8 000007d0 01") + bytes(32), SIGNED[:BODY]
        )
        self.assertEqual(OTHER.public, BOTH.body()[77:])

    def test_it_comes_back_from_its_bytes(self) -> None:
        for one in (SPEAKS, BOTH, attrs.evolve(SPEAKS, scope=0), attrs.evolve(BOTH, scope=2)):
            self.assertEqual(one, read_authority(one.sign(MASTER)))

    def test_the_master_signs_behind_the_label_and_nobody_else_does(self) -> None:
        self.assertTrue(verify(MASTER.public, LABEL + SIGNED[:BODY], SIGNED[BODY:]))
        self.assertRaises(LocalError, SPEAKS.sign, OTHER)

    def test_it_names_its_keys(self) -> None:
        self.assertEqual((MASTER.public, OTHER.public), SPEAKS.parties())
        self.assertEqual((MASTER.public, OTHER.public, OTHER.public), BOTH.parties())

    def test_what_none_says_is_our_caller_s_mistake_and_a_stranger_s_bad_packet(self) -> None:
        for wrong, reason in (
            (attrs.evolve(SPEAKS, scope=4), "scope"), (attrs.evolve(SPEAKS, scope=2), "scope"),
            (attrs.evolve(SPEAKS, branch=OTHER.public), "scope"), (attrs.evolve(SPEAKS, expires=1_000), "life"),
            (attrs.evolve(SPEAKS, expires=1_001 + LIFE_MOST), "life"),
        ):  # fmt: skip
            self.assertRaises(LocalError, wrong.body)
            made = wrong.master + wrong.subordinate + b"".join(
                number.to_bytes(4, "big") for number in (wrong.number, wrong.issued, wrong.expires)
            ) + bytes((wrong.scope,)) + wrong.branch + bytes(64)  # fmt: skip
            self.assertEqual(reason, refused(read_authority, made))
        self.assertRaises(LocalError, attrs.evolve(SPEAKS, number=1 << 32).body)
        longest = attrs.evolve(SPEAKS, expires=1_000 + LIFE_MOST)
        self.assertEqual(longest, read_authority(longest.sign(MASTER)))
        for size in (0, SIZE - 1, SIZE + 1):
            self.assertEqual("size", refused(read_authority, bytes(size)))

    @given(mutated(st.sampled_from([SIGNED, BOTH.sign(MASTER)])))
    def test_other_bytes_are_refused_or_are_another_s(self, data: bytes) -> None:
        try:
            read = read_authority(data)
        except BadPacket:
            return
        self.assertEqual(data[:BODY], read.body())
