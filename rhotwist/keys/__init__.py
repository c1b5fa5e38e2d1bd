"""Who speaks: key pairs, addresses as text, derivation from the master secret, its 24 words, the wallet file as bytes."""
