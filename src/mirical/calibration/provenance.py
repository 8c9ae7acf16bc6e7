"""Provenance of written files: run, card, data hash, seed, version, and whether simulated.

A table carries it in its ``meta``, a FITS file in its header (`exports.covariance_file.history`), a
figure in its PNG text (`plotting.canvas.labelled`), and an array, which has no room for it, in
``FILE.npy.json`` beside it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from astropy import units as u
from astropy.table import Table
from astropy.time import Time
from numpy.typing import NDArray

from mirical.calibration.calibration import UNBELIEVABLE, Calibration, errors_hold
from mirical.conventions import SIMULATED
from mirical.storage.files import together, whole_file
from mirical.tables.column_descriptions import description
from mirical.version import __version__

_RECORDED = (
    "job",
    "card",
    "time_law",
    "seed",
    "photometry",
    "photometry_sha256",
    "truth",
    "source",
)


def run_record(attrs: Mapping[Any, Any]) -> dict[str, Any]:
    """Return what a run recorded of itself, as an output carries it.

    Parameters
    ----------
    attrs : mapping
        Of the root of the run's posterior.
    """
    known = {key: _plain(attrs[key]) for key in _RECORDED if key in attrs}
    if "mirical" in attrs:
        known["fitted_by"] = f"mirical {attrs['mirical']}"
    simulated = bool(attrs.get("simulated", False))
    return known | {"mirical": __version__, "simulated": simulated}


def record(calibration: Calibration) -> dict[str, Any]:
    """Return where a calibration's numbers come from and which error, as an output carries it."""
    known = {"calibration": calibration.name, **run_record(calibration.provenance)}
    known["simulated"] = calibration.simulated
    known["errors"] = errors_hold(calibration)
    if calibration.without:
        known["without"] = list(calibration.without)
    if calibration.epochs:
        ends = calibration.epochs.values()
        known["rows_mjd"] = [min(first for first, _ in ends), max(last for _, last in ends)]
    if not calibration.believable:
        known["caution"] = UNBELIEVABLE
    return known


def stamp(table: Table, about: Mapping[str, Any], title: str | None = None) -> None:
    """Put a record into a table's ``meta``, and its word before the title.

    Parameters
    ----------
    table : Table
        Changed in place; what else its ``meta`` holds stays.
    about : mapping
        As `record` or `run_record` returns it.
    title : str, optional
        The table's; the one it has by default.
    """
    said = str(table.meta.get("title", "") if title is None else title)
    if about.get("simulated") and SIMULATED not in said:
        said = f"{SIMULATED}: {said}" if said else SIMULATED
    table.meta |= {"title": said, **about}
    for name in table.colnames:
        days = name in _DAYS and not isinstance(table[name], Time)
        if days and table[name].info.unit is None:
            table[name].info.unit = u.d  # which makes another column of it
        column = table[name]
        if not column.info.description:
            column.info.description = description(name) or None


def write_array(
    array: NDArray[np.float64],
    path: Path,
    about: Mapping[str, Any],
    what: str,
    axes: Sequence[str],
    unit: str,
) -> None:
    """Write an array as ``.npy``, and what it is beside it as ``.npy.json``: both or neither.

    Parameters
    ----------
    array : array
        Of any shape.
    path : Path
        File to write.
    about : mapping
        As `record` returns it.
    what : str
        What the numbers are.
    axes : sequence of str
        What the array's axes run over.
    unit : str
        Of the numbers.

    Raises
    ------
    InputError
        If a file cannot be written.
    """
    title = f"{SIMULATED}: {what}" if about.get("simulated") else what
    said = {"title": title, "axes": list(axes), "shape": list(array.shape), "unit": unit, **about}
    with together():
        whole = np.ascontiguousarray(array)
        with whole_file(path) as beside, beside.open("wb") as file:
            # numpy's own writer does not say why a file on disk could not be written.
            header = np.lib.format.header_data_from_array_1_0(whole)
            np.lib.format.write_array_header_1_0(file, header)
            file.write(whole.data)
        if not path.exists() or path.is_file():  # no device or pipe
            with whole_file(path.with_name(f"{path.name}.json")) as beside:
                text = json.dumps(said, indent=2, ensure_ascii=False)
                beside.write_text(text + "\n", encoding="utf-8")


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value


_DAYS = ("mjd", "time")
