"""What a file is while it travels: a name, a length, and the hash of each of its equal parts under one root.

A plan, big-endian; spec page: docs/spec/files.md.

     0  10  "rho/file/1"
    10   8  bytes of the file
    18   4  bytes of a part; the last one may be shorter
    22   n  name (u16 length, UTF-8), a plain one: ``plain_name`` leaves it as it is
     ..  36 for each part: its hash (32, an RFC 6962 leaf hash) and its size (u32)

The root is that of RFC 6962 over the hashes, so the root of an empty file is SHA-256("").
"""

from __future__ import annotations

import functools
import struct
import unicodedata
from collections.abc import Iterable

import attrs

from rhotwist.errors import BadPacket, LocalError
from rhotwist.tree import merkle

LABEL = b"rho/file/1"
NAME_MOST = 200
"""Bytes of a name: file systems take 255, and " (2)" may have to go into it."""
PART_MOST = 2_000_000
"""Bytes of a part: with what stands around it, it is one big object."""
_HEAD = struct.Struct(">QIH")
_SIZE = struct.Struct(">I")
_HASH = merkle.SIZE
_ENTRY = _HASH + _SIZE.size
_FIXED = len(LABEL) + _HEAD.size
_NO_CHARACTERS = frozenset('<>:"|?*')
_NO_CATEGORIES = frozenset(("Cc", "Cf", "Cs", "Co", "Zl", "Zp"))
#: Names that Windows keeps for devices, with any ending (learn.microsoft.com, "Naming Files, Paths, and Namespaces").
_DEVICES = frozenset(
    ["CON", "PRN", "AUX", "NUL", *(f"{port}{number}" for port in ("COM", "LPT") for number in "123456789¹²³")]
)


@attrs.frozen
class FilePlan:
    """One file: name, total bytes, bytes of a part, and the hashes of its parts, joined. Raises LocalError."""

    name: str
    total: int
    part: int
    hashes: bytes = attrs.field(repr=False)

    def __attrs_post_init__(self) -> None:
        if plain_name(self.name) != self.name:
            raise LocalError(f"{self.name!r} is no plain name")
        if not 1 <= self.part <= PART_MOST or not 0 <= self.total < 1 << 64:
            raise LocalError(f"a file of {self.total} bytes in parts of {self.part}")
        if len(self.hashes) != _HASH * count_of(self.total, self.part):
            raise LocalError(f"{len(self.hashes)} bytes of hashes for {count_of(self.total, self.part)} parts")

    @property
    def count(self) -> int:
        """How many parts there are."""
        return len(self.hashes) // _HASH

    def size(self, index: int) -> int:
        """Bytes of a part."""
        return min(self.part, self.total - index * self.part)

    def hash(self, index: int) -> bytes:
        """The hash that a part must have."""
        return self.hashes[_HASH * index : _HASH * (index + 1)]

    def fits(self, index: int, data: bytes) -> bool:
        """Whether data is that part; about 1 ms for 2 MB."""
        return index < self.count and len(data) == self.size(index) and merkle.leaf_hash(data) == self.hash(index)

    def root(self) -> bytes:
        """The file's 32-byte name."""
        return merkle.root(self.hash(index) for index in range(self.count))

    def empty_parts(self) -> int:
        """The parts that hold zeros alone, as bits: nobody need send those."""
        empty = (index for index in range(self.count) if self.hash(index) == zeros(self.size(index)))
        return bits_of(empty, self.count)

    def encode(self) -> bytes:
        """The one byte string of this plan."""
        name = self.name.encode("utf-8")
        head = [LABEL, _HEAD.pack(self.total, self.part, len(name)), name]
        return b"".join(
            head + [self.hash(index) + _SIZE.pack(self.size(index)) for index in range(self.count)]
        )


def read_plan(data: bytes) -> FilePlan:
    """Read a plan. Raises BadPacket. What it weighs is for the caller to bound: 36 bytes a part."""
    if len(data) < _FIXED:
        raise BadPacket("short")
    if not data.startswith(LABEL):
        raise BadPacket("label")
    total, part, length = _HEAD.unpack_from(data, len(LABEL))
    begin = _FIXED + length
    if not 1 <= part <= PART_MOST:
        raise BadPacket("part size")
    if len(data) != begin + _ENTRY * count_of(total, part):
        raise BadPacket("length")
    name = check_name(data[_FIXED:begin])
    hashes = b"".join(data[at : at + _HASH] for at in range(begin, len(data), _ENTRY))
    plan = FilePlan(name, total, part, hashes)
    if plan.encode() != data:
        raise BadPacket("part size")
    return plan


def plan_size(name: str, total: int, part: int) -> int:
    """Bytes of the plan of such a file."""
    return _FIXED + len(name.encode("utf-8")) + _ENTRY * count_of(total, part)


def count_of(total: int, part: int) -> int:
    """How many parts of that size hold total bytes."""
    return -(-total // part)


@functools.lru_cache(maxsize=16)
def zeros(size: int) -> bytes:
    """The hash of a part of size zeros."""
    return merkle.leaf_hash(bytes(size))


# --- names ------------------------------------------------------------------------------------------------------------


def check_name(data: bytes) -> str:
    """A stranger's name, if it is a plain one. Raises BadPacket."""
    try:
        name = data.decode("utf-8")
    except UnicodeDecodeError:
        raise BadPacket("name") from None
    if plain_name(name) != name:
        raise BadPacket("name")
    return name


def plain_name(name: str) -> str:
    r"""A name that is good in every folder of every system: no path, nothing hidden, no device, nothing unseen.

    >>> [plain_name(name) for name in ("/etc/passwd", "..", ".bashrc", "nul.txt", "a\u202egpj.exe", "Übung 1.pdf ")]
    ['passwd', '_', '_bashrc', '_nul.txt', 'a_gpj.exe', 'Übung 1.pdf']
    """
    name = name.replace("\\", "/").rpartition("/")[2]
    name = "".join("_" if _unfit(char) else char for char in name)
    name = _cut(name.strip(" ").rstrip(". ")) or "_"
    if name[0] in ".-~":
        name = "_" + name[1:]
    if name.partition(".")[0].rstrip(" ").upper() in _DEVICES:
        name = _cut("_" + name)
    return name


def _unfit(char: str) -> bool:
    return char in _NO_CHARACTERS or unicodedata.category(char) in _NO_CATEGORIES


def _cut(name: str) -> str:
    """The name within NAME_MOST bytes, its ending kept if it is a short one."""
    if len(name.encode("utf-8")) <= NAME_MOST:
        return name
    stem, dot, ending = name.rpartition(".")
    tail = (dot + ending).encode("utf-8")
    if not stem or len(tail) > 20:
        stem, tail = name, b""
    kept = stem.encode("utf-8")[: NAME_MOST - len(tail)].decode("utf-8", "ignore").rstrip(". ")
    return kept + tail.decode("utf-8")


# --- bits -------------------------------------------------------------------------------------------------------------


def pack_bits(bits: int, count: int) -> bytes:
    """Bit i of count, the lowest bit of the first byte being bit 0."""
    return bits.to_bytes((count + 7) // 8, "little")


def read_bits(data: bytes, count: int) -> int:
    """The bits of count parts. Raises BadPacket for another length, and for bits of parts that there are not."""
    bits = int.from_bytes(data, "little")
    if len(data) != (count + 7) // 8 or bits >> count:
        raise BadPacket("bits")
    return bits


def bits_of(indexes: Iterable[int], count: int) -> int:
    """The bits of these indexes below count. In bytes, because an int of many bits is copied for each bit added."""
    made = bytearray((count + 7) // 8)
    for index in indexes:
        made[index >> 3] |= 1 << (index & 7)
    return int.from_bytes(made, "little")


def missing(bits: int, count: int) -> list[int]:
    """The indexes below count whose bit is not set, the lowest first."""
    return [at for at, bit in enumerate(f"{bits | 1 << count:b}"[:0:-1]) if bit == "0"]
