"""What the tests of the node say to each other."""

from __future__ import annotations

from rhotwist.limits import Limits
from rhotwist.testing.host import Host
from rhotwist.testing.network import Network
from rhotwist.wire.schema import Request, Schema, text


class Said(Schema, name="test.said"):
    """An answer."""

    text: str = text(1100)


class Say(Request[Said], name="test.say"):
    """A question: answered with its text turned round."""

    text: str = text(1100)


def turned(call: object) -> Said:
    """The handler of Say."""
    return Said(text=call.body.text[::-1])  # type: ignore[attr-defined]


def server(network: Network, name: str = "server", **how: object) -> Host:
    """A node that answers Say."""
    host = network.node(name, **how)  # type: ignore[arg-type]
    host.answer(Say, turned)
    return host


def sessions(host: Host) -> list[object]:
    """The live sessions of a host."""
    return list(host.node._state.sessions.sessions.values())


def quick(**numbers: float) -> Limits:
    """Limits with some numbers changed."""
    return Limits(**numbers)  # type: ignore[arg-type]
