"""Where a test looks on while packets are sealed: no key may meet one nonce twice with two contents.

Every seal of this folder, handshake or session, calls ``hook`` when one is set. Nothing in the product sets it: tests
and ``rhotwist.testing`` do. Callers read it as ``audit.hook`` each time, so that setting it takes effect at once.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable

#: Called as ``hook(key, nonce, digest)`` before each seal: the AEAD key, the 12 bytes of its nonce and ``digest_of``
#: what is sealed. A key and nonce seen again with the same digest is one packet made twice; with another digest it is
#: a bug.
hook: Callable[[bytes, bytes, bytes], None] | None = None


def digest_of(plain: bytes, ad: bytes) -> bytes:
    """32 bytes that tell two seals apart: SHA-256 over the length of the associated data, it, and the plain bytes."""
    return hashlib.sha256(len(ad).to_bytes(8, "big") + ad + plain).digest()
