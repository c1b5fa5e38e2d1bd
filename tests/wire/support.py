"""What the wire's tests share: bytes that are nearly right, and the one exception they may raise."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st

from rhotwist.errors import BadPacket


@st.composite
def mutated(draw: st.DrawFn, valid: st.SearchStrategy[bytes]) -> bytes:
    """Valid bytes after up to three of: a flipped bit, a changed byte, a cut, a piece put in, a piece said twice."""
    data = bytearray(draw(valid))
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, max(0, len(data) - 1)))
        kind = draw(st.integers(0, 5))
        if kind == 0 and data:
            data[at] ^= 1 << draw(st.integers(0, 7))
        elif kind == 1 and data:
            data[at] = draw(st.sampled_from([0, 1, 2, 127, 128, 255]))
        elif kind == 2:
            del data[at:]
        elif kind == 3:
            data[at:at] = draw(st.binary(min_size=1, max_size=4))
        elif kind == 4:
            data[at:at] = data[at : at + 4]
        else:
            data += draw(st.binary(min_size=1, max_size=4))
    return bytes(data)


def refused(read: Callable[[bytes], Any], data: bytes) -> str | None:
    """The reason for which data is refused, None if it is taken. Any other exception than BadPacket goes through."""
    try:
        read(data)
    except BadPacket as error:
        return error.reason
    return None
