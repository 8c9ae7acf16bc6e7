"""The tables of a file, or of memory, in any format: recognised, read, with what was assumed."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from typing import Any

from astropy.table import Table
from astropy.table.meta import get_header_from_yaml

from mirical.errors import InputError, reading
from mirical.table_files.delimited import read_delimited
from mirical.table_files.file_contents import (
    CSV,
    ECSV,
    FITS,
    PARQUET,
    VOTABLE,
    as_text,
    file_content,
    heeding,
    recognise,
)
from mirical.table_files.fits_tables import read_fits
from mirical.table_files.in_memory import bytes_of, of_memory
from mirical.table_files.parquet import read_parquet
from mirical.table_files.parts import split_part
from mirical.table_files.units import understand_units
from mirical.table_files.votables import read_votable

FORMATS = (
    "ECSV, CSV or TSV with the names of its columns in the first line, FITS, VOTable, Parquet, or "
    "the journal's machine-readable format"
)
"""What is read, as messages list it."""


@dataclass(frozen=True)
class TableFile:
    """The tables of one file.

    Attributes
    ----------
    tables : dict of {str : Table}
        By place in the file, as FITS tools write it: ``[1]``, or empty for the only one. A FITS
        file or a VOTable may hold several, such as one a star.
    kind : str
        The format, such as ``"FITS"``.
    notes : tuple of str
        What was assumed, left out or warned of in reading.
    sha256 : str
        Of the file's bytes; of a table in memory, of it as ECSV.
    """

    tables: dict[str, Table]
    kind: str
    notes: tuple[str, ...]
    sha256: str


def read_table_file(given: Any, source: str = "") -> TableFile:
    """Read a file of tables, or take one that is in memory.

    Parameters
    ----------
    given : Path or table
        The file, which may be packed with gzip, with the number or name of a table in it in
        brackets (``rows.fits[2]``); or a table in memory, see
        `mirical.table_files.in_memory.of_memory`.
    source : str, optional
        What messages call it; by default the file's name.

    Raises
    ------
    InputError
        If the content is none of the formats, is broken or too large, or two columns have one
        name.
    """
    if not isinstance(given, Path):
        table, kind = of_memory(given, source)
        understand_units(table)
        return TableFile({"": table}, kind, (), hashlib.sha256(bytes_of(table)).hexdigest())
    path, part = split_part(given)
    source, content = source or given.name, file_content(path)
    notes: list[str] = []
    kind = recognise(content) or CSV
    if kind == FITS:
        tables = read_fits(content, source, part, notes)
    elif kind == VOTABLE:
        tables = read_votable(content, source, part, notes)
    elif part:
        raise InputError(f"{source}: is {kind}, a file of one table; leave out [{part}].")
    elif kind == PARQUET:
        tables = {"": read_parquet(content, source, notes)}
    elif kind == CSV:
        table = read_delimited(content, source, notes)
        if table is None:
            raise InputError(f"{source}: not a table that is known; expected {FORMATS}.")
        tables = {"": table}
    else:
        tables = {"": _marked_text(as_text(content, source), kind, source, notes)}
    for table in tables.values():
        understand_units(table)
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    return TableFile(tables, kind, tuple(notes), sha256)


def _marked_text(text: str, kind: str, source: str, notes: list[str]) -> Table:
    """Return the table of ECSV or the journal's machine-readable format."""
    with reading(source, kind), heeding(source, notes):
        table = Table.read(io.BytesIO(text.encode()), format=f"ascii.{kind.casefold()}")
        header = get_header_from_yaml(_comments(text)) if kind == ECSV else {}
    declared = header.get("datatype", []) if isinstance(header, dict) else []
    _refuse_repeated([str(column.get("name")) for column in declared], source)
    return table


def _comments(text: str) -> Iterator[str]:
    """Return the lines of ECSV's header, without their mark."""
    lines = (line for line in text.splitlines()[1:] if line.strip())  # the first names the format
    return (line[2:] for line in takewhile(lambda line: line.startswith("#"), lines))


def _refuse_repeated(names: Sequence[str], source: str) -> None:
    for name in names:
        if list(names).count(name) > 1:
            raise InputError(f"{source}: two columns are called {name!r}; rename or drop one.")
