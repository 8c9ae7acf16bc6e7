"""Folder of a run: tables, diagnostics, job, posterior, report and manifest."""

from __future__ import annotations

import json
from pathlib import Path

from mirical.calibration.manifest import write_manifest
from mirical.calibration.provenance import run_record, stamp
from mirical.inference.posterior import (
    write_posterior,
)
from mirical.instruments.cards import DEFAULT, KEPT, card_files, kept_as
from mirical.instruments.instrument import Instrument
from mirical.jobs.job import SHIPPED_FLUXES
from mirical.pages.links import link_pages
from mirical.reporting.page import write_report
from mirical.reporting.run import Run
from mirical.reporting.stored_inputs import full_name
from mirical.storage.files import whole_folder
from mirical.tables.apertures import PUBLISHED_APERTURES
from mirical.tables.formats import write_ecsv

PHOTOMETRY = "photometry.ecsv"
"""Rows of a run that no other file holds."""

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
    link_pages(folder)


def _write_files(run: Run, folder: Path) -> None:
    known = run_record(run.posterior.attrs)
    design = run.inputs.design
    ends = design.elapsed.min(), design.elapsed.max()
    known["rows_mjd"] = [design.t0 + float(end) for end in ends]
    for name, table in run.tables.items():
        stamp(table, known)
        write_ecsv(table, folder / f"{name}.ecsv")
    text = json.dumps(run.verdict.as_dict() | {"of": known}, indent=2)
    (folder / "diagnostics.json").write_text(text + "\n", encoding="utf-8")
    for name, text in run.inputs.card.texts.items():
        (folder / f"{name}.toml").write_text(text, encoding="utf-8")
    if kept_as(run.instrument) == KEPT:
        _copy_card(run.instrument, folder / KEPT)
    if run.photometry is not None:
        (folder / PHOTOMETRY).write_bytes(run.photometry)
    (folder / "job.toml").write_text(_resolved_job(run), encoding="utf-8")
    write_posterior(run.posterior, folder / "posterior.nc")
    write_report(run, folder)
    write_manifest(folder, run.posterior.attrs)


def _copy_card(instrument: Instrument, folder: Path) -> None:
    """Copy a card's files, so that the run knows its instrument wherever it is taken."""
    folder.mkdir()
    for name in card_files(instrument):
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes((Path(instrument.folder) / name).read_bytes())


def _resolved_job(run: Run) -> str:
    """Return the job as TOML that runs again from the run's folder, with its provenance."""
    job, sampler = run.job, run.job.sampler
    own = None if run.photometry is None else PHOTOMETRY
    lines = [
        f"photometry = {_quoted(own or full_name(job.photometry, job.folder))}",
        f"model = {_quoted(run.inputs.card.name + '.toml')}",
    ]
    if job.predicted_fluxes != SHIPPED_FLUXES:
        fluxes = full_name(job.predicted_fluxes, job.folder)
        lines.append(f"predicted_fluxes = {_quoted(fluxes)}")
    if job.apertures != PUBLISHED_APERTURES:
        lines.append(f"apertures = {_quoted(full_name(job.apertures, job.folder))}")
    if job.instrument != DEFAULT:
        lines.append(f"instrument = {_quoted(kept_as(run.instrument))}")
    lines.append(f"reference_mjd = {_quoted(run.posterior.attrs['reference_mjd'])}")
    if own is None and job.columns:
        lines += ["", "[columns]"]
        lines += [f"{_quoted(name)} = {_quoted(one)}" for name, one in job.columns.items()]
    lines += ["", "[sampler]"]
    settings = {name: getattr(sampler, name) for name in sampler.__dataclass_fields__}
    lines += [f"{name} = {_quoted(one)}" for name, one in settings.items() if one is not None]
    lines += ["", "[provenance]"]
    lines += [f"{_quoted(key)} = {_quoted(value)}" for key, value in run.posterior.attrs.items()]
    return "\n".join(lines) + "\n"


def _quoted(value: object) -> str:
    """Return a value as TOML writes it, which for text and numbers is as JSON does."""
    return json.dumps(value, ensure_ascii=False)
