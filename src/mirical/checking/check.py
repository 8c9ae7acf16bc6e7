"""The check of a run: predictive checks, outliers, excesses, influence and priors, as tables."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from mirical.checking.draw_blocks import gather_quantities
from mirical.checking.group_table import group_table
from mirical.checking.left_out_groups import row_groups
from mirical.checking.prior_sensitivity import report_words, sensitivity_table, word_table
from mirical.checking.quantities import Questions
from mirical.checking.score_directions import families
from mirical.checking.source_parameters import row_parameters
from mirical.checking.star_refits import StarRefits
from mirical.checking.step_scan import step_dates, step_table
from mirical.checking.tables import (
    anomaly_table,
    check_table,
    dependence_table,
    influence_table,
    loo_table,
    pit_table,
    point_table,
    slope_columns,
)
from mirical.checking.verdict import sentences
from mirical.inference.gaussian import Gaussians
from mirical.inference.gaussian_draws import row_sites
from mirical.jobs.inputs import Inputs
from mirical.many.running import run_here
from mirical.many.tasks import Runner
from mirical.pages.page_folder import AboutRun

Floats = NDArray[np.float64]

FEWEST_DRAWS = 50
"""Draws fewer than which Pareto shapes say nothing."""


@dataclass(frozen=True)
class CheckPlan:
    """What is asked of a run.

    Attributes
    ----------
    draws : int
        How many of the posterior's draws are looked at, evenly spread.
    refit : bool
        Whether the rows are fitted without each star whose effect the draws cannot tell.
    run : Runner
        Looks at draws and makes the fits.
    """

    draws: int
    refit: bool = True
    run: Runner = run_here


class CheckWatch(Protocol):
    """Watches the check of a run."""

    def advance(self, draws: int) -> None:
        """Take note of so many more draws looked at."""
        ...

    def refit(self, fits: int) -> Callable[[], None]:
        """Take note that so many fits without a star come; return who takes note of each."""
        ...


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


def check_run(
    name: str, posterior: xr.DataTree, inputs: Inputs, plan: CheckPlan, watch: CheckWatch
) -> CheckedRun:
    """Check a run; writes nothing.

    Parameters
    ----------
    name : str
        The run's.
    posterior, inputs : DataTree, Inputs
        As `mirical.reporting.stored_inputs.open_run` returns them.
    plan : CheckPlan
        What is asked.
    watch : CheckWatch
        Told of every draw and fit done.
    """
    design, card = inputs.design, inputs.card
    seed = int(posterior.attrs["seed"])
    group = posterior["posterior"].to_dataset()
    sites = row_sites({str(name): np.asarray(group[name]) for name in group}, card)
    gaussians = Gaussians(sites, design, card, seed)
    wanted = np.linspace(0, len(gaussians) - 1, min(plan.draws, len(gaussians))).astype(int)
    # The draw that counts is one of them, chosen by the seed before anything is known.
    wanted = np.random.default_rng([seed, len(wanted)]).permutation(wanted)
    parameters = row_parameters(inputs.factors)
    columns = slope_columns(design, parameters)
    stacked = (
        np.stack(list(columns.values()), axis=1) if columns else np.zeros((len(design.rows), 0))
    )
    groups = row_groups(inputs)
    left_out = tuple(group.rows for group in groups)
    questions = Questions(families(design, parameters), stacked, seed, left_out)
    each = gather_quantities(gaussians, questions, wanted.tolist(), watch.advance, plan.run)
    refits = StarRefits(seed, run=plan.run, begin=watch.refit) if plan.refit else None
    steps = step_table(np.array([one.step for one in each]), step_dates(design))
    made = {
        "checks": check_table(each, steps),
        "steps": steps,
        "dependences": dependence_table(each, columns, design, parameters),
        "anomalies": anomaly_table(each, design),
        "influence": influence_table(each, inputs, refits),
        "left_out": group_table(each, wanted.tolist(), posterior, design, groups),
        "loo": loo_table(each, posterior, design),
    }
    made["pit"] = pit_table(made["loo"])
    made["points"] = point_table(posterior, design, parameters)
    made["points"]["outlier_probability"] = np.mean([one.outlier for one in each], axis=0)
    made["psense"] = sensitivity_table(posterior, card)
    made["prior_words"] = word_table(report_words(posterior), made["psense"])
    for table in made.values():
        table.meta |= {"run": name, "draws": len(wanted), "seed": seed}
        if posterior.attrs["simulated"]:
            table.meta["simulated"] = True
    attrs, instrument = {str(k): v for k, v in posterior.attrs.items()}, inputs.instrument
    return CheckedRun(name, attrs, made, instrument, sentences(made))
