"""``rho talk``: what was said with somebody, shown, brought together, proven, published and checked."""

from __future__ import annotations

import re
import sys
import tempfile
from pathlib import Path

import click

from rhotwist.cli import checking
from rhotwist.cli.groups import ListByDefault
from rhotwist.cli.run import Run, common, pass_run
from rhotwist.cli.send import check_node_at, check_to
from rhotwist.cli.talk_lines import heading, item_lines, listing, proof_lines
from rhotwist.cli.wallet_process import wallet_process
from rhotwist.control import talks, trouble, verbs
from rhotwist.control.text import visible
from rhotwist.errors import LocalError, OperatorError

WORKING = 120.0  # seconds in which the wallet process checks 65,535 records on a slow machine

WALLET = click.option("--wallet", default="", metavar="NAME", help="Which of your wallets, if several have one.")
_BEFORE = re.compile(r"(\d{1,18})\+(\d{1,18})")


@click.group("talk", cls=ListByDefault)
@common
def command() -> None:
    """What was said between two wallets. Without a verb: list.

    NAME is a contact, an address, or the beginning of an id that the list shows.
    """


@command.command("list")
@common
@pass_run
def list_(run: Run) -> None:
    """List all conversations, with their roots."""
    found: talks.TalkList = wallet_process(run, run.patience(30.0)).ask(verbs.TALKS)
    run.result(found, *map(listing, found.talks))
    if not found.talks:
        run.advise("nothing was said yet; next: rho send NAME -m 'hi'")


@command.command("show")
@click.argument("name")
@WALLET
@click.option("--limit", default=100, type=click.IntRange(1, 10_000), show_default=True, help="The newest so many.")
@common
@pass_run
def show(run: Run, name: str, wallet: str, limit: int) -> None:
    """Show what was said: an answer never above what it answers, and forks marked.

    Yours stands at the left, the other's further right. Who has the same records has the same root.
    """
    ask = talks.TalkShow(talks.TalkName(name, wallet), limit)
    found: talks.TalkShown = wallet_process(run, run.patience(30.0)).ask(verbs.TALK_SHOW, ask)
    run.result(found, *heading(found.talk), *(line for item in found.items for line in item_lines(found.talk, item)))
    if found.left_out:
        run.advise(f"{found.left_out} older ones are not shown; see --limit")


@command.command("sync")
@click.argument("name", required=False)
@click.option("--at", default="", metavar="NODE@HOST:PORT",
              help="Where it is; else where the contact was said to be, or the directory says.")  # fmt: skip
@WALLET
@common
@pass_run
def sync(run: Run, name: str | None, at: str, wallet: str) -> int:
    """Bring the conversation with NAME, or with every contact, to the same state on both sides.

    Sending does it too. A wallet that came back from its words has its conversations again by this.
    """
    if name is not None:
        check_to(name)
    if at:
        check_node_at(at)
    patience = run.patience(30.0)
    client = wallet_process(run, patience + 10.0)
    contacts = {row.name: row for row in client.ask(verbs.CONTACTS).contacts} if name is None else {}
    done: list[talks.TalkSynced] = []
    failed: list[OperatorError] = []
    for one in contacts if name is None else (name,):
        try:
            found: talks.TalkSynced = client.ask(verbs.TALK_SYNC, talks.TalkSync(one, at, wallet, patience))
            if not found.same:
                raise trouble.TALK_APART(peer=one)
            done.append(found)
        except OperatorError as error:
            if name is not None:
                raise
            if error.code == trouble.KEY_ABSENT.code and not contacts[one].places:
                run.advise(f"{one} is left out: nobody said where it is")
            else:
                failed.append(error)
    run.result(talks.TalkSyncedList(tuple(done)) if name is None else done[0], *map(_synced, done))
    for problem in failed:
        run.complain(problem, beside=True)
    return trouble.FAILED if failed else trouble.OK


@command.command("prove")
@click.argument("name")
@click.option("--record", type=click.IntRange(0), help="The number of a record to show, as in rho talk show; 0 for "
              "none. Else the newest.")  # fmt: skip
@click.option("--since", default="", metavar="N+M", help="Prove too that it only grew since it had so many records of "
              "the lower and of the higher key.")  # fmt: skip
@WALLET
@click.option("--witness", default="", metavar="NAME", help="Which of your wallets signs, if not the one that has it.")
@common
@pass_run
def prove(run: Run, name: str, record: int | None, since: str, wallet: str, witness: str) -> None:
    """Print a proof that a stranger can check with rho talk check: the root, one record, and that it only grew."""
    before: tuple[int, ...] = ()
    if since:
        found = _BEFORE.fullmatch(since)
        if found is None:
            raise trouble.OPTION_WRONG(
                option="--since", value=repr(since[:40]), why="it names two counts", hint="such as --since 3+2"
            )
        before = int(found[1]), int(found[2])
    ask = talks.TalkProve(talks.TalkName(name, wallet), record, before, witness)
    made: talks.TalkProof = wallet_process(run, run.patience(30.0)).ask(verbs.TALK_PROVE, ask)
    run.result(made, *proof_lines(bytes.fromhex(made.proof)))


@command.command("check")
@click.argument("file", metavar="FILE|-", type=click.Path(allow_dash=True, path_type=Path))
@click.option("--root", default="", metavar="HEX", help="What you know: the root it must have or have had.")
@common
@pass_run
def check(run: Run, file: Path, root: str) -> None:
    """Check proofs and published conversations in FILE, - for stdin. Needs no wallet, no process and no network."""
    data = sys.stdin.buffer.read(checking.FILE_MOST) if str(file) == "-" else checking.read_file(file)
    found = checking.check(str(file), data, root.strip().lower())
    run.result({"checked": [one.plain for one in found]}, *(line for one in found for line in one.lines))


@command.command("export")
@click.argument("name")
@click.argument("file", required=False, type=click.Path(path_type=Path))
@WALLET
@common
@pass_run
def export(run: Run, name: str, file: Path | None, wallet: str) -> None:
    """Write the whole conversation to FILE, else NAME.rhotalk, for whoever shall check it. Never overwrites."""
    path = file if file is not None else Path(f"{re.sub('[^a-z0-9_-]', '', name.lower())[:40] or 'talk'}.rhotalk")
    ask = talks.TalkExport(talks.TalkName(name, wallet), str(path.absolute()))
    found: talks.TalkExported = wallet_process(run, run.patience(WORKING)).ask(verbs.TALK_EXPORT, ask)
    run.result(found, *heading(found.talk), found.path)
    run.advise(f"others check it with: rho talk check {visible(path.name)}")


@command.command("publish")
@click.argument("name")
@WALLET
@common
@pass_run
def publish(run: Run, name: str, wallet: str) -> None:
    """Print the whole conversation as text to paste: readable for whoever gets it, and signed by both."""
    from rhotwist.talk import published

    client = wallet_process(run, run.patience(WORKING))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "talk")
        found: talks.TalkExported = client.ask(
            verbs.TALK_EXPORT, talks.TalkExport(talks.TalkName(name, wallet), str(path))
        )
        try:
            text = published.to_text(published.read(path.read_bytes()))
        except LocalError as error:
            raise trouble.TALK_FILE(path=name, why=f"as text it is too long: {error}; rho talk export it") from None
    run.result(talks.TalkPublished(found.talk, text), *text.splitlines())
    run.advise("others keep it with rho talk import, or look at it with rho talk check")


@command.command("import")
@click.argument("file", metavar="FILE|-", type=click.Path(allow_dash=True, path_type=Path))
@common
@pass_run
def import_(run: Run, file: Path) -> None:
    """Keep a published conversation from FILE, - for stdin, if all of it holds: signatures, pair hash, root."""
    client = wallet_process(run, run.patience(WORKING))
    with tempfile.TemporaryDirectory() as folder:
        path = file.absolute()
        if str(file) == "-":
            path = Path(folder, "stdin")
            path.write_bytes(sys.stdin.buffer.read(checking.FILE_MOST))
        found: talks.TalkImported = client.ask(verbs.TALK_IMPORT, talks.TalkImport(str(path)))
    run.result(found, *heading(found.talk), f"{found.new} new records")


def _synced(found: talks.TalkSynced) -> str:
    root = f"root {found.talk.root}" if found.talk else "nothing was said yet"
    return f"{found.to}  {found.sent} went, {found.received} came  {root}"
