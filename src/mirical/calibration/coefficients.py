"""Table of a calibration's coefficients (A, B, tau, repeatability) in one form for all kinds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from astropy import units as u
from astropy.table import QTable
from astropy.utils.masked import Masked

from mirical.number_text import floats

COEFFICIENTS: dict[str, Any] = {"A": None, "B": None, "tau": u.d, "repeatability_pct": u.percent}
"""What is stated of a band, with its unit; None for that of calibration factors."""


def band_table(bands: Sequence[str], stated: Mapping[str, Any], factor: u.UnitBase) -> QTable:
    """Return the coefficients of some bands, masked where nothing is stated.

    Parameters
    ----------
    bands : sequence of str
        Bands, one a row.
    stated : mapping of {str : (band,) array or column}
        By the names in `COEFFICIENTS` and the same with ``_std``; an array is
        in the unit given there, NaN or absent where nothing is stated.
    factor : Unit
        Of calibration factors.

    Returns
    -------
    QTable
        Columns filter, A, A_std, B, B_std, tau, tau_std, repeatability_pct,
        repeatability_pct_std.
    """
    table = QTable({"filter": list(bands)})
    for name, unit in COEFFICIENTS.items():
        for column in (name, f"{name}_std"):
            table[column] = _masked(stated.get(column), len(bands), unit or factor)
    return table


def absolute(name: str, mean: Any, std: Any, flux_scale: float) -> Any:
    """Return a coefficient's absolute error: with that of the flux scale where it has one.

    Parameters
    ----------
    name : str
        The coefficient's; A, B and C have the unit of factors, to which the flux scale is common.
    mean, std : array
        Its mean, and its error given an exact flux scale.
    flux_scale : float
        Relative error of the flux scale.
    """
    return std if COEFFICIENTS.get(name) else np.hypot(std, mean * flux_scale)


def subarray_table(subarrays: Sequence[str], throughput: Any, std: Any = None) -> QTable:
    """Return the columns subarray, D and D_std, the error masked where none is stated."""
    numbers = {"D": throughput, "D_std": std}
    # All columns at once: one by one, astropy refuses masked ones of a single row.
    masked = {name: _masked(column, len(subarrays), None) for name, column in numbers.items()}
    return QTable({"subarray": list(subarrays), **masked})


def _masked(column: Any, length: int, unit: Any) -> Any:
    if column is None:
        column = np.full(length, np.nan)
    numbers = floats(column, unit if getattr(column, "unit", None) is not None else None)
    masked = Masked(numbers, mask=~np.isfinite(numbers))
    return masked if unit is None else masked * unit
