"""Parts of a difference: what weighs rows that share errors, and the table of parts."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import xarray as xr
from astropy import units as u
from astropy.table import QTable
from numpy.typing import NDArray

from mirical.model.design import Design

Floats = NDArray[np.float64]


def table_of_parts(
    bands: list[str], steps: Floats, unit: u.UnitBase, told: Mapping[str, str]
) -> QTable:
    """Return filter, a column a part, their total, and the name of the biggest.

    Parameters
    ----------
    bands : list of str
        One a row.
    steps : (band, part) array
        The parts.
    unit : Unit
        Theirs.
    told : mapping of {str : str}
        Description by part.
    """
    table = QTable({"filter": bands})
    for (name, what), step in zip(told.items(), steps.T, strict=True):
        table[name] = step * unit
        table[name].info.description = what
    table["total"] = steps.sum(axis=1) * unit
    table["biggest"] = [list(told)[i] for i in np.argmax(np.abs(steps), axis=1)]
    return table


def shared_covariance(
    posterior: xr.DataTree, design: Design, here: NDArray[np.bool_], sigma: Floats
) -> Floats:
    """Return the covariance of a band's rows by their own errors and those they share."""
    group = posterior["posterior"].to_dataset()

    def variance(name: str) -> float:
        return float(np.mean(np.asarray(group[name]) ** 2)) if name in group else 0.0

    star, visit = np.asarray(design.star)[here], np.asarray(design.visit)[here]
    kind = np.asarray(design.star_type)[star]
    of_star = variance("star_scale") + variance("colour_scale")
    return (
        np.diag(sigma[here] ** 2)
        + of_star * (star[:, None] == star)
        + (variance("type_scale") + variance("type_band_scale")) * (kind[:, None] == kind)
        + variance("visit_scale") * (visit[:, None] == visit)
    )


def weighted(values: Floats, covariance: Floats) -> float:
    """Return the generalised least-squares mean."""
    weights = np.linalg.solve(covariance, np.ones(len(values)))
    return float(weights @ values / weights.sum())
