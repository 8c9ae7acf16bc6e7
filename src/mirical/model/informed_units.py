"""Standard normals as sample sites: plain, or in units that suit what the rows say.

In units of the prior the sampler would meet a funnel where the rows say much.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpyro
import numpyro.distributions as dist
from jax.scipy.linalg import solve_triangular
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from mirical.model.design import Data

_ROUNDS = 30  # of Newton's method; quadratic, after as many as the slope has factors of two
_BEND = -1.5  # in the widths of what the rows say of a scatter, as is the bend's sharpness


def unit_normals(name: str, *shape: int) -> Array:
    """Sample standard normals of a shape, as one site."""
    return numpyro.sample(name, dist.Normal(jnp.zeros(shape), 1.0).to_event(len(shape)))


class Informed(NamedTuple):
    """Units that suit the rows: x = mean + units @ xi, with xi about standard normal."""

    mean: Float[Array, " unit"]
    units: Float[Array, "unit unit"]
    log_volume: Float[Array, ""]


def informed(
    root: Float[Array, "unit unit"],
    information: Float[Data, " unit"],
    estimate: Float[Data, " unit"],
) -> Informed:
    """Return the units of x = ``root @ u``, u standard normal, that suit the rows.

    Where the rows inform x well, it is confined to a place and a width of
    their own, and a sampler in units of the prior meets a funnel. If the rows
    said N(estimate, 1 / information) of x and nothing else, its posterior
    would have V = (K^-1 + diag(information))^-1, K = root root', and mean
    V diag(information) estimate. With M M' = V, the site sampled is
    xi = M^-1 (x - mean): about standard normal whatever the prior's width.
    The density stays that of x: information and estimate set the units
    alone, and need only be roughly right.

    Parameters
    ----------
    root : (unit, unit) array
        Cholesky factor of the prior covariance.
    information : (unit,) array
        Inverse variance with which the rows alone would determine each quantity.
    estimate : (unit,) array
        What they would find.
    """
    precision = jnp.eye(root.shape[0]) + root.T @ (information[:, None] * root)
    lower = jnp.linalg.cholesky(precision)
    half = solve_triangular(lower, root.T, lower=True)
    covariance = half.T @ half
    # Of all roots of V, the triangular one tends to diag(information)^-1/2 where the rows
    # decide, and so stays put as the prior's width changes.
    units = jnp.linalg.cholesky(covariance)
    log_volume = jnp.sum(jnp.log(jnp.diagonal(lower)))
    return Informed(covariance @ (information * estimate), units, log_volume)


def informed_normals(
    name: str, root: Float[Array, "unit unit"], by_rows: Informed
) -> Float[Array, " unit"]:
    """Return x = ``root @ u`` with u standard normal, sampled as `informed` says."""
    xi = unit_normals(name, root.shape[0])
    x = by_rows.mean + by_rows.units @ xi
    u = solve_triangular(root, x, lower=True)
    numpyro.factor(f"{name}_volume", 0.5 * (xi @ xi - u @ u) - by_rows.log_volume)
    return x


def informed_singly(
    name: str,
    spread: Float[Array, ""],
    information: Float[Data, " unit"],
    estimate: Float[Data, " unit"],
) -> Float[Array, " unit"]:
    """Return independent normals of a spread, sampled as `informed` says of each."""
    ratio = 1 / jnp.sqrt(1 + information * spread**2)  # of the posterior's width to the prior's
    xi = unit_normals(name, *jnp.shape(information))
    u = ratio**2 * spread * information * estimate + ratio * xi
    numpyro.factor(f"{name}_volume", jnp.sum(0.5 * (xi**2 - u**2) + jnp.log(ratio)))
    return spread * u


def told_singly(
    x: Float[Array, " unit"],
    spread: Float[Array, ""],
    information: Float[Data, " unit"],
    estimate: Float[Data, " unit"],
) -> Float[Array, " unit"]:
    """Return the units in which `informed_singly` samples given values x."""
    ratio = 1 / jnp.sqrt(1 + information * spread**2)
    return (x / spread - ratio**2 * spread * information * estimate) / ratio


class Bent(NamedTuple):
    """Standard normals u in other units, and ln |du/dxi| of each."""

    u: Float[Array, " unit"]
    log_slope: Float[Array, " unit"]


def bend(
    xi: Float[Array, " unit"],
    spread: ArrayLike,
    information: Float[Data, " unit"],
    estimate: Float[Data, " unit"],
) -> Bent:
    """Return standard normals u from units xi that suit what rows say of spread u.

    As `informed`, for the logarithm of a scatter: where it is hidden
    below the photometric errors the rows carry no information any more, and the posterior
    has a tail as wide as the prior beside a core as narrow as the rows make it. So
    xi moves in the rows' units down to `_BEND` below their estimate,
    and in the prior's farther down.
    """
    ratio = 1 / jnp.sqrt(1 + information * jnp.square(spread))  # of the core's width
    below = _BEND - xi
    u = ratio**2 * spread * information * estimate + ratio * xi
    u = u - (1 - ratio) * jax.nn.softplus(below)
    return Bent(u, jnp.log(ratio + (1 - ratio) * jax.nn.sigmoid(below)))


def straighten(
    u: Float[Array, " unit"],
    spread: ArrayLike,
    information: Float[Data, " unit"],
    estimate: Float[Data, " unit"],
) -> Float[Array, " unit"]:
    """Return the units xi of which `bend` makes standard normals u.

    Newton's steps: u rises with xi, ever slower, so that they come from below from the second on.
    """

    def step(_: int, xi: Array) -> Array:
        found = bend(xi, spread, information, estimate)
        return xi - (found.u - u) * jnp.exp(-found.log_slope)

    return jax.lax.fori_loop(0, _ROUNDS, step, u)
