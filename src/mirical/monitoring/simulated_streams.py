"""Simulated streams of rows at the expected cadence: false alarms, and delays of detection."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mirical.monitoring.alarm_level import first_alarms
from mirical.monitoring.changes import SLOPE, STEP, YEAR, Watched
from mirical.monitoring.forecast import Forecast
from mirical.monitoring.statistic import SequentialTest

Floats = NDArray[np.float64]

PLANTED = ((STEP, 0.005), (STEP, 0.01), (STEP, 0.02), (SLOPE, 0.003))
"""Changes whose delays are told: shape, and change of ln C (a year)."""

LEAD, SPREAD, SEEN = 1.0, 0.25, 3.0
"""Years from the fit to a planted change, over which its date is spread, and at most watched after
it: streams of many rows are shorter."""

_TOGETHER = 64  # streams between reports


def statistics(rows: Floats, test: SequentialTest, advance: Callable[[int], None]) -> Floats:
    """Return the statistic R of streams at every epoch, (epoch, stream).

    Parameters
    ----------
    rows : (row, stream) array
        ln C.
    test : SequentialTest
        Of these rows.
    advance : callable
        Told of so many more streams done.
    """
    pieces = []
    for first in range(0, rows.shape[1], _TOGETHER):
        pieces.append(test.parts(rows[:, first : first + _TOGETHER]).sum(axis=0))
        advance(pieces[-1].shape[1])
    return np.concatenate(pieces, axis=1)


@dataclass(frozen=True)
class Delay:
    """How long a planted change goes unnoticed.

    Attributes
    ----------
    band : str
        Where it was planted.
    shape : str
        `STEP` or `SLOPE`.
    size : float
        Change of ln C (a year).
    days : (stream,) array
        From the change to the alarm, infinite where there was none in the time watched.
    watched : float
        Years that all streams were watched after the change.
    """

    band: str
    shape: str
    size: float
    days: Floats
    watched: float

    @property
    def missed(self) -> float:
        """Share of streams without an alarm in the time watched."""
        return float(np.mean(np.isinf(self.days)))

    def quantile(self, share: float) -> float:
        """Return the days within which a share of streams has its alarm; infinite if it has not."""
        return float(np.quantile(self.days, share, method="higher"))


def planted_effect(shape: str, size: float, mjd: Floats, since: Floats) -> Floats:
    """Return what a change adds to ln C of rows, (row, stream).

    Parameters
    ----------
    shape, size : str, float
        The change.
    mjd : (row,) array
        Epochs of the rows.
    since : (stream,) array
        When it begins in each stream, MJD in days.
    """
    later = mjd[:, None] - since
    grown = later / YEAR if shape == SLOPE else np.ones_like(later)
    return np.where(later > 0, size * grown, 0.0)


def delays(
    ahead: Forecast,
    watched: Watched,
    level: float,
    streams: int,
    seed: Sequence[int],
    advance: Callable[[int], None],
) -> list[Delay]:
    """Return the delays of `PLANTED` changes in each band with rows.

    A year after the fit and spread over `SPREAD` years more; streams with an alarm before the
    change do not count.

    Parameters
    ----------
    ahead : Forecast
        Of the first years to come.
    watched : Watched
        Its rows.
    level : float
        The alarm level.
    streams : int
        How many are simulated.
    seed : sequence of int
        Of the random numbers, which are the same for all changes.
    advance : callable
        Told of so many more streams done.
    """
    random, test = np.random.default_rng(seed), SequentialTest(watched, ahead.groups)
    rows = ahead.streams(streams, random)
    begun = watched.since + YEAR * random.uniform(LEAD, LEAD + SPREAD, streams)
    ends = watched.ends
    seen = min(SEEN, max(0.0, float(np.max(ends) - np.max(begun)) / YEAR))
    found = []
    for b in np.unique(watched.band):
        inside = (watched.band == b)[:, None]
        for shape, size in PLANTED:
            changed = rows + inside * planted_effect(shape, size, watched.mjd, begun)
            statistic = statistics(changed, test, advance)
            first = first_alarms(statistic, level)
            at = np.where(first >= 0, ends[first], np.inf)
            days = (at - begun)[at > begun]
            days = np.where(days > seen * YEAR, np.inf, days)
            found.append(Delay(watched.bands[int(b)], shape, size, days, seen))
    return found
