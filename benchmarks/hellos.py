"""The last part of floods alone: a node under 20,000 spoofed Hellos a second."""

from __future__ import annotations

from benchmarks.floods import hellos as run

__all__ = ["run"]
