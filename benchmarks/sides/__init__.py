"""One module for each contender: ``python -m benchmarks.sides.NAME server|client ...``, a process each."""
