"""The imager's photom reference file (``MirImgPhotomModel``): its rows, and the factor they mean.

The pipeline looks for the row of an exposure's filter and subarray, and divides
its photmjsr by the product of the time tables' functions in the row of the same number.
All numbers are stored in single precision.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from stdatamodels.jwst import datamodels

from mirical.errors import InputError
from mirical.instruments.miri import miri
from mirical.laws.pipeline_throughput import FUNCTIONS, Tables, relative_throughput
from mirical.storage.files import whole_file
from mirical.storage.fits_files import Columns, read_fits, save_model
from mirical.text import ascii_text
from mirical.version import __version__

Floats = NDArray[np.float64]

_NAMES = [("filter", "S12"), ("subarray", "S17")]
_EXPOSURES = "MIR_IMAGE|MIR_4QPM|MIR_LYOT|MIR_TACQ|MIR_TACONFIRM|MIR_CORONCAL|"
SINGLE = np.float32
"""Precision of every number of the file."""


@dataclass(frozen=True)
class PhotomRows:
    """The rows of a photom reference file.

    Attributes
    ----------
    filters, subarrays : tuple of str
        What each row is for.
    photmjsr, uncertainty : (row,) array
        Factor before the relative throughput divides it, and what the file calls its
        uncertainty, which the pipeline does not read; (MJy/sr)/(DN/s/pixel).
    tables : mapping
        Coefficients of the time functions, each (row,), by the names of
        `mirical.laws.pipeline_throughput.FUNCTIONS`.
    """

    filters: tuple[str, ...]
    subarrays: tuple[str, ...]
    photmjsr: Floats
    uncertainty: Floats
    tables: Tables = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.filters)

    def factors(self, mjd: float) -> Floats:
        """Return the factor of every row at an epoch (MJD), in double precision."""
        return self.photmjsr / relative_throughput(self.tables, mjd)

    def row_of(self, band: str, subarray: str) -> int | None:
        """Return the number of the row the pipeline takes, None if there is none."""
        pairs = list(zip(self.filters, self.subarrays, strict=True))
        return pairs.index((band, subarray)) if (band, subarray) in pairs else None

    def as_stored(self) -> PhotomRows:
        """Return the numbers as single precision keeps them."""
        tables = {
            name: {key: _stored(value) for key, value in of.items()}
            for name, of in self.tables.items()
        }
        return replace(
            self,
            photmjsr=_stored(self.photmjsr),
            uncertainty=_stored(self.uncertainty),
            tables=tables,
        )


@dataclass(frozen=True)
class About:
    """What the header of a reference file says of it.

    Attributes
    ----------
    description, pedigree, useafter : str
        As CRDS wants them; pedigree is ``SIMULATION``, ``MODEL`` or ``INFLIGHT date date``.
    history : sequence of str
        Lines on where the numbers come from.
    """

    description: str
    pedigree: str
    useafter: str
    history: Sequence[str] = ()


def write_photom(rows: PhotomRows, about: About, path: Path) -> None:
    """Write the reference file, whole or not at all.

    Raises
    ------
    InputError
        If the file cannot be written.
    """
    model = datamodels.MirImgPhotomModel()
    model.phot_table = _table(rows, {"photmjsr": rows.photmjsr, "uncertainty": rows.uncertainty})
    for name, of in rows.tables.items():
        ordered = {key: of[key] for key in ("t0", *FUNCTIONS[name][0])}
        setattr(model, f"timecoeff_{name}", _table(rows, ordered))
    meta = model.meta
    meta.description, meta.pedigree, meta.useafter = (
        ascii_text(about.description),
        about.pedigree,
        about.useafter,
    )
    meta.author, meta.reftype, meta.telescope = f"mirical {__version__}", "photom", "JWST"
    meta.instrument.name, meta.instrument.detector = "MIRI", "MIRIMAGE"
    meta.exposure.type, meta.exposure.p_exptype = "MIR_IMAGE", _EXPOSURES
    meta.photometry.pixelarea_steradians = float(miri().pixel_solid_angle.to_value("sr"))
    meta.photometry.pixelarea_arcsecsq = float(miri().pixel_solid_angle.to_value("arcsec2"))
    for line in about.history:
        model.add_history_entry(ascii_text(line))
    with whole_file(path, ".fits") as beside, model:
        save_model(model, beside)


def read_photom(path: Path) -> PhotomRows:
    """Read a reference file's rows.

    Raises
    ------
    InputError
        If it is no photom reference file of the imager.
    """
    expected = "expected a photom reference file of MIRI's imager (FITS)"
    contents = read_fits(path, expected)
    found = {one.name: one.columns for one in contents.extensions if one.columns is not None}
    table = found.get("PHOTOM")
    if table is None:
        raise InputError(f"{path.name}: has no PHOTOM table; {expected}.")
    if contents.changed:
        raise InputError(
            f"{path.name}: its checksum is wrong, so it has changed since it was written; "
            f"`mirical preflight {path.name}` says what of it cannot be."
        )
    numbers = _columns(table, ("photmjsr", "uncertainty"), f"{path.name}: PHOTOM")
    tables = {}
    for name, (coefficients, _) in FUNCTIONS.items():
        of = found.get(f"TIMECOEFF_{name.upper()}")
        if of is not None:
            where = f"{path.name}: TIMECOEFF_{name.upper()}"
            tables[name] = _columns(of, ("t0", *coefficients), where)
            if _names(of) != _names(table):
                raise InputError(
                    f"{where}: its rows are not those of PHOTOM, and the pipeline would stop; "
                    f"`mirical preflight {path.name}` says which."
                )
    filters, subarrays = _names(table)
    return PhotomRows(
        filters=filters,
        subarrays=subarrays,
        photmjsr=numbers["photmjsr"],
        uncertainty=numbers["uncertainty"],
        tables=tables,
    )


def _names(table: Columns) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return filters and subarrays of a table, blanks at their ends cut off as FITS has it."""
    filters, subarrays = (
        tuple(str(entry).rstrip() for entry in table[name]) for name in ("filter", "subarray")
    )
    return filters, subarrays


def _columns(table: Columns, names: tuple[str, ...], where: str) -> dict[str, Floats]:
    for name in ("filter", "subarray", *names):
        kinds = "SU" if name in ("filter", "subarray") else "fiu"
        if name not in table or table[name].dtype.kind not in kinds or table[name].ndim != 1:
            raise InputError(
                f"{where}: column {name!r} is missing or of another kind; expected "
                f"{', '.join(names)} of each filter and subarray."
            )
    values = {name: table[name].astype(float) for name in names}
    for name, of in values.items():
        if not np.all(np.isfinite(of)):
            row = int(np.flatnonzero(~np.isfinite(of))[0])
            raise InputError(f"{where} row {row + 1}: {name} is {of[row]:g}; expected a number.")
    return values


def _stored(values: Floats) -> Floats:
    return np.asarray(values, dtype=SINGLE).astype(float)


def _table(rows: PhotomRows, columns: Mapping[str, Floats]) -> NDArray[Any]:
    table = np.zeros(len(rows), dtype=_NAMES + [(name, SINGLE) for name in columns])
    table["filter"], table["subarray"] = rows.filters, rows.subarrays
    for name, values in columns.items():
        table[name] = values
    return table
