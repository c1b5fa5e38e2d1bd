"""Processes of both roles inside a test: real folders, real loopback sockets, one reactor."""

from __future__ import annotations

import io
import sys
import tempfile
from pathlib import Path
from typing import Any

from twisted.internet import reactor  # noqa: TID251 - real sockets
from twisted.trial.unittest import TestCase

from rhotwist.keys import chain
from rhotwist.service.claim import claim
from rhotwist.service.keystore import Hot
from rhotwist.service.node import NodeService
from rhotwist.service.options import Options, settings
from rhotwist.service.tap import assemble


class ProcessCase(TestCase):
    """Starts processes and stops them at the end. What they print stands in ``printed``."""

    timeout = 30

    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.home = Path(folder.name)
        self.printed = io.StringIO()
        self.patch(sys, "__stdout__", self.printed)

    def start(self, name: str, *arguments: str) -> Any:
        """The running service of a data folder, as a command line says."""
        options = Options()
        options.parseOptions(arguments)
        made = assemble(claim(settings(options, {"RHO_HOME": str(self.home / name)}, self.home)), reactor)
        made.startService()
        self.addCleanup(made.stopService)
        return made

    def wallet(self, name: str, listen: str = "127.0.0.1:0") -> Any:
        """A wallet process in which the wallet of that name is hot, without its file."""
        made = self.start(name, "wallet", "--listen", listen)
        heat(made, name)
        return made


def link_of(name: str) -> bytes:
    """The link of the wallet that is made from a name."""
    return name.encode().ljust(32, b".")


def heat(service: Any, name: str, seed: bytes = b"") -> Hot:
    """Make a wallet hot, its link made from its name."""
    link = seed or link_of(name)
    hot = Hot(name, chain.seed_key(link), bytearray(link), 0)
    service.keystore.hot[name] = hot
    service.keystore.unlocked(hot)
    return hot


def at(service: NodeService) -> str:
    """NODE@HOST:PORT of a process on this machine."""
    return service.node.address
