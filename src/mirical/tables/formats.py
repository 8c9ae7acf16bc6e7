"""Formats of photometry files (ECSV, journal, FITS), read as one table."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from typing import Any

import numpy as np
from astropy import units as u
from astropy.io import fits
from astropy.table import Column, MaskedColumn, Table
from astropy.table.meta import get_header_from_yaml
from astropy.utils.masked import Masked

from mirical.errors import InputError, reading
from mirical.tables.columns import COLUMNS
from mirical.tables.file_contents import ECSV, FITS, as_text, file_content, heeding, recognise
from mirical.tables.imaging_flux_cal import adapt
from mirical.text import one_line

# Spellings of the journal's machine-readable tables and of STScI's ImagingFluxCal code.
_OTHER_NAMES = {
    "e_iflux": "ifluxunc",
    "iflux_unc": "ifluxunc",
    "e_flux": "fluxunc",
    "flux_unc": "fluxunc",
    "target": "name",
    "star": "name",
    "type": "srctype",
    "band": "filter",
    "timemid": "time",
    "mjd": "time",
    "tint": "inttime",
    "e_model_flux": "model_flux_unc",
}
_TIMED = ("TCTYP", "MJDREF", "JDREF", "DATEREF")  # of headers that say what their times are
SPELLINGS = {name.casefold(): name for name in COLUMNS} | _OTHER_NAMES
"""Column of the photometry contract by its known spellings, in small letters."""


@dataclass(frozen=True)
class TableFile:
    """The tables of one photometry file.

    Attributes
    ----------
    tables : dict of {str : Table}
        By place in the file, as FITS tools write it: ``[1]``, or empty for the only one. With the
        column names of the photometry contract where a known spelling was found; other columns
        keep their names. A FITS file may hold several, such as one a star.
    kind : str
        ``"ECSV"``, ``"MRT"`` or ``"FITS"``.
    notes : tuple of str
        What was assumed, left out or warned of in reading.
    """

    tables: dict[str, Table]
    kind: str
    notes: tuple[str, ...] = ()


def read_tables(path: Path, wanted: Sequence[str]) -> TableFile:
    """Read an ECSV, machine-readable (MRT) or FITS file, told apart by content.

    Parameters
    ----------
    path : Path
        The file; may be packed with gzip.
    wanted : sequence of str
        Columns by which the right tables of a FITS file are known.

    Raises
    ------
    InputError
        If the content is none of the three formats, is broken or too large, two columns claim
        the same name, or it cannot be told which tables are meant.
    """
    source, content = path.name, file_content(path)
    kind = recognise(content)
    if kind is None:
        raise InputError(
            f"{source}: not a photometry table; expected ECSV (first line '# %ECSV 1.0'), "
            "the journal's machine-readable format or a FITS table."
        )
    notes: list[str] = []
    if kind == FITS:
        tables = _fits_tables(content, source, notes)
    else:
        tables = {"": _text_table(as_text(content, source), kind, source, notes)}
    for where, table in tables.items():
        for column in table.itercols():
            _understand_unit(column)
        adapt(_rename(table, f"{source}{where}"))
    if len(tables) > 1:
        tables = _with_columns(tables, wanted, source, notes)
    if kind == FITS:
        notes += _restore_units(tables.values(), source)
    return TableFile(tables, kind, tuple(notes))


def read_columns(path: Path, needed: Sequence[str], notes: list[str] | None = None) -> Table:
    """Read an ECSV table that must have certain columns.

    Parameters
    ----------
    path : Path
        The file; may be packed with gzip.
    needed : sequence of str
        The columns.
    notes : list of str, optional
        What the library warned of is added to it.

    Raises
    ------
    InputError
        If there is no such file, it is not ECSV, or a column is missing.
    """
    expected = f"expected an ECSV table with columns {', '.join(needed)}"
    if not path.exists():
        raise InputError(f"{path}: no such file; {expected}.")
    content = file_content(path)
    if recognise(content) not in (ECSV, None):
        raise InputError(f"{path.name}: is {recognise(content)}; {expected}.")
    heard: list[str] = [] if notes is None else notes
    table = _text_table(as_text(content, path.name), ECSV, path.name, heard)
    for name in needed:
        if name not in table.colnames:
            raise InputError(f"{path.name}: column {name!r} is missing; {expected}.")
    return table


def _text_table(text: str, kind: str, source: str, notes: list[str]) -> Table:
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


def _fits_tables(content: bytes, source: str, notes: list[str]) -> dict[str, Table]:
    """Return the tables of a FITS file by their place in it, as FITS tools write places."""
    tables: dict[str, Table] = {}
    with reading(source, FITS), heeding(source, notes):
        with fits.open(io.BytesIO(content), memmap=False) as file:
            for i, extension in enumerate(file):
                if isinstance(extension, fits.BinTableHDU | fits.TableHDU):
                    _refuse_repeated(extension.columns.names, f"{source}[{i}]")
                    # Pairs of numbers are times where the header says so (TCTYPn, MJDREF).
                    timed = any(key.startswith(_TIMED) for key in extension.header)
                    table = Table.read(extension, format="fits", astropy_native=timed)
                    tables[f"[{i}]"] = _in_unicode(table)
    if not tables:
        raise InputError(f"{source}: is FITS without a table; expected one of photometry.")
    return tables if len(tables) > 1 else {"": next(iter(tables.values()))}


def _in_unicode(table: Table) -> Table:
    """Decode the text of FITS; astropy's own way of it stops at columns of times."""
    for name in table.colnames:
        column = table[name]
        if isinstance(column, Column) and column.dtype.kind == "S":
            text = np.strings.decode(np.ma.getdata(column), "utf-8")
            table[name] = MaskedColumn(text, mask=np.ma.getmaskarray(column))
    return table


def _refuse_repeated(names: Sequence[str], source: str) -> None:
    for name in names:
        if list(names).count(name) > 1:
            raise InputError(f"{source}: two columns are called {name!r}; rename or drop one.")


def _with_columns(
    tables: dict[str, Table], wanted: Sequence[str], source: str, notes: list[str]
) -> dict[str, Table]:
    """Return those of several tables that have the wanted columns; name the others."""
    lacks = {
        where: [name for name in wanted if name not in table.colnames]
        for where, table in tables.items()
    }
    chosen = {where: table for where, table in tables.items() if not lacks[where]}
    if not chosen:
        raise InputError(
            f"{source}: {len(tables)} tables, none with the columns {', '.join(wanted)}; save the "
            "one that is meant in a file of its own, with these columns."
        )
    for where, missing in lacks.items():
        if 0 < len(missing) < len(wanted) / 2:
            raise InputError(
                f"{source}{where}: one of {len(tables)} tables, and has no column {missing[0]!r}; "
                "all tables of a file are read as one: give it the column, or save the tables that "
                "are meant in a file of their own."
            )
    left_out = [f"{source}{where}" for where, missing in lacks.items() if missing]
    read = [f"{source}{where}" for where, missing in lacks.items() if not missing]
    if len(read) > 1:
        notes.append(
            f"{source}: {len(read)} tables ({', '.join(read)}) are read as one, their rows "
            "numbered through."
        )
    if left_out:
        notes.append(
            f"{', '.join(left_out)}: not read; no photometry (lacks most of the columns "
            f"{', '.join(wanted)})."
        )
    return chosen


def _restore_units(tables: Iterable[Table], source: str) -> list[str]:
    """Give columns of FITS in DN the unit that FITS writers drop; say so."""
    bare: dict[str, str] = {}
    for table in tables:
        for name, column in COLUMNS.items():
            in_dn = column.unit is not None and u.DN in column.unit.bases
            if in_dn and name in table.colnames and table[name].info.unit is None:
                table[name].info.unit = column.unit
                bare[name] = str(column.unit)
    if not bare:
        return []
    units = ", ".join(f"{name} [{unit}]" for name, unit in bare.items())
    return [
        f"{source}: columns without a unit are taken in that of the photometry table: {units}; "
        "FITS writers drop DN, which TUNITn keywords state."
    ]


def texts(column: Column) -> list[str]:
    """Return the entries of a column as texts of one line (`one_line`); missing ones are empty."""
    entries = ["" if np.ma.is_masked(entry) else str(entry) for entry in column]
    lines = {entry: one_line(entry) for entry in set(entries)}  # a long table has few names
    return [lines[entry] for entry in entries]


def numbers(
    column: Column, unit: u.UnitBase, where: str, bare: u.UnitBase | None = None
) -> u.Quantity:
    """Return the entries of a column in a unit; missing ones are NaN.

    Parameters
    ----------
    column : Column
        Column of numbers.
    unit : Unit
        Unit of the answer.
    where : str
        Beginning of the error sentence.
    bare : Unit, optional
        Unit of a column that states none; without it that is an error.

    Raises
    ------
    InputError
        If the column is not one number a row, or its unit does not convert.
    """
    where = f"{where}: column {column.info.name!r}"
    try:
        if getattr(column.info.dtype, "kind", "") in "bc":
            raise TypeError("neither truth values nor complex numbers are measured")
        values = np.ma.filled(np.ma.asarray(column).astype(float), np.nan)
    except (TypeError, ValueError) as error:
        raise InputError(f"{where} is not numeric; expected numbers in {unit}.") from error
    if values.ndim != 1:
        raise InputError(f"{where} holds arrays; expected one number a row.")
    given = column.unit or bare
    if given is None:
        raise InputError(f"{where} has no unit; expected {unit}.")
    try:
        return (values * given).to(unit)
    except (TypeError, ValueError) as error:  # astropy's own unit errors are these
        raise InputError(
            f"{where} is in {given}; expected {unit} or a unit that converts to it."
        ) from error


def _understand_unit(column: Column) -> None:
    """Read a unit by astropy's own spelling where the file format's does not know it (DN)."""
    unit = getattr(column, "unit", None)
    if isinstance(unit, u.UnrecognizedUnit):
        with suppress(ValueError):  # a unit nobody knows stays, and is refused if it is needed
            column.unit = u.Unit(str(unit))


def _rename(table: Table, source: str) -> Table:
    for column in table.colnames:
        wanted = SPELLINGS.get(column.casefold())
        if wanted is None or wanted == column:
            continue
        if wanted in table.colnames:
            raise InputError(f"{source}: columns {column!r} and {wanted!r} mean the same thing.")
        table.rename_column(column, wanted)
    return table


def write_ecsv(table: Table, path: Path) -> None:
    """Write a table as ECSV in plain columns with units, masked entries empty.

    Quantities and masked quantities become ordinary columns, so that any
    reader of ECSV finds one column a name; times and places stay what they are.
    """
    plain = Table(meta=table.meta)
    for name in table.colnames:
        column = table[name]
        if not isinstance(column, Column | u.Quantity | Masked):
            plain[name] = column
            continue
        values = getattr(column, "value", column)
        mask = getattr(values, "mask", None)
        plain[name] = Column(values) if mask is None else MaskedColumn(_bare(values), mask=mask)
        plain[name].unit = column.info.unit
        plain[name].info.description = column.info.description
    plain.write(path, format="ascii.ecsv", overwrite=True)


def _bare(values: Any) -> Any:
    return values.unmasked if hasattr(values, "unmasked") else np.ma.getdata(values)
