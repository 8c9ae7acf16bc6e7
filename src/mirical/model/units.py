"""The sampler's units: about where the rows put a quantity, and how well, before any fit.

They choose the coordinates in which NUTS moves (`terms.informed_normals`) and
nothing else: the posterior is the same whatever they are, so rough and robust
estimates serve.
"""

from __future__ import annotations

from dataclasses import dataclass

import jax
import jax.numpy as jnp
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
    """

    loss_leverage: Float[Data, "level band"]
    loss: Float[Data, "level band"]
    scatter_information: Float[Data, " band"]
    log_scatter: Float[Data, " band"]


jax.tree_util.register_dataclass(Units)


def no_units(n_bands: int) -> Units:
    """Return the units in which every quantity moves in its prior's."""
    nothing = np.zeros(n_bands)
    levels = np.zeros((3, n_bands))
    return Units(levels, levels, nothing, np.full(n_bands, np.log(_TYPICAL_SCATTER)))


def measure_units(
    log_factor: Float[Data, " row"],
    log_factor_unc: Float[Data, " row"],
    elapsed: Float[Data, " row"],
    place: tuple[Int[Data, " row"], ...],
    shape: tuple[int, int, int, int],
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
    """
    star, band, subarray, visit = place
    n_stars, n_bands, n_subarrays, n_visits = shape
    group = (star * n_bands + band) * n_subarrays + subarray
    n_groups = n_stars * n_bands * n_subarrays
    decay = jnp.exp(-jnp.asarray(elapsed) / _TYPICAL_TAU)
    values = jnp.asarray(log_factor)

    def mean(of: Array, weight: Array) -> Array:
        return _sum(weight * of, group, n_groups) / jnp.maximum(
            _sum(weight, group, n_groups), 1e-12
        )

    def fit(slope: Array) -> tuple[Array, Array, Array]:
        """Return slopes, weights and what the t distribution makes of the residuals, by band."""
        weight = jnp.ones_like(values)
        for _ in range(_ROUNDS):
            plain = values - slope[band] * decay
            residual = plain - mean(plain, weight)[group]
            weight = 1 / (1 + residual**2 / (_TAIL * _WIDE_SCATTER**2))
            inner = decay - mean(decay, weight)[group]
            slope = _sum(weight * inner * values, band, n_bands) / (
                _sum(weight * inner**2, band, n_bands) + (_WIDE_SCATTER / _TYPICAL_LOSS) ** 2
            )
        penalty = 0.5 * (slope / _TYPICAL_LOSS) ** 2
        return slope, weight, penalty - 0.5 * (_TAIL + 1) * _sum(jnp.log(weight), band, n_bands)

    # Two starts: a deviant row with leverage draws a fit to all rows, a large loss one to none.
    flat = jnp.zeros(n_bands)
    inner = decay - mean(decay, jnp.ones_like(decay))[group]
    steep = _sum(inner * values, band, n_bands) / (_sum(inner**2, band, n_bands) + 1e-6)
    fits = [fit(flat), fit(steep)]
    better = fits[0][2] <= fits[1][2]
    slope = jnp.where(better, fits[0][0], fits[1][0])
    weight = jnp.where(better[band], fits[0][1], fits[1][1])
    plain = values - slope[band] * decay
    level = mean(plain, weight)
    residual = plain - level[group]
    inner = decay - mean(decay, weight)[group]
    leverage = _sum(weight * inner**2, band, n_bands)

    count = _sum(jnp.ones_like(values), group, n_groups)
    repeats = jnp.maximum(count - 1, 0).reshape(shape[:3]).sum((0, 2))
    tame = weight * residual
    square = _sum(tame**2, band, n_bands) + _TYPICAL_SCATTER**2
    square = square / (repeats + 1)
    stated = _sum(jnp.asarray(log_factor_unc) ** 2, band, n_bands)
    stated = stated / jnp.maximum(_sum(jnp.ones_like(values), band, n_bands), 1)
    shared = _shared(tame, jnp.asarray(visit), n_visits)
    excess = jnp.maximum(square - stated - shared, 0.1 * square)

    present = (count > 0).reshape(shape[:3])
    cells = jnp.stack([mean(decay, weight), mean(values, weight)]).reshape(2, *shape[:3])
    in_subarrays, by_star = _spread(cells, present, _STRAY_SUBARRAY, axis=2)
    of_stars, _ = _spread(by_star, present.any(2), _STRAY_STAR, axis=0)
    outer = jnp.stack([in_subarrays.sum(1), of_stars])  # (level, moment, band)
    loss = -outer[:, 1] / jnp.maximum(outer[:, 0], 1e-12)
    return Units(
        loss_leverage=jnp.concatenate([leverage[None], outer[:, 0]]),
        loss=jnp.concatenate([-slope[None], loss]),
        scatter_information=2 * repeats * (excess / square) ** 2,
        log_scatter=0.5 * jnp.log(excess),
    )


def _sum(values: Data, place: Data, n: int) -> Array:
    return jnp.zeros(n).at[place].add(values)


def _shared(residual: Array, visit: Array, n_visits: int) -> Array:
    """Return the variance the rows of a visit share: the mean product of two of them."""
    one = jnp.zeros(n_visits)
    total, square, n = (
        one.at[visit].add(v) for v in (residual, residual**2, jnp.ones_like(residual))
    )
    pairs = jnp.sum(n * (n - 1))
    return jnp.maximum(jnp.sum(total**2 - square) / jnp.maximum(pairs, 1), 0.0)


def _spread(level: Array, present: Array, limit: float, axis: int) -> tuple[Array, Array]:
    """Return the moments of decay and value about their means along an axis, and the means.

    `level` holds decays and values; the moments are the decay's square and
    its product with the value, whose strays are taken back to `limit`.
    """
    n = jnp.maximum(present.sum(axis, keepdims=True), 1)
    centre = jnp.where(present, level, 0.0).sum(axis + 1, keepdims=True) / n
    off = jnp.where(present, level - centre, 0.0)
    value = jnp.clip(off[1], -limit, limit)
    moments = jnp.stack([(off[0] ** 2).sum(axis), (off[0] * value).sum(axis)])
    return moments, centre.squeeze(axis + 1)
