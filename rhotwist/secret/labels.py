"""Every label of the protocol: one row each, what it keeps apart. Read by a test: no label is a prefix of another.

A label stands before the bytes that are MACed, signed or turned into a key, so that bytes made for one use never pass
for another. Folders below this one spell their own labels; the test finds each in the sources and here.
"""

from __future__ import annotations

# --- handshake (docs/spec/handshake.md)
NOISE = b"rho/noise/1"
MAC1 = b"rho/mac1/1"
RETRY = b"rho/retry/1"
SESSION = b"rho/session/1"

# --- before the handshake (docs/spec/cookies.md)
STATELESS = b"rho/stateless/1"
COOKIE = b"rho/cookie/1"
PUZZLE = b"rho/puzzle/1"
TOKEN = b"rho/token/1"
TICKET = b"rho/ticket/1"

# --- after it (docs/spec/small-packets.md, docs/spec/ratchet.md, docs/spec/proofs.md)
KEY = b"rho/key/1"
RATCHET = b"rho/ratchet/1"
PROOF = b"rho/proof/1"

#: label -> what it is for.
LABELS: dict[bytes, str] = {
    NOISE: "Noise prologue",
    MAC1: "keys of mac1 in Hello and Accept",
    RETRY: "key of a Retry",
    SESSION: "first root of a session",
    STATELESS: "secrets of one period, from the process's or the siblings' master",
    COOKIE: "cookie",
    PUZZLE: "puzzle",
    TOKEN: "address token",
    TICKET: "redirect ticket",
    KEY: "keys of an epoch, from its root",
    RATCHET: "next root",
    PROOF: "wallet proof",
    b"rho/chain/1": "link of the derivation chain, from the one above",
    b"rho/seed/1": "signing seed of a link",
    b"rho/schema/1": "schema identifier",
    b"rho/file/1": "list of the parts of a file",
    b"rho/pair/1": "mark of a pair of keys",
    b"rho/conv/1": "identifier of a conversation",
    b"rho/said/1": "one thing said in a conversation",
    b"rho/talk/1": "proof of what a conversation came to",
    b"rho/authority/1": "leave to speak or receive for a wallet",
    b"rho/rec/1": "directory record",
    b"rho/work/1": "work behind a record",
    b"rho/bundle/1": "check of a part of a bundle",
    b"rho/addr/1": "address of a key's record in the directory",
    b"rho/root/1": "statement of a tree's root",
}
