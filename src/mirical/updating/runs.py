"""Runs of all rows: by weighed draws, by a fast fit, or by chains."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import xarray as xr

from mirical.chains.running import Course
from mirical.chains.verdict import Verdict
from mirical.chains.weighted_verdict import WEIGHTED_ESS, Weighed, judge_weighted
from mirical.fast.fit import FAST_ESS
from mirical.inference.posterior import PRINTED, reported
from mirical.reporting.run import Drawn, Run, complete, run_fast, run_job
from mirical.updating.added import Update
from mirical.updating.weighing import REMEDY, Watch, Weighing, draw_again, move

UPDATED, REFITTED = "update", "fit of all rows"
"""How the draws of an updated run were made."""

_HOW_MOVED = (
    "The draws were not made by chains that ran until they agreed: some draws of the earlier run "
    "took in the new rows, some rows after others, weighted and moved by exact steps between, and "
    "short chains of exact steps begin at them."
)

Tell = Callable[[Sequence[str]], None]


def update_by_weights(update: Update, weighing: Weighing, watch: Watch = lambda doing: None) -> Run:
    """Make of weighed draws the run of all rows, moved if they would not do as they are."""
    if not weighing.moved:
        run = assimilate(update, weighing, draw_again(update, weighing))
        if run.verdict.believable:
            return run
    drawn, doubts = move(update, weighing, watch)
    return assimilate(update, replace(weighing, moved=True), drawn, doubts)


def assimilate(
    update: Update, weighing: Weighing, drawn: Drawn, doubts: tuple[str, ...] = ()
) -> Run:
    """Make of draws that were weighed, and drawn again or moved, the run of all rows.

    `doubts` are sentences of what speaks against them.
    """
    k, limit, effective = weighing.weights.k, weighing.weights.limit, weighing.effective
    how = Weighed(UPDATED, k, limit, effective, REMEDY, doubts, least=WEIGHTED_ESS)
    told: dict[str, str | int | float] = {"pareto_k": k, "effective_draws": effective}
    if weighing.moved:  # draws that were moved tell by themselves how many they are worth
        how = Weighed(UPDATED, None, limit, None, REMEDY, doubts, FAST_ESS, _HOW_MOVED)
        told = {}

    def judged(made: xr.DataTree) -> Verdict:
        return judge_weighted(made, reported(made), PRINTED, how)

    origin = {"method": UPDATED, **update.origin, **told}
    run = complete(update.job, update.inputs, drawn, judged, origin=origin)
    return replace(run, photometry=update.content)


def fit_fast_again(update: Update, tell: Tell, watch: Watch) -> Run:
    """Approximate the posterior of all rows (`mirical.fast`)."""
    run = run_fast(update.job, update.inputs, tell, watch, update.origin, roomy=True)
    return replace(run, photometry=update.content)


def fit_again(update: Update, course: Course, tell: Tell) -> Run:
    """Fit the job to all rows."""
    origin = {"method": REFITTED, **update.origin}
    run = run_job(update.job, update.inputs, course, tell, origin)
    return replace(run, photometry=update.content)
