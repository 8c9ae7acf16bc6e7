"""Aperture photometry as tests need it: Table 4's radii, exact pixels, nothing estimated."""

from __future__ import annotations

import numpy as np
from photutils.aperture import CircularAnnulus, CircularAperture
from stdatamodels.jwst import datamodels

from dithered import FACTOR
from miri_facts import MIRI, PIXEL_SOLID_ANGLE
from mirical.tables.apertures import published_apertures


def net_rate(model: datamodels.ImageModel, band: str) -> float:
    """Return the count rate in the band's aperture above the annulus's mean, DN/s."""
    aperture, target = published_apertures(MIRI)[band], model.meta.target
    at = model.meta.wcs.invert(target.ra, target.dec, with_bounding_box=False)
    area = model.meta.photometry.pixelarea_steradians / PIXEL_SOLID_ANGLE.value
    # The simulated star fits Table 4's radii in pixels of the detector.
    scale = area**-0.5
    circle = CircularAperture(at, aperture.r_a * scale)
    ring = CircularAnnulus(at, aperture.r_b1 * scale, aperture.r_b2 * scale)
    image = np.asarray(model.data, float)
    inside, around = (float(part.do_photometry(image)[0][0]) for part in (circle, ring))
    return (inside - circle.area / ring.area * around) * area / FACTOR
