"""FITS files: read whole as plain arrays, headers bounded, JWST data models written."""

from __future__ import annotations

import io
import mmap
import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

from mirical.errors import InputError, reading
from mirical.text import ascii_text

_CARD, _BLOCK = 80, 2880  # bytes: of a header's line, and what a file is a multiple of
_MOST = 999  # axes or columns by the standard
_COUNTS = re.compile(rb"(NAXIS  |TFIELDS) = *([0-9]+)")
Columns = Mapping[str, NDArray[Any]]
_SIZES = re.compile(rb"(?:BITPIX|NAXIS\d*|PCOUNT|GCOUNT|TFIELDS) *= *([+-]?\d+)")
_VARIABLE = ("P", "Q")  # formats of columns whose entries differ in length


def endless_header(path: Path) -> str:
    """Return what is wrong with a header that counts more than FITS allows; empty if none does.

    Astropy makes as many entries as NAXIS or TFIELDS says before it looks whether they are
    there: a damaged digit costs hours, or all memory.

    Parameters
    ----------
    path : Path
        An uncompressed file that exists; of any kind.

    Raises
    ------
    OSError
        If it cannot be read.
    """
    with path.open("rb") as file:
        if not file.read(1):
            return ""  # nothing to map
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            for found in _COUNTS.finditer(content):
                if found.start() % _CARD == 0 and int(found[2]) > _MOST:
                    keyword, number = found[1].decode().strip(), found[2].decode()
                    return f"keyword {keyword} is {number}; FITS allows up to {_MOST}"
    return ""


def save_model(model: Any, path: Path) -> None:
    """Write a data model with checksums.

    The model writes its file's name into the header, which holds ASCII alone: a name with other
    letters stands there as `mirical.text.ascii_text` has it.

    Parameters
    ----------
    model : JwstDataModel
        What to write.
    path : Path
        FITS file in an existing folder; replaced if it exists.
    """
    stored = path.with_name(ascii_text(path.name))
    model.save(str(stored), checksum=True)
    stored.replace(path)


@dataclass(frozen=True)
class Extension:
    """One extension of a FITS file.

    Attributes
    ----------
    name : str
        In upper case; ``PRIMARY`` for the first.
    header : mapping
        Keywords that have a value, without history and comments.
    history : str
        A line each.
    columns : mapping of {str : (row, ...) array} or None
        Of a table, by their names as written.
    image : array or None
        Of an image.
    """

    name: str
    header: Mapping[str, Any]
    history: str
    columns: Columns | None
    image: NDArray[Any] | None


@dataclass(frozen=True)
class FitsContents:
    """What is in a FITS file.

    Attributes
    ----------
    extensions : tuple of Extension
        In the order of the file.
    changed : bool
        Whether a checksum says that the file is not as it was written.
    """

    extensions: tuple[Extension, ...]
    changed: bool

    def named(self, name: str) -> Extension | None:
        """Return the first extension of a name, None if there is none."""
        return next((one for one in self.extensions if one.name == name), None)


def read_fits(path: Path, expected: str) -> FitsContents:
    """Read a FITS file into memory.

    Parameters
    ----------
    path : Path
        The file.
    expected : str
        What kind of file it should be, as sentences end: "expected a ...".

    Raises
    ------
    InputError
        If there is no such file, or it is damaged beyond reading.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such file; {expected}.")
    damaged = InputError(f"{path.name}: is cut short or damaged; copy or make it again.")
    # What the library says of odd headers is not for users: callers judge what was read.
    with reading(path.name, "FITS", expected), warnings.catch_warnings(action="ignore"):
        raw = path.read_bytes()
        too_large = any(size > max(len(raw), _MOST) for size in _sizes(raw))
        if too_large or (len(raw) % _BLOCK and raw.startswith(b"SIMPLE")):
            raise damaged
        # Opened from memory: astropy leaves a file it cannot make sense of open.
        with fits.open(io.BytesIO(raw)) as opened:
            if not all(_fits_in(one, len(raw)) for one in opened):
                raise damaged
            extensions = tuple(_extension(one) for one in opened)
            return FitsContents(extensions, any(_is_changed(one) for one in opened))


def _sizes(raw: bytes) -> list[int]:
    """Return every size that a card of a header states; cards are 80 bytes long."""
    cards = (_SIZES.match(raw, at, at + _CARD) for at in range(0, len(raw), _CARD))
    return [abs(int(card[1])) for card in cards if card]


def _fits_in(opened: Any, available: int) -> bool:
    """Return whether a file has room for the data that an extension's header declares."""
    if isinstance(opened, fits.BinTableHDU):
        row = opened.columns.dtype.itemsize
        if row != opened.header["NAXIS1"] or len(opened.columns) > _MOST:
            return False
    return 0 <= opened.size <= available - opened.fileinfo()["datLoc"]


def _is_changed(opened: Any) -> bool:
    """Return whether the checksums of an extension, where it has any, are not its own."""
    return opened.verify_datasum() == 0 or opened.verify_checksum() == 0


def _extension(opened: Any) -> Extension:
    """Return an extension in plain arrays."""
    header = {
        str(card.keyword): card.value
        for card in opened.header.cards
        if card.keyword not in ("HISTORY", "COMMENT", "")
        and not isinstance(card.value, fits.card.Undefined)
    }
    columns = image = None
    if isinstance(opened, fits.BinTableHDU) and opened.data is not None:
        columns = {
            str(column.name): np.array(opened.data[column.name])
            for column in opened.columns
            if not any(letter in str(column.format) for letter in _VARIABLE)
        }
    elif isinstance(opened, fits.PrimaryHDU | fits.ImageHDU) and opened.data is not None:
        image = np.array(opened.data)
    history = "\n".join(map(str, opened.header.get("HISTORY", [])))
    return Extension(str(opened.name).upper(), header, history, columns, image)
