"""Aperture photometry as tests need it: Table 4's radii, exact pixels, nothing estimated."""

from __future__ import annotations

import numpy as np
from photutils.aperture import CircularAnnulus, CircularAperture
from stdatamodels.jwst import datamodels

from dithered import FACTOR
from mirical.conventions import PIXEL_SOLID_ANGLE
from mirical.observations.apertures import published_apertures


def net_rate(model: datamodels.ImageModel, band: str) -> float:
    """Return the count rate in the band's aperture above the annulus's mean, DN/s."""
    return _sums(model, band, np.asarray(model.data, float), -1.0)


def net_rate_unc(model: datamodels.ImageModel, band: str) -> float:
    """Return the error of `net_rate` from the ERR array, pixels taken as independent, DN/s."""
    return _sums(model, band, np.asarray(model.err, float) ** 2, 1.0) ** 0.5


def _sums(model: datamodels.ImageModel, band: str, values: np.ndarray, sign: float) -> float:
    """Return aperture minus annulus scaled to it, or the sum of their variances."""
    aperture, target = published_apertures()[band], model.meta.target
    at = model.meta.wcs.invert(target.ra, target.dec, with_bounding_box=False)
    area = model.meta.photometry.pixelarea_steradians / PIXEL_SOLID_ANGLE.value
    # Table 4's radii are taken as those of the detector's pixels, which the simulated star fits.
    scale = area**-0.5
    circle = CircularAperture(at, aperture.r_a * scale)
    ring = CircularAnnulus(at, aperture.r_b1 * scale, aperture.r_b2 * scale)
    inside, around = (float(part.do_photometry(values)[0][0]) for part in (circle, ring))
    share = circle.area / ring.area
    power = 1 if sign < 0 else 2
    return (inside + sign * share**power * around) * (area / FACTOR) ** power
