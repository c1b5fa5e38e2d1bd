"""Where objects lie that come in when memory is used up: files that have no name, gone when nobody looks at them."""

from __future__ import annotations

import mmap
import os
import tempfile
from pathlib import Path
from weakref import finalize

from rhotwist.limits import Limits


class Spill:
    """A place for objects in a folder, called with a size: a view of so many zero bytes, or None if there is no room.

    At most ``Limits.object_spill`` bytes lie there at once. A file is unlinked as soon as it is made, so nothing is
    left whatever happens to the process; its blocks are reserved then, because a full disk would kill whoever writes
    into the mapping later.
    """

    def __init__(self, folder: Path, limits: Limits) -> None:
        self._folder = folder
        self._most = limits.object_spill
        self.used = 0

    def __call__(self, size: int) -> memoryview | None:
        """Room for an object."""
        if self.used + size > self._most:
            return None
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor, name = tempfile.mkstemp(dir=self._folder)
            try:
                os.unlink(name)
                os.posix_fallocate(descriptor, 0, size)
                mapped = mmap.mmap(descriptor, size)
            finally:
                os.close(descriptor)
        except OSError:
            return None
        self.used += size
        finalize(mapped, self._gone, size)
        return memoryview(mapped)

    def _gone(self, size: int) -> None:
        self.used -= size
