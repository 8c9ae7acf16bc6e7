"""Shiryaev-Roberts statistic of a stream of rows, mixed over kinds, sizes and dates of a change.

With l(n; c, s, d) the likelihood ratio of all rows up to epoch n, for a change of kind c and size d
since the date s against no change,

    R_n = sum_c w_c sum_s a_s mean_d l(n; c, s, d),

w_c being the prior share of the kind and a_s the time, in years, in which a change counted from s
on may have begun. If nothing changed, every ratio has mean one, and R_n less the years since the
fit is a martingale: by optional stopping, the mean time until R first reaches a level A is A
years or more. A level for a stated rate of false alarms is found by simulation
(`mirical.monitoring.alarm_level`) and is lower.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from mirical.monitoring.changes import SCATTER, Change, Start
from mirical.monitoring.innovations import Expected, Innovations, log_density

Floats = NDArray[np.float64]

_BLOCK = 64  # streams looked at together: what fits into a processor's cache
_HIGHEST = 60.0  # of the logarithm of a ratio: far above any level, and no overflow of its sum


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
            part = parts[i, :, streams]
            for start, ratios in log_ratios(change, value, unit, expected, n_epochs):
                mean = np.exp(np.minimum(ratios, _HIGHEST)).mean(axis=1)
                part[start.epoch :] += change.share * start.years * mean
    return parts


def log_ratios(
    change: Change,
    value: NDArray[np.floating],
    unit: NDArray[np.floating],
    expected: Expected,
    n_epochs: int,
    sizes: Floats | None = None,
) -> Iterator[tuple[Start, NDArray[np.floating]]]:
    """Yield each start with ln l at the ends of epochs, (epoch from the start on, size, stream).

    Parameters
    ----------
    change : Change
        The kind.
    value, unit : (row, stream) arrays
        Innovations and their units, of all rows; in their precision the ratios are found.
    expected : Expected
        What the run expects of the rows.
    n_epochs : int
        How many epochs the rows have.
    sizes : (size,) array, optional
        Sizes in place of those of the change.
    """
    kind = value.dtype
    fraction = expected.outlier_fraction
    kappa = expected.kappa[change.rows].astype(kind)[:, None]
    x, s = value[change.rows], unit[change.rows]
    without = log_density(x, kappa, fraction)
    tried = (change.sizes if sizes is None else sizes).astype(kind)[:, None]
    for start in change.starts:
        at = slice(start.first, None)
        here, wide = x[at, None], kappa[at, None]
        if change.shape == SCATTER:
            # Sound rows alone scatter more; an outlier is wide as it is.
            wider = here / tried
            ratio = log_density(wider, np.maximum(wide / tried, 1), fraction) - np.log(tried)
        else:
            loading = (start.loading[:, None].astype(kind) / s[at])[:, None]
            ratio = log_density(here - tried * loading, wide, fraction)
        ratio -= without[at, None]
        # Sums over the rows up to each epoch, of which a matrix product is the fastest.
        up_to = change.epoch[at] <= np.arange(start.epoch, n_epochs)[:, None]
        sums = up_to.astype(kind) @ ratio.reshape(len(ratio), ratio.shape[1] * ratio.shape[2])
        yield start, sums.reshape(-1, *ratio.shape[1:])
