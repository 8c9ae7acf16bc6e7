"""Nesting of rows in visits, star-band cells and band-subarray cells: the sparse design."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from mirical.model.design import Data, Design, filled_up, unnamed

_WORTH_A_GROUP = 6000  # padded numbers that cost as much as one more group of stars


@dataclass(frozen=True)
class StarGroup:
    """Stars with about as many cells and visits, padded to the same numbers of both.

    A *cell* is a band in a subarray, and a *slot* the place of one of a star's
    cells. A padded slot or visit holds no row, so it has no weight; it points
    to the first cell, or past the last visit.

    Attributes
    ----------
    star : (member,) int array
        Which stars.
    visit : (member, turn) int array
        Their visits.
    slot_cell : (member, slot) int array
        Cell of each slot.
    slot_own : (member, slot) int array
        Which of the star's own bands the slot is in.
    own_band : (member, own) int array
        The bands each star was seen in; padded ones point past the last band.
    colour_root : (member, own, own) array
        Cholesky factor of the colour offsets' correlation between these bands.
    """

    star: Int[Data, " member"]
    visit: Int[Data, "member turn"]
    slot_cell: Int[Data, "member slot"]
    slot_own: Int[Data, "member slot"]
    own_band: Int[Data, "member own"]
    colour_root: Float[Data, "member own own"]

    @property
    def shape(self) -> tuple[int, int, int]:
        """Return how many members, visits and slots."""
        n_members, n_turns = self.visit.shape
        return n_members, n_turns, self.slot_cell.shape[1]


@dataclass(frozen=True)
class Blocks:
    """Which sums of rows the collapsed density needs, as index arrays.

    Attributes
    ----------
    row_place : (row,) int array
        Where each row counts: member, visit and slot of its star's group, all
        groups flattened one after another.
    groups : tuple of StarGroup
        Every star once.
    cell_band, cell_subarray : (cell,) int array
        Band and subarray of each cell.
    departing : (departing,) int array
        The cells of other subarrays than the reference; the first cell where there are none.
    colour_correlation : (band, band) array
        Of the colour offsets of a star.
    """

    row_place: Int[Data, " row"]
    groups: tuple[StarGroup, ...]
    cell_band: Int[Data, " cell"]
    cell_subarray: Int[Data, " cell"]
    departing: Int[Data, " departing"]
    colour_correlation: Float[Data, "band band"]

    def by_group(self, values: Float[Array, " row"]) -> list[Float[Array, "member turn slot"]]:
        """Sum values of the rows where they count."""
        sizes = [int(np.prod(group.shape)) for group in self.groups]
        flat = jnp.zeros(sum(sizes)).at[self.row_place].add(values)
        parts = jnp.split(flat, np.cumsum(sizes)[:-1])
        return [part.reshape(group.shape) for part, group in zip(parts, self.groups, strict=True)]


for _class in (StarGroup, Blocks):
    jax.tree_util.register_dataclass(_class)


def make_blocks(
    design: Design, colour_correlation: Float[Data, "band band"], *, roomy: bool = False
) -> Blocks:
    """Return the blocks of a design; a visit belongs to one star.

    If `roomy`, they hold more visits and cells of a star than it has (`room`): a few rows more
    then have blocks of the same shapes.
    """
    correlation = np.asarray(colour_correlation)
    cells, row_cell = _unique(design.band, design.subarray)
    slots, row_slot = _places(design.star, row_cell)
    visits, row_turn = _places(design.star, design.visit)
    cells_of, visits_of = _by_star(slots), _by_star(visits)

    departing = np.flatnonzero(cells[1])

    row_place = np.zeros(len(design.rows), dtype=np.int32)
    groups, first = [], 0
    for stars in _alike([len(c) for c in cells_of], [len(v) for v in visits_of]):
        group = _group(design, stars, cells_of, visits_of, cells[0], correlation)
        if roomy:
            group = _with_room(group, len(design.visits), len(design.bands))
        member = np.full(len(design.stars), -1)
        member[stars] = np.arange(len(stars))
        member = member[np.asarray(design.star)]
        _, n_turns, n_slots = group.shape
        place = first + (member * n_turns + row_turn) * n_slots + row_slot
        row_place = np.where(member >= 0, place, row_place)
        groups.append(group)
        first += int(np.prod(group.shape))
    return Blocks(
        row_place=_index(row_place),
        groups=tuple(groups),
        cell_band=_index(cells[0]),
        cell_subarray=_index(cells[1]),
        departing=_index(departing if len(departing) else np.zeros(1)),
        colour_correlation=correlation,
    )


class Rows(NamedTuple):
    """Rows to fit, and their sparse structure."""

    design: Design
    blocks: Blocks


def plain_rows(design: Design, colour_correlation: Float[Data, "band band"]) -> Rows:
    """Return the rows of a design as they are."""
    return Rows(design, make_blocks(design, colour_correlation))


def roomy_rows(design: Design, colour_correlation: Float[Data, "band band"]) -> Rows:
    """Return rows among others that say nothing, in blocks with room to spare.

    The rows themselves come first, as do their visits. Designs of about as many rows and visits
    then have the same shapes, and what is compiled for one serves the others: they have no names
    of rows, visits and stars (`mirical.model.design.unnamed`).
    """
    # Those that say nothing are a visit of their own.
    full = filled_up(design, room(len(design.rows)), room(len(design.visits) + 1))
    return Rows(unnamed(full), make_blocks(full, colour_correlation, roomy=True))


def _group(
    design: Design,
    stars: list[int],
    cells_of: list[np.ndarray],
    visits_of: list[np.ndarray],
    cell_band: np.ndarray,
    correlation: np.ndarray,
) -> StarGroup:
    bands_of = [np.unique(cell_band[cells_of[star]]) for star in stars]
    own = _padded(bands_of, len(design.bands))
    slot_cell = _padded([cells_of[star] for star in stars], 0)
    slot_own = np.zeros_like(slot_cell)
    for member, bands in enumerate(bands_of):
        n_cells = len(cells_of[stars[member]])
        slot_own[member, :n_cells] = np.searchsorted(bands, cell_band[slot_cell[member, :n_cells]])
    padded = np.pad(correlation, (0, 1))  # a padded band correlates with none
    among = padded[own[:, :, None], own[:, None, :]]
    among = among + np.eye(own.shape[1]) * (own == len(design.bands))[:, :, None]
    return StarGroup(
        star=_index(np.array(stars)),
        visit=_padded([visits_of[star] for star in stars], len(design.visits)),
        slot_cell=slot_cell,
        slot_own=slot_own,
        own_band=own,
        colour_root=np.linalg.cholesky(among),
    )


def room(number: int) -> int:
    """Return the next of the numbers 4, 5, 6, 7, 8, 10, 12, 14, 16, 20, 24, 28, 32, ..."""
    step = 2 ** max(number.bit_length() - 3, 0)
    return max(-(-number // step) * step, 4)


def _with_room(group: StarGroup, n_visits: int, n_bands: int) -> StarGroup:
    """Return the group with more visits, slots and bands a star, which hold no row."""

    def wide(table: Data, filler: int) -> np.ndarray:
        more = room(table.shape[1]) - table.shape[1]
        return np.pad(np.asarray(table), ((0, 0), (0, more)), constant_values=filler)

    own = wide(group.own_band, n_bands)
    n_own = group.own_band.shape[1]
    root = np.tile(np.eye(own.shape[1]), (len(own), 1, 1))
    root[:, :n_own, :n_own] = group.colour_root
    return StarGroup(
        star=group.star,
        visit=wide(group.visit, n_visits),
        slot_cell=wide(group.slot_cell, 0),
        slot_own=wide(group.slot_own, 0),
        own_band=own,
        colour_root=root,
    )


def _alike(n_cells: list[int], n_visits: list[int]) -> list[list[int]]:
    """Return groups of stars of like numbers of cells and visits, a group costing something."""
    kinds: dict[tuple[int, int], list[int]] = {}
    for star, counts in enumerate(zip(n_cells, n_visits, strict=True)):
        kinds.setdefault((counts[0].bit_length(), counts[1].bit_length()), []).append(star)
    groups = [kinds[kind] for kind in sorted(kinds)]

    def size(stars: list[int]) -> int:
        most = max(n_cells[star] for star in stars)
        return len(stars) * most * (most**2 + max(n_visits[star] for star in stars))

    while len(groups) > 1:
        growth = {
            (i, j): size(groups[i] + groups[j]) - size(groups[i]) - size(groups[j])
            for i, j in combinations(range(len(groups)), 2)
        }
        i, j = min(growth, key=lambda pair: growth[pair])
        if growth[i, j] > _WORTH_A_GROUP:
            break
        groups[i] = sorted(groups[i] + groups.pop(j))
    return groups


def _unique(first: Data, second: Data) -> tuple[np.ndarray, np.ndarray]:
    """Return the distinct pairs, shape (2, pair), and each entry's place among them."""
    both = np.stack([np.asarray(first), np.asarray(second)])
    found, place = np.unique(both, axis=1, return_inverse=True)
    return found, place.ravel()


def _places(star: Data, of: Data) -> tuple[np.ndarray, np.ndarray]:
    """Return the distinct pairs of star and `of`, and each entry's place within its star."""
    pairs, which = _unique(star, of)
    return pairs, (np.arange(pairs.shape[1]) - np.searchsorted(pairs[0], pairs[0]))[which]


def _by_star(pairs: np.ndarray) -> list[np.ndarray]:
    return np.split(pairs[1], np.flatnonzero(np.diff(pairs[0])) + 1)


def _padded(rows: list[np.ndarray], filler: int) -> np.ndarray:
    """Return rows of unequal length as one array, filled up at their ends."""
    table = np.full((len(rows), max(map(len, rows))), filler, dtype=np.int32)
    for row, values in zip(table, rows, strict=True):
        row[: len(values)] = values
    return table


def _index(values: np.ndarray) -> np.ndarray:
    return values.astype(np.int32)
