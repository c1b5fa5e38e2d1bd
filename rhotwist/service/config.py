"""What an operator may set: one table of keys, read from a TOML file, from the environment, and from options.

An option goes before the environment, that before the file, that before the default. Each key ``name`` of ``[section]``
is also ``RHO_SECTION_NAME`` in the environment, where a list is written with commas. The file is never written.
``[limits]`` holds every field of ``rhotwist.limits.Limits``.
"""

from __future__ import annotations

import difflib
import math
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_type_hints

import attrs

from rhotwist.control import trouble
from rhotwist.limits import Limits

KDF_COSTS = ("interactive", "moderate", "sensitive")
"""What opening a wallet file costs whoever guesses: 64 MiB, 256 MiB or 1 GiB of memory, each three to four passes."""


@attrs.frozen
class Key:
    """One key that may be set. wanted says in words which values it takes."""

    section: str
    name: str
    kind: type
    default: Any
    wanted: str
    about: str
    choices: tuple[str, ...] = ()

    @property
    def full(self) -> str:
        """``section.name``."""
        return f"{self.section}.{self.name}"

    @property
    def variable(self) -> str:
        """Its name in the environment."""
        return f"RHO_{self.section}_{self.name}".upper()

    def take(self, value: Any, place: str) -> Any:
        """value as this key holds it. Raises OperatorError RHO-1002 naming place."""
        if self.kind is tuple:
            if isinstance(value, list) and all(isinstance(item, str) for item in value):
                return tuple(value)
        elif self.kind is float:
            if type(value) in (int, float) and math.isfinite(value) and value >= 0:
                return float(value)
        elif self.kind is int:
            if type(value) is int and value >= 0:
                return value
        elif type(value) is self.kind and (not self.choices or value in self.choices):
            return value
        raise self.wrong(value, place)

    def take_text(self, text: str, place: str) -> Any:
        """The same for a value written as text, as the environment has it."""
        if self.kind is tuple:
            return tuple(part.strip() for part in text.split(",") if part.strip())
        if self.kind is str:
            return self.take(text, place)
        if self.kind is bool:
            words = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}
            if text.lower() in words:
                return words[text.lower()]
            raise self.wrong(text, place)
        try:
            return self.take(self.kind(text), place)
        except ValueError:
            raise self.wrong(text, place) from None

    def wrong(self, value: Any, place: str) -> Exception:
        """The error for a value that this key does not take."""
        return trouble.VALUE_WRONG(place=place, key=self.full, value=repr(value)[:60], wanted=self.wanted)


_WORDS = {int: "a whole number, 0 or more", float: "a number, 0 or more", bool: "true or false", str: "a text",
          tuple: "a list of texts"}  # fmt: skip


def _key(section: str, name: str, default: Any, about: str, wanted: str = "") -> Key:
    choices = KDF_COSTS if name == "kdf" else ()
    return Key(section, name, type(default), default, wanted or _WORDS[type(default)], about, choices)


_LISTEN = 'a list of places such as "7460", "203.0.113.5:7460", "[::1]:7460" or "tcp:7460"'

KEYS: tuple[Key, ...] = (
    _key("node", "listen", ("7460",), "where a node listens; a port alone means IPv4 and IPv6", _LISTEN),
    _key("node", "siblings", "", "file that names the processes a full node sends clients on to; \"\" for none"),
    _key("node", "peers", (), "nodes to compare directories with first, by the wallet process too",
         'a list of NODE@HOST:PORT'),
    _key("node", "private_net", False, "let records from the net name private addresses (10.0.0.0/8 and the like)"),
    _key("wallet", "listen", ("0",), "where a wallet process listens; 0 is any free port", _LISTEN),
    _key("wallet", "autolock_minutes", 15.0, "an unlocked wallet unused by its owner this long is locked; 0 for never"),
    _key("wallet", "kdf", "moderate", "cost of a new wallet file's passphrase",
         "one of " + ", ".join(KDF_COSTS)),
    *(
        Key("limits", name, kind, kind(getattr(Limits(), name)), _WORDS[kind], "")
        for name, kind in get_type_hints(Limits).items()
    ),
)  # fmt: skip
"""Every key there is. etc/config.toml.example shows the first of them with comments."""

_BY_NAME = {key.full: key for key in KEYS}
SECTIONS = tuple(dict.fromkeys(key.section for key in KEYS))


@attrs.frozen
class Config:
    """The values of all keys by ``section.name``, and where each came from."""

    values: Mapping[str, Any]
    sources: Mapping[str, str]

    def __getitem__(self, name: str) -> Any:
        return self.values[name]

    @property
    def limits(self) -> Limits:
        """The section [limits] as the node wants it."""
        return Limits(**{key.name: self.values[key.full] for key in KEYS if key.section == "limits"})


def load(path: Path, environ: Mapping[str, str], *, required: bool = False) -> Config:
    """Read the file (a missing one is empty, unless required) and the environment.

    Raises OperatorError RHO-1001, 1002, 1003 or 1008.
    """
    values: dict[str, Any] = {key.full: key.default for key in KEYS}
    sources = dict.fromkeys(values, "default")
    found = _from_file(path, required)
    values.update(found)
    sources.update(dict.fromkeys(found, str(path)))
    for name, text in sorted(environ.items()):
        key = _from_variable(name)
        if key is not None:
            values[key.full] = key.take_text(text, f"the environment ({name})")
            sources[key.full] = name
    return Config(values, sources)


def _from_file(path: Path, required: bool) -> dict[str, Any]:
    try:
        parsed = tomllib.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        if required:
            raise trouble.CONFIG_UNREADABLE(path=path, why="there is no such file") from None
        return {}
    except OSError as error:
        raise trouble.CONFIG_UNREADABLE(path=path, why=error.strerror or str(error)) from None
    except UnicodeDecodeError as error:
        raise trouble.CONFIG_UNREADABLE(path=path, why=f"byte {error.start} is not UTF-8") from None
    except tomllib.TOMLDecodeError as error:
        raise trouble.CONFIG_UNREADABLE(path=path, why=f"it is not TOML: {error}") from None
    found = {}
    for section, content in parsed.items():
        if section not in SECTIONS or not isinstance(content, dict):
            named = f"[{section}]" if isinstance(content, dict) else section
            raise trouble.KEY_UNKNOWN(place=path, key=named, nearest=_nearest(section, [f"[{s}]" for s in SECTIONS]))
        for name, value in content.items():
            key = _BY_NAME.get(f"{section}.{name}")
            if key is None:
                names = [k.name for k in KEYS if k.section == section]
                raise trouble.KEY_UNKNOWN(place=path, key=f"{section}.{name}", nearest=_nearest(name, names))
            found[key.full] = key.take(value, str(path))
    return found


def _from_variable(name: str) -> Key | None:
    section, _, rest = name.removeprefix("RHO_").partition("_")
    if not name.startswith("RHO_") or section.lower() not in SECTIONS:
        return None  # RHO_HOME and whatever belongs to others
    key = _BY_NAME.get(f"{section}.{rest}".lower())
    if key is None:
        names = [k.variable for k in KEYS]
        raise trouble.ENVIRONMENT_UNKNOWN(name=name, nearest=_nearest(name, names))
    return key


def _nearest(name: str, names: list[str]) -> str:
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    if near:
        return f"did you mean {near[0]}? remove it if not"
    return f"remove it; there are {', '.join(names)}" if len(names) <= 8 else "remove it; see docs/command-line.md"
