"""From a name or a key to somebody to ask: at the place that is said, else where book and directory have him."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import attrs
from twisted.internet.defer import Deferred

from rhotwist.control import directory as values
from rhotwist.control import trouble
from rhotwist.errors import LocalError, OperatorError, StoreError
from rhotwist.keys.address import NODE, WALLET, Address, format_address, is_address
from rhotwist.net.endpoint import RhoNode
from rhotwist.net.peer import Peer, one_by_one
from rhotwist.net.ways import Ways
from rhotwist.service.contacts import Book, read_place
from rhotwist.service.files_in import World
from rhotwist.service.finding import Finder, read_address
from rhotwist.service.keystore import Hot
from rhotwist.wire.schema import Request


class Route:
    """How a hot wallet asks another one, wherever that is. Made by ``Reaching.route``."""

    def __init__(self, hot: Hot, to: bytes, ways: Ways, finder: Finder) -> None:
        self._hot = hot
        self._to = to
        self._ways = ways
        self._finder = finder

    def request(self, body: Request[Any], timeout: float, **how: Any) -> Deferred[Any]:
        """``Peer.request`` at the best place where a session comes: fails as ``Ways.ask`` does."""

        def fire(peer: Peer, left: float) -> Deferred[Any]:
            identity = self._hot.identity(peer.key)

            def answered(reply: Any) -> Any:
                self._finder.proven(peer, identity.public)
                return reply

            return peer.request(
                body, left, source=self._hot.key, destination=self._to, identity=identity, **how
            ).addCallback(answered)

        return self._ways.ask(fire, timeout)


class Reaching:
    """The one way from what a person calls somebody to where he is asked."""

    def __init__(self, node: RhoNode, book: Book, finder: Finder, world: World) -> None:
        self._node = node
        self._book = book
        self._finder = finder
        self._world = world

    def route(self, hot: Hot, to: bytes, at: str, *, asked: bool = True) -> Route:
        """The way to a wallet: at NODE@HOST:PORT alone or, with "", wherever it is. Raises OperatorError.

        Wherever are the places of the contact, one after another, and behind them those that the directory knows. asked
        as in ``Finder.peer``, but for the first time: that is a person's.
        """
        name = format_address(Address(WALLET, to))
        known: list[bytes] = []  # nodes that the directory named

        def find(first: bool) -> Iterable[Peer]:
            if at:
                return (self._at(at),)
            places = self._book.resolve(name).places
            peers = list(one_by_one(self._node, map(read_place, places)))
            try:
                peers.append(self._finder.peer(name, asked=asked or first))
            except (OperatorError, StoreError):
                # It is not to be knocked at now, or taken back; an open session is as good as it was.
                peers += map(self._node.peer, known)
                if not peers and not places:
                    raise
            else:
                known[:] = [peers[-1].key]
            if not peers:
                self._at(places[0])  # says why
            return peers

        def stands(peer: Peer) -> bool:
            return self._node.core.path_to(peer.key, hot.identity(peer.key).public) is not None

        return Route(hot, to, Ways(find, stands, later=self._world.later, mono=self._world.mono), self._finder)

    def _at(self, text: str) -> Peer:
        place = read_place(text)
        try:
            return self._node.peer(place)
        except LocalError as error:  # a family that this process has no socket of
            raise trouble.NO_NETWORK(why=error) from None

    def lookup(self, ask: values.Lookup) -> values.Found:
        """Where a key or a contact is: ``Finder.lookup``, and where he was said to be. Raises OperatorError."""
        text = ask.key.strip()
        if is_address(text) and read_address(text).kind == NODE:
            return self._finder.lookup(ask)
        party = self._book.resolve(text)
        try:
            found = self._finder.lookup(values.Lookup(format_address(Address(WALLET, party.key))))
        except OperatorError:
            if not party.places:
                raise
            found = values.Found((), party.places[0].partition("@")[0], ())
        return attrs.evolve(found, said=party.places)
