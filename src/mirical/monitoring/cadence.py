"""Cadence at which rows are expected to go on: those of the stream, or of the run's last year."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mirical.monitoring.changes import YEAR, epochs_of
from mirical.monitoring.watched_rows import WatchedRows

Floats = NDArray[np.float64]

HORIZON = 10.0
"""Years that rows are simulated over."""
MOST_FUTURE = 1500
"""Rows simulated at most: with more, the years are fewer."""

_LEAST_SPAN, _LEAST_EPOCHS = 180.0, 4  # of new rows that tell a cadence


@dataclass(frozen=True)
class Cadence:
    """Rows to come.

    Attributes
    ----------
    rows : (row,) int array
        Place in the design of the row that each is like, in order of time.
    mjd : (row,) array
        Epochs, MJD in days.
    visit : (row,) int array
        Visit of each.
    words : str
        What it was taken from.
    years : float
        Time that they cover, from the end of the run on.
    """

    rows: NDArray[np.intp]
    mjd: Floats
    visit: NDArray[np.intp]
    words: str
    years: float


def cadence(watched: WatchedRows, every: float | None, horizon: float = HORIZON) -> Cadence:
    """Return the rows to come.

    Parameters
    ----------
    watched : WatchedRows
        Rows of the run and new ones. If the new ones tell no cadence (less than half a year, or
        than four epochs), that of the run's last year is taken.
    every : float or None
        Days between epochs, if not as in those rows; what is observed goes round.
    horizon : float
        Years.
    """
    mjd, since = watched.mjd, float(watched.mjd[: watched.old].max())
    new = watched.new
    told = np.ptp(mjd[new]) >= _LEAST_SPAN and epochs_of(mjd[new])[-1] + 1 >= _LEAST_EPOCHS
    if told:
        pattern, of = new, "the new rows"
    else:
        last = np.flatnonzero(mjd[: watched.old] > since - YEAR)
        pattern, of = last[np.argsort(mjd[last], kind="stable")], "the run's last year"
    at = mjd[pattern]
    epoch = epochs_of(at)
    firsts = at[np.searchsorted(epoch, np.arange(epoch[-1] + 1))]
    gap = float(np.median(np.diff(firsts))) if len(firsts) > 1 else YEAR
    period = np.ptp(at) + gap if told else YEAR
    offset, words = at - at[0] + gap, f"as in {of}"
    if every is not None:
        offset = (epoch + 1) * every + at - firsts[epoch]
        period = (epoch[-1] + 1) * every
        words = f"an epoch every {every:g} d of what {of} observed"
    years = min(horizon, MOST_FUTURE / len(pattern) * period / YEAR)
    rounds = int(np.ceil(years * YEAR / period))
    rows = np.tile(pattern, rounds)
    when = since + np.concatenate([offset + k * period for k in range(rounds)])
    visits = np.asarray(watched.design.visit)[pattern]
    # A visit is one of its round.
    _, place = np.unique(visits, return_inverse=True)
    visit = np.concatenate([place + k * (place.max() + 1) for k in range(rounds)])
    kept = when <= since + years * YEAR
    order = np.argsort(when[kept], kind="stable")
    return Cadence(rows[kept][order], when[kept][order], visit[kept][order], words, years)
