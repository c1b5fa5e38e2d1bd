"""One peer's traffic over one path: the gate for strangers, the handshake's two machines, small packets, roaming."""
