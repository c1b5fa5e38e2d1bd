"""``rho explain``: an error code in full."""

from __future__ import annotations

import click

from rhotwist.cli.run import Run, common, pass_run
from rhotwist.control import errors_page, trouble


@click.command("explain")
@click.argument("code", required=False)
@click.option("--page", is_flag=True, help="Print all of them, as docs/errors.md has them.")
@common
@pass_run
def command(run: Run, code: str | None, page: bool) -> None:
    """Say what an error CODE means, such as RHO-1105, and what to do about it."""
    if page or code is None:
        run.result({"codes": [_plain(entry) for entry in trouble.ENTRIES.values()]}, errors_page.page().rstrip("\n"))
        return
    wanted = code.upper().removeprefix("RHO-")
    entry = trouble.ENTRIES.get(f"RHO-{wanted}")
    if entry is None:
        raise trouble.OPTION_WRONG(
            option="CODE", value=repr(code[:20]), why="no error has that code", hint="list all: rho explain"
        )
    run.result(
        _plain(entry),
        f"{entry.code}: {entry.what}",
        f"why: {entry.why}",
        f"try: {entry.hint}",
        f"exit status: {entry.exit_status}",
    )


def _plain(entry: trouble.Entry) -> dict[str, object]:
    return {
        "code": entry.code, "what": entry.what, "why": entry.why, "hint": entry.hint, "exit_status": entry.exit_status
    }  # fmt: skip
