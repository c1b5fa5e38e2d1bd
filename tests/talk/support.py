"""Two wallets that talk, in memory."""

from __future__ import annotations

from random import Random

from rhotwist.keys.pair import SeedKey
from rhotwist.talk.messages import Said
from rhotwist.talk.record import Pair, Place, compose, entry_of, pair_of
from rhotwist.tree.conversation import Conversation

ANN, BOB, CAROL = (SeedKey(bytes([n]) * 32) for n in (1, 2, 3))
PAIR = pair_of(ANN, BOB.public)
KEYS = {key.public: key for key in (ANN, BOB)}


class Reader:
    """Whoever has some of the records of a conversation."""

    def __init__(self, *some: Said, pair: Pair = PAIR) -> None:
        self.pair = pair
        self.talk = Conversation()
        self.by_hash: dict[bytes, Said] = {}
        self.put(*some)

    def put(self, *some: Said) -> None:
        """Take records in."""
        for said in some:
            self.by_hash[entry_of(said).leaf] = said
            self.talk.put(entry_of(said))

    def say(self, author: SeedKey, text: str, date: int = 7) -> Said:
        """The author's next record, who has seen all that stands here."""
        side = self.pair.side(author.public)
        said = compose(author, self.pair, Place(self.talk.sizes[side], *self.talk.view(side)), text, date)
        self.put(said)
        return said

    def all(self) -> list[Said]:
        """Every record, rivals too, in the order in which they are published."""
        return sorted(self.by_hash.values(), key=lambda said: (said.address, entry_of(said).leaf))


def spoken(count: int, seed: int = 1) -> Reader:
    """A conversation of so many records, both having spoken."""
    random, reader = Random(seed), Reader()
    for number in range(count):
        author = (ANN, BOB)[number] if number < 2 else random.choice((ANN, BOB))
        reader.say(author, f"record {number}", 1_000 + number)
    return reader


def fork(reader: Reader, author: SeedKey, index: int, text: str = "otherwise") -> Said:
    """Another record of an author at an index that has one."""
    said = compose(author, reader.pair, Place(index), text, 9)
    reader.put(said)
    return said
