"""The wallet process: a node with a keystore, an inbox and an outbox. Only here do wallets' secrets exist."""

from __future__ import annotations

import os
from collections.abc import Coroutine, Iterable, Mapping
from contextlib import suppress
from typing import Any, TypeVar

import attrs
from twisted.internet.defer import CancelledError, Deferred

from rhotwist.control import explain, trouble, values, verbs
from rhotwist.control.talks import TalkSync, TalkSynced
from rhotwist.control.verbs import Verb
from rhotwist.errors import BadAddress, RequestFailed, SessionLost
from rhotwist.keys.address import WALLET, Address, NodeAt, format_address, parse_address, parse_node_at
from rhotwist.keys.pair import SeedKey
from rhotwist.moment import EPOCH_2020
from rhotwist.net.clock import now
from rhotwist.service import status
from rhotwist.service.claim import Claim
from rhotwist.service.contacts import Book
from rhotwist.service.control_server import Handler
from rhotwist.service.files_out import Ask, Progress
from rhotwist.service.keystore import Hot, Keystore
from rhotwist.service.node import NodeService
from rhotwist.service.reaching import Reaching
from rhotwist.service.shown_talks import ShownTalks
from rhotwist.service.talks import Ask as AskOnce
from rhotwist.service.talks import TalkService
from rhotwist.service.transfers import FileService
from rhotwist.store import inbox, outbox
from rhotwist.store.database import Database
from rhotwist.talk.messages import TEXT_MOST, Kept
from rhotwist.talk.record import pair_of, record_hash
from rhotwist.wire.schema import Request

LISTED_MOST = 10_000
"""Messages that one answer lists."""
TIMEOUT_MOST = 86_400.0  # seconds

R = TypeVar("R")


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
        self.files = FileService(
            self.settings.places.transfers, self.keystore, config.limits, world=self.world, rng=os.urandom,
            asker=self._asker, admit=self.node.admit,
        )  # fmt: skip
        self.book = Book(self.keystore, self.world, lambda: self.status(values.Nothing()).reachable)
        self.directory.contacts, self.book.changed = self.book.keys, self.directory.pin
        self.reaching = Reaching(self.node, self.book, self.finder, self.world)
        self.talks = TalkService(self.keystore, self.world)
        self.shown = ShownTalks(self.talks, self.keystore, self.book, self.world)
        for schema, handler in {**self.files.handlers(), **self.talks.handlers()}.items():
            self.node.answer(schema, handler)

    def next_step(self) -> str:
        """What an owner does after this."""
        rows = self.keystore.rows()
        return f"rho wallet unlock {rows[0].name}{self.settings.places.option}" if rows else super().next_step()

    def _open_stores(self) -> None:
        super()._open_stores()
        self._user = Database(self.settings.places.database, inbox.KIND, durable=True)
        self._inbox, self._outbox = inbox.Inbox(self._user), outbox.Outbox(self._user)
        self.book.open(self._user)
        self.talks.open(self._user)
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
            **self.book.verbs(),
            verbs.LOOKUP: self.reaching.lookup,
            **self.shown.verbs(),
            verbs.TALK_SYNC: self.sync,
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
        contacts = self.book.names()
        items = tuple(_item(letter, rows, contacts.get(letter.source, "")) for letter in reversed(letters))
        return values.Inbox(items, max(0, self._inbox.count(wallet) - len(items)))

    # --- sending -----------------------------------------------------------------------------------------------------

    def send(self, ask: values.Send) -> Deferred[values.Sent]:
        """Say something as a hot wallet. Fires when the receiver keeps it; cancelling withdraws it.

        The record lies in the outbox before it leaves. If the session is lost under way, the same record is said again
        over a new one: the receiver keeps it once, however often it hears it.
        """
        hot, to = self._pair(ask)
        asking = self._asking(hot, to, ask)
        length = len(ask.text.encode("utf-8"))
        if not 1 <= length <= TEXT_MOST:
            raise trouble.TEXT_LONG(length=length, most=TEXT_MOST) if length else trouble.TEXT_EMPTY()
        return self._busy(hot, self._send(hot, to, asking, ask))

    async def _send(self, hot: Hot, to: bytes, asking: AskOnce, ask: values.Send) -> values.Sent:
        began = now().mono
        # Both sides first have what was said before: no index is given out twice, and what is said has seen all.
        await self.talks.sync(hot, to, asking, ask.to)
        record = await self.talks.say(hot, to, ask.text)
        kept: Kept = await asking(record)
        name = record_hash(record)
        if kept.record != name:
            raise trouble.RECEIPT_WRONG(peer=ask.to, why=f"its receipt is for {kept.record.hex()[:16]}")
        await self.soon(self._outbox.mark_kept(name, now().date))
        return values.Sent(name.hex(), hot.name, ask.to, now().mono - began)

    def sync(self, ask: TalkSync) -> Deferred[TalkSynced]:
        """Bring a conversation to one state with the other side. Fires with what went and came."""
        hot, to = self._pair(ask)
        return self._busy(hot, self._sync(hot, to, self._asking(hot, to, ask), ask))

    async def _sync(self, hot: Hot, to: bytes, asking: AskOnce, ask: TalkSync) -> TalkSynced:
        found = await self.talks.sync(hot, to, asking, ask.to)
        pair = pair_of(hot.key, to)
        row = await self.shown.row(pair) if pair in self.talks.store.all() else None
        return TalkSynced(ask.to, found.sent, found.received, found.same, row)

    def _busy(self, hot: Hot, work: Coroutine[Any, Any, R]) -> Deferred[R]:
        """Work in the name of a hot wallet, which is used by it; locking the wallet withdraws it."""
        self.keystore.touch(hot)
        working = Deferred.fromCoroutine(work)
        hot.busy.add(working)

        def over(result: Any) -> Any:
            hot.busy.discard(working)
            return result

        return working.addBoth(over)

    def _asking(self, hot: Hot, to: bytes, said: values.Send | TalkSync) -> AskOnce:
        """The way to ask a wallet as was said, over a new session, at the next place, where one is lost under way.

        Raises OperatorError, as what is asked does where no answer comes.
        """
        route = self.reaching.route(hot, to, said.at)
        if not 0 < said.timeout <= TIMEOUT_MOST:
            raise trouble.OPTION_WRONG(
                option="--timeout", value=said.timeout, why="it counts seconds, up to a day", hint="try --timeout 30"
            )
        until, called = now().mono + said.timeout, said.at or said.to

        async def ask(body: Request[Any]) -> Any:
            while True:
                try:
                    return await route.request(body, until - now().mono)
                except SessionLost as error:
                    if now().mono >= until or self.node.driver.closed:
                        raise explain.request_failed(error, called) from error
                except CancelledError:
                    raise
                except RequestFailed as error:
                    raise explain.request_failed(error, called) from error

        return ask

    async def send_file(self, ask: values.FileSend) -> values.TransferRow:
        """Set a file on its way as a hot wallet."""
        hot, to = self._pair(ask)
        return await self.files.send(hot, to, ask)

    def _pair(self, ask: values.Send | values.FileSend | TalkSync) -> tuple[Hot, bytes]:
        """Who speaks, and to which wallet."""
        hot, party = self.keystore.speaker(ask.wallet), self.book.resolve(ask.to)
        if party.key == hot.key.public:
            raise trouble.TO_ITSELF(wallet=hot.name)
        return hot, party.key

    def _asker(self, hot: Hot, to: bytes, at: str, gentle: bool) -> Ask:
        """The way to ask about files: in the name of a hot wallet, which is used by that; gentle behind all else."""
        route = self.reaching.route(hot, to, at, asked=False)

        def ask(body: Request[Any], timeout: float, progress: Progress) -> Deferred[Any]:
            if self.keystore.hot.get(hot.name) is hot:
                self.keystore.touch(hot)
            return route.request(body, timeout, progress=progress, background=gentle)

        return ask


def _item(letter: inbox.Letter, names: Mapping[str, str], contact: str) -> values.InboxItem:
    ours = format_address(Address(WALLET, letter.destination))
    return values.InboxItem(
        wallet=names.get(ours, ours),
        sender=format_address(Address(WALLET, letter.source)),
        hash=letter.hash.hex(),
        text=letter.text,
        said_at=letter.said + EPOCH_2020,
        kept_at=letter.received + EPOCH_2020,
        contact=contact,
    )
