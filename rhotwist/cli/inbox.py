"""``rho inbox``: what others said to your wallets."""

from __future__ import annotations

import time

import click

from rhotwist.cli.run import Run, common, pass_run
from rhotwist.cli.wallet_process import wallet_process
from rhotwist.control import verbs
from rhotwist.control.text import visible
from rhotwist.control.values import Inbox, InboxAsk, InboxItem


@click.command("inbox")
@click.option("--wallet", default="", metavar="NAME", help="Only messages to this wallet.")
@click.option("--limit", default=100, type=click.IntRange(1, 10_000), show_default=True, help="The newest so many.")
@common
@pass_run
def command(run: Run, wallet: str, limit: int) -> None:
    """Show messages, the newest last. Wallets need not be unlocked."""
    found: Inbox = wallet_process(run, run.patience(30.0)).ask(verbs.INBOX, InboxAsk(wallet, limit))
    run.result(found, *(line for item in found.items for line in _lines(item)))
    if found.left_out:
        run.advise(f"{found.left_out} older ones are not shown; see --limit")
    if not found.items:
        run.advise("nothing yet")


def _lines(item: InboxItem) -> list[str]:
    when = time.strftime("%Y-%m-%d %H:%M", time.localtime(item.kept_at))
    head = f"{when}  {item.wallet} from {item.contact or item.sender}  {item.hash[:8]}"
    # A stranger's text: whatever could move the cursor or colour the screen is spelt out.
    return [head, *(f"  {line}" for line in visible(item.text, lines=True).split("\n"))]
