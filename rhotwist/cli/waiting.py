"""Asking a process for what may take a while: Ctrl-C works at once, and a terminal is told how long it has been."""

from __future__ import annotations

import sys
import threading
from typing import Any

from rhotwist.cli.client import Client
from rhotwist.cli.run import Run
from rhotwist.control.verbs import Verb


def ask_and_tell(run: Run, client: Client, verb: Verb, request: Any, line: str) -> Any:
    """What ``client.ask`` gives. line is what a person reads once a second meanwhile, with ``{seconds}`` in it."""
    outcome: list[Any] = []
    failure: list[BaseException] = []

    def ask() -> None:
        try:
            outcome.append(client.ask(verb, request))
        except BaseException as error:
            failure.append(error)

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    seconds = 0
    while thread.is_alive():
        thread.join(1.0)
        seconds += 1
        if thread.is_alive() and sys.stderr.isatty():
            run.advise(line.format(seconds=seconds))
    if failure:
        raise failure[0]
    return outcome[0]
