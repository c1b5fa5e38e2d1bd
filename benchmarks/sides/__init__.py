"""One module for each contender: ``python -m benchmarks.sides.NAME server|client ...``, each side a process of its own."""
