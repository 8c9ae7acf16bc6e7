"""The rows of the staged procedure, and its averages in which every star weighs one."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from mirical.bands import assumed_term
from mirical.conventions import T0_MJD
from mirical.observations.factors import CalibrationFactors

Floats = NDArray[np.float64]

CLIP = 3.5
"""Rows farther than this many weighted standard deviations off are left out (section 3.2)."""


@dataclass(frozen=True)
class StagedRows:
    """Rows without a flag, as plain arrays.

    Attributes
    ----------
    band, subarray, star, visit : (row,) array of str
        Names; masks are FULL.
    elapsed : (row,) array
        Days since t0.
    factor : (row,) array
        Calibration factor C of Eq. 3, (MJy/sr)/(DN/s/pixel).
    """

    band: NDArray[np.str_]
    subarray: NDArray[np.str_]
    star: NDArray[np.str_]
    visit: NDArray[np.str_]
    elapsed: Floats
    factor: Floats

    @classmethod
    def of(cls, factors: CalibrationFactors) -> StagedRows:
        """Take the rows that carry no flag."""
        used = np.array([not flag for flag in factors.observations.table["flag"]])
        table = factors.observations.table[used]
        source = factors.observations.source
        return cls(
            band=np.array(table["filter"], dtype=str),
            subarray=np.array([assumed_term(str(a), source) for a in table["subarray"]]),
            star=np.array(table["name"], dtype=str),
            visit=np.array(table["visit"], dtype=str),
            elapsed=table["time"].to_value("d") - T0_MJD,
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
