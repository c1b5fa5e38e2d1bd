"""Control values to JSON and back."""

from __future__ import annotations

import json

import attrs
from hypothesis import given
from hypothesis import strategies as some
from twisted.trial.unittest import SynchronousTestCase

from rhotwist.control import values
from rhotwist.control.codec import BadBody, from_json, to_json
from rhotwist.control.verbs import VERBS

ROW = values.WalletRow("alice", "rho1w…", "online", "hot", "/x/alice.rhowallet", 12.5)
STATUS = values.Status(
    "wallet", "0.1", 1, 77, "rho1n…", ("udp 0.0.0.0:7460",), (), 1.0, "/x", ("busy",), (ROW,), {"dropped.tag": 3}
)


@attrs.frozen
class Odd:
    """A value with every type the codec knows."""

    maybe: int | None
    really: bool
    ratio: float


class RoundTripTests(SynchronousTestCase):
    """One value, one JSON text, the same value."""

    def test_nested_values_come_back_equal(self) -> None:
        for value in (ROW, STATUS, values.Nothing(), values.Inbox((), 3), Odd(None, True, 0.5), Odd(3, False, 1.0)):
            self.assertEqual(value, from_json(type(value), to_json(value)))

    def test_a_whole_number_is_read_where_any_number_may_stand(self) -> None:
        self.assertEqual(Odd(1, True, 2.0), from_json(Odd, b'{"maybe":1,"really":true,"ratio":2}'))

    def test_text_of_any_script_is_kept(self) -> None:
        ask = values.Send("rho1w", "rho1n@h", "žluťoučký кінь 🐎 \x1b[31m\n", "alice", 3.0)
        self.assertEqual(ask, from_json(values.Send, to_json(ask)))

    def test_defaults_may_be_left_out(self) -> None:
        self.assertEqual(values.InboxAsk("", 100), from_json(values.InboxAsk, b"{}"))

    def test_every_verb_s_values_can_be_read_from_an_object(self) -> None:
        for verb in VERBS:
            for kind in (verb.asks, verb.answers):
                with self.assertRaises(BadBody):
                    from_json(kind, b"[]")


class StrictnessTests(SynchronousTestCase):
    """Whatever is no value is one error that says where."""

    def refused(self, body: bytes, kind: type = values.Send) -> str:
        """The message of the error."""
        with self.assertRaises(BadBody) as caught:
            from_json(kind, body)
        return str(caught.exception)

    def test_the_message_names_the_place(self) -> None:
        whole = {"to": "a", "at": "b", "text": "c"}
        for change, told in (
            ({"to": 3}, "body.to is not a text"),
            ({"timeout": "3"}, "body.timeout is not a number"),
            ({"timeout": True}, "body.timeout is not a number"),
            ({"timeout": 10**400}, "body.timeout is not a number"),
            ({"text": "\ud83d"}, "body.text holds half a character"),
            ({"colour": 1}, "no field 'colour'"),
        ):
            self.assertIn(told, self.refused(json.dumps({**whole, **change}).encode()))
        self.assertIn("lacks 'at'", self.refused(b'{"to":"a"}'))
        item = attrs.asdict(values.InboxItem("a", "b", "c", "d", 1, 2))
        inbox = json.dumps({"items": [item, {**item, "kept_at": "x"}]}).encode()
        self.assertIn("body.items[1].kept_at", self.refused(inbox, values.Inbox))
        self.assertIn("counters.x is not a whole number", self.refused(
            json.dumps({**json.loads(to_json(STATUS)), "counters": {"x": 1.5}}).encode(), values.Status))

    def test_what_is_no_json_is_refused_in_one_way(self) -> None:
        for body in (b"", b"{", b"\xff", b"{}{}", b"null", b"3", b"[" * 100_000, b'{"to":"a","to":"b"}', b"NaN",
                     b'{"limit":' + b"9" * 5_000 + b"}", b'{"limit":1e400}', b'{"limit":Infinity}'):
            self.refused(body, values.InboxAsk)

    def test_each_thing_that_is_no_value_is_told_for_what_it_is(self) -> None:
        for kind, body, told in (
            (values.InboxAsk, b'{"limit":1,"limit":2}', "one field twice"),
            (Odd, b'{"maybe":1,"really":true,"ratio":NaN}', "NaN is no JSON number"),
            (Odd, b'{"maybe":1,"really":true,"ratio":1e400}', "not a number that fits"),
            (values.WalletList, b'{"wallets":{}}', "body.wallets is not a list"),
            (values.WalletList, b'{"wallets":[3]}', "body.wallets[0] is not an object"),
            (values.Status, to_json(STATUS).replace(b'{"drop', b'[{"drop').replace(b"}}", b"}]}"), "counters is not"),
        ):
            self.assertIn(told, self.refused(body, kind))

    def test_an_answer_may_tell_more_than_we_know_but_not_a_request(self) -> None:
        body = b'{"wallets":[],"weather":"fine"}'
        self.assertEqual(values.WalletList(()), from_json(values.WalletList, body, strict=False))
        self.refused(body, values.WalletList)

    @given(some.binary(max_size=200))
    def test_no_bytes_raise_anything_else(self, body: bytes) -> None:
        try:
            from_json(values.Send, body)
        except BadBody:
            pass

    @given(some.recursive(some.none() | some.booleans() | some.integers() | some.floats(allow_nan=False) | some.text(),
                          lambda deeper: some.lists(deeper) | some.dictionaries(some.text(), deeper)))
    def test_no_json_raises_anything_else(self, found: object) -> None:
        for kind in (values.Send, values.Status):
            try:
                from_json(kind, json.dumps(found).encode())
            except BadBody:
                pass


class SecretTests(SynchronousTestCase):
    """A request in a log or a traceback shows no secret."""

    def test_words_and_passphrases_are_not_in_the_repr(self) -> None:
        for value in (values.WalletAdd("alice", "canary-words", "canary"), values.WalletUnlock("alice", "canary")):
            self.assertNotIn("canary", repr(value))
            self.assertIn(b"canary", to_json(value))
