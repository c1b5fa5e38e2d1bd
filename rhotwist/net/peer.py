"""A peer as a Twisted program sees it: ask it, tell it, ping it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, TypeVar

from twisted.internet.defer import Deferred

from rhotwist.errors import LocalError
from rhotwist.keys.address import NodeAt
from rhotwist.keys.pair import SeedKey
from rhotwist.net.requests import OnProgress
from rhotwist.node.jobs import Reached
from rhotwist.wire.datagram import Path
from rhotwist.wire.schema import Request, Schema

if TYPE_CHECKING:
    from rhotwist.net.endpoint import RhoNode

R = TypeVar("R", bound=Schema)


class Peer:
    """Somebody with a key, asked by one of our nodes. Made by ``RhoNode.peer``; holds no state of a session.

    at is the key and where it is said to be; its host is "" for whom only an open session leads to. paths are the ways
    there, None while a name must be looked up first. doubted: a record that may name anybody's address says so, and
    nobody of ours; a way gets one packet until it answers.
    """

    __slots__ = ("_node", "at", "doubted", "key", "paths")

    def __init__(self, node: RhoNode, at: NodeAt, paths: tuple[Path, ...] | None) -> None:
        self._node = node
        self.at = at
        self.key = at.key
        self.paths = paths
        self.doubted = False

    def request(
        self,
        body: Request[R],
        timeout: float | None = None,
        *,
        source: SeedKey | None = None,
        destination: bytes | None = None,
        identity: SeedKey | None = None,
        progress: OnProgress | None = None,
        background: bool = False,
    ) -> Deferred[R]:
        """Ask, over a session that is opened if there is none. Fires with the reply.

        A body or a reply that no small packet carries goes in many; nothing else changes. progress(done, total) is then
        called as bytes arrive: first those of the request that the peer has acknowledged, then beside them those of the
        reply. background lets whatever else uses the way go first.

        timeout is in seconds, ``Limits.request_timeout`` if None: how long nothing may come, of an object seconds
        without progress. source is the wallet that speaks, this node if None;
        destination the wallet that is spoken to, 32 bytes, the peer if None. identity is who we are to the peer, this
        node if None; each has a session of its own. Raises LocalError at once for what cannot
        be sent; fails with a RequestFailed otherwise. Cancelling withdraws the request, and fails it with Cancelled.
        """
        return self._node.ask(
            self, body, timeout, source=source, destination=destination, identity=identity, progress=progress,
            background=background,
        )  # fmt: skip

    def tell(self, body: Schema, *, source: SeedKey | None = None, destination: bytes | None = None) -> None:
        """Say something that wants no answer, and learn nothing of its fate. Raises LocalError at once."""
        self._node.tell(self, body, source, destination)

    def ping(self, timeout: float | None = None) -> Deferred[Reached]:
        """Prove that the peer is there and holds its key. Fires with a Reached: suite, round trip, our address as seen.

        Fails, and is cancelled, like ``request``.
        """
        return self._node.ping(self, timeout)

    def keep_alive(self, on: bool = True) -> bool:
        """Keep the NATs between us and the peer open from now on: every 25 s, and up to 110 s while answers arrive.

        on=False stops it. False if there is no session to keep; a new session starts without it.
        """
        return self._node.keep_alive(self, on)

    def __repr__(self) -> str:
        return f"<Peer {self.key.hex()[:8]} at {self.at.host or 'its session'}:{self.at.port}>"


def one_by_one(node: RhoNode, places: Iterable[NodeAt]) -> tuple[Peer, ...]:
    """Somebody at each of several places that this node has a network for, in their order."""
    found = []
    for place in places:
        with suppress(LocalError):
            found.append(node.peer(place))
    return tuple(found)


def at_any(node: RhoNode, places: Sequence[NodeAt]) -> Peer:
    """Somebody who is said to be at several places, IP addresses: the first that answers counts, for each session anew.

    Raises LocalError where this node has a network for none of them.
    """
    ways: list[Path] = []
    for place in places:
        with suppress(LocalError):
            ways += node.peer(place).paths or ()
    if not ways:
        raise LocalError(f"this node has a network for none of {len(places)} addresses")
    return Peer(node, places[0], tuple(ways))
