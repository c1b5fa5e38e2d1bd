"""``rho doctor``: what this machine lacks, each with what to do about it."""

from __future__ import annotations

import os
import platform
import socket
import stat
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import attrs
import click

from rhotwist.cli.client import Client
from rhotwist.cli.run import Run, common, pass_run
from rhotwist.control import trouble
from rhotwist.control.places import ROLES, Places
from rhotwist.control.text import size
from rhotwist.errors import OperatorError
from rhotwist.moment import EPOCH_2020

BUFFER_WANTED = 4 * 2**20
"""Bytes of a UDP socket's receive buffer that a busy node asks for; 10 ms of a full gigabit, and some."""
PORT = 7460
BUILT = EPOCH_2020 + 6 * 365 * 86_400
"""A clock that stands before this is wrong: the program is younger."""


@attrs.frozen
class Finding:
    """One check. needed is False for what only makes things faster or is not there yet."""

    name: str
    good: bool
    found: str
    advice: str = ""
    needed: bool = True


@click.command("doctor")
@common
@pass_run
def command(run: Run) -> int:
    """Check this machine. Exit status 1 if something that is needed is missing."""
    findings = examine(run.places)
    ill = [finding for finding in findings if finding.needed and not finding.good]
    run.result({"healthy": not ill, "findings": [attrs.asdict(f) for f in findings]}, *map(_line, findings))
    return trouble.FAILED if ill else trouble.OK


def examine(places: Places) -> list[Finding]:
    """All checks, in order. One that breaks down is a finding too."""
    findings: list[Finding] = []
    for check in CHECKS:
        try:
            findings += check(places)
        except Exception as error:
            name = check.__name__.strip("_").replace("_", " ")
            findings.append(Finding(name, False, f"{type(error).__name__}: {error}", "report this"))
    return findings


def _line(finding: Finding) -> str:
    mark = "✓" if finding.good else "✗" if finding.needed else "-"
    advice = "" if finding.good or not finding.advice else f" → {finding.advice}"
    return f"{mark} {finding.name:<16} {finding.found}{advice}"


def _python(places: Places) -> Iterator[Finding]:
    good = sys.version_info >= (3, 11)
    yield Finding("Python", good, platform.python_version(), "install Python 3.11 or newer")


def _libraries(places: Places) -> Iterator[Finding]:
    import cryptography
    import nacl
    from nacl import bindings

    point = bindings.crypto_core_ed25519_is_valid_point(bindings.crypto_sign_seed_keypair(bytes(32))[0])
    yield Finding("libsodium", point, f"PyNaCl {nacl.__version__}", "pip install --upgrade pynacl")
    yield Finding("cryptography", True, cryptography.__version__)
    try:
        from cryptography.hazmat.primitives.asymmetric import mlkem

        mlkem.MLKEM768PrivateKey.generate()
    except Exception as error:
        yield Finding("ML-KEM-768", False, f"not there ({type(error).__name__})", "pip install --upgrade cryptography")
    else:
        yield Finding("ML-KEM-768", True, "there: sessions are post-quantum by default")


def _sockets(places: Places) -> Iterator[Finding]:
    for name, family, host in (("IPv4", socket.AF_INET, "127.0.0.1"), ("IPv6", socket.AF_INET6, "::1")):
        try:
            with socket.socket(family, socket.SOCK_DGRAM) as made:
                made.bind((host, 0))
        except OSError as error:
            yield Finding(name, False, f"no UDP socket ({error.strerror})", "the node then listens without it", False)
        else:
            yield Finding(name, True, "UDP sockets open", needed=False)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as made:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER_WANTED)
        got = made.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)
        half = got // 2 if sys.platform.startswith("linux") else got  # Linux tells twice what it gives: socket(7)
        advice = f"for a busy node: sysctl -w net.core.rmem_max={BUFFER_WANTED}"
        yield Finding("socket buffers", half >= BUFFER_WANTED, size(half), advice, needed=False)
        yield from _offloads(made)


def _offloads(made: socket.socket) -> Iterator[Finding]:
    for name, option in (("UDP GSO", 103), ("UDP GRO", 104)):  # linux/udp.h: UDP_SEGMENT, UDP_GRO
        try:
            made.setsockopt(socket.IPPROTO_UDP, option, 0)
        except OSError:
            yield Finding(name, False, "not in this kernel", "it works without, slower", needed=False)
        else:
            yield Finding(name, True, "there", needed=False)


def _folder(places: Places) -> Iterator[Finding]:
    folder = places.datadir
    if not folder.exists():
        yield Finding("data folder", _may_make(folder), f"{folder} (will be made)", "name another with --datadir")
        return
    mode = stat.S_IMODE(folder.stat().st_mode)
    if mode & 0o077:
        yield Finding("data folder", False, f"{folder} has mode {mode:04o}", f"chmod 700 {folder}")
    elif not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
        yield Finding("data folder", False, f"{folder} is not ours to write", "name another with --datadir")
    else:
        yield Finding("data folder", True, str(folder))
    for path in [*(places.key(role) for role in ROLES), *sorted(places.wallets.glob("*.rhowallet"))]:
        if path.exists() and stat.S_IMODE(path.stat().st_mode) & 0o077:
            yield Finding("secrets", False, f"{path} can be read by others", f"chmod 600 {path}")


def _may_make(folder: Path) -> bool:
    for above in folder.parents:
        if above.exists():
            return os.access(above, os.W_OK | os.X_OK)
    return False


def _processes(places: Places) -> Iterator[Finding]:
    running = {role: Client(places, role, 2.0).runs() for role in ROLES}
    for role, runs in running.items():
        hint = "twistd -n rhocoin" if role == "node" else "rho wallet unlock NAME starts it"
        yield Finding(f"{role} process", runs, "running" if runs else "not running", hint, needed=False)
    if not running["node"]:
        try:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as made:
                made.bind(("0.0.0.0", PORT))  # noqa: S104 - to see whether a node could
        except OSError as error:
            advice = "stop what holds it, or run the node with --listen 0"
            yield Finding(f"UDP port {PORT}", False, f"not free ({error.strerror})", advice, needed=False)
        else:
            yield Finding(f"UDP port {PORT}", True, "free", needed=False)


def _socket_path(places: Places) -> Iterator[Finding]:
    try:
        path = places.checked_socket("wallet", sys.platform)
    except OperatorError as error:
        yield Finding("control socket", False, error.why, error.hint)
    else:
        yield Finding("control socket", hasattr(socket, "AF_UNIX"), str(path), "rho needs Unix sockets: use WSL")


def _clock(places: Places) -> Iterator[Finding]:
    wall = time.time()  # noqa: TID251 - what is examined here is this very clock
    shown = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(wall))
    yield Finding("clock", wall > BUILT, shown, "it is years behind: set it")


CHECKS: tuple[Callable[[Places], Iterator[Finding]], ...] = (
    _python, _libraries, _sockets, _folder, _socket_path, _processes, _clock
)  # fmt: skip
"""Every check, in the order in which it is printed."""
