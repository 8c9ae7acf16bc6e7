"""The rows as one Gaussian given a draw, and what it says of rows, groups and directions.

The rows are y ~ N(m, V), one matrix of rows by rows. A program's few hundred rows make it cheap,
and everything that asks what a change of the model would do has a closed form in it: with
r = y - m,

    a = V^-1 r          effect of direction x:  x'a / x'V^-1 x +/- (x'V^-1 x)^-1/2
    row or group g given all others:  mean y_g - K^-1 a_g, covariance K^-1, K = [V^-1]_gg
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve, solve_triangular

Floats = NDArray[np.float64]

FREE = 10.0
"""Standard deviation of ln flux of a free star here, in place of a flat prior.

V has to be a matrix. What the rows say of a flux is a million times more, and the difference from
the limit of a flat prior is as small; more would cost the digits of V^-1.
"""


@dataclass(frozen=True)
class Gaussian:
    """The rows of a design given one draw.

    Attributes
    ----------
    residual : (row,) array
        r = y - m, the response loss taken out of ln C.
    covariance : (row, row) array
        V.
    log_a : (band, row) array
        Covariance of ln A of each band with the rows.
    log_a_mean : (band,) array
        Prior mean of ln A.
    freed_residual, freed_covariance : (row,) and (row, row) arrays
        r and V once what is private to a band in loss and tau is integrated out too, to first
        order: a fault of one band may have bent these.
    shared_law : (row, column) array
        Effects on ln C of what bands share in loss and tau, to first order: one standard deviation
        of each independent part.
    own : (row, row) array
        The part of V that a star has to itself in colour: same star, else zero.
    sigma : (row,) array
        Standard deviation of rows that are no outliers.
    outlier : (row,) array
        One for an outlier in this draw.
    outlier_fraction, outlier_width : float
        Zero where the card has no such rows.
    colour_precision : (star,) array
        Of the stars' colours.
    repeatability_median, repeatability_spread, repeatability_limit : float
        What the bands say of each other's repeatability: its median, spread of its logarithm,
        and what it stays below.
    """

    residual: Floats
    covariance: Floats
    log_a: Floats
    log_a_mean: Floats
    freed_residual: Floats
    freed_covariance: Floats
    shared_law: Floats
    own: Floats
    sigma: Floats
    outlier: Floats
    outlier_fraction: float
    outlier_width: float
    colour_precision: Floats
    repeatability_median: float
    repeatability_spread: float
    repeatability_limit: float

    @cached_property
    def root(self) -> Floats:
        """Lower Cholesky factor of V."""
        return np.asarray(np.linalg.cholesky(self.covariance), dtype=float)

    @cached_property
    def weighted_residual(self) -> Floats:
        """V^-1 r."""
        return np.asarray(cho_solve((self.root, True), self.residual), dtype=float)

    @cached_property
    def precision(self) -> Floats:
        """V^-1."""
        return cho_solve((self.root, True), np.eye(len(self.residual)))

    def whiten(self, directions: Floats) -> Floats:
        """Return L^-1 x of each column x, V = L L'."""
        return solve_triangular(self.root, directions, lower=True)

    @property
    def log_density(self) -> float:
        """Log density of the rows."""
        n = len(self.residual)
        square = float(self.residual @ self.weighted_residual)
        return -0.5 * (square + n * np.log(2 * np.pi)) - float(np.log(np.diag(self.root)).sum())

    def given_others(self, group: NDArray[np.intp]) -> tuple[Floats, Floats]:
        """Return residuals of a group of rows about what all others say, and their covariance."""
        covariance = np.asarray(np.linalg.inv(self.precision[np.ix_(group, group)]), dtype=float)
        return covariance @ self.weighted_residual[group], covariance

    def given_rows(self, known: NDArray[np.bool_]) -> tuple[Floats, Floats]:
        """Return residuals of all other rows about what some say, and their covariance.

        It has what these rows share with any, and not the scatter of each by itself.
        """
        shared = self.covariance - np.diag(self.sigma**2 + self.outlier * self.outlier_width**2)
        across = shared[np.ix_(~known, known)]
        root = cho_factor(self.covariance[np.ix_(known, known)], lower=True)
        off = self.residual[~known] - across @ cho_solve(root, self.residual[known])
        return off, shared[np.ix_(~known, ~known)] - across @ cho_solve(root, across.T)

    def log_a_posterior(self) -> tuple[Floats, Floats]:
        """Return mean and covariance of ln A of the bands given the rows."""
        white = self.whiten(self.log_a.T)
        mean = self.log_a_mean + self.log_a @ self.weighted_residual
        spread = float(self.log_a.max())
        return mean, spread * np.eye(len(mean)) - white.T @ white

    def log_a_without(self, group: NDArray[np.intp]) -> Floats:
        """Return the mean of ln A of the bands given all rows but a group.

        The group's rows are placed at their mean conditional on the others: there they carry no
        information.
        """
        off = self.given_others(group)[0]
        by_rows = self.log_a @ self.weighted_residual - self._log_a_gain[:, group] @ off
        return self.log_a_mean + by_rows

    @cached_property
    def _log_a_gain(self) -> Floats:
        """Change of the mean of ln A of the bands with each row, (band, row)."""
        return self.log_a @ self.precision
