"""Files of published tables as VizieR and journals hand them out, read as tables."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from astropy import units as u
from astropy.io import votable
from astropy.table import Table

from mirical.errors import InputError, reading
from mirical.tables.file_contents import as_text, file_content, heeding, recognise
from mirical.tables.formats import read_tables

VOTABLE, CSV = "VOTable", "CSV"


def read_published(path: Path, wanted: Sequence[str], notes: list[str]) -> dict[str, Table]:
    """Read a file that was downloaded: MRT, FITS, ECSV, VOTable or CSV, told apart by content.

    Parameters
    ----------
    path : Path
        The file; may be packed with gzip.
    wanted : sequence of str
        Columns by which the right tables of a FITS file are known.
    notes : list of str
        What was assumed in reading is added to it.

    Returns
    -------
    dict of {str : Table}
        Tables by place in the file; those of CSV state no units.

    Raises
    ------
    InputError
        If there is no such file, or it cannot be read.
    """
    if not path.exists():
        raise InputError(f"{path}: no such file; expected a table that was downloaded by hand.")
    content, source = file_content(path), path.name
    if recognise(content) is not None:
        file = read_tables(path, wanted)
        notes += file.notes
        return {f"{source}{place}": table for place, table in file.tables.items()}
    if b"<VOTABLE" in content[:4096].replace(b":VOTABLE", b"<VOTABLE"):
        return votable_tables(content, source, notes)
    text = as_text(content, source)
    if "," not in text.partition("\n")[0]:
        raise InputError(
            f"{source}: not a published table; expected the journal's machine-readable format, "
            "a VOTable, FITS, ECSV, or CSV with the names of its columns in the first line."
        )
    with reading(source, CSV), heeding(source, notes):
        return {source: Table.read(io.BytesIO(text.encode()), format="ascii.csv")}


def votable_tables(
    content: bytes, source: str, notes: list[str], remedy: str = "get it again"
) -> dict[str, Table]:
    """Return the tables of a VOTable by name, numbers with the digits that were sent.

    Parameters
    ----------
    content : bytes
        The VOTable.
    source : str
        What messages call it.
    notes : list of str
        What the library warned of is added to it.
    remedy : str, optional
        What to do about a refusal; ends its sentence.

    Raises
    ------
    InputError
        If it is damaged or cut short, tells of an error of the service, or holds no row.
    """
    with reading(source, VOTABLE, remedy), heeding(source, notes):
        tree = votable.parse(io.BytesIO(content), verify="ignore", invalid="mask")
        infos = [*tree.infos, *(info for part in tree.resources for info in part.infos)]
        found = [table for table in tree.iter_tables() if len(table.array)]
        tables = {
            str(table.name or table.ID or number): table.to_table(use_names_over_ids=True)
            for number, table in enumerate(found, start=1)
        }
    said = [(str(info.name).casefold(), str(info.value).strip()) for info in infos]
    for name, value in said:
        if name in ("error", "query_status") and value not in ("", "OK"):
            words = value if name == "error" else f"its status is {value}"
            raise InputError(f"{source}: the service says that it failed ({words}); {remedy}.")
    if not tables:
        raise InputError(f"{source}: is a VOTable without rows; {remedy}.")
    for table in tables.values():
        for column in table.itercols():
            if column.unit is not None:  # read again: units of VizieR do not have DN
                column.unit = u.Unit(str(column.unit), parse_strict="silent")
        _keep_digits(table)
    return tables


def _keep_digits(table: Table) -> None:
    """Read single-precision numbers by the digits they stand for: 59737.6, not 59737.6016."""
    for name in table.colnames:
        column = table[name]
        if column.dtype == np.float32 and column.ndim == 1:
            table[name] = column.astype(str).astype(np.float64)
