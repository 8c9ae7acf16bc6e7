"""Commands that carry a calibration to those who use it."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from mirical.bands import BANDS
from mirical.commands.ending import NOT_BELIEVABLE, SUCCESS, consoles, write_table
from mirical.commands.points import asked_points, write_matrix
from mirical.errors import InputError

if TYPE_CHECKING:
    from rich.console import Console

    from mirical.products.calibration import Calibration

_FITS_START = b"SIMPLE"


def error(options: argparse.Namespace) -> int:
    """Say what the calibration contributes to an observation's errors, and write it."""
    from mirical.observations.formats import texts
    from mirical.products.error_budget import Observation, error_budget
    from mirical.products.runs import open_calibration
    from mirical.products.summary import print_budget

    grid, query = asked_points("error", options)
    objects: tuple[str, ...] = ()
    if grid is not None and "name" in grid.colnames:
        objects = tuple(texts(grid["name"]))
    calibration = open_calibration(options.run)
    observation = Observation(query, options.source == "extended", options.visits, objects)
    budget = error_budget(calibration, observation)
    if options.out is not None:
        write_table(budget.table(), options.out)
    if options.covariance is not None:
        import numpy as np
        from astropy import units as u

        from mirical.exports.covariance_file import Covariance

        one = u.dimensionless_unscaled
        relative = Covariance(
            query, np.ones(len(query)), budget.covariance, one, budget.parts, objects=objects
        )
        about = "relative covariance of an observation's fluxes"
        write_matrix(relative, options.covariance, about, calibration)
    results, cautions = consoles()
    print_budget(budget, results)
    for sentence in (*calibration.cautions(query), *budget.unknown):
        cautions.print(f"note: {sentence}", soft_wrap=True, markup=False)
    return SUCCESS


def apply(options: argparse.Namespace) -> int:
    """Calibrate a table of fluxes, or an image in DN/s."""
    path: Path = options.file
    if not path.is_file():
        raise InputError(f"{path}: no such file; expected an ECSV table or a JWST image.")
    if options.out.exists() and not options.overwrite:
        raise InputError(
            f"{options.out}: exists; give another --out, or --overwrite to replace it."
        )
    with path.open("rb") as file:
        is_image = file.read(len(_FITS_START)) == _FITS_START
    return _apply_to_image(options) if is_image else _apply_to_table(options)


def _apply_to_table(options: argparse.Namespace) -> int:
    from dataclasses import replace

    from mirical.exports.calibrated_table import calibrate_table, flux_draws
    from mirical.observations.apertures import load_apertures
    from mirical.products.runs import open_calibration

    if options.filter is not None:
        raise InputError("apply: --filter is for images; a table has a column 'filter'.")
    calibration = open_calibration(options.run)
    before = None if options.before is None else open_calibration(options.before)
    apertures = load_apertures(options.apertures, "apply")
    made = calibrate_table(
        options.file,
        calibration,
        apertures,
        before,
        extended=options.source == "extended",
        visits=options.visits,
    )
    covariance = made.covariance
    if options.draws is not None:
        draws = flux_draws(made, calibration, options.draws, options.seed)
        covariance = replace(covariance, draws=draws)
    write_table(made.table, options.out)
    beside = options.covariance or options.out.with_suffix(".cov.fits")
    write_matrix(covariance, beside, "calibrated fluxes and their covariance", calibration)
    results, cautions = consoles()
    simulated = "SIMULATED calibration: " if calibration.simulated else ""
    results.print(
        f"{simulated}{len(made.table)} fluxes in {options.out}, their covariance in {beside}",
        soft_wrap=True,
        markup=False,
    )
    for sentence in made.cautions:
        cautions.print(f"note: {sentence}", soft_wrap=True, markup=False)
    return SUCCESS


def _apply_to_image(options: argparse.Namespace) -> int:
    from mirical.exports.calibrated_image import calibrate_image
    from mirical.products.runs import open_calibration

    for name in ("before", "covariance", "draws"):
        if getattr(options, name) is not None:
            option = {"before": "calibrated-with"}.get(name, name)
            raise InputError(f"apply: --{option} is for tables; {options.file.name} is an image.")
    calibration = open_calibration(options.run)
    known = {str(key): str(value) for key, value in calibration.provenance.items()}
    made = calibrate_image(
        calibration,
        options.file,
        options.out,
        band=options.filter,
        provenance=known,
        overwrite=options.overwrite,
    )
    results, cautions = consoles()
    simulated = "SIMULATED calibration: " if calibration.simulated else ""
    results.print(
        f"{simulated}{made.out}: MJy/sr by C = {made.factor:.5g} ± "
        f"{100 * made.factor_std / made.factor:.2f} % ({made.band} in {made.subarray}, MJD "
        f"{made.mjd:.2f})",
        soft_wrap=True,
        markup=False,
    )
    for sentence in made.cautions:
        cautions.print(f"note: {sentence}", soft_wrap=True, markup=False)
    return SUCCESS


def export(options: argparse.Namespace) -> int:
    """Write a calibration in a format of others."""
    from mirical.products.calibration import UNBELIEVABLE
    from mirical.products.runs import open_calibration

    results, cautions = consoles()
    calibration = open_calibration(options.run)
    status = EXPORTS[options.to](calibration, options, results, cautions)
    if not calibration.believable:
        cautions.print(f"note: {UNBELIEVABLE}", soft_wrap=True, markup=False)
    return status if calibration.believable else NOT_BELIEVABLE


def _photom(
    calibration: Calibration, options: argparse.Namespace, results: Console, cautions: Console
) -> int:
    from mirical.exports.photom_file import write_photom
    from mirical.exports.pipeline_check import check_in_pipeline, one_of_each, spread_epochs
    from mirical.exports.pipeline_export import about, mean_rows

    exported = mean_rows(calibration)
    write_photom(exported.rows, about(calibration, exported), options.file)
    rows = one_of_each(exported.rows)
    checked = check_in_pipeline(options.file, rows, spread_epochs(len(rows)))
    simulated = "SIMULATED " if calibration.simulated else ""
    results.print(f"{simulated}{len(exported.rows)} rows in {options.file}", soft_wrap=True)
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
    cautions.print(
        f"note: `mirical preflight {options.file}` says what else to know of the file.",
        soft_wrap=True,
        markup=False,
    )
    return SUCCESS if checked.passes else NOT_BELIEVABLE


def _photom_draws(
    calibration: Calibration, options: argparse.Namespace, results: Console, cautions: Console
) -> int:
    from dataclasses import replace

    from mirical.exports.photom_file import write_photom
    from mirical.exports.pipeline_check import check_in_pipeline, one_of_each, spread_epochs
    from mirical.exports.pipeline_export import about, draw_rows
    from mirical.folders import whole_folder

    draws = draw_rows(calibration, options.draws, options.seed)
    epochs = spread_epochs(len(draws))
    checks = []
    with whole_folder(options.file) as beside:
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
    simulated = "SIMULATED " if calibration.simulated else ""
    results.print(f"{simulated}{len(draws)} draws in {options.file}", soft_wrap=True, markup=False)
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
    for sentence in calibration.cautions(query):
        cautions.print(f"note: {sentence}", soft_wrap=True, markup=False)
    return SUCCESS


EXPORT_DATES = (59720.0, 59760.0, 59850.0, 60000.0, 60365.0, 60730.0, 61095.0, 61460.0, 61825.0)
"""Epochs of the side-car's factors where no grid is given: dense where factors change, to 2028."""


def _apcorr(
    calibration: Calibration, options: argparse.Namespace, results: Console, cautions: Console
) -> int:
    from mirical.exports.pipeline_export import pedigree
    from mirical.observations.apertures import published_apertures
    from mirical.products.apcorr_file import write_used_apcorr
    from mirical.products.runs import open_run, run_folder

    if options.run == "published":
        apertures = published_apertures()
    else:
        apertures = open_run(run_folder(options.run))[1].factors.apertures
    used = {band: apertures[band] for band in calibration.bands}
    write_used_apcorr(used, pedigree(calibration), options.file)
    results.print(
        f"corrections of {len(used)} bands, for 70 % encircled energy, in {options.file}",
        soft_wrap=True,
        markup=False,
    )
    return SUCCESS


def _latex(
    calibration: Calibration, options: argparse.Namespace, results: Console, cautions: Console
) -> int:
    from mirical.exports.printed_tables import latex
    from mirical.folders import whole_file

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
