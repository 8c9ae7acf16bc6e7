r"""New rows assimilated by draws of a posterior: the weight that they give each draw.

Of a draw only the scales, the response loss and the detector terms count: given its offsets, the
stars' colour precisions and which of the old rows are outliers are drawn from their exact
conditionals, and then the offsets are integrated out again. The weight is the density of the new
rows given the old ones. Which of the new rows are outliers is drawn row by row,

    p(y_j | y_1 ... y_j-1) = (1 - f) N(y_j; m_j, s_j^2) + f N(y_j; m_j, s_j^2 + width^2),

each from its exact odds given those before it, and the weight is the product of these sums. That
is proper importance sampling: the expectation of the product, over what is drawn, is the sum of
the density over all sets of outliers.
"""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int
from numpy.typing import NDArray

from mirical.cards.card import Card
from mirical.compiled.draws import map_draws
from mirical.inference.runtime import plain_keys
from mirical.inference.schema import Arrays
from mirical.model.collapsed import integrate, row_variance
from mirical.model.design import Data, Design
from mirical.model.likelihood import outlier_probability, row_distribution
from mirical.model.nesting import Rows, room, roomy_rows
from mirical.model.predicted import predict_rows
from mirical.model.terms import Given, colour_correlation, given_names
from mirical.weighting.redrawn import known_at

_UNBOUNDED = 1e200  # variance of a row that is not yet given
MOST_ROWS = 256
"""New rows at most: of more no weights could be even."""


class DrawnBeside(NamedTuple):
    """The weights that new rows give draws, and what was drawn to find them.

    Attributes
    ----------
    log_weight : (draw,) array
        Log density of the new rows given the old ones.
    outlier : (draw, row) array
        One for an outlier, zero for any other; of all rows, padded ones included.
    colour_precision : (draw, star) array
        The stars' colour precisions.
    """

    log_weight: NDArray[np.float64]
    outlier: NDArray[np.float64]
    colour_precision: NDArray[np.float64]


class New(NamedTuple):
    """Which rows and stars are new.

    Attributes
    ----------
    asked : (asked,) int array
        Places of the new rows, filled up.
    counts : (asked,) bool array
        Which of those are rows.
    given : (row,) bool array
        Rows that are given, of whatever variance: the old ones, and of the new ones those that
        are the first of a free star in a band. They have a flat prior for themselves, and say
        nothing of anything else.
    old : (row,) bool array
        The old rows alone.
    old_star : (star,) bool array
        Stars that have old rows.
    """

    asked: Int[Data, " asked"]
    counts: Bool[Data, " asked"]
    given: Bool[Data, " row"]
    old: Bool[Data, " row"]
    old_star: Bool[Data, " star"]


def weigh_draws(sites: Arrays, design: Design, old: int, card: Card, seed: int) -> DrawnBeside:
    """Return the weights that new rows give draws of a posterior of the old ones.

    Parameters
    ----------
    sites : dict of {str : (draw, ...) array}
        Draws as the posterior names them, with ``expected`` of the old rows and
        ``star_band_offset`` of their stars, the first ones of the design.
    design : Design
        All rows, the old ones first.
    old : int
        How many of them are old.
    card : Card
        The model.
    seed : int
        Fixes what is drawn.
    """
    rows = roomy_rows(design, colour_correlation(design, card))
    new = _new(rows.design, len(design.rows), old)
    number, n_rows = len(sites["sigma"]), len(rows.design.rows)
    names = [name for name in given_names(design, card) if name != "colour_precision"]
    draws = {name: sites[name] for name in names if name in sites}
    draws["expected"] = _filled(sites["expected"], (number, n_rows))
    if card.has("star_band_offset"):
        shape = number, len(design.stars), len(design.bands)
        draws["star_band_offset"] = _filled(sites["star_band_offset"], shape)
        random = np.random.default_rng(seed)
        draws["gamma"] = random.standard_gamma(_gamma_shape(rows.design, new, card), shape[:2])
    keys = plain_keys(seed, "assimilate", number)
    return DrawnBeside(*map_draws(partial(_of_draw, card=card), (keys, draws), rows, new))


def _filled(values: NDArray[Any], shape: tuple[int, ...]) -> NDArray[np.float64]:
    found = np.zeros(shape)
    found[tuple(map(slice, values.shape))] = values
    return found


def _new(padded: Design, n_rows: int, old: int) -> New:
    place = np.arange(len(padded.rows))
    star, band = np.asarray(padded.star), np.asarray(padded.band)
    cell = star * len(padded.bands) + band
    first = np.zeros(len(place), dtype=bool)
    first[np.unique(cell[:n_rows], return_index=True)[1]] = True
    alone = first & (place >= old) & (np.asarray(padded.free)[star] > 0)
    asked = np.flatnonzero((place >= old) & (place < n_rows) & ~alone)
    size = room(max(len(asked), 8))
    return New(
        asked=np.append(asked, np.zeros(size - len(asked))).astype(np.int32),
        counts=np.arange(size) < len(asked),
        given=(place < old) | alone,
        old=place < old,
        old_star=np.isin(np.arange(len(padded.stars)), star[:old]),
    )


def _of_draw(
    keyed: tuple[jax.Array, dict[str, Any]], rows: Rows, new: New, *, card: Card
) -> tuple[Array, Array, Array]:
    key, values = jax.random.wrap_key_data(keyed[0]), keyed[1]
    design, blocks = rows
    old_key, new_key = jax.random.split(key)
    precision = jnp.ones(len(design.stars))
    if card.has("star_band_offset"):
        precision = _colour_precision(rows, card, values, new)
        values = values | {"colour_precision": precision}
    known, _ = known_at(design, card, values)
    outlier = _old_outliers(old_key, design, known, values["expected"], new)
    variance = jnp.where(new.given, row_variance(known, outlier), _UNBOUNDED)
    y = jnp.asarray(design.log_factor) - known.sampled_effect
    integrated = integrate(design, blocks, known.scales, y, variance)
    predicted = predict_rows(design, blocks, known.scales, integrated, new.asked)
    covariance = predicted.covariance + jnp.diag(known.sigma[new.asked] ** 2)
    off = jnp.where(new.counts, y[new.asked] - predicted.mean, 0.0)
    both = jnp.asarray(new.counts)[:, None] & new.counts
    covariance = jnp.where(both, covariance, jnp.eye(len(off)))
    log_weight, wrong = row_by_row(new_key, off, covariance, known, new.counts)
    # A place that is no row's is filled up with the first row's, which is old.
    return log_weight, outlier.at[new.asked].add(wrong), precision


def _gamma_shape(design: Design, new: New, card: Card) -> NDArray[np.float64]:
    """Return the shape of the stars' colour precisions, given their colours if they are old."""
    told = np.asarray(new.old_star) * (1 - np.asarray(design.free))
    return card.fixed("colour_tail") / 2 + told * len(design.bands) / 2


def _colour_precision(
    rows: Rows, card: Card, values: dict[str, Any], new: New
) -> Float[Array, " star"]:
    """Return the stars' colour precisions, from gammas of rate one (JAX's take long to compile)."""
    root = jnp.linalg.cholesky(jnp.asarray(rows.blocks.colour_correlation))
    unit = jax.scipy.linalg.solve_triangular(root, values["star_band_offset"].T, lower=True)
    squares = jnp.sum(unit**2, axis=0) / values["colour_scale"] ** 2
    told = jnp.asarray(new.old_star) * (1 - jnp.asarray(rows.design.free))
    return values["gamma"] / (card.fixed("colour_tail") / 2 + told * squares / 2)


def _old_outliers(
    key: jax.Array, design: Design, known: Given, expected: Float[Array, " row"], new: New
) -> Float[Array, " row"]:
    """Draw which of the given rows are outliers, given what is expected of the old ones."""
    if known.outlier_fraction is None:
        return jnp.zeros_like(expected)
    rows = row_distribution(expected, known.sigma, known.outlier_fraction, known.outlier_width)
    wrong = outlier_probability(rows, jnp.asarray(design.log_factor))
    wrong = jnp.where(new.old, wrong, known.outlier_fraction)
    return jax.random.bernoulli(key, wrong) * jnp.asarray(new.given, dtype=float)


def row_by_row(
    key: jax.Array,
    off: Float[Array, " row"],
    covariance: Float[Array, "row row"],
    known: Given,
    counts: Bool[Data, " row"],
) -> tuple[Float[Array, ""], Float[Array, " row"]]:
    """Return the product of the rows' densities, each given those before it, and the outliers.

    Parameters
    ----------
    key : key
        Of which rows are outliers.
    off : (row,) array
        Observed less expected, none of the rows being given.
    covariance : (row, row) array
        Of the rows, if all are sound.
    known : Given
        Share of the outliers, and the size of their errors.
    counts : (row,) bool array
        Which rows count.
    """
    chance, counted = jax.random.uniform(key, off.shape), jnp.asarray(counts, dtype=float)
    fraction, width = known.outlier_fraction, known.outlier_width

    def take(i: int, now: tuple[Array, Array, Array, Array]) -> tuple[Array, Array, Array, Array]:
        total, outlier, off, covariance = now
        variance = covariance[i, i]
        if fraction is None or width is None:
            density, wrong = _log_normal(off[i], variance), jnp.zeros(())
        else:
            sound = jnp.log1p(-jnp.asarray(fraction)) + _log_normal(off[i], variance)
            wide = jnp.log(fraction) + _log_normal(off[i], variance + jnp.square(width))
            density = jnp.logaddexp(sound, wide)
            wrong = (chance[i] < jnp.exp(wide - density)) * counted[i]
            variance += wrong * jnp.square(width)
        gain = covariance[:, i] / variance
        return (
            total + counted[i] * density,
            outlier.at[i].set(wrong),
            off - gain * off[i],
            covariance - gain[:, None] * covariance[i],
        )

    start = jnp.zeros(()), jnp.zeros_like(off), off, covariance
    total, outlier, *_ = jax.lax.fori_loop(0, len(off), take, start)
    return total, outlier


def _log_normal(off: Array, variance: Array) -> Array:
    return -0.5 * (off**2 / variance + jnp.log(2 * jnp.pi * variance))
