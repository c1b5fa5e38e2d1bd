"""A socket, a reactor and a core that do what a test says and remember what was done."""

from __future__ import annotations

import errno
import os
import struct
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from twisted.internet.task import Clock

from rhotwist.event.pending import Event
from rhotwist.moment import Moment
from rhotwist.wire.datagram import Burst, Path, Train

FROM = ("192.0.2.1", 4000)
FROM6 = ("2001:db8::1", 4000, 0, 0)


def error(code: int) -> OSError:
    """The OSError of an errno."""
    return OSError(code, os.strerror(code))


class FakeSocket:
    """A UDP socket. ``arrivals`` holds (data, segment, sender) or OSErrors, or is a function that gives one for ever;
    ``refuse`` maps "sendto" or "sendmsg" to the errors of the next calls."""

    def __init__(
        self, host: str = "0.0.0.0", port: int = 7460, *, segments: bool = True, coalesces: bool = True
    ) -> None:
        self.name = (host, port)
        self.arrivals: deque[Any] = deque()
        self.endless: Callable[[], Any] | None = None
        self.refuse: dict[str, deque[OSError | None]] = {"sendto": deque(), "sendmsg": deque()}
        self.sent: list[tuple[bytes, Any]] = []
        self.runs: list[tuple[bytes, int]] = []
        self.reads = 0
        self.open = True
        self.options: list[int] = []
        #: What SO_MEMINFO tells of: bytes held, bytes it may hold, datagrams dropped.
        self.crowd = (0, 1000, 0)
        self._segments, self._coalesces = segments, coalesces

    def getsockname(self) -> tuple[str, int]:
        return self.name

    def fileno(self) -> int:
        return 7 if self.open else -1

    def setsockopt(self, level: int, name: int, value: int) -> None:
        if not self._coalesces:
            raise error(errno.ENOPROTOOPT)
        self.options.append(name)

    def getsockopt(self, level: int, name: int, size: int = 0) -> Any:
        if size:
            if not self._coalesces:
                raise error(errno.ENOPROTOOPT)
            held, room, dropped = self.crowd
            return struct.pack("=9I", held, room, 0, 0, 0, 0, 0, 0, dropped)
        if not self._segments:
            raise error(errno.ENOPROTOOPT)
        return 0

    def _arrival(self) -> tuple[bytes, int, Any]:
        if not self.open:
            raise error(errno.EBADF)
        self.reads += 1
        if self.endless is not None:
            arrival = self.endless()
        elif self.arrivals:
            arrival = self.arrivals.popleft()
        else:
            raise BlockingIOError(errno.EAGAIN, "")
        if isinstance(arrival, OSError):
            raise arrival
        return arrival  # type: ignore[no-any-return]

    def recvmsg_into(self, buffers: Sequence[bytearray], ancillary: int) -> tuple[int, list[Any], int, Any]:
        data, segment, sender = self._arrival()
        buffers[0][: len(data)] = data
        return len(data), [(17, 104, struct.pack("i", segment))] if segment else [], 0, sender

    def recvfrom_into(self, buffer: bytearray) -> tuple[int, Any]:
        data, _, sender = self._arrival()
        buffer[: len(data)] = data
        return len(data), sender

    def _refuse(self, call: str) -> None:
        if self.refuse[call]:
            wrong = self.refuse[call].popleft()
            if wrong is not None:
                raise wrong

    def sendto(self, data: bytes, sockaddr: Any) -> int:
        self._refuse("sendto")
        self.sent.append((data, sockaddr))
        return len(data)

    def sendmsg(self, buffers: Sequence[bytes], ancillary: Sequence[Any], flags: int, sockaddr: Any) -> int:
        self._refuse("sendmsg")
        data = b"".join(buffers)
        (segment,) = struct.unpack("H", ancillary[0][2])
        self.runs.append((data, segment))
        self.sent.extend((data[at : at + segment], sockaddr) for at in range(0, len(data), segment))
        return len(data)

    def close(self) -> None:
        self.open = False


class FakeReactor(Clock):
    """A clock with readers and writers. Its seconds are whatever the test makes of them."""

    def __init__(self) -> None:
        super().__init__()
        self.readers: list[Any] = []
        self.writers: list[Any] = []
        self.from_threads: list[Callable[[], object]] = []

    def addReader(self, reader: Any) -> None:
        if reader not in self.readers:
            self.readers.append(reader)

    def removeReader(self, reader: Any) -> None:
        if reader in self.readers:
            self.readers.remove(reader)

    def addWriter(self, writer: Any) -> None:
        if writer not in self.writers:
            self.writers.append(writer)

    def removeWriter(self, writer: Any) -> None:
        if writer in self.writers:
            self.writers.remove(writer)

    def callFromThread(self, function: Callable[[], object]) -> None:
        self.from_threads.append(function)


class Time:
    """Both clocks, set by hand."""

    def __init__(self, mono: float = 100.0, wall: float = 1.7e9) -> None:
        self.mono, self.wall = mono, wall

    def now(self) -> Moment:
        return Moment(self.mono, self.wall)

    def pass_(self, seconds: float) -> None:
        self.mono += seconds
        self.wall += seconds


class FakeCore:
    """A core that does what a test says: put jobs and bursts in, look at what came."""

    public = bytes(32)

    def __init__(self) -> None:
        self.received: list[tuple[Path, list[bytes]]] = []
        self.todo: list[Any] = []
        self.bursts: list[Burst] = []
        self.due: float | None = None
        self.ticks: list[Moment] = []
        self.answers: list[tuple[Any, Any]] = []
        self.cancelled: list[Event] = []
        self.closed = False
        self.emptied = 0
        self.wrong: Exception | None = None
        self.on_tick: Callable[[], None] = lambda: None

    def receive(self, path: Path, datagrams: Sequence[bytes], moment: Moment) -> None:
        if self.wrong is not None:
            raise self.wrong
        self.received.append((path, list(datagrams)))

    def tick(self, moment: Moment) -> None:
        self.ticks.append(moment)
        self.on_tick()

    def deadline(self) -> float | None:
        return self.due

    def outgoing(self) -> list[Burst]:
        self.emptied += 1
        bursts, self.bursts = self.bursts, []
        return bursts

    def jobs(self) -> list[Any]:
        todo, self.todo = self.todo, []
        return todo

    def answer(self, call: Any, reply: Any, moment: Moment) -> None:
        if self.wrong is not None and not isinstance(reply, Exception):
            raise self.wrong
        self.answers.append((call, reply))

    def cancel(self, event: Event, moment: Moment) -> None:
        self.cancelled.append(event)

    def close(self, moment: Moment) -> None:
        self.closed = True


class Sink:
    """A receiver that remembers."""

    def __init__(self) -> None:
        self.received: list[tuple[Path, list[bytes]]] = []
        self.trains = 0
        self.settled = 0
        self.on_receive: Callable[[], None] = lambda: None

    def receive(self, path: Path, datagrams: Sequence[bytes]) -> None:
        self.received.append((path, list(datagrams)))
        self.trains += type(datagrams) is Train
        self.on_receive()

    def settle(self) -> None:
        self.settled += 1
