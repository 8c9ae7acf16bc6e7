r"""Weights of draws: Pareto-smoothed, with k-hat, effective number and resampling.

Draws of one density that shall stand for another have the ratio of the two as weights. The
largest are smoothed by the generalised Pareto distribution fitted to them, whose shape k says
whether the weighted draws may be used at all (Vehtari et al. 2024, JMLR 25, 72).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_FEW = 225  # independent draws up to which a fifth of them are the tail
_LEAST_TAIL = 5
_PRIOR_DRAWS = 10
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
    smoothed, k = _smoothed(finite - np.max(finite), efficiency)
    values = np.exp(smoothed - np.max(smoothed))
    values /= values.sum()
    return Weights(values, k, efficiency / float(np.sum(values**2)))


def _smoothed(logs: Floats, efficiency: float) -> tuple[Floats, float]:
    """Return log weights, the largest at the quantiles of the distribution fitted to them, and k.

    The numbers are those of `arviz_stats`, whose import takes longer than anything done here.
    """
    number = len(logs)
    enough = number * efficiency > _FEW
    in_tail = int(3 * (number / efficiency) ** 0.5) if enough else number // 5
    order = np.argsort(logs)
    tail, below = order[number - in_tail :], logs[order[number - in_tail - 1]]
    if in_tail < _LEAST_TAIL or logs[tail[-1]] == logs[tail[0]]:  # a few draws in many copies
        return logs, math.inf
    with np.errstate(divide="ignore", invalid="ignore"):  # copies of the smallest of the tail
        k, scale = _fit_tail(np.exp(logs[tail]) - np.exp(below))
    if not math.isfinite(k):
        return logs, k
    left = np.log1p(-np.arange(0.5, in_tail) / in_tail)
    beyond = scale * np.expm1(-k * left) / k if k else -scale * left
    smoothed = logs.copy()
    smoothed[tail] = np.minimum(np.log(np.exp(below) + beyond), logs[tail[-1]])
    return smoothed, k


def _fit_tail(excess: Floats) -> tuple[float, float]:
    """Return shape and scale of the generalised Pareto distribution of some sorted excesses.

    Posterior means by Zhang and Stephens (2009, Technometrics 51, 316), the shape with a prior
    worth `_PRIOR_DRAWS` draws at 1/2 (Vehtari et al. 2024).
    """
    number = len(excess)
    points = 30 + int(number**0.5)
    trial = 1 - np.sqrt(points / (np.arange(1, points + 1) - 0.5))
    trial = trial / (3 * excess[int(number / 4 + 0.5) - 1]) + 1 / excess[-1]
    shape = np.mean(np.log1p(-trial[:, None] * excess), axis=1)
    log_likelihood = number * (np.log(-trial / shape) - shape - 1)
    weights = np.exp(log_likelihood - np.max(log_likelihood))
    weights /= weights.sum()
    weights = np.where(weights < 10 * np.finfo(float).eps, 0.0, weights)
    weights /= weights.sum()
    rate = np.sum(trial * weights)
    k = np.mean(np.log1p(-rate * excess))
    shrunk = (number * k + _PRIOR_DRAWS * 0.5) / (number + _PRIOR_DRAWS)
    return float(shrunk), float(-k / rate)


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
