"""The sans-I/O whole: bytes and moments in, bytes and jobs out. It never waits, blocks, sleeps or calls its owner."""
