"""Magnitudes in the Sirius-Vega system: flux densities of magnitude zero (paper Table 6)."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from astropy import units as u
from astropy.table import QTable

from mirical.bands import find_band
from mirical.storage.shipped import data_file


@cache
def _table() -> dict[str, u.Quantity]:
    table = QTable.read(data_file("table6"), format="ascii.ecsv")
    return {str(row["filter"]): row["f_nu"] for row in table}


def zero_point(band: str) -> u.Quantity:
    """Return the flux density F_nu of magnitude zero in a band, Jy.

    Raises
    ------
    InputError
        If there is no such band.
    """
    return _table()[find_band(band, "zero point").name]


def magnitude(flux: u.Quantity, band: str) -> Any:
    """Return the magnitude of flux densities, NaN where they are not positive.

    Parameters
    ----------
    flux : Quantity
        Flux density F_nu of a point source, any shape.
    band : str
        The band.
    """
    ratio = (flux / zero_point(band)).to_value(u.dimensionless_unscaled)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(ratio > 0, -2.5 * np.log10(ratio), np.nan)[()]


def flux_density(mag: Any, band: str) -> u.Quantity:
    """Return the flux density F_nu of magnitudes in a band, mJy."""
    return (10 ** (-0.4 * np.asarray(mag)) * zero_point(band)).to(u.mJy)
