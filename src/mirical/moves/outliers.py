"""Gibbs and Metropolis moves of the outlier indicators.

With S the covariance of the rows, all offsets integrated out, widening row i
from variance r_i to r_i + d changes the log density by

    -1/2 ln(1 + d k_i) + 1/2 d a_i^2 / (1 + d k_i),   a = S^-1 y,  k_i = [S^-1]_ii,

and both follow from one gradient of the log density L: dL/dy = -a and
dL/dr_i = (a_i^2 - k_i) / 2. So the odds of every single flip cost as much as
one step of the sampler. A row that nothing else checks (the only one of its
band) would stay wrong for hundreds of steps if its offsets were drawn first.

Of two rows of a free star in a band that disagree, either may be the outlier, and a chain that
flips one indicator at a time has to pass states in which none or both are. Given all other terms,
a band's rows are those of the star's flux in it alone, which has a flat prior. `FreeStars` proposes
their indicators row by row in random order,

    o_i ~ p(o_i | y_1 .. y_i, o_1 .. o_i-1),

with the flux integrated out, and accepts as `mirical.moves.colours` does: target over
proposal is prod_i p(y_i | y_1 .. y_i-1, o_1 .. o_i-1), each summed over o_i; of the first row it
is one, for a flat prior predicts it as well wherever it is.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from mirical.model.collapsed import integrate, row_variance
from mirical.model.design import Data, Design, has_weight
from mirical.model.nesting import Blocks, room
from mirical.model.offsets import Offsets
from mirical.model.terms import Given

_FLIPS = 2  # each costs one gradient; a trajectory has about nine
_PROPOSALS = 4  # for every draw of the offsets
_DRAWN = -1.0  # a row whose indicator is drawn and not given


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


class _Filtered(NamedTuple):
    """Precision of each band's flux given the rows so far, that times its mean, log of the sums."""

    precision: Float[Array, " cell"]
    linear: Float[Array, " cell"]
    log_weight: Float[Array, " cell"]


@dataclass(frozen=True)
class FreeStars:
    """The moves of free stars on a design.

    Attributes
    ----------
    rows : (cell, slot) int array
        Rows of each star and band, padded with -1.
    """

    rows: Int[Data, "cell slot"]

    @classmethod
    def of(cls, design: Design, *, roomy: bool = False) -> FreeStars:
        """Return the moves on a design with stars of unknown flux, with room for more if `roomy`.

        Where there is none of their rows, they move nothing.
        """
        star, band = np.asarray(design.star), np.asarray(design.band)
        free = (np.asarray(design.free)[star] > 0) & np.asarray(has_weight(design))
        rows = np.flatnonzero(free)
        cell = star[rows] * len(design.bands) + band[rows]
        each = [rows[cell == of] for of in np.unique(cell)]
        shape = max(len(each), 1), max(map(len, each), default=1)
        table = np.full([room(size) for size in shape] if roomy else shape, -1, dtype=np.int32)
        for slots, of in zip(table, each, strict=False):
            slots[: len(of)] = of
        return cls(table)

    def move(
        self,
        key: jax.Array,
        design: Design,
        known: Given,
        offsets: Offsets,
        outlier: Float[Array, " row"],
    ) -> Float[Array, " row"]:
        """Return the indicators after some proposals, given all terms but the free fluxes."""
        others = offsets._replace(flux=(1 - jnp.asarray(design.free))[:, None] * offsets.flux)
        left = jnp.asarray(design.log_factor) - known.sampled_effect - others.at_rows(design)
        order_key, rows_key, accept_key = jax.random.split(key, 3)
        order = jax.random.uniform(order_key, self.rows.shape) + (self.rows < 0)
        rows = jnp.take_along_axis(jnp.asarray(self.rows), jnp.argsort(order, axis=1), axis=1)

        def weigh(uniform: Array, forced: Array) -> tuple[Array, Array]:
            nothing = jnp.zeros(len(rows))
            start = _Filtered(nothing, nothing, nothing)
            observe = partial(_observe, known, left)
            end, chosen = jax.lax.scan(observe, start, (rows.T, uniform, forced.T))
            return end.log_weight, chosen.T

        wrong = outlier[jnp.maximum(rows, 0)]
        forced = jnp.full((_PROPOSALS, *rows.shape), _DRAWN)
        forced = jnp.concatenate([wrong[None], forced])
        uniform = jax.random.uniform(rows_key, (1 + _PROPOSALS, *rows.T.shape))
        weight, chosen = jax.vmap(weigh)(uniform, forced)

        def accept(now: tuple[Array, Array], to: tuple[Array, ...]) -> tuple[tuple, None]:
            (wrong, here), (proposed, there, uniform) = now, to
            taken = jnp.log(uniform) < there - here
            return (
                jnp.where(taken[:, None], proposed, wrong),
                jnp.where(taken, there, here),
            ), None

        uniform = jax.random.uniform(accept_key, (_PROPOSALS, len(rows)))
        (wrong, _), _ = jax.lax.scan(accept, (wrong, weight[0]), (chosen[1:], weight[1:], uniform))
        return outlier.at[jnp.where(rows >= 0, rows, len(left))].set(wrong, mode="drop")


jax.tree_util.register_dataclass(FreeStars, data_fields=["rows"], meta_fields=[])


def _observe(
    known: Given, left: Float[Array, " row"], state: _Filtered, slot: tuple[Array, Array, Array]
) -> tuple[_Filtered, Float[Array, " cell"]]:
    """Take in one row of every band; return whether each is an outlier, drawn or as given."""
    row, uniform, forced = slot
    real, row = row >= 0, jnp.maximum(row, 0)
    first = state.precision == 0
    precision = jnp.where(first, 1.0, state.precision)
    off = left[row] - state.linear / precision
    narrow = known.sigma[row] ** 2
    fraction = jnp.asarray(known.outlier_fraction)
    wide = narrow + jnp.asarray(known.outlier_width) ** 2
    logs = [
        jnp.log(share) + jnp.where(first, 0.0, _log_normal(off, 1 / precision + variance))
        for share, variance in ((1 - fraction, narrow), (fraction, wide))
    ]
    log_sum = jnp.logaddexp(*logs)
    drawn = (jnp.log(uniform) < logs[1] - log_sum).astype(float)
    wrong = jnp.where(forced == _DRAWN, drawn, forced)
    weight = real / jnp.where(wrong > 0, wide, narrow)
    return _Filtered(
        state.precision + weight,
        state.linear + weight * left[row],
        state.log_weight + jnp.where(real, log_sum, 0.0),
    ), wrong


def _log_normal(value: Array, variance: Array) -> Array:
    return -0.5 * (value**2 / variance + jnp.log(2 * jnp.pi * variance))
