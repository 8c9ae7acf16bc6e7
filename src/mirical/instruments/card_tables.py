"""Tables of a card's folder, checked: fluxes, apertures, published coefficients, bandpasses."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from astropy import units as u
from astropy.table import QTable

from mirical.errors import InputError, reading

_EXPECTED = "expected an ECSV table"


def read_card_table(path: Path, columns: Mapping[str, u.UnitBase | None]) -> QTable:
    """Return a table with some columns, numbers in the units asked for.

    Parameters
    ----------
    path : Path
        ECSV file.
    columns : mapping of {str : Unit or None}
        Columns it must have, and the unit of its numbers; None for text.

    Returns
    -------
    QTable
        The whole table; other columns as they are.

    Raises
    ------
    InputError
        If it cannot be read, lacks a column, or has one in another unit or without numbers.
    """
    where = f"{path.parent.name}/{path.name}"
    if not path.is_file():
        raise InputError(f"{where}: there is no such file; add it to the card's folder.")
    with reading(where, "ECSV", _EXPECTED):
        table = QTable.read(path, format="ascii.ecsv")
    for name, unit in columns.items():
        if name not in table.colnames:
            raise InputError(f"{where}: column {name!r} is missing; expected {', '.join(columns)}.")
        if unit is None:
            continue
        column = table[name]
        try:
            numbers = u.Quantity(getattr(column, "unmasked", column), dtype=float).to(unit)
        except (TypeError, ValueError) as error:  # units, and what is no number
            raise InputError(
                f"{where}: column {name!r} cannot be had in {unit or 'plain numbers'}; give "
                "numbers with a unit of that kind."
            ) from error
        if np.any(np.isinf(numbers.value)):
            raise InputError(f"{where}: column {name!r} has an infinite number; correct it.")
    return table
