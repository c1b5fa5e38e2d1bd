"""``rho peers``: the nodes that this one compares directories with."""

from __future__ import annotations

import time

import click

from rhotwist.cli.directory_process import directory_process, of_node
from rhotwist.cli.run import Run, common, pass_run
from rhotwist.control import verbs
from rhotwist.control.directory import PeerList, PeerRow
from rhotwist.control.text import span


@click.command("peers")
@of_node
@common
@pass_run
def command(run: Run, of_node: bool) -> None:
    """List peers, those worth most first: score, requests answered and not, records, when they last answered."""
    found: PeerList = directory_process(run, of_node).ask(verbs.PEERS)
    now = time.time()  # noqa: TID251 - how long ago, for a person
    run.result(found, *(_line(row, now) for row in found.peers))
    if not found.peers:
        run.advise("no peer is known yet")


def _line(row: PeerRow, now: float) -> str:
    heard = f"answered {span(max(0.0, now - row.last_at))} ago" if row.last_at else "never answered"
    if row.here and not row.answered:  # its date is that of the session
        heard = "answered nothing yet"
    state = "peer" if row.here else "    "
    return (
        f"{state}  {row.node}  score {row.score:.1f}  answered {row.answered}  failed {row.failed}  "
        f"records {row.good} new, {row.bad} false  {heard}"
    )
