"""A node on this machine's network: two of them talk on loopback, and what is asked wrongly is said at once."""

from __future__ import annotations

import errno
import os
import threading
from pathlib import Path
from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred, gatherResults, succeed
from twisted.internet.error import CannotListenError
from twisted.trial.unittest import SynchronousTestCase, TestCase

import rhotwist
from rhotwist.errors import (
    BadAddress,
    Cancelled,
    Closed,
    HandlerFailed,
    HostUnknown,
    LocalError,
    NotSpoken,
    RequestFailed,
    SessionLost,
    TimedOut,
    TooBig,
    Unreachable,
)
from rhotwist.keys.pair import SeedKey
from rhotwist.limits import Limits
from rhotwist.net import endpoint, sockets
from rhotwist.net.endpoint import RhoNode, listen
from rhotwist.net.handlers import Call
from rhotwist.node import jobs
from rhotwist.node.core import Node
from rhotwist.secret.puzzle import check
from rhotwist.wire.schema import Request, Schema, bulk, text
from tests import FULL
from tests.net.fakes import FakeReactor, Time, error
from tests.net.test_resolve import FakeResolver

SERVER, CLIENT = SeedKey(b"s" * 32), SeedKey(b"c" * 32)


class Said(Schema, name="endpoint-test.said"):
    words: str = text(1000)


class Say(Request[Said], name="endpoint-test.say"):
    words: str = text(1000)


class Big(Request[Said], name="endpoint-test.big"):
    data: bytes = bulk(3_000_000)


class Brought(Schema, name="endpoint-test.brought"):
    data: bytes = bulk(1_000_000)


class Back(Request[Brought], name="endpoint-test.back"):
    data: bytes = bulk(1_000_000)


class Note(Schema, name="endpoint-test.note"):
    words: str = text(1000)


class LoopbackTests(TestCase):
    """Two nodes on real sockets."""

    def setUp(self) -> None:
        from twisted.internet import reactor  # noqa: TID251 - the one trial runs

        self.reactor: Any = reactor

    async def pair(self) -> None:
        self.server = await listen(self.reactor, key=SERVER, interface="127.0.0.1")
        self.client = await listen(self.reactor, key=CLIENT, interface=("127.0.0.1",))
        self.addCleanup(self.client.close)
        self.addCleanup(self.server.close)
        self.peer = self.client.peer(self.server.address)

    async def test_a_request_is_answered_by_key(self) -> None:
        await self.pair()
        seen: list[Call[Say]] = []

        def handler(call: Call[Say]) -> Said:
            seen.append(call)
            return Said(words=call.body.words.upper())

        self.server.answer(Say, handler)
        self.assertEqual(await self.peer.request(Say(words="hi"), timeout=20), Said(words="HI"))
        self.assertEqual((seen[0].peer, seen[0].source), (CLIENT.public, CLIENT.public))
        self.assertEqual(seen[0].destination, SERVER.public)

    async def test_a_body_and_a_reply_of_any_size_with_progress_on_both_sides(self) -> None:
        await self.pair()
        self.server.admit(CLIENT.public)
        data = bytes(range(256)) * 2_000
        coming: list[Any] = []
        seen: list[tuple[int, int]] = []
        self.server.answer(Back, lambda call: Brought(data=call.body.data[::-1]), progress=coming.append)
        back = await self.peer.request(Back(data=data), timeout=20, progress=lambda *how: seen.append(how))
        self.assertEqual(back, Brought(data=data[::-1]))
        self.assertEqual(seen[-1], (1_024_240, 1_024_240))
        self.assertEqual(seen, sorted(seen))
        self.assertEqual({(each.schema, each.source, each.total) for each in coming}, {(Back, CLIENT.public, 512_120)})
        self.assertEqual(self.server.counters["object taken"], 1)

    async def test_a_group_of_requests_is_one_deferred(self) -> None:
        await self.pair()
        self.server.answer(Say, lambda call: Said(words=call.body.words.upper()))
        seen: list[tuple[int, int]] = []
        asked = [self.peer.request(Say(words=word), timeout=20) for word in ("a", "b", "c")]
        said = await self.client.group(asked, progress=lambda *how: seen.append(how))
        self.assertEqual([one.words for one in said], ["A", "B", "C"])
        self.assertEqual(seen[-1], (3, 3))

    async def test_a_large_request_that_is_cancelled_is_withdrawn(self) -> None:
        await self.pair()
        self.server.admit(CLIENT.public)
        self.server.answer(Back, lambda call: Deferred())
        asked = self.peer.request(Back(data=bytes(300_000)), timeout=20)
        await self.peer.ping(timeout=20)
        asked.cancel()
        with self.assertRaises(Cancelled):
            await asked
        self.assertEqual(self.client.core.status()["pending_requests"], 0)

    async def test_the_server_can_ask_back_over_the_session(self) -> None:
        await self.pair()
        self.client.answer(Say, lambda call: Said(words="client"))

        async def ask_back(call: Call[Say]) -> Said:
            return await self.server.peer(call.peer).request(Say(words="and you?"), timeout=20)

        self.server.answer(Say, ask_back)
        await self.peer.ping(timeout=20)
        self.assertEqual(await self.peer.request(Say(words="hi"), timeout=20), Said(words="client"))

    async def test_a_ping_says_how_and_proves_who(self) -> None:
        await self.pair()
        reached = await self.peer.ping(timeout=20)
        self.assertEqual((reached.peer, reached.post_quantum), (SERVER.public, True))

    async def test_what_is_told_is_heard(self) -> None:
        await self.pair()
        heard: Deferred[str] = Deferred()
        self.server.hear(Note, lambda call: heard.callback(call.body.words))
        self.peer.tell(Note(words="psst"))
        self.assertEqual(await heard, "psst")

    async def test_failures_come_by_name(self) -> None:
        await self.pair()
        for request, kind in ((Say(words="hi"), NotSpoken), (Big(data=b""), HandlerFailed)):
            if kind is HandlerFailed:
                self.server.answer(Big, lambda call: 1 / 0)  # type: ignore[arg-type,return-value]
            try:
                await self.peer.request(request, timeout=20)  # type: ignore[arg-type]
            except RequestFailed as failure:
                self.assertIs(type(failure), kind)
            else:
                self.fail("it was answered")
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    async def test_the_wrong_key_is_unreachable_and_a_cancel_withdraws(self) -> None:
        await self.pair()
        stranger = rhotwist.SeedKey(b"x" * 32)
        at = self.server.address.partition("@")[2]
        wrong = self.client.peer(endpoint.format_node_at(endpoint.NodeAt(stranger.public, "127.0.0.1", int(at[10:]))))
        withdrawn = wrong.request(Say(words="hi"))
        withdrawn.cancel()
        await self.assertFailure(withdrawn, Cancelled)
        await self.assertFailure(wrong.request(Say(words="hi"), timeout=0.05), Unreachable)

    async def test_a_slow_answer_times_out_and_the_session_lives_on(self) -> None:
        await self.pair()
        never: Deferred[Said] = Deferred()
        self.server.answer(Say, lambda call: never if call.body.words == "never" else Said(words="ok"))
        await self.peer.request(Say(words="hi"), timeout=20)
        await self.assertFailure(self.peer.request(Say(words="never"), timeout=0.05), TimedOut)
        self.assertEqual((await self.peer.request(Say(words="hi"), timeout=20)).words, "ok")

    async def test_a_long_chain_of_requests_each_made_by_the_last_reply_keeps_the_stack_flat(self) -> None:
        await self.pair()
        most = 100_000 if FULL else 500
        self.server.answer(Say, lambda call: Said(words=call.body.words))
        done: Deferred[int] = Deferred()

        def again(reply: Said) -> None:
            count = int(reply.words) + 1
            if count > most:
                done.callback(count)
            else:
                self.peer.request(Say(words=str(count)), timeout=20).addCallbacks(again, done.errback)

        again(Said(words="0"))
        self.assertEqual(await done, most + 1)

    async def test_many_requests_at_once_are_all_answered(self) -> None:
        await self.pair()
        self.server.answer(Say, lambda call: Said(words=call.body.words))
        replies = await gatherResults([self.peer.request(Say(words=str(at)), timeout=20) for at in range(300)])
        self.assertEqual([reply.words for reply in replies], [str(at) for at in range(300)])

    async def test_closing_fails_what_is_under_way_and_leaves_nothing_behind(self) -> None:
        def descriptors() -> list[str]:
            folder = Path("/proc/self/fd")
            return sorted(os.readlink(one) for one in folder.iterdir() if one.is_symlink()) if folder.is_dir() else []

        # The reactor opens a pipe when it starts to run.
        await self.turn()
        before = descriptors()
        await self.pair()
        never: list[Deferred[Said]] = []

        def handler(call: Call[Say]) -> Deferred[Said]:
            never.append(Deferred())
            return never[-1]

        self.server.answer(Say, handler)
        waiting = [self.peer.request(Say(words=str(at)), timeout=600) for at in range(50)]
        for one in waiting:
            one.addErrback(lambda failure: failure.value)
        while len(never) < 50:
            await self.turn()
        self.client.close()
        await self.server.close()
        await self.server.close()
        outcomes = await gatherResults(waiting)
        self.assertEqual({type(outcome) for outcome in outcomes}, {SessionLost})
        self.assertRaises(Closed, self.peer.request, Say(words="late"))
        self.assertEqual([str(one) for one in self.reactor.getDelayedCalls() if "rhotwist" in str(one)], [])
        self.assertEqual(descriptors(), before)
        watches = [thread for thread in threading.enumerate() if thread.name == "rhotwist clock watch"]
        for thread in watches:
            thread.join(5)
        self.assertEqual([thread for thread in watches if thread.is_alive()], [])

    def turn(self) -> Deferred[None]:
        """One turn of the reactor."""
        turned: Deferred[None] = Deferred()
        self.reactor.callLater(0, turned.callback, None)
        return turned

    async def test_a_puzzle_is_solved_in_a_worker(self) -> None:
        await self.pair()
        done: Deferred[Any] = Deferred()
        self.patch(self.client.core, "done", lambda job, result, moment: done.callback((job, result)))
        job = jobs.Solve(b"c" * 16, b"e" * 32, 6)
        self.client.driver.runners[jobs.Solve](job)
        solved, solution = await done
        self.assertIs(solved, job)
        self.assertTrue(check(job.cookie, job.ephemeral, solution, 6))

    async def test_status_tells_of_sockets_and_lag(self) -> None:
        await self.pair()
        await self.peer.ping(timeout=20)
        status = self.client.status()
        self.assertEqual((status["sockets"], status["sessions"]), (self.client.sockets, 1))
        self.assertGreaterEqual(status["loop_lag_p99"], 0.0)
        self.assertGreater(self.client.counters["sent_datagrams"], 0)
        self.assertEqual(status["counters"], self.client.counters)


class ListenTests(SynchronousTestCase):
    """Binding, without talking."""

    def setUp(self) -> None:
        self.reactor = FakeReactor()
        # Clock is no IReactorFDSet by name; it has the methods.
        self.patch(endpoint, "IReactorFDSet", Everything)

    def test_both_families_get_one_port(self) -> None:
        node = self.successResultOf(listen(self.reactor))
        self.addCleanup(node.close)
        self.assertEqual(len({port for _, port in node.sockets}), 1)
        self.assertEqual(node.sockets[0][0], "0.0.0.0")
        self.assertEqual(node.address, node.address_at("127.0.0.1"))

    def test_a_taken_port_is_a_failure_and_the_kernels_choice_is_tried_again(self) -> None:
        one = self.successResultOf(listen(self.reactor, interface="127.0.0.1"))
        self.addCleanup(one.close)
        tries: list[tuple[str, int]] = []
        real = sockets.open_udp
        self.patch(sockets, "open_udp", lambda host, port: (tries.append((host, port)), real(host, port))[1])
        taken = one.sockets[0][1]
        self.failureResultOf(listen(self.reactor, port=taken, interface="127.0.0.1"), CannotListenError)
        self.assertEqual(tries, [("127.0.0.1", taken)])
        tries.clear()

        def open_udp(host: str, port: int) -> Any:
            tries.append((host, port))
            if len(tries) == 2:
                raise error(errno.EADDRINUSE)
            return real("127.0.0.1", 0)

        self.patch(sockets, "open_udp", open_udp)
        two = self.successResultOf(listen(self.reactor, interface=("127.0.0.1", "127.0.0.2")))
        self.addCleanup(two.close)
        self.assertEqual(([host for host, _ in tries], tries[2][1]), (["127.0.0.1", "127.0.0.2"] * 2, 0))

    def test_a_second_socket_that_does_not_open_closes_the_first(self) -> None:
        opened: list[Any] = []
        real = sockets.open_udp

        def open_udp(host: str, port: int) -> Any:
            if opened:
                raise error(errno.EACCES)
            opened.append(real(host, port))
            return opened[0]

        self.patch(sockets, "open_udp", open_udp)
        self.failureResultOf(listen(self.reactor, interface=("127.0.0.1", "127.0.0.2")), CannotListenError)
        self.assertEqual((len(opened), opened[0].fileno(), self.reactor.readers), (1, -1, []))

    def test_a_machine_without_ipv6_listens_on_ipv4(self) -> None:
        real = sockets.open_udp

        def open_udp(host: str, port: int) -> Any:
            if host == "::":
                raise error(errno.EAFNOSUPPORT)
            return real(host, port)

        self.patch(sockets, "open_udp", open_udp)
        node = self.successResultOf(listen(self.reactor))
        self.addCleanup(node.close)
        self.assertEqual([host for host, _ in node.sockets], ["0.0.0.0"])
        self.failureResultOf(listen(self.reactor, interface="::"), CannotListenError)

    def test_a_reactor_without_readers_gets_listen_udp(self) -> None:
        class Listening(FakeReactor):
            addReader = None  # type: ignore[assignment]
            ports: list[Any] = []

            def listenUDP(self, port: int, protocol: Any, interface: str, maxPacketSize: int) -> Any:
                self.ports.append((port, interface, maxPacketSize))
                protocol.transport = self
                return self

            def getHost(self) -> IPv4Address:
                return IPv4Address("UDP", "192.0.2.1", 4000)

            def stopListening(self) -> None:
                self.ports.clear()

        self.patch(endpoint, "IReactorFDSet", Nothing)
        reactor = Listening()
        node = self.successResultOf(listen(reactor, interface=("0.0.0.0", "::")))
        self.assertEqual(reactor.ports, [(0, "0.0.0.0", 65536), (4000, "::", 65536)])
        self.assertEqual(node.sockets, [("192.0.2.1", 4000)] * 2)
        node.close()
        self.assertEqual(reactor.ports, [])


class Everything:
    """An interface that everything provides."""

    @staticmethod
    def providedBy(reactor: Any) -> bool:
        return True


class Nothing:
    """An interface that nothing provides."""

    @staticmethod
    def providedBy(reactor: Any) -> bool:
        return False


class AskTests(SynchronousTestCase):
    """Asking without a network: what our caller does wrong, and host names."""

    def setUp(self) -> None:
        self.patch(endpoint, "IReactorFDSet", Everything)
        self.reactor, self.time = FakeReactor(), Time()
        self.resolver = FakeResolver()
        self.reactor.nameResolver = self.resolver  # type: ignore[attr-defined]
        core = Node(CLIENT, rng=os.urandom, limits=Limits())
        self.node = RhoNode(core, self.reactor, limits=Limits(), now=self.time.now)
        self.node.bind(("127.0.0.1",), 0)
        self.addCleanup(self.node.close)
        self.key = endpoint.format_node_at(endpoint.NodeAt(SERVER.public, "192.0.2.1", 9)).partition("@")[0]

    def test_what_our_caller_does_wrong_is_raised_at_once(self) -> None:
        for at in (f"{self.key}@192.0.2.1:9", f"{self.key}@example.org"):
            peer = self.node.peer(at)
            self.assertRaises(LocalError, peer.request, Note(words="no reply"))
            self.assertRaises(LocalError, peer.tell, Say(words="a reply"))
            self.assertRaises(LocalError, peer.request, Say(words="x" * 1001))
        self.assertRaises(TooBig, self.node.peer(f"{self.key}@192.0.2.1:9").request, Big(data=bytes(3_000_000)))
        self.assertRaises(BadAddress, self.node.peer, "nonsense")
        self.assertRaises(LocalError, self.node.peer, b"short")
        self.assertRaises(LocalError, self.node.peer, f"{self.key}@[2001:db8::1]:9")
        self.assertRaises(LocalError, self.node.answer, int, lambda call: None)

    def test_a_name_is_looked_up_first_and_the_request_goes_to_its_address(self) -> None:
        waiting = self.node.peer(f"{self.key}@example.org:9").request(Say(words="hi"), timeout=10)
        self.assertEqual(self.resolver.asked, ["example.org", 9, [IPv4Address], "UDP"])
        self.assertEqual(self.node.counters["sent_datagrams"], 0)
        self.resolver.answer(IPv4Address("UDP", "127.0.0.1", 9))
        self.assertEqual(self.node.counters["sent_datagrams"], 1)
        self.time.pass_(11)
        self.reactor.advance(11)
        self.failureResultOf(waiting, Unreachable)

    def test_a_name_without_an_address_is_unreachable_and_one_that_takes_too_long_too(self) -> None:
        peer = self.node.peer(f"{self.key}@example.org:9")
        waiting = peer.request(Say(words="hi"))
        self.resolver.answer()
        self.failureResultOf(waiting, HostUnknown)
        waiting = peer.ping(timeout=3)
        self.reactor.advance(3)
        self.failureResultOf(waiting, HostUnknown)

    def test_a_cancel_while_looking_up_withdraws(self) -> None:
        waiting = self.node.peer(f"{self.key}@example.org:9").request(Say(words="hi"))
        waiting.cancel()
        self.failureResultOf(waiting, Cancelled)
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_a_cancel_after_looking_up_withdraws_too(self) -> None:
        waiting = self.node.peer(f"{self.key}@example.org:9").request(Say(words="hi"))
        self.resolver.answer(IPv4Address("UDP", "127.0.0.1", 9))
        waiting.cancel()
        self.failureResultOf(waiting, Cancelled)
        self.assertEqual(len(self.node._requests), 0)

    def test_closing_while_looking_up_fails_the_request(self) -> None:
        peer = self.node.peer(f"{self.key}@example.org:9")
        waiting = peer.request(Say(words="hi"))
        peer.tell(Note(words="hi"))
        self.node.close()
        self.failureResultOf(waiting, SessionLost)
        self.assertEqual(self.reactor.getDelayedCalls(), [])
        self.assertRaises(Closed, peer.request, Say(words="hi"))
        self.assertRaises(Closed, peer.tell, Note(words="hi"))

    def test_closing_goes_on_when_the_core_raises(self) -> None:
        self.patch(self.node.core, "close", lambda moment: 1 / 0)
        self.node.close()
        self.assertEqual((self.reactor.readers, len(self.flushLoggedErrors(ZeroDivisionError))), ([], 1))


class NamesTests(SynchronousTestCase):
    """The package's own names."""

    def test_every_public_name_is_there_and_no_other_is(self) -> None:
        for name in rhotwist.__all__:
            self.assertIsNotNone(getattr(rhotwist, name))
        self.assertTrue(set(rhotwist.__all__) <= set(dir(rhotwist)))
        self.assertRaises(AttributeError, getattr, rhotwist, "nonsense")
        self.assertIs(rhotwist.listen, listen)
        self.assertIsInstance(self.successResultOf(succeed(rhotwist.Limits())), Limits)
