"""The command ``rho``: its list of commands, loaded when used, and the one place where errors become exit statuses."""

from __future__ import annotations

import importlib
import os
import sys
import traceback
from collections.abc import Sequence
from typing import Any

import click

from rhotwist.cli.examples import shown
from rhotwist.cli.run import Run, common
from rhotwist.control import explain, trouble
from rhotwist.errors import OperatorError

#: Name, module and what it does. The help is printed from here, so that it loads no command.
COMMANDS: dict[str, tuple[str, str]] = {
    "status": ("rhotwist.cli.status", "How the node and the wallet process are."),
    "doctor": ("rhotwist.cli.doctor", "What this machine lacks, and what to do about it."),
    "wallet": ("rhotwist.cli.wallet", "Make, list, unlock and lock wallets."),
    "address": ("rhotwist.cli.address", "The address of a wallet, as text or QR."),
    "contact": ("rhotwist.cli.contact", "Names for other people's wallets, and invitations to yours."),
    "send": ("rhotwist.cli.send", "Send a message or files to a wallet."),
    "inbox": ("rhotwist.cli.inbox", "Messages that were sent to your wallets."),
    "talk": ("rhotwist.cli.talk", "What was said with somebody: show, prove, publish, check."),
    "receive": ("rhotwist.cli.receive", "Take files that others send."),
    "transfers": ("rhotwist.cli.transfers", "Files that go and come."),
    "resume": ("rhotwist.cli.resume", "Go on with files that were stopped."),
    "cancel": ("rhotwist.cli.cancel", "Give files up."),
    "ping": ("rhotwist.cli.ping", "Whether a node is there and holds its key."),
    "publish": ("rhotwist.cli.publish", "Say where a wallet or a node is found."),
    "bundle": ("rhotwist.cli.bundle", "Records as text to copy and paste, and back."),
    "dir": ("rhotwist.cli.directory", "The directory: who is where."),
    "peers": ("rhotwist.cli.peers", "The nodes that directories are compared with."),
    "stop": ("rhotwist.cli.stop", "Stop the wallet process, or the node."),
    "explain": ("rhotwist.cli.explain", "What an error code means."),
    "version": ("rhotwist.cli.version", "The version of rhotwist."),
}


class LazyGroup(click.Group):
    """A group whose commands are modules, each with a click command named ``command``."""

    def list_commands(self, context: click.Context) -> list[str]:
        """Names in the order of the table: what one needs first stands first."""
        return list(COMMANDS)

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        """Load one command."""
        if name not in COMMANDS:
            return None
        return shown(name, importlib.import_module(COMMANDS[name][0]).command)

    def format_commands(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        """The list in the help, without loading anything."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, about) for name, (_, about) in COMMANDS.items()])


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]}, no_args_is_help=True)
@common
def rho() -> None:
    """Talk to people and programs by key.

    \b
    First steps:  rho doctor
                  twistd -n rhocoin
                  rho wallet create alice
    """


def main(arguments: Sequence[str] | None = None) -> None:
    """Run ``rho`` and exit with its status, as docs/command-line.md lists them."""
    sys.exit(run(list(sys.argv[1:] if arguments is None else arguments)))


def run(arguments: list[str]) -> int:
    """Run ``rho`` with these arguments. The exit status."""
    said = Run(json="--json" in arguments, debug="--debug" in arguments)
    try:
        outcome: Any = rho.main(arguments, prog_name="rho", standalone_mode=False, obj=said)
    except click.UsageError as error:
        return _usage(error, said)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        return _told(trouble.INTERRUPTED_BY_USER(), said)
    except OperatorError as error:
        return _told(error, said)
    except BrokenPipeError:
        # Whoever read our output went away, as head does. Nothing more can be printed, not even at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return trouble.FAILED
    except Exception as error:
        return _told(explain.bug(error), said)
    return outcome if isinstance(outcome, int) else trouble.OK


def _told(error: OperatorError, said: Run) -> int:
    if said.debug:
        traceback.print_exc()
    said.complain(error)
    return error.exit_status


def _usage(error: click.UsageError, said: Run) -> int:
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        error.show()
        return trouble.USAGE
    where = error.ctx.command_path if error.ctx else "rho"
    return _told(
        trouble.OPTION_WRONG(
            option="the command line", value="understood", why=error.format_message(), hint=f"{where} --help"
        ),
        said,
    )
