"""``rho wallet``: make, import, list, show, unlock, lock."""

from __future__ import annotations

import secrets

import click

from rhotwist.cli import asking
from rhotwist.cli.groups import ListByDefault
from rhotwist.cli.qr import qr_lines
from rhotwist.cli.run import Run, common, pass_run
from rhotwist.cli.status import wallet_line
from rhotwist.cli.wallet_process import wallet_process
from rhotwist.control import trouble, verbs
from rhotwist.control.codec import plain
from rhotwist.control.text import NAME
from rhotwist.control.values import WalletAdd, WalletList, WalletLock, WalletRow, WalletState, WalletUnlock
from rhotwist.errors import BadWords

KDF = click.option(
    "--kdf", type=click.Choice(["interactive", "moderate", "sensitive"]), default=None,
    help="Cost of guessing the passphrase: 64 MiB, 256 MiB (the default) or 1 GiB of memory a guess.",
)  # fmt: skip
DERIVING = 120.0  # seconds to wait for an answer that derives a key: a slow machine takes long over 1 GiB


@click.group("wallet", cls=ListByDefault)
@common
def command() -> None:
    """Make, list, unlock and lock wallets. Without a verb: list."""


@command.command("create")
@click.argument("name")
@asking.passphrase_option
@KDF
@click.option("--yes-i-wrote-the-words-down", "--i-have-a-backup", "unchecked", is_flag=True,
              help="Do not ask for the 24 words to be typed back.")  # fmt: skip
@common
@pass_run
def create(run: Run, name: str, passphrase_fd: int | None, kdf: str | None, unchecked: bool) -> None:
    """Make a wallet NAME. Its 24 words are shown once and restore it; the passphrase protects its file alone."""
    from rhotwist.keys import words

    client = wallet_process(run, run.patience(DERIVING))
    _refuse(client.ask(verbs.WALLETS), name)
    if not unchecked:
        asking.need_terminal("the words", "say --yes-i-wrote-the-words-down, and read them from stderr")
    passphrase = asking.passphrase(passphrase_fd, name, twice=True)
    shown = words.to_words(secrets.token_bytes(words.SECRET_SIZE))
    _show(shown)
    if not unchecked:
        asking.typed_back(shown)
    _add(run, client.ask(verbs.WALLET_ADD, WalletAdd(name, shown, passphrase, kdf or "")))


@command.command("import")
@click.argument("name")
@asking.passphrase_option
@asking.words_option
@KDF
@common
@pass_run
def import_(run: Run, name: str, passphrase_fd: int | None, words_fd: int | None, kdf: str | None) -> None:
    """Make the wallet NAME from its 24 words. The passphrase is a new one for the file."""
    from rhotwist.keys import words

    client = wallet_process(run, run.patience(DERIVING))
    _refuse(client.ask(verbs.WALLETS), name)
    typed = asking.words(words_fd)
    try:
        shown = words.to_words(words.from_words(typed))
    except BadWords as error:
        raise trouble.WORDS_WRONG(why=str(error)) from None
    passphrase = asking.passphrase(passphrase_fd, name, twice=True)
    _add(run, client.ask(verbs.WALLET_ADD, WalletAdd(name, shown, passphrase, kdf or "")))


@command.command("list")
@common
@pass_run
def list_(run: Run) -> None:
    """List all wallets of this data folder."""
    found: WalletList = wallet_process(run, run.patience(10.0)).ask(verbs.WALLETS)
    run.result(found, *(wallet_line(row) for row in found.wallets))
    if not found.wallets:
        run.advise("there is no wallet yet; next: rho wallet create alice")


@command.command("show")
@click.argument("name", required=False)
@common
@pass_run
def show(run: Run, name: str | None) -> None:
    """Show one wallet."""
    row = named(wallet_process(run, run.patience(10.0)).ask(verbs.WALLETS), name)
    run.result(
        row,
        f"name     {row.name}",
        f"address  {row.address}",
        f"kind     {row.kind}",
        f"state    {wallet_line(row).rsplit('  ', 1)[1]}",
        f"file     {row.file}",
    )


@command.command("unlock")
@click.argument("name", required=False)
@asking.passphrase_option
@common
@pass_run
def unlock(run: Run, name: str | None, passphrase_fd: int | None) -> None:
    """Bring the secret of a wallet into the memory of the wallet process, so that it may send and receive."""
    client = wallet_process(run, run.patience(DERIVING))
    row = named(client.ask(verbs.WALLETS), name)
    passphrase = asking.passphrase(passphrase_fd, row.name)
    found: WalletState = client.ask(verbs.WALLET_UNLOCK, WalletUnlock(row.name, passphrase))
    locks = found.wallet.locks_in
    until = f"until locked (auto-lock after {locks / 60:.0f} min idle)" if locks else "until locked"
    run.result(found, f"{found.wallet.name} is hot {until}", *found.reachable)
    if found.reachable:
        run.advise(f"others reach it with: rho send {found.wallet.address} --at one of the above -m 'hi'")


@command.command("lock")
@click.argument("name", required=False)
@common
@pass_run
def lock(run: Run, name: str | None) -> None:
    """Forget the secret of a wallet, or of all."""
    client = wallet_process(run, run.patience(10.0))
    if name is not None:
        name = named(client.ask(verbs.WALLETS), name).name
    found: WalletList = client.ask(verbs.WALLET_LOCK, WalletLock(name or ""))
    run.result(found, *(wallet_line(row) for row in found.wallets if name in (None, row.name)))


def named(found: WalletList, name: str | None) -> WalletRow:
    """The wallet of that name, of a name that begins so and alone does, or the only one. Raises OperatorError."""
    rows = found.wallets
    if not rows:
        raise trouble.WALLETS_NONE() if name is None else trouble.WALLET_ABSENT(name=name, known="there is none yet")
    fits = [row for row in rows if name is None or row.name == name or row.address == name]
    if not fits and name:
        fits = [row for row in rows if row.name.startswith(name)]
    names = ", ".join(row.name for row in rows)
    if not fits:
        raise trouble.WALLET_ABSENT(name=name, known=f"known here: {names}")
    if len(fits) > 1:
        raise trouble.WHICH_WALLET(names=names)
    return fits[0]


def _refuse(found: WalletList, name: str) -> None:
    """Before anything is asked for: nobody shall write down the words of a wallet that then cannot be made."""
    if not NAME.fullmatch(name):
        raise trouble.WALLET_NAME(name=repr(name[:60]))
    for row in found.wallets:
        if row.name == name:
            raise trouble.WALLET_EXISTS(name=name, path=row.file)


def _show(words: str) -> None:
    """To stderr: a result that is piped into a file shall not hold them."""
    each = words.split()
    click.echo("These 24 words alone restore the wallet. Write them on paper; they are not shown again.", err=True)
    for row in range(6):
        click.echo("".join(f"  {at + 1:2} {each[at]:<10}" for at in range(row, 24, 6)).rstrip(), err=True)


def _add(run: Run, found: WalletState) -> None:
    row = found.wallet
    run.result(plain(found), f"{row.name}  {row.address}  {row.kind} wallet, encrypted")
    for line in qr_lines(row.address):
        run.advise(line)
    run.advise(f"next: rho wallet unlock {row.name}")
