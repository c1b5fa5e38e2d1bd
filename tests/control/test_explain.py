"""Every failure of a request or a file is told to a person in three lines."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from rhotwist import errors
from rhotwist.control import explain


def subclasses(kind: type) -> set[type]:
    """A class and all below it."""
    return {kind}.union(*(subclasses(sub) for sub in kind.__subclasses__()))


def made(kind: type[errors.RhoError]) -> errors.RhoError:
    """One exception of a class."""
    return kind(3, "no room") if issubclass(kind, errors.Refused) else kind("because")


class RequestTests(SynchronousTestCase):
    """Each class of failed request has its entry."""

    def test_every_class_is_told_with_the_peer_s_name(self) -> None:
        for kind in subclasses(errors.RequestFailed):
            if kind.__module__ == "rhotwist.errors":
                error = explain.request_failed(made(kind), "rho1nabc@host:1")
                self.assertIn("rho1nabc@host:1", error.what, kind)
                self.assertTrue(error.why, kind)

    def test_the_narrow_class_counts(self) -> None:
        codes = {
            kind: explain.request_failed(made(kind), "x").code
            for kind in (errors.Unreachable, errors.HostUnknown, errors.SuiteRefused, errors.PuzzleRefused,
                         errors.TimedOut, errors.SessionLost, errors.Cancelled, errors.NotProven, errors.Refused,
                         errors.Overloaded, errors.WrongReply)
        }  # fmt: skip
        self.assertEqual(len(codes), len(set(codes.values())), codes)

    def test_what_a_stranger_said_is_quoted_and_cut(self) -> None:
        error = explain.request_failed(errors.Refused(5, "\x1b[31mvisit http://evil.test " + "x" * 5000), "x")
        self.assertIn('it said "\\x1b[31mvisit', error.why)
        self.assertLess(len(error.why), 300)

    def test_a_withdrawn_request_ends_with_130(self) -> None:
        self.assertEqual(130, explain.request_failed(errors.Cancelled("x"), "x").exit_status)


class FileTests(SynchronousTestCase):
    """A wallet file that does not open, a database that does not work."""

    def test_a_wrong_passphrase_a_damaged_and_a_refused_file_are_three_things(self) -> None:
        found = [
            explain.wallet_file(kind("why it is so"), "alice", "/w/alice.rhowallet.old")
            for kind in (errors.WrongPassphrase, errors.DamagedFile, errors.RefusedFile)
        ]
        self.assertEqual(["RHO-1204", "RHO-1205", "RHO-1206"], [error.code for error in found])
        self.assertIn("/w/alice.rhowallet.old", found[1].hint)

    def test_store_errors_are_told_apart(self) -> None:
        found = [explain.store(kind("x")).code for kind in (errors.NewerSchema, errors.DiskFull, errors.StoreError)]
        self.assertEqual(["RHO-1114", "RHO-1113", "RHO-1115"], found)

    def test_an_error_survives_the_socket(self) -> None:
        error = explain.bug(RuntimeError("x"))
        back = explain.from_problem(explain.to_problem(error))
        self.assertEqual((str(error), error.exit_status), (str(back), back.exit_status))
