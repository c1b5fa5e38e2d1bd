"""Big objects from one end to the other over two directions of a link, without nodes or sessions around them.

For figures and tests of senders and receivers alone: what a session would carry as small packets (offers, acks, beats)
goes over the same links, at the size it would have there, and is lost there.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from math import inf
from random import Random

from rhotwist.limits import Limits
from rhotwist.link.congestion import Controller
from rhotwist.link.messages import Ack, Offer
from rhotwist.link.object_in import ObjectIn
from rhotwist.link.object_out import ObjectOut
from rhotwist.secret.object_seal import ObjectSeal
from rhotwist.secret.suite import AES
from rhotwist.testing.clock import Clock
from rhotwist.testing.link import Link

#: A small packet beyond what it says: header 12, frame 5 or so, tag 16.
SMALL = 33


class Transfer:
    """Objects of these sizes, one after the other, ``abreast`` at a time, from one end to the other.

    arrived counts bytes of pieces as they come in, whole_at is when the last object so far had come whole, ended when
    the sender knew that of all (infinity while it does not). failures is what senders gave up for, small the bytes of
    small packets, both ways.
    """

    def __init__(
        self, clock: Clock, there: Link, back: Link, sizes: list[int], *, random: Random, limits: Limits | None = None,
        control: Controller | None = None, size_class: int | None = None, abreast: int = 2, suite: int = AES,
    ) -> None:  # fmt: skip
        self.clock, self.there, self.back = clock, there, back
        self.limits = limits or Limits()
        self.control = control or Controller(self.limits, clock.now)
        self.random = random
        self.suite = suite
        self.size_class = size_class
        self.abreast = abreast
        self.sizes = list(reversed(sizes))
        self.senders: dict[int, ObjectOut] = {}
        self.receivers: dict[int, ObjectIn] = {}
        self.sent = self.small = self.arrived = self.acks = self.packets = self.halvings = 0
        self.whole_at = self.ended = inf
        self.failures: list[str] = []
        self.wrong = 0
        self._flight = self.limits.object_flight  # and all of an object once one was taken, as nodes do
        self.progress: list[float] = []
        self.on_sent: Callable[[bytes], object] | None = None
        self._data: dict[int, bytes] = {}
        self._offers: dict[int, Offer] = {}
        self._next = 1
        self._at = inf
        self._ack_at: dict[int, float] = {}
        while len(self.senders) < abreast and self.sizes:
            self._begin()
        self._pump()

    # --- the sending end

    def _begin(self) -> None:
        now, number = self.clock.now, self._next
        self._next += 1
        data = self.random.randbytes(self.sizes.pop())
        key = self.random.randbytes(32)
        size_class = self.control.sizes.best if self.size_class is None else self.size_class
        sender = ObjectOut(
            data, ObjectSeal(key, self.suite, 9, number), self.control, limits=self.limits, mono=now,
            rng=self.random.randbytes, size_class=size_class, flight=None if self.control.may_lose else self._flight,
        )  # fmt: skip
        self.senders[number] = sender
        self._data[number] = data
        self._offers[number] = Offer(
            id=number, key=key, named=hashlib.sha256(b"\0" + data).digest(), size=len(data), size_class=size_class,
            hashcode=1, kind=0,
        )  # fmt: skip
        self._offer(number)

    def _offer(self, number: int) -> None:
        offer = self._offers.get(number)
        if offer is None or number not in self.senders:
            return
        self._say(self.there, len(offer.encode()), self._offered, offer)
        self.clock.later(self._patience, self._offer, number)

    @property
    def _patience(self) -> float:
        """After how long a small packet is repeated, as ``link.small`` has it."""
        control, limits = self.control, self.limits
        if not control.round_trip:
            return limits.repeat_first
        return min(max(control.round_trip + 4 * control.variation, limits.repeat_least), limits.repeat_most)

    def _pump(self, _: object = None) -> None:
        """Let every sender send what it may, the oldest first."""
        now = self.clock.now
        for number, sender in self.senders.items():
            while run := sender.burst(now):
                for datagram in run:
                    self._send(number, datagram)
        for number, sender in list(self.senders.items()):
            if sender.beat_due(now):
                self._say(self.there, 8, self._beat, number)
            if sender.failed:
                self.failures.append(sender.failed)
                self._over(number)
        due = min((sender.deadline() or inf for sender in self.senders.values()), default=inf)
        if due < inf:
            self._at = max(due, now)
            self.clock.at(self._at, self._tick, self._at)

    def _tick(self, at: float) -> None:
        if at == self._at:
            self._at = inf
            self._pump()

    def _send(self, number: int, datagram: bytes) -> None:
        self.sent += len(datagram)
        self.packets += 1
        if self.on_sent is not None:
            self.on_sent(datagram)
        _, copies = self.there.carry(self.clock.now, datagram, self.there.wait())
        for arrival, copy in copies:
            self.clock.at(arrival, self._arrives, (number, copy))

    def _acked(self, ack: Ack) -> None:
        sender = self.senders.get(ack.id)
        if sender is None:
            return
        before = sender.delivered
        sender.acked(ack, self.clock.now)
        if sender.delivered > before:
            self.progress.append(self.clock.now)
        if sender.done:
            self._over(ack.id)
        self._pump()

    def _over(self, number: int) -> None:
        sender = self.senders.pop(number)
        sender.close()
        self.halvings += sender.halved
        self._offers.pop(number)
        while self.sizes and len(self.senders) < self.abreast:
            self._begin()
        if not self.senders:
            self.ended = self.clock.now

    # --- the receiving end

    def _offered(self, offer: Offer) -> None:
        if offer.id not in self.receivers:
            self.receivers[offer.id] = ObjectIn(
                offer, ObjectSeal(offer.key, self.suite, 9, offer.id), limits=self.limits, mono=self.clock.now,
                store=bytearray, round_trip=self.control.round_trip,
            )  # fmt: skip
        self._say(self.back, 8, self._has, (offer.id, self.receivers[offer.id].have()))

    def _has(self, answer: tuple[int, bytes]) -> None:
        number, bitmap = answer
        self._flight = self.limits.object_window
        if number in self.senders:
            self.senders[number].have(bitmap, self.clock.now)
            self._pump()

    def _arrives(self, packet: tuple[int, bytes]) -> None:
        number, datagram = packet
        receiver = self.receivers.get(number)
        if receiver is None:
            return
        was = receiver.whole
        self.arrived += receiver.take([datagram], self.clock.now) * (len(datagram) - 32)
        if receiver.whole and not was:
            self.whole_at = self.clock.now
            self.wrong += bytes(receiver.hand_over()) != self._data.pop(number)
        self._answer(number)

    def _answer(self, number: int) -> None:
        receiver, now = self.receivers[number], self.clock.now
        if receiver.expired(now):
            return
        while (ack := receiver.ack(now)) is not None:
            self._reply(ack)
        due = receiver.deadline()
        set_for = self._ack_at.get(number, inf)
        if due < set_for or set_for <= now:
            self._ack_at[number] = due
            if due < inf:
                self.clock.at(due, self._answer, number)

    def _beat(self, number: int) -> None:
        receiver = self.receivers.get(number)
        if receiver is not None:
            self._reply(receiver.state(self.clock.now))

    def _reply(self, ack: Ack) -> None:
        self.acks += 1
        self._say(self.back, len(ack.encode()), self._acked, ack)

    def _say(self, link: Link, size: int, heard: Callable[..., object], what: object) -> None:
        self.small += size + SMALL
        _, copies = link.carry(self.clock.now, bytes(size + SMALL), link.wait())
        for arrival, _ in copies:
            self.clock.at(arrival, heard, what)
