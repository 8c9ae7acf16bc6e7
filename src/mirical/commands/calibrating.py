"""Commands about calibrations: fit, ask, compare, simulate, check."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from mirical.commands.ending import (
    INTERRUPTED,
    NOT_BELIEVABLE,
    SUCCESS,
    Refusing,
    consoles,
    write_table,
)
from mirical.errors import InputError

if TYPE_CHECKING:
    from rich.console import Console


def run(options: argparse.Namespace) -> int:
    """Fit a job and write its folder."""
    from mirical.inference import runtime

    runtime.configure()  # before anything loads JAX or a linear algebra library

    from mirical.inference.jobs import load_job, resolve_job, with_options

    numbers = {name: getattr(options, name) for name in ("seed", "chains", "warmup", "draws")}
    texts = {
        "photometry": options.photometry,
        "model": options.model,
        "apertures": options.apertures,
    }
    job = with_options(load_job(options.job), texts, numbers)
    folder = options.out or Path("reports") / job.name
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder}: is a file; --out needs a folder.")
    inputs = resolve_job(job)

    from mirical.inference.watching import ChainWatch
    from mirical.products.runs import run_job, write_run
    from mirical.products.summary import print_run

    results, progress = consoles()
    with ChainWatch(job.sampler, progress) as watch:
        run = run_job(job, inputs, watch)
    write_run(run, folder)
    print_run(run, folder, results)
    return SUCCESS if run.verdict.believable else NOT_BELIEVABLE


def factors(options: argparse.Namespace) -> int:
    """Print or write calibration factors, their covariance and draws of them."""
    import numpy as np

    from mirical.commands.points import asked_points, write_matrix
    from mirical.conventions import FACTOR
    from mirical.exports.covariance_file import Covariance
    from mirical.products.runs import open_calibration
    from mirical.products.summary import print_table

    grid, query = asked_points("factors", options)
    calibration = open_calibration(options.run)
    answer = calibration.at(query)
    table = answer.table()
    if grid is not None:
        for name in (column for column in table.colnames if column.startswith("c_")):
            grid[name] = table[name]
        table = grid
    results, cautions = consoles()
    if options.out is not None:
        write_table(table, options.out)
    if options.covariance is not None:
        made = Covariance(query, answer.mean, answer.covariance, FACTOR)
        about = "calibration factors and their covariance"
        write_matrix(made, options.covariance, about, calibration)
    if options.draws is not None:
        drawn = calibration.draws(query)
        with Refusing(options.draws), options.draws.open("wb") as file:
            np.save(file, drawn)
    if options.out is None:
        print_table(table, results)
    for sentence in calibration.cautions(query):
        cautions.print(f"note: {sentence}")
    return SUCCESS


def compare(options: argparse.Namespace) -> int:
    """Set two calibrations side by side."""
    from mirical.products.runs import open_pair
    from mirical.products.side_by_side import check_target, compare, write_comparison
    from mirical.products.summary import print_comparison

    out: Path | None = options.out
    folder = None if out is None or out.suffix == ".ecsv" else out
    if folder is not None:
        check_target(folder)
    comparison = compare(*open_pair(options.run, options.other), options.mjd)
    if folder is not None:
        write_comparison(comparison, folder)
    elif out is not None:
        write_table(comparison.factors, out)
    results, cautions = consoles()
    print_comparison(comparison, results)
    if options.other == "published" and options.run != "published":
        _audit(options.run, folder, results, cautions)
    return SUCCESS


def _audit(run: str, folder: Path | None, results: Console, cautions: Console) -> None:
    """Print and write what a run's difference from the published factors is made of."""
    from mirical.products.audit import audit, audit_sentences
    from mirical.products.runs import open_run, run_folder
    from mirical.products.summary import print_audit

    try:
        table = audit(*open_run(run_folder(run)))
    except InputError as error:
        # The factors alone can be compared without the rows.
        cautions.print(f"note: no audit of the differences: {error}", markup=False)
        return
    if folder is not None:
        write_table(table, folder / "audit.ecsv")
    print_audit(table, audit_sentences(table), results)


def simulate(options: argparse.Namespace) -> int:
    """Simulate a whole program with known truth, as photometry or as images."""
    if options.mosaics:
        from mirical.commands.imaging import simulate_mosaics

        return simulate_mosaics(options)
    from mirical.inference.simulate import simulate_program, write_program

    program = simulate_program(options.seed, options.truth, law=options.law)
    write_program(program, options.out)
    stars = len(set(program.photometry["name"]))
    consoles()[0].print(
        f"{len(program.photometry)} SIMULATED rows of {stars} stars: photometry.ecsv and "
        f"truth.ecsv in {options.out}",
        soft_wrap=True,
        markup=False,
    )
    return SUCCESS


def staged(options: argparse.Namespace) -> int:
    """Fit a table by the staged procedure."""
    from mirical.conventions import REFERENCE_MJD
    from mirical.observations.apertures import published_apertures
    from mirical.observations.factors import calibration_factors
    from mirical.observations.fluxes import by_star_band, shipped_fluxes
    from mirical.observations.tables import load_photometry
    from mirical.products.comparison import default_query
    from mirical.products.published import PublishedCalibration
    from mirical.products.staged import fit_staged, write_staged
    from mirical.products.summary import print_table

    observations = load_photometry(options.table, "staged")
    predicted = by_star_band(shipped_fluxes())
    factors = calibration_factors(observations, predicted, published_apertures())
    given = PublishedCalibration().throughput if options.subarrays == "published" else None
    calibration = fit_staged(factors, given, time_fit_knows_subarrays=not options.mix_subarrays)
    write_staged(calibration, options.out)
    results, cautions = consoles()
    if observations.simulated:
        results.print("SIMULATED DATA")
    query = default_query(calibration.bands, [REFERENCE_MJD])
    print_table(calibration.at(query).table(), results)
    for sentence in calibration.cautions(query):
        cautions.print(f"note: {sentence}", soft_wrap=True, markup=False)
    return SUCCESS


def fluxes(options: argparse.Namespace) -> int:
    """Predict fluxes and say what differs from the shipped ones."""
    from mirical.observations.fluxes import differences, shipped_fluxes
    from mirical.observations.spectra import predict
    from mirical.products.summary import print_flux_differences

    extra = {}
    for entry in options.star:
        name, separator, file = entry.partition("=")
        if not separator or not name or not file:
            raise InputError(f"fluxes: --star {entry!r}; expected NAME=FILE.")
        extra[name] = Path(file)
    new = predict(options.folder, extra)
    if options.out is not None:
        write_table(new, options.out)
    print_flux_differences(differences(new, shipped_fluxes()), consoles()[0])
    return SUCCESS


def sbc(options: argparse.Namespace) -> int:
    """Draw, refit and rank; go on where an earlier call stopped."""
    from mirical.inference import runtime

    runtime.configure()  # before anything loads JAX or a linear algebra library

    from mirical.inference.jobs import load_job, resolve_job, with_options

    numbers = {name: getattr(options, name) for name in ("seed", "warmup", "draws")}
    job = with_options(load_job(options.job), {"model": options.model}, numbers)
    suffix = "" if options.distort is None else f"-{options.distort}"
    folder = options.out or Path("reports") / f"{job.name}{suffix}"
    inputs = resolve_job(job)

    from mirical.inference.rank_file import RankFile
    from mirical.inference.replicates import DISTORTIONS, Study
    from mirical.inference.sbc import assess, calibrate, check_study
    from mirical.inference.watching import ReplicateWatch
    from mirical.products.sbc_report import print_outcome, write_outcome

    check_study(job.sampler, options.replicates)
    study = Study(inputs.design, inputs.card, job.sampler, DISTORTIONS[options.distort])
    ranks = RankFile(folder, study)
    results, progress = consoles()
    done = sum(k < options.replicates for k in ranks.replicates)
    with ReplicateWatch(options.replicates, done, progress) as watch:
        complete = calibrate(study, options.replicates, ranks, watch.advance)
    if not complete:
        progress.print(
            f"mirical: stopped after {len(ranks.replicates)} refits, which are kept; the same "
            "command goes on from there."
        )
        return INTERRUPTED
    outcome = assess(study, ranks, options.replicates)
    write_outcome(outcome, folder)
    print_outcome(outcome, folder, results)
    return SUCCESS if outcome.passes else NOT_BELIEVABLE
