"""A run: a job fitted to its rows, with its posterior, verdict and tables."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version

import numpy as np
import xarray as xr
from astropy.table import QTable

from mirical.calibration.comparison import compare_coefficients
from mirical.calibration.draws import Draws
from mirical.calibration.posterior import PosteriorCalibration
from mirical.calibration.published import PublishedCalibration
from mirical.calibration.star_fluxes import star_fluxes
from mirical.calibration.stored_constants import with_apertures, with_fluxes
from mirical.chains.running import Course
from mirical.chains.sampling import sample
from mirical.chains.verdict import Verdict, blame_rows, judge
from mirical.chains.weighted_verdict import Weighed, judge_weighted
from mirical.fast.drift import drift_sentences
from mirical.fast.fit import FAST, FAST_ESS, HOW, FastDraws, Manner, fit_fast
from mirical.inference.disagreements import disagreements
from mirical.inference.posterior import (
    PRINTED,
    build_posterior,
    coordinates,
    reported,
)
from mirical.inference.posterior_predictive import check_rows
from mirical.inference.row_likelihood import log_likelihood_given_others
from mirical.inference.sampling import sample_prior
from mirical.inference.schema import Arrays
from mirical.instruments.cards import DEFAULT, kept_as
from mirical.instruments.instrument import Instrument
from mirical.jobs.inputs import Inputs
from mirical.jobs.job import Job
from mirical.reporting import curves, run_tables
from mirical.reporting.forecast import forecast_table
from mirical.version import __version__

_RECORDED = ("jax", "numpyro", "arviz-base", "numpy", "astropy")


@dataclass(frozen=True)
class Run:
    """Everything a job produced.

    Attributes
    ----------
    job, inputs : Job, Inputs
        What was asked for and what it resolved to.
    posterior : DataTree
        Draws, predictive rows, statistics, with provenance at the root.
    verdict : Verdict
        Whether to believe them.
    tables : dict of {str : QTable}
        By file name without ``.ecsv``.
    in_time : bool
        Whether sampling ended otherwise than by the time limit.
    photometry : bytes or None
        The rows as a file for the run's folder, where no other file holds them.
    """

    job: Job
    inputs: Inputs
    posterior: xr.DataTree
    verdict: Verdict
    tables: dict[str, QTable]
    in_time: bool = True
    photometry: bytes | None = None

    @property
    def instrument(self) -> Instrument:
        """Whose rows were fitted."""
        return self.inputs.instrument


@dataclass(frozen=True)
class Drawn:
    """Draws of a posterior, however they were made.

    Attributes
    ----------
    sites : dict of {str : (chain, draw, ...) array}
        Every site of the model, ``B`` and ``C_ref``.
    stats : dict of {str : (chain, draw) array}
        Statistics of each draw.
    prior : dict of {str : (draw, ...) array}
        Draws of the sites from the prior.
    """

    sites: Arrays
    stats: Arrays
    prior: Arrays


def run_job(
    job: Job,
    inputs: Inputs,
    course: Course,
    tell: Callable[[Sequence[str]], None] = lambda sentences: None,
    origin: Mapping[str, str | int | float] | None = None,
) -> Run:
    """Sample the posterior of a job and make its tables; writes nothing.

    Parameters
    ----------
    job, inputs : Job, Inputs
        What to fit.
    course : Course
        Who watches the chains, where they are kept and when they stop.
    tell : callable
        Told, before sampling, which rows disagree by more than the card allows.
    origin : mapping, optional
        Provenance beside the job's.

    Raises
    ------
    InputError, KeyboardInterrupt, OutOfTimeError
        As `mirical.chains.sampling.sample`.
    """
    design, card = inputs.design, inputs.card
    prior, disagreeing, mjd = _begun(job, inputs, tell)
    chains = sample(design, card, job.sampler, mjd, course)

    def judged(posterior: xr.DataTree) -> Verdict:
        names = reported(posterior)
        verdict = judge(posterior, names, PRINTED, job.sampler, chains.ending, chains.found)
        return blame_rows(verdict, disagreeing)

    drawn = Drawn(chains.sites, chains.stats, prior)
    in_time = chains.ending.why != "time"
    return complete(job, inputs, drawn, judged, in_time=in_time, origin=origin)


def _begun(
    job: Job, inputs: Inputs, tell: Callable[[Sequence[str]], None]
) -> tuple[Arrays, list[str], float]:
    """Return draws of the prior, rows that disagree, which are told, and the epoch of ``C_ref``."""
    prior = sample_prior(inputs.design, inputs.card, job.sampler.seed)
    disagreeing = [one.sentence() for one in disagreements(inputs.design, prior)]
    tell(disagreeing)
    return prior, disagreeing, job.reference_mjd or inputs.design.reference_mjd


def run_fast(
    job: Job,
    inputs: Inputs,
    tell: Callable[[Sequence[str]], None] = lambda sentences: None,
    watch: Callable[[str], None] = lambda doing: None,
    origin: Mapping[str, str | int | float] | None = None,
    *,
    roomy: bool = False,
) -> Run:
    """Approximate the posterior of a job fast and make its tables; writes nothing.

    Parameters
    ----------
    job, inputs : Job, Inputs
        What to fit.
    tell : callable
        As of `run_job`.
    watch : callable
        Told what is being done.
    origin : mapping, optional
        Provenance beside the method.
    roomy : bool
        As of `mirical.fast.fit.Manner`.

    Raises
    ------
    InputError
        If the density is not finite anywhere near the data.
    """
    prior, disagreeing, mjd = _begun(job, inputs, tell)
    seed, manner = job.sampler.seed, Manner(roomy=roomy)
    fast = fit_fast(inputs.design, inputs.card, seed, mjd, manner, watch)
    assert fast.weights is not None
    weighed = Weighed(
        method=FAST,
        k=fast.weights.k,
        limit=fast.weights.limit,
        effective=None,
        remedy="run without --fast",
        doubts=drifts(fast, inputs, "run without --fast"),
        least=FAST_ESS,
        how=HOW,
    )

    def judged(posterior: xr.DataTree) -> Verdict:
        verdict = judge_weighted(posterior, reported(posterior), PRINTED, weighed)
        return blame_rows(verdict, disagreeing)

    watch("checking the rows")
    told = {**(origin or {}), "method": FAST, "pareto_k": fast.weights.k}
    return complete(job, inputs, Drawn(fast.sites, fast.stats, prior), judged, origin=told)


def drifts(fast: FastDraws, inputs: Inputs, remedy: str) -> tuple[str, ...]:
    """Return sentences on what the exact steps of draws still move, the remedy at their end."""
    return tuple(drift_sentences(fast.drift, PRINTED, coordinates(inputs.design), remedy))


def complete(
    job: Job,
    inputs: Inputs,
    drawn: Drawn,
    judged: Callable[[xr.DataTree], Verdict],
    *,
    in_time: bool = True,
    origin: Mapping[str, str | int | float] | None = None,
) -> Run:
    """Make of draws the posterior, its checks and all tables.

    Parameters
    ----------
    job, inputs : Job, Inputs
        What was fitted.
    drawn : Drawn
        The draws.
    judged : callable
        Given the posterior, the verdict on it.
    in_time : bool
        Whether they were not ended by a time limit.
    origin : mapping, optional
        Provenance beside the job's.
    """
    design, card, instrument = inputs.design, inputs.card, inputs.instrument
    sites, seed = drawn.sites, job.sampler.seed
    checks = check_rows(sites, design, seed)
    given_others = log_likelihood_given_others(sites, design, card, seed)
    groups = checks.groups() | {"log_likelihood": {"log_factor": given_others.astype(np.float32)}}
    attrs = _provenance(job, inputs) | dict(origin or {})
    posterior = build_posterior(sites, drawn.stats, drawn.prior, groups, design, attrs)
    posterior = with_fluxes(with_apertures(posterior, inputs.factors.apertures), inputs.factors)
    draws = Draws.of(posterior)
    published = None if instrument.published is None else PublishedCalibration(instrument)
    calibration = PosteriorCalibration(draws, instrument)
    coefficients = run_tables.coefficient_table(calibration, design, inputs.factors.apertures)
    made = {
        "coefficients": coefficients,
        "subarrays": run_tables.subarray_table(draws, design, instrument),
        "stars": run_tables.star_table(draws, design),
        "star_fluxes": star_fluxes(calibration).table(),
        "rows": run_tables.row_table(draws, inputs.factors, checks, design),
        "comparison": compare_coefficients(coefficients, published, instrument),
        "curves": curves.band_curves(calibration, published, design),
        "forecast": forecast_table(calibration),
        "predictive": curves.predictive_table(calibration, checks, design),
    }
    if calibration.private_readouts:
        made["subarray_bands"] = run_tables.subarray_band_table(calibration, design)
    detector = run_tables.detector_table(draws)
    if len(detector):
        made["detector"] = detector
    return Run(job, inputs, posterior, judged(posterior), made, in_time)


def _provenance(job: Job, inputs: Inputs) -> dict[str, str | int | float]:
    observations, name = inputs.factors.observations, kept_as(inputs.instrument)
    return {
        "job": job.name,
        "card": inputs.card.name,
        **({} if name == DEFAULT else {"instrument": name}),
        "time_law": inputs.card.law,
        "reference_mjd": job.reference_mjd or inputs.design.reference_mjd,
        "seed": job.sampler.seed,
        "photometry": observations.source,
        "photometry_sha256": observations.data_hash,
        "simulated": int(observations.simulated),
        "mirical": __version__,
        **{name: _version(name) for name in _RECORDED},
    }


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "unknown"
