"""Tables of the contract's columns, from files of any format: spellings, units, one or several."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from astropy import units as u
from astropy.table import Column, Table

from mirical.errors import InputError
from mirical.instruments.instrument import Instrument
from mirical.table_files.choosing import only_table, tables_with
from mirical.table_files.in_memory import is_table, plain_columns
from mirical.table_files.parts import split_part
from mirical.table_files.table_file import TableFile, read_table_file
from mirical.tables.column_units import Units, settle_units
from mirical.tables.columns import COLUMNS
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
    "jd": "time",
    "tint": "inttime",
    "e_model_flux": "model_flux_unc",
}
IN_MEMORY = "table"
"""What messages and the report call a table that was given in memory."""

SPELLINGS = {name.casefold(): name for name in COLUMNS} | _OTHER_NAMES
"""Column of the photometry contract by its known spellings, in small letters."""

_EPOCH = "mjd"  # what grids call the contract's time


def read_tables(
    given: Any, wanted: Sequence[str], source: str = "", named: Mapping[str, str] | None = None
) -> TableFile:
    """Read photometry in any format: the tables of a file that have the wanted columns.

    Parameters
    ----------
    given : Path or table
        As `mirical.table_files.table_file.read_table_file` takes it.
    wanted : sequence of str
        Columns by which the right tables of a file of several are known.
    source : str, optional
        What messages call it; by default the file's name.
    named : mapping of {str : str}, optional
        The table's own names of columns, by those of the contract.

    Returns
    -------
    TableFile
        With the column names of the contract where a known spelling was found; other columns keep
        their names.

    Raises
    ------
    InputError
        If it is no table or a broken one, two columns claim the same name, one that is named is
        not there, or it cannot be told which tables are meant.
    """
    source = source or given.name
    file = read_table_file(given, source)
    named = named or {}
    for own in named.values():
        if not any(_spelled(own, table) for table in file.tables.values()):
            listed = ", ".join(dict.fromkeys(n for t in file.tables.values() for n in t.colnames))
            raise InputError(
                f"{source}: has no column {own!r}, which [columns] of the job names; it has "
                f"{listed}."
            )
    for where, table in file.tables.items():
        adapt(_rename(_name(table, named), f"{source}{where}", named))
    if len(file.tables) == 1:
        return file
    notes: list[str] = []
    tables = tables_with(file.tables, wanted, source, notes)
    return replace(file, tables=tables, notes=(*file.notes, *notes))


def read_columns(
    given: Any,
    needed: Sequence[str],
    notes: list[str] | None = None,
    units: Units | None = None,
    instrument: Instrument | None = None,
) -> Table:
    """Read a table that must have certain columns, in any format.

    Parameters
    ----------
    given : Path or table
        The file; may be packed with gzip, and name a table in it (``rows.fits[2]``). Or a table in
        memory.
    needed : sequence of str
        The columns.
    notes : list of str, optional
        What was assumed in reading is added to it.
    units : mapping of {str : Unit or None}, optional
        Optional columns too, with the unit of each; None for text.
    instrument : Instrument, optional
        Whose bands and subarrays are meant, whatever their capitals.

    Raises
    ------
    InputError
        If there is no such file, it is no table, a column is missing, or several tables of the
        file have the columns.
    """
    heard: list[str] = [] if notes is None else notes
    expected = f"expected a table with columns {', '.join(needed)}"
    if not is_table(given) and not split_part(given)[0].exists():
        raise InputError(f"{given}: no such file; {expected}.")
    source = called(given)
    file = read_table_file(given, source)
    heard += file.notes
    units = units or {}
    for table in file.tables.values():
        _rename_known(table, (*needed, *units))
    table = only_table(file.tables, needed, source, expected, heard)
    settle_units([table], units, file.kind, source, heard)
    if instrument is not None:
        spell_names(table, instrument)
    return table


def called(given: Any) -> str:
    """Return what messages call a file or a table in memory."""
    return IN_MEMORY if is_table(given) else Path(given).name


def spell_names(table: Table, instrument: Instrument) -> None:
    """Spell bands and subarrays as the instrument's card does, whatever their capitals; in place.

    A name that the card does not have stays what it is.
    """
    for column, spelled in (
        ("filter", instrument.spelled_band),
        ("subarray", instrument.spelled_subarray),
    ):
        if column in table.colnames:
            found = {name: spelled(name) for name in set(texts(table[column]))}
            table[column] = [found[name] for name in texts(table[column])]


def _rename_known(table: Table, known: Sequence[str]) -> None:
    """Give columns the names they are known by, whatever their capitals; exact names come first."""
    spelled = {name.casefold(): name for name in known}
    for column in list(table.colnames):
        folded = column.strip().casefold()
        alias = SPELLINGS.get(folded, "")
        alias = _EPOCH if alias == "time" and "time" not in known else alias
        wanted = spelled.get(folded, alias)
        if wanted in known and wanted not in table.colnames:
            table.rename_column(column, wanted)


def _name(table: Table, named: Mapping[str, str]) -> Table:
    """Give the columns that a job names the contract's names, in place of any that have them."""
    found = {name: own for name in named if (own := _spelled(named[name], table))}
    for name, own in found.items():
        if name in table.colnames and own != name and name not in found.values():
            table.remove_column(name)
    for name, own in found.items():  # in two steps, since two may have changed their names
        table.rename_column(own, f"{name}\0")
    for name in found:
        table.rename_column(f"{name}\0", name)
    return table


def _spelled(own: str, table: Table) -> str:
    """Return the column of that name: exactly, or the only one but for capitals and blanks."""
    if own in table.colnames:
        return own
    folded = own.strip().casefold()
    found = [name for name in table.colnames if name.strip().casefold() == folded]
    return found[0] if len(found) == 1 else ""


def _rename(table: Table, source: str, named: Mapping[str, str]) -> Table:
    for column in table.colnames:
        wanted = SPELLINGS.get(column.strip().casefold())
        if wanted is None or wanted == column or wanted in named:
            continue
        if wanted in table.colnames:
            raise InputError(f"{source}: columns {column!r} and {wanted!r} mean the same thing.")
        table.rename_column(column, wanted)
    return table


def texts(column: Column) -> list[str]:
    """Return the entries of a column as texts of one line (`one_line`); missing ones are empty."""
    if getattr(column, "dtype", None) is not None and column.dtype.kind == "f":
        entries = [_plain(entry) for entry in np.ma.filled(np.ma.asarray(column), np.nan).tolist()]
    else:
        entries = ["" if np.ma.is_masked(entry) else str(entry) for entry in column]
    lines = {entry: one_line(entry) for entry in set(entries)}  # a long table has few names
    return [lines[entry] for entry in entries]


def _plain(number: float) -> str:
    """Return a number as the text it was: whole ones become 1536.0 where a column has blanks."""
    if np.isnan(number):
        return ""
    return str(int(number)) if number.is_integer() else str(number)


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
        commas = any("," in entry for entry in texts(column)[:1000])
        point = ", with a decimal point and nothing between thousands" if commas else ""
        raise InputError(f"{where} is not numeric; expected numbers in {unit}{point}.") from error
    if values.ndim != 1:
        raise InputError(f"{where} holds arrays; expected one number a row.")
    given = column.unit or bare
    if given is None:
        raise InputError(f"{where} has no unit; expected {unit}.")
    try:
        return (values * given).to(unit)
    except (TypeError, ValueError) as error:  # astropy's own unit errors are these
        raise InputError(
            f"{where} is in {given}; expected {unit} or a unit that converts to it"
            f"{_hint(given, unit)}."
        ) from error


def _hint(given: Any, unit: u.UnitBase) -> str:
    """Return what to know of a unit that does not convert."""
    if given == u.mag:
        return ", such as magnitudes with their zero point, mag(AB)"
    bases = {*getattr(given, "bases", ()), *unit.bases}
    if u.electron in bases and {u.DN, u.adu} & bases:
        return "; electrons and DN differ by the gain"
    return ""


def write_ecsv(table: Table, path: Path) -> None:
    """Write a table as ECSV in plain columns with units, masked entries empty.

    Quantities and masked quantities become ordinary columns, so that any
    reader of ECSV finds one column a name; times and places stay what they are.
    """
    plain_columns(table).write(path, format="ascii.ecsv", overwrite=True)
