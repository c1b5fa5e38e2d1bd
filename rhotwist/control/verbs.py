"""What may be asked, where, and with what: the one table that client and server share."""

from __future__ import annotations

from typing import Any

import attrs

from rhotwist.control import directory, talks, values

BODY_MOST = 64 * 1024
"""Bytes of a request body; a larger one is refused with 413 before it is read."""
CONTENT_TYPE = "application/json"


@attrs.frozen
class Verb:
    """One question: its HTTP method and path, the value it takes, the value it gives, and which roles answer it."""

    method: str
    path: str
    asks: type[Any]
    answers: type[Any]
    roles: tuple[str, ...]


def _verb(method: str, name: str, asks: type[Any], answers: type[Any], roles: tuple[str, ...] = ("wallet",)) -> Verb:
    return Verb(method, f"/{values.VERSION}/{name}", asks, answers, roles)


STATUS = _verb("GET", "status", values.Nothing, values.Status, ("node", "wallet"))
STOP = _verb("POST", "stop", values.Nothing, values.Stopping, ("node", "wallet"))
WALLETS = _verb("GET", "wallets", values.Nothing, values.WalletList)
WALLET_ADD = _verb("POST", "wallets/add", values.WalletAdd, values.WalletState)
WALLET_UNLOCK = _verb("POST", "wallets/unlock", values.WalletUnlock, values.WalletState)
WALLET_LOCK = _verb("POST", "wallets/lock", values.WalletLock, values.WalletList)
SEND = _verb("POST", "send", values.Send, values.Sent)
INBOX = _verb("POST", "inbox", values.InboxAsk, values.Inbox)
FILE_SEND = _verb("POST", "files/send", values.FileSend, values.TransferRow)
FILE_RECEIVE = _verb("POST", "files/receive", values.Receive, values.TransferList)
TRANSFERS = _verb("POST", "transfers", values.TransfersAsk, values.TransferList)
TRANSFER_RESUME = _verb("POST", "transfers/resume", values.TransferNumbers, values.TransferList)
TRANSFER_PAUSE = _verb("POST", "transfers/pause", values.TransferNumbers, values.TransferList)
TRANSFER_CANCEL = _verb("POST", "transfers/cancel", values.TransferNumbers, values.TransferList)
CONTACTS = _verb("GET", "contacts", values.Nothing, talks.ContactList)
CONTACT_ADD = _verb("POST", "contacts/add", talks.ContactAdd, talks.ContactRow)
CONTACT_REMOVE = _verb("POST", "contacts/remove", talks.ContactRemove, talks.ContactList)
INVITE = _verb("POST", "contacts/invite", talks.InvitationAsk, talks.Invitation)
TALKS = _verb("GET", "talks", values.Nothing, talks.TalkList)
TALK_SHOW = _verb("POST", "talks/show", talks.TalkShow, talks.TalkShown)
TALK_SYNC = _verb("POST", "talks/sync", talks.TalkSync, talks.TalkSynced)
TALK_PROVE = _verb("POST", "talks/prove", talks.TalkProve, talks.TalkProof)
TALK_EXPORT = _verb("POST", "talks/export", talks.TalkExport, talks.TalkExported)
TALK_IMPORT = _verb("POST", "talks/import", talks.TalkImport, talks.TalkImported)
_BOTH = ("node", "wallet")
PUBLISH = _verb("POST", "publish", directory.Publish, directory.Published, _BOTH)
LOOKUP = _verb("POST", "directory/lookup", directory.Lookup, directory.Found, _BOTH)
RECORDS = _verb("POST", "directory/list", directory.ListAsk, directory.RecordList, _BOTH)
ROOT = _verb("GET", "directory/root", values.Nothing, directory.Root, _BOTH)
TREE = _verb("POST", "directory/tree", directory.TreeAsk, directory.TreeLevels, _BOTH)
PEERS = _verb("GET", "directory/peers", values.Nothing, directory.PeerList, _BOTH)
DIR_SYNC = _verb("POST", "directory/sync", directory.SyncAsk, directory.Synced, _BOTH)
BUNDLE_EXPORT = _verb("POST", "bundles/export", directory.BundleAsk, directory.BundleText, _BOTH)
BUNDLE_HELLO = _verb("GET", "bundles/hello", values.Nothing, directory.BundleText, _BOTH)
BUNDLE_IMPORT = _verb("POST", "bundles/import", directory.BundleFile, directory.Merged, _BOTH)
BUNDLE_SHOW = _verb("POST", "bundles/show", directory.BundleFile, directory.BundleShown, _BOTH)

VERBS = (
    STATUS, STOP, WALLETS, WALLET_ADD, WALLET_UNLOCK, WALLET_LOCK, SEND, INBOX, FILE_SEND, FILE_RECEIVE, TRANSFERS,
    TRANSFER_RESUME, TRANSFER_PAUSE, TRANSFER_CANCEL, CONTACTS, CONTACT_ADD, CONTACT_REMOVE, INVITE, TALKS, TALK_SHOW,
    TALK_SYNC, TALK_PROVE, TALK_EXPORT, TALK_IMPORT, PUBLISH, LOOKUP, RECORDS, ROOT, TREE, PEERS, DIR_SYNC,
    BUNDLE_EXPORT, BUNDLE_HELLO, BUNDLE_IMPORT, BUNDLE_SHOW,
)  # fmt: skip
"""All of them."""
