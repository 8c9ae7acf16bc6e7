"""Verdict of a monitor in sentences: alarm or none, what it looks like, what to do, how sure."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np

from mirical.monitoring.changes import ALL, BAND, SCATTER, SLOPE, STEP, Change
from mirical.monitoring.findings import AMBER, RED, Light, Likeliest
from mirical.monitoring.monitor import Monitored
from mirical.number_text import measured

_MJD_0 = date(1858, 11, 17)

REMEDIES = {
    (STEP, BAND): "look whether the reduction or the reference files of the band changed then. If "
    "not, observe another star in it; if that agrees, run the job on all rows with a card that has "
    "a step at that date.",
    (SLOPE, BAND): "the time law no longer tells what the band does. Run the job on all rows, and "
    "compare time laws with `mirical rivals`.",
    (SCATTER, BAND): "look at the band's rows (rows.ecsv), at their images and their background; "
    "rows that are wrong are given a flag. If none is, run the job on all rows.",
    (STEP, ALL): "what all bands share changed: the telescope, the reduction, or the star, if one "
    "alone is monitored. Observe another star; if it agrees, run the job on all rows with a card "
    "that has a step at that date.",
    (SLOPE, ALL): "all bands drift alike: observe another star. If it agrees, run the job on all "
    "rows, and compare time laws with `mirical rivals`.",
}
"""What to do about a change of each kind."""

_OF_READOUT = (
    "look whether the reduction or the reference files of the readout changed then. If not, "
    "observe a star in it and in another one; if they disagree, run the job on the newer rows."
)


def place_words(scope: str, name: str) -> str:
    """Return what a light or a change is of, in words."""
    return "all bands" if scope == ALL else name if scope == BAND else f"readout {name}"


def month(mjd: float) -> str:
    """Return a date as a person says it, with its MJD."""
    return f"{_MJD_0 + timedelta(days=int(mjd)):%d %B %Y} (MJD {mjd:.0f})"


def change_words(found: Likeliest) -> str:
    """Say what kind of change the rows look like."""
    change = found.change
    where = place_words(change.scope, change.name)
    if change.shape == SCATTER:
        size = measured(found.size, found.size_unc).text
        what = f"rows of {where} that scatter {size} times as much"
    else:
        size = measured(100 * found.size, 100 * found.size_unc).text
        sign = "+" if found.size > 0 else ""
        unit = " % a year" if change.shape == SLOPE else " %"
        kind = "slope" if change.shape == SLOPE else "step"
        what = f"a {kind} of C in {where} of {sign}{size}{unit}"
    return (
        f"{what}, begun between {month(found.earliest)} and {month(found.latest)} (of this kind "
        f"with probability {found.probability:.2f})"
    )


def remedy(change: Change) -> str:
    """Return what to do about a change."""
    return REMEDIES.get((change.shape, change.scope), _OF_READOUT)


def sentences(found: Monitored, name: str) -> tuple[str, ...]:
    """Return the verdict; the first sentence says whether there is an alarm."""
    said = [_first(found, name)]
    if found.alarm is not None:
        fallen = found.statistic[-1] < found.level.level
        looks = "When it was highest, it looked like" if fallen else "It looks like"
        said.append(f"{looks} {change_words(found.likeliest)}.")
        if fallen:
            said.append(
                f"Rows since then speak against it: the statistic is {found.statistic[-1]:.2f} now."
            )
        said.append(f"What to do: {remedy(found.likeliest.change)}")
    amber = [one for one in found.lights if one.colour == AMBER]
    if found.alarm is None and amber:
        said.append(
            f"To be watched: {_listed(amber)}. If this goes on, it looks most like "
            f"{change_words(found.likeliest)}."
        )
    level = found.level
    said.append(
        f"Rows that go on {found.cadence.words} raise a false alarm "
        f"{measured(level.rate, level.rate_error).text} times a year ({level.alarms} alarms in "
        f"{level.years:.0f} simulated years without a change; {level.asked:g} were asked for). "
        f"Whatever the cadence, the mean time to a false alarm is {level.level:.1f} years or more "
        "if the run is right."
    )
    said += _delay_sentence(found)
    said += found.rows.notes
    return tuple(said)


def _first(found: Monitored, name: str) -> str:
    rows, epochs = len(found.watched.mjd), len(found.watched.ends)
    counted = f"{rows} row{'s' * (rows > 1)} of {epochs} epoch{'s' * (epochs > 1)} since the fit"
    if found.alarm is None:
        return (
            f"No alarm: {counted} agree with {name} (statistic {found.statistic[-1]:.2f}, alarm at "
            f"{found.level.level:.2f})."
        )
    red = [one for one in found.lights if one.colour == RED]
    return (
        f"ALARM: {counted} do not agree with {name}, since {month(found.alarm)}: {_listed(red)} "
        f"(statistic up to {found.statistic.max():.3g}, alarm at {found.level.level:.2f})."
    )


def _listed(of: list[Light]) -> str:
    return ", ".join(place_words(one.scope, one.name) for one in of)


def _delay_sentence(found: Monitored) -> list[str]:
    """Say how long a step of 1 % goes unnoticed in the best and in the worst band."""
    steps = [one for one in found.delays if (one.shape, one.size) == (STEP, 0.01)]
    if not steps:
        return []
    steps.sort(key=lambda one: (one.quantile(0.5), one.missed))
    told = []
    for one in (steps[0], *steps[1:][-1:]):
        days = one.quantile(0.5)
        when = f"after {days:.0f} d" if np.isfinite(days) else f"not within {one.watched:.1f} years"
        told.append(f"in {one.band} {when}")
    return [
        f"A step of 1 % raises the alarm, in half of the simulated cases, {' and '.join(told)}."
    ]
