"""Score directions for predictive checks: row, visit, star, type, subarray, slope.

A direction is one number a row, the shift of ln C that a departure of one unit makes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mirical.model.design import Design

Floats = NDArray[np.float64]

LEAST_BESIDE = 3
"""Rows a step must have on either side, and a dependence in all."""

"""Bands whose subarrays were observed back to back (section 3.3)."""

PARAMETERS = {
    "flux": "predicted flux",
    "background": "background",
    "rate": "central-pixel rate",
    "well": "well depth",
    "inttime": "integration time",
}
"""What a factor should not depend on (section 3.5), and how a sentence calls it."""


@dataclass(frozen=True)
class Family:
    """Directions that one question is about.

    Attributes
    ----------
    name : str
        Key of `FAMILIES`.
    labels : tuple of str
        What each direction is.
    columns : (row, direction) array
        Shift of ln C for one unit.
    band : (direction,) int array or None
        The band each direction belongs to, where its size is to be judged by that band's
        rows; None where by the other directions of the family.
    """

    name: str
    labels: tuple[str, ...]
    columns: Floats
    band: NDArray[np.intp] | None


Parameters = Mapping[str, Floats]
"""Name (as in `PARAMETERS`) to each fitted row's value, NaN where the table has none."""


def families(design: Design, parameters: Parameters) -> dict[str, Family]:
    """Return every family of directions of a design that has any."""
    made = {name: _told(build(design, parameters), design) for name, build in _BUILDERS.items()}
    return {
        name: _family(name, columns, design) for name, columns in made.items() if len(columns) > 1
    }


def _told(columns: dict[str, Floats], design: Design) -> dict[str, Floats]:
    """Return the directions that are more than other fluxes of free stars."""
    star, n_bands = np.asarray(design.star), len(design.bands)
    free = np.asarray(design.free)[star] > 0
    if not free.any():
        return columns
    cell = star * n_bands + np.asarray(design.band)
    count = np.maximum(np.bincount(cell), 1)

    def left(column: Floats) -> Floats:
        return column - free * (np.bincount(cell, weights=column) / count)[cell]

    return {name: of for name, of in columns.items() if np.abs(left(of)).max() > 1e-9}


def _family(name: str, columns: dict[str, Floats], design: Design) -> Family:
    stacked = np.stack(list(columns.values()), axis=1)
    band = None
    if name in _WITHIN_A_BAND:
        band = np.asarray(design.band)[np.argmax(stacked != 0, axis=0)]
    return Family(name, tuple(columns), stacked, band)


def _rows(design: Design, _: Parameters) -> dict[str, Floats]:
    unit = np.eye(len(design.rows))
    return {f"row {row}": unit[i] for i, row in enumerate(design.rows)}


def _visits(design: Design, _: Parameters) -> dict[str, Floats]:
    each = _indicators(np.asarray(design.visit), design.visits)
    return {name: column for name, column in each.items() if column.sum() > 1}


def _stars(design: Design, _: Parameters) -> dict[str, Floats]:
    return _indicators(np.asarray(design.star), design.stars)


def _types(design: Design, _: Parameters) -> dict[str, Floats]:
    of_row = np.asarray(design.star_type)[np.asarray(design.star)]
    return _indicators(of_row, design.types) if len(design.types) > 1 else {}


def _subarrays(design: Design, _: Parameters) -> dict[str, Floats]:
    """Each subarray in all bands, and in each band of its own."""
    band, subarray = np.asarray(design.band), np.asarray(design.subarray)
    inside = {
        name: column
        for name, column in _indicators(subarray, design.subarrays).items()
        if name != design.subarrays[0]
    }
    cells = {
        f"{name} in {design.bands[b]}": column * (band == b)
        for name, column in inside.items()
        for b in np.unique(band[column > 0])
    }
    return inside | cells


def _sequences(design: Design, _: Parameters) -> dict[str, Floats]:
    """Each subarray in a visit that went through three or more of them in one band."""
    band, subarray = np.asarray(design.band), np.asarray(design.subarray)
    found: dict[str, Floats] = {}
    for b, name in enumerate(design.bands):
        here = band == b
        dedicated = np.zeros(len(band), dtype=bool)
        for visit in np.unique(np.asarray(design.visit)[here]):
            rows = here & (np.asarray(design.visit) == visit)
            dedicated |= rows & (len(np.unique(subarray[rows])) >= LEAST_BESIDE)
        for a in np.unique(subarray[dedicated]):
            if a:
                label = f"{design.subarrays[a]} in the sequence of {name}"
                found[label] = (dedicated & (subarray == a)).astype(float)
    return found


def _time(design: Design, _: Parameters) -> dict[str, Floats]:
    """In each band, a step at every date with rows enough before and after."""
    band, elapsed = np.asarray(design.band), np.asarray(design.elapsed)
    found = {}
    for b, name in enumerate(design.bands):
        dates = np.unique(np.round(elapsed[band == b], 1))
        gaps = np.flatnonzero(np.diff(dates) > 1.0)
        for date in (dates[gaps] + dates[gaps + 1]) / 2:
            after = (band == b) & (elapsed > date)
            n_after, n_before = after.sum(), ((band == b) & ~after).sum()
            if min(n_after, n_before) >= LEAST_BESIDE:
                found[f"{name} from day {date:.0f}"] = after.astype(float)
    return found


def _dependence(design: Design, parameters: Parameters) -> dict[str, Floats]:
    """Return each band's dependence on each parameter, one unit a decade.

    One family: in a band whose stars differ in brightness most parameters go together.
    """
    return {
        f"{band} with {PARAMETERS[name]}": column
        for name in parameters
        for band, column in slopes(design, parameters[name]).items()
    }


def slopes(design: Design, values: Floats) -> dict[str, Floats]:
    """Return by band the decades of a parameter above the band's mean; zero where unknown."""
    band, found = np.asarray(design.band), {}
    for b, name in enumerate(design.bands):
        here = (band == b) & (values > 0)
        if here.sum() < LEAST_BESIDE or np.ptp(values[here]) == 0:
            continue
        decades = np.log10(np.where(here, values, 1.0))
        found[name] = np.where(here, decades - decades[here].mean(), 0.0)
    return found


_BUILDERS: dict[str, Callable[[Design, Parameters], dict[str, Floats]]] = {
    "rows": _rows,
    "visits": _visits,
    "stars": _stars,
    "types": _types,
    "subarrays": _subarrays,
    "sequences": _sequences,
    "time": _time,
    "dependence": _dependence,
}
_WITHIN_A_BAND = "rows", "time", "dependence"


def _indicators(index: NDArray[np.integer], names: tuple[str, ...]) -> dict[str, Floats]:
    return {names[i]: (index == i).astype(float) for i in np.unique(index)}
