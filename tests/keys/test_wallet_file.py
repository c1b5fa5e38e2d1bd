import hashlib
import sys
from collections.abc import Callable
from struct import pack

from cryptography.hazmat.primitives.kdf.argon2 import Argon2id
from hypothesis import given
from hypothesis import strategies as st
from nacl import bindings
from twisted.trial.unittest import SynchronousTestCase

from rhotwist.errors import DamagedFile, LocalError, RefusedFile, WalletFileError, WrongPassphrase
from rhotwist.keys import wallet_file
from rhotwist.keys.chain import ARGUMENT_SIZE, number, seed_key, walk
from rhotwist.keys.wallet_file import (
    MEMORY_LEAST,
    MEMORY_MOST,
    Argon2,
    WalletSecret,
    derive,
    open_wallet,
    read_wallet,
    seal_wallet,
)
from tests.keys.pages import vectors

try:
    import resource
except ImportError:  # Windows
    resource = None  # type: ignore[assignment]

ROOT = bytes(range(32))
KEY = b"\x55" * 32
CHAIN = (("online", number(0)),)
CHEAP = Argon2(3, MEMORY_LEAST, b"\xa0" * 16)


def same(size: int) -> bytes:
    return b"\xa0" * size


def counting() -> Callable[[int], bytes]:
    calls = []

    def rng(size: int) -> bytes:
        calls.append(size)
        return bytes([len(calls)]) * size

    return rng


def checked(body: bytes | bytearray) -> bytes:
    """A file with its checksum made to fit, as a person who changes it would do."""
    return bytes(body) + hashlib.sha256(body).digest()


def with_content(content: bytes, kind: int = 1) -> bytes:
    head = pack("!9sBBBII16s24s", b"rhowallet", 1, kind, 0, 0, 0, bytes(16), same(24))
    return checked(head + bindings.crypto_aead_xchacha20poly1305_ietf_encrypt(content, head, same(24), KEY))


SECRET = WalletSecret(True, ROOT, CHAIN, "Ann", 2)
FILE = seal_wallet(SECRET, KEY, CHEAP, same)


class SpecPage(SynchronousTestCase):
    def test_the_vector_of_the_page_comes_out_whole_and_opens(self) -> None:
        page = vectors("wallet-file.md")
        passphrase = "\ufb01ne day"
        self.assertEqual(derive(CHEAP, passphrase).hex(), page["key"])
        self.assertEqual(seal_wallet(SECRET, bytes.fromhex(page["key"]), CHEAP, same).hex(), page["file"])
        secret = open_wallet(bytes.fromhex(page["file"]), "fine day")
        self.assertEqual(secret, SECRET)
        self.assertEqual(secret.link.hex(), page["link (root)"])
        self.assertEqual(" ".join((secret.chain[0][0], secret.chain[0][1].hex())), page["chain"])
        self.assertEqual((secret.name, str(secret.generation)), (page["name"], page["generation"]))
        self.assertEqual(CHEAP.salt.hex(), page["salt"])
        self.assertEqual(read_wallet(with_content(bytes.fromhex(page["content"]))).open(KEY), SECRET)

    def test_the_wrong_passphrase_is_told_as_that(self) -> None:
        data = bytes.fromhex(vectors("wallet-file.md")["file"])
        error = self.assertRaises(WrongPassphrase, open_wallet, data, "canary day")
        self.assertIn("whole", str(error))
        self.assertNotIn("canary", str(error))


class Passphrases(SynchronousTestCase):
    def test_another_library_derives_the_same_key(self) -> None:
        other = Argon2id(salt=CHEAP.salt, length=32, iterations=3, lanes=1, memory_cost=MEMORY_LEAST)
        self.assertEqual(derive(CHEAP, "pa\u0308ss"), other.derive("päss".encode()))

    def test_an_empty_passphrase_guards_nothing(self) -> None:
        self.assertIn("empty", str(self.assertRaises(LocalError, derive, CHEAP, "")))

    def test_what_is_no_text_is_refused_without_being_shown(self) -> None:
        self.assertNotIn("canary", str(self.assertRaises(LocalError, derive, CHEAP, "canary\ud800")))

    def test_defaults_are_256_mebibytes_and_three_passes_with_a_new_salt(self) -> None:
        rng = counting()
        self.assertEqual(Argon2.fresh(rng), Argon2(3, 256 * 1024, b"\x01" * 16))
        self.assertEqual(Argon2.fresh(rng).salt, b"\x02" * 16)

    def test_our_own_caller_keeps_to_the_bounds_too(self) -> None:
        for operations, memory in ((3, MEMORY_LEAST), (16, MEMORY_MOST)):
            Argon2(operations, memory, bytes(16))
        for operations, memory in ((2, MEMORY_LEAST), (17, MEMORY_LEAST), (3, MEMORY_LEAST - 1), (3, MEMORY_MOST + 1)):
            self.assertRaises(LocalError, Argon2, operations, memory, bytes(16))
        self.assertRaises(LocalError, Argon2, 3, MEMORY_LEAST, bytes(15))


class Damage(SynchronousTestCase):
    def only(self, kind: type[WalletFileError], data: bytes) -> str:
        """Opening fails with exactly this error; a passphrase is not even looked at."""
        error = self.assertRaises(WalletFileError, open_wallet, data, "")
        self.assertIs(type(error), kind)
        self.assertNotIn("Traceback", str(error))
        return str(error)

    def test_a_file_cut_anywhere_is_damaged(self) -> None:
        for size in range(len(FILE)):
            self.only(DamagedFile, FILE[:size])

    def test_a_file_with_something_behind_is_damaged(self) -> None:
        self.only(DamagedFile, FILE + b"\n")

    def test_every_flipped_bit_is_damage_and_in_the_version_a_refusal(self) -> None:
        for bit in range(8 * len(FILE)):
            changed = bytearray(FILE)
            changed[bit // 8] ^= 1 << bit % 8
            self.only(RefusedFile if bit // 8 == 9 else DamagedFile, bytes(changed))

    def test_bits_flipped_with_the_checksum_made_to_fit_open_nothing(self) -> None:
        outcomes = set()
        for bit in range(8 * (len(FILE) - 32)):
            changed = bytearray(FILE[:-32])
            changed[bit // 8] ^= 1 << bit % 8
            try:
                # The right key: so it is the seal that notices, in every byte of the header.
                read_wallet(checked(changed)).open(KEY)
                self.fail(f"bit {bit} made no difference")
            except WalletFileError as error:
                outcomes.add(type(error))
        self.assertEqual(outcomes, {DamagedFile, RefusedFile, WrongPassphrase})

    def test_other_files_are_told_as_no_wallet(self) -> None:
        for data in (b"", b"rhowalle", b"-----BEGIN RHO WALLET-----\n" * 10, bytes(1000)):
            self.assertIn("no wallet file", self.only(DamagedFile, data))

    def test_size_is_looked_at_first(self) -> None:
        self.only(RefusedFile, bytes(2**20 + 1))
        self.only(DamagedFile, bytes(2**20))

    def test_the_version_is_looked_at_before_the_checksum(self) -> None:
        self.assertIn("version 2", self.only(RefusedFile, FILE[:9] + b"\x02" + FILE[10:]))

    def test_the_checksum_is_looked_at_before_bounds_and_kinds(self) -> None:
        self.only(DamagedFile, FILE[:10] + b"\x09\x09" + bytes(8) + FILE[20:])


class Bounds(SynchronousTestCase):
    def asking(self, operations: int, memory: int, kind: int = 1, how: int = 1, salt: bytes = bytes(16)) -> bytes:
        head = pack("!9sBBBII16s24s", b"rhowallet", 1, kind, how, operations, memory, salt, bytes(24))
        return checked(head + bytes(80))

    def test_what_lies_outside_floor_and_cap_is_refused_and_named(self) -> None:
        for operations, memory, named in (
            (2, MEMORY_LEAST, "2 passes"),
            (0, MEMORY_LEAST, "0 passes"),
            (17, MEMORY_LEAST, "17 passes"),
            (2**32 - 1, MEMORY_LEAST, "4294967295 passes"),
            (3, MEMORY_LEAST - 1, "65535 KiB"),
            (3, 0, "0 KiB"),
            (3, MEMORY_MOST + 1, "2097153 KiB"),
            (3, 2**32 - 1, "4294967295 KiB"),
        ):
            error = self.assertRaises(RefusedFile, open_wallet, self.asking(operations, memory), "x")
            self.assertIn(named, str(error))
        for operations, memory in ((3, MEMORY_LEAST), (16, MEMORY_MOST)):
            read = read_wallet(self.asking(operations, memory)).argon2
            self.assertEqual(read, Argon2(operations, memory, bytes(16)))

    def test_nothing_is_allocated_for_what_is_refused(self) -> None:
        if resource is None:
            self.skipTest("this system does not tell how much memory was used")
        unit = 1 if sys.platform == "darwin" else 1024
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
        for memory in (MEMORY_MOST + 1, 2**32 - 1):
            self.assertRaises(RefusedFile, open_wallet, self.asking(3, memory), "x")
        after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
        self.assertLess(after - before, 16 * 2**20)

    def test_kinds_and_derivations_of_the_future_are_refused(self) -> None:
        for kind in (0, 3, 255):
            self.assertIn(f"kind {kind}", str(self.assertRaises(RefusedFile, read_wallet, self.asking(3, 65536, kind))))
        for how in (2, 255):
            error = self.assertRaises(RefusedFile, read_wallet, self.asking(3, 65536, 1, how))
            self.assertIn(f"derivation {how}", str(error))

    def test_a_key_kept_apart_leaves_nothing_to_derive(self) -> None:
        self.assertIsNone(read_wallet(self.asking(0, 0, how=0)).argon2)
        for asking in ((1, 0), (0, 1)):
            self.assertRaises(RefusedFile, read_wallet, self.asking(*asking, how=0))
        self.assertRaises(RefusedFile, read_wallet, self.asking(0, 0, how=0, salt=b"\1" + bytes(15)))


class Sealing(SynchronousTestCase):
    @given(
        st.binary(min_size=32, max_size=32),
        st.booleans(),
        st.lists(st.sampled_from(sorted(ARGUMENT_SIZE)), min_size=1, max_size=16),
        st.text(max_size=40).filter(str.isprintable),
        st.integers(0, 2**32 - 1),
    )
    def test_any_wallet_comes_back(self, link: bytes, root: bool, types: list[str], name: str, generation: int) -> None:
        chain = tuple((type, bytes([7]) * ARGUMENT_SIZE[type]) for type in types)
        secret = WalletSecret(root, link, chain, name, generation)
        for argon2 in (None, CHEAP):
            read = read_wallet(seal_wallet(secret, KEY, argon2, same))
            self.assertEqual((read.root, read.argon2), (root, argon2))
            self.assertEqual(read.open(KEY), secret)

    def test_every_write_draws_a_new_nonce(self) -> None:
        rng = counting()
        first, second = (seal_wallet(SECRET, KEY, CHEAP, rng) for _ in range(2))
        self.assertEqual(first[36:60], b"\x01" * 24)
        self.assertEqual(second[36:60], b"\x02" * 24)
        self.assertNotEqual(first[60:], second[60:])

    def test_a_file_whose_key_is_kept_apart_opens_by_that_key_only(self) -> None:
        data = seal_wallet(SECRET, KEY, None, same)
        self.assertEqual(read_wallet(data).open(KEY), SECRET)
        error = self.assertRaises(WrongPassphrase, read_wallet(data).open, bytes(32))
        self.assertIn("key does not open", str(error))
        self.assertIn("kept", str(self.assertRaises(WrongPassphrase, open_wallet, data, "x")))

    def test_a_key_of_another_size_is_refused(self) -> None:
        self.assertRaises(LocalError, seal_wallet, SECRET, KEY[:-1], CHEAP, same)

    def test_a_content_that_nobody_here_writes_is_refused(self) -> None:
        good = ROOT + number(0) + b"\x01A" + b"\x01" + b"\x06online" + b"\x04" + bytes(4)
        self.assertEqual(read_wallet(with_content(good)).open(KEY).chain, CHAIN)
        for content in (
            *(good[:size] for size in range(len(good))),
            good + b"\0",
            good.replace(b"online", b"future"),
            good.replace(b"online", b"onl\xffne"),
            good.replace(b"\x04" + bytes(4), b"\x05" + bytes(5)),
            good.replace(b"\x01A", b"\x01\xff"),
            good.replace(b"\x01A", b"\x01\n"),
            ROOT + number(0) + b"\0" + b"\x11" + 17 * (b"\x06online\x04" + bytes(4)),
        ):
            self.assertRaises(RefusedFile, read_wallet(with_content(content)).open, KEY)
        self.assertRaises(RefusedFile, read_wallet(with_content(ROOT + number(0) + b"\0\0", 2)).open, KEY)


class Wallets(SynchronousTestCase):
    def test_from_a_root_link_the_chain_leads_to_the_wallet(self) -> None:
        self.assertEqual(SECRET.wallet_link(), walk(ROOT, CHAIN))
        self.assertEqual(SECRET.wallet_key(), seed_key(walk(ROOT, CHAIN)))
        self.assertEqual(WalletSecret(True, ROOT).wallet_key(), seed_key(ROOT))

    def test_a_later_link_is_the_wallets_own_and_knows_no_more(self) -> None:
        later = WalletSecret(False, walk(ROOT, CHAIN), CHAIN)
        self.assertEqual(later.wallet_key(), SECRET.wallet_key())
        self.assertNotIn(ROOT, seal_wallet(later, KEY, None, same))

    def test_what_no_file_can_hold_is_refused_at_once(self) -> None:
        for arguments in (
            (True, ROOT[:-1]),
            (True, ROOT, (("future", bytes(4)),)),
            (True, ROOT, (("online", bytes(5)),)),
            (True, ROOT, CHAIN * 17),
            (False, ROOT, ()),
            (True, ROOT, (), "x" * 201),
            (True, ROOT, (), "ß" * 101),
            (True, ROOT, (), "a\nb"),
            (True, ROOT, (), "\ud800"),
            (True, ROOT, (), "", 2**32),
            (True, ROOT, (), "", -1),
        ):
            self.assertRaises(LocalError, WalletSecret, *arguments)
        WalletSecret(True, ROOT, CHAIN * 16, "ß" * 100, 2**32 - 1)

    def test_no_way_of_showing_a_wallet_shows_its_secret(self) -> None:
        canary = b"canary-canary-canary-canary-3232"
        secret = WalletSecret(True, canary, CHAIN, "Ann")
        locked = read_wallet(seal_wallet(secret, KEY, CHEAP, same))
        shown = f"{secret!r} {secret} {[locked]} {locked.argon2!r} {secret.wallet_key()!r}"
        self.assertIn("Ann", shown)
        for hidden in (canary, secret.wallet_link(), secret.wallet_key().seed, KEY):
            self.assertNotIn(hidden.hex(), shown)
            self.assertNotIn(repr(hidden)[2:-1], shown)

    def test_a_wipe_reaches_the_buffer_that_was_given(self) -> None:
        link = bytearray(ROOT)
        secret = WalletSecret(True, link)
        secret.wipe()
        self.assertEqual((link, secret.link), (bytearray(32), bytearray(32)))

    def test_a_machine_without_the_memory_says_so(self) -> None:
        def starved(*_: object) -> bytes:
            raise MemoryError

        self.patch(wallet_file.argon2id, "kdf", starved)
        self.assertIn("64 MiB", str(self.assertRaises(RefusedFile, derive, CHEAP, "x")))
