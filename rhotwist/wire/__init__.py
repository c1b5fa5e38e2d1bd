"""Bytes to values and back: no key, no clock, no state. Strangers' bytes raise ``BadPacket`` and nothing else."""
