"""Visits: rows of one star within a day or so."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from astropy.table import QTable
from numpy.typing import NDArray

from mirical.instruments.instrument import Instrument

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


def named_visits(table: QTable, instrument: Instrument) -> list[str]:
    """Name each row's visit: the table's own, else rows of one star within one day."""
    found = zip(table["name"], table["visit"], _visits_by_time(table, instrument), strict=True)
    return [f"{name} {visit}" if visit else by_time for name, visit, by_time in found]


def _visits_by_time(table: QTable, instrument: Instrument) -> list[str]:
    names = list(map(str, table["name"]))
    starts = visit_starts(names, table["time"].value, instrument.visit_length)
    return [f"{name} {start:.1f}" for name, start in zip(names, starts, strict=True)]
