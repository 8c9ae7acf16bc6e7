"""Alarm level of the statistic for a stated rate of false alarms, from streams without a change.

The rate is that of first alarms: alarms over the years watched until the first one or the end of
the stream. Statistics of one run are no independent studies, but the streams are drawn from its
posterior: the rate holds on average over what the run holds possible.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

FEWEST_ALARMS = 10
"""Alarms that the streams must be expected to have: fewer tell no rate."""

_HALVINGS = 60


@dataclass(frozen=True)
class AlarmLevel:
    """A level and how often streams without a change reach it.

    Attributes
    ----------
    level : float
        Of the statistic, in years.
    asked : float
        False alarms a year that were asked for.
    rate, rate_error : float
        Those of the streams, and the error by their number.
    alarms, streams : int
        Streams that reach the level, of how many.
    years : float
        Watched in all until the first alarm of each.
    """

    level: float
    asked: float
    rate: float
    rate_error: float
    alarms: int
    streams: int
    years: float


def first_alarms(statistic: Floats, level: float) -> NDArray[np.intp]:
    """Return the epoch at which each stream first reaches a level, -1 for never.

    Parameters
    ----------
    statistic : (epoch, stream) array
        Of the streams.
    level : float
        The level.
    """
    reached = statistic >= level
    return np.where(reached.any(axis=0), reached.argmax(axis=0), -1)


def rate_at(statistic: Floats, years: Floats, level: float, asked: float = np.nan) -> AlarmLevel:
    """Return how often streams without a change reach a level.

    Parameters
    ----------
    statistic : (epoch, stream) array
        Of the streams.
    years : (epoch,) array
        Years from the end of the run to each epoch.
    level : float
        The level.
    asked : float, optional
        False alarms a year that were asked for.
    """
    first = first_alarms(statistic, level)
    watched = float(np.where(first >= 0, years[first], years[-1]).sum())
    alarms = int(np.sum(first >= 0))
    error = max(alarms, 1) ** 0.5 / watched
    return AlarmLevel(level, asked, alarms / watched, error, alarms, len(first), watched)


def alarm_level(statistic: Floats, years: Floats, asked: float) -> AlarmLevel:
    """Return the lowest level whose rate of false alarms is not above the one asked for.

    Parameters
    ----------
    statistic, years : arrays
        As `rate_at` has them.
    asked : float
        False alarms a year.
    """
    low, high = np.log(statistic.min()), np.log(statistic.max()) + 1e-6
    if rate_at(statistic, years, np.exp(low)).rate <= asked:
        return rate_at(statistic, years, float(np.exp(low)), asked)
    for _ in range(_HALVINGS):
        middle = 0.5 * (low + high)
        above = rate_at(statistic, years, np.exp(middle)).rate > asked
        low, high = (middle, high) if above else (low, middle)
    return rate_at(statistic, years, float(np.exp(high)), asked)
