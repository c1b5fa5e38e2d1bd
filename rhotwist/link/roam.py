"""Following a peer that moves: one candidate address, one challenge per round trip, no more bytes out than in.

Only the responder follows. Until the candidate has answered, everything but the challenge goes to the old address, so a
packet repeated from a stranger's address moves nothing and earns its sender less than it cost. docs/spec/small-
packets.md.
"""

from __future__ import annotations

from rhotwist.wire.datagram import Path

#: A challenge as it lies on the wire: header, tag, control head and 8 bytes.
CHALLENGE_SIZE = 12 + 16 + 5 + 8


#: Requests whose replies are given again after a move; more are asked for again by the peer.
OWED = 64


class Candidate:
    """An address that may be the peer's new one. data is what it must send back; times are mono seconds.

    owed are the numbers of requests whose replies went to the old address meanwhile, at most OWED: those still kept go
    again when it has answered.
    """

    __slots__ = ("asked", "data", "got", "owed", "path", "sent")

    def __init__(self, path: Path, data: bytes) -> None:
        self.path = path
        self.data = data
        self.got = 0
        self.sent = 0
        self.asked = float("-inf")
        self.owed: list[int] = []

    def owe(self, number: int) -> None:
        """The reply to that request of the peer goes to the old address now."""
        if len(self.owed) < OWED:
            self.owed.append(number)

    def heard(self, size: int, mono: float, round_trip: float) -> bool:
        """Book a good packet of size bytes from the candidate; True if a challenge may go to it now."""
        self.got += size
        if mono - self.asked < round_trip or self.sent + CHALLENGE_SIZE > self.got:
            return False
        self.asked = mono
        self.sent += CHALLENGE_SIZE
        return True
