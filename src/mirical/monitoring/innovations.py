"""Innovations of watched rows: each row less what the run and all earlier rows say of it.

In order of time, the rows are y ~ N(m, V) under no change, V = L L' (rows of one time stand in the
order of their table). Innovations are

    r_i = (y_i - m_i - sum_j<i L_ij u_j) / L_ii,

independent and standard normal if u = r. But a row may be an outlier, of variance 1 + w^2/L_ii^2
in these units, written kappa^2: given r_i, it is one with probability q_i, and what following rows
learn of it is

    u_i = r_i [(1 - q_i) + q_i / kappa_i^2],

so that a deviant row does not spoil what is said of the rows after it. L itself stays as it is:
outliers are rare. Rows of a star whose level the run hardly knows are not tested, and do not count
below, before there is one (`mirical.monitoring.levels`); nor are rows whose own error is wider than
an outlier, which nothing tells from one.

How far rows scatter is known from the run to some error, and the rows themselves tell more of it:
with nu degrees of freedom in a band before any row, the innovations are measured in units of

    s_i^2 = (nu + sum_j<i r_j u_j) / (nu + number of j),    j tested, in the band of row i.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from mirical.monitoring.levels import Levels

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
    cell : (row,) int array
        Star, band and readout of each row, as one number: what shares a level.
    own : (row,) array
        Scatter of a sound row about that level.
    freedom : (band,) array
        Degrees of freedom with which the scatter in each band is known from the run.
    """

    mean: Floats
    root: Floats
    kappa: Floats
    outlier_fraction: float
    band: NDArray[np.integer]
    cell: NDArray[np.integer]
    own: Floats
    freedom: Floats

    def __len__(self) -> int:
        return len(self.mean)

    def first(self, rows: int) -> Expected:
        """Return what is expected of the first rows."""
        cut = {
            name: getattr(self, name)[:rows] for name in ("mean", "kappa", "band", "cell", "own")
        }
        return replace(self, **cut, root=self.root[:rows, :rows])


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
    tested : (row, stream) bool array
        Whether the row tells of a change: the level of its cell was known before it.
    """

    value: Floats
    unit: Floats
    outlier: Floats
    tested: NDArray[np.bool_]

    def first(self, rows: int) -> Innovations:
        """Return those of the first rows."""
        return self._each(lambda one: one[:rows])

    def streams(self, some: slice) -> Innovations:
        """Return those of some of the streams."""
        return self._each(lambda one: one[:, some])

    def _each(self, part: Callable[[NDArray], NDArray]) -> Innovations:
        return Innovations(*map(part, (self.value, self.unit, self.outlier, self.tested)))


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
    tested = np.empty(off.shape, dtype=bool)
    width = np.diag(root) * np.sqrt(kappa**2 - 1)
    clear = (expected.own < width) | (fraction == 0)
    levels = Levels(off, expected.cell, expected.own, root, width, fraction)
    squares = np.repeat(expected.freedom[:, None], off.shape[1], axis=1)
    count = squares.copy()
    for i, band in enumerate(expected.band):
        tested[i] = levels.known(i) & clear[i]
        unit[i] = np.sqrt(squares[band] / count[band])
        plain = (off[i] - root[i, :i] @ learnt[:i]) / root[i, i]
        value[i] = plain / unit[i]
        outlier[i] = outlier_probability(value[i], kappa[i], fraction)
        learnt[i] = plain * (1 - outlier[i] * (1 - 1 / kappa[i] ** 2))
        squares[band] += tested[i] * plain * learnt[i]
        count[band] += tested[i]
        levels.take(i, learnt)
    return Innovations(value, unit, outlier, tested)
