"""Examples for every command, shown at the end of its help. tests/cli/test_examples.py has each of them understood."""

from __future__ import annotations

import click

#: What is typed behind ``rho``, by the command's words.
EXAMPLES: dict[str, tuple[str, ...]] = {
    "status": ("status", "status --json"),
    "doctor": ("doctor",),
    "wallet create": ("wallet create alice",),
    "wallet import": ("wallet import alice-again",),
    "wallet list": ("wallet list",),
    "wallet show": ("wallet show alice",),
    "wallet unlock": ("wallet unlock alice", "wallet unlock alice --passphrase-fd 3 3< /run/secrets/alice"),
    "wallet lock": ("wallet lock", "wallet lock alice"),
    "address": ("address alice --qr",),
    "contact add": ("contact add bob INVITATION",),
    "contact invite": ("contact invite", "contact invite alice --qr"),
    "contact list": ("contact list",),
    "contact remove": ("contact remove bob",),
    "send": ("send bob -m 'hello'", "send bob film.mkv --gentle", "send WALLET -m 'hello' --at NODE@HOST:PORT"),
    "inbox": ("inbox --limit 5",),
    "talk list": ("talk list",),
    "talk show": ("talk show bob",),
    "talk sync": ("talk sync", "talk sync bob --at NODE@HOST:PORT"),
    "talk prove": ("talk prove bob > proof.txt", "talk prove bob --since 3+2 > later.txt"),
    "talk check": ("talk check talk.txt", "talk check later.txt --root ROOT"),
    "talk export": ("talk export bob talk.rhotalk",),
    "talk publish": ("talk publish bob > talk.txt",),
    "talk import": ("talk import talk.txt",),
    "receive": ("receive", "receive --from bob --into films --keep"),
    "transfers": ("transfers",),
    "resume": ("resume", "resume 3 --at NODE@HOST:PORT"),
    "cancel": ("cancel 3",),
    "ping": ("ping bob", "ping NODE@HOST:PORT --count 5"),
    "publish": ("publish alice", "publish --node --address udp:203.0.113.5:7460", "publish alice --withdraw"),
    "bundle export": ("bundle export WALLET --qr", "bundle export --all -o all.rho"),
    "bundle import": ("bundle import all.rho", "bundle import < paste.txt"),
    "bundle show": ("bundle show all.rho",),
    "bundle hello": ("bundle hello",),
    "dir root": ("dir root --node",),
    "dir lookup": ("dir lookup bob", "dir lookup WALLET"),
    "dir list": ("dir list --limit 20",),
    "dir diff": ("dir diff all.rho",),
    "dir sync": ("dir sync", "dir sync --node --at NODE@HOST:PORT"),
    "dir tree": ("dir tree --svg tree.svg",),
    "peers": ("peers --node",),
    "stop": ("stop", "stop node"),
    "explain": ("explain RHO-1105",),
    "version": ("version",),
}


def shown(words: str, command: click.Command) -> click.Command:
    """The command with its examples, or with those of the commands in it, at the end of its help."""
    found = EXAMPLES.get(words, ())
    if isinstance(command, click.Group):
        for name, inner in command.commands.items():
            shown(f"{words} {name}", inner)
        found = tuple(lines[0] for key, lines in EXAMPLES.items() if key.startswith(f"{words} "))
    title = "Example:" if len(found) == 1 else "Examples:"
    command.epilog = "\b\n" + "\n".join([title, *(f"  rho {line}" for line in found)])
    return command
