"""Rows and card of a stored run, as its job file names them; the two sides of a comparison."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mirical.calibration.calibration import Calibration
from mirical.calibration.posterior import PosteriorCalibration
from mirical.calibration.store import StoredRun, open_calibration, read_run, run_folder
from mirical.calibration.stored_constants import stored_fluxes
from mirical.errors import InputError
from mirical.instruments.uses import require_staged
from mirical.storage.toml_files import parse_toml, read_toml_text
from mirical.table_files.parts import find_table
from mirical.tables.photometry import EMBEDDED

if TYPE_CHECKING:
    import xarray as xr

    from mirical.jobs.inputs import Inputs
    from mirical.jobs.job import Job
    from mirical.staged.point_fits import StagedCalibration
    from mirical.tables.calibration_factors import CalibrationFactors


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
        require_staged(ours.instrument, "compare --with staged")
        return ours, _staged_beside(ours, run_folder(name))
    theirs = open_calibration(other, ours.instrument)
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
    run, _, inputs = open_job(folder)
    return run.posterior, inputs


def open_job(folder: Path) -> tuple[StoredRun, Job, Inputs]:
    """Return a run, its job, and its rows and card as that names them; see `open_run`."""
    from mirical.jobs.inputs import resolve_job

    run, job = read_run(folder), stored_job(folder)
    # A run that was updated quotes free stars with the fluxes of the run that it is from.
    inputs = resolve_job(job, stored_fluxes(run.posterior))
    _refuse_other_rows(inputs.factors, run.posterior.attrs, folder)
    return run, job, inputs


def _staged_beside(run: PosteriorCalibration, folder: Path) -> StagedCalibration:
    """Return the staged fits to the very rows a run was fitted to."""
    from mirical.jobs.inputs import job_factors
    from mirical.staged.point_fits import fit_staged

    factors = job_factors(replace(stored_job(folder), name=run.name))
    _refuse_other_rows(factors, run.provenance, folder)
    return fit_staged(factors)


def stored_job(folder: Path) -> Job:
    """Return the job of a run's folder.

    Raises
    ------
    InputError
        If the folder has no job file, or it cannot be used.
    """
    from mirical.jobs.job import load_job

    path = folder / "job.toml"
    if not path.is_file():
        raise InputError(
            f"{folder}: no job.toml there, so the run's rows are not known; run the job again."
        )
    return load_job(str(path))


def is_run_of(job: Job, folder: Path, *, fast: bool) -> bool:
    """Return whether a run of a job may take the place of what a folder holds.

    That is a run of the same table and cards; a fast run (`fast`) takes the place of another fast
    one alone, for chains take minutes to hours. False if there is no run.
    """
    from mirical.fast.fit import FAST

    try:
        stored = stored_job(folder)
        same = _names(stored) == _names(job)
        told = parse_toml(read_toml_text(folder / "job.toml"), str(folder)).get("provenance")
    except InputError:
        return False
    return same and (not fast or (isinstance(told, dict) and told.get("method") == FAST))


def _names(job: Job) -> tuple[str, ...]:
    tables = job.photometry, job.predicted_fluxes, job.apertures
    # A run's folder has a copy of its cards.
    cards = Path(job.model).stem, job.read_instrument().name
    return *(full_name(table, job.folder) for table in tables), *cards


def full_name(table: str, folder: Path | None) -> str:
    """Return the full path of a user's table, or an embedded table's name as it is."""
    path = find_table(table, folder)
    return table if table in EMBEDDED or path is None else str(path.resolve())


def _refuse_other_rows(factors: CalibrationFactors, attrs: Mapping[Any, Any], folder: Path) -> None:
    if factors.observations.data_hash != attrs.get("photometry_sha256"):
        raise InputError(
            f"{folder}: {factors.observations.source} has changed since the run, whose rows were "
            "others; run the job again."
        )
