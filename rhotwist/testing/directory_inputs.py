"""Parsers of the directory: records, authorities, what comparing trees says, and what people paste."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from rhotwist.directory import bundle, endpoints, messages, parts, record
from rhotwist.directory.replica import Entry
from rhotwist.errors import BadArmour, BadPacket
from rhotwist.keys import authority
from rhotwist.keys.pair import SeedKey
from rhotwist.wire import armour

Parse = Callable[[bytes], object]


def _records() -> list[bytes]:
    seed, other = SeedKey(bytes([1]) * 32), SeedKey(bytes([2]) * 32)
    places = [
        endpoints.at_ip("udp", "192.0.2.1", 7460), endpoints.at_ip("tcp", "192.0.2.1", 7460),
        endpoints.at_ip("udp", "2001:db8::1", 1), endpoints.at_ip("tcp", "2001:db8::1", 65_535),
        endpoints.Endpoint(endpoints.Kind.ONION, bytes(range(32)), 80),
    ]  # fmt: skip
    leave = [
        authority.Authority(seed.public, other.public, 1, 60, 7200, 1),
        authority.Authority(seed.public, other.public, 2, 61, 7200, 3, other.public),
    ]
    made = [
        record.make_record(seed, 60, places), record.make_record(seed, 120, places[:1], 1, b"extension"),
        record.make_record(seed, 60, [endpoints.Endpoint(endpoints.Kind.RELAY, other.public)]),
        record.withdraw(seed, 600), *(record.delegation(one.sign(seed)) for one in leave),
    ]  # fmt: skip
    return [one.encode() for one in made]


def _read_record(data: bytes) -> object:
    made = record.read_record(data)
    if made.encode() != data:
        raise AssertionError("a record that is not its own bytes")
    return [endpoints.unpack(one).encode() for one in made.endpoints], made.leaf, made.signed


def _parts_of(sizes: parts.Sizes) -> list[bytes]:
    random = Random("parts")
    prints = tuple(random.randbytes(sizes.fingerprint) for _ in range(16))
    listed = tuple(
        Entry(random.randbytes(sizes.address), number, random.randbytes(sizes.hash)) for number in range(3)
    )
    made = [
        parts.Part(0, bytes(32), prints=prints), parts.Part(7, b"\2" + bytes(31), prints=prints[:8]),
        parts.Part(20, b"ab\x10" + bytes(29), entries=listed), parts.Part(255, bytes(range(31)) + b"\2"),
    ]  # fmt: skip
    return [*(one.encode() for one in made), b"".join(one.encode() for one in made)]


def _read_parts(sizes: parts.Sizes) -> Parse:
    def parse(data: bytes) -> object:
        found = parts.read_parts(data, sizes)
        if b"".join(one.encode() for one in found) != data:
            raise AssertionError("parts that are not their own bytes")
        return [list(one.below()) for one in found]

    return parse


def _split_records(data: bytes) -> object:
    found = record.split(data)
    if b"".join(found) != data:
        raise AssertionError("records that are not their own bytes")
    return found


def _pasted() -> list[bytes]:
    one = bundle.write(bundle.Bundle(tuple(_records()), bytes(range(250)) * 4, (b"12345",) * 3, (b"root",)))
    return [text.encode() for text in (
        one, one + one, "Hello,\n\n" + one.replace("\n", "\r\n> "), bundle.write(bundle.Bundle(wants=(b"12345",))),
        "\ufeff" + one.replace("-", "\u2013"), "rho1.",
    )]  # fmt: skip


def _parts() -> list[bytes]:
    return [b"\1\0" + b"".join(_records()[:2]), b"\2\0hello", b"\3\0" + bytes(25), b"\4\0root"]


def _pasted_checked(data: bytes) -> object:
    """A part with the check put right: the first byte is its kind, the second says how many parts it belongs to."""
    made = armour.tokens([(data[0], data[2:600])] * (data[1] % 3 + 1) if len(data) > 1 else [(1, b"")])
    found = bundle.read(made[0])
    if found.trouble:
        raise BadPacket("trouble")
    return found


def _read_pasted(data: bytes) -> object:
    """Text as the command line gives it: bytes that are no UTF-8 come as lone surrogates."""
    try:
        return bundle.read(data.decode("utf-8", "surrogateescape"))
    except BadArmour:
        raise BadPacket("refused") from None


TARGETS: dict[str, tuple[Parse, Callable[[], list[bytes]], tuple[object, ...]]] = {
    "directory.bundle.read": (_read_pasted, _pasted, (bundle.read,)),
    "directory.bundle.read.checked": (
        _pasted_checked, _parts,
        (bundle.read, armour.read, armour._part, armour._payload),
    ),
    "directory.record.read_record": (
        _read_record, _records,
        (record.read_record, record.read_layout, record._read_delegation, endpoints.read_endpoints),
    ),
    "directory.record.split": (
        _split_records, lambda: [*_records(), b"".join(_records())], (record.split, record._length)
    ),
    "directory.parts.read_parts": (
        _read_parts(parts.CUT), lambda: _parts_of(parts.CUT), (parts.read_parts, parts._pieces, parts._entry)
    ),
    "directory.parts.read_parts.whole": (
        _read_parts(parts.WHOLE), lambda: _parts_of(parts.WHOLE), (parts.read_parts,)
    ),
    "directory.messages.read_pieces": (
        lambda data: messages.read_pieces(data, messages.PREFIX),
        lambda: [b"", b"aaaaa", b"aaaaabbbbbccccc"],
        (messages.read_pieces,),
    ),
    "keys.authority.read_authority": (
        authority.read_authority, lambda: [data[2:-8] for data in _records()[-2:]], (authority.read_authority,)
    ),
}
