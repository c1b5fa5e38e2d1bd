"""QUIC by aioquic, the Python peer. Arguments as for ``ours``, but for the suites. No client keys, no Retry."""

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

PAYLOAD = os.urandom(64)


async def serve() -> None:
    """Echo each stream until told to stop."""
    configuration = QuicConfiguration(is_client=False, alpn_protocols=["echo"], max_datagram_size=1200)
    with tempfile.TemporaryDirectory() as folder:
        configuration.load_cert_chain(*certificate.make(Path(folder)))

    def stream(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async def echo() -> None:
            writer.write(await reader.read())
            writer.write_eof()

        tasks.add(task := asyncio.ensure_future(echo()))
        task.add_done_callback(tasks.discard)

    tasks: set[Any] = set()
    server = await quic_serve("127.0.0.1", 0, configuration=configuration, stream_handler=stream)
    port = server._transport.get_extra_info("sockname")[1]
    loop, ended = asyncio.get_running_loop(), asyncio.Event()
    ready(str(port), lambda: loop.call_soon_threadsafe(ended.set))
    await ended.wait()


async def ask(port: str, what: str, count: str, window: str) -> None:
    """Do what is measured."""
    configuration = QuicConfiguration(is_client=True, alpn_protocols=["echo"], verify_mode=ssl.CERT_NONE)
    left = int(count)

    async def handshakes() -> None:
        nonlocal left
        while left > 0:
            left -= 1
            async with connect("127.0.0.1", int(port), configuration=configuration):
                pass

    async with connect("127.0.0.1", int(port), configuration=configuration) as client:

        async def requests() -> None:
            nonlocal left
            while left > 0:
                left -= 1
                reader, writer = await client.create_stream()
                writer.write(PAYLOAD)
                writer.write_eof()
                await reader.read()

        work = handshakes if what == "handshakes" else requests
        watch = Stopwatch()
        await asyncio.gather(*(work() for _ in range(int(window))))
        watch.done(int(count))


if __name__ == "__main__":
    asyncio.run({"server": serve, "client": ask}[sys.argv[1]](*sys.argv[2:]))  # type: ignore[operator]
