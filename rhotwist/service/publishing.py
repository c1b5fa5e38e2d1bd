"""Records of our own keys: signed, worked for, kept, and said again before they expire."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from twisted.internet.defer import CancelledError, Deferred

from rhotwist.control import directory as values
from rhotwist.control import trouble
from rhotwist.directory import bundle, validity, work
from rhotwist.directory.bundle import Bundle
from rhotwist.directory.endpoints import Endpoint, Kind, at_ip, is_public, unpack
from rhotwist.directory.record import ENDPOINT, Record, make_record
from rhotwist.directory.waiting import Origin, Source
from rhotwist.errors import BadAddress, LocalError
from rhotwist.keys.address import NODE, WALLET, Address, NodeAt, format_address, parse_address, parse_node_at
from rhotwist.keys.pair import SeedKey
from rhotwist.moment import Rng
from rhotwist.service.directory import DirectoryKeeper
from rhotwist.service.files_in import World
from rhotwist.service.finding import endpoint_of, row_of
from rhotwist.service.keystore import Hot

OWN = Source(Origin.PASTED, b"own")
ADDRESSES_MOST = 12
"""Addresses of one record: more than fit it, were they all of IPv6."""
RENEW_AGAIN = 600.0  # seconds after which what could not be renewed is tried again


class Publisher:
    """Publishes for one process. own is its key, reached the places where it is reached now."""

    def __init__(
        self, keeper: DirectoryKeeper, own: SeedKey, reached: Callable[[], Sequence[NodeAt]], world: World, rng: Rng
    ) -> None:
        self._keeper = keeper
        self._own = own
        self._reached = reached
        self._world = world
        self._rng = rng
        self._tried: dict[bytes, float] = {}
        #: Finds a hot wallet by its name; a node has none.
        self.speaker: Callable[[str], Hot] | None = None

    # --- what may be asked -------------------------------------------------------------------------------------------

    async def publish(self, ask: values.Publish) -> values.Published:
        """Sign and keep what is asked for. Raises OperatorError."""
        addresses = [_read(text) for text in ask.addresses]
        made: list[Record] = []
        notes: list[str] = []
        if not ask.node:
            hot = self._wallet(ask.wallet)
            made.append(await self._publish_wallet(hot.key, ask))
        if ask.node or not (ask.via or ask.withdraw):
            if ask.withdraw:
                made.append(await self._withdraw(self._own, NODE))
            else:
                made.append(await self._publish_own(addresses or self._addresses(notes), again=ask.node))
        if not self._keeper.private and any(not is_public(one) for record in made for one in record.endpoints):
            notes.append("private addresses stay out of the directory of others: give them the bundle")
        return values.Published(
            tuple(map(row_of, made)), bundle.write(Bundle(records=tuple(record.encode() for record in made))),
            self._keeper.store.root.hex(), tuple(notes),
        )  # fmt: skip

    def _wallet(self, name: str) -> Hot:
        if self.speaker is None:
            raise trouble.PUBLISH_REFUSED(
                key=name or "a wallet", why="a node holds no wallet", hint="rho publish asks the wallet process"
            )
        return self.speaker(name)

    async def _publish_wallet(self, key: SeedKey, ask: values.Publish) -> Record:
        if ask.withdraw:
            return await self._withdraw(key, WALLET)
        relay = self._own.public
        if ask.via:
            try:
                relay = (parse_node_at(ask.via) if "@" in ask.via else parse_address(ask.via, NODE)).key
            except BadAddress as error:
                raise trouble.ADDRESS_WRONG(
                    text=repr(ask.via[:120]), wanted="node's address", why=error, example="rho1n… (63 characters)"
                ) from None
        return await self._say(key, [Endpoint(Kind.RELAY, relay)], WALLET)

    async def _publish_own(self, places: Sequence[Endpoint], again: bool) -> Record:
        """Say where this process is; unless again, only if that is news."""
        held = self._keeper.store.lookup(self._own.public)
        fresh = held is not None and not self._is_due(held)
        if held is not None and fresh and not again and set(map(unpack, held.endpoints)) == set(places):
            return held
        return await self._say(self._own, places, NODE)

    def _addresses(self, notes: list[str]) -> list[Endpoint]:
        """Where this process is reached, as far as others can use it: public addresses, or else private ones."""
        found = [endpoint_of(place) for place in self._reached()]
        public = [one for one in found if is_public(one.encode())]
        private = [one for one in found if one not in public and not _loops(one)]
        if public and private:
            notes.append("left out: " + ", ".join(f"{one.host}:{one.port}" for one in private) + ", which is private")
        chosen = public or private or found
        if not chosen:
            raise trouble.NO_ADDRESS()
        return chosen[:ADDRESSES_MOST]

    # --- saying it ---------------------------------------------------------------------------------------------------

    async def _withdraw(self, key: SeedKey, letter: str) -> Record:
        held = self._keeper.store.lookup(key.public)
        if held is None or held.kind != ENDPOINT:
            raise trouble.NOTHING_PUBLISHED(key=format_address(Address(letter, key.public)))
        return await self._say(key, (), letter)

    async def _say(self, key: SeedKey, endpoints: Sequence[Endpoint], letter: str) -> Record:
        """Issue a record of a key and keep it. Raises OperatorError."""
        name = format_address(Address(letter, key.public))
        date = self._world.date()
        held = self._keeper.store.lookup(key.public)
        # Of two records of one minute the hash decides; the later one is to stand.
        issued = date if held is None else max(date, held.issued + validity.MINUTE)
        try:
            made = make_record(key, issued, endpoints)
        except LocalError as wrong:
            raise trouble.PUBLISH_REFUSED(
                key=name, why=wrong, hint="name fewer or other addresses: rho publish --address"
            ) from None
        made = made.with_nonce(await self._work(made, held))
        outcome = await self._keeper.give([made.encode()], OWN)
        if outcome.new + outcome.newer + outcome.held != 1:
            why = ", ".join(outcome.refused) or "one just like it stands"
            raise trouble.PUBLISH_REFUSED(key=name, why=f"admission says: {why}", hint="see whether the clock is right")
        return made

    async def _work(self, record: Record, held: Record | None) -> bytes:
        """A nonce with the work that a record needs: the one of the quarter, or another search."""
        bits = self._keeper.limits.directory_work
        quarter = validity.quarter_of(validity.epoch_of(record.issued))
        if held is not None and work.bits_of(quarter, record.address, held.nonce) >= bits:
            return held.nonce
        start = int.from_bytes(self._rng(8), "big")
        gone = False

        def search() -> bytes:
            for found in work.search(quarter, record.address, bits, start):
                if found is not None or gone:
                    return found or b""
            return b""

        try:
            nonce: bytes = await self._world.in_thread(search)
        except CancelledError:
            gone = True
            raise
        return nonce

    # --- saying it again ---------------------------------------------------------------------------------------------

    def renew(self, keys: Iterable[SeedKey]) -> list[Deferred[Any]]:
        """Say anew what is past half its life, and where this process is if its port is another than its record's."""
        store, mono = self._keeper.store, self._world.mono()
        saying = []
        for key in (self._own, *keys):
            held = store.lookup(key.public)
            if held is None or held.kind != ENDPOINT or self._tried.get(key.public, mono) > mono:
                continue
            ends = [unpack(one) for one in held.endpoints]
            wanted = self._moved(ends) if key is self._own else ends
            if wanted != ends or self._is_due(held):
                self._tried[key.public] = mono + RENEW_AGAIN
                letter = WALLET if ends[0].kind == Kind.RELAY else NODE
                saying.append(Deferred.fromCoroutine(self._say(key, wanted, letter)))
        return saying

    def _is_due(self, held: Record) -> bool:
        """Whether a record is past half its life."""
        return 2 * self._world.date() >= held.issued + held.until

    def _moved(self, ends: list[Endpoint]) -> list[Endpoint]:
        """The endpoints of our record, at the port of today where one is of this machine: ports are chosen at start."""
        here: dict[tuple[int, bytes], list[int]] = {}
        for one in map(endpoint_of, self._reached()):
            here.setdefault((one.kind, one.value), []).append(one.port)
        moved = []
        for one in ends:
            ports = here.get((one.kind, one.value), [one.port])
            moved.append(one if one.port in ports else one._replace(port=ports[0]))
        return sorted(set(moved), key=Endpoint.encode)


def _read(text: str) -> Endpoint:
    carrier, colon, where = text.strip().partition(":")
    try:
        if not colon or carrier.lower() not in ("udp", "tcp"):
            raise LocalError("it begins with udp: or tcp:")
        at = parse_node_at(f"{_ANYBODY}@{carrier.lower()}:{where}")
        made = at_ip(at.carrier, at.host, at.port)
        made.encode()
        return made
    except (BadAddress, LocalError) as error:
        raise trouble.ENDPOINT_WRONG(text=repr(text[:120]), why=error) from None


#: Some node's address, so that a place is read as it is everywhere.
_ANYBODY = format_address(Address(NODE, SeedKey(bytes(32)).public))


def _loops(one: Endpoint) -> bool:
    """Whether it leads to the machine that it is read on."""
    return one.value[:1] == b"\x7f" if len(one.value) == 4 else one.value == bytes(15) + b"\1"
