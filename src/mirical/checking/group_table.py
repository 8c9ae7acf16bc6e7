"""Table of what leaving out each visit and each program would do to the factors."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr
from astropy import units as u
from astropy.table import QTable

from mirical.checking.left_out_groups import Group
from mirical.checking.quantities import AtDraw, k_limit, smoothed
from mirical.model.design import Design


def group_table(
    each: Sequence[AtDraw],
    draws: Sequence[int],
    posterior: xr.DataTree,
    design: Design,
    groups: Sequence[Group],
) -> QTable:
    """Return the change of each band's C_ref without each visit and each program.

    Parameters
    ----------
    each : sequence of AtDraw
        What the draws say, asked about the groups.
    draws : sequence of int
        Which they are, chains one after the other.
    posterior : DataTree
        The run's.
    design, groups : Design, sequence of Group
        Rows, and those left out together.

    Returns
    -------
    QTable
        A line for each group and band that rows of others are left in; the weights are those
        of 1 / p(rows of the group | all others).
    """
    drawn = posterior["posterior"].to_dataset()
    c_ref, a = (np.asarray(drawn[n]).reshape(-1, len(design.bands))[draws] for n in ("C_ref", "A"))
    of_law = np.log(c_ref / a)  # what the law and the steps add to ln A at the epoch of C_ref
    whole = np.array([one.log_a for one in each]) + of_law
    std = np.sqrt(whole.var(axis=0) + np.mean([one.log_a_var for one in each], axis=0))
    limit = k_limit(len(each))
    band = np.asarray(design.band)
    lines = []
    for g, group in enumerate(groups):
        weighted = smoothed(-np.array([one.group_said[g] for one in each]))
        without = np.array([one.log_a_without_group[g] for one in each]) + of_law
        shift = weighted.weights @ without - whole.mean(axis=0)
        others = np.unique(np.delete(band, group.rows))
        told = "formula" if weighted.k < limit else "unknown"
        lines += [
            (
                *(group.kind, group.name, len(group.rows), design.bands[b]),
                *(100 * shift[b], shift[b] / std[b], float(weighted.k), told),
            )
            for b in others
        ]
    names = ("left_out", "name", "rows", "filter", "shift", "shift_sigma", "pareto_k", "basis")
    table = QTable(rows=lines, names=names) if lines else QTable({name: [] for name in names})
    table["shift"] = np.asarray(table["shift"], dtype=float) * u.percent
    table["left_out"].info.description = "Visit, or program"
    table["shift"].info.description = "Change of C_ref if the rows of the group are left out"
    table["shift_sigma"].info.description = "The same in posterior standard deviations of ln C_ref"
    table["basis"].info.description = "Formula, or unknown where the draws do not reach"
    table.meta |= {
        "title": "Effect of each visit and program on C_ref",
        "pareto_k_limit": limit,
    }
    return table
