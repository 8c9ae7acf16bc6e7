"""The commands ``run``, ``factors``, ``compare``, ``staged`` and ``fluxes``."""

from __future__ import annotations

import argparse
import math
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from mirical.commands.points import add_points, add_without
from mirical.commands.shared import (
    INTERRUPTED,
    NOT_BELIEVABLE,
    SUCCESS,
    add_instrument,
    consoles,
    print_notes,
    status_of,
    write_table,
)
from mirical.errors import InputError
from mirical.storage.files import Unwritable, check_outputs, together

if TYPE_CHECKING:
    from astropy.table import Table
    from rich.console import Console

    from mirical.calibration.calibration import Calibration
    from mirical.chains.checkpoint import Checkpoint
    from mirical.inference.jobs import Inputs, Job

_SETTINGS = {
    "seed": "fixes every random number",
    "chains": "number of chains",
    "warmup": "warm-up steps of a chain",
    "draws": "draws of a chain, whatever they tell; by default until the target is met",
    "target_ess": "effective draws of every reported quantity [1000]",
    "max_draws": "draws of a chain at most [20000]",
}
"""Settings of the sampler that take the place of the job's."""


def run(options: argparse.Namespace) -> int:
    """Fit a job and write its folder; go on where an earlier call was stopped."""
    import time

    begun = time.monotonic()

    from mirical.inference import runtime

    runtime.configure()  # before anything loads JAX or a linear algebra library

    from mirical.inference.jobs import load_job, resolve_job, with_options

    numbers = {name: getattr(options, name) for name in _SETTINGS}
    texts = {
        "photometry": options.photometry,
        "model": options.model,
        "apertures": options.apertures,
        "instrument": options.instrument,
    }
    usual = "table5" if options.instrument is None else "imager"
    job = load_job(options.job or usual)
    job = with_options(job, texts, numbers, options.mjd, options.time_limit)
    folder = options.out or Path("reports") / job.name
    check_outputs(folders=[folder])
    inputs = resolve_job(job)

    from mirical.chains.checkpoint import Checkpoint, checkpoint_of
    from mirical.chains.identity import identity

    _, progress = consoles()
    print_notes(inputs.factors.observations.notes, progress)
    parts = identity(inputs.design, inputs.card, job.sampler)
    tell = partial(_note, progress)
    kept = Checkpoint.open(checkpoint_of(folder), folder, parts, tell)
    deadline = begun + 60 * (math.inf if job.time_limit is None else job.time_limit)
    if kept is None:
        return _fit(job, inputs, folder, None, deadline)
    if kept.holds:
        tell(f"going on from {kept.amount} kept in {kept.path}.")
    try:
        return _fit(job, inputs, folder, kept, deadline)
    except KeyboardInterrupt:
        if not kept.holds:
            raise
        said = f"{kept.amount} are kept in {kept.path}; the same command goes on."
        progress.print(f"mirical: interrupted; {said}", soft_wrap=True, markup=False)
        return INTERRUPTED
    except Unwritable as error:
        if not kept.holds:
            raise
        raise InputError(
            f"{folder}: cannot be written ({error.reason}), and is as it was; {kept.amount} are "
            f"kept in {kept.path}: the same command writes the run once there is room."
        ) from error
    finally:
        if kept.holds:
            kept.close()
        else:
            kept.remove()


def _fit(job: Job, inputs: Inputs, folder: Path, kept: Checkpoint | None, deadline: float) -> int:
    """Sample, write the folder and print; forget what is kept once nothing is left to be done."""
    from mirical.chains.running import Course
    from mirical.chains.sampling import OutOfTimeError
    from mirical.commands.printing import print_run
    from mirical.commands.progress import ChainWatch, WorkWatch
    from mirical.reporting.run import run_job
    from mirical.reporting.run_folder import write_run

    results, progress = consoles()
    tell = partial(print_notes, cautions=progress)
    later = "" if kept is None else "; the same command with a longer --time-limit goes on"
    try:
        with ChainWatch(job.sampler, progress) as watch:
            run = run_job(job, inputs, Course(watch, kept, deadline), tell)
    except OutOfTimeError:
        _note(progress, f"the time limit ended the run before there were draws{later}.")
        return NOT_BELIEVABLE
    with WorkWatch("the tables and the report are being written", progress):
        write_run(run, folder)
    print_run(run, folder, results)
    if not run.in_time and not run.verdict.believable:
        where = "" if kept is None else f"; {kept.amount} are kept in {kept.path}"
        _note(progress, f"the time limit ended the run{where}{later}.")
    elif kept is not None:
        kept.remove()
    return SUCCESS if run.verdict.believable else NOT_BELIEVABLE


def _note(progress: Console, sentence: str) -> None:
    print_notes([sentence], progress)


def factors(options: argparse.Namespace) -> int:
    """Print or write calibration factors, their covariance and draws of them."""
    from mirical.calibration.provenance import record, stamp, write_array
    from mirical.commands.points import (
        asked_calibration,
        asked_points,
        factor_covariance,
        write_matrix,
    )
    from mirical.commands.printing import print_table

    outputs = options.out, options.covariance, options.draws
    check_outputs(outputs, inputs=[options.at])
    calibration = asked_calibration(options)
    grid, query = asked_points("factors", options, calibration.instrument)
    answer = calibration.at(query)
    table = answer.table()
    table["basis"] = calibration.basis(query)
    if grid is not None:
        for name in table.colnames[3:]:
            grid[name] = table[name]
        table = grid
    about = record(calibration)
    stamp(table, about, f"calibration factors of {calibration.name}")
    results, cautions = consoles()
    with together():
        if options.out is not None:
            write_table(table, options.out)
        if options.covariance is not None:
            title = "calibration factors and their covariance"
            write_matrix(factor_covariance(answer), options.covariance, title, calibration)
        if options.draws is not None:
            title = f"draws of the calibration factors of {calibration.name}"
            axes, unit = ("draw", "point"), calibration.instrument.factor_unit.to_string()
            write_array(calibration.draws(query), options.draws, about, title, axes, unit)
    if options.out is None:
        print_table(table, calibration.instrument, results)
    print_notes(calibration.cautions(query), cautions)
    return status_of(calibration)


def compare(options: argparse.Namespace) -> int:
    """Set two calibrations side by side."""
    from mirical.commands.printing import print_comparison
    from mirical.reporting.comparison_folder import check_target, compare, write_comparison
    from mirical.reporting.stored_inputs import open_pair

    out: Path | None = options.out
    folder = None if out is None or out.suffix == ".ecsv" else out
    if folder is not None:
        check_target(folder)
        check_outputs(folders=[folder])
    else:
        check_outputs([out])
    pair = open_pair(options.run, options.other)
    comparison = compare(*pair, options.mjd)
    results, cautions = consoles()
    audited = _audit(options.run, pair, cautions) if options.audit else None
    table = None if audited is None else audited[0]
    if folder is not None:
        write_comparison(comparison, folder, table)
    elif out is not None:
        write_table(comparison.factors, out)
    print_comparison(comparison, results)
    if audited is not None:
        from mirical.commands.printing import print_audit

        print_audit(*audited, results)
    return status_of(*pair)


def _audit(
    run: str, pair: tuple[Calibration, Calibration], cautions: Console
) -> tuple[Table, tuple[str, ...]] | None:
    """Return what a run's difference from published factors or zero points is made of, and why.

    None for other pairs, or without rows.
    """
    from mirical.audits.published import audit, audit_sentences
    from mirical.audits.zero_points import audit_zero_points, zero_point_sentences
    from mirical.calibration.posterior import PosteriorCalibration
    from mirical.calibration.published import PublishedCalibration
    from mirical.calibration.store import run_folder
    from mirical.calibration.zero_point_table import ZeroPointCalibration
    from mirical.reporting.stored_inputs import open_run

    ours, theirs = pair
    if not isinstance(ours, PosteriorCalibration):
        return None
    try:
        if isinstance(theirs, PublishedCalibration):
            table = audit(*open_run(run_folder(run)))
            return table, audit_sentences(table)
        if isinstance(theirs, ZeroPointCalibration) and theirs.assumed:
            table = audit_zero_points(*open_run(run_folder(run)), theirs)
            return table, zero_point_sentences(table)
        return None
    except InputError as error:
        # The factors alone can be compared without the rows.
        cautions.print(f"note: no audit of the differences: {error}", markup=False)
        return None


def staged(options: argparse.Namespace) -> int:
    """Fit a table by the staged procedure."""
    from mirical.commands.printing import print_table
    from mirical.instruments.cards import load_instrument
    from mirical.instruments.published import published_throughput
    from mirical.instruments.uses import require_staged
    from mirical.staged.point_fits import fit_staged, write_staged
    from mirical.tables.apertures import published_apertures
    from mirical.tables.calibration_factors import calibration_factors
    from mirical.tables.photometry import load_photometry
    from mirical.tables.predicted_fluxes import by_star_band, shipped_fluxes

    check_outputs(folders=[options.out])
    instrument = load_instrument(options.instrument, "staged")
    require_staged(instrument, "staged")
    observations = load_photometry(options.table, instrument, "staged")
    predicted = by_star_band(shipped_fluxes(instrument))
    factors = calibration_factors(observations, predicted, published_apertures(instrument))
    given = published_throughput(instrument) if options.subarrays == "published" else None
    calibration = fit_staged(factors, given, time_fit_knows_subarrays=not options.mix_subarrays)
    write_staged(calibration, options.out)
    results, cautions = consoles()
    query = calibration.in_reference(calibration.bands, calibration.reference_mjd)
    table = calibration.at(query).table()
    table["basis"] = calibration.basis(query)
    table.meta["simulated"] = calibration.simulated
    print_table(table, calibration.instrument, results)
    print_notes([*observations.notes, *calibration.cautions(query)], cautions)
    return SUCCESS


def fluxes(options: argparse.Namespace) -> int:
    """Predict fluxes and say what differs from the shipped ones."""
    from mirical.commands.printing import print_flux_differences
    from mirical.instruments.bandpasses import with_bandpasses
    from mirical.instruments.cards import load_instrument
    from mirical.tables.predicted_fluxes import differences, shipped_fluxes
    from mirical.tables.spectra import predict

    extra = {}
    for entry in options.star:
        name, separator, file = entry.partition("=")
        if not separator or not name or not file:
            raise InputError(f"fluxes: --star {entry!r}; expected NAME=FILE.")
        if name in extra:
            raise InputError(f"fluxes: --star {name!r} is given twice; give one spectrum a star.")
        extra[name] = Path(file)
    check_outputs([options.out], inputs=extra.values())
    instrument = load_instrument(options.instrument, "fluxes")
    if options.bandpasses is not None:
        instrument = with_bandpasses(instrument, options.bandpasses)
    new = predict(options.folder, extra, instrument)
    if options.out is not None:
        write_table(new, options.out)
    results, cautions = consoles()
    print_flux_differences(differences(new, shipped_fluxes(instrument)), results)
    print_notes(new.meta.get("notes", []), cautions)
    return SUCCESS


def add_parsers(parsers: argparse._SubParsersAction) -> None:
    """Add the commands of this module to the command line."""
    _add_run(parsers)
    _add_factors(parsers)
    _add_compare(parsers)
    _add_staged(parsers)
    _add_fluxes(parsers)


def _add_run(parsers: argparse._SubParsersAction) -> None:
    parser = parsers.add_parser("run", help="fit a job and write its folder of tables and report")
    parser.add_argument(
        "job",
        nargs="?",
        help="a job's name or file [table5, or imager, which takes any camera's rows, with "
        "--instrument]",
    )
    parser.add_argument(
        "--photometry", metavar="FILE", help="photometry table instead of the job's"
    )
    parser.add_argument("--model", metavar="CARD", help="model card instead of the job's")
    parser.add_argument("--apertures", metavar="TABLE", help="from 'mirical apertures' [Table 4]")
    parser.add_argument("--instrument", metavar="CARD", help="instrument card instead of the job's")
    parser.add_argument("--out", metavar="DIR", type=Path, help="folder to write [reports/JOB]")
    parser.add_argument(
        "--mjd",
        metavar="T",
        type=float,
        help="epoch of the report's one factor a band, MJD in days [59760, or among the rows]",
    )
    for name, what in _SETTINGS.items():
        parser.add_argument(f"--{name.replace('_', '-')}", metavar="N", type=int, help=what)
    parser.add_argument(
        "--time-limit",
        metavar="MIN",
        type=float,
        help="minutes after which sampling ends with what there is; the same command goes on",
    )
    parser.set_defaults(command=run)


def _add_factors(parsers: argparse._SubParsersAction) -> None:
    parser = parsers.add_parser(
        "factors", help="calibration factors for bands, subarrays and dates"
    )
    parser.add_argument("run", metavar="RUN", help="a run's folder, or 'published'")
    add_points(parser)
    parser.add_argument(
        "--covariance",
        metavar="FILE",
        type=Path,
        help="write the points' covariance: FILE.npy, its provenance beside it in FILE.npy.json, "
        "or FILE.fits, which holds points and provenance itself",
    )
    parser.add_argument(
        "--draws",
        metavar="FILE.npy",
        type=Path,
        help="write all draws, a row a draw, and FILE.npy.json",
    )
    add_without(parser)
    parser.add_argument("--out", metavar="C.ecsv", type=Path, help="write the answer as a table")
    parser.set_defaults(command=factors)


def _add_compare(parsers: argparse._SubParsersAction) -> None:
    parser = parsers.add_parser("compare", help="one calibration against another")
    parser.add_argument("run", metavar="RUN", help="a run's folder, or 'published'")
    parser.add_argument(
        "--with",
        dest="other",
        metavar="OTHER",
        default="published",
        help="a run's folder, 'staged' for point fits to the rows of RUN, a table of zero points, "
        "or [published]",
    )
    parser.add_argument("--mjd", metavar="T", type=float, nargs="+", help="epochs to compare at")
    parser.add_argument(
        "--out",
        metavar="DIR",
        type=Path,
        help="folder to write tables and figures to, or FILE.ecsv for the factors alone",
    )
    parser.add_argument(
        "--no-audit",
        dest="audit",
        action="store_false",
        help="do not read the run's rows to say why it differs from the published factors",
    )
    parser.set_defaults(command=compare)


def _add_staged(parsers: argparse._SubParsersAction) -> None:
    parser = parsers.add_parser("staged", help="the paper's staged point fits on any table")
    parser.add_argument("table", metavar="TABLE", help="photometry table, or 'table5'")
    parser.add_argument("--out", metavar="DIR", type=Path, required=True, help="folder to write")
    parser.add_argument(
        "--subarrays",
        choices=("measured", "published"),
        default="measured",
        help="D from the rows by a stated rule, or from Table 7 [measured]",
    )
    parser.add_argument(
        "--mix-subarrays",
        action="store_true",
        help="fit the time law without dividing out D, as the 2024 code did",
    )
    add_instrument(parser)
    parser.set_defaults(command=staged)


def _add_fluxes(parsers: argparse._SubParsersAction) -> None:
    parser = parsers.add_parser("fluxes", help="predicted fluxes from a folder of CALSPEC spectra")
    parser.add_argument("folder", metavar="FOLDER", type=Path, help="folder of CALSPEC files")
    parser.add_argument(
        "--star", metavar="NAME=FILE", action="append", default=[], help="a star of your own"
    )
    parser.add_argument("--out", metavar="FILE.ecsv", type=Path, help="write the table")
    parser.add_argument(
        "--bandpasses",
        metavar="DIR",
        type=Path,
        help="folder of the files of bandpasses that the card names [the card's]",
    )
    add_instrument(parser)
    parser.set_defaults(command=fluxes)
