"""The tree as a picture: for a browser and for a terminal."""

from __future__ import annotations

from xml.etree import ElementTree

from twisted.trial.unittest import SynchronousTestCase

from rhotwist.control.directory import TreeLevels
from rhotwist.control.picture import counted, lines, svg

ONE, TWO, THREE = "ffff2818" + "0" * 56, "8000551e" + "0" * 56, "00002918" + "0" * 56
TREE = TreeLevels(ONE, 2, ((ONE,), (TWO, ""), ("", THREE, "", "")))
LABEL = f"directory of 2 records, root {ONE}"
SVG = f"""\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1024 84" role="img" aria-label="{LABEL}">
<title>{LABEL}</title>
<rect x="0" y="0" width="1024" height="28" fill="hsl(359, 45%, 84%)" stroke="#888"><title>all: {ONE}</title></rect>
<rect x="0" y="28" width="512" height="28" fill="hsl(180, 50%, 65%)" stroke="#888"><title>0: {TWO}</title></rect>
<rect x="512" y="28" width="512" height="28" fill="none" stroke="#888"><title>1: empty</title></rect>
<rect x="0" y="56" width="256" height="28" fill="none" stroke="#888"><title>00: empty</title></rect>
<rect x="256" y="56" width="256" height="28" fill="hsl(0, 46%, 84%)" stroke="#888"><title>01: {THREE}</title></rect>
<rect x="512" y="56" width="256" height="28" fill="none" stroke="#888"><title>10: empty</title></rect>
<rect x="768" y="56" width="256" height="28" fill="none" stroke="#888"><title>11: empty</title></rect>
</svg>
"""


class PictureTests(SynchronousTestCase):
    def test_each_part_has_a_box_below_the_part_it_is_of(self) -> None:
        self.assertEqual(SVG, svg(TREE))
        ElementTree.fromstring(SVG)

    def test_deep_levels_have_boxes_of_quarter_pixels(self) -> None:
        deep = TreeLevels(ONE, 2, tuple(("",) * (1 << level) for level in range(9)))
        last = ElementTree.fromstring(svg(deep)).findall("{http://www.w3.org/2000/svg}rect")[-1]
        self.assertEqual(("1020", "4", "224"), (last.get("x"), last.get("width"), last.get("y")))

    def test_in_a_terminal_the_deepest_level_stands_eight_a_line(self) -> None:
        tree = TreeLevels(ONE, 1, ((ONE,), (ONE, TWO), (TWO, *[""] * 8, THREE)))
        self.assertEqual([
            f"root {ONE}  1 record", "  0  8000551e" + 7 * " --------", "  8  -------- 00002918",
        ], lines(tree))  # fmt: skip

    def test_one_record_is_no_records(self) -> None:
        self.assertEqual(["0 records", "1 record", "2 records"], [counted(number) for number in range(3)])
