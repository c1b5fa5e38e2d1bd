"""What programs say in control frames: no number, no hash, no answer; harmless twice and no loss if it is lost."""

from __future__ import annotations

from rhotwist.errors import BadPacket, LocalError
from rhotwist.link.session import Session
from rhotwist.moment import Moment
from rhotwist.node import turning
from rhotwist.node.jobs import Call
from rhotwist.node.state import State
from rhotwist.wire.datagram import Path
from rhotwist.wire.frame import Control, pack_control
from rhotwist.wire.schema import Schema


class Mentioning:
    """A node, as those see it who have many small things to say to many peers."""

    _state: State

    def heed(self, schema: type[Schema]) -> None:
        """What is mentioned with this schema becomes Call jobs, with an empty hash, from now on. Raises SchemaClash."""
        self._state.vocabulary.add(schema)
        self._state.heeded[schema.identifier] = schema

    def mention(self, peer: bytes, body: Schema, moment: Moment) -> bool:
        """Say something, in 23 bytes less than ``Node.tell`` needs. False if no session with peer is open.

        Raises LocalError for a body that does not fit one small packet.
        """
        state, encoded = self._state, body.encode()
        if len(encoded) > state.limits.body_max:
            raise LocalError(f"{body.schema_name}: {len(encoded)} bytes; at most {state.limits.body_max} are mentioned")
        session = state.pairs.get((state.key.public, peer))
        if session is None:
            return False
        state.send(session, pack_control(body.identifier, encoded))
        turning.turn(state, moment.mono)
        return True

    def fingerprint_key(self, peer: bytes) -> bytes | None:
        """The key for fingerprints that both ends of the session with peer have; None if no session is open."""
        session = self._state.pairs.get((self._state.key.public, peer))
        return None if session is None else session.seal.fingerprint_key


def mentioned(state: State, session: Session, frame: Control, path: Path) -> None:
    """A control frame that is none of the protocol's own. Raises BadPacket where nobody heeds it."""
    schema = state.heeded.get(frame.schema)
    if schema is None:
        raise BadPacket("control")
    state.jobs.append(Call(session.peer, session.peer, session.own, schema.decode(frame.body), b"", path, session))
