"""Visits and programs whose rows are left out together, and how likely their rows are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mirical.checking.infrared_excess import log_densities
from mirical.jobs.inputs import Inputs
from mirical.model.row_gaussian import Gaussian


@dataclass(frozen=True)
class Group:
    """Rows that are left out together.

    Attributes
    ----------
    kind : str
        ``visit`` or ``program``.
    name : str
        Of the visit, or the program's number.
    rows : (row of the group,) int array
        Places of its rows in the design.
    """

    kind: str
    name: str
    rows: NDArray[np.intp]


def row_groups(inputs: Inputs) -> tuple[Group, ...]:
    """Return the visits and programs of the fitted rows, but for one that has them all.

    Rows that state no program belong to none.
    """
    design, table = inputs.design, inputs.factors.observations.table
    used = np.array([not flag for flag in table["flag"]])
    visit = np.array(design.visits)[np.asarray(design.visit)]
    groups = []
    for kind, names in (("visit", visit), ("program", np.array(table["PID"], dtype=str)[used])):
        for name in dict.fromkeys(names.tolist()):
            rows = np.flatnonzero(names == name)
            if name and len(rows) < len(names):
                groups.append(Group(kind, name, rows))
    return tuple(groups)


def group_log_density(rows: Gaussian, group: NDArray[np.intp]) -> float:
    """Return the log density of a group of rows given all others at a draw.

    Whichever of them are outliers: the patterns summed over are those of `log_densities`.
    """
    off, covariance = rows.given_others(group)
    bare = covariance - np.diag(rows.outlier[group] * rows.outlier_width**2)
    patterns = np.unique([np.zeros(len(group)), rows.outlier[group]], axis=0)
    return float(log_densities(bare, off[:, None], patterns, rows)[0])
