"""The verbs of a node that are about connections."""

from __future__ import annotations

from collections.abc import Sequence

from rhotwist.errors import Closed
from rhotwist.link.records import Piece
from rhotwist.link.session import Session
from rhotwist.moment import Moment
from rhotwist.node import recording, streams, turning
from rhotwist.node.state import State
from rhotwist.node.streams import Stream
from rhotwist.wire.datagram import Path


class Connecting:
    """A node, as those see it who move the bytes of connections."""

    _state: State

    def receive(self, path: Path, datagrams: Sequence[bytes], moment: Moment) -> None:
        """The node's own."""
        raise NotImplementedError

    def attach(self, path: Path, moment: Moment, *, ours: bool) -> Stream:
        """A connection is there, or about to be; its path has 18 random bytes for an address.

        ours says that it is we who connect; such a path may be attached again, when another connection leads there.
        Raises TableFull, and Closed after ``close``.
        """
        if self._state.closed:
            raise Closed("this node was stopped")
        return streams.attach(self._state, path, moment, ours=ours)

    def feed(self, stream: Stream, data: bytes, moment: Moment) -> None:
        """Take bytes that came over a connection, in order. Never raises for anything that is in them."""
        state, mono = self._state, moment.mono

        def take(session: Session, piece: Piece) -> bool:
            return recording.taken(state, stream, session, piece, mono)

        for datagrams in streams.feed(state, stream, data, moment, take):
            self.receive(stream.path, datagrams, moment)
        if state.stirred:
            turning.turn(state, mono)

    def detach(self, stream: Stream, moment: Moment) -> None:
        """A connection is gone. What went over it goes on when its peer, or we, have made another."""
        streams.detach(self._state, stream)
        if self._state.stirred:
            turning.turn(self._state, moment.mono)
