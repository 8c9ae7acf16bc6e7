"""The commands ``factors`` and ``stars``: what a stored run says of points and of its stars."""

from __future__ import annotations

import argparse
from pathlib import Path

from mirical.console.command_parsers import add_command
from mirical.console.points import (
    add_points,
    add_without,
    asked_calibration,
    asked_points,
    factor_covariance,
    write_matrix,
)
from mirical.console.shared import consoles, print_notes, status_of, write_table
from mirical.errors import InputError
from mirical.storage.files import check_outputs, together


def factors(options: argparse.Namespace) -> int:
    """Print or write calibration factors, their covariance and draws of them."""
    from mirical.calibration.provenance import record, stamp, write_array
    from mirical.console.printing import print_table
    from mirical.json_answer import JsonAnswer

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
    if options.out is None or isinstance(results, JsonAnswer):
        print_table(table, calibration.instrument, results)
    print_notes(calibration.cautions(query), cautions)
    return status_of(calibration)


def stars(options: argparse.Namespace) -> int:
    """Print or write fluxes and magnitudes of every star, and their covariance."""
    from mirical.calibration.posterior import PosteriorCalibration
    from mirical.calibration.provenance import record, stamp, write_array
    from mirical.calibration.star_fluxes import star_fluxes
    from mirical.console.printing import print_stars

    check_outputs([options.out, options.covariance])
    if options.covariance is not None and options.covariance.suffix != ".npy":
        raise InputError(f"stars: --covariance {options.covariance}; expected a file named *.npy.")
    calibration = asked_calibration(options)
    if not isinstance(calibration, PosteriorCalibration):
        raise InputError(f"stars: {options.run!r} has no stars of its own; give a run's folder.")
    found = star_fluxes(calibration)
    table, about = found.table(), record(calibration)
    stamp(table, about)
    results, cautions = consoles()
    with together():
        if options.out is not None:
            write_table(table, options.out)
        if options.covariance is not None:
            what = "covariance of ln flux, points in the order of the table"
            axes = ("point", "point")
            write_array(found.covariance, options.covariance, about, what, axes, "1")
    print_stars(table, results)
    print_notes(calibration.doubts, cautions)
    return status_of(calibration)


def add_parsers(parsers: argparse._SubParsersAction) -> None:
    """Add the commands of this module to the command line."""
    _add_factors(parsers)
    _add_stars(parsers)


def _add_factors(parsers: argparse._SubParsersAction) -> None:
    about = (
        "Calibration factors C and their errors for bands, subarrays and epochs, given one by one "
        "or as a table; with their covariance, which fits to spectral energy distributions need."
    )
    parser = add_command(
        parsers,
        "factors",
        factors,
        ("calibration factors for bands, subarrays and dates", about),
        "mirical factors published --filter F770W F1500W --subarray SUB64 --mjd 59760",
        "mirical factors table5 --at grid.ecsv --out c.ecsv --covariance c.fits",
    )
    asked = parser.add_argument_group("what is asked")
    asked.add_argument("run", metavar="RUN", help="a run's folder, or 'published'")
    add_points(asked)
    add_without(asked)
    written = parser.add_written()
    written.add_argument(
        "--out", metavar="C.ecsv", type=Path, help="write the answer as a table, not print it"
    )
    written.add_argument(
        "--covariance",
        metavar="FILE",
        type=Path,
        help="write the points' covariance: FILE.npy, its provenance beside it in FILE.npy.json, "
        "or FILE.fits, which holds points and provenance itself",
    )
    written.add_argument(
        "--draws",
        metavar="FILE.npy",
        type=Path,
        help="write all draws, a row a draw, and FILE.npy.json",
    )


def _add_stars(parsers: argparse._SubParsersAction) -> None:
    about = (
        "Fluxes and magnitudes of every star of a run, in every band it was measured in, under "
        "the run's calibration; and whether a flux was predicted or is known by the run alone."
    )
    parser = add_command(
        parsers,
        "stars",
        stars,
        ("fluxes and magnitudes of a run's stars: new secondary standards", about),
        "mirical stars table5 --out stars.ecsv",
    )
    asked = parser.add_argument_group("what is asked")
    asked.add_argument("run", metavar="RUN", help="a run's folder")
    add_without(asked)
    written = parser.add_written()
    written.add_argument("--out", metavar="S.ecsv", type=Path, help="write the answer as a table")
    written.add_argument(
        "--covariance",
        metavar="FILE.npy",
        type=Path,
        help="write the covariance of ln flux, and FILE.npy.json",
    )
