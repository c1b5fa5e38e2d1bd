"""What twistd runs. That it runs under twistd is shown by tests/end_to_end."""

from __future__ import annotations

import gc
import io
import sys
import tempfile
from unittest import mock

from twisted.trial.unittest import SynchronousTestCase

from rhotwist.control import trouble
from rhotwist.errors import NewerSchema
from rhotwist.service import tap


class StopTests(SynchronousTestCase):
    """What is wrong is told on the real stderr, and the process ends with its status."""

    def stopped(self, call: object, *arguments: object) -> tuple[int, str]:
        """Status and stderr of a call that ends the process."""
        with mock.patch.object(sys, "__stderr__", io.StringIO()) as err, self.assertRaises(SystemExit) as caught:
            call(*arguments)  # type: ignore[operator]
        return int(caught.exception.code or 0), err.getvalue()

    def test_an_error_is_three_lines_and_its_status(self) -> None:
        error = trouble.NOT_STARTED(role="node", path="/x", hint="start it")
        self.assertEqual((3, f"{error}\n"), self.stopped(tap.stop, error, False))

    def test_with_debug_the_traceback_stands_before_it(self) -> None:
        try:
            raise trouble.PORT_TAKEN(address="x")
        except trouble.OperatorError as error:
            _, err = self.stopped(tap.stop, error, True)
        self.assertIn("Traceback", err)
        self.assertTrue(err.endswith("[RHO-1105]\n"))

    def test_a_wrong_setting_ends_it_before_anything_is_made(self) -> None:
        options = tap.Options()
        with tempfile.TemporaryDirectory() as folder:
            options.parseOptions(["--datadir", f"{folder}/d", "--listen", "nowhere"])
            with mock.patch.object(tap, "make_monotonic"), mock.patch.object(tap.harden, "harden"):
                status, err = self.stopped(tap.makeService, options)
        self.assertEqual(2, status)
        self.assertIn("RHO-1004", err)

    def test_what_fails_while_starting_is_told_too(self) -> None:
        for error, code in ((trouble.NO_NETWORK(why="x"), "RHO-1108"), (NewerSchema("x"), "RHO-1114")):
            guarded = tap._Guarded(tap.service.Service(), mock.Mock(debug=False))
            with mock.patch.object(tap.service.MultiService, "startService", side_effect=error):
                status, err = self.stopped(guarded.startService)
            self.assertEqual(1, status)
            self.assertIn(code, err)

    def test_once_it_is_started_the_collector_looks_no_more_at_what_is_loaded_and_threads_give_way_soon(self) -> None:
        self.addCleanup(gc.unfreeze)
        self.addCleanup(sys.setswitchinterval, sys.getswitchinterval())
        gc.unfreeze()
        tap._Guarded(tap.service.Service(), mock.Mock(debug=False)).startService()
        self.assertGreater(gc.get_freeze_count(), 10_000)
        self.assertAlmostEqual(tap.SWITCH, sys.getswitchinterval())
