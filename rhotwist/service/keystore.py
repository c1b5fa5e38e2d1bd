"""The wallets of one data folder: files that are locked, and secrets in memory that are hot.

A wallet becomes hot by its passphrase and stays so until it is locked, by its owner, by idleness or by the end of the
process. Keys are derived in a worker thread, one at a time: each takes up to a gigabyte.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol, TypeVar

import attrs
from twisted.internet.defer import Deferred, DeferredLock

from rhotwist.control import explain, trouble
from rhotwist.control.text import NAME
from rhotwist.control.values import WalletRow
from rhotwist.errors import BadAddress, BadWords, LocalError, StoreError, WalletFileError
from rhotwist.keys import chain, words
from rhotwist.keys.address import WALLET, Address, format_address, parse_address
from rhotwist.keys.pair import SeedKey, wipe
from rhotwist.keys.wallet_file import Argon2, WalletSecret, derive, read_wallet, seal_wallet
from rhotwist.moment import Rng
from rhotwist.store.files import previous, read_private, write_atomically

SUFFIX = ".rhowallet"
ADDRESS_SUFFIX = ".address"
KDF: dict[str, tuple[int, int]] = {
    "interactive": (3, 64 * 1024),
    "moderate": (3, 256 * 1024),
    "sensitive": (4, 1024 * 1024),
}
"""Passes and KiB of Argon2id, by the names of the key wallet.kdf. About 0.2 s, 0.8 s and 4.6 s of one core."""

T = TypeVar("T")


class Clock(Protocol):
    """What the keystore needs of a reactor."""

    def callLater(self, delay: float, call: Callable[..., Any], *args: Any) -> Any:
        """Call later."""

    def seconds(self) -> float:
        """Seconds of the clock that delays count on."""


@attrs.define(eq=False)
class Hot:
    """A wallet whose secret is in memory. link is the wallet's own, from which its identities come."""

    name: str
    key: SeedKey = attrs.field(repr=False)
    link: bytearray = attrs.field(repr=False)
    generation: int
    idle: Any = attrs.field(default=None, repr=False)
    busy: set[Deferred[Any]] = attrs.field(factory=set, repr=False)

    @property
    def address(self) -> str:
        """The wallet's address."""
        return format_address(Address(WALLET, self.key.public))

    def identity(self, node: bytes) -> SeedKey:
        """Who this wallet is towards a node: two nodes cannot tell that the same wallet calls."""
        return chain.server_identity(self.link, node, self.generation)


class Keystore:
    """Makes, lists, unlocks and locks the wallets in a folder.

    in_thread runs a function in a worker and gives a Deferred of its result. idle_most is in seconds, 0.0 for never.
    """

    def __init__(
        self, folder: Path, clock: Clock, in_thread: Callable[[Callable[[], Any]], Deferred[Any]], rng: Rng,
        *, idle_most: float, kdf: str,
    ) -> None:  # fmt: skip
        self._folder = folder
        self._clock = clock
        self._in_thread = in_thread
        self._rng = rng
        self._idle_most = idle_most
        self._kdf = kdf
        self._deriving = DeferredLock()
        self.hot: dict[str, Hot] = {}
        self.unlocked: Callable[[Hot], None] = lambda hot: None
        self.locked: Callable[[Hot], None] = lambda hot: None

    # --- what there is -----------------------------------------------------------------------------------------------

    def rows(self) -> tuple[WalletRow, ...]:
        """All wallets, by name."""
        return tuple(self.row(path.name.removesuffix(SUFFIX)) for path in sorted(self._folder.glob(f"*{SUFFIX}")))

    def row(self, name: str) -> WalletRow:
        """One wallet as people see it. The address of a file that was copied here is known once it was unlocked."""
        path, hot = self._path(name), self.hot.get(name)
        address = hot.address if hot else self._noted_address(name)
        state = "hot" if hot else "locked"
        locks_in = max(0.0, hot.idle.getTime() - self._clock.seconds()) if hot and hot.idle else 0.0
        return WalletRow(name, address, "master", state, str(path), locks_in)

    def existing(self, name: str) -> WalletRow:
        """The wallet of that name. Raises OperatorError."""
        self._existing(name)
        return self.row(name)

    def hot_by_key(self, public: bytes) -> Hot | None:
        """The hot wallet of that key."""
        for hot in self.hot.values():
            if hot.key.public == public:
                return hot
        return None

    def speaker(self, name: str) -> Hot:
        """The hot wallet of that name, or with "" the only one. Raises OperatorError."""
        if name:
            self._existing(name)
            if name not in self.hot:
                raise trouble.WALLET_LOCKED(name=name)
            return self.hot[name]
        if not self.hot:
            raise trouble.NONE_HOT()
        if len(self.hot) > 1:
            raise trouble.WHICH_WALLET(names=", ".join(sorted(self.hot)))
        return next(iter(self.hot.values()))

    # --- what one does -----------------------------------------------------------------------------------------------

    async def add(self, name: str, text: str, passphrase: str, kdf: str = "") -> WalletRow:
        """Write a file for 24 words. Raises OperatorError, and then nothing was written."""
        if not NAME.fullmatch(name):
            raise trouble.WALLET_NAME(name=repr(name[:60]))
        if kdf and kdf not in KDF:
            raise trouble.OPTION_WRONG(
                option="--kdf", value=repr(kdf[:20]), why=f"there are {', '.join(KDF)}", hint="leave it out"
            )
        self._new(name)
        try:
            root = words.from_words(text)
        except BadWords as error:
            raise trouble.WORDS_WRONG(why=error) from None
        secret = WalletSecret(True, root, (), name)
        try:
            operations, memory = KDF[kdf or self._kdf]
            argon2 = Argon2.fresh(self._rng, operations, memory)
            key = await self._derive(name, argon2, passphrase)
            self._new(name)  # another request may have made it meanwhile
            self._write(name, seal_wallet(secret, key, argon2, self._rng), secret.wallet_key().public)
        finally:
            secret.wipe()
        return self.row(name)

    async def unlock(self, name: str, passphrase: str) -> Hot:
        """Make a wallet hot, or find it so. Raises OperatorError."""
        path = self._existing(name)
        try:
            wallet = read_wallet(read_private(path))
            if wallet.argon2 is None:
                raise trouble.WALLET_REFUSED(name=name, why="its key is kept apart, in a keyring or a key file")
            secret = wallet.open(await self._derive(name, wallet.argon2, passphrase))
        except WalletFileError as error:
            raise explain.wallet_file(error, name, str(previous(path))) from None
        except FileNotFoundError:
            raise self._absent(name) from None
        try:
            hot = Hot(name, secret.wallet_key(), bytearray(secret.wallet_link()), secret.generation)
        finally:
            secret.wipe()
        if name in self.hot:
            _forget(hot)
            hot = self.hot[name]
        else:
            self.hot[name] = hot
            if self._noted_address(name) != hot.address:
                self._note_address(name, hot.key.public)
            self.unlocked(hot)
        self.touch(hot)
        return hot

    def touch(self, hot: Hot) -> None:
        """The owner used this wallet: its idle time starts again."""
        if hot.idle is not None and hot.idle.active():
            hot.idle.reset(self._idle_most)
        elif self._idle_most:
            hot.idle = self._clock.callLater(self._idle_most, self.lock, hot.name)

    def lock(self, name: str) -> None:
        """Forget a secret; what is under way in its name is withdrawn. A wallet that is not hot stays as it is."""
        hot = self.hot.pop(name, None)
        if hot is None:
            return
        if hot.idle is not None and hot.idle.active():
            hot.idle.cancel()
        for working in list(hot.busy):
            working.cancel()
        self.locked(hot)
        _forget(hot)

    def lock_named(self, name: str) -> None:
        """The same for one that must exist, or for all with "". Raises OperatorError."""
        if name:
            self._existing(name)
        for each in [name] if name else list(self.hot):
            self.lock(each)

    # --- files -------------------------------------------------------------------------------------------------------

    def _path(self, name: str) -> Path:
        return self._folder / f"{name}{SUFFIX}"

    def _existing(self, name: str) -> Path:
        # The name is checked before it becomes a path: "../x" is no wallet.
        if not NAME.fullmatch(name) or not self._path(name).exists():
            raise self._absent(name)
        return self._path(name)

    def _absent(self, name: str) -> Exception:
        names = [row.name for row in self.rows()]
        known = f"known here: {', '.join(names)}" if names else "there is none yet"
        return trouble.WALLET_ABSENT(name=name[:60], known=known)

    def _new(self, name: str) -> None:
        if self._path(name).exists():
            raise trouble.WALLET_EXISTS(name=name, path=self._path(name))

    def _write(self, name: str, data: bytes, public: bytes) -> None:
        try:
            write_atomically(self._path(name), data)
        except StoreError as error:
            raise explain.store(error) from error
        self._note_address(name, public)

    def _note_address(self, name: str, public: bytes) -> None:
        """The address lies beside the file, which is sealed whole: so a locked wallet can be shown. It is no secret."""
        text = format_address(Address(WALLET, public)) + "\n"
        try:
            write_atomically(self._folder / f"{name}{ADDRESS_SUFFIX}", text.encode("ascii"))
        except StoreError as error:
            raise explain.store(error) from error

    def _noted_address(self, name: str) -> str:
        try:
            text = read_private(self._folder / f"{name}{ADDRESS_SUFFIX}").decode("ascii")
            return format_address(parse_address(text, WALLET))
        except (FileNotFoundError, UnicodeDecodeError, BadAddress, StoreError):
            return ""

    async def _derive(self, name: str, argon2: Argon2, passphrase: str) -> bytes:
        try:
            found: bytes = await self._deriving.run(self._in_thread, lambda: derive(argon2, passphrase))
        except LocalError:
            raise trouble.PASSPHRASE_EMPTY() from None
        return found


def _forget(hot: Hot) -> None:
    hot.key.wipe()
    wipe(hot.link)
