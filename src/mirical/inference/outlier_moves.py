"""Exact Gibbs moves of the outlier indicators.

With S the covariance of the rows, all offsets integrated out, widening row i
from variance r_i to r_i + d changes the log density by

    -1/2 ln(1 + d k_i) + 1/2 d a_i^2 / (1 + d k_i),   a = S^-1 y,  k_i = [S^-1]_ii,

and both follow from one gradient of the log density L: dL/dy = -a and
dL/dr_i = (a_i^2 - k_i) / 2. So the odds of every single flip cost as much as
one step of the sampler. A row that nothing else checks (the only one of its
band) would stay wrong for hundreds of steps if its offsets were drawn first.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from mirical.model.collapsed import integrate, row_variance
from mirical.model.design import Design
from mirical.model.nesting import Blocks
from mirical.model.terms import Given

_FLIPS = 2  # each costs one gradient; a trajectory has about nine


def flip_log_odds(
    design: Design, blocks: Blocks, known: Given, outlier: Float[Array, " row"]
) -> Float[Array, " row"]:
    """Return, for each row, the log posterior odds of flipping it alone against not."""
    fraction, width = jnp.asarray(known.outlier_fraction), jnp.asarray(known.outlier_width)
    rows = design.log_factor - known.sampled_effect

    def log_density(y: Array, variance: Array) -> Float[Array, ""]:
        return integrate(design, blocks, known.scales, y, variance).log_density

    by_row, by_variance = jax.grad(log_density, argnums=(0, 1))(rows, row_variance(known, outlier))
    direction = 1 - 2 * outlier
    change = direction * width**2
    widened = 1 + change * (by_row**2 - 2 * by_variance)
    prior = jnp.log(fraction) - jnp.log1p(-fraction)
    return -0.5 * jnp.log(widened) + 0.5 * change * by_row**2 / widened + direction * prior


def flip_some(
    key: jax.Array, design: Design, blocks: Blocks, known: Given, outlier: Float[Array, " row"]
) -> Float[Array, " row"]:
    """Flip a few rows one after another, likelier ones first (Zanella 2020, JASA 115, 852).

    A row is chosen with weight g(odds), g(t) = t / (1 + t), and its flip
    accepted with the ratio of the weights' sums before and after: a
    Metropolis-Hastings step whose stationary distribution is exact.
    """

    def flip(state: tuple[Any, ...], key: jax.Array) -> tuple[tuple[Any, ...], None]:
        outlier, log_weight, proposed = state
        after = jax.nn.log_sigmoid(flip_log_odds(design, blocks, known, proposed))
        accept, choose = jax.random.split(key)
        log_ratio = jax.nn.logsumexp(log_weight) - jax.nn.logsumexp(after)
        taken = jnp.log(jax.random.uniform(accept)) < log_ratio
        outlier, log_weight = jax.tree.map(
            lambda new, old: jnp.where(taken, new, old), (proposed, after), (outlier, log_weight)
        )
        row = jax.random.categorical(choose, log_weight)
        return (outlier, log_weight, outlier.at[row].set(1 - outlier[row])), None

    # The first round finds the weights of the rows as they are, infinitely heavy before: accepted.
    start = outlier, jnp.full_like(outlier, jnp.inf), outlier
    (outlier, _, _), _ = jax.lax.scan(flip, start, jax.random.split(key, 1 + _FLIPS))
    return outlier
