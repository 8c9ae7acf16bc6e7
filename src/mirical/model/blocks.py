"""The sparse structure of a design: rows -> visit-cells -> star cells -> band-subarray cells."""

from __future__ import annotations

from dataclasses import dataclass

import jax
import numpy as np
from jaxtyping import Int

from mirical.model.design import Data, Design


@dataclass(frozen=True)
class Blocks:
    """Which sums of rows the collapsed density needs, as index arrays.

    A *cell* is a band in a subarray; a *star cell* is a cell of one star; a
    *part* is what one visit contributes to a star cell. Star cells are padded
    to the same number of slots for every star, the empty ones with no weight.

    Attributes
    ----------
    row_part : (row,) int array
        Part each row belongs to.
    part_visit, part_slot : (part,) int array
        Visit of each part; its place among all slots (star * slots + slot).
    pair_one, pair_two : (pair,) int array
        Parts of one visit, every ordered pair of them.
    pair_place : (pair,) int array
        Where the pair stands in the stars' slot-by-slot matrices, flattened.
    slot_band : (star, slot) int array
        Band of each slot.
    slot_cell : (star, slot) int array
        Cell of each slot.
    cell_band, cell_subarray : (cell,) int array
        Band and subarray of each cell.
    """

    row_part: Int[Data, " row"]
    part_visit: Int[Data, " part"]
    part_slot: Int[Data, " part"]
    pair_one: Int[Data, " pair"]
    pair_two: Int[Data, " pair"]
    pair_place: Int[Data, " pair"]
    slot_band: Int[Data, "star slot"]
    slot_cell: Int[Data, "star slot"]
    cell_band: Int[Data, " cell"]
    cell_subarray: Int[Data, " cell"]


jax.tree_util.register_dataclass(Blocks)


def make_blocks(design: Design) -> Blocks:
    """Return the blocks of a design; a visit belongs to one star."""
    cells, row_cell = _unique(design.band, design.subarray)
    star_cells, row_star_cell = _unique(design.star, row_cell)
    parts, row_part = _unique(design.visit, row_star_cell)

    counts = np.bincount(star_cells[0], minlength=len(design.stars))
    n_slots = int(counts.max())
    slot = np.arange(star_cells.shape[1]) - np.repeat(np.cumsum(counts) - counts, counts)
    slot_cell = np.zeros((len(design.stars), n_slots), dtype=np.int32)
    slot_cell[star_cells[0], slot] = star_cells[1]

    one, two = _pairs(parts[0])
    part_slot = (star_cells[0] * n_slots + slot)[parts[1]]
    return Blocks(
        row_part=_index(row_part),
        part_visit=_index(parts[0]),
        part_slot=_index(part_slot),
        pair_one=_index(one),
        pair_two=_index(two),
        pair_place=_index(part_slot[one] * n_slots + slot[parts[1]][two]),
        slot_band=_index(cells[0][slot_cell]),
        slot_cell=slot_cell,
        cell_band=_index(cells[0]),
        cell_subarray=_index(cells[1]),
    )


def _unique(first: Data, second: Data) -> tuple[np.ndarray, np.ndarray]:
    """Return the distinct pairs, shape (2, pair), and each entry's place among them."""
    both = np.stack([np.asarray(first), np.asarray(second)])
    found, place = np.unique(both, axis=1, return_inverse=True)
    return found, place.ravel()


def _index(values: np.ndarray) -> np.ndarray:
    return values.astype(np.int32)


def _pairs(visit: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return every ordered pair of parts of the same visit; `visit` is sorted."""
    size = np.bincount(visit)[visit]
    first = np.searchsorted(visit, visit)
    one = np.repeat(np.arange(len(visit)), size)
    within = np.arange(len(one)) - np.repeat(np.cumsum(size) - size, size)
    return one, first[one] + within
