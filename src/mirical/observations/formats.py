"""Photometry files of three formats, read as one table with the contract's column names."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from astropy import units as u
from astropy.table import Column, MaskedColumn, Table
from astropy.utils.exceptions import AstropyWarning

from mirical.errors import InputError
from mirical.observations.columns import COLUMNS
from mirical.text import one_line

# Spellings of the journal's machine-readable tables and of the STScI-MIRI code.
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
_SPELLINGS = {name.casefold(): name for name in COLUMNS} | _OTHER_NAMES


def read_table(path: Path) -> Table:
    """Read an ECSV, machine-readable (MRT) or FITS table, told apart by content.

    Returns
    -------
    Table
        With the column names of the photometry contract where a known
        spelling was found; other columns keep their names.

    Raises
    ------
    InputError
        If the content is none of the three formats, is broken, or two
        columns claim the same name.
    """
    kind = _recognise(path)
    try:
        with warnings.catch_warnings():
            # Units the FITS and MRT standards do not list (DN) are understood below.
            warnings.simplefilter("ignore", AstropyWarning)
            table = Table.read(path, format=kind)
            for column in table.itercols():
                _understand_unit(column)
    except Exception as error:  # each reader fails in its own way on a broken file
        raise InputError(
            f"{path.name}: cannot be read as {kind} ({_first_line(error)})."
        ) from error
    return _rename(table, path.name)


def read_columns(path: Path, needed: Sequence[str]) -> Table:
    """Read an ECSV table that must have certain columns.

    Raises
    ------
    InputError
        If there is no such file, it is not ECSV, or a column is missing.
    """
    expected = f"expected an ECSV table with columns {', '.join(needed)}"
    if not path.is_file():
        raise InputError(f"{path}: no such file; {expected}.")
    try:
        table = Table.read(path, format="ascii.ecsv")
    except Exception as error:  # astropy's reader fails in many ways on a broken file
        raise InputError(f"{path.name}: cannot be read as ECSV ({_first_line(error)}).") from error
    for name in needed:
        if name not in table.colnames:
            raise InputError(f"{path.name}: column {name!r} is missing; {expected}.")
    return table


def texts(column: Column) -> list[str]:
    """Return the entries of a column as texts of one line (`one_line`); missing ones are empty."""
    return ["" if np.ma.is_masked(entry) else one_line(str(entry)) for entry in column]


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


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def _recognise(path: Path) -> str:
    head = path.read_bytes()[:20000]
    if head.startswith(b"SIMPLE"):
        return "fits"
    if head.startswith(b"# %ECSV"):
        return "ascii.ecsv"
    if b"byte-by-byte description" in head.lower():
        return "ascii.mrt"
    raise InputError(
        f"{path.name}: not a photometry table; expected ECSV (first line '# %ECSV 1.0'), "
        "the journal's machine-readable format or a FITS table."
    )


def _understand_unit(column: Column) -> None:
    """Read a unit by astropy's own spelling where the file format's does not know it (DN)."""
    unit = getattr(column, "unit", None)
    if isinstance(unit, u.UnrecognizedUnit):
        with suppress(ValueError):  # a unit nobody knows stays, and is refused if it is needed
            column.unit = u.Unit(str(unit))


def _rename(table: Table, source: str) -> Table:
    for column in table.colnames:
        wanted = _SPELLINGS.get(column.casefold())
        if wanted is None or wanted == column:
            continue
        if wanted in table.colnames:
            raise InputError(f"{source}: columns {column!r} and {wanted!r} mean the same thing.")
        table.rename_column(column, wanted)
    return table


def write_ecsv(table: Table, path: Path) -> None:
    """Write a table as ECSV in plain columns with units, masked entries empty.

    Quantities and masked quantities become ordinary columns, so that any
    reader of ECSV finds one column a name.
    """
    plain = Table(meta=table.meta)
    for name in table.colnames:
        column = table[name]
        values = getattr(column, "value", column)
        mask = getattr(values, "mask", None)
        plain[name] = Column(values) if mask is None else MaskedColumn(_bare(values), mask=mask)
        plain[name].unit = column.info.unit
        plain[name].info.description = column.info.description
    plain.write(path, format="ascii.ecsv", overwrite=True)


def _bare(values: Any) -> Any:
    return values.unmasked if hasattr(values, "unmasked") else np.ma.getdata(values)
