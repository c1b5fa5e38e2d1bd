"""From what the code raises to what a person reads: one ``OperatorError`` for every failure of a request or a file."""

from __future__ import annotations

from rhotwist import errors
from rhotwist.control import trouble
from rhotwist.control.text import quoted
from rhotwist.control.trouble import Entry
from rhotwist.control.values import Problem
from rhotwist.errors import OperatorError, RequestFailed

#: The first class that fits counts, so the narrow ones stand first.
_REQUESTS: tuple[tuple[type[RequestFailed], Entry], ...] = (
    (errors.HostUnknown, trouble.HOST_UNKNOWN),
    (errors.SuiteRefused, trouble.SUITE_REFUSED),
    (errors.PuzzleRefused, trouble.PUZZLE_REFUSED),
    (errors.Unreachable, trouble.UNREACHABLE),
    (errors.TimedOut, trouble.TIMED_OUT),
    (errors.SessionLost, trouble.SESSION_LOST),
    (errors.Cancelled, trouble.WITHDRAWN),
    (errors.NotProven, trouble.NOT_PROVEN),
    (errors.Overloaded, trouble.OVERLOADED),
    (errors.WrongReply, trouble.REPLY_WRONG),
    (errors.Refused, trouble.REFUSED),
)

_WHY: dict[type[RequestFailed], str] = {
    errors.NotSpoken: "it does not speak of such things: it may be a node, not a wallet process, or an older version",
    errors.HandlerFailed: "it failed inside; its own log says how",
    errors.Unreachable: "nobody who holds that key answered",
}


def request_failed(error: RequestFailed, peer: str) -> OperatorError:
    """What to tell the person whose request to peer (an address for people) failed."""
    for kind, entry in _REQUESTS:
        if isinstance(error, kind):
            return entry(peer=peer, why=_reason(error))
    return trouble.REFUSED(peer=peer, why=_reason(error))


def _reason(error: RequestFailed) -> str:
    known = _WHY.get(type(error))
    if known is not None and (type(error) is not errors.Unreachable or not str(error)):
        return known
    said = str(error)
    if isinstance(error, errors.Refused):
        return f"it said {quoted(said)}"  # a stranger's words: quoted, never taken for ours
    return said or "no reason is known"


def wallet_file(error: errors.WalletFileError, name: str, previous: str) -> OperatorError:
    """What to tell when the file of wallet name does not open. previous: where its previous generation lies."""
    if isinstance(error, errors.WrongPassphrase):
        return trouble.PASSPHRASE_WRONG(name=name)
    if isinstance(error, errors.DamagedFile):
        return trouble.WALLET_DAMAGED(name=name, why=str(error), previous=previous)
    return trouble.WALLET_REFUSED(name=name, why=str(error))


def store(error: errors.StoreError) -> OperatorError:
    """What to tell when the disk or the database fails."""
    if isinstance(error, errors.NewerSchema):
        return trouble.DATABASE_NEWER(why=str(error))
    if isinstance(error, errors.DiskFull):
        return trouble.DISK_FULL(why=str(error) or "no room")
    return trouble.DATABASE_FAILED(why=str(error))


def bug(error: BaseException) -> OperatorError:
    """What to tell of an exception that nobody foresaw."""
    return trouble.BUG(why=f"{type(error).__name__}: {str(error)[:300]}")


def to_problem(error: OperatorError) -> Problem:
    """The error as it travels in an answer."""
    return Problem(error.code, error.what, error.why, error.hint, error.exit_status)


def from_problem(problem: Problem) -> OperatorError:
    """And back."""
    return OperatorError(problem.code, problem.what, problem.why, problem.hint, problem.exit_status)
