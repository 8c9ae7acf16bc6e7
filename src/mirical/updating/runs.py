"""Runs of all rows: by reweighted draws, in batches, by a fast fit, or by chains."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import xarray as xr

from mirical.chains.running import Course
from mirical.chains.verdict import Verdict
from mirical.chains.weighted_verdict import WEIGHTED_ESS, Weighed, judge_weighted
from mirical.fast.fit import FAST_ESS, Tell
from mirical.inference.posterior import PRINTED, reported
from mirical.reporting.run import Drawn, Run, complete, run_fast, run_job
from mirical.updating.added import Update
from mirical.updating.weighing import REMEDY, Weighing, assimilate_in_batches, draw_again

UPDATED, REFITTED = "update", "fit of all rows"
"""How the draws of an updated run were made."""

_IN_BATCHES = (
    "The draws were not made by chains that ran until they agreed: some draws of the earlier run "
    "assimilated the new rows in batches, weighted and moved by exact steps after each, and short "
    "chains of exact steps begin at them."
)

Notes = Callable[[Sequence[str]], None]


def update_draws(update: Update, weighing: Weighing, watch: Tell = lambda doing: None) -> Run:
    """Return the run of all rows: by weights, or in batches where the weights cannot be used."""
    k, limit, effective = weighing.weights.k, weighing.weights.limit, weighing.effective
    if weighing.enough:
        how = Weighed(UPDATED, k, limit, effective, REMEDY, least=WEIGHTED_ESS)
        told = {"pareto_k": k, "effective_draws": effective}
        run = _complete(update, draw_again(update, weighing), how, told)
        if run.verdict.believable:
            return run
    drawn, doubts = assimilate_in_batches(update, weighing, watch)
    how = Weighed(UPDATED, None, limit, None, REMEDY, doubts, FAST_ESS, _IN_BATCHES)
    return _complete(update, drawn, how, {})


def how_updated(weighing: Weighing, run: Run) -> str:
    """Return in words how draws of a run became those of all rows."""
    k = weighing.weights.k
    if run.verdict.pareto_k is None:
        return f"updated in batches of new rows: {weighing.shortage}."
    return f"updated by weights: Pareto k {k:.2f}, {weighing.effective:.0f} effective draws left."


def _complete(update: Update, drawn: Drawn, how: Weighed, told: Mapping[str, float]) -> Run:
    def judged(made: xr.DataTree) -> Verdict:
        return judge_weighted(made, reported(made), PRINTED, how)

    origin = {"method": UPDATED, **update.origin, **told}
    run = complete(update.job, update.inputs, drawn, judged, origin=origin)
    return replace(run, photometry=update.content)


def fit_fast_again(update: Update, tell: Notes, watch: Tell) -> Run:
    """Approximate the posterior of all rows (`mirical.fast`)."""
    run = run_fast(update.job, update.inputs, tell, watch, update.origin, roomy=True)
    return replace(run, photometry=update.content)


def fit_again(update: Update, course: Course, tell: Notes) -> Run:
    """Fit the job to all rows."""
    origin = {"method": REFITTED, **update.origin}
    run = run_job(update.job, update.inputs, course, tell, origin)
    return replace(run, photometry=update.content)
