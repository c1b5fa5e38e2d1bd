"""rhotwist.secret.noise"""

from __future__ import annotations

import hashlib
import hmac
import random
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from noise.connection import Keypair, NoiseConnection
from twisted.trial.unittest import SynchronousTestCase

from rhotwist.errors import BadPacket, LocalError
from rhotwist.secret import audit
from rhotwist.secret.kem import ML_KEM_768
from rhotwist.secret.noise import HandshakeState, hkdf, hmac_sha256, initial
from rhotwist.secret.suite import SUITES, Suite
from tests import FULL
from tests.secret.plain_noise import Plain, public_of

_VECTORS = Path(__file__).parent.parent / "vectors" / "noise_xk.txt"


def vectors() -> list[dict[str, str]]:
    """The cases of noise_xk.txt, names to values."""
    blocks: list[dict[str, str]] = [{}]
    for line in _VECTORS.read_text().splitlines():
        if not line and blocks[-1]:
            blocks.append({})
        elif line and not line.startswith("#"):
            name, value = line.split("=", 1)
            blocks[-1][name] = value
    return [block for block in blocks if block]


def never(size: int) -> bytes:
    """An Rng for states whose keys are given."""
    raise AssertionError(f"{size} random bytes were asked for")


def pair(private: bytes) -> tuple[bytes, bytes]:
    """(private, public)."""
    return private, public_of(private)


def states(suite: Suite, rng: random.Random, prologue: bytes = b"") -> tuple[HandshakeState, HandshakeState]:
    """An initiator and a responder that suit each other."""
    client, server = pair(rng.randbytes(32)), pair(rng.randbytes(32))
    return (
        HandshakeState(suite, prologue, client, remote=server[1], rng=rng.randbytes, kem=ML_KEM_768),
        HandshakeState(suite, prologue, server, rng=rng.randbytes, kem=ML_KEM_768),
    )


def write(state: HandshakeState, payload: bytes) -> bytes:
    """One whole message."""
    return state.write_tokens() + state.write_payload(payload)


def read(state: HandshakeState, message: bytes) -> bytes:
    """The payload of one whole message."""
    return state.read_payload(state.read_tokens(message))


class VectorTest(SynchronousTestCase):
    def test_every_xk_case_comes_out_byte_for_byte_in_both_roles(self) -> None:
        by_name = {suite.name: suite for suite in SUITES.values()}
        seen = []
        for case in vectors():
            suite = by_name[case["handshake"]]
            value = {name: bytes.fromhex(text) for name, text in case.items() if name != "handshake"}
            prologue, kem = value.get("prologue", b""), ML_KEM_768
            server = pair(value["resp_static"])
            client = HandshakeState(suite, prologue, pair(value["init_static"]), remote=server[1], rng=never, kem=kem)
            responder = HandshakeState(suite, prologue, server, rng=never, kem=kem)
            client.draw(pair(value["gen_init_ephemeral"]))
            responder.draw(pair(value["gen_resp_ephemeral"]))
            for number, (writer, reader) in enumerate(((client, responder), (responder, client), (client, responder))):
                payload, expected = value[f"msg_{number}_payload"], value[f"msg_{number}_ciphertext"]
                self.assertEqual(write(writer, payload).hex(), expected.hex())
                self.assertEqual(read(reader, expected), payload)
            self.assertEqual((client.h, client.split()), (responder.h, responder.split()))
            self.assertEqual(responder.remote, public_of(value["init_static"]))
            for number, key in zip((3, 4), client.split(), strict=True):
                sealed = suite.aead(key).encrypt(bytes(12), value[f"msg_{number}_payload"], b"")
                self.assertEqual(sealed, value[f"msg_{number}_ciphertext"])
            seen.append((suite.number, "prologue" in case, bool(case["msg_0_payload"])))
        self.assertEqual(
            sorted(seen),
            sorted(
                (suite, prologue, payload)
                for suite in (1, 2)
                for prologue in (False, True)
                for payload in (False, True)
            ),
        )


class AgainstNoiseprotocolTest(SynchronousTestCase):
    def peer(self, suite: Suite, prologue: bytes, keys: dict[Any, bytes], initiator: bool) -> NoiseConnection:
        """The other library's end."""
        other = NoiseConnection.from_name(suite.name.encode())
        other.set_as_initiator() if initiator else other.set_as_responder()
        other.set_prologue(prologue)
        for kind, key in keys.items():
            if kind is Keypair.REMOTE_STATIC:
                other.set_keypair_from_public_bytes(kind, key)
            else:
                other.set_keypair_from_private_bytes(kind, key)
        other.start_handshake()
        return other

    def transcript(self, seed: int) -> None:
        rng = random.Random(seed)
        suite, ours_starts = SUITES[rng.choice((1, 2))], rng.random() < 0.5
        prologue = rng.randbytes(rng.randrange(120))
        client, server = pair(rng.randbytes(32)), pair(rng.randbytes(32))
        if ours_starts:
            ours = HandshakeState(suite, prologue, client, remote=server[1], rng=rng.randbytes, kem=ML_KEM_768)
            other = self.peer(suite, prologue, {Keypair.STATIC: server[0]}, False)
        else:
            ours = HandshakeState(suite, prologue, server, rng=rng.randbytes, kem=ML_KEM_768)
            keys = {Keypair.STATIC: client[0], Keypair.REMOTE_STATIC: server[1]}
            other = self.peer(suite, prologue, keys, True)
        for number in range(3):
            payload = rng.randbytes(rng.randrange(200))
            if (number % 2 == 0) is ours_starts:
                self.assertEqual(bytes(other.read_message(write(ours, payload))), payload)
            else:
                self.assertEqual(read(ours, bytes(other.write_message(payload))), payload)
        self.assertEqual(bytes(other.get_handshake_hash()), ours.h)
        first, second = ours.split()
        theirs, mine = (second, first) if ours_starts else (first, second)
        self.assertEqual(bytes(other.decrypt(suite.aead(mine).encrypt(bytes(12), b"there", b""))), b"there")
        self.assertEqual(suite.aead(theirs).decrypt(bytes(12), bytes(other.encrypt(b"back")), b""), b"back")
        if not ours_starts:
            self.assertEqual(ours.remote, client[1])

    def test_random_transcripts_agree_in_both_roles(self) -> None:
        for seed in range(1000 if FULL else 150):
            try:
                self.transcript(seed)
            except BaseException:
                print(f"seed {seed}")
                raise


class AgainstPlainTest(SynchronousTestCase):
    """Our second implementation, the only check there is for the order of tokens of the hybrid suites."""

    def transcript(self, seed: int, number: int) -> None:
        rng = random.Random(seed)
        suite, prologue = SUITES[number], rng.randbytes(rng.randrange(120))
        client, server = pair(rng.randbytes(32)), pair(rng.randbytes(32))
        payloads = [rng.randbytes(rng.randrange(100)) for _ in range(3)]
        kem = ML_KEM_768 if suite.kem else None
        ours = HandshakeState(suite, prologue, client, remote=server[1], rng=rng.randbytes, kem=ML_KEM_768)
        plain = Plain(suite.name, prologue, server[0], None, kem)
        self.assertEqual(plain.read_1(write(ours, payloads[0])), payloads[0])
        self.assertEqual(read(ours, plain.write_2(rng.randbytes(32), payloads[1])), payloads[1])
        self.assertEqual(plain.read_3(write(ours, payloads[2])), payloads[2])
        self.assertEqual((plain.h, plain.split(), plain.rs), (ours.h, ours.split(), client[1]))

        ours = HandshakeState(suite, prologue, server, rng=rng.randbytes, kem=ML_KEM_768)
        plain = Plain(suite.name, prologue, client[0], server[1], kem)
        self.assertEqual(read(ours, plain.write_1(rng.randbytes(32), payloads[0])), payloads[0])
        self.assertEqual(plain.read_2(write(ours, payloads[1])), payloads[1])
        self.assertEqual(read(ours, plain.write_3(payloads[2])), payloads[2])
        self.assertEqual((plain.h, plain.split()), (ours.h, ours.split()))
        self.assertEqual(ours.remote, client[1])

    def test_every_suite_agrees_in_both_roles(self) -> None:
        for number in SUITES:
            for seed in range(250 if FULL else 12):
                self.transcript(seed, number)


class StateTest(SynchronousTestCase):
    def test_names_beyond_32_bytes_are_hashed_and_shorter_ones_padded(self) -> None:
        self.assertEqual(initial("Noise_XK_25519_AESGCM_SHA256"), b"Noise_XK_25519_AESGCM_SHA256\0\0\0\0")
        self.assertEqual(initial("n" * 32), b"n" * 32)
        self.assertEqual(initial("n" * 33), hashlib.sha256(b"n" * 33).digest())

    @given(st.binary(max_size=64), st.binary(max_size=200))
    def test_hmac_and_hkdf_are_those_of_the_standard(self, key: bytes, data: bytes) -> None:
        self.assertEqual(hmac_sha256(key, data), hmac.digest(key, data, "sha256"))
        temporary = hmac.digest(key, data, "sha256")
        first = hmac.digest(temporary, b"\x01", "sha256")
        self.assertEqual(hkdf(key, data), (first, hmac.digest(temporary, first + b"\x02", "sha256")))

    def test_a_copy_fails_alone(self) -> None:
        for suite in SUITES.values():
            client, server = states(suite, random.Random(suite.number))
            message = write(client, b"hello")
            for at in range(0, len(message), 1 if FULL else 7):
                forged = message[:at] + bytes([message[at] ^ 0x10]) + message[at + 1 :]
                self.assertRaises(BadPacket, read, server.copy(), forged)
            self.assertEqual(read(server, message), b"hello")
            answer = write(server, b"welcome")
            for at in range(0, len(answer), 1 if FULL else 7):
                forged = answer[:at] + bytes([answer[at] ^ 0x10]) + answer[at + 1 :]
                self.assertRaises(BadPacket, read, client.copy(), forged)
            copy = client.copy()
            self.assertEqual(read(client, answer), read(copy, answer))
            self.assertEqual(write(client, b"bye"), write(copy, b"bye"))
            self.assertEqual(client.split(), copy.split())

    def test_a_copy_may_go_on_in_place_of_its_original_at_every_step(self) -> None:
        for suite in SUITES.values():
            client, server = states(suite, random.Random(suite.number))
            for number in range(3):
                writer, reader = (client, server) if number % 2 == 0 else (server, client)
                writer, reader = writer.copy(), reader.copy()
                self.assertEqual(read(reader, write(writer, b"said")), b"said")
                client, server = (writer, reader) if number % 2 == 0 else (reader, writer)
            client, server = client.copy(), server.copy()
            self.assertEqual((client.split(), client.h, client.step), (server.split(), server.h, 3))
            self.assertEqual((client._e1, server._re1), ((None, b""), b""))  # nothing of the KEM stays
            self.assertEqual((client.remote, server.remote), (server._s[1], client._s[1]))

    def test_every_cut_message_is_a_bad_packet(self) -> None:
        for suite in SUITES.values():
            client, server = states(suite, random.Random(suite.number))
            message = write(client, b"")
            for size in [*range(70), *range(70, len(message), 50)]:
                if size < len(message):
                    self.assertRaises(BadPacket, read, server.copy(), message[:size])
            read(server, message)
            answer = write(server, b"")
            for size in [*range(70), *range(70, len(answer), 50)]:
                if size < len(answer):
                    self.assertRaises(BadPacket, read, client.copy(), answer[:size])
            read(client, answer)
            last = write(client, b"")
            for size in range(len(last)):
                self.assertRaises(BadPacket, read, server.copy(), last[:size])

    def test_messages_out_of_turn_are_our_caller_s_mistake(self) -> None:
        client, server = states(SUITES[1], random.Random(1))
        self.assertRaises(LocalError, server.write_tokens)
        self.assertRaises(LocalError, client.read_tokens, bytes(100))
        self.assertRaises(LocalError, client.split)
        self.assertRaises(LocalError, client.copy().write_payload, b"before any key")
        message = write(client, b"")
        self.assertRaises(LocalError, client.write_tokens)
        read(server, message)
        read(client, write(server, b""))
        read(server, write(client, b""))
        for state in (client, server):
            self.assertRaises(LocalError, state.write_tokens)
            self.assertRaises(LocalError, state.read_tokens, bytes(100))

    def test_small_order_keys_are_refused_wherever_one_may_stand(self) -> None:
        client, server = states(SUITES[1], random.Random(2))
        error = self.assertRaises(BadPacket, read, server.copy(), bytes(32) + bytes(16))
        self.assertEqual(error.reason, "zero")
        read(server, write(client, b""))
        error = self.assertRaises(BadPacket, read, client.copy(), b"\x01" + bytes(31) + bytes(16))
        self.assertEqual(error.reason, "zero")
        read(client, write(server, b""))
        client._s = (client._s[0], bytes(32))
        error = self.assertRaises(BadPacket, read, server.copy(), write(client, b""))
        self.assertEqual(error.reason, "zero")

    def test_no_key_meets_a_nonce_twice(self) -> None:
        seen: dict[tuple[bytes, bytes], bytes] = {}

        def hook(key: bytes, nonce: bytes, digest: bytes) -> None:
            self.assertEqual((len(key), len(nonce)), (32, 12))
            self.assertEqual(seen.setdefault((key, nonce), digest), digest)

        self.patch(audit, "hook", hook)
        for suite in SUITES.values():
            before = len(seen)
            client, server = states(suite, random.Random(suite.number))
            read(server, write(client, b"1"))
            read(client, write(server, b"2"))
            read(server, write(client, b"3"))
            self.assertEqual(len(seen) - before, 6 if suite.kem else 4)

    def test_a_repr_shows_no_secret(self) -> None:
        client, _ = states(SUITES[4], random.Random(3))
        self.assertEqual(repr(client), "<Noise_XKhfs_25519+MLKEM768_AESGCM_SHA256 initiator after 0 messages>")
