"""Units of the sampler: approximate location and scale of each quantity, from the rows.

They choose the coordinates in which the sampler moves (`informed_units.informed`) and
nothing else: the posterior is the same whatever they are, so rough and robust
estimates serve.

All is NumPy: it is done once a data set, and to compile its many small steps takes JAX
two seconds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import jax
import numpy as np
from jaxtyping import Array, Float, Int

Data = Array | np.ndarray

_TYPICAL_TAU = 200.0  # d
_TYPICAL_SCATTER = 0.004
_TYPICAL_LOSS = 0.2
_ROUNDS = 15  # of reweighting; the weights of deviant rows settle in about ten
_TAIL, _WIDE_SCATTER = 3.0, 0.01  # of the t distribution that weighs the rows of a star
_STRAY_STAR = 0.06  # a star farther off is taken back to there: three times the usual error
_STRAY_SUBARRAY = 0.03
_TAU_STEP = 0.5  # of ln tau
LEFT_OUT = 100.0
"""Photometric error of ln C that leaves a row out of a fit and in its place in the design."""
_SAYS_NOTHING = 1.0  # a row of such an error sets no unit


@dataclass(frozen=True)
class Units:
    """Rough estimates from the rows.

    The loss shows at three levels: 0, rows of one star and subarray; 1,
    subarrays of one star; 2, stars.

    Attributes
    ----------
    loss_leverage : (level, band) array
        Sums of squares of exp(-x/tau), at a typical tau: what each level can
        say about the loss, in units of its inverse variance.
    loss : (level, band) array
        Each level's estimate of the log loss ln[A / (A + B)].
    scatter_information : (band,) array
        Inverse variance with which the rows determine the logarithm of the repeatability.
    log_scatter : (band,) array
        Logarithm of the scatter of repeats beyond photometric errors and what visits share.
    tau_information : (band,) array
        Inverse variance with which the rows determine ln tau.
    log_tau : (band,) array
        ln tau [d].
    """

    loss_leverage: Float[Data, "level band"]
    loss: Float[Data, "level band"]
    scatter_information: Float[Data, " band"]
    log_scatter: Float[Data, " band"]
    tau_information: Float[Data, " band"]
    log_tau: Float[Data, " band"]


jax.tree_util.register_dataclass(Units)


def no_units(n_bands: int) -> Units:
    """Return the units in which every quantity moves in its prior's."""
    nothing = np.zeros(n_bands)
    levels = np.zeros((3, n_bands))
    scatter, tau = (np.full(n_bands, np.log(of)) for of in (_TYPICAL_SCATTER, _TYPICAL_TAU))
    return Units(levels, levels, nothing, scatter, nothing, tau)


def measure_units(
    log_factor: Float[Data, " row"],
    log_factor_unc: Float[Data, " row"],
    elapsed: Float[Data, " row"],
    place: tuple[Int[Data, " row"], ...],
    shape: tuple[int, int, int, int],
    free: Float[Data, " star"] | None = None,
) -> Units:
    """Return the units of rows.

    Parameters
    ----------
    log_factor, log_factor_unc, elapsed : (row,) array
        As in a `Design`.
    place : tuple of (row,) int array
        Star, band, subarray and visit of each row.
    shape : tuple of int
        How many of each there are.
    free : (star,) array, optional
        One for stars of unknown flux, whose levels say nothing; none are by default.
    """
    star, band, subarray, visit = map(np.asarray, place)
    n_stars, n_bands, n_subarrays, n_visits = shape
    group = (star * n_bands + band) * n_subarrays + subarray
    values, errors, days = map(np.asarray, (log_factor, log_factor_unc, elapsed))
    decay, fitted = np.exp(-days / _TYPICAL_TAU), np.asarray(fitted_rows(errors))
    rows = _Rows(values, decay, group, shape[:3], band, fitted)
    slope, weight = rows.robust_slopes()
    leverage = rows.by_band(weight * rows.inner(weight) ** 2)

    count = rows.by_group(fitted).reshape(shape[:3])
    repeats = np.maximum(count - 1, 0).sum((0, 2))
    residual = weight * rows.residual(slope, weight)
    square = (rows.by_band(residual**2) + _TYPICAL_SCATTER**2) / (repeats + 1)
    stated = rows.by_band(np.where(fitted > 0, errors, 0.0) ** 2) / np.maximum(count.sum((0, 2)), 1)
    shared = _shared(residual, fitted, visit, n_visits)
    excess = np.maximum(square - stated - shared, 0.1 * square)

    cells = np.stack([rows.mean(decay, weight), rows.mean(rows.values, weight)])
    cells = cells.reshape(2, *shape[:3])
    in_subarrays, by_star = _spread(cells, count > 0, _STRAY_SUBARRAY, axis=2)
    known = np.ones(n_stars) if free is None else 1 - np.asarray(free)
    seen = np.any(count > 0, axis=2) & (known > 0)[:, None]
    of_stars, _ = _spread(by_star, seen, _STRAY_STAR, axis=0)
    about_tau = _by_time_constant(rows, slope, weight, days, stated + excess)
    outer = np.stack([in_subarrays.sum(1), of_stars])  # (level, moment, band)
    loss = -outer[:, 1] / np.maximum(outer[:, 0], 1e-12)
    return Units(
        loss_leverage=np.concatenate([leverage[None], outer[:, 0]]),
        loss=np.concatenate([-slope[None], loss]),
        scatter_information=2 * repeats * (excess / square) ** 2,
        log_scatter=0.5 * np.log(excess),
        tau_information=about_tau[0],
        log_tau=about_tau[1],
    )


class _Rows(NamedTuple):
    """Rows in groups of one star, band and subarray, and the line through each group.

    Log factors are a level of the group and a slope of the band times `decay`,
    exp(-x/tau) at a typical tau; the slope is minus the loss. Of a row that is left out `fitted`
    is zero, else one.
    """

    values: Float[np.ndarray, " row"]
    decay: Float[np.ndarray, " row"]
    group: Int[np.ndarray, " row"]
    shape: tuple[int, int, int]
    band: Int[np.ndarray, " row"]
    fitted: Float[np.ndarray, " row"]

    def by_band(self, of: np.ndarray) -> Float[np.ndarray, " band"]:
        """Sum over the rows of each band."""
        return _sum(of, self.band, self.shape[1])

    def by_group(self, of: np.ndarray) -> Float[np.ndarray, " group"]:
        """Sum over the rows of each group."""
        return _sum(of, self.group, int(np.prod(self.shape)))

    def mean(self, of: np.ndarray, weight: np.ndarray) -> Float[np.ndarray, " group"]:
        """Return the weighted mean of each group."""
        return self.by_group(weight * of) / np.maximum(self.by_group(weight), 1e-12)

    def inner(self, weight: np.ndarray) -> Float[np.ndarray, " row"]:
        """Return the decays about their groups' means."""
        return self.decay - self.mean(self.decay, weight)[self.group]

    def residual(self, slope: np.ndarray, weight: np.ndarray) -> Float[np.ndarray, " row"]:
        """Return the rows about their groups' lines."""
        plain = self.values - slope[self.band] * self.decay
        return plain - self.mean(plain, weight)[self.group]

    def slopes(self, weight: np.ndarray, ridge: float) -> Float[np.ndarray, " band"]:
        """Return the weighted least squares slopes, drawn to zero by a ridge."""
        inner = self.inner(weight)
        return self.by_band(weight * inner * self.values) / (
            self.by_band(weight * inner**2) + ridge
        )

    def robust_slopes(self) -> tuple[Float[np.ndarray, " band"], Float[np.ndarray, " row"]]:
        """Return the bands' slopes under a t distribution, and the weights it gives the rows.

        Two starts: a deviant row with leverage draws a fit to all rows, a
        large loss a fit that begins flat.
        """
        starts = np.zeros(self.shape[1]), self.slopes(self.fitted, 1e-6)
        (one, weight_one, cost_one), (two, weight_two, cost_two) = map(self._reweighted, starts)
        better = cost_one <= cost_two
        return np.where(better, one, two), np.where(better[self.band], weight_one, weight_two)

    def _reweighted(self, slope: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return slopes, weights, and the negative log density by band."""
        weight = self.fitted
        for _ in range(_ROUNDS):
            squares = self.residual(slope, weight) ** 2
            weight = self.fitted / (1 + squares / (_TAIL * _WIDE_SCATTER**2))
            slope = self.slopes(weight, (_WIDE_SCATTER / _TYPICAL_LOSS) ** 2)
        cost = 0.5 * (slope / _TYPICAL_LOSS) ** 2
        of_row = np.where(self.fitted > 0, np.log(np.maximum(weight, 1e-300)), 0.0)
        return slope, weight, cost - 0.5 * (_TAIL + 1) * self.by_band(of_row)


def _by_time_constant(
    rows: _Rows, slope: np.ndarray, weight: np.ndarray, days: np.ndarray, variance: np.ndarray
) -> tuple[Float[np.ndarray, " band"], Float[np.ndarray, " band"]]:
    """Return how well the rows of one star and subarray determine ln tau, and one step to it.

    ln C changes by -L (x / tau) exp(-x / tau) with ln tau; what a change of the loss L
    explains as well is taken out, and the estimate is one step of least squares from the typical
    tau, of `_TAU_STEP` at most.
    """
    change = slope[rows.band] * rows.decay * days / _TYPICAL_TAU
    change = change - rows.mean(change, weight)[rows.group]
    inner = rows.inner(weight)
    own = rows.by_band(weight * inner**2)
    shared = rows.by_band(weight * inner * change) / np.maximum(own, 1e-12)
    change = change - shared[rows.band] * inner
    square = rows.by_band(weight * change**2)
    step = rows.by_band(weight * change * rows.residual(slope, weight)) / np.maximum(square, 1e-12)
    return square / variance, np.log(_TYPICAL_TAU) + np.clip(step, -_TAU_STEP, _TAU_STEP)


def _sum(values: np.ndarray, place: np.ndarray, n: int) -> np.ndarray:
    return np.bincount(place, weights=values, minlength=n)


def fitted_rows(log_factor_unc: Float[Data, " row"]) -> Float[Data, " row"]:
    """Return one for each row, zero for those left out."""
    return (log_factor_unc < _SAYS_NOTHING).astype(float)


def _shared(
    residual: np.ndarray, fitted: np.ndarray, visit: np.ndarray, n_visits: int
) -> np.ndarray:
    """Return the variance the rows of a visit share: the mean product of two of them."""
    parts = residual, residual**2, fitted
    total, square, n = (_sum(part, visit, n_visits) for part in parts)
    pairs = np.sum(n * (n - 1))
    return np.maximum(np.sum(total**2 - square) / np.maximum(pairs, 1), 0.0)


def _spread(
    level: np.ndarray, present: np.ndarray, limit: float, axis: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return the moments of decay and value about their means along an axis, and the means.

    `level` holds decays and values; the moments are the decay's square and
    its product with the value, whose strays are taken back to `limit`.
    """
    n = np.maximum(present.sum(axis, keepdims=True), 1)
    centre = np.where(present, level, 0.0).sum(axis + 1, keepdims=True) / n
    off = np.where(present, level - centre, 0.0)
    value = np.clip(off[1], -limit, limit)
    moments = np.stack([(off[0] ** 2).sum(axis), (off[0] * value).sum(axis)])
    return moments, centre.squeeze(axis + 1)
