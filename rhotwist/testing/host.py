"""A whole node as a machine on the network: handlers, requests, and what the world does for it, in virtual time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar, cast

from rhotwist.errors import HandlerFailed, LocalError, Refused
from rhotwist.event.pending import Event
from rhotwist.keys.pair import SeedKey
from rhotwist.limits import Limits
from rhotwist.link.messages import RefusalCode
from rhotwist.node import jobs
from rhotwist.node.core import Node
from rhotwist.secret import puzzle
from rhotwist.testing.machine import Machine, Work
from rhotwist.testing.network import Network
from rhotwist.testing.outcome import Crashed, Outcome, whenever
from rhotwist.wire.datagram import Path
from rhotwist.wire.schema import Request, Schema

R = TypeVar("R", bound=Schema)

HASH = 1e-6
"""Virtual seconds that one hash of a puzzle costs."""

_PORT = 0  # a host has one socket, so every path of its own starts at carrier 0


class Host(Machine):
    """One node with its handlers. Made by ``Network.node``; ``store`` keeps its address tokens over a crash.

    options are passed to the Node as they are (suites, kem and the like).
    """

    def __init__(
        self, network: Network, name: str, key: SeedKey, *, limits: Limits, work: Work, options: dict[str, Any]
    ) -> None:
        super().__init__(network, name, self._make, self._do)
        self.key = key
        self.limits = limits
        #: How it does its jobs; may be changed at any time.
        self.work = work
        self._options = options
        self._handlers: dict[type[Schema], Callable[[Any], Any]] = {}
        self._heeded: set[type[Schema]] = set()
        self._wallets: dict[bytes, SeedKey] = {}
        self._asked: dict[Event, Outcome[Any]] = {}
        self._watched: dict[Event, Callable[[int, int], Any]] = {}
        self._watchers: dict[type[Schema], Callable[[Any], Any]] = {}
        self._chance = network.chance(f"work/{name}")
        self._runners: dict[type, Callable[[Any], object]] = {
            jobs.Progress: self._progressed, jobs.Arriving: self._arriving, jobs.Call: self._call,
            jobs.Fired: self._fired, jobs.Solve: self._solve, jobs.KeepToken: self._keep,
            jobs.ForgetToken: self._forget_token, jobs.Hang: self._hang, jobs.Admit: self._admit,
        }  # fmt: skip

    @property
    def node(self) -> Node:
        """The node itself, for its counters, status and verbs; call ``act`` after a verb. Raises LocalError if down."""
        return cast(Node, self.core)

    @property
    def public(self) -> bytes:
        """The 32 bytes others know it by."""
        return self.key.public

    # --- what a programmer does with it

    def answer(
        self, schema: type[Schema], handler: Callable[[Any], Any], progress: Callable[[Any], Any] | None = None
    ) -> None:
        """Have calls with this schema answered by ``handler(call)``, also after a restart.

        The handler is the one that ``RhoNode.answer`` takes: it returns the reply, or a Deferred, a coroutine or an
        Outcome of it, or raises Refused. Anything else it raises is HandlerFailed to the peer and stands in
        ``Network.errors`` here.
        """
        self._handlers[schema] = handler
        if progress is not None:
            self._watchers[schema] = progress
        if self.up:
            self.node.handle(schema, watch=progress is not None)

    def request(self, other: Host | bytes, body: Request[R], **how: Any) -> Outcome[R]:
        """Ask another host, or a 32-byte key with ``paths=``, and hold what becomes of it.

        how is passed to ``Node.fire``: timeout in seconds, source, destination and so on; progress is called with the
        bytes that have arrived and those there are. Raises LocalError at once.
        """
        return cast("Outcome[R]", self._fire(other, body, how))

    def tell(self, other: Host | bytes, body: Schema, **how: Any) -> None:
        """Say something that wants no answer; whether it arrives is not known. Otherwise as ``request``."""
        self.node.tell(self._key(other), body, self.moment(), **self._found(other, how))
        self.act()

    def heed(self, schema: type[Schema], handler: Callable[[Any], Any]) -> None:
        """Have what others mention with this schema handled by ``handler(call)``, also after a restart."""
        self._handlers[schema] = handler
        self._heeded.add(schema)
        if self.up:
            self.node.heed(schema)

    def mention(self, other: Host | bytes, body: Schema) -> bool:
        """``Node.mention``."""
        done = self.node.mention(self._key(other), body, self.moment())
        self.act()
        return done

    def ping(self, other: Host | bytes, **how: Any) -> Outcome[jobs.Reached]:
        """Ask whether another host is there and holds its key."""
        event = self.node.ping(self._key(other), self.moment(), **self._found(other, how))
        return self._hold(event, f"{self.name} pings {_named(other)}")

    def cancel(self, outcome: Outcome[Any]) -> None:
        """Withdraw a request; it settles with Cancelled, unless it has settled already."""
        for event, held in self._asked.items():
            if held is outcome:
                self.node.cancel(event, self.moment())
                self.act()
                return

    def add_wallet(self, key: SeedKey) -> None:
        """Let it speak and answer for a wallet, also after a restart."""
        self._wallets[key.public] = key
        if self.up:
            self.node.add_wallet(key)

    def path_to(self, other: Machine) -> Path:
        """The way to another machine, by the address under which it is seen at present."""
        return Path(_PORT, other.address, self.network.streams)

    # --- what befalls it

    def crash(self) -> None:
        """As ``Machine.crash``; what it had asked settles with Crashed."""
        super().crash()
        self._forget(Crashed(f"{self.name} crashed"))

    def stop(self) -> None:
        """End it in good order: its sessions are closed and what it had asked fails; ``restart`` starts it again."""
        self.node.close(self.moment())
        self.act()
        super().crash()
        self._forget(Crashed(f"{self.name} was stopped and gave no outcome"))

    # --- what the machine calls

    def _make(self, _: Machine) -> Node:
        rng = self.network.chance(f"core/{self.name}/{self.life}").randbytes
        node = Node(self.key, limits=self.limits, rng=rng, **self._options)
        for schema in self._heeded:
            node.heed(schema)
        for schema in self._handlers.keys() - self._heeded:
            node.handle(schema, watch=schema in self._watchers)
        for key in self._wallets.values():
            node.add_wallet(key)
        for server, token in self.store.get("tokens", {}).items():
            node.learn_token(server, token)
        return node

    def _do(self, _: Machine, job: object) -> None:
        self._runners[type(job)](job)

    def _admit(self, job: jobs.Admit) -> None:
        """Nothing is dropped here: each Hello reaches the core."""
        self.node.done(job, jobs.Admitted(0, 0.0), self.moment())

    def _call(self, call: jobs.Call) -> None:
        if self.work.delay:
            self.later(self._chance.expovariate(1.0) * self.work.delay, lambda: self._handle(call))
        else:
            self._handle(call)

    def _handle(self, call: jobs.Call) -> None:
        life = self.life
        handler = self._handlers[type(call.body)]

        def done(result: object) -> None:
            if self.up and self.life == life:
                self._reply(call, result)
                self.act()

        if self._fails():
            done(HandlerFailed(RefusalCode.HANDLER_FAILED))
        else:
            try:
                result = handler(call)
            except Exception as error:
                result = error
            whenever(result, done)

    def _reply(self, call: jobs.Call, result: object) -> None:
        wanted = getattr(type(call.body), "reply", None)
        if wanted is not None and not isinstance(result, (wanted, BaseException)):
            result = LocalError(
                f"the handler of {call.body.schema_name} returned {type(result).__name__}, not {wanted.__name__}"
            )
        if isinstance(result, BaseException) and not isinstance(result, Refused):
            self.network.errors.append(result)
            result = HandlerFailed(RefusalCode.HANDLER_FAILED)
        if not call.wants_answer:
            return
        try:
            self.node.answer(call, cast("Schema | Refused", result), self.moment())
        except LocalError as error:  # a reply that does not fit
            self.network.errors.append(error)
            self.node.answer(call, HandlerFailed(RefusalCode.HANDLER_FAILED), self.moment())

    def _fired(self, job: jobs.Fired) -> None:
        outcome = self._asked.pop(job.event, None)
        now = self.network.clock.now
        self.network.trace.note(now, self.index, type(job.outcome).__name__)
        if outcome is None:
            raise AssertionError(f"{self.name} fired {job.event!r} twice, or never asked: {job.outcome!r}")
        outcome.settle(now, job.outcome)

    def _progressed(self, job: jobs.Progress) -> None:
        self._watched[job.event](job.done, job.total)

    def _arriving(self, job: jobs.Arriving) -> None:
        self._watchers[job.schema](job)

    def _solve(self, job: jobs.Solve) -> None:
        tries = 1 << job.difficulty + 8  # enough, but for one puzzle in 10**111
        solution = None if self._fails() else puzzle.solve(job.cookie, job.ephemeral, job.difficulty, tries=tries)
        took = int.from_bytes(solution[1:], "big") * HASH if solution else 0.0
        if self.work.delay:
            took += self._chance.expovariate(1.0) * self.work.delay
        self.later(took, lambda: self.node.done(job, solution, self.moment()))

    def _keep(self, job: jobs.KeepToken) -> None:
        if not self._fails():
            self.store.setdefault("tokens", {})[job.server] = job.token

    def _forget_token(self, job: jobs.ForgetToken) -> None:
        self.store.get("tokens", {}).pop(job.server, None)

    def _hang(self, job: jobs.Hang) -> None:
        self.network.wires.cut(self, job.path)

    # --- small things

    def _fire(self, other: Host | bytes, body: Schema, how: dict[str, Any]) -> Outcome[Any]:
        progress = how.pop("progress", None)
        if progress is not None:
            how["watch"] = True
        event = self.node.fire(self._key(other), body, self.moment(), **self._found(other, how))
        if progress is not None:
            self._watched[event] = progress
        return self._hold(event, f"{self.name} asks {_named(other)} {body.schema_name}")

    def _hold(self, event: Event, what: str) -> Outcome[Any]:
        outcome: Outcome[Any] = Outcome(what, self.network.clock.now)
        self._asked[event] = outcome
        self.act()
        return outcome

    def _fails(self) -> bool:
        return self.work.failure > 0 and self._chance.random() < self.work.failure

    def _forget(self, why: Crashed) -> None:
        asked, self._asked = self._asked, {}
        for outcome in asked.values():
            outcome.settle(self.network.clock.now, why)

    @staticmethod
    def _key(other: Host | bytes) -> bytes:
        return other.public if isinstance(other, Host) else other

    def _found(self, other: Host | bytes, how: dict[str, Any]) -> dict[str, Any]:
        paths: Sequence[Path] = (self.path_to(other),) if isinstance(other, Host) else ()
        return {"paths": paths} | how


def _named(other: Host | bytes) -> str:
    return other.name if isinstance(other, Host) else other.hex()[:8]
