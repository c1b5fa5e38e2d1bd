"""One aioquic connection that sends a stream over simulated links, in virtual time: its core does no I/O either."""

from __future__ import annotations

import ssl
import tempfile
from functools import cache
from math import inf
from pathlib import Path

from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.connection import QuicConnection
from aioquic.quic.events import QuicEvent, StreamDataReceived

from benchmarks.sides import certificate
from rhotwist.testing.clock import Clock
from rhotwist.testing.link import Link

#: Flow control is not what is compared.
_WINDOW = 1 << 30
_ADDRESS = ("192.0.2.1", 1)
_DATAGRAM = 1_440
#: Its timers may be due a rounding error before now, again and again.
_TICK = 1e-6


@cache
def _server() -> QuicConfiguration:
    configuration = QuicConfiguration(
        is_client=False, alpn_protocols=["x"], max_datagram_size=_DATAGRAM, max_data=_WINDOW, max_stream_data=_WINDOW
    )
    with tempfile.TemporaryDirectory() as folder:
        configuration.load_cert_chain(*certificate.make(Path(folder)))
    return configuration


class QuicFlow:
    """size bytes from client to server; ended is when the last had arrived, arrived counts them."""

    def __init__(self, clock: Clock, there: Link, back: Link, size: int) -> None:
        self.clock = clock
        client = QuicConfiguration(
            is_client=True, alpn_protocols=["x"], verify_mode=ssl.CERT_NONE, max_datagram_size=_DATAGRAM,
            congestion_control_algorithm="cubic", max_data=_WINDOW, max_stream_data=_WINDOW,
        )  # fmt: skip
        self.size = size
        self.arrived = self.sent = 0
        self.ended = inf
        self._client = QuicConnection(configuration=client)
        self._client.connect(_ADDRESS, clock.now)
        self._server: QuicConnection | None = None
        self._links = {True: there, False: back}
        self._timers = {True: inf, False: inf}
        self._client.send_stream_data(0, bytes(size), end_stream=True)
        self._flush(True)

    def _end(self, ours: bool) -> QuicConnection | None:
        return self._client if ours else self._server

    def _flush(self, ours: bool) -> None:
        end, now = self._end(ours), self.clock.now
        if end is None:
            return
        for datagram, _ in end.datagrams_to_send(now):
            if ours:
                self.sent += len(datagram)
            link = self._links[ours]
            for arrival, copy in link.carry(now, datagram, link.wait())[1]:
                self.clock.at(arrival, self._arrives, (not ours, copy))
        timer = end.get_timer()
        if timer is not None and timer != self._timers[ours]:
            timer = max(timer, now + _TICK)
            self._timers[ours] = timer
            self.clock.at(timer, self._timer, (ours, timer))

    def _timer(self, which: tuple[bool, float]) -> None:
        ours, at = which
        end = self._end(ours)
        if end is not None and self._timers[ours] == at:
            self._timers[ours] = inf
            end.handle_timer(self.clock.now)
            self._events(ours, end)
            self._flush(ours)

    def _arrives(self, packet: tuple[bool, bytes]) -> None:
        ours, datagram = packet
        if not ours and self._server is None:
            first = int.from_bytes(datagram[5:6], "big")
            self._server = QuicConnection(
                configuration=_server(), original_destination_connection_id=datagram[6 : 6 + first]
            )
        end = self._end(ours)
        assert end is not None  # noqa: S101 - for the type checker
        end.receive_datagram(datagram, _ADDRESS, self.clock.now)
        self._events(ours, end)
        self._flush(ours)

    def _events(self, ours: bool, end: QuicConnection) -> None:
        while (event := end.next_event()) is not None:
            if not ours:
                self._event(event)

    def _event(self, event: QuicEvent) -> None:
        if isinstance(event, StreamDataReceived):
            self.arrived += len(event.data)
            if event.end_stream:
                self.ended = self.clock.now
