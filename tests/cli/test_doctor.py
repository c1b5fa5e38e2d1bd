"""rho doctor."""

from __future__ import annotations

import socket

from rhotwist.cli import doctor
from rhotwist.control import verbs
from rhotwist.control.places import Places
from tests.cli.stage import STATUS, CliCase


class DoctorTests(CliCase):
    """Each check says what it found and, where it is ill, what to do."""

    def findings(self) -> dict[str, doctor.Finding]:
        """By name; the last of a name."""
        return {finding.name: finding for finding in doctor.examine(Places(self.home))}

    def test_this_machine_is_healthy_and_every_check_speaks(self) -> None:
        printed = self.rho("doctor", RHO_HOME=str(self.home / "new"))
        self.assertEqual(0, printed.status, printed.out)
        for name in ("Python", "libsodium", "ML-KEM-768", "socket buffers", "UDP GSO", "UDP GRO", "folder", "clock"):
            self.assertIn(name, printed.out)
        found = self.rho("doctor", "--json", RHO_HOME=str(self.home / "new")).json
        self.assertTrue(found["healthy"])
        self.assertEqual(len(printed.out.splitlines()), len(found["findings"]))

    def test_an_open_folder_and_open_secrets_are_ill(self) -> None:
        self.home.chmod(0o755)
        (self.home / "node").mkdir()
        key = self.home / "node" / "node.key"
        key.write_bytes(bytes(32))
        key.chmod(0o644)
        printed = self.rho("doctor")
        self.assertEqual(1, printed.status)
        self.assertIn(f"chmod 700 {self.home}", printed.out)
        self.assertIn(f"chmod 600 {key}", printed.out)

    def test_a_folder_that_cannot_be_made_is_ill(self) -> None:
        (self.home / "file").write_text("x")
        self.home = self.home / "file" / "data"
        self.assertFalse(self.findings()["data folder"].good)

    def test_a_path_too_long_for_a_socket_is_ill(self) -> None:
        self.home = self.home / ("x" * 120)
        self.assertFalse(self.findings()["control socket"].good)

    def test_a_running_process_is_seen_and_its_port_not_asked_for(self) -> None:
        self.process("node", {verbs.STATUS: STATUS})
        found = self.findings()
        self.assertTrue(found["node process"].good)
        self.assertNotIn("UDP port 7460", found)

    def test_a_taken_port_is_told_and_is_no_illness(self) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as made:
            made.bind(("0.0.0.0", 0))
            self.patch(doctor, "PORT", made.getsockname()[1])
            found = self.findings()[f"UDP port {doctor.PORT}"]
        self.assertEqual((False, False), (found.good, found.needed))

    def test_a_clock_years_behind_is_ill(self) -> None:
        self.patch(doctor.time, "time", lambda: 1_000_000_000.0)
        self.assertFalse(self.findings()["clock"].good)

    def test_a_check_that_breaks_down_is_a_finding_and_the_others_go_on(self) -> None:
        def broken_check(places: Places) -> list[doctor.Finding]:
            raise ZeroDivisionError("by zero")

        self.patch(doctor, "CHECKS", (broken_check, *doctor.CHECKS))
        found = self.findings()
        self.assertIn("by zero", found["broken check"].found)
        self.assertIn("clock", found)
