"""Visits: rows of one star within a day or so."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def visit_starts(names: Sequence[str], mjd: Floats, length: float) -> Floats:
    """Return the epoch (MJD) at which the visit of each row begins.

    Parameters
    ----------
    names : sequence of str
        Star or other object of each row.
    mjd : (row,) array
        Epochs; a row without one is a visit by itself.
    length : float
        Rows of one star within so many days share a visit.
    """
    of, starts = np.asarray(names), np.empty(len(mjd))
    for name in dict.fromkeys(names):
        start = -np.inf
        members = np.flatnonzero(of == name)
        for i in members[np.argsort(mjd[members], kind="stable")]:
            if not mjd[i] - start <= length:
                start = mjd[i]
            starts[i] = start
    return starts
