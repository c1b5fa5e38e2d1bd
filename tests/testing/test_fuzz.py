"""The fuzzer: every parser survives, its corpus is valid and reaches its lines, and the fuzzer finds what it should."""

from __future__ import annotations

import contextlib
import functools
import io
import sys
from random import Random
from types import CodeType, FrameType
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from rhotwist.errors import BadPacket
from rhotwist.testing import SeededTestCase, fuzz, parsers
from rhotwist.testing.cases import full
from rhotwist.testing.fuzz import FUZZ, attack, corpus, inputs, mutate
from rhotwist.wire.frame import read_frame, read_frames


class PromiseTests(SeededTestCase):
    """Whatever the bytes: a value or BadPacket. 10**6 inputs each with RHO_FULL=1, a replay of fewer by default."""

    def test_every_parser_returns_or_raises_bad_packet_and_nothing_else(self) -> None:
        runs = 1_000_000 if full() else 150
        for seed in self.seeds(1, 1):
            for name in FUZZ:
                finding = attack(name, runs, seed)
                self.assertIsNone(finding, str(finding))

    def test_every_valid_input_is_taken(self) -> None:
        for name, parse in FUZZ.items():
            valid = corpus(name)
            refused = {}
            for data in valid:
                try:
                    parse(data)
                except BadPacket as bad:
                    refused[data] = bad.reason
            if name not in REFUSED_TOO:
                self.assertEqual({}, refused, name)
            self.assertTrue(len(refused) < len(valid), f"{name} takes nothing of its corpus")

    def test_packets_of_several_frames_are_sealed_too(self) -> None:
        for name in "secret.seal.open.sealed", "node.receive.sealed", "node.receive.sealed.back":
            sizes = [len(read_frames(data)) for data in corpus(name)]
            self.assertTrue(min(sizes) == 1 and max(sizes) > 4, f"{name}: {sizes}")

    def test_what_was_found_once_stays_mended(self) -> None:
        for name, inputs_found in FOUND.items():
            for data in inputs_found:
                self.assertRaises(BadPacket, FUZZ[name], bytes.fromhex(data))

    def test_every_parser_refuses_something(self) -> None:
        for name, parse in FUZZ.items():
            if name in TAKES_ALL:
                continue
            refused = 0
            for _, data in zip(range(2_000), inputs(name, 1), strict=False):
                try:
                    parse(data)
                except BadPacket:
                    refused += 1
                    break
            self.assertTrue(refused, f"{name} took 2,000 inputs gone wrong")

    def test_the_inputs_reach_95_percent_of_the_parsers_lines(self) -> None:
        want: dict[CodeType, set[int]] = {}
        for target in parsers.TARGETS.values():
            for function in target.lines:
                code = inspect_code(function)
                # The def line itself belongs to nobody's call.
                want[code] = {line for _, _, line in code.co_lines() if line and line != code.co_firstlineno}
        reached: dict[CodeType, set[int]] = {code: set() for code in want}

        def trace(frame: FrameType, event: str, _: Any) -> Any:
            lines = reached.get(frame.f_code)
            if lines is None:
                return None
            lines.add(frame.f_lineno)
            return trace

        before = sys.gettrace()
        sys.settrace(trace)
        try:
            for name, target in parsers.TARGETS.items():
                for data in (*corpus(name), *inputs_of(name, 120 if target.lines else 0)):
                    with contextlib.suppress(BadPacket):
                        target.parse(data)
        finally:
            sys.settrace(before)
        lines = sum(map(len, want.values()))
        missed = {code.co_qualname: sorted(want[code] - reached[code]) for code in want if want[code] - reached[code]}
        share = 1 - sum(map(len, missed.values())) / lines
        self.assertTrue(lines > 150, lines)
        self.assertTrue(share >= 0.95, f"{share:.1%} of {lines} lines; missed {missed}")


#: Inputs that once broke a promise, by entry.
FOUND = {
    # A Hello of 60 bytes with a stale cookie drew a Retry of 64.
    "node.receive.checked": [
        "1102010100000005000000006ebe7baa6e000a5a547d67abc425f040d8857ea27f199ca6858c94a78f45a220b8c3e74eb159946e621816"
        "81e927689b"
    ],
}

#: Entries whose corpus holds something that is refused on purpose, to be mutated into what is not.
REFUSED_TOO = {
    "keys.address.parse_address.checked", "keys.words.from_words", "link.records.feed", "link.records.feed.sealed",
    "node.feed", "node.feed.sealed", "node.receive", "node.receive.sealed", "node.receive.sealed.back",
    "secret.curve.exchange", "secret.handshake.finish", "secret.seal.open", "secret.stream_seal.take",
    "wire.bech32.from_fives",
}  # fmt: skip
#: Entries that have a value for any bytes.
TAKES_ALL = {"wire.datagram.split", "wire.datagram.unpack_address"}


def inspect_code(function: Any) -> CodeType:
    """The code of a function, under any decoration."""
    while isinstance(function, functools.partial) or hasattr(function, "__wrapped__"):
        function = function.__wrapped__
    return function.__code__


def inputs_of(name: str, count: int) -> list[bytes]:
    return [data for _, data in zip(range(count), inputs(name, 0), strict=False)]


class FuzzerTests(SynchronousTestCase):
    """The fuzzer itself."""

    def plant(self, parse: Any) -> None:
        target = parsers.Target(parse, lambda: [b"valid input of some length"])
        self.patch(fuzz, "TARGETS", {"planted": target})
        self.patch(fuzz, "FUZZ", {"planted": parse})

    def test_the_same_seed_makes_the_same_inputs_and_another_does_not(self) -> None:
        self.assertEqual(inputs_of("wire.frame.read_frame", 200), inputs_of("wire.frame.read_frame", 200))
        other = [data for _, data in zip(range(200), inputs("wire.frame.read_frame", 1), strict=False)]
        self.assertNotEqual(inputs_of("wire.frame.read_frame", 200), other)

    def test_mutations_differ_from_the_input_in_many_ways_and_leave_it_alone(self) -> None:
        random, data = Random(1), bytes(range(40))
        found = [mutate(random, data, [b"\xaa" * 60]) for _ in range(2000)]
        self.assertTrue(len(set(found)) > 1500)
        self.assertEqual(bytes(range(40)), data)
        self.assertTrue(any(len(one) < 40 for one in found) and any(len(one) > 40 for one in found))
        self.assertTrue(any(one.endswith(b"\xaa" * 10) for one in found))
        self.assertTrue(any(mutate(random, b"") for _ in range(100)))

    def test_every_way_of_going_wrong_changes_something_and_survives_emptiness(self) -> None:
        for way in fuzz._WAYS:
            random, changed = Random(1), 0
            for _ in range(20):
                data = bytearray(range(40))
                way(random, data, [b"\xaa" * 60])
                changed += bytes(data) != bytes(range(40))
                way(random, bytearray(), [])
            self.assertTrue(changed > 10, way.__name__)

    def test_a_parser_that_breaks_its_promise_is_found_with_its_input(self) -> None:
        def broken(data: bytes) -> object:
            if len(data) < 3:
                raise BadPacket("short")
            if data[2] == 0xFF:
                raise IndexError("two")
            return data

        self.plant(broken)
        finding = attack("planted", 5000, 3)
        assert finding is not None
        self.assertEqual((0xFF, 3), (finding.data[2], finding.seed))
        self.assertIsInstance(finding.error, IndexError)
        self.assertIn(finding.data.hex(), str(finding))
        again = attack("planted", 5000, 3)
        assert again is not None
        self.assertEqual((finding.run, finding.data), (again.run, again.data))

    def test_the_command_tells_and_exits_by_what_it_found(self) -> None:
        def command(*arguments: str) -> tuple[int, str, str]:
            self.patch(sys, "stdout", io.StringIO())
            self.patch(sys, "stderr", io.StringIO())
            return fuzz.main(arguments), sys.stdout.getvalue(), sys.stderr.getvalue()  # type: ignore[attr-defined]

        self.plant(read_frame)
        status, out, err = command("planted", "--runs", "100")
        self.assertEqual((0, ""), (status, err))
        self.assertRegex(out, r"^planted: 100 inputs survived, \d+ refused, \d+\.\d s\n$")
        self.assertEqual((0, "planted\n", ""), command("--list"))
        self.assertEqual(2, self.assertRaises(SystemExit, command, "nobody").code)
        self.plant(lambda data: 1 // 0)
        status, out, _ = command("--runs", "10", "--seed", "5")
        self.assertEqual(1, status)
        self.assertIn("BROKEN planted: ZeroDivisionError", out)
        self.assertIn("seed 5, run 1", out)

    def test_a_whole_name_is_one_parser_and_a_beginning_is_several(self) -> None:
        names = ["node.receive", "node.receive.sealed", "wire.a", "wire.b"]
        self.patch(fuzz, "FUZZ", dict.fromkeys(names, read_frame))
        for given, want in (
            (["node.receive"], names[:1]), (["node."], names[:2]), (["wire.", "node.receive"], names[:1] + names[2:]),
            ([], names),
        ):  # fmt: skip
            self.patch(sys, "stdout", io.StringIO())
            self.assertEqual(0, fuzz.main([*given, "--list"]))
            self.assertEqual(want, sys.stdout.getvalue().split())  # type: ignore[attr-defined]

    def test_a_long_run_tells_every_five_seconds_how_far_it_is(self) -> None:
        self.plant(read_frame)
        err, now = io.StringIO(), [100.0]
        self.patch(sys, "stderr", err)
        progress = fuzz.Progress("planted", 4000, lambda: now[0])
        for run in range(1, 2001):
            now[0] += 0.01
            progress(run, run // 2)
        self.assertEqual(
            "planted: 500 of 4,000, 250 refused, 100/s, 35 s to go\n",
            err.getvalue().splitlines(keepends=True)[0],
        )
        self.assertTrue(3 <= err.getvalue().count("\n") <= 4, err.getvalue())
        self.assertEqual((1000, 20), (progress.refused, round(progress.seconds())))

    def test_progress_is_told_of_every_input(self) -> None:
        self.plant(read_frame)
        told: list[tuple[int, int]] = []
        self.assertIsNone(attack("planted", 30, 0, lambda *count: told.append(count)))
        self.assertEqual(list(range(1, 31)), [run for run, _ in told])
        self.assertTrue(0 < told[-1][1] <= 30)
