"""Source and detector parameters of each fitted row (section 3.5)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mirical.tables.calibration_factors import CalibrationFactors

_COLUMNS = {
    "flux": "model_flux",
    "background": "ibkg",
    "rate": "pixrate",
    "well": "pixwelldepth",
    "inttime": "inttime",
}


def row_parameters(factors: CalibrationFactors) -> dict[str, NDArray[np.float64]]:
    """Return the parameters of the rows that are fitted, NaN where the table has none.

    Parameters
    ----------
    factors : CalibrationFactors
        As the run had them.

    Returns
    -------
    dict of {str : (row,) array}
        By the names of `mirical.checking.score_directions.PARAMETERS`: predicted flux [mJy],
        background [DN/s/pixel], central rate [DN/s], well depth [DN], time [s].
    """
    table = factors.observations.table
    used = np.array([not flag for flag in table["flag"]])
    found = {}
    for name, column in _COLUMNS.items():
        if column in table.colnames:
            values = np.ma.filled(
                np.ma.asarray(getattr(table[column], "value", table[column]), float), np.nan
            )
            found[name] = np.asarray(values, dtype=float)[used]
    return found
