"""The 32 bytes that two parties share and nobody else can compute or tell apart from chance: the mark of their pair.

D is Diffie-Hellman on the Ed25519 group itself, so that both sides meet in one point whatever form their scalar has.
It has no other use, and only its HMAC leaves this module. Spec page: docs/spec/derivation.md.
"""

from __future__ import annotations

import hmac

from nacl import bindings

from rhotwist.keys.pair import SeedKey, check_key

LABEL = b"rho/pair/1"


def pair_hash(own: SeedKey, other: bytes) -> bytes:
    """The pair's 32 bytes, the same from both sides. Raises BadKey for what is no key; 66 microseconds."""
    shared = bindings.crypto_scalarmult_ed25519_noclamp(own.x_private, check_key(other))
    return hmac.digest(LABEL, shared + min(own.public, other) + max(own.public, other), "sha256")
