"""Magnitudes of flux densities and zero points of factors, in the AB, ST or Vega system."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np
from astropy import units as u
from astropy.constants import c
from numpy.typing import NDArray

from mirical.errors import InputError
from mirical.instruments.instrument import Instrument

Floats = NDArray[np.float64]

PER_MAGNITUDE = 2.5 / np.log(10)
"""Magnitudes of a relative error of one: 1.0857."""

_AB = 3631.0 * u.Jy
_ST = 3.631e-9 * u.erg / u.s / u.cm**2 / u.AA


@cache
def zero_flux(band: str, system: str, instrument: Instrument) -> u.Quantity:
    """Return the flux density F_nu of magnitude zero in a band, Jy.

    Parameters
    ----------
    band : str
        The band.
    system : {"AB", "ST", "Vega"}
        3631 Jy; 3.631e-9 erg/s/cm2/Angstrom at the pivot wavelength; the card's zero_points.
    instrument : Instrument
        Whose.

    Raises
    ------
    InputError
        If the card states none of the Vega system.
    """
    if system == "AB":
        return _AB
    if system == "ST":
        pivot = instrument.bands[band].pivot * u.um
        return (_ST * pivot**2 / c).to(u.Jy)
    if instrument.zero_points is None:
        raise InputError(
            f"instrument {instrument.name}: its card has no zero_points, so there are no "
            "magnitudes relative to Vega; add the table to the card."
        )
    table = instrument.table(instrument.zero_points, {"filter": None, "f_nu": u.Jy})
    known = dict(zip(map(str, table["filter"]), table["f_nu"], strict=True))
    if band not in known:
        raise InputError(f"instrument {instrument.name}: zero_points has no band {band!r}; add it.")
    return known[band].to(u.Jy)


def magnitudes(flux: u.Quantity, bands: Sequence[str], system: str, of: Instrument) -> Floats:
    """Return magnitudes of flux densities, NaN where they are not positive.

    Parameters
    ----------
    flux : (..., point) Quantity
        Flux densities F_nu.
    bands : sequence of str
        Band of each point.
    system : {"AB", "ST", "Vega"}
        See `zero_flux`.
    of : Instrument
        Whose bands.
    """
    zero = u.Quantity([zero_flux(band, system, of) for band in bands])
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = (flux / zero).to_value(u.dimensionless_unscaled)
        return np.where(ratio > 0, -2.5 * np.log10(ratio), np.nan)


def flux_densities(mag: object, bands: Sequence[str], system: str, of: Instrument) -> u.Quantity:
    """Return the flux densities F_nu of magnitudes, mJy; the inverse of `magnitudes`."""
    zero = u.Quantity([zero_flux(band, system, of) for band in bands])
    return (10 ** (-0.4 * np.asarray(mag)) * zero).to(u.mJy)


def zero_points(factors: Floats, bands: Sequence[str], of: Instrument) -> Floats:
    """Return the magnitude of one count a second under factors, in the card's system.

    Parameters
    ----------
    factors : (..., point) array
        Calibration factors in their unit.
    bands : sequence of str
        Band of each point.
    of : Instrument
        Whose; its card has a ``view``.
    """
    flux = factors * of.factor_unit * of.count_rate
    return magnitudes(flux, bands, of.factor.view or "AB", of)
