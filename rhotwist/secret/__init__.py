"""Which shared secret: suites, handshake, cookies and puzzles before it, sealing and the ratchet after it."""
