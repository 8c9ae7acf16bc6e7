"""Quantities in a table's columns: values with their errors, and times as MJD."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
from astropy import units as u
from astropy.table import Column, Table
from astropy.time import Time
from numpy.typing import NDArray

from mirical.errors import InputError, reading, shown
from mirical.table_files.file_contents import heeding
from mirical.tables.formats import numbers, texts

Floats = NDArray[np.float64]

JD_OF_MJD = 2400000.5
"""Julian date at which MJD begins, days."""

_DATE = re.compile(r"(\d{4}-\d{2}-\d{2})([T ](?P<clock>\d{2}:\d{2}(:\d{2}(\.\d*)?)?)(Z|\+00:00)?)?")
_WANTED = "expected MJD in days, or UTC date and time such as 2022-07-02T12:00:00"
_JULIAN = 2459572.0, 2470001.0  # no MJD is as large
_SCALES = ("utc", "tai", "tt", "tdb", "tcb", "tcg")  # those that lead to UTC without a network


def errors(
    table: Table,
    name: str,
    value: u.Quantity | None,
    unit: u.UnitBase,
    source: str,
    bare: u.UnitBase | None = None,
) -> u.Quantity:
    """Return a column of errors in the unit of its values; missing ones are NaN.

    An error in magnitudes, dex or decibels, ``mag`` or ``mag(AB)``, is a ratio: it becomes
    |d value / d magnitude| times the error, at the value.

    Parameters
    ----------
    table : Table
        The rows.
    name : str
        Column of the errors.
    value : Quantity or None
        What they are errors of, in `unit`; None where the table has no such column.
    unit : Unit
        Unit of the answer.
    source : str
        Beginning of the error sentence.
    bare : Unit, optional
        Unit of a column that states none.

    Raises
    ------
    InputError
        As `numbers`; or if an error is a ratio of a value that is not there.
    """
    column = table[name]
    ratio = _logarithmic(column.info.unit, unit)
    if ratio is None:
        return numbers(column, unit, source, bare)
    stated = numbers(_without_unit(column), u.one, source, u.one).value
    if value is None:
        raise InputError(
            f"{source}: column {name!r} is in {column.info.unit}, a ratio to values that the table "
            f"does not give; give the values, or the errors in {unit}."
        )
    for i in np.flatnonzero(np.isfinite(stated) & ~np.isfinite(value.value)):
        raise InputError(
            f"{source} row {i + 1}: column {name!r} is in {column.info.unit}, a ratio to a value "
            f"that is blank; give the value, or blank its error."
        )
    return ratio * stated * np.abs(value)


def _logarithmic(given: Any, unit: u.UnitBase) -> float | None:
    """Return |d ln(value) / d error| of a logarithmic unit that fits, or None of any other."""
    kind, physical = getattr(given, "function_unit", given), getattr(given, "physical_unit", None)
    if kind is None or not isinstance(kind, u.UnitBase) or not kind.is_equivalent(u.dex):
        return None
    if physical is not None and not physical.is_equivalent(unit):
        return None
    return abs(float(kind.to(u.dex))) * float(np.log(10))


def _without_unit(column: Column) -> Column:
    plain = column.copy()
    plain.info.unit = None
    return plain


def epochs(column: Any, where: str, notes: list[str]) -> Floats:
    """Return the entries of a column of times as MJD (UTC); missing ones are NaN.

    Read are numbers (MJD; Julian dates, told by their size), a column of `astropy.time.Time`
    in any scale that converts to UTC, and text with a date, with or without time of day.

    Parameters
    ----------
    column : Column or Time
        The times.
    where : str
        Beginning of the error sentence.
    notes : list of str
        What was assumed is added to it.

    Raises
    ------
    InputError
        If an entry is none of these.
    """
    name = column.info.name
    if isinstance(column, Time):
        mjd = _of_time(column, where, notes)
    elif _is_dates(column):
        mjd = _of_dates(column, where, notes)
    else:
        mjd = numbers(column, u.d, where, bare=u.d).value
    finite = mjd[np.isfinite(mjd)]
    if len(finite) and np.all((finite > _JULIAN[0]) & (finite < _JULIAN[1])):
        notes.append(f"{where}: column {name!r} holds Julian dates; 2400000.5 is subtracted.")
        return mjd - JD_OF_MJD
    return mjd


def numbered_epochs(table: Table, where: str, notes: list[str]) -> Floats:
    """Return a table's column ``mjd`` as MJD (UTC), and put it in place of what was written.

    The table is written again, and its column then holds what its name and unit say, not dates
    or Julian dates. A column of `astropy.time.Time` says itself what it is, and stays.

    Parameters
    ----------
    table : Table
        With ``mjd``, as `epochs` reads it; changed in place.
    where : str
        Beginning of the error sentence.
    notes : list of str
        What was assumed is added to it.

    Raises
    ------
    InputError
        If an entry is no epoch.
    """
    mjd = epochs(table["mjd"], where, notes)
    if not isinstance(table["mjd"], Time):
        table["mjd"] = mjd * u.d
    return mjd


def _of_time(column: Time, where: str, notes: list[str]) -> Floats:
    name = column.info.name
    if column.ndim != 1:
        raise InputError(f"{where}: column {name!r} holds arrays of times; {_WANTED}.")
    if column.scale not in _SCALES:
        raise InputError(
            f"{where}: column {name!r} holds times in the scale {column.scale!r}, which this "
            f"program does not convert; {_WANTED}."
        )
    with reading(where, f"times of column {name!r}", _WANTED), heeding(where, notes):
        mjd = np.ma.asarray(column.utc.mjd).astype(float)
    return np.where(np.asarray(column.mask), np.nan, np.ma.getdata(mjd))


def _is_dates(column: Column) -> bool:
    if getattr(column.info.dtype, "kind", "") not in "USO" or getattr(column, "ndim", 1) != 1:
        return False
    return any(re.match(r"\d{4}-\d\d-", entry) for entry in texts(column)[:1000])


def _of_dates(column: Column, where: str, notes: list[str]) -> Floats:
    name, mjd = column.info.name, np.full(len(column), np.nan)
    found: dict[int, str] = {}
    days = 0
    for i, entry in enumerate(texts(column)):
        match = _DATE.fullmatch(entry)
        if match:
            found[i] = f"{match[1]}T{match['clock'] or '00:00'}"
            days += match["clock"] is None
        elif entry:
            raise InputError(f"{where} row {i + 1}: column {name!r} is {entry!r}; {_WANTED}.")
    rows, dates = list(found), list(found.values())
    with reading(where, f"dates of column {name!r}", _WANTED), heeding(where, []):
        mjd[rows] = Time(dates, format="isot", scale="utc").mjd
    if days:
        notes.append(f"{where}: column {name!r} has dates without a time of day; 0 h UTC is taken.")
    return mjd


def epoch_of(entry: object, where: str) -> float:
    """Return one epoch as MJD (UTC), days.

    Parameters
    ----------
    entry : float, str, date, datetime or Time
        MJD; a Julian date, told by its size; or a UTC date, ``2026-03-01`` (0 h) or
        ``2026-03-01T12:00``.
    where : str
        Beginning of the error sentence.

    Raises
    ------
    InputError
        If it is none of these.
    """
    column: Any
    if isinstance(entry, Time):
        column = Time([entry])
    else:
        text = str(entry)
        column = Column([text if _DATE.fullmatch(text) else _number(entry, where)])
    column.info.name = "epoch"
    return float(epochs(column, where, [])[0])


def _number(entry: object, where: str) -> float:
    try:
        if isinstance(entry, bool):
            raise ValueError("a truth value is no epoch")
        return float(entry)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError) as error:
        wanted = _WANTED.replace("MJD in days", "an MJD in days, such as 59760")
        raise InputError(f"{where} is {shown(entry)}; {wanted}.") from error
