"""The work that stands behind a record: one search a key and quarter, so that a million made-up keys cost days.

    Argon2id(password = quarter u16 ‖ address 32 ‖ nonce 8, salt = "rho/work/1" and 6 zeros, 64 KiB, 1 pass, 1 lane)

gives 16 bytes, of which the first bits must be zero. The quarter is that in which the record was issued, so a record
that has its work keeps it. A check and a try take 36 µs by OpenSSL and took 49 µs by libsodium; 64 KiB of memory each
are what a graphics card has not for every one of its cores, as it has for plain SHA-256.
"""

from __future__ import annotations

from collections.abc import Iterator

from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

from rhotwist.directory.record import NONCE_SIZE
from rhotwist.errors import LocalError

LABEL = b"rho/work/1"
MEMORY = 64
"""KiB."""
TRIES = 256
"""Tries of one step of a search: about 10 ms."""
_SALT = LABEL.ljust(16, b"\0")
_OUTPUT = 16


def bits_of(quarter: int, address: bytes, nonce: bytes) -> int:
    """How many bits of work a nonce holds for an address (32 bytes) in a quarter."""
    kdf = Argon2id(salt=_SALT, length=_OUTPUT, iterations=1, lanes=1, memory_cost=MEMORY)
    made = kdf.derive(quarter.to_bytes(2, "big") + address + nonce)
    return 8 * _OUTPUT - int.from_bytes(made, "big").bit_length()


def search(quarter: int, address: bytes, bits: int, start: int = 0, tries: int = TRIES) -> Iterator[bytes | None]:
    """Look for a nonce with so many bits, tries at a step: None after each in vain, in the end the nonce.

    It takes 2**bits tries on the average, from the nonce start on. Whoever stops asking has cancelled; several workers
    start far apart. Raises LocalError for more bits than Argon2id's 16 bytes have.
    """
    if not 0 <= bits <= 8 * _OUTPUT:
        raise LocalError(f"{bits} bits of work are not from 0 to {8 * _OUTPUT}")
    while True:
        for number in range(start, start + tries):
            nonce = (number % (1 << 8 * NONCE_SIZE)).to_bytes(NONCE_SIZE, "big")
            if bits_of(quarter, address, nonce) >= bits:
                yield nonce
                return
        start += tries
        yield None
