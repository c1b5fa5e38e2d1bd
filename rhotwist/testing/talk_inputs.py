"""Conversations for the fuzzer: records as peers bring them, what is published, proofs, invitations."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from rhotwist.errors import BadAddress, BadArmour, BadPacket
from rhotwist.keys import invitation
from rhotwist.keys.address import NodeAt
from rhotwist.keys.pair import SeedKey
from rhotwist.talk import pasted, proof, published, record
from rhotwist.talk.messages import Proof, Published, Said
from rhotwist.talk.record import BadRecord, Pair, Place, compose, entry_of, pair_of
from rhotwist.tree.conversation import Conversation

Parse = Callable[[bytes], object]


@functools.cache
def _spoken() -> tuple[Pair, Conversation, tuple[Said, ...]]:
    """Two wallets' records, one of them a fork."""
    ann, bob = SeedKey(bytes([1]) * 32), SeedKey(bytes([2]) * 32)
    pair, talk, made = pair_of(ann, bob.public), Conversation(), []
    for number, author in enumerate((ann, bob, ann, ann, bob)):
        side = pair.side(author.public)
        said = compose(author, pair, Place(talk.sizes[side], *talk.view(side)), f"Grüße {number}", number)
        talk.put(entry_of(said))
        made.append(said)
    made.append(compose(bob, pair, Place(0), "otherwise", 9))
    talk.put(entry_of(made[-1]))
    return pair, talk, tuple(sorted(made, key=lambda said: (said.address, entry_of(said).leaf)))


def _published() -> list[bytes]:
    return [published.publish(*_spoken()).encode()]


def _files() -> list[bytes]:
    made = published.publish(*_spoken())
    return [published.to_file(made), published.to_text(made).encode()]


def _proofs() -> list[bytes]:
    pair, talk, said = _spoken()
    witness = SeedKey(bytes([3]) * 32)
    standing = [one for one in said if talk.entry(one.address) == entry_of(one)]
    made = [proof.prove(talk, pair, witness, 9)]
    made += [proof.prove(talk, pair, witness, 9, record=one, before=(1, 1)) for one in standing]
    return [one.encode() for one in made]


def _invitations() -> list[bytes]:
    wallet, node = SeedKey(bytes([1]) * 32).public, SeedKey(bytes([2]) * 32).public
    places = NodeAt(node, "192.0.2.1"), NodeAt(node, "2001:db8::1", 1, "tcp"), NodeAt(node, "example.org")
    texts = [invitation.format_invitation(invitation.Invitation(wallet, places[:count])) for count in range(4)]
    return [text.encode() for text in (*texts, texts[3].replace("@", "\n@ "))]


def _read_records(data: bytes) -> object:
    """One record; what its signature covers is looked at as well."""
    return record.read_all((data,), _spoken()[0])


def _read_line(data: bytes) -> object:
    said = record.from_line(data, _spoken()[0])
    if record.to_line(said) != data:
        raise AssertionError("two lines for one record")
    return said


def _read_invitation(data: bytes) -> object:
    found = invitation.parse_invitation(data.decode("utf-8", "surrogateescape"))
    if invitation.parse_invitation(invitation.format_invitation(found)) != found:
        raise AssertionError("an invitation that is not what it says")
    return found


def _refusing(parse: Parse, *refusals: type[Exception]) -> Parse:
    @functools.wraps(parse)
    def parsed(data: bytes) -> object:
        try:
            return parse(data)
        except refusals:
            raise BadPacket("refused") from None

    return parsed


def _lines() -> list[bytes]:
    return [record.to_line(said) for said in _spoken()[2]]


TARGETS: dict[str, tuple[Any, ...]] = {
    "keys.invitation.parse_invitation": (
        _refusing(_read_invitation, BadAddress), _invitations, (invitation.parse_invitation,)
    ),
    "talk.record.read_all": (
        _refusing(_read_records, BadRecord), lambda: [said.encode() for said in _spoken()[2]],
        (record.read_all,),
    ),
    "talk.record.from_line": (_read_line, _lines, (record.from_line,)),
    "talk.published.read": (_refusing(published.read, BadArmour), _files, (published.read, pasted.read)),
    "talk.published.check_published": (
        _refusing(lambda data: published.check_published(Published.decode(data)), BadRecord), _published,
        (published.check_published,),
    ),
    "talk.proof.check_proof": (
        _refusing(lambda data: proof.check_proof(Proof.decode(data)), BadRecord), _proofs, (proof.check_proof,)
    ),
}  # fmt: skip
"""Parser, valid inputs, and the functions whose lines those reach, by name."""
