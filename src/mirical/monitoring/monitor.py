"""Monitor of a run: rows since the fit tested, lights, delays of detection; writes nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from mirical.errors import InputError
from mirical.jobs.inputs import Inputs
from mirical.monitoring.alarm_level import FEWEST_ALARMS, AlarmLevel, alarm_level, rate_at
from mirical.monitoring.cadence import Cadence, cadence
from mirical.monitoring.changes import YEAR, Change, Watched, changes
from mirical.monitoring.findings import (
    Light,
    Likeliest,
    Shift,
    alarm_mjd,
    lights,
    looks_like,
    shifts,
)
from mirical.monitoring.forecast import Forecast, expectation
from mirical.monitoring.innovations import Innovations, innovations
from mirical.monitoring.simulated_streams import (
    LEAD,
    PLANTED,
    SEEN,
    SPREAD,
    Delay,
    delays,
    statistics,
)
from mirical.monitoring.statistic import SequentialTest
from mirical.monitoring.watched_rows import (
    WatchedRows,
    draws_looked_at,
    watch_rows,
)
from mirical.tables.photometry import Observations

Floats = NDArray[np.float64]

FEWEST_DRAWS = 50
"""Draws fewer than which tell no covariance."""

WATCH_RATE = 1.0
"""False ambers a year, about: what is above the level that streams without a change reach so often
is watched."""

WATCH_LEVEL = 0.5
"""The lowest such level, in years: above what a first row brings by itself."""


@dataclass(frozen=True)
class Asked:
    """What is asked of a monitor.

    Attributes
    ----------
    rate : float
        False alarms a year.
    every : float or None
        Days between epochs to come, if not as in the rows.
    draws : int
        Draws of the posterior that are looked at, evenly spread.
    streams, delay_streams : int
        Simulated streams for the alarm level, and for each delay; none of the latter for 0.
    """

    rate: float = 0.1
    every: float | None = None
    draws: int = 200
    streams: int = 400
    delay_streams: int = 60


Begin = Callable[[str, int], Callable[[int], None]]
"""Told of a stage that begins and its steps; returns who is told of so many more steps done."""


def unwatched(_: str, __: int) -> Callable[[int], None]:
    """Watch nothing."""
    return lambda steps: None


@dataclass(frozen=True)
class Monitored:
    """What the rows since a fit say.

    Attributes
    ----------
    rows : WatchedRows
        Rows of the run and new ones.
    watched : Watched
        The new ones in order of time.
    ahead : Forecast
        What the run expects of them.
    found : Innovations
        Theirs, one stream.
    changes : tuple of Change
        What was looked for.
    parts : (change, epoch) array
        Of the statistic.
    level, watch : AlarmLevel
        Of an alarm, and of amber.
    cadence : Cadence
        Rows to come, for which the rates and delays are stated.
    lights : tuple of Light
        Of bands, readouts, and all bands together.
    alarm : float or None
        When the statistic first reached the level, MJD in days.
    likeliest : Likeliest
        What kind of change the rows look like most.
    shifts : mapping of {str : Shift}
        How far each band is off as a step since the fit.
    delays : tuple of Delay
        Of planted changes.
    """

    rows: WatchedRows
    watched: Watched
    ahead: Forecast
    found: Innovations
    changes: tuple[Change, ...]
    parts: Floats
    level: AlarmLevel
    watch: AlarmLevel
    cadence: Cadence
    lights: tuple[Light, ...]
    alarm: float | None
    likeliest: Likeliest
    shifts: dict[str, Shift]
    delays: tuple[Delay, ...]

    @property
    def statistic(self) -> Floats:
        """R at every epoch."""
        return self.parts.sum(axis=0)


def monitor_run(
    folder: Path,
    posterior: xr.DataTree,
    inputs: Inputs,
    new: Observations,
    asked: Asked,
    begin: Begin = unwatched,
) -> Monitored:
    """Test rows taken since a run's fit for changes.

    Parameters
    ----------
    folder : Path
        Of the run.
    posterior, inputs : DataTree, Inputs
        As `mirical.reporting.stored_inputs.open_run` returns them.
    new : Observations
        The rows.
    asked : Asked
        What is asked.
    begin : callable, optional
        Watches the work.

    Raises
    ------
    InputError
        If the rows cannot be compared with the run's, or the streams are too few for the rate.
    """
    rows, seed = watch_rows(folder, inputs, new), int(posterior.attrs["seed"])
    plan = cadence(rows, asked.every)
    _require_streams(asked, plan)
    draws = draws_looked_at(posterior, asked.draws)
    advance = begin("draws", len(draws))
    looked = expectation(posterior, inputs.card, rows, plan, draws, advance)
    ahead, watched = looked.of_new_rows()
    to_come, later = looked.to_come()
    level, watch = _levels(to_come, later, asked, seed, begin)
    known: list[Delay] = []
    if asked.delay_streams:
        soon, next_years = looked.to_come(LEAD + SPREAD + SEEN)
        steps = len(PLANTED) * len(np.unique(next_years.band)) * asked.delay_streams
        advance = begin("streams with a change", steps)
        known = delays(soon, next_years, level.level, asked.delay_streams, [seed, 2], advance)
    observed = np.asarray(rows.design.log_factor)[rows.new][:, None]
    found, of = innovations(observed, ahead.expected), changes(watched, ahead.expected)
    n_epochs = len(watched.ends)
    parts = SequentialTest(watched, ahead.groups).parts(observed)[:, :, 0]
    return Monitored(
        rows=rows,
        watched=watched,
        ahead=ahead,
        found=found,
        changes=tuple(of),
        parts=parts,
        level=level,
        watch=watch,
        cadence=plan,
        lights=tuple(lights(parts, of, level.level, watch.level)),
        alarm=alarm_mjd(parts.sum(axis=0), level.level, watched),
        likeliest=looks_like(found, watched, ahead.expected, parts.sum(axis=0), level.level),
        shifts=shifts(found, of, ahead.expected, n_epochs),
        delays=tuple(known),
    )


def _require_streams(asked: Asked, plan: Cadence) -> None:
    """Refuse streams too few to tell a rate."""
    alarms = asked.streams * -np.expm1(-asked.rate * plan.years)
    if alarms < FEWEST_ALARMS:
        needed = int(np.ceil(asked.streams * FEWEST_ALARMS / alarms))
        raise InputError(
            f"monitor: {asked.streams} streams of {plan.years:.1f} years are expected to have "
            f"{alarms:.1f} false alarms at {asked.rate:g} a year, and {FEWEST_ALARMS} are needed "
            f"to tell a level; give --streams {needed} or more."
        )


def _levels(
    to_come: Forecast, later: Watched, asked: Asked, seed: int, begin: Begin
) -> tuple[AlarmLevel, AlarmLevel]:
    """Return the levels of an alarm and of amber."""
    streams = to_come.streams(asked.streams, np.random.default_rng([seed, 1]))
    advance = begin("streams without a change", asked.streams)
    simulated = statistics(streams, SequentialTest(later, to_come.groups), advance)
    years = (later.ends - later.since) / YEAR
    level = alarm_level(simulated, years, asked.rate)
    watch = alarm_level(simulated, years, max(WATCH_RATE, asked.rate))
    at = min(max(watch.level, WATCH_LEVEL), level.level)
    return level, rate_at(simulated, years, at, watch.asked)
