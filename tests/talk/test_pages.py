"""docs/spec/conversation.md and said.md: what the exchange, the published form and proofs are, byte for byte."""

from __future__ import annotations

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from rhotwist.keys.invitation import PLACES_MOST
from rhotwist.talk import messages, pasted, proof, published
from rhotwist.talk.messages import Proof, Published, TalkRoot, TalkRootAt, TalkStand, TalkSync
from rhotwist.talk.record import entry_of, to_line
from tests.keys.pages import DOCS, vectors
from tests.talk.support import ANN, BOB, CAROL, PAIR, Reader
from tests.tree.test_pages import conversation_vectors


def said() -> Reader:
    """The page's conversation: two records."""
    reader = Reader()
    reader.say(ANN, "hi", 1_000)
    reader.say(BOB, "hello", 1_001)
    return reader


def talk_vectors() -> dict[str, str]:
    """What the rows of conversation.md must be, beside those of the tree."""
    reader = said()
    first, second = sorted(reader.all(), key=lambda one: one.date)
    roots = [reader.talk.root_at(author, 1) for author in (0, 1)]
    schemas = (TalkSync, TalkStand, TalkRootAt, TalkRoot, Published, Proof)
    found = {f"identifier of `{schema.schema_name}`": f"{schema.identifier:08x}" for schema in schemas}
    made = proof.prove(reader.talk, PAIR, CAROL, 1_002, record=second, before=(0, 0))
    values = {
        "pair hash of the two": PAIR.hash, "Ann's record": first.encode(), "its hash": entry_of(first).leaf,
        "its line": to_line(first), "Bob's record": second.encode(),
        "`rho.talk-sync` of somebody who has nothing": TalkSync(lower=0, higher=0, records=()).encode(),
        "`rho.talk-stand` without records": TalkStand(
            lower=1, higher=1, lower_root=roots[0], higher_root=roots[1], records=()
        ).encode(),
        "`rho.talk-root-at`, 3 of the higher side": TalkRootAt(address=1 << 63 | 3).encode(),
        "root of both": reader.talk.root,
        "as a file": published.to_file(published.publish(PAIR, reader.talk, reader.all())),
        "proof of Bob's record by Carol, date 1,002": made.encode(),
    }  # fmt: skip
    return found | {what: value.hex() for what, value in values.items()}


class PageTests(SynchronousTestCase):
    maxDiff = None

    def test_the_vectors(self) -> None:
        self.assertEqual(conversation_vectors() | talk_vectors(), vectors("conversation.md"))

    def test_what_the_page_shows_holds(self) -> None:
        page = {what: bytes.fromhex(value) for what, value in vectors("conversation.md").items()}
        shown = published.check_published(published.read(page["as a file"]))
        self.assertEqual(page["root of both"], shown.talk.root)
        proven = proof.check_proof(Proof.decode(page["proof of Bob's record by Carol, date 1,002"]))
        self.assertEqual((shown.talk.root, "hello"), (proven.root, proven.record and proven.record.text))

    def test_the_numbers(self) -> None:
        text = Path(DOCS, "conversation.md").read_text(encoding="utf-8")
        for number in (messages.RECORDS_MOST, messages.PUBLISHED_MOST, pasted.PUBLISHED, pasted.PROOF,
                       messages.RECORD_MOST, messages.LINE_MOST):  # fmt: skip
            self.assertIn(f"{number:,}", text)
        self.assertIn(f"| {pasted.PUBLISHED} ", Path(DOCS, "bundle.md").read_text(encoding="utf-8"))
        self.assertEqual(4, PLACES_MOST)
