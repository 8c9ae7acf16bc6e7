"""One round of the sampler for many points: offsets drawn, and what depends on them given these."""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from mirical.cards.card import Card
from mirical.compiled.functions import prepare
from mirical.fast.coordinates import Coordinates
from mirical.fast.proposal import Integers
from mirical.fast.target import Each, parts_of
from mirical.model.design import Design
from mirical.model.nesting import Rows
from mirical.moves.colours import State
from mirical.moves.round import GibbsRound, RoundData, round_data

_AT_ONCE = 32  # points of one call
_JUMPS = 48  # proposals of each star that may jump
JUMPING = 4
"""Stars that may jump in one round."""

Named = Callable[[dict[str, Any], Design], Any]
"""What is wanted of a draw: of all its sites, and the design."""


class Points(NamedTuple):
    """Points of the posterior.

    Attributes
    ----------
    x : (point, number) array
        The vector.
    outlier : (point, row) array
        One for an outlier.
    """

    x: Any
    outlier: Any


class Round(NamedTuple):
    """Points after a round, and the draw that was made in it.

    Attributes
    ----------
    points : Points
        Where they are.
    drawn : tree of (point, ...) arrays
        What is wanted of the draw.
    """

    points: Points
    drawn: Any


class _Call(NamedTuple):
    """Points of one call, their keys' data, and how many of them count."""

    points: Points
    keys: Any
    count: Any


class Rounds:
    """The round of a card on rows, compiled once.

    Parameters
    ----------
    rows, card : Rows, Card
        What is fitted.
    coordinates : Coordinates
        Of the points' vectors.
    named : callable
        What is wanted of a draw.
    each : callable
        As of `mirical.fast.target.Target`.
    roomy : bool
        Whether the rows have room to spare (`mirical.model.nesting.roomy_rows`).
    """

    def __init__(
        self,
        rows: Rows,
        card: Card,
        coordinates: Coordinates,
        named: Named,
        each: Each = map,
        *,
        roomy: bool = False,
    ) -> None:
        self._data, self._each = round_data(rows, card, _JUMPS, roomy=roomy), each
        design = rows.design
        shaped: Any = jax.ShapeDtypeStruct
        call = _Call(
            Points(
                shaped((_AT_ONCE, len(coordinates)), float),
                shaped((_AT_ONCE, len(design.rows)), float),
            ),
            shaped((_AT_ONCE, 2), np.uint32),
            shaped((), int),
        )
        stars = shaped((min(JUMPING, len(design.stars)),), np.int32)
        rounds = partial(_of_call, coordinates=coordinates, named=named)
        self._prepared = prepare(rounds, call, stars, self._data)
        self._compiled: Any = None

    def compile(self) -> None:
        """Compile the round; call once, in any thread, before the first."""
        self._compiled = self._prepared.compile()

    def moved_to(self, design: Design) -> Rounds:
        """Return the round for other rows of the same stars, bands, subarrays and visits."""
        other = copy(self)
        other._data = self._data._replace(design=design)
        return other

    def go(self, points: Points, stars: Integers, random: np.random.Generator) -> Round:
        """Move every point by one round.

        Parameters
        ----------
        points : Points
            Where they are.
        stars : (`JUMPING`,) array
            Stars that may jump from one explanation of their rows to another; all if they are
            fewer.
        random : Generator
            Fixes what is drawn.
        """
        number = len(points.x)
        keys = random.integers(2**32, size=(number, 2), dtype=np.uint32)

        def some(part: np.ndarray) -> Round:
            filled = np.resize(part, _AT_ONCE)
            taken = Points(*(values[filled] for values in points))
            made = self._compiled(
                _Call(taken, keys[filled], np.array(len(part))), stars, self._data
            )
            return jax.tree.map(lambda leaf: np.asarray(leaf)[: len(part)], made)

        made = list(self._each(some, parts_of(number, _AT_ONCE)))
        return jax.tree.map(lambda *leaves: np.concatenate(leaves), *made)


def _of_call(
    call: _Call,
    stars: Any,
    data: RoundData,
    *,
    coordinates: Coordinates,
    named: Named,
) -> Round:
    """Move points, one after another."""
    (x, outlier), keys, count = call
    of_card = GibbsRound(coordinates.card)

    def one(i: Any) -> Round:
        before = State(coordinates.colour_precision(x[i], data.design), outlier[i])
        sites, key = coordinates.sites(x[i]), jax.random.wrap_key_data(keys[i])
        after, z, draw = of_card.alone(key, data, sites, before, stars)
        drawn = named(of_card.sites(draw, data.design), data.design)
        moved = Points(coordinates.vector(z, after.colour_precision), after.outlier)
        return Round(moved, drawn)

    shapes = jax.eval_shape(one, 0)
    empty = jax.tree.map(lambda of: jnp.zeros((_AT_ONCE, *of.shape), of.dtype), shapes)

    def put(i: Any, kept: Round) -> Round:
        return jax.tree.map(lambda all, new: all.at[i].set(new), kept, one(i))

    return jax.lax.fori_loop(0, count, put, empty)
