"""Bundles out of one directory and into another, by way of a text."""

from __future__ import annotations

from pathlib import Path

import attrs
from twisted.internet.defer import Deferred

from rhotwist.control import directory as values
from rhotwist.control.values import Nothing
from rhotwist.directory import bundle
from rhotwist.directory.bundle import Bundle
from rhotwist.directory.endpoints import at_ip
from rhotwist.directory.record import Record, make_record
from rhotwist.directory.validity import DAY
from rhotwist.errors import OperatorError
from rhotwist.service import bundles
from rhotwist.testing.cases import full
from rhotwist.wire.armour import TEXT_MOST
from tests.directory.support import NOON, key, record
from tests.service.directories import Home, HomeCase, node, wallet
from tests.service.test_finding import relay


class BundleCase(HomeCase):
    """Texts and homes."""

    def setUp(self) -> None:
        self.here, self.there = self.home(0), self.home(1)

    def export(self, home: Home, **ask: object) -> values.BundleText:
        """A bundle of a home."""
        made: values.BundleText = self.result(home.bundles.export(values.BundleAsk(**ask)))  # type: ignore[arg-type]
        return made

    def take(self, home: Home, text: str | bytes) -> values.Merged:
        """What becomes of a text."""
        taking = Deferred.fromCoroutine(home.bundles.take(values.BundleFile(str(home.file(text)))))
        while not taking.called and home.clock.getDelayedCalls()[0].getTime() <= home.clock.seconds():
            home.clock.advance(0)  # the next slice
        merged: values.Merged = self.result(taking)
        return merged

    def show(self, home: Home, text: str) -> values.BundleShown:
        """What a text holds."""
        shown: values.BundleShown = self.result(home.bundles.show(values.BundleFile(str(home.file(text)))))
        return shown

    def refused(self, path: Path) -> OperatorError:
        """The error for a file."""
        return self.assertRaises(OperatorError, bundles.read_file, path)


class ExportTests(BundleCase):
    """Out."""

    def test_a_wallet_brings_its_node_s_record_with_it(self) -> None:
        private = make_record(key(2), NOON, [at_ip("udp", "10.0.0.1", 1)])
        self.give(self.here, relay(1, 2), private, record(3))
        made = self.export(self.here, keys=(wallet(1),))
        self.assertEqual((2, False), (made.records, made.more))
        self.assertEqual((relay(1, 2).encode(), private.encode()), bundle.read(made.text).records)
        self.assertEqual(1, self.export(self.here, keys=(node(3),)).records)

    def test_a_key_that_is_not_here_is_named_and_nothing_at_all_is_an_error(self) -> None:
        for ask, code in (({"keys": (node(5),)}, "RHO-2601"), ({"keys": ("x",)}, "RHO-2201"), ({}, "RHO-2612")):
            working = Deferred.fromCoroutine(self.here.bundles.export(values.BundleAsk(**ask)))  # type: ignore[arg-type]
            self.assertEqual(code, self.failureResultOf(working, OperatorError).value.code)

    def test_all_of_a_large_directory_goes_in_several_bundles(self) -> None:
        self.patch(bundles, "EXPORT_MOST", bundles.MOST * 5)
        self.patch(bundles, "PAGE", 5)
        for number in range(12):
            self.give(self.here, record(number))
        cursor, counts = 0, []
        while True:
            made = self.export(self.here, cursor=cursor)
            counts.append(made.records)
            cursor = made.cursor
            self.take(self.there, made.text)
            if not made.more:
                break
        self.assertEqual([5, 5, 2], counts)
        self.assertEqual(self.here.keeper.store.root, self.there.keeper.store.root)

    def test_a_small_one_has_one_record_in_each_part_and_not_too_many(self) -> None:
        self.give(self.here, *map(record, range(bundles.SMALL_MOST + 1)))
        made = self.export(self.here, small=True)
        self.assertEqual((bundles.SMALL_MOST, True), (made.records, made.more))
        tokens = [line for line in made.text.splitlines() if line.startswith("rho1.")]
        self.assertEqual(bundles.SMALL_MOST, len(tokens))
        self.assertLess(max(map(len, tokens)), 250)


class ImportTests(BundleCase):
    """In."""

    def test_what_a_chat_made_of_it_is_merged_all_the_same(self) -> None:
        self.give(self.here, relay(1, 2), *map(record, range(2, 20)))
        text = self.export(self.here).text
        quoted = "hi, here:\n" + "".join(f"> {line[:70]}\r\n> {line[70:]}\r\n" for line in text.splitlines()) + "bye"
        merged = self.take(self.there, quoted)
        self.assertEqual((19, 19, 0, 0, {}, ""),
                         (merged.total, merged.new, merged.newer, merged.known, merged.refused, merged.trouble))
        self.assertEqual((self.here.keeper.store.root.hex(), 19), (merged.root, merged.count))
        self.assertEqual((19, 0), ((again := self.take(self.there, quoted)).known, again.new))

    def test_damaged_parts_are_named_and_the_rest_is_merged_in_one_transaction(self) -> None:
        count = 2_000 if full() else 200
        self.give(self.here, *map(record, range(count)))
        lines = self.export(self.here).text.splitlines()
        tokens = [at for at, line in enumerate(lines) if line.startswith("rho1.")]
        seq = self.there.keeper.store.state.seq
        lost = (2, 7)
        for part in lost:
            line = lines[tokens[part - 1]]
            lines[tokens[part - 1]] = line[:50] + ("A" if line[50] != "A" else "B") + line[51:]
        merged = self.take(self.there, "\n".join(lines))
        self.assertEqual(f"2 of {len(tokens)} parts are damaged or missing: paste part 2 and 7 again", merged.trouble)
        self.assertEqual((merged.total, merged.total), (merged.new, self.there.keeper.store.state.count))
        self.assertEqual(seq + merged.total, self.there.keeper.store.state.seq)
        whole = self.export(self.here).text.splitlines()
        merged = self.take(self.there, "\n".join(whole[tokens[part - 1]] for part in lost))
        self.assertEqual(self.here.keeper.store.root.hex(), merged.root)

    def test_what_nobody_signed_is_refused_and_told_and_the_rest_is_kept(self) -> None:
        forged = attrs.evolve(record(1), signature=bytes(64))
        merged = self.take(self.there, bundle.write(Bundle(records=(forged.encode(), record(2).encode()))))
        self.assertEqual((1, {"signature": 1}), (merged.new, merged.refused))

    def test_what_holds_no_bundle_or_is_no_text_is_refused_by_name(self) -> None:
        home = self.here
        self.assertEqual("RHO-2609", self.refused(home.file("hello")).code)
        self.assertEqual("RHO-2609", self.refused(home.file(b"\xff\x00")).code)
        self.assertEqual("RHO-2611", self.refused(home.folder).code)
        self.assertEqual("RHO-2611", self.refused(home.folder / "absent").code)
        self.assertEqual("RHO-2611", self.refused(Path("/dev/null")).code)

    def test_fifty_megabytes_are_refused_unread(self) -> None:
        path = self.here.file("")
        with path.open("wb") as file:
            file.truncate(50_000_000)
        self.assertEqual("RHO-2610", self.refused(path).code)
        with path.open("wb") as file:
            file.truncate(TEXT_MOST)
        self.assertEqual("RHO-2609", self.refused(path).code)


class ShowTests(BundleCase):
    """Looked at, and not kept."""

    def test_each_record_is_compared_with_what_stands_here(self) -> None:
        self.give(self.there, record(1), record(2, NOON + 60), record(3), record(9))
        odd = record(6).encode()
        text = bundle.write(Bundle(records=(
            record(1).encode(), record(2).encode(), record(3, NOON + 60).encode(), record(4).encode(),
            attrs.evolve(record(5), signature=bytes(64)).encode(), odd[:2] + b"\7" + odd[3:],
        )))  # fmt: skip
        before = self.there.keeper.store.state
        shown = self.show(self.there, text)
        self.assertEqual([values.SAME, values.OLDER, values.NEWER, values.NEW], [row.here for row in shown.records])
        self.assertEqual((6, 1, 1, 1, 1, 1, 1, 1), (
            shown.total, shown.new, shown.newer, shown.older, shown.same, shown.unsigned, shown.odd, shown.only_here
        ))  # fmt: skip
        self.assertEqual(before, self.there.keeper.store.state)

    def test_only_so_many_are_shown_and_all_are_counted(self) -> None:
        self.patch(bundles, "SHOWN_MOST", 3)
        self.give(self.here, *map(record, range(5)))
        shown = self.show(self.there, self.export(self.here).text)
        self.assertEqual((3, 5), (len(shown.records), shown.new))

    def test_a_hello_and_what_is_asked_for_are_told(self) -> None:
        hello = self.result(self.here.bundles.hello(Nothing())).text
        self.assertTrue(self.show(self.there, hello).hello)
        self.assertEqual(1, self.show(self.there, bundle.write(Bundle(wants=(b"12345",)))).wants)


class TwoPasteTests(BundleCase):
    """Compared by pasting."""

    def shared(self, *numbers: int) -> list[Record]:
        """Records on both sides."""
        made = [record(number) for number in numbers]
        self.give(self.here, *made)
        self.give(self.there, *made)
        return made

    def hello(self) -> str:
        """Somebody's hello."""
        made: values.BundleText = self.result(self.here.bundles.hello(Nothing()))
        return made.text

    def test_a_hello_an_answer_and_what_that_asks_for_make_two_trees_one(self) -> None:
        self.shared(*range(300))
        self.give(self.here, *map(record, range(1_000, 1_010)), record(5, NOON + 60))
        self.give(self.there, *map(record, range(2_000, 2_010)), record(6, NOON + 60))
        hello = self.hello()
        self.assertLess(len(hello), 1_700)
        answer = self.take(self.there, hello)
        self.assertEqual("the other lacks 12 records that are here, and has 12 that are not", answer.compared)
        back = self.take(self.here, answer.answer)
        self.assertEqual((10, 1), (back.new, back.newer))
        self.assertNotEqual("", back.answer)
        last = self.take(self.there, back.answer)
        self.assertEqual("", last.answer)
        self.assertEqual(self.here.keeper.store.root, self.there.keeper.store.root)

    def test_equal_trees_are_told_to_be_equal(self) -> None:
        self.shared(1, 2)
        answer = self.take(self.there, self.hello())
        self.assertIn("equal", answer.compared)
        self.assertEqual("", answer.answer)

    def test_a_hello_of_yesterday_is_told(self) -> None:
        hello = self.hello()
        self.there.ahead = DAY
        self.there.pass_on()
        self.assertIn("another day", self.take(self.there, hello).compared)

    def test_too_much_to_tell_in_a_paste_is_told(self) -> None:
        self.give(self.here, *map(record, range(400)))
        answer = self.take(self.there, self.hello())
        self.assertIn("--all", answer.compared)
        self.assertEqual("", answer.answer)

    def test_what_is_no_hello_and_more_than_one_are_told(self) -> None:
        self.assertIn("cannot be read", self.take(self.there, bundle.write(Bundle(hello=b"hi"))).compared)
        self.give(self.here, record(1))
        two = self.hello()
        self.give(self.here, record(2))
        self.assertIn("one at a time", self.take(self.there, two + self.hello()).compared)
