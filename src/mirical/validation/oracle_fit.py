"""Oracle fit: a Gaussian fit told every scale and fault, the best a program could be calibrated.

No procedure that has to learn the scales from the rows, and which rows to
mistrust, can do better than this one on average; simulated programs only.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from scipy.optimize import minimize

from mirical.inference.schema import Arrays
from mirical.instruments.miri import miri
from mirical.laws.timelaw import ADDITIVE, amplitude, log_relative_factor
from mirical.model.collapsed import integrate
from mirical.model.design import Design
from mirical.model.nesting import make_blocks
from mirical.model.offsets import Scales
from mirical.model.redraw import redraw
from mirical.model.terms import smooth_covariance
from mirical.randomness import generator
from mirical.simulation.errors_and_faults import DUSTY_STAR, TYPE_LENGTH, Errors, Faults
from mirical.simulation.truth import (
    SMOOTH_LENGTH,
    TAU_BAND_SPREAD,
    TAU_SPREAD,
    Coefficients,
)

_FLAT = 3.0  # prior spread of ln A
_LOSS_SIZE = 0.15  # prior spread of the loss at 15 micron, as the default card's
_LOSS_DEPARTURE = 0.01  # the losses of Table 8 lie so far off a smooth curve themselves
_THROUGHPUT = 0.02  # prior spread of ln D
_TAU = 200.0  # d
_FAULTY = 10.0  # what a faulty row scatters by: its weight is gone
_DRAWS = 1000


def oracle_draws(
    design: Design, truth: Coefficients, faulty: set[int], seed: int, errors: Errors, faults: Faults
) -> Arrays:
    """Draw A, B, tau and D_band given the true scales: arrays of (1, draw, ...).

    Loss and time constants, the only terms that are not linear, are normal
    about the mode with the curvature there (28 numbers that the rows of a
    whole program determine to a few percent).

    Parameters
    ----------
    design : Design
        Rows of a simulated program.
    truth : Coefficients
        Whose repeatabilities are told.
    faulty : set of int
        Row numbers without weight.
    seed : int
        Fixes the draws.
    errors, faults : Errors, Faults
        The scales that are told; the dusty star's colour is as wide as its excess.
    """
    n_bands = len(design.bands)
    places = [list(miri().bands).index(band) for band in design.bands]
    scales = _true_scales(design, errors, faults)
    sigma = np.hypot(truth.repeatability[places][design.band], design.log_factor_unc)
    wrong = np.array([row in faulty for row in design.rows])
    variance = jnp.asarray(np.where(wrong, _FAULTY, sigma) ** 2)
    growth = _LOSS_SIZE * jnp.exp(jnp.asarray(design.log_wavelength) - np.log(15.0))
    smooth = smooth_covariance(design.log_wavelength, SMOOTH_LENGTH)
    covariance = growth[:, None] * growth * smooth + _LOSS_DEPARTURE**2 * jnp.eye(n_bands)
    root = jnp.linalg.cholesky(covariance)
    correlation = smooth_covariance(design.log_wavelength, SMOOTH_LENGTH)
    blocks = make_blocks(design, correlation + 1e-6 * jnp.eye(n_bands))

    def law(unit: Float[Array, " unit"]) -> tuple[Array, Array]:
        spread = TAU_SPREAD * unit[-1] + TAU_BAND_SPREAD * unit[n_bands:-1]
        return root @ unit[:n_bands], _TAU * jnp.exp(spread)

    def rows(unit: Array) -> Array:
        loss, tau = law(unit)
        elapsed = jnp.asarray(design.elapsed)
        relative = log_relative_factor(ADDITIVE, elapsed, {"loss": loss, "tau": tau}, design.band)
        return jnp.asarray(design.log_factor) - relative

    def cost(unit: Array) -> Array:
        done = integrate(design, blocks, scales, rows(unit), variance)
        return 0.5 * unit @ unit - done.log_density

    slope = jax.jit(jax.value_and_grad(cost))
    start = np.zeros(2 * n_bands + 1)
    found = minimize(lambda u: tuple(map(np.asarray, slope(u))), start, jac=True, method="BFGS")
    curvature = np.asarray(jax.jit(partial(curvature_of, cost))(jnp.asarray(found.x)))
    normal = generator(seed, "floor").standard_normal((_DRAWS, len(found.x)))
    units = found.x + np.linalg.solve(np.linalg.cholesky(curvature).T, normal.T).T

    def draw(each: tuple[Array, Array]) -> dict[str, Array]:
        unit, key = each
        loss, tau = law(unit)
        done = integrate(design, blocks, scales, rows(unit), variance)
        named = redraw(key, design, blocks, scales, done).quantities(design)
        return {
            "A": named["A"],
            "B": amplitude(named["A"], loss),
            "loss": loss,
            "tau": tau,
            "D_band": named["D_band"],
        }

    keys = jax.random.split(jax.random.key(seed), _DRAWS)
    drawn = jax.jit(lambda *each: jax.lax.map(draw, each))(jnp.asarray(units), keys)
    return {name: np.asarray(value)[None] for name, value in drawn.items()}


def curvature_of(
    cost: Callable[[Array], Array], at: Float[Array, " unit"]
) -> Float[Array, "unit unit"]:
    """Return the second derivatives, column by column.

    `jax.hessian` takes all columns at once: stacks so long that XLA splits
    them over its threads, which may lock up (see `mirical.model.quadratic_forms`).
    """

    def column(direction: Array) -> Array:
        return jax.jvp(jax.grad(cost), (at,), (direction,))[1]

    return jax.lax.map(column, jnp.eye(len(at)))


def _true_scales(design: Design, errors: Errors, faults: Faults) -> Scales:
    n_bands = len(design.bands)
    colour = np.full(len(design.stars), errors.colour)
    if DUSTY_STAR in design.stars and faults.debris_disk:
        colour[design.stars.index(DUSTY_STAR)] = np.log1p(faults.debris_disk)
    told = {
        "subarray": _THROUGHPUT,
        "subarray_band": faults.subarray_by_band,
        "type": errors.type_offset,
        "star": errors.star_offset,
        "visit": errors.visit,
    }
    smooth = smooth_covariance(design.log_wavelength, TYPE_LENGTH) + 1e-6 * jnp.eye(n_bands)
    return Scales(
        factor_mean=jnp.zeros(n_bands),
        type_band=errors.type_band * jnp.linalg.cholesky(smooth),
        factor=jnp.full(n_bands, _FLAT),
        colour=jnp.asarray(colour),
        subarray_mean=np.zeros(len(design.subarrays)),
        **{name: jnp.asarray(value) for name, value in told.items()},
    )
