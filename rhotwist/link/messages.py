"""What the protocol itself says inside a session. Layouts: docs/spec/control.md.

The first group travels as control frames, unnumbered: each is repeated by whoever needs it, and harmless twice. The
second group are ordinary requests that a node answers by itself.
"""

from __future__ import annotations

import enum

from rhotwist.wire.schema import Request, Schema, blob, flag, many, maybe, octets, text, u8, u16, u32


class RefusalCode(enum.IntEnum):
    """Why a peer did not answer a request."""

    NOT_SPOKEN = 1
    HANDLER_FAILED = 2
    OVERLOADED = 3
    NOT_HERE = 4
    REFUSED = 5
    BAD_BODY = 6
    TOO_BIG = 7
    NO_ROOM = 8


class CloseReason(enum.IntEnum):
    """Why a session ends."""

    STOPPED = 1
    SUPERSEDED = 2
    WORN_OUT = 3


class GoneReason(enum.IntEnum):
    """Why an object under way is given up."""

    CANCELLED = 1
    REFUSED = 2
    TOO_SLOW = 3
    WRONG_HASH = 4
    NO_ROOM = 5
    NO_WAY = 6
    UNKNOWN = 7
    LIED = 8


#: What an offered object is (``Offer.kind``): a message or request, or the reply to one.
OBJECT_MESSAGE, OBJECT_REPLY = 0, 1
#: Added to the kind: nobody waits for it, and what else uses the way goes first.
BACKGROUND = 0x80


class Welcome(Schema, name="rho.welcome"):
    """T: the responder has read Finish. token is good for one later Hello from this IP address.

    kept says that the responder still holds the exchange of the session before, as Finish asked.
    """

    token: bytes = octets(16)
    kept: bool = flag()


class Ping(Schema, name="rho.ping"):
    """Is the session alive? Answered with Pong of the same nonce."""

    nonce: int = u32()


class Pong(Schema, name="rho.pong"):
    """The session is alive; seen is where the Ping came from, 18 bytes."""

    nonce: int = u32()
    seen: bytes = octets(18)


class Working(Schema, name="rho.working"):
    """The request with this hashcode is being worked at: do not repeat it, its answer will be pushed."""

    hashcode: int = u32()


class Got(Schema, name="rho.got"):
    """The pushed reply to this hashcode has arrived: stop repeating it."""

    hashcode: int = u32()


class Rekey(Schema, name="rho.rekey"):
    """The initiator offers epoch with its fresh X25519 key."""

    epoch: int = u32()
    key: bytes = octets(32)


class Rekeyed(Schema, name="rho.rekeyed"):
    """The responder takes epoch with its own fresh X25519 key."""

    epoch: int = u32()
    key: bytes = octets(32)


class RekeyWanted(Schema, name="rho.rekey-wanted"):
    """The responder asks the initiator to begin the epoch after the present one."""

    epoch: int = u32()


class Challenge(Schema, name="rho.challenge"):
    """Sent to an address that claims to be the peer's new one."""

    data: bytes = octets(8)


class ChallengeMet(Schema, name="rho.challenge-met"):
    """The answer, which must come from that address."""

    data: bytes = octets(8)


class Redirect(Schema, name="rho.redirect"):
    """The responder asks the initiator to go to a sibling process.

    Requests numbered taken or higher have not been acted on and may move. token is of kind 2, ticket for Finish.
    """

    kind: int = u8()
    server: bytes = octets(32)
    addresses: tuple[bytes, ...] = many(octets(18), 4)
    token: bytes = octets(16)
    ticket: bytes = octets(32)
    taken: int = u16()


class Ack(Schema, name="rho.ack"):
    """What has come of an object: all packets below base, and base + i where bit i of the bitmap is set.

    Bit 0 is the lowest bit of the first byte. counter is the highest that was opened, delay how long ago, in units of
    0.1 ms. base = the number of packets says more: the object is whole and its hash holds.
    """

    id: int = u32()
    size_class: int = u8()
    base: int = u32()
    counter: int = u32()
    delay: int = u16()
    bitmap: bytes = blob(1_024)


class Gone(Schema, name="rho.gone"):
    """An object is given up. reason is a GoneReason; ours: by the one who was sending it."""

    id: int = u32()
    reason: int = u8()
    ours: bool = flag()


class Beat(Schema, name="rho.beat"):
    """The sender of an object has heard nothing for a while. Answered with an Ack, or Gone."""

    id: int = u32()


class Close(Schema, name="rho.close"):
    """The sender will send nothing more under this session. reason is a CloseReason."""

    reason: int = u8()


class Refusal(Schema, name="rho.refusal"):
    """A reply that is none: code is a RefusalCode, said is for people."""

    code: int = u8()
    said: str = text(200, default="")


class Proofs(Schema, name="rho.proofs"):
    """The proofs that were asked for, in that order; None for a wallet that does not live here."""

    proofs: tuple[bytes | None, ...] = many(maybe(blob(200)), 4)


class Reached(Schema, name="rho.reached"):
    """Here I am; seen is your address as I see it, 18 bytes."""

    seen: bytes = octets(18)


class Reach(Request[Reached], name="rho.reach"):
    """Are you there? What ``ping`` asks."""


class Prove(Request[Proofs], name="rho.prove"):
    """Prove wallets of one's own (role 1) and ask the responder for proofs of others (role 2)."""

    own: tuple[bytes, ...] = many(blob(200), 4)
    asked: tuple[bytes, ...] = many(octets(32), 4)


class Have(Schema, name="rho.have"):
    """Go ahead. The bits of the bitmap, as in Ack with base 0, are packets that are here already."""

    bitmap: bytes = blob(1_100)


class Offer(Request[Have], name="rho.offer"):
    """A message object too big for one packet is going to come, as packets of size_class sealed under key.

    id counts up through the session in each direction, from 1 to 2**24 - 1. named is the object's hash, size its
    bytes. hashcode is the event's: for a request the one its reply will name, 0 if it is only told, for a reply that
    of the request. kind is OBJECT_MESSAGE or OBJECT_REPLY, with BACKGROUND or without.
    """

    id: int = u32()
    key: bytes = octets(32)
    named: bytes = octets(32)
    size: int = u32()
    size_class: int = u8()
    hashcode: int = u32()
    kind: int = u8()

    def __repr__(self) -> str:
        return f"<Offer {self.id} of {self.size} bytes, kind {self.kind}, event {self.hashcode:08x}>"


#: Unnumbered, sent as control frames.
CONTROL: dict[int, type[Schema]] = {
    schema.identifier: schema
    for schema in (
        Welcome, Ping, Pong, Working, Got, Rekey, Rekeyed, RekeyWanted, Challenge, ChallengeMet, Redirect, Close, Ack,
        Gone, Beat,
    )
}  # fmt: skip
#: Those of the ratchet: an idle session stays an idle one while they come and go.
RATCHET = frozenset(schema.identifier for schema in (Rekey, Rekeyed, RekeyWanted))
