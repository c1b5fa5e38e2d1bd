"""Damage in the directory's rows: named, refused, mended from what is whole."""

from contextlib import closing

from rhotwist.errors import DamagedStore
from rhotwist.store.upgrade import connect
from tests.directory.support import TODAY
from tests.store.directory_support import DirectoryCase, put, puts, record, small
from tests.store.support import SECONDS


class DamageTests(DirectoryCase):
    def spoil(self, *statements: str) -> None:
        """Change the closed file behind everybody's back."""
        with closing(connect(self.path, "rw")) as another:
            for statement in statements:
                self.assertGreater(another.execute(statement).rowcount, 0, statement)

    def test_a_damaged_record_is_refused_by_name_and_a_copy_of_it_is_welcome(self) -> None:
        damage = ("body = zeroblob(length(body))", "proof = zeroblob(76)", "body = zeroblob(384)")
        for number, what in enumerate(damage):
            self.path = self.folder / f"{number}.db"
            directory = self.open()
            made = self.fill(directory, 20)
            self.close(directory)
            self.spoil(f"UPDATE record SET {what} WHERE seq = 4")
            directory = self.open()
            bad = made[3]
            self.assertIn(bad.address.hex(), str(self.assertRaises(DamagedStore, directory.record, bad.address)))
            self.assertRaises(DamagedStore, directory.lookup, bad.key)
            self.assertEqual(directory.standing([bad.address]), [None])
            page = directory.since(0, 99)
            self.assertEqual((len(page.records), page.damaged), (19, (bad.address,)))
            self.assertEqual(directory.audit().result(SECONDS).damage, ())
            self.assertEqual(directory.audit(True).result(SECONDS).lost, (bad.address,))
            directory.apply([put(bad)]).result(SECONDS)
            self.assertEqual(directory.record(bad.address), bad)
            self.assertEqual(directory.audit(True).result(SECONDS).damage, ())
            self.close(directory)

    def test_whatever_else_is_damaged_is_named_and_made_anew(self) -> None:
        swap = "UPDATE leaf SET hash = (SELECT hash FROM leaf ORDER BY address DESC LIMIT 1) WHERE seq = 2"
        for number, (statement, said, refused) in enumerate((
            ("UPDATE bucket SET hash = zeroblob(32) WHERE number = (SELECT min(number) FROM bucket)", "root", True),
            ("UPDATE bucket SET hash = X'01' WHERE number = (SELECT min(number) FROM bucket)", "no tree has", True),
            ("DELETE FROM bucket WHERE number = (SELECT min(number) FROM bucket)", "root", True),
            ("UPDATE step SET root = zeroblob(32)", "damaged", True),
            ("DELETE FROM step WHERE seq = (SELECT max(seq) - 1 FROM step)", "damaged", True),
            ("DELETE FROM meta", "meta row", True),
            ("UPDATE meta SET epoch = epoch + 1", "meta row", True),
            ("UPDATE meta SET cells = zeroblob(length(cells))", "meta row", True),
            (swap, "leaves", False),
            ("DELETE FROM leaf WHERE seq = 2", "leaves", False),
            ("UPDATE leaf SET day = day + 1 WHERE seq = 2", "record at", False),
            ("UPDATE leaf SET seq = 3 WHERE seq = 2", "record at", False),
            ("DELETE FROM record WHERE seq = 2", "record at", False),
        )):
            self.path = self.folder / f"{number}.db"
            directory = self.open(small(deep=64, fold=50))
            made = self.fill(directory, 30)
            directory.apply([put(record(31))]).result(SECONDS)
            directory.apply([put(record(32))]).result(SECONDS)
            directory.purge(TODAY).result(SECONDS)
            if "step" in statement:
                directory.apply([put(record(33))]).result(SECONDS)
                directory.apply([put(record(34))]).result(SECONDS)
            before = directory.state
            self.close(directory)
            self.spoil(statement)
            directory = self.open(small(deep=64, fold=50))
            if refused:
                self.assertIn(said, str(self.assertRaises(DamagedStore, directory.opened.result, SECONDS)), statement)
                self.assertRaises(DamagedStore, directory.apply([put(record(40))]).result, SECONDS)
            found = directory.audit(True).result(SECONDS)
            self.assertIn(said, " ".join(found.damage), statement)
            rebuilt = directory.rebuild(TODAY).result(SECONDS)
            lost = [made[1]] if statement.startswith("DELETE FROM record") else []
            self.assertEqual(rebuilt.lost, tuple(one.address for one in lost))
            self.assertEqual(directory.state.count, before.count - len(lost), statement)
            self.assertGreater(directory.state.seq, before.seq - 1)
            if not lost:
                self.assertEqual(directory.root, before.root)
            self.assertEqual(directory.audit(True).result(SECONDS).damage, ())
            self.close(directory)

    def test_records_without_a_meta_row_are_not_taken_for_a_new_directory(self) -> None:
        directory = self.open()
        self.fill(directory, 3)
        self.close(directory)
        self.spoil("DELETE FROM meta", "DELETE FROM step")
        self.assertIn("lost", str(self.assertRaises(DamagedStore, self.open().opened.result, SECONDS)))

    def test_a_rebuilt_journal_has_another_name_and_no_expired_record(self) -> None:
        names = iter((b"firstone", b"another1"))
        replica = small()
        replica._rng = lambda count: next(names)
        directory = self.open(replica)
        directory.apply(puts([record(1, days=2), record(2)])).result(SECONDS)
        rebuilt = directory.rebuild(TODAY + 3).result(SECONDS)
        self.assertEqual((rebuilt.state.store_id, rebuilt.state.count, rebuilt.lost), (b"another1", 1, ()))
        self.assertEqual(directory.since(0, 9).records, (record(2).encode(),))

    def test_damaged_local_records_and_pins_are_named_and_dropped(self) -> None:
        directory = self.open()
        self.fill(directory, 3)
        directory.apply(puts([record(7), record(8)], local=True)).result(SECONDS)
        directory.pin([record(1).address, record(2).address]).result(SECONDS)
        self.close(directory)
        self.spoil(
            f"UPDATE local SET proof = zeroblob(76) WHERE address = X'{record(7).address.hex()}'",
            f"UPDATE pin SET sum = zeroblob(4) WHERE address = X'{record(2).address.hex()}'",
        )
        directory = self.open()
        self.assertRaises(DamagedStore, directory.lookup, record(7).key)
        self.assertEqual(len(directory.audit(True).result(SECONDS).damage), 2)
        rebuilt = directory.rebuild(TODAY).result(SECONDS)
        self.assertEqual((rebuilt.lost, rebuilt.lost_local, rebuilt.lost_pins), ((), (record(7).address,), 1))
        self.assertEqual(directory.state.pins, {record(1).address})
        self.assertEqual(directory.lookup(record(8).key), record(8))
        self.assertIsNone(directory.lookup(record(7).key))
