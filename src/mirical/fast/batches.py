"""New rows assimilated in batches by points of the posterior of the old rows.

A sequential Monte Carlo sampler (Chopin 2002, Biometrika 89, 539): the points are weighted by the
density of the next rows given those before (`mirical.weighting.assimilation`), as many rows in a
batch as leave the weights even, then resampled and moved by exact steps in the posterior of the
rows so far.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import jax
import numpy as np
from jaxtyping import Array, Float
from numpy.typing import NDArray
from scipy.special import softmax

from mirical.cards.card import Card
from mirical.compiled.draws import map_draws
from mirical.fast.coordinates import Coordinates
from mirical.fast.fit import Tell
from mirical.fast.proposal import Floats
from mirical.fast.rounds import Points
from mirical.fast.walk import Walk
from mirical.inference.runtime import plain_keys
from mirical.inference.schema import Arrays
from mirical.model.design import UNBOUNDED, Design
from mirical.model.nesting import Rows
from mirical.moves.round import GibbsRound
from mirical.randomness import generator
from mirical.weighting.assimilation import New, expect_rows, row_by_row
from mirical.weighting.pareto import resample
from mirical.weighting.redrawn import known_at
from mirical.weighting.sampled_sites import sampled_sites, told_names

_EVEN = 0.5  # of the points: as many effective ones the weights of a batch leave at least
_STEPS = 2  # exact steps after a batch


@dataclass(frozen=True)
class OfOldRows:
    """Points of the posterior of the old rows, and the new rows.

    Attributes
    ----------
    sites : dict of {str : (point, ...) array}
        The points as a posterior names them, ``colour_precision`` included.
    outlier : (point, row) array
        One for an outlier, of the rows that are given.
    rows : Rows
        All rows, with room to spare.
    new : New
        Which are given, and which are to be assimilated.
    card : Card
        The model.
    seed : int
        Fixes every random number.
    """

    sites: Arrays
    outlier: Floats
    rows: Rows
    new: New
    card: Card
    seed: int


def assimilate_batches(old: OfOldRows, walk_of: Callable[[Design], Walk], tell: Tell) -> Points:
    """Return points of the posterior of all rows.

    Parameters
    ----------
    old : OfOldRows
        Where they begin, and the new rows.
    walk_of : callable
        Exact steps in the posterior of a design; rows to come have no weight in it.
    tell : callable
        Told how many rows are assimilated.
    """
    rows, card = old.rows, old.card
    random = generator(old.seed, "batches")
    coordinates = Coordinates.of(rows.design, card)
    weigh = partial(_weigh, coordinates=coordinates)
    new, left = old.new, np.asarray(old.new.asked)[np.asarray(old.new.counts)]
    number = len(left)
    sites = {n: old.sites[n] for n in told_names(rows.design, card) if n in old.sites}
    design = _given(rows.design, new)
    points = Points(_told(sites, design, coordinates, old.seed), np.asarray(old.outlier))
    while len(left):
        tell(f"{number - len(left)} of {number} new rows assimilated")
        keys = plain_keys(int(random.integers(2**31)), "batches", len(points.x))
        density, wrong, sites = map_draws(weigh, (keys, *points), design, rows, new)
        size, weights = _batch(density[:, : len(left)])
        kept = resample(weights, len(points.x), int(random.integers(2**31)))
        outlier = np.array(points.outlier[kept])
        outlier[:, left[:size]] = wrong[kept, :size]
        new, left = _next(new, left[:size], left[size:]), left[size:]
        design = _given(rows.design, new)
        sites = {name: values[kept] for name, values in sites.items()}
        told = _told(sites, design, coordinates, int(random.integers(2**31)))
        points = Points(told, outlier)
        walk = walk_of(design)
        for _ in range(_STEPS if len(left) else 0):
            points = walk.step(points).points
    return points


def _given(design: Design, new: New) -> Design:
    """Return the design in which rows that are not given have no weight."""
    unc = np.where(new.given, np.asarray(design.log_factor_unc), UNBOUNDED)
    return replace(design, log_factor_unc=unc)


def _batch(density: Floats) -> tuple[int, Floats]:
    """Return how many rows leave the weights even, one at least, and their weights.

    Parameters
    ----------
    density : (point, row) array
        ln of the density of each row given those before.
    """
    weights = softmax(np.cumsum(density, axis=1), axis=0)
    even = 1 / np.sum(weights**2, axis=0) >= _EVEN * len(density)
    few = int(np.flatnonzero(even)[-1]) if even.any() else 0
    return few + 1, weights[:, few]


def _next(new: New, taken: NDArray[np.integer], left: NDArray[np.integer]) -> New:
    """Return what is given after a batch, and which rows are still to come."""
    given, asked = np.array(new.given), np.zeros_like(np.asarray(new.asked))
    given[taken] = True
    asked[: len(left)] = left
    return new._replace(asked=asked, counts=np.arange(len(asked)) < len(left), given=given)


def _told(sites: Arrays, design: Design, coordinates: Coordinates, seed: int) -> Floats:
    """Return the vectors of points as a posterior names them, in the units of a design."""
    number = len(next(iter(sites.values())))
    drawn = {name: np.asarray(values) for name, values in sites.items()}
    drawn.setdefault("colour_precision", np.ones((number, len(design.stars))))
    vector = partial(_vector, coordinates=coordinates)
    return map_draws(vector, (plain_keys(seed, "tell", number), drawn), design)


def _vector(
    keyed: tuple[jax.Array, dict[str, Any]], design: Design, *, coordinates: Coordinates
) -> Float[Array, " number"]:
    key, values = jax.random.wrap_key_data(keyed[0]), keyed[1]
    told = sampled_sites(key, design, coordinates.card, values)
    return coordinates.vector(told, values["colour_precision"])


def _weigh(
    keyed: tuple[Array, Array, Array],
    design: Design,
    rows: Rows,
    new: New,
    *,
    coordinates: Coordinates,
) -> tuple[Array, Array, dict[str, Any]]:
    """Return the new rows' log densities, which are outliers, and the point as it is named."""
    key, (x, outlier), card = jax.random.wrap_key_data(keyed[0]), keyed[1:], coordinates.card
    precision = coordinates.colour_precision(x, design)
    _, sites = GibbsRound(card).known(coordinates.sites(x), precision, design)
    values = {name: sites[name] for name in told_names(design, card) if name in sites}
    values["colour_precision"] = precision
    known, _ = known_at(rows.design, card, values)
    expected = expect_rows(rows, known, outlier, new)
    density, wrong = row_by_row(key, *expected, known, new.counts)
    return density, wrong, values
