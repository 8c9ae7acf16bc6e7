"""Tables of VOTable files and answers, numbers with the digits that were sent."""

from __future__ import annotations

import io

import numpy as np
from astropy import units as u
from astropy.io import votable
from astropy.table import Table

from mirical.errors import InputError, reading
from mirical.table_files.file_contents import VOTABLE, heeding
from mirical.table_files.parts import chosen_part
from mirical.table_files.units import understand_units


def read_votable(content: bytes, source: str, part: str, notes: list[str]) -> dict[str, Table]:
    """Return the tables of a VOTable file by their number, ``[1]``; empty for the only one.

    Parameters
    ----------
    content : bytes
        The file's bytes.
    source : str
        Begins messages.
    part : str
        Number or name of the table that is meant; empty for all.
    notes : list of str
        What the library warned of is added to it.

    Raises
    ------
    InputError
        As `votable_tables`; or if there is no table of that name.
    """
    found = votable_tables(content, source, notes)
    tables = {f"[{i}]": table for i, table in enumerate(found.values(), start=1)}
    return chosen_part(tables, dict(zip(tables, found, strict=True)), part, source)


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
        tables: dict[str, Table] = {}
        for number, table in enumerate(found, start=1):
            name = str(table.name or table.ID or number)
            name = f"{name} ({number})" if name in tables else name
            tables[name] = table.to_table(use_names_over_ids=True)
    said = [(str(info.name).casefold(), str(info.value).strip()) for info in infos]
    for name, value in said:
        if name in ("error", "query_status") and value not in ("", "OK"):
            words = value if name == "error" else f"its status is {value}"
            raise InputError(f"{source}: the service says that it failed ({words}); {remedy}.")
    if not tables:
        raise InputError(f"{source}: is a VOTable without rows; {remedy}.")
    for table in tables.values():
        for column in table.itercols():
            if column.unit is not None:  # VOTable's DN is a unit of its own
                column.unit = u.Unit(str(column.unit), parse_strict="silent")
        understand_units(table)
        _keep_digits(table)
    return tables


def _keep_digits(table: Table) -> None:
    """Read single-precision numbers by the digits they stand for: 59737.6, not 59737.6016."""
    for name in table.colnames:
        column = table[name]
        if column.dtype == np.float32 and column.ndim == 1:
            table[name] = column.astype(str).astype(np.float64)
