"""Mode of the posterior and the approximation about it: Laplace, then a fit to the density."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from mirical.errors import InputError
from mirical.fast.proposal import Floats, Integers, Proposal
from mirical.fast.target import Found, Others, Target

_ROUNDS = 6  # of maximising and of telling outliers
_CHANGES = 20  # of indicators at one place
_ITERATIONS = 100  # of one maximisation
_HISTORY = 30  # its pairs of steps and slopes that are kept
_STEP = 1e-2  # of derivatives, in the sampler's units
_NARROWEST, _WIDEST = 0.02, 3.0
"""Of the widths at the mode, in the sampler's units: where the density is flat or curved upwards
at its mode, its width is one of the prior's."""
_PAIRS = 32  # of opposite points at which an iteration of the fit looks
_SLOWDOWN = 0.35  # of the fit's steps from one iteration to the next
_FAR = 3.0  # standard numbers at which the tails are looked at
_LIGHTEST, _HEAVIEST = 0.3, np.log(1.5)
"""Of the tails: the logarithms of small scales fall off more slowly than a normal everywhere."""
_MOST_SKEW = 1.0
_CLIP = 6.0
NO_DENSITY = (
    "the fast fit cannot start: the model's density is not finite anywhere near the data; check "
    "the priors of card {!r} and the table's errors."
)


@dataclass(frozen=True)
class Mode:
    """Where the density is highest, and which rows are outliers there.

    Attributes
    ----------
    proposal : Proposal
        Normal of the curvature at the mode.
    outlier : (row,) array
        Rows that are outliers more likely than not.
    others : Others
        What all other rows say of each, at the mode.
    odds : (row,) array
        Log odds of each to be an outlier, there.
    """

    proposal: Proposal
    outlier: Floats
    others: Others
    odds: Floats


def find_mode(target: Target) -> Mode:
    """Return the mode; rows become outliers, or sound again, while it is climbed.

    Parameters
    ----------
    target : Target
        The density.

    Raises
    ------
    InputError
        If the density is not finite where it should be highest.
    """
    number = len(target.coordinates)
    plain = Proposal.normal(np.zeros(number), np.eye(number))
    # Outliers are told first where the sampler's units, which are robust, put the scatter: climbed
    # with all rows sound, the scatter would grow until it explains them.
    start = np.zeros(number)
    outlier, _ = _told(target, plain, start, np.zeros(len(target.data[0].rows)))
    best = _mode_from(target, plain, start, outlier)
    # Several outliers of a visit may as well be its offset, and one flip at a time does not tell.
    hanging = _with_others_of_its_visit(np.asarray(target.data[0].visit), best.mode.outlier)
    if np.any(hanging):
        sound = np.where(hanging, 0.0, best.mode.outlier)
        best = max(best, _mode_from(target, plain, start, sound), key=lambda one: one.evidence)
    return best.mode


class _Found(NamedTuple):
    """A mode, and ln of the integral over the normal at it, up to a constant."""

    mode: Mode
    evidence: float


def _mode_from(target: Target, plain: Proposal, start: Floats, outlier: Floats) -> _Found:
    """Return the mode that is climbed to from a place, with such outliers at first."""
    x, others = start, target.nothing
    for _ in range(_ROUNDS):
        x = _climb(target, plain, x, outlier, others)
        told, found = _told(target, plain, x, outlier)
        if np.array_equal(told, outlier):
            break
        outlier = told
    others = Others(found.residual[0], found.variance[0], np.ones(()))
    x = _climb(target, plain, x, outlier, others)
    found = target.at(x[None], outlier, plain, others)
    others = Others(found.residual[0], found.variance[0], np.ones(()))
    outlier, found = _told(target, plain, x, outlier)
    root = _width(target, plain, x, outlier, others)
    value = target.at(x[None], outlier, plain, others).target[0]
    mode = Mode(Proposal.normal(x, root), outlier, others, np.asarray(found.odds[0]))
    evidence = float(value) + float(np.sum(np.log(np.diag(root))))
    return _Found(mode, evidence if np.isfinite(evidence) else -np.inf)


def _with_others_of_its_visit(visit: Integers, outlier: Floats) -> NDArray[np.bool_]:
    """Return which rows are outliers that are not the only one of their visit."""
    number = np.bincount(visit, outlier)
    return (outlier > 0) & (number[visit] > 1)


def _wrong(outlier: Floats, found: Found) -> Floats:
    """Return the log odds of each row that its indicator is wrong."""
    return np.where(outlier > 0, -found.odds[0], found.odds[0])


def _told(target: Target, plain: Proposal, x: Floats, outlier: Floats) -> tuple[Floats, Found]:
    """Return the indicators when none is wrong more likely than not at x, and the density."""
    found = target.at(x[None], outlier, plain, target.nothing)
    for _ in range(_CHANGES):
        wrong = _wrong(outlier, found)
        if np.max(wrong) <= 0:
            break
        # The most certain half: telling one row changes the odds of those it was compared with.
        worst = np.argsort(-wrong)[: max(1, int(np.sum(wrong > 0)) // 2)]
        outlier = outlier.copy()
        outlier[worst] = 1 - outlier[worst]
        found = target.at(x[None], outlier, plain, target.nothing)
    return outlier, found


def _climb(
    target: Target, plain: Proposal, start: Floats, outlier: Floats, others: Others
) -> Floats:
    def minus(x: Floats) -> tuple[float, Floats]:
        found = target.at(x[None], outlier, plain, others)
        value = found.target[0] if others.weight else found.density[0]
        if not np.isfinite(value):
            return 1e12, np.zeros_like(x)
        return -float(value), -np.asarray(found.slope[0])

    settings = {"maxiter": _ITERATIONS, "maxcor": _HISTORY}
    return minimize(minus, start, jac=True, method="L-BFGS-B", options=settings).x


def _width(target: Target, plain: Proposal, x: Floats, outlier: Floats, others: Others) -> Floats:
    """Return the root of the covariance that the curvature at the mode says."""
    steps = _STEP * np.eye(len(x))
    slope = target.at(np.concatenate([x + steps, x - steps]), outlier, plain, others).slope
    curvature = -(slope[: len(x)] - slope[len(x) :]) / (2 * _STEP)
    if not np.all(np.isfinite(curvature)):
        raise InputError(NO_DENSITY.format(target.coordinates.card.name))
    values, axes = np.linalg.eigh(0.5 * (curvature + curvature.T))
    width = 1 / np.sqrt(np.clip(values, _WIDEST**-2, _NARROWEST**-2))
    return np.asarray(np.linalg.cholesky((axes * width**2) @ axes.T), dtype=float)


def fit_proposal(
    target: Target, mode: Mode, random: np.random.Generator, iterations: int
) -> Proposal:
    """Return the skewed normal closest to the density, begun at the mode.

    Each iteration looks at pairs of opposite points of the proposal, where with r the derivative
    of ln(density / proposal) by e the mean moves by E[r], the widths by E[r e] and the skewness by
    E[r (e^2 - 1)] / 3: steps of the natural gradient of the Kullback-Leibler divergence.
    The tails are made as heavy as the density is along each number.
    """
    mean, root, skewness, tails = (part.copy() for part in mode.proposal)
    for k in range(iterations):
        e = random.normal(size=(_PAIRS, len(mean)))
        e = np.concatenate([e, -e])
        found = target.at(e, mode.outlier, Proposal(mean, root, skewness, tails), mode.others)
        off = np.clip(np.nan_to_num(found.slope + e), -_CLIP, _CLIP)
        step = 1 / (1 + _SLOWDOWN * k)
        mean = mean + step * (root @ off.mean(0))
        root = root * np.clip(1 + 0.35 * step * (off * e).mean(0), 0.7, 1.4)
        skewness = skewness + 0.23 * step * (off * (e**2 - 1)).mean(0)
        skewness = np.clip(skewness, -_MOST_SKEW, _MOST_SKEW)
    proposal = Proposal(mean, root, skewness, tails)
    return proposal._replace(tails=_tails(target, mode, proposal))


def _tails(target: Target, mode: Mode, proposal: Proposal) -> Floats:
    """Return ln t such that the proposal falls along each number as slowly as the density."""
    number = len(proposal.mean)
    far = _FAR * np.eye(number)
    e = np.concatenate([np.zeros((1, number)), far, -far])
    value = target.at(e, mode.outlier, proposal, mode.others).target
    fall = np.nan_to_num(value[0] - value[1:].reshape(2, number), nan=np.inf).min(0)
    stretch = _FAR / np.sqrt(2 * np.clip(fall, 1e-3, None))
    return np.clip(0.8 * np.log(stretch), _LIGHTEST, _HEAVIEST)
