"""Names for wallets: the one place in which what a person calls somebody becomes a key and where it may be."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress

import attrs
from twisted.internet.defer import Deferred, succeed

from rhotwist.control import trouble, verbs
from rhotwist.control.talks import ContactAdd, ContactList, ContactRemove, ContactRow, Invitation, InvitationAsk
from rhotwist.control.text import NAME
from rhotwist.control.values import Nothing
from rhotwist.control.verbs import Verb
from rhotwist.errors import BadAddress, LocalError
from rhotwist.keys import invitation
from rhotwist.keys.address import (
    WALLET,
    Address,
    NodeAt,
    format_address,
    format_node_at,
    is_address,
    parse_address,
    parse_node_at,
)
from rhotwist.moment import EPOCH_2020
from rhotwist.service.control_server import Handler
from rhotwist.service.files_in import World
from rhotwist.service.keystore import Keystore
from rhotwist.store.contacts import Contact, Contacts
from rhotwist.store.database import Database

INVITATION_EXAMPLE = "rho1w…@rho1n…@192.0.2.1:7460"


@attrs.frozen
class Party:
    """Who somebody is and where: a wallet's key, and NODE@HOST:PORT where it was said to be, the best first."""

    key: bytes = attrs.field(repr=bytes.hex)
    places: tuple[str, ...] = ()


class Book:
    """The contacts of one wallet process. reachable gives the places of the process itself, the best first."""

    def __init__(self, keystore: Keystore, world: World, reachable: Callable[[], tuple[str, ...]]) -> None:
        self._keystore = keystore
        self._world = world
        self._reachable = reachable
        self._contacts: Contacts
        #: Called when contacts have changed; what has to follow them has when it fires.
        self.changed: Callable[[], Deferred[None]] = lambda: succeed(None)

    def open(self, database: Database) -> None:
        """Have the contacts of a database. Called before all else."""
        self._contacts = Contacts(database)

    def verbs(self) -> Mapping[Verb, Handler]:
        """What its owner may ask."""
        return {
            verbs.CONTACTS: self.listed, verbs.CONTACT_ADD: self.add, verbs.CONTACT_REMOVE: self.remove,
            verbs.INVITE: self.invite,
        }  # fmt: skip

    # --- for the others ----------------------------------------------------------------------------------------------

    def resolve(self, text: str) -> Party:
        """Who a contact's name or a wallet's address means, and where he was said to be. Raises OperatorError."""
        known = self._contacts.all()
        if not is_address(text):
            for contact in known:
                if contact.name == text:
                    return Party(contact.wallet, contact.places)
            raise self._absent(text)
        try:
            key = parse_address(text, WALLET).key
        except BadAddress as error:
            raise trouble.ADDRESS_WRONG(
                text=repr(text[:80]), wanted="wallet's address", why=error, example="rho1w… (63 characters)"
            ) from None
        return Party(key, next((contact.places for contact in known if contact.wallet == key), ()))

    def names(self) -> dict[bytes, str]:
        """What the wallets are called that are contacts."""
        return {contact.wallet: contact.name for contact in self._contacts.all()}

    def keys(self) -> set[bytes]:
        """The keys of all contacts and of the nodes at which they were said to be."""
        found = set()
        for contact in self._contacts.all():
            found.add(contact.wallet)
            for place in contact.places:
                with suppress(BadAddress):
                    found.add(parse_node_at(place).key)
        return found

    # --- for their owner ---------------------------------------------------------------------------------------------

    def listed(self, _: Nothing | None = None) -> ContactList:
        """All contacts."""
        return ContactList(tuple(map(_row, self._contacts.all())))

    async def add(self, ask: ContactAdd) -> ContactRow:
        """One more contact, or new places of one. Raises OperatorError."""
        if not NAME.fullmatch(ask.name) or is_address(ask.name):
            raise trouble.CONTACT_NAME(name=repr(ask.name[:60]))
        try:
            invited = invitation.parse_invitation(ask.invitation)
        except BadAddress as error:
            raise trouble.ADDRESS_WRONG(
                text=repr(ask.invitation[:80]), wanted="invitation", why=error, example=INVITATION_EXAMPLE
            ) from None
        places = tuple(map(format_node_at, invited.places)) or self.resolve(_address(invited.wallet)).places
        contact = Contact(ask.name, invited.wallet, places, self._world.date())
        taken = await self._world.soon(self._contacts.put(contact))
        if taken is not None:
            why = f"{taken.name} is {_address(taken.wallet)}"
            raise trouble.CONTACT_TAKEN(name=ask.name, why=why, other=taken.name)
        await self.changed()
        return _row(contact)

    async def remove(self, ask: ContactRemove) -> ContactList:
        """Forget a contact; what was said stays. Raises OperatorError."""
        if not await self._world.soon(self._contacts.remove(ask.name)):
            raise self._absent(ask.name)
        await self.changed()
        return self.listed()

    def invite(self, ask: InvitationAsk) -> Invitation:
        """An invitation to a wallet of ours. Raises OperatorError."""
        rows = self._keystore.rows()
        if not ask.wallet and len(rows) != 1:
            names = ", ".join(row.name for row in rows)
            raise trouble.WHICH_WALLET(names=names) if rows else trouble.WALLETS_NONE()
        row = self._keystore.existing(ask.wallet) if ask.wallet else rows[0]
        if not row.address:
            raise trouble.WALLET_LOCKED(name=row.name)
        places = tuple(map(read_place, ask.places or self._reachable()[: invitation.PLACES_MOST]))
        try:
            made = invitation.Invitation(parse_address(row.address, WALLET).key, places)
            return Invitation(row.name, invitation.format_invitation(made))
        except LocalError as error:
            raise trouble.OPTION_WRONG(
                option="--at", value="said so often", why=error, hint="name the places of one process"
            ) from None

    def _absent(self, name: str) -> Exception:
        names = [contact.name for contact in self._contacts.all()]
        known = f"known here: {', '.join(names)}" if names else "there is none yet"
        return trouble.CONTACT_ABSENT(name=name[:60], known=known)


def _row(contact: Contact) -> ContactRow:
    return ContactRow(contact.name, _address(contact.wallet), contact.places, contact.added + EPOCH_2020)


def _address(key: bytes) -> str:
    return format_address(Address(WALLET, key))


def read_place(text: str) -> NodeAt:
    """A place that a person names. Raises OperatorError."""
    try:
        return parse_node_at(text)
    except BadAddress as error:
        raise trouble.ADDRESS_WRONG(
            text=repr(text[:120]), wanted="NODE@HOST:PORT", why=error, example="rho1n…@192.0.2.1:7460"
        ) from None
