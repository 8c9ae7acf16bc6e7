"""Hours that candidates cost: as their table states them, or by the overheads of the card."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mirical.errors import InputError
from mirical.instruments.card_entries import Overheads

Floats = NDArray[np.float64]

_SECONDS = 3600.0


def unit_hours(
    units: Sequence[str],
    stated: Floats,
    exposures: Floats,
    integration: Floats,
    overheads: Overheads | None,
    source: str,
) -> dict[str, float]:
    """Return what each unit costs in hours.

    Parameters
    ----------
    units : sequence of str
        Which rows are observed together.
    stated : (row,) array
        Hours of each row, NaN where the table states none. Those of a unit's rows add up.
    exposures, integration : (row,) array
        How many exposures, and how long each is in seconds; NaN where nothing says.
    overheads : Overheads or None
        Of the instrument's card.
    source : str
        The table.

    Raises
    ------
    InputError
        If a cost is none, or nothing says what a row costs.
    """
    of, found = np.array(units), {}
    for i in np.flatnonzero(stated <= 0):
        raise InputError(
            f"{source} row {i + 1}: column 'cost_hours' is {stated[i]:g}; expected hours above 0."
        )
    for unit in dict.fromkeys(units):
        rows = np.flatnonzero(of == unit)
        given = np.isfinite(stated[rows])
        if given.all():
            found[unit] = float(stated[rows].sum())
            continue
        missing = rows[~given][0] + 1
        if given.any():
            raise InputError(
                f"{source} row {missing}: column 'cost_hours' is blank, and other rows of its "
                "visit state hours; give hours to all rows of a visit, or to none."
            )
        if overheads is None:
            raise InputError(
                f"{source} row {missing}: states no cost_hours, and the instrument's card has no "
                "[overheads] to reckon them by; add one of the two."
            )
        if not np.isfinite(integration[rows]).all():
            lacking = rows[~np.isfinite(integration[rows])][0] + 1
            raise InputError(
                f"{source} row {lacking}: states neither cost_hours nor inttime, and the run's "
                "rows say nothing of its exposure time; add one of the two."
            )
        each = exposures[rows] * (integration[rows] + overheads.exposure_seconds)
        seconds = overheads.visit_seconds + float(each.sum())
        found[unit] = (1 + overheads.share) * seconds / _SECONDS
    return found
