"""Every number an operator may tune, with its unit and where it comes from."""

from __future__ import annotations

import attrs


@attrs.frozen(kw_only=True)
class Limits:
    """The bounds one node lives within. Times are seconds of the monotonic clock, sizes bytes, unless said."""

    # --- sessions
    session_max: int = 100_000
    """Live sessions in one process; 2.5 kB each when idle."""
    session_keep: float = 20 * 60
    """A session idle for longer may be dropped for a newcomer when the table is full; never one idle for less."""
    session_unused: float = 24 * 3600
    """A session whose ratchet went unanswered this long is erased (forward secrecy)."""
    session_dead: float = 30.0
    """No authenticated packet for this long while something is under way: the session is lost."""
    session_reserve: int = 256 * 2**20
    """Bytes all sessions together may hold in replies kept for repeated requests."""

    # --- handshakes
    half_open_max: int = 8_192
    """Handshakes that wait for Finish; about 1 kB each."""
    half_open_life: float = 30.0
    """How long a handshake may take, on both sides."""
    fragment_max: int = 1_024
    """Halved Hellos that wait for their other half."""
    fragment_life: float = 2.0
    """How long a half waits."""
    cookie_pending: int = 256
    """More half-open handshakes than this: a cookie is demanded of everyone."""
    cookie_load: float = 0.25
    """Curve work beyond this share of the last second: a cookie is demanded of everyone."""
    retry_share: float = 0.02
    """Share of Hellos answered with Retry for no reason, so that the path cannot rot."""
    retry_rate: float = 7_000.0
    """Retries per second, and saved up. Of more Hellos than draw one only some are read, in turns (``link/sieve.py``):
    under 20,000 a second everyone has a turn within 2.2 s, for a third of a core (measured, benchmarks/floods)."""
    handshake_cost: float = 250e-6
    """Seconds of one core that one accepted handshake is booked with (measured, benchmarks/handshakes)."""
    handshake_share: float = 0.7
    """Share of one core that handshakes may take; beyond it puzzles get harder."""
    puzzle_first: int = 8
    """Bits of the first puzzle demanded."""
    puzzle_cap: int = 20
    """Bits beyond which we neither ask nor solve; about 0.5 s for a Python client."""
    prefix_rate: float = 50.0
    """Handshakes per second for one proven /32 (IPv4) or /64 (IPv6) while cookies are demanded."""
    prefix_burst: float = 200.0
    """Handshakes such a prefix may save up; a /48 gets eight times both."""
    prefix_max: int = 65_536
    """Prefixes remembered; a random one makes room."""
    hello_first: float = 0.5
    """Hello and Finish are repeated after this long for the first time."""
    hello_again: float = 0.5
    """And then after every this long, give or take a fifth; a server under a flood waits 0.6 s for it."""
    retry_max: int = 4
    """Retries a client takes for one connect."""
    loss_before_halving: int = 2
    """Unanswered whole hybrid Hellos before the client halves one (docs/spec/handshake.md)."""

    # --- stateless secrets
    cookie_life: float = 60.0
    """A cookie secret is used this long and honoured twice as long."""
    token_life: float = 3_600.0
    """The same for address tokens."""

    # --- keys
    ratchet_seconds: float = 20 * 60
    """An epoch's age at which the initiator starts the next, give or take a tenth."""
    ratchet_seals: int = 2**22
    """Packets sealed under one key before the next epoch is wanted."""
    ratchet_seals_max: int = 2**23
    """Packets under one key at which the session is closed rather than go on (RFC 9001 6.6)."""

    # --- small packets
    body_max: int = 1_140
    """Largest body of a small message; each wallet that is named beside the session's own takes 32 bytes of it."""
    datagram_max: int = 1_232
    """Largest small datagram: the IPv6 minimum of 1,280 less 48 bytes of headers."""
    request_timeout: float = 30.0
    """What a request waits when its caller does not say."""
    outstanding_max: int = 256
    """Requests of one session under way at once, and replies kept for repeats; more wait in line."""
    waiting_max: int = 4_096
    """Requests of one session that may wait in line."""
    working_after: float = 0.1
    """A request not answered by then is acknowledged once as being worked at."""
    repeat_first: float = 0.5
    """Repeat of a request while the round trip is unknown."""
    repeat_least: float = 0.1
    """Least time between two copies of one request."""
    repeat_most: float = 4.0
    """Most time between two copies of one request."""
    keepalive_first: float = 25.0
    """Keep-alive on demand starts here: NATs forget after 30 s (RFC 8085 3.5 asks for no less than 15)."""
    keepalive_most: float = 110.0
    """And doubles up to here while answers still arrive."""

    # --- numbers on the wire
    quarantine: float = 600.0
    """A hashcode is not given out again for this long."""

    # --- redirect
    redirect_max: int = 3
    """Hops one request may be sent on."""
    redirect_hellos: int = 3
    """Hellos sent to an address that we know from a redirect only and that has not answered."""
    redirect_headroom: int = 64
    """Sessions beyond session_max that are taken only to be sent on to a sibling."""

    # --- reading a socket
    read_datagrams: int = 64
    """Reads of one socket before timers get their turn: an empty datagram counts as much as a full one."""
    read_seconds: float = 0.005
    """Time spent reading one socket before timers get their turn."""
