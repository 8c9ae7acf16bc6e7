"""Tables of FITS files: all of them, each by its place, or the one that is named."""

from __future__ import annotations

import io
import warnings
from pathlib import Path

import numpy as np
from astropy.io import fits
from astropy.table import Column, MaskedColumn, Table

from mirical.errors import InputError, reading
from mirical.table_files.file_contents import FITS, heeding, recognise
from mirical.table_files.parts import chosen_part

_TIMED = ("TCTYP", "MJDREF", "JDREF", "DATEREF")  # of headers that say what their times are


def read_fits(content: bytes, source: str, part: str, notes: list[str]) -> dict[str, Table]:
    """Return the tables of a FITS file by their place in it, as FITS tools write places.

    Parameters
    ----------
    content : bytes
        The file's bytes.
    source : str
        Begins messages.
    part : str
        Number or EXTNAME of the table that is meant; empty for all.
    notes : list of str
        What the library warned of is added to it.

    Returns
    -------
    dict of {str : Table}
        By place, ``[1]``; empty for the only one.

    Raises
    ------
    InputError
        If it is damaged, holds no table, has none of that name, or two columns have one name.
    """
    tables: dict[str, Table] = {}
    names: dict[str, str] = {}
    with reading(source, FITS), heeding(source, notes):
        with fits.open(io.BytesIO(content), memmap=False) as file:
            for i, extension in enumerate(file):
                if isinstance(extension, fits.BinTableHDU | fits.TableHDU):
                    repeated = _repeated(extension.columns.names)
                    if repeated:
                        raise InputError(
                            f"{source}[{i}]: two columns are called {repeated!r}; rename or drop "
                            "one."
                        )
                    # Pairs of numbers are times where the header says so (TCTYPn, MJDREF).
                    timed = any(key.startswith(_TIMED) for key in extension.header)
                    table = Table.read(extension, format="fits", astropy_native=timed)
                    tables[f"[{i}]"], names[f"[{i}]"] = _in_unicode(table), extension.name
    if not tables:
        raise InputError(f"{source}: is FITS without a table; expected one with the columns asked.")
    return chosen_part(tables, names, part, source)


def holds_image(path: Path) -> bool:
    """Return whether a file is FITS and of an image: it has pixels, or no table.

    Raises
    ------
    InputError
        If the file cannot be opened.
    """
    with reading(path.name, "a file"):
        with path.open("rb") as file:
            if recognise(file.read(6)) != FITS:
                return False
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # who reads it tells what is wrong
            with fits.open(path) as file:
                tables = [isinstance(one, fits.BinTableHDU | fits.TableHDU) for one in file]
                pixels = any(one.is_image and one.header["NAXIS"] >= 2 for one in file)
    except Exception:  # damaged: who reads it tells what is wrong
        return True
    return pixels or not any(tables)


def _repeated(names: list[str]) -> str:
    return next((name for name in names if names.count(name) > 1), "")


def _in_unicode(table: Table) -> Table:
    """Decode the text of FITS; astropy's own way of it stops at columns of times."""
    for name in table.colnames:
        column = table[name]
        if isinstance(column, Column) and column.dtype.kind == "S":
            text = np.strings.decode(np.ma.getdata(column), "utf-8")
            table[name] = MaskedColumn(text, mask=np.ma.getmaskarray(column))
    return table
