"""The subarray ratios of the staged procedure (paper section 3.3)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mirical.bands import SUBARRAYS
from mirical.products.staged_rows import StagedRows, star_weights

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Throughput:
    """The throughput of a subarray relative to FULL.

    Attributes
    ----------
    value : float
        D; 1 where nothing measures it.
    n_ratios : int
        Number of ratios it is the weighted mean of.
    note : str
        What a reader must know; empty for a measured one.
    """

    value: float
    n_ratios: int = 0
    note: str = ""


def measured_throughputs(rows: StagedRows, level: Floats) -> dict[str, Throughput]:
    """Return D of every subarray from factors corrected for time.

    The paper drew D by eye through ratios of average factors, band by band,
    mainly, and the two dedicated sequences. The rule here: ln D is the
    weighted mean of ln(C_FULL / C_a) over bands, each average with every
    star weighing one; a ratio of n_FULL and n_a stars has weight
    1 / (1/n_FULL + 1/n_a), the stars' scatter being the same everywhere. A
    visit that changes subarray within a band gives one more ratio, whose
    weight is the median of the others.

    Parameters
    ----------
    rows : StagedRows
        The rows.
    level : (row,) array
        Their factors divided by the time law.
    """
    found = {"FULL": Throughput(1.0, note="by definition")}
    together = _rows_by_visit_and_band(rows)
    for subarray in SUBARRAYS[1:]:
        averaged = list(_ratios_of_averages(rows, level, subarray))
        usual = float(np.median([weight for _, weight in averaged])) if averaged else 1.0
        within = _ratios_within_visits(rows, level, subarray, together)
        dedicated = [(ratio, usual) for ratio in within]
        ratios = averaged + dedicated
        if not ratios:
            found[subarray] = Throughput(1.0, note="no band has it beside FULL: taken as 1")
            continue
        values, weights = zip(*ratios, strict=True)
        mean = float(np.exp(np.average(values, weights=weights)))
        found[subarray] = Throughput(mean, len(ratios))
    return found


def _ratios_of_averages(
    rows: StagedRows, level: Floats, subarray: str
) -> Iterator[tuple[float, float]]:
    """Yield ln(C_FULL / C_a) and its weight for each band."""
    for band in dict.fromkeys(map(str, rows.band)):
        sides = [(rows.band == band) & (rows.subarray == a) for a in ("FULL", subarray)]
        if not all(np.any(side) for side in sides):
            continue
        stars = [len(set(rows.star[side])) for side in sides]
        full, other = (
            np.average(level[side], weights=star_weights(rows.star[side])) for side in sides
        )
        yield float(np.log(full / other)), 1.0 / (1.0 / stars[0] + 1.0 / stars[1])


def _rows_by_visit_and_band(rows: StagedRows) -> list[NDArray[np.intp]]:
    """Return the rows of each visit in each band, in the order in which they come."""
    places: dict[tuple[str, str], list[int]] = {}
    for i, of in enumerate(zip(map(str, rows.visit), map(str, rows.band), strict=True)):
        places.setdefault(of, []).append(i)
    return [np.array(at) for at in places.values()]


def _ratios_within_visits(
    rows: StagedRows, level: Floats, subarray: str, together: list[NDArray[np.intp]]
) -> Iterator[float]:
    in_full, in_other = rows.subarray == "FULL", rows.subarray == subarray
    for at in together:
        sides = at[in_full[at]], at[in_other[at]]
        if all(len(side) for side in sides):
            full, other = (np.mean(level[side]) for side in sides)
            yield float(np.log(full / other))
