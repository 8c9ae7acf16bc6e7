"""The command ``update``: new rows assimilated by a stored run."""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from mirical.console.command_parsers import add_command
from mirical.console.shared import NOT_BELIEVABLE, SUCCESS, consoles, print_notes
from mirical.errors import InputError
from mirical.storage.files import check_outputs

if TYPE_CHECKING:
    from rich.console import Console

    from mirical.reporting.run import Run
    from mirical.tables.added_rows import AddedRows
    from mirical.updating.added import Update


def update(options: argparse.Namespace) -> int:
    """Add new rows to a run: by reweighting its draws, in batches, or by a fit of all rows."""
    from mirical.inference import runtime

    runtime.configure()  # before anything loads JAX or a linear algebra library

    from mirical.calibration.store import run_folder
    from mirical.console.printing import print_run
    from mirical.console.progress import WorkWatch
    from mirical.reporting.run_folder import write_run
    from mirical.reporting.stored_inputs import open_job
    from mirical.tables.photometry import load_photometry
    from mirical.updating.added import prepare_update

    folder = run_folder(options.run)
    if options.out.resolve() == folder.resolve():
        raise InputError(f"--out {options.out} is the run itself; give another folder.")
    check_outputs(folders=[options.out])
    results, progress = consoles()
    with WorkWatch("the run and the new rows are being read", progress):
        run, job, before = open_job(folder)
        new = load_photometry(options.new_rows, before.instrument, "update")
        prepared = prepare_update(run, job, before, new, options.seed)
    print_notes([*run.doubts, *new.notes], progress)
    if prepared is None:
        said = f"all rows of {new.source} are rows of the run already; no folder is written."
        print_notes([said], progress)
        return SUCCESS
    print_notes(_counted(prepared.added, new.source), progress)
    made = _updated(prepared, progress, full=not options.no_full)
    if made is None:
        return NOT_BELIEVABLE
    with WorkWatch("the tables and the report are being written", progress):
        write_run(made, options.out)
    print_run(made, options.out, results)
    return SUCCESS if made.verdict.believable else NOT_BELIEVABLE


def _updated(prepared: Update, progress: Console, *, full: bool) -> Run | None:
    """Return the run of all rows: by weights, in batches, by a fast fit or by chains.

    It is the first that may be believed, or that of chains; None if these are needed and not
    `full`.
    """
    from mirical.console.progress import WorkWatch
    from mirical.updating.added import obstacle
    from mirical.updating.runs import fit_fast_again, how_updated, update_draws
    from mirical.updating.weighing import weigh

    why, found = obstacle(prepared), None
    if why is None:
        with WorkWatch("the draws are being weighed by the new rows", progress) as watch:
            weighing = weigh(prepared)
            why = weighing.failure
            if why is None:
                found = update_draws(prepared, weighing, watch.turn_to)
        if found is not None and found.verdict.believable:
            print_notes([how_updated(weighing, found)], progress)
            return found
        if found is not None:
            why = found.verdict.sentences[0].split(";")[0]
    print_notes([f"no update of the draws ({why}): a fast fit to all rows."], progress)
    with WorkWatch("a fast fit to all rows", progress) as watch:
        tell = partial(print_notes, cautions=progress)
        found = fit_fast_again(prepared, tell, watch.turn_to)
    if found.verdict.believable:
        return found
    why = found.verdict.sentences[0].split(";")[0]
    if not full:
        said = f"the fast fit must not be trusted ({why}), and --no-full allows no full fit"
        print_notes([f"{said}; nothing is written."], progress)
        return None
    print_notes([f"the fast fit must not be trusted ({why}): a full fit to all rows."], progress)
    return _fitted(prepared, progress)


def _fitted(prepared: Update, progress: Console) -> Run:
    from mirical.chains.running import Course
    from mirical.console.progress import ChainWatch
    from mirical.updating.runs import fit_again

    with ChainWatch(prepared.job.sampler, progress) as watch:
        return fit_again(prepared, Course(watch), lambda said: print_notes(said, progress))


def _counted(added: AddedRows, source: str) -> list[str]:
    """Say how many rows are new, and how many the run has."""
    number = len(added.fresh) + len(added.known)
    beside = f"; the run has the others ({len(added.known)}) already" if added.known else ""
    return [f"{source}: {len(added.fresh)} of {number} rows are new{beside}."]


def add_parsers(parsers: argparse._SubParsersAction) -> None:
    """Add the command of this module to the command line."""
    about = (
        "Add new rows to a stored run: its draws are reweighted by the new rows (importance "
        "sampling). Where the weights are too uneven, draws assimilate the rows in batches and are "
        "moved after each. Rows that the run does not expect are fitted fast with all others, and "
        "where that fails with chains."
    )
    parser = add_command(
        parsers,
        "update",
        update,
        ("add new rows to a run by reweighting its draws; a fit where that fails", about),
        "mirical update table5 new_rows.ecsv --out reports/updated",
    )
    what = parser.add_argument_group("what is updated")
    what.add_argument("run", metavar="RUN", help="a run's folder, or its name under reports/")
    what.add_argument("new_rows", metavar="NEW_ROWS", help="photometry table with the new rows")
    how = parser.add_argument_group("how")
    how.add_argument("--seed", metavar="N", type=int, help="fixes every random number [RUN's]")
    how.add_argument(
        "--no-full",
        action="store_true",
        help="stop with status 1 where weights and a fast fit fail, instead of a full fit",
    )
    written = parser.add_written()
    written.add_argument(
        "--out", metavar="RUN2", type=Path, required=True, help="folder of the updated run"
    )
