"""A 200 MB file whose sender or receiver is killed (SIGKILL) at a random moment, then resumed: what it costs.

Two wallet processes speak through a relay of ours, which counts every datagram of both directions; so does the run that
nobody interrupts, which stands first, and beside which the others are set. The size class is whatever both find.
"""

from __future__ import annotations

import hashlib
import os
import random
import selectors
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from rhotwist.cli.client import Client
from rhotwist.control import values, verbs
from rhotwist.control.places import Places
from rhotwist.keys.words import to_words

RUNS = int(os.environ.get("RHO_RUNS", "30"))
SIZE = int(os.environ.get("RHO_SIZE", "200000000"))
PASSPHRASE = "a passphrase"
PATIENCE = 180.0
#: A dead process is found out sooner than in 30 s, so that a run takes seconds and not a minute.
ENVIRON = {"RHO_WALLET_KDF": "interactive", "RHO_LIMITS_SESSION_DEAD": "3", "RHO_LIMITS_FILE_HOLD": "5"}


class Relay(threading.Thread):
    """Passes datagrams between any number of clients and one server, and counts their bytes."""

    def __init__(self, server: tuple[str, int]) -> None:
        super().__init__(daemon=True)
        self.server = server
        self.count = 0
        self.front = self._open()
        self.port = self.front.getsockname()[1]
        self._selector = selectors.DefaultSelector()
        self._selector.register(self.front, selectors.EVENT_READ, None)
        self._backs: dict[tuple[str, int], socket.socket] = {}
        self.start()

    def _open(self) -> socket.socket:
        made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        for option in (socket.SO_RCVBUF, socket.SO_SNDBUF):
            made.setsockopt(socket.SOL_SOCKET, option, 8 << 20)
        made.bind(("127.0.0.1", 0))
        made.setblocking(False)
        return made

    def run(self) -> None:
        """Pass on until the process ends."""
        while True:
            for key, _ in self._selector.select():
                self._pass(key.fileobj, key.data)  # type: ignore[arg-type]

    def _pass(self, sock: socket.socket, client: tuple[str, int] | None) -> None:
        for _ in range(64):
            try:
                data, source = sock.recvfrom(65_536)
            except (BlockingIOError, ConnectionRefusedError):
                return
            self.count += len(data)
            try:
                if client is None:
                    self._back(source).sendto(data, self.server)
                else:
                    self.front.sendto(data, client)
            except OSError:
                pass  # as a net does

    def _back(self, client: tuple[str, int]) -> socket.socket:
        back = self._backs.get(client)
        if back is None:
            back = self._backs[client] = self._open()
            self._selector.register(back, selectors.EVENT_READ, client)
        return back


class Person:
    """A data folder with one wallet, and its process."""

    def __init__(self, home: Path, name: str, words: str, port: int) -> None:
        self.name, self.port, self.home = name, port, home / name
        self.client = Client(Places(self.home), "wallet", PATIENCE)
        self._start()
        self.client.ask(verbs.WALLET_ADD, values.WalletAdd(name, words, PASSPHRASE))
        self.address = self._unlock()

    def _start(self) -> None:
        command = [sys.executable, "-m", "rhotwist.service", "wallet", "--datadir", str(self.home),
                   "--listen", f"127.0.0.1:{self.port}"]  # fmt: skip
        self.process = subprocess.Popen(command, env=os.environ | ENVIRON, stdout=subprocess.DEVNULL)
        while not self.client.runs():
            time.sleep(0.02)

    def _unlock(self) -> str:
        state: values.WalletState = self.client.ask(verbs.WALLET_UNLOCK, values.WalletUnlock(self.name, PASSPHRASE))
        return state.wallet.address

    def status(self) -> values.Status:
        """What the process says of itself."""
        status: values.Status = self.client.ask(verbs.STATUS)
        return status

    def kill(self) -> None:
        """SIGKILL, and a new process with the wallet unlocked."""
        self.end(signal.SIGKILL)
        self._start()
        self._unlock()

    def end(self, sign: int = signal.SIGTERM) -> None:
        """End the process."""
        self.process.send_signal(sign)
        self.process.wait(60)

    def row(self, number: int) -> values.TransferRow:
        """How a transfer stands."""
        return self.client.ask(verbs.TRANSFERS, values.TransfersAsk((number,))).items[0]  # type: ignore[no-any-return]


def one(ann: Person, bob: Person, relay: Relay, file: Path, kill: float | None, whom: str) -> tuple[int, float, int]:
    """Send the file once; whom is killed when that share of it is acknowledged. Bytes on the wire, seconds, bytes
    resumed from."""
    into = bob.home / "in"
    into.mkdir(exist_ok=True)
    at = f"{bob.status().address}@127.0.0.1:{relay.port}"
    before, began, resumed = relay.count, time.monotonic(), 0
    row = ann.client.ask(verbs.FILE_SEND, values.FileSend(bob.address, at, str(file)))
    while not bob.client.ask(verbs.FILE_RECEIVE, values.Receive(str(into))).items:
        time.sleep(0.02)
    if kill is not None:
        while ann.row(row.number).done < kill * SIZE:
            time.sleep(0.005)
        (ann if whom == "sender" else bob).kill()
        if whom == "receiver":
            ann.client.ask(verbs.TRANSFER_PAUSE, values.TransferNumbers((row.number,)))
        stands = ann.row(row.number)
        resumed = stands.done
        if stands.state == "paused":
            ann.client.ask(verbs.TRANSFER_RESUME, values.TransferNumbers((row.number,)))
    until = time.monotonic() + PATIENCE
    while (stands := ann.row(row.number)).state not in ("done", "cancelled"):
        if stands.state == "paused":
            ann.client.ask(verbs.TRANSFER_RESUME, values.TransferNumbers((row.number,)))
        if time.monotonic() > until:
            raise RuntimeError(f"not there after {PATIENCE:.0f} s: {stands}")
        time.sleep(0.05)
    found = into / file.name
    if stands.state != "done" or _hash(found) != _hash(file):
        raise RuntimeError(f"not what was sent: {stands}")
    found.unlink()
    return relay.count - before, time.monotonic() - began, resumed


def _hash(path: Path) -> bytes:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()


def run() -> Iterator[dict[str, object]]:
    """One line for each side that is killed, and one for both."""
    chance = random.Random(20261122)
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        file = home / "film.bin"
        with file.open("wb") as out:
            for at in range(0, SIZE, 1 << 20):
                out.write(os.urandom(min(1 << 20, SIZE - at)))
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        people: list[Person] = []
        try:
            people.append(Person(home, "bob", to_words(bytes(32)), port))
            people.append(Person(home, "ann", to_words(bytes(31) + b"\1"), 0))
            bob, ann = people
            relay = Relay(("127.0.0.1", port))
            whole = [one(ann, bob, relay, file, None, "") for _ in range(3)]
            bytes_whole = statistics.median(count for count, _, _ in whole)
            seconds = statistics.median(took for _, took, _ in whole)
            shares: dict[str, list[float]] = {"sender": [], "receiver": []}
            for number in range(RUNS):
                whom = ("sender", "receiver")[number % 2]
                moment = chance.uniform(0.01, 0.97)
                count, took, resumed = one(ann, bob, relay, file, moment, whom)
                shares[whom].append(count / bytes_whole)
                told = f"{whom} killed at {moment:.1%}, resumed at {resumed / SIZE:.1%}"
                told += f": {count / bytes_whole:.4f} times the bytes, {took:.1f} s"
                print(f"# {number + 1}/{RUNS} {told}", file=sys.stderr, flush=True)
            for name, found in (*shares.items(), ("either", [share for each in shares.values() for share in each])):
                yield _line(name, found, seconds)
        finally:
            for person in people:
                person.end()


def _line(name: str, found: list[float], seconds: float) -> dict[str, object]:
    return {
        "benchmark": "resume", "ours": round(statistics.median(found), 4), "unit": "times the bytes", "peer": 1.03,
        "what": f"{SIZE // 10**6} MB, {name} killed once, {len(found)} runs, all finished and equal",
        "peer_name": "the bound", "ratio": round(statistics.median(found) / 1.03, 3), "worst": round(max(found), 4),
        "whole_seconds": round(seconds, 1),
    }  # fmt: skip
