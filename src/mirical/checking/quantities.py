"""Quantities that the checks need, gathered over posterior draws.

What an added term, a left-out row or a left-out star would change has a closed
form at each draw (`mirical.inference.gaussian`); over the draws these are
averaged with Pareto-smoothed importance weights (Vehtari et al. 2024), whose
shape k says whether the draws reach that far: beyond `K_LIMIT` they do not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from arviz_stats.base.array import array_stats
from numpy.typing import NDArray
from scipy.special import logsumexp

from mirical.checking.infrared_excess import (
    ExcessDensities,
    excess_densities,
    half_df_of,
)
from mirical.checking.left_out_groups import group_log_density
from mirical.checking.predictive_pvalues import Finding, findings
from mirical.checking.score_directions import Family
from mirical.checking.step_scan import step_dates, step_scores
from mirical.inference.gaussian import Gaussians
from mirical.inference.leave_one_out import left_out_at_draw
from mirical.randomness import generator

Floats = NDArray[np.float64]

K_LIMIT = 0.7
"""Pareto k above which importance weights must not be believed."""


def k_limit(draws: int) -> float:
    """Return the same for a mean over so many draws (Vehtari et al. 2024, Eq. 13)."""
    return min(1 - 1 / np.log10(draws), K_LIMIT)


SLOPE_SPREAD = 0.01
"""Prior standard deviation of a slope, fraction a decade (time: a year). A percent: what the
pipeline leaves of non-linearity, persistence and background is no more (section 3.5)."""

FINDING_DRAWS = 25
"""Draws whose p-values are compared with those of the one that counts."""


@dataclass(frozen=True)
class AtDraw:
    """What one draw says.

    Attributes
    ----------
    findings : list of Finding or None
        None at draws that are not asked.
    log_likelihood, pit : (row,) array
        Log density of each row given all others, and the share of it below the row.
    outlier : (row,) array
        One for an outlier.
    slope, slope_var, slope_weight : (direction,) array
        Posterior mean and variance of each slope, and log of what the draw gains by it.
    stars : list of ExcessDensities
        One a star; with no excess where its flux is free.
    log_a, log_a_var : (band,) array
        Mean and variance of ln A.
    log_a_without : (star, band) array
        Mean without each star.
    group_said : (group,) array
        Log density of each group of rows given all others.
    log_a_without_group : (group, band) array
        Mean of ln A without each group.
    step : (3, date) array
        Of a step of all bands at each date: log weight, size in ln C, its variance.
    """

    findings: list[Finding] | None
    log_likelihood: Floats
    pit: Floats
    outlier: Floats
    slope: Floats
    slope_var: Floats
    slope_weight: Floats
    stars: list[ExcessDensities]
    log_a: Floats
    log_a_var: Floats
    log_a_without: Floats
    group_said: Floats
    log_a_without_group: Floats
    step: Floats


@dataclass(frozen=True)
class Questions:
    """What every draw is asked.

    Attributes
    ----------
    families : dict of {str : Family}
        Of the p-values.
    slopes : (row, direction) array
        Of the dependences.
    seed : int
        Of the replicated rows.
    groups : tuple of (row of the group,) int array
        Rows that are left out together, beside those of each star.
    """

    families: dict[str, Family]
    slopes: Floats
    seed: int
    groups: tuple[NDArray[np.intp], ...] = ()

    def ask(self, gaussians: Gaussians, draw: int, place: int) -> AtDraw:
        """Return what a draw says, the `place`-th of those looked at."""
        slopes, rows, design = self.slopes, gaussians[draw], gaussians.design
        half_df = half_df_of(gaussians.card)
        groups = [np.flatnonzero(np.asarray(design.star) == s) for s in range(len(design.stars))]
        found = None
        if place < FINDING_DRAWS:
            random = generator(self.seed, f"replicates {place}")
            found = findings(rows, self.families, design, random)
        log_likelihood, pit = left_out_at_draw(rows)
        step = step_scores(rows, step_dates(design))
        information = np.sum(rows.whiten(slopes) ** 2, axis=0) if slopes.size else np.zeros(0)
        precision = 1 / SLOPE_SPREAD**2 + information
        weighted_residual = slopes.T @ rows.weighted_residual
        mean, covariance = rows.log_a_posterior()
        return AtDraw(
            findings=found,
            log_likelihood=log_likelihood,
            pit=pit,
            outlier=rows.outlier,
            slope=weighted_residual / precision,
            slope_var=1 / precision,
            slope_weight=0.5
            * (weighted_residual**2 / precision - np.log(precision * SLOPE_SPREAD**2)),
            stars=[excess_densities(rows, s, design, half_df) for s in range(len(groups))],
            log_a=mean,
            log_a_var=np.diag(covariance),
            log_a_without=np.stack([rows.log_a_without(group) for group in groups]),
            group_said=np.array([group_log_density(rows, group) for group in self.groups]),
            log_a_without_group=np.array(
                [rows.log_a_without(group) for group in self.groups]
            ).reshape(len(self.groups), len(design.bands)),
            step=np.stack([step.log_weight, step.size, step.size_var]),
        )


@dataclass(frozen=True)
class Weighted:
    """Importance weights of draws.

    Attributes
    ----------
    weights : (..., draw) array
        They sum to one over the draws.
    k : (...) array
        Pareto shape.
    """

    weights: Floats
    k: Floats


def smoothed(log_ratios: Floats) -> Weighted:
    """Return Pareto-smoothed weights from log ratios, draws along the last axis."""
    log_weights, k = np.array(log_ratios, dtype=float), np.full(log_ratios.shape[:-1], -np.inf)
    # Equal ratios have no tail to smooth, and k of minus infinity.
    varied = np.ptp(log_weights, axis=-1) > 1e-9
    if np.any(varied):
        # ArviZ takes the log likelihood of what is left out: minus the log ratio.
        log_weights[varied], k[varied] = array_stats.psislw(-log_weights[varied], axis=-1)
    weights = np.exp(log_weights - logsumexp(log_weights, axis=-1, keepdims=True))
    return Weighted(weights, k)


def slope_posterior(each: Sequence[AtDraw]) -> tuple[Floats, Floats, Floats]:
    """Return posterior mean and standard deviation of the slopes, and k of each."""
    slope, variance, weight = (
        np.array([getattr(one, name) for one in each]).T
        for name in ("slope", "slope_var", "slope_weight")
    )
    draws = smoothed(weight)
    mean = np.sum(draws.weights * slope, axis=1)
    second = np.sum(draws.weights * (variance + slope**2), axis=1)
    return mean, np.sqrt(second - mean**2), draws.k


def star_influence(each: Sequence[AtDraw]) -> tuple[Floats, Floats, Floats]:
    """Return what leaving each star out does to ln A, and whether the draws can tell.

    Returns
    -------
    shift : (star, band) array
        Mean of ln A without the star minus that with all.
    std : (band,) array
        Posterior standard deviation with all.
    k : (star,) array
        Pareto shape of the weights 1 / p(star's rows | others).
    """
    log_a, variance = (
        np.array([getattr(one, name) for one in each]) for name in ("log_a", "log_a_var")
    )
    without = np.array([one.log_a_without for one in each])  # (draw, star, band)
    said = np.array([[star.without for star in one.stars] for one in each])
    draws = smoothed(-said.T)
    mean = np.einsum("sd,dsb->sb", draws.weights, without)
    std = np.sqrt(log_a.var(axis=0) + variance.mean(axis=0))
    return mean - log_a.mean(axis=0), std, draws.k
