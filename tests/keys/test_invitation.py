"""Invitations: one text, and a mistyped character is named."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from rhotwist.errors import BadAddress, LocalError
from rhotwist.keys.address import NODE, TCP, WALLET, Address, NodeAt, format_address, is_address
from rhotwist.keys.invitation import PLACES_MOST, TEXT_MOST, Invitation, format_invitation, parse_invitation
from rhotwist.keys.pair import SeedKey
from rhotwist.wire.bech32 import ALPHABET
from tests.keys.pages import vectors

WALLET_KEY, NODE_KEY, OTHER = (SeedKey(bytes([n]) * 32).public for n in (1, 2, 3))
PLACES = NodeAt(NODE_KEY, "192.0.2.1"), NodeAt(NODE_KEY, "2001:db8::1", 1, TCP), NodeAt(NODE_KEY, "example.org", 2)
WHOLE = Invitation(WALLET_KEY, PLACES)


class InvitationTests(SynchronousTestCase):
    def test_the_page_says_what_the_code_does(self) -> None:
        page = vectors("addresses.md")
        wallet, node = (bytes.fromhex(page[f"{kind} key"]) for kind in ("wallet", "node"))
        places = NodeAt(node, "192.0.2.1"), NodeAt(node, "2001:db8::1", 7461, TCP)
        self.assertEqual(page["invitation to the wallet"], format_invitation(Invitation(wallet, places)))

    def test_it_comes_back_however_a_chat_breaks_its_lines(self) -> None:
        for count in range(len(PLACES) + 1):
            made = Invitation(WALLET_KEY, PLACES[:count])
            text = format_invitation(made)
            broken = "\n ".join(text[at : at + 20] for at in range(0, len(text), 20))
            self.assertEqual([made] * 3, [parse_invitation(one) for one in (text, f" {text}\r\n", broken)])

    def test_without_a_place_it_is_the_wallet_s_address(self) -> None:
        address = format_address(Address(WALLET, WALLET_KEY))
        self.assertEqual(address, format_invitation(Invitation(WALLET_KEY)))
        self.assertEqual(Invitation(WALLET_KEY), parse_invitation(address))

    def test_a_wrong_character_of_either_key_is_named(self) -> None:
        text = format_invitation(WHOLE)
        for at in [*range(5, 63, 3), *range(69, 127, 3)]:
            wrong = ALPHABET[(ALPHABET.index(text[at]) + 1) % 32]
            with self.assertRaisesRegex(BadAddress, f"character {at % 64 + 1}, '{wrong}', is wrong; .*'{text[at]}'"):
                parse_invitation(text[:at] + wrong + text[at + 1 :])

    def test_what_is_none_is_refused(self) -> None:
        wallet, node = (format_address(Address(kind, key)) for kind, key in ((WALLET, WALLET_KEY), (NODE, NODE_KEY)))
        five = ",".join(f"192.0.2.{n}" for n in range(PLACES_MOST + 1))
        for wrong in (
            "", wallet[:-1], node, f"{node}@{wallet}@192.0.2.1", f"{wallet}@{node}", f"{wallet}@{node}@",
            f"{wallet}@192.0.2.1", f"{wallet}@{node}@192.0.2.1,", f"{wallet}@{node}@{five}", wallet + " " * TEXT_MOST,
        ):  # fmt: skip
            self.assertRaises(BadAddress, parse_invitation, wrong)

    def test_a_place_twice_is_there_once(self) -> None:
        text = format_invitation(Invitation(WALLET_KEY, PLACES[:1]))
        self.assertEqual(PLACES[:1], parse_invitation(text + ",192.0.2.1:7460").places)

    def test_places_of_two_nodes_and_too_many_are_our_mistake(self) -> None:
        for places in ((PLACES[0], NodeAt(OTHER, "192.0.2.1")), PLACES * 2):
            self.assertRaises(LocalError, format_invitation, Invitation(WALLET_KEY, places))

    def test_a_name_is_told_from_an_address_that_was_mistyped(self) -> None:
        address = format_address(Address(WALLET, WALLET_KEY))
        for text in (address, address.upper(), address[1:], address[:10], f" {address}", "rho1", "x" * 41):
            self.assertTrue(is_address(text), text)
        for text in ("bob", "rho", "x" * 40, "r"):
            self.assertFalse(is_address(text), text)
