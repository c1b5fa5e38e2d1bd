"""A comparison that a person asks for: with a node that is named, or with all peers, to its end."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from rhotwist.control import directory as values
from rhotwist.control import explain, trouble, verbs
from rhotwist.control.verbs import Verb
from rhotwist.directory.step import Step
from rhotwist.directory.sync import Sync
from rhotwist.directory.waiting import Origin, Source
from rhotwist.errors import BadAddress, LocalError, NotSpoken, RequestFailed
from rhotwist.keys.address import NODE, Address, format_address, parse_node_at
from rhotwist.net.endpoint import RhoNode
from rhotwist.service.directory import DirectoryKeeper
from rhotwist.service.replication import ASK, CONNECT, Replication
from rhotwist.service.steady_tree import SteadyTree
from rhotwist.wire.schema import Request, Schema

MUTE = "mute"
"""How a comparison ends with one who serves nobody, as a wallet process does."""


class Comparer:
    """Compares for one process."""

    def __init__(self, keeper: DirectoryKeeper, node: RhoNode, others: Replication) -> None:
        self._keeper = keeper
        self._node = node
        self._others = others

    def handlers(self) -> Mapping[Verb, Callable[[Any], Any]]:
        """What the control socket answers."""
        return {verbs.DIR_SYNC: self.sync}

    async def sync(self, ask: values.SyncAsk) -> values.Synced:
        """Compare with a node, or with all peers. Raises OperatorError."""
        if ask.at:
            try:
                peer = self._node.peer(parse_node_at(ask.at))
                await peer.ping(CONNECT)
            except (BadAddress, LocalError) as error:
                raise trouble.PEER_WRONG(text=repr(ask.at[:120]), why=error) from None
            except RequestFailed as error:
                raise explain.request_failed(error, ask.at) from error
            self._others.meet(peer.key)
        whom = (peer.key,) if ask.at else self._others.neighbours
        if not whom:
            raise trouble.NO_PEER()
        rows = tuple([await self._compare(key) for key in whom])
        if not ask.at:  # wallet processes come as visitors: nothing failed where nothing is served
            rows = tuple(row for row in rows if row.ending != MUTE)
            if not rows:
                raise trouble.NO_PEER()
        state = self._keeper.store.state
        return values.Synced(rows, state.root.hex(), state.count)

    async def _compare(self, key: bytes) -> values.SyncRow:
        peer, shared = self._node.peer(key), self._node.core.fingerprint_key(key) or bytes(32)
        name = format_address(Address(NODE, key))
        sync = await self._others.look(lambda tree: Sync(tree, shared))
        steps = [await self._others.look(lambda _: sync.begin())]
        while steps:
            step = steps.pop()
            if step.ending is not None:
                return values.SyncRow(name, step.ending.name.lower(), sync.new)
            if step.records:
                outcome = await self._keeper.give(step.records, Source(Origin.ASKED, key))
                steps.append(await self._others.look(partial(_settled, sync, outcome.new + outcome.newer)))
            for ask in step.asks:
                try:
                    reply = await peer.request(ask, ASK)
                except NotSpoken:
                    return values.SyncRow(name, MUTE, sync.new)
                except RequestFailed:
                    steps.append(await self._others.look(lambda _: sync.failed()))
                else:
                    steps.append(await self._others.look(partial(_told, sync, ask, reply)))
        return values.SyncRow(name, "broken", sync.new)


def _settled(sync: Sync, new: int, _: SteadyTree) -> Step:
    return sync.settled(new)


def _told(sync: Sync, request: Request[Schema], reply: Schema, _: SteadyTree) -> Step:
    return sync.heard(request, reply)
