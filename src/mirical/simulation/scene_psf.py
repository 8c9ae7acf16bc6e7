"""Point-spread function of simulated images, with the right encircled energy.

A sum of concentric Gaussians whose weights make the encircled energy, as
partial-pixel apertures on pixels measure it, pass through the radii of the
paper's Table 4. It has no spikes and no cruciform; its core is as wide as
the band's diffraction limit.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq, linprog
from scipy.special import ndtr

from mirical.instruments.miri import miri
from mirical.tables.apertures import (
    ANNULUS_FRACTIONS,
    APERTURE_FRACTION,
    published_apertures,
)

Floats = NDArray[np.float64]

_PIXEL_VARIANCE = 1.0 / 6.0
"""What a pixel's square response and the sharing out of edge pixels by area add to the variance
a direction, pixel^2: a twelfth each."""

_CORONAGRAPH_WIDTH = 1.5  # the coronagraphs' extra optics widen more than the core (Fig. 2)
_WIDEST = 250.0  # pixel
_WINGS = {2.0: 0.92, 4.0: 0.965}
"""Share of the flux wished for inside so many outer radii of the annulus: wings fall as r^-3."""


@dataclass(frozen=True)
class ScenePsf:
    """A sum of circular Gaussians, normalised to one over the plane.

    Attributes
    ----------
    widths : (component,) array
        Standard deviations before the pixels smooth them, pixel.
    weights : (component,) array
        Share of the flux in each.
    """

    widths: Floats
    weights: Floats

    def encircled_energy(self, radius: Floats | float) -> Floats:
        """Return the share of the flux an aperture of exact partial pixels finds inside a radius.

        Parameters
        ----------
        radius : array_like
            In pixels.
        """
        radii = np.asarray(radius, dtype=float)
        return (_share_inside(radii.ravel(), self.widths) @ self.weights).reshape(radii.shape)

    def radius(self, fraction: float) -> float:
        """Return the radius in pixels enclosing a fraction of the flux."""
        return float(brentq(lambda r: self.encircled_energy(r) - fraction, 1e-6, 1e4, xtol=1e-10))

    def image(self, shape: tuple[int, int], x: float, y: float) -> Floats:
        """Return the share of the flux in each pixel of an image.

        Parameters
        ----------
        shape : (int, int)
            Rows and columns.
        x, y : float
            Position of the source; the first pixel's centre is (0, 0).
        """
        total = np.zeros(shape)
        for width, weight in zip(self.widths, self.weights, strict=True):
            rows, columns = (
                np.diff(ndtr((np.arange(n + 1) - 0.5 - at) / width))
                for n, at in zip(shape, (y, x), strict=True)
            )
            total += weight * rows[:, None] * columns
        return total


@cache
def scene_psf(band: str) -> ScenePsf:
    """Return the PSF of a band: Table 4's radii enclose 70, 80 and 85 % of the flux.

    The radii leave the shape free: of all sums that hold to them and fall
    outwards, one whose core is nearest to the diffraction limit's is taken.
    """
    aperture = published_apertures(miri())[band]
    core = miri().fwhm(band) / 2.3548
    if miri().bands[band].kind == "coronagraph":
        core *= _CORONAGRAPH_WIDTH
    widths = np.geomspace(core, _WIDEST, 48)
    radii = np.array([aperture.r_a, aperture.r_b1, aperture.r_b2])
    through = np.vstack([np.ones_like(widths), _share_inside(radii, widths)])
    target = np.array([1.0, APERTURE_FRACTION, *ANNULUS_FRACTIONS])
    wished = np.array([1.2 * core, *(factor * aperture.r_b2 for factor in _WINGS)])
    shape = _share_inside(wished, widths)
    wish = np.array([0.4, *_WINGS.values()])
    # Unknowns: positive and negative parts of the weights, and of departures from the wishes.
    # The smallest sum of sizes has negative weights only where positive ones cannot do it (F2300C).
    grid = np.linspace(0, 3 * radii[-1], 400)[:, None]
    bright = np.exp(-(grid**2) / (2 * widths**2)) / widths**2
    slopes = np.diff(bright, axis=0)
    n_wishes, n_widths = shape.shape
    free = np.zeros((4, 2 * n_wishes))
    apart = np.hstack([np.eye(n_wishes), -np.eye(n_wishes)])
    found = linprog(
        np.r_[np.ones(2 * n_widths), np.full(2 * n_wishes, 10.0)],
        A_ub=np.hstack([slopes, -slopes, np.zeros((len(slopes), 2 * n_wishes))]),
        b_ub=np.zeros(len(slopes)),
        A_eq=np.block([[through, -through, free], [shape, -shape, apart]]),
        b_eq=np.r_[target, wish],
    )
    weights = found.x[:n_widths] - found.x[n_widths : 2 * n_widths]
    kept = np.abs(weights) > 1e-12
    return ScenePsf(widths[kept], weights[kept])


def _share_inside(radii: Floats, widths: Floats) -> Floats:
    """Return the encircled energy of each Gaussian (columns) at each radius (rows)."""
    return -np.expm1(-(radii[:, None] ** 2) / (2 * (widths**2 + _PIXEL_VARIANCE)))
