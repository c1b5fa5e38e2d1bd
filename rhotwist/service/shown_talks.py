"""What the owner of a wallet asks about conversations: lists, pictures, proofs, files for others and from them."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

import attrs
from twisted.internet.defer import Deferred

from rhotwist.control import talks, trouble, verbs
from rhotwist.control.values import Nothing
from rhotwist.control.verbs import Verb
from rhotwist.errors import BadArmour, BadPacket, LocalError
from rhotwist.keys.address import WALLET, Address, format_address, parse_address
from rhotwist.moment import EPOCH_2020
from rhotwist.service.contacts import Book
from rhotwist.service.control_server import Handler
from rhotwist.service.files_in import World
from rhotwist.service.keystore import Hot, Keystore
from rhotwist.service.talks import TalkService
from rhotwist.store.conversations import OtherPair, View
from rhotwist.talk import proof, published
from rhotwist.talk.messages import Published
from rhotwist.talk.record import BadRecord, Pair, pair_of
from rhotwist.tree.conversation import Conversation, Entry

LISTED_MOST = 10_000
"""Records that one answer shows."""
ID_LEAST = 4
"""Hex digits of an id that stand for it."""
SEEN = {True: "yes", False: "no", None: "unknown"}

R = TypeVar("R")


class ShownTalks:
    """The owner's view of the conversations of one wallet process."""

    def __init__(self, talking: TalkService, keystore: Keystore, book: Book, world: World) -> None:
        self._talks = talking
        self._keystore = keystore
        self._book = book
        self._world = world

    def verbs(self) -> Mapping[Verb, Handler]:
        """What its owner may ask, but for what goes over the net."""
        return {
            verbs.TALKS: self.listed, verbs.TALK_SHOW: self.show, verbs.TALK_PROVE: self.prove,
            verbs.TALK_EXPORT: self.export, verbs.TALK_IMPORT: self.take,
        }  # fmt: skip

    # --- what there is -----------------------------------------------------------------------------------------------

    async def listed(self, _: Nothing) -> talks.TalkList:
        """All conversations."""
        return talks.TalkList(tuple([await self.row(pair) for pair in self._talks.store.all()]))

    async def row(self, pair: Pair) -> talks.TalkRow:
        """One of them as people see it."""
        return await self._look(pair, lambda view: self._row(pair, view.talk))

    async def show(self, ask: talks.TalkShow) -> talks.TalkShown:
        """The newest records of one. Raises OperatorError."""
        pair = self._find(ask.talk)
        limit = max(1, min(ask.limit, LISTED_MOST))

        def work(view: View) -> talks.TalkShown:
            order = list(enumerate(view.talk.order(), 1))
            row, skipped = self._row(pair, view.talk), max(0, len(order) - limit)
            items = tuple(self._item(view, row, number, entry) for number, entry in order[skipped:])
            return talks.TalkShown(row, items, skipped)

        return await self._look(pair, work)

    def _row(self, pair: Pair, talk: Conversation) -> talks.TalkRow:
        own, names = self._own(), self._book.names()
        parties = []
        for key, size in zip(pair.keys, talk.sizes, strict=True):
            address = format_address(Address(WALLET, key))
            parties.append(talks.TalkParty(own.get(key) or names.get(key) or address, address, key in own, size))
        order = list(talk.order())
        return talks.TalkRow(
            pair.name.hex(), parties[0], parties[1], talk.root.hex(), len(talk.forks), talk.waiting,
            order[-1].date + EPOCH_2020 if order else None,
        )  # fmt: skip

    @staticmethod
    def _item(view: View, row: talks.TalkRow, number: int, entry: Entry) -> talks.TalkItem:
        said, *rival = view.records(view.talk.at(entry.address))
        author = (row.lower, row.higher)[entry.author]
        shown = talks.TalkItem(
            number, author.name, author.ours, entry.index, said.text, said.date + EPOCH_2020, entry.leaf.hex(),
            SEEN[view.talk.agrees(entry)],
        )  # fmt: skip
        if not rival:
            return shown
        other = view.talk.at(entry.address)[1]
        return attrs.evolve(shown, rival=other.leaf.hex(), rival_text=rival[0].text)

    # --- for others --------------------------------------------------------------------------------------------------

    async def prove(self, ask: talks.TalkProve) -> talks.TalkProof:
        """A proof signed by a hot wallet: the one that has the conversation, or any. Raises OperatorError."""
        pair = self._find(ask.talk)
        witness = self._witness(pair, ask.witness or ask.talk.wallet)
        before = ask.before or (0, 0)
        date = self._world.date()

        def work(view: View) -> talks.TalkProof:
            order = list(view.talk.order())
            number = len(order) if ask.record is None else ask.record
            if len(before) != 2 or not 0 <= number <= len(order):
                raise LocalError(f"record {number} of {len(order)}")
            shown = view.records([order[number - 1]])[0] if number else None
            made = proof.prove(view.talk, pair, witness.key, date, record=shown, before=(before[0], before[1]))
            return talks.TalkProof(self._row(pair, view.talk), made.encode().hex())

        try:
            return await self._look(pair, work)
        except LocalError as error:
            raise trouble.RECORD_ABSENT(why=error) from None

    async def export(self, ask: talks.TalkExport) -> talks.TalkExported:
        """Write one to a file. Raises OperatorError."""
        pair = self._find(ask.talk)

        def work(view: View) -> Published:
            addresses = [author << 63 | index for author in (0, 1) for index in range(view.talk.sizes[author])]
            entries = [entry for address in addresses for entry in view.talk.at(address)]
            return published.publish(pair, view.talk, view.records(entries))

        path = Path(ask.path)
        try:
            made = await self._look(pair, work)
            await self._world.in_thread(lambda: _write(path, published.to_file(made)))
        except (LocalError, OSError) as error:
            raise trouble.TALK_FILE(path=path, why=getattr(error, "strerror", None) or error) from None
        return talks.TalkExported(await self.row(pair), str(path))

    async def take(self, ask: talks.TalkImport) -> talks.TalkImported:
        """Read, check and keep what others published. Raises OperatorError."""
        path = Path(ask.path)
        try:
            shown: published.Shown = await self._world.in_thread(lambda: _read(path))
            self._check_own(shown.pair)
            new: int = await self._world.soon(self._talks.store.hear(shown.pair, shown.records))
        except OSError as error:
            raise trouble.TALK_FILE(path=path, why=error.strerror or error) from None
        except BadPacket as error:
            raise trouble.TALK_WRONG(path=path, why=f"it is no published conversation ({error.reason})") from None
        except (BadRecord, BadArmour, OtherPair) as error:
            raise trouble.TALK_WRONG(path=path, why=error) from None
        return talks.TalkImported(await self.row(shown.pair), new)

    def _check_own(self, pair: Pair) -> None:
        """A conversation of a wallet of ours has the pair hash that this one computes. Raises OperatorError."""
        own = self._own()
        for key in pair.keys:
            if key in own:
                hot = self._keystore.hot_by_key(key)
                if hot is None:
                    raise trouble.WALLET_LOCKED(name=own[key])
                if pair_of(hot.key, pair.other(key)) != pair:
                    raise BadRecord("it has another pair hash than the wallet of ours that it is said to be of")

    # --- which -------------------------------------------------------------------------------------------------------

    def _find(self, wanted: talks.TalkName) -> Pair:
        """The one conversation that is meant. Raises OperatorError."""
        known, own = self._talks.store.all(), self._own()
        if wanted.wallet:
            self._keystore.existing(wanted.wallet)
        found = []
        if _is_id(wanted.name) and wanted.name not in self._book.names().values():
            found = [pair for pair in known if pair.name.hex().startswith(wanted.name.lower())]
        else:
            key = self._book.resolve(wanted.name).key
            having = [pair for pair in known if key in pair.keys]
            found = [pair for pair in having if pair.other(key) in own] or having
        if wanted.wallet:
            found = [pair for pair in found if wanted.wallet in (own.get(key) for key in pair.keys)]
        if not found:
            raise trouble.TALK_ABSENT(name=wanted.name[:80])
        if len(found) > 1:
            raise trouble.WHICH_TALK(names=", ".join(pair.name.hex()[:8] for pair in found))
        return found[0]

    def _witness(self, pair: Pair, name: str) -> Hot:
        if not name:
            for key in pair.keys:
                hot = self._keystore.hot_by_key(key)
                if hot is not None:
                    return hot
        return self._keystore.speaker(name)

    def _own(self) -> dict[bytes, str]:
        return {parse_address(row.address, WALLET).key: row.name for row in self._keystore.rows() if row.address} | {
            hot.key.public: name for name, hot in self._keystore.hot.items()
        }

    def _look(self, pair: Pair, work: Callable[[View], R]) -> Deferred[R]:
        return self._world.soon(self._talks.store.look(pair.name, work))


def _is_id(text: str) -> bool:
    return ID_LEAST <= len(text) <= 64 and all(char in "0123456789abcdef" for char in text.lower())


def _write(path: Path, data: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)


def _read(path: Path) -> published.Shown:
    with path.open("rb") as file:
        data = file.read(published.FILE_MOST + 1)
    if len(data) > published.FILE_MOST:
        raise BadRecord(f"it has more than {published.FILE_MOST:,} bytes")
    return published.check_published(published.read(data))
