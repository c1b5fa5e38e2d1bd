"""What the protocol says inside a session: layouts as docs/spec/control.md has them, and only those."""

from __future__ import annotations

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from rhotwist.errors import BadPacket
from rhotwist.link import messages
from rhotwist.wire.schema import Schema

PAGE = Path(__file__).parents[2] / "docs" / "spec" / "control.md"
ALL: list[type[Schema]] = [
    value
    for value in vars(messages).values()
    if isinstance(value, type) and issubclass(value, Schema) and value.__module__ == messages.__name__
]


class Layouts(SynchronousTestCase):
    """The page and the code are one."""

    def test_the_page_names_every_message_with_identifier_and_layout(self) -> None:
        page = PAGE.read_text(encoding="utf-8")
        for schema in ALL:
            row = f"| `{schema.schema_name}` | `{schema.identifier:08x}` | `{schema.layout or 'nothing'}` |"
            self.assertIn(row, page)

    def test_identifiers_differ(self) -> None:
        self.assertEqual(len({schema.identifier for schema in ALL}), len(ALL))

    def test_every_control_message_fits_a_small_packet_and_refuses_trailing_bytes(self) -> None:
        for schema in messages.CONTROL.values():
            values = {name: _least(field.layout) for name, field in schema._plan}
            data = schema(**values).encode()
            self.assertLess(len(data), 300)
            self.assertEqual(schema.decode(data), schema(**values))
            self.assertRaises(BadPacket, schema.decode, data + b"\0")

    def test_the_codes_on_the_page_are_those_of_the_code(self) -> None:
        page = PAGE.read_text(encoding="utf-8")
        for code in (*messages.RefusalCode, *messages.CloseReason, *messages.GoneReason):
            self.assertIn(f"| {code.value} | {code.name} |", page)


def _least(layout: str) -> object:
    if layout.startswith("u"):
        return 0
    if layout.startswith("octets"):
        return bytes(int(layout[6:]))
    if layout.startswith("blob"):
        return b""
    return False if layout == "flag" else () if layout.startswith("many") else ""
