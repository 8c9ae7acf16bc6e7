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
from mirical.randomness import generator
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
    asked = asked_draws(sites, design, old, card, seed)
    of_draw = partial(_of_draw, card=card)
    return DrawnBeside(*map_draws(of_draw, asked.draws, asked.rows, asked.new))


class AskedDraws(NamedTuple):
    """What is asked of each draw, and the rows.

    Attributes
    ----------
    draws : tree of (draw, ...) arrays
        For `expect_draw`.
    rows : Rows
        All rows, with room to spare.
    new : New
        Which are new.
    """

    draws: Any
    rows: Rows
    new: New


def asked_draws(sites: Arrays, design: Design, old: int, card: Card, seed: int) -> AskedDraws:
    """Return what is asked of draws when new rows come; arguments as of `weigh_draws`."""
    rows = roomy_rows(design, colour_correlation(design, card))
    new = new_rows(rows.design, len(design.rows), old)
    number, n_rows = len(sites["sigma"]), len(rows.design.rows)
    names = [name for name in given_names(design, card) if name != "colour_precision"]
    draws = {name: sites[name] for name in names if name in sites}
    draws["expected"] = _filled(sites["expected"], (number, n_rows))
    if card.has("star_band_offset"):
        shape = number, len(design.stars), len(design.bands)
        draws["star_band_offset"] = _filled(sites["star_band_offset"], shape)
        random = generator(seed, "colour precisions")
        draws["gamma"] = random.standard_gamma(_gamma_shape(rows.design, new, card), shape[:2])
    return AskedDraws((plain_keys(seed, "assimilate", number), draws), rows, new)


def _filled(values: NDArray[Any], shape: tuple[int, ...]) -> NDArray[np.float64]:
    found = np.zeros(shape)
    found[tuple(map(slice, values.shape))] = values
    return found


def new_rows(padded: Design, n_rows: int, old: int) -> New:
    """Return which rows of a design with room to spare are new: those from `old` to `n_rows`."""
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


def _of_draw(draw: Any, rows: Rows, new: New, *, card: Card) -> tuple[Array, Array, Array]:
    key, known, outlier, expected, precision = expect_draw(draw, rows, new, card)
    density, wrong = row_by_row(key, *expected, known, new.counts)
    return jnp.sum(density), with_new(outlier, wrong, new), precision


def expect_draw(
    draw: tuple[jax.Array, dict[str, Any]], rows: Rows, new: New, card: Card
) -> tuple[jax.Array, Given, Array, ExpectedRows, Array]:
    """Draw what a draw's offsets tell of, and return what it then expects of the new rows.

    Returns
    -------
    key
        Another one.
    Given
        What makes the rest of the model linear.
    (row,) array
        One for an outlier, of the rows that are given.
    ExpectedRows
        The new rows.
    (star,) array
        Colour precisions.
    """
    key, values = jax.random.wrap_key_data(draw[0]), draw[1]
    old_key, new_key = jax.random.split(key)
    precision = jnp.ones(len(rows.design.stars))
    if card.has("star_band_offset"):
        precision = _colour_precision(rows, card, values, new)
        values = values | {"colour_precision": precision}
    known, _ = known_at(rows.design, card, values)
    outlier = _old_outliers(old_key, rows.design, known, values["expected"], new)
    return new_key, known, outlier, expect_rows(rows, known, outlier, new), precision


class ExpectedRows(NamedTuple):
    """New rows given others: observed less expected, and their covariance if all are sound."""

    off: Float[Array, " asked"]
    covariance: Float[Array, "asked asked"]


def expect_rows(rows: Rows, known: Given, outlier: Float[Array, " row"], new: New) -> ExpectedRows:
    """Return new rows about what is expected of them given those that are given.

    Parameters
    ----------
    rows : Rows
        All rows.
    known : Given
        What makes the rest of the model linear.
    outlier : (row,) array
        One for an outlier, of the rows that are given.
    new : New
        Which rows are given, and which are asked for.
    """
    design, blocks = rows
    variance = jnp.where(new.given, row_variance(known, outlier), _UNBOUNDED)
    y = jnp.asarray(design.log_factor) - known.sampled_effect
    integrated = integrate(design, blocks, known.scales, y, variance)
    predicted = predict_rows(design, blocks, known.scales, integrated, new.asked)
    covariance = predicted.covariance + jnp.diag(known.sigma[new.asked] ** 2)
    off = jnp.where(new.counts, y[new.asked] - predicted.mean, 0.0)
    both = jnp.asarray(new.counts)[:, None] & new.counts
    return ExpectedRows(off, jnp.where(both, covariance, jnp.eye(len(off))))


def with_new(
    outlier: Float[Array, " row"], wrong: Float[Array, " asked"], new: New
) -> Float[Array, " row"]:
    """Return which rows are outliers, those of the new rows put among the others."""
    # A place that is no row's is filled up with the first row's, which is given.
    return outlier.at[new.asked].add(wrong)


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
) -> tuple[Float[Array, " row"], Float[Array, " row"]]:
    """Return the log densities of the rows, each given those before it, and which are outliers.

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
        found, outlier, off, covariance = now
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
            found.at[i].set(counted[i] * density),
            outlier.at[i].set(wrong),
            off - gain * off[i],
            covariance - gain[:, None] * covariance[i],
        )

    start = jnp.zeros_like(off), jnp.zeros_like(off), off, covariance
    found, outlier, *_ = jax.lax.fori_loop(0, len(off), take, start)
    return found, outlier


def _log_normal(off: Array, variance: Array) -> Array:
    return -0.5 * (off**2 / variance + jnp.log(2 * jnp.pi * variance))
