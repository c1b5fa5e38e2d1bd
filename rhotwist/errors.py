"""What can go wrong, and who is wrong.

``BadPacket``: a stranger or a peer sent bytes that mean nothing; dropped and counted, never logged one by one.
``LocalError``: our caller passed what cannot be; raised at once, naming the value and the limit.
``RequestFailed``: one request has no answer; the reason is the class.
``WalletFileError``: a wallet file does not open.
``StoreError``: the disk or the database.
``OperatorError``: a person must do something; one line each for what, why and what to do now.
"""

from __future__ import annotations


class RhoError(Exception):
    """Base of every exception that rhotwist raises on purpose."""


class BadPacket(RhoError):
    """Bytes from the net that no parser accepts.

    reason is a short constant slug, such as ``"short"`` or ``"tag"``; counters are kept by it.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


# --- our caller -------------------------------------------------------------------------------------------------------


class LocalError(RhoError, ValueError):
    """Our caller asked for something impossible. The message names the value and the limit."""


class TooBig(LocalError):
    """A message is larger than what one packet carries."""


class SchemaClash(LocalError):
    """Two different schemas have one identifier, or one schema is declared wrongly."""


class BadAddress(LocalError):
    """A text is not an address. The message names the place of the first wrong character where it can be told."""


class BadKey(LocalError):
    """32 bytes that are no canonical Ed25519 key of the prime-order group."""


class BadArmour(LocalError):
    """A pasted text holds nothing that a bundle is made of, or is too long to be looked at."""


class BadWords(LocalError):
    """Words that are no backup. The message names the first wrong word."""


class Closed(LocalError):
    """The node was stopped; it takes no more requests."""


class KeySpent(LocalError):
    """A key has sealed as many packets as it may, or was erased: the session must be closed."""


class TableFull(LocalError):
    """The table of sessions is full and none of them has idled long enough to go: the newcomer is refused."""


# --- one request ------------------------------------------------------------------------------------------------------


class RequestFailed(RhoError):
    """One request got no answer. Nothing else is affected; the session, if there is one, lives on."""


class TimedOut(RequestFailed):
    """The peer is there, but the answer did not come within the time the caller gave."""


class Unreachable(RequestFailed):
    """No session could be opened: nobody who holds that key answered at that address."""


class SuiteRefused(Unreachable):
    """No common cipher suite, or somebody on the way tried to take a better one away."""


class PuzzleRefused(Unreachable):
    """The server asked for a puzzle harder than we are willing to solve."""


class SessionLost(RequestFailed):
    """The session ended while the request was under way. The peer may or may not have acted on it."""


class Cancelled(RequestFailed):
    """The caller withdrew the request. The peer may or may not have acted on it."""


class NotProven(RequestFailed):
    """The peer does not hold the wallet that the message is for."""


class Refused(RequestFailed):
    """The peer answered that it will not: code is one of ``rhotwist.link.messages.RefusalCode``, said its own words."""

    def __init__(self, code: int, text: str = "") -> None:
        super().__init__(text or f"refused with code {code}")
        self.code = code
        self.said = text


class NotSpoken(Refused):
    """The peer has no handler for this schema."""


class HandlerFailed(Refused):
    """The peer's handler raised an exception; its operator finds it in the peer's log."""


class Overloaded(Refused):
    """The peer has no room for another request now; try later."""


class WrongReply(RequestFailed):
    """The peer answered with another schema than the request declares."""


# --- wallet files and the store ---------------------------------------------------------------------------------------


class WalletFileError(RhoError):
    """A wallet file does not open."""


class DamagedFile(WalletFileError):
    """The checksum does not hold: the file was changed or cut. The previous generation lies beside it."""


class RefusedFile(WalletFileError):
    """The file asks for a key derivation outside our floor and cap, or was made by a newer version."""


class WrongPassphrase(WalletFileError):
    """The file is whole, and the passphrase does not open it."""


class StoreError(RhoError):
    """The database or the disk under it."""


class NewerSchema(StoreError):
    """The database was written by a newer rhotwist. It was not touched."""


class DamagedStore(StoreError):
    """What is stored does not fit its own hashes: it is refused, and named."""


class DiskFull(StoreError):
    """No room. Nothing of the operation was stored."""


# --- people -----------------------------------------------------------------------------------------------------------


class OperatorError(RhoError):
    """A person must act. code is ``RHO-nnnn`` of docs/errors.md; exit_status as in docs/command-line.md."""

    def __init__(self, code: str, what: str, why: str, hint: str, exit_status: int = 1) -> None:
        super().__init__(what)
        self.code = code
        self.what = what
        self.why = why
        self.hint = hint
        self.exit_status = exit_status

    def __str__(self) -> str:
        return f"error: {self.what}\nwhy: {self.why}\ntry: {self.hint} [{self.code}]"
