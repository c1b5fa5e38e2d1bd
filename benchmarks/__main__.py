"""``python -m benchmarks`` lists the benchmarks; ``python -m benchmarks NAME [--json]`` runs one with its peers."""

from __future__ import annotations

import importlib
import json
import sys

NAMES = (
    "handshakes", "requests", "sessions", "floods", "hellos", "bulk", "links", "resume", "store", "stream", "sync",
    "trees",
)  # fmt: skip


def main(arguments: list[str]) -> int:
    """Exit status."""
    names = [argument for argument in arguments if not argument.startswith("-")]
    if not names:
        for name in NAMES:
            print(f"{name:<12} {(importlib.import_module(f'benchmarks.{name}').__doc__ or '').splitlines()[0]}")
        return 0
    for name in names:
        if name not in NAMES:
            print(f"error: there is no benchmark {name!r}\ntry: python -m benchmarks", file=sys.stderr)
            return 2
        for line in importlib.import_module(f"benchmarks.{name}").run():
            print(json.dumps(line) if "--json" in arguments else _row(line), flush=True)
    return 0


def _row(line: dict[str, object]) -> str:
    text = f"{line['what']:<60} {line['ours']:>10} {line['unit']}"
    if line.get("peer") is not None:
        text += f"   {line['peer_name']}: {line['peer']}   ratio {line['ratio']}"
    return text


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
