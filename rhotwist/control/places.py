"""Where the files of one user lie: data folder, sockets, keys. Paths only, nothing is touched."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path

import attrs

from rhotwist.control import trouble

SOCKET_PATH_MOST = {"linux": 107, "darwin": 103}
"""Bytes of a Unix socket's path: sun_path less its closing zero (unix(7); sys/un.h)."""
ROLES = ("node", "wallet")


@attrs.frozen
class Places:
    """One data folder and what lies where in it. docs/command-line.md shows it as a tree.

    named: it was said by --datadir, which a command that is shown to somebody has to say too.
    """

    datadir: Path
    named: bool = attrs.field(default=False, eq=False)

    @property
    def option(self) -> str:
        """What has to stand behind such a command, with a space before it; nothing where the folder is found anyway."""
        return f" --datadir {shlex.quote(str(self.datadir))}" if self.named else ""

    @property
    def config(self) -> Path:
        """Read, never written, by us."""
        return self.datadir / "config.toml"

    @property
    def wallets(self) -> Path:
        """The folder of ``NAME.rhowallet`` files."""
        return self.datadir / "wallets"

    @property
    def database(self) -> Path:
        """What this user keeps: the inbox, and which messages were said."""
        return self.datadir / "user.db"

    @property
    def transfers(self) -> Path:
        """The folder of files under way: their database, and the parts of those that come."""
        return self.datadir / "transfers"

    @property
    def log(self) -> Path:
        """Where a wallet process that ``rho`` started writes its log."""
        return self.datadir / "wallet.log"

    def folder(self, role: str) -> Path:
        """What belongs to one role alone: its key, its lock, its machine database."""
        return self.datadir / role

    def key(self, role: str) -> Path:
        """The 32-byte seed by which a process of this role is known."""
        return self.folder(role) / "node.key"

    def place(self, role: str) -> Path:
        """Where a running process of this role is reached on this machine: NODE@HOST:PORT, which is no secret."""
        return self.folder(role) / "place"

    def machine(self, role: str) -> Path:
        """What a process remembers of the machines it met."""
        return self.folder(role) / "machine.db"

    def socket(self, role: str) -> Path:
        """The control socket of a role."""
        return self.datadir / f"{role}.sock"

    def checked_socket(self, role: str, platform: str) -> Path:
        """The same, short enough for platform (``sys.platform``). Raises OperatorError RHO-1104."""
        path = self.socket(role)
        most = SOCKET_PATH_MOST.get(platform, SOCKET_PATH_MOST["darwin"])
        length = len(str(path).encode("utf-8", "surrogateescape"))
        if length > most:
            raise trouble.SOCKET_PATH_LONG(path=path, most=most, length=length)
        return path


def find(argument: str | None, environ: Mapping[str, str], here: Path) -> Places:
    """The places of this user: what --datadir says, else RHO_HOME, else the XDG folder. Relative paths begin here."""
    named = argument or environ.get("RHO_HOME")
    if named:
        return Places(here / Path(named).expanduser(), named=bool(argument))
    import platformdirs  # only here: rho --help need not load it

    return Places(Path(platformdirs.user_data_dir("rhotwist", appauthor=False)))
