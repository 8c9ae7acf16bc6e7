"""The command ``stars``: fluxes of a run's stars under its calibration."""

from __future__ import annotations

import argparse
from pathlib import Path

from mirical.commands.points import add_without, asked_calibration
from mirical.console.shared import consoles, print_notes, status_of, write_table
from mirical.errors import InputError
from mirical.storage.files import check_outputs, together


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
    """Add the command of this module to the command line."""
    parser = parsers.add_parser(
        "stars", help="fluxes and magnitudes of a run's stars: new secondary standards"
    )
    parser.add_argument("run", metavar="RUN", help="a run's folder")
    add_without(parser)
    parser.add_argument("--out", metavar="S.ecsv", type=Path, help="write the answer as a table")
    parser.add_argument(
        "--covariance",
        metavar="FILE.npy",
        type=Path,
        help="write the covariance of ln flux, and FILE.npy.json",
    )
    parser.set_defaults(command=stars)
