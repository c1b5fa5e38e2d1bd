"""Bulk over QUIC by aioquic: one stream. Arguments: server | client PORT bulk MEGABYTES WINDOW"""

from __future__ import annotations

import asyncio
import os
import ssl
import sys
import tempfile
from pathlib import Path
from typing import Any

from aioquic.asyncio import connect
from aioquic.asyncio.server import serve as quic_serve
from aioquic.quic.configuration import QuicConfiguration

from benchmarks.sides import certificate
from benchmarks.sides.report import Stopwatch, ready

#: Bytes that may be under way without a grant: enough never to be what limits it.
GRANT = 2**24
#: The largest UDP payload, so that both send datagrams of one size.
DATAGRAM = 1_440
STEP = 1 << 18


async def serve() -> None:
    """Count the bytes of each stream and answer with the count."""
    configuration = QuicConfiguration(
        is_client=False, alpn_protocols=["bulk"], max_datagram_size=DATAGRAM, max_data=GRANT, max_stream_data=GRANT
    )
    with tempfile.TemporaryDirectory() as folder:
        configuration.load_cert_chain(*certificate.make(Path(folder)))

    def stream(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async def take() -> None:
            size = 0
            while data := await reader.read(STEP):
                size += len(data)
            writer.write(size.to_bytes(8, "big"))
            writer.write_eof()

        tasks.add(task := asyncio.ensure_future(take()))
        task.add_done_callback(tasks.discard)

    tasks: set[Any] = set()
    server = await quic_serve("127.0.0.1", 0, configuration=configuration, stream_handler=stream)
    port = server._transport.get_extra_info("sockname")[1]
    loop, ended = asyncio.get_running_loop(), asyncio.Event()
    ready(str(port), lambda: loop.call_soon_threadsafe(ended.set))
    await ended.wait()


async def ask(port: str, what: str, megabytes: str, window: str) -> None:
    """Send, and wait for the count."""
    configuration = QuicConfiguration(
        is_client=True, alpn_protocols=["bulk"], verify_mode=ssl.CERT_NONE, max_datagram_size=DATAGRAM
    )
    async with connect("127.0.0.1", int(port), configuration=configuration) as client:
        reader, writer = await client.create_stream()
        data = os.urandom(STEP)
        left = int(megabytes) * 1_000_000
        watch = Stopwatch()
        while left > 0:
            writer.write(data[:left])
            left -= STEP
        writer.write_eof()
        if int.from_bytes(await reader.read(), "big") != int(megabytes) * 1_000_000:
            raise RuntimeError("bytes are missing")
        watch.done(int(megabytes))


if __name__ == "__main__":
    asyncio.run({"server": serve, "client": ask}[sys.argv[1]](*sys.argv[2:]))  # type: ignore[operator]
