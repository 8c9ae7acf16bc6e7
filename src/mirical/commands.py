"""What each command does: options in, exit status out.

Nothing heavy is imported until a command needs it, so ``--help`` answers at once.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mirical.errors import InputError

if TYPE_CHECKING:
    from astropy.table import Table
    from rich.console import Console

    from mirical.products.calibration import Query

SUCCESS, NOT_BELIEVABLE, USER_MISTAKE, INTERRUPTED = 0, 1, 2, 130


def _consoles() -> tuple[Console, Console]:
    """Return the consoles of results (stdout) and of progress and cautions (stderr)."""
    from rich.console import Console

    # A file or a pipe has no width to crop tables to.
    width = None if sys.stdout.isatty() else 160
    return Console(highlight=False, width=width), Console(stderr=True, highlight=False)


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

    results, progress = _consoles()
    with ChainWatch(job.sampler, progress) as watch:
        run = run_job(job, inputs, watch)
    write_run(run, folder)
    print_run(run, folder, results)
    return SUCCESS if run.verdict.believable else NOT_BELIEVABLE


def factors(options: argparse.Namespace) -> int:
    """Print or write calibration factors and their covariance."""
    import numpy as np

    from mirical.products.calibration import Query
    from mirical.products.runs import open_calibration
    from mirical.products.summary import print_table

    grid = None
    if options.at is not None:
        grid, query = _read_grid(options.at)
    elif options.filter is None or options.mjd is None:
        raise InputError("factors: give --filter and --mjd (and --subarray), or --at GRID.ecsv.")
    else:
        query = Query.of(options.filter, options.subarray, options.mjd)
    calibration = open_calibration(options.run)
    answer = calibration.at(query)
    table = answer.table()
    if grid is not None:
        for name in (column for column in table.colnames if column.startswith("c_")):
            grid[name] = table[name]
        table = grid
    results, cautions = _consoles()
    if options.out is not None:
        _write_table(table, options.out)
    if options.covariance is not None:
        with _refusing(options.covariance), options.covariance.open("wb") as file:
            np.save(file, answer.covariance)
    if options.out is None:
        print_table(table, results)
    for sentence in calibration.cautions(query):
        cautions.print(f"note: {sentence}")
    return SUCCESS


def _read_grid(path: Path) -> tuple[Table, Query]:
    from astropy import units as u

    from mirical.observations.formats import numbers, read_columns, texts
    from mirical.products.calibration import Query

    grid = read_columns(path, ("filter", "subarray", "mjd"))
    bands, subarrays = texts(grid["filter"]), texts(grid["subarray"])
    mjd = numbers(grid["mjd"], u.d, path.name, bare=u.d).value
    return grid, Query.of(bands, subarrays, mjd, path.name)


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
        _write_table(comparison.factors, out)
    print_comparison(comparison, _consoles()[0])
    return SUCCESS


def simulate(options: argparse.Namespace) -> int:
    """Simulate a whole program with known truth, as photometry or as images."""
    if options.mosaics:
        return _simulate_mosaics(options)
    from mirical.inference.simulate import simulate_program, write_program

    program = simulate_program(options.seed, options.truth)
    write_program(program, options.out)
    stars = len(set(program.photometry["name"]))
    _consoles()[0].print(
        f"{len(program.photometry)} SIMULATED rows of {stars} stars: photometry.ecsv and "
        f"truth.ecsv in {options.out}",
        soft_wrap=True,
        markup=False,
    )
    return SUCCESS


def _simulate_mosaics(options: argparse.Namespace) -> int:
    from rich.progress import track

    from mirical.bands import BANDS, find_band
    from mirical.folders import whole_folder
    from mirical.inference.scene_program import scene_program, write_mosaics
    from mirical.observations.formats import write_ecsv

    bands = [find_band(name, "simulate").name for name in options.mosaics if name != "all"]
    bands = list(BANDS) if "all" in options.mosaics else bands
    program = scene_program(options.seed, options.truth)
    rows = [i for i, band in enumerate(program.photometry["filter"]) if band in bands]
    results, progress = _consoles()
    with whole_folder(options.out) as beside:
        (beside / "mosaics").mkdir()
        written = write_mosaics(program, rows, options.seed, beside / "mosaics")
        list(track(written, "mosaics", len(rows), console=progress, transient=True))
        write_ecsv(program.truth, beside / "truth.ecsv")
    results.print(
        f"{len(rows)} SIMULATED mosaics in {options.out / 'mosaics'}, truth.ecsv beside them",
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
    results, cautions = _consoles()
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
        _write_table(new, options.out)
    print_flux_differences(differences(new, shipped_fluxes()), _consoles()[0])
    return SUCCESS


def photometry(options: argparse.Namespace) -> int:
    """Measure images, one row a file; those that cannot be measured are kept with their reasons."""
    from contextlib import closing, nullcontext
    from functools import partial

    from rich.progress import track

    from mirical.bands import find_band
    from mirical.folders import whole_folder
    from mirical.observations.apertures import load_apertures
    from mirical.observations.measured import Settings, measure_files, photometry_table
    from mirical.products.pictures import draw_picture
    from mirical.products.summary import print_photometry

    if options.workers < 1:
        raise InputError(f"photometry: --workers {options.workers}; expected at least 1.")
    paths = _images(options.images)
    band = options.filter and find_band(options.filter, "photometry").name
    types = _star_types(options.star)
    apertures = load_apertures(options.apertures, "photometry")
    if not options.out.parent.is_dir():  # found out before the work, not after
        raise InputError(f"{options.out}: its folder does not exist; make it or choose another.")
    results, progress = _consoles()
    rows: dict[int, dict[str, Any]] = {}
    interrupted = False
    with whole_folder(options.pictures) if options.pictures else nullcontext() as folder:
        draw = partial(draw_picture, folder=folder) if folder else None
        settings = Settings(apertures, types, band, draw)
        with closing(measure_files(paths, settings, options.workers)) as found:
            try:
                rows |= track(found, "images", len(paths), console=progress, transient=True)
            except KeyboardInterrupt:
                interrupted = True
    if interrupted and not rows:
        raise KeyboardInterrupt
    table = photometry_table([rows[i] for i in sorted(rows)])
    _write_table(table, options.out)
    print_photometry(table, results)
    n_used = sum(not flag for flag in table["flag"])
    results.print(
        f"{n_used} of {len(paths)} images measured; {len(table)} rows in {options.out}",
        soft_wrap=True,
        markup=False,
    )
    if interrupted:
        progress.print(f"interrupted: {len(paths) - len(rows)} images were not looked at")
        return INTERRUPTED
    return SUCCESS if n_used == len(paths) else NOT_BELIEVABLE


def apertures(options: argparse.Namespace) -> int:
    """Measure encircled energies and the apertures that follow."""
    from mirical.bands import find_band
    from mirical.products.aperture_study import study_apertures, write_study
    from mirical.products.summary import print_apertures

    psfs: dict[str, Path] = {}
    only = None
    for entry in options.psf:
        name, separator, file = entry.partition("=")
        if separator:
            psfs[find_band(name, f"apertures: --psf {entry!r}").name] = Path(file)
        else:
            only = Path(entry)
    images = _images(options.images)
    if not images and not psfs:
        raise InputError("apertures: give images, or --psf BAND=FILE for the model alone.")
    if options.transition is not None and not options.transition > 0:
        raise InputError(f"apertures: --transition {options.transition:g}; expected pixels > 0.")
    study = study_apertures(images, psfs, only, options.transition)
    write_study(study, options.out)
    results = _consoles()[0]
    print_apertures(study.table(), results)
    results.print(
        f"apertures.ecsv, curves.ecsv, apcorr.fits and encircled.png in {options.out}",
        soft_wrap=True,
        markup=False,
    )
    return SUCCESS


def _images(given: list[Path]) -> list[Path]:
    """Return the image files named, those of a folder for a folder."""
    paths = []
    for path in given:
        if not path.exists():
            raise InputError(f"{path}: no such file; expected a JWST image or a folder of them.")
        inside = sorted(path.glob("*.fits")) if path.is_dir() else [path]
        if not inside:
            raise InputError(f"{path}: no *.fits file in this folder.")
        paths += inside
    return paths


def _star_types(given: list[str]) -> dict[str, str]:
    from mirical.stars import canonical_star, find_type

    types = {}
    for entry in given:
        name, separator, kind = entry.partition("=")
        if not separator or not name:
            raise InputError(f"photometry: --star {entry!r}; expected NAME=TYPE.")
        types[canonical_star(name)] = find_type(kind, f"photometry: --star {entry!r}")
    return types


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
    results, progress = _consoles()
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


class _refusing:
    """Turn a file that cannot be written into a user's mistake."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, OSError):
            raise InputError(
                f"{self.path}: cannot be written ({error.strerror}); choose another path."
            ) from error


def _write_table(table: Table, path: Path) -> None:
    from mirical.observations.formats import write_ecsv

    with _refusing(path):
        write_ecsv(table, path)
