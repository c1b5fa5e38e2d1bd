"""The wallet process: a node with a keystore, an inbox and an outbox. Only here do wallets' secrets exist."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any

import attrs
from twisted.internet.defer import CancelledError, Deferred

from rhotwist.control import explain, trouble, values, verbs
from rhotwist.control.verbs import Verb
from rhotwist.errors import BadAddress, LocalError, OperatorError, Refused, RequestFailed, SessionLost, StoreError
from rhotwist.keys.address import WALLET, Address, NodeAt, format_address, parse_address, parse_node_at
from rhotwist.keys.pair import SeedKey
from rhotwist.link.messages import RefusalCode
from rhotwist.moment import EPOCH_2020
from rhotwist.net.clock import now
from rhotwist.net.handlers import Call
from rhotwist.net.peer import Peer
from rhotwist.service import said, status
from rhotwist.service.claim import Claim
from rhotwist.service.control_server import Handler
from rhotwist.service.files_out import Ask, Progress
from rhotwist.service.keystore import Hot, Keystore
from rhotwist.service.messages import TEXT_MOST, Kept, Said
from rhotwist.service.node import NodeService
from rhotwist.service.transfers import FileService
from rhotwist.store import inbox, outbox
from rhotwist.store.database import Database
from rhotwist.wire.schema import Request

LISTED_MOST = 10_000
"""Messages that one answer lists."""
TIMEOUT_MOST = 86_400.0  # seconds


class WalletService(NodeService):
    """The role ``wallet``."""

    def __init__(self, claim: Claim, reactor: Any) -> None:
        super().__init__(claim, reactor)
        config = self.settings.config
        self.keystore = Keystore(
            self.settings.places.wallets, reactor, self._in_thread, os.urandom,
            idle_most=60.0 * config["wallet.autolock_minutes"], kdf=config["wallet.kdf"],
        )  # fmt: skip
        self.keystore.unlocked = lambda hot: self.node.core.add_wallet(hot.key)
        self.publisher.speaker = self._speaker
        self.keystore.locked = lambda hot: self.node.core.drop_wallet(hot.key.public)
        self._user: Database | None = None
        self._inbox: inbox.Inbox
        self._outbox: outbox.Outbox
        self.node.answer(Said, self.hear)
        self.files = FileService(
            self.settings.places.transfers, self.keystore, config.limits, world=self.world, rng=os.urandom,
            asker=self._asker, admit=self.node.admit,
        )  # fmt: skip
        for schema, handler in self.files.handlers().items():
            self.node.answer(schema, handler)

    def next_step(self) -> str:
        """What an owner does after this."""
        rows = self.keystore.rows()
        return f"rho wallet unlock {rows[0].name}" if rows else "rho wallet create alice"

    def _open_stores(self) -> None:
        super()._open_stores()
        self._user = Database(self.settings.places.database, inbox.KIND, durable=True)
        self._inbox, self._outbox = inbox.Inbox(self._user), outbox.Outbox(self._user)
        self.files.open()

    def _close_stores(self) -> None:
        self.files.close()
        if self._user is not None:
            self._user.close()
        super()._close_stores()

    def _let_go(self) -> None:
        self.files.let_go()
        self.keystore.lock_named("")

    def _own_keys(self) -> Iterable[SeedKey]:
        return [hot.key for hot in self.keystore.hot.values()]

    def _named(self) -> Iterable[NodeAt]:
        """And the node of this data folder, where it is now."""
        own: list[NodeAt] = []
        with suppress(OSError, ValueError, BadAddress):
            own.append(parse_node_at(self.settings.places.place("node").read_text("ascii")))
        return (*own, *self.settings.peers)

    def _speaker(self, name: str) -> Hot:
        hot = self.keystore.speaker(name)
        self.keystore.touch(hot)
        return hot

    # --- what may be asked -------------------------------------------------------------------------------------------

    def handlers(self) -> Mapping[Verb, Handler]:
        """What the control socket answers."""
        return {
            **super().handlers(),
            verbs.WALLETS: lambda _: values.WalletList(self.keystore.rows()),
            verbs.WALLET_ADD: self.add,
            verbs.WALLET_UNLOCK: self.unlock,
            verbs.WALLET_LOCK: self.lock,
            verbs.SEND: self.send,
            verbs.INBOX: self.list_inbox,
            verbs.FILE_SEND: self.send_file,
            verbs.FILE_RECEIVE: self.files.receive,
            verbs.TRANSFERS: self.files.listed,
            verbs.TRANSFER_RESUME: self.files.resume,
            verbs.TRANSFER_PAUSE: self.files.pause,
            verbs.TRANSFER_CANCEL: self.files.cancel,
        }

    def status(self, _: values.Nothing) -> values.Status:
        """How this process is, and its wallets."""
        uptime = now().mono - self._began
        told, rows = self.node.status(), self.keystore.rows()
        found = status.describe(self.settings, self.node.public, told, uptime=uptime, wallets=rows)
        return attrs.evolve(found, health=found.health + self.directory.health() + self.files.health())

    async def add(self, ask: values.WalletAdd) -> values.WalletState:
        """Make a wallet's file."""
        return values.WalletState(await self.keystore.add(ask.name, ask.words, ask.passphrase, ask.kdf))

    async def unlock(self, ask: values.WalletUnlock) -> values.WalletState:
        """Make a wallet hot."""
        hot = await self.keystore.unlock(ask.name, ask.passphrase)
        return values.WalletState(self.keystore.row(hot.name), self.status(values.Nothing()).reachable)

    def lock(self, ask: values.WalletLock) -> values.WalletList:
        """Make a wallet, or all, cold again as far as this machine goes."""
        self.keystore.lock_named(ask.name)
        return values.WalletList(self.keystore.rows())

    def list_inbox(self, ask: values.InboxAsk) -> values.Inbox:
        """The newest messages, the newest last."""
        rows = {row.address: row.name for row in self.keystore.rows() if row.address}
        wallet: bytes | None = None
        if ask.wallet:
            address = self.keystore.existing(ask.wallet).address
            wallet = parse_address(address, WALLET).key if address else b""
        limit = max(1, min(ask.limit, LISTED_MOST))
        letters = self._inbox.newest(wallet, limit)
        items = tuple(_item(letter, rows) for letter in reversed(letters))
        return values.Inbox(items, max(0, self._inbox.count(wallet) - len(items)))

    # --- sending -----------------------------------------------------------------------------------------------------

    def send(self, ask: values.Send) -> Deferred[values.Sent]:
        """Say something as a hot wallet. Fires when the receiver keeps it; cancelling withdraws it.

        The record lies in the outbox before it leaves. If the session is lost under way, the same record is said again
        over a new one: the receiver keeps it once, however often it hears it.
        """
        hot, to = self._pair(ask)
        peer = self._peer(ask.at, to)
        length = len(ask.text.encode("utf-8"))
        if not 1 <= length <= TEXT_MOST:
            raise trouble.TEXT_LONG(length=length, most=TEXT_MOST) if length else trouble.TEXT_EMPTY()
        if not 0 < ask.timeout <= TIMEOUT_MOST:
            raise trouble.OPTION_WRONG(
                option="--timeout", value=ask.timeout, why="it counts seconds, up to a day", hint="try --timeout 30"
            )
        self.keystore.touch(hot)
        working = Deferred.fromCoroutine(self._send(hot, to, peer, ask))
        hot.busy.add(working)

        def over(result: Any) -> Any:
            hot.busy.discard(working)
            return result

        return working.addBoth(over)

    async def _send(self, hot: Hot, to: bytes, peer: Peer, ask: values.Send) -> values.Sent:
        began = now()
        draft = await self.soon(self._outbox.put(hot.key.public, to, lambda index: _draft(hot, to, index, ask.text)))
        record = Said.decode(draft.body)
        identity = hot.identity(peer.key)
        until = began.mono + ask.timeout
        while True:
            try:
                left = max(0.001, until - now().mono)
                kept = await peer.request(record, left, source=hot.key, destination=to, identity=identity)
                break
            except SessionLost as error:
                if now().mono >= until or self.node.driver.closed:
                    raise explain.request_failed(error, ask.at or ask.to) from error
            except CancelledError:
                raise
            except RequestFailed as error:
                raise explain.request_failed(error, ask.at or ask.to) from error
        if kept.record != draft.hash:
            raise trouble.RECEIPT_WRONG(peer=ask.at or ask.to, why=f"its receipt is for {kept.record.hex()[:16]}")
        await self.soon(self._outbox.mark_kept(draft.hash, now().date))
        return values.Sent(draft.hash.hex(), hot.name, ask.to, now().mono - began.mono)

    async def send_file(self, ask: values.FileSend) -> values.TransferRow:
        """Set a file on its way as a hot wallet."""
        hot, to = self._pair(ask)
        return await self.files.send(hot, to, ask)

    def _pair(self, ask: values.Send | values.FileSend) -> tuple[Hot, bytes]:
        """Who sends, and the wallet that it is for."""
        hot, to = self.keystore.speaker(ask.wallet), _receiver(ask.to)
        if to == hot.key.public:
            raise trouble.TO_ITSELF(wallet=hot.name)
        return hot, to

    def _asker(self, hot: Hot, to: bytes, at: str, gentle: bool) -> Ask:
        """The way to ask about files: in the name of a hot wallet, which is used by that; gentle behind all else."""
        peer = self._peer(at, to)
        heard = True

        def answered(reply: Any) -> Any:
            nonlocal heard
            heard = True
            self.finder.proven(peer, hot.identity(peer.key).public)
            return reply

        def ask(body: Request[Any], timeout: float, progress: Progress) -> Deferred[Any]:
            nonlocal heard, peer
            if self.keystore.hot.get(hot.name) is hot:
                self.keystore.touch(hot)
            if not at and not heard:
                # It may be elsewhere by now. Where it is said to be nobody has proven a key yet.
                with suppress(OperatorError):
                    peer = self.finder.peer(format_address(Address(WALLET, to)), asked=False)
            heard = False
            return peer.request(
                body, timeout, source=hot.key, destination=to, identity=hot.identity(peer.key), progress=progress,
                background=gentle,
            ).addCallback(answered)  # fmt: skip

        return ask

    def _peer(self, text: str, to: bytes) -> Peer:
        """Whom to ask for the wallet to: the node at that place or, with "", where the directory says that it is."""
        if not text:
            return self.finder.peer(format_address(Address(WALLET, to)))
        try:
            return self.node.peer(parse_node_at(text))
        except BadAddress as error:
            raise trouble.ADDRESS_WRONG(
                text=repr(text[:120]), wanted="NODE@HOST:PORT", why=error, example="rho1n…@192.0.2.1:7460"
            ) from None
        except LocalError as error:  # a family that this process has no socket of
            raise trouble.NO_NETWORK(why=error) from None

    # --- receiving ---------------------------------------------------------------------------------------------------

    async def hear(self, call: Call[Said]) -> Kept:
        """A record for one of our wallets: checked, kept on disk, and only then confirmed."""
        hot = self.keystore.hot_by_key(call.destination)
        if hot is None:
            raise Refused(RefusalCode.NOT_HERE, "that wallet is not unlocked here")
        try:
            name = said.check(call.body, hot.key, call.source)
        except said.BadRecord as error:
            raise Refused(RefusalCode.BAD_BODY, str(error)) from None
        body = call.body
        letter = inbox.Letter(name, now().date, body.date, call.source, call.destination, body.text, body.encode())
        try:
            await self.soon(self._inbox.put(letter))
        except StoreError as error:
            self._log.error("a message could not be kept: {why}", why=str(error))
            raise Refused(RefusalCode.OVERLOADED, "it cannot be kept now") from None
        return Kept(record=name)


def _draft(hot: Hot, to: bytes, index: int, text: str) -> outbox.Draft:
    record = said.compose(hot.key, to, index, text, now().date)
    return outbox.Draft(said.record_hash(record), record.date, text, record.encode())


def _receiver(text: str) -> bytes:
    try:
        return parse_address(text, WALLET).key
    except BadAddress as error:
        raise trouble.ADDRESS_WRONG(
            text=repr(text[:80]), wanted="wallet's address", why=error, example="rho1w… (63 characters)"
        ) from None


def _item(letter: inbox.Letter, names: Mapping[str, str]) -> values.InboxItem:
    ours = format_address(Address(WALLET, letter.destination))
    return values.InboxItem(
        wallet=names.get(ours, ours),
        sender=format_address(Address(WALLET, letter.source)),
        hash=letter.hash.hex(),
        text=letter.text,
        said_at=letter.said + EPOCH_2020,
        kept_at=letter.received + EPOCH_2020,
    )
