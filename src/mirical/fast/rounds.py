"""One round of the sampler for many points: offsets drawn, and what depends on them given these."""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from mirical.cards.card import Card
from mirical.fast.coordinates import Coordinates
from mirical.fast.proposal import Floats, Integers
from mirical.fast.target import Each, parts_of
from mirical.inference.colour_moves import State
from mirical.inference.kernels import CollapsedKernel
from mirical.model.design import Design

_AT_ONCE = 32  # points of one call
_ACCEPTANCE = 0.9  # unused where nothing adapts
_JUMPS = 32  # proposals of each star that may jump
JUMPING = 4
"""Stars that may jump in one round."""

Named = Callable[[dict[str, Any], Design], Any]
"""What is wanted of a draw: of all its sites, and the design."""


class Round(NamedTuple):
    """Points after a round, and the draw that was made in it.

    Attributes
    ----------
    x : (point, number) array
        The vector.
    outlier : (point, row) array
        One for an outlier.
    drawn : tree of (point, ...) arrays
        What is wanted of the draw.
    """

    x: Any
    outlier: Any
    drawn: Any


class Rounds:
    """The round of a card on a design, compiled once.

    Parameters
    ----------
    design, card : Design, Card
        What is fitted.
    coordinates : Coordinates
        Of the points' vectors.
    named : callable
        What is wanted of a draw.
    each : callable
        As of `mirical.fast.target.Target`.
    """

    def __init__(
        self,
        design: Design,
        card: Card,
        coordinates: Coordinates,
        named: Named,
        each: Each = map,
    ) -> None:
        self._kernel = CollapsedKernel(design, card, _ACCEPTANCE, _JUMPS)
        self._coordinates, self._named, self._data = coordinates, named, self._kernel.data
        self._each = each
        shaped = jax.ShapeDtypeStruct
        points = (
            shaped((_AT_ONCE, len(coordinates)), float),
            shaped((_AT_ONCE, len(design.rows)), float),
            shaped((_AT_ONCE, 2), np.uint32),
            shaped((min(JUMPING, len(design.stars)),), np.int32),
        )
        self._lowered = jax.jit(self._many).lower(*points, shaped((), int), self._data)
        self._compiled: Any = None

    def compile(self) -> None:
        """Compile the round; call once, in any thread, before the first."""
        self._compiled = self._lowered.compile()

    def moved_to(self, design: Design) -> Rounds:
        """Return the round for other rows of the same stars, bands, subarrays and visits."""
        other = copy(self)
        other._data = (design, *self._data[1:])
        return other

    def go(self, x: Floats, outlier: Floats, stars: Integers, random: np.random.Generator) -> Round:
        """Move every point by one round.

        Parameters
        ----------
        x : (point, number) array
            The vector.
        outlier : (point, row) array
            One for an outlier.
        stars : (`JUMPING`,) array
            Stars that may jump from one explanation of their rows to another; all if they are
            fewer.
        random : Generator
            Fixes what is drawn.
        """
        number = len(x)
        keys = random.integers(2**32, size=(number, 2), dtype=np.uint32)
        parts = parts_of(number, _AT_ONCE)

        def some(part: np.ndarray) -> Round:
            filled = np.resize(part, _AT_ONCE)
            made = self._compiled(
                x[filled], outlier[filled], keys[filled], stars, np.array(len(part)), self._data
            )
            return jax.tree.map(lambda leaf: np.asarray(leaf)[: len(part)], made)

        made = list(self._each(some, parts))
        return jax.tree.map(lambda *leaves: np.concatenate(leaves), *made)

    def _many(
        self, x: Any, outlier: Any, keys: Any, stars: Any, count: Any, data: tuple[Any, ...]
    ) -> Round:
        def one(i: Any) -> Round:
            return self._one(x[i], outlier[i], jax.random.wrap_key_data(keys[i]), stars, data)

        shapes = jax.eval_shape(one, 0)
        empty = jax.tree.map(lambda of: jnp.zeros((_AT_ONCE, *of.shape), of.dtype), shapes)

        def put(i: Any, kept: Round) -> Round:
            return jax.tree.map(lambda all, new: all.at[i].set(new), kept, one(i))

        return jax.lax.fori_loop(0, count, put, empty)

    def _one(
        self, x: Any, outlier: Any, key: jax.Array, stars: Any, data: tuple[Any, ...]
    ) -> Round:
        place = self._coordinates
        before = State(place.colour_precision(x, data[0]), outlier)
        after, z, draw = self._kernel.round(key, data, place.sites(x), before, stars)
        drawn = self._named(self._kernel.sites(draw, data), data[0])
        return Round(place.vector(z, after.colour_precision), after.outlier, drawn)
