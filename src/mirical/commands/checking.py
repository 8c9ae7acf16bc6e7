"""The commands ``check`` and ``rivals``."""

from __future__ import annotations

import argparse
from pathlib import Path

from mirical.console.command_parsers import add_command
from mirical.console.many_fits import add_options, how_of, kept_beside
from mirical.console.shared import SUCCESS, consoles, epoch, study_status
from mirical.errors import InputError
from mirical.storage.files import check_outputs
from mirical.text import one_line

MOST_CUTS = 100  # each is a fit of its own
LAST_MJD = 100_000.0  # beyond it no factor means anything


def check(options: argparse.Namespace) -> int:
    """Check a run and write the verdict."""
    from mirical.inference import runtime

    runtime.configure()  # before anything loads JAX or a linear algebra library

    from mirical.api.checks import check_rows
    from mirical.calibration.store import run_folder
    from mirical.checking.check import CheckPlan
    from mirical.checking.page import write_check
    from mirical.console.printing import print_check
    from mirical.reporting.stored_inputs import open_run

    how = how_of(options)
    folder = run_folder(options.run)
    out = options.out or folder / "check"
    check_outputs(folders=[out], renewed=options.out is None)
    posterior, inputs = open_run(folder)
    consoled = results, progress = consoles()
    with kept_beside(out, how, consoled) as kept:
        plan = CheckPlan(options.draws, options.refit, kept.run)
        name = one_line(folder.resolve().name)
        checked = check_rows(name, folder, posterior, inputs, plan, progress)
        kept.end_share()
        write_check(checked, out)
        print_check(checked, out, results)
        return study_status(options.run, checked.believable, progress)
    return SUCCESS  # of a share


def rivals(options: argparse.Namespace) -> int:
    """Fit rival models to a run's rows, compare and stack them, and forecast."""
    from mirical.inference import runtime

    runtime.configure()  # before anything loads JAX or a linear algebra library

    from mirical.calibration.store import run_folder
    from mirical.console.printing import print_models
    from mirical.console.progress import FitWatch
    from mirical.inference.gaussian import require_few_rows
    from mirical.instruments.cards import DEFAULT
    from mirical.reporting.stored_inputs import open_run
    from mirical.rivals.choice import rival_cards
    from mirical.rivals.comparison import UNTIL, compare_models, fit_rivals, forecast_dates
    from mirical.rivals.fits import RivalPlan
    from mirical.rivals.page import sentences, write_models

    how = how_of(options)
    if not 0 <= options.cuts <= MOST_CUTS:
        raise InputError(f"rivals: --cuts is {options.cuts}; expected 0 to {MOST_CUTS}.")
    until = UNTIL if options.until is None else options.until
    if not until <= LAST_MJD:
        raise InputError(f"rivals: --until is {until:g}; expected an epoch up to MJD {LAST_MJD:g}.")
    folder = run_folder(options.run)
    out = options.out or folder / "rivals"
    check_outputs(folders=[out], renewed=options.out is None)
    posterior, inputs = open_run(folder)
    require_few_rows("rivals", len(inputs.design.rows), folder)
    attrs = {str(key): value for key, value in posterior.attrs.items()}
    reference = str(attrs.get("instrument", DEFAULT))
    cards, timed = rival_cards(options.models, inputs.card, inputs.instrument, reference)
    dates, seed = forecast_dates(inputs, until), int(attrs["seed"])
    plan = RivalPlan(dates, options.cuts, seed, timed=timed)
    consoled = results, progress = consoles()
    with kept_beside(out, how, consoled) as kept:
        with FitWatch(progress) as watch:
            found = fit_rivals(inputs, cards, plan, watch.begin, kept.run)
        kept.end_share()
        if all(of[None].problem for of in found.values()):
            raise InputError("rivals: no model's chains may be believed: give the run more rows.")
        name = one_line(folder.resolve().name)
        compared = compare_models(name, attrs, inputs, cards, found, plan)
        write_models(compared, out)
        print_models(compared, sentences(compared), out, results)
        return study_status(options.run, True, progress)
    return SUCCESS  # of a share


def add_parsers(parsers: argparse._SubParsersAction) -> None:
    """Add the commands of this module to the command line."""
    _add_check(parsers)
    _add_rivals(parsers)


def _add_check(parsers: argparse._SubParsersAction) -> None:
    about = (
        "Confront a run with its rows: do they look as the model predicts, do residuals depend on "
        "what the model leaves out, is a star odd, and does one star decide the answer? A page "
        "and a verdict; status 1 if a check fires."
    )
    parser = add_command(
        parsers,
        "check",
        check,
        ("should the model be believed? predictive checks, dependences, odd stars", about),
        "mirical check table5",
    )
    parser.add_argument("run", metavar="RUN", help="a run's folder")
    how = parser.add_argument_group("how")
    how.add_argument(
        "--draws", metavar="N", type=int, default=200, help="posterior draws looked at [200]"
    )
    how.add_argument(
        "--no-refit",
        dest="refit",
        action="store_false",
        help="do not fit again without each star whose effect the draws cannot tell",
    )
    add_options(parser, "blocks of draws, then fits,")
    written = parser.add_written()
    written.add_argument("--out", metavar="DIR", type=Path, help="folder to write [RUN/check]")


def _add_rivals(parsers: argparse._SubParsersAction) -> None:
    about = (
        "Fit other model cards to a run's rows, compare them by the expected log predictive "
        "density of rows left out, stack them, and forecast the factors to a date."
    )
    parser = add_command(
        parsers,
        "rivals",
        rivals,
        ("other models of a run's rows: compared, stacked, and asked for the future", about),
        "mirical rivals table5 --models hierarchical linear --cuts 0",
    )
    what = parser.add_argument_group("what is compared")
    what.add_argument("run", metavar="RUN", help="a run's folder")
    what.add_argument(
        "--models",
        metavar="CARD",
        nargs="+",
        help="cards to compare [the shipped ladder and time laws; of another instrument than miri "
        "the run's card, and it without each of its terms]",
    )
    what.add_argument(
        "--cuts", metavar="N", type=int, default=5, help="dates to hindcast from, 0 for none [5]"
    )
    what.add_argument(
        "--until", metavar="T", type=epoch, help="end of the forecast [62502, 2030-01-01]"
    )
    add_options(parser, "fits")
    written = parser.add_written()
    written.add_argument("--out", metavar="DIR", type=Path, help="folder to write [RUN/rivals]")
