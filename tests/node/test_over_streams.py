"""What is true of two nodes that send each other datagrams is true over connections: the same tests, once more.

Left out, by name and with the reason, is what only datagrams have.
"""

from __future__ import annotations

from typing import Any

from rhotwist.testing.cases import SeededTestCase
from tests.node import test_abuse, test_churn, test_core, test_hostile_net, test_nonces, test_on_path
from tests.node import test_sessions, test_takeover

#: Not run over streams, and why.
LEFT_OUT: dict[str, str] = {}


def _over_streams(module: Any) -> dict[str, type[SeededTestCase]]:
    found: dict[str, type[SeededTestCase]] = {}
    for name, case in vars(module).items():
        if isinstance(case, type) and issubclass(case, SeededTestCase) and case.__module__ == module.__name__:
            body: dict[str, Any] = {"streams": True, "__module__": __name__, "__doc__": f"{case.__doc__} Over streams."}
            body.update(dict.fromkeys((test for test in LEFT_OUT if hasattr(case, test)), None))
            found[f"{name}OverStreams"] = type(f"{name}OverStreams", (case,), body)
    return found


for _module in (
    test_abuse, test_churn, test_core, test_hostile_net, test_nonces, test_on_path, test_sessions, test_takeover,
):  # fmt: skip
    globals().update(_over_streams(_module))
