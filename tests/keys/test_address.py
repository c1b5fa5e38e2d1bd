from hypothesis import example, given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from rhotwist.errors import BadAddress, BadKey
from rhotwist.keys.address import (
    DEFAULT_PORT,
    LENGTH,
    NODE,
    WALLET,
    Address,
    NodeAt,
    format_address,
    format_node_at,
    parse_address,
    parse_node_at,
)
from rhotwist.keys.pair import SeedKey
from rhotwist.wire import bech32
from tests import FULL
from tests.keys.pages import vectors

KEY = SeedKey(b"\x07" * 32).public
TEXT = format_address(Address(NODE, KEY))
#: What a hand may put in place of a character: letters, digits, signs, a few from elsewhere.
typed = st.characters(min_codepoint=32, max_codepoint=126) | st.sampled_from("éß\u200b\uff41İK\t\u0131")


class Addresses(SynchronousTestCase):
    def refused(self, text: str, kind: str | None = None) -> str:
        return str(self.assertRaises(BadAddress, parse_address, text, kind))

    def test_every_vector_of_the_spec_page_holds(self) -> None:
        page = vectors("addresses.md")
        self.assertEqual(len(page), 9)
        self.assertEqual(page["node address"], TEXT)
        self.assertEqual(page["node key"], KEY.hex())
        self.assertEqual(parse_address(page["wallet address"]), Address(WALLET, bytes.fromhex(page["wallet key"])))
        self.assertIn(
            "character 21, 'q', is wrong; likely meant: '4'", self.refused(page["one wrong character, the 21st"])
        )
        self.assertIn("no key", self.refused(page["the neutral point (`01` and 31 zero bytes), good checksum"]))
        self.assertEqual(parse_node_at(page["node at an IPv6 address"]), NodeAt(KEY, "2001:db8::1", 7461))

    @given(st.binary(min_size=32, max_size=32), st.sampled_from([NODE, WALLET]))
    def test_any_key_comes_back(self, seed: bytes, kind: str) -> None:
        address = Address(kind, SeedKey(seed).public)
        text = format_address(address)
        self.assertEqual(len(text), LENGTH)
        self.assertTrue(text.startswith(f"rho1{kind}"))
        self.assertEqual(parse_address(text), address)
        self.assertEqual(parse_address(text, kind), address)
        self.assertEqual(parse_address(text.upper()), address)
        self.assertEqual(parse_address(f"\n  {text} \r\n"), address)

    @given(st.integers(0, LENGTH - 1), typed)
    @example(4, "w")
    @example(4, "W")
    @example(62, "1")
    def test_one_wrong_character_is_never_another_address_and_its_place_is_told(self, at: int, wrong: str) -> None:
        text = TEXT[:at] + wrong + TEXT[at + 1 :]
        if text == TEXT or (at == 62 and wrong.isspace()):
            return
        said = self.refused(text)
        if wrong.isascii() and not wrong.isspace() and wrong.lower() != TEXT[at]:
            self.assertIn(f"character {at + 1}", said)
            if wrong not in "ABCDEFGHIJKLMNOPQRSTUVWXYZ":
                self.assertIn(f"likely meant: {TEXT[at]!r}", said)

    def test_single_substitutions_within_the_alphabet_are_refused_placed_and_explained(self) -> None:
        for at in range(4, LENGTH):
            for wrong in bech32.ALPHABET if FULL else bech32.ALPHABET[at % 4 :: 4]:
                if wrong != TEXT[at]:
                    said = self.refused(TEXT[:at] + wrong + TEXT[at + 1 :])
                    self.assertIn(f"character {at + 1}, {wrong!r}, is wrong; likely meant: {TEXT[at]!r}", said)

    @given(st.integers(0, LENGTH), typed)
    def test_one_character_too_many_is_never_an_address(self, at: int, extra: str) -> None:
        if not extra.isspace():
            self.refused(TEXT[:at] + extra + TEXT[at:])

    @given(st.integers(0, LENGTH - 1), st.integers(1, 3))
    def test_missing_characters_are_counted(self, at: int, count: int) -> None:
        text = TEXT[:at] + TEXT[at + count :]
        said = self.refused(text)
        if at >= 4:
            self.assertIn(f"{len(text)} characters where an address has 63", said)
            self.assertIn("missing", said)

    def test_lengths_are_told_in_words(self) -> None:
        self.assertIn("one character is missing", self.refused(TEXT[:-1]))
        self.assertIn("2 characters are too many", self.refused(TEXT + "qq"))

    def test_two_wrong_characters_are_told_as_more_than_one(self) -> None:
        said = self.refused(TEXT[:20] + "qq" + TEXT[22:])
        self.assertIn("more than one", said)
        self.assertNotIn("likely", said)

    def test_two_neighbours_that_changed_places_are_refused(self) -> None:
        for at in range(4, LENGTH - 1):
            if TEXT[at] != TEXT[at + 1]:
                self.refused(TEXT[:at] + TEXT[at + 1] + TEXT[at] + TEXT[at + 2 :])

    def test_mixed_case_is_told_with_its_place(self) -> None:
        self.assertIn("mixed: character 1, 'r'", self.refused(TEXT[:10] + TEXT[10:].upper()))
        self.assertIn("mixed: character 1, 'R'", self.refused("R" + TEXT[1:]))

    def test_a_space_inside_is_told_with_its_place(self) -> None:
        self.assertIn("character 6 is ' '", self.refused(TEXT[:5] + " " + TEXT[5:]))
        self.assertIn("character 6 is '\\u200b'", self.refused(TEXT[:5] + "\u200b" + TEXT[5:]))

    def test_other_texts_are_told_what_an_address_begins_with(self) -> None:
        for text in ("", "hello", "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4", "rho", "192.0.2.1:7460"):
            self.assertIn("rho1n", self.refused(text))

    def test_a_slip_in_the_prefix_is_told(self) -> None:
        self.assertIn("character 4 is 'l'; likely meant: '1'", self.refused("rhol" + TEXT[4:]))
        self.assertIn("does not begin with rho1", self.refused("abcd" + TEXT[4:]))

    def test_the_other_kind_is_told_apart(self) -> None:
        wallet = format_address(Address(WALLET, KEY))
        said = self.refused(wallet, NODE)
        self.assertIn("a wallet (rho1w)", said)
        self.assertIn("a node (rho1n)", said)
        self.assertIn("a node (rho1n) where that of a wallet", self.refused(TEXT, WALLET))

    def test_a_kind_of_the_future_is_told_as_that(self) -> None:
        future = bech32.encode("rho", [bech32.ALPHABET.index("x"), *bech32.to_fives(KEY)])
        self.assertIn("rho1x is no kind", self.refused(future))

    def test_bech32_of_the_old_kind_is_refused(self) -> None:
        # The first edition of the checksum ends in 1 where ours ends in another constant: all six characters differ.
        values = [bech32.ALPHABET.index(c) for c in TEXT[4:]]
        shift = [(bech32.GOOD ^ 1) >> 5 * (5 - i) & 31 for i in range(6)]
        old = values[:-6] + [value ^ change for value, change in zip(values[-6:], shift, strict=True)]
        self.refused("rho1" + "".join(bech32.ALPHABET[value] for value in old))

    def test_padding_that_is_not_zero_is_refused(self) -> None:
        values = bech32.to_fives(KEY)
        for bit in range(4):
            changed = [*values[:-1], values[-1] ^ 1 << bit]
            self.assertIn("not zero", self.refused(bech32.encode("rho", [bech32.ALPHABET.index("n"), *changed])))

    def test_nothing_else_is_written_as_an_address(self) -> None:
        self.assertRaises(BadAddress, format_address, Address("x", KEY))
        self.assertRaises(BadKey, format_address, Address(NODE, bytes(32)))


class NodesAtPlaces(SynchronousTestCase):
    def refused(self, where: str) -> str:
        return str(self.assertRaises(BadAddress, parse_node_at, f"{TEXT}@{where}"))

    def test_every_form_of_a_place_is_read(self) -> None:
        for where, host, port in (
            ("192.0.2.1:7461", "192.0.2.1", 7461),
            ("192.0.2.1", "192.0.2.1", DEFAULT_PORT),
            ("[2001:DB8:0::1]:1", "2001:db8::1", 1),
            ("[::1]", "::1", DEFAULT_PORT),
            ("[::ffff:192.0.2.1]:80", "192.0.2.1", 80),
            ("Node.Example.org:65535", "node.example.org", 65535),
            ("localhost", "localhost", DEFAULT_PORT),
            ("xn--bcher-kva.example.:9", "xn--bcher-kva.example.", 9),
        ):
            self.assertEqual(parse_node_at(f" {TEXT}@{where}\n"), NodeAt(KEY, host, port))

    def test_what_is_written_is_read_again(self) -> None:
        for node in (NodeAt(KEY, "192.0.2.1"), NodeAt(KEY, "2001:db8::1", 9), NodeAt(KEY, "a.example", 1)):
            self.assertEqual(parse_node_at(format_node_at(node)), node)
        self.assertEqual(format_node_at(NodeAt(KEY, "::1")), f"{TEXT}@[::1]:7460")

    def test_a_connection_is_asked_for_by_tcp_before_the_host(self) -> None:
        for where, host, port in (
            ("tcp:192.0.2.1:7461", "192.0.2.1", 7461), ("TCP:[::1]", "::1", DEFAULT_PORT), ("tcp:tcp.:1", "tcp.", 1),
        ):  # fmt: skip
            node = parse_node_at(f"{TEXT}@{where}")
            self.assertEqual(node, NodeAt(KEY, host, port, "tcp"))
            self.assertEqual(parse_node_at(format_node_at(node)), node)
        self.assertEqual(parse_node_at(f"{TEXT}@udp:192.0.2.1:1"), NodeAt(KEY, "192.0.2.1", 1))
        self.assertIn("no host name", self.refused("tcp:"))

    def test_the_vector_of_a_node_by_tcp_holds(self) -> None:
        page = vectors("addresses.md")
        self.assertEqual(parse_node_at(page["node by TCP"]), NodeAt(KEY, "192.0.2.1", DEFAULT_PORT, "tcp"))

    def test_ports_outside_are_named(self) -> None:
        for port in ("", "0", "65536", "-1", "+80", " 80", "8o", "٨٠", "000080"):
            self.assertIn("no port", self.refused(f"a.example:{port}"))

    def test_wrong_hosts_are_named(self) -> None:
        for host in ("", "a..b", "-a.example", "a b", "a/b", "bücher.example", "x" * 64, "a.b" * 90):
            self.assertIn("no host name", self.refused(f"{host}:1"))
        for host in ("192.0.2.256", "1.2.3", "192.0.2.01"):
            self.assertIn("is no IP address", self.refused(f"{host}:1"))
        for host in ("[192.0.2.1]", "[]", "[a.example]:1"):
            self.assertIn("IPv6", self.refused(host))
        self.assertIn("IP address", self.refused("[2001:db8::g]"))

    def test_brackets_are_asked_for_around_ipv6(self) -> None:
        self.assertIn("brackets", self.refused("2001:db8::1:7460"))
        for where in ("[::1", "[::1]7460", "[::1]]:1"):
            self.assertIn("brackets", self.refused(where))

    def test_a_zone_is_refused(self) -> None:
        self.assertIn("zone", self.refused("[fe80::1%eth0]:1"))

    def test_a_key_without_a_place_is_told_how_to_write_one(self) -> None:
        self.assertIn("NODE@HOST", str(self.assertRaises(BadAddress, parse_node_at, TEXT)))

    def test_a_wallet_is_nowhere(self) -> None:
        wallet = format_address(Address(WALLET, KEY))
        self.assertIn("a wallet", str(self.assertRaises(BadAddress, parse_node_at, f"{wallet}@192.0.2.1")))
