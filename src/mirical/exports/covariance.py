"""Values with a covariance: validation and normal likelihood."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from astropy import units as u
from numpy.typing import ArrayLike, NDArray

from mirical.calibration.calibration import ABSOLUTE
from mirical.calibration.factors import Query
from mirical.errors import InputError

Floats = NDArray[np.float64]

_SYMMETRIC = 1e-9
"""Differences of entries over the diagonal's geometric mean that rounding explains."""
_NEGATIVE = -1e-8
"""Least eigenvalue of a correlation matrix that rounding explains, over the number of points."""
_SINGULAR = 1e-12
"""Least eigenvalue over the largest, of a correlation matrix, that leaves a density its digits."""


@dataclass(frozen=True)
class Covariance:
    """Values at points with their covariance.

    Attributes
    ----------
    query : Query
        The points.
    value : (point,) array
        Mean.
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
    value: Floats
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

    def log_likelihood(self, model: ArrayLike) -> float:
        """Return the normal log density of the values given what a model says of them.

        Points at which the model is masked are left out: the density is that of the others,
        whatever the values there are.

        Parameters
        ----------
        model : (point,) array, Quantity, or masked array of either
            In the same order. A Quantity, or a column with a unit, is converted; bare numbers are
            in `unit`. The density is that of the values in `unit`.

        Raises
        ------
        InputError
            If the model has another shape or unit, is nowhere given, or is not finite where it is
            not masked; or if the covariance of the points is singular, so that there is no
            density: then mask points that repeat others.
        """
        expected, used = self._model(model)
        off = (self.value - expected)[used]
        covariance = self.covariance[np.ix_(used, used)]
        std = np.sqrt(np.diag(covariance))
        # Of the correlation matrix, whose eigenvalues know no unit.
        correlation, scaled = _over(covariance, std), off / np.where(std > 0, std, 1.0)
        spread = np.linalg.eigvalsh(correlation)
        if not (np.all(std > 0) and spread[0] > _SINGULAR * spread[-1]):
            raise InputError(
                "log_likelihood: the covariance of these points is singular (some follow from "
                "others, as the same band at many epochs), so the values have no density; mask "
                "points in the model until it is not."
            )
        from scipy.linalg import cho_solve  # not at the top: writing a covariance does without

        root = np.linalg.cholesky(correlation)
        log_volume = 2 * np.sum(np.log(np.diag(root)) + np.log(std))
        square = scaled @ cho_solve((root, True), scaled)
        return float(-0.5 * (square + log_volume + len(off) * np.log(2 * np.pi)))

    def _model(self, model: ArrayLike) -> tuple[Floats, NDArray[np.bool_]]:
        """Return a model's numbers in `unit`, zero where masked, and where it is not masked."""
        mask = np.asarray(getattr(model, "mask", False))
        plain = getattr(model, "unmasked", getattr(model, "data", model) if mask.ndim else model)
        unit = getattr(model, "unit", None)
        if unit is not None:
            try:
                plain = u.Quantity(plain, unit).to(self.unit)
            except u.UnitConversionError as error:
                raise InputError(
                    f"log_likelihood: the model is in {unit or 'no unit'}; expected "
                    f"{self.unit or 'no unit'}, or what converts to it."
                ) from error
        given = np.array(plain, dtype=float)
        if given.shape != self.value.shape:
            raise InputError(
                f"log_likelihood: the model has shape {given.shape}; expected one number a point, "
                f"{self.value.shape}, in the order of the file."
            )
        used = ~np.broadcast_to(mask, given.shape)
        if not np.any(used):
            raise InputError("log_likelihood: the model is masked at every point; unmask some.")
        bad = np.flatnonzero(used & ~np.isfinite(given))
        if len(bad):
            raise InputError(
                f"log_likelihood: the model is {given[bad[0]]:g} at point {bad[0] + 1}; expected a "
                "number, or a masked entry where there is none."
            )
        return np.where(used, given, 0.0), used


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
    for name, values in (("value", made.value), ("name", np.asarray(made.objects or made.value))):
        if values.shape != (points,):
            yield f"column {name!r} has shape {values.shape}, expected ({points},)"
    if not np.all(np.isfinite(made.value)):
        row = int(np.flatnonzero(~np.isfinite(made.value))[0])
        yield f"POINTS row {row + 1}: value is {made.value[row]:g}, no number"
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
