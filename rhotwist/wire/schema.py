"""Declaring a message: a class with typed fields, its identifier computed from its name, version and layout.

    class Said(Schema, name="example.said"):
        text: str = text(1000)

    class Say(Request[Said], name="example.say"):
        text: str = text(1000)

``Say(text="hello")`` is a frozen value; ``encode()`` gives the one byte string it has, ``Say.decode`` reads it back.
Identifier: docs/spec/message.md.
"""

from __future__ import annotations

import hashlib
import inspect
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Self, TypeVar, dataclass_transform, get_args, get_origin

import attrs

from rhotwist.errors import BadPacket, LocalError, SchemaClash
from rhotwist.wire import fields
from rhotwist.wire.fields import Data, Field

_NAME = re.compile(r"[a-z][a-z0-9-]*(\.[a-z0-9][a-z0-9-]*)+")
_LABEL = b"rho/schema/1"


@attrs.frozen
class _Declared:
    """A field as a schema's class body names it."""

    field: Field
    default: Any = attrs.NOTHING


def u8(*, default: Any = attrs.NOTHING) -> Any:
    """An integer below 2**8."""
    return _Declared(fields.Unsigned(1), default)


def u16(*, default: Any = attrs.NOTHING) -> Any:
    """An integer below 2**16."""
    return _Declared(fields.Unsigned(2), default)


def u32(*, default: Any = attrs.NOTHING) -> Any:
    """An integer below 2**32."""
    return _Declared(fields.Unsigned(4), default)


def u64(*, default: Any = attrs.NOTHING) -> Any:
    """An integer below 2**64."""
    return _Declared(fields.Unsigned(8), default)


def flag(*, default: Any = attrs.NOTHING) -> Any:
    """True or false."""
    return _Declared(fields.Flag(), default)


def octets(size: int, *, default: Any = attrs.NOTHING) -> Any:
    """Exactly size bytes: a key, a hash."""
    return _Declared(fields.Octets(_within(size)), default)


def blob(most: int, *, default: Any = attrs.NOTHING) -> Any:
    """Up to most bytes (at most 65,535)."""
    return _Declared(fields.Blob(_within(most)), default)


def bulk(most: int, *, default: Any = attrs.NOTHING) -> Any:
    """Up to most bytes (at most 2**31 - 1): a body that travels as a big object; ``Limits.object_max`` bounds it."""
    if not 1 <= most < 1 << 31:
        raise SchemaClash(f"a size of {most}; it is from 1 to {(1 << 31) - 1}")
    return _Declared(fields.Bulk(most), default)


def text(most: int, *, default: Any = attrs.NOTHING) -> Any:
    """Text of up to most bytes of UTF-8 (at most 65,535)."""
    return _Declared(fields.Text(_within(most)), default)


def many(item: Any, most: int, *, default: Any = attrs.NOTHING) -> Any:
    """A tuple of up to most values of one kind: ``many(octets(32), 8)``."""
    return _Declared(fields.Many(_bare(item), _within(most)), default)


def maybe(item: Any, *, default: Any = None) -> Any:
    """A value or None: ``maybe(octets(32))``."""
    field = _bare(item)
    if isinstance(field, fields.Maybe):
        raise SchemaClash("maybe(maybe(...)) would write None in two ways")
    return _Declared(fields.Maybe(field), default)


def _bare(item: Any) -> Field:
    if not isinstance(item, _Declared):
        raise SchemaClash(f"{item!r} is no field; use u8, text, octets and so on")
    return item.field


def _within(number: int) -> int:
    if not 1 <= number <= 0xFFFF:
        raise SchemaClash(f"a size of {number}; it is from 1 to 65535")
    return number


@dataclass_transform(
    frozen_default=True, field_specifiers=(u8, u16, u32, u64, flag, octets, blob, bulk, text, many, maybe)
)
class Schema:
    """The body of one kind of message. Subclasses say ``name=`` (dotted, lower case) and, from 2 on, ``version=``.

    Raises SchemaClash when declared wrongly. ``identifier`` is the u32 that stands first in every such message.
    """

    schema_name: ClassVar[str]
    schema_version: ClassVar[int]
    layout: ClassVar[str]
    identifier: ClassVar[int]
    _plan: ClassVar[tuple[tuple[str, Field], ...]]
    _packs: ClassVar[tuple[tuple[str, Callable[[Any], bytes]], ...]]
    _takes: ClassVar[tuple[Callable[[Data, int], tuple[Any, int]], ...]]
    _bulk: ClassVar[tuple[str, fields.Bulk] | None]

    def __init_subclass__(cls, *, name: str | None = None, version: int = 1) -> None:
        super().__init_subclass__()
        if name is None:
            if "Request" in globals():
                shown = f"class {cls.__name__}(Schema, name='example.{cls.__name__.lower()}')"
                raise SchemaClash(f"{cls.__name__} has no name: {shown}")
            return
        if not _NAME.fullmatch(name) or len(name) > 255:
            raise SchemaClash(f"{name!r} is no dotted lower-case name such as 'example.say'")
        if not 1 <= version <= 0xFFFF:
            raise SchemaClash(f"version {version} of {name} is not from 1 to 65535")
        if hasattr(cls, "_plan"):
            raise SchemaClash(f"{name}: a schema cannot be built on another one; give it a field for each of its own")
        plan = []
        for attribute in inspect.get_annotations(cls):
            declared = cls.__dict__.get(attribute)
            if not isinstance(declared, _Declared):
                raise SchemaClash(f"{name}: {attribute} has a type but no field, such as {attribute}: str = text(200)")
            plan.append((attribute, declared.field))
            setattr(cls, attribute, attrs.field(default=declared.default))
        for attribute, value in cls.__dict__.items():
            if isinstance(value, _Declared):
                raise SchemaClash(f"{name}: {attribute} has a field but no type, such as {attribute}: str = text(200)")
        cls.schema_name, cls.schema_version, cls._plan = name, version, tuple(plan)
        cls._packs = tuple((attribute, field.pack) for attribute, field in plan)
        cls._takes = tuple(field.take for _, field in plan)
        cls._bulk = (plan[-1][0], plan[-1][1]) if plan and isinstance(plan[-1][1], fields.Bulk) else None
        cls.layout = " ".join(f"{attribute}:{field.layout}" for attribute, field in plan)
        cls.identifier = identifier(name, version, cls.layout)
        attrs.define(cls, frozen=True, slots=False)

    def encode(self) -> bytes:
        """The one byte string of this value. Raises LocalError, naming the field, for a value that does not fit."""
        try:
            return b"".join([pack(getattr(self, name)) for name, pack in self._packs])
        except LocalError:
            for name, field in self._plan:
                try:
                    field.pack(getattr(self, name))
                except LocalError as error:
                    raise type(error)(f"{self.schema_name}: {name}: {error}") from None
            raise

    def encode_apart(self) -> tuple[bytes, bytes]:
        """``encode`` in two, so that nobody has to copy what is large: the second is the value of a last field that is
        bulk, empty in other schemas.
        """
        if self._bulk is None:
            return self.encode(), b""
        name, field = self._bulk
        value = getattr(self, name)
        try:
            before = [pack(getattr(self, other)) for other, pack in self._packs[:-1]]
            return b"".join([*before, field.count(value)]), value
        except LocalError:
            return self.encode(), b""  # which says what is wrong

    @classmethod
    def decode(cls: type[S], data: Data) -> S:
        """Read a body whole; of a view nothing is kept. Raises BadPacket for short, trailing or wrong bytes."""
        at = 0
        values = []
        for take in cls._takes:
            value, at = take(data, at)
            values.append(value)
        if at != len(data):
            raise BadPacket("trailing")
        return cls(*values)


S = TypeVar("S", bound=Schema)
R = TypeVar("R", bound=Schema, covariant=True)


class Request(Schema, Generic[R]):
    """A body that wants an answer: ``class Say(Request[Said], name=...)`` is answered with a Said."""

    reply: ClassVar[type[Schema]]

    if TYPE_CHECKING:

        def _asks(self) -> tuple[Self, R]:
            """By this a type checker joins a handler's call and reply to the schema it is for; it does not exist."""

    def __init_subclass__(cls, *, name: str | None = None, version: int = 1) -> None:
        super().__init_subclass__(name=name, version=version)
        for base in getattr(cls, "__orig_bases__", ()):
            if get_origin(base) is Request and isinstance(get_args(base)[0], type):
                cls.reply = get_args(base)[0]
                return
        raise SchemaClash(f"{name}: write class {cls.__name__}(Request[TheReply], name=...)")


def identifier(name: str, version: int, layout: str) -> int:
    """The u32 by which a schema is known on the wire: the first 4 bytes of a SHA-256 over all that fixes its meaning.

    >>> hex(identifier("example.say", 1, "text:text<=1000"))
    '0xfb92f38b'
    """
    data = b"".join(
        [_LABEL, bytes([len(name)]), name.encode("ascii"), version.to_bytes(2, "big"), layout.encode("ascii")]
    )
    return int.from_bytes(hashlib.sha256(data).digest()[:4], "big")


class Vocabulary:
    """The schemas one node speaks, by identifier."""

    def __init__(self) -> None:
        self._known: dict[int, type[Schema]] = {}

    def add(self, schema: type[Schema]) -> None:
        """Learn a schema; learning it twice does nothing. Raises SchemaClash if another has its identifier."""
        known = self._known.setdefault(schema.identifier, schema)
        if known is not schema:
            raise SchemaClash(
                f"{schema.schema_name} {schema.schema_version} and {known.schema_name} {known.schema_version} "
                f"share the identifier {schema.identifier:08x}; rename one or raise its version"
            )

    def get(self, identifier: int) -> type[Schema] | None:
        """The schema of an identifier, None for one we do not speak."""
        return self._known.get(identifier)
