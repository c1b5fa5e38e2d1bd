"""rhotwist: talk to people and programs by key. Names are loaded when first used, so that importing costs nothing.

``listen`` is where a program begins; docs/writing-a-protocol.md shows the rest.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rhotwist import errors
    from rhotwist.keys.pair import SeedKey
    from rhotwist.limits import Limits
    from rhotwist.net.endpoint import RhoNode, listen
    from rhotwist.net.handlers import Call
    from rhotwist.net.peer import Peer
    from rhotwist.node.jobs import Reached
    from rhotwist.wire.schema import Request, Schema, blob, bulk, flag, many, maybe, octets, text, u8, u16, u32, u64

__all__ = [
    "Call", "Limits", "Peer", "Reached", "Request", "RhoNode", "Schema", "SeedKey", "blob", "bulk", "errors", "flag",
    "listen", "many", "maybe", "octets", "text", "u8", "u16", "u32", "u64",
]  # fmt: skip

#: The one place the version is written; setup.cfg and towncrier read it here.
__version__ = "0.1.0"

_SCHEMA = "rhotwist.wire.schema"
_HOMES = {
    "Call": "rhotwist.net.handlers",
    "Limits": "rhotwist.limits",
    "Peer": "rhotwist.net.peer",
    "Reached": "rhotwist.node.jobs",
    "RhoNode": "rhotwist.net.endpoint",
    "SeedKey": "rhotwist.keys.pair",
    "listen": "rhotwist.net.endpoint",
    **dict.fromkeys(("Request", "Schema", "blob", "bulk", "flag", "many", "maybe", "octets", "text"), _SCHEMA),
    **dict.fromkeys(("u8", "u16", "u32", "u64"), _SCHEMA),
}


def __getattr__(name: str) -> Any:
    """Load a public name (PEP 562) and keep it."""
    home = _HOMES.get(name)
    if home is not None:
        value = getattr(import_module(home), name)
    elif name == "errors":
        value = import_module("rhotwist.errors")
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
