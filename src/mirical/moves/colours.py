r"""Gibbs and Metropolis moves of the stars' colour precisions and outlier indicators.

A star's colour offsets are normal with variance colour_scale^2 / colour precision,
and the colour precision, one number a star, is Gamma(df/2, df/2): together Student's t.

`Colours.redraw_precision` draws it given the offsets, which is conjugate. It moves a
little at a time, and a star with an infrared excess in two or three bands has
two explanations, a wide colour or outliers, with nothing between.
`Colours.jump` proposes colour precision and indicators together: the first uniform in its
logarithm, then row by row

    o_i ~ p(o_i | y_1 .. y_i, o_1 .. o_i-1),

with the star's offsets integrated out. The density of such a proposal over
the target is prod_i p(y_i | y_1 .. y_i-1, o_1 .. o_i-1), each summed over o_i
(Kong, Liu & Wong 1994, JASA 89, 278), so that a Metropolis-Hastings step
needs those sums for the star as proposed and as it is.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from mirical.cards.card import Card
from mirical.model.collapsed import own_unc
from mirical.model.design import Data, Design, has_weight
from mirical.model.nesting import Blocks, StarGroup, room
from mirical.model.offsets import Offsets
from mirical.model.quadratic_forms import few_at_once, solve
from mirical.model.terms import Given


class State(NamedTuple):
    """What the moves change: the stars' colour precisions, and which rows are outliers."""

    colour_precision: Float[Array, " star"]
    outlier: Float[Array, " row"]


class _Sequence(NamedTuple):
    """The rows of some stars in order of wavelength, and each one's place in its star's own bands.

    Rows are padded with -1; a busy star has none. `correlation` is that of
    the colours between a star's own bands, zero where padded; `stated` holds the
    fractional errors stated for the predicted fluxes in them.
    """

    star: Int[Data, " member"]
    rows: Int[Data, "member slot"]
    place: Int[Data, "member slot"]
    correlation: Float[Data, "member own own"]
    stated: Float[Data, "member own"]


class _Filtered(NamedTuple):
    """A star's effects in its own bands given the rows so far, and the log of the sums so far."""

    mean: Float[Array, "member own"]
    covariance: Float[Array, "member own own"]
    log_weight: Float[Array, " member"]


_RANGE = float(np.log(1e-5)), float(np.log(20.0))
"""Of ln colour precision proposed: 1e-5 is a star 300 times worse in colour than most."""
JUMPS = 6
"""For every draw of the offsets; a tenth to a third are accepted where it matters."""
_MOST_ROWS = 48
"""Stars with more rows are left out: rows in so many bands cannot all be outliers."""
_FREE = -1.0  # a row whose indicator is drawn and not given
_LOG_2PI = float(np.log(2 * np.pi))


def star_rows(design: Design) -> Int[Data, "star slot"]:
    """Return the rows of each star in order of wavelength, padded with -1.

    None of a busy star, nor of one of unknown flux, which has no colour offsets.
    """
    star = np.asarray(design.star)
    # Rows that only fill up come last.
    star = np.where(has_weight(design), star, len(design.stars))
    order = np.lexsort((np.asarray(design.elapsed), np.asarray(design.band), star))
    count = np.bincount(star, minlength=len(design.stars))[: len(design.stars)]
    first = np.cumsum(count) - count
    kept = np.where((count <= _MOST_ROWS) & (np.asarray(design.free) == 0), count, 0)
    slot = np.arange(max(int(kept.max()), 1))
    place = np.minimum(first[:, None] + slot, len(star) - 1)
    return np.where(slot < kept[:, None], order[place], -1).astype(np.int32)


def _sequence(design: Design, group: StarGroup, correlation: Float[Data, "band band"]) -> _Sequence:
    rows = star_rows(design)[group.star]
    rows = rows[:, : max(int(np.sum(rows >= 0, axis=1).max()), 1)]
    band = np.asarray(design.band)[rows]
    place = np.argmax(group.own_band[:, None, :] == band[:, :, None], axis=2)
    padded = np.pad(np.asarray(correlation), (0, 1))
    among = padded[group.own_band[:, :, None], group.own_band[:, None, :]]
    return _Sequence(group.star, rows, place, among, np.asarray(own_unc(design, group)))


def _with_room(sequence: _Sequence) -> _Sequence:
    """Return the sequence with more slots, which hold no row."""
    slots = (room(sequence.rows.shape[1]),)
    return sequence._replace(
        rows=_filled(sequence.rows, slots, -1), place=_filled(sequence.place, slots)
    )


def _together(sequences: list[_Sequence]) -> _Sequence:
    """Return the stars of all groups in one, in the order of their numbers."""
    n_rows = max(one.rows.shape[1] for one in sequences)
    n_own = max(one.stated.shape[1] for one in sequences)
    parts = [
        (
            one.star,
            _filled(one.rows, (n_rows,), -1),
            _filled(one.place, (n_rows,)),
            _filled(one.correlation, (n_own, n_own)),
            _filled(one.stated, (n_own,)),
        )
        for one in sequences
    ]
    every = [np.concatenate(part) for part in zip(*parts, strict=True)]
    order = np.argsort(every[0])
    return _Sequence(*(part[order] for part in every))


def _filled(values: Data, sizes: tuple[int, ...], filler: int = 0) -> Data:
    """Return what is told of each star, filled up at the ends."""
    space = [(0, size - had) for size, had in zip(sizes, np.shape(values)[1:], strict=True)]
    return np.pad(np.asarray(values), [(0, 0), *space], constant_values=filler)


@dataclass(frozen=True)
class Colours:
    """The moves of a card's stars on a design of given blocks.

    Attributes
    ----------
    correlation : (band, band) array
        Of a star's colours.
    sequences : tuple of _Sequence
        Rows of the stars of each group.
    every : _Sequence
        Those of all stars together.
    half_df : float
        Half of the degrees of freedom of the colours' distribution.
    n_jumps : int
        Proposals of each star for every draw of the offsets.
    """

    correlation: Float[Data, "band band"]
    sequences: tuple[_Sequence, ...]
    every: _Sequence
    half_df: float
    n_jumps: int

    @classmethod
    def of(
        cls,
        design: Design,
        card: Card,
        blocks: Blocks,
        n_jumps: int = JUMPS,
        *,
        roomy: bool = False,
    ) -> Colours:
        """Return the moves on a design, in tables with room for more rows if `roomy`."""
        correlation = np.asarray(blocks.colour_correlation)
        sequences = [_sequence(design, group, correlation) for group in blocks.groups]
        if roomy:
            sequences = [_with_room(sequence) for sequence in sequences]
        every = _together(sequences)
        return cls(correlation, tuple(sequences), every, card.fixed("colour_tail") / 2, n_jumps)

    def prior(self, key: jax.Array, design: Design) -> Float[Array, " star"]:
        """Draw each star's colour precision from its prior."""
        return jax.random.gamma(key, self.half_df, (len(design.stars),)) / self.half_df

    def squares(
        self, design: Design, offsets: Offsets
    ) -> tuple[Float[Array, " star"], Float[Array, " star"]]:
        """Return how many bands each star was seen in, and eta' R^-1 eta of its colours in them.

        None of a free star: its rows say nothing of colour offsets.
        """
        seen = jnp.zeros_like(offsets.star_band).at[design.star, design.band].set(1.0)
        if design.has_free:
            seen = (1 - jnp.asarray(design.free))[:, None] * seen
        masked = seen[:, :, None] * self.correlation * seen[:, None, :]
        masked = masked + (1 - seen)[:, :, None] * jnp.eye(len(design.bands))
        root = few_at_once(lambda each: jnp.linalg.cholesky(each[0]), (masked, seen))
        return seen.sum(1), jnp.sum(solve(root, seen * offsets.star_band) ** 2, axis=1)

    def redraw_precision(
        self,
        key: jax.Array,
        common: Float[Array, ""],
        count: Float[Array, " star"],
        square: Float[Array, " star"],
    ) -> Float[Array, " star"]:
        """Draw each star's colour precision given its colours; `common` is colour_scale squared."""
        rate = self.half_df + 0.5 * square / common
        return jax.random.gamma(key, self.half_df + 0.5 * count) / rate

    def jump(
        self,
        key: jax.Array,
        design: Design,
        known: Given,
        offsets: Offsets,
        state: State,
        stars: Int[Array, " some"] | None = None,
    ) -> State:
        """Return the state after some proposals of colour precisions and indicators.

        Given ln A, D, types and visits, the stars are independent of each
        other. The colour scale of `known` is the one that all stars have in common. If `stars` are
        given, distinct ones, they alone jump.
        """
        common = jnp.square(known.scales.colour)
        without_star = offsets._replace(
            star=jnp.zeros_like(offsets.star),
            star_band=jnp.zeros_like(offsets.star_band),
            flux=jnp.zeros_like(offsets.flux),
        )
        expected = known.sampled_effect + without_star.at_rows(design)
        left = jnp.asarray(design.log_factor) - expected
        sequences = self.sequences
        if stars is not None:
            sequences = (_Sequence(*(jnp.asarray(part)[stars] for part in self.every)),)
        for number, sequence in enumerate(sequences):
            its_key = jax.random.fold_in(key, number)
            state = self._jump(its_key, known, common, left, sequence, state)
        return state

    def _jump(
        self,
        key: jax.Array,
        known: Given,
        common: Float[Array, ""],
        left: Float[Array, " row"],
        sequence: _Sequence,
        state: State,
    ) -> State:
        """Let the stars of one group jump; `left` is what the stars' own offsets must explain."""
        star, rows = jnp.asarray(sequence.star), jnp.asarray(sequence.rows)
        low, high = _RANGE
        stated = jnp.asarray(sequence.stated)
        own = known.scales.star**2 + stated[:, :, None] ** 2 * jnp.eye(stated.shape[1])

        def weigh(precision: Array, uniform: Array, forced: Array) -> tuple[Array, Array]:
            """Return the log of target over proposal and the indicators, by star."""
            # In ln colour precision, up to a constant.
            gamma = self.half_df * (jnp.log(precision) - precision)
            colour = (common / precision)[:, None, None] * sequence.correlation
            start = _Filtered(jnp.zeros_like(stated), own + colour, gamma)
            slots = rows.T, jnp.asarray(sequence.place).T, uniform, forced.T
            end, chosen = jax.lax.scan(partial(_observe, known, left), start, slots)
            return end.log_weight, chosen.T

        def accept(now: tuple[Array, ...], to: tuple[Array, ...]) -> tuple[tuple[Array, ...], None]:
            colour_precision, wrong, here = now
            proposed, chosen, there, uniform = to
            inside = (jnp.log(colour_precision) > low) & (jnp.log(colour_precision) < high)
            taken = inside & (rows[:, 0] >= 0) & (jnp.log(uniform) < there - here)
            return (
                jnp.where(taken, proposed, colour_precision),
                jnp.where(taken[:, None], chosen, wrong),
                jnp.where(taken, there, here),
            ), None

        # A proposal does not depend on the state: they are weighed side by side, with the state.
        precision_key, rows_key, accept_key = jax.random.split(key, 3)
        each = self.n_jumps, len(star)
        proposed = jnp.exp(jax.random.uniform(precision_key, each, minval=low, maxval=high))
        colour_precision = state.colour_precision[star]
        wrong = state.outlier[jnp.maximum(rows, 0)]
        precision = jnp.concatenate([colour_precision[None], proposed])
        forced = jnp.full((self.n_jumps, *rows.shape), _FREE)
        forced = jnp.concatenate([wrong[None], forced])
        uniform = jax.random.uniform(rows_key, (1 + self.n_jumps, *rows.T.shape))
        weight, chosen = jax.vmap(weigh)(precision, uniform, forced)
        uniform = jax.random.uniform(accept_key, each)
        to = proposed, chosen[1:], weight[1:], uniform
        (colour_precision, wrong, _), _ = jax.lax.scan(
            accept, (colour_precision, wrong, weight[0]), to
        )
        place = jnp.where(rows >= 0, rows, len(left))
        return State(
            state.colour_precision.at[star].set(colour_precision),
            state.outlier.at[place].set(wrong, mode="drop"),
        )


jax.tree_util.register_dataclass(
    Colours,
    data_fields=["correlation", "sequences", "every"],
    meta_fields=["half_df", "n_jumps"],
)


def _observe(
    known: Given,
    left: Float[Array, " row"],
    state: _Filtered,
    slot: tuple[Array, Array, Array, Array],
) -> tuple[_Filtered, Float[Array, " member"]]:
    """Take in one row of every star; return whether each is an outlier, drawn or as forced."""
    row, place, uniform, forced = slot
    real = row >= 0
    row = jnp.maximum(row, 0)
    every = jnp.arange(len(row))
    column = state.covariance[every, :, place]
    innovation = left[row] - state.mean[every, place]
    sound = column[every, place] + known.sigma[row] ** 2
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
        wrong = jnp.where(forced == _FREE, drawn, forced)
        variance = jnp.where(wrong > 0, wide, sound)
    gain = column / variance[:, None]
    mean = state.mean + jnp.where(real[:, None], gain * innovation[:, None], 0.0)
    taken = gain[:, :, None] * column[:, None, :]
    covariance = state.covariance - jnp.where(real[:, None, None], taken, 0.0)
    log_weight = state.log_weight + jnp.where(real, log_sum, 0.0)
    return _Filtered(mean, covariance, log_weight), wrong


def _log_normal(value: Array, variance: Array) -> Array:
    return -0.5 * (value**2 / variance + jnp.log(variance) + _LOG_2PI)
