"""Feed every parser of strangers' bytes with valid inputs gone wrong: it returns or raises BadPacket, nothing else.

    python -m rhotwist.testing.fuzz --list
    python -m rhotwist.testing.fuzz wire.frame --runs 1000000 --seed 7

Without a name every parser gets so many; ``wire.`` means all whose names begin so. ``FUZZ`` holds the parsers by name,
``corpus`` the valid inputs of each, ``mutate`` makes them wrong. The same seed makes the same inputs; where random
bytes of a key encapsulation are part of one, those differ, and an input that fails is printed whole.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from random import Random

import attrs

from rhotwist.errors import BadPacket
from rhotwist.testing.parsers import TARGETS

#: Every parser of strangers' bytes, those behind a seal too. Calling one returns or raises BadPacket.
FUZZ: dict[str, Callable[[bytes], object]] = {name: target.parse for name, target in TARGETS.items()}

_EDGES = (0, 1, 2, 3, 4, 5, 0x0F, 0x10, 0x12, 0x20, 0x7F, 0x80, 0xFE, 0xFF)
#: Seconds between two lines of progress.
_EVERY = 5.0
_LENGTHS = (0, 1, 4, 8, 12, 16, 18, 32, 64, 98, 1024)


def corpus(name: str) -> list[bytes]:
    """The valid inputs of a parser. Each is taken: a test holds it."""
    return TARGETS[name].corpus()


def mutate(random: Random, data: bytes, others: Sequence[bytes] = ()) -> bytes:
    """An input gone wrong in one to four ways; others may be spliced in. Sometimes it comes out as it was."""
    changed = bytearray(data)
    for _ in range(1 + min(3, int(random.expovariate(1.0)))):
        random.choice(_WAYS)(random, changed, others)
    return bytes(changed)


# --- the ways ---------------------------------------------------------------------------------------------------------


def _flip_bit(random: Random, data: bytearray, _: Sequence[bytes]) -> None:
    if data:
        at = random.randrange(8 * len(data))
        data[at >> 3] ^= 1 << (at & 7)


def _set_byte(random: Random, data: bytearray, _: Sequence[bytes]) -> None:
    if data:
        data[random.randrange(len(data))] = random.choice(_EDGES)


def _random_byte(random: Random, data: bytearray, _: Sequence[bytes]) -> None:
    if data:
        data[random.randrange(len(data))] = random.randrange(256)


def _early_byte(random: Random, data: bytearray, _: Sequence[bytes]) -> None:
    """Headers and counts stand early, so they get more than their share."""
    if data:
        data[random.randrange(min(16, len(data)))] = random.randrange(256)


def _nudge(random: Random, data: bytearray, _: Sequence[bytes]) -> None:
    if data:
        at = random.randrange(len(data))
        data[at] = data[at] + random.choice((-1, 1)) & 255


def _truncate(random: Random, data: bytearray, _: Sequence[bytes]) -> None:
    if data:
        del data[random.randrange(len(data)) :]


def _extend(random: Random, data: bytearray, _: Sequence[bytes]) -> None:
    data += random.randbytes(random.choice(_LENGTHS))


def _delete(random: Random, data: bytearray, _: Sequence[bytes]) -> None:
    if data:
        at = random.randrange(len(data))
        del data[at : at + random.choice((1, 1, 2, 4, 8, 32))]


def _insert(random: Random, data: bytearray, _: Sequence[bytes]) -> None:
    at = random.randint(0, len(data))
    data[at:at] = random.randbytes(random.choice((1, 1, 2, 4, 8, 32)))


def _repeat(random: Random, data: bytearray, _: Sequence[bytes]) -> None:
    if data:
        at = random.randrange(len(data))
        data[at:at] = data[at : at + random.choice((1, 2, 16, 64))]


def _fill(random: Random, data: bytearray, _: Sequence[bytes]) -> None:
    if data:
        at = random.randrange(len(data))
        end = min(len(data), at + random.choice((2, 4, 8, 16, 32)))
        data[at:end] = bytes((random.choice((0, 0xFF)),)) * (end - at)


def _splice(random: Random, data: bytearray, others: Sequence[bytes]) -> None:
    if others:
        other = random.choice(others)
        at = random.randint(0, min(len(data), len(other)))
        data[at:] = other[at:]


_WAYS = (
    _flip_bit, _set_byte, _random_byte, _early_byte, _early_byte, _nudge, _truncate, _extend, _delete, _insert, _repeat,
    _fill, _splice,
)  # fmt: skip


# --- running ----------------------------------------------------------------------------------------------------------


@attrs.frozen
class Finding:
    """An input on which a parser broke its promise: after that many runs from that seed, this exception."""

    name: str
    seed: int
    run: int
    data: bytes
    error: Exception

    def __str__(self) -> str:
        return (
            f"{self.name}: {type(self.error).__name__}: {self.error} (seed {self.seed}, run {self.run})\n"
            f"input {self.data.hex()}"
        )


def inputs(name: str, seed: int) -> Iterator[bytes]:
    """Endless inputs for a parser, all from the seed: valid ones gone wrong, now and then plain noise."""
    random = Random(f"rhotwist/fuzz/{name}/{seed}")
    valid = corpus(name)
    while True:
        if random.random() < 0.02:
            yield random.randbytes(random.choice((*_LENGTHS, random.randrange(1500))))
        else:
            yield mutate(random, random.choice(valid), valid)


def attack(
    name: str, runs: int, seed: int = 0, progress: Callable[[int, int], object] | None = None
) -> Finding | None:
    """Feed a parser so many inputs; None if it survived them all. progress is told runs and refusals after each."""
    parse = FUZZ[name]
    refused = 0
    for run, data in zip(range(1, runs + 1), inputs(name, seed), strict=False):
        try:
            parse(data)
        except BadPacket:
            refused += 1
        except Exception as error:
            return Finding(name, seed, run, data, error)
        if progress is not None:
            progress(run, refused)
    return None


class Progress:
    """Says on standard error how far a run is, a line every few seconds; keeps the count of refusals."""

    def __init__(self, name: str, runs: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._name, self._runs, self._clock = name, runs, clock
        self._began = self._said = clock()
        self.refused = 0

    def __call__(self, run: int, refused: int) -> None:
        """So many inputs are through, so many of them refused."""
        self.refused = refused
        now = self._clock()
        if now - self._said < _EVERY:
            return
        self._said = now
        took = now - self._began
        sys.stderr.write(
            f"{self._name}: {run:,} of {self._runs:,}, {refused:,} refused, {run / took:,.0f}/s, "
            f"{took / run * (self._runs - run):,.0f} s to go\n"
        )
        sys.stderr.flush()

    def seconds(self) -> float:
        """Seconds since it began."""
        return self._clock() - self._began


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; 1 if a parser broke its promise, 2 for wrong arguments."""
    parser = argparse.ArgumentParser("python -m rhotwist.testing.fuzz", description=__doc__.split("\n")[0])
    parser.add_argument("name", nargs="*", help="parsers, or what several names begin with; all if none is given")
    parser.add_argument("--runs", type=int, default=1_000_000, help="inputs for each parser (%(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="where the inputs come from (%(default)s)")
    parser.add_argument("--list", action="store_true", help="name the parsers and end")
    chosen = parser.parse_args(arguments)
    begins = tuple(name for name in chosen.name if name not in FUZZ)
    names = [name for name in FUZZ if not chosen.name or name in chosen.name or name.startswith(begins)]
    if not names:
        parser.error(f"no parser begins with {' or '.join(chosen.name)}; --list names them")
    if chosen.list:
        sys.stdout.write("\n".join(names) + "\n")
        return 0
    broken = 0
    for name in names:
        progress = Progress(name, chosen.runs)
        finding = attack(name, chosen.runs, chosen.seed, progress)
        if finding is None:
            sys.stdout.write(
                f"{name}: {chosen.runs:,} inputs survived, {progress.refused:,} refused, {progress.seconds():.1f} s\n"
            )
        else:
            sys.stdout.write(f"BROKEN {finding}\n")
            broken += 1
        sys.stdout.flush()
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
