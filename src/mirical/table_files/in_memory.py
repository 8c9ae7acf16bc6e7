"""Tables in memory, of astropy and pandas and what turns into these, as plain astropy tables."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

import numpy as np
from astropy import units as u
from astropy.table import Column, MaskedColumn, Table
from astropy.utils.masked import Masked

from mirical.errors import InputError, reading
from mirical.table_files.units import split_header, unit_of_text

PANDAS, ASTROPY = "a pandas table", "an astropy table"
"""Kinds of table in memory, as messages call them."""


def is_table(given: object) -> bool:
    """Return whether an object is a table in memory: of astropy, pandas, polars or pyarrow."""
    return isinstance(given, Table | Mapping) or _is_pandas(given) or hasattr(given, "to_pandas")


def of_memory(given: Any, source: str) -> tuple[Table, str]:
    """Return a copy of a table in memory, and its kind.

    Parameters
    ----------
    given : Table, DataFrame, mapping or what has ``to_pandas``
        The table. Units of a data frame stand in its columns' names, ``iflux [DN/s]``, or in its
        ``attrs["units"]``, by column; other entries of ``attrs`` are the table's header.
    source : str
        Begins the sentence.

    Raises
    ------
    InputError
        If it is no table.
    """
    if isinstance(given, Table):
        return plain_columns(given), ASTROPY
    if isinstance(given, Mapping):
        with reading(source, "a table", "give columns of one length by name"):
            return plain_columns(Table(dict(given))), ASTROPY
    if not _is_pandas(given):
        if not hasattr(given, "to_pandas"):
            raise InputError(
                f"{source}: is a {type(given).__name__}; expected a path, or a table of astropy or "
                "pandas."
            )
        given = given.to_pandas()
    return of_pandas(given, source), PANDAS


def of_pandas(frame: Any, source: str) -> Table:
    """Return a pandas table as astropy's, times in UTC, an index that has a name as columns.

    Raises
    ------
    InputError
        If two columns have one name, or a column is none that astropy's tables hold.
    """
    frame = frame.reset_index() if any(name is not None for name in frame.index.names) else frame
    names = [str(name).strip() for name in frame.columns]
    heads = [split_header(name) for name in names]
    for name, _ in heads:
        if sum(name == other for other, _ in heads) > 1:
            raise InputError(f"{source}: two columns are called {name!r}; rename or drop one.")
    header = dict(frame.attrs)
    stated = header.pop("units", {})
    frame = frame.set_axis(names, axis="columns")
    for name in names:
        if getattr(frame[name].dtype, "tz", None) is not None:
            frame[name] = frame[name].dt.tz_convert("UTC").dt.tz_localize(None)
    with reading(source, PANDAS):
        table = Table.from_pandas(frame)
    table.meta = header
    for own, (name, unit) in zip(names, heads, strict=True):
        table.rename_column(own, name)
        text = unit or str(stated.get(name, "") if isinstance(stated, Mapping) else "")
        if text and getattr(table[name].info.dtype, "kind", "") in "if":
            table[name].unit = unit_of_text(text) or u.Unit(text, parse_strict="silent")
    return table


def plain_columns(table: Table) -> Table:
    """Return a table with ordinary columns for quantities; times and places stay what they are."""
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
    return plain


def _bare(values: Any) -> Any:
    return values.unmasked if hasattr(values, "unmasked") else np.ma.getdata(values)


def bytes_of(table: Table) -> bytes:
    """Return a table as bytes that tell it from any other: as ECSV."""
    text = io.StringIO()
    with reading("table", ASTROPY, "give columns of text, numbers and times"):
        table.write(text, format="ascii.ecsv")
    return text.getvalue().encode()


def _is_pandas(given: object) -> bool:
    return type(given).__module__.split(".")[0] == "pandas" and hasattr(given, "columns")
