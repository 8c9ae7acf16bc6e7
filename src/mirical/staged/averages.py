"""Rows of the staged procedure, its averages over stars, and its subarray ratios (section 3.3)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from mirical.instruments.instrument import Instrument
from mirical.tables.calibration_factors import CalibrationFactors

Floats = NDArray[np.float64]

CLIP = 3.5
"""Rows farther than this many weighted standard deviations off are left out (section 3.2)."""


@dataclass(frozen=True)
class StagedRows:
    """Rows without a flag, as plain arrays.

    Attributes
    ----------
    band, subarray, star, visit : (row,) array of str
        Names; a mask's is that of the reference.
    elapsed : (row,) array
        Days since t0.
    factor : (row,) array
        Calibration factor C of Eq. 3, in the instrument's unit.
    """

    band: NDArray[np.str_]
    subarray: NDArray[np.str_]
    star: NDArray[np.str_]
    visit: NDArray[np.str_]
    elapsed: Floats
    factor: Floats

    @classmethod
    def of(cls, factors: CalibrationFactors) -> StagedRows:
        """Take the rows that carry no flag and have a predicted flux."""
        used = np.array([not flag for flag in factors.observations.table["flag"]])
        used &= ~np.asarray(factors.table["free"])
        table = factors.observations.table[used]
        source, instrument = factors.observations.source, factors.observations.instrument
        return cls(
            band=np.array(table["filter"], dtype=str),
            subarray=np.array([instrument.assumed_term(str(a), source) for a in table["subarray"]]),
            star=np.array(table["name"], dtype=str),
            visit=np.array(table["visit"], dtype=str),
            elapsed=table["time"].to_value("d") - instrument.t0,
            factor=factors.table["factor"].value[used],
        )

    def __len__(self) -> int:
        return len(self.factor)

    def where(self, chosen: NDArray[np.bool_]) -> StagedRows:
        """Return the chosen rows."""
        return StagedRows(*(getattr(self, field.name)[chosen] for field in fields(self)))


@dataclass(frozen=True)
class Average:
    """A weighted mean over stars.

    Attributes
    ----------
    mean, std : float
        Weighted mean and standard deviation of the rows that were kept.
    n_stars : float
        Sum of their weights: not integral where some rows of a star were clipped.
    kept : (row,) bool array
        Which rows those are.
    """

    mean: float
    std: float
    n_stars: float
    kept: NDArray[np.bool_]


def star_weights(star: NDArray[np.str_]) -> Floats:
    """Return weights 1/n for the n rows of each star (section 3.3)."""
    _, member, counts = np.unique(star, return_inverse=True, return_counts=True)
    return 1.0 / counts[member]


def clipped_average(values: Floats, star: NDArray[np.str_]) -> Average:
    """Average values with every star weighing one, clipping at 3.5 sigma until nothing goes.

    Parameters
    ----------
    values : (row,) array
        What is averaged.
    star : (row,) array of str
        Whose value it is.
    """
    weight = star_weights(star)
    kept = np.ones(len(values), dtype=bool)
    while True:
        mean = float(np.average(values[kept], weights=weight[kept]))
        variance = np.average((values[kept] - mean) ** 2, weights=weight[kept])
        std = float(np.sqrt(variance))
        # Strictly beyond rounding: identical values must not clip each other.
        near = np.abs(values - mean) <= CLIP * std + 1e-12 * abs(mean)
        if np.all(near[kept]):
            return Average(mean, std, float(weight[kept].sum()), kept)
        kept = kept & near


@dataclass(frozen=True)
class Throughput:
    """The throughput of a subarray relative to the reference.

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


def measured_throughputs(
    rows: StagedRows, level: Floats, instrument: Instrument
) -> dict[str, Throughput]:
    """Return D of every subarray from factors corrected for time.

    The paper drew D by eye through ratios of average factors, band by band,
    mainly, and the two dedicated sequences. The rule here: ln D is the
    weighted mean of ln(C_reference / C_a) over bands, each average with every
    star weighing one; a ratio of n_reference and n_a stars has weight
    1 / (1/n_reference + 1/n_a), the stars' scatter being the same everywhere. A
    visit that changes subarray within a band gives one more ratio, whose
    weight is the median of the others.

    Parameters
    ----------
    rows : StagedRows
        The rows.
    level : (row,) array
        Their factors divided by the time law.
    instrument : Instrument
        Whose subarrays.
    """
    reference, *others = instrument.subarrays
    found = {reference: Throughput(1.0, note="by definition")}
    together = _rows_by_visit_and_band(rows)
    for subarray in others:
        averaged = list(_ratios_of_averages(rows, level, (reference, subarray)))
        usual = float(np.median([weight for _, weight in averaged])) if averaged else 1.0
        within = _ratios_within_visits(rows, level, (reference, subarray), together)
        dedicated = [(ratio, usual) for ratio in within]
        ratios = averaged + dedicated
        if not ratios:
            found[subarray] = Throughput(1.0, note=f"no band has it beside {reference}: taken as 1")
            continue
        values, weights = zip(*ratios, strict=True)
        mean = float(np.exp(np.average(values, weights=weights)))
        found[subarray] = Throughput(mean, len(ratios))
    return found


def _ratios_of_averages(
    rows: StagedRows, level: Floats, pair: tuple[str, str]
) -> Iterator[tuple[float, float]]:
    """Yield ln(C_reference / C_a) and its weight for each band."""
    for band in dict.fromkeys(map(str, rows.band)):
        sides = [(rows.band == band) & (rows.subarray == a) for a in pair]
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
    rows: StagedRows, level: Floats, pair: tuple[str, str], together: list[NDArray[np.intp]]
) -> Iterator[float]:
    in_full, in_other = (rows.subarray == subarray for subarray in pair)
    for at in together:
        sides = at[in_full[at]], at[in_other[at]]
        if all(len(side) for side in sides):
            full, other = (np.mean(level[side]) for side in sides)
            yield float(np.log(full / other))
