"""Parsers that need a handshake or a session under way, each with one that stands still: whatever it is fed, the next
input meets the same state.

An entry whose name ends in ``.checked`` puts the right mac1 on its input, so that the curve and the ciphers see bytes
that no honest peer makes; ``.sealed`` seals its input, so that what lies behind the seal does.
"""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable
from random import Random
from typing import Any, cast

import attrs
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey

from rhotwist.errors import BadPacket, SuiteRefused
from rhotwist.keys.pair import SeedKey
from rhotwist.limits import Limits
from rhotwist.link import finish, messages
from rhotwist.moment import Rng
from rhotwist.secret import curve, greeting, handshake
from rhotwist.secret.fragments import FIRST, SECOND, Fragments
from rhotwist.secret.kem import ML_KEM_768, MlKem768
from rhotwist.secret.proof import INITIATOR, RESPONDER, prove, read_proof
from rhotwist.secret.seal import PacketSeal
from rhotwist.wire.frame import pack_control, pack_message, pack_reply, pack_several, read_frame, read_frames
from rhotwist.wire.packet import HEADER, MAC_SIZE, read_hello
from rhotwist.wire.schema import Schema

SERVER, CLIENT, WALLET = (SeedKey(bytes([number]) * 32) for number in (7, 8, 9))
MASK, ORDER = 0b11110, (4, 3, 2, 1)
PLACE = bytes(10) + b"\xff\xff\xc0\x00\x02\x01\x1d\x24"

#: Parse, valid inputs, functions whose lines those must reach: what ``parsers.Target`` holds.
Entry = tuple[Callable[[bytes], object], Callable[[], list[bytes]], tuple[Any, ...]]


@attrs.frozen
class Exchange:
    """One handshake of a suite, with every packet of it and every state that waits for one."""

    sent: handshake.SentHello
    retry: bytes
    accept: bytes
    half_open: handshake.HalfOpen
    finish: bytes
    keys: handshake.SessionKeys


class SeededKem(MlKem768):
    """The real ML-KEM-768, but for key pairs, which come from a seed."""

    def __init__(self, rng: Rng) -> None:
        self._rng = rng

    def generate(self) -> tuple[MLKEM768PrivateKey, bytes]:
        """See ``secret.kem.Kem``."""
        private = MLKEM768PrivateKey.from_seed_bytes(self._rng(64))
        return private, private.public_key().public_bytes_raw()


@attrs.frozen
class Liar:
    """A client who says he is ``public`` and has the keys of somebody else."""

    public: bytes
    _holds: SeedKey

    @property
    def x_private(self) -> bytes:
        """The X25519 key he really has."""
        return self._holds.x_private

    @property
    def x_public(self) -> bytes:
        """Its public half."""
        return self._holds.x_public


@functools.cache
def exchange(suite: int, client: SeedKey | Liar = CLIENT) -> Exchange:
    """The handshake of a suite, the same in every process but for what a real key encapsulation draws."""
    random = Random(f"live/{suite}")
    rng = random.randbytes
    kem = SeededKem(rng)
    order = ORDER[ORDER.index(suite) :]
    draft = handshake.Draft.draw(cast(SeedKey, client), SERVER.public, suite, order, code=5, rng=rng, kem=kem)
    sent = draft.seal()
    hello = read_hello(sent.datagram)
    retry = handshake.retry(SERVER.public, hello, bytes(range(16)), difficulty=3, mask=MASK, reason=1, rng=rng)
    mask = MASK & (1 << suite + 1) - 1
    data, half_open = handshake.accept(SERVER, hello, code=6, mask=mask, address=PLACE, rng=rng, kem=kem)
    accepted = copy.copy(sent).read_accept(data)
    proof = prove(WALLET, INITIATOR, accepted.h_before_payload, client.public, SERVER.public)
    payload = finish.FinishPayload(proofs=(proof,), frame=pack_message(1, 0, 3, 4, (bytes(16), b"", b"", b"hi")))
    finished, keys = accepted.finish(payload.encode())
    return Exchange(sent, retry, data, half_open, finished, keys)


@functools.cache
def session(suite: int) -> tuple[handshake.SessionKeys, handshake.SessionKeys, bytes]:
    """The keys of a finished handshake on both sides, and what proofs in its Finish are bound to."""
    theirs = copy.copy(exchange(suite).half_open).read_finish(exchange(suite).finish)
    return exchange(suite).keys, theirs.keys, theirs.binding


@functools.cache
def _kem() -> tuple[Any, bytes]:
    return ML_KEM_768.generate()


def _accept(data: bytes) -> object:
    """What a server does with a Hello whose mac1 holds."""
    hello = read_hello(data)
    return handshake.accept(SERVER, hello, code=6, mask=MASK, address=PLACE, rng=Random(0).randbytes, kem=ML_KEM_768)


def _hello(data: bytes) -> object:
    hello = read_hello(data)
    if not handshake.check_mac1(hello, handshake.mac1_key(SERVER.public)):
        raise BadPacket("mac1")
    return _accept(data)


def _hello_checked(data: bytes) -> object:
    body = data[:-MAC_SIZE]
    return _hello(body + greeting.mac1(handshake.mac1_key(SERVER.public), body))


def _hello_corpus() -> list[bytes]:
    return [exchange(suite).sent.datagram for suite in ORDER]


def _half(data: bytes) -> object:
    """A half whose mac1 and cookie would hold, after the honest other one: put together, and taken if it is whole."""
    hello = read_hello(data)
    if hello.header.fragment not in (FIRST, SECOND):
        raise BadPacket("fragment")
    waiting = Fragments(Limits(fragment_max=4), Random(0).randbytes)
    honest = exchange(max(_suite_of(data), 3)).sent.halves
    waiting.add(PLACE, read_hello(honest[hello.header.fragment == FIRST]), 0.0)
    whole = waiting.add(PLACE, hello, 0.0)
    if whole is None:
        return None
    return handshake.accept(SERVER, whole, code=6, mask=MASK, address=PLACE, rng=Random(0).randbytes, kem=ML_KEM_768)


def _half_corpus() -> list[bytes]:
    return [half for suite in ORDER for half in exchange(suite).sent.halves]


def _suite_of(data: bytes) -> int:
    """Which of the four handshakes a packet is meant for: the suite byte says it, or nothing does."""
    return data[1] if data[1:2] and data[1] in ORDER else 1


def _retry(data: bytes) -> object:
    return exchange(_suite_of(data)).sent.read_retry(data)


def _accepted(data: bytes) -> object:
    try:
        return copy.copy(exchange(_suite_of(data)).sent).read_accept(data)
    except SuiteRefused:
        return None  # a name of its own, for the server that says this is proven


def _accepted_checked(data: bytes) -> object:
    sent = exchange(_suite_of(data)).sent
    body = data[:-MAC_SIZE]
    key = greeting.accept_key(SERVER.public, sent.datagram[-MAC_SIZE:])
    return _accepted(body + greeting.mac1(key, body))


#: Clients whose Finish is sealed rightly and must be refused: somebody else's name, no key for a name, the server's.
LIARS = (Liar(WALLET.public, CLIENT), Liar(bytes(32), CLIENT), Liar(CLIENT.public, SERVER))


def _finish(data: bytes) -> object:
    """Read by the server that waits for this client, honest or not."""
    suite = _suite_of(data)
    for client in (CLIENT, *LIARS):
        if data[HEADER:][:8] == exchange(suite, client).finish[HEADER:][:8]:
            return copy.copy(exchange(suite, client).half_open).read_finish(data)
    return copy.copy(exchange(suite).half_open).read_finish(data)


def _finish_corpus() -> list[bytes]:
    return [exchange(suite).finish for suite in ORDER] + [exchange(2, liar).finish for liar in LIARS]


# --- sessions ---------------------------------------------------------------------------------------------------------


def _seals(suite: int) -> tuple[PacketSeal, PacketSeal]:
    ours, theirs, _ = session(suite)
    return PacketSeal(ours, 5, 6, 1000), PacketSeal(theirs, 6, 5, 2000)


@functools.cache
def _opening() -> list[PacketSeal]:
    """Both kinds of cipher, each with a receiver that has opened one packet, so that old ones are replays."""
    found = []
    for suite in (1, 2):
        ours, theirs = _seals(suite)
        theirs.open(ours.seal(b"first"))
        found.append(theirs)
    return found


def _small(data: bytes) -> object:
    """Open with both; a failure must leave the receiver as it was, so the state is looked at before and after."""
    error: BadPacket | None = None
    for at, seal in enumerate(_opening()):
        before = (seal.newest, seal.epoch, seal._seen)
        try:
            seal.open(data)
        except BadPacket as bad:
            error = bad
            if (seal.newest, seal.epoch, seal._seen) != before:
                raise AssertionError(f"a packet refused for {bad.reason} changed the seal") from bad
        else:
            _opening()[at] = _fresh(at)
            return None
    raise error or BadPacket("none")


def _fresh(at: int) -> PacketSeal:
    ours, theirs = _seals(at + 1)
    theirs.open(ours.seal(b"first"))
    return theirs


def _small_corpus() -> list[bytes]:
    found = []
    for suite in (1, 2):
        ours, _ = _seals(suite)
        found += [ours.seal(body) for body in (b"first", b"", b"second", bytes(1000))]
    return found


@functools.cache
def _control() -> dict[int, type[Schema]]:
    return {
        value.identifier: value
        for value in vars(messages).values()
        if isinstance(value, type) and issubclass(value, Schema) and "identifier" in vars(value)
    }


def _sealed(data: bytes) -> object:
    """Whatever a peer seals: opened, taken apart, and its body read if we speak the schema."""
    ours, theirs = _seals(1)
    _, plain = theirs.open(ours.seal(data))
    if plain != data:
        raise AssertionError("what was opened is not what was sealed")
    taken = [frame for frame in read_frames(plain) if frame is not None]
    return [_control()[frame.schema].decode(frame.body) if frame.schema in _control() else frame for frame in taken]


def _sealed_corpus() -> list[bytes]:
    rest = (bytes(16), b"", b"", b"body")
    found = [b"\0", pack_message(1, 2, 3, 4, rest), pack_reply(3, 4, bytes(32), bytes(16), b"body")]
    found += [
        pack_control(messages.Ping.identifier, messages.Ping(nonce=1).encode()),
        pack_control(messages.Challenge.identifier, messages.Challenge(data=bytes(8)).encode()),
        pack_control(messages.Rekey.identifier, messages.Rekey(epoch=1, key=bytes(32)).encode()),
        pack_reply(3, messages.Refusal.identifier, bytes(32), bytes(16), messages.Refusal(code=1, said="no").encode()),
    ]
    return found + pack_several(found[1:], 1_200)


def _proof(data: bytes) -> object:
    """A proof in either role, as its first byte says."""
    role = RESPONDER if data[:1] == bytes([RESPONDER]) else INITIATOR
    return read_proof(data, role, session(1)[2], CLIENT.public, SERVER.public)


def _proof_corpus() -> list[bytes]:
    return [
        prove(WALLET, role, session(1)[2], CLIENT.public, SERVER.public) for role in (INITIATOR, RESPONDER)
    ]


TARGETS: dict[str, Entry] = {
    "secret.handshake.hello": (_hello, _hello_corpus, ()),
    "secret.fragments.add": (_half, _half_corpus, (Fragments.add,)),
    "secret.kem.encapsulate": (ML_KEM_768.encapsulate, lambda: [_kem()[1]], (type(ML_KEM_768).encapsulate,)),
    "secret.kem.decapsulate": (
        lambda data: ML_KEM_768.decapsulate(_kem()[0], data),
        lambda: [ML_KEM_768.encapsulate(_kem()[1])[1]],
        (type(ML_KEM_768).decapsulate,),
    ),
    "secret.curve.exchange": (
        lambda data: curve.exchange(CLIENT.x_private, data),
        lambda: [SERVER.x_public, bytes(32), b"\1" + bytes(31), SERVER.x_public[:31]],
        (curve.exchange,),
    ),
    "secret.handshake.hello.checked": (_hello_checked, _hello_corpus, (handshake.accept,)),
    "secret.handshake.retry": (_retry, lambda: [exchange(suite).retry for suite in ORDER], (greeting.read_retry,)),
    "secret.handshake.accept": (_accepted, lambda: [exchange(suite).accept for suite in ORDER], ()),
    "secret.handshake.accept.checked": (
        _accepted_checked,
        lambda: [exchange(suite).accept for suite in ORDER],
        (handshake.SentHello.read_accept,),
    ),
    "secret.handshake.finish": (
        _finish, _finish_corpus, (handshake.HalfOpen.read_finish,)
    ),
    "secret.proof.read_proof": (_proof, _proof_corpus, (read_proof,)),
    "secret.seal.open": (_small, _small_corpus, (PacketSeal.open,)),
    "secret.seal.open.sealed": (_sealed, _sealed_corpus, (read_frames, read_frame)),
}  # fmt: skip
