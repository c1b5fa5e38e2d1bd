"""A party is 32 bytes: a canonical Ed25519 key of the prime-order group (RFC 8032). Everything about such keys is here.

Signatures are made and checked by libsodium alone, and ``verify`` is the only place that checks one: other libraries
take forgeries under keys of small order. ``check_key`` stands at every parser, so no such key, no key of mixed order
and no second spelling of a key ever gets in. For Diffie-Hellman a key is converted to its X25519 form; a key and its
negative share that form, so X bytes never name a party.
"""

from __future__ import annotations

import functools

import attrs
from nacl import bindings
from nacl.exceptions import BadSignatureError
from nacl.exceptions import RuntimeError as SodiumError

from rhotwist.errors import BadKey, LocalError

KEY_SIZE = 32
SEED_SIZE = 32
SIGNATURE_SIZE = 64

#: Keys remembered as checked, and X forms kept: about 200 bytes each, and 32 microseconds saved for a known peer.
REMEMBERED = 16_384


def _expanded(seed: bytes | bytearray) -> bytearray:
    """Seed and public key in one buffer, as libsodium wants it for signing."""
    if len(seed) != SEED_SIZE:
        raise LocalError(f"a seed has {SEED_SIZE} bytes, not {len(seed)}")
    return bytearray(bindings.crypto_sign_seed_keypair(bytes(seed))[1])


@attrs.frozen
class SeedKey:
    """The key pair of a 32-byte seed: a node, a wallet, or a client identity. Equal when the public keys are.

    ``SeedKey(seed)`` raises LocalError for another size. The seed lives in one buffer, which ``wipe`` clears; signing
    makes short-lived copies that Python frees without clearing.
    """

    _secret: bytearray = attrs.field(alias="seed", converter=_expanded, repr=False, eq=False)
    public: bytes = attrs.field(init=False, repr=bytes.hex)

    @public.default
    def _public_half(self) -> bytes:
        return bytes(self._secret[SEED_SIZE:])

    @property
    def seed(self) -> bytes:
        """The 32 secret bytes it was made from. Raises LocalError after ``wipe``."""
        return self._whole()[:SEED_SIZE]

    @property
    def x_private(self) -> bytes:
        """The X25519 private key: the clamped scalar that also signs. Raises LocalError after ``wipe``."""
        return bindings.crypto_sign_ed25519_sk_to_curve25519(self._whole())

    @property
    def x_public(self) -> bytes:
        """The X25519 public key, ``x_form`` of the public key."""
        return x_form(self.public)

    def sign(self, label_and_body: bytes) -> bytes:
        """The 64-byte signature of bytes that begin with a label of their own. Raises LocalError after ``wipe``."""
        return bindings.crypto_sign(label_and_body, self._whole())[:SIGNATURE_SIZE]

    def wipe(self) -> None:
        """Overwrite the secret. The public key stays; signing and converting raise from now on."""
        wipe(self._secret)

    def _whole(self) -> bytes:
        # The second half is the public key, so only a wiped buffer is all zeros.
        if not any(self._secret):
            raise LocalError(f"the secret of {self.public.hex()} was wiped")
        return bytes(self._secret)


def verify(public: bytes, message: bytes, signature: bytes) -> bool:
    """Whether signature is one by public over message (RFC 8032 5.1.7, and S below the group order).

    False for anything that is no signature and for a key that ``check_key`` refuses; never raises.
    """
    if len(signature) != SIGNATURE_SIZE:
        return False
    try:
        bindings.crypto_sign_open(signature + message, check_key(public))
    except (BadSignatureError, BadKey):
        return False
    return True


def check_key(raw: bytes) -> bytes:
    """The same bytes, if they are a party's key: 32, canonical, on the curve, of prime order. Raises BadKey.

    32 microseconds for a new key; known ones come from a bounded cache.
    """
    if len(raw) != KEY_SIZE:
        raise BadKey(f"a key has {KEY_SIZE} bytes, not {len(raw)}")
    return _checked(raw)


def x_form(public: bytes) -> bytes:
    """The X25519 form (32 bytes) of a party's key, RFC 7748 4.1. Raises BadKey as ``check_key`` does."""
    if len(public) != KEY_SIZE:
        raise BadKey(f"a key has {KEY_SIZE} bytes, not {len(public)}")
    return _converted(public)


def wipe(buffer: bytearray) -> None:
    """Overwrite a secret in place."""
    buffer[:] = bytes(len(buffer))


@functools.lru_cache(maxsize=REMEMBERED)
def _checked(raw: bytes) -> bytes:
    if not bindings.crypto_core_ed25519_is_valid_point(raw):
        raise BadKey(f"{raw.hex()} is no canonical Ed25519 key of the prime-order group")
    return raw


@functools.lru_cache(maxsize=REMEMBERED)
def _converted(public: bytes) -> bytes:
    # The conversion refuses exactly the strings that _checked refuses (a test compares them), and asking both would
    # double the price of a stranger's key.
    try:
        return bindings.crypto_sign_ed25519_pk_to_curve25519(public)
    except SodiumError:
        raise BadKey(f"{public.hex()} is no canonical Ed25519 key of the prime-order group") from None
