"""``rho ping``: whether a node is there and holds its key. Needs no running process; speaks with a throw-away key."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from rhotwist.cli.run import Run, common, pass_run
from rhotwist.cli.send import check_node_at
from rhotwist.control import explain, trouble
from rhotwist.control.text import span
from rhotwist.errors import LocalError, RequestFailed, TimedOut, Unreachable

PATIENCE = 10.0  # seconds
PAUSE = 1.0  # seconds between two pings with --count


@click.command("ping")
@click.argument("node", metavar="NODE@HOST:PORT")
@click.option("-c", "--count", default=1, type=click.IntRange(1, 100_000), show_default=True, help="How often.")
@common
@pass_run
def command(run: Run, node: str, count: int) -> None:
    """Ask a node for proof that it is there and holds its key, and show how long that took."""
    check_node_at(node)
    node = node.strip()

    def show(reached: Any) -> None:
        kind = "post-quantum" if reached.post_quantum else "classical"
        run.result(
            {
                "node": node, "suite": reached.suite, "post_quantum": reached.post_quantum,
                "round_trip": reached.round_trip, "key_proven": True,
            },
            f"{node}  {reached.suite} ({kind})  round trip {span(reached.round_trip)}  key proven",
        )  # fmt: skip

    _ping(run, node, count, show)


def _ping(run: Run, node: str, count: int, show: Callable[[Any], None]) -> None:
    """Ping count times in one run of the reactor, and show each answer. Raises OperatorError."""
    from twisted.internet import reactor  # noqa: TID251 - an entry point
    from twisted.internet.defer import Deferred
    from twisted.internet.task import deferLater, react
    from twisted.python.failure import Failure

    from rhotwist.net.clock import make_monotonic
    from rhotwist.net.endpoint import listen

    shown = 0
    failed: list[BaseException | None] = []
    make_monotonic(reactor)

    def keep(found: Failure) -> None:
        failed.append(found.value)

    async def ask() -> None:
        nonlocal shown
        here = await listen(reactor)
        try:
            peer = here.peer(node)
            for number in range(count):
                if number:
                    await deferLater(reactor, PAUSE)
                show(await peer.ping(run.patience(PATIENCE)))
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
        raise _explained(failed[0], node, run)
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
