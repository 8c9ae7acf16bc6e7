"""A run: from a job to its folder, and back from the folder to a calibration."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np
import xarray as xr
from astropy.table import QTable

import mirical
from mirical.calibration.calibration import Calibration
from mirical.calibration.comparison import compare_coefficients
from mirical.calibration.manifest import write_manifest
from mirical.calibration.posterior import PosteriorCalibration, with_apertures
from mirical.calibration.provenance import run_record, stamp
from mirical.calibration.published import PublishedCalibration
from mirical.calibration.staged import StagedCalibration, fit_staged
from mirical.calibration.store import open_calibration, read_run, run_folder
from mirical.conventions import T0_MJD
from mirical.errors import InputError
from mirical.inference.diagnostics import Verdict, blame_rows, judge
from mirical.inference.disagreements import disagreements
from mirical.inference.jobs import (
    PUBLISHED_APERTURES,
    SHIPPED_FLUXES,
    Inputs,
    Job,
    job_factors,
    load_job,
    resolve_job,
)
from mirical.inference.posterior import (
    PRINTED,
    build_posterior,
    reported,
    write_posterior,
)
from mirical.inference.predictive_rows import check_rows
from mirical.inference.row_likelihood import log_likelihood_given_others
from mirical.inference.sampling import Progress, sample, sample_prior
from mirical.reporting import curves
from mirical.reporting import run_tables as tables
from mirical.storage.files import whole_folder
from mirical.storage.shipped import find_file
from mirical.tables.calibration_factors import CalibrationFactors
from mirical.tables.formats import write_ecsv
from mirical.tables.photometry import EMBEDDED

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
    complete : bool
        Whether sampling ran to its end.
    """

    job: Job
    inputs: Inputs
    posterior: xr.DataTree
    verdict: Verdict
    tables: dict[str, QTable]
    complete: bool = True


def run_job(
    job: Job,
    inputs: Inputs,
    progress: Progress,
    tell: Callable[[Sequence[str]], None] = lambda sentences: None,
) -> Run:
    """Sample the posterior of a job and make its tables; writes nothing.

    Parameters
    ----------
    job, inputs : Job, Inputs
        What to fit.
    progress : Progress
        Told of the chains' steps.
    tell : callable
        Told, before sampling, which rows disagree by more than the card allows.
    """
    design, card = inputs.design, inputs.card
    prior = sample_prior(design, card, job.sampler.seed)
    disagreeing = [one.sentence() for one in disagreements(design, prior)]
    tell(disagreeing)
    chains = sample(design, card, job.sampler, progress)
    checks = check_rows(chains.sites, design, job.sampler.seed)
    given_others = log_likelihood_given_others(chains.sites, design, card, job.sampler.seed)
    groups = checks.groups() | {"log_likelihood": {"log_factor": given_others.astype(np.float32)}}
    posterior = build_posterior(chains, prior, groups, design, _provenance(job, inputs))
    posterior = with_apertures(posterior, inputs.factors.apertures)
    published = PublishedCalibration()
    calibration = PosteriorCalibration(posterior)
    coefficients = tables.coefficient_table(posterior, design, inputs.factors.apertures)
    made = {
        "coefficients": coefficients,
        "subarrays": tables.subarray_table(posterior, design),
        "stars": tables.star_table(posterior, design),
        "rows": tables.row_table(posterior, inputs.factors, checks, design),
        "comparison": compare_coefficients(coefficients, published),
        "curves": curves.band_curves(calibration, published, design),
        "predictive": curves.predictive_table(calibration, checks, design),
    }
    verdict = judge(posterior, reported(posterior), PRINTED, chains.complete)
    verdict = blame_rows(verdict, disagreeing)
    return Run(job, inputs, posterior, verdict, made, chains.complete)


def _provenance(job: Job, inputs: Inputs) -> dict[str, str | int | float]:
    observations = inputs.factors.observations
    return {
        "job": job.name,
        "card": inputs.card.name,
        "time_law": inputs.card.law,
        "reference_mjd": job.reference_mjd or inputs.design.reference_mjd,
        "seed": job.sampler.seed,
        "photometry": observations.source,
        "photometry_sha256": observations.data_hash,
        "simulated": int(observations.simulated),
        "mirical": mirical.__version__,
        **{name: _version(name) for name in _RECORDED},
    }


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "unknown"


_FORMER = (
    "figures/*.png",
    *(
        f"{page}/{of}"
        for page in ("check", "rivals")
        for of in ("*.ecsv", "*.html", "figures/*.png")
    ),
)
"""What versions before the list of files wrote into a run's folder under changing names."""


def write_run(run: Run, folder: Path) -> None:
    """Write a run's folder whole: no file of an earlier run, nor of its check, stays beside it.

    Files that no command wrote there are left alone.

    Raises
    ------
    InputError
        If the folder cannot be written.
    """
    with whole_folder(folder, former=_FORMER, listed=True) as beside:
        _write_files(run, beside)


def _write_files(run: Run, folder: Path) -> None:
    from mirical.reporting.page import write_report

    known = run_record(run.posterior.attrs)
    elapsed = run.inputs.design.elapsed
    known["rows_mjd"] = [T0_MJD + float(end) for end in (elapsed.min(), elapsed.max())]
    for name, table in run.tables.items():
        stamp(table, known)
        write_ecsv(table, folder / f"{name}.ecsv")
    text = json.dumps(run.verdict.as_dict() | {"of": known}, indent=2)
    (folder / "diagnostics.json").write_text(text + "\n", encoding="utf-8")
    for name, text in run.inputs.card.texts.items():
        (folder / f"{name}.toml").write_text(text, encoding="utf-8")
    (folder / "job.toml").write_text(_resolved_job(run), encoding="utf-8")
    write_posterior(run.posterior, folder / "posterior.nc")
    write_report(run, folder)
    write_manifest(folder, run.posterior.attrs)


def _resolved_job(run: Run) -> str:
    """Return the job as TOML that runs again from the run's folder, with its provenance."""
    job, sampler = run.job, run.job.sampler
    lines = [
        f"photometry = {_quoted(_resolved(job.photometry, job.folder))}",
        f"model = {_quoted(run.inputs.card.name + '.toml')}",
    ]
    if job.predicted_fluxes != SHIPPED_FLUXES:
        fluxes = _resolved(job.predicted_fluxes, job.folder)
        lines.append(f"predicted_fluxes = {_quoted(fluxes)}")
    if job.apertures != PUBLISHED_APERTURES:
        lines.append(f"apertures = {_quoted(_resolved(job.apertures, job.folder))}")
    lines.append(f"reference_mjd = {_quoted(run.posterior.attrs['reference_mjd'])}")
    lines += ["", "[sampler]"]
    lines += [
        f"{name} = {_quoted(getattr(sampler, name))}" for name in sampler.__dataclass_fields__
    ]
    lines += ["", "[provenance]"]
    lines += [f"{_quoted(key)} = {_quoted(value)}" for key, value in run.posterior.attrs.items()]
    return "\n".join(lines) + "\n"


def _quoted(value: object) -> str:
    """Return a value as TOML writes it, which for text and numbers is as JSON does."""
    return json.dumps(value, ensure_ascii=False)


def _resolved(name: str, folder: Path | None) -> str:
    """Return the full path of a user's file, or an embedded table's name as it is."""
    path = find_file(name, folder)
    return name if name in EMBEDDED or path is None else str(path.resolve())


def open_pair(name: str, other: str) -> tuple[Calibration, Calibration]:
    """Return two calibrations to be compared.

    Parameters
    ----------
    name : str
        A run, or ``published``.
    other : str
        The same, or ``staged`` for the staged fits to the rows of the first.

    Raises
    ------
    InputError
        If a run does not exist, or the rows of the first cannot be had again.
    """
    ours = open_calibration(name)
    if other == "staged":
        if not isinstance(ours, PosteriorCalibration):
            raise InputError(
                f"compare: {name!r} has no rows for the staged fits; give a run's folder."
            )
        return ours, _staged_beside(ours, run_folder(name))
    theirs = open_calibration(other)
    if isinstance(ours, PosteriorCalibration) and isinstance(theirs, PosteriorCalibration):
        if ours.name == theirs.name and name != other:
            return replace(ours, name=name), replace(theirs, name=other)
    return ours, theirs


def open_run(folder: Path) -> tuple[xr.DataTree, Inputs]:
    """Return a run's posterior, and its rows and card as its job file names them.

    Raises
    ------
    InputError
        If there is no run, or its rows have changed since.
    """
    posterior = read_run(folder).posterior
    inputs = resolve_job(_job_of(folder))
    _refuse_other_rows(inputs.factors, posterior, folder)
    return posterior, inputs


def _staged_beside(run: PosteriorCalibration, folder: Path) -> StagedCalibration:
    """Return the staged fits to the very rows a run was fitted to."""
    factors = job_factors(replace(_job_of(folder), name=run.name))
    _refuse_other_rows(factors, run.posterior, folder)
    return fit_staged(factors)


def _job_of(folder: Path) -> Job:
    path = folder / "job.toml"
    if not path.is_file():
        raise InputError(
            f"{folder}: no job.toml there, so the run's rows are not known; run the job again."
        )
    return load_job(str(path))


def _refuse_other_rows(factors: CalibrationFactors, posterior: xr.DataTree, folder: Path) -> None:
    if factors.observations.data_hash != posterior.attrs.get("photometry_sha256"):
        raise InputError(
            f"{folder}: {factors.observations.source} has changed since the run, whose rows were "
            "others; run the job again."
        )
