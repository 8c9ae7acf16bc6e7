"""Simulated exposures: integration time, background, error of the photometry.

The numbers come from Table 5's real rows; they give a program realistic
values of the detector parameters (section 3.5), not a detector model.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from astropy.table import QTable
from numpy.typing import NDArray

from mirical.instruments.miri import miri
from mirical.randomness import generator
from mirical.tables.apertures import ANNULUS_FRACTIONS, published_apertures

Floats = NDArray[np.float64]

FRAME_TIME: dict[str, float] = {
    "FULL": 2.775,
    "BRIGHTSKY": 0.865,
    "SUB256": 0.300,
    "SUB128": 0.119,
    "SUB64": 0.085,
    "MASK1065": 0.240,
    "MASK1140": 0.240,
    "MASK1550": 0.240,
    "MASKLYOT": 0.324,
}
"""Seconds a frame, from the instrument's documentation."""

SKY = (1.5, 4.6, 12.3, 17.5, 22.5, 39.4, 81.0, 200.0, 810.0)
"""Sky in the imaging bands in MJy/sr: medians of Table 5's ``bkg`` for 2MASS J17430448;
beyond F1500W 16 Cyg B's less the star's own light in the annulus."""

CENTRAL_SHARE = (0.135, 0.112, 0.081, 0.067, 0.056, 0.042, 0.0313, 0.0237, 0.0168)
"""Share of a star's count rate in the central pixel of the imaging bands, likewise."""

ERROR_FLOOR, ERROR_POWER, ERROR_SCATTER = 0.00164, 0.441, 0.28
"""ifluxunc / iflux = floor (1 + B/S)^power, S and B the star's and the background's rate
in the aperture, and the scatter of its logarithm: least squares on Table 5's rows. That
S itself does not enter is the observers' doing, who aimed at S/N = 200 and better."""

LARGEST_ERROR = 0.005
"""Where the formula asks for more, the observers integrated longer (section 2: S/N >= 200)."""

_SKY_SCATTER = 0.25  # of ln sky between fields; Table 5's two faint stars differ by 30 %
_WELL_AIM = 20000.0  # DN the brightest pixel is to collect, half of the deepest in Table 5
_GROUPS = (5, 100)  # fewest and most frames of an integration


@dataclass(frozen=True)
class Exposures:
    """Detector parameters of each row.

    Attributes
    ----------
    inttime : (row,) array
        Integration time, s.
    ibkg : (row,) array
        Background rate, DN/s/pixel: sky and the star's light in the annulus.
    ifluxunc : (row,) array
        Error of the count rate, DN/s.
    central_share : (row,) array
        Share of the count rate in the central pixel.
    """

    inttime: Floats
    ibkg: Floats
    ifluxunc: Floats
    central_share: Floats


def plan_exposures(rows: QTable, rate: Floats, factor: Floats, seed: int) -> Exposures:
    """Plan each exposure of a program for the count rate that is expected.

    Parameters
    ----------
    rows : QTable
        As `observing_program` makes them.
    rate : (row,) array
        Count rate in the aperture by the predicted flux, DN/s.
    factor : (row,) array
        True calibration factor, (MJy/sr)/(DN/s/pixel).
    seed : int
        Seed of the simulation.
    """
    bands = [str(band) for band in rows["filter"]]
    apertures = [published_apertures(miri())[band] for band in bands]
    low, high = ANNULUS_FRACTIONS
    annulus = np.array([np.pi * (a.r_b2**2 - a.r_b1**2) for a in apertures])
    spilt = rate * np.array([a.correction for a in apertures]) * (high - low) / annulus
    between_fields = np.exp(_SKY_SCATTER * generator(seed, "sky").standard_normal(len(rows)))
    ibkg = _along_bands(SKY, bands) * between_fields / factor + spilt
    share = _along_bands(CENTRAL_SHARE, bands)
    frame = np.array([FRAME_TIME[subarray] for subarray in rows["subarray"]])
    groups = np.clip(np.rint(_WELL_AIM / ((share * rate + ibkg) * frame)), *_GROUPS)
    area = np.array([np.pi * a.r_a**2 for a in apertures])
    scatter = ERROR_SCATTER * generator(seed, "photometric errors").standard_normal(len(rows))
    typical = ERROR_FLOOR * (1 + area * ibkg / rate) ** ERROR_POWER
    fraction = np.minimum(typical, LARGEST_ERROR) * np.exp(scatter)
    return Exposures((groups * frame).round(3), ibkg, fraction * rate, share)


def _along_bands(values: tuple[float, ...], bands: list[str]) -> Floats:
    """Interpolate a quantity of the imaging bands, log against log in pivot wavelength."""
    known = np.log([miri().bands[band].pivot for band in miri().imaging_bands])
    at = np.log([miri().bands[band].pivot for band in bands])
    return np.exp(np.interp(at, known, np.log(values)))
