"""Innovations of watched rows: each row less what the run and all earlier rows say of it.

In order of time, the rows are y ~ N(m, V) under no change, V = L L' (rows of one time stand in the
order of their table). Innovations are

    r_i = (y_i - m_i - sum_j<i L_ij u_j) / L_ii,

independent and standard normal if u = r. But a row may be an outlier, of variance 1 + w^2/L_ii^2
in these units, written kappa^2: given r_i, it is one with probability q_i, and what following rows
learn of it is

    u_i = r_i [(1 - q_i) + q_i / kappa_i^2],

so that a deviant row does not spoil what is said of the rows after it. L itself stays as it is:
outliers are rare.

How far rows scatter is known from the run to some error, and the rows themselves tell more of it:
with nu degrees of freedom in a band before any row, the innovations are measured in units of

    s_i^2 = (nu + sum_j<i r_j u_j) / (nu + number of j),    j in the band of row i.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Array = NDArray[np.floating]


@dataclass(frozen=True)
class Expected:
    """What the run expects of rows in order of time, if nothing changed.

    Attributes
    ----------
    mean : (row,) array
        ln C.
    root : (row, row) array
        L, the lower Cholesky factor of the covariance of sound rows.
    kappa : (row,) array
        Standard deviation of the innovation of an outlier, at least 1.
    outlier_fraction : float
        Share of rows that are outliers.
    band : (row,) int array
        Index of each row's band.
    freedom : (band,) array
        Degrees of freedom with which the scatter in each band is known from the run.
    """

    mean: Floats
    root: Floats
    kappa: Floats
    outlier_fraction: float
    band: NDArray[np.integer]
    freedom: Floats

    def __len__(self) -> int:
        return len(self.mean)

    def first(self, rows: int) -> Expected:
        """Return what is expected of the first rows."""
        return Expected(
            self.mean[:rows],
            self.root[:rows, :rows],
            self.kappa[:rows],
            self.outlier_fraction,
            self.band[:rows],
            self.freedom,
        )


@dataclass(frozen=True)
class Innovations:
    """Innovations of one or more streams of the same rows.

    Attributes
    ----------
    value : (row, stream) array
        r / s.
    unit : (row, stream) array
        s.
    outlier : (row, stream) array
        Probability that each row is an outlier, if nothing changed.
    """

    value: Floats
    unit: Floats
    outlier: Floats

    def first(self, rows: int) -> Innovations:
        """Return those of the first rows."""
        return Innovations(self.value[:rows], self.unit[:rows], self.outlier[:rows])

    def streams(self, some: slice) -> Innovations:
        """Return those of some of the streams."""
        return Innovations(self.value[:, some], self.unit[:, some], self.outlier[:, some])


def log_density(x: Array, kappa: Array, fraction: float) -> Array:
    """Return the log density of innovations but for a constant: sound ones, or outliers.

    Parameters
    ----------
    x, kappa : arrays
        Innovations, and their standard deviation in outliers; shapes that broadcast.
    fraction : float
        Share of outliers.
    """
    half = 0.5 * np.square(x)
    if not fraction:
        return -half
    wide = np.square(1 / kappa)
    # The wide part is taken out, so that nothing underflows far from zero.
    narrow = (1 - fraction) * np.exp(-half * (1 - wide))
    return np.log(narrow + fraction / kappa) - half * wide


def outlier_probability(x: Array, kappa: Array, fraction: float) -> Array:
    """Return the probability that innovations are of outliers; arguments as `log_density`."""
    if not fraction:
        return np.zeros_like(x)
    narrow = (1 - fraction) * np.exp(-0.5 * np.square(x) * (1 - np.square(1 / kappa)))
    return (fraction / kappa) / (narrow + fraction / kappa)


def innovations(rows: Floats, expected: Expected) -> Innovations:
    """Return the innovations of streams of rows.

    Parameters
    ----------
    rows : (row, stream) array
        ln C in order of time.
    expected : Expected
        Of these rows.
    """
    off = rows - expected.mean[:, None]
    root, kappa, fraction = expected.root, expected.kappa, expected.outlier_fraction
    value, learnt, unit, outlier = (np.zeros_like(off) for _ in range(4))
    freedom = expected.freedom[:, None]
    squares = np.repeat(freedom, off.shape[1], axis=1)
    count = expected.freedom.copy()
    for i, band in enumerate(expected.band):
        unit[i] = np.sqrt(squares[band] / count[band])
        plain = (off[i] - root[i, :i] @ learnt[:i]) / root[i, i]
        value[i] = plain / unit[i]
        outlier[i] = outlier_probability(value[i], kappa[i], fraction)
        learnt[i] = plain * (1 - outlier[i] * (1 - 1 / kappa[i] ** 2))
        squares[band] += plain * learnt[i]
        count[band] += 1
    return Innovations(value, unit, outlier)
