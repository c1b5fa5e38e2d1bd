"""A wallet at rest, as bytes: a header in clear, the secret sealed under a key, a checksum over both.

     0  9  "rhowallet"                                     16  4  memory in KiB
     9  1  version, 1                                      20 16  salt
    10  1  kind: 1 a root link, 2 a later link             36 24  nonce
    11  1  key: 1 Argon2id of a passphrase, 0 kept apart   60 ..  XChaCha20-Poly1305{content}, AD = bytes 0 to 60
    12  4  operations                                      .. 32  SHA-256 of all before
    content: link 32 ‖ generation u32 ‖ u8 size, name ‖ u8 count, steps of the chain: u8 size, type ‖ u8 size, argument
With a key kept apart, operations, memory and salt are zero. The checksum is looked at before anything is believed, so
damage is told from a wrong passphrase; the bounds of the derivation before a byte is allocated. Opening is cut in
three, ``read_wallet``, ``derive``, ``LockedWallet.open``, so that the slow one may run in a worker. Writing the file
is for ``store``. Spec page: docs/spec/wallet-file.md.
"""

from __future__ import annotations

import hashlib
import hmac
import unicodedata
from struct import Struct

import attrs
from nacl import bindings
from nacl.exceptions import CryptoError
from nacl.pwhash import argon2id

from rhotwist.errors import DamagedFile, LocalError, RefusedFile, WrongPassphrase
from rhotwist.keys import chain as chains
from rhotwist.keys.chain import LINK_SIZE, Chain, Step
from rhotwist.keys.pair import SeedKey, wipe
from rhotwist.moment import Rng

MAGIC = b"rhowallet"
VERSION = 1
#: No wallet file is larger than this, bytes.
SIZE_MOST = 2**20
KEY_SIZE = 32
#: Bytes of UTF-8 a wallet's name may have.
NAME_MOST = 200

#: Floor and cap of the derivation: memory in KiB (64 MiB to 2 GiB), and passes over it. 64 MiB and 3 passes is what
#: RFC 9106 4 recommends where memory is short; a file may not ask for less, nor for what stops a machine.
MEMORY_LEAST, MEMORY_MOST = 64 * 1024, 2 * 1024 * 1024
OPERATIONS_LEAST, OPERATIONS_MOST = 3, 16
#: What new files get: 256 MiB and 3 passes, 0.8 s of one core.
MEMORY_DEFAULT, OPERATIONS_DEFAULT = 256 * 1024, 3

_HEAD = Struct("!9sBBBII16s24s")
_CHECKSUM = 32
_TAG = 16
_SALT, _NONCE = 16, 24
_ROOT, _LATER = 1, 2
_APART, _ARGON2 = 0, 1


@attrs.frozen
class Argon2:
    """How a passphrase becomes a key: memory in KiB, passes over it, 16 bytes of salt.

    Raises LocalError outside floor and cap, so a value of this class is always safe to run.
    """

    operations: int
    memory: int
    salt: bytes

    def __attrs_post_init__(self) -> None:
        if not MEMORY_LEAST <= self.memory <= MEMORY_MOST:
            raise LocalError(f"{self.memory} KiB for a passphrase, not from {MEMORY_LEAST} to {MEMORY_MOST}")
        if not OPERATIONS_LEAST <= self.operations <= OPERATIONS_MOST:
            raise LocalError(f"{self.operations} passes, not from {OPERATIONS_LEAST} to {OPERATIONS_MOST}")
        if len(self.salt) != _SALT:
            raise LocalError(f"{len(self.salt)} bytes of salt, not {_SALT}")

    @classmethod
    def fresh(cls, rng: Rng, operations: int = OPERATIONS_DEFAULT, memory: int = MEMORY_DEFAULT) -> Argon2:
        """For a new passphrase: a new salt. memory in KiB."""
        return cls(operations, memory, rng(_SALT))


def _taken_over(link: bytes | bytearray) -> bytearray:
    return link if isinstance(link, bytearray) else bytearray(link)


@attrs.frozen(hash=False)
class WalletSecret:
    """What a wallet file guards. A bytearray given as link is taken over, not copied, so that ``wipe`` reaches it.

    root says what link is: the root link, from which the chain still leads to this wallet (the owner's own file), or
    the link at the end of the chain (a file for a machine that must not know more). generation is that of the wallet's
    identities towards nodes; raising it drops the old ones. Raises LocalError for what no file can hold.
    """

    root: bool
    link: bytearray = attrs.field(converter=_taken_over, repr=False)
    chain: Chain = ()
    name: str = ""
    generation: int = 0

    def __attrs_post_init__(self) -> None:
        if len(self.link) != LINK_SIZE:
            raise LocalError(f"a link has {LINK_SIZE} bytes, not {len(self.link)}")
        for type, arg in self.chain:
            chains.check_step(type, arg)
        if len(self.chain) > chains.CHAIN_MOST:
            raise LocalError(f"{len(self.chain)} links in a chain where at most {chains.CHAIN_MOST} fit")
        if not self.root and not self.chain:
            raise LocalError("a link without a chain is the root link")
        if not self.name.isprintable() or len(self.name.encode("utf-8", "replace")) > NAME_MOST:
            raise LocalError(f"a wallet's name is printable text of at most {NAME_MOST} bytes")
        chains.number(self.generation)

    def wallet_link(self) -> bytes:
        """The link of the wallet itself, from which its key and its identities come."""
        return chains.walk(self.link, self.chain) if self.root else bytes(self.link)

    def wallet_key(self) -> SeedKey:
        """The wallet's key pair."""
        return chains.seed_key(self.wallet_link())

    def wipe(self) -> None:
        """Overwrite the link; the value is of no use afterwards."""
        wipe(self.link)


@attrs.frozen
class LockedWallet:
    """A whole file whose checksum and bounds hold, not yet open. argon2 is None where the key is kept apart."""

    root: bool
    argon2: Argon2 | None
    nonce: bytes
    _head: bytes = attrs.field(repr=False)
    _sealed: bytes = attrs.field(repr=False)

    def open(self, key: bytes) -> WalletSecret:
        """Open with the derived key, or with the one kept apart (32 bytes).

        Raises WrongPassphrase where it does not fit, RefusedFile for content that this version does not know.
        """
        try:
            content = bindings.crypto_aead_xchacha20poly1305_ietf_decrypt(self._sealed, self._head, self.nonce, key)
        except CryptoError:
            what = "passphrase" if self.argon2 else "key"
            raise WrongPassphrase(f"the file is whole, and this {what} does not open it") from None
        try:
            return _read_content(self.root, content)
        except (LocalError, ValueError, IndexError):
            raise RefusedFile("the wallet inside is of a kind that this version does not know") from None


def derive(argon2: Argon2, passphrase: str) -> bytes:
    """The 32-byte key of a passphrase. Takes seconds and up to 2 GiB: run it in a worker.

    The passphrase is taken in Unicode form NFKC, as UTF-8. Raises LocalError for an empty one, RefusedFile when the
    machine has not got the memory.
    """
    text = unicodedata.normalize("NFKC", passphrase)
    if not text:
        raise LocalError("an empty passphrase guards nothing")
    try:
        password = text.encode("utf-8")
    except UnicodeEncodeError:
        raise LocalError("the passphrase is not text: it has a lone surrogate") from None
    try:
        return argon2id.kdf(KEY_SIZE, password, argon2.salt, argon2.operations, argon2.memory * 1024)
    except (MemoryError, RuntimeError):
        raise RefusedFile(f"there is no memory for this passphrase: {argon2.memory // 1024} MiB are needed") from None


def seal_wallet(secret: WalletSecret, key: bytes, argon2: Argon2 | None, rng: Rng) -> bytes:
    """The bytes of a file. key is ``derive(argon2, passphrase)``, or with argon2 None the one kept apart.

    Draws a new nonce, so the same wallet never gives the same file twice. Raises LocalError for a key of another size.
    """
    if len(key) != KEY_SIZE:
        raise LocalError(f"a key has {KEY_SIZE} bytes, not {len(key)}")
    kind = _ROOT if secret.root else _LATER
    nonce = rng(_NONCE)
    if argon2 is None:
        head = _HEAD.pack(MAGIC, VERSION, kind, _APART, 0, 0, bytes(_SALT), nonce)
    else:
        head = _HEAD.pack(MAGIC, VERSION, kind, _ARGON2, argon2.operations, argon2.memory, argon2.salt, nonce)
    sealed = bindings.crypto_aead_xchacha20poly1305_ietf_encrypt(_content(secret), head, nonce, key)
    return head + sealed + hashlib.sha256(head + sealed).digest()


def read_wallet(data: bytes) -> LockedWallet:
    """Look at a file without opening it; nothing is derived yet.

    In this order: size, magic, version, checksum, kind, bounds of the derivation. Raises DamagedFile where it was cut
    or changed, RefusedFile where it is whole and we will not.
    """
    if len(data) > SIZE_MOST:
        raise RefusedFile(f"{len(data)} bytes, and no wallet file has more than {SIZE_MOST}")
    if data[: len(MAGIC)] != MAGIC:
        raise DamagedFile("this is no wallet file, or its beginning is damaged")
    if len(data) < _HEAD.size + _TAG + _CHECKSUM:
        raise DamagedFile(f"the file was cut: {len(data)} bytes are no whole wallet")
    if data[len(MAGIC)] != VERSION:
        raise RefusedFile(f"version {data[len(MAGIC)]} of the wallet file: made by a newer rhotwist, or changed")
    if not hmac.compare_digest(hashlib.sha256(data[:-_CHECKSUM]).digest(), data[-_CHECKSUM:]):
        raise DamagedFile("the checksum does not hold: the file was changed or cut")
    head, sealed = data[: _HEAD.size], data[_HEAD.size : -_CHECKSUM]
    _, _, kind, how, operations, memory, salt, nonce = _HEAD.unpack(head)
    if kind not in (_ROOT, _LATER):
        raise RefusedFile(f"wallet of kind {kind}: made by a newer rhotwist")
    return LockedWallet(kind == _ROOT, _read_argon2(how, operations, memory, salt), nonce, head, sealed)


def open_wallet(data: bytes, passphrase: str) -> WalletSecret:
    """All three steps at once, where waiting does no harm. Raises WalletFileError's kinds, LocalError as ``derive``."""
    locked = read_wallet(data)
    if locked.argon2 is None:
        raise WrongPassphrase("no passphrase opens this file: its key is kept in a keyring or a key file")
    return locked.open(derive(locked.argon2, passphrase))


def _read_argon2(how: int, operations: int, memory: int, salt: bytes) -> Argon2 | None:
    if how == _APART:
        if operations or memory or any(salt):
            raise RefusedFile("the file derives a key and says that its key is kept apart")
        return None
    if how != _ARGON2:
        raise RefusedFile(f"key derivation {how}: made by a newer rhotwist")
    try:
        return Argon2(operations, memory, salt)
    except LocalError as error:
        raise RefusedFile(f"the file asks for {error}") from None


def _content(secret: WalletSecret) -> bytes:
    name = secret.name.encode("utf-8")
    parts = [bytes(secret.link), secret.generation.to_bytes(4, "big"), _sized(name), bytes([len(secret.chain)])]
    for type, arg in secret.chain:
        parts += [_sized(type.encode("ascii")), _sized(arg)]
    return b"".join(parts)


def _read_content(root: bool, content: bytes) -> WalletSecret:
    """Raises LocalError, ValueError or IndexError for what is no content."""
    at = LINK_SIZE + 4
    name, at = _take(content, at)
    count, at = content[at], at + 1
    steps: list[Step] = []
    for _ in range(count):
        type, at = _take(content, at)
        arg, at = _take(content, at)
        steps.append((type.decode("ascii"), arg))
    if at != len(content):
        raise ValueError("trailing bytes")
    generation = int.from_bytes(content[LINK_SIZE : LINK_SIZE + 4], "big")
    return WalletSecret(root, bytearray(content[:LINK_SIZE]), tuple(steps), name.decode("utf-8"), generation)


def _sized(data: bytes) -> bytes:
    return bytes([len(data)]) + data


def _take(content: bytes, at: int) -> tuple[bytes, int]:
    # A size that reaches beyond the end leaves `at` there, which the caller's last comparison refuses.
    end = at + 1 + content[at]
    return content[at + 1 : end], end
