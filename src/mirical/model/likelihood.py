"""Likelihood of a row about its expectation: narrow, or wide for an outlier."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpyro.distributions as dist
from jax.typing import ArrayLike
from jaxtyping import Array, Float


def row_distribution(
    expected: Float[Array, "*draw row"],
    sigma: Float[Array, "*draw row"],
    fraction: ArrayLike | None = None,
    width: ArrayLike | None = None,
) -> dist.Distribution:
    """Return the distribution of ln C of rows.

    Parameters
    ----------
    expected, sigma : array
        Expected ln C and standard deviation of a row that is no outlier.
    fraction, width : array_like, optional
        Share of outliers and the standard deviation of their
        errors; shapes that broadcast against the rows. Without them no row goes wrong.
    """
    if fraction is None or width is None:
        return dist.Normal(expected, sigma)
    fraction = jnp.broadcast_to(fraction, expected.shape)
    scales = jnp.stack([sigma, jnp.hypot(sigma, width)], axis=-1)
    return dist.MixtureSameFamily(
        dist.Categorical(probs=jnp.stack([1.0 - fraction, fraction], axis=-1)),
        dist.Normal(expected[..., None], scales),
    )


def outlier_probability(
    rows: dist.Distribution, observed: Float[Array, " row"]
) -> Float[Array, "*draw row"]:
    """Return the probability that each row is an outlier, given everything else.

    Zero where `rows` is the plain normal of a card without outliers.
    """
    if not isinstance(rows, dist.MixtureSameFamily):
        return jnp.zeros(jnp.broadcast_shapes(rows.batch_shape, observed.shape))
    return jax.nn.softmax(rows.component_log_probs(observed), axis=-1)[..., 1]
