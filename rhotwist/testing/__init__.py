"""Test what is built on rhotwist: many nodes in one process, in virtual time, over a network as bad as you like.

Guide: docs/testing.md. Everything here is public. Names are loaded when first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rhotwist.testing.cases import SeededTestCase
    from rhotwist.testing.clock import Clock
    from rhotwist.testing.fuzz import FUZZ
    from rhotwist.testing.host import Host
    from rhotwist.testing.link import GOOD, HOSTILE, Faults
    from rhotwist.testing.machine import Core, Machine, Work
    from rhotwist.testing.network import Network
    from rhotwist.testing.outcome import Crashed, NotSettled, Outcome, SettledTwice

__all__ = [
    "Clock",
    "Core",
    "Crashed",
    "FUZZ",
    "Faults",
    "GOOD",
    "HOSTILE",
    "Host",
    "Machine",
    "Network",
    "NotSettled",
    "Outcome",
    "SeededTestCase",
    "SettledTwice",
    "Work",
]

_HOME = {
    "Clock": "clock",
    "Core": "machine",
    "Crashed": "outcome",
    "FUZZ": "fuzz",
    "Faults": "link",
    "GOOD": "link",
    "HOSTILE": "link",
    "Host": "host",
    "Machine": "machine",
    "Network": "network",
    "NotSettled": "outcome",
    "Outcome": "outcome",
    "SeededTestCase": "cases",
    "SettledTwice": "outcome",
    "Work": "machine",
}


def __getattr__(name: str) -> Any:
    try:
        home = _HOME[name]
    except KeyError:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}") from None
    return getattr(import_module(f"{__name__}.{home}"), name)
