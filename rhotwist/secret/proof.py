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

from rhotwist.errors import BadKey, BadPacket, LocalError
from rhotwist.keys.pair import SeedKey, check_key, verify
from rhotwist.secret.labels import PROOF

#: Roles: the initiator speaks as W; the responder does; the initiator logs W in here.
INITIATOR, RESPONDER, LOGIN = 1, 2, 3

#: Bytes of a proof without authority.
PROOF_SIZE = 98

_KEY, _SIGNATURE, _HASH = 32, 64, 32
_WALLET = slice(1, 33)
_AUTHORITY = 33


def prove(wallet: SeedKey, role: int, binding: bytes, client: bytes, server: bytes) -> bytes:
    """The proof that we hold wallet, PROOF_SIZE bytes.

    client and server are the Ed25519 keys of the session's initiator and responder, 32 bytes each, as is binding.
    Raises LocalError for a role that there is not and for another size.
    """
    return bytes((role,)) + wallet.public + b"\0" + wallet.sign(_signed(role, wallet.public, binding, client, server))


def read_proof(proof: bytes, role: int, binding: bytes, client: bytes, server: bytes) -> bytes:
    """The wallet that a proof proves, role being the one that its sender may take here.

    Raises BadPacket: size, role, authority (it says it has one), key (no canonical one), proof (the signature is
    none). The signature, 40 µs, is looked at last.
    """
    if len(proof) != PROOF_SIZE:
        raise BadPacket("size")
    if proof[0] != role:
        raise BadPacket("role")
    if proof[_AUTHORITY]:
        raise BadPacket("authority")
    wallet = proof[_WALLET]
    try:
        check_key(wallet)
    except BadKey:
        raise BadPacket("key") from None
    if not verify(wallet, _signed(role, wallet, binding, client, server), proof[-_SIGNATURE:]):
        raise BadPacket("proof")
    return wallet


def wallet_of(proof: bytes) -> bytes:
    """The wallet that a proof of our own making names; of a peer's it says nothing until ``read_proof`` has."""
    return proof[_WALLET]


def _signed(role: int, wallet: bytes, binding: bytes, client: bytes, server: bytes) -> bytes:
    if role not in (INITIATOR, RESPONDER, LOGIN):
        raise LocalError(f"role {role} is none of 1, 2, 3")
    for part in (binding, client, server):
        if len(part) != _KEY:
            raise LocalError(f"a binding or key has {_KEY} bytes, not {len(part)}")
    return b"".join((PROOF, bytes((role,)), binding, client, server, wallet, bytes(_HASH)))
