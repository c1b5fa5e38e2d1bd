"""docs/spec/objects.md is what the code does: its sizes, its numbers, its worked example."""

from __future__ import annotations

import re
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from rhotwist.limits import Limits
from rhotwist.link.messages import Ack, Beat, Gone, Have, Offer
from rhotwist.link.object_in import ACK_BYTES, ACK_PIECE, ACK_WINDOW
from rhotwist.secret.object_seal import ObjectSeal
from rhotwist.secret.suite import AES
from rhotwist.wire.message import compose
from rhotwist.wire.object_packet import CLASSES

PAGE = (Path(__file__).parents[2] / "docs" / "spec" / "objects.md").read_text(encoding="utf-8")


class PageTests(SynchronousTestCase):
    def row(self, name: str) -> str:
        found = re.search(rf"\| {re.escape(name)} \| `([0-9a-f]+)` \|", PAGE)
        assert found is not None, name
        return found[1]

    def test_the_worked_example(self) -> None:
        key = bytes(range(32))
        message = compose(4, b"\x11" * 32, b"\x22" * 32, bytes(32), b"\x33" * 16, b"A" * 1_200)
        data = memoryview(message.encode())
        seal = ObjectSeal(key, AES, 0x01020304, 7)
        first, second = seal.seal_run(4, [0, 1], data, ask=True)
        (half,) = seal.seal_run(2, [2], data)
        offer = Offer(
            id=7, key=key, named=message.hash, size=len(data), size_class=4, hashcode=0xA1B2C3D4, kind=0
        )
        self.assertEqual(self.row("its hash"), message.hash.hex())
        self.assertEqual(self.row("header of piece 0, class 4"), first[:16].hex())
        self.assertEqual(self.row("header of piece 1, asking for an ack"), second[:16].hex())
        self.assertEqual(self.row("header of piece 2 after halving, class 2"), half[:16].hex())
        tags = re.findall(r"\| its tag \| `([0-9a-f]+)` \|", PAGE)
        self.assertEqual(tags, [packet[-16:].hex() for packet in (first, second, half)])
        self.assertEqual(self.row("offer, event `a1b2c3d4`"), offer.encode().hex())
        ack = Ack(id=7, size_class=4, base=0, counter=1, delay=12, bitmap=b"\x02")
        self.assertEqual(self.row("ack of piece 1 alone, 1.2 ms after it came"), ack.encode().hex())
        ack = Ack(id=7, size_class=4, base=2, counter=1, delay=0, bitmap=b"")
        self.assertEqual(self.row("ack of all"), ack.encode().hex())
        self.assertEqual(self.row("gone, too slow"), Gone(id=7, reason=3, ours=False).encode().hex())
        self.assertEqual(self.row("beat"), Beat(id=7).encode().hex())
        self.assertEqual(self.row("have pieces 0 and 2"), Have(bitmap=b"\x05").encode().hex())

    def test_its_numbers_are_those_of_the_code(self) -> None:
        limits = Limits()
        for number in (
            limits.object_max, limits.object_max_client, limits.object_max_stranger, limits.object_flight, ACK_BYTES,
            ACK_PIECE, ACK_WINDOW, limits.object_offers, *CLASSES,
        ):  # fmt: skip
            self.assertIn(f"{number:,}", PAGE)
        self.assertEqual((limits.object_session, limits.object_process), (4 * 2**20, 256 * 2**20))
        self.assertEqual((limits.object_idle, limits.object_grace, limits.object_rate), (30.0, 30.0, 1_000.0))
        self.assertEqual((limits.object_ack, limits.object_beat, limits.object_seals_max), (0.005, 0.1, 2**22))
