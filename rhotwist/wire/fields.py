"""The kinds of field a message is made of: each turns one value into bytes and back, one byte string per value.

Integers are big-endian and unsigned. A field raises ``LocalError`` for a value of ours that does not fit, with value
and limit, and ``BadPacket`` for bytes of theirs that no value has. Layouts: docs/spec/message.md.
"""

from __future__ import annotations

from typing import Any, ClassVar, Protocol

import attrs

from rhotwist.errors import BadPacket, LocalError, TooBig

#: What is taken apart: a body, or a view of a big one, of which no field keeps hold.
Data = bytes | memoryview


class Field(Protocol):
    """One field of a schema.

    layout is the text that enters the schema identifier, so two fields with one layout have one encoding.
    """

    @property
    def layout(self) -> str:
        """How the field lies on the wire, as text."""

    def pack(self, value: Any) -> bytes:
        """The one byte string of a value. Raises LocalError."""

    def take(self, data: Data, at: int) -> tuple[Any, int]:
        """The value that starts at ``at`` and where it ends. Raises BadPacket."""


@attrs.frozen
class Unsigned:
    """An integer of size bytes."""

    size: int

    @property
    def layout(self) -> str:
        """``Field.layout``."""
        return f"u{8 * self.size}"

    def pack(self, value: Any) -> bytes:
        """``Field.pack``."""
        if not isinstance(value, int) or value is True or value is False or not 0 <= value < 1 << (8 * self.size):
            raise LocalError(f"{value!r} is no integer from 0 to {(1 << (8 * self.size)) - 1}")
        return value.to_bytes(self.size, "big")

    def take(self, data: Data, at: int) -> tuple[int, int]:
        """``Field.take``."""
        end = at + self.size
        if end > len(data):
            raise BadPacket("short")
        return int.from_bytes(data[at:end], "big"), end


@attrs.frozen
class Flag:
    """True or false in one byte, 1 or 0."""

    layout = "flag"

    def pack(self, value: Any) -> bytes:
        """``Field.pack``."""
        if type(value) is not bool:
            raise LocalError(f"{value!r} is neither True nor False")
        return b"\x01" if value else b"\x00"

    def take(self, data: Data, at: int) -> tuple[bool, int]:
        """``Field.take``."""
        if at >= len(data):
            raise BadPacket("short")
        if data[at] > 1:
            raise BadPacket("flag")
        return data[at] == 1, at + 1


@attrs.frozen
class Octets:
    """Exactly size bytes."""

    size: int

    @property
    def layout(self) -> str:
        """``Field.layout``."""
        return f"octets{self.size}"

    def pack(self, value: Any) -> bytes:
        """``Field.pack``."""
        if not isinstance(value, bytes) or len(value) != self.size:
            raise LocalError(f"{_told(value)} where exactly {self.size} bytes belong")
        return value

    def take(self, data: Data, at: int) -> tuple[bytes, int]:
        """``Field.take``."""
        end = at + self.size
        if end > len(data):
            raise BadPacket("short")
        return bytes(data[at:end]), end


@attrs.frozen
class Blob:
    """Up to most bytes behind their count (u16)."""

    most: int
    kind: ClassVar[str] = "blob"
    counts: ClassVar[int] = 2

    @property
    def layout(self) -> str:
        """``Field.layout``."""
        return f"{self.kind}<={self.most}"

    def pack(self, value: Any) -> bytes:
        """``Field.pack``."""
        return self.count(value) + value  # type: ignore[no-any-return]

    def count(self, value: Any) -> bytes:
        """What stands before the bytes. Raises as ``pack`` does."""
        if not isinstance(value, bytes):
            raise LocalError(f"{_told(value)} where bytes belong")
        if len(value) > self.most:
            raise TooBig(f"{len(value)} bytes where at most {self.most} fit")
        return len(value).to_bytes(self.counts, "big")

    def take(self, data: Data, at: int) -> tuple[bytes, int]:
        """``Field.take``."""
        start = at + self.counts
        if start > len(data):
            raise BadPacket("short")
        size = int.from_bytes(data[at:start], "big")
        if size > self.most:
            raise BadPacket("long")
        end = start + size
        if end > len(data):
            raise BadPacket("short")
        return bytes(data[start:end]), end


@attrs.frozen
class Bulk(Blob):
    """Up to most bytes behind their count (u32): what only a big object carries."""

    kind: ClassVar[str] = "bulk"
    counts: ClassVar[int] = 4


@attrs.frozen
class Text:
    """Up to most bytes of UTF-8 behind their count (u16)."""

    most: int

    @property
    def layout(self) -> str:
        """``Field.layout``."""
        return f"text<={self.most}"

    def pack(self, value: Any) -> bytes:
        """``Field.pack``."""
        if not isinstance(value, str):
            raise LocalError(f"{_told(value)} where text belongs")
        try:
            data = value.encode("utf-8")
        except UnicodeEncodeError as error:
            raise LocalError(f"text with a lone surrogate at character {error.start}") from None
        if len(data) > self.most:
            raise TooBig(f"{len(data)} bytes of text where at most {self.most} fit")
        return len(data).to_bytes(2, "big") + data

    def take(self, data: Data, at: int) -> tuple[str, int]:
        """``Field.take``."""
        raw, end = Blob(self.most).take(data, at)
        try:
            return raw.decode("utf-8"), end
        except UnicodeDecodeError:
            raise BadPacket("utf-8") from None


@attrs.frozen
class Many:
    """Up to most values of one kind behind their count (u16)."""

    item: Field
    most: int

    @property
    def layout(self) -> str:
        """``Field.layout``."""
        return f"many<={self.most}({self.item.layout})"

    def pack(self, value: Any) -> bytes:
        """``Field.pack``."""
        if not isinstance(value, tuple):
            raise LocalError(f"{type(value).__name__} where a tuple belongs")
        if len(value) > self.most:
            raise TooBig(f"{len(value)} items where at most {self.most} fit")
        return b"".join([len(value).to_bytes(2, "big"), *map(self.item.pack, value)])

    def take(self, data: Data, at: int) -> tuple[tuple[Any, ...], int]:
        """``Field.take``."""
        end = at + 2
        if end > len(data):
            raise BadPacket("short")
        count = int.from_bytes(data[at:end], "big")
        if count > self.most:
            raise BadPacket("long")
        items = []
        for _ in range(count):
            item, end = self.item.take(data, end)
            items.append(item)
        return tuple(items), end


@attrs.frozen
class Maybe:
    """A value or None: one byte 1 and the value, or one byte 0."""

    item: Field

    @property
    def layout(self) -> str:
        """``Field.layout``."""
        return f"maybe({self.item.layout})"

    def pack(self, value: Any) -> bytes:
        """``Field.pack``."""
        return b"\x00" if value is None else b"\x01" + self.item.pack(value)

    def take(self, data: Data, at: int) -> tuple[Any, int]:
        """``Field.take``."""
        present, end = Flag().take(data, at)
        return self.item.take(data, end) if present else (None, end)


def _told(value: object) -> str:
    """A value for an error text: sizes, never contents, for what may be a secret."""
    return f"{len(value)} bytes" if isinstance(value, bytes) else type(value).__name__
