"""What may stand behind ``twistd rhocoin``, and the settings that come of options, environment and file together."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs
from twisted.python import usage

from rhotwist import __version__
from rhotwist.control import trouble
from rhotwist.control.places import Places, find
from rhotwist.errors import BadAddress
from rhotwist.keys.address import NodeAt, parse_node_at
from rhotwist.service import config as configs
from rhotwist.service import listening


class _Common(usage.Options):
    """The options of both roles."""

    optParameters = [
        ["datadir", "d", None, "Data folder; else RHO_HOME, else the usual place of this system."],
        ["config", "c", None, "Configuration file; else config.toml in the data folder, if there is one."],
    ]
    optFlags = [["debug", None, "Show tracebacks, and log what strangers cause."]]

    def __init__(self) -> None:
        super().__init__()
        self["listen"] = []
        self["peer"] = []

    def opt_listen(self, place: str) -> None:
        """Where to listen, may be repeated: 7460, 203.0.113.5:7460, [::1]:7460, or tcp:7460; port 0 is any free one."""
        self["listen"].append(place)

    opt_l = opt_listen

    def opt_peer(self, place: str) -> None:
        """A node to compare directories with, NODE@HOST:PORT, may be repeated; others are found by themselves."""
        self["peer"].append(place)

    def opt_version(self) -> None:
        """Print the version and exit."""
        print(f"rhotwist {__version__}")
        raise SystemExit(0)


class WalletOptions(_Common):
    """``twistd rhocoin wallet``."""

    synopsis = "[options]"
    longdesc = (
        "A wallet process: holds unlocked wallets, sends and receives for them. rho starts one when it needs it. "
        "Listens at a free port unless told otherwise."
    )


class Options(_Common):
    """``twistd rhocoin``."""

    synopsis = "[options] [wallet [options]]"
    longdesc = "A node: a key and a UDP port. It needs no configuration. Ask it by its key: rho ping NODE@HOST:PORT."
    optParameters = [["siblings", None, None, "File (mode 0600) naming the processes a full node sends clients on to."]]
    optFlags = [["private-net", None, "Let records from the net name private addresses, for a net of one's own."]]
    subCommands = [["wallet", None, WalletOptions, "A wallet process instead of a node."]]


@attrs.frozen
class Settings:
    """All that a process of one role is told. listen holds each place once."""

    role: str
    places: Places
    config: configs.Config
    listen: tuple[listening.Place, ...]
    siblings: Path | None
    peers: tuple[NodeAt, ...]
    private_net: bool
    debug: bool


def settings(options: Mapping[str, Any], environ: Mapping[str, str], here: Path) -> Settings:
    """The settings that parsed Options give. here is the working folder. Raises OperatorError.

    An option goes before the environment, that before the file. What stands before ``wallet`` counts for it too.
    """
    sub = getattr(options, "subOptions", None)
    role = "wallet" if getattr(options, "subCommand", None) == "wallet" else "node"

    def said(name: str) -> Any:
        return (sub[name] if sub is not None and sub[name] else None) or options[name]

    places = find(said("datadir"), environ, here)
    named = said("config")
    path = here / named if named else places.config
    config = configs.load(path, environ, required=bool(named))
    listen = tuple(said("listen")) or config[f"{role}.listen"]
    if not listen:
        raise trouble.LISTEN_WRONG(text='""', why="a process that listens nowhere hears nobody")
    siblings = options["siblings"] or config["node.siblings"]
    return Settings(
        role=role,
        places=places,
        config=config,
        listen=listening.parse_all(listen),
        siblings=here / siblings if siblings and role == "node" else None,
        peers=tuple(map(_peer, tuple(said("peer")) or config["node.peers"])),
        private_net=bool(options["private-net"]) or config["node.private_net"],
        debug=bool(said("debug")),
    )


def _peer(text: str) -> NodeAt:
    try:
        return parse_node_at(text)
    except BadAddress as error:
        raise trouble.PEER_WRONG(text=repr(text[:120]), why=error) from None
