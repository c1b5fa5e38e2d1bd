"""The messages of files, as their page says."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from rhotwist.limits import Limits
from rhotwist.link.file_plan import PART_MOST
from rhotwist.service.messages import (
    FileCancel,
    FileForgotten,
    FileOffer,
    FilePart,
    FilePlanPiece,
    FileStage,
    FileStand,
    PartHere,
)
from rhotwist.wire.message import HEAD
from tests.keys.pages import vectors
from tests.link.test_file_plan import plan

ID = bytes(range(16))


class PageTests(SynchronousTestCase):
    """docs/spec/files.md."""

    def test_the_page_has_the_identifier_of_every_schema(self) -> None:
        page = vectors("files.md")
        for schema in (FileOffer, FileStand, FilePlanPiece, FilePart, PartHere, FileCancel, FileForgotten):
            self.assertEqual(f"{schema.identifier:08x}", page[f"identifier of `{schema.schema_name}`"])

    def test_the_page_has_one_body_of_each_kind(self) -> None:
        page, made = vectors("files.md"), plan()
        offer = FileOffer(id=ID, root=made.root(), total=made.total, part=made.part, name=made.name)
        self.assertEqual(page["`rho.file-offer` of it"], offer.encode().hex())
        self.assertEqual(page["`rho.part`, the last one"], FilePart(id=ID, index=2, data=b"g").encode().hex())
        stand = FileStand(stage=FileStage.TAKING, here=b"\x05")
        self.assertEqual(page["`rho.file-stand`, parts 0 and 2 are there"], stand.encode().hex())


class SizeTests(SynchronousTestCase):
    """What fits where."""

    def test_a_part_and_a_piece_are_one_object_each(self) -> None:
        for schema in (FilePart, FilePlanPiece):
            body = schema(id=ID, index=2**32 - 1, data=bytes(PART_MOST)).encode()
            self.assertLessEqual(HEAD + len(body), Limits().object_max)

    def test_the_bits_of_the_largest_file_fit_into_a_stand(self) -> None:
        FileStand(stage=2, here=bytes(-(-Limits().file_parts_max // 8))).encode()
