"""The command ``factors``: calibration factors at points, their covariance and draws of them."""

from __future__ import annotations

import argparse
from pathlib import Path

from mirical.commands.points import add_points, add_without
from mirical.console.shared import consoles, print_notes, status_of, write_table
from mirical.storage.files import check_outputs, together


def factors(options: argparse.Namespace) -> int:
    """Print or write calibration factors, their covariance and draws of them."""
    from mirical.calibration.provenance import record, stamp, write_array
    from mirical.commands.points import (
        asked_calibration,
        asked_points,
        factor_covariance,
        write_matrix,
    )
    from mirical.console.printing import print_table

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


def add_parsers(parsers: argparse._SubParsersAction) -> None:
    """Add the command of this module to the command line."""
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
