"""Predictive p-values of the test quantities, one posterior draw at a time.

A p-value averaged over the posterior uses the rows twice and piles up around
one half however wrong the model is. At one draw of the posterior it does not:
(draw, rows) and (truth, rows) have the same joint distribution, so a quantity
whose distribution is known given the truth has it given the draw (Johnson
2007, Bayesian Analysis 2, 719; Gosselin 2011, PLoS ONE 6, e14770). With the
offsets integrated out the rows are Gaussian at a draw (`mirical.inference.gaussian`)
and the quantities below have their distribution by replicated rows.

For a direction x the score is z = x'V^-1 r / (x'V^-1 x)^1/2, with what is private to
a band in loss and tau integrated out of r and V too (`Gaussian.freed_covariance`):
a fault of one band bends the law that was fitted, and the others tell how
far it may be bent. A fault also widens the scale it hides in, and with it V;
so a score counts in units of what is left once the best effect in its
direction is taken off: the mean of sigma_i^2 a_i^2, a = V^-1 r, over the rows of its
band, or of z^2 over the other directions of its family, either drawn to one
as by `_AS_EXPECTED` more. The quantity is the largest of a family. For the
scatter of a band see `mirical.checking.scatter`, for visits also
`mirical.checking.scatter`, for a step of all bands `mirical.checking.step_scan`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_solve, solve_triangular

from mirical.checking.scatter import clustered, too_little, too_much
from mirical.checking.score_directions import Family
from mirical.checking.step_scan import step_dates, step_scores
from mirical.model.design import Design
from mirical.model.row_gaussian import Gaussian

Floats = NDArray[np.float64]

REPLICATES = 2000
"""Replicated rows a p-value is counted among."""

ALARM = 0.01
"""How often a check fires on a correct model."""

ALARM_MEDIAN = 0.02
"""A check fires if the median of its p-values over draws is below this.

Each of them is uniform for a correct model; their median is below half of `ALARM` at most as often
as `ALARM` says, however they depend on each other (Rueschendorf 1982), and in fact scatters less
than they do. In 40 fault-free programs, none of those the checks were measured with, 4 of 400
medians were below 0.02.
"""

_NOTHING = 1e-9  # of a band's mean square
_AS_EXPECTED = 10
"""Rows or directions of the expected size that steady what a score is measured by."""


@dataclass(frozen=True)
class Finding:
    """What one test quantity says.

    Attributes
    ----------
    check : str
        Name of the check.
    p_value : float
        Share of replicates at least as extreme, counting the rows themselves.
    label : str
        The most extreme direction, band or star.
    z : float
        Its score, or departure in standard deviations of the replicates.
    size, size_unc : float
        Effect in that direction and its error, fraction of ln C a unit; NaN for scatters.
    """

    check: str
    p_value: float
    label: str
    z: float
    size: float
    size_unc: float


@dataclass(frozen=True)
class CheckOutcome:
    """What a check comes to.

    Attributes
    ----------
    finding : Finding
        At one draw, chosen before anything is known: its p-value is uniform for a correct model.
    p_median : float
        Median of the p-values over several draws.
    """

    finding: Finding
    p_median: float

    @property
    def fires(self) -> bool:
        """Whether the rows contradict the model."""
        return self.p_median < ALARM_MEDIAN


def check_outcomes(each: Sequence[Sequence[Finding]]) -> list[CheckOutcome]:
    """Return the answer of every check from the findings of several draws, the first one shown."""
    medians = np.median([[finding.p_value for finding in found] for found in each], axis=0)
    return [CheckOutcome(f, float(m)) for f, m in zip(each[0], medians, strict=True)]


def findings(
    rows: Gaussian, families: dict[str, Family], design: Design, random: np.random.Generator
) -> list[Finding]:
    """Return the finding of every check at one draw.

    Parameters
    ----------
    rows : Gaussian
        The rows at the draw.
    families : dict of {str : Family}
        As `mirical.checking.score_directions.families` makes them.
    design : Design
        The rows' places.
    random : Generator
        Of the replicates.
    """
    noise = random.standard_normal((len(rows.residual), REPLICATES))
    both = np.concatenate([rows.whiten(rows.residual[:, None]), noise], axis=1)
    root = np.asarray(np.linalg.cholesky(rows.freed_covariance), dtype=float)
    white = solve_triangular(root, rows.freed_residual[:, None], lower=True)
    freed = np.concatenate([white, noise], axis=1)
    found = [_extreme(rows, family, root, freed, design) for family in families.values()]
    found = [_or_clustered(f, rows, design, random) if f.check == "visits" else f for f in found]
    found.append(_scatter(rows, both, design, random))
    if "stars" in families:
        found.append(_spread(rows, families["stars"], both))
    if step_dates(design).columns.size:
        found.append(step_finding(rows, both, design))
    return found


def step_finding(rows: Gaussian, both: Floats, design: Design) -> Finding:
    """Test whether all bands step together between any two visits.

    Parameters
    ----------
    rows : Gaussian
        The rows at a draw.
    both : (row, 1 + replicate) array
        The rows' residuals whitened by V, then those of replicates.
    design : Design
        The rows' places, at more than one date.
    """
    dates = step_dates(design)
    scores = step_scores(rows, dates)
    found = scores.along.T @ both
    at = int(np.argmax(np.abs(found[:, 0])))
    return Finding(
        check="step",
        p_value=_share(np.abs(found).max(axis=0)),
        label=f"MJD {dates.earliest[at]:.0f} to {dates.latest[at]:.0f}",
        z=float(found[at, 0]),
        size=float(scores.size[at]),
        size_unc=float(np.sqrt(scores.size_var[at])),
    )


def _extreme(rows: Gaussian, family: Family, root: Floats, both: Floats, design: Design) -> Finding:
    """Test the largest score of a family.

    `root` is that of the freed covariance; the first column of `both` is the
    rows whitened by it, the others are replicates'.
    """
    weights = cho_solve((root, True), family.columns)
    information = np.sum(weights * family.columns, axis=0)
    known = np.flatnonzero(information > 1e-6)
    along = root.T @ weights[:, known]
    length = np.sqrt(information[known])
    scores = (along / length).T @ both
    if family.band is None:
        others = np.sum(scores**2, axis=0) - scores**2
        n_others = len(known) - 1
        square = others / max(n_others, 1)
    else:
        weighted = rows.sigma[:, None] * solve_triangular(root.T, both)
        shape = rows.sigma[:, None] * weights[:, known] / length
        square, n_others = np.empty_like(scores), np.empty((len(known), 1))
        of = family.band[known]
        for band in np.unique(of):
            here, mine = np.asarray(design.band) == band, of == band
            inside, along, n = weighted[here], shape[np.ix_(here, mine)], here.sum()
            # The mean square of what is left of the band's rows, direction by direction.
            whole = np.mean(inside**2, axis=0)
            left = (
                whole
                - 2 / n * scores[mine] * (along.T @ inside)
                + scores[mine] ** 2 * np.mean(along**2, axis=0)[:, None]
            )
            expected = np.mean(left[:, 1:], axis=1, keepdims=True)
            # A direction that is all of a band's rows leaves nothing to measure it by.
            some = expected > _NOTHING * whole[1:].mean()
            square[mine] = np.where(some, np.maximum(left, 0) / np.where(some, expected, 1), 1)
            n_others[mine] = n
    sizes = np.abs(scores) / np.sqrt((n_others * square + _AS_EXPECTED) / (n_others + _AS_EXPECTED))
    at = int(np.argmax(sizes[:, 0]))
    best = known[at]
    size = float(weights[:, best] @ rows.freed_residual / information[best])
    return Finding(
        check=family.name,
        p_value=_share(np.max(sizes, axis=0)),
        label=family.labels[best],
        z=float(scores[at, 0]),
        size=size,
        size_unc=float(1 / np.sqrt(information[best])),
    )


def _or_clustered(
    score: Finding, rows: Gaussian, design: Design, random: np.random.Generator
) -> Finding:
    """Test visits by their scores and by the outliers in them, the better of the two.

    Given which rows are outliers, the two p-values are independent.
    """
    p_value, visit = clustered(rows.outlier, np.asarray(design.visit), random, REPLICATES)
    both = 1 - (1 - min(score.p_value, p_value)) ** 2
    if score.p_value <= p_value:
        return replace(score, p_value=both)
    # Wrong rows tell no size: each may be off by what it likes.
    label = design.visits[visit]
    return Finding(score.check, both, label, np.nan, np.nan, np.nan)


def _scatter(rows: Gaussian, both: Floats, design: Design, random: np.random.Generator) -> Finding:
    """Test whether any band's rows scatter as their photometric errors say."""
    band, unc = np.asarray(design.band), np.asarray(design.log_factor_unc)
    of_band = (band == np.arange(len(design.bands))[:, None]) * unc**2
    much = too_much(rows, both, of_band)
    little = too_little(rows, band, unc, random, REPLICATES)
    p_much, p_little = _share(much.max(axis=0)), _share(little.max(axis=0))
    at = int(np.argmax((much if p_much < p_little else little)[:, 0]))
    label, z = design.bands[at], float(much[at, 0])
    # Of two independent questions: twice the smaller one would be 1 in a quarter of all programs.
    either = 1 - (1 - min(p_much, p_little)) ** 2
    return Finding("scatter", either, label, z, np.nan, np.nan)


def _spread(rows: Gaussian, stars: Family, both: Floats) -> Finding:
    """Test whether the stars spread about their types as the model says."""
    whitened = rows.whiten(stars.columns)
    scores = (whitened / np.sqrt(np.sum(whitened**2, axis=0))).T @ both
    off = _departure(np.log(np.sum(scores**2, axis=0))[None])[0]
    return Finding("spread", _share(np.abs(off)), "all stars", float(off[0]), np.nan, np.nan)


def _departure(values: Floats) -> Floats:
    """Return values of rows and replicates in standard deviations of the replicates."""
    replicated = values[:, 1:]
    return (values - replicated.mean(1, keepdims=True)) / replicated.std(1, keepdims=True)


def _share(quantity: Floats) -> float:
    """Return the share at least as large as the first, itself included."""
    return float(np.mean(quantity >= quantity[0]))
