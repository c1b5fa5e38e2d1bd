"""The conversations of a wallet process: what peers say and want to know of them, and how both sides come to one state.

What the owner asks about them is in ``shown_talks``.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

import attrs
from twisted.internet.defer import Deferred
from twisted.logger import Logger

from rhotwist.control import trouble
from rhotwist.errors import BadPacket, LocalError, Refused, StoreError
from rhotwist.link.messages import RefusalCode
from rhotwist.net.handlers import Call
from rhotwist.service.files_in import World
from rhotwist.service.keystore import Hot, Keystore
from rhotwist.store.conversations import Conversations, OtherPair, View
from rhotwist.store.database import Database
from rhotwist.store.inbox import Letter
from rhotwist.talk import record as records
from rhotwist.talk.exchange import lacking, parting
from rhotwist.talk.messages import Kept, Said, TalkRoot, TalkRootAt, TalkStand, TalkSync
from rhotwist.talk.record import BadRecord, Pair, Place, pair_of
from rhotwist.tree.conversation import HIGHER
from rhotwist.tree.hashes import EMPTY
from rhotwist.wire.schema import Request, Schema

FORKS_MOST = 16
"""Forks that one synchronisation mends; what is left the next one does."""

#: Asks the wallet on the other side something, and raises OperatorError where no answer comes.
Ask = Callable[[Request[Any]], Awaitable[Any]]
R = TypeVar("R")


@attrs.frozen
class Synced:
    """How many records went and came, and whether both sides have the same now."""

    sent: int
    received: int
    same: bool


class TalkService:
    """The conversations of one data folder, while their process runs."""

    _log = Logger()

    def __init__(self, keystore: Keystore, world: World) -> None:
        self._keystore = keystore
        self._world = world
        self.store: Conversations

    def open(self, database: Database) -> None:
        """Have the conversations of a database. Called before all else."""
        self.store = Conversations(database)

    # --- what peers say ----------------------------------------------------------------------------------------------

    def handlers(self) -> dict[type[Schema], Callable[[Call[Any]], Awaitable[Schema]]]:
        """What wallets of other people may say and ask."""
        return {Said: self.hear, TalkSync: self.answer, TalkRootAt: self.answer_root}

    async def hear(self, call: Call[Said]) -> Kept:
        """A record for one of our wallets: checked, kept on disk, and only then confirmed."""
        own, pair = self._called(call)
        try:
            entry = records.check_from(call.body, pair, call.source)
        except BadRecord as error:
            raise Refused(RefusalCode.BAD_BODY, str(error)) from None
        await self._kept(self._take(pair, own, [call.body]))
        return Kept(record=entry.leaf)

    async def answer(self, call: Call[TalkSync]) -> TalkStand:
        """Take what a peer brings, and tell him how it stands and what he lacks."""
        own, pair = self._called(call)
        try:
            brought = records.read_all(call.body.records, pair)
        except (BadRecord, BadPacket) as error:
            raise Refused(RefusalCode.BAD_BODY, str(error)) from None
        await self._kept(self._take(pair, own, brought))
        return await self._kept(self._stand(pair, (call.body.lower, call.body.higher)))

    async def answer_root(self, call: Call[TalkRootAt]) -> TalkRoot:
        """The root over the first records of one side."""
        _, pair = self._called(call)
        author, count = call.body.address >> 63, call.body.address & HIGHER - 1
        return TalkRoot(root=await self._kept(self._look(pair, _root_at(author, count))))

    def _called(self, call: Call[Any]) -> tuple[bytes, Pair]:
        """The wallet of ours that a call is for, and the pair that it makes with who calls. Raises Refused."""
        hot = self._keystore.hot_by_key(call.destination)
        if hot is None:
            raise Refused(RefusalCode.NOT_HERE, "that wallet is not unlocked here")
        try:
            return hot.key.public, pair_of(hot.key, call.source)
        except LocalError as error:
            raise Refused(RefusalCode.BAD_BODY, str(error)) from None

    async def _kept(self, working: Awaitable[R]) -> R:
        try:
            return await working
        except OtherPair as error:
            raise Refused(RefusalCode.BAD_BODY, str(error)) from None
        except StoreError as error:
            self._log.error("a message could not be kept: {why}", why=str(error))
            raise Refused(RefusalCode.OVERLOADED, "it cannot be kept now") from None

    async def _take(self, pair: Pair, own: bytes, said: Sequence[Said]) -> int:
        """Keep records that were checked, and those of the other one as letters too. How many are new."""
        if not said:
            return 0
        date, other = self._world.date(), pair.other(own)
        letters = [
            Letter(records.record_hash(one), date, one.date, other, own, one.text, one.encode())
            for one in said if records.author_of(one, pair) == other
        ]  # fmt: skip
        new: int = await self._world.soon(self.store.hear(pair, said, letters))
        return new

    # --- what we say -------------------------------------------------------------------------------------------------

    def say(self, hot: Hot, other: bytes, text: str) -> Deferred[Said]:
        """A record of a hot wallet, signed and kept, that may be sent now."""
        pair, date = pair_of(hot.key, other), self._world.date()

        def make(place: Place) -> Said:
            return records.compose(hot.key, pair, place, text, date)

        return self._world.soon(self.store.say(pair, hot.key.public, make))

    async def sync(self, hot: Hot, other: bytes, ask: Ask, peer: str) -> Synced:
        """Bring the conversation of a hot wallet with another to one state. Raises OperatorError. peer is for people.

        Where both have the same this is one question. Else each question carries what the other lacks and each answer
        what we lack, until nothing moves any more; forks are then looked for by halves.
        """
        pair = pair_of(hot.key, other)
        sent, received, stand, ours = await self._even(pair, hot, ask, peer)
        for _ in range(FORKS_MOST):
            if _sizes(stand) != _sizes(ours) or _roots(stand) == _roots(ours):
                break
            before = _roots(stand), _roots(ours)
            side = int(stand.lower_root == ours.lower_root)
            at = await self._parting(pair, side, _sizes(ours)[side], ask)
            received += await self._repair(pair, hot, ask, peer, side << 63 | at)
            _, _, stand, ours = await self._even(pair, hot, ask, peer)
            if (_roots(stand), _roots(ours)) == before:
                break
        return Synced(sent, received, (_sizes(stand), _roots(stand)) == (_sizes(ours), _roots(ours)))

    async def _even(self, pair: Pair, hot: Hot, ask: Ask, peer: str) -> tuple[int, int, TalkStand, TalkStand]:
        """Exchange what is missing: counts of what went and came, and how it stands there and here then."""
        sent = received = 0
        pushed: tuple[bytes, ...] = ()
        ours = await self._stand(pair, (HIGHER, HIGHER))
        while True:
            stand: TalkStand = await ask(TalkSync(lower=ours.lower, higher=ours.higher, records=pushed))
            sent += len(pushed)
            new = await self._bring(pair, hot, stand.records, peer)
            received += new
            last, ours = pushed, await self._stand(pair, _sizes(stand))
            pushed = ours.records
            if _sizes(ours) == _sizes(stand) or not new and pushed in ((), last):
                return sent, received, stand, ours

    async def _bring(self, pair: Pair, hot: Hot, bodies: tuple[bytes, ...], peer: str) -> int:
        try:
            return await self._take(pair, hot.key.public, records.read_all(bodies, pair))
        except (BadRecord, BadPacket, OtherPair) as error:
            raise trouble.REPLY_WRONG(peer=peer, why=f"a record of the conversation: {error}") from None

    async def _parting(self, pair: Pair, side: int, size: int, ask: Ask) -> int:
        """The number of the first record of a side that is another there."""
        search = parting(size)
        try:
            count = next(search)
            while True:
                theirs: TalkRoot = await ask(TalkRootAt(address=side << 63 | count))
                count = search.send(theirs.root == await self._look(pair, _root_at(side, count)))
        except StopIteration as found:
            return int(found.value)

    async def _repair(self, pair: Pair, hot: Hot, ask: Ask, peer: str, address: int) -> int:
        """Show each other what stands at an address, and its rival. How many records are new here."""

        def work(view: View) -> tuple[bytes, ...]:
            return tuple(said.encode() for said in view.records(view.talk.at(address)))

        ours = await self._look(pair, work)
        counts = [HIGHER - 1, HIGHER - 1]
        counts[address >> 63] = address & HIGHER - 1
        stand: TalkStand = await ask(TalkSync(lower=counts[0], higher=counts[1], records=ours))
        return await self._bring(pair, hot, stand.records, peer)

    # --- how it stands -----------------------------------------------------------------------------------------------

    def _look(self, pair: Pair, work: Callable[[View], R]) -> Deferred[R]:
        return self._world.soon(self.store.look(pair.name, work))

    def _stand(self, pair: Pair, theirs: tuple[int, int]) -> Deferred[TalkStand]:
        """How a conversation stands here, with what somebody of those sizes lacks."""

        def work(view: View) -> TalkStand:
            sizes = view.talk.sizes
            roots = [view.talk.root_at(author, size) for author, size in enumerate(sizes)]
            missing = view.records(lacking(view.talk, theirs))
            return TalkStand(
                lower=sizes[0], higher=sizes[1], lower_root=roots[0], higher_root=roots[1],
                records=tuple(said.encode() for said in missing),
            )  # fmt: skip

        return self._look(pair, work)


def _root_at(author: int, count: int) -> Callable[[View], bytes]:
    """The root over an author's first records, zeros where there are fewer."""
    return lambda view: view.talk.root_at(author, count) if count <= view.talk.sizes[author] else EMPTY


def _sizes(stand: TalkStand) -> tuple[int, int]:
    return stand.lower, stand.higher


def _roots(stand: TalkStand) -> tuple[bytes, bytes]:
    return stand.lower_root, stand.higher_root
