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

    # --- big objects
    object_max: int = 2**21
    """Largest object taken from a peer: a part of a file is 2,000,000 bytes and their names, and two fit a session."""
    object_max_client: int = 100_000
    """Largest object taken from a client that has proven a wallet."""
    object_max_stranger: int = 20_000
    """Largest object taken from a client of whom nothing is known."""
    object_session: int = 4 * 2**20
    """Bytes that the objects coming in through one session may hold."""
    object_process: int = 256 * 2**20
    """Bytes that the objects coming in through all sessions may hold."""
    object_spill: int = 2**30
    """Bytes of objects coming in that may lie in files when memory is used up, where there is a folder for them."""
    object_offers: int = 64
    """Objects of one session that may be offered and not have come whole; an offer beyond waits."""
    object_idle: float = 30.0
    """An object of which no new packet comes for this long is given up."""
    object_grace: float = 30.0
    """The average rate of an object is not looked at before this age."""
    object_rate: float = 1_000.0
    """Least average rate of an object, bytes per second. So 2 MB has 35 minutes, whatever comes in between."""
    object_ack: float = 0.005
    """An ack of new packets waits no longer than this, or a quarter of the round trip if that is more."""

    # --- sending big objects
    object_seals_max: int = 2**22
    """Packets sealed under one object's key, at which the object is offered anew (crypto margin of AES-GCM, 2**32)."""
    object_flight: int = 14_720
    """Bytes sent before anything is known of the path, behind the offer: ten packets (RFC 9002 7.2)."""
    object_window: int = 16 * 2**20
    """Bytes of objects under way at once to one peer, at most: 1 Gbit/s at 130 ms."""
    object_queue: float = 0.025
    """Queue that a background transfer leaves on the way: below what a voice call notices (LEDBAT allows 0.1)."""
    object_packet_max: int = 45_088
    """Largest packet of an object that is tried on any path, with its 32 bytes of header and tag."""
    object_probe_again: float = 600.0
    """A packet size that did not pass is tried again after this long (RFC 8899 5.1.1)."""
    object_beat: float = 0.1
    """An object from which nothing is heard for this long, or a round trip, asks whether the peer lives."""
    object_spend: float = 3.0
    """Bytes sent for an object, in multiples of its size; then its receiver is taken for a liar."""

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

    # --- streams
    stream_max: int = 512
    """Connections of one process, so that half of the usual 1,024 descriptors are left; strangers go first."""
    stream_prefix_max: int = 64
    """Connections taken from one /32 (IPv4) or /64 (IPv6)."""
    stream_stranger: int = 16_384
    """Bytes taken over a connection before somebody has proven a key over it: twelve hybrid Hellos."""
    stream_queue: int = 256 * 1_024
    """Bytes of datagrams that wait for a peer that does not read; the oldest go first."""
    stream_look: float = 8.0
    """Idle connections are looked at every multiple of this, by the wall clock."""
    stream_reuse: float = 24.0
    """A connection idle for longer carries nothing new of ours: the peer may just be closing it."""
    stream_close: float = 32.0
    """A connection idle for longer is closed."""
    stream_stall: float = 60.0
    """A peer that has read nothing for this long, though something waits for it, loses the connection."""
    stream_old_keys: float = 60.0
    """A connection whose last USE was made before a ratchet lives this much longer under the old key."""
    stream_keepalive: float = 15.0
    """Keep-alive on demand over a connection, below stream_reuse."""

    # --- files
    file_part: int = 2_000_000
    """Bytes of a part of a file that we send, 256 to 2,000,000; one part is one big object."""
    file_parts_max: int = 500_000
    """Parts of one file, both ways: 1 TB, and 18 MB of plan in memory while it goes."""
    file_lanes: int = 2
    """Parts under way to one wallet at once: the second goes while the first is written and confirmed."""
    file_offers: int = 100
    """Files that were offered to this process and wait for their owner to take them."""
    file_offers_wallet: int = 20
    """The same of one sender's wallet."""
    file_offer_life: float = 7 * 24 * 3600
    """An offer nobody took is forgotten after this, when another needs its place."""
    file_hold: float = 20.0
    """An offer that waits for its owner is answered after this long, or at once when it is taken; then asked again."""
    file_patience: float = 120.0
    """A transfer of which nothing arrives for this long is paused, to be resumed by its owner."""
    file_retry: float = 1.0
    """A transfer that failed on the way is tried again after this long, then after twice that."""
    file_retry_most: float = 8.0
    """And so on up to this."""

    # --- directory
    directory_max: int = 2**21
    """Records in the tree, pinned ones aside; the same on every node, or trees that are full never agree."""
    directory_work: int = 14
    """Bits of work behind a record, about 0.6 s on one core (measured); 0 in tests. The same on every node."""
    record_rate: float = 0.1
    """Records per second taken from one peer that nobody asked for; the others wait (Bitcoin's addr, #22387)."""
    record_burst: float = 1_000.0
    """Such records a peer may save up."""
    verify_rate: float = 20_000.0
    """Microseconds of one core per second spent on checking such records of one peer: 2 %."""
    verify_burst: float = 200_000.0
    """Such microseconds a peer may save up: what a burst of records takes."""
    record_peers: int = 4_096
    """Peers whose buckets are remembered; a random one makes room."""
    key_pause: float = 21_600.0
    """A new record of one key is taken unasked once in this time, beyond the burst."""
    key_burst: float = 4.0
    """New records of one key taken at once; withdrawals are not counted."""
    key_max: int = 65_536
    """Keys whose buckets are remembered; a random one makes room."""
    newcomer_wait: float = 1.0
    """Seconds that a key seen first waits in a tree half full, or beside eight others of its /24, /48 or onion service
    that came today; it grows with both."""
    newcomer_wait_most: float = 3_600.0
    """And no longer than this."""
    crowd_max: int = 65_536
    """Neighbourhoods whose newcomers are counted; a random one makes room."""
    waiting_records: int = 16_384
    """Records that wait for their time, at most 1 kB each."""
    waiting_share: int = 1_024
    """Places among them for one peer."""
    record_ahead: float = 3_600.0
    """A record issued this many seconds in the future, or fewer, waits until it is due; one later is refused."""
    attempt_pause: float = 600.0
    """An address that never proved a key is tried once in this time, so that records cannot aim a flood."""
    attempt_max: int = 4_096
    """Addresses being paused so; when there are more, no new one is tried."""

    # --- the directory's peers
    peers_out: int = 8
    """Nodes that we keep a session with and compare with; fewer, and silent ones cut us off (measured: 8 reach 99.5 %
    of a network half of which is silent, 5 reach 96 %)."""
    peers_crowd: int = 2
    """Of them in one /16 (IPv4) or /32 (IPv6), or behind one onion service; one, once half the places are taken."""
    peers_kept: int = 2
    """Of them taken again from the last run, so that a restart is no chance to replace them all."""
    peers_in: int = 32
    """Nodes that keep a session with us whose news we pass on; others may compare and are told nothing."""
    peers_tried: int = 1_024
    """Nodes remembered that have answered once, eight of a /16 at most."""
    peers_untried: int = 4_096
    """Nodes remembered that have not, 64 of a /16 at most; a random one makes room."""
    peers_again: float = 60.0
    """A node that did not answer is tried again after this long, then after twice that, up to an hour."""
    feel_every: float = 120.0
    """Every so often a node that has never answered is knocked at, so that it is known who does (Bitcoin's feelers)."""
    sync_every: float = 60.0
    """Each peer's tree is compared with ours this often."""
    sync_again: float = 5.0
    """A comparison that broke off, or met a tree that moved, is begun again after this long."""
    sync_most: int = 3
    """Comparisons of ours under way at once."""
    sync_patience: float = 120.0
    """A comparison takes no longer than this, and the time that its new records earn."""
    sync_least: float = 100.0
    """New records of a comparison that earn it a second: who is slower than that is given up."""
    sync_rate: float = 250_000.0
    """Bytes a second that one peer's comparisons may have from us, or give us, beyond the burst: 1,500 records."""
    sync_burst: float = 32_000_000.0
    """Such bytes a peer may save up: 200,000 records, so that who is new need not wait for a directory of that size."""
    give_rate: float = 10.0
    """Records a second that a peer may give us in comparing without their being counted as unasked."""
    give_burst: float = 10_000.0
    """Such records a peer may save up; they are checked, and forged ones end the friendship."""
    news_beat: float = 0.5
    """News is told every so often; a hop costs half of it on average, a record less the more go together."""
    news_patience: float = 1.0
    """Somebody who announced a record and has not brought it after this long: the next is asked."""
    news_recent: int = 16_384
    """Records of which it is remembered who has them."""
    news_wanted: int = 1_024
    """Records that one peer announced and that may be under way at once."""
    news_rate: float = 100.0
    """Records a second that a peer may have of us as news, beyond as many as it may save up in a minute."""

    # --- reading a socket
    read_datagrams: int = 64
    """Reads of one socket before timers get their turn: an empty datagram counts as much as a full one."""
    read_seconds: float = 0.005
    """Time spent reading one socket before timers get their turn."""
