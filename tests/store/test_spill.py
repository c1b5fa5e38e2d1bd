"""Room on disk for objects: bounded, nameless, and never a surprise when the disk is full."""

from __future__ import annotations

import gc
import os
import tempfile
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from rhotwist.limits import Limits
from rhotwist.store.spill import Spill


class SpillTests(SynchronousTestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name) / "spill"
        self.spill = Spill(self.folder, Limits(object_spill=3_000_000))

    def test_what_is_written_can_be_read_and_no_file_is_seen(self) -> None:
        view = self.spill(2_000_000)
        assert view is not None
        view[1_000_000:1_000_005] = b"hello"
        self.assertEqual((len(view), bytes(view[999_999:1_000_006])), (2_000_000, b"\0hello\0"))
        self.assertEqual(list(self.folder.iterdir()), [])
        self.assertEqual(self.folder.stat().st_mode & 0o777, 0o700)

    def test_its_room_is_bounded_and_free_again_when_nobody_looks(self) -> None:
        first = self.spill(2_000_000)
        self.assertIsNotNone(first)
        self.assertIsNone(self.spill(1_000_001))
        self.assertIsNotNone(self.spill(1_000_000))
        gc.collect()
        self.assertEqual(self.spill.used, 2_000_000)
        del first
        gc.collect()
        self.assertEqual(self.spill.used, 0)
        self.assertIsNotNone(self.spill(3_000_000))

    def test_a_full_disk_or_a_folder_that_cannot_be_is_no_room(self) -> None:
        def full(*_: object) -> None:
            raise OSError(28, "No space left on device")

        self.patch(os, "posix_fallocate", full)
        self.assertIsNone(self.spill(1_000))
        self.assertEqual(self.spill.used, 0)
        (self.folder.parent / "file").write_bytes(b"")
        self.assertIsNone(Spill(self.folder.parent / "file" / "below", Limits())(1_000))
