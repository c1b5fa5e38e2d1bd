"""Where to listen, as an operator writes it."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from rhotwist.errors import OperatorError
from rhotwist.service.listening import Place, parse, parse_all


class ListeningTests(SynchronousTestCase):
    """One text, one or two sockets."""

    def test_a_port_alone_means_both_families(self) -> None:
        for text in ("7460", "udp:7460", " 7460 "):
            self.assertEqual((Place("0.0.0.0", 7460), Place("::", 7460)), parse(text))

    def test_an_address_means_itself(self) -> None:
        self.assertEqual((Place("203.0.113.5", 7460),), parse("203.0.113.5:7460"))
        self.assertEqual((Place("::1", 0),), parse("[::1]:0"))
        self.assertEqual((Place("2001:db8::1", 1),), parse("udp:[2001:0db8:0::1]:1"))

    def test_tcp_means_connections(self) -> None:
        self.assertEqual((Place("0.0.0.0", 1, "tcp"), Place("::", 1, "tcp")), parse("tcp:1"))
        self.assertEqual((Place("::1", 0, "tcp"),), parse(" tcp:[::1]:0"))
        both = parse_all(("[::1]:2", "tcp:[::1]:2"))
        self.assertEqual(["udp [::1]:2", "tcp [::1]:2"], [place.named for place in both])

    def test_each_place_counts_once(self) -> None:
        self.assertEqual((Place("0.0.0.0", 1), Place("::", 1)), parse_all(("1", "0.0.0.0:1", "udp:[::]:1")))

    def test_a_place_is_shown_as_it_is_written(self) -> None:
        for text in ("203.0.113.5:7460", "[::1]:7460"):
            self.assertEqual(text, str(parse(text)[0]))

    def test_what_is_no_place_is_told(self) -> None:
        for text in ("", "seven", "65536", "-1", "1.2.3.4", "1.2.3.4:", "localhost:7460", "::1:7460", "[::1]",
                     "[1.2.3]:4", "tcp:", "tcp:udp:1", "TCP:7460", "1.2.3.4:99999", "1.2.3.4:7460:1", "٣", "udp:udp:1"):
            with self.assertRaises(OperatorError, msg=text) as caught:
                parse(text)
            self.assertEqual("RHO-1004", caught.exception.code)
            self.assertIn(repr(text), caught.exception.what)
