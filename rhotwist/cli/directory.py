"""``rho dir``: the directory of records, looked up, listed, compared, drawn."""

from __future__ import annotations

from pathlib import Path

import click

from rhotwist.cli.bundle import looked_at, shown_line
from rhotwist.cli.directory_process import directory_process, look_up, of_node, record_line
from rhotwist.cli.groups import RootByDefault
from rhotwist.cli.run import Run, common, pass_run
from rhotwist.cli.waiting import ask_and_tell
from rhotwist.control import picture, trouble, verbs
from rhotwist.control.directory import (
    SAME,
    ListAsk,
    RecordList,
    Root,
    SyncAsk,
    Synced,
    TreeAsk,
    TreeLevels,
)


@click.group("dir", cls=RootByDefault)
@common
def command() -> None:
    """The directory: who is where, as they themselves signed it. Without a verb: root."""


@command.command("lookup")
@click.argument("key", metavar="NAME|WALLET|NODE")
@of_node
@common
@pass_run
def lookup(run: Run, key: str, of_node: bool) -> None:
    """Say where a contact is, or the wallet or node of an address. Nobody is asked: the whole directory lies here."""
    found = look_up(run, key.strip(), of_node)
    said = (f"{key.strip()}  was said to be at {place}" for place in found.said)
    run.result(found, *said, *map(record_line, found.records))


@command.command("list")
@click.option("--limit", default=100, type=click.IntRange(1, 1_000), show_default=True, help="At most so many.")
@click.option("--after", default=0, type=click.IntRange(0), metavar="CURSOR", help="Those behind this cursor.")
@of_node
@common
@pass_run
def list_(run: Run, limit: int, after: int, of_node: bool) -> None:
    """List records in the order in which they came."""
    found: RecordList = directory_process(run, of_node).ask(verbs.RECORDS, ListAsk(after, limit))
    run.result(found, *map(record_line, found.records))
    if found.more:
        run.advise(f"more: rho dir list --after {found.cursor}")
    elif not found.records:
        run.advise("nothing here; rho publish and rho bundle import bring something")


@command.command("root")
@of_node
@common
@pass_run
def root(run: Run, of_node: bool) -> None:
    """Print the root over all records. Whoever has the same root has the same records."""
    found: Root = directory_process(run, of_node).ask(verbs.ROOT)
    waiting = f"  {found.waiting} wait until their time" if found.waiting else ""
    run.result(found, f"{found.root}  {picture.counted(found.count)} of {found.day}{waiting}")


@command.command("diff")
@click.argument("file", required=False, metavar="[FILE|-]")
@of_node
@common
@pass_run
def diff(run: Run, file: str | None, of_node: bool) -> None:
    """Print what another directory, exported to FILE, has otherwise than the one here. Nothing is changed."""
    shown = looked_at(run, file, of_node)
    lines = [record_line(row) for row in shown.records if row.here != SAME]
    run.result(shown, *lines, shown_line(shown), f"only here: {shown.only_here}")


@command.command("sync")
@click.option("--at", default="", metavar="NODE@HOST:PORT", help="Compare with this node; else with all peers.")
@of_node
@common
@pass_run
def sync(run: Run, at: str, of_node: bool) -> int:
    """Compare with other nodes until both have the same records. Exit status 6 where it did not come to that."""
    client = directory_process(run, of_node)
    found: Synced = ask_and_tell(run, client, verbs.DIR_SYNC, SyncAsk(at.strip()), "comparing for {seconds} s")
    lines = [f"{row.node}  {_ENDINGS.get(row.ending, row.ending)}  {row.new} new" for row in found.rows]
    run.result(found, *lines, f"root {found.root} of {found.count}")
    return trouble.OK if all(row.ending in _GOOD for row in found.rows) else trouble.UNVERIFIED


_GOOD = ("equal", "moved")
_ENDINGS = {
    "equal": "equal", "moved": "changed meanwhile", "other_day": "is at another day", "unequal": "differs",
    "lied": "answered nonsense", "broken": "did not answer to the end",
    "mute": "serves nobody, as a wallet process",
}  # fmt: skip


@command.command("tree")
@click.option("--svg", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE", help="Draw it into FILE.")
@click.option("--levels", default=6, type=click.IntRange(1, 8), show_default=True, help="How deep.")
@of_node
@common
@pass_run
def tree(run: Run, svg: Path | None, levels: int, of_node: bool) -> None:
    """Show the upper levels of the tree. Where two pictures differ in colour, there the two directories differ."""
    found: TreeLevels = directory_process(run, of_node).ask(verbs.TREE, TreeAsk(levels))
    if svg is None:
        run.result(found, *picture.lines(found))
        return
    try:
        svg.write_text(picture.svg(found), encoding="utf-8")
    except OSError as error:
        raise trouble.BUNDLE_UNWRITABLE(path=svg, why=error.strerror or error) from None
    run.result(found, f"{svg}  root {found.root}  {picture.counted(found.count)}")
