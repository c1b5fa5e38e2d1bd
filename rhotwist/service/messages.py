"""How a file goes from wallet to wallet, in parts. Spec page: docs/spec/files.md."""

from __future__ import annotations

import enum

from rhotwist.link.file_plan import NAME_MOST, PART_MOST
from rhotwist.wire.schema import Request, Schema, blob, bulk, octets, text, u8, u32, u64


class FileStage(enum.IntEnum):
    """How far a file is at its receiver."""

    WAITING = 0
    PLANNING = 1
    TAKING = 2
    DONE = 3
    CHECKING = 4


class FileRefusal(enum.IntEnum):
    """Why a receiver does not go on with a file (codes of ``Refusal`` from 64 on)."""

    CANCELLED = 64
    UNKNOWN = 65
    WRONG = 66
    NO_ROOM = 67
    TOO_MANY = 68
    TOO_LARGE = 69


class FileStand(Schema, name="rho.file-stand"):
    """What the receiver has: pieces of the plan while it is PLANNING, parts of the file while TAKING, one bit each.

    stage is a FileStage. DONE is said when the file lies whole in its owner's folder, every part checked. WAITING: its
    owner has not taken it; CHECKING: what lies there is being hashed or put in place. Of both one asks again.
    """

    stage: int = u8()
    here: bytes = blob(62_500, default=b"")


class FileOffer(Request[FileStand], name="rho.file-offer"):
    """A file that is to go; how far is it? Asked first, after every break, and at the end.

    id is the sender's, random, for this one sending. root, total, part and name are those of the plan.
    """

    id: bytes = octets(16)
    root: bytes = octets(32)
    total: int = u64()
    part: int = u32()
    name: str = text(NAME_MOST)


class PartHere(Schema, name="rho.part-here"):
    """That part, or piece of the plan, was checked and lies on the receiver's disk."""

    index: int = u32()


class FilePlanPiece(Request[PartHere], name="rho.file-plan"):
    """A piece of the plan: its bytes from index times the size of a part on."""

    id: bytes = octets(16)
    index: int = u32()
    data: bytes = bulk(PART_MOST)


class FilePart(Request[PartHere], name="rho.part"):
    """A part of the file."""

    id: bytes = octets(16)
    index: int = u32()
    data: bytes = bulk(PART_MOST)


class FileForgotten(Schema, name="rho.file-forgotten"):
    """The receiver has let go of what it had of that file, or never had any."""


class FileCancel(Request[FileForgotten], name="rho.file-cancel"):
    """The sender will send no more of that file."""

    id: bytes = octets(16)
