"""Steps: dates from which on the factors of all bands are shifted."""

from __future__ import annotations

from typing import Any

import numpy as np

from mirical.conventions import T0_MJD


def step_effect(elapsed: Any, dates: tuple[float, ...], step: Any, band: Any) -> Any:
    """Return the sum of the steps before each point, (..., point), in NumPy or JAX as its input.

    Parameters
    ----------
    elapsed : (point,) array
        Days since t0.
    dates : tuple of float
        Of the steps, MJD in days.
    step : (..., step, band) array
        Change of ln C from each date on.
    band : (point,) int array
        Band of each point.
    """
    after = elapsed >= (np.array(dates) - T0_MJD)[:, None]
    return (step[..., band] * after).sum(-2)
