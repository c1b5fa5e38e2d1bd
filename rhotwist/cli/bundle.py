"""``rho bundle``: records as text, for a chat, a mail, a file or a camera."""

from __future__ import annotations

from pathlib import Path

import click

from rhotwist.cli.directory_process import directory_process, handed_over, of_node, record_line, share
from rhotwist.cli.qr import qr_lines
from rhotwist.cli.run import Run, common, pass_run
from rhotwist.cli.waiting import ask_and_tell
from rhotwist.control import trouble, verbs
from rhotwist.control.directory import BundleAsk, BundleFile, BundleShown, BundleText, Merged
from rhotwist.control.picture import counted

LOOKING = "{seconds} s; every signature is checked"


@click.group("bundle", no_args_is_help=True)
@common
def command() -> None:
    """Records as text to copy and paste, and back."""


@command.command("export")
@click.argument("keys", metavar="[KEY]...", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="All records of the directory.")
@click.option("--qr", is_flag=True, help="Draw QR codes, one for each part.")
@click.option("-o", "--output", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE",
              help="Write to FILE; what one bundle does not hold goes to FILE-2 and so on.")  # fmt: skip
@of_node
@common
@pass_run
def export(run: Run, keys: tuple[str, ...], everything: bool, qr: bool, output: Path | None, of_node: bool) -> None:
    """Print the records of KEYs, with those of their nodes, or all of them."""
    if bool(keys) == everything:
        raise trouble.OPTION_WRONG(
            option="rho bundle export", value="told both" if keys else "told nothing",
            why="it takes keys, or --all", hint="name the address of a wallet or node",
        )  # fmt: skip
    client = directory_process(run, of_node)
    made: list[BundleText] = [client.ask(verbs.BUNDLE_EXPORT, BundleAsk(keys, 0, qr))]
    while made[-1].more:
        if output is None or qr:
            raise trouble.BUNDLE_MORE(count=made[0].records)
        _write(output, len(made), made[-1])
        made.append(client.ask(verbs.BUNDLE_EXPORT, BundleAsk((), made[-1].cursor)))
    if output is not None:
        _write(output, len(made), made[-1])
        files = [str(_numbered(output, number)) for number in range(1, len(made) + 1)]
        made_records = sum(one.records for one in made)
        told = {"files": files, "records": made_records}
        run.result(told, f"{counted(made_records)} in {', '.join(files)}")
        return
    run.result(made[0], *(_codes(made[0].text) if qr else [made[0].text.removesuffix("\n")]))


@command.command("hello")
@of_node
@common
@pass_run
def hello(run: Run, of_node: bool) -> None:
    """Print a bundle that asks somebody to compare his directory with the one here: he imports it, and gives you back
    what that prints.
    """
    made: BundleText = directory_process(run, of_node).ask(verbs.BUNDLE_HELLO)
    run.result(made, made.text.removesuffix("\n"))


@command.command("import")
@click.argument("file", required=False, metavar="[FILE|-]")
@of_node
@common
@pass_run
def import_(run: Run, file: str | None, of_node: bool) -> int:
    """Merge what is whole of a text, whatever stands around it; - or nothing reads a paste. All or nothing is kept.

    Exit status 6 if parts of it are damaged or missing: what to paste again is said by number.
    """
    client = directory_process(run, of_node)
    with handed_over(run, file) as path:
        merged: Merged = ask_and_tell(run, client, verbs.BUNDLE_IMPORT, BundleFile(str(path)), LOOKING)
        if not of_node:
            share(run, client, path)
    run.result(merged, _merged_line(merged), *([merged.answer.removesuffix("\n")] if merged.answer else []))
    if merged.compared:
        run.advise(merged.compared)
    if merged.answer:
        run.advise("give this bundle back to whoever gave you that one")
    if merged.trouble:
        run.advise(merged.trouble)
    return trouble.UNVERIFIED if merged.trouble else trouble.OK


@command.command("show")
@click.argument("file", required=False, metavar="[FILE|-]")
@of_node
@common
@pass_run
def show(run: Run, file: str | None, of_node: bool) -> int:
    """Print what a text holds and how it compares with the directory here; nothing of it is kept."""
    shown = looked_at(run, file, of_node)
    run.result(shown, *map(record_line, shown.records), shown_line(shown))
    return trouble.UNVERIFIED if shown.trouble or shown.unsigned else trouble.OK


def looked_at(run: Run, file: str | None, of_node: bool) -> BundleShown:
    """What a text holds. Raises OperatorError."""
    client = directory_process(run, of_node)
    with handed_over(run, file) as path:
        shown: BundleShown = ask_and_tell(run, client, verbs.BUNDLE_SHOW, BundleFile(str(path)), LOOKING)
    if shown.trouble:
        run.advise(shown.trouble)
    return shown


def shown_line(shown: BundleShown) -> str:
    """What a text holds, in a line."""
    compared = f"{shown.new} new here, {shown.newer} newer, {shown.older} older, {shown.same} known"
    said = [f"{counted(shown.total)}: {compared}"]
    if shown.unsigned:
        said.append(f"{shown.unsigned} that nobody signed")
    if shown.odd:
        said.append(f"{shown.odd} that this version cannot read")
    if shown.hello:
        said.append("somebody asks to be compared with")
    if shown.wants:
        said.append(f"{shown.wants} records are asked for")
    return " · ".join(said)


_LOCAL = "local (a private address or too little work: nodes do not pass these on)"


def _merged_line(merged: Merged) -> str:
    refused = sum(merged.refused.values())
    reasons = f" ({', '.join(f'{count} {why}' for why, count in sorted(merged.refused.items()))})" if refused else ""
    local = f", {merged.local} of them {_LOCAL}" if merged.local else ""
    held = f", {merged.held} wait until their time" if merged.held else ""
    return (
        f"{counted(merged.total)}: {merged.new} new, {merged.newer} newer{local}, {merged.known} known{held}, "
        f"{refused} refused{reasons} · root {merged.root} of {merged.count}"
    )


def _write(output: Path, number: int, made: BundleText) -> None:
    path = _numbered(output, number)
    try:
        path.write_text(made.text, encoding="ascii")
    except OSError as error:
        raise trouble.BUNDLE_UNWRITABLE(path=path, why=error.strerror or error) from None


def _numbered(output: Path, number: int) -> Path:
    return output if number == 1 else output.with_name(f"{output.stem}-{number}{output.suffix}")


def _codes(text: str) -> list[str]:
    tokens = [line for line in text.splitlines() if line.startswith("rho1.")]
    lines = []
    for number, token in enumerate(tokens, 1):
        lines += [f"part {number} of {len(tokens)}", *qr_lines(token)]
    return lines
