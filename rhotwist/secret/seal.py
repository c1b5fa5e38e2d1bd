"""Small packets of one session, sealed and opened. Spec page: docs/spec/small-packets.md.

    0 1  epoch mod 16 ‖ type 5, 4 bits each   1 1  flags, 0   2 6  counter   8 4  receiver's hashcode
    12   the plain bytes, sealed, and a tag of 16; nonce = 4 zero ‖ u64 counter, associated data = the 12 bytes above

One ``PacketSeal`` owns both directions. It counts what it seals and takes a counter or nonce from nobody, which is
why no nonce comes twice: the counter of a direction only rises, through every epoch, and each epoch has its own key.

Opening changes nothing unless the tag holds. Three epochs may be open for a moment: the present one, the one before
(its last packets are still on their way) and, between the ratchet's answer and its first use, the next.
``rhotwist.secret.ratchet`` moves them; the roots never leave this module.

This is the hot path: headers are packed and taken apart in place rather than through ``rhotwist.wire``.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable
from struct import Struct

from cryptography.exceptions import InvalidTag

from rhotwist.errors import BadPacket, KeySpent
from rhotwist.limits import Limits
from rhotwist.secret import audit
from rhotwist.secret.handshake import SessionKeys
from rhotwist.secret.labels import KEY, RATCHET
from rhotwist.secret.suite import aead
from rhotwist.secret.window import fresh, mark
from rhotwist.wire.packet import HEADER, SMALL, TAG_SIZE

#: Uses of an epoch's keys.
USE_SMALL, USE_STREAM, USE_DIRECTORY = 1, 2, 3

_HEADER = Struct("!QI")
_PAD = bytes(6)  # with the header's counter u48: the 12 bytes of a nonce
_COUNTER = (1 << 48) - 1
_LEAST = HEADER + TAG_SIZE
#: Packets sealed under one key, unless the caller says less.
SEALS_MAX = Limits().ratchet_seals_max

# root 32 ‖ key we send under 32 ‖ key we receive under 32: one bytearray an epoch, smaller than three and overwritten
# at its end.
_ROOT, _SEND, _RECEIVE = slice(0, 32), slice(32, 64), slice(64, 96)

_Cipher = Callable[[bytes, bytes, bytes], bytes]


def derive(root: bytes | bytearray, use: int, direction: int) -> bytes:
    """The 32-byte key of one use and direction (0 from the initiator, 1 to it) under an epoch's root."""
    return hmac.digest(root, KEY + bytes((use, direction)), "sha256")


def next_root(root: bytes | bytearray, shared: bytes, epoch: int, offered: bytes, taken: bytes) -> bytes:
    """The 32-byte root of an epoch, from the one before, the X25519 result and both public keys, initiator's first."""
    return hmac.digest(root, b"".join((shared, RATCHET, epoch.to_bytes(4, "big"), offered, taken)), "sha256")


class PacketSeal:
    """The keys of one session's small packets, both directions.

    sent is the counter of the last packet sealed, newest the highest opened (-1 before the first). epoch counts from 0
    and rises when a packet of the next epoch opens; ``turned`` is set then, for the ratchet to see. peer_code is the
    receiver's hashcode in what we send. pieces counts what our streams have sealed in the epoch that we send under.
    """

    __slots__ = (
        "_before", "_encrypt", "_initiator", "_keys", "_last", "_next", "_open_head", "_decrypt", "_seals_max", "_seen",
        "_send_head", "_start", "_suite", "epoch", "fingerprint_key", "newest", "own_code", "peer_code", "pieces",
        "sent", "turned",
    )  # fmt: skip

    def __init__(
        self, keys: SessionKeys, own_code: int, peer_code: int, counter_start: int, seals_max: int = SEALS_MAX
    ) -> None:
        """counter_start is random, below 2**32: it is the first counter sealed, so that counters tell no age.

        seals_max packets are sealed under one key and no more (RFC 9001 6.6 for AES-GCM).
        """
        self._suite = keys.suite
        self._initiator = keys.initiator
        self._seals_max = seals_max
        self._keys: bytearray | None = self._expand(keys.root)
        #: Of the first epoch, for as long as the session lives: it keeps nothing secret, but nobody outside has it.
        self.fingerprint_key = derive(keys.root, USE_DIRECTORY, 0)
        self._next: bytearray | None = None
        self._before: bytearray | None = None
        self._encrypt: _Cipher | None = None
        self._decrypt: _Cipher | None = None
        self.own_code = own_code
        self.peer_code = peer_code
        self.epoch = self.pieces = 0
        self.turned = False
        self.sent = counter_start - 1
        self.newest = -1
        self._seen = 0
        self._open_head = _head(0)
        self._send_under(0)

    # --- packets

    def seal(self, plain: bytes) -> bytes:
        """The datagram that carries plain. Raises KeySpent when this key has sealed seals_max packets or was erased."""
        counter = self.sent + 1
        if counter > self._last:
            raise KeySpent(f"{self.under} packets sealed under one key, erased or at its limit of {self._seals_max}")
        self.sent = counter  # before the cipher runs: whatever happens there, this counter is gone
        header = _HEADER.pack(self._send_head | counter, self.peer_code)
        nonce = _PAD + header[2:8]
        encrypt = self._encrypt or self._sender()
        if audit.hook is not None:
            audit.hook(self._sending_key(), nonce, audit.digest_of(plain, header))
        return header + encrypt(nonce, plain, header)

    def open(self, datagram: bytes) -> tuple[int, bytes]:
        """The counter and the plain bytes of a datagram whose type is 5.

        Raises BadPacket: short, flags, epoch (none of which we hold the key), replay, tag. A failure changes nothing.
        """
        if len(datagram) < _LEAST:
            raise BadPacket("short")
        first, _ = _HEADER.unpack_from(datagram)
        counter: int = first & _COUNTER
        newest = self.newest
        if counter <= newest and not fresh(newest, self._seen, counter):
            raise BadPacket("replay")
        head = first - counter
        if head != self._open_head:
            return counter, self._open_other(head, counter, datagram)
        header = datagram[:HEADER]
        try:
            plain = (self._decrypt or self._receiver())(_PAD + header[2:8], datagram[HEADER:], header)
        except InvalidTag:
            raise BadPacket("tag") from None
        self.newest, self._seen = mark(newest, self._seen, counter)
        return counter, plain

    def drop_aead(self) -> None:
        """Let go of the built ciphers (4.6 kB); the next packet builds them again in about a microsecond each."""
        self._encrypt = self._decrypt = None

    def erase(self) -> None:
        """Overwrite every key. From then on nothing is sealed (KeySpent) and nothing opens (BadPacket)."""
        for keys in (self._keys, self._next, self._before):
            _wipe(keys)
        self._keys = self._next = self._before = None
        self.drop_aead()
        self._last = self._open_head = -1

    # --- epochs, for the ratchet

    @property
    def under(self) -> int:
        """Packets sealed so far under the key we send with now."""
        return self.sent - self._start

    @property
    def spent(self) -> bool:
        """No packet can be sealed any more: the key is at its limit, or erased."""
        return self.sent >= self._last

    @property
    def suite(self) -> int:
        """The number of the cipher suite."""
        return self._suite

    @property
    def erased(self) -> bool:
        """The keys are gone."""
        return self._keys is None

    def digest(self) -> bytes:
        """SHA-256 over keys, window and epoch, but not over how much was sent: what did not change is the same."""
        state = hashlib.sha256(repr((self.epoch, self.newest, self._seen, self.turned, self.peer_code)).encode())
        for keys in (self._keys, self._next, self._before):
            state.update(keys if keys is not None else b"-")
        return state.digest()

    def stream_out(self) -> tuple[int, bytes]:
        """The epoch that we send under and the key of our streams in it. Raises KeySpent when the keys are erased."""
        turned = self._send_head == self._open_head
        keys = self._keys if turned else self._next
        if keys is None:
            raise KeySpent("the keys of this session were erased")
        return self.epoch + (not turned), derive(keys[_ROOT], USE_STREAM, 0 if self._initiator else 1)

    def stream_in(self, epoch: int) -> tuple[int, bytes]:
        """An epoch given mod 256, whole, and the key of the peer's streams in it: the present epoch, the next if it was
        prepared, the one before for as long as its last packets may come. Raises BadPacket("epoch")."""
        theirs = 1 if self._initiator else 0
        for ahead, keys in ((0, self._keys), (1, self._next)):
            if keys is not None and (self.epoch + ahead) & 255 == epoch:
                return self.epoch + ahead, derive(keys[_ROOT], USE_STREAM, theirs)
        if self._before is not None and (self.epoch - 1) & 255 == epoch:
            return self.epoch - 1, bytes(self._before[:32])
        raise BadPacket("epoch")

    def prepare(self, shared: bytes, offered: bytes, taken: bytes) -> None:
        """Make the next epoch's keys, so that its packets open. What we send stays under the present one.

        shared is the X25519 result, offered the initiator's public key, taken the responder's.
        """
        if self._keys is None:
            raise KeySpent("the keys of this session were erased")
        _wipe(self._next)
        self._next = self._expand(next_root(self._keys[_ROOT], shared, self.epoch + 1, offered, taken))

    def switch(self) -> None:
        """Send under the next epoch from now on. The initiator does at once; the responder is switched by ``open``."""
        if self._next is None:
            raise KeySpent("no next epoch was prepared")
        self._encrypt = None
        self._send_under(self.epoch + 1)

    def forget_before(self) -> None:
        """Erase the receive key of the epoch before, if it is still there: its last packets have had their time."""
        _wipe(self._before)
        self._before = None

    # --- inside

    def _expand(self, root: bytes) -> bytearray:
        ours = 0 if self._initiator else 1
        return bytearray(root + derive(root, USE_SMALL, ours) + derive(root, USE_SMALL, 1 - ours))

    def _send_under(self, epoch: int) -> None:
        self._send_head = _head(epoch)
        self.pieces = 0
        self._start = self.sent
        self._last = min(self.sent + self._seals_max, _COUNTER)

    def _sending_key(self) -> bytes:
        keys = self._keys if self._send_head == self._open_head else self._next
        if keys is None:
            raise KeySpent("the keys of this session were erased")
        return bytes(keys[_SEND])

    def _sender(self) -> _Cipher:
        self._encrypt = aead(self._suite, self._sending_key()).encrypt
        return self._encrypt

    def _receiver(self) -> _Cipher:
        if self._keys is None:
            raise BadPacket("epoch")
        self._decrypt = aead(self._suite, bytes(self._keys[_RECEIVE])).decrypt
        return self._decrypt

    def _open_other(self, head: int, counter: int, datagram: bytes) -> bytes:
        """Open a packet that is not of the present epoch: rare, so its cipher is built for it alone."""
        if self._keys is None:
            raise BadPacket("epoch")
        if (head ^ self._open_head) & _NOT_EPOCH:
            raise BadPacket("flags")
        ahead = self._next is not None and head == _head(self.epoch + 1)
        keys = self._next if ahead else self._before if head == _head(self.epoch - 1) else None
        if keys is None:
            raise BadPacket("epoch")
        header = datagram[:HEADER]
        decrypt = aead(self._suite, bytes(keys[-32:])).decrypt
        try:
            plain = decrypt(_PAD + header[2:8], datagram[HEADER:], header)
        except InvalidTag:
            raise BadPacket("tag") from None
        self.newest, self._seen = mark(self.newest, self._seen, counter)
        if ahead:
            self._turn(decrypt)
        return plain

    def _turn(self, decrypt: _Cipher) -> None:
        """The peer sends under the next epoch: it is the present one now, and of the old only its receive key stays."""
        old, new = self._keys, self._next
        if old is None or new is None:
            return
        _wipe(self._before)
        self._before = bytearray(derive(old[_ROOT], USE_STREAM, 1 if self._initiator else 0)) + old[_RECEIVE]
        _wipe(old)
        self._keys, self._next = new, None
        self.epoch += 1
        self._open_head = _head(self.epoch)
        self._decrypt = decrypt
        if self._send_head != self._open_head:
            self._encrypt = None
            self._send_under(self.epoch)
        self.turned = True


#: All of the header's first two bytes but the epoch.
_NOT_EPOCH = 0x0FFF << 48


def _head(epoch: int) -> int:
    return ((epoch & 15) << 4 | SMALL) << 56


def _wipe(keys: bytearray | None) -> None:
    if keys is not None:
        keys[:] = bytes(len(keys))
