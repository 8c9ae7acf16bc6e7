"""Values with normal errors and a covariance, compared with a model: chi2 and log density."""

from __future__ import annotations

from typing import Any

import numpy as np
from astropy import units as u
from numpy.typing import ArrayLike, NDArray

from mirical.errors import InputError

Floats = NDArray[np.float64]

_SINGULAR = 1e-12
"""Least eigenvalue over the largest, of a correlation matrix, that leaves a density its digits."""


class NormalValues:
    """Values at points whose errors are normal; to be inherited from.

    Attributes
    ----------
    mean : (point,) array
        Means, in `unit`.
    covariance : (point, point) array
        In the unit squared.
    unit : Unit
        Of the values.
    """

    mean: Any
    covariance: Any
    unit: Any

    def chi2(self, model: ArrayLike) -> float:
        """Return (values - model)' covariance^-1 (values - model).

        Points at which the model is masked are left out.

        Parameters
        ----------
        model : (point,) array, Quantity, or masked array of either
            As of `log_likelihood`.

        Raises
        ------
        InputError
            As `log_likelihood`.
        """
        return self._square_and_volume(model)[0]

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
        square, log_volume, points = self._square_and_volume(model)
        return float(-0.5 * (square + log_volume + points * np.log(2 * np.pi)))

    def _square_and_volume(self, model: ArrayLike) -> tuple[float, float, int]:
        """Return chi2, the logarithm of the covariance's determinant, and how many points."""
        expected, used = self._model(model)
        off = (self.mean - expected)[used]
        covariance = self.covariance[np.ix_(used, used)]
        std = np.sqrt(np.diag(covariance))
        # Of the correlation matrix, whose eigenvalues know no unit.
        scale = np.where(std > 0, std, 1.0)
        correlation, scaled = covariance / scale / scale[:, None], off / scale
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
        return float(square), float(log_volume), len(off)

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
        if given.shape != self.mean.shape:
            raise InputError(
                f"log_likelihood: the model has shape {given.shape}; expected one number a point, "
                f"{self.mean.shape}, in the order of the file."
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
