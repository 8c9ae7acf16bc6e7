"""Gaussian terms integrated out of a quadratic form: one step, its derivatives, and resampling.

The derivation stands above `mirical.model.collapsed`. The derivatives of a
step are written out (`_absorb_backward`) rather than left to differentiation
through the factor of P: with A = 1 - B G they are products of the step's own
matrices, and cost no more than the step itself.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.scipy.linalg import solve_triangular
from jaxtyping import Array, Float

_WORK_AT_ONCE = 100_000
"""Multiplications in one call. XLA splits a stack worth more (from about 250 000) over threads of
a pool that also runs the callers; with all of them calling, each waits for the others for ever."""


class Form(NamedTuple):
    """A quadratic form in the effects: see the module's first lines."""

    weight: Float[Array, "*batch effect effect"]
    linear: Float[Array, "*batch effect"]


class Absorbed(NamedTuple):
    """An integrated term: the distribution of its u given the effects that stayed.

    Attributes
    ----------
    centre : (..., unit) array
        Mean where the effects are zero.
    gain : (..., unit, effect) array
        What each unit of effect takes off it.
    root : (..., unit, unit) array
        Cholesky factor of the precision.
    """

    centre: Float[Array, "*batch unit"]
    gain: Float[Array, "*batch unit effect"]
    root: Float[Array, "*batch unit unit"]

    def draw(self, key: jax.Array, effects: Float[Array, "*batch effect"]) -> Array:
        """Draw u given the effects that stayed."""
        noise = jax.random.normal(key, self.centre.shape)
        return self.centre - times(self.gain, effects) + solve(self.root, noise, transposed=True)


def times(matrix: Array, vector: Array) -> Array:
    """Return one matrix times one vector of each pair in a stack."""
    return jnp.einsum("...ij,...j->...i", matrix, vector)


def transpose(matrix: Array) -> Array:
    """Return every matrix of a stack transposed."""
    return jnp.swapaxes(matrix, -1, -2)


def _outer(one: Array, two: Array) -> Array:
    return one[..., :, None] * two[..., None, :]


def solve(
    root: Float[Array, "*batch unit unit"],
    right: Float[Array, "*batch unit"],
    *,
    transposed: bool = False,
) -> Float[Array, "*batch unit"]:
    """Solve a triangular system for one vector a matrix."""

    def each(pair: tuple[Array, Array]) -> Array:
        return solve_triangular(pair[0], pair[1][..., None], lower=True, trans=transposed)[..., 0]

    return few_at_once(each, (root, right))


def few_at_once(function: Callable[..., Any], batch: tuple[Array, ...]) -> Any:
    """Apply a function of stacked matrices, and what stands beside each, to a few at a time.

    Few enough that XLA factors or solves them in the thread that asks; the
    function takes one matrix or a stack of them.
    """
    if batch[0].ndim < 3:
        return function(batch)
    n_stacked, size = batch[0].shape[:2]
    columns = max(size, *(each[0].size // size for each in batch[1:]))
    at_once = max(1, _WORK_AT_ONCE // (size**2 * columns))
    if n_stacked <= at_once:
        return function(batch)
    return jax.lax.map(function, batch, batch_size=at_once if at_once > 1 else None)


def _factor(pair: tuple[Array, Array]) -> tuple[Array, Array]:
    """Return the Cholesky factor L of a matrix and L^-1, given an identity of its size."""
    precision, unit = pair
    root = jnp.linalg.cholesky(precision, symmetrize_input=False)
    return root, solve_triangular(root, unit, lower=True)


@jax.custom_vjp
def absorb(
    form: Form,
    basis: Float[Array, "*batch effect unit"],
    mean: Float[Array, "*batch unit"],
    precision: Float[Array, "*batch unit"],
) -> tuple[Form, Float[Array, ""], Absorbed]:
    """Integrate out u ~ N(mean, 1) from effects ``basis @ u``; of some units u with a flat prior.

    Parameters
    ----------
    form : Form
        Of the effects.
    basis : (..., effect, unit) array
        Effects of the units.
    mean : (..., unit) array
        Their prior means, zero of a flat one.
    precision : (..., unit) array
        One; zero for a unit of flat prior, of density one, which its rows must determine. Carries
        no derivative.

    Returns
    -------
    Form
        Of the effects that stay.
    scalar array
        c' (B' h + m) - ln|P|, summed over the batch.
    Absorbed
        For drawing u; carries no derivative.
    """
    return _absorb_forward(form, basis, mean, precision)[0]


def _absorb_forward(form: Form, basis: Array, mean: Array, precision: Array) -> tuple[Any, Any]:
    n_units = basis.shape[-1]
    weighted = transpose(basis) @ form.weight
    precision = precision[..., None] * jnp.eye(n_units) + weighted @ basis
    linear = times(transpose(basis), form.linear) + mean
    unit = jnp.broadcast_to(jnp.eye(n_units), precision.shape)
    root, half = few_at_once(_factor, (precision, unit))
    # Products are cheaper than solving for every column: P^-1 is needed whole anyway.
    inverse = transpose(half) @ half
    gain, centre = inverse @ weighted, times(inverse, linear)
    left = Form(
        form.weight - transpose(weighted) @ gain, form.linear - times(transpose(gain), linear)
    )
    logs = jnp.log(jnp.diagonal(root, axis1=-2, axis2=-1))
    evidence = jnp.sum(centre * linear) - 2 * jnp.sum(logs)
    rest = form.linear - times(form.weight, times(basis, centre))
    return (left, evidence, Absorbed(centre, gain, root)), (
        basis,
        left,
        gain,
        centre,
        inverse,
        rest,
    )


def _absorb_backward(kept: Any, cotangents: Any) -> tuple[Form, Array, Array, Array]:
    """Return the derivatives by W, h, B and m; S and s are those by the new W and h."""
    basis, left, gain, centre, inverse, rest = kept
    (by_weight, by_pull), by_evidence, _ = cotangents
    by_weight = 0.5 * (by_weight + transpose(by_weight))
    stay = jnp.eye(basis.shape[-2]) - basis @ gain  # A = 1 - B G
    effect = times(basis, centre)
    stayed = times(stay, by_pull)
    crossed = _outer(stayed, effect)
    spread = basis @ inverse @ transpose(basis) + _outer(effect, effect)
    to_weight = stay @ by_weight @ transpose(stay) - by_evidence * spread
    to_weight = to_weight - 0.5 * (crossed + transpose(crossed))
    to_pull = stayed + 2 * by_evidence * effect
    pulled = times(gain, by_pull)
    to_basis = (
        -2 * (left.weight @ by_weight @ transpose(gain))
        - _outer(times(left.weight, by_pull), centre)
        - _outer(rest, pulled)
        + 2 * by_evidence * (_outer(rest, centre) - transpose(gain))
    )
    to_mean = 2 * by_evidence * centre - pulled
    return Form(to_weight, to_pull), to_basis, to_mean, jnp.zeros_like(centre)


absorb.defvjp(_absorb_forward, _absorb_backward)
