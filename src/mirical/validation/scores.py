"""Scores of a calibration on a program of known truth: errors and coverage.

Programs share star offsets within themselves, so the points of one program
are far from independent.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mirical.calibration.factors import Query
from mirical.inference.quoted_errors import half_width
from mirical.instruments.miri import miri

Floats = NDArray[np.float64]

SUBARRAYS = ("FULL", "SUB256", "SUB64")
DAYS = (0.0, 200.0, 500.0, 900.0, 1500.0)
"""Where the factors are compared: every band in these subarrays at these days after t0."""

_68, _95 = 0.994458, 1.959964  # of a normal distribution, in standard deviations


@dataclass(frozen=True)
class Score:
    """Errors of what one calibration says of some quantities.

    Attributes
    ----------
    error, std : (quantity,) array
        Mean minus truth, and quoted error.
    inside : (quantity,) int array
        2 where the truth is in the central 68 %, 1 in the central 95 % only, 0 outside.
    """

    error: Floats
    std: Floats
    inside: NDArray[np.int_]

    @classmethod
    def of_draws(cls, draws: Floats, truth: Floats) -> Score:
        """Score draws of shape (draw, quantity)."""
        low95, low, high, high95 = np.quantile(draws, [0.025, 0.16, 0.84, 0.975], axis=0)
        inside = ((low <= truth) & (truth <= high)).astype(int)
        inside += (low95 <= truth) & (truth <= high95)
        return cls(draws.mean(0) - truth, half_width(draws), inside)

    @classmethod
    def of_normal(cls, error: Floats, std: Floats) -> Score:
        """Score a quoted normal error."""
        away = np.abs(error) / std
        return cls(error, std, (away <= _68).astype(int) + (away <= _95))

    def as_dict(self) -> dict[str, Any]:
        """Return the score as plain types for JSON."""
        return {
            "error": [float(f"{v:.3g}") for v in self.error],
            "std": [float(f"{v:.3g}") for v in self.std],
            "inside": "".join(map(str, self.inside)),
        }

    @classmethod
    def from_dict(cls, record: dict[str, Any]) -> Score:
        """Return the score that `as_dict` made plain."""
        inside = np.array(list(map(int, record["inside"])))
        return cls(np.array(record["error"]), np.array(record["std"]), inside)


def points() -> Query:
    """Return the points of a program, bands slowest and days fastest.

    Also of coronagraph bands in other subarrays, which are not observed: what is scored there is D.
    """
    grid = [(b, a, miri().t0 + x) for b in miri().bands for a in SUBARRAYS for x in DAYS]
    bands, subarrays, mjd = zip(*grid, strict=True)
    return Query(bands, subarrays, np.array(mjd), miri())


def combinations() -> dict[str, NDArray[Any]]:
    """Return band means and neighbours' ratios as matrices (combination, point) in ln C."""
    shape = (len(miri().bands), len(SUBARRAYS) * len(DAYS))
    imaging = [list(miri().bands).index(band) for band in miri().imaging_bands]
    mean = np.zeros((1, *shape[:1]))
    mean[0, imaging] = 1 / len(imaging)
    ratio = np.zeros((len(imaging) - 1, shape[0]))
    for k, (one, two) in enumerate(zip(imaging, imaging[1:], strict=False)):
        ratio[k, one], ratio[k, two] = 1, -1
    return {
        name: np.kron(m, np.eye(shape[1])) for name, m in {"mean": mean, "ratio": ratio}.items()
    }
