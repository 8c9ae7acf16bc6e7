"""The commands ``error`` and ``apply``: a calibration brought to an observation."""

from __future__ import annotations

import argparse
from pathlib import Path

from mirical.console.command_parsers import add_command
from mirical.console.points import (
    add_points,
    add_source,
    add_without,
    asked_calibration,
    asked_points,
    write_matrix,
)
from mirical.console.shared import consoles, print_notes, status_of, write_table
from mirical.errors import InputError
from mirical.storage.files import check_outputs, together


def error(options: argparse.Namespace) -> int:
    """Say what the calibration contributes to an observation's errors, and write it."""
    import numpy as np
    from astropy import units as u

    from mirical.calibration.error_budget import Observation, error_budget
    from mirical.calibration.provenance import record, stamp
    from mirical.console.printing import print_budget
    from mirical.exports.covariance_file import Covariance
    from mirical.tables.formats import texts

    check_outputs([options.out, options.covariance], inputs=[options.at])
    calibration = asked_calibration(options)
    grid, query = asked_points("error", options, calibration.instrument)
    objects: tuple[str, ...] = ()
    if grid is not None and "name" in grid.colnames:
        objects = tuple(texts(grid["name"]))
    observation = Observation(query, options.source == "extended", options.visits, objects)
    budget = error_budget(calibration, observation)
    table = budget.table()
    stamp(table, record(calibration))
    with together():
        if options.out is not None:
            write_table(table, options.out)
        if options.covariance is not None:
            one = u.dimensionless_unscaled
            relative = Covariance(
                query, np.ones(len(query)), budget.covariance, one, budget.parts, objects=objects
            )
            about = "covariance of an observation's fluxes, as fractions of them"
            write_matrix(relative, options.covariance, about, calibration)
    results, cautions = consoles()
    print_budget(budget, results, table)
    print_notes((*calibration.cautions(query), *budget.unknown), cautions)
    return status_of(calibration)


def apply(options: argparse.Namespace) -> int:
    """Calibrate a table of fluxes, or an image in DN/s."""
    from mirical.table_files.fits_tables import holds_image
    from mirical.table_files.parts import split_part

    path: Path = options.file
    file, part = split_part(path)
    if not file.is_file():
        raise InputError(f"{path}: no such file; expected a table or a JWST image.")
    is_image = not part and holds_image(file)
    return _apply_to_image(options) if is_image else _apply_to_table(options)


def _apply_to_table(options: argparse.Namespace) -> int:
    from dataclasses import replace

    from mirical.calibration.provenance import record, stamp
    from mirical.calibration.store import open_calibration
    from mirical.exports.calibrated_table import calibrate_table, flux_draws
    from mirical.table_files.parts import split_part
    from mirical.tables.apertures import load_apertures

    if options.filter is not None:
        raise InputError("apply: --filter is for images; a table has a column 'filter'.")
    beside = options.covariance or options.out.with_suffix(".cov.fits")
    check_outputs([options.out, beside], inputs=[split_part(options.file)[0]], parents=True)
    calibration = asked_calibration(options)
    before = (
        None if options.before is None else open_calibration(options.before, calibration.instrument)
    )
    notes: list[str] = []
    instrument = calibration.instrument
    apertures = load_apertures(options.apertures, instrument, "apply", None, notes)
    made = calibrate_table(
        options.file,
        calibration,
        apertures,
        before,
        extended=options.source == "extended",
        visits=options.visits,
    )
    covariance = made.joint
    if options.draws is not None:
        draws = flux_draws(made, calibration, options.draws, options.seed)
        covariance = replace(covariance, draws=draws)
    stamp(made.table, record(calibration), f"fluxes calibrated by {calibration.name}")
    made.table.meta["cautions"] = list(made.cautions)
    with together():
        write_table(made.table, options.out)
        write_matrix(covariance, beside, "calibrated fluxes and their covariance", calibration)
    results, cautions = consoles()
    of = "SIMULATED calibration: " if calibration.simulated else ""
    results.print(
        f"{of}{len(made.table)} fluxes in {options.out}, their covariance in {beside}",
        soft_wrap=True,
        markup=False,
    )
    print_notes((*notes, *made.cautions), cautions)
    return status_of(calibration)


def _apply_to_image(options: argparse.Namespace) -> int:
    from mirical.calibration.calibration import errors_hold
    from mirical.exports.calibrated_image import calibrate_image
    from mirical.instruments.uses import require_pipeline

    for name in ("before", "covariance", "draws"):
        if getattr(options, name) is not None:
            option = {"before": "calibrated-with"}.get(name, name)
            raise InputError(f"apply: --{option} is for tables; {options.file.name} is an image.")
    check_outputs([options.out], inputs=[options.file], parents=True)
    calibration = asked_calibration(options)
    require_pipeline(calibration.instrument, "apply to an image")
    known = {str(key): str(value) for key, value in calibration.provenance.items()}
    made = calibrate_image(
        calibration,
        options.file,
        options.out,
        band=options.filter,
        provenance=known,
    )
    results, cautions = consoles()
    of = "SIMULATED calibration: " if calibration.simulated else ""
    results.print(
        f"{of}{made.out}: MJy/sr by C = {made.factor:.5g} ± "
        f"{100 * made.factor_std / made.factor:.2f} % ({made.band} in {made.subarray}, MJD "
        f"{made.mjd:.2f}; {errors_hold(calibration)})",
        soft_wrap=True,
        markup=False,
    )
    print_notes(made.cautions, cautions)
    return status_of(calibration)


def add_parsers(parsers: argparse._SubParsersAction) -> None:
    """Add the commands of this module to the command line."""
    _add_error(parsers)
    _add_apply(parsers)


def _add_error(parsers: argparse._SubParsersAction) -> None:
    about = (
        "What the flux calibration adds to the error of your flux, in parts that you may leave "
        "out, with a sentence for a paper and, if asked for, the covariance between fluxes."
    )
    parser = add_command(
        parsers,
        "error",
        error,
        ("what the calibration adds to the errors of an observation, in parts", about),
        "mirical error table5 --filter F770W --subarray SUB64 --mjd 59760 --visits 2",
    )
    asked = parser.add_argument_group("what was observed")
    asked.add_argument("run", metavar="RUN", help="a run's folder, or 'published'")
    add_points(asked)
    add_source(asked)
    add_without(asked)
    written = parser.add_written()
    written.add_argument("--out", metavar="E.ecsv", type=Path, help="write the parts as a table")
    written.add_argument(
        "--covariance",
        metavar="FILE",
        type=Path,
        help="write the covariance as fractions: FILE.npy, its provenance beside it in "
        "FILE.npy.json, or FILE.fits with its parts",
    )


def _add_apply(parsers: argparse._SubParsersAction) -> None:
    about = (
        "Calibrate your fluxes: a table of count rates becomes fluxes with errors and their "
        "covariance; a table of fluxes is brought from another calibration to this one; an image "
        "in DN/s becomes MJy/sr."
    )
    parser = add_command(
        parsers,
        "apply",
        apply,
        ("calibrate a table of fluxes, or a JWST image in DN/s", about),
        "mirical apply table5 mine.ecsv --out calibrated.ecsv",
        "mirical apply published jw01_rate.fits --out jw01_cal.fits",
    )
    what = parser.add_argument_group("what is calibrated")
    what.add_argument("run", metavar="RUN", help="a run's folder, or 'published'")
    what.add_argument(
        "file",
        metavar="FILE",
        type=Path,
        help="table (CSV, ECSV, FITS, ...) with filter, subarray, mjd and 'iflux' [DN/s] or "
        "'flux'; or a rate image",
    )
    what.add_argument(
        "--calibrated-with",
        dest="before",
        metavar="RUN",
        help="what 'flux' was calibrated with, where no column 'photmjsr' says so",
    )
    what.add_argument("--apertures", metavar="TABLE", default="table4", help="of 'iflux' [table4]")
    what.add_argument("--filter", metavar="F", help="an image's true band [the header's]")
    add_source(what)
    add_without(what)
    written = parser.add_written()
    written.add_argument("--out", metavar="OUT", type=Path, required=True, help="file to write")
    written.add_argument(
        "--covariance",
        metavar="FILE",
        type=Path,
        help="where the fluxes' covariance goes [OUT with the ending .cov.fits]",
    )
    written.add_argument(
        "--draws", metavar="N", type=int, help="add N draws of the fluxes to the covariance file"
    )
    written.add_argument("--seed", metavar="N", type=int, default=0, help="fixes the draws [0]")
