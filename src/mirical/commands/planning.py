"""The command ``plan``: candidate observations by what they tell of a stated goal."""

from __future__ import annotations

import argparse
import math
from pathlib import Path

from mirical.console.command_parsers import add_command
from mirical.console.shared import consoles, print_notes, study_status
from mirical.errors import InputError
from mirical.storage.files import check_outputs
from mirical.text import one_line


def plan(options: argparse.Namespace) -> int:
    """Rank candidates and choose a set of them."""
    from mirical.inference import runtime

    runtime.configure()  # before anything loads JAX or a linear algebra library

    from mirical.calibration.posterior import PosteriorCalibration
    from mirical.calibration.store import require_draws, run_folder
    from mirical.console.plan_printing import print_plan
    from mirical.console.progress import DrawWatch
    from mirical.planning.candidates import read_candidates, require_few
    from mirical.planning.goals import parse_goal
    from mirical.planning.page import write_plan
    from mirical.planning.plan import FEWEST_DRAWS, Asked, make_plan
    from mirical.reporting.stored_inputs import open_run

    if options.draws < FEWEST_DRAWS:
        raise InputError(f"plan: --draws is {options.draws}; expected at least {FEWEST_DRAWS}.")
    if not (math.isfinite(options.hours) and options.hours > 0):
        raise InputError(f"plan: --hours is {options.hours:g}; expected hours above 0.")
    folder = run_folder(options.run)
    out = options.out or folder / "plan"
    check_outputs(folders=[out], inputs=[options.candidates], renewed=options.out is None)
    posterior, inputs = open_run(folder)
    require_draws(posterior, folder, FEWEST_DRAWS)
    instrument, bands = inputs.instrument, inputs.design.bands
    private = PosteriorCalibration.of(posterior, instrument).private_readouts
    goal = parse_goal(options.goal, instrument, bands, private)
    planned = read_candidates(options.candidates, inputs)
    require_few(planned, len(inputs.design.rows), options.candidates)
    results, progress = consoles()
    asked = Asked(goal, options.hours, options.draws)
    with DrawWatch(options.draws, progress) as watch:
        made = make_plan(
            one_line(folder.resolve().name), posterior, inputs, planned, asked, watch.advance
        )
    write_plan(made, out)
    print_plan(made, out, results)
    print_notes(planned.notes, progress)
    return study_status(options.run, True, progress)


def add_parsers(parsers: argparse._SubParsersAction) -> None:
    """Add the command of this module to the command line."""
    about = (
        "Rank candidate observations by the expected fall of the variance of what you want to "
        "know, per hour of telescope time, and choose a set within an amount of hours."
    )
    parser = add_command(
        parsers,
        "plan",
        plan,
        ("what to observe next: candidates ranked by the fall of a variance per hour", about),
        "mirical plan table5 --candidates next.ecsv --goal 'F2550W at MJD 61500' --hours 8",
    )
    what = parser.add_argument_group("what is planned")
    what.add_argument("run", metavar="RUN", help="a run's folder")
    what.add_argument(
        "--candidates",
        metavar="FILE.ecsv",
        type=Path,
        required=True,
        help="table with name, filter, subarray and time; see docs/plan.md",
    )
    what.add_argument(
        "--goal",
        metavar="GOAL",
        required=True,
        help="'F2550W at MJD 61500', 'F770W/F1500W at MJD T', 'mean of all bands at MJD T', "
        "'worst band at MJD T', 'D of SUB64' or 'D of SUB64 in F770W'",
    )
    what.add_argument(
        "--hours", metavar="H", type=float, default=10.0, help="what the set may cost [10]"
    )
    what.add_argument(
        "--draws", metavar="N", type=int, default=1000, help="posterior draws averaged over [1000]"
    )
    written = parser.add_written()
    written.add_argument("--out", metavar="DIR", type=Path, help="folder to write [RUN/plan]")
