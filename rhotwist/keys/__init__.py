"""Who speaks: key pairs, addresses as text, derivation, the 24 words, the wallet file as bytes."""
