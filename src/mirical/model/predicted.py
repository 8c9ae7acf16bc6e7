r"""Distribution of some rows given others, at one draw of the scales and the response loss.

`mirical.model.collapsed.integrate` leaves the distribution of each term's numbers given the terms
around it. So the effect on a row, a sum of terms, is linear in what is farther out, innermost
first:

    visit        x = C a + ...                  a: the effects on the slots of the row's star
    star         a = h + B u                    C -> C (1 - B G), and a spread C B P^-1 B' C'
    type         h = e + S R v                  e: the effects on the cells; v as u
    outermost    e = O w u0

and each level adds to the mean, and to the covariance of rows that share its number.
"""

from __future__ import annotations

from typing import NamedTuple

import jax.numpy as jnp
from jax.scipy.linalg import solve_triangular
from jaxtyping import Array, Float, Int

from mirical.model.collapsed import Integrated, OfGroup, band_means, star_basis
from mirical.model.design import Data, Design
from mirical.model.nesting import Blocks, StarGroup
from mirical.model.offsets import Scales
from mirical.model.outermost import places, widths
from mirical.model.quadratic_forms import times


class Predicted(NamedTuple):
    """Effects of all offsets on some rows, ln A included: normal, without the rows' own noise."""

    mean: Float[Array, " row"]
    covariance: Float[Array, "row row"]


def predict_rows(
    design: Design,
    blocks: Blocks,
    scales: Scales,
    integrated: Integrated,
    asked: Int[Data, " asked"],
) -> Predicted:
    """Return the distribution of the offsets' sums at some rows given those that were integrated.

    Parameters
    ----------
    design, blocks : Design, Blocks
        All rows.
    scales : Scales
        Of the offsets.
    integrated : Integrated
        The rows that are given; those asked for had variances without bound.
    asked : (asked,) int array
        Places of the rows asked for among all.
    """
    star, band = jnp.asarray(design.star)[asked], jnp.asarray(design.band)[asked]
    kind, visit = jnp.asarray(design.star_type)[star], jnp.asarray(design.visit)[asked]
    same_star, same_visit = star[:, None] == star, visit[:, None] == visit
    n_cells, n_bands = len(blocks.cell_band), len(design.bands)
    mean, covariance = jnp.zeros(len(asked)), jnp.zeros((len(asked), len(asked)))
    to_cells, to_bands = jnp.zeros((len(asked), n_cells)), jnp.zeros((len(asked), n_bands))
    first = 0
    for group, done in zip(blocks.groups, integrated.groups, strict=True):
        place = _place(blocks, asked, group, first)
        first += len(group.star) * group.visit.shape[1] * group.slot_cell.shape[1]
        one = _of_star(design, group, scales, done, place)
        inside = place.inside.astype(float)
        mean += inside * one.mean
        both = inside[:, None] * inside
        covariance += both * same_visit * jnp.sqrt(one.visit[:, None] * one.visit)
        covariance += both * same_star * (one.spread @ one.spread.T)
        cell = jnp.asarray(group.slot_cell)[place.member]
        at = jnp.arange(len(asked))[:, None]
        pull = inside[:, None] * one.pull
        to_cells = to_cells.at[at, cell].add(pull)
        predicted = 1 - jnp.asarray(design.free)[star] if design.has_free else jnp.ones(len(asked))
        in_band = jnp.asarray(blocks.cell_band)[cell]
        to_bands = to_bands.at[at, in_band].add(predicted[:, None] * pull)

    types = integrated.types
    units = to_bands @ types.basis
    root = types.root[kind]
    half = solve_triangular(root, units[..., None], lower=True)[..., 0]
    covariance += (kind[:, None] == kind) * (half @ half.T)
    onto = solve_triangular(root, half[..., None], lower=True, trans=1)[..., 0] @ types.basis.T
    mean += jnp.sum(onto * types.pull[kind], axis=1)
    to_cells = to_cells - jnp.einsum("rcb,rb->rc", types.weight[kind], onto)

    where = places(design, blocks)
    to_units = jnp.concatenate([where.sums @ to_cells.T, to_cells.T[where.departing]])
    to_units = to_units * widths(design, blocks, scales)[:, None]
    half = solve_triangular(integrated.outermost.root, to_units, lower=True)
    mean += integrated.outermost.centre @ to_units
    covariance += half.T @ half
    subarray = jnp.asarray(design.subarray)[asked]
    about = band_means(design)[band] - jnp.asarray(scales.subarray_mean)[subarray]
    return Predicted(mean + about, covariance)


class _Place(NamedTuple):
    """Where rows are in a group, and whether they are in it at all."""

    inside: Array
    member: Array
    turn: Array
    slot: Array


def _place(blocks: Blocks, asked: Int[Data, " asked"], group: StarGroup, first: int) -> _Place:
    n_members, n_turns, n_slots = group.shape
    size = n_members * n_turns * n_slots
    place = jnp.asarray(blocks.row_place)[asked] - first
    inside = (place >= 0) & (place < size)
    place = jnp.clip(place, 0, size - 1)
    return _Place(inside, place // (n_turns * n_slots), place // n_slots % n_turns, place % n_slots)


class _OfStar(NamedTuple):
    """What the visits and the numbers of its star make of each row's effect."""

    mean: Float[Array, " row"]
    visit: Float[Array, " row"]
    """Variance of the visit's number."""
    spread: Float[Array, "row unit"]
    """Whose products are the covariances of rows of one star."""
    pull: Float[Array, "row slot"]
    """What the effects on the slots, farther out, do to the row."""


def _of_star(
    design: Design, group: StarGroup, scales: Scales, done: OfGroup, place: _Place
) -> _OfStar:
    member, turn = place.member, place.turn
    gain = done.visit_gain[member, turn]
    own = jnp.arange(group.slot_cell.shape[1]) == place.slot[:, None]
    on_slots = own - gain[:, None] * done.weight[member, turn]
    basis, star = star_basis(design, group, scales)[member], done.star
    on_units = times(jnp.swapaxes(basis, -1, -2), on_slots)
    half = solve_triangular(star.root[member], on_units[..., None], lower=True)[..., 0]
    return _OfStar(
        mean=gain * done.linear[member, turn].sum(-1) + jnp.sum(on_units * star.centre[member], -1),
        visit=gain,
        spread=half,
        pull=on_slots - jnp.einsum("ru,rus->rs", on_units, star.gain[member]),
    )
