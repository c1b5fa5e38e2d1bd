import hashlib
import hmac

from twisted.trial.unittest import SynchronousTestCase

from rhotwist.errors import BadKey, LocalError
from rhotwist.keys import chain
from rhotwist.keys.chain import child, number, seed_key, server_identity, walk
from rhotwist.keys.pair import SeedKey
from rhotwist.keys.words import to_words
from tests.keys.pages import vectors

ROOT = bytes(range(32))
NODE = SeedKey(b"\x07" * 32)


class SpecPage(SynchronousTestCase):
    def test_every_vector_of_the_page_comes_out(self) -> None:
        page = vectors("derivation.md")
        online = child(ROOT, "online", number(0))
        ours = {
            "root link": ROOT.hex(),
            "master wallet": seed_key(ROOT).public.hex(),
            "link of `online` 0 from the root": online.hex(),
            "its wallet": seed_key(online).public.hex(),
            "node S": NODE.public.hex(),
            "X form of S": NODE.x_public.hex(),
            "identity `server` of the online wallet towards S, generation 0": server_identity(
                online, NODE.public, 0
            ).public.hex(),
            "root link as words": to_words(ROOT),
        }
        self.assertEqual({what: value for what, value in page.items() if not what.startswith("pair hash")}, ours)
        self.assertEqual(len(page), len(ours) + 1)


class Links(SynchronousTestCase):
    def test_a_child_is_one_hmac_over_label_type_and_argument(self) -> None:
        expected = hmac.new(ROOT, b"rho/chain/1" + b"\x06wallet" + b"\0\0\0\x05", hashlib.sha256).digest()
        self.assertEqual(child(ROOT, "wallet", number(5)), expected)

    def test_a_link_is_not_its_signing_seed(self) -> None:
        self.assertNotEqual(seed_key(ROOT), SeedKey(ROOT))

    def test_type_argument_and_parent_each_change_the_child(self) -> None:
        links = {
            child(ROOT, "wallet", number(0)),
            child(ROOT, "wallet", number(1)),
            child(ROOT, "online", number(0)),
            child(bytes(32), "wallet", number(0)),
            child(ROOT, "server", bytes(36)),
            child(ROOT, "mail", bytes(36)),
            child(ROOT, "receive", bytes(36)),
        }
        self.assertEqual(len(links), 7)

    def test_a_walk_takes_the_steps_in_their_order(self) -> None:
        steps = (("wallet", number(1)), ("online", number(2)))
        self.assertEqual(walk(ROOT, steps), child(child(ROOT, "wallet", number(1)), "online", number(2)))
        self.assertNotEqual(walk(ROOT, steps), walk(ROOT, steps[::-1]))
        self.assertEqual(walk(bytearray(ROOT), ()), ROOT)

    def test_a_buffer_that_can_be_wiped_serves_as_a_link(self) -> None:
        self.assertEqual(child(bytearray(ROOT), "wallet", number(0)), child(ROOT, "wallet", number(0)))
        self.assertEqual(seed_key(bytearray(ROOT)), seed_key(ROOT))

    def test_unknown_types_and_wrong_sizes_are_refused(self) -> None:
        self.assertIn("'walet'", str(self.assertRaises(LocalError, child, ROOT, "walet", number(0))))
        for type, size in chain.ARGUMENT_SIZE.items():
            for wrong in (0, size - 1, size + 1):
                self.assertIn(str(size), str(self.assertRaises(LocalError, child, ROOT, type, bytes(wrong))))
        for link in (b"", ROOT[:-1], ROOT + b"\0"):
            self.assertRaises(LocalError, child, link, "wallet", number(0))
            self.assertRaises(LocalError, seed_key, link)
            self.assertRaises(LocalError, walk, link, ())

    def test_an_error_about_a_link_does_not_show_it(self) -> None:
        error = self.assertRaises(LocalError, seed_key, b"canary")
        self.assertNotIn("canary", str(error))

    def test_numbers_have_bounds(self) -> None:
        self.assertEqual(number(2**32 - 1), b"\xff" * 4)
        for value in (-1, 2**32):
            self.assertIn(str(value), str(self.assertRaises(LocalError, number, value)))

    def test_labels_are_no_prefixes_of_each_other(self) -> None:
        labels = [chain.CHAIN_LABEL, chain.SEED_LABEL, b"rho/pair/1"]
        for one in labels:
            self.assertEqual([one], [other for other in labels if other.startswith(one)])


class Identities(SynchronousTestCase):
    def test_every_node_and_generation_sees_another_identity(self) -> None:
        link = child(ROOT, "online", number(0))
        other = SeedKey(b"\x09" * 32)
        seen = {
            server_identity(link, NODE.public, 0).public,
            server_identity(link, NODE.public, 1).public,
            server_identity(link, other.public, 0).public,
            server_identity(ROOT, NODE.public, 0).public,
        }
        self.assertEqual(len(seen), 4)
        self.assertEqual(server_identity(link, NODE.public), server_identity(link, NODE.public, 0))

    def test_the_identity_stands_under_the_wallets_link(self) -> None:
        expected = seed_key(child(ROOT, "server", NODE.public + number(3)))
        self.assertEqual(server_identity(ROOT, NODE.public, 3), expected)

    def test_no_identity_towards_what_is_no_node(self) -> None:
        self.assertRaises(BadKey, server_identity, ROOT, bytes(32), 0)
        self.assertRaises(LocalError, server_identity, ROOT, NODE.public, 2**32)
