"""What a stream of rows says: lights, the kind of change it looks like, its size and its date."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp

from mirical.monitoring.alarm_level import first_alarms
from mirical.monitoring.changes import BAND, SCATTER, SLOPE, STEP, Change, Watched, changes, scopes
from mirical.monitoring.innovations import Expected, Innovations, log_density
from mirical.monitoring.statistic import learn

Floats = NDArray[np.float64]

GREEN, AMBER, RED = "green", "amber", "red"

INTERVAL = 0.9
"""Probability that the interval of dates holds, a twentieth on either side."""

_ANY = {STEP: (0.001, 0.3), SLOPE: (0.0003, 0.1), SCATTER: (1.1, 10.0)}
"""Sizes between which a change is told: of ln C, a year, and factors of the scatter."""

_WIDTHS, _FINE = 6.0, 97  # of the grid of sizes about the likeliest, in its errors


@dataclass(frozen=True)
class Likeliest:
    """The kind of change that the rows look like most.

    Attributes
    ----------
    change : Change
        The kind.
    probability : float
        That it is of this kind, if something changed.
    size, size_unc : float
        Change of ln C, that a year, or factor of the scatter, and its error.
    earliest, latest : float
        MJD between which it began with probability `INTERVAL`.
    """

    change: Change
    probability: float
    size: float
    size_unc: float
    earliest: float
    latest: float


@dataclass(frozen=True)
class Light:
    """How a band, a readout, or all bands together stand.

    Attributes
    ----------
    scope, name : str
        What it is of.
    colour : str
        `GREEN`, `AMBER` or `RED`.
    statistic, highest : float
        Its part of the statistic at the last epoch, and the highest at any.
    """

    scope: str
    name: str
    colour: str
    statistic: float
    highest: float


def lights(parts: Floats, of: Sequence[Change], level: float, watch: float) -> list[Light]:
    """Return the light of each band, readout, and of all bands.

    Red is what reached the alarm level by itself; if the sum of all did and nothing alone, what
    had most of it then. Red stays: the test ends with an alarm. Amber is what is above the level
    `watch` now.

    Parameters
    ----------
    parts : (change, epoch) array
        Of the statistic.
    of : sequence of Change
        The kinds.
    level, watch : float
        Of an alarm, and of amber.
    """
    places = scopes(of)
    key = np.array([places.index((one.scope, one.name)) for one in of])
    each = np.array([parts[key == i].sum(axis=0) for i in range(len(places))])
    red = each.max(axis=1) >= level
    alarm = int(first_alarms(each.sum(axis=0)[:, None], level)[0])
    if alarm >= 0 and not red.any():
        red[int(np.argmax(each[:, alarm]))] = True
    found = []
    for i, (scope, name) in enumerate(places):
        now, highest = float(each[i, -1]), float(each[i].max())
        colour = RED if red[i] else AMBER if now >= watch else GREEN
        found.append(Light(scope, name, colour, now, highest))
    return found


def likeliest(
    found: Innovations, of: Sequence[Change], expected: Expected, n_epochs: int
) -> Likeliest:
    """Return the kind of change that one stream looks like most at its end.

    Parameters
    ----------
    found : Innovations
        Of the stream.
    of : sequence of Change
        The kinds.
    expected : Expected
        What the run expects of the rows.
    n_epochs : int
        How many epochs the rows have.
    """
    fine = [_finely(found, one, expected, n_epochs) for one in of]
    weights = [
        logsumexp(prior + logs) + np.log(one.share)
        for (_, prior, logs), one in zip(fine, of, strict=True)
    ]
    best = int(np.argmax(weights))
    change, share = of[best], float(np.exp(weights[best] - logsumexp(weights)))
    sizes, _, logs = fine[best]
    chance = np.exp(logs - logsumexp(logs))
    of_size, of_start = chance.sum(axis=0), chance.sum(axis=1)
    size = float(of_size @ sizes)
    spread = float(np.sqrt(of_size @ (sizes - size) ** 2))
    below = np.cumsum(of_start)
    ends = np.array([change.starts[0].after, *(start.before for start in change.starts)])
    tail = (1 - INTERVAL) / 2
    low, high = np.interp([tail, 1 - tail], np.concatenate([[0.0], below]), ends)
    return Likeliest(change, share, size, spread, float(low), float(high))


def looks_like(
    found: Innovations, watched: Watched, expected: Expected, statistic: Floats, level: float
) -> Likeliest:
    """Return the kind of change that one stream looks like, or did before it fell below an alarm.

    Parameters
    ----------
    found : Innovations
        Of the stream.
    watched, expected : Watched, Expected
        Its rows, and what the run expects of them.
    statistic : (epoch,) array
        Of the stream. If it reached the level and is below it at the end, the rows up to its
        highest are looked at.
    level : float
        Of an alarm.
    """
    fallen = statistic[-1] < level <= statistic.max()
    epochs = int(np.argmax(statistic)) + 1 if fallen else len(statistic)
    rows = int(np.searchsorted(watched.epoch, epochs))
    known = expected.first(rows)
    return likeliest(found.first(rows), changes(watched.first(rows), known), known, epochs)


def _finely(
    found: Innovations, change: Change, expected: Expected, n_epochs: int
) -> tuple[Floats, Floats, Floats]:
    """Return sizes about the likeliest one, the log prior of each, and log ratios, (start, size).

    Sizes are as likely in each decade of `_ANY`; of the ratios, starts weigh as their years. Times
    the prior they add up to the likelihood ratio of the kind.
    """
    low, high = _ANY[change.shape]
    if change.shape == SCATTER:
        tried = np.geomspace(low, high, _FINE)
        step, decades = tried * np.log(tried[1] / tried[0]), np.log(high / low)
    else:
        *_, last = learn(change, found.value, found.unit, found.tested, expected, n_epochs)
        years = np.log([start.years for start in change.starts])[:, None]
        s, k = np.unravel_index(np.argmax(last.log_ratio[..., 0] + years), last.mean.shape[:2])
        reach = _WIDTHS * float(last.variance[s, k, 0]) ** 0.5
        tried = float(last.mean[s, k, 0]) + np.linspace(-reach, reach, _FINE)
        step, decades = tried[1] - tried[0], 2 * np.log(high / low)
    prior = step / (np.maximum(np.abs(tried), low) * decades)
    return tried, np.log(prior), _log_ratios(found, change, expected, tried)


def _log_ratios(found: Innovations, change: Change, expected: Expected, sizes: Floats) -> Floats:
    """Return log years of each start plus the log ratio of all rows, (start, size)."""
    fraction, rows = expected.outlier_fraction, []
    kappa = expected.kappa[change.rows, None]
    x, unit = found.value[change.rows], found.unit[change.rows]
    told = found.tested[change.rows]
    for start in change.starts:
        at = slice(start.first, None)
        if change.shape == SCATTER:
            wide = np.maximum(kappa[at] / sizes, 1)
            density = log_density(x[at] / sizes, wide, fraction) - np.log(sizes)
        else:
            moved = sizes * start.loading[:, None] / unit[at]
            density = log_density(x[at] - moved, kappa[at], fraction)
        ratio = density - log_density(x[at], kappa[at], fraction)
        rows.append(np.log(start.years) + (told[at] * ratio).sum(axis=0))
    return np.array(rows)


@dataclass(frozen=True)
class Shift:
    """How far a band's rows are off, all those since the fit taken together.

    Attributes
    ----------
    size, size_unc : float
        Change of ln C and its error.
    """

    size: float
    size_unc: float


def shifts(
    found: Innovations, of: Sequence[Change], expected: Expected, n_epochs: int
) -> dict[str, Shift]:
    """Return how far each band is off as a step since the fit; arguments as `likeliest`."""
    known = {}
    for change in of:
        if (change.shape, change.scope) == (STEP, BAND):
            since_fit = replace(change, starts=change.starts[:1])
            sizes, _, logs = _finely(found, since_fit, expected, n_epochs)
            chance = np.exp(logs[0] - logsumexp(logs[0]))
            size = float(chance @ sizes)
            known[change.name] = Shift(size, float(np.sqrt(chance @ (sizes - size) ** 2)))
    return known


def alarm_mjd(statistic: Floats, level: float, watched: Watched) -> float | None:
    """Return when the statistic, (epoch,), first reached a level; None for never."""
    first = int(first_alarms(statistic[:, None], level)[0])
    return float(watched.ends[first]) if first >= 0 else None
