"""How fast, beside others, in one run: ``python -m benchmarks``; what was measured: docs/benchmarks.md."""
