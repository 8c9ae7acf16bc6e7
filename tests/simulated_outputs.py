"""Whether a file says that simulated rows are behind it, whatever its format."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import xarray as xr
from astropy.io import fits
from astropy.table import Table
from PIL import Image

from mirical.storage.atomic_writes import LIST

TEXT = (".html", ".tex", ".txt", ".ecsv", ".svg", ".pdf")
CARD = "hierarchical.toml"
"""A run's copy of its card says nothing of rows, nor does the list of what was written."""


def silent(folder: Path) -> list[str]:
    """Return the files of a folder that do not say that simulated rows are behind them."""
    names = (CARD, LIST)
    files = [p for p in sorted(folder.rglob("*")) if p.is_file() and p.name not in names]
    assert files
    return [str(path.relative_to(folder)) for path in files if not says_simulated(path)]


def says_simulated(path: Path) -> bool:
    """Whether one file says so."""
    if path.suffix == ".fits":
        return "SIMULAT" in repr(fits.getheader(path))
    if path.suffix == ".png":
        with Image.open(path) as picture:
            # Beside the word stands the version, by which the rest of the record is there too.
            said = picture.text
            return said.get("Title") == "SIMULATED data" and bool(
                {"mirical", "version"} & set(said)
            )
    if path.suffix == ".npy":
        return json.loads(path.with_name(f"{path.name}.json").read_text())["simulated"]
    if path.suffix == ".npz":
        with np.load(path) as file:
            return json.loads(str(file["study"]))["simulated"]
    if path.suffix == ".nc":
        with xr.open_datatree(path, engine="h5netcdf") as tree:
            return bool(tree.attrs["simulated"])
    text = path.read_text(encoding="latin-1" if path.suffix == ".pdf" else "utf-8")
    return "SIMULATED" in text if path.suffix in TEXT else '"simulated"' in text


def undescribed(path: Path) -> list[str]:
    """Return the columns of a table that say nothing of themselves."""
    table = Table.read(path, format="ascii.ecsv")
    return [name for name in table.colnames if not table[name].info.description]
