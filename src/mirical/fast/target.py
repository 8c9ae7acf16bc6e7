r"""Collapsed density at many points of the vector, with its derivatives, compiled once.

The density is given which rows are outliers. Where they are to be summed over, every row's
indicator is taken to depend on the others' through its residual e_i and variance h_i given all
other rows, kept from one place of the vector:

    ln sum_o p(x, o) ~ ln p(x, o*) + sum_i ln(1 + odds of row i of not being as in o*),
    odds_i = f / (1 - f) N(e_i; h_i + s_i^2 + w^2) / N(e_i; h_i + s_i^2).

The points are weighted for this density; the sampler's exact steps (`mirical.fast.walk`) then
sample the indicators that are correlated, such as several rows of one star.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from copy import copy
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from numpy.typing import NDArray

from mirical.cards.card import Card
from mirical.compiled.functions import prepare
from mirical.fast.coordinates import Coordinates
from mirical.fast.proposal import Floats, Proposal
from mirical.inference.runtime import cores
from mirical.model.design import Data, Design, has_weight
from mirical.model.nesting import Blocks
from mirical.model.terms import Given

_AT_ONCE = 64  # points of one call, at most
_UNCHECKED = 1e-9  # precision of a row given all others that says nothing


Each = Callable[[Callable[..., Any], Iterable[Any]], Iterable[Any]]


class Others(NamedTuple):
    """What all other rows say of each: residual and variance, its own variance left out."""

    residual: Float[Data, " row"]
    variance: Float[Data, " row"]
    weight: Float[Data, ""]
    """One where indicators are summed over, zero where they are as given."""


class Found(NamedTuple):
    """The density at points.

    Attributes
    ----------
    density : (point,) array
        ln p(x, o) up to a constant, per unit of e.
    others : (point,) array
        What the sum over the indicators adds.
    slope : (point, number) array
        Derivatives by e of the sum of both, of the first alone where they are not summed over.
    odds : (point, row) array
        Log odds that a row is an outlier, given the indicators of all others; -inf of rows that
        only fill up.
    residual, variance : (point, row) array
        As in `Others`.
    """

    density: Data
    others: Data
    slope: Data
    odds: Data
    residual: Data
    variance: Data

    @property
    def target(self) -> Data:
        """Ln p(x), the indicators summed over."""
        return self.density + self.others


class _Points(NamedTuple):
    """Points of one call, and how many of them count."""

    e: Data
    outlier: Data
    count: Data


class Target:
    """The density of a card on a design.

    Parameters
    ----------
    design, blocks, card : Design, Blocks, Card
        What is fitted.
    each : callable
        Maps a function over parts of the points: `map`, or that of a pool of threads.
    """

    def __init__(self, design: Design, blocks: Blocks, card: Card, each: Each = map) -> None:
        self.coordinates = Coordinates.of(design, card)
        self.data, self._each = (design, blocks), each
        numbers, rows = len(self.coordinates), len(design.rows)
        shaped: Any = jax.ShapeDtypeStruct
        points = _Points(
            shaped((_AT_ONCE, numbers), float),
            shaped((_AT_ONCE, rows), float),
            shaped((), int),
        )
        vector, row = shaped((numbers,), float), shaped((rows,), float)
        proposal = Proposal(vector, shaped((numbers, numbers), float), vector, vector)
        others = Others(row, row, shaped((), float))
        of_points = partial(_of_points, coordinates=self.coordinates)
        self._prepared = prepare(of_points, points, proposal, others, self.data)
        self._compiled: Any = None

    def compile(self) -> None:
        """Compile the density; call once, in any thread, before anything is asked."""
        self._compiled = self._prepared.compile()

    def moved_to(self, design: Design) -> Target:
        """Return the density of other rows of the same stars, bands, subarrays and visits."""
        other = copy(self)
        other.data = (design, self.data[1])
        return other

    @property
    def nothing(self) -> Others:
        """Of indicators that are not summed over."""
        rows = np.zeros(len(self.data[0].rows))
        return Others(rows, rows + 1, np.zeros(()))

    def at(self, e: Floats, outlier: Floats, proposal: Proposal, others: Others) -> Found:
        """Return the density at standard numbers of a proposal.

        Parameters
        ----------
        e : (point, number) array
            Standard numbers.
        outlier : (row,) or (point, row) array
            One for an outlier.
        """
        outlier = np.broadcast_to(outlier, (len(e), outlier.shape[-1]))
        parts = parts_of(len(e), _AT_ONCE)

        def some(part: np.ndarray) -> Found:
            filled = np.resize(part, _AT_ONCE)
            points = _Points(e[filled], outlier[filled], np.array(len(part)))
            found = self._compiled(points, proposal, others, self.data)
            return Found(*(np.asarray(one)[: len(part)] for one in found))

        found = list(self._each(some, parts)) if len(parts) > 1 else [some(parts[0])]
        return Found(*(np.concatenate(one) for one in zip(*found, strict=True)))


def _of_points(
    points: _Points,
    proposal: Proposal,
    others: Others,
    data: tuple[Design, Blocks],
    *,
    coordinates: Coordinates,
) -> Found:
    """Return the density at points, one after another."""
    e, outlier, count = points

    def one(i: Array) -> Found:
        return _of_point(e[i], outlier[i], proposal, others, data, coordinates)

    kept = jax.tree.map(lambda shape: jnp.zeros((_AT_ONCE, *shape.shape)), jax.eval_shape(one, 0))

    def put(i: Array, kept: Found) -> Found:
        return jax.tree.map(lambda all, new: all.at[i].set(new), kept, one(i))

    return jax.lax.fori_loop(0, count, put, kept)


def _of_point(
    e: Array,
    outlier: Array,
    proposal: Proposal,
    others: Others,
    data: tuple[Design, Blocks],
    coordinates: Coordinates,
) -> Found:
    nothing = jnp.zeros_like(outlier)

    def total(e: Array, added: Array) -> tuple[Array, tuple[Array, Array, Given]]:
        x, log_slope = proposal.place(e)
        density = coordinates.log_density(x, outlier, data, added) + log_slope
        known = coordinates.known(x, data)
        summed = _summed(known, outlier, others, jnp.asarray(has_weight(data[0])))
        return density + others.weight * summed, (density, summed, known)

    by, (density, summed, known) = jax.grad(total, (0, 1), has_aux=True)(
        e, jnp.stack([nothing, nothing])
    )
    slope, (by_row, by_variance) = by
    log_share, width = _share(known)
    precision = by_row**2 - 2 * by_variance
    checked = precision > _UNCHECKED
    precision = jnp.where(checked, precision, _UNCHECKED)
    direction = 1 - 2 * outlier
    change = direction * width**2
    wide = 1 + change * precision
    flip = -0.5 * jnp.log(wide) + 0.5 * change * by_row**2 / wide + direction * log_share
    own = known.sigma**2 + outlier * width**2
    return Found(
        density=density,
        others=summed,
        slope=slope,
        odds=jnp.where(has_weight(data[0]), direction * flip, -jnp.inf),
        residual=jnp.where(checked, -by_row / precision, 0.0),
        variance=jnp.maximum(1 / precision - own, 0.0),
    )


def _share(known: Given) -> tuple[Array, Array]:
    """Return the log odds of an outlier before its row is seen, and the width of its errors."""
    if known.outlier_fraction is None or known.outlier_width is None:
        return jnp.array(-jnp.inf), jnp.zeros(())
    fraction = jnp.asarray(known.outlier_fraction)
    return jnp.log(fraction) - jnp.log1p(-fraction), jnp.asarray(known.outlier_width)


def _summed(known: Given, outlier: Array, others: Others, counts: Array) -> Array:
    """Return what the sum over the indicators of rows that count adds to the log density."""
    if known.outlier_fraction is None:
        return jnp.zeros(())
    log_share, width = _share(known)
    narrow = others.variance + known.sigma**2
    wide = narrow + width**2
    ratio = 0.5 * (others.residual**2 * (1 / narrow - 1 / wide) + jnp.log(narrow / wide))
    added = jax.nn.softplus((1 - 2 * outlier) * (log_share + ratio))
    return jnp.sum(jnp.where(counts, added, 0.0))


def parts_of(number: int, most: int) -> list[NDArray[np.intp]]:
    """Return the points of each call: as many calls as cores at least, of so many points at most.

    Where calls come one after another, more of them cost little.
    """
    each = min(most, max(1, -(-number // cores())))
    return [np.arange(first, min(first + each, number)) for first in range(0, number, each)]
