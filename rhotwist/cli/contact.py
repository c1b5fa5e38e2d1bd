"""``rho contact``: names for other people's wallets, and invitations to one's own."""

from __future__ import annotations

import sys

import click

from rhotwist.cli.client import Client
from rhotwist.cli.groups import ListByDefault
from rhotwist.cli.qr import qr_lines
from rhotwist.cli.run import Run, common, pass_run
from rhotwist.cli.wallet import named
from rhotwist.cli.wallet_process import wallet_process
from rhotwist.control import trouble, verbs
from rhotwist.control.talks import (
    ContactAdd,
    ContactList,
    ContactRemove,
    ContactRow,
    Invitation,
    InvitationAsk,
)
from rhotwist.errors import BadAddress
from rhotwist.keys.address import is_address
from rhotwist.keys.invitation import TEXT_MOST, parse_invitation

EXAMPLE = "rho1w…@rho1n…@192.0.2.1:7460"


@click.group("contact", cls=ListByDefault)
@common
def command() -> None:
    """Names for other people's wallets, and invitations to yours. Without a verb: list."""


@command.command("add")
@click.argument("name")
@click.argument("invitation", metavar="INVITATION|WALLET|-")
@common
@pass_run
def add(run: Run, name: str, invitation: str) -> None:
    """Call the wallet of INVITATION, or of a bare address, by NAME; - reads it from stdin.

    The name is yours alone. Adding a contact again takes the new places of its invitation.
    """
    text = sys.stdin.read(TEXT_MOST) if invitation == "-" else invitation
    try:
        parse_invitation(text)
    except BadAddress as error:
        raise trouble.ADDRESS_WRONG(text=repr(text[:80]), wanted="invitation", why=error, example=EXAMPLE) from None
    row: ContactRow = wallet_process(run, run.patience(10.0)).ask(verbs.CONTACT_ADD, ContactAdd(name, text))
    run.result(row, _line(row))
    if row.places:
        run.advise(f"next: rho send {row.name} -m 'hi'")
    else:
        run.advise(f"where it is was not said: rho send {row.name} --at NODE@HOST:PORT, or add its invitation")


@command.command("list")
@common
@pass_run
def list_(run: Run) -> None:
    """List contacts."""
    found: ContactList = wallet_process(run, run.patience(10.0)).ask(verbs.CONTACTS)
    run.result(found, *map(_line, found.contacts))
    if not found.contacts:
        run.advise("there is no contact yet; next: rho contact add bob INVITATION")


@command.command("remove")
@click.argument("name")
@common
@pass_run
def remove(run: Run, name: str) -> None:
    """Forget a contact. What was said with it stays."""
    found: ContactList = wallet_process(run, run.patience(10.0)).ask(verbs.CONTACT_REMOVE, ContactRemove(name))
    run.result(found, *map(_line, found.contacts))


@command.command("invite")
@click.argument("wallet", required=False)
@click.option("--at", "places", multiple=True, metavar="NODE@HOST:PORT",
              help="Where others reach you, up to four times, the best first; else as rho status says.")  # fmt: skip
@click.option("--qr", is_flag=True, help="Draw it as a QR code too.")
@common
@pass_run
def invite(run: Run, wallet: str | None, places: tuple[str, ...], qr: bool) -> None:
    """Print an invitation to WALLET, alone on a line: give it to whoever shall send to you. Nothing in it is secret."""
    client = wallet_process(run, run.patience(10.0))
    name = named(client.ask(verbs.WALLETS), wallet).name
    made: Invitation = client.ask(verbs.INVITE, InvitationAsk(name, places))
    run.result(made, *(qr_lines(made.text) if qr else ()), made.text)
    run.advise(f"others add it with: rho contact add {name} INVITATION")


def address_of(client: Client, text: str) -> str:
    """The address of a contact's name; an address as it is. Raises OperatorError."""
    if is_address(text):
        return text
    found: ContactList = client.ask(verbs.CONTACTS)
    for row in found.contacts:
        if row.name == text:
            return row.address
    known = ", ".join(row.name for row in found.contacts)
    raise trouble.CONTACT_ABSENT(name=text[:60], known=f"known here: {known}" if known else "there is none yet")


def _line(row: ContactRow) -> str:
    more = f" and {len(row.places) - 1} more" if len(row.places) > 1 else ""
    return f"{row.name}  {row.address}  {row.places[0] if row.places else 'place not known'}{more}"
