"""X25519 (RFC 7748), and how often it was done: the one dear operation that a stranger can make us do.

libsodium works on bytes, so a key is 32 bytes here and a copied handshake costs nothing; OpenSSL's objects compute the
public half anew each time one is made from bytes (docs/spec/handshake.md, "Cost").
"""

from __future__ import annotations

from nacl.bindings import crypto_scalarmult, crypto_scalarmult_base
from nacl.exceptions import RuntimeError as SodiumError

from rhotwist.errors import BadPacket, LocalError
from rhotwist.moment import Rng

KEY_SIZE = 32


class Operations:
    """Counts of what this process did on the curve since it started; they only rise, so a caller takes differences.

    generated: key pairs made. exchanged: shared points computed. zero: those that came out zero and were refused.
    """

    __slots__ = ("exchanged", "generated", "zero")

    def __init__(self) -> None:
        self.generated = self.exchanged = self.zero = 0

    @property
    def total(self) -> int:
        """Scalar multiplications, each about 25 µs on a 2024 server core."""
        return self.generated + self.exchanged


#: The one count of the process; handshakes run in one thread.
OPERATIONS = Operations()


def generate(rng: Rng) -> tuple[bytes, bytes]:
    """A fresh key pair, (private, public), 32 bytes each. Raises LocalError when rng gives another size."""
    private = rng(KEY_SIZE)
    if len(private) != KEY_SIZE:
        raise LocalError(f"a private key has {KEY_SIZE} bytes, not {len(private)}")
    OPERATIONS.generated += 1
    return private, crypto_scalarmult_base(private)


def exchange(private: bytes, public: bytes) -> bytes:
    """The 32 bytes that both sides share. Raises BadPacket for a public key of small order, whose result is zero."""
    # libsodium reads 32 bytes whatever it is given, and its binding does not look.
    if len(private) != KEY_SIZE:
        raise LocalError(f"a private key has {KEY_SIZE} bytes, not {len(private)}")
    if len(public) != KEY_SIZE:
        raise BadPacket("short")
    OPERATIONS.exchanged += 1
    try:
        return crypto_scalarmult(private, public)
    except SodiumError:
        OPERATIONS.zero += 1
        raise BadPacket("zero") from None
