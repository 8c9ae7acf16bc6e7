"""Ranks of true values among posterior draws, and tests of their uniformity.

The test compares the empirical distribution of n ranks with the uniform one
at points z_k. The count N_k of ranks below z_k is Binomial(n, z_k), and its
smaller tail probability is least where the two differ most:

    g = min_k min[ P(N_k <= observed), P(N_k >= observed) ].

The counts along z are a Markov chain, N_{k+1} - N_k ~ Binomial(n - N_k,
(z_{k+1} - z_k) / (1 - z_k)), so the probability of a smaller g, and with it
the simultaneous bands, are exact (Säilynoja, Bürkner & Vehtari 2022).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binom

Floats = NDArray[np.float64]

_MOST_POINTS = 100  # more add cost, not power
_LEVELS = 64  # trial levels of one pass of the search for a band


def rank_of(
    truth: float, draws: Floats, n_kept: int, random: np.random.Generator
) -> tuple[int, int]:
    """Return the rank of a true value among evenly thinned draws, and how many there are.

    Parameters
    ----------
    truth : float
        Value the data were drawn with.
    draws : (draw,) array
        Posterior draws in order.
    n_kept : int
        How many of them are about independent.
    random : Generator
        Places the truth among draws equal to it.
    """
    n_kept = max(1, min(n_kept, len(draws)))
    kept = draws[np.linspace(0, len(draws) - 1, n_kept).round().astype(int)]
    ties = int(np.sum(kept == truth))
    return int(np.sum(kept < truth)) + int(random.integers(0, ties + 1)), n_kept


def spread_ranks(ranks: Floats, n_kept: Floats, random: np.random.Generator) -> Floats:
    """Return ranks 0..n_kept as continuous numbers in 0..1, uniform if the ranks are.

    A rank stands for an interval of width 1 / (n_kept + 1); within it the
    place is drawn, so that ranks among different numbers of draws compare.
    """
    return (ranks + random.uniform(size=np.shape(ranks))) / (n_kept + 1)


def points(n: int) -> Floats:
    """Return where the distribution of `n` ranks is compared with the uniform one."""
    n_points = min(n, _MOST_POINTS)
    return np.arange(1, n_points) / n_points


def p_values(positions: Floats) -> Floats:
    """Return the probability that uniform ranks would look less uniform; 0 below about 1e-15.

    Parameters
    ----------
    positions : (quantity, n) array
        Ranks in 0..1.
    """
    n = positions.shape[-1]
    at = points(n)
    counts = np.sum(positions[..., None] <= at, axis=-2)
    below, above = binom.cdf(counts, n, at), binom.sf(counts - 1, n, at)
    return crossing_probability(np.minimum(below, above).min(axis=-1), n)


def crossing_probability(levels: Floats, n: int) -> Floats:
    """Return the probability that g of `n` uniform ranks is at most each level."""
    at, count = points(n), np.arange(n + 1)
    left = n - count[:, None]
    inside = np.zeros((len(levels), n + 1))
    inside[:, 0] = 1.0
    before = 0.0
    for z in at:
        step = binom.pmf(count[None, :] - count[:, None], left, (z - before) / (1 - before))
        tail = np.minimum(binom.cdf(count, n, z), binom.sf(count - 1, n, z))
        inside = inside @ step * (tail > np.asarray(levels)[:, None] * (1 + 1e-9))
        before = z
    return np.clip(1 - inside.sum(axis=1), 0.0, 1.0)


def band(n: int, rate: float) -> tuple[Floats, Floats]:
    """Return the simultaneous band about the uniform distribution at `points`.

    Parameters
    ----------
    n : int
        Number of ranks.
    rate : float
        At most this share of samples of uniform ranks leaves the band anywhere.

    Returns
    -------
    lower, upper : (point,) array
        Smallest and largest share of the ranks below each point that is inside.
    """
    low, high = np.log(rate) - 12.0, np.log(rate)
    for _ in range(2):
        trial = np.linspace(low, high, _LEVELS)
        allowed = crossing_probability(np.exp(trial), n) <= rate
        last = int(np.flatnonzero(allowed)[-1])
        low, high = trial[last], trial[min(last + 1, _LEVELS - 1)]
    count, at = np.arange(n + 1)[:, None], points(n)
    tail = np.minimum(binom.cdf(count, n, at), binom.sf(count - 1, n, at))
    inside = tail > np.exp(low)
    first = inside.argmax(axis=0)
    last = n - inside[::-1].argmax(axis=0)
    return first / n, last / n
