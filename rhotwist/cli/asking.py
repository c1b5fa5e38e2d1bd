"""What only a person can say: passphrases and the 24 words. Never on the command line, never in the environment."""

from __future__ import annotations

import os
import sys

import click

from rhotwist.control import trouble

SECRET_MOST = 4096
"""Bytes of a secret read from a file descriptor."""
TRIES = 3

passphrase_option = click.option(
    "--passphrase-fd", type=int, metavar="N", help="Read the passphrase from file descriptor N, up to its line end."
)
words_option = click.option(
    "--words-fd", type=int, metavar="N", help="Read the 24 words from file descriptor N, up to its end."
)


def passphrase(descriptor: int | None, what: str, *, twice: bool = False) -> str:
    """The passphrase for what: from the descriptor, or asked for (twice to be sure). Raises OperatorError."""
    if descriptor is not None:
        found = _read(descriptor, "--passphrase-fd").partition("\n")[0].removesuffix("\r")
    else:
        need_terminal("a passphrase", "give it through --passphrase-fd N")
        found = click.prompt(f"Passphrase for {what}", hide_input=True, err=True, default="", show_default=False)
        if twice and found:
            again = click.prompt("The same again", hide_input=True, err=True, default="", show_default=False)
            if again != found:
                raise trouble.PASSPHRASES_DIFFER()
    if not found:
        raise trouble.PASSPHRASE_EMPTY()
    return str(found)


def words(descriptor: int | None) -> str:
    """24 words from paper: from the descriptor, or asked for."""
    if descriptor is not None:
        return _read(descriptor, "--words-fd")
    need_terminal("the 24 words", "give them through --words-fd N")
    return str(click.prompt("The 24 words", err=True))


def typed_back(shown: str) -> None:
    """Have the words typed back, all of them, until they are right. Raises OperatorError RHO-1211 after TRIES."""
    wanted = shown.split()
    wrong = ""
    for _ in range(TRIES):
        typed = str(click.prompt("Type all 24 words", err=True)).lower().split()
        if typed == wanted:
            return
        wrong = _difference(wanted, typed)
        click.echo(f"{wrong}; once more from the first", err=True)
    raise trouble.WORDS_UNCHECKED(why=f"{wrong}, {TRIES} times in all")


def need_terminal(asked: str, hint: str) -> None:
    """Raises OperatorError RHO-1214 where nobody can be asked."""
    if not sys.stdin.isatty():
        raise trouble.NO_TERMINAL(asked=asked, hint=hint)


def _difference(wanted: list[str], typed: list[str]) -> str:
    for place, (word, other) in enumerate(zip(wanted, typed, strict=False), 1):
        if word != other:
            return f"word {place} is not {other[:24]!r}"
    return f"{len(typed)} words where {len(wanted)} were shown"


def _read(descriptor: int, option: str) -> str:
    data = b""
    try:
        while len(data) < SECRET_MOST:
            more = os.read(descriptor, SECRET_MOST - len(data))
            if not more:
                break
            data += more
        return data.decode("utf-8")
    except (OSError, UnicodeDecodeError, OverflowError) as error:
        raise trouble.OPTION_WRONG(
            option=option, value=descriptor, why=str(error), hint=f"open it in the shell: rho … {option} 3 3<FILE"
        ) from None
