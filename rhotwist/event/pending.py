"""Events that wait for their answer: matched by three things at once, fired at most once, timed out by one heap.

An answer fires an event only if it comes from the peer that was asked, carries the event's hashcode and names the hash
of the request. Whatever else arrives (forged, doubled, late) finds nothing and changes nothing.
"""

from __future__ import annotations

from heapq import heapify, heappop, heappush, heapreplace
from math import inf
from typing import Generic, TypeVar

from rhotwist.errors import LocalError

#: Heap entries of events that are gone, beyond as many as there are live ones, before the heap is built anew.
_SLACK = 64


class Event:
    """One fired message object; owners add what they know of it in a subclass. deadline, due and idle are seconds of
    the monotonic clock.

    deadline moves only for a big object, which has time according to its size; due is when the event times out as
    things stand: at the deadline, or idle seconds after the last progress if that comes first. peer and request_hash
    may be set anew by the owner while the event is pending, when a redirect sends the request elsewhere.
    """

    __slots__ = ("deadline", "due", "hashcode", "idle", "peer", "request_hash")

    def __init__(self, peer: bytes, hashcode: int, request_hash: bytes, deadline: float) -> None:
        self.peer = peer
        self.hashcode = hashcode
        self.request_hash = request_hash
        self.deadline = self.due = deadline
        self.idle = inf

    def __repr__(self) -> str:
        return f"<Event {self.hashcode:08x} to {self.peer.hex()[:8]} due {self.due:.3f}>"


E = TypeVar("E", bound=Event)


class PendingEvents(Generic[E]):
    """The events of one node that wait, by hashcode; the hashcodes come from one ``HashcodeTable`` of the caller's."""

    __slots__ = ("_heap", "_live", "_serial")

    def __init__(self) -> None:
        self._live: dict[int, E] = {}
        # (when, serial, event): when is at or before the event's due, and moved there once it comes to the top.
        self._heap: list[tuple[float, int, E]] = []
        self._serial = 0

    def __len__(self) -> int:
        return len(self._live)

    def __contains__(self, event: E) -> bool:
        return self._live.get(event.hashcode) is event

    def add(self, event: E) -> E:
        """Have an event wait, and return it. It times out at its deadline, or never if that is ``math.inf``.

        Raises LocalError if its hashcode is 0, which asks for no answer, or pending already.
        """
        hashcode = event.hashcode
        if not hashcode or hashcode in self._live:
            raise LocalError(f"hashcode {hashcode:08x} is {'pending already' if hashcode else 'for no answer'}")
        self._live[hashcode] = event
        self._push(event)
        return event

    def match(self, peer: bytes, hashcode: int, request_hash: bytes) -> E | None:
        """The event that this answer fires, no longer pending; None if it fires none. The first answer wins."""
        event = self._live.get(hashcode)
        if event is None or event.peer != peer or event.request_hash != request_hash:
            return None
        del self._live[hashcode]
        return event

    def find(self, peer: bytes, hashcode: int) -> E | None:
        """The event with that hashcode that this peer was asked; it stays pending."""
        event = self._live.get(hashcode)
        return event if event is not None and event.peer == peer else None

    def cancel(self, event: E) -> bool:
        """Withdraw an event. False if it was not pending any more: it has fired, timed out or been cancelled."""
        if self._live.get(event.hashcode) is not event:
            return False
        del self._live[event.hashcode]
        return True

    def limit_idle(self, event: E, idle: float, mono: float) -> None:
        """Time a pending event out also when idle seconds pass without progress, counted from mono."""
        event.idle = idle
        was, event.due = event.due, min(event.deadline, mono + idle)
        if event.due < was and event in self:
            self._push(event)

    def progress(self, event: E, mono: float) -> None:
        """Something came of the event at mono: its idle time starts again. Never beyond the deadline."""
        due = min(event.deadline, mono + event.idle)
        if due > event.due:
            event.due = due

    def deadline(self) -> float | None:
        """When ``expire`` has something to do next, None for never."""
        self._settle()
        when = self._heap[0][0] if self._heap else inf
        return None if when == inf else when

    def expire(self, mono: float) -> list[E]:
        """The events that time out by mono, no longer pending, in order of their time."""
        expired = []
        self._settle()
        while self._heap and self._heap[0][0] <= mono:
            event = heappop(self._heap)[2]
            del self._live[event.hashcode]
            expired.append(event)
            self._settle()
        return expired

    def _push(self, event: E) -> None:
        heap = self._heap
        self._serial += 1
        if len(heap) > 2 * len(self._live) + _SLACK:
            # Serials only order equal times, and those given so far are all higher than these.
            heap[:] = [(live.due, serial, live) for serial, live in enumerate(self._live.values())]
            heapify(heap)
        else:
            heappush(heap, (event.due, self._serial, event))

    def _settle(self) -> None:
        """Bring a pending event with its true time to the top of the heap, or empty the heap."""
        heap, live = self._heap, self._live
        while heap:
            when, serial, event = heap[0]
            if live.get(event.hashcode) is not event:
                heappop(heap)
            elif event.due > when:
                heapreplace(heap, (event.due, serial, event))
            else:
                return
