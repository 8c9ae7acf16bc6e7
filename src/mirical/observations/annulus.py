"""The background under a star, from the annulus around it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from astropy.stats import mad_std
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

LEAST_ANNULUS = 0.5
"""Share of the annulus that must hold valid pixels."""

_CLIP = 3.0  # sigma, about the trend
_OWN = 0.3  # of the fall of the star's wings across the annulus
_RADII = 5


@dataclass(frozen=True)
class SkyAnnulus:
    """The annulus and what it says.

    Attributes
    ----------
    level : float
        Mean background over the annulus, DN/s/pixel.
    scatter : float
        Standard deviation of its pixels about the trend, DN/s/pixel.
    level_unc : float
        Error of `level` if the pixels are independent, DN/s/pixel.
    clipped : int
        Pixels of the annulus that were valid but left out.
    """

    level: float
    scatter: float
    level_unc: float
    clipped: int


def measure_annulus(data: Floats, weights: Floats, x: Floats, y: Floats) -> SkyAnnulus:
    """Return the mean of the annulus, outliers and gaps replaced by a smooth trend.

    Eq. (2) needs the mean over the whole annulus, the star's own light in it
    included, and that light falls outwards. So pixels are clipped about a
    trend, a slope in x and y and a radial profile linear between five radii,
    not about their mean, and the trend stands in for those that are missing:
    clipping takes nothing off the star's wings.

    Parameters
    ----------
    data : (y, x) array
        Count rates, DN/s/pixel; NaN where there is none.
    weights : (y, x) array
        Share of each pixel inside the annulus.
    x, y : (y, x) array
        Offset of each pixel from the star, pixel.
    """
    ring = weights > 0
    valid = ring & np.isfinite(data)
    terms = _trend_terms(x, y, ring)
    # A bright neighbour must not bend the trend it is clipped about.
    kept = valid.copy()
    kept[valid] = np.abs(data[valid] - np.median(data[valid])) <= 10 * mad_std(data[valid]) + 1e-30
    trend = np.zeros_like(data)
    for _ in range(5):
        fitted, *_ = np.linalg.lstsq(terms[kept], data[kept], rcond=None)
        trend = terms @ fitted
        off = data - trend - np.median((data - trend)[kept])
        # The profile of a bright star is not clipped for the little the trend misses of it.
        bound = max(_CLIP * np.std(off[kept]), _OWN * np.ptp(fitted[2:]))
        again = valid & (np.abs(off) <= bound)
        if np.array_equal(again, kept):
            break
        kept = again
    filled = np.where(kept, np.nan_to_num(data), trend)
    n_kept = np.sum(weights[kept])
    scatter = float(
        np.sqrt(np.sum((data - trend)[kept] ** 2) / max(kept.sum() - terms.shape[-1], 1))
    )
    return SkyAnnulus(
        level=float(np.sum(weights * filled) / np.sum(weights)),
        scatter=scatter,
        level_unc=float(scatter / np.sqrt(n_kept)),
        clipped=int(np.sum(valid & ~kept)),
    )


def _trend_terms(x: Floats, y: Floats, ring: Flags) -> Floats:
    """Return the trend's terms along the last axis: slopes, and hats at radii across the ring."""
    radius = np.hypot(x, y)
    knots = np.linspace(radius[ring].min(), radius[ring].max(), _RADII)
    hats = np.maximum(0, 1 - np.abs(radius[..., None] - knots) / (knots[1] - knots[0]))
    slopes = np.stack([x, y], axis=-1) / knots[-1]
    return np.concatenate([slopes, hats], axis=-1)
