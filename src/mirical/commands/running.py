"""The commands ``run`` and ``index``: a job is fitted and its folder written; runs are listed."""

from __future__ import annotations

import argparse
import math
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from mirical.console.command_parsers import add_command
from mirical.console.shared import (
    EPOCHS,
    INTERRUPTED,
    NOT_BELIEVABLE,
    SUCCESS,
    consoles,
    epoch,
    print_notes,
)
from mirical.errors import InputError
from mirical.storage.files import Unwritable, check_outputs

if TYPE_CHECKING:
    from rich.console import Console

    from mirical.chains.checkpoint import Checkpoint
    from mirical.jobs.inputs import Inputs
    from mirical.jobs.job import Job

_OUT = (
    "folder to write [reports/JOB, or the name of the table that is given; a run of the same "
    "table and cards there is renewed]"
)

_SETTINGS = {
    "seed": "fixes every random number [the job's]",
    "chains": "number of chains [the job's]",
    "warmup": "warm-up steps of a chain [the job's]",
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

    from mirical.api.fits import NUMBERS, TEXTS, chosen_job
    from mirical.chains.checkpoint import Checkpoint, checkpoint_of
    from mirical.jobs.inputs import resolve_job
    from mirical.reporting.stored_inputs import is_run_of

    texts, numbers = (
        {name: getattr(options, name) for name in names} for names in (TEXTS, NUMBERS)
    )
    job = chosen_job(options.job, texts, numbers, options.mjd, options.time_limit)
    folder = options.out or Path("reports") / job.name
    is_own = options.out is None or checkpoint_of(folder).exists()
    check_outputs(folders=[folder], renewed=is_own and is_run_of(job, folder, fast=options.fast))
    inputs = resolve_job(job)
    if options.fast:
        return _fit_fast(job, inputs, folder)

    from mirical.chains.identity import identity

    _, progress = consoles()
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
    from mirical.api.fits import fit_job
    from mirical.chains.sampling import OutOfTimeError
    from mirical.console.printing import print_run
    from mirical.console.progress import WorkWatch
    from mirical.reporting.run_folder import write_run

    results, progress = consoles()
    later = "" if kept is None else "; the same command with a longer --time-limit goes on"
    try:
        run = fit_job(job, inputs, progress, kept=kept, deadline=deadline)
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


def _fit_fast(job: Job, inputs: Inputs, folder: Path) -> int:
    """Approximate the posterior, write the folder and print."""
    from mirical.api.fits import fit_job
    from mirical.console.printing import print_run
    from mirical.console.progress import WorkWatch
    from mirical.reporting.run_folder import write_run

    results, progress = consoles()
    run = fit_job(job, inputs, progress, fast=True)
    with WorkWatch("the tables and the report are being written", progress):
        write_run(run, folder)
    print_run(run, folder, results)
    return SUCCESS if run.verdict.believable else NOT_BELIEVABLE


def _note(progress: Console, sentence: str) -> None:
    print_notes([sentence], progress)


def index(options: argparse.Namespace) -> int:
    """Write the list of the runs of a folder."""
    from mirical.pages.index import INDEX
    from mirical.pages.links import list_runs

    folder: Path = options.folder
    if not folder.is_dir():
        raise InputError(f"index: {folder} is no folder; give one that holds folders of runs.")
    check_outputs([folder / INDEX], renewed=True)
    number = list_runs(folder)
    said = f"{folder / INDEX} lists {number} run{'' if number == 1 else 's'}"
    consoles()[0].print(said, soft_wrap=True, markup=False)
    return SUCCESS


def add_parsers(parsers: argparse._SubParsersAction) -> None:
    """Add the commands of this module to the command line."""
    _add_run(parsers)
    parser = add_command(
        parsers,
        "index",
        index,
        (
            "a page that lists the runs of a folder",
            "Write index.html, which lists the runs of a folder with their verdicts and links to "
            "their pages. Commands that write a run or a page of it then keep it up to date.",
        ),
        "mirical index reports",
    )
    parser.add_argument(
        "folder", metavar="DIR", nargs="?", type=Path, default=Path("reports"),
        help="folder that holds folders of runs [reports]",
    )  # fmt: skip


def _add_run(parsers: argparse._SubParsersAction) -> None:
    about = (
        "Fit a job's model card to its photometry table and write a folder: the posterior, tables "
        "of factors and coefficients, figures and report.html. Sampling goes on until every "
        "reported quantity has the effective draws asked for; what was interrupted goes on from "
        "where it stopped."
    )
    parser = add_command(
        parsers,
        "run",
        run,
        ("fit a job and write its folder of tables and report", about),
        "mirical run table5",
        "mirical run --photometry rows.ecsv --out reports/mine",
    )
    what = parser.add_argument_group("what is fitted")
    what.add_argument(
        "job",
        nargs="?",
        help="a job's name or file [table5, or imager, which takes any camera's rows, with "
        "--instrument]",
    )
    what.add_argument("--photometry", metavar="FILE", help="photometry table instead of the job's")
    what.add_argument("--model", metavar="CARD", help="model card instead of the job's")
    what.add_argument("--apertures", metavar="TABLE", help="from 'mirical apertures' [Table 4]")
    what.add_argument("--instrument", metavar="CARD", help="instrument card instead of the job's")
    how = parser.add_argument_group("how it is sampled")
    for name, says in _SETTINGS.items():
        how.add_argument(f"--{name.replace('_', '-')}", metavar="N", type=int, help=says)
    how.add_argument(
        "--time-limit",
        metavar="MIN",
        type=float,
        help="minutes after which sampling ends with what there is; the same command goes on "
        "[no limit]",
    )
    how.add_argument(
        "--fast",
        action="store_true",
        help="an approximation in about a minute, which says itself when it must not be trusted",
    )
    written = parser.add_written()
    written.add_argument("--out", metavar="DIR", type=Path, help=_OUT)
    written.add_argument(
        "--mjd",
        metavar="T",
        type=epoch,
        help=f"epoch of the report's one factor a band, {EPOCHS} [59760, or among the rows]",
    )
