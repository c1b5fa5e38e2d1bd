"""Which number stands for a live object: small handles inside, sparse hashcodes on the wire."""
