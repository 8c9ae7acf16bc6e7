"""The check of a run: predictive checks, outliers, infrared excesses and influence, as tables."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from mirical.checking.quantities import (
    gather_quantities,
)
from mirical.checking.score_directions import families
from mirical.checking.source_parameters import row_parameters
from mirical.checking.tables import (
    anomaly_table,
    check_table,
    dependence_table,
    influence_table,
    loo_table,
    point_table,
    slope_columns,
)
from mirical.checking.verdict import sentences
from mirical.errors import InputError
from mirical.inference.gaussian import Gaussians
from mirical.inference.gaussian_draws import row_sites
from mirical.inference.jobs import Inputs
from mirical.reporting.page_folder import AboutRun

Floats = NDArray[np.float64]

FEWEST_DRAWS = 50
"""Draws fewer than which Pareto shapes say nothing."""


@dataclass(frozen=True)
class CheckedRun(AboutRun):
    """What the checks say of a run.

    Attributes
    ----------
    sentences : tuple of str
        The verdict.
    """

    sentences: tuple[str, ...]

    @property
    def believable(self) -> bool:
        """Whether no check fired."""
        return not np.any(self.tables["checks"]["fires"])


def require_draws(posterior: xr.DataTree, folder: Path) -> None:
    """Refuse a posterior whose draws are too few to check.

    Raises
    ------
    InputError
        If there are fewer than `FEWEST_DRAWS`.
    """
    n_draws = posterior["posterior"].sizes["chain"] * posterior["posterior"].sizes["draw"]
    if n_draws < FEWEST_DRAWS:
        raise InputError(
            f"{folder}: has {n_draws} draws; at least {FEWEST_DRAWS} are needed: run the job with "
            "more."
        )


def check_run(
    name: str,
    posterior: xr.DataTree,
    inputs: Inputs,
    draws: int,
    advance: Callable[[], None],
    refit: Callable[[int], Callable[[], None]] | None = None,
) -> CheckedRun:
    """Check a run; writes nothing.

    Parameters
    ----------
    name : str
        The run's.
    posterior, inputs : DataTree, Inputs
        As `mirical.reporting.stored_inputs.open_run` returns them.
    draws : int
        How many of the posterior's draws are looked at, evenly spread.
    advance : callable
        Told of every draw done.
    refit : callable, optional
        Told of the number of fits without a star, of those whose effect the draws cannot tell;
        returns who is told of each. By default none is made, and that is not told.
    """
    design, card = inputs.design, inputs.card
    seed = int(posterior.attrs["seed"])
    group = posterior["posterior"].to_dataset()
    sites = row_sites({str(name): np.asarray(group[name]) for name in group}, card)
    gaussians = Gaussians(sites, design, card, seed)
    wanted = np.linspace(0, len(gaussians) - 1, min(draws, len(gaussians))).astype(int)
    # The draw that counts is one of them, chosen by the seed before anything is known.
    wanted = np.random.default_rng([seed, len(wanted)]).permutation(wanted)
    parameters = row_parameters(inputs.factors)
    columns = slope_columns(design, parameters)
    stacked = (
        np.stack(list(columns.values()), axis=1) if columns else np.zeros((len(design.rows), 0))
    )
    each = gather_quantities(
        gaussians, families(design, parameters), stacked, wanted.tolist(), seed, advance
    )
    made = {
        "checks": check_table(each),
        "dependences": dependence_table(each, columns, design, parameters),
        "anomalies": anomaly_table(each, design),
        "influence": influence_table(each, inputs, seed, refit),
        "loo": loo_table(each, posterior, design),
    }
    made["points"] = point_table(posterior, design, parameters)
    made["points"]["outlier_probability"] = np.mean([one.outlier for one in each], axis=0)
    for table in made.values():
        table.meta |= {"run": name, "draws": len(wanted), "seed": seed}
        if posterior.attrs["simulated"]:
            table.meta["simulated"] = True
    return CheckedRun(name, {str(k): v for k, v in posterior.attrs.items()}, made, sentences(made))
