"""Photometry table of a set of images; observations measured twice are flagged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
from astropy import units as u
from astropy.table import QTable

from mirical.instruments.miri import miri
from mirical.tables.apertures import RADII, Aperture
from mirical.tables.columns import Column, columns
from mirical.tables.duplicates import repeat_reason, repeated_rows
from mirical.version import __version__

_NOT_MEASURED = "model_flux", "model_flux_unc", "visit"
_SHARPER = {
    "ifluxunc": "Its error: noise, background and structure in quadrature",
    "ibkg": "Background rate, mean of the annulus",
    "flux": "iflux to infinite aperture by the image's own PHOTMJSR",
    "bkg": "ibkg by the image's own PHOTMJSR",
}
_RATE = u.DN / u.s
_BESIDE: dict[str, Column] = {
    "aperture_sum": Column("Sum over the aperture, background included", _RATE),
    "noise_unc": Column("Error by the pipeline's ERR in the aperture", _RATE),
    "background_unc": Column("Error by the noise of the annulus's mean", _RATE),
    "structure_unc": Column("Error by the background's structure", _RATE),
    "x": Column("Centroid, first pixel 0", u.pix),
    "y": Column("Centroid, first pixel 0", u.pix),
    "offset": Column("Distance of the centroid from the expected position", u.pix),
    "interpolated": Column("Pixels of the aperture that were filled in", u.dimensionless_unscaled),
    "without_error": Column(
        "Pixels of the aperture whose error was filled in", u.dimensionless_unscaled
    ),
    "flag": Column("Why the row is not to be fitted; empty if it is"),
    "reason": Column("The same in words"),
    "note": Column("Worth knowing"),
    "file": Column("Image, with its folders where only they tell it from another"),
    "file_hash": Column("SHA-256 of the image's bytes, first 16 digits"),
}
_RADII = dict(
    zip(
        RADII,
        ("Radius of the aperture", "Inner of the annulus", "Outer of the annulus"),
        strict=True,
    )
)


@cache
def _columns() -> dict[str, Column]:
    shared = {
        name: replace(column, description=_SHARPER.get(name, column.description))
        for name, column in columns(miri()).items()
        if name not in _NOT_MEASURED
    }
    return shared | _BESIDE


def photometry_table(rows: Sequence[dict[str, Any]], apertures: Mapping[str, Aperture]) -> QTable:
    """Return rows as a photometry table (columns of Table 5 and how they came about).

    It says what it was measured in, so that no run corrects for other apertures: in the header,
    and in columns that FITS keeps as well. Of two images of one observation, such as a mosaic
    and its copy, the later one's row is flagged.

    Parameters
    ----------
    rows : sequence of dict
        From `mirical.imaging.photometry_rows.row_of`.
    apertures : mapping of {str : Aperture}
        Those the rows were measured in, by band.
    """
    table = QTable()
    for name, column in _columns().items():
        if column.unit is None:
            table[name] = [str(row.get(name, "")) for row in rows]
        else:
            table[name] = np.array([row.get(name, np.nan) for row in rows]) * column.unit
    _flag_repeats(table)
    for name, column in _columns().items():
        table[name].info.description = column.description
    simulated = any(row.get("simulated") for row in rows)
    table.meta["title"] = f"{'SIMULATED p' if simulated else 'P'}hotometry of JWST images"
    table.meta["origin"] = "mirical photometry: method of Gordon et al. 2025, section 2.2"
    table.meta["version"] = f"mirical {__version__}"
    used = [band for band in miri().bands if band in set(table["filter"]) and band in apertures]
    table.meta["apertures_pix"] = {band: list(apertures[band].radii) for band in used}
    for i, name in enumerate(RADII):
        of = {band: apertures[band].radii[i] for band in used}
        table[name] = [of.get(str(band), np.nan) for band in table["filter"]] * u.pix
        table[name].info.description = _RADII[name]
    if simulated:
        table.meta["simulated"] = True
    return table


def _flag_repeats(table: QTable) -> None:
    """Flag the rows to be fitted that are an observation another row has already."""
    flags, reasons = list(map(str, table["flag"])), list(map(str, table["reason"]))
    numbered = QTable(table, copy=False)
    numbered["row"] = np.arange(1, len(table) + 1)
    for later, earlier in repeated_rows(numbered, flags, miri()).items():
        if not flags[later]:
            same = repeat_reason(numbered, later, earlier)
            flags[later] = "duplicate"
            reasons[later] = f"{same} ({table['file'][earlier]})"
    table["flag"], table["reason"] = flags, reasons
