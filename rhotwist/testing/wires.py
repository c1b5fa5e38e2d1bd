"""Connections in virtual time: what is sent arrives whole and in order, cut anywhere, or the connection breaks.

A path of kind stream leads to the machine that is seen at its 18 bytes, over a connection that is made when the first
bytes go and made anew when it was lost. The machine called sees random bytes as the caller's address. What a bad link
does to datagrams, TCP turns into delay: a lost or damaged segment comes a moment later, and all behind it with it. A
partition, a crash or a rebinding breaks the connections it lies on.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from rhotwist.errors import Closed, KeySpent, TableFull
from rhotwist.node.streams import Stream
from rhotwist.testing.trace import EVERYBODY, NOBODY, SENT
from rhotwist.wire.datagram import ADDRESS, Burst, Path

if TYPE_CHECKING:
    from rhotwist.testing.host import Host
    from rhotwist.testing.network import Network

#: Seconds that a lost segment is late: what TCP waits before it sends one again, at least.
AGAIN = 0.2
#: Bytes that are on their way at once, where no slow link holds fewer; those pulled at a time; the most that one read
#: brings.
WINDOW, _PULL, _READ = 262_144, 65_536, 16_384


class End:
    """One end of a connection: whose, under which path, and what is on its way to it."""

    def __init__(self, host: Host, path: Path, stream: Stream) -> None:
        self.host = host
        self.life = host.life
        self.address = host.address
        self.path = path
        self.stream = stream
        self.other: End | None = None
        self.coming: deque[tuple[float, bytes]] = deque()
        self.flying = 0
        self.last = 0.0
        #: The host reads nothing from it until this is set back: its peer's bytes wait on the way.
        self.deaf = False

    @property
    def stands(self) -> bool:
        """Nothing has happened to the machine or its address since."""
        host = self.host
        return self.other is not None and host.up and host.life == self.life and host.address == self.address


def _stands(end: End | None) -> bool:
    return end is not None and end.stands


class Wires:
    """The connections of one network."""

    def __init__(self, network: Network) -> None:
        self._network = network
        self._chance = network.chance("wires")
        self._ends: dict[tuple[int, Path], End] = {}
        #: Connections made so far.
        self.made = 0

    def __len__(self) -> int:
        """Connections that stand, by their ends."""
        return len(self._ends)

    def carry(self, source: Host, burst: Burst) -> None:
        """Send datagrams over the connection of their path; one is made if there is none and the path is to a machine.

        Lost are those for which there is none.
        """
        network, path = self._network, burst.path
        end = self._end(source, path) or self._connect(source, path)
        if end is None or end.other is None:
            network.lose(NOBODY, (source.index, EVERYBODY), burst.datagrams)
            return
        target = end.other.host
        datagrams = burst.datagrams
        if network.on_path is not None:
            datagrams = [piece for datagram in datagrams for piece in network.on_path(source, target, datagram)]
        for datagram in datagrams:
            network.sent_datagrams += 1
            network.sent_bytes += len(datagram)
            network.trace.packet(
                network.clock.now, SENT, (source.index, target.index), datagram[0] if datagram else 0, len(datagram)
            )
        end.stream.say(datagrams, source.moment().mono)
        self.flush(source, path)

    def flush(self, source: Host, path: Path) -> None:
        """Put on its way all that waits for a connection, unless its peer is deaf."""
        end = self._end(source, path)
        if end is None or end.other is None:
            return
        try:
            faults = self._network.link(source, end.other.host).faults
            window = min(WINDOW, faults.queue) if faults.rate else WINDOW
            while not end.other.deaf and end.other.flying < window:
                data = b"".join(end.stream.pull(_PULL, source.moment().mono))
                if not data:
                    break
                self._send(end.other, data)
        except KeySpent:
            self.cut(source, path)

    def _end(self, source: Host, path: Path) -> End | None:
        """A host's end of a standing connection that may be used."""
        end = self._ends.get((source.index, path))
        if end is None:
            return None
        stands = end.other is not None and end.stands and end.other.stands
        stale = end.stream.ours and not end.stream.reusable(source.moment().mono)
        if not stands or stale or end.other is None or self._network.link(source, end.other.host).closed:
            self._break(end)
            return None
        return end

    def _connect(self, source: Host, path: Path) -> End | None:
        network = self._network
        target = network.host_at(path.address)
        if target is None or not target.up or network.link(source, target).closed:
            return None
        try:
            near = End(source, path, source.node.attach(path, source.moment(), ours=True))
            back = Path(0, self._chance.randbytes(ADDRESS), True)
            far = End(target, back, target.node.attach(back, target.moment(), ours=False))
        except (TableFull, Closed):
            self.cut(source, path)
            return None
        near.other, far.other = far, near
        self._ends[source.index, path], self._ends[target.index, back] = near, far
        self.made += 1
        target.act()
        return near

    def _send(self, end: End, data: bytes) -> None:
        network, at = self._network, 0
        if end.other is None:
            return
        end.flying += len(data)
        link = network.link(end.other.host, end.host)
        while at < len(data):
            size = self._chance.randint(1, _READ)
            late = 0.0
            while link.draw_loss():
                late += AGAIN
            chunk = data[at : at + size]
            end.last = max(end.last, link.through(network.clock.now, len(chunk)) + link.wait() + late)
            end.coming.append((end.last, chunk))
            network.clock.at(end.last, self._arrive, end)
            at += size

    def _arrive(self, end: End) -> None:
        clock = self._network.clock
        if end.other is None:
            return
        if not end.stands or self._network.link(end.other.host, end.host).closed:
            if not end.other.coming:  # else it hears first what was said before the end
                self._break(end)
            return
        if end.host.paused:
            clock.later(0.01, self._arrive, end)
            return
        while end.coming and end.coming[0][0] <= clock.now and end.other is not None:
            chunk = end.coming.popleft()[1]
            end.flying -= len(chunk)
            end.host.node.feed(end.stream, chunk, end.host.moment())
            end.host.act()
            self._go_on(end.other)
        if not end.coming and not _stands(end.other):
            self._break(end)

    def _go_on(self, end: End | None) -> None:
        """There is room on the way from this end again."""
        if end is not None and end.stream.outbound:
            self.flush(end.host, end.path)

    def cut(self, host: Host, path: Path) -> None:
        """End a connection: the host hangs up."""
        end = self._ends.get((host.index, path))
        if end is not None:
            self._break(end)

    def _break(self, end: End) -> None:
        """Both ends are gone; what was on its way is lost."""
        for side in (end, end.other):
            if side is None:
                continue
            known = self._ends.get((side.host.index, side.path))
            if known is side:
                del self._ends[side.host.index, side.path]
            side.other = None
            side.coming.clear()
            if side.host.up and side.host.life == side.life:
                side.host.node.detach(side.stream, side.host.moment())
                side.host.later(0.0, lambda: None)  # it acts upon that
