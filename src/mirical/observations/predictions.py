"""Predicted fluxes of a table's rows: the table's own, one a star and band, or looked up."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
from astropy.table import QTable
from numpy.typing import NDArray

from mirical.conventions import FLUX
from mirical.errors import InputError

_SAME_FLUX = 1e-3  # relative; fluxes that differ by less differ by rounding
_SAME_ERROR = 0.05  # relative; errors printed with two digits differ by as much


def predicted_fluxes(rows: QTable, looked_up: Sequence[float], source: str) -> None:
    """Fill in ``model_flux`` and ``model_flux_unc`` [mJy] of every row.

    A star has one predicted flux a band. Where some of its rows state none, those that do count
    for all; where none does, the flux that was looked up. The error is that which the rows of
    the star and band state; it is zero where the table has no errors or the flux was looked up:
    then only the scatter of predictions that a fit learns stands for it.

    Parameters
    ----------
    rows : QTable
        Rows with name, filter, flag and the columns above, as far as the table has them;
        completed in place.
    looked_up : sequence of float
        Predicted flux of each row's star and band in mJy, NaN where there is none.
    source : str
        Begins the sentence.

    Raises
    ------
    InputError
        If two rows to be fitted contradict each other, or a row states a flux and no row of its
        star and band the flux's error, though the table has a column for it.
    """
    nothing = np.full(len(rows), np.nan)
    own = rows["model_flux"].to_value(FLUX) if "model_flux" in rows.colnames else nothing
    states = "model_flux_unc" in rows.colnames
    stated = rows["model_flux_unc"].to_value(FLUX) if states else nothing
    flux = np.where(np.isfinite(own), own, np.asarray(looked_up, dtype=float))
    unc = np.nan_to_num(stated)
    groups: dict[tuple[str, str], list[int]] = defaultdict(list)
    for i, (name, band, flag) in enumerate(
        zip(rows["name"], rows["filter"], rows["flag"], strict=True)
    ):
        if not flag:
            groups[str(name), str(band)].append(i)
    for (name, band), members in groups.items():
        place = f"{source}: star {name!r} in {band}"
        given = [i for i in members if np.isfinite(own[i])]
        if given:
            _refuse_two(given, own, _SAME_FLUX, f"{place} has two predicted fluxes", rows)
            flux[[i for i in members if not np.isfinite(own[i])]] = own[given[0]]
        ratio = stated / flux
        known = [i for i in members if np.isfinite(ratio[i])]
        if states and given and not known:
            raise InputError(
                f"{source} row {rows['row'][given[0]]}: column 'model_flux_unc' is blank, and no "
                f"row of {name!r} in {band} states it; fill it in, with 0 where the scatter that "
                "the fit learns is to stand for it, or leave the column out."
            )
        if known:
            said = f"{place} has two errors of its predicted flux"
            _refuse_two(known, stated, _SAME_ERROR, said, rows)
            unc[members] = np.max(ratio[known]) * flux[members]
    rows["model_flux"], rows["model_flux_unc"] = flux * FLUX, unc * FLUX


def _refuse_two(
    members: Sequence[int], values: NDArray[np.float64], same: float, said: str, rows: QTable
) -> None:
    """Refuse rows of a star and band that state two numbers where there is one."""
    first = members[0]
    for i in members[1:]:
        if abs(values[i] - values[first]) > same * max(values[i], values[first]):
            one, two = (f"{values[k]:.6g} mJy (row {rows['row'][k]})" for k in (first, i))
            raise InputError(
                f"{said}, {one} and {two}; give one for all its rows, or blank the wrong one."
            )
