"""History of a monitor: all rows seen since a fit, kept in one table from call to call."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
from astropy.table import QTable, Table

from mirical.calibration.manifest import MANIFEST
from mirical.errors import InputError, reading
from mirical.number_text import words
from mirical.storage.files import whole_file
from mirical.tables.added_rows import added_rows
from mirical.tables.formats import write_ecsv
from mirical.tables.photometry import Observations, load_photometry

ROWS = "rows.ecsv"
"""The table in a history's folder."""

_RUN = "run_manifest_sha256"
_OWN = ("row",)  # columns that reading gives a table


def run_hash(folder: Path) -> str:
    """Return the SHA-256 of a run's manifest, which tells the run from any other."""
    return hashlib.sha256((folder / MANIFEST).read_bytes()).hexdigest()


def require_history(folder: Path) -> None:
    """Refuse a folder that holds other things than a history.

    Raises
    ------
    InputError
        If it is a file, or a folder with files and no history.
    """
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder}: is a file; --history needs a folder.")
    if folder.is_dir() and not (folder / ROWS).is_file() and any(folder.iterdir()):
        raise InputError(
            f"{folder}: holds no {ROWS} of an earlier call, but other files; choose an empty "
            "folder for --history."
        )


def with_history(folder: Path, run: Path, new: Observations) -> Observations:
    """Return all rows seen since the fit: those of a history, and behind them new ones.

    Parameters
    ----------
    folder : Path
        The history; it need not exist.
    run : Path
        Folder of the run.
    new : Observations
        Rows of this call.

    Raises
    ------
    InputError
        If the history is that of another run, or a row it has comes with other numbers.
    """
    path = folder / ROWS
    if not path.is_file():
        return new
    with reading(str(path), "a history", "choose another folder for --history"):
        meta = Table.read(path, format="ascii.ecsv").meta
    if meta.get(_RUN) != run_hash(run):
        raise InputError(
            f"{path}: is the history of another run (or of this one before it was run again); its "
            "rows were compared with that run: choose an empty folder for --history, and give the "
            "rows since the fit once more."
        )
    seen = replace(load_photometry(str(path), new.instrument, "monitor"), source=str(path))
    remedy = (
        f"to correct it, correct the row in {path} as well; what the test said before may change."
    )
    added = added_rows(seen, new, str(path), remedy)
    return replace(
        new,
        table=added.merged,
        source=f"{path} and {new.source}",
        simulated=seen.simulated or new.simulated,
    )


def write_history(folder: Path, run: Path, rows: Observations) -> None:
    """Keep all rows seen since the fit, as one whole file.

    Raises
    ------
    InputError
        If it cannot be written.
    """
    table = QTable(rows.table, copy=True)
    table.remove_columns([name for name in _OWN if name in table.colnames])
    # A visit's name begins with its star's, which reading puts there.
    table["visit"] = [
        visit.removeprefix(f"{name} ")
        for name, visit in zip(words(table["name"]), words(table["visit"]), strict=True)
    ]
    for name in table.colnames:
        if table[name].dtype.kind == "f" and not np.any(np.isfinite(table[name].value)):
            table.remove_column(name)
    mark = "SIMULATED: " if rows.simulated else ""
    table.meta = {
        "title": f"{mark}rows seen by mirical monitor since a fit",
        "simulated": rows.simulated,
        _RUN: run_hash(run),
    }
    with whole_file(folder / ROWS) as beside:
        write_ecsv(table, beside)
