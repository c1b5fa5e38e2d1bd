"""Frozen values to JSON and back, for the control socket alone: the net never sees JSON.

Reading is strict for requests: a field nobody knows, a missing one, a wrong type, a key twice, bytes after the end are
one ``BadBody`` that names the place. Answers may carry fields that we do not know, so that a newer process can tell
more.
"""

from __future__ import annotations

import functools
import json
import math
import types
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

import attrs

from rhotwist.errors import RhoError

V = TypeVar("V")


class BadBody(RhoError):
    """A control body that is no value of ours. The message names the field."""


def to_json(value: Any) -> bytes:
    """The JSON text of a frozen value, plain ASCII, with a line end."""
    return json.dumps(plain(value), allow_nan=False).encode("ascii") + b"\n"


def plain(value: Any) -> Any:
    """A frozen value as dicts, lists and scalars."""
    if attrs.has(type(value)):
        return {field.name: plain(getattr(value, field.name)) for field in attrs.fields(type(value))}
    if isinstance(value, tuple):
        return [plain(item) for item in value]
    return value


def from_json(kind: type[V], data: bytes, *, strict: bool = True) -> V:
    """Read a value of kind. Raises BadBody; with strict=False unknown fields are passed over."""
    try:
        found = json.loads(data.decode("utf-8"), object_pairs_hook=_no_twins, parse_constant=_no_constant)
    except UnicodeDecodeError:
        raise BadBody("the body is not UTF-8") from None
    except RecursionError:
        raise BadBody("the body is nested too deeply") from None
    except json.JSONDecodeError as error:
        raise BadBody(f"the body is not JSON: line {error.lineno}, column {error.colno}") from None
    except ValueError as error:  # int() of more digits than Python converts
        raise BadBody(f"the body holds no usable number: {str(error)[:80]}") from None
    value: V = _read(kind, found, "body", strict)
    return value


def _no_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise BadBody("the body names one field twice")
    return found


def _no_constant(name: str) -> Any:
    raise BadBody(f"{name} is no JSON number")


def _read(kind: Any, found: Any, place: str, strict: bool) -> Any:
    if attrs.has(kind):
        return _read_object(kind, found, place, strict)
    origin, arguments = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):  # only X | None is used
        inner = [argument for argument in arguments if argument is not type(None)]
        return None if found is None else _read(inner[0], found, place, strict)
    if origin is tuple:
        if not isinstance(found, list):
            raise BadBody(f"{place} is not a list")
        return tuple(_read(arguments[0], item, f"{place}[{at}]", strict) for at, item in enumerate(found))
    if origin is dict:
        if not isinstance(found, dict):
            raise BadBody(f"{place} is not an object")
        return {name: _read(arguments[1], item, f"{place}.{name}", strict) for name, item in found.items()}
    if kind is float and type(found) is int and abs(found) < 1 << 53:
        return float(found)
    if type(found) is not kind:
        raise BadBody(f"{place} is not {_NAMES[kind]}")
    if kind is float and not math.isfinite(found):
        raise BadBody(f"{place} is not a number that fits")
    if kind is str and not found.isascii() and any("\ud800" <= char <= "\udfff" for char in found):
        raise BadBody(f"{place} holds half a character")  # a lone surrogate, which no file and no packet can carry
    return found


_NAMES = {str: "a text", int: "a whole number", float: "a number", bool: "true or false"}


def _read_object(kind: Any, found: Any, place: str, strict: bool) -> Any:
    if not isinstance(found, dict):
        raise BadBody(f"{place} is not an object")
    hints = _hints(kind)
    if strict:
        for name in found:
            if name not in hints:
                raise BadBody(f"{place} has no field {name[:40]!r}")
    values = {}
    for field in attrs.fields(kind):
        if field.name in found:
            values[field.name] = _read(hints[field.name], found[field.name], f"{place}.{field.name}", strict)
        elif field.default is attrs.NOTHING:
            raise BadBody(f"{place} lacks {field.name!r}")
    return kind(**values)


@functools.lru_cache(maxsize=64)
def _hints(kind: type) -> dict[str, Any]:
    return get_type_hints(kind)
