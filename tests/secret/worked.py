"""The worked handshakes of docs/spec/handshake.md, one for each suite, replayed from tests/vectors/handshakes.txt.

``python -m tests.secret.worked`` makes them anew; ML-KEM draws its own randomness, so the hybrid ones then change.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey

from rhotwist.keys.pair import SeedKey
from rhotwist.secret.handshake import Draft, accept, retry
from rhotwist.secret.kem import ML_KEM_768
from rhotwist.secret.suite import SUITES
from rhotwist.wire.datagram import pack_address
from rhotwist.wire.packet import COOKIE, read_hello

FILE = Path(__file__).parent.parent / "vectors" / "handshakes.txt"
HEAD = """\
# One handshake for each suite; what goes in stands in docs/spec/handshake.md, "Worked example". Hexadecimal.
# r is a Retry for h; ct and shared are what the server got from ML-KEM-768, for the hybrid suites.
"""


class Recorded:
    """A Kem that generates one key from a fixed seed, and encapsulates to it as recorded."""

    def __init__(self, shared: bytes = b"", ciphertext: bytes = b"") -> None:
        self.result = (shared, ciphertext)

    def generate(self) -> tuple[Any, bytes]:
        """The key of seed 00 01 .. 3f."""
        private = MLKEM768PrivateKey.from_seed_bytes(bytes(range(64)))
        return private, private.public_key().public_bytes_raw()

    def encapsulate(self, public: bytes) -> tuple[bytes, bytes]:
        """What was recorded, or a fresh result that is then recorded."""
        if not self.result[0]:
            self.result = ML_KEM_768.encapsulate(public)
        return self.result

    def decapsulate(self, private: Any, ciphertext: bytes) -> bytes:
        """The true one."""
        return ML_KEM_768.decapsulate(private, ciphertext)


def run(suite: int, kem: Recorded) -> dict[str, bytes]:
    """One handshake and everything of it that a second implementation would compare."""
    client, server = SeedKey(b"\x08" * 32), SeedKey(b"\x07" * 32)
    sent = Draft.draw(
        client, server.public, suite, (suite,), code=0x01020304, rng=lambda size: b"\x21" * size, kem=kem
    ).seal(cookie=bytes(range(16)), flags=COOKIE, puzzle=bytes.fromhex("0100000000000000"), largest=1452)
    hello = read_hello(sent.datagram)
    again = retry(
        server.public, hello, bytes(range(16)), difficulty=1, mask=30, reason=1, rng=lambda size: b"\x23" * size
    )
    address = pack_address("192.0.2.7", 40_000)
    answer, half = accept(
        server, hello, code=0x05060708, mask=30 if suite == 4 else 1 << suite, address=address,
        rng=lambda size: b"\x22" * size, kem=kem,
    )  # fmt: skip
    accepted = sent.read_accept(answer)
    finish, keys = accepted.finish(b"\0\0")
    finished = half.read_finish(finish)
    if finished.keys.root != keys.root or sent.code != half.peer_code:
        raise AssertionError("the two sides differ")
    out = {"h": sent.datagram, "r": again, "a": answer, "f": finish}
    out |= {"binding": finished.binding, "session": keys.h, "root": keys.root}
    if kem.result[0]:
        out |= {"shared": kem.result[0], "ct": kem.result[1]}
    return out


def recorded() -> dict[int, dict[str, bytes]]:
    """The file, by suite."""
    cases: dict[int, dict[str, bytes]] = {}
    for line in FILE.read_text().splitlines():
        if line.startswith("suite="):
            current = cases.setdefault(int(line.split("=")[1]), {})
        elif line and not line.startswith("#"):
            name, value = line.split("=")
            current[name] = bytes.fromhex(value)
    return cases


if __name__ == "__main__":
    lines = [HEAD]
    for number in SUITES:
        lines += [f"suite={number}", *(f"{name}={value.hex()}" for name, value in run(number, Recorded()).items()), ""]
    FILE.write_text("\n".join(lines))
