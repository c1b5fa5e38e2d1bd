"""The handshake, from either side: the names that other folders use. docs/spec/handshake.md is its page.

    client                                   server
    Draft.draw(...).seal() -> SentHello      wire.packet.read_hello, check_mac1, the gate's tests
    SentHello.read_retry                     retry(...)
    SentHello.read_accept -> Accepted        accept(...) -> A and HalfOpen
    Accepted.finish -> F, SessionKeys        HalfOpen.read_finish -> Finished

Whatever the net brings raises BadPacket and leaves the object as it was; our own mistakes raise LocalError.
"""

from __future__ import annotations

from rhotwist.secret.greeting import (
    CHANCE,
    COOKIE_WANTED,
    LEAST_LARGEST,
    PUZZLE_WANTED,
    SPENT,
    SUITE_WANTED,
    Retry,
    SessionKeys,
    WrongSuite,
    check_mac1,
    mac1_key,
    retry,
)
from rhotwist.secret.handshake_client import FINISH_ROOM, Accepted, Draft, SentHello
from rhotwist.secret.handshake_server import Finished, HalfOpen, accept

__all__ = [
    "CHANCE",
    "COOKIE_WANTED",
    "FINISH_ROOM",
    "LEAST_LARGEST",
    "PUZZLE_WANTED",
    "SPENT",
    "SUITE_WANTED",
    "Accepted",
    "Draft",
    "Finished",
    "HalfOpen",
    "Retry",
    "SentHello",
    "SessionKeys",
    "WrongSuite",
    "accept",
    "check_mac1",
    "mac1_key",
    "retry",
]
