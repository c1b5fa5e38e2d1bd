"""What a process takes before it goes to work, and how it is told what it cannot have."""

from __future__ import annotations

import errno
import os
import socket
import stat
import tempfile
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from rhotwist.errors import OperatorError
from rhotwist.net.sockets import open_udp
from rhotwist.service import claim as module
from rhotwist.service.claim import Claim, claim, open_sockets, read_key
from rhotwist.service.listening import Place
from rhotwist.service.options import Options, settings


class ClaimTests(SynchronousTestCase):
    """All or nothing."""

    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.home = Path(folder.name, "data")

    def claim(self, *arguments: str) -> Claim:
        """What a command line claims."""
        options = Options()
        options.parseOptions(arguments or ["--listen", "127.0.0.1:0"])
        made = claim(settings(options, {"RHO_HOME": str(self.home)}, self.home))
        self.addCleanup(made.release)
        return made

    def refused(self, *arguments: str) -> OperatorError:
        """The error of a claim."""
        with self.assertRaises(OperatorError) as caught:
            self.claim(*arguments)
        return caught.exception

    def test_an_empty_folder_becomes_a_private_one_with_a_key_that_stays(self) -> None:
        os.umask(os.umask(0))
        first = self.claim()
        self.assertEqual(0o700, stat.S_IMODE(self.home.stat().st_mode))
        self.assertEqual(0o700, stat.S_IMODE((self.home / "node").stat().st_mode))
        self.assertEqual(0o600, stat.S_IMODE((self.home / "node" / "node.key").stat().st_mode))
        self.assertFalse((self.home / "wallets").exists())
        key = first.key.public
        first.release()
        self.assertEqual(key, self.claim().key.public)

    def test_both_roles_live_in_one_folder_with_two_keys(self) -> None:
        node, wallet = self.claim(), self.claim("wallet", "--listen", "127.0.0.1:0")
        self.assertNotEqual(node.key.public, wallet.key.public)
        self.assertNotEqual(node.control_socket, wallet.control_socket)
        self.assertTrue((self.home / "wallets").is_dir())

    def test_a_second_process_is_told_who_is_first(self) -> None:
        self.claim()
        error = self.refused()
        self.assertEqual("RHO-1102", error.code)
        self.assertIn(str(os.getpid()), error.why)

    def test_a_port_that_is_taken_leaves_nothing_claimed(self) -> None:
        first = self.claim("wallet", "--listen", "127.0.0.1:0")
        port = first.sockets[0].getsockname()[1]
        for _ in range(2):  # the second try would be refused the folder if the first had kept it
            error = self.refused("--listen", f"127.0.0.1:{port}")
            self.assertEqual(("RHO-1105", 1), (error.code, error.exit_status))
            self.assertIn(f"127.0.0.1:{port}", error.what)

    def test_an_address_of_another_machine_is_told(self) -> None:
        self.assertEqual("RHO-1107", self.refused("--listen", "192.0.2.77:7460").code)

    def test_a_folder_below_a_file_cannot_be_used(self) -> None:
        self.home.parent.joinpath("file").write_text("x")
        self.home = self.home.parent / "file" / "data"
        self.assertEqual("RHO-1101", self.refused().code)

    def test_a_folder_that_others_may_enter_is_refused(self) -> None:
        self.claim().release()
        self.home.chmod(0o755)
        self.assertEqual("RHO-1103", self.refused().code)

    def test_a_key_file_of_another_size_is_never_overwritten(self) -> None:
        self.claim().release()
        path = self.home / "node" / "node.key"
        path.write_bytes(b"short")
        self.assertEqual("RHO-1109", self.refused().code)
        self.assertEqual(b"short", path.read_bytes())

    def test_a_newer_database_is_told_and_not_touched(self) -> None:
        self.claim("wallet").release()
        for path in (self.home / "user.db", self.home / "wallet" / "machine.db"):
            whole = path.read_bytes()
            path.write_bytes(whole[:60] + (99).to_bytes(4, "big") + whole[64:])  # user_version, sqlite.org/fileformat2
            newer = path.read_bytes()
            self.assertEqual("RHO-1114", self.refused("wallet").code)
            self.assertEqual(newer, path.read_bytes())
            path.write_bytes(whole)

    def test_a_key_file_that_others_may_read_is_refused(self) -> None:
        self.claim().release()
        (self.home / "node" / "node.key").chmod(0o644)
        self.assertEqual("RHO-1103", self.refused().code)

    def test_a_bad_siblings_file_is_told_before_anything_is_made(self) -> None:
        self.assertEqual("RHO-1005", self.refused("--siblings", "missing").code)
        self.assertFalse(self.home.exists())

    def test_a_path_too_long_for_a_socket_is_told_before_anything_is_made(self) -> None:
        self.home = self.home / ("x" * 100)
        self.assertEqual("RHO-1104", self.refused().code)
        self.assertFalse(self.home.exists())

    def test_what_lies_in_the_key_s_place_is_told(self) -> None:
        self.claim().release()
        path = self.home / "node" / "node.key"
        path.unlink()
        path.mkdir(0o700)
        self.assertEqual("RHO-1101", self.refused().code)

    def test_release_twice_does_nothing_more(self) -> None:
        made = self.claim()
        port = made.sockets[0].getsockname()[1]
        made.release()
        made.release()
        self.assertEqual([], made.sockets)
        open_udp("127.0.0.1", port).close()


class SocketTests(SynchronousTestCase):
    """Sockets as an operator means them."""

    def open(self, *places: Place) -> list[tuple[str, int]]:
        """Where the sockets for places are bound."""
        opened = open_sockets(places)
        for sock in opened:
            self.addCleanup(sock.close)
        return [sock.getsockname()[:2] for sock in opened]

    def test_a_port_chosen_by_the_kernel_is_the_same_in_both_families(self) -> None:
        ports = {port for _, port in self.open(Place("127.0.0.1", 0), Place("::1", 0))}
        self.assertEqual(1, len(ports))
        self.assertNotIn(0, ports)

    def test_a_chosen_port_that_is_taken_in_the_other_family_is_chosen_again(self) -> None:
        # Every even port from here on is taken in IPv6, so every second choice fails.
        for port in range(40_000, 40_400, 2):
            sock = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
            self.addCleanup(sock.close)
            try:
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                sock.bind(("::1", port))
            except OSError:
                pass
        for _ in range(20):
            self.assertEqual(2, len(self.open(Place("127.0.0.1", 0), Place("::1", 0))))


    def test_what_was_opened_is_closed_when_another_cannot_be(self) -> None:
        [(_, free)] = self.open(Place("127.0.0.1", 0))
        self.doCleanups()
        [(_, taken)] = self.open(Place("127.0.0.1", 0))
        with self.assertRaises(OperatorError):
            open_sockets((Place("127.0.0.1", free), Place("127.0.0.1", taken)))
        self.assertEqual([("127.0.0.1", free)], self.open(Place("127.0.0.1", free)))

    def test_a_port_for_connections_is_taken_at_once_and_apart_from_datagrams(self) -> None:
        [(_, port)] = self.open(Place("127.0.0.1", 0, "tcp"))
        with self.assertRaises(OperatorError) as caught:
            open_sockets((Place("127.0.0.1", port, "tcp"),))
        self.assertEqual("RHO-1105", caught.exception.code)
        self.assertIn(f"tcp 127.0.0.1:{port}", str(caught.exception))
        self.open(Place("127.0.0.1", port))

    def without(self, host: str, number: int) -> None:
        """Let the system refuse every socket for host with this errno."""

        def refuse(wanted: str, port: int) -> socket.socket:
            if wanted == host:
                raise OSError(number, os.strerror(number))
            return open_udp("127.0.0.1", 0)

        self.patch(module, "open_udp", refuse)

    def test_a_machine_without_ipv6_listens_on_what_it_has(self) -> None:
        self.without("::", errno.EAFNOSUPPORT)
        self.assertEqual(1, len(self.open(Place("0.0.0.0", 7460), Place("::", 7460))))

    def test_a_family_that_was_asked_for_by_itself_must_be_there(self) -> None:
        self.without("::", errno.EAFNOSUPPORT)
        with self.assertRaises(OperatorError) as caught:
            self.open(Place("::", 7460))
        self.assertEqual("RHO-1108", caught.exception.code)

    def test_each_refusal_of_the_system_has_its_error(self) -> None:
        for number, code in ((errno.EACCES, "RHO-1106"), (errno.EADDRINUSE, "RHO-1105"), (errno.ENETDOWN, "RHO-1108"),
                             (errno.EADDRNOTAVAIL, "RHO-1107")):
            self.without("192.0.2.1", number)
            with self.assertRaises(OperatorError) as caught:
                self.open(Place("127.0.0.1", 0), Place("192.0.2.1", 80))
            self.assertEqual(code, caught.exception.code)
            self.assertIn("192.0.2.1:80", str(caught.exception))


class KeyTests(SynchronousTestCase):
    """The key file."""

    def test_a_full_or_missing_folder_is_told(self) -> None:
        with tempfile.TemporaryDirectory() as folder, self.assertRaises(OperatorError) as caught:
            read_key(Path(folder, "missing", "node.key"))
        self.assertIn(caught.exception.code, ("RHO-1101", "RHO-1113", "RHO-1115"))
