"""Stacking of rival models by their leave-one-out predictions."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from arviz_stats.loo.compare import compare
from numpy.typing import ArrayLike, NDArray
from scipy.special import logsumexp

from mirical.checking.quantities import K_LIMIT
from mirical.inference.leave_one_out import leave_one_out
from mirical.rivals.fits import Predictions

Floats = NDArray[np.float64]

CLOSE = 4.0
"""Difference in log predictive density below which its standard error says too little to choose by
(Sivula et al. 2020)."""

_FEWEST_DRAWS = 20  # of a half from which an elpd can be had


@dataclass(frozen=True)
class Standing:
    """How a model stands among its rivals.

    Attributes
    ----------
    elpd, elpd_se : float
        Expected log predictive density of the rows, each given all others, and its standard error.
    behind, behind_se : float
        How far behind the best, and the standard error of that difference: what the rows are a
        sample of, and what the draws are.
    weight : float
        Its share in the stack, the mixture that predicts the rows best (Yao et al. 2018).
    rough : int
        Rows whose Pareto k is above `K_LIMIT`.
    """

    elpd: float
    elpd_se: float
    behind: float
    behind_se: float
    weight: float
    rough: int

    @property
    def ties(self) -> bool:
        """Whether it is too close to the best to call."""
        return bool(too_close(self.behind, self.behind_se))


def too_close(behind: ArrayLike, behind_se: ArrayLike) -> NDArray[np.bool_]:
    """Return whether differences are within their standard error, or less than `CLOSE`."""
    return np.asarray(behind) <= np.maximum(behind_se, CLOSE)


def standings(found: Mapping[str, Predictions]) -> dict[str, Standing]:
    """Return how models stand, the best first; those whose fit must not be believed are left out.

    ArviZ's PSIS-LOO and stacking.
    """
    sound = {name: one for name, one in found.items() if not one.problem}
    with warnings.catch_warnings():
        # That some rows' Pareto k is large is a number of every standing.
        warnings.filterwarnings("ignore", "Estimated shape parameter", UserWarning)
        # ArviZ's affair.
        warnings.filterwarnings("ignore", "The inplace keyword", DeprecationWarning)
        each = {name: leave_one_out(one.log_likelihood, one.log_a) for name, one in sound.items()}
        table: Any = compare(each) if len(each) > 1 else None
        noise = _noise(list(sound.values()))
    if table is None:
        return {
            name: Standing(float(one.elpd), float(one.se), 0.0, 0.0, 1.0, _rough(one))
            for name, one in each.items()
        }
    return {
        str(name): Standing(
            elpd=float(each[str(name)].elpd),
            elpd_se=float(each[str(name)].se),
            behind=abs(float(line["elpd_diff"])),
            behind_se=float(np.hypot(line["dse"], np.sqrt(2) * noise)) if line["rank"] else 0.0,
            weight=float(np.clip(line["weight"], 0, 1)),
            rough=_rough(each[str(name)]),
        )
        for name, line in table.iterrows()
    }


def _noise(found: Sequence[Predictions]) -> float:
    """Return the Monte-Carlo error of an elpd, from what its halves of the draws say."""
    half = min(len(one.log_a) for one in found) // 2
    if half < _FEWEST_DRAWS:
        return 0.0
    halves = [
        [
            float(leave_one_out(one.log_likelihood[part], one.log_a[part]).elpd)
            for part in (slice(0, half), slice(half, 2 * half))
        ]
        for one in found
    ]
    return float(np.sqrt(np.mean(np.diff(halves, axis=1) ** 2)) / 2)


def _rough(one: Any) -> int:
    return int(np.sum(np.asarray(one.pareto_k) > K_LIMIT))


def mixture_density(log_densities: Mapping[str, Floats], weights: Mapping[str, float]) -> Floats:
    """Return the log density of rows under a mixture of models: arrays of (draw, row) in."""
    parts = [
        logsumexp(log_densities[name], axis=0) - np.log(len(log_densities[name])) + np.log(weight)
        for name, weight in weights.items()
        if weight > 0
    ]
    return logsumexp(parts, axis=0)


def mixture_share(shares: Mapping[str, Floats], weights: Mapping[str, float]) -> Floats:
    """Return the share of a mixture's prediction below each row: arrays of (draw, row) in."""
    total = sum(weights.values())
    means = [weight * shares[name].mean(axis=0) for name, weight in weights.items()]
    return np.sum(means, axis=0) / total


def mixture_quantiles(
    draws: Mapping[str, Floats], weights: Mapping[str, float], at: tuple[float, ...]
) -> Floats:
    """Return quantiles of a mixture over its models' draws, shape (draw, ...) each."""
    used = [name for name, weight in weights.items() if weight > 0]
    stacked = np.concatenate([draws[name] for name in used])
    weight = np.concatenate(
        [np.full(len(draws[name]), weights[name] / len(draws[name])) for name in used]
    )
    return np.quantile(stacked, at, axis=0, weights=weight, method="inverted_cdf")
