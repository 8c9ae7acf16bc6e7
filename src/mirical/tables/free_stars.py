"""Stars of unknown flux: which they are, and the nominal fluxes their factors are quoted with."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from astropy.table import QTable
from numpy.typing import NDArray

from mirical.errors import InputError
from mirical.number_text import words

PREDICTED, FREE = "predicted", "free"
"""What tables call the flux of a star."""


def free_rows(rows: QTable) -> NDArray[np.bool_]:
    """Return which rows are of stars without a predicted flux in any band, (row,); flags aside."""
    names, known = np.array(words(rows["name"])), np.isfinite(rows["model_flux"].value)
    return ~np.isin(names, names[known])


def nominal_fluxes(
    rows: QTable,
    free: NDArray[np.bool_],
    source: str,
    known: Mapping[tuple[str, str], float] | None = None,
) -> NDArray[np.float64]:
    """Return the flux by which the factor of each row is quoted, mJy; NaN for rows of no free star.

    With it the median factor of a star's rows in a band is that of the rows with predictions. No
    result depends on it, so that one which was taken before may be kept.

    Parameters
    ----------
    rows : QTable
        With ``name``, ``filter``, ``flag``, ``iflux`` and ``model_flux``.
    free : (row,) bool array
        Rows of free stars that are fitted.
    source : str
        Name of the table.
    known : mapping of {(star, band) : float}, optional
        Nominal fluxes in mJy that are kept.

    Raises
    ------
    InputError
        If no fitted row of a band has a predicted flux.
    """
    names, bands = (np.array(words(rows[column])) for column in ("name", "filter"))
    fitted = np.array([not flag for flag in rows["flag"]])
    nominal = np.full(len(rows), np.nan)
    for band in dict.fromkeys(bands[free].tolist()):
        predicted = fitted & ~free & (bands == band)
        if not predicted.any():
            raise InputError(
                f"{source}: no star with a predicted flux was observed in {band}, so that nothing "
                "says what its factor is; give the model_flux of a star there, or leave the "
                "band's rows out."
            )
        with_flux = np.log(rows["model_flux"].value[predicted] / rows["iflux"].value[predicted])
        level = float(np.median(with_flux))
        for name in dict.fromkeys(names[free & (bands == band)].tolist()):
            here = free & (bands == band) & (names == name)
            kept = (known or {}).get((name, band), np.nan)
            if not np.isfinite(kept):
                kept = np.exp(level + np.median(np.log(rows["iflux"].value[here])))
            nominal[here] = kept
    return nominal
