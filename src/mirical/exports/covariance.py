"""Values with a covariance, and their validation."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from astropy import units as u
from numpy.typing import NDArray

from mirical.calibration.calibration import ABSOLUTE
from mirical.calibration.factors import Query
from mirical.errors import InputError
from mirical.normal_values import NormalValues

Floats = NDArray[np.float64]

_SYMMETRIC = 1e-9
"""Differences of entries over the diagonal's geometric mean that rounding explains."""
_NEGATIVE = -1e-8
"""Least eigenvalue of a correlation matrix that rounding explains, over the number of points."""


@dataclass(frozen=True)
class Covariance(NormalValues):
    """Values at points with their covariance.

    Attributes
    ----------
    query : Query
        The points.
    mean : (point,) array
        Means, in `unit`.
    covariance : (point, point) array
        In the unit squared.
    unit : Unit
        Of the values.
    parts : mapping of {str : (point, point) array}
        What the covariance is the sum of.
    draws : (draw, point) array or None
        Draws of the values.
    objects : tuple of str
        What each value is of; empty for one object. A FITS file holds ASCII alone: there they are
        written as `mirical.text.ascii_name` does.
    """

    query: Query
    mean: Floats
    covariance: Floats
    unit: u.UnitBase
    parts: Mapping[str, Floats] = field(default_factory=dict)
    draws: Floats | None = None
    objects: tuple[str, ...] = ()

    @property
    def std(self) -> Floats:
        """Standard deviations, (point,)."""
        return np.sqrt(np.diag(self.covariance))

    @property
    def relative(self) -> Covariance:
        """The same without the parts of flux scale and types of star: for relative work.

        Draws, which hold them, are left out.
        """
        parts = {name: part for name, part in self.parts.items() if name not in ABSOLUTE}
        if len(parts) == len(self.parts):
            return self
        return replace(
            self, covariance=np.sum(list(parts.values()), axis=0), parts=parts, draws=None
        )


def refuse_impossible(made: Covariance, where: str) -> None:
    """Raise for the first thing that values with a covariance cannot be.

    Raises
    ------
    InputError
        If shapes do not fit, numbers are not finite, or a matrix is no covariance.
    """
    for fault in _faults(made):
        raise InputError(f"{where}: {fault}; the file was damaged or edited: make it again.")


def _faults(made: Covariance) -> Iterator[str]:
    points = len(made.query)
    for name, values in (("value", made.mean), ("name", np.asarray(made.objects or made.mean))):
        if values.shape != (points,):
            yield f"column {name!r} has shape {values.shape}, expected ({points},)"
    if not np.all(np.isfinite(made.mean)):
        row = int(np.flatnonzero(~np.isfinite(made.mean))[0])
        yield f"POINTS row {row + 1}: value is {made.mean[row]:g}, no number"
    named = {"COVARIANCE": made.covariance}
    named |= {f"COV_{name.upper()}": part for name, part in made.parts.items()}
    for name, matrix in named.items():
        yield from _matrix_faults(name, matrix, points)
    if made.parts:
        total = np.sum(list(made.parts.values()), axis=0)
        if np.any(np.abs(_over(total - made.covariance, made.std)) > _SYMMETRIC):
            yield f"{', '.join(named)}: the parts do not add up to COVARIANCE"
    draws = made.draws
    if draws is None:
        return
    if draws.ndim != 2 or draws.shape[1] != points or not len(draws):
        yield f"DRAWS has shape {draws.shape}, expected (draw, {points})"
    elif not np.all(np.isfinite(draws)):
        yield "DRAWS has entries that are no numbers"


def _matrix_faults(name: str, matrix: Floats, points: int) -> Iterator[str]:
    if matrix.shape != (points, points):
        yield f"{name} has shape {matrix.shape}, expected ({points}, {points}), as POINTS has rows"
        return
    if not np.all(np.isfinite(matrix)):
        i, k = np.argwhere(~np.isfinite(matrix))[0] + 1
        yield f"{name} is {matrix[i - 1, k - 1]:g} at points {i} and {k}, no number"
        return
    variance = np.diag(matrix)
    if np.any(variance < 0):
        row = int(np.argmin(variance))
        yield f"{name} has the variance {variance[row]:g} at point {row + 1}, expected none below 0"
        return
    std = np.sqrt(variance)
    apart = np.abs(_over(matrix - matrix.T, std))
    if np.any(apart > _SYMMETRIC):
        i, k = sorted(np.unravel_index(int(apart.argmax()), apart.shape))
        yield f"{name} is not symmetric at points {i + 1} and {k + 1}"
        return
    if np.any(matrix[std == 0] != 0):
        yield f"{name} has covariances at a point whose variance is 0"
    elif np.linalg.eigvalsh(_over(matrix, std))[0] < _NEGATIVE * points:
        yield f"{name} is no covariance: some combination of points has a negative variance"


def _over(matrix: Floats, std: Floats) -> Floats:
    """Return a matrix over the product of its points' standard deviations; as it is where 0."""
    scale = np.where(std > 0, std, 1.0)
    return matrix / scale / scale[:, None]
