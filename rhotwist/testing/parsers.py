"""The parsers of strangers' bytes, each with valid inputs: bytes in the clear, text that people paste, files.

What stands behind a seal or a checksum is also reached past it: an entry whose name ends in ``.checked`` puts the right
checksum on whatever it is given, so that the code behind sees what no honest sender would say. Parsers that need a live
handshake or session are in ``live.py``, the node as a whole in ``live_node.py``.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable
from random import Random
from typing import Any

import attrs

from rhotwist.directory import bundle, endpoints, parts, record
from rhotwist.directory import messages as directory_messages
from rhotwist.directory.replica import Entry
from rhotwist.errors import BadAddress, BadArmour, BadPacket, BadWords, WalletFileError
from rhotwist.keys import address, authority, wallet_file, words
from rhotwist.keys.pair import SeedKey
from rhotwist.link import file_plan, finish, messages
from rhotwist.secret import greeting
from rhotwist.secret.proof import PROOF_SIZE
from rhotwist.testing import live, live_node, live_objects, live_streams, tree_inputs
from rhotwist.wire import armour, bech32, datagram, fields, frame, message, packet
from rhotwist.wire.schema import Schema

Parse = Callable[[bytes], object]


@attrs.frozen
class Target:
    """A parser, its valid inputs, and the functions whose lines those inputs must reach."""

    parse: Parse
    corpus: Callable[[], list[bytes]]
    lines: tuple[Any, ...] = ()


def refusing(parse: Callable[[Any], object], *refusals: type[Exception]) -> Parse:
    """A parser whose own exceptions for bad input count as BadPacket here: text and files have names for theirs."""

    @functools.wraps(parse)
    def parsed(data: bytes) -> object:
        try:
            return parse(data)
        except refusals:
            raise BadPacket("refused") from None

    return parsed


def typed(parse: Callable[[str], object]) -> Callable[[bytes], object]:
    """A parser of text as the command line gives it: bytes that are no UTF-8 come as lone surrogates."""
    return lambda data: parse(data.decode("utf-8", "surrogateescape"))


def sample(field: fields.Field, random: Random) -> Any:
    """A value that the field packs, large or small by chance."""
    if isinstance(field, fields.Unsigned):
        return random.choice((0, 1, (1 << 8 * field.size) - 1, random.getrandbits(8 * field.size)))
    if isinstance(field, fields.Flag):
        return random.random() < 0.5
    if isinstance(field, fields.Octets):
        return random.randbytes(field.size)
    if isinstance(field, fields.Blob):
        return random.randbytes(random.choice((0, 1, min(field.most, 98), min(field.most, 1000))))
    if isinstance(field, fields.Text):
        return "Grüße, 世界 " * random.randrange(min(8, field.most // 20 + 1))
    if isinstance(field, fields.Many):
        return tuple(sample(field.item, random) for _ in range(random.randint(0, min(field.most, 4))))
    if isinstance(field, fields.Maybe):
        return None if random.random() < 0.3 else sample(field.item, random)
    raise TypeError(f"no sample for a field of kind {type(field).__name__}")


def bodies(schema: type[Schema], count: int = 12) -> list[bytes]:
    """Encoded bodies of a schema, the same each time."""
    random = Random(schema.schema_name)
    return [
        schema(**{name: sample(field, random) for name, field in schema._plan}).encode()
        for _ in range(count)
    ]


def schemas(module: Any) -> list[type[Schema]]:
    """The schemas that a module declares, in the order of their names."""
    found = {
        value.schema_name: value
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, Schema) and value.__module__ == module.__name__
    }
    return [found[name] for name in sorted(found)]


# --- one field of every kind ------------------------------------------------------------------------------------------

KINDS: dict[str, fields.Field] = {
    "u8": fields.Unsigned(1), "u64": fields.Unsigned(8), "flag": fields.Flag(), "octets": fields.Octets(18),
    "blob": fields.Blob(600), "bulk": fields.Bulk(1 << 20), "text": fields.Text(600),
    "many": fields.Many(fields.Maybe(fields.Text(100)), 8),
    "maybe": fields.Maybe(fields.Many(fields.Unsigned(2), 300)),
}  # fmt: skip


def _field(field: fields.Field) -> Target:
    def parse(data: bytes) -> object:
        value, end = field.take(data, 0)
        if field.pack(value) != data[:end]:
            raise AssertionError(f"{field.layout}: two byte strings for {value!r}")
        return value

    return Target(parse, lambda: [field.pack(sample(field, Random(n))) for n in range(12)], (type(field).take,))


def _schema(schema: type[Schema]) -> Target:
    def parse(data: bytes) -> object:
        value = schema.decode(data)
        if value.encode() != data:
            raise AssertionError(f"{schema.schema_name}: two byte strings for {value!r}")
        return value

    return Target(parse, lambda: bodies(schema), (Schema.decode.__func__,))  # type: ignore[attr-defined]


# --- packets and frames -----------------------------------------------------------------------------------------------


def _headers() -> list[bytes]:
    kinds = (packet.HELLO, packet.RETRY, packet.ACCEPT, packet.FINISH)
    return [packet.Header(kind, 4, 1, 0, 7, 9).encode() for kind in kinds]


def _hellos() -> list[bytes]:
    rest = bytes(range(68)) * 2
    found = []
    for fragment, flags, cookie, puzzle in ((1, 0, 0, 0), (2, 1, 7, 0), (0x12, 1, 7, 9), (1, 2, 7, 9), (1, 4, 7, 0)):
        clear = packet.Header(packet.HELLO, 4, fragment, flags, 7, 0).encode()
        found.append(clear + rest + bytes([cookie]) * 16 + bytes([puzzle]) * 8 + bytes(16))
    return found


def _several() -> list[bytes]:
    frames = _frames()[1:]
    shortest = [frame.pack_control(1, b""), frame.pack_control(2, b"")]
    return [*frame.pack_several(frames, 1_200), *4 * frame.pack_several(shortest, 20)]  # so that some are cut just so


def _frames() -> list[bytes]:
    random = Random("frames")
    some, wallet = random.randbytes(16), random.randbytes(32)
    found = [b"\0"]
    found += [frame.pack_control(schema.identifier, body) for schema in schemas(messages) for body in bodies(schema, 2)]
    for source, destination in ((b"", b""), (wallet, b""), (b"", wallet), (wallet, wallet)):
        rest = (some, source, destination, b"body")
        found.append(frame.pack_message(1, 2, 3, 4, rest))
        found.append(frame.pack_message(0, 0, 0, 4, rest))
    found += [frame.pack_reply(2, 4, wallet, some, b"body", confirm=confirm) for confirm in (False, True)]
    return found


def _messages() -> list[bytes]:
    random = Random("messages")
    source, destination, answers, some = (random.randbytes(size) for size in (32, 32, 32, 16))
    return [
        message.compose(4, source, destination, answers, some, body).encode() for body in (b"", b"body", bytes(1024))
    ]


def _decode_message(data: bytes) -> object:
    value = message.decode(data)
    if value.encode() != data or value.hash != hashlib.sha256(b"\0" + data).digest():
        raise AssertionError("a message object that is not its own bytes")
    return value


def _split(data: bytes) -> object:
    """The first two bytes say into pieces of what size the kernel glued the rest."""
    segment, glued = int.from_bytes(data[:2], "big"), data[2:]
    pieces = datagram.split(glued, segment)
    if b"".join(pieces) != glued or any(len(piece) != segment for piece in pieces[:-1]):
        raise AssertionError(f"{len(glued)} bytes in pieces of {segment} came apart wrongly")
    return pieces


def _place(data: bytes) -> object:
    """18 bytes of address as a field brings them."""
    place = data.ljust(datagram.ADDRESS, b"\0")[: datagram.ADDRESS]
    host, port = datagram.unpack_address(place)
    if datagram.pack_address(host, port) != place:
        raise AssertionError(f"{host} {port} is not the address it came from")
    return datagram.prefix(place)


def _finishes() -> list[bytes]:
    proof = bytes(PROOF_SIZE)
    return [
        finish.FinishPayload().encode(),
        finish.FinishPayload(continues=True, proofs=(proof,) * 4, frame=b"frame").encode(),
        finish.FinishPayload(ticket=(bytes(32), bytes(32)), proofs=(proof,)).encode(),
        finish.FinishPayload(ticket=(bytes(32), bytes(32)), continues=True, frame=b"x" * 300).encode(),
    ]


def _plans() -> list[bytes]:
    random = Random("plans")
    found = []
    for name, total, part in (("a", 0, 1), ("Grüße.txt", 7, 3), ("film.mkv", 6, 3), ("b", 2_000_001, 2_000_000)):
        hashes = random.randbytes(32 * file_plan.count_of(total, part))
        found.append(file_plan.FilePlan(name, total, part, hashes).encode())
    return found


def _read_plan(data: bytes) -> object:
    plan = file_plan.read_plan(data)
    if plan.encode() != data:
        raise AssertionError("a plan that is not its own bytes")
    return plan.root(), plan.empty_parts()


def _read_bits(data: bytes) -> object:
    """The first byte says how many bits there are."""
    count = data[0] if data else 0
    bits = file_plan.read_bits(data[1:], count)
    if file_plan.pack_bits(bits, count) != data[1:]:
        raise AssertionError("two byte strings for the same bits")
    return file_plan.missing(bits, count)


# --- the directory ----------------------------------------------------------------------------------------------------


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


# --- text and files ---------------------------------------------------------------------------------------------------


def _key(number: int) -> bytes:
    return SeedKey(bytes([number]) * 32).public


def _addresses() -> list[bytes]:
    return [address.format_address(address.Address(kind, _key(n))).encode() for kind in ("n", "w") for n in (1, 2)]


def _places() -> list[bytes]:
    node = address.format_address(address.Address("n", _key(1)))
    where = ("192.0.2.1:7460", "[2001:db8::1]:99", "tcp:[::1]", "example.org", "sub.example.org:1", "10.0.0.1")
    return [f"{node}@{place}".encode() for place in where]


def _bech32_checked(data: bytes) -> object:
    """Whatever is behind a right checksum: the kind character, then the bytes as given."""
    values = [value & 31 for value in data[:1]] + bech32.to_fives(data[1:50])
    return address.parse_address(bech32.encode("rho", values))


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


def _wallet_files() -> list[bytes]:
    random = Random("wallets")
    argon2 = wallet_file.Argon2.fresh(random.randbytes)
    root = wallet_file.WalletSecret(True, bytearray(random.randbytes(32)), name="Ann")
    later = wallet_file.WalletSecret(
        False, bytearray(random.randbytes(32)), (("online", bytes(4)), ("server", bytes(36))), "Grüße", 7
    )
    rng = random.randbytes
    return [
        wallet_file.seal_wallet(root, bytes(32), argon2, rng), wallet_file.seal_wallet(root, bytes(32), None, rng),
        wallet_file.seal_wallet(later, bytes(32), argon2, rng), wallet_file.seal_wallet(later, bytes(32), None, rng),
    ]  # fmt: skip


def _wallet_checked(data: bytes) -> object:
    """A file with its checksum put right, opened with the key it has."""
    return wallet_file.read_wallet(data[:-32] + hashlib.sha256(data[:-32]).digest()).open(bytes(32))


def _words() -> list[bytes]:
    right = [words.to_words(bytes([n]) * 32) for n in range(4)]
    swapped = " ".join(reversed(right[1].split()))
    return [text.encode() for text in (*right, right[2].upper(), swapped, "abandon abandon")]


def _targets() -> dict[str, Target]:
    greetings = [greeting.Offer((4, 3, 2, 1), 1232).encode(), greeting.Offer((1,), 65_535, 7).encode()]
    answers = [answer.encode() for answer in (
        greeting.Answer(30, 1232, 0, 9, bytes(18)), greeting.Answer(2, 9000, 7, 1, b"\xff" * 18),
    )]  # fmt: skip
    texts: dict[str, tuple[Callable[[str], object], Callable[[], list[bytes]], type[Exception]]] = {
        "keys.address.parse_address": (address.parse_address, _addresses, BadAddress),
        "keys.address.parse_node_at": (address.parse_node_at, _places, BadAddress),
        "wire.bech32.decode": (bech32.decode, _addresses, BadAddress),
        "directory.bundle.read": (bundle.read, _pasted, BadArmour),
        "keys.words.from_words": (words.from_words, _words, BadWords),
    }  # fmt: skip
    found = {
        "wire.packet.read_header": Target(packet.read_header, _headers, (packet.read_header,)),
        "wire.packet.read_hello": Target(packet.read_hello, _hellos, (packet.read_hello,)),
        "wire.frame.read_frame": Target(frame.read_frame, _frames, (frame.read_frame, frame._wallets)),
        "wire.frame.read_frames": Target(frame.read_frames, _several, (frame.read_frames, frame.read_frame)),
        "wire.message.decode": Target(_decode_message, _messages, (message.decode, message.compose)),
        "wire.datagram.split": Target(_split, lambda: [b"\0\3abcdefgh", b"\0\0abc", b"\0\2ab"], (datagram.split,)),
        "wire.datagram.unpack_address": Target(
            _place,
            lambda: [datagram.pack_address("192.0.2.1", 7460), datagram.pack_address("2001:db8::1", 1), bytes(18)],
            (datagram.unpack_address, datagram.prefix),
        ),
        "link.finish.read_finish_payload": Target(
            finish.read_finish_payload, _finishes, (finish.read_finish_payload,)
        ),
        "link.file_plan.read_plan": Target(_read_plan, _plans, (file_plan.read_plan, file_plan.check_name)),
        "link.file_plan.read_bits": Target(
            _read_bits, lambda: [b"\0", b"\x09\xff\x01", b"\x08\0"], (file_plan.read_bits,)
        ),
        "directory.bundle.read.checked": Target(
            _pasted_checked, _parts,
            (bundle.read, armour.read, armour._part, armour._payload),
        ),
        "directory.record.read_record": Target(
            _read_record, _records,
            (record.read_record, record.read_layout, record._read_delegation, endpoints.read_endpoints),
        ),
        "directory.record.split": Target(
            _split_records, lambda: [*_records(), b"".join(_records())], (record.split, record._length)
        ),
        "directory.parts.read_parts": Target(
            _read_parts(parts.CUT), lambda: _parts_of(parts.CUT), (parts.read_parts, parts._pieces, parts._entry)
        ),
        "directory.parts.read_parts.whole": Target(
            _read_parts(parts.WHOLE), lambda: _parts_of(parts.WHOLE), (parts.read_parts,)
        ),
        "directory.messages.read_pieces": Target(
            lambda data: directory_messages.read_pieces(data, directory_messages.PREFIX),
            lambda: [b"", b"aaaaa", b"aaaaabbbbbccccc"],
            (directory_messages.read_pieces,),
        ),
        "keys.authority.read_authority": Target(
            authority.read_authority, lambda: [data[2:-8] for data in _records()[-2:]], (authority.read_authority,)
        ),
        "secret.greeting.read_offer": Target(greeting.read_offer, lambda: greetings, (greeting.read_offer,)),
        "secret.greeting.read_answer": Target(greeting.read_answer, lambda: answers, (greeting.read_answer,)),
        "keys.address.parse_address.checked": Target(
            refusing(_bech32_checked, BadAddress),
            lambda: [bytes([19]) + _key(1), bytes([14]) + _key(2), b"\0" + _key(1)],
            (address.parse_address,),
        ),
        "wire.bech32.from_fives": Target(
            refusing(lambda data: bech32.from_fives([value & 31 for value in data]), BadAddress),
            lambda: [bytes(bech32.to_fives(_key(1))), bytes(7) + b"\1", bytes(3)],
            (bech32.from_fives,),
        ),
        "keys.wallet_file.read_wallet": Target(
            refusing(wallet_file.read_wallet, WalletFileError), _wallet_files, (wallet_file.read_wallet,)
        ),
        "keys.wallet_file.read_wallet.checked": Target(
            refusing(_wallet_checked, WalletFileError), _wallet_files, (wallet_file.read_wallet,)
        ),
    }
    for name, (parse, valid, refusal) in texts.items():
        found[name] = Target(refusing(typed(parse), refusal), valid, (parse,))
    for kind, field in KINDS.items():
        found[f"wire.fields.{kind}"] = _field(field)
    for schema in schemas(messages):
        found[f"link.messages.{schema.schema_name}"] = _schema(schema)
    for schema in schemas(directory_messages):
        found[f"directory.messages.{schema.schema_name}"] = _schema(schema)
    for module in (live, live_node, live_objects, live_streams, tree_inputs):
        found |= {name: Target(*entry) for name, entry in module.TARGETS.items()}
    return dict(sorted(found.items()))


#: Every parser, by the name of what it tests.
TARGETS: dict[str, Target] = _targets()
