"""A running process of either role: node, control socket, what it remembers of machines. ``wallet.py`` adds wallets."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future
from contextlib import suppress
from socket import SOCK_STREAM
from typing import Any, TypeVar

import attrs
from twisted.application import service
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThreadPool
from twisted.logger import Logger

from rhotwist.control import trouble, verbs
from rhotwist.control.values import Nothing, Status, Stopping
from rhotwist.control.verbs import Verb
from rhotwist.directory.checks import Check, judge
from rhotwist.errors import StoreError
from rhotwist.keys.address import NodeAt, parse_node_at
from rhotwist.keys.pair import SeedKey
from rhotwist.net.clock import now
from rhotwist.net.endpoint import RhoNode
from rhotwist.net.udp import UdpPort
from rhotwist.node.core import Node
from rhotwist.node.jobs import ForgetToken, KeepToken
from rhotwist.node.state import Sibling
from rhotwist.secret.cookie import SAVED, StatelessSecrets
from rhotwist.service import status
from rhotwist.service.bundles import Bundles
from rhotwist.service.claim import Claim
from rhotwist.service.comparing import Comparer
from rhotwist.service.control_server import ControlSite, Handler
from rhotwist.service.directory import DirectoryKeeper
from rhotwist.service.files_in import World
from rhotwist.service.finding import Finder
from rhotwist.service.publishing import Publisher
from rhotwist.service.replication import Replication
from rhotwist.service.verifier import Verifier
from rhotwist.store import tokens
from rhotwist.store.database import Database
from rhotwist.store.files import write_atomically
from rhotwist.store.peers import Peers
from rhotwist.store.spill import Spill
from rhotwist.wire.datagram import pack_address

R = TypeVar("R")
CHECKS_MANY = 64
"""Checks from which on another process is asked: 7 ms of one core."""
VERIFIERS = 2
"""Processes that check, at most: with two, 20,000 records of a bundle are there in half the time."""


class NodeService(service.Service):
    """The role ``node``. It takes over a claim, and gives everything back when it is stopped."""

    _log = Logger()

    def __init__(self, claim: Claim, reactor: Any) -> None:
        self.claim = claim
        self.settings = claim.settings
        self._reactor = reactor
        self._began = now().mono
        self._control: Any = None
        self._machine: Database | None = None
        self._verifier: Verifier | None = None
        self.node = self._assemble()
        self.world = World(
            soon=self.soon, in_thread=self._in_thread, later=lambda seconds: deferLater(reactor, seconds),
            date=lambda: now().date, mono=lambda: now().mono,
        )  # fmt: skip
        limits = self.settings.config.limits
        self.directory = DirectoryKeeper(
            limits, self.world, os.urandom, private=self.settings.private_net, judge=self._judge
        )
        self.directory.renew = lambda: self.publisher.renew(self._own_keys())
        self.finder = Finder(self.directory, self.node)
        self.replication = Replication(
            self.directory, self.finder, self.node, self.world, os.urandom, serves=self.settings.role == "node",
            named=self._named,
        )  # fmt: skip
        self.comparer = Comparer(self.directory, self.node, self.replication)
        self.bundles = Bundles(self.directory, self.world)
        self.publisher = Publisher(
            self.directory, claim.key, lambda: tuple(map(parse_node_at, self.status(Nothing()).reachable)), self.world,
            os.urandom,
        )  # fmt: skip

    def _in_thread(self, work: Callable[[], Any]) -> Deferred[Any]:
        return deferToThreadPool(self._reactor, self._reactor.getThreadPool(), work)

    def _named(self) -> Iterable[NodeAt]:
        """The peers that its people named."""
        return self.settings.peers

    def _judge(self, checks: tuple[Check, ...]) -> Deferred[bytes]:
        """Few are checked by a thread; the process for many is made when there are many for the first time."""
        work = self.settings.config.limits.directory_work
        if len(checks) < CHECKS_MANY:
            return self._in_thread(lambda: judge(checks, work))
        if self._verifier is None:
            self._verifier = Verifier(work, min(VERIFIERS, os.cpu_count() or 1))
        return self.soon(self._verifier.judge(checks))

    def _own_keys(self) -> Iterable[SeedKey]:
        """Whose records this process keeps fresh, beside its own."""
        return ()

    def _assemble(self) -> RhoNode:
        limits, siblings = self.settings.config.limits, self.claim.siblings
        core = Node(
            self.claim.key,
            limits=limits,
            rng=os.urandom,
            shared=StatelessSecrets.shared_by(siblings.secret) if siblings else None,
            siblings=tuple(
                Sibling(member.key, tuple(pack_address(*place) for place in member.addresses))
                for member in siblings.others(self.claim.key.public)
            ) if siblings else (),
            private_net=self.settings.private_net,
            spill=Spill(self.claim.lock.path.parent / "spill", limits),
        )  # fmt: skip
        return RhoNode(core, self._reactor, limits=limits)

    # --- its life ----------------------------------------------------------------------------------------------------

    def startService(self) -> None:
        """Go to work. Raises OperatorError or StoreError, and then nothing runs."""
        self.claim.lock.note_pid()
        self._open_stores()
        try:
            self._open_control()
        except BaseException:
            self._close_stores()
            raise
        self._open_network()
        if self._machine is not None:
            self.directory.open(self._machine).addCallback(self._go_among)
        super().startService()
        self.say()

    def stopService(self) -> Deferred[None]:
        """Take leave of everyone. Fires when all is still and everything is on disk."""
        super().stopService()
        return Deferred.fromCoroutine(self._stop())

    async def _stop(self) -> None:
        control, self._control = self._control, None
        if control is not None:
            await maybeDeferred(control.stopListening)
            with suppress(OSError):
                self.claim.control_socket.unlink()
        self.replication.stop()
        self.directory.let_go()
        self._let_go()
        self.settings.places.place(self.settings.role).unlink(missing_ok=True)
        await self.node.close()
        # The sockets are the node's now; the stores finish what was given to them.
        self._close_stores()
        self.claim.release()

    def _let_go(self) -> None:
        """What a role does before its node closes."""

    def _go_among(self, _: object) -> None:
        """The directory is open."""
        if self.running and self._machine is not None:
            self.replication.start(Peers(self._machine))

    def say(self) -> None:
        """Tell the operator who this is, where it listens, and what comes next."""
        told = status.describe(self.settings, self.node.public, self.node.status(), uptime=0.0)
        places = ""
        for place in told.listening:
            carrier, _, where = place.partition(" ")
            places += f" {where}" if f" {carrier} " in places else f" {carrier} {where}"
        tell(f"{told.role} {told.address}{places}", f"next: {self.next_step()}")

    def next_step(self) -> str:
        """What an operator does after this."""
        return f"rho wallet create alice{self.settings.places.option}"

    # --- its parts ---------------------------------------------------------------------------------------------------

    def _open_stores(self) -> None:
        self._machine = Database(self.settings.places.machine(self.settings.role), tokens.KIND, durable=False)
        kept = tokens.Tokens(self._machine)
        for token in kept.take_all(now().date).result():
            self.node.core.learn_token(token.server, token.token)
        life = self.settings.config.limits.token_life

        def keep(job: KeepToken) -> None:
            expires = now().date + int(life)
            kept.keep(tokens.KeptToken(job.server, b"", SAVED, job.token, expires)).add_done_callback(_noted)

        def _noted(future: Future[None]) -> None:
            if not future.cancelled() and future.exception() is not None:
                self._log.warn("an address token was not kept: {why}", why=str(future.exception()))

        def forget(job: ForgetToken) -> None:
            kept.take(job.server, b"", SAVED, now().date)

        self.node.driver.runners[KeepToken] = keep
        self.node.driver.runners[ForgetToken] = forget

    def _close_stores(self) -> None:
        self.directory.close()
        if self._verifier is not None:
            self._verifier.close()
        if self._machine is not None:
            self._machine.close()

    def _open_control(self) -> None:
        path = self.claim.control_socket
        # The folder's lock is ours, so whatever lies there was left by a process that is dead.
        with suppress(FileNotFoundError):
            path.unlink()
        try:
            self._control = self._reactor.listenUNIX(str(path), ControlSite(self.handlers(), self._reactor), mode=0o600)
        except Exception as error:
            raise trouble.FOLDER_UNUSABLE(path=path, why=error) from error

    def _open_network(self) -> None:
        driver, limits = self.node.driver, self.settings.config.limits
        for sock in self.claim.sockets:
            if sock.type == SOCK_STREAM:
                self.node.streams.adopt(sock)
                continue
            port = UdpPort(
                self._reactor, sock, len(driver.carriers), driver, limits=limits, counters=driver.counters
            )
            driver.carriers.append(port)
            port.start()
        self.claim.sockets = []  # they are the node's now, and it closes them
        driver.start()
        with suppress(StoreError):  # who looks for it there finds it by a bundle, too
            place = self.settings.places.place(self.settings.role)
            place.unlink(missing_ok=True)
            write_atomically(place, "".join(self.status(Nothing()).reachable[-1:]).encode("ascii"))

    # --- what may be asked -------------------------------------------------------------------------------------------

    def handlers(self) -> Mapping[Verb, Handler]:
        """What the control socket answers."""
        return {
            verbs.STATUS: self.status,
            verbs.STOP: self.stop,
            verbs.PUBLISH: self.publisher.publish,
            **self.finder.handlers(),
            **self.replication.handlers(),
            **self.comparer.handlers(),
            **self.bundles.handlers(),
        }

    def status(self, _: Nothing) -> Status:
        """How this process is."""
        uptime = now().mono - self._began
        found = status.describe(self.settings, self.node.public, self.node.status(), uptime=uptime)
        return attrs.evolve(found, health=found.health + self.directory.health())

    def stop(self, _: Nothing) -> Stopping:
        """End this process, as a signal would, once the answer is on its way."""
        self._reactor.callLater(0, self._reactor.stop)
        return Stopping(os.getpid())

    def soon(self, future: Future[R]) -> Deferred[R]:
        """What a store promised, in the reactor's thread. Fails with StoreError. Cancelling gives up waiting for it."""
        waiting: Deferred[R] = Deferred()

        def done() -> None:
            if waiting.called:
                return
            error = future.exception()
            if error is not None:
                waiting.errback(error)
            else:
                waiting.callback(future.result())

        future.add_done_callback(lambda _: self._reactor.callFromThread(done))
        return waiting


def tell(*lines: str) -> None:
    """Print to the real stdout: under twistd ``sys.stdout`` is the log."""
    stream = sys.__stdout__
    if stream is not None:
        with suppress(OSError, ValueError):
            print(*lines, sep="\n", file=stream, flush=True)
