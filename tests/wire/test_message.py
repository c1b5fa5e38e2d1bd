"""The message object: known bytes, known name, and a name that every byte changes."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from rhotwist.errors import BadPacket
from rhotwist.wire.message import HEAD, NO_HASH, Message, compose, decode
from tests.keys.pages import vectors
from tests.wire.support import mutated, refused

KEYS = st.binary(min_size=32, max_size=32)
MESSAGES = st.builds(
    compose, st.integers(0, 2**32 - 1), KEYS, KEYS, KEYS, st.binary(min_size=16, max_size=16), st.binary(max_size=40)
)


class MessageTests(SynchronousTestCase):
    def test_the_page_says_what_the_code_does(self) -> None:
        page = vectors("message.md")
        body = bytes.fromhex(page["body"])
        said = compose(int(page["identifier"], 16), b"\1" * 32, b"\2" * 32, NO_HASH, bytes(range(16)), body)
        whole = bytes.fromhex(page["identifier"]) + b"\1" * 32 + b"\2" * 32 + bytes(32)
        self.assertEqual(said.encode(), whole + bytes.fromhex(page["object, from byte 100"]))
        self.assertEqual(said.hash.hex(), page["name of the message"])

    @given(MESSAGES)
    def test_a_message_comes_back_from_its_bytes_with_its_name(self, message: Message) -> None:
        again = decode(message.encode())
        self.assertEqual(again, message)
        self.assertEqual(len(message.encode()), HEAD + len(message.body))

    @given(mutated(MESSAGES.map(Message.encode)))
    def test_other_bytes_are_refused_or_are_another_message(self, data: bytes) -> None:
        try:
            message = decode(data)
        except BadPacket:
            self.assertLess(len(data), HEAD)
            return
        self.assertEqual(message.encode(), data)

    def test_every_byte_is_part_of_the_name(self) -> None:
        whole = compose(7, b"\1" * 32, b"\2" * 32, b"\3" * 32, bytes(16), b"body").encode()
        names = {decode(whole).hash}
        for at in range(len(whole)):
            names.add(decode(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :]).hash)
        self.assertEqual(len(names), len(whole) + 1)

    def test_a_body_in_two_is_the_same_message_in_the_same_bytes(self) -> None:
        for size in (5, 5_000):
            body = bytes(range(250)) * (size // 5)
            whole = compose(7, b"\1" * 32, b"\2" * 32, NO_HASH, bytes(16), body)
            self.assertIs(whole.halves(1_000)[1], body)
            for at in (0, 4, 200):
                apart = compose(7, b"\1" * 32, b"\2" * 32, NO_HASH, bytes(16), body[:at], body[at:])
                self.assertEqual((apart.hash, apart.size, apart.encode()), (whole.hash, whole.size, whole.encode()))
                head, rest = apart.halves(288)
                self.assertEqual((head + rest, len(head)), (whole.encode(), HEAD + at if at < 172 else HEAD))
                if at == 4:
                    self.assertIs(rest, apart.bulk)

    def test_a_message_without_a_body_is_the_shortest(self) -> None:
        self.assertEqual(decode(bytes(HEAD)).body, b"")
        for size in range(HEAD):
            self.assertEqual(refused(decode, bytes(size)), "short")
