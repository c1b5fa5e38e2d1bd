"""Live sessions by hashcode, and who goes when there is no room: nobody who was heard from in the last 20 minutes.

A look-up is one dict look-up. The order of idleness is an ordered dict that a packet moves its session to the end of,
at most once a second; so the idlest stands first, give or take that second, and finding it costs the same with ten
sessions and with 100,000.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Any, Generic, TypeVar

from rhotwist.codes.hashcodes import HashcodeTable
from rhotwist.errors import LocalError, TableFull

T = TypeVar("T")

#: Seconds within which two packets of a session count as one for the order of idleness.
GRAIN = 1.0


class SessionTable(Generic[T]):
    """At most ``most`` sessions under codes of a shared ``HashcodeTable``, each kept at least ``keep`` seconds.

    Codes are allocated there, by whoever begins the handshake; this table says which of them are sessions, and frees a
    session's code at its end. ``get`` is for those alone; half-open handshakes share the codes and stand elsewhere.
    """

    __slots__ = ("_codes", "_idle", "_keep", "_most", "sessions")

    def __init__(self, codes: HashcodeTable[Any], most: int, keep: float) -> None:
        self._codes = codes
        self._most = most
        self._keep = keep
        self._idle: OrderedDict[int, float] = OrderedDict()
        #: For the packet path: theirs to read, ours to write.
        self.sessions: dict[int, T] = {}

    def __len__(self) -> int:
        return len(self.sessions)

    def get(self, code: int) -> T | None:
        """The session of a code, None for any other."""
        return self.sessions.get(code)

    def room(self, mono: float) -> bool:
        """Whether a newcomer would be let in: ask before doing curve work for one."""
        return len(self.sessions) < self._most or self._idlest(mono) is not None

    def add(self, code: int, session: T, mono: float, *, ours: bool = False) -> T | None:
        """Let a session in under a code that is allocated. Returns the one that had to go for it, if any.

        Raises TableFull when it is the newcomer that has to go. The code is then still allocated, and the caller's. One
        that is ours, opened by ourselves, comes in beyond ``most``: else strangers who fill the table cut us off.
        """
        if code not in self._codes.live:
            raise LocalError(f"hashcode {code:08x} is not allocated")
        if code in self.sessions:
            raise LocalError(f"hashcode {code:08x} is a session already")
        gone = None
        if len(self.sessions) >= self._most:
            idlest = self._idlest(mono)
            if idlest is not None:
                gone = self.remove(idlest, mono)
            elif not ours:
                raise TableFull(f"{len(self.sessions)} sessions; the limit is {self._most} and none is idle")
        self.sessions[code] = session
        self._idle[code] = mono
        return gone

    def touch(self, code: int, mono: float) -> None:
        """An authenticated packet of this session has come or gone."""
        last = self._idle.get(code)
        if last is not None and mono - last >= GRAIN:
            self._idle[code] = mono
            self._idle.move_to_end(code)

    def remove(self, code: int, mono: float) -> T:
        """End a session; its code goes into quarantine. Raises LocalError if there is none."""
        try:
            session = self.sessions.pop(code)
        except KeyError:
            raise LocalError(f"hashcode {code:08x} is no session") from None
        del self._idle[code]
        self._codes.free(code, mono)
        return session

    def _idlest(self, mono: float) -> int | None:
        """The code of the idlest session, if it has idled long enough to go."""
        code = next(iter(self._idle), None)
        if code is None or mono - self._idle[code] < self._keep + GRAIN:
            return None
        return code


class Reserve:
    """Bytes that all sessions together may hold for their peers."""

    __slots__ = ("most", "used")

    def __init__(self, most: int) -> None:
        self.most = most
        self.used = 0

    def take(self, size: int) -> bool:
        """Set size bytes aside; False, and nothing changes, if that is more than is left."""
        if size < 0 or self.used + size > self.most:
            return False
        self.used += size
        return True

    def give(self, size: int) -> None:
        """Bytes taken before are free again. Raises LocalError for more than were taken."""
        if not 0 <= size <= self.used:
            raise LocalError(f"{size} bytes given back of {self.used} taken")
        self.used -= size
