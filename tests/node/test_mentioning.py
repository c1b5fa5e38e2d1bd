"""What is mentioned: in a control frame, to whom a session is open, heard by whoever heeds it."""

from __future__ import annotations

from rhotwist.errors import LocalError
from rhotwist.testing.cases import SeededTestCase
from tests.node.talk import Said, Say, server


class MentionTests(SeededTestCase):
    def setUp(self) -> None:
        self.net = self.network(1)
        self.server, self.client = server(self.net), self.net.node("client")
        self.calls: list[object] = []

    def open(self) -> None:
        self.net.result(self.client.request(self.server, Say(text="a")))

    def test_it_comes_as_a_call_without_a_hash_that_wants_no_answer(self) -> None:
        self.server.heed(Said, self.calls.append)
        self.open()
        self.assertTrue(self.client.mention(self.server, Said(text="news")))
        self.net.run(1)
        [call] = self.calls
        self.assertEqual((Said(text="news"), b"", False), (call.body, call.hash, call.wants_answer))  # type: ignore[attr-defined]
        self.assertEqual((self.client.public, self.server.public), (call.source, call.destination))  # type: ignore[attr-defined]
        before = self.net.sent_bytes
        self.client.mention(self.server, Said(text="news"))
        self.assertEqual(28 + 5 + 2 + 4, self.net.sent_bytes - before)

    def test_without_a_session_it_is_not_said(self) -> None:
        self.assertFalse(self.client.mention(self.server, Said(text="news")))

    def test_what_nobody_heeds_is_dropped_and_a_body_that_is_none_too(self) -> None:
        self.open()
        self.client.mention(self.server, Said(text="news"))
        self.net.run(1)
        self.assertEqual(1, self.server.node.counters["drop control"])

    def test_it_is_heeded_after_a_restart_too(self) -> None:
        self.server.heed(Said, self.calls.append)
        self.server.crash()
        self.server.restart()
        self.open()
        self.client.mention(self.server, Said(text="news"))
        self.net.run(1)
        self.assertEqual(1, len(self.calls))

    def test_it_must_fit_one_packet(self) -> None:
        limit = self.client.limits.body_max
        self.open()
        self.assertRaises(LocalError, self.client.mention, self.server, Say(text="x" * (limit - 1)))
        self.assertTrue(self.client.mention(self.server, Say(text="x" * (1_100))))

    def test_both_ends_have_one_key_for_fingerprints_and_other_sessions_another(self) -> None:
        self.assertIsNone(self.client.node.fingerprint_key(self.server.public))
        self.open()
        key = self.client.node.fingerprint_key(self.server.public)
        self.assertEqual(key, self.server.node.fingerprint_key(self.client.public))
        other = self.net.node("other")
        self.net.result(other.request(self.server, Say(text="a")))
        self.assertNotEqual(key, other.node.fingerprint_key(self.server.public))
        self.assertEqual(32, len(key or b""))
