"""A run updated with new rows: its draws weighed, or the job fitted again where that fails."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import xarray as xr
from arviz_stats.base.array import array_stats
from astropy import units as u
from astropy.table import QTable

from mirical.calibration.manifest import MANIFEST
from mirical.calibration.store import StoredRun
from mirical.chains.running import Course
from mirical.chains.verdict import Verdict
from mirical.chains.weighted_verdict import WEIGHTED_ESS, Weighed, judge_weighted
from mirical.conventions import SIMULATED
from mirical.inference.posterior import PRINTED, reported
from mirical.inference.sampling import sample_prior
from mirical.inference.schema import Arrays
from mirical.jobs.inputs import Inputs, resolve_job
from mirical.jobs.job import Job
from mirical.model.design import Design
from mirical.model.nesting import roomy_rows
from mirical.model.terms import colour_correlation
from mirical.reporting.run import Drawn, Run, complete, run_fast, run_job
from mirical.reporting.run_folder import PHOTOMETRY
from mirical.tables.added_rows import AddedRows, added_rows
from mirical.tables.apertures import KEY, refuse_other_apertures
from mirical.tables.formats import write_ecsv
from mirical.tables.photometry import Observations
from mirical.weighting.assimilation import MOST_ROWS, DrawnBeside, weigh_draws
from mirical.weighting.moves import moved_sites
from mirical.weighting.padding import cut
from mirical.weighting.pareto import Weights, resample, smooth_weights
from mirical.weighting.redrawn import redrawn_sites

_SAME = 1e-9  # of what a row that both have is fitted to
_OF_ROWS = "expected", "sigma"
FEWEST = 100
"""Effective draws that weights must leave for their copies to be moved apart."""
_MOVED = 4000  # draws at most where they are moved, which takes milliseconds each
UPDATED, REFITTED = "update", "fit of all rows"
"""How the draws of an updated run were made."""

_REMEDY = "run the job again on all rows"

Tell = Callable[[Sequence[str]], None]


@dataclass(frozen=True)
class Update:
    """A run with rows added, ready to be fitted.

    Attributes
    ----------
    parent : StoredRun
        The run.
    before : Inputs
        What the run fitted.
    job, inputs : Job, Inputs
        The same with the rows added.
    added : AddedRows
        Which they are.
    content : bytes
        All rows as a file.
    origin : dict
        Provenance.
    """

    parent: StoredRun
    before: Inputs
    job: Job
    inputs: Inputs
    added: AddedRows
    content: bytes
    origin: dict[str, str | int | float]

    @property
    def seed(self) -> int:
        """Of what is drawn in the update; another one in every update of a succession."""
        told = self.job.sampler.seed, self.origin["parent_sha256"], self.origin["new_rows_sha256"]
        return int.from_bytes(hashlib.sha256(repr(told).encode()).digest()[:4], "big")


def prepare_update(
    parent: StoredRun, job: Job, before: Inputs, new: Observations, seed: int | None = None
) -> Update | None:
    """Put new rows behind those of a run; None if the run has them all.

    Parameters
    ----------
    parent, job, before : StoredRun, Job, Inputs
        The run, as its folder holds it.
    new : Observations
        The new rows.
    seed : int, optional
        In place of the run's.

    Raises
    ------
    InputError
        If a row is changed, was measured in other apertures, or cannot be fitted beside the run's.
    """
    refuse_other_apertures(new.source, new.measured_in, before.factors.apertures)
    observations = before.factors.observations
    added = added_rows(observations, new)
    if not added.fresh:
        return None
    name = str(parent.posterior.attrs["job"])
    seed = job.sampler.seed if seed is None else seed
    job = replace(job, name=name, sampler=replace(job.sampler, seed=seed), columns={})
    with TemporaryDirectory() as folder:
        path = Path(folder) / PHOTOMETRY
        write_ecsv(_table(observations, new, added), path)
        content = path.read_bytes()
        # Whatever flux its factors are quoted with, a free star says the same: a flux that the run
        # has stays, so that its rows stay what they are.
        inputs = resolve_job(replace(job, photometry=str(path)), before.factors.nominal_fluxes())
    origin: dict[str, str | int | float] = {
        "parent": parent.folder.resolve().name,
        "parent_sha256": hashlib.sha256((parent.folder / MANIFEST).read_bytes()).hexdigest(),
        "new_rows": new.source,
        "new_rows_sha256": new.data_hash,
    }
    return Update(parent, before, job, inputs, added, content, origin)


def _table(run: Observations, new: Observations, added: AddedRows) -> QTable:
    """Return all rows as a photometry table states them."""
    table = added.merged.copy()
    del table["row"]
    names = zip(table["name"], table["visit"], strict=True)
    table["visit"] = [str(visit).removeprefix(f"{name} ") for name, visit in names]
    if "model_flux_unc" not in new.table.colnames:
        _without_errors(table, len(run.table))
    # A column in which nothing is stated says nothing, and one of errors would ask for more.
    for column in [c for c in table.colnames if isinstance(table[c], u.Quantity)]:
        if not np.any(np.isfinite(table[column].value)):
            del table[column]
    apertures = {**run.measured_in, **new.measured_in}
    meta: dict[str, object] = {}
    if run.simulated or new.simulated:
        meta |= {"title": f"{SIMULATED} photometry of standard stars", "simulated": True}
    if apertures:
        meta[KEY] = {band: list(radii) for band, radii in apertures.items()}
    table.meta = meta
    return table


def _without_errors(table: QTable, old: int) -> None:
    """Let new rows state no error of their predicted fluxes, as the table they are from does.

    Where a column states errors, a blank one is a mistake; those of a star and band count for all.
    """
    unc, flux = table["model_flux_unc"], table["model_flux"]
    of = list(zip(map(str, table["name"]), map(str, table["filter"]), strict=True))
    stated = {one for one, value in zip(of, unc.value, strict=True) if np.isfinite(value)}
    for i in range(old, len(table)):
        if np.isfinite(flux[i]) and of[i] not in stated:
            unc[i] = 0 * flux[i]


def obstacle(update: Update) -> str | None:
    """Return why the draws of a run cannot be weighed by new rows, None if they can."""
    if not update.parent.believable:
        return "the run itself must not be believed"
    before, after = update.before.design, update.inputs.design
    old = len(before.rows)
    bands = [band for band in after.bands if band not in before.bands]
    if bands:
        return f"the run has no rows of {', '.join(bands)}"
    if after.rows[:old] != before.rows or not _alike(before, after):
        return "the new rows change what the run's own rows are taken for"
    if len(after.rows) - old > MOST_ROWS:
        return f"{len(after.rows) - old} rows are more than {MOST_ROWS}"
    one, two = before.covariates, after.covariates
    for name in ("rated", "welled", "reductions", "steps", "knots"):
        if getattr(one, name) != getattr(two, name):
            return f"the new rows change the {name} that the card's detector terms rest on"
    return None


def _alike(before: Design, after: Design) -> bool:
    """Return whether the rows that a run had are the same among others."""
    old, n_stars = len(before.rows), len(before.stars)
    columns = "log_factor", "log_factor_unc", "elapsed", "band", "subarray", "star"
    same = all(
        np.allclose(getattr(after, name)[:old], getattr(before, name), rtol=_SAME, atol=_SAME)
        for name in columns
    )
    place = np.asarray(before.star), np.asarray(before.band)
    stated = (np.asarray(one.flux_unc)[place] for one in (before, after))
    visits = [after.visits[i] for i in after.visit[:old]]
    return (
        same
        and visits == [before.visits[i] for i in before.visit]
        and np.allclose(*stated, rtol=1e-6, atol=0)
        and np.array_equal(after.free[:n_stars], before.free)
    )


@dataclass(frozen=True)
class Weighing:
    """Draws of a run, weighed by new rows.

    Attributes
    ----------
    chains : int
        In how many the draws are stored.
    sites : dict of {str : (draw, ...) array}
        The draws, chain behind chain.
    drawn : Weighed
        What was drawn beside.
    weights : Weights
        Of the draws.
    effective : float
        Independent draws left.
    moved : bool
        Whether they are so few that their copies are moved apart.
    """

    chains: int
    sites: Arrays
    drawn: DrawnBeside
    weights: Weights
    effective: float
    moved: bool

    @property
    def failure(self) -> str | None:
        """Why the weights must not be trusted, None if they may be."""
        k, limit = self.weights.k, self.weights.limit
        if not k < limit:
            return (
                "the new rows are not what the run expects: Pareto k of the weights is "
                f"{k:.2f}, not below {limit:.2f}"
            )
        if self.moved and not self.effective >= FEWEST:
            return f"the weights leave {self.effective:.0f} effective draws, fewer than {FEWEST}"
        return None


def weigh(update: Update) -> Weighing:
    """Weigh the draws of a run by new rows."""
    chains, sites = _flat(update.parent.posterior)
    old, card = len(update.before.design.rows), update.inputs.card
    drawn = weigh_draws(sites, update.inputs.design, old, card, update.seed)
    weights = smooth_weights(drawn.log_weight, _efficiency(drawn.log_weight, chains))
    left = update.parent.posterior.attrs.get("effective_draws")
    effective = weights.effective
    if left is not None:  # a draw that was weighed before may stand there many times
        effective = min(effective, float(left) / len(weights.values) * weights.kish)
    return Weighing(chains, sites, drawn, weights, effective, effective < WEIGHTED_ESS)


def update_by_weights(update: Update, weighing: Weighing) -> Run:
    """Make of weighed draws the run of all rows, moved if they would not do as they are."""
    run = assimilate(update, weighing, draw_again(update, weighing))
    if run.verdict.believable or weighing.moved:
        return run
    weighing = replace(weighing, moved=True)
    return assimilate(update, weighing, draw_again(update, weighing))


def draw_again(update: Update, weighing: Weighing) -> Drawn:
    """Return draws of equal weights, with all offsets drawn anew, and the prior's."""
    design, card, weights = update.inputs.design, update.inputs.card, weighing.weights
    mjd = float(update.parent.posterior.attrs["reference_mjd"])
    chains, number = weighing.chains, len(weights.values)
    if weighing.moved:
        number = min(number, _MOVED // chains * chains)
    draw = resample(weights.values, number, update.seed)
    kept = {n: v[draw] for n, v in weighing.sites.items() if n not in _DRAWN_AGAIN}
    if card.has("star_band_offset"):
        kept["colour_precision"] = weighing.drawn.colour_precision[draw]
    rows = roomy_rows(design, colour_correlation(design, card))
    outlier = weighing.drawn.outlier[draw]
    if weighing.moved:
        kept = moved_sites(kept, outlier, rows, card, update.seed)
    sites = cut(redrawn_sites(kept, outlier, rows, card, update.seed, mjd), design)
    stats = {"parent_draw": draw, "log_weight": np.log(np.maximum(weights.values[draw], 1e-300))}
    return Drawn(
        {name: values.reshape(chains, -1, *values.shape[1:]) for name, values in sites.items()},
        {name: values.reshape(chains, -1) for name, values in stats.items()},
        _prior(update, rows.design),
    )


def _prior(update: Update, full: Design) -> Arrays:
    """Return draws from the prior: the run's, with more visits, or new ones if stars are new."""
    before, design = update.before.design, update.inputs.design
    seed, prior = update.job.sampler.seed, update.parent.posterior["prior"].to_dataset()
    if (before.stars, before.types) != (design.stars, design.types):
        return cut(sample_prior(full, update.inputs.card, seed), design)
    drawn = {str(name): values.values[0] for name, values in prior.data_vars.items()}
    if "visit_offset" in drawn:
        known = drawn["visit_offset"]
        more = np.random.default_rng(update.seed).normal(
            size=(len(known), len(design.visits) - known.shape[1])
        )
        scale = drawn.get("visit_scale", np.zeros(len(known)))
        drawn["visit_offset"] = np.concatenate([known, scale[:, None] * more], axis=1)
    return drawn


def assimilate(update: Update, weighing: Weighing, drawn: Drawn) -> Run:
    """Make of draws that were weighed and drawn again the run of all rows."""
    k, limit = weighing.weights.k, weighing.weights.limit
    # Draws that were moved tell by themselves how many they are worth.
    effective = None if weighing.moved else weighing.effective
    how = Weighed(UPDATED, k, limit, effective, _REMEDY, least=WEIGHTED_ESS)
    if weighing.moved:
        how = replace(how, how=_HOW_MOVED)

    def judged(made: xr.DataTree) -> Verdict:
        return judge_weighted(made, reported(made), PRINTED, how)

    told = {"pareto_k": k} | ({} if effective is None else {"effective_draws": effective})
    origin = {"method": UPDATED, **update.origin, **told}
    run = complete(update.job, update.inputs, drawn, judged, origin=origin)
    return replace(run, photometry=update.content)


_HOW_MOVED = (
    "The draws were not made by chains that ran until they agreed: draws of another density stand "
    "as often as their weights say, and each was moved by two exact trajectories of the collapsed "
    "density, with offsets drawn anew."
)
_DRAWN_AGAIN = (*_OF_ROWS, "star_band_offset", "flux_scale")


def fit_fast_again(update: Update, tell: Tell, watch: Callable[[str], None]) -> Run:
    """Approximate the posterior of all rows (`mirical.fast`)."""
    run = run_fast(update.job, update.inputs, tell, watch, update.origin)
    return replace(run, photometry=update.content)


def fit_again(update: Update, course: Course, tell: Tell) -> Run:
    """Fit the job to all rows."""
    origin = {"method": REFITTED, **update.origin}
    run = run_job(update.job, update.inputs, course, tell, origin)
    return replace(run, photometry=update.content)


def _flat(posterior: xr.DataTree) -> tuple[int, Arrays]:
    """Return how many chains there are, and all draws by name, chain behind chain."""
    drawn = posterior["posterior"].to_dataset()
    sites = {}
    for name, variable in drawn.data_vars.items():
        values = variable.transpose("chain", "draw", ...).values
        if values.dtype.kind == "f":
            sites[str(name)] = values.reshape(-1, *values.shape[2:])
    return drawn.sizes["chain"], sites


def _efficiency(log_weight: np.ndarray, chains: int) -> float:
    """Return how many independent draws a draw is worth to a mean of the weights, at most one."""
    weight = np.exp(log_weight - np.max(log_weight)).reshape(chains, -1)
    if np.ptp(weight) == 0:
        return 1.0
    ess = np.asarray(array_stats.ess(weight, chain_axis=0, draw_axis=1, method="mean")).item()
    return float(np.clip(ess / weight.size, 1 / weight.size, 1.0))
