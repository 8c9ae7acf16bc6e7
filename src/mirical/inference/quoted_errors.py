r"""Quoted errors of posterior draws: half the central 68 % interval, and the covariance to match.

A band seen in a single row has a posterior of two parts: narrow if the row is sound, and many
times as wide if it is an outlier, which the model holds possible for a few rows in a hundred. The
standard deviation of such draws says next to nothing of the narrow part, where nearly all of the
probability lies, and hangs on a few draws. So the error that is quoted is

    half = [q(84.13 %) - q(15.87 %)] / 2,

which is the standard deviation where the posterior is normal, covers 68 % where it is not, and
converges with the square root of the number of draws whatever the tails are. Covariances are
those of the draws' normal scores, Phi^-1[(rank - 1/2) / n], scaled to these errors: the
covariance of the draws where they are normal, positive semi-definite always.

The normal distribution is the standard library's: SciPy alone takes as long to load as a stored
run takes to be asked for an error.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from math import erf
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

LEVELS: tuple[float, float] = (NormalDist().cdf(-1), NormalDist().cdf(1))
"""Shares of the draws below the ends of the central 68 % interval."""

MEANING = "half the central 68 % interval"
"""What a quoted error is, as columns and reports describe it."""


def half_width(draws: Floats, axis: int | tuple[int, ...] = 0) -> Floats:
    """Return the quoted error of draws along an axis."""
    with np.errstate(invalid="ignore"):  # an infinite tau has no width
        low, high = np.quantile(draws, LEVELS, axis=axis)
        return 0.5 * (high - low)


def mean_and_error(drawn: Floats) -> tuple[Floats, Floats]:
    """Return posterior mean and quoted error of a variable's draws, (chain, draw, ...)."""
    return drawn.mean(axis=(0, 1)), half_width(drawn, axis=(0, 1))


def normal_image(draws: Floats) -> Floats:
    """Return the normal scores of draws, scaled to their quoted errors.

    Parameters
    ----------
    draws : (draw, quantity) array
        Draws of some quantities; a constant one has no error.

    Returns
    -------
    (draw, quantity) array
        Of mean zero, and of standard deviation (with draws - 1 degrees of freedom) equal to
        the quoted error; the ranks are those of the draws.
    """
    ranks = np.stack([_average_ranks(one) for one in draws.T], axis=1)
    twice = (2 * ranks).astype(int) - 2
    if np.any(twice % 2):
        scores = _scores(len(draws), 1)[twice]
    else:
        scores = _scores(len(draws), 2)[twice // 2]
    scores = scores - scores.mean(axis=0)
    size = scores.std(axis=0, ddof=1)
    return scores * np.divide(half_width(draws), size, out=np.zeros_like(size), where=size > 0)


@lru_cache(maxsize=4)  # one run has draws of one number
def _scores(number: int, halves: int) -> Floats:
    """Return the normal scores of the ranks 1, 1.5, 2, ..., `number`, or of the whole ones alone.

    Equal draws may share a half; without any, half of the scores, which take longer than all the
    rest, are not needed: `halves` is then 2, not 1.
    """
    return _each(NormalDist().inv_cdf, np.arange(1, 2 * number, halves) / (2 * number))


def _average_ranks(draws: Floats) -> Floats:
    """Return ranks from 1 on, equal draws sharing their mean rank, as `scipy.stats.rankdata`."""
    order = np.argsort(draws)
    ranks = np.empty(len(draws))
    ordered = draws[order]  # also what is looked up: in order, it is found many times as fast
    if np.all(ordered[1:] > ordered[:-1]):
        ranks[order] = np.arange(1, len(draws) + 1)
        return ranks
    below, up_to = (np.searchsorted(ordered, ordered, side) for side in ("left", "right"))
    ranks[order] = 0.5 * (below + up_to + 1)
    return ranks


def covariance(draws: Floats) -> Floats:
    """Return the covariance of draws (draw, quantity) that matches their quoted errors."""
    image = normal_image(draws)
    return image.T @ image / (len(image) - 1)


def scatter_half_width(sigma: Floats) -> float:
    """Return half the central 68 % interval of N(0, sigma^2) with sigma drawn from a posterior.

    The root of f(half) = mean Phi(half / sigma) - Phi(1) by Newton's method. f is concave and
    increasing, and not positive at the harmonic mean of sigma; so the steps begin there, never go
    beyond the root, and converge.

    Parameters
    ----------
    sigma : (draw,) array
        Draws of a standard deviation.
    """
    largest = float(np.max(sigma))
    if largest == 0:
        return 0.0
    inverse = 1 / np.maximum(sigma, 1e-12 * largest)
    half, step = float(1 / np.mean(inverse)), np.inf
    # half times the slope of f is below 1/4: a small step is a small f, not a steep one.
    while step > 1e-9 * half:
        scaled = half * inverse
        short = LEVELS[1] - 0.5 * (1 + float(np.mean(_each(erf, scaled / np.sqrt(2)))))
        density = np.exp(-0.5 * scaled**2) / np.sqrt(2 * np.pi)
        step = short / float(np.mean(density * inverse))
        half += step
    return half


def _each(function: Callable[[float], float], values: Floats) -> Floats:
    """Return a function of plain numbers, which NumPy has not, of each number of an array."""
    return np.array([function(value) for value in values.tolist()])


def error_noise(drawn: Floats, effective: float) -> float:
    """Return the Monte-Carlo error of a quoted error, relative to it.

    The share p of draws within the interval has a standard error of [p (1 - p) / effective]^1/2;
    half the difference between the intervals of shares so much larger and smaller is that
    of the interval's width.

    Parameters
    ----------
    drawn : (draw,) array
        Draws of one quantity.
    effective : float
        Effective number of draws of being inside the interval.
    """
    inside = LEVELS[1] - LEVELS[0]
    step = np.sqrt(inside * (1 - inside) / effective)
    shares = np.clip([inside - step, inside, inside + step], 0, 1)
    tails = 0.5 * (1 - shares)
    width = np.quantile(drawn, 1 - tails) - np.quantile(drawn, tails)
    return float((width[2] - width[0]) / (2 * width[1]))
