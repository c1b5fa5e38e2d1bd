"""From a key to where it is: what the records that came here say, asked of nobody."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from twisted.internet.defer import Deferred

from rhotwist.control import directory as values
from rhotwist.control import trouble, verbs
from rhotwist.control.values import Nothing
from rhotwist.control.verbs import Verb
from rhotwist.directory.attempts import Attempts, household
from rhotwist.directory.endpoints import Endpoint, Kind, at_ip, is_public, unpack
from rhotwist.directory.record import DELEGATION, WITHDRAWN, Record, read_record
from rhotwist.directory.validity import DAY
from rhotwist.errors import BadAddress, BadPacket, LocalError
from rhotwist.keys.address import (
    NODE,
    TCP,
    UDP,
    WALLET,
    Address,
    NodeAt,
    format_address,
    format_node_at,
    parse_address,
)
from rhotwist.keys.authority import read_authority
from rhotwist.moment import EPOCH_2020
from rhotwist.net.endpoint import RhoNode
from rhotwist.net.peer import Peer, at_any
from rhotwist.service.directory import DirectoryKeeper
from rhotwist.store.replica import View
from rhotwist.wire.datagram import Path, unpack_address

LISTED_MOST = 1_000
"""Records that one answer lists."""
LEVELS_MOST = 8
CARRIERS = {Kind.UDP4: UDP, Kind.UDP6: UDP, Kind.TCP4: TCP, Kind.TCP6: TCP}


class Finder:
    """Answers what one may ask about the directory of a process."""

    def __init__(self, keeper: DirectoryKeeper, node: RhoNode) -> None:
        self._keeper = keeper
        self._node = node
        self._attempts = Attempts(keeper.limits)
        self._proven: dict[bytes, None] = {}

    def handlers(self) -> Mapping[Verb, Callable[[Any], Any]]:
        """What the control socket answers."""
        return {
            verbs.LOOKUP: self.lookup,
            verbs.RECORDS: self.records,
            verbs.ROOT: self.root,
            verbs.TREE: self.tree,
        }

    # --- where a key is ----------------------------------------------------------------------------------------------

    def resolve(self, text: str) -> tuple[Address, tuple[NodeAt, ...]]:
        """Whose address a text is, and where its node is said to be, at least one place. Raises OperatorError."""
        address = read_address(text)
        *_, node = self._records(address)
        places = places_of(node)
        if not places:
            raise trouble.NO_WAY(key=text.strip())
        return address, places

    def peer(self, text: str, *, asked: bool = True) -> Peer:
        """Whom to ask for a wallet or node, at all its places that this process has a network for: the first of them
        that answers counts, and the others when its session fails. Raises OperatorError.

        asked: a person did. Else a place that was tried within ``attempt_pause``, and where nobody has proven a key, is
        left out: a record may name anybody's.
        """
        _, places = self.resolve(text)
        proven = [place for place in places if not self.doubts(endpoint_of(place).encode())]
        free = [place for place in places if place not in proven and self.may_try(endpoint_of(place).encode())]
        try:
            peer = at_any(self._node, places if asked else proven or free)
        except LocalError:
            raise trouble.NO_WAY(key=text.strip()) from None
        peer.doubted = not (asked or proven)
        return peer

    def proven(self, peer: Peer, identity: bytes) -> None:
        """A peer has answered: where its session leads may be tried at any time from now on."""
        path = self._node.core.path_to(peer.key, identity)
        if path is not None:
            self.proven_path(path)

    def proven_path(self, path: Path) -> bytes:
        """The same for where a session leads: its endpoint."""
        host, port = unpack_address(path.address)
        encoded = at_ip(TCP if path.stream else UDP, host, port).encode()
        self._proven[household(encoded)] = None
        if len(self._proven) > self._keeper.limits.attempt_max:
            del self._proven[next(iter(self._proven))]
        return encoded

    def doubts(self, encoded: bytes) -> bool:
        """Whether nobody has proven a key at an address."""
        return household(encoded) not in self._proven

    def may_try(self, encoded: bytes) -> bool:
        """Whether an address may be tried by itself; then it is tried now, with one packet where it is doubted."""
        return not self.doubts(encoded) or not self._attempts.begin(encoded, self._keeper.moment.mono)

    def _records(self, address: Address) -> tuple[Record, ...]:
        """The record of a key, behind it for a wallet that of its node. Raises OperatorError."""
        store = self._keeper.store
        record = self._standing(address, address)
        relays = [one.value for one in map(unpack, record.endpoints) if one.kind == Kind.RELAY]
        if not relays:
            return (record,)
        node = store.lookup(relays[0])
        if node is None or node.kind == WITHDRAWN:
            raise trouble.RELAY_ABSENT(key=format_address(address), node=format_address(Address(NODE, relays[0])))
        return record, node

    def _standing(self, address: Address, asked: Address) -> Record:
        record = self._keeper.store.lookup(address.key)
        if record is None:
            raise trouble.KEY_ABSENT(key=format_address(asked), count=self._keeper.store.count())
        if record.kind == WITHDRAWN:
            raise trouble.KEY_WITHDRAWN(key=format_address(asked), day=day_of(record.issued // DAY))
        return record

    # --- what may be asked -------------------------------------------------------------------------------------------

    def lookup(self, ask: values.Lookup) -> values.Found:
        """Where a key is. Raises OperatorError where that is not known."""
        found = self._records(read_address(ask.key))
        node = format_address(Address(NODE, found[-1].key))
        return values.Found(tuple(map(row_of, found)), node, tuple(map(format_node_at, places_of(found[-1]))))

    def records(self, ask: values.ListAsk) -> values.RecordList:
        """Records in the order in which they came."""
        limit = max(1, min(ask.limit, LISTED_MOST))
        page = self._keeper.store.since(max(0, ask.cursor), limit)
        rows = tuple(row_of(record) for record in readable(page.records))
        return values.RecordList(rows, page.cursor, len(page.records) + len(page.damaged) >= limit)

    def root(self, _: Nothing) -> values.Root:
        """The root, and what it is of."""
        state = self._keeper.store.state
        return values.Root(
            state.root.hex(), state.count, day_of(state.epoch), state.epoch, state.store_id.hex(), state.seq,
            self._keeper.admission.waiting,
        )  # fmt: skip

    def tree(self, ask: values.TreeAsk) -> Deferred[values.TreeLevels]:
        """The upper levels of the tree."""
        depth = max(1, min(ask.levels, LEVELS_MOST))

        def look(view: View) -> values.TreeLevels:
            levels = tuple(
                tuple(_hex(view.region(bits, (number << 8 - bits).to_bytes(1, "big") + bytes(31)))
                      for number in range(1 << bits))
                for bits in range(depth + 1)
            )  # fmt: skip
            return values.TreeLevels(view.state.root.hex(), view.state.count, levels)

        return self._keeper.ask(look)


def read_address(text: str) -> Address:
    """The address of a wallet or a node. Raises OperatorError."""
    try:
        return parse_address(text)
    except BadAddress as error:
        raise trouble.ADDRESS_WRONG(
            text=repr(text[:80]), wanted="address of a wallet or node", why=error, example="rho1w… (63 characters)"
        ) from None


def places_of(record: Record) -> tuple[NodeAt, ...]:
    """Where a node's record says that it is, UDP first."""
    ends = (unpack(one) for one in record.endpoints)
    return tuple(
        NodeAt(record.key, one.host, one.port, CARRIERS[Kind(one.kind)]) for one in ends if one.kind in CARRIERS
    )


def endpoint_of(place: NodeAt) -> Endpoint:
    """And back. Raises LocalError for a host that is no IP address."""
    return at_ip(place.carrier, place.host, place.port)


def row_of(record: Record, here: str = "") -> values.RecordRow:
    """A record for people."""
    ends = [unpack(one) for one in record.endpoints]
    kind, places = "node", tuple(map(format_node_at, places_of(record)))
    places += tuple(f"onion:{one.value.hex()}:{one.port}" for one in ends if one.kind == Kind.ONION)
    if record.kind == WITHDRAWN:
        kind = "withdrawn"
    elif record.kind == DELEGATION:
        kind = "delegation"
        places = (format_address(Address(WALLET, keys_of(record)[1])),)
    elif ends[0].kind == Kind.RELAY:
        kind, places = "wallet", (format_address(Address(NODE, ends[0].value)),)
    # What a key is only its record says: a key that took its record back is shown as a wallet's.
    letter = NODE if kind == "node" else WALLET
    return values.RecordRow(
        format_address(Address(letter, record.key)), kind, places, record.issued + EPOCH_2020,
        record.until + EPOCH_2020, record.address.hex(), record.hash.hex(),
        not all(map(is_public, record.endpoints)), here,
    )  # fmt: skip


def keys_of(record: Record) -> tuple[bytes, ...]:
    """The keys that name the place of a record."""
    if record.kind != DELEGATION:
        return (record.key,)
    made = read_authority(record.authority)
    return made.master, made.subordinate


def readable(encoded: Iterable[bytes]) -> list[Record]:
    """Those of some records that this version can read, their keys checked."""
    found = []
    for one in encoded:
        with suppress(BadPacket):
            found.append(read_record(one))
    return found


def day_of(epoch: int) -> str:
    """A day as people write it."""
    return datetime.fromtimestamp(EPOCH_2020 + epoch * DAY, UTC).strftime("%Y-%m-%d")


def _hex(root: bytes) -> str:
    return root.hex() if any(root) else ""
