"""Sockets as this machine gives them."""

import errno
import socket

from twisted.trial.unittest import SynchronousTestCase

from rhotwist.errors import LocalError
from rhotwist.net.sockets import coalesces, open_udp, segments
from tests.net.fakes import FakeSocket


class SocketTests(SynchronousTestCase):
    """Opening."""

    def test_a_socket_is_bound_and_never_blocks(self) -> None:
        sock = open_udp("127.0.0.1", 0)
        self.addCleanup(sock.close)
        self.assertEqual((sock.getblocking(), sock.getsockname()[0]), (False, "127.0.0.1"))
        self.assertGreater(sock.getsockname()[1], 0)

    def test_an_ipv6_socket_leaves_ipv4_to_another_on_the_same_port(self) -> None:
        try:
            six = open_udp("::", 0)
        except OSError as error:
            self.assertIn(error.errno, (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL))
            return
        self.addCleanup(six.close)
        self.assertEqual(six.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY), 1)

    def test_a_taken_port_is_an_error_and_leaks_no_descriptor(self) -> None:
        sock = open_udp("127.0.0.1", 0)
        self.addCleanup(sock.close)
        wrong = self.assertRaises(OSError, open_udp, "127.0.0.1", sock.getsockname()[1])
        self.assertEqual(wrong.errno, errno.EADDRINUSE)

    def test_a_port_that_is_none_is_our_callers_mistake(self) -> None:
        for port in (-1, 65536):
            self.assertRaises(LocalError, open_udp, "127.0.0.1", port)

    def test_a_kernel_that_offers_nothing_is_believed(self) -> None:
        plain = FakeSocket(segments=False, coalesces=False)
        self.assertEqual((segments(plain), coalesces(plain)), (False, False))  # type: ignore[arg-type]
