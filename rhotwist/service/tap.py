"""What ``twistd rhocoin`` runs: ``Options`` and ``makeService``, by these names because Twisted looks for them."""

from __future__ import annotations

import gc
import os
import sys
import traceback
from pathlib import Path
from typing import Any, NoReturn

from twisted.application import service

from rhotwist.control import explain, trouble
from rhotwist.errors import OperatorError, StoreError
from rhotwist.net.clock import make_monotonic
from rhotwist.service import harden, options
from rhotwist.service.claim import Claim, claim
from rhotwist.service.options import Options, Settings

__all__ = ["Options", "makeService"]

SWITCH = 0.0005
"""Seconds for which a thread keeps the interpreter while another waits for it."""


def makeService(config: Options) -> service.IService:
    """The service of the role that the options name. If it cannot be, the process ends with three lines."""
    from twisted.internet import reactor  # noqa: TID251 - an entry point

    make_monotonic(reactor)
    debug = bool(config["debug"])
    try:
        settings = options.settings(config, os.environ, Path.cwd())
        debug = settings.debug
        harden.harden()
        return _Guarded(assemble(claim(settings), reactor), settings)
    except OperatorError as error:
        stop(error, debug)


def assemble(claimed: Claim, reactor: Any) -> service.Service:
    """The service for what was claimed."""
    if claimed.settings.role == "wallet":
        from rhotwist.service.wallet import WalletService

        return WalletService(claimed, reactor)
    from rhotwist.service.node import NodeService

    return NodeService(claimed, reactor)


class _Guarded(service.MultiService):
    """Starts one service; what cannot start is told to the operator, and the process ends with its status."""

    def __init__(self, inner: service.Service, settings: Settings) -> None:
        super().__init__()
        inner.setServiceParent(self)
        self.settings = settings

    def startService(self) -> None:
        """Called by twistd before the reactor runs."""
        try:
            super().startService()
        except StoreError as error:
            stop(explain.store(error), self.settings.debug)
        except OperatorError as error:
            stop(error, self.settings.debug)
        favour_reactor()


def favour_reactor() -> None:
    """Have the interpreter let the reactor wait less; for the whole process (docs/benchmarks.md has the figures).

    The collector looks no more at what is loaded by now, so that a whole collection takes 10 ms and not 45 while 20,000
    records are looked at; and a thread that computes gives way after half a millisecond and not after five.
    """
    gc.collect()
    gc.freeze()
    sys.setswitchinterval(SWITCH)


def stop(error: OperatorError, debug: bool) -> NoReturn:
    """Print an error for the operator and end the process. Nothing was changed that is not whole."""
    stream = sys.__stderr__
    if stream is not None:
        if debug:
            traceback.print_exc(file=stream)
        print(error, file=stream, flush=True)
    raise SystemExit(error.exit_status or trouble.FAILED)
