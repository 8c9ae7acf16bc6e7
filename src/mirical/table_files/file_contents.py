"""Contents of a table's file: decompressed, bounded in size, its format recognised."""

from __future__ import annotations

import codecs
import gzip
import io
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mirical.errors import InputError, reading, reason_of

MOST_BYTES = 64 * 2**20
"""The largest table that is read, unpacked: some 500 000 rows of photometry."""

ECSV, MRT, FITS, VOTABLE, PARQUET, CSV = "ECSV", "MRT", "FITS", "VOTable", "Parquet", "CSV"
"""Formats of tables; `recognise` tells all but CSV, which has no mark."""

_COMPRESSED = {
    b"BZh": "bzip2",
    b"\xfd7zXZ": "xz",
    b"PK\x03\x04": "zip",
    b"\x28\xb5\x2f\xfd": "zstd",
}
_OTHER_UNICODE = {
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
_OTHER_KINDS = {
    b"\xd0\xcf\x11\xe0": "an Excel workbook; save the sheet as CSV",
    b"\x89HDF": "HDF5; save the table as ECSV, FITS or Parquet",
}

# Warnings that say nothing of the numbers, each by its text.
_EXPECTED = re.compile(
    # Units that FITS and MRT do not list (DN, magnitudes) are understood by `formats`.
    r"did not parse as"
    # Times of a mission that has its own place in space.
    r"|reference position will be ignored"
    # Leap seconds after the library's last are not known to anybody.
    r"|dubious year"
)
_DAMAGE = re.compile(r"truncated|corrupt|extra bytes|error validating header", re.IGNORECASE)


def file_content(path: Path) -> bytes:
    """Return what a file holds, unpacked if it is gzip, without a byte order mark.

    Text in UTF-16 or UTF-32, told by its mark, is returned as UTF-8.

    Raises
    ------
    InputError
        If it is a folder, cannot be read, is packed in another way, is a spreadsheet, or holds
        more than `MOST_BYTES`.
    """
    if path.is_dir():
        raise InputError(f"{path}: is a folder; give the table in it.")
    with reading(path.name, "a file"):
        with path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
    if content.startswith(b"\x1f\x8b"):
        with reading(path.name, "gzip", "unpack it with gunzip to see what is wrong"):
            with gzip.GzipFile(fileobj=io.BytesIO(content)) as file:
                content = file.read(MOST_BYTES + 1)
    if len(content) > MOST_BYTES:
        raise InputError(
            f"{path.name}: holds more than {MOST_BYTES >> 20} MiB, the most that is read of a "
            "table; split it, or leave out columns that are not needed."
        )
    for start, kind in _OTHER_KINDS.items():
        if content.startswith(start):
            raise InputError(f"{path.name}: is {kind}.")
    if content.startswith(b"PK\x03\x04") and b"xl/" in content:
        raise InputError(f"{path.name}: is an Excel workbook; save the sheet as CSV (UTF-8).")
    for start, name in _COMPRESSED.items():
        if content.startswith(start):
            raise InputError(f"{path.name}: is packed ({name}); unpack it, or pack it with gzip.")
    for mark, encoding in _OTHER_UNICODE.items():
        if content.startswith(mark):
            try:
                return content.decode(encoding).removeprefix("\ufeff").encode()
            except UnicodeDecodeError as error:
                raise InputError(
                    f"{path.name}: is damaged {encoding.upper()} text ({error.reason}); save it as "
                    "UTF-8."
                ) from error
    return content.removeprefix(codecs.BOM_UTF8)


def recognise(content: bytes) -> str | None:
    """Return which of the formats with a mark a file's content is in, if any."""
    if content.startswith(b"SIMPLE"):
        return FITS
    if content.startswith(b"PAR1"):
        return PARQUET
    if content.startswith(b"# %ECSV"):
        return ECSV
    if b"byte-by-byte description" in content[:20000].lower():
        return MRT
    if b"<VOTABLE" in content[:4096].replace(b":VOTABLE", b"<VOTABLE"):
        return VOTABLE
    return None


def as_text(content: bytes, source: str) -> str:
    """Return a file's content as text.

    Raises
    ------
    InputError
        If it is not UTF-8; names the line.
    """
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise InputError(
            f"{source} line {line}: byte 0x{content[error.start]:02x} is not UTF-8 text; save the "
            "file as UTF-8."
        ) from error


@contextmanager
def heeding(source: str, notes: list[str]) -> Iterator[None]:
    """Turn what a library warns of into notes, or into a refusal where it tells of damage.

    Warnings that say nothing of the numbers are left out, each by its text.

    Parameters
    ----------
    source : str
        Name of the file.
    notes : list of str
        What was warned of is added to it.

    Raises
    ------
    InputError
        If the library says that the file is cut short or damaged, and so would read a part of it.
    """
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        yield
    said: dict[str, None] = {}
    for message in (each.message for each in heard if isinstance(each.message, Warning)):
        if _DAMAGE.search(str(message)):
            raise InputError(f"{source}: is damaged ({reason_of(message)}); get it again.")
        if not _EXPECTED.search(str(message)):
            said[f"{source}: the library that reads it says: {reason_of(message)}."] = None
    notes += said
