r"""Weights of draws: Pareto-smoothed, with k-hat, effective number and resampling.

Draws of one density that shall stand for another have the ratio of the two as weights. The
largest are smoothed by the generalised Pareto distribution fitted to them, whose shape k says
whether the weighted draws may be used at all (Vehtari et al. 2024, JMLR 25, 72).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from arviz_stats.base.array import array_stats
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_MOST_K = 0.7  # beyond, the mean of the ratios converges too slowly for any number of draws


@dataclass(frozen=True)
class Weights:
    """Smoothed weights of draws.

    Attributes
    ----------
    values : (draw,) array
        Weights, of sum one.
    k : float
        Shape of the tail of the ratios; infinite where they are not finite or too few differ.
    effective : float
        How many independent draws the weighted ones are worth.
    """

    values: Floats
    k: float
    effective: float

    @property
    def kish(self) -> float:
        """How many equal weights are as even as these."""
        return 1 / float(np.sum(self.values**2))

    @property
    def limit(self) -> float:
        """Largest k at which the weighted draws may be used."""
        return k_limit(len(self.values))

    @property
    def usable(self) -> bool:
        """Whether k is below its limit."""
        return self.k < self.limit


def k_limit(draws: int) -> float:
    """Return the largest k at which so many weighted draws may be used."""
    return min(1 - 1 / math.log10(draws), _MOST_K) if draws > 1 else -math.inf


def smooth_weights(log_ratio: Floats, efficiency: float = 1.0) -> Weights:
    """Return the weights of draws from the logarithms of ratios of densities.

    Parameters
    ----------
    log_ratio : (draw,) array
        Logarithm of wanted over drawn density, up to a constant.
    efficiency : float
        Independent draws that each draw is worth, one for draws that do not depend on each other.
    """
    number = len(log_ratio)
    if not np.any(np.isfinite(log_ratio)) or np.any(np.isnan(log_ratio) | (log_ratio == np.inf)):
        return Weights(np.full(number, 1 / number), math.inf, 0.0)
    if np.ptp(log_ratio) == 0:  # all alike: there is no tail
        return Weights(np.full(number, 1 / number), 0.0, efficiency * number)
    lowest = np.min(log_ratio[np.isfinite(log_ratio)])
    finite = np.maximum(log_ratio, lowest - 100)  # of no weight, but a number
    try:
        smoothed, k = array_stats.psislw(-finite, r_eff=efficiency)  # type: ignore[arg-type]
    except ValueError:  # the largest are all alike: a few draws in many copies
        smoothed, k = finite, math.inf
    values = np.exp(np.asarray(smoothed) - np.max(smoothed))
    values /= values.sum()
    return Weights(values, float(k), efficiency / float(np.sum(values**2)))


def resample(weights: Floats, number: int, seed: int) -> NDArray[np.intp]:
    """Return which draws stand for the weighted ones with equal weights, in their order.

    Each stands as often as its weight says but for less than one (systematic resampling). Copies
    follow each other: cut into chains, they stay in one chain but for a few at its ends, and an
    autocorrelation counts them as what they are.

    Parameters
    ----------
    weights : (draw,) array
        Of sum one.
    number : int
        How many draws to return.
    seed : int
        Fixes the one random number there is.
    """
    edges = np.cumsum(weights)
    edges[-1] = 1.0
    at = (np.arange(number) + np.random.default_rng(seed).uniform()) / number
    return np.searchsorted(edges, at, side="right").clip(max=len(weights) - 1)
