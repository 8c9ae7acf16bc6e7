"""Departures from a time law: steps at a date, and a curve given at knots.

All take and return arrays of NumPy or of JAX, as their input.
"""

from __future__ import annotations

from typing import Any

import numpy as np


def step_effect(mjd: Any, dates: tuple[float, ...], step: Any, band: Any) -> Any:
    """Return the sum of the steps before each point, (..., point).

    Parameters
    ----------
    mjd : (point,) array
        Epochs, MJD in days.
    dates : tuple of float
        Of the steps, MJD in days.
    step : (..., step, band) array
        Change of ln C from each date on.
    band : (point,) int array
        Band of each point.
    """
    after = mjd >= np.array(dates)[:, None]
    return (step[..., band] * after).sum(-2)


def curve_effect(mjd: Any, knots: tuple[float, ...], at_knots: Any, band: Any) -> Any:
    """Return a departure between its knots by straight lines, (..., point); constant outside.

    Parameters
    ----------
    mjd : (point,) array
        Epochs, MJD in days.
    knots : tuple of float
        Epochs at equal distances, at least two, MJD in days.
    at_knots : (..., knot, band) array
        Departure of ln C there.
    band : (point,) int array
        Band of each point.
    """
    spacing = (knots[-1] - knots[0]) / (len(knots) - 1)
    place = ((mjd - knots[0]) / spacing).clip(0, len(knots) - 1)
    before = place.astype(int).clip(0, len(knots) - 2)
    share = place - before
    return (1 - share) * at_knots[..., before, band] + share * at_knots[..., before + 1, band]
