"""Photometry given in memory, as the file that its run's folder will hold."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

from mirical.instruments.instrument import Instrument
from mirical.table_files.in_memory import bytes_of
from mirical.tables.column_units import settle_units
from mirical.tables.columns import columns
from mirical.tables.formats import IN_MEMORY, read_tables
from mirical.tables.photometry import Observations, load_photometry


def observed(table: Any, instrument: Instrument) -> tuple[Observations, bytes]:
    """Return the rows of a table in memory, and the ECSV file they are read from.

    The units that are meant stand in the file, so that it says the same to whoever reads it.

    Parameters
    ----------
    table : astropy Table or pandas DataFrame
        Photometry.
    instrument : Instrument
        Whose.

    Raises
    ------
    InputError
        If it is no table, or cannot be used.
    """
    file = read_tables(table, (), IN_MEMORY)
    notes = [*file.notes]
    units = {name: one.unit for name, one in columns(instrument).items() if name != "time"}
    settle_units(file.tables.values(), units, file.kind, IN_MEMORY, notes)
    (only,) = file.tables.values()
    content = bytes_of(only)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, f"{IN_MEMORY}.ecsv")
        path.write_bytes(content)
        found = load_photometry(str(path), instrument, "fit")
    return replace(found, notes=(*notes, *found.notes)), content
