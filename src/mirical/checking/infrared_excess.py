"""Probability that a star has an infrared excess, with all rows kept in the fit.

With an excess a star is brighter than predicted by the share e(lambda) of its
flux, and ln C of its rows is lower by ln(1 + e). Warm dust of temperature T
beside a star in its Rayleigh-Jeans tail has

    e(lambda) = e(25.4 um) s(lambda) / s(25.4 um),  s = lambda^-1 / (exp(hc / lambda k T) - 1).

At a posterior draw, what a star's rows should be follows from all other rows
(`Gaussian.given_others`); its colour precision and the outliers among its rows are
summed over, both with and without the excess. The
ratio of the two, averaged over draws, is the Bayes factor of an excess: draws
of p(theta | y) ~ p(theta | other rows) p0(star's rows | theta) weighted by 1/p0 are
those of the posterior without the star.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp
from scipy.stats import gamma

from mirical.cards.card import Card
from mirical.dust import dust_over_star
from mirical.model.design import Design
from mirical.model.row_gaussian import Gaussian

Floats = NDArray[np.float64]

PRIOR = 0.04
"""Share of vetted standards with an excess worth the name: one of the paper's 28 (section 3.2)."""

TEMPERATURES = (60.0, 90.0, 130.0, 200.0, 350.0)
"""Kelvin; equally likely. From cold belts seen at 25 micron alone to warm ones from 10 micron."""

AMPLITUDES = tuple(np.geomspace(0.005, 1.0, 17).tolist())
"""Excess at 25.4 micron as a fraction of the star; uniform in its logarithm."""

_REFERENCE = 25.362  # micron
_SHARES = (0.0, 0.001, 0.004, 0.015, 0.04, 0.1, 0.2, 0.35, 0.5, 0.65, 0.8, 0.9, 1.0)
"""Shares of the colour precision's prior below the edges of its nodes. Among tens of stars the one
with the largest colour error is far in its tail, where dust must not be the only way out."""


@dataclass(frozen=True)
class ExcessDensities:
    """What a star's rows say at one draw.

    Attributes
    ----------
    without : float
        Log density of its rows given all others, no excess.
    excess : (temperature, amplitude) array
        The same with each excess; NaN where the star's flux is free.
    """

    without: float
    excess: Floats

    @property
    def log_bayes_factor(self) -> float:
        """Log of the ratio with an excess to without, at this draw."""
        return float(logsumexp(self.excess) - np.log(self.excess.size) - self.without)


def dust_shape(wavelengths: Sequence[float], temperature: float) -> Floats:
    """Return the excess relative to that at 25.4 micron, for dust of a temperature in K.

    Parameters
    ----------
    wavelengths : sequence of float
        In micron.
    temperature : float
        In kelvin.
    """
    shares = np.asarray(dust_over_star([*wavelengths, _REFERENCE], temperature))
    return shares[:-1] / shares[-1]


def excess_densities(
    rows: Gaussian, star: int, design: Design, half_df: float | None
) -> ExcessDensities:
    """Weigh a star's rows with and without an excess.

    A star of unknown flux has none over a prediction: its rows are weighed without one alone.

    Parameters
    ----------
    rows : Gaussian
        All rows at a draw.
    star : int
        Its index in the design.
    design : Design
        The rows' places.
    half_df : float or None
        Half the degrees of freedom of the stars' colours; None without such a term.
    """
    group = np.flatnonzero(np.asarray(design.star) == star)
    off, covariance = rows.given_others(group)
    wide = rows.outlier_width**2
    own = rows.own[np.ix_(group, group)]
    bare = covariance - own - np.diag(rows.outlier[group] * wide)
    free = bool(np.asarray(design.free)[star] > 0)
    shifts = np.empty((len(group), 0)) if free else excess_shifts(design, group)
    left = np.concatenate([off[:, None], off[:, None] + shifts], axis=1)
    nodes, shares = (np.ones(1), np.ones(1)) if half_df is None else _nodes(half_df)
    patterns = np.unique([np.zeros(len(group)), rows.outlier[group]], axis=0)
    logs = [
        log_densities(bare + own * rows.colour_precision[star] / node, left, patterns, rows)
        for node in nodes
    ]
    total = logsumexp(np.array(logs) + np.log(shares)[:, None], axis=0)
    shape = len(TEMPERATURES), len(AMPLITUDES)
    excess = np.full(shape, np.nan) if free else total[1:].reshape(shape)
    return ExcessDensities(float(total[0]), excess)


def excess_shifts(design: Design, group: NDArray[np.intp]) -> Floats:
    """Return ln(1 + e) of some rows for each excess, shape (row, temperature * amplitude)."""
    pivots = np.round(np.exp(design.log_wavelength), 9)  # as the card has them
    band = np.asarray(design.band)[group]
    shapes = np.array([dust_shape(pivots.tolist(), t)[band] for t in TEMPERATURES])
    shifts = np.log1p(shapes[:, None, :] * np.array(AMPLITUDES)[:, None])
    return shifts.reshape(-1, len(group)).T


def log_densities(covariance: Floats, left: Floats, patterns: Floats, rows: Gaussian) -> Floats:
    """Return the log density of each column of rows, summed over which rows are outliers.

    The patterns summed over are none, the draw's own and each of these with one
    row flipped: more of them add nothing that matters.
    """
    wide, fraction = rows.outlier_width**2, rows.outlier_fraction
    terms = []
    for pattern in patterns:
        precision = np.linalg.inv(covariance + np.diag(pattern * wide))
        _, log_volume = np.linalg.slogdet(precision)
        weighted_residual = precision @ left
        plain = 0.5 * (
            log_volume - np.sum(left * weighted_residual, axis=0) - len(left) * np.log(2 * np.pi)
        )
        if not fraction:
            return plain
        count = pattern.sum()
        odds = np.log(fraction) - np.log1p(-fraction)
        plain += len(left) * np.log1p(-fraction) + count * odds
        direction = (1 - 2 * pattern)[:, None]
        widened = 1 + direction * wide * np.diag(precision)[:, None]
        flipped = -0.5 * np.log(widened) + 0.5 * direction * wide * weighted_residual**2 / widened
        # What the first pattern and its flips reach is not counted again: of two that differ by one
        # row, each is a flip of the other; of two that differ by two rows, two flips are the same.
        apart = pattern != patterns[0]
        flips = plain + flipped + direction * odds
        terms += [] if apart.sum() == 1 else [plain[None]]
        terms += [flips[~apart] if apart.sum() in (1, 2) else flips]
    return logsumexp(np.concatenate(terms), axis=0)


@cache
def _nodes(half_df: float) -> tuple[Floats, Floats]:
    """Return colour precisions and how likely each is."""
    edges = np.array(_SHARES)
    middles = 0.5 * (edges[1:] + edges[:-1])
    return gamma.ppf(middles, half_df, scale=1 / half_df), np.diff(edges)


def amplitude_of(log_weights: Floats) -> tuple[float, float]:
    """Return mean and standard deviation of the excess at 25.4 micron, a posterior on the grid.

    Where the rows know it better than the grid, whose steps are 39 %, by the parabola
    through the highest point: their density is Gaussian in ln(1 + e).

    Parameters
    ----------
    log_weights : (amplitude,) array
        Log posterior density on the grid, up to a constant.
    """
    amplitudes = np.array(AMPLITUDES)
    weights = np.exp(log_weights - logsumexp(log_weights))
    mean = float(weights @ amplitudes)
    std = float(np.sqrt(weights @ (amplitudes - mean) ** 2))
    top = int(np.argmax(log_weights))
    if not 0 < top < len(amplitudes) - 1:
        return mean, std
    near = slice(top - 1, top + 2)
    x = np.log1p(amplitudes[near])
    bend, slope, _ = np.polyfit(x - x[1], log_weights[near], 2)
    width = np.sqrt(-0.5 / bend) if bend < 0 else np.inf
    if width > x[2] - x[1]:
        return mean, std
    peak = x[1] - slope / (2 * bend)
    return float(np.expm1(peak)), float(width * np.exp(peak))


def half_df_of(card: Card) -> float | None:
    """Return half the degrees of freedom of the stars' colours, None without such a term."""
    return card.fixed("colour_tail") / 2 if card.has("star_band_offset") else None


def probability(log_bayes_factors: Floats) -> float:
    """Return the probability of an excess from its log Bayes factor at each draw."""
    log_factor = float(logsumexp(log_bayes_factors) - np.log(len(log_bayes_factors)))
    odds = log_factor + np.log(PRIOR) - np.log1p(-PRIOR)
    return float(1 / (1 + np.exp(-odds)))
