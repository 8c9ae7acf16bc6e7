"""What uneven background adds to the error of a flux."""

from __future__ import annotations

import numpy as np
from astropy.stats import mad_std
from numpy.typing import NDArray
from scipy.fft import irfft2, next_fast_len, rfft2

Floats = NDArray[np.float64]

_SIGNIFICANT = 2.0
"""Sigma by which scatter on the aperture's scale must exceed white noise. One flat field in forty
gets a term it does not need; at three sigma, uneven fields that went without made pulls of 1.10."""
_FEWEST_PAIRS = 30


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
