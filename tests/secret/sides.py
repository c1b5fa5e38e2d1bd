"""Two ends of a session without the handshake, and packets made by other means than ours."""

from collections import deque
from collections.abc import Callable

from rhotwist.errors import BadPacket
from rhotwist.secret.handshake import SessionKeys
from rhotwist.secret.seal import SEALS_MAX, PacketSeal, derive
from rhotwist.secret.suite import aead
from rhotwist.wire.packet import small_header

ROOT = bytes(range(32))
INITIATOR_CODE, RESPONDER_CODE = 0x11111111, 0x22222222


def pair(
    suite: int = 4, root: bytes = ROOT, start: int = 0, seals_max: int = SEALS_MAX
) -> tuple[PacketSeal, PacketSeal]:
    """Initiator and responder."""
    one, other = (SessionKeys(suite, root, bytes(32), initiator, bytes(32)) for initiator in (True, False))
    return (
        PacketSeal(one, INITIATOR_CODE, RESPONDER_CODE, start, seals_max),
        PacketSeal(other, RESPONDER_CODE, INITIATOR_CODE, start, seals_max),
    )


def packet(
    counter: int, plain: bytes = b"", *, suite: int = 4, root: bytes = ROOT, flags: int = 0, epoch: int = 0
) -> bytes:
    """What an initiator would send, put together by the spec page rather than by ``PacketSeal``."""
    header = small_header(epoch, flags, counter, RESPONDER_CODE)
    nonce = bytes(4) + (counter % 2**64).to_bytes(8, "big")
    return header + aead(suite, derive(root, 1, 0)).encrypt(nonce, plain, header)


def opens(seal: PacketSeal, datagram: bytes) -> bool:
    """Whether a datagram opens."""
    try:
        seal.open(datagram)
    except BadPacket:
        return False
    return True


def state(seal: PacketSeal) -> list[object]:
    """All that a PacketSeal holds, ciphers aside."""
    values = [getattr(seal, name) for name in PacketSeal.__slots__ if name not in ("_encrypt", "_decrypt")]
    return [bytes(value) if isinstance(value, bytearray) else value for value in values]


def counting(start: int = 0) -> Callable[[int], bytes]:
    """An Rng whose bytes are all different and always the same."""
    numbers = deque([start])

    def rng(size: int) -> bytes:
        numbers.append(numbers.popleft() + 1)
        return (numbers[0].to_bytes(4, "big") * (size // 4 + 1))[-size:]

    return rng
