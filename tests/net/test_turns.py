"""Whose turn it is, from the core to the sockets and back."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import TestCase

from rhotwist.link.sieve import PLACES, Turn
from rhotwist.net.endpoint import listen
from rhotwist.node.jobs import Admit, Admitted
from tests.net.test_driver import FakeCarrier


class TurnTests(TestCase):
    """A node with sockets that tell what the test says."""

    async def test_every_socket_is_told_and_what_they_tell_goes_back(self) -> None:
        from twisted.internet import reactor  # noqa: TID251 - the one trial runs

        node = await listen(reactor, interface="127.0.0.1")
        node.driver.carriers.append(FakeCarrier())
        told: list[Any] = []
        for carrier, answer in zip(node.driver.carriers, ((3, 0.5), (4, 0.25)), strict=True):
            self.patch(carrier, "admit", lambda turn, answer=answer: told.append(turn) or answer)
        results: list[Any] = []
        self.patch(node.core, "done", lambda job, result, moment: results.append((job, result)))
        job = Admit(Turn(bytes(24), 0, PLACES // 2))
        node.driver.runners[Admit](job)
        self.assertEqual((told, results), ([job.turn] * 2, [(job, Admitted(7, 0.5))]))
        await node.close()
