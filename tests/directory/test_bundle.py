"""Bundles: whatever is done to a paste, what is whole of it is used and the rest is named."""

from __future__ import annotations

import functools
import re
import textwrap
from collections.abc import Callable
from random import Random

from twisted.trial.unittest import SynchronousTestCase

from rhotwist.directory import bundle
from rhotwist.directory import record as records
from rhotwist.directory.bundle import Bundle, read, tokens, write
from rhotwist.directory.endpoints import at_ip
from rhotwist.errors import BadArmour, LocalError
from rhotwist.testing import SeededTestCase
from rhotwist.wire import armour
from tests.directory.support import ASKED, NOON, PASTED, Node, key, record
from tests.directory.test_record import ONE
from tests.keys.pages import vectors


@functools.cache
def encoded(count: int) -> tuple[bytes, ...]:
    return tuple(record(n).encode() for n in range(count))


ALL = Bundle(encoded(12), bytes(range(250)) * 4, (b"12345", b"abcde"), (b"statement",))


class BundleTests(SynchronousTestCase):
    def test_the_page_says_what_the_code_does(self) -> None:
        page = vectors("bundle.md")
        node = ONE.with_nonce(bytes.fromhex(vectors("record.md")["node: work"]))
        self.assertEqual([page["part 1"], page["part 2"]], tokens(Bundle((node.encode(),), wants=(b"12345",))))

    def test_all_of_it_comes_back(self) -> None:
        found = read(write(ALL))
        self.assertEqual((ALL.records, (ALL.hello,)), (found.records, found.hellos))
        self.assertEqual((ALL.wants, ALL.statements, None), (found.wants, found.statements, found.trouble))

    def test_no_record_is_cut_in_two_and_each_token_is_within_its_size(self) -> None:
        made = bundle.parts(Bundle(encoded(40)))
        self.assertEqual(encoded(40), tuple(one for _, body in made for one in records.split(body)))
        self.assertEqual(8, len(made))
        self.assertTrue(all(len(token) <= armour.TOKEN_MOST for token in tokens(Bundle(encoded(40)))))

    def test_records_that_just_fit_share_a_token(self) -> None:
        places = [at_ip("udp", f"2a00::{n}", 1) for n in range(11)]
        two = tuple(records.make_record(key(1), NOON, places, extension=bytes(n)).encode() for n in (32, 33))
        self.assertEqual(armour.BODY_MOST, sum(map(len, two)))
        self.assertEqual(1, len(tokens(Bundle(two))))
        self.assertEqual(2, len(tokens(Bundle((two[1], two[1])))))

    def test_a_thousand_records_take_138_characters_for_100_bytes_at_most(self) -> None:
        many = encoded(1_000)
        self.assertLessEqual(len(write(Bundle(many))) / sum(map(len, many)), 1.38)

    def test_a_hello_of_a_datagram_takes_a_paste_of_1700_characters(self) -> None:
        self.assertLessEqual(len(write(Bundle(hello=bytes(1_177)))), 1_700)

    def test_a_hello_is_read_whole_or_not(self) -> None:
        long = tokens(Bundle(hello=bytes(1_200)))
        self.assertEqual((bytes(1_200),), read("".join(long)).hellos)
        self.assertEqual((bytes(1_200),), read("".join(reversed(long))).hellos)
        self.assertEqual((), read(long[0]).hellos)
        self.assertEqual((), read("".join(armour.tokens([(bundle.HELLO, bytes(700))] * 2))).hellos)

    def test_what_does_not_fit_is_our_caller_s_mistake(self) -> None:
        for wrong in (
            Bundle(), Bundle((bytes(385),)), Bundle(hello=bytes(1_201)), Bundle(wants=(b"1234",)),
            Bundle(statements=(bytes(714),)),
        ):  # fmt: skip
            self.assertRaises(LocalError, write, wrong)

    def test_the_same_twice_is_there_once(self) -> None:
        found = read(write(ALL) * 2 + write(Bundle(ALL.records[3:])))
        self.assertEqual((ALL.records, 1, 2), (found.records, len(found.hellos), len(found.wants)))

    def test_a_part_that_means_nothing_is_told_and_harms_none(self) -> None:
        made = armour.tokens([(1, ALL.records[0]), (9, b"later"), (1, ALL.records[1][:-1]), (3, b"1234"), (4, b"root")])
        found = read("".join(made))
        self.assertEqual((ALL.records[:1], (), (b"root",)), (found.records, found.wants, found.statements))
        self.assertEqual("3 of the parts are not understood by this version", found.trouble)

    def test_only_what_was_asked_for_again_is_written_again(self) -> None:
        lost = write(ALL).replace(tokens(ALL)[1], "")
        found = read(lost)
        self.assertIn("paste part 2 again", str(found.trouble))
        self.assertIsNone(read(lost + write(ALL, (2,))).trouble)

    def test_pasted_records_go_into_the_tree_of_another_machine(self) -> None:
        ours, theirs = Node(), Node()
        ours.admit(encoded(12), ASKED)
        theirs.admit(read(write(Bundle(encoded(12)))).records, PASTED)
        self.assertEqual(ours.tree.root(), theirs.tree.root())


def lines(change: Callable[[str], str]) -> Callable[[str, Random], str]:
    return lambda text, random: "\n".join(map(change, text.splitlines()))


def wrapped(text: str, random: Random) -> str:
    width = random.randint(5, 90)
    return "\n".join(piece for line in text.splitlines() for piece in textwrap.wrap(line, width) or [""])


def sprinkled(some: str) -> Callable[[str, Random], str]:
    def put(text: str, random: Random) -> str:
        return "".join(char + (random.choice(some) if random.random() < 0.05 else "") for char in text)

    return put


def chatted(text: str, random: Random) -> str:
    said = ["Ann, 12:04:", "look at this...", "*bold* | table |", "https://example.org/?a=b", "- item", "-- "]
    return "".join(f"{line}\n{random.choice(said)}\n" for line in text.splitlines())


def shuffled(text: str, random: Random) -> str:
    made = text.splitlines()
    random.shuffle(made)
    return "\n".join(made)


#: What mail programs, chats and clipboards do, and all tokens come through.
HARMLESS: dict[str, Callable[[str, Random], str]] = {
    "quoted": lines("> {}".format), "quoted twice and barred": lines("| > > {} |".format),
    "wrapped": wrapped, "wrapped and quoted": lambda text, random: lines(">> {}".format)(wrapped(text, random), random),
    "carriage returns and indents": lambda text, random: "\ufeff" + text.replace("\n", "  \r\n\t"),
    "hard spaces": sprinkled("\u00a0\u2009\u202f"), "unseen": sprinkled("\u200b\u200d\u2060\ufeff\u00ad"),
    "joined": lambda text, random: text.replace("\n", ""), "bold": lines("**{}**".format),
    "dashes": lambda text, random: text.replace("-", random.choice("\u2010\u2011\u2012\u2013\u2014\u2212")),
    "prose between": chatted, "shuffled": shuffled,
}  # fmt: skip


class PasteTests(SeededTestCase):
    """Attack: malformed bundles, and friendly programs. 12 manglings of 100 bundles, 10 kinds of damage to each."""

    def sample(self, random: Random) -> Bundle:
        return Bundle(tuple(random.sample(encoded(60), random.randint(1, 25))), wants=(random.randbytes(5),))

    def test_what_programs_do_to_text_loses_nothing(self) -> None:
        for seed in self.seeds(4, 100):
            random = Random(seed)
            one = self.sample(random)
            for name, mangle in HARMLESS.items():
                found = read(mangle(write(one), random))
                self.assertEqual((set(one.records), one.wants), (set(found.records), found.wants), name)
                self.assertIsNone(found.trouble, name)

    def test_wrong_characters_cost_a_token_each_and_the_rest_is_used(self) -> None:
        for seed in self.seeds(10, 100):
            random = Random(seed)
            one = self.sample(random)
            whole, count = list(write(one)), len(tokens(one))
            wrong = random.randint(1, 5)
            for at in random.sample(range(len(whole)), wrong):
                kind = random.randrange(4)
                whole[at] = ("", random.choice("aZ9.-_!é"), whole[at] * 2, random.choice("xyz") + whole[at])[kind]
            found = armour.read("".join(whole)) if count > wrong else None
            if found is not None:
                self.assertGreaterEqual(len(found.parts), count - wrong)
                self.assertLessEqual(set(read("".join(whole)).records), set(one.records))
                here = {part.number for part in found.parts}
                lost = [number for run in next(iter(found.missing().values()), []) for number in run]
                self.assertEqual(set(range(1, count + 1)) - here, set(lost))

    def test_a_cut_anywhere_leaves_all_tokens_before_it(self) -> None:
        one = Bundle(encoded(25))
        text = write(one)
        ends = [text.index(token) + len(token) for token in tokens(one)]
        for cut in range(0, len(text), 7):
            whole = sum(end <= cut for end in ends)
            try:
                self.assertEqual(whole, len(armour.read(text[:cut]).parts))
            except BadArmour:
                self.assertEqual(0, whole)

    def test_no_damage_makes_a_record_that_was_not_there(self) -> None:
        for seed in self.seeds(50, 2_000):
            random = Random(seed)
            text = write(Bundle(encoded(3)))
            data = bytearray(text.encode())
            for _ in range(random.randint(1, 8)):
                data[random.randrange(len(data))] = random.choice(b"abcXYZ019-_. >\n")
            try:
                self.assertLessEqual(set(read(data.decode()).records), set(encoded(3)))
            except BadArmour:
                pass

    def test_junk_is_looked_at_in_steps_that_grow_with_it_and_fifty_megabytes_not_at_all(self) -> None:
        self.assertRaises(BadArmour, read, "rho1." * 10_000_000)
        steps = []
        real = armour._payload

        def counted(body: str) -> bytes | None:
            steps.append(len(body))
            return real(body)

        self.patch(armour, "_payload", counted)
        for size in (10_000, 20_000):
            for junk in (
                "rho1." * (size // 5), "rho1.AAAA" * (size // 9), "rho1." + "A" * size, "rho1.A—" * (size // 7),
                ("rho1." + "A" * 40) * (size // 45), ("rho1." + "—" * 40) * (size // 45),
            ):  # fmt: skip
                steps.clear()
                armour.read(junk + ".")
                self.assertLessEqual(sum(steps), 4 * size, junk[:12])

    def test_the_text_says_nothing_that_a_reader_needs(self) -> None:
        bare = "".join(re.findall(r"rho1\.[\w-]+\.", write(ALL)))
        self.assertEqual(read(write(ALL)), read(bare))
