"""Magnitudes in the Sirius-Vega system: flux densities of magnitude zero (paper Table 6)."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from astropy import units as u

from mirical.errors import InputError
from mirical.instruments.instrument import Instrument


@cache
def zero_points(instrument: Instrument) -> dict[str, u.Quantity]:
    """Return the flux density F_nu of magnitude zero by band, Jy.

    Raises
    ------
    InputError
        If the instrument's card has no table of them.
    """
    if instrument.zero_points is None:
        raise InputError(
            f"instrument {instrument.name}: its card has no zero_points, so there are no "
            "magnitudes of it; add the table to the card."
        )
    table = instrument.table(instrument.zero_points, {"filter": None, "f_nu": u.Jy})
    return {str(row["filter"]): row["f_nu"] for row in table}


def zero_point(band: str, instrument: Instrument) -> u.Quantity:
    """Return the flux density F_nu of magnitude zero in a band, Jy.

    Raises
    ------
    InputError
        If there is no such band.
    """
    return zero_points(instrument)[instrument.find_band(band, "zero point").name]


def magnitude(flux: u.Quantity, band: str, instrument: Instrument) -> Any:
    """Return the magnitude of flux densities, NaN where they are not positive.

    Parameters
    ----------
    flux : Quantity
        Flux density F_nu of a point source, any shape.
    band : str
        The band.
    instrument : Instrument
        Whose.
    """
    ratio = (flux / zero_point(band, instrument)).to_value(u.dimensionless_unscaled)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(ratio > 0, -2.5 * np.log10(ratio), np.nan)[()]


def flux_density(mag: Any, band: str, instrument: Instrument) -> u.Quantity:
    """Return the flux density F_nu of magnitudes in a band, mJy."""
    return (10 ** (-0.4 * np.asarray(mag)) * zero_point(band, instrument)).to(u.mJy)
