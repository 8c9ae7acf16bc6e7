"""Offsets of the types of star integrated out: a gray one each, and one smooth in wavelength.

With S the matrix that says which band a cell is in, and R R' the prior covariance of a type's
offsets in the bands, a type's effects on the cells are S R u, u ~ N(0, 1). All that is needed of
its rows is M = W S, N = S' M and l = S' h. With P = 1 + R' N R,

    W <- W - M R P^-1 R' M'      h <- h - M R P^-1 R' l      summed over the types
    constant <- constant - l' R P^-1 R' l + ln |P|

and u given the cells' effects e is N(P^-1 R' (l - M' e), P^-1).
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.scipy.linalg import solve_triangular
from jaxtyping import Array, Float

from mirical.model.design import Data
from mirical.model.offsets import Scales
from mirical.model.quadratic_forms import Form, solve, times, transpose


class OfTypes(NamedTuple):
    """The distribution of the types' units given the cells' effects.

    Attributes
    ----------
    root : (srctype, unit, unit) array
        Cholesky factor of the precision.
    basis : (band, unit) array
        Effect of the units in each band.
    pull : (srctype, band) array
        Pull of the rows where the effects are zero.
    weight : (srctype, cell, band) array
        What each cell's effect takes off that pull.
    """

    root: Float[Array, "srctype unit unit"]
    basis: Float[Array, "band unit"]
    pull: Float[Array, "srctype band"]
    weight: Float[Array, "srctype cell band"]

    def draw(self, key: jax.Array, effect: Float[Array, " cell"]) -> Float[Array, "srctype unit"]:
        """Draw the units of every type given the cells' effects."""
        pull = (self.pull - jnp.einsum("tcb,c->tb", self.weight, effect)) @ self.basis
        noise = jax.random.normal(key, pull.shape)
        return solve(self.root, solve(self.root, pull) + noise, transposed=True)


def type_basis(scales: Scales) -> Float[Array, "band unit"]:
    """Return the effect in each band of a type's gray unit and of its units in wavelength."""
    gray = jnp.full((len(scales.factor), 1), 1.0) * scales.type
    return jnp.concatenate([gray, scales.type_band], axis=1)


def absorb_types(
    types: Form, cell_band: Data, scales: Scales
) -> tuple[Form, Float[Array, ""], OfTypes]:
    """Integrate out the types' offsets from the forms of their cells, one form a type.

    Returns
    -------
    Form
        Of the cells, summed over the types.
    scalar array
        l' R P^-1 R' l - ln |P|, summed over the types.
    OfTypes
        For drawing the units.
    """
    basis = type_basis(scales)
    in_band = (jnp.asarray(cell_band)[:, None] == jnp.arange(len(basis))).astype(float)
    weight, pull = types.weight @ in_band, types.linear @ in_band
    among = in_band.T @ weight
    root = jnp.linalg.cholesky(
        jnp.eye(basis.shape[1]) + basis.T @ among @ basis, symmetrize_input=False
    )
    right = jnp.broadcast_to(basis.T, (len(root), *basis.T.shape))
    half = solve_triangular(root, right, lower=True)
    spread = transpose(half) @ half
    shared = weight @ spread
    left = Form(
        types.weight.sum(0) - jnp.einsum("tcb,tdb->cd", shared, weight),
        types.linear.sum(0) - jnp.einsum("tcb,tb->c", shared, pull),
    )
    logs = jnp.log(jnp.diagonal(root, axis1=-2, axis2=-1))
    evidence = jnp.sum(pull * times(spread, pull)) - 2 * jnp.sum(logs)
    return left, evidence, OfTypes(root, basis, pull, weight)
