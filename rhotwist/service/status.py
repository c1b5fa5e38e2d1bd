"""How a process is, as a value: what ``rho status`` shows."""

from __future__ import annotations

import ipaddress
import os
import re
import socket
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from rhotwist import __version__
from rhotwist.control.values import VERSION, Status, WalletRow
from rhotwist.keys.address import NODE, TCP, Address, NodeAt, format_address, format_node_at
from rhotwist.service.listening import EVERYWHERE, Place
from rhotwist.service.options import Settings

LAG_BAD = 0.05
"""Seconds: timers later than this at the 99th percentile mean that the process has too much to do."""
_HERE = re.compile(r"@(tcp:)?(127\.|\[::1\])")
_OUTWARD = {"0.0.0.0": "192.0.2.1", "::": "2001:db8::1"}  # noqa: S104 - addresses of documentation: nothing is sent


def describe(
    settings: Settings, public: bytes, told: dict[str, Any], *, uptime: float, wallets: tuple[WalletRow, ...] = ()
) -> Status:
    """The status value. told is ``RhoNode.status()``."""
    sockets = [Place(host, port) for host, port in told["sockets"]]
    sockets += [Place(host, port, TCP) for host, port in told.get("streams", ())]
    return Status(
        role=settings.role,
        version=__version__,
        protocol=VERSION,
        pid=os.getpid(),
        address=format_address(Address(NODE, public)),
        listening=tuple(place.named for place in sockets),
        reachable=reachable(public, sockets),
        uptime=uptime,
        datadir=str(settings.places.datadir),
        health=health(settings, sockets, told),
        wallets=wallets,
        counters=figures(told),
    )


def figures(told: dict[str, Any]) -> dict[str, int]:
    """Gauges and counters in one flat table, by name."""
    gauges = {name: value for name, value in told.items() if type(value) is int}
    lag = {f"{name}_us": int(told[name] * 1e6) for name in ("loop_lag_p99", "loop_lag_worst") if name in told}
    return {**gauges, **lag, **{name: int(value) for name, value in told["counters"].items()}}


def health(settings: Settings, sockets: Sequence[Place], told: dict[str, Any]) -> tuple[str, ...]:
    """What is wrong, each in a line; nothing if nothing is."""
    lines = []
    have = {(place.host, place.carrier) for place in sockets}
    for place in settings.listen:
        if place.host in EVERYWHERE and (place.host, place.carrier) not in have:
            family = "IPv6" if place.host == "::" else "IPv4"
            lines.append(f"this machine has no {family}: it is not listened on by {place.carrier}")
    lag = told.get("loop_lag_p99") or 0.0
    if lag > LAG_BAD:
        lines.append(f"too much to do: timers are {lag * 1000:.0f} ms late")
    failed = told["counters"].get("handler_failed", 0)
    if failed:
        lines.append(f"{failed} requests failed inside; the log says why")
    return tuple(lines)


def reachable(public: bytes, sockets: Sequence[Place]) -> tuple[str, ...]:
    """NODE@HOST:PORT by which others may reach this process, the ones that reach furthest first."""
    found: dict[str, None] = {}
    for place in sockets:
        hosts = [_outward(place.host), "127.0.0.1" if place.host == EVERYWHERE[0] else "::1"]
        for host in hosts if place.host in EVERYWHERE else [place.host]:
            if host:
                found[format_node_at(NodeAt(public, host, place.port, place.carrier))] = None
    return tuple(sorted(found, key=lambda at: bool(_HERE.search(at))))


def _outward(host: str) -> str:
    """The address of this machine that speaks to the rest of the world, "" if none does. Sends nothing."""
    target = _OUTWARD.get(host)
    if target is None:
        return ""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as made:
        made.connect((target, 9))
        own = ipaddress.ip_address(made.getsockname()[0].partition("%")[0])
        if not (own.is_unspecified or own.is_loopback or own.is_link_local):
            return str(own)
    return ""
