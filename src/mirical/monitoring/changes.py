"""Changes that are looked for: where, in which shape, of about which size, from which dates on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve_triangular

from mirical.monitoring.innovations import Expected

Floats = NDArray[np.float64]

STEP, SLOPE, SCATTER = "step", "slope", "scatter"
BAND, READOUT, ALL = "band", "readout", "all"

SCALES = {
    STEP: (0.005, 0.03, 0.2),
    SLOPE: (0.003, 0.03),
    SCATTER: (1.5, 3.0, 8.0),
}
"""Standard deviations of the size of a change before any row: of ln C, and the same a year. Of a
scatter, the factors that are tried."""

SHARES = {
    (STEP, BAND): 0.30,
    (SLOPE, BAND): 0.20,
    (SCATTER, BAND): 0.10,
    (STEP, ALL): 0.15,
    (SLOPE, ALL): 0.10,
    (STEP, READOUT): 0.15,
}
"""How likely a change is to be of each kind before any row; shared evenly by bands or readouts."""

START_EVERY = {STEP: 25.0, SLOPE: 75.0, SCATTER: 75.0}
"""Days between the dates at which changes of each shape begin, at least."""

GAPS = 1.0, 120.0
"""Days that a start counts for at least and at most: the first row after a gap of years is no sign
of a change by itself."""

YEAR = 365.25


@dataclass(frozen=True)
class Watched:
    """Rows in order of time, as the test looks at them.

    Attributes
    ----------
    mjd : (row,) array
        Epochs, MJD in days.
    epoch : (row,) int array
        Which of the stream's epochs each row is of: rows without a gap of more than a day.
    band, readout : (row,) int array
        Index into the names below.
    bands, readouts : tuple of str
        Names.
    since : float
        Last row of the run, MJD in days.
    """

    mjd: Floats
    epoch: NDArray[np.intp]
    band: NDArray[np.integer]
    readout: NDArray[np.integer]
    bands: tuple[str, ...]
    readouts: tuple[str, ...]
    since: float

    def first(self, rows: int) -> Watched:
        """Return the first rows alone."""
        cut = {n: getattr(self, n)[:rows] for n in ("mjd", "epoch", "band", "readout")}
        return replace(self, **cut)

    @property
    def ends(self) -> Floats:
        """MJD of the last row of each epoch."""
        last = np.append(np.flatnonzero(np.diff(self.epoch)), len(self.epoch) - 1)
        return self.mjd[last]


def epochs_of(mjd: Floats) -> NDArray[np.intp]:
    """Return the number of the epoch of rows in order of time, counted from 0."""
    return np.concatenate([[0], np.cumsum(np.diff(mjd) > 1.0)]).astype(np.intp)


@dataclass(frozen=True)
class Start:
    """A date from which on a change may be.

    Attributes
    ----------
    epoch : int
        The first epoch with the change.
    after, before : float
        The change began after the one and before the other, MJD in days.
    first : int
        The first of the change's rows with it, counted among these.
    loading : (row,) array
        What a change of unit size adds to the innovations of the change's rows from `first` on.
    """

    epoch: int
    after: float
    before: float
    first: int
    loading: Floats

    @property
    def years(self) -> float:
        """Time in which it may have begun, within `GAPS`: the prior weight of the start."""
        return float(np.clip(self.before - self.after, *GAPS)) / YEAR


@dataclass(frozen=True)
class Change:
    """A kind of change.

    Attributes
    ----------
    shape : str
        `STEP`, `SLOPE` or `SCATTER`.
    scope : str
        `BAND`, `READOUT` or `ALL`.
    name : str
        The band or readout; empty for all bands.
    share : float
        Prior probability.
    scales : (scale,) array
        Of its size: `SCALES`.
    rows : (row,) int array
        Places of the rows it is looked for in.
    epoch : (row,) int array
        Their epochs.
    starts : tuple of Start
        When it may begin.
    """

    shape: str
    scope: str
    name: str
    share: float
    scales: Floats
    rows: NDArray[np.intp]
    epoch: NDArray[np.intp]
    starts: tuple[Start, ...]


def changes(watched: Watched, expected: Expected) -> list[Change]:
    """Return all changes that are looked for in rows, their shares summing to one.

    Bands and readouts without rows are not asked for, nor is a readout that has all rows, or those
    of one band alone.

    Parameters
    ----------
    watched : Watched
        The rows.
    expected : Expected
        What the run expects of them.
    """
    everything = np.ones(len(watched.mjd), dtype=bool)
    places = {ALL: {"": everything}}
    places[BAND] = {name: watched.band == b for b, name in enumerate(watched.bands)}
    of_readouts = {name: watched.readout == a for a, name in enumerate(watched.readouts)}
    places[READOUT] = {
        name: of
        for name, of in of_readouts.items()
        if not of.all() and len(np.unique(watched.band[of])) > 1
    }
    asked = {
        (shape, scope, name): share / sum(rows.any() for rows in places[scope].values())
        for (shape, scope), share in SHARES.items()
        for name, of in places[scope].items()
        if of.any()
    }
    whole = sum(asked.values())
    found = []
    for (shape, scope, name), share in asked.items():
        rows = np.flatnonzero(places[scope][name])
        starts = _starts(shape, rows, watched, expected)
        epoch = watched.epoch[rows]
        found.append(
            Change(shape, scope, name, share / whole, np.array(SCALES[shape]), rows, epoch, starts)
        )
    return found


def _starts(
    shape: str, rows: NDArray[np.intp], watched: Watched, expected: Expected
) -> tuple[Start, ...]:
    """Return the dates at which a change of some rows may begin, and what it adds to them."""
    ends, epoch = watched.ends, watched.epoch[rows]
    begun = _start_epochs(ends, START_EVERY[shape])
    firsts = [int(np.searchsorted(epoch, e)) for e in begun]
    after = [watched.since, *ends[begun[:-1]]]
    effects = np.zeros((len(watched.mjd), len(firsts)))
    for column, (e, first) in enumerate(zip(begun, firsts, strict=True)):
        elapsed = watched.mjd[rows[first:]] - (ends[e - 1] if e else watched.since)
        effects[rows[first:], column] = elapsed / YEAR if shape == SLOPE else 1.0
    if shape == SCATTER:
        loadings = effects
    else:
        loadings = solve_triangular(expected.root, effects, lower=True)
    return tuple(
        Start(int(e), float(since), float(ends[e]), first, loadings[rows[first:], column])
        for column, (e, since, first) in enumerate(zip(begun, after, firsts, strict=True))
    )


def _start_epochs(ends: Floats, every: float) -> list[int]:
    """Return the epochs at which changes begin: the first, and then at least so many days apart."""
    chosen = [0]
    for e in range(1, len(ends)):
        if ends[e] - ends[chosen[-1]] >= every:
            chosen.append(e)
    return chosen


def scopes(of: Sequence[Change]) -> list[tuple[str, str]]:
    """Return scope and name of what has a light of its own, each once."""
    return list(dict.fromkeys((one.scope, one.name) for one in of))
