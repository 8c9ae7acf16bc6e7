"""Shiryaev-Roberts statistic of a stream of rows, mixed over kinds, sizes and dates of a change.

With l(n; c, s) the likelihood ratio of all rows up to epoch n, for a change of kind c since the
date s against no change,

    R_n = sum_c w_c sum_s a_s l(n; c, s),

w_c being the prior share of the kind and a_s the time, in years, in which a change counted from s
on may have begun (no more than a third of a year: `mirical.monitoring.changes.GAPS`). If nothing
changed, every ratio has mean one, and R_n less the sum of the a_s, which is no more than the years
since the fit, is a martingale: by optional stopping, the mean time until R first reaches a level A
is A years or more. A level for a stated rate of false alarms is found by simulation
(`mirical.monitoring.alarm_level`) and is lower.

The size of a change is learnt as rows come. Before any row it is d ~ N(0, t^2), and l is the mean
over a few t. If the rows so far leave it N(m, v), the next innovation x, to which a change of unit
size adds g, has the density

    (1 - f) N(x; g m, 1 + g^2 v) + f N(x; g m, kappa^2 + g^2 v)

with a share f of outliers, and l is the product of its ratios to the density without a change.
After it d is a mixture of two normals, of which mean and variance are kept. Without outliers l is
exact; with them it is nearly so, and its mean without a change is one all the same, because each
factor is the ratio of two densities given the rows before.

What the run expects may differ between groups of its draws (`mirical.monitoring.forecast`). R then
is the mean of the groups' own, each weighed by the density that its rows so far have without a
change: the ratio of the mixtures of all groups, of mean one again.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax

from mirical.monitoring.changes import SCATTER, Change, Watched, changes
from mirical.monitoring.innovations import Expected, Innovations, innovations, log_density

Floats = NDArray[np.float64]
Array = NDArray[np.floating]

_BLOCK = 64  # streams looked at together: what fits into a processor's cache
_HIGHEST = 60.0  # of the logarithm of a ratio: far above any level, and no overflow of its sum


class SequentialTest:
    """The statistic of streams of the same rows.

    Parameters
    ----------
    watched : Watched
        The rows.
    groups : sequence of (float, Expected)
        Shares of groups of draws, and what each expects of them.
    """

    def __init__(self, watched: Watched, groups: Sequence[tuple[float, Expected]]) -> None:
        self._watched = watched
        self._shares = np.array([share for share, _ in groups])
        self._groups = [one for _, one in groups]
        self._changes = [changes(watched, one) for one in self._groups]

    def parts(self, rows: Floats) -> Floats:
        """Return the part of each kind of change in R at every epoch, (change, epoch, stream).

        Parameters
        ----------
        rows : (row, stream) array
            ln C.
        """
        each = [innovations(rows, one) for one in self._groups]
        tested = np.logical_and.reduce([one.tested for one in each])
        n_epochs = len(self._watched.ends)
        last = np.searchsorted(self._watched.epoch, np.arange(n_epochs), side="right") - 1
        parts, density = [], []
        for found, of, expected in zip(each, self._changes, self._groups, strict=True):
            parts.append(shiryaev_roberts(replace(found, tested=tested), of, expected, n_epochs))
            density.append(np.cumsum(tested * _without(found, expected), axis=0)[last])
        prior = np.log(self._shares)[:, None, None]
        weight = softmax(prior + np.array(density), axis=0)
        return np.sum(weight[:, None] * np.array(parts), axis=0)


def _without(found: Innovations, expected: Expected) -> Floats:
    """Return the log density of rows without a change, but for a constant, (row, stream)."""
    density = log_density(found.value, expected.kappa[:, None], expected.outlier_fraction)
    errors = found.unit * np.diag(expected.root)[:, None]
    return np.asarray(density - np.log(errors), dtype=float)


@dataclass
class Learnt:
    """What the rows so far say of a kind of change, of each start that has begun.

    Attributes
    ----------
    log_ratio : (start, scale, stream) array
        ln l for each scale of the size.
    mean, variance : (start, scale, stream) arrays
        Of the size; of a scatter, whose sizes are tried, the sizes and zero.
    """

    log_ratio: Array
    mean: Array
    variance: Array


def shiryaev_roberts(
    found: Innovations, of: Sequence[Change], expected: Expected, n_epochs: int
) -> Floats:
    """Return the part of each kind of change in R at every epoch, (change, epoch, stream).

    Parameters
    ----------
    found : Innovations
        Of the streams.
    of : sequence of Change
        Kinds, with their dates, of these rows.
    expected : Expected
        What the run expects of the rows.
    n_epochs : int
        How many epochs the rows have.
    """
    n_streams = found.value.shape[1]
    parts = np.zeros((len(of), n_epochs, n_streams))
    for first in range(0, n_streams, _BLOCK):
        streams = slice(first, first + _BLOCK)
        value = found.value[:, streams].astype(np.float32)
        unit = found.unit[:, streams].astype(np.float32)
        for i, change in enumerate(of):
            years = np.array([start.years for start in change.starts])
            told = learn(change, value, unit, found.tested[:, streams], expected, n_epochs)
            for epoch, learnt in enumerate(told):
                ratio = np.exp(np.minimum(learnt.log_ratio, _HIGHEST)).mean(axis=1)
                parts[i, epoch, streams] = change.share * (years[: len(ratio)] @ ratio)
    return parts


def learn(
    change: Change,
    value: Array,
    unit: Array,
    tested: NDArray[np.bool_],
    expected: Expected,
    n_epochs: int,
) -> Iterator[Learnt]:
    """Yield what the rows up to each epoch say of a kind of change; of starts that have begun.

    Parameters
    ----------
    change : Change
        The kind.
    value, unit : (row, stream) arrays
        Innovations and their units, of all rows; in their precision the ratios are found.
    tested : (row, stream) bool array
        Rows that tell of a change.
    expected : Expected
        What the run expects of the rows.
    n_epochs : int
        How many epochs the rows have.
    """
    kind, fraction = value.dtype, expected.outlier_fraction
    kappa = expected.kappa[change.rows].astype(kind)
    x, s, told = value[change.rows], unit[change.rows], tested[change.rows]
    without = log_density(x, kappa[:, None], fraction)
    loading = _loadings(change).astype(kind)
    begins = np.array([start.epoch for start in change.starts])
    ends = np.searchsorted(change.epoch, np.arange(n_epochs), side="right")
    scales = change.scales.astype(kind)[:, None]
    shape = (len(begins), len(scales), x.shape[1])
    ratio = np.zeros(shape, dtype=kind)
    mean, variance = np.zeros(shape, dtype=kind), np.broadcast_to(scales**2, shape).copy()
    if change.shape == SCATTER:
        mean[:], variance[:] = scales, 0
    done = 0
    for epoch in range(n_epochs):
        begun = int(np.searchsorted(begins, epoch, side="right"))
        so_far = Learnt(ratio[:begun], mean[:begun], variance[:begun])
        for i in range(done, ends[epoch]):
            if change.shape == SCATTER:
                wider = _wider(x[i], kappa[i], fraction, scales)
                density = np.where(told[i], wider, without[i])
            else:
                g = loading[i, :begun, None, None] * (told[i] / s[i])
                density = _learn_row(so_far, x[i], g, kappa[i], fraction)
            so_far.log_ratio += density - without[i]
        done = ends[epoch]
        yield so_far


def _loadings(change: Change) -> Floats:
    """Return what a change of unit size adds to each of its rows, (row, start)."""
    found = np.zeros((len(change.rows), len(change.starts)))
    for column, start in enumerate(change.starts):
        found[start.first :, column] = start.loading
    return found


def _wider(x: Array, kappa: np.floating, fraction: float, factors: Array) -> Array:
    """Return the log density of an innovation if sound rows scatter more; outliers do not."""
    return log_density(x / factors, np.maximum(kappa / factors, 1), fraction) - np.log(factors)


def _learn_row(sizes: Learnt, x: Array, g: Array, kappa: np.floating, fraction: float) -> Array:
    """Take in one row: change mean and variance of the sizes, return its log density."""
    gain = g * sizes.variance
    spread = g * gain
    off = x - g * sizes.mean
    sound = 1 + spread
    narrow = -0.5 * (np.log(sound) + off**2 / sound)
    if not fraction:
        sizes.mean += off * gain / sound
        sizes.variance -= gain**2 / sound
        return narrow
    wide = kappa**2 + spread
    log_odds = narrow + 0.5 * (np.log(wide) + off**2 / wide) + np.log((1 - fraction) / fraction)
    odds = np.exp(log_odds)
    share = 1 / (1 + odds)  # that it is an outlier
    by_sound, by_wide = gain / sound, gain / wide
    kept = by_sound + share * (by_wide - by_sound)
    apart = off * (by_wide - by_sound)
    sizes.mean += off * kept
    sizes.variance += share * (1 - share) * apart**2 - kept * gain
    return narrow - log_odds + np.log1p(odds) + np.log1p(-fraction)
