"""How fast, beside others, in one run. ``python -m benchmarks`` lists them; docs/benchmarks.md says what was measured."""
