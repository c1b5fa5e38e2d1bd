"""``rho status``: health first, then the processes and the wallets."""

from __future__ import annotations

import math

import click

from rhotwist.cli.client import Client
from rhotwist.cli.run import Run, common, pass_run
from rhotwist.control import trouble, verbs
from rhotwist.control.codec import plain
from rhotwist.control.places import ROLES
from rhotwist.control.text import span
from rhotwist.control.values import Status, WalletRow
from rhotwist.errors import OperatorError


@click.command("status")
@common
@pass_run
def command(run: Run) -> int:
    """Show how the node and the wallet process of this data folder are. Exit status 3 if neither runs."""
    found: dict[str, Status | None] = {role: _status(run, role) for role in ROLES}
    running = [status for status in found.values() if status is not None]
    lines = [f"! {line}" for status in running for line in status.health]
    for role, status in found.items():
        lines += _lines(role, status)
    run.result({role: plain(status) for role, status in found.items()}, *lines)
    if not running:
        run.advise("next: twistd -n rhocoin")
    return trouble.OK if running else trouble.NOT_RUNNING


def _status(run: Run, role: str) -> Status | None:
    try:
        answer: Status = Client(run.places, role, run.patience(5.0)).ask(verbs.STATUS)
    except OperatorError as error:
        if error.code == trouble.NOT_STARTED.code:
            return None
        raise
    return answer


def _lines(role: str, status: Status | None) -> list[str]:
    if status is None:
        return [f"{role:<7} not running"]
    counters = status.counters
    sessions = counters.get("sessions", 0)
    lines = [
        f"{role:<7} {status.address}",
        f"        {'  '.join(status.listening)}",
        *(f"        reached at {at}" for at in status.reachable[:1] if role == "wallet"),
        f"        up {span(status.uptime)}  pid {status.pid}  sessions {sessions}",
    ]
    return lines + [wallet_line(row) for row in status.wallets]


def wallet_line(row: WalletRow) -> str:
    """One wallet for people."""
    state = row.state
    if row.state == "hot":
        minutes = math.ceil(row.locks_in / 60)
        state = f"hot, locks after {minutes} min idle" if minutes else "hot until locked"
    return f"{row.name:<12} {row.address or '(unlock it once to see its address)'}  {state}"
