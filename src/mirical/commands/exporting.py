"""Commands that carry a calibration to those who use it."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from mirical.bands import BANDS
from mirical.commands.ending import NOT_BELIEVABLE, SUCCESS, consoles, print_notes
from mirical.commands.linting import print_findings
from mirical.commands.points import asked_points, write_matrix
from mirical.files import check_outputs

if TYPE_CHECKING:
    from rich.console import Console

    from mirical.products.calibration import Calibration


def export(options: argparse.Namespace) -> int:
    """Write a calibration in a format of others."""
    from mirical.products.stored_runs import open_calibration

    results, cautions = consoles()
    outputs = [options.file]
    if options.to == "jwst-photom-draws":
        check_outputs(folders=outputs)
    else:
        check_outputs(outputs, inputs=[options.at], parents=True)
    calibration = open_calibration(options.run)
    status = EXPORTS[options.to](calibration, options, results, cautions)
    print_notes(calibration.doubts, cautions)
    return status if calibration.believable else NOT_BELIEVABLE


def _photom(
    calibration: Calibration, options: argparse.Namespace, results: Console, cautions: Console
) -> int:
    from mirical.exports.photom_file import write_photom
    from mirical.exports.pipeline_check import check_in_pipeline, one_of_each, spread_epochs
    from mirical.exports.pipeline_export import about, mean_rows
    from mirical.exports.preflight import preflight
    from mirical.products.calibration import simulated

    exported = mean_rows(calibration)
    write_photom(exported.rows, about(calibration, exported), options.file)
    rows = one_of_each(exported.rows)
    checked = check_in_pipeline(options.file, rows, spread_epochs(len(rows)))
    results.print(
        f"{simulated(calibration)}{len(exported.rows)} rows in {options.file}", soft_wrap=True
    )
    results.print(exported.sentence(), soft_wrap=True, markup=False)
    results.print(checked.sentence(), soft_wrap=True, markup=False)
    lacking = [band for band in BANDS if band not in calibration.bands]
    if lacking:
        cautions.print(
            f"note: no rows of {', '.join(lacking)}, which the calibration has not: the pipeline "
            "says COMPLETE of such images and leaves them in DN/s.",
            soft_wrap=True,
            markup=False,
        )
    sound = print_findings(preflight(options.file), options.file, results)
    return SUCCESS if checked.passes and sound else NOT_BELIEVABLE


def _photom_draws(
    calibration: Calibration, options: argparse.Namespace, results: Console, cautions: Console
) -> int:
    from dataclasses import replace

    from mirical.exports.photom_file import write_photom
    from mirical.exports.pipeline_check import check_in_pipeline, one_of_each, spread_epochs
    from mirical.exports.pipeline_export import about, draw_rows
    from mirical.files import whole_folder
    from mirical.products.calibration import simulated

    draws = draw_rows(calibration, options.draws, options.seed)
    epochs = spread_epochs(len(draws))
    checks = []
    with whole_folder(options.file, former=("draw_*.fits",)) as beside:
        for k, rows in enumerate(draws):
            path = beside / f"draw_{k:04d}.fits"
            name = f", draw {k} of {len(draws)} (seed {options.seed})"
            write_photom(rows, about(calibration, draw=name), path)
            some = one_of_each(rows)
            one = some[k % len(some) : k % len(some) + 1]
            checks.append(check_in_pipeline(path, one, epochs[k : k + 1]))
            cautions.print(f"draw {k + 1} of {len(draws)}", end="\r")
    worst = max(checks, key=lambda checked: checked.worst)
    worst = replace(worst, rows=len(checks))
    results.print(
        f"{simulated(calibration)}{len(draws)} draws in {options.file}",
        soft_wrap=True,
        markup=False,
    )
    results.print(worst.sentence(), soft_wrap=True, markup=False)
    return SUCCESS if worst.passes else NOT_BELIEVABLE


def _covariance(
    calibration: Calibration, options: argparse.Namespace, results: Console, cautions: Console
) -> int:
    from mirical.conventions import FACTOR
    from mirical.exports.covariance_file import Covariance
    from mirical.products.calibration import Query

    if options.at is not None:
        _, query = asked_points("export", options)
    else:
        dates = EXPORT_DATES
        bands = [band for band in calibration.bands for _ in dates]
        query = Query.of(bands, "FULL", list(dates) * len(calibration.bands))
    answer = calibration.at(query)
    made = Covariance(query, answer.mean, answer.covariance, FACTOR)
    write_matrix(made, options.file, "calibration factors and their covariance", calibration)
    results.print(f"{len(query)} points in {options.file}", soft_wrap=True, markup=False)
    print_notes(calibration.cautions(query), cautions)
    return SUCCESS


EXPORT_DATES = (59720.0, 59760.0, 59850.0, 60000.0, 60365.0, 60730.0, 61095.0, 61460.0, 61825.0)
"""Epochs of the side-car's factors where no grid is given: dense where factors change, to 2028."""


def _apcorr(
    calibration: Calibration, options: argparse.Namespace, results: Console, cautions: Console
) -> int:
    from mirical.exports.covariance_file import history
    from mirical.exports.pipeline_export import pedigree
    from mirical.observations.apertures import published_apertures
    from mirical.products.apcorr_file import USE, write_used_apcorr
    from mirical.products.calibration import simulated
    from mirical.products.runs import open_run
    from mirical.products.stored_runs import run_folder

    if options.run == "published":
        apertures = published_apertures()
    else:
        apertures = open_run(run_folder(options.run))[1].factors.apertures
    used = {band: apertures[band] for band in calibration.bands}
    write_used_apcorr(used, pedigree(calibration), options.file, history(calibration))
    results.print(
        f"{simulated(calibration)}corrections of {len(used)} bands, for 70, 80 and 85 % encircled "
        f"energy, in {options.file}",
        soft_wrap=True,
        markup=False,
    )
    print_notes(
        [
            "the pipeline's source_catalog step stops at this file if it is left to its default "
            "encircled energies of 30, 50 and 70 %, for the radii of 30 and 50 % are not known: "
            f"run it with {USE}."
        ],
        cautions,
    )
    return SUCCESS


def _latex(
    calibration: Calibration, options: argparse.Namespace, results: Console, cautions: Console
) -> int:
    from mirical.exports.printed_tables import latex
    from mirical.files import whole_file

    with whole_file(options.file) as beside:
        beside.write_text(latex(calibration), encoding="utf-8")
    results.print(f"Tables 8 and 7 in {options.file}", soft_wrap=True, markup=False)
    return SUCCESS


def _mrt(
    calibration: Calibration, options: argparse.Namespace, results: Console, cautions: Console
) -> int:
    from mirical.exports.printed_tables import write_machine_readable

    write_machine_readable(calibration, options.file)
    results.print(f"Table 8 in {options.file}", soft_wrap=True, markup=False)
    return SUCCESS


EXPORTS: dict[str, Callable[[Calibration, argparse.Namespace, Console, Console], int]] = {
    "jwst-photom": _photom,
    "jwst-photom-draws": _photom_draws,
    "jwst-apcorr": _apcorr,
    "covariance": _covariance,
    "latex": _latex,
    "mrt": _mrt,
}
"""What `mirical export --to` knows, and what writes it."""


def add_parsers(parsers: argparse._SubParsersAction) -> None:
    """Add the commands of this module to the command line."""
    _add_export(parsers)


def _add_export(parsers: argparse._SubParsersAction) -> None:
    parser = parsers.add_parser("export", help="a calibration as reference files and tables")
    parser.add_argument("run", metavar="RUN", help="a run's folder, or 'published'")
    parser.add_argument(
        "--to",
        metavar="FORMAT",
        choices=EXPORTS,
        required=True,
        help=f"one of {', '.join(EXPORTS)}",
    )
    parser.add_argument(
        "file", metavar="FILE", type=Path, help="file to write; a folder for jwst-photom-draws"
    )
    parser.add_argument(
        "--draws", metavar="N", type=int, default=50, help="draws of jwst-photom-draws [50]"
    )
    parser.add_argument("--seed", metavar="N", type=int, default=0, help="fixes which [0]")
    parser.add_argument(
        "--at",
        metavar="GRID.ecsv",
        type=Path,
        help="points of the covariance [all bands in FULL at nine dates]",
    )
    parser.set_defaults(command=export)
