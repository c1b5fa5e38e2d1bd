"""The requests and answers of the control socket, version 1. Keys and hashes travel as hex, addresses as text.

Every answer may gain fields; none changes its meaning within a version. Times are seconds, of the Unix epoch where a
field ends in ``_at``. Secrets never stand in an answer.
"""

from __future__ import annotations

import attrs

VERSION = 1


@attrs.frozen
class Nothing:
    """A request without arguments, an answer without news."""


@attrs.frozen
class Problem:
    """An ``OperatorError`` on its way to the person. hint is what to do now."""

    code: str
    what: str
    why: str
    hint: str
    exit_status: int


@attrs.frozen
class WalletRow:
    """One wallet of this machine. state is ``locked`` or ``hot``; locks_in counts seconds, 0.0 while locked."""

    name: str
    address: str
    kind: str
    state: str
    file: str
    locks_in: float = 0.0


@attrs.frozen
class Status:
    """How a process is. health says in words what is wrong, and is empty when nothing is."""

    role: str
    version: str
    protocol: int
    pid: int
    address: str
    listening: tuple[str, ...]
    reachable: tuple[str, ...]
    uptime: float
    datadir: str
    health: tuple[str, ...] = ()
    wallets: tuple[WalletRow, ...] = ()
    counters: dict[str, int] = attrs.field(factory=dict)


@attrs.frozen
class Stopping:
    """The process takes its leave once this answer is sent."""

    pid: int


@attrs.frozen
class WalletList:
    """All wallets, by name."""

    wallets: tuple[WalletRow, ...]


@attrs.frozen
class WalletAdd:
    """Write a wallet file for these 24 words, made new or brought from paper. kdf "" takes the configured cost."""

    name: str
    words: str = attrs.field(repr=False)
    passphrase: str = attrs.field(repr=False)
    kdf: str = ""


@attrs.frozen
class WalletUnlock:
    """Open a wallet file and keep its secret in memory until it is locked."""

    name: str
    passphrase: str = attrs.field(repr=False)


@attrs.frozen
class WalletLock:
    """Forget the secret of one wallet, or of all with name ""."""

    name: str = ""


@attrs.frozen
class WalletState:
    """A wallet after a request about it. reachable lists NODE@HOST:PORT under which others may send to it now."""

    wallet: WalletRow
    reachable: tuple[str, ...] = ()


@attrs.frozen
class Send:
    """Say text as the hot wallet (its name, or "" for the only hot one) to the wallet to, hot in the process at.

    to is an address or a contact's name; at "" means where the contact was said to be.
    """

    to: str
    at: str
    text: str
    wallet: str = ""
    timeout: float = 30.0


@attrs.frozen
class Sent:
    """The receiver holds the message durably. hash is the record's, by which it is kept exactly once."""

    hash: str
    wallet: str
    kept_by: str
    seconds: float


@attrs.frozen
class InboxAsk:
    """Messages of one wallet (its name, or "" for all), the newest last, at most limit of them."""

    wallet: str = ""
    limit: int = 100


@attrs.frozen
class InboxItem:
    """One message kept here. text is as its sender wrote it: show it through ``rhotwist.control.text.visible``.

    contact is what the sender's wallet is called here, "" if it is no contact.
    """

    wallet: str
    sender: str
    hash: str
    text: str
    said_at: int
    kept_at: int
    contact: str = ""


@attrs.frozen
class Inbox:
    """An answer to InboxAsk. left_out counts older messages that limit cut off."""

    items: tuple[InboxItem, ...]
    left_out: int = 0


# --- files ------------------------------------------------------------------------------------------------------------


@attrs.frozen
class FileSend:
    """Send the file at path (absolute) as the hot wallet to the wallet to, hot in the process at; both as in Send.

    gentle lets everything else on the line go first. Answered when the file was read once and its transfer has begun.
    """

    to: str
    at: str
    path: str
    wallet: str = ""
    gentle: bool = False


@attrs.frozen
class TransferRow:
    """One file on its way out of a wallet of ours or into one.

    done counts bytes that the receiver has acknowledged; all of them, and state done, only when it has checked the
    whole. state is offered, going, paused, done or cancelled. why says why it stands, problem the same as an
    error while the process that met it lives. place is the file; of one that comes its folder, and its path when done.
    """

    number: int
    outgoing: bool
    wallet: str
    peer: str
    name: str
    total: int
    done: int
    state: str
    why: str
    place: str
    at: str
    root: str
    begun_at: int
    ended_at: int | None = None
    problem: Problem | None = None


@attrs.frozen
class TransfersAsk:
    """The transfers of these numbers, or with none the newest, at most limit of them."""

    numbers: tuple[int, ...] = ()
    limit: int = 100


@attrs.frozen
class TransferList:
    """Transfers, the newest last."""

    items: tuple[TransferRow, ...]


@attrs.frozen
class TransferNumbers:
    """These transfers. To resume: with none all that are paused; at is where the receiver is now, "" for as before."""

    numbers: tuple[int, ...] = ()
    at: str = ""


@attrs.frozen
class Receive:
    """Take the files that wait for a wallet (its name, or "" for all), from the wallet sender or, with "", from all.

    They will lie in the folder into (absolute). numbers takes these alone. Answered with those taken now and those
    that were taken before and still come.
    """

    into: str
    wallet: str = ""
    sender: str = ""
    numbers: tuple[int, ...] = ()
