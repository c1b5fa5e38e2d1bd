"""The verbs by which a node is told what it speaks, who lives in it, and whom it trusts with how much."""

from __future__ import annotations

from rhotwist.keys.pair import SeedKey, check_key
from rhotwist.node.state import State
from rhotwist.wire.datagram import Path
from rhotwist.wire.schema import Request, Schema


class Knowing:
    """A node, as its owner sets it up."""

    _state: State

    def handle(self, schema: type[Schema], *, watch: bool = False) -> None:
        """Messages of this schema become Call jobs from now on, and with watch Arriving jobs before. Raises
        SchemaClash."""
        state = self._state
        state.vocabulary.add(schema)
        if issubclass(schema, Request):
            state.vocabulary.add(schema.reply)
        state.handled[schema.identifier] = schema
        if watch:
            state.watched.add(schema.identifier)

    def admit(self, peer: bytes, on: bool = True) -> None:
        """Take objects up to ``Limits.object_max`` from whoever holds this key, as from those we call ourselves."""
        if on:
            self._state.peers.add(check_key(peer))
        else:
            self._state.peers.discard(peer)

    def add_wallet(self, wallet: SeedKey) -> None:
        """A wallet is hot here: messages to it are taken, and its proof is given to an initiator that asks for it."""
        self._state.wallets[wallet.public] = wallet

    def drop_wallet(self, public: bytes) -> None:
        """The wallet is not hot here any more. Sessions that have its proof may go on speaking to it until they end."""
        self._state.wallets.pop(public, None)

    def path_to(self, peer: bytes, identity: bytes) -> Path | None:
        """Where the session leads that this identity has with a peer, who has proven his key there; None without."""
        session = self._state.pairs.get((identity, peer))
        return None if session is None else session.path

    def learn_token(self, server: bytes, token: bytes) -> None:
        """An address token kept from an earlier run: it saves the next connect to server a round trip, once."""
        self._state.tokens[self._state.key.public, server] = token
