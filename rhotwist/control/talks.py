"""Requests and answers of the control socket about contacts and conversations. ``values`` says what holds of all."""

from __future__ import annotations

import attrs

# --- contacts ---------------------------------------------------------------------------------------------------------


@attrs.frozen
class ContactAdd:
    """Call the wallet of an invitation, or of a bare address, by this name; or take its new places."""

    name: str
    invitation: str


@attrs.frozen
class ContactRemove:
    """Forget the contact of that name."""

    name: str


@attrs.frozen
class ContactRow:
    """One contact. places are NODE@HOST:PORT, the best first; added_at is when they were last told."""

    name: str
    address: str
    places: tuple[str, ...]
    added_at: int


@attrs.frozen
class ContactList:
    """Contacts, by name."""

    contacts: tuple[ContactRow, ...]


@attrs.frozen
class InvitationAsk:
    """An invitation to a wallet of ours (its name, or "" for the only one), reached at these places, or at our own."""

    wallet: str = ""
    places: tuple[str, ...] = ()


@attrs.frozen
class Invitation:
    """What to give to others so that they can send to wallet."""

    wallet: str
    text: str


# --- conversations ----------------------------------------------------------------------------------------------------


@attrs.frozen
class TalkName:
    """A conversation: by the contact or the address of one of the two, or by the first hex digits of its id.

    wallet is the name of ours that has it, "" where that is clear.
    """

    name: str
    wallet: str = ""


@attrs.frozen
class TalkParty:
    """One of the two. name is that of a wallet of ours, of a contact, or the address again; records has no gap."""

    name: str
    address: str
    ours: bool
    records: int


@attrs.frozen
class TalkRow:
    """One conversation. root is the same for all who have these records; waiting of others stand behind a gap."""

    id: str
    lower: TalkParty
    higher: TalkParty
    root: str
    forks: int
    waiting: int
    said_at: int | None = None


@attrs.frozen
class TalkList:
    """Conversations, in the order in which they began here."""

    talks: tuple[TalkRow, ...]


@attrs.frozen
class TalkShow:
    """The newest records of a conversation, at most limit of them."""

    talk: TalkName
    limit: int = 100


@attrs.frozen
class TalkItem:
    """One record. number counts all from 1 in the order in which every reader has them, index its author's own from 0.

    text is as its author wrote it. seen tells whether what he says to have seen of the other's is what stands here:
    ``yes``, ``no``, or ``unknown`` as long as less is here. rival and rival_text: what else he signed for this place.
    """

    number: int
    author: str
    ours: bool
    index: int
    text: str
    said_at: int
    hash: str
    seen: str
    rival: str = ""
    rival_text: str = ""


@attrs.frozen
class TalkShown:
    """An answer to TalkShow, the newest last. left_out counts older records that limit cut off."""

    talk: TalkRow
    items: tuple[TalkItem, ...]
    left_out: int = 0


@attrs.frozen
class TalkSync:
    """Bring the conversation with a wallet (address or contact) to one state; at and wallet as in Send."""

    to: str
    at: str = ""
    wallet: str = ""
    timeout: float = 30.0


@attrs.frozen
class TalkSynced:
    """What went and came. same says that both sides have the same root now. talk is None while nothing was said."""

    to: str
    sent: int
    received: int
    same: bool
    talk: TalkRow | None = None


@attrs.frozen
class TalkSyncedList:
    """What ``rho talk sync`` without a name tells, of each contact that was reached."""

    synced: tuple[TalkSynced, ...]


@attrs.frozen
class TalkProve:
    """A proof of how a conversation stands, signed by a hot wallet: the party's, or witness by name.

    record is the number of one that is shown, 0 for none, None for the newest. before: how many records of either (the
    lower key's first) there were when its reader looked last; with none, nothing is said of that.
    """

    talk: TalkName
    record: int | None = None
    before: tuple[int, ...] = ()
    witness: str = ""


@attrs.frozen
class TalkProof:
    """The proof, as hex of a ``rho.talk-proof`` (docs/spec/conversation.md)."""

    talk: TalkRow
    proof: str


@attrs.frozen
class TalkExport:
    """Write a conversation to a file at path (absolute), which is not there yet."""

    talk: TalkName
    path: str


@attrs.frozen
class TalkExported:
    """The file lies at path."""

    talk: TalkRow
    path: str


@attrs.frozen
class TalkPublished:
    """What ``rho talk publish`` tells: the conversation as text to paste."""

    talk: TalkRow
    text: str


@attrs.frozen
class TalkImport:
    """Read and check a published conversation, file or text, at path (absolute), and keep it."""

    path: str


@attrs.frozen
class TalkImported:
    """It holds; new of its records were not here before."""

    talk: TalkRow
    new: int
