"""Wallet proofs: "whoever holds this session's end also holds wallet W". Spec page: docs/spec/proofs.md.

    0 1 role   1 32 W   33 1 authority present, 0   34 64 signature by W
    signed: label ‖ role ‖ binding 32 ‖ C 32 ‖ S 32 ‖ W 32 ‖ 32 zeros where the hash of an authority would stand

Binding is what only this session has: in Finish the handshake hash before its payload, later the final one. C is the
client's identity and S the server's, so a proof made for one server is worth nothing at another. It is evidence,
though: whoever gets one can show others that W spoke here.

A wallet that speaks for another will add its authority. There is no such thing yet, so a proof that says it has one is
refused.
"""

from __future__ import annotations

from collections.abc import Collection

import attrs

from rhotwist.errors import BadKey, BadPacket, LocalError
from rhotwist.keys.pair import SeedKey, check_key, verify
from rhotwist.secret.labels import PROOF

#: Roles: the initiator speaks as W; the responder does; the initiator logs W in here.
SPEAKS, ANSWERS, LOGS_IN = 1, 2, 3

#: Bytes of a proof without authority.
SIZE = 98

_KEY, _SIGNATURE, _HASH = 32, 64, 32
_WALLET = slice(1, 33)
_AUTHORITY = 33


@attrs.frozen
class Parties:
    """Between whom a proof holds: binding of the session, client's and server's Ed25519 keys; 32 bytes each."""

    binding: bytes
    client: bytes
    server: bytes

    def __attrs_post_init__(self) -> None:
        for name in ("binding", "client", "server"):
            if len(getattr(self, name)) != _KEY:
                raise LocalError(f"{name} has {_KEY} bytes, not {len(getattr(self, name))}")


def prove(role: int, wallet: SeedKey, parties: Parties) -> bytes:
    """The proof that we hold wallet, SIZE bytes. Raises LocalError for a role that there is not."""
    if role not in (SPEAKS, ANSWERS, LOGS_IN):
        raise LocalError(f"role {role} is none of 1, 2, 3")
    return bytes((role,)) + wallet.public + b"\0" + wallet.sign(_signed(role, wallet.public, parties))


def check(proof: bytes, parties: Parties, roles: Collection[int]) -> tuple[int, bytes]:
    """The role and the wallet that a proof proves, roles being those that its sender may take here.

    Raises BadPacket: size, role, key (no canonical one), authority, proof (the signature is none). One signature
    check, about 40 µs, comes last.
    """
    if len(proof) != SIZE:
        raise BadPacket("size")
    role, wallet = proof[0], proof[_WALLET]
    if role not in roles:
        raise BadPacket("role")
    if proof[_AUTHORITY]:
        raise BadPacket("authority")
    try:
        check_key(wallet)
    except BadKey:
        raise BadPacket("key") from None
    if not verify(wallet, _signed(role, wallet, parties), proof[-_SIGNATURE:]):
        raise BadPacket("proof")
    return role, wallet


def _signed(role: int, wallet: bytes, parties: Parties) -> bytes:
    return b"".join((PROOF, bytes((role,)), parties.binding, parties.client, parties.server, wallet, bytes(_HASH)))
