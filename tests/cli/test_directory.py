"""rho publish, bundle, dir, peers, and keys where places were asked for."""

from __future__ import annotations

import json
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from xml.etree import ElementTree

import attrs
from twisted.internet import reactor  # noqa: TID251 - real sockets
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from rhotwist.cli import directory_process, peers
from rhotwist.cli.directory_process import record_line
from rhotwist.cli.qr import qr_lines
from rhotwist.control import directory, picture, trouble, verbs
from rhotwist.control.text import span
from rhotwist.net.endpoint import listen
from rhotwist.wire import armour
from rhotwist.wire.armour import TEXT_MOST
from tests.cli.stage import ALICE, BOB, ENVIRON, NODE_ADDRESS, CliCase
from tests.cli.test_send import SENT

WALLET_ROW = directory.RecordRow(ALICE, "wallet", (NODE_ADDRESS,), 1_790_000_000, 1_792_592_000, "ad" * 32, "ab" * 32)
NODE_ROW = directory.RecordRow(NODE_ADDRESS, "node", (f"{NODE_ADDRESS}@192.0.2.9:7460",), 1_790_000_000, 1_792_592_000,
                               "ae" * 32, "ac" * 32, private=True)  # fmt: skip
TEXT = armour.text(armour.tokens([(1, b"one"), (1, b"two")]))
ROOT = "5d" * 32
PUBLISHED = directory.Published((WALLET_ROW, NODE_ROW), TEXT, ROOT, ("a note",))
MERGED = directory.Merged(12, 9, 2, 1, 0, 0, {}, ROOT, 12)
LEVELS = directory.TreeLevels(ROOT, 3, ((ROOT,), (ROOT, ""), ("0a" * 32, "1b" * 32, "", "")))


class DirectoryCase(CliCase):
    """Processes that keep what they read."""

    def reading(self, answer: Any) -> Callable[[Any], Any]:
        """An answer that first reads the file that is handed over, into ``read``."""
        self.read: list[tuple[str, int, bool]] = []

        def read(asked: Any) -> Any:
            path = Path(asked["path"])
            self.read.append((path.read_text(), stat.S_IMODE(path.stat().st_mode), path.parent == self.home))
            return answer

        return read


class PublishTests(DirectoryCase):
    """What is asked, and the bundle alone on stdout."""

    def test_stdout_is_the_bundle_and_the_rest_is_told_beside(self) -> None:
        asked = self.process("wallet", {verbs.PUBLISH: PUBLISHED})
        printed = self.rho("publish", "alice")
        self.assertEqual(TEXT, printed.out)
        for said in (ALICE, "until 2026-10-21", "a note", ROOT):
            self.assertIn(said, printed.err)
        self.assertEqual({"wallet": "alice", "node": False, "via": "", "addresses": [], "withdraw": False}, asked[0])
        self.assertEqual("", self.rho("publish", "alice", "--quiet").err)
        self.assertEqual(ROOT, self.rho("publish", "--json").json["root"])

    def test_the_other_process_of_the_folder_gets_it_too(self) -> None:
        self.process("wallet", {verbs.PUBLISH: PUBLISHED})
        self.process("node", {verbs.BUNDLE_IMPORT: self.reading(MERGED)})
        printed = self.rho("publish", "alice", "--via", NODE_ADDRESS, "--address", "udp:192.0.2.1:1", "--withdraw")
        self.assertEqual([(TEXT, 0o600, True)], self.read)
        self.assertIn("the node has it, too", printed.err)
        self.assertEqual([], list(self.home.glob("paste-*")))

    def test_what_the_other_process_refuses_is_told_and_fails_nothing(self) -> None:
        self.process("wallet", {verbs.PUBLISH: PUBLISHED})
        self.process("node", {verbs.BUNDLE_IMPORT: trouble.DIRECTORY_OUT(why="no room")})
        printed = self.rho("publish")
        self.assertEqual(0, printed.status)
        self.assertIn("the node did not take it: no room", printed.err)

    def test_of_a_node_the_node_is_asked(self) -> None:
        asked = self.process("node", {verbs.PUBLISH: PUBLISHED})
        self.rho("publish", "--node", "--address", "udp:192.0.2.1:1", "--address", "tcp:192.0.2.1:2")
        self.assertEqual((True, ["udp:192.0.2.1:1", "tcp:192.0.2.1:2"]), (asked[0]["node"], asked[0]["addresses"]))
        for wrong in (("alice",), ("--via", NODE_ADDRESS)):
            printed = self.rho("publish", "--node", *wrong)
            self.assertEqual((2, True), (printed.status, "--node" in printed.err))
        self.assertEqual(3, self.rho("--datadir", str(self.home / "none"), "publish", "--node").status)


class BundleTests(DirectoryCase):
    """Out and in."""

    def test_export_prints_or_writes_and_a_large_directory_goes_in_several_files(self) -> None:
        def export(asked: Any) -> Any:
            return directory.BundleText(TEXT, 2, asked["cursor"] + 2, asked["cursor"] < 4 and not asked["keys"])

        asked = self.process("wallet", {verbs.BUNDLE_EXPORT: export})
        self.assertEqual(TEXT, self.rho("bundle", "export", ALICE).out)
        self.assertEqual({"keys": [ALICE], "cursor": 0, "small": False}, asked[0])
        printed = self.rho("bundle", "export", "--all")
        self.assertEqual(("RHO-2613", 2), (printed.err.rstrip().rpartition("[")[2][:-1], printed.status))
        out = self.home / "all.rho"
        printed = self.rho("bundle", "export", "--all", "-o", str(out), "--json")
        files = [out, self.home / "all-2.rho", self.home / "all-3.rho"]
        self.assertEqual({"files": list(map(str, files)), "records": 6}, printed.json)
        self.assertEqual([TEXT] * 3, [path.read_text() for path in files])
        printed = self.rho("bundle", "export", ALICE, "-o", str(self.home / "no" / "where"))
        self.assertEqual((1, True), (printed.status, "where cannot be written" in printed.err))

    def test_keys_or_all_must_be_said_and_not_both(self) -> None:
        for arguments, said in (((), "told nothing"), ((ALICE, "--all"), "told both")):
            printed = self.rho("bundle", "export", *arguments)
            self.assertEqual((2, True), (printed.status, said in printed.err))

    def test_each_file_has_its_part_and_codes_for_all_do_not_go_into_files(self) -> None:
        asked = self.process("wallet", {verbs.BUNDLE_EXPORT: lambda asked: directory.BundleText(
            f"from {asked['cursor']}\n", 1, asked["cursor"] + 1, asked["cursor"] < 2,
        )})  # fmt: skip
        out = self.home / "all.rho"
        printed = self.rho("bundle", "export", "--all", "-o", str(out))
        files = [out, self.home / "all-2.rho", self.home / "all-3.rho"]
        self.assertEqual([f"from {number}\n" for number in range(3)], [path.read_text() for path in files])
        self.assertEqual(f"3 records in {', '.join(map(str, files))}\n", printed.out)
        self.assertEqual([0, 1, 2], [one["cursor"] for one in asked])
        printed = self.rho("bundle", "export", "--all", "--qr", "-o", str(self.home / "qr.rho"))
        self.assertIn("RHO-2613", printed.err)
        self.assertFalse((self.home / "qr.rho").exists())

    def test_qr_codes_come_one_a_part_and_are_the_tokens(self) -> None:
        asked = self.process("wallet", {verbs.BUNDLE_EXPORT: directory.BundleText(TEXT, 2)})
        printed = self.rho("bundle", "export", ALICE, "--qr")
        self.assertTrue(asked[0]["small"])
        self.assertEqual(["part 1 of 2", "part 2 of 2"], [x for x in printed.out.splitlines() if "part" in x])
        tokens = [line for line in TEXT.splitlines() if line.startswith("rho1.")]
        drawn = [line for token in tokens for line in qr_lines(token)]
        self.assertEqual(drawn, [line for line in printed.out.splitlines() if "part" not in line])

    def test_a_paste_a_file_and_what_became_of_it(self) -> None:
        self.process("wallet", {verbs.BUNDLE_IMPORT: self.reading(MERGED)})
        printed = self.rho("bundle", "import", stdin="> hi\n" + TEXT)
        self.assertEqual([("> hi\n" + TEXT, 0o600, True)], self.read)
        self.assertEqual(f"12 records: 9 new, 2 newer, 1 known, 0 refused · root {ROOT} of 12\n", printed.out)
        self.assertEqual([], list(self.home.glob("paste-*")))
        self.assertEqual("", printed.err)
        path = self.home / "a.rho"
        path.write_text(TEXT)
        self.assertEqual(9, self.rho("bundle", "import", str(path), "--json").json["new"])
        self.assertTrue(path.exists())

    def test_both_processes_take_it_unless_one_is_named(self) -> None:
        self.process("wallet", {verbs.BUNDLE_IMPORT: MERGED})
        node = self.process("node", {verbs.BUNDLE_IMPORT: MERGED})
        self.rho("bundle", "import", stdin=TEXT)
        self.assertEqual(1, len(node))
        self.rho("bundle", "import", "--node", stdin=TEXT)
        self.assertEqual(2, len(node))

    def test_where_the_node_alone_runs_it_is_asked(self) -> None:
        node = self.process("node", {verbs.BUNDLE_IMPORT: MERGED})
        self.assertEqual(0, self.rho("bundle", "import", stdin=TEXT).status)
        self.assertEqual(1, len(node))

    def test_parts_to_paste_again_are_told_and_the_status_says_so(self) -> None:
        merged = directory.Merged(3, 1, 0, 0, 1, 1, {"signature": 1}, ROOT, 1, "paste part 3 again", TEXT, "two differ")
        self.process("wallet", {verbs.BUNDLE_IMPORT: merged})
        printed = self.rho("bundle", "import", stdin=TEXT)
        self.assertEqual(6, printed.status)
        self.assertIn("1 new, 0 newer, 1 of them local (a private address or too little work: "
                      "nodes do not pass these on), 0 known, 1 wait until their time, 1 refused (1 signature)",
                      printed.out)  # fmt: skip
        self.assertTrue(printed.out.endswith(TEXT))
        for said in ("paste part 3 again", "two differ", "give this bundle back"):
            self.assertIn(said, printed.err)

    def test_fifty_megabytes_are_refused_before_any_process_hears_of_them(self) -> None:
        asked = self.process("wallet", {verbs.BUNDLE_IMPORT: MERGED, verbs.BUNDLE_SHOW: MERGED})
        path = self.home / "junk"
        with path.open("wb") as file:
            file.truncate(50_000_000)
        for arguments, stdin in ((("import", str(path)), ""), (("show", "-"), "x" * (TEXT_MOST + 1))):
            printed = self.rho("bundle", *arguments, stdin=stdin)
            self.assertEqual(1, printed.status)
            self.assertIn("RHO-2610", printed.err)
        self.assertEqual([], asked)
        self.assertIn("RHO-2611", self.rho("bundle", "show", str(self.home / "absent")).err)

    def test_a_text_as_long_as_it_may_be_is_handed_over(self) -> None:
        asked = self.process("wallet", {verbs.BUNDLE_IMPORT: MERGED})
        self.patch(directory_process, "TEXT_MOST", 20)
        path = self.home / "text"
        for size, status in ((20, 0), (21, 1)):
            path.write_text("x" * size)
            self.assertEqual([status] * 2, [self.rho("bundle", "import", str(path)).status,
                                            self.rho("bundle", "import", stdin="x" * size).status])  # fmt: skip
        self.assertEqual(2, len(asked))
        printed = self.rho("bundle", "import", str(self.home / "absent"))
        self.assertIn("No such file", printed.err)

    def test_where_neither_process_runs_one_for_wallets_is_started(self) -> None:
        def started(run: Any, patience: float) -> Any:
            raise trouble.DIRECTORY_OUT(why="it would be started")

        self.patch(directory_process, "wallet_process", started)
        self.assertIn("it would be started", self.rho("dir").err)

    def test_hello_prints_a_bundle(self) -> None:
        self.process("wallet", {verbs.BUNDLE_HELLO: directory.BundleText(TEXT, 0)})
        self.assertEqual(TEXT, self.rho("bundle", "hello").out)

    def test_show_tells_what_is_in_it(self) -> None:
        shown = directory.BundleShown((WALLET_ROW,), 4, 1, 0, 0, 1, 1, 1, 7, True, 2, "")
        self.process("wallet", {verbs.BUNDLE_SHOW: shown})
        printed = self.rho("bundle", "show", stdin=TEXT)
        self.assertEqual(6, printed.status)
        for said in (record_line(WALLET_ROW), "1 new here", "1 that nobody signed", "1 that this version cannot read",
                     "asks to be compared", "2 records are asked for"):  # fmt: skip
            self.assertIn(said, printed.out)


class DirTests(DirectoryCase):
    """Looked at."""

    def test_lookup_tells_a_wallet_and_its_node(self) -> None:
        asked = self.process("wallet", {verbs.LOOKUP: directory.Found((WALLET_ROW, NODE_ROW), NODE_ADDRESS, ())})
        printed = self.rho("dir", "lookup", ALICE)
        self.assertEqual([f"{ALICE}  wallet  is at {NODE_ADDRESS}",
                          f"{NODE_ADDRESS}  node  at {NODE_ADDRESS}@192.0.2.9:7460  (private)"],
                         printed.out.splitlines())  # fmt: skip
        self.assertEqual([{"key": ALICE}], asked)
        self.assertIn("withdrawn", record_line(directory.RecordRow(BOB, "withdrawn", (), 0, 0, "", "", False, "newer")))

    def test_alone_it_tells_the_root(self) -> None:
        self.process("node", {verbs.ROOT: directory.Root(ROOT, 3, "2026-11-29", 2524, "ab" * 8, 9, 2)})
        for arguments in (("dir",), ("dir", "root", "--node")):
            self.assertEqual(f"{ROOT}  3 records of 2026-11-29  2 wait until their time\n", self.rho(*arguments).out)
        self.assertEqual(3, self.rho("dir", "--json").json["count"])
        for options in (("--timeout", "5"), ("--timeout=5",), ("--datadir", str(self.home), "-q")):
            self.assertEqual((0, ROOT), ((printed := self.rho("dir", *options)).status, printed.out[:64]))
        self.process("wallet", {verbs.ROOT: directory.Root(ROOT, 1, "2026-11-29", 2524, "ab" * 8, 9, 0)})
        self.assertEqual(f"{ROOT}  1 record of 2026-11-29\n", self.rho("dir").out)

    def test_a_list_goes_on_where_it_says(self) -> None:
        asked = self.process("wallet", {verbs.RECORDS: directory.RecordList((NODE_ROW,), 17, True)})
        printed = self.rho("dir", "list", "--after", "3", "--limit", "1")
        self.assertEqual([{"cursor": 3, "limit": 1}], asked)
        self.assertIn("--after 17", printed.err)

    def test_a_list_is_printed_a_record_a_line_and_says_nothing_beside_at_its_end(self) -> None:
        asked = self.process("wallet", {verbs.RECORDS: directory.RecordList((WALLET_ROW, NODE_ROW), 2)})
        printed = self.rho("dir", "list")
        self.assertEqual([record_line(WALLET_ROW), record_line(NODE_ROW)], printed.out.splitlines())
        self.assertEqual(("", [{"cursor": 0, "limit": 100}]), (printed.err, asked))
        self.assertEqual(2, self.rho("dir", "list", "--limit", "1000", "--json").json["cursor"])
        for wrong in (("--limit", "0"), ("--limit", "1001"), ("--after", "-1")):
            self.assertEqual(2, self.rho("dir", "list", *wrong).status)

    def test_an_empty_list_says_what_fills_it(self) -> None:
        self.process("wallet", {verbs.RECORDS: directory.RecordList((), 0)})
        self.assertIn("rho publish", self.rho("dir", "list").err)

    def test_help_is_help_and_no_root(self) -> None:
        for word in ("-h", "--help"):
            printed = self.rho("dir", word)
            self.assertEqual(0, printed.status)
            self.assertIn("lookup", printed.out)
        for wrong in (("nonsense",), ("--nonsense",), ("--timeout",)):
            self.assertEqual(2, self.rho("dir", *wrong).status)

    def test_a_comparison_is_told_by_how_it_ended_and_so_does_the_command(self) -> None:
        ends = {
            "equal": ("equal", 0), "moved": ("changed meanwhile", 0), "other_day": ("is at another day", 6),
            "unequal": ("differs", 6), "lied": ("answered nonsense", 6),
            "broken": ("did not answer to the end", 6), "new": ("new", 6),
            "mute": ("serves nobody, as a wallet process", 6),
        }  # fmt: skip
        told: list[str] = []
        asked = self.process("wallet", {verbs.DIR_SYNC: lambda _: directory.Synced(
            tuple(directory.SyncRow(NODE_ADDRESS, ending, 7) for ending in told), ROOT, 9,
        )})  # fmt: skip
        for ending, (words, status) in ends.items():
            told[:] = [ending]
            printed = self.rho("dir", "sync", "--at", f" {NODE_ADDRESS}@192.0.2.9:1 ")
            self.assertEqual((f"{NODE_ADDRESS}  {words}  7 new\nroot {ROOT} of 9\n", status),
                             (printed.out, printed.status))  # fmt: skip
        told[:] = ["equal", "lied"]
        self.assertEqual((6, 2), ((printed := self.rho("dir", "sync", "--json")).status, len(printed.json["rows"])))
        self.assertEqual([{"at": f"{NODE_ADDRESS}@192.0.2.9:1"}] * 8 + [{"at": ""}], asked)

    def test_diff_shows_what_is_otherwise_and_leaves_out_what_is_the_same(self) -> None:
        rows = (attrs.evolve(WALLET_ROW, here="newer"), attrs.evolve(NODE_ROW, here="same"))
        self.process("wallet", {verbs.BUNDLE_SHOW: directory.BundleShown(rows, 2, 0, 1, 0, 1, 0, 0, 5)})
        lines = self.rho("dir", "diff", "-", stdin=TEXT).out.splitlines()
        self.assertEqual([f"{ALICE}  wallet  is at {NODE_ADDRESS}  newer",
                          "2 records: 0 new here, 1 newer, 0 older, 1 known", "only here: 5"], lines)  # fmt: skip

    def test_the_tree_is_drawn_without_scripts_and_equal_parts_alike(self) -> None:
        asked = self.process("wallet", {verbs.TREE: LEVELS})
        printed = self.rho("dir", "tree", "--levels", "2")
        self.assertEqual([f"root {ROOT}  3 records", "  0  0a0a0a0a 1b1b1b1b -------- --------"],
                         printed.out.splitlines())  # fmt: skip
        self.assertEqual([{"levels": 2}], asked)
        path = self.home / "tree.svg"
        self.rho("dir", "tree", "--svg", str(path))
        drawn = ElementTree.fromstring(path.read_text())
        boxes = drawn.findall("{http://www.w3.org/2000/svg}rect")
        self.assertEqual(7, len(boxes))
        self.assertEqual(boxes[0].get("fill"), boxes[1].get("fill"))
        self.assertEqual(("none", "none"), (boxes[2].get("fill"), boxes[6].get("fill")))
        self.assertNotEqual(boxes[3].get("fill"), boxes[4].get("fill"))
        self.assertEqual(["0", "256", "512", "768"], [box.get("x") for box in boxes[3:]])
        self.assertNotIn("script", picture.svg(LEVELS))
        nowhere = self.home / "no" / "where"
        printed = self.rho("dir", "tree", "--svg", str(nowhere))
        self.assertEqual(1, printed.status)
        self.assertIn(f"{nowhere} cannot be written", printed.err)
        self.assertIn("No such file", printed.err)
        printed = self.rho("dir", "tree", "--svg", str(path))
        self.assertEqual(f"{path}  root {ROOT}  3 records\n", printed.out)
        for levels in ("0", "9"):
            self.assertEqual(2, self.rho("dir", "tree", "--levels", levels).status)

    def test_peers_are_listed_with_their_worth(self) -> None:
        row = directory.PeerRow(NODE_ADDRESS, True, 2.5, 7, 1, 0, 30, 2)
        self.process("node", {verbs.PEERS: directory.PeerList((row,))})
        expected = (
            f"peer  {NODE_ADDRESS}  score 2.5  answered 7  failed 1  records 30 new, 2 false  never answered\n"
        )
        self.assertEqual(expected, self.rho("peers").out)
        self.assertEqual("", self.rho("peers").err)

    def test_a_peer_of_before_is_told_with_when_it_answered(self) -> None:
        self.patch(peers, "time", SimpleNamespace(time=lambda: 1e9))
        rows = [directory.PeerRow(NODE_ADDRESS, False, -1.25, 0, 2, 10**9 + since) for since in (-7_205, 99)]
        self.process("node", {verbs.PEERS: directory.PeerList(tuple(rows))})
        lines = self.rho("peers").out.splitlines()
        begin = f"      {NODE_ADDRESS}  score -1.2  answered 0  failed 2  records 0 new, 0 false  answered "
        self.assertEqual([f"{begin}{span(7_205.0)} ago", f"{begin}{span(0.0)} ago"], lines)

    def test_a_peer_whose_session_stands_and_that_answered_nothing_is_not_said_to_have_answered(self) -> None:
        row = directory.PeerRow(NODE_ADDRESS, True, 0.0, 0, 197, 10**9)
        self.process("node", {verbs.PEERS: directory.PeerList((row,))})
        self.assertTrue(self.rho("peers").out.endswith("0 false  answered nothing yet\n"))

    def test_no_peer_is_told(self) -> None:
        self.process("node", {verbs.PEERS: directory.PeerList(())})
        self.assertIn("no peer", self.rho("peers", "--node").err)


class KeyTests(DirectoryCase):
    """A key where a place was."""

    def test_send_without_a_place_leaves_it_to_the_process(self) -> None:
        asked = self.process("wallet", {verbs.SEND: SENT})
        self.assertEqual(0, self.rho("send", BOB, "-m", "hi").status)
        self.assertEqual("", asked[0]["at"])

    def test_ping_asks_a_process_where_a_key_is_and_tells_what_it_does_not_know(self) -> None:
        self.process("wallet", {verbs.LOOKUP: trouble.KEY_ABSENT(key=BOB, count=0)})
        self.assertIn("RHO-2601", self.rho("ping", BOB).err)

    def test_a_record_without_an_address_is_no_way(self) -> None:
        self.process("wallet", {verbs.LOOKUP: directory.Found((NODE_ROW,), NODE_ADDRESS, ())})
        self.assertIn("RHO-2604", self.rho("ping", NODE_ADDRESS).err)


class NameTests(CliCase):
    """A contact, whom the wallet process knows."""

    def test_lookup_tells_where_a_contact_was_said_to_be_and_what_the_directory_has(self) -> None:
        found = directory.Found((WALLET_ROW,), NODE_ADDRESS, (), (f"{NODE_ADDRESS}@192.0.2.1:7460",))
        self.process("node", {})
        asked = self.process("wallet", {verbs.LOOKUP: found})
        printed = self.rho("dir", "lookup", "bob")
        self.assertEqual(([{"key": "bob"}], 0), (asked, printed.status), printed.err)
        self.assertEqual(f"bob  was said to be at {NODE_ADDRESS}@192.0.2.1:7460", printed.out.splitlines()[0])
        self.assertEqual(2, len(printed.out.splitlines()))


class PingTests(TestCase):
    """rho in a process of its own."""

    timeout = 90

    async def test_of_the_places_of_a_key_or_a_contact_one_that_answers_is_enough(self) -> None:
        case = CliCase("rho")
        case.setUp()
        node = await listen(reactor, interface="127.0.0.1")
        try:
            key = node.address.partition("@")[0]
            places = (f"{key}@127.0.0.2:9", node.address)
            answer = [directory.Found((NODE_ROW,), key, places)]
            case.process("wallet", {verbs.LOOKUP: lambda _: answer[-1]})
            words = [sys.executable, "-m", "rhotwist.cli", "--datadir", str(case.home), "ping", key, "--json"]
            done = await deferToThread(subprocess.run, words, capture_output=True, text=True, timeout=60, env=ENVIRON)
            self.assertEqual(0, done.returncode, done.stderr)
            self.assertEqual((True, key), ((found := json.loads(done.stdout))["key_proven"], found["node"]))
            for said, places in (((f"{NODE_ADDRESS}@127.0.0.2:9", node.address), ()),
                                 ((f"{NODE_ADDRESS}@127.0.0.2:9", f"{key}@[::1]:9"), (node.address,))):  # fmt: skip
                answer.append(directory.Found((), key, places, said))
                words[words.index("ping") + 1] = "bob"
                done = await deferToThread(
                    subprocess.run, words, capture_output=True, text=True, timeout=60, env=ENVIRON
                )
                self.assertEqual((0, "bob"), (done.returncode, json.loads(done.stdout)["node"]), done.stderr)
        finally:
            await node.close()
            case.doCleanups()
