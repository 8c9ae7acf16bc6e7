"""Bytes of a table's file: packed, marked, in other encodings, too many."""

from __future__ import annotations

import bz2
import gzip
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest

from miri_facts import MIRI
from mirical.errors import InputError
from mirical.table_files import file_contents
from mirical.table_files.file_contents import heeding
from mirical.tables.formats import read_columns
from mirical.tables.photometry import Observations, load_photometry
from samples import WRITERS, photometry, write_ecsv


def reread(tmp_path: Path, change: Callable[[bytes], bytes], kind: str = "ecsv") -> Observations:
    path = WRITERS[kind](photometry(), tmp_path / f"rows.{kind}")
    path.write_bytes(change(path.read_bytes()))
    return load_photometry(str(path), MIRI, "test")


@pytest.mark.parametrize("kind", WRITERS)
def test_a_table_packed_with_gzip_is_the_table(kind: str, tmp_path: Path):
    assert len(reread(tmp_path, gzip.compress, kind).table) == 3


def test_a_byte_order_mark_is_no_part_of_the_table(tmp_path: Path):
    assert len(reread(tmp_path, lambda content: b"\xef\xbb\xbf" + content).table) == 3


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32"])
def test_text_in_other_unicode_is_read(encoding: str, tmp_path: Path):
    assert len(reread(tmp_path, lambda content: content.decode().encode(encoding)).table) == 3


REFUSED: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "utf-16": (
        lambda content: content.decode().encode("utf-16") + b"\x00",
        r"^rows\.ecsv: is damaged UTF-16 text \(truncated data\); save it as UTF-8\.$",
    ),
    "a workbook": (
        lambda content: b"PK\x03\x04 [Content_Types].xml xl/workbook.xml",
        r"^rows\.ecsv: is an Excel workbook; save the sheet as CSV \(UTF-8\)\.$",
    ),
    "HDF5": (lambda content: b"\x89HDF\r\n", r"^rows\.ecsv: is HDF5; save the table as ECSV, FITS"),
    "latin-1": (
        lambda content: content.replace(b"16 Cyg", b"16 C\xfdg"),
        r"^rows\.ecsv line 15: byte 0xfd is not UTF-8 text; save the file as UTF-8\.$",
    ),
    "bzip2": (bz2.compress, r"^rows\.ecsv: is packed \(bzip2\); unpack it, or pack it with gzip\."),
    "cut gzip": (
        lambda content: gzip.compress(content)[:-20],
        r"^rows\.ecsv: cannot be read as gzip \(Compressed file ended before the end-of-stream",
    ),
    "bomb": (
        lambda content: gzip.compress(content + b" " * (file_contents.MOST_BYTES)),
        r"^rows\.ecsv: holds more than 64 MiB, the most that is read of a table; split it, or",
    ),
    "too long": (
        lambda content: content + b" " * (file_contents.MOST_BYTES),
        r"^rows\.ecsv: holds more than 64 MiB",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_content_that_is_not_read_is_named(case: str, tmp_path: Path):
    change, sentence = REFUSED[case]
    with pytest.raises(InputError, match=sentence):
        reread(tmp_path, change)


def test_a_folder_and_a_file_without_permission_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    with pytest.raises(InputError, match="is a folder; give the photometry table in it"):
        load_photometry(str(tmp_path), MIRI, "test")
    with pytest.raises(InputError, match="is a folder; give the table in it"):
        read_columns(tmp_path, ("filter",))

    def denied(*_: object):
        raise PermissionError(13, "Permission denied")

    path = write_ecsv(photometry(), tmp_path / "rows.ecsv")
    monkeypatch.setattr(Path, "open", denied)
    with pytest.raises(InputError, match=r"^rows\.ecsv: cannot be read as a file \(Permission den"):
        load_photometry(str(path), MIRI, "test")


def test_warnings_are_notes_or_refusals_and_the_expected_ones_are_known_by_their_text():
    notes: list[str] = []
    with heeding("rows.fits", notes):
        warnings.warn("'DN / s' did not parse as fits unit: no DN", stacklevel=1)
        warnings.warn("something new\nand more", stacklevel=1)
        warnings.warn("something new\nand more", stacklevel=1)
    assert notes == ["rows.fits: the library that reads it says: something new."]
    with pytest.raises(InputError, match=r"^rows\.fits: is damaged \(File may have been truncated"):
        with heeding("rows.fits", notes):
            warnings.warn("File may have been truncated: 1 is smaller than 2", stacklevel=1)
