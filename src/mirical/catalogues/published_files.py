"""Files of published tables as VizieR and journals hand them out, read as tables."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from astropy.table import Table

from mirical.errors import InputError
from mirical.table_files.file_contents import VOTABLE, file_content, recognise
from mirical.table_files.votables import votable_tables
from mirical.tables.formats import read_tables


def read_published(path: Path, wanted: Sequence[str], notes: list[str]) -> dict[str, Table]:
    """Read a file that was downloaded, in any format.

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
        Tables by place in the file, those of a VOTable by name.

    Raises
    ------
    InputError
        If there is no such file, or it cannot be read.
    """
    if not path.exists():
        raise InputError(f"{path}: no such file; expected a table that was downloaded by hand.")
    content = file_content(path)
    if recognise(content) == VOTABLE:
        return votable_tables(content, path.name, notes)
    file = read_tables(path, wanted)
    notes += file.notes
    return {f"{path.name}{place}": table for place, table in file.tables.items()}
