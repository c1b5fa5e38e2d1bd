"""Checking what others prove or publish of a conversation, with nothing but what they gave."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import attrs

from rhotwist.cli.talk_lines import wallet
from rhotwist.control import trouble
from rhotwist.control.text import visible
from rhotwist.errors import BadArmour, BadPacket
from rhotwist.moment import EPOCH_2020
from rhotwist.talk import pasted, published
from rhotwist.talk.messages import Proof, Published
from rhotwist.talk.proof import Proven, check_proof
from rhotwist.talk.published import FILE_MOST, MAGIC
from rhotwist.talk.record import BadRecord, author_of, record_hash

__all__ = ["FILE_MOST", "Checked", "check", "read_file"]


@attrs.frozen
class Checked:
    """One thing that held: as plain data, in lines for people, and every root that it shows."""

    plain: dict[str, Any]
    lines: tuple[str, ...]
    roots: tuple[str, ...]


def read_file(path: Path) -> bytes:
    """What lies at path. Raises OperatorError."""
    try:
        with path.open("rb") as file:
            return file.read(FILE_MOST)
    except OSError as error:
        raise trouble.TALK_FILE(path=path, why=error.strerror) from None


def check(path: str, data: bytes, root: str = "") -> list[Checked]:
    """Everything in a file or a text. Raises OperatorError unless all holds; root (hex) must be among its roots."""
    try:
        if data.startswith(MAGIC):
            found = [_published(published.read(data))]
        else:
            found = [_one(kind, value) for kind, value in pasted.read(data.decode("utf-8", "replace"))]
    except BadPacket as error:
        raise trouble.TALK_WRONG(path=path, why=f"its bytes are none of a proof or a conversation ({error.reason})") \
            from None
    except (BadRecord, BadArmour) as error:
        raise trouble.TALK_WRONG(path=path, why=error) from None
    roots = [shown for one in found for shown in one.roots]
    if root and root not in roots:
        raise trouble.ROOT_OTHER(path=path, found=", ".join(roots))
    return found


def _one(kind: int, value: bytes) -> Checked:
    if kind == pasted.PUBLISHED:
        return _published(Published.decode(value))
    if kind == pasted.PROOF:
        return _proof(check_proof(Proof.decode(value)))
    raise BadPacket("kind")


def _published(given: Published) -> Checked:
    shown = published.check_published(given)
    lower, higher = map(wallet, shown.pair.keys)
    root, forks = shown.talk.root.hex(), len(shown.talk.forks)
    sizes = "{}+{}".format(*shown.talk.sizes)
    odd = sum(shown.talk.agrees(entry) is False for entry in shown.talk.order())
    plain = {
        "kind": "conversation", "lower": lower, "higher": higher, "pair": shown.pair.hash.hex(),
        "records": list(shown.talk.sizes), "root": root, "forks": forks, "seen_otherwise": odd,
    }  # fmt: skip
    lines = [
        f"a conversation, {sizes} records, each signed by its author under one pair hash",
        f"  lower   {lower}", f"  higher  {higher}", f"  root    {root}",
    ]  # fmt: skip
    if forks:
        lines.append(f"  ! at {forks} places its author signed two records: he says two things")
    if odd:
        lines.append(f"  ! {odd} records say to have seen something else of the other's")
    return Checked(plain, tuple(lines), (root,))


def _proof(shown: Proven) -> Checked:
    lower, higher = map(wallet, shown.pair.keys)
    root, before_root = shown.root.hex(), shown.before_root.hex()
    when = time.strftime("%Y-%m-%d %H:%M", time.localtime(shown.date + EPOCH_2020))
    witness = wallet(shown.witness)
    plain: dict[str, Any] = {
        "kind": "proof", "lower": lower, "higher": higher, "pair": shown.pair.hash.hex(), "records": list(shown.sizes),
        "root": root, "witness": witness, "said_at": shown.date + EPOCH_2020, "record": None, "before": None,
    }  # fmt: skip
    lines = [
        "a proof, {}+{} records".format(*shown.sizes),
        f"  lower   {lower}", f"  higher  {higher}", f"  root    {root}",
        f"  says    {witness}, on {when}",
    ]  # fmt: skip
    roots = [root]
    if shown.record is not None:
        author = wallet(author_of(shown.record, shown.pair))
        plain["record"] = {
            "author": author, "text": shown.record.text, "said_at": shown.record.date + EPOCH_2020,
            "hash": record_hash(shown.record).hex(),
        }  # fmt: skip
        text = visible(shown.record.text, lines=True).split("\n")
        lines += [f"  in it   {author} signed:", *(f"            {line}" for line in text)]
    if any(shown.before):
        plain["before"] = {"records": list(shown.before), "root": before_root}
        lines.append("  grew    only, since {}+{} records with root {}".format(*shown.before, before_root))
        roots.append(before_root)
    return Checked(plain, tuple(lines), tuple(roots))
