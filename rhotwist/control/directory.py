"""Requests and answers about the directory: records, bundles, the tree, peers. As ``rhotwist.control.values``."""

from __future__ import annotations

import attrs

#: How a record of a bundle compares with what stands here.
SAME, NEW, NEWER, OLDER = "same", "new", "newer", "older"


@attrs.frozen
class RecordRow:
    """One record. key is an address; for a delegation the master's, and its subordinate's in places.

    kind is wallet, node, withdrawn or delegation. places are NODE@HOST:PORT, for a wallet the address of its node.
    issued_at and until_at are seconds of the Unix epoch. address is its place in the tree, hash SHA-256 of its body, as
    hex. private: it names an address that is not of the open internet. here: how it compares with
    what stands here, "" where nothing was compared.
    """

    key: str
    kind: str
    places: tuple[str, ...]
    issued_at: int
    until_at: int
    address: str
    hash: str
    private: bool = False
    here: str = ""


@attrs.frozen
class Root:
    """The directory at one moment. day is that of its tree, as YYYY-MM-DD; seq the last number of its journal."""

    root: str
    count: int
    day: str
    epoch: int
    store: str
    seq: int
    waiting: int = 0


# --- publishing -------------------------------------------------------------------------------------------------------


@attrs.frozen
class Publish:
    """Sign and keep a record: of the hot wallet of that name, or with node of the process itself.

    via is the address of the node at which the wallet is found, "" for the process that is asked. addresses are
    ``udp:HOST:PORT`` or ``tcp:HOST:PORT``, of the process; with none those it is reached at. withdraw takes back what
    stands.
    """

    wallet: str = ""
    node: bool = False
    via: str = ""
    addresses: tuple[str, ...] = ()
    withdraw: bool = False


@attrs.frozen
class Published:
    """The records as they stand here now, their bundle, the root with them, and what to know about them in words."""

    records: tuple[RecordRow, ...]
    bundle: str
    root: str
    notes: tuple[str, ...] = ()


# --- looking ----------------------------------------------------------------------------------------------------------


@attrs.frozen
class Lookup:
    """Find a key, the address of a wallet or node; a wallet process knows its contacts by their names too."""

    key: str


@attrs.frozen
class Found:
    """Where a key is: its record and, for a wallet, that of its node; node, and NODE@HOST:PORT where it is asked.

    said are the places of a contact, the best first, as he gave them; they are asked before the others. Without places
    there is said.
    """

    records: tuple[RecordRow, ...]
    node: str
    places: tuple[str, ...]
    said: tuple[str, ...] = ()


@attrs.frozen
class ListAsk:
    """Records in the order in which they came, those behind cursor, at most limit of them."""

    cursor: int = 0
    limit: int = 100


@attrs.frozen
class RecordList:
    """Records, and the cursor behind them; more: there are others behind it."""

    records: tuple[RecordRow, ...]
    cursor: int
    more: bool = False


@attrs.frozen
class TreeAsk:
    """The upper levels of the tree, 1 to 8 of them."""

    levels: int = 6


@attrs.frozen
class TreeLevels:
    """Level by level, from the root on, the hashes of the parts of the tree, "" for one that is empty."""

    root: str
    count: int
    levels: tuple[tuple[str, ...], ...]


@attrs.frozen
class PeerRow:
    """A node that this one compares trees with, or did. here: it is a peer now, and hears of news.

    answered and failed count our requests of this run. last_at is seconds of the Unix epoch, 0 for never. good and bad
    count its records of all runs: those that were new here, and those whose key, signature or work was false.
    """

    node: str
    here: bool
    score: float
    answered: int
    failed: int
    last_at: int
    good: int = 0
    bad: int = 0


@attrs.frozen
class PeerList:
    """Peers of now, then others; those worth most first."""

    peers: tuple[PeerRow, ...]


@attrs.frozen
class SyncAsk:
    """Compare with the node at NODE@HOST:PORT, or with "" with all peers of now."""

    at: str = ""


@attrs.frozen
class SyncRow:
    """A comparison: how it ended (equal, other_day, moved, unequal, lied, broken; mute: it serves nobody), and how much
    was new here.
    """

    node: str
    ending: str
    new: int


@attrs.frozen
class Synced:
    """What was compared, and the tree afterwards."""

    rows: tuple[SyncRow, ...]
    root: str
    count: int


# --- bundles ----------------------------------------------------------------------------------------------------------


@attrs.frozen
class BundleAsk:
    """The records of these keys, or of all those behind cursor in the journal. small: no part longer than one record,
    so that each fits a small QR code."""

    keys: tuple[str, ...] = ()
    cursor: int = 0
    small: bool = False


@attrs.frozen
class BundleText:
    """A bundle as text; how many records it holds, and the cursor behind them; more: there are others behind it."""

    text: str
    records: int
    cursor: int = 0
    more: bool = False


@attrs.frozen
class BundleFile:
    """The text in the file at path (absolute), whatever stands around the bundles in it."""

    path: str


@attrs.frozen
class BundleShown:
    """What a text holds, nothing of it kept. newer and so on count records by how they compare with those here.

    records are the first of them. unsigned counts those that nobody signed, odd those that this version cannot read.
    only_here counts what stands here and is not in it. hello: somebody asks to be compared with.
    """

    records: tuple[RecordRow, ...]
    total: int
    new: int
    newer: int
    older: int
    same: int
    unsigned: int
    odd: int
    only_here: int
    hello: bool = False
    wants: int = 0
    trouble: str = ""


@attrs.frozen
class Merged:
    """What became of a bundle: new keys, newer records, known or older ones; refused by reason; held for a while.

    local of them stand beside the tree. answer is a bundle to give back to whoever asked to be compared with, or for
    records, "" if there is nothing to give; compared says in words how two trees compare.
    """

    total: int
    new: int
    newer: int
    known: int
    held: int
    local: int
    refused: dict[str, int]
    root: str
    count: int
    trouble: str = ""
    answer: str = ""
    compared: str = ""
