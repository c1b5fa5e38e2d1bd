"""rho send FILE, receive, transfers, resume, cancel: what is asked of the wallet process, and what is printed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs

from rhotwist.cli import bar, files, receive
from rhotwist.control import explain, trouble, values, verbs
from tests.cli.stage import ALICE, BOB, NODE_ADDRESS, CliCase
from tests.cli.test_bar import ROW

AT = f"{NODE_ADDRESS}@192.0.2.1:7460"
GOING = attrs.evolve(ROW, done=500, total=1000)
DONE = attrs.evolve(GOING, state="done", done=1000, ended_at=GOING.begun_at + 7)
PAUSED = attrs.evolve(GOING, state="paused", why="no net", done=600)


def rows(*items: values.TransferRow) -> values.TransferList:
    """An answer."""
    return values.TransferList(items)


class FilesCase(CliCase):
    """With a wallet process that answers as told, and time that does not pass."""

    def setUp(self) -> None:
        super().setUp()
        for module in (files, receive):
            self.patch(module, "wait", lambda seconds: None)
        self.file = self.home / "film.mkv"
        self.file.write_bytes(b"x" * 1000)

    def turns(self, *answers: Any) -> Callable[[Any], Any]:
        """One answer after another, the last one for ever; an exception class is raised in the client instead."""
        left = list(answers)
        return lambda asked: left.pop(0) if len(left) > 1 else left[0]

    def interrupt(self, module: Any, after: int = 0) -> None:
        """Press Ctrl-C while the client waits, after so many waits."""
        left = [after]

        def wait(seconds: float) -> None:
            if not left[0]:
                raise KeyboardInterrupt
            left[0] -= 1

        self.patch(module, "wait", wait)


class SendTests(FilesCase):
    """rho send WALLET FILE."""

    def send(self, *more: str) -> Any:
        """What is printed."""
        return self.rho("send", BOB, str(self.file), "--at", AT, *more)

    def test_a_file_is_named_by_its_whole_path_and_followed_to_its_end(self) -> None:
        asked = self.process("wallet", {
            verbs.FILE_SEND: GOING, verbs.TRANSFERS: self.turns(rows(GOING), rows(GOING), rows(DONE)),
        })  # fmt: skip
        printed = self.send()
        self.assertEqual({"to": BOB, "at": AT, "path": str(self.file), "wallet": "", "gentle": False}, asked[0])
        self.assertEqual([{"numbers": [3], "limit": 100}] * 3, asked[1:])
        self.assertEqual(0, printed.status)
        self.assertEqual(f"film.mkv  1000 B checked by {BOB} (root {'ab' * 32}) after 7 s\n", printed.out)
        self.assertIn("reading", printed.err)

    def test_the_bar_is_drawn_at_each_look_and_taken_away_before_anything_is_printed(self) -> None:
        drawn: list[Any] = []

        class Drawn:
            def __init__(self, run: Any) -> None:
                drawn.append("made")

            def draw(self, items: Any) -> None:
                drawn.append(items[0].done)

            def clear(self) -> None:
                drawn.append("cleared")

        self.patch(files, "Bar", Drawn)
        self.process("wallet", {verbs.FILE_SEND: GOING, verbs.TRANSFERS: self.turns(rows(GOING), rows(DONE))})
        self.send()
        self.assertEqual(["made", 500, 1000, "cleared"], drawn)

    def test_json_is_the_list_of_transfers(self) -> None:
        self.process("wallet", {verbs.FILE_SEND: GOING, verbs.TRANSFERS: rows(DONE)})
        [item] = self.send("--json").json["items"]
        self.assertEqual((3, "done", 1000, "ab" * 32), (item["number"], item["state"], item["done"], item["root"]))

    def test_ctrl_c_stops_it_and_says_how_it_goes_on(self) -> None:
        self.interrupt(files, 1)
        asked = self.process("wallet", {
            verbs.FILE_SEND: GOING, verbs.TRANSFERS: rows(GOING), verbs.TRANSFER_PAUSE: rows(PAUSED),
        })  # fmt: skip
        printed = self.send()
        self.assertEqual({"numbers": [3], "at": ""}, asked[-1])
        self.assertEqual(130, printed.status)
        self.assertIn("600 B of 1000 B are with the receiver", printed.err)
        self.assertIn("rho resume 3", printed.err)
        self.assertIn("[RHO-2308]", printed.err)

    def test_ctrl_c_with_a_process_that_was_killed_still_says_so(self) -> None:
        self.interrupt(files)
        self.process("wallet", {
            verbs.FILE_SEND: GOING, verbs.TRANSFERS: rows(GOING), verbs.TRANSFER_PAUSE: trouble.NONE_HOT(),
        })  # fmt: skip
        printed = self.send()
        self.assertEqual(130, printed.status)
        self.assertIn("rho resume 3", printed.err)

    def test_a_process_that_was_killed_is_told_with_how_it_goes_on(self) -> None:
        gone = trouble.NOT_STARTED(role="wallet", path="/d", hint="")
        for error, code in ((gone, "RHO-2307"), (trouble.NONE_HOT(), "RHO-1208")):
            self.process("wallet", {verbs.FILE_SEND: GOING, verbs.TRANSFERS: self.turns(rows(GOING), error)})
            printed = self.send()
            self.assertIn(code, printed.err)
            self.doCleanups()
            self.setUp()

    def test_what_stopped_it_is_printed_with_status_1(self) -> None:
        problem = explain.to_problem(trouble.FILE_CHANGED(path="film.mkv", why="part 5 of 6 has other bytes now"))
        for row, code, said in (
            (PAUSED, "RHO-2307", "why: no net"), (attrs.evolve(PAUSED, problem=problem), "RHO-2302", "part 5 of 6"),
            (attrs.evolve(PAUSED, state="cancelled"), "RHO-2305", "is cancelled"),
        ):  # fmt: skip
            self.process("wallet", {verbs.FILE_SEND: GOING, verbs.TRANSFERS: rows(row)})
            printed = self.send()
            self.assertEqual((1, ""), (printed.status, printed.out))
            self.assertIn(said, printed.err)
            self.assertIn(code, printed.err)
            self.doCleanups()
            self.setUp()

    def test_time_that_runs_out_leaves_it_going_with_status_5(self) -> None:
        self.process("wallet", {verbs.FILE_SEND: GOING, verbs.TRANSFERS: rows(GOING)})
        printed = self.send("--timeout", "0.01")
        self.assertEqual(5, printed.status)
        self.assertIn("it goes on", printed.err)

    def test_gentle_is_passed_on(self) -> None:
        asked = self.process("wallet", {verbs.FILE_SEND: GOING, verbs.TRANSFERS: rows(DONE)})
        self.send("--gentle", "--wallet", "alice")
        self.assertEqual((True, "alice"), (asked[0]["gentle"], asked[0]["wallet"]))

    def test_background_returns_at_once_with_its_number(self) -> None:
        asked = self.process("wallet", {verbs.FILE_SEND: attrs.evolve(GOING, state="offered")})
        printed = self.send("--background")
        self.assertEqual((0, 1), (printed.status, len(asked)))
        self.assertIn("3  offered", printed.out)

    def test_an_error_with_the_second_file_names_the_first_that_is_on_its_way(self) -> None:
        self.process("wallet", {verbs.FILE_SEND: self.turns(GOING, trouble.NONE_HOT())})
        printed = self.rho("send", BOB, str(self.file), "absent", "--at", AT)
        self.assertEqual(4, printed.status)
        self.assertIn("on their way already: 3 film.mkv", printed.err)

    def test_a_text_and_files_are_not_sent_together_nor_neither(self) -> None:
        for more in (("-m", "hi", str(self.file)), ()):
            printed = self.rho("send", BOB, "--at", AT, *more)
            self.assertEqual(2, printed.status)
            self.assertIn("RHO-1007", printed.err)


class ReceiveTests(FilesCase):
    """rho receive."""

    def setUp(self) -> None:
        super().setUp()
        self.offer = attrs.evolve(GOING, outgoing=False, place="", peer=ALICE, state="offered", wallet="bob")
        self.coming = attrs.evolve(self.offer, place="/d", state="going")
        self.there = attrs.evolve(self.coming, state="done", done=1000, place="/d/film.mkv")

    def serve(self, *listed: Any, followed: Any = None) -> list[Any]:
        """A process that lists these, then follows what was taken to its end; what it was asked to take."""
        lists = self.turns(*listed or [rows()])
        follows = self.turns(*(followed or (rows(self.coming), rows(self.there))))
        asked = self.process("wallet", {
            verbs.TRANSFERS: lambda said: follows(said) if said["numbers"] else lists(said),
            verbs.FILE_RECEIVE: rows(self.coming),
        })  # fmt: skip
        self.taken = lambda: [said for said in asked if "into" in said]
        return asked

    def test_it_waits_takes_what_comes_and_ends_when_that_is_there(self) -> None:
        self.serve(rows(), rows(), rows(DONE, self.offer), rows(self.coming), rows(self.there))
        printed = self.rho("receive", "--into", str(self.home), "--from", ALICE)
        self.assertEqual([{"into": str(self.home), "wallet": "", "sender": "", "numbers": [3]}], self.taken())
        self.assertEqual(0, printed.status)
        self.assertEqual(f"/d/film.mkv  1000 B from {ALICE} (root {'ab' * 32})\n", printed.out)
        self.assertIn("waiting for files", printed.err)
        self.assertIn(f"film.mkv, 1000 B, from {ALICE}", printed.err)

    def test_a_relative_folder_is_that_of_the_shell(self) -> None:
        self.serve(rows(self.offer))
        self.rho("receive", "3")
        self.assertTrue(self.taken()[0]["into"].startswith("/"))

    def test_a_number_of_nothing_that_can_come_is_told_at_once(self) -> None:
        for row, code in ((GOING, "RHO-2304"), (self.there, "RHO-2305")):
            self.serve(followed=[rows(row)])
            self.assertIn(code, self.rho("receive", "3").err)
            self.doCleanups()
            self.setUp()

    def test_what_is_for_others_or_from_others_is_not_taken(self) -> None:
        for more in (("--from", BOB), ("--wallet", "carol", "--yes"), ("4",)):
            self.serve(rows(self.offer), followed=[rows(attrs.evolve(self.offer, number=4))])
            self.assertEqual(130, self.rho("receive", *more, "--timeout", "0.01").status)
            self.assertEqual([], self.taken())
            self.doCleanups()
            self.setUp()

    def test_a_person_is_asked_about_each_file_of_whom_nothing_was_said(self) -> None:
        self.patch(receive, "need_terminal", lambda asked, hint: None)
        self.serve(rows(self.offer))
        printed = self.rho("receive", stdin="y\n")
        self.assertIn(f"Take film.mkv, 1000 B, from {ALICE}?", printed.err)
        self.assertEqual((0, 1), (printed.status, len(self.taken())))

    def test_what_a_person_does_not_take_stays_offered_and_is_asked_once(self) -> None:
        self.patch(receive, "need_terminal", lambda asked, hint: None)
        self.interrupt(receive, 3)
        self.serve(rows(self.offer))
        printed = self.rho("receive", stdin="n\n")
        self.assertEqual([], self.taken())
        self.assertEqual(1, printed.err.count("Take film.mkv"))
        self.assertIn("rho cancel 3 refuses it", printed.err)

    def test_where_nobody_can_be_asked_it_must_be_said_what_to_take(self) -> None:
        printed = self.rho("receive")
        self.assertEqual(2, printed.status)
        self.assertIn("--from WALLET", printed.err)

    def test_what_was_taken_before_is_followed_without_asking(self) -> None:
        self.patch(receive, "need_terminal", lambda asked, hint: None)
        self.serve(rows(self.coming))
        self.assertEqual(0, self.rho("receive").status)
        self.assertEqual([], self.taken())

    def test_json_is_one_object_at_the_end(self) -> None:
        self.serve(rows(self.offer))
        self.assertEqual("/d/film.mkv", self.rho("receive", "--yes", "--json").json["items"][0]["place"])

    def test_keep_goes_on_after_the_first(self) -> None:
        self.interrupt(receive, 5)
        self.serve(rows(self.offer))
        printed = self.rho("receive", "--yes", "--keep")
        self.assertEqual(130, printed.status)
        self.assertIn("/d/film.mkv", printed.out)

    def test_ctrl_c_stops_looking_and_nothing_else(self) -> None:
        self.interrupt(receive)
        self.serve(rows(self.offer), followed=[rows(self.coming)])
        printed = self.rho("receive", "--yes")
        self.assertEqual(130, printed.status)
        self.assertIn("1 file is on its way and goes on", printed.err)

    def test_a_disk_that_fails_here_is_told_once(self) -> None:
        failing = attrs.evolve(self.coming, problem=explain.to_problem(trouble.DISK_FULL(why="no room")))
        self.serve(rows(self.offer), followed=[rows(failing), rows(failing), rows(self.there)])
        printed = self.rho("receive", "--yes")
        self.assertEqual(0, printed.status)
        self.assertEqual(1, printed.err.count("error: the disk is full"))

    def test_what_was_cancelled_is_no_success(self) -> None:
        self.serve(rows(self.offer), followed=[rows(attrs.evolve(self.coming, state="cancelled"))])
        self.assertEqual(1, self.rho("receive", "--yes").status)

    def test_a_wrong_sender_is_told_before_any_process_is_started(self) -> None:
        self.assertIn("RHO-2201", self.rho("receive", "--from", "rho1wbob").err)


class ListTests(FilesCase):
    """rho transfers, resume, cancel."""

    def test_each_transfer_is_a_line_with_its_number_share_and_reason(self) -> None:
        offered = attrs.evolve(GOING, number=4, outgoing=False, state="offered", done=0, peer=ALICE)
        self.process("wallet", {verbs.TRANSFERS: rows(PAUSED, offered, DONE)})
        printed = self.rho("transfers")
        first, second, third = printed.out.splitlines()
        self.assertRegex(first, r"^ +3  paused +60 % +1000 B  to   rho1w\S+…\S+  film.mkv  no net$")
        self.assertRegex(second, r"^ +4  offered +0 % .* from ")
        self.assertIn("100 %", third)
        self.assertIn("rho receive", printed.err)

    def test_a_stranger_s_words_cannot_move_the_cursor(self) -> None:
        self.process("wallet", {verbs.TRANSFERS: rows(attrs.evolve(PAUSED, why="\x1b[2J", name="a\x1bb"))})
        self.assertNotIn("\x1b", self.rho("transfers").out)

    def test_nothing_is_said_of_nothing(self) -> None:
        asked = self.process("wallet", {verbs.TRANSFERS: rows()})
        printed = self.rho("transfers", "--limit", "7")
        self.assertEqual(("", "nothing yet\n"), (printed.out, printed.err))
        self.assertEqual([{"numbers": [], "limit": 7}], asked)

    def test_resume_follows_what_was_paused_to_its_end(self) -> None:
        asked = self.process("wallet", {verbs.TRANSFER_RESUME: rows(GOING), verbs.TRANSFERS: rows(DONE)})
        printed = self.rho("resume", "3", "--at", AT)
        self.assertEqual({"numbers": [3], "at": AT}, asked[0])
        self.assertEqual(0, printed.status)
        self.assertIn("checked by", printed.out)

    def test_resume_of_nothing_is_no_error(self) -> None:
        self.process("wallet", {verbs.TRANSFER_RESUME: rows()})
        printed = self.rho("resume")
        self.assertEqual((0, "nothing is paused\n"), (printed.status, printed.err))

    def test_cancel_shows_what_became_of_them(self) -> None:
        asked = self.process("wallet", {verbs.TRANSFER_CANCEL: rows(attrs.evolve(GOING, state="cancelled", why="so"))})
        printed = self.rho("cancel", "3", "4")
        self.assertEqual([{"numbers": [3, 4], "at": ""}], asked)
        self.assertIn("cancelled", printed.out)
        self.assertEqual(2, self.rho("cancel").status)
        self.assertEqual(2, self.rho("cancel", "0").status)


class WaitTests(CliCase):
    """Between two looks."""

    def test_waiting_ends(self) -> None:
        bar.wait(0.001)
