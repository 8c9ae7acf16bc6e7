"""Background in the annulus around a star, and the error from its structure."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from astropy.stats import mad_std
from numpy.typing import NDArray
from scipy.fft import irfft2, next_fast_len, rfft2

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

LEAST_ANNULUS = 0.5
"""Share of the annulus that must hold valid pixels."""

_CLIP = 3.0  # sigma, about the trend
_OWN = 0.3  # of the fall of the star's wings across the annulus
_RADII = 5
_SIGNIFICANT = 2.0
"""Sigma by which scatter on the aperture's scale must exceed white noise. One flat field in forty
gets a term it does not need; at three sigma, uneven fields that went without made pulls of 1.10."""
_FEWEST_PAIRS = 30


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


def structure_variance(field: Floats, measure: Floats, white: float) -> float:
    """Return the variance that structure of the background adds to a measured flux, (DN/s)^2.

    A flux is a weighted sum of pixels, sum(a d), with a the aperture's weights
    less the annulus's. Its variance is the sum over lags of the field's
    covariance times the autocorrelation of a. What that is above white noise
    counts, if it is two standard deviations above: the covariance of a
    field of white noise scatters too.

    Parameters
    ----------
    field : (y, x) array
        Residual background around the star, DN/s/pixel; NaN where not to be used.
    measure : (y, x) array
        The weights a; they sum to zero.
    white : float
        Variance of a pixel that is accounted for elsewhere, (DN/s/pixel)^2.
    """
    used = np.isfinite(field)
    size = [next_fast_len(2 * n, real=True) for n in field.shape]

    def autocorrelation(image: Floats) -> Floats:
        return irfft2(np.abs(rfft2(image, size)) ** 2, size)

    pairs = np.rint(autocorrelation(used.astype(float)))
    enough = pairs >= _FEWEST_PAIRS
    products = autocorrelation(np.where(used, field, 0.0))
    covariance = np.where(enough, products / np.maximum(pairs, 1), 0.0)
    overlap = autocorrelation(measure)
    found = float(np.sum(covariance * overlap))
    alone = covariance[0, 0] * overlap[0, 0]
    beside = np.where(enough, overlap**2 / np.maximum(pairs, 1), 0.0)
    beside[0, 0] = 0.0
    doubt = covariance[0, 0] * np.sqrt(2 * np.sum(beside))
    if found - alone <= _SIGNIFICANT * doubt:
        return 0.0
    return max(0.0, found - max(white, covariance[0, 0]) * overlap[0, 0])


def field_around(data: Floats, x: Floats, y: Floats, inner: float, outer: float) -> Floats:
    """Return the background from `inner` to `outer` without gradient, star's wings or sources.

    Parameters
    ----------
    data : (y, x) array
        Count rates, DN/s/pixel; NaN where there is none.
    x, y : (y, x) array
        Offset of each pixel from the star, pixel.
    inner, outer : float
        Radii of the zone, pixel.
    """
    radius = np.hypot(x, y)
    zone = (radius >= inner) & (radius <= outer) & np.isfinite(data)
    field = np.full(data.shape, np.nan)
    if zone.sum() < 10:
        return field
    ring = np.rint(radius[zone]).astype(int)
    terms = np.stack([x[zone], y[zone]], axis=-1)
    values = data[zone]
    counts = np.maximum(np.bincount(ring), 1)

    def without_rings(entries: Floats) -> Floats:
        return entries - (np.bincount(ring, entries) / counts)[ring]

    flat = np.stack([without_rings(column) for column in terms.T], axis=-1)
    slope, *_ = np.linalg.lstsq(flat, without_rings(values), rcond=None)
    left = without_rings(values) - flat @ slope
    left[np.abs(left) > 5 * mad_std(left)] = np.nan
    field[zone] = left
    return field
