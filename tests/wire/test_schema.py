"""Schemas: declared once, one identifier and one byte string for each meaning, mistakes told at the declaration."""

import hashlib
from collections.abc import Callable
from typing import Any

from attrs.exceptions import FrozenInstanceError
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from rhotwist.errors import BadPacket, LocalError, SchemaClash, TooBig
from rhotwist.wire.schema import (
    Request,
    Schema,
    Vocabulary,
    blob,
    bulk,
    flag,
    identifier,
    many,
    maybe,
    octets,
    text,
    u8,
    u16,
    u32,
    u64,
)  # fmt: skip
from tests.keys.pages import vectors
from tests.wire.support import mutated, refused


class Said(Schema, name="example.said"):
    text: str = text(1000)


class Say(Request[Said], name="example.say"):
    text: str = text(1000)


class Order(Schema, name="example.order", version=2):
    sort: int = u8()
    count: int = u32()
    fast: bool = flag(default=False)
    key: bytes = octets(4, default=b"none")
    note: str | None = maybe(text(20))
    parts: tuple[int, ...] = many(u16(), 3, default=())
    seal: bytes = blob(9, default=b"")


class Nothing(Schema, name="example.nothing"):
    pass


ORDERS = st.builds(
    Order, sort=st.integers(0, 255), count=st.integers(0, 2**32 - 1), fast=st.booleans(),
    key=st.binary(min_size=4, max_size=4), note=st.none() | st.text(max_size=5),
    parts=st.lists(st.integers(0, 65535), max_size=3).map(tuple), seal=st.binary(max_size=9),
)  # fmt: skip
LAYOUT = "sort:u8 count:u32 fast:flag key:octets4 note:maybe(text<=20) parts:many<=3(u16) seal:blob<=9"


class IdentifierTests(SynchronousTestCase):
    def test_the_page_says_how_an_identifier_is_made(self) -> None:
        page = vectors("message.md")
        whole = bytes.fromhex(page["what the identifier is taken from"])
        self.assertEqual(f"{Say.identifier:08x}", page["identifier"])
        self.assertEqual(hashlib.sha256(whole).digest()[:4].hex(), page["identifier"])
        self.assertEqual(whole, b"rho/schema/1\x0bexample.say\x00\x01" + Say.layout.encode())

    def test_name_version_and_layout_are_all_in_it(self) -> None:
        self.assertEqual((Order.schema_name, Order.schema_version, Order.layout), ("example.order", 2, LAYOUT))
        self.assertEqual(Order.identifier, 0xB98BD3F1)
        others = {identifier("example.order", 1, LAYOUT), identifier("example.orde", 2, "r" + LAYOUT)}
        others |= {identifier("example.order", 2, LAYOUT + "0"), Order.identifier}
        self.assertEqual(len(others), 4)
        self.assertEqual((Nothing.layout, Nothing.schema_version), ("", 1))

    def test_request_and_reply_are_joined_but_the_reply_is_not_hashed(self) -> None:
        self.assertIs(Say.reply, Said)
        self.assertEqual(Say.identifier, identifier("example.say", 1, "text:text<=1000"))
        self.assertFalse(hasattr(Said, "reply"))


class BodyTests(SynchronousTestCase):
    def test_the_page_says_what_a_body_is(self) -> None:
        self.assertEqual(Say(text="hello").encode().hex(), vectors("message.md")["body"])

    def test_a_known_body(self) -> None:
        order = Order(sort=1, count=2, note="x", parts=(3,))
        self.assertEqual(order.encode().hex(), "01" "00000002" "00" "6e6f6e65" "01000178" "00010003" "0000")
        self.assertEqual(Order.decode(order.encode()), order)
        self.assertEqual((Nothing().encode(), Nothing.decode(b"")), (b"", Nothing()))

    @given(ORDERS)
    def test_a_body_comes_back_from_its_bytes(self, order: Order) -> None:
        self.assertEqual(Order.decode(order.encode()), order)

    @given(mutated(ORDERS.map(Order.encode)))
    def test_other_bytes_are_refused_or_are_the_one_string_of_another_value(self, data: bytes) -> None:
        try:
            order = Order.decode(data)
        except BadPacket:
            return
        self.assertEqual(order.encode(), data)

    def test_a_byte_too_few_or_too_many_is_refused(self) -> None:
        data = Order(sort=1, count=2).encode()
        self.assertEqual(refused(Order.decode, data[:-1]), "short")
        self.assertEqual(refused(Order.decode, data + b"\0"), "trailing")
        self.assertEqual(refused(Nothing.decode, b"\0"), "trailing")

    def test_a_value_that_does_not_fit_is_told_with_schema_and_field(self) -> None:
        error = self.assertRaises(LocalError, Order(sort=1, count=-5).encode)
        self.assertEqual(str(error), "example.order: count: -5 is no integer from 0 to 4294967295")
        big = self.assertRaises(TooBig, Order(sort=1, count=1, seal=bytes(10)).encode)
        self.assertEqual(str(big), "example.order: seal: 10 bytes where at most 9 fit")

    def test_a_body_is_a_frozen_value(self) -> None:
        order = Order(sort=1, count=2)
        self.assertEqual(hash(order), hash(Order(sort=1, count=2)))
        self.assertNotEqual(order, Order(sort=1, count=3))
        self.assertRaises(FrozenInstanceError, setattr, order, "sort", 2)
        self.assertRaises(TypeError, Order, 1)


class DeclarationTests(SynchronousTestCase):
    def clash(self, told: str, declare: Callable[[], Any]) -> None:
        """The declaration is refused with words that help."""
        self.assertIn(told, str(self.assertRaises(SchemaClash, declare)))

    def declare(self, base: Any = Schema, annotations: dict[str, Any] | None = None, **rest: Any) -> Any:
        """A class statement as a call: name= and version= are the schema's, the others its attributes."""
        words = {word: rest.pop(word) for word in ("name", "version") if word in rest}
        return type(base)("Made", (base,), {"__annotations__": annotations or {}, **rest}, **words)

    def test_a_schema_needs_a_name(self) -> None:
        self.clash("Made has no name", self.declare)

    def test_a_name_is_dotted_and_lower_case(self) -> None:
        wrong = ("", "say", "Example.say", "example.", ".say", "example say", "9a.b", "a..b", "a.b\n", "a." + "b" * 254)
        for name in wrong:
            self.clash("dotted", lambda name=name: self.declare(name=name))
        for name in ("a.b", "a-1.2.c-d", "a." + "b" * 253):
            self.assertEqual(self.declare(name=name).schema_name, name)

    def test_a_version_is_from_1_to_65535(self) -> None:
        for version in (0, 65536, -1):
            self.clash(f"version {version}", lambda version=version: self.declare(name="a.b", version=version))
        self.assertEqual({self.declare(name="a.b", version=v).schema_version for v in (1, 65535)}, {1, 65535})

    def test_a_field_needs_a_type_and_a_type_a_field(self) -> None:
        self.clash("x has a type but no field", lambda: self.declare(name="a.b", annotations={"x": int}))
        self.clash("x has a type but no field", lambda: self.declare(name="a.b", annotations={"x": int}, x=5))
        self.clash("x has a field but no type", lambda: self.declare(name="a.b", x=u8()))

    def test_sizes_that_no_count_can_say_are_refused(self) -> None:
        for size in (0, -1, 65536):
            for kind in (octets, blob, text, lambda size: many(u8(), size)):
                self.clash(f"a size of {size}", lambda kind=kind, size=size: kind(size))
        for kind in (octets, blob, text, lambda size: many(u8(), size)):
            kind(1), kind(65535)

    def test_a_last_field_of_bulk_is_kept_apart_and_not_copied(self) -> None:
        last = self.declare(name="a.b", annotations={"n": int, "x": bytes}, n=u8(), x=bulk(9))
        first = self.declare(name="a.c", annotations={"x": bytes, "n": int}, x=bulk(9), n=u8())
        value = bytes(9)
        begin, rest = last(n=7, x=value).encode_apart()
        self.assertIs(rest, value)
        self.assertEqual(begin + rest, last(n=7, x=value).encode())
        self.assertEqual(first(x=value, n=7).encode_apart(), (first(x=value, n=7).encode(), b""))
        for wrong in (last(n=7, x=bytes(10)), last(n=256, x=value), last(n=7, x="x")):
            error = self.assertRaises(LocalError, wrong.encode)
            self.assertEqual(str(self.assertRaises(LocalError, wrong.encode_apart)), str(error))

    def test_bulk_goes_where_no_u16_counts(self) -> None:
        for size in (0, -1, 1 << 31):
            self.clash(f"a size of {size}", lambda size=size: bulk(size))
        made = self.declare(name="a.b", annotations={"x": bytes}, x=bulk((1 << 31) - 1))
        self.assertEqual(made.decode(made(x=bytes(70_000)).encode()).x, bytes(70_000))

    def test_only_fields_are_repeated_or_left_out(self) -> None:
        for wrong in (lambda: many(5, 2), lambda: maybe(str)):
            self.clash("is no field", wrong)
        self.clash("two ways", lambda: maybe(maybe(u8())))
        nested = self.declare(name="a.b", annotations={"x": Any}, x=many(maybe(u64()), 2))
        self.assertEqual(nested.layout, "x:many<=2(maybe(u64))")

    def test_a_schema_is_not_built_on_another(self) -> None:
        self.clash("cannot be built on", lambda: self.declare(Said, name="a.b"))

    def test_a_request_names_its_reply(self) -> None:
        self.clash("Request[TheReply]", lambda: self.declare(Request, name="a.b"))


class VocabularyTests(SynchronousTestCase):
    def test_a_schema_is_found_by_its_identifier(self) -> None:
        words = Vocabulary()
        for schema in (Say, Said, Say):
            words.add(schema)
        self.assertIs(words.get(Say.identifier), Say)
        self.assertIsNone(words.get(Order.identifier))

    def test_two_schemas_of_one_identifier_are_refused_by_name(self) -> None:
        words = Vocabulary()
        words.add(Say)

        class Twin(Schema, name="example.say"):
            text: str = text(1000)

        error = self.assertRaises(SchemaClash, words.add, Twin)
        self.assertIn("example.say 1 and example.say 1 share the identifier fb92f38b", str(error))
        self.assertIs(words.get(Say.identifier), Say)
