"""A node on this machine's network: the whole of rhotwist, as a Twisted program holds it."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any, Protocol, TypeVar

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import CancelledError, Deferred, TimeoutError, fail, succeed
from twisted.internet.error import CannotListenError, DNSLookupError
from twisted.internet.interfaces import IReactorFDSet
from twisted.internet.threads import deferToThreadPool
from twisted.python.failure import Failure

from rhotwist.errors import Closed, HostUnknown, LocalError, RequestFailed, SessionLost
from rhotwist.event.pending import Event
from rhotwist.keys.address import TCP, NodeAt, format_node_at, parse_address, parse_node_at
from rhotwist.keys.pair import SeedKey, check_key
from rhotwist.limits import Limits
from rhotwist.moment import Moment
from rhotwist.net import clock
from rhotwist.net.driver import Driver
from rhotwist.net.group import together
from rhotwist.net.handlers import Call, Handlers, OnArriving
from rhotwist.net.peer import Peer
from rhotwist.net.protocol import MAX_PACKET_SIZE, RhoDatagramProtocol
from rhotwist.net.requests import OnProgress, Requests, Withdrawn
from rhotwist.net.resolve import is_ip, resolve
from rhotwist.net.sockets import is_ipv6, open_all
from rhotwist.net.stream_carrier import StreamCarrier
from rhotwist.net.udp import UdpPort
from rhotwist.node import jobs
from rhotwist.node.core import Node
from rhotwist.secret.puzzle import solve
from rhotwist.wire.datagram import Path, pack_address
from rhotwist.wire.schema import Request, Schema

T = TypeVar("T")
Q = TypeVar("Q", bound=Schema)
R = TypeVar("R", bound=Schema)
Q_co = TypeVar("Q_co", covariant=True)
R_co = TypeVar("R_co", covariant=True)

#: All addresses of this machine, of both families.
EVERYWHERE = ("0.0.0.0", "::")  # noqa: S104 - a node is there to be reached
#: What a look-up that took all the time leaves for the request, in seconds: too little, so that it times out as one.
_SOON = 0.001
#: Puzzle solutions tried between two looks at whether the node was closed; 7 ms.
_TRIES_AT_ONCE = 2**14


class Asks(Protocol[Q_co, R_co]):
    """A request class as type checkers see it: itself, and what answers it."""

    def _asks(self) -> tuple[Q_co, R_co]: ...


class RhoNode:
    """A node that listens. Made by ``listen``; programs that bring their own core make one and call ``bind``."""

    def __init__(self, core: Node, reactor: Any, *, limits: Limits, now: Callable[[], Moment] = clock.now) -> None:
        self.core = core
        self._reactor = reactor
        self._limits = limits
        self._now = now
        self._own_counters: dict[str, int] = {}
        self.driver = Driver(core, reactor, counters=self._own_counters, now=now)
        self._requests = Requests(core, self.driver)
        self._handlers = Handlers(core, self.driver)
        self._looking: set[Deferred[Any]] = set()
        self._trigger: Any = None
        self._streams: StreamCarrier | None = None
        self.driver.runners[jobs.Solve] = self._solve
        self.driver.runners[jobs.Admit] = self._sieve
        self.driver.runners[jobs.KeepToken] = self.driver.runners[jobs.ForgetToken] = lambda job: None

    # --- where it is --------------------------------------------------------------------------------------------------

    @property
    def public(self) -> bytes:
        """The node's 32-byte key."""
        return self.core.public

    @property
    def sockets(self) -> list[tuple[str, int]]:
        """The addresses it takes datagrams at, as text and port."""
        return [(carrier.host, carrier.port) for carrier in self.driver.carriers if carrier.host]

    @property
    def streams(self) -> StreamCarrier:
        """Its connections. ``streams.listen(host, port)`` takes some, beside the datagrams or instead of them."""
        if self._streams is None:
            self._streams = StreamCarrier(
                len(self.driver.carriers), self.core, self.driver, self._reactor, limits=self._limits
            )
            self.driver.carriers.append(self._streams)
        return self._streams

    @property
    def address(self) -> str:
        """``NODE@HOST:PORT`` of its first socket. HOST is the loopback address if that socket takes all addresses: it
        is good on this machine; for others use ``address_at`` with what they reach it by."""
        places = self.sockets or self.streams.places
        host = places[0][0]
        return self.address_at({"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host))  # noqa: S104

    def address_at(self, host: str) -> str:
        """``NODE@HOST:PORT`` for a host, an IP address or a name by which others reach this machine."""
        if self.sockets:
            return format_node_at(NodeAt(self.public, host, self.sockets[0][1]))
        return format_node_at(NodeAt(self.public, host, self.streams.places[0][1], TCP))

    def bind(self, interface: Sequence[str], port: int) -> None:
        """Open a socket for each interface, an IP address as text, and start. port 0 is chosen by the kernel, the same
        for all. Raises CannotListenError. A family that this machine does not have is left out of ``EVERYWHERE``."""
        if hasattr(self._reactor, "addReader") and IReactorFDSet.providedBy(self._reactor):
            optional = tuple(interface) == EVERYWHERE
            for sock in open_all(interface, port, optional):
                carrier = UdpPort(
                    self._reactor, sock, len(self.driver.carriers), self.driver, limits=self._limits,
                    counters=self._own_counters,
                )  # fmt: skip
                self.driver.carriers.append(carrier)
                carrier.start()
        else:
            for host in interface:
                protocol = RhoDatagramProtocol(
                    len(self.driver.carriers), self.driver, host, counters=self._own_counters
                )
                self._reactor.listenUDP(port, protocol, interface=host, maxPacketSize=MAX_PACKET_SIZE)
                self.driver.carriers.append(protocol)
                port = port or protocol.port
        self.driver.start()
        if hasattr(self._reactor, "addSystemEventTrigger"):
            self._trigger = self._reactor.addSystemEventTrigger("during", "shutdown", self._close)

    # --- what it does -------------------------------------------------------------------------------------------------

    def answer(
        self, schema: type[Asks[Q, R]], handler: Callable[[Call[Q]], R | Awaitable[R] | Deferred[R]], *,
        progress: OnArriving | None = None,
    ) -> None:  # fmt: skip
        """Have handler answer every request of that schema, at once, by a Deferred or as a coroutine.

        progress is called with an ``Arriving`` as the bytes of one come that is too big for a packet. An exception
        other than Refused is logged here, and the peer gets HandlerFailed. Raises LocalError if the schema has a
        handler, SchemaClash if another schema has its identifier.
        """
        self._handle(schema, handler, progress)

    def hear(
        self, schema: type[Q], handler: Callable[[Call[Q]], object], *, progress: OnArriving | None = None
    ) -> None:
        """Have handler told every message of a schema that wants no answer. Otherwise as ``answer``."""
        self._handle(schema, handler, progress)

    def admit(self, peer: bytes, on: bool = True) -> None:
        """Take objects up to ``Limits.object_max`` from this 32-byte key; from others who call, ``object_max_client``
        bytes if they have proven a wallet, else ``object_max_stranger``."""
        self.core.admit(peer, on)

    def group(
        self, members: Sequence[Deferred[T]], progress: Callable[[int, int], object] | None = None
    ) -> Deferred[list[T]]:
        """``net.group.together``: one Deferred for many. progress(done, total) counts members."""
        return together(members, progress)

    def _handle(self, schema: object, handler: Callable[[Any], Any], progress: OnArriving | None) -> None:
        if not (isinstance(schema, type) and issubclass(schema, Schema)):
            raise LocalError(f"{schema!r} is no Schema; declare one: class Say(Request[Said], name=...)")
        self.core.handle(schema, watch=progress is not None)
        self._handlers.add(schema, handler, progress)

    def peer(self, at: str | bytes | NodeAt) -> Peer:
        """Somebody to ask: ``"NODE@HOST:PORT"``, or the key alone (text, or 32 bytes such as ``call.peer``) for whom a
        session is open already. Raises BadAddress, BadKey, or LocalError for a family that it does not listen on."""
        if isinstance(at, str):
            at = parse_node_at(at) if "@" in at else parse_address(at, "n").key
        if isinstance(at, NodeAt):
            return Peer(self, at, self._paths(at, at.host) if is_ip(at.host) else None)
        return Peer(self, NodeAt(check_key(at), "", 0), ())

    def ask(
        self, peer: Peer, body: Request[R], timeout: float | None, *, progress: OnProgress | None = None, **how: Any
    ) -> Deferred[R]:
        """``Peer.request``; how is what the core's ``fire`` is told beside."""
        paths = peer.paths
        if paths is None:
            if not isinstance(body, Request):
                raise LocalError(f"{type(body).__name__} has no reply; tell it, or declare it as a Request[...]")
            body.encode()
            fire = partial(self.core.fire, peer.key, body, watch=progress is not None, **how)
            return self._fire_by_name(peer, timeout, fire, progress)
        how.update(timeout=timeout, paths=paths, watch=progress is not None, doubted=peer.doubted)
        reply = self._requests.wait(self.core.fire(peer.key, body, self._now(), **how), progress)
        self.driver.settle()
        return reply

    def ping(self, peer: Peer, timeout: float | None) -> Deferred[jobs.Reached]:
        """``Peer.ping``."""
        if peer.paths is None:
            return self._fire_by_name(peer, timeout, partial(self.core.ping, peer.key))
        event = self.core.ping(peer.key, self._now(), timeout=timeout, paths=peer.paths, doubted=peer.doubted)
        reply = self._requests.wait(event)
        self.driver.settle()
        return reply

    def keep_alive(self, peer: Peer, on: bool) -> bool:
        """``Peer.keep_alive``."""
        kept = self.core.keep_alive(peer.key, self._now(), on=on)
        self.driver.settle()
        return kept

    def tell(self, peer: Peer, body: Schema, source: SeedKey | None, destination: bytes | None) -> None:
        """``Peer.tell``."""

        def say(paths: Sequence[Path]) -> None:
            self.core.tell(peer.key, body, self._now(), paths=paths, source=source, destination=destination)
            self.driver.settle()

        if isinstance(body, Request):
            raise LocalError(f"{body.schema_name} has a reply; request it")
        body.encode()
        if peer.paths is None:
            self._look_up(peer).addCallback(say).addErrback(self._untold)
        else:
            say(peer.paths)

    def _untold(self, failure: Failure) -> None:
        """What is told is lost if its way is not found; what our caller did wrong is logged."""
        if not failure.check(RequestFailed):
            self.driver.faults.failure("telling", failure)

    # --- how to get there ---------------------------------------------------------------------------------------------

    def _paths(self, at: NodeAt, host: str) -> tuple[Path, ...]:
        if at.carrier == TCP:
            return (self.streams.path(host, at.port),)
        carrier = self._carrier(is_ipv6(host))
        if carrier is None:
            family = "IPv6" if is_ipv6(host) else "IPv4"
            raise LocalError(f"{host} is {family}, and this node listens on no {family} address")
        return (Path(carrier, pack_address(host, at.port)),)

    def _carrier(self, ipv6: bool) -> int | None:
        for index, carrier in enumerate(self.driver.carriers):
            if carrier.host and is_ipv6(carrier.host) == ipv6:
                return index
        return None

    def _look_up(self, peer: Peer, timeout: float | None = None) -> Deferred[Sequence[Path]]:
        """The paths to a peer known by a host name. Fails with HostUnknown, or with SessionLost after ``close``, which
        cancels it. Raises Closed."""
        if self.driver.closed:
            raise Closed("the node was closed; listen again for another")
        families = [
            kind for kind, ipv6 in ((IPv4Address, False), (IPv6Address, True))
            if peer.at.carrier == TCP or self._carrier(ipv6) is not None
        ]  # fmt: skip

        def found(hosts: list[str]) -> Sequence[Path]:
            return self._paths(peer.at, hosts[0])

        def missing(failure: Failure) -> Sequence[Path]:
            if failure.check(CancelledError):
                raise SessionLost("the node was closed")
            failure.trap(DNSLookupError, TimeoutError)
            raise HostUnknown(f"no address was found for the name {peer.at.host}")

        def over(result: Any) -> Any:
            self._looking.discard(looking)
            return result

        looking = resolve(self._reactor, peer.at.host, peer.at.port, families)
        self._looking.add(looking)
        looking.addTimeout(self._limits.request_timeout if timeout is None else timeout, self._reactor)
        return looking.addBoth(over).addCallbacks(found, missing)

    def _fire_by_name(
        self, peer: Peer, timeout: float | None, fire: Callable[..., Event], progress: OnProgress | None = None
    ) -> Deferred[Any]:
        """Look the name up first; the time that takes is part of timeout."""
        until = self._now().mono + (self._limits.request_timeout if timeout is None else timeout)
        under_way: list[Deferred[Any]] = []

        def cancel(reply: Deferred[Any]) -> None:
            reply.errback(Withdrawn("the request was withdrawn"))
            under_way[0].cancel()

        def found(paths: Sequence[Path]) -> Any:
            moment = self._now()
            event = fire(moment, timeout=max(_SOON, until - moment.mono), paths=paths)
            under_way[:] = [self._requests.wait(event, progress)]
            self.driver.settle()
            return under_way[0]

        def done(outcome: Any) -> None:
            if not reply.called:
                reply.callback(outcome)

        reply: Deferred[Any] = Deferred(cancel)
        under_way.append(self._look_up(peer, timeout))
        under_way[0].addCallback(found).addBoth(done)
        return reply

    # --- work for others ----------------------------------------------------------------------------------------------

    def _sieve(self, job: jobs.Admit) -> None:
        dropped, full = zip(*[carrier.admit(job.turn) for carrier in self.driver.carriers], strict=True)
        self.core.done(job, jobs.Admitted(sum(dropped), max(full)), self._now())

    def _solve(self, job: jobs.Solve) -> None:
        def search() -> bytes | None:
            solution, start = None, 0
            while solution is None and not self.driver.closed:
                solution = solve(job.cookie, job.ephemeral, job.difficulty, start, _TRIES_AT_ONCE)
                start += _TRIES_AT_ONCE
            return solution

        def solved(solution: bytes | None) -> None:
            if not self.driver.closed:
                self.core.done(job, solution, self._now())
                self.driver.settle()

        def failed(failure: Failure) -> None:
            if not failure.check(RequestFailed):
                self.driver.faults.failure("solving a puzzle", failure)
            solved(None)

        working = deferToThreadPool(self._reactor, self._reactor.getThreadPool(), search)
        working.addCallbacks(solved, failed)

    # --- how it is ----------------------------------------------------------------------------------------------------

    @property
    def counters(self) -> dict[str, int]:
        """What happened since it was made, by name: the core's counters and the sockets'."""
        return {**self.core.counters, **self._own_counters}

    def status(self) -> dict[str, Any]:
        """What the core says of itself, the sockets, and how late the reactor comes to what is due, in seconds."""
        return {
            **self.core.status(),
            "sockets": self.sockets,
            "streams": self._streams.places if self._streams is not None else [],
            "loop_lag_p99": self.driver.lag.p99(),
            "loop_lag_worst": self.driver.lag.worst(),
            "counters": self.counters,
        }

    # --- the end ------------------------------------------------------------------------------------------------------

    def close(self) -> Deferred[None]:
        """Take leave of the peers, fail what is under way with SessionLost, close the sockets. Fires when all is still;
        closing twice does nothing."""
        if self._trigger is not None:
            self._reactor.removeSystemEventTrigger(self._trigger)
        return self._close()

    def _close(self) -> Deferred[None]:
        self._trigger = None
        if self.driver.closed:
            return self._streams.left() if self._streams is not None else succeed(None)
        try:
            self.core.close(self._now())
        except Exception:
            # Whatever it is, the sockets shall not stay open for it.
            self.driver.faults.failure("closing the node", Failure())
        self.driver.close()
        for looking in list(self._looking):
            looking.cancel()
        self._handlers.close()
        self._requests.close()
        return self._streams.left() if self._streams is not None else succeed(None)


def listen(
    reactor: Any, key: SeedKey | None = None, port: int = 0, interface: str | Sequence[str] = EVERYWHERE,
    limits: Limits | None = None, *, tcp: int | None = None,
) -> Deferred[RhoNode]:  # fmt: skip
    """A node on this machine's network. Fires with it, at once; fails with CannotListenError.

    key is the node's, a new one if None. port 0 is chosen by the kernel. interface says which addresses to take
    datagrams for: IP addresses as text, all of IPv4 and IPv6 by default. tcp is a port at which it takes connections on
    these addresses, too, 0 for one that the kernel chooses. Raises LocalError for a port that is none.
    """
    limits = limits or Limits()
    core = Node(key or SeedKey(os.urandom(32)), limits=limits, rng=os.urandom)
    node = RhoNode(core, reactor, limits=limits)
    hosts = (interface,) if isinstance(interface, str) else tuple(interface)
    try:
        node.bind(hosts, port)
        if tcp is not None:
            node.streams.listen(tuple(host for host, _ in node.sockets), tcp)
    except CannotListenError:
        node.driver.close()
        return fail()
    return succeed(node)
