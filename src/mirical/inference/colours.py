r"""How far each star's colours may be off, and which of its rows went wrong: two exact moves.

A star's colour offsets are normal with variance colour_scale^2 / tightness,
and the tightness, one number a star, is Gamma(df/2, df/2): together Student's t.

`Colours.redraw_tightness` draws it given the offsets, which is conjugate. It moves a
little at a time, and a star with an infrared excess in two or three bands has
two explanations, a wide colour or rows that went wrong, with nothing between.
`Colours.jump` proposes tightness and indicators together: the tightness uniform in its
logarithm, then row by row

    o_i ~ p(o_i | y_1 .. y_i, o_1 .. o_i-1),

with the star's offsets integrated out. The density of such a proposal over
the target is prod_i p(y_i | y_1 .. y_i-1, o_1 .. o_i-1), each summed over o_i
(Kong, Liu & Wong 1994, JASA 89, 278), so that a Metropolis-Hastings step
needs those sums for the star as proposed and as it is.
"""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.linalg import solve_triangular
from jaxtyping import Array, Float, Int

from mirical.model.cards import Card
from mirical.model.design import Data, Design
from mirical.model.offsets import Offsets, Scales
from mirical.model.terms import Given, colour_correlation


class State(NamedTuple):
    """What the moves change: the stars' tightnesses, and which rows went wrong."""

    tightness: Float[Array, " star"]
    outlier: Float[Array, " row"]


class _Filtered(NamedTuple):
    """A star's band effects given the rows so far, and the log of the sums so far."""

    mean: Float[Array, "star band"]
    covariance: Float[Array, "star band band"]
    log_weight: Float[Array, " star"]


_RANGE = float(np.log(1e-5)), float(np.log(20.0))
"""Of ln tightness proposed: 1e-5 is a star 300 times worse in colour than most."""
_AT_ONCE = 64  # matrices factored together, which bounds memory
_JUMPS = 6  # for every draw of the offsets; a tenth to a third are accepted where it matters
_MOST_ROWS = 48
"""Stars with more rows are left out: bands seen again and again cannot all have gone wrong."""
_LOG_2PI = float(np.log(2 * np.pi))


def star_rows(design: Design) -> Int[Data, "star slot"]:
    """Return the rows of each star in order of wavelength, padded with -1; none of a busy star."""
    star = np.asarray(design.star)
    order = np.lexsort((np.asarray(design.elapsed), np.asarray(design.band), star))
    count = np.bincount(star, minlength=len(design.stars))
    first = np.cumsum(count) - count
    kept = np.where(count <= _MOST_ROWS, count, 0)
    slot = np.arange(max(int(kept.max()), 1))
    place = np.minimum(first[:, None] + slot, len(star) - 1)
    return np.where(slot < kept[:, None], order[place], -1).astype(np.int32)


class Colours:
    """The moves of a card's stars on a design."""

    def __init__(self, design: Design, card: Card) -> None:
        self._half_df = card.fixed("colour_tail") / 2
        self._rows = star_rows(design)
        self._correlation = colour_correlation(design, card)

    def prior(self, key: jax.Array, design: Design) -> Float[Array, " star"]:
        """Draw each star's tightness from its prior."""
        return jax.random.gamma(key, self._half_df, (len(design.stars),)) / self._half_df

    def redraw(
        self, key: jax.Array, design: Design, known: Given, offsets: Offsets, state: State
    ) -> State:
        """Draw the tightnesses given the offsets, then let them and the indicators jump.

        Parameters
        ----------
        known, offsets, state
            A state of the chain, `known` with the colour scales of its
            tightnesses. The stars' own offsets count for the first draw
            alone, and do not belong to what is returned.
        """
        draw_key, key = jax.random.split(key)
        common = known.scales.colour**2 * state.tightness
        tightness = self.redraw_tightness(draw_key, design, known.scales, offsets, state.tightness)

        moved = State(tightness, state.outlier)
        return self.jump(key, design, known, common, offsets, moved)

    def redraw_tightness(
        self,
        key: jax.Array,
        design: Design,
        scales: Scales,
        offsets: Offsets,
        tightness: Float[Array, " star"],
    ) -> Float[Array, " star"]:
        """Draw each star's tightness given its colour offsets in the bands it was seen in."""
        seen = jnp.zeros_like(offsets.star_band).at[design.star, design.band].set(1.0)
        masked = seen[:, :, None] * self._correlation * seen[:, None, :]
        masked = masked + (1 - seen)[:, :, None] * jnp.eye(len(design.bands))
        unit = jax.lax.map(
            lambda each: solve_triangular(jnp.linalg.cholesky(each[0]), each[1], lower=True),
            (masked, seen * offsets.star_band),
            batch_size=_AT_ONCE,
        )
        common = scales.colour**2 * tightness
        rate = self._half_df + 0.5 * jnp.sum(unit**2, axis=1) / common
        return jax.random.gamma(key, self._half_df + 0.5 * seen.sum(1)) / rate

    def jump(
        self,
        key: jax.Array,
        design: Design,
        known: Given,
        common: Float[Array, " star"],
        offsets: Offsets,
        state: State,
        n_jumps: int = _JUMPS,
    ) -> State:
        """Propose every star's tightness and indicators, `n_jumps` times; return those accepted.

        Given ln A, D, types and visits, the stars are independent of each
        other. `common` is colour_scale squared.
        """
        rows, scales = jnp.asarray(self._rows), known.scales
        low, high = _RANGE
        without_star = offsets._replace(
            star=jnp.zeros_like(offsets.star),
            star_band=jnp.zeros_like(offsets.star_band),
            flux=jnp.zeros_like(offsets.flux),
        )
        expected = known.loss_effect + without_star.at_rows(design)
        left = jnp.asarray(design.log_factor) - expected
        own = scales.star**2 + jax.vmap(jnp.diag)(jnp.asarray(design.flux_unc) ** 2)

        def weigh(tight: Array, uniform: Array, forced: Array | None) -> tuple[Array, Array]:
            """Return the log of target over proposal and the indicators, by star."""
            gamma = self._half_df * (jnp.log(tight) - tight)  # in ln tightness, up to a constant
            colour = (common / tight)[:, None, None] * self._correlation
            start = _Filtered(jnp.zeros_like(offsets.star_band), own + colour, gamma)
            observe = partial(_observe, design, known, left, forced)
            end, chosen = jax.lax.scan(observe, start, (rows.T, uniform))
            return end.log_weight, chosen.T

        def step(now: tuple[State, Array], key: jax.Array) -> tuple[tuple[State, Array], None]:
            state, here = now
            tight_key, rows_key, accept_key = jax.random.split(key, 3)
            proposed = jnp.exp(jax.random.uniform(tight_key, here.shape, minval=low, maxval=high))
            there, chosen = weigh(proposed, jax.random.uniform(rows_key, rows.T.shape), None)
            inside = (jnp.log(state.tightness) > low) & (jnp.log(state.tightness) < high)
            likely = jnp.log(jax.random.uniform(accept_key, here.shape)) < there - here
            taken = inside & (rows[:, 0] >= 0) & likely
            place = jnp.where(taken[:, None] & (rows >= 0), rows, len(design.rows))
            moved = State(
                jnp.where(taken, proposed, state.tightness),
                state.outlier.at[place.ravel()].set(chosen.ravel(), mode="drop"),
            )
            return (moved, jnp.where(taken, there, here)), None

        here, _ = weigh(state.tightness, jnp.zeros(rows.T.shape), state.outlier)
        (state, _), _ = jax.lax.scan(step, (state, here), jax.random.split(key, n_jumps))
        return state


def _observe(
    design: Design,
    known: Given,
    left: Float[Array, " row"],
    forced: Float[Array, " row"] | None,
    state: _Filtered,
    slot: tuple[Array, Array],
) -> tuple[_Filtered, Float[Array, " star"]]:
    """Take in one row of every star; return whether each went wrong, drawn or as `forced`."""
    row, uniform = slot
    real = row >= 0
    row = jnp.maximum(row, 0)
    every = jnp.arange(len(row))
    band = jnp.asarray(design.band)[row]
    column = state.covariance[every, :, band]
    innovation = left[row] - state.mean[every, band]
    sound = column[every, band] + known.sigma[row] ** 2
    if known.outlier_fraction is None or known.outlier_width is None:
        wrong = jnp.zeros_like(sound)
        log_sum = _log_normal(innovation, sound)
        variance = sound
    else:
        wide = sound + known.outlier_width**2
        narrow_log = jnp.log1p(-jnp.asarray(known.outlier_fraction)) + _log_normal(
            innovation, sound
        )
        wide_log = jnp.log(jnp.asarray(known.outlier_fraction)) + _log_normal(innovation, wide)
        log_sum = jnp.logaddexp(narrow_log, wide_log)
        drawn = (jnp.log(uniform) < wide_log - log_sum).astype(float)
        wrong = drawn if forced is None else forced[row]
        variance = jnp.where(wrong > 0, wide, sound)
    gain = column / variance[:, None]
    mean = state.mean + jnp.where(real[:, None], gain * innovation[:, None], 0.0)
    taken = gain[:, :, None] * column[:, None, :]
    covariance = state.covariance - jnp.where(real[:, None, None], taken, 0.0)
    log_weight = state.log_weight + jnp.where(real, log_sum, 0.0)
    return _Filtered(mean, covariance, log_weight), wrong


def _log_normal(value: Array, variance: Array) -> Array:
    return -0.5 * (value**2 / variance + jnp.log(variance) + _LOG_2PI)
