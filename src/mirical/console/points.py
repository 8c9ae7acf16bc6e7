"""Points that commands are asked about, and the matrices they write."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from mirical.console.shared import EPOCHS, consoles, epoch, print_notes
from mirical.errors import InputError

if TYPE_CHECKING:
    from astropy.table import Table

    from mirical.calibration.calibration import Calibration
    from mirical.calibration.factors import Factors, Query
    from mirical.exports.covariance_file import Covariance
    from mirical.instruments.instrument import Instrument


def asked_points(
    command: str, options: argparse.Namespace, instrument: Instrument
) -> tuple[Table | None, Query]:
    """Return the points of --at, and its table, or those of --filter, --subarray and --mjd.

    Raises
    ------
    InputError
        If neither is given, both are, or the lists do not fit together.
    """
    from mirical.calibration.factors import Query

    listed = getattr(options, "filter", None), getattr(options, "mjd", None)
    if options.at is not None:
        if any(one is not None for one in listed):
            raise InputError(f"{command}: give --filter and --mjd, or --at GRID.ecsv, not both.")
        return _read_grid(options.at, instrument)
    if None in listed:
        raise InputError(f"{command}: give --filter and --mjd (and --subarray), or --at GRID.ecsv.")
    lists = {
        "filter": options.filter,
        "subarray": options.subarray or [instrument.reference],
        "mjd": options.mjd,
    }
    lengths = {
        name: len(values) if isinstance(values, list) else 1 for name, values in lists.items()
    }
    longest = max(lengths.values())
    for name, length in lengths.items():
        if length not in (1, longest):
            raise InputError(
                f"{command}: --{name} has {length} entries and another option {longest}; give one, "
                "or as many."
            )
    return None, Query.of(instrument, *lists.values())


def _read_grid(path: Path, instrument: Instrument) -> tuple[Table, Query]:
    from mirical.calibration.factors import Query
    from mirical.tables.formats import read_columns, texts
    from mirical.tables.quantities import numbered_epochs

    notes: list[str] = []
    needed = ("filter", "subarray", "mjd")
    grid = read_columns(path, needed, notes, {"name": None}, instrument)
    bands, subarrays = texts(grid["filter"]), texts(grid["subarray"])
    mjd = numbered_epochs(grid, path.name, notes)
    print_notes(notes, consoles()[1])
    return grid, Query.of(instrument, bands, subarrays, mjd, path.name)


def asked_calibration(options: argparse.Namespace) -> Calibration:
    """Return the calibration RUN names, less what --without leaves out.

    Raises
    ------
    InputError
        If there is none, or --without names what cannot be left out.
    """
    from mirical.calibration.calibration import ABSOLUTE
    from mirical.calibration.store import open_calibration

    left = [part.strip() for part in (options.without or "").split(",") if part.strip()]
    unknown = [part for part in left if part not in ABSOLUTE]
    if unknown or (options.without is not None and not left):
        raise InputError(
            f"--without: {', '.join(unknown) or options.without!r} cannot be left out; expected "
            f"{' or '.join(ABSOLUTE)}, or both as {','.join(ABSOLUTE)}."
        )
    calibration = open_calibration(options.run)
    return calibration.leaving_out(left) if left else calibration


def factor_covariance(answer: Factors) -> Covariance:
    """Return factors with their covariance, and its parts where it is more than relative."""
    from mirical.exports.covariance_file import Covariance

    parts = answer.parts if len(answer.parts) > 1 else {}
    unit = answer.query.instrument.factor_unit
    return Covariance(answer.query, answer.mean, answer.covariance, unit, parts)


def write_matrix(made: Covariance, path: Path, about: str, calibration: Calibration) -> None:
    """Write a covariance: the matrix alone for ``.npy``, else the FITS side-car."""
    from mirical.calibration.provenance import record, write_array
    from mirical.exports.covariance_file import history, write_covariance

    if path.suffix == ".npy":
        unit = f"({made.unit.to_string()})^2"
        axes = ("point", "point")
        write_array(made.covariance, path, record(calibration), about, axes, unit)
    else:
        write_covariance(made, path, about, history(calibration), calibration.simulated)


def add_points(command: argparse._ActionsContainer) -> None:
    """Add the options that `asked_points` reads."""
    command.add_argument(
        "--filter", metavar="F", nargs="+", help="band, such as F770W; several, one a point"
    )
    command.add_argument(
        "--subarray",
        metavar="S",
        nargs="+",
        help="subarray, one or all [the reference, such as FULL]",
    )
    command.add_argument("--mjd", metavar="T", nargs="+", type=epoch, help=f"epoch, {EPOCHS}")
    command.add_argument(
        "--at",
        metavar="GRID.ecsv",
        type=Path,
        help="table with filter, subarray and mjd, and name where of several objects",
    )


def add_without(command: argparse._ActionsContainer) -> None:
    """Add the option that `asked_calibration` reads."""
    command.add_argument(
        "--without",
        metavar="PARTS",
        help="leave flux_scale, or flux_scale,types out of all errors and draws: for relative work",
    )


def add_source(command: argparse._ActionsContainer) -> None:
    """Add the options that say what was observed."""
    command.add_argument(
        "--source",
        choices=("point", "extended"),
        default="point",
        help="a point source in the standard stars' apertures, or anything else [point]",
    )
    command.add_argument(
        "--visits", metavar="N", type=int, default=1, help="visits each flux is the mean of [1]"
    )
