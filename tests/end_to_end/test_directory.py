"""The directory by the real programs: between nodes, and between folders that share nothing but a text."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from collections.abc import Callable

from tests.end_to_end.programs import PATIENCE, ProgramCase


class DirectoryCase(ProgramCase):
    """Nodes in folders of their own, on the loopback interface."""

    def start(self, name: str, *peers: str) -> tuple[subprocess.Popen[str], str]:
        """A node that is up, and its NODE@HOST:PORT."""
        words = [word for peer in peers for word in ("--peer", peer)]
        return self.node("--datadir", str(self.home / name), "--listen", "127.0.0.1:0", "--private-net", *words)

    def publish(self, name: str) -> str:
        """Have a node say where it is; its key."""
        found = json.loads(self.good(name, "publish", "--node", "--json"))
        return str(found["records"][0]["key"])

    def until(self, claim: Callable[[], bool]) -> None:
        """Wait until it is so: two look at each other once a minute."""
        late = time.monotonic() + 3 * PATIENCE
        while not claim():
            self.assertLess(time.monotonic(), late, "it did not come to that")
            time.sleep(0.1)  # noqa: TID251 - real processes take real time

    def knows(self, name: str, *keys: str) -> bool:
        """Whether a node has these keys."""
        return all(self.rho(name, "dir", "lookup", key, "--node").returncode == 0 for key in keys)

    def root(self, name: str) -> str:
        """The root of a node."""
        return str(json.loads(self.good(name, "dir", "root", "--node", "--json"))["root"])


class NodesTests(DirectoryCase):
    """Three nodes."""

    def test_what_one_says_all_know_and_who_was_away_or_comes_last_catches_up(self) -> None:
        one, at_one = self.start("one")
        first = self.publish("one")
        _, at_two = self.start("two", at_one)
        self.until(lambda: self.knows("two", first))
        second = self.publish("two")
        self.until(lambda: self.knows("one", second))
        # The third comes last and empty, and is told of one of them only.
        self.start("three", at_two)
        self.until(lambda: self.knows("three", first, second))
        third = self.publish("three")
        self.until(lambda: self.knows("two", third) and self.knows("one", third))
        self.assertEqual(1, len({self.root(name) for name in ("one", "two", "three")}))
        peers = json.loads(self.good("two", "peers", "--node", "--json"))["peers"]
        self.assertTrue({first, third} <= {row["node"] for row in peers if row["here"]})

        self.end(one, signal.SIGKILL)
        second_again = self.publish("two")
        self.assertEqual(second, second_again)
        self.until(lambda: self.root("three") == self.root("two"))
        self.start("one", at_two)
        self.until(lambda: self.root("one") == self.root("two"))
        done = self.rho("one", "dir", "sync", "--node", "--at", at_two)
        self.assertEqual(0, done.returncode, done.stderr)
        self.assertIn("equal", done.stdout)


class TextTests(DirectoryCase):
    """Two data folders that share nothing but a text file."""

    def test_a_wallet_is_found_and_spoken_to_by_its_bundle_alone(self) -> None:
        self.person("ann")
        self.person("bob")
        text = self.home / "bob.txt"
        bundle = self.good("bob", "publish", "bob")
        text.write_text("Hi Ann, this is me:\n" + "".join(f"> {line}\n" for line in bundle.splitlines()) + "Bob\n")
        bob = self.good("bob", "address").strip()
        missing = self.rho("ann", "send", bob, "-m", "hi")
        self.assertEqual(1, missing.returncode)
        self.assertIn("RHO-2601", missing.stderr)
        self.assertIn("2 new", self.good("ann", "bundle", "import", str(text)))
        self.assertIn("key proven", self.good("ann", "ping", bob))
        self.assertIn(f"kept by {bob}", self.good("ann", "send", bob, "-m", "hi"))
        [item] = json.loads(self.good("bob", "inbox", "--json"))["items"]
        self.assertEqual("hi", item["text"])

    def test_two_nodes_agree_by_pastes(self) -> None:
        for name in ("one", "two"):
            self.start(name)
            self.publish(name)
        hello = self.good("one", "bundle", "hello", "--node")
        answer = self.home / "answer"
        (self.home / "hello").write_text(hello)
        merged = json.loads(self.good("two", "bundle", "import", "--node", "--json", str(self.home / "hello")))
        answer.write_text(merged["answer"])
        back = json.loads(self.good("one", "bundle", "import", "--node", "--json", str(answer)))
        self.assertEqual(1, back["new"])
        answer.write_text(back["answer"])
        self.good("two", "bundle", "import", "--node", str(answer))
        self.assertEqual(self.root("one"), self.root("two"))
