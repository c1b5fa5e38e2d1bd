"""Upgrades: each whole or not at all, a copy first, a newer or a foreign file never touched."""

import hashlib
import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

from rhotwist.errors import DiskFull, NewerSchema, StoreError
from rhotwist.store.crashpoint import POINTS, STATUS
from rhotwist.store.upgrade import APPLICATION, SCHEMA, bring_up, connect, steps
from tests.store.support import FolderCase, mode

OLD = """CREATE TABLE a (
    x INTEGER NOT NULL -- metres; from the door
);
-- two statements
INSERT INTO a VALUES (1);
"""
NEW = """
CREATE TABLE b (
    y TEXT -- a name
);
INSERT INTO b SELECT 'was ' || x FROM a;
ALTER TABLE a ADD COLUMN z INTEGER NOT NULL DEFAULT 7; -- seconds
"""
LAST = "CREATE INDEX b_by_y ON b (y);\n-- the end"
BRING_UP = """
import sys
from pathlib import Path
from rhotwist.store.upgrade import bring_up
bring_up(Path(sys.argv[1]), "thing", Path(sys.argv[2]))
"""


class UpgradeCase(FolderCase):
    def setUp(self) -> None:
        super().setUp()
        self.schema = self.folder / "schema"
        self.schema.mkdir()
        self.path = self.folder / "a.db"
        self.say(1, OLD)

    def say(self, number: int, sql: str) -> None:
        """Let there be an upgrade."""
        (self.schema / f"thing-{number:03}-what.sql").write_text(sql)

    def bring_up(self) -> None:
        """Open as the newest version."""
        bring_up(self.path, "thing", self.schema)

    def dump(self, path: Path) -> str:
        """All that a database holds, as text, its numbers too."""
        with closing(sqlite3.connect(path)) as connection:
            numbers = [connection.execute(f"PRAGMA {name}").fetchone() for name in ("user_version", "application_id")]
            return "\n".join([*connection.iterdump(), str(numbers)])

    def change(self, sql: str) -> None:
        """Do something to the database behind our back."""
        with closing(sqlite3.connect(self.path)) as connection:
            connection.executescript(sql)

    def print(self) -> dict[str, bytes]:
        """A digest of each file of the database, without the shared memory, which is an index only."""
        return {
            name: hashlib.sha256((self.folder / name).read_bytes()).digest()
            for name in self.names()
            if name.startswith("a.db") and not name.endswith("-shm")
        }


class UpgradeTests(UpgradeCase):
    def test_a_new_database_is_private_and_has_its_numbers(self) -> None:
        self.bring_up()
        self.assertEqual(mode(self.path), 0o600)
        self.assertEqual(self.names(), ["a.db", "schema"])
        self.assertIn(f"[(1,), ({APPLICATION},)]", self.dump(self.path))
        with closing(connect(self.path, "ro")) as connection:
            self.assertEqual(connection.execute("PRAGMA journal_mode").fetchone(), ("wal",))

    def test_an_upgraded_database_equals_a_fresh_one_text_for_text(self) -> None:
        self.bring_up()
        self.say(2, NEW)
        self.bring_up()
        self.say(3, LAST)
        self.bring_up()
        bring_up(self.folder / "fresh.db", "thing", self.schema)
        self.assertEqual(self.dump(self.path), self.dump(self.folder / "fresh.db"))
        self.assertIn("was 1", self.dump(self.path))

    def test_a_copy_of_what_was_lies_beside_it_private_and_whole(self) -> None:
        self.bring_up()
        before = self.dump(self.path)
        self.say(2, NEW)
        os.umask(os.umask(0))
        self.bring_up()
        self.assertEqual(self.names(), ["a.db", "a.db.bak-1", "schema"])
        self.assertEqual(self.dump(self.folder / "a.db.bak-1"), before)
        self.assertEqual(mode(self.folder / "a.db.bak-1"), 0o600)

    def test_the_copy_is_synced_before_it_has_its_name_and_every_name_after(self) -> None:
        self.bring_up()
        self.say(2, NEW)
        steps: list[str] = []
        fsync, replace = os.fsync, os.replace

        def note_sync(fd: int) -> None:
            steps.append("folder" if os.path.isdir(f"/proc/self/fd/{fd}") else "file")
            fsync(fd)

        def note_rename(one: Path, two: Path) -> None:
            steps.append(two.name)
            replace(one, two)

        self.patch(os, "fsync", note_sync)
        self.patch(os, "replace", note_rename)
        self.bring_up()
        self.assertEqual(steps, ["file", "a.db.bak-1", "folder", "folder"])
        self.bring_up()
        self.assertEqual(len(steps), 4)

    def test_a_restored_copy_can_be_upgraded_again(self) -> None:
        self.bring_up()
        self.say(2, NEW)
        self.bring_up()
        after = self.dump(self.path)
        shutil.copy(self.folder / "a.db.bak-1", self.path)
        self.bring_up()
        self.assertEqual(self.dump(self.path), after)

    def test_opening_what_is_up_to_date_changes_no_byte(self) -> None:
        self.bring_up()
        before = self.print()
        self.bring_up()
        self.assertEqual(self.print(), before)

    def test_a_kill_at_any_step_loses_nothing_and_the_next_start_finishes(self) -> None:
        self.bring_up()
        self.say(2, NEW)
        self.say(3, LAST)
        start = self.path.read_bytes()
        bring_up(self.folder / "fresh.db", "thing", self.schema)
        for point in sorted(point for point in POINTS if point.startswith("upgrade-")):
            for name in self.names():
                if name.startswith("a.db"):
                    (self.folder / name).unlink()
            self.path.write_bytes(start)
            ended = self.run_python(BRING_UP, self.path, self.schema, crash=point)
            self.assertEqual(ended.returncode, STATUS, ended.stderr)
            if point == "upgrade-copying":
                self.assertNotIn("a.db.bak-1", self.names())
                self.assertIn("a.db.bak-1.part", self.names())
            else:
                self.assertIn("a.db.bak-1", self.names())
            self.assertEqual(self.run_python(BRING_UP, self.path, self.schema).returncode, 0)
            self.assertEqual(self.dump(self.path), self.dump(self.folder / "fresh.db"))
            self.assertNotIn("a.db.bak-1.part", self.names())

    def test_a_kill_while_a_database_is_made_is_made_good(self) -> None:
        for point in ("upgrade-statement", "upgrade-commit", "upgrade-done"):
            self.assertEqual(self.run_python(BRING_UP, self.path, self.schema, crash=point).returncode, STATUS)
            self.bring_up()
            self.assertIn("INSERT INTO \"a\" VALUES(1);", self.dump(self.path))
            self.assertEqual(self.names(), ["a.db", "schema"])
            self.path.unlink()

    def test_a_failing_upgrade_leaves_everything_as_it_was(self) -> None:
        self.bring_up()
        before = self.dump(self.path)
        self.say(2, NEW + "INSERT INTO nowhere VALUES (1);\n")
        error = self.assertRaises(StoreError, self.bring_up)
        self.assertIn("nowhere", str(error))
        self.assertEqual(self.dump(self.path), before)
        self.say(2, NEW + "INSERT INTO a VALUES (3")
        self.assertRaises(StoreError, self.bring_up)
        self.assertEqual(self.dump(self.path), before)
        self.say(2, NEW)
        self.bring_up()

    def test_the_numbers_must_be_whole(self) -> None:
        self.say(3, LAST)
        self.assertRaises(StoreError, self.bring_up)
        self.assertEqual(self.names(), ["schema"])
        self.assertRaises(StoreError, steps, "nothing", self.schema)
        (self.schema / "thing-002-what.txt").touch()
        (self.schema / "other-002-what.sql").touch()
        self.assertRaises(StoreError, steps, "thing", self.schema)


class RefusalTests(UpgradeCase):
    def test_a_newer_schema_is_refused_byte_for_byte_untouched(self) -> None:
        self.say(2, NEW)
        self.bring_up()
        (self.schema / "thing-002-what.sql").unlink()
        before = self.print()
        error = self.assertRaises(NewerSchema, self.bring_up)
        self.assertIn("its schema is number 2, this version knows 1", str(error))
        self.assertEqual(self.print(), before)

    def test_a_newer_schema_with_a_journal_left_by_a_crash_is_untouched_too(self) -> None:
        self.bring_up()
        self.say(2, NEW)
        crashed = self.run_python(BRING_UP, self.path, self.schema, crash="upgrade-done")
        self.assertEqual(crashed.returncode, STATUS)
        (self.schema / "thing-002-what.sql").unlink()
        before = self.print()
        self.assertIn("a.db-wal", before)
        self.assertRaises(NewerSchema, self.bring_up)
        self.assertEqual(self.print(), before)

    def test_a_database_of_another_program_is_refused_untouched(self) -> None:
        for sql in ("CREATE TABLE theirs (x)", "PRAGMA user_version = 1", "PRAGMA application_id = 5"):
            self.change(sql)
            before = self.print()
            error = self.assertRaises(StoreError, self.bring_up)
            self.assertIn("another program", str(error))
            self.assertEqual(self.print(), before)
            self.path.unlink()

    def test_tables_triggers_and_views_of_anothers_making_are_refused(self) -> None:
        for sql in (
            "CREATE TRIGGER t AFTER INSERT ON a BEGIN DELETE FROM a; END;",
            "CREATE VIEW v AS SELECT x FROM a;",
            "CREATE TABLE more (x);",
            "CREATE INDEX more ON a (x);",
            "ALTER TABLE a ADD COLUMN more INTEGER;",
            "DROP TABLE a;",
            "PRAGMA writable_schema=ON; UPDATE sqlite_master SET sql='CREATE TABLE a (x INT)' WHERE name='a';",
        ):
            self.bring_up()
            self.change(sql)
            before = self.print()
            error = self.assertRaises(StoreError, self.bring_up)
            self.assertIn("somebody changed them", str(error))
            self.assertEqual(self.print(), before)
            self.path.unlink()

    def test_a_file_that_is_no_database_is_refused_untouched(self) -> None:
        self.path.write_bytes(b"not a database at all, but long enough to be taken for one" * 20)
        before = self.print()
        self.assertRaises(StoreError, self.bring_up)
        self.assertEqual(self.print(), before)

    def test_a_path_where_nothing_can_be_is_told(self) -> None:
        self.path = self.folder / "none" / "a.db"
        error = self.assertRaises(StoreError, self.bring_up)
        self.assertIn("No such file", str(error))
        self.assertNotIsInstance(error, DiskFull)
        self.path = self.schema
        self.assertRaises(StoreError, self.bring_up)


class GarbledTests(FolderCase):
    def test_a_schema_that_is_no_text_is_refused(self) -> None:
        path = self.folder / "machine.db"
        bring_up(path, "machine")
        whole = path.read_bytes()
        path.write_bytes(whole.replace(b"-- good for one Hello", b"-- good for one Hell\xd7"))
        self.assertRaises(StoreError, bring_up, path, "machine")


class OwnSchemaTests(FolderCase):
    """The SQL files that we ship."""

    def test_each_kind_opens_and_holds_its_tables(self) -> None:
        for kind, table in (("user", "inbox"), ("machine", "token"), ("files", "transfer")):
            path = self.folder / f"{kind}.db"
            bring_up(path, kind)
            with closing(connect(path, "ro")) as connection:
                self.assertEqual(connection.execute(f"SELECT count(*) FROM {table}").fetchone(), (0,))

    def test_each_column_says_what_it_holds(self) -> None:
        for path in SCHEMA.glob("*.sql"):
            inside = False
            for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
                words = line.split()
                if line.startswith("CREATE TABLE"):
                    inside = True
                elif line.startswith(")"):
                    inside = False
                elif inside and not words[0].isupper():
                    self.assertIn("-- ", line, f"{path.name}:{number}")

    def test_connections_trust_nothing_in_the_file(self) -> None:
        bring_up(self.folder / "a.db", "user")
        with closing(connect(self.folder / "a.db", "rw")) as connection:
            self.assertEqual(connection.execute("PRAGMA trusted_schema").fetchone(), (0,))
            self.assertEqual(connection.execute("PRAGMA cell_size_check").fetchone(), (1,))
            if hasattr(connection, "getconfig"):
                self.assertTrue(connection.getconfig(sqlite3.SQLITE_DBCONFIG_DEFENSIVE))
        with closing(connect(self.folder / "a.db", "ro")) as connection:
            self.assertRaises(sqlite3.OperationalError, connection.execute, "DELETE FROM inbox")

    def test_a_name_with_marks_of_a_uri_is_only_a_name(self) -> None:
        path = self.folder / "a?mode=memory#b%20c.db"
        bring_up(path, "user")
        self.assertEqual(self.names(), [path.name])
