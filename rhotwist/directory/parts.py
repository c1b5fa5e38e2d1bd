"""Parts of two trees, compared: the way that no choice of keys or hashes leads astray. Spec page: docs/spec/sync.md.

    1   bits, how many an address of this part begins with
    n   those bits, filled up with zeros to whole bytes
    1   form: 1 to 4, fingerprints of the 2^form parts below follow; 0x10 + count: entries of all its leaves follow

A fingerprint is 8 bytes, BLAKE2b under a key of the session, so that nobody can prepare two hashes that look alike; an
entry 10: of its address 5, issued 4, of its hash 1. Where the walk is whole they are 32 and 68 bytes, cut nowhere.
Zeros stand for the fingerprint of nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from struct import Struct

import attrs

from rhotwist.directory.merge import beats
from rhotwist.directory.messages import PREFIX
from rhotwist.directory.replica import Entry, Replica
from rhotwist.errors import BadPacket
from rhotwist.tree.hashes import EMPTY, cut

LEAVES = 16
"""Entries of one part; a part with more says fingerprints."""
BESIDE, SPARE = 32, 4_096
"""Leaves of ours that are looked at beside the entries of one part, and how many more beside all those of one message:
15 µs each, and somewhat more than one message of records brings.
"""
DEEPEST = 251
"""Bits of the deepest part that says fingerprints of parts below; a deeper one has no more than 16 leaves."""
_LISTED = 0x10
_FEW = 48
_ISSUED = Struct(">I")


@attrs.frozen
class Sizes:
    """How much is said of a hash: bytes of a fingerprint, of an entry's address and of its record's hash."""

    fingerprint: int
    address: int
    hash: int

    @property
    def entry(self) -> int:
        """Bytes of an entry."""
        return self.address + _ISSUED.size + self.hash


CUT, WHOLE = Sizes(8, PREFIX, 1), Sizes(32, 32, 32)


@attrs.frozen
class Part:
    """What one side has where addresses begin with so many bits of prefix (32 bytes): prints of 2^width parts below,
    or entries of all its leaves, cut as ``Sizes`` says.
    """

    bits: int
    prefix: bytes
    prints: tuple[bytes, ...] = ()
    entries: tuple[Entry, ...] = ()

    @property
    def width(self) -> int:
        """How many bits deeper its fingerprints are; -1 for entries."""
        return len(self.prints).bit_length() - 1

    def encode(self) -> bytes:
        """Its one byte string."""
        head = bytes((self.bits,)) + self.prefix[: self.bits + 7 >> 3]
        if self.prints:
            return b"".join((head, bytes((self.width,)), *self.prints))
        listed = (one.address + _ISSUED.pack(one.issued) + one.hash for one in self.entries)
        return b"".join((head, bytes((_LISTED + len(self.entries),)), *listed))

    def below(self) -> Iterator[tuple[bytes, bytes]]:
        """The prefix of each part below, and its fingerprint."""
        step = 256 - self.bits - self.width
        start = int.from_bytes(self.prefix, "big")
        for number, print in enumerate(self.prints):
            yield (start | number << step).to_bytes(32, "big"), print


def read_parts(data: bytes, sizes: Sizes) -> list[Part]:
    """The parts that lie one behind the other. Raises BadPacket: short, bits, prefix, form."""
    found = []
    at = 0
    while at < len(data):
        bits = data[at]
        end = at + 1 + (bits + 7 >> 3)
        if end >= len(data):
            raise BadPacket("short")
        prefix = data[at + 1 : end].ljust(32, b"\0")
        if cut(prefix, bits) != prefix:
            raise BadPacket("prefix")
        form = data[end]
        at = end + 1
        if 1 <= form <= 4:
            if bits > DEEPEST:
                raise BadPacket("bits")
            pieces = _pieces(data, at, 1 << form, sizes.fingerprint)
            found.append(Part(bits, prefix, prints=pieces))
            at += len(pieces) * sizes.fingerprint
        elif _LISTED <= form <= _LISTED + LEAVES:
            pieces = _pieces(data, at, form - _LISTED, sizes.entry)
            found.append(Part(bits, prefix, entries=tuple(_entry(one, sizes) for one in pieces)))
            at += len(pieces) * sizes.entry
        else:
            raise BadPacket("form")
    return found


def _pieces(data: bytes, at: int, count: int, size: int) -> tuple[bytes, ...]:
    if at + count * size > len(data):
        raise BadPacket("short")
    return tuple(data[start : start + size] for start in range(at, at + count * size, size))


def _entry(data: bytes, sizes: Sizes) -> Entry:
    end = sizes.address + _ISSUED.size
    return Entry(data[: sizes.address], _ISSUED.unpack_from(data, sizes.address)[0], data[end:])


# --- comparing --------------------------------------------------------------------------------------------------------


@attrs.define
class Differing:
    """What came of some parts: what to say of the parts below, records that they lack, prefixes that we want."""

    parts: list[Part] = attrs.Factory(list)
    lacking: list[bytes] = attrs.Factory(list)
    wants: list[bytes] = attrs.Factory(list)


class Comparison:
    """One side's view: what it has, under the key of the session (32 bytes), cut or whole."""

    def __init__(self, replica: Replica, key: bytes, sizes: Sizes) -> None:
        self._replica = replica
        self._key = key
        self._sizes = sizes

    def print_of(self, region: bytes) -> bytes:
        """The fingerprint of a root."""
        if self._sizes is WHOLE or region == EMPTY:
            return region[: self._sizes.fingerprint]
        return hashlib.blake2b(region, key=self._key, digest_size=self._sizes.fingerprint).digest()

    def part(self, bits: int, prefix: bytes) -> Part:
        """What we have there: entries if they are few, else fingerprints of the parts below."""
        entries = self._replica.entries(bits, prefix, LEAVES + 1)
        if len(entries) <= LEAVES:
            sizes = self._sizes
            shown = (Entry(one.address[: sizes.address], one.issued, one.hash[: sizes.hash]) for one in entries)
            return Part(bits, prefix, entries=tuple(shown))
        # Eight parts of three leaves each are cheaper to tell than sixteen; where there are more leaves it is the depth
        # that counts, and so it is where somebody ground his keys to lie closer than they would by chance.
        mean = self._replica.total >> bits
        made = Part(bits, prefix, prints=(EMPTY,) * (8 if LEAVES <= mean <= _FEW else 16))
        regions = (self._replica.region(bits + made.width, below) for below, _ in made.below())
        return attrs.evolve(made, prints=tuple(map(self.print_of, regions)))

    def compare(self, parts: Iterable[Part]) -> Differing:
        """Compare what they have with what we have."""
        found, spare = Differing(), SPARE
        for part in parts:
            if not part.prints:
                spare -= max(0, self._leaves(part, found, BESIDE + spare) - BESIDE)
                continue
            bits = part.bits + part.width
            for prefix, print in part.below():
                if self.print_of(self._replica.region(bits, prefix)) != print:
                    found.parts.append(self.part(bits, prefix))
        return found

    def _leaves(self, part: Part, found: Differing, most: int) -> int:
        """Compare their entries with our leaves, the first most of them; how many."""
        sizes = self._sizes
        theirs: dict[bytes, tuple[int, bytes]] = {}
        for one in part.entries:
            theirs[one.address] = (one.issued, one.hash)
        # Their list is of all they have there, so whatever we have besides they lack; what is not looked at now goes
        # next time.
        ours = self._replica.entries(part.bits, part.prefix, most)
        for own in ours:
            other = theirs.pop(own.address[: sizes.address], None)
            mine = own.issued, own.hash[: sizes.hash]
            if mine == other:
                continue
            if beats(*mine, other):
                found.lacking.append(own.address)
            else:
                found.wants.append(own.address[:PREFIX])
        last = ours[-1].address if len(ours) == most else b"\xff" * 32
        found.wants += (address[:PREFIX] for address in theirs if address <= last)
        return len(ours)
