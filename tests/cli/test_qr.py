"""QR codes in the terminal."""

from __future__ import annotations

import segno
from twisted.trial.unittest import SynchronousTestCase

from rhotwist.cli.qr import BORDER, qr_lines
from tests.cli.stage import ALICE

SQUARES = {"█": (0, 0), "▀": (0, 1), "▄": (1, 0), " ": (1, 1)}


class QrTests(SynchronousTestCase):
    """What is drawn is the code."""

    def test_the_lines_are_the_code_of_the_address_in_capitals(self) -> None:
        rows = []
        for line in qr_lines(ALICE):
            rows.append([SQUARES[char][0] for char in line])
            rows.append([SQUARES[char][1] for char in line])
        code = segno.make_qr(ALICE.upper())
        expected = [[int(bool(square)) for square in row] for row in code.matrix_iter(border=BORDER)]
        self.assertEqual(expected, rows[: len(expected)])
        self.assertLessEqual(len(rows) - len(expected), 1)
        self.assertLess(code.version, segno.make_qr(ALICE).version)

    def test_other_text_keeps_its_case(self) -> None:
        self.assertNotEqual(qr_lines("rho1nx@Host"), qr_lines("RHO1NX@HOST"))
