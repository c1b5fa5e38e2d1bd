"""Peers over restarts."""

from __future__ import annotations

from unittest.mock import patch

import attrs

from rhotwist.store import peers
from rhotwist.store.database import Database
from rhotwist.store.peers import KIND, Peer, Peers
from tests.store.support import SECONDS, FolderCase


def peer(number: int, score: float = 0.0, last: int = 100) -> Peer:
    """A peer by number."""
    return Peer(bytes([number]) * 32, None, 0, score, number, 0, 50, last)


class PeerTests(FolderCase):
    def open(self) -> Peers:
        """The peers, in an open database."""
        self.database = Database(self.folder / "machine.db", KIND, durable=False)
        self.addCleanup(self.database.close)
        return Peers(self.database)

    def test_what_was_put_last_is_there_after_a_restart(self) -> None:
        kept = self.open()
        self.assertIsNone(kept.get(bytes(32)))
        kept.put(peer(1)).result(SECONDS)
        changed = attrs.evolve(peer(1), store_id=b"12345678", cursor=77, score=-1.5, bad=3)
        kept.put(changed).result(SECONDS)
        self.database.close()
        self.assertEqual(self.open().get(changed.key), changed)

    def test_the_best_come_first_and_those_that_answered_last_among_equals(self) -> None:
        kept = self.open()
        made = [peer(1, 1.0), peer(2, 2.0), peer(3, 1.0, last=200), peer(4, -1.0, last=900)]
        for one in made:
            kept.put(one).result(SECONDS)
        self.assertEqual(kept.best(3), [made[1], made[2], made[0]])

    def test_those_that_answered_longest_ago_make_room(self) -> None:
        kept = self.open()
        with patch.object(peers, "MOST", 2):
            for one in (peer(1, last=5), peer(2, last=3), peer(3, last=4)):
                kept.put(one).result(SECONDS)
        self.assertEqual({one.key for one in kept.best(9)}, {peer(1).key, peer(3).key})
