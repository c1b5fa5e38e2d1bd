"""``rho ping``: whether a node is there and holds its key. Speaks with a throw-away key and needs no running process,
but to look up where a key or a contact is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

import attrs
import click

from rhotwist.cli.directory_process import look_up
from rhotwist.cli.run import Run, common, pass_run
from rhotwist.cli.send import check_node_at
from rhotwist.control import explain, trouble
from rhotwist.control.text import span
from rhotwist.errors import LocalError, RequestFailed, TimedOut, Unreachable
from rhotwist.keys.address import LENGTH, NodeAt, is_address, parse_node_at

if TYPE_CHECKING:
    from rhotwist.net.endpoint import RhoNode
    from rhotwist.net.peer import Peer

PATIENCE = 10.0  # seconds
PAUSE = 1.0  # seconds between two pings with --count


@click.command("ping")
@click.argument("node", metavar="NODE@HOST:PORT|NAME|KEY")
@click.option("-c", "--count", default=1, type=click.IntRange(1, 100_000), show_default=True, help="How often.")
@common
@pass_run
def command(run: Run, node: str, count: int) -> None:
    """Ask a node for proof that it is there and holds its key, and show how long that took.

    KEY alone, of a node or of a wallet whose node is meant, is looked up in the directory that lies here. A contact is
    asked where it was said to be, one place after another, and then where the directory knows it.
    """
    node = node.strip()
    if "@" in node or (is_address(node) and len(node) != LENGTH):
        check_node_at(node)
        said, places = [parse_node_at(node)], []
    else:
        found = look_up(run, node)
        if not (found.said or found.places):
            raise trouble.NO_WAY(key=node)
        said, places = list(map(parse_node_at, found.said)), list(map(parse_node_at, found.places))

    def show(reached: Any) -> None:
        kind = "post-quantum" if reached.post_quantum else "classical"
        run.result(
            {
                "node": node, "suite": reached.suite, "post_quantum": reached.post_quantum,
                "round_trip": reached.round_trip, "key_proven": True,
            },
            f"{node}  {reached.suite} ({kind})  round trip {span(reached.round_trip)}  key proven",
        )  # fmt: skip

    _ping(run, _Whom(node, said, places), count, show)


@attrs.frozen
class _Whom:
    """What it is called, where it was said to be, the best first, and where the directory has it."""

    name: str
    said: Sequence[NodeAt]
    places: Sequence[NodeAt]

    def found(self, here: RhoNode) -> list[Peer]:
        """It, at each place in turn and last wherever the directory says. Raises LocalError for no network to any."""
        from rhotwist.net.peer import at_any, one_by_one

        peers = list(one_by_one(here, self.said))
        with suppress(LocalError):
            peers.append(at_any(here, self.places))
        return peers or [here.peer((*self.said, *self.places)[0])]


def _ping(run: Run, whom: _Whom, count: int, show: Callable[[Any], None]) -> None:
    """Ping it count times in one run of the reactor, and show each answer. Raises OperatorError."""
    from twisted.internet import reactor  # noqa: TID251 - an entry point
    from twisted.internet.defer import Deferred
    from twisted.internet.task import deferLater, react
    from twisted.python.failure import Failure

    from rhotwist.net.clock import make_monotonic
    from rhotwist.net.endpoint import listen
    from rhotwist.net.ways import Ways

    shown = 0
    failed: list[BaseException | None] = []
    make_monotonic(reactor)

    def keep(found: Failure) -> None:
        failed.append(found.value)

    async def ask() -> None:
        nonlocal shown
        here = await listen(reactor)
        try:
            ways = Ways(
                lambda _: whom.found(here), lambda peer: here.core.path_to(peer.key, here.public) is not None,
                later=partial(deferLater, reactor), mono=reactor.seconds,
            )  # fmt: skip
            for number in range(count):
                if number:
                    await deferLater(reactor, PAUSE)
                show(await ways.ask(lambda peer, left: peer.ping(left), run.patience(PATIENCE)))
                shown += 1
        finally:
            await here.close()

    def main(_: object) -> Deferred[None]:
        return Deferred.fromCoroutine(ask()).addErrback(keep)

    try:
        react(main)
    except SystemExit:
        pass  # react always ends so; what happened is in failed and shown
    if failed:
        raise _explained(failed[0], whom.name, run)
    if shown < count:
        raise trouble.INTERRUPTED_BY_USER()


def _explained(error: BaseException | None, node: str, run: Run) -> BaseException:
    if type(error) in (Unreachable, TimedOut):
        why = (
            f"no answer in {run.patience(PATIENCE):g} s: nobody is there, or whoever is there holds another key, "
            "and a node is silent to those who do not know its key"
        )
        return trouble.UNREACHABLE(peer=node, why=why)
    if isinstance(error, RequestFailed):
        return explain.request_failed(error, node)
    if isinstance(error, LocalError):
        return trouble.NO_NETWORK(why=error)
    return error or explain.bug(RuntimeError("a failure without an exception"))
