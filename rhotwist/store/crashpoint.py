"""Named places where a test may kill the process: ``RHO_CRASH=upgrade-copied`` ends it there as ``kill -9`` would."""

from __future__ import annotations

import os

#: Every place by name, and what is on disk when it is reached.
POINTS = {
    "upgrade-copying": "the copy before an upgrade is written under its temporary name",
    "upgrade-copied": "the copy has its name, the database is as before",
    "upgrade-statement": "one statement of an upgrade is done, its transaction open",
    "upgrade-commit": "all statements of an upgrade are done, its transaction open",
    "upgrade-done": "one upgrade is committed",
    "write-commit": "a batch of operations is done, its transaction open",
    "write-committed": "a batch is committed, nobody has been told",
    "directory-leaves": "records and leaves of a batch are written, not its tree; its transaction open",
    "directory-step": "the tree too, its transaction open",
    "directory-purged": "expired records are gone, not their part of the tree; the transaction open",
    "directory-built": "a tree is made anew from records, its transaction open",
    "file-created": "a temporary file exists, empty",
    "file-written": "it is whole and synced",
    "file-kept": "the old file is also the previous generation",
    "file-renamed": "the new file has its name, the folder is not synced",
    "part-written": "a part of a file lies on the disk and does not count yet",
    "part-synced": "a file that came is whole and synced under its number",
    "part-named": "it also has its name, nobody has been told",
}
STATUS = 137
"""Exit status of such an end: what a shell shows after SIGKILL."""


def crashpoint(name: str) -> None:
    """End the process here, without cleaning up, if the environment names this place."""
    if os.environ.get("RHO_CRASH") == name:
        os._exit(STATUS)
