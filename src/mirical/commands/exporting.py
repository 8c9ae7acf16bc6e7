"""The commands ``export`` (reference files and tables) and ``preflight`` (check such a file)."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mirical.console.command_parsers import add_command
from mirical.console.points import (
    add_without,
    asked_calibration,
    asked_points,
    factor_covariance,
    write_matrix,
)
from mirical.console.shared import NOT_BELIEVABLE, SUCCESS, consoles, epoch, print_notes
from mirical.errors import InputError
from mirical.storage.files import check_outputs

if TYPE_CHECKING:
    from rich.console import Console

    from mirical.calibration.calibration import Calibration
    from mirical.exports.preflight_file import Finding


def export(options: argparse.Namespace) -> int:
    """Write a calibration in a format of others."""
    results, cautions = consoles()
    if options.without is not None and options.to != "covariance":
        raise InputError(f"export: --without is for --to covariance; {options.to} holds all parts.")
    outputs = [options.file]
    if options.to == "jwst-photom-draws":
        check_outputs(folders=outputs)
    else:
        check_outputs(outputs, inputs=[options.at], parents=True)
    calibration = asked_calibration(options)
    if options.to.startswith(_OF_PIPELINE):
        from mirical.instruments.uses import require_pipeline

        require_pipeline(calibration.instrument, f"export --to {options.to}")
    status = EXPORTS[options.to](calibration, options, results, cautions)
    print_notes(calibration.doubts, cautions)
    return status if calibration.believable else NOT_BELIEVABLE


def _photom(
    calibration: Calibration, options: argparse.Namespace, results: Console, cautions: Console
) -> int:
    from mirical.calibration.calibration import simulated
    from mirical.exports.photom_file import write_photom
    from mirical.exports.pipeline_check import check_in_pipeline, one_of_each, spread_epochs
    from mirical.exports.pipeline_export import about, mean_rows
    from mirical.exports.preflight import preflight

    exported = mean_rows(calibration)
    write_photom(exported.rows, about(calibration, exported), options.file)
    rows = one_of_each(exported.rows)
    checked = check_in_pipeline(options.file, rows, spread_epochs(len(rows)))
    results.print(
        f"{simulated(calibration)}{len(exported.rows)} rows in {options.file}", soft_wrap=True
    )
    results.print(exported.sentence(), soft_wrap=True, markup=False)
    results.print(checked.sentence(), soft_wrap=True, markup=False)
    lacking = [band for band in calibration.instrument.bands if band not in calibration.bands]
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

    from mirical.calibration.calibration import simulated
    from mirical.exports.photom_file import write_photom
    from mirical.exports.pipeline_check import check_in_pipeline, one_of_each, spread_epochs
    from mirical.exports.pipeline_export import about, draw_rows
    from mirical.storage.files import whole_folder

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
    if options.at is not None:
        _, query = asked_points("export", options, calibration.instrument)
    else:
        dates = [calibration.instrument.t0 + days for days in EXPORT_DAYS]
        bands = [band for band in calibration.bands for _ in dates]
        query = calibration.in_reference(bands, dates * len(calibration.bands))
    made = factor_covariance(calibration.at(query))
    write_matrix(made, options.file, "calibration factors and their covariance", calibration)
    results.print(f"{len(query)} points in {options.file}", soft_wrap=True, markup=False)
    print_notes(calibration.cautions(query), cautions)
    return SUCCESS


EXPORT_DAYS = (0.0, 40.0, 130.0, 280.0, 645.0, 1010.0, 1375.0, 1740.0, 2105.0)
"""Days since t0 of the side-car's factors where no grid is given: dense where factors change."""


def _apcorr(
    calibration: Calibration, options: argparse.Namespace, results: Console, cautions: Console
) -> int:
    from mirical.calibration.calibration import simulated
    from mirical.calibration.store import run_folder
    from mirical.exports.apcorr_file import USE, write_used_apcorr
    from mirical.exports.covariance_file import history
    from mirical.exports.pipeline_export import pedigree
    from mirical.reporting.stored_inputs import open_run
    from mirical.tables.apertures import published_apertures

    if options.run == "published":
        apertures = published_apertures(calibration.instrument)
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
    from mirical.storage.files import whole_file

    with whole_file(options.file) as beside:
        beside.write_text(latex(calibration), encoding="utf-8")
    results.print(
        f"tables of factors and of throughput in {options.file}", soft_wrap=True, markup=False
    )
    return SUCCESS


def _mrt(
    calibration: Calibration, options: argparse.Namespace, results: Console, cautions: Console
) -> int:
    from mirical.exports.printed_tables import write_machine_readable

    write_machine_readable(calibration, options.file)
    results.print(f"table of factors in {options.file}", soft_wrap=True, markup=False)
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


_OF_PIPELINE = "jwst-"
"""Beginning of the formats that are files of a pipeline."""


def add_parsers(parsers: argparse._SubParsersAction) -> None:
    """Add the commands of this module to the command line."""
    _add_export(parsers)
    _add_preflight(parsers)


def _add_export(parsers: argparse._SubParsersAction) -> None:
    about = (
        "Write a calibration in a format of others: photom and apcorr reference files of the JWST "
        "pipeline, draws of the former, a covariance file, or tables for a paper."
    )
    parser = add_command(
        parsers,
        "export",
        export,
        ("a calibration as reference files and tables", about),
        "mirical export table5 --to jwst-photom photom.fits",
        "mirical export published --to latex table.tex",
    )
    what = parser.add_argument_group("what is exported")
    what.add_argument("run", metavar="RUN", help="a run's folder, or 'published'")
    what.add_argument(
        "--at",
        metavar="GRID.ecsv",
        type=Path,
        help="points of the covariance [all bands at nine dates]",
    )
    what.add_argument(
        "--draws", metavar="N", type=int, default=50, help="draws of jwst-photom-draws [50]"
    )
    what.add_argument("--seed", metavar="N", type=int, default=0, help="fixes which [0]")
    add_without(what)
    written = parser.add_written()
    written.add_argument(
        "--to",
        metavar="FORMAT",
        choices=EXPORTS,
        required=True,
        help=f"one of {', '.join(EXPORTS)}",
    )
    written.add_argument(
        "file", metavar="FILE", type=Path, help="file to write; a folder for jwst-photom-draws"
    )


def preflight(options: argparse.Namespace) -> int:
    """Print what is wrong with a photom reference file."""
    from mirical.exports.preflight import SPAN, preflight

    first, last = (
        usual if given is None else given
        for given, usual in zip((options.first, options.last), SPAN, strict=True)
    )
    found = preflight(options.file, options.other, (first, last))
    results, _ = consoles()
    return SUCCESS if print_findings(found, options.file, results) else NOT_BELIEVABLE


def print_findings(found: Sequence[Finding], path: Path, results: Console) -> bool:
    """Print what is wrong with a photom reference file; return whether it may be used."""
    from rich.padding import Padding
    from rich.text import Text

    from mirical.exports.preflight_file import ERROR

    for finding in found:
        style = "bold red" if finding.severity == ERROR else "yellow"
        results.print(
            Text.assemble((finding.severity, style), f"  {finding.code}  {finding.where}"),
            soft_wrap=True,
        )
        results.print(Padding(Text(finding.sentence), (0, 0, 0, 4)))
    errors = sum(finding.severity == ERROR for finding in found)
    verdict = f"{_number(errors, 'error')}, {_number(len(found) - errors, 'warning')}: " + (
        "this file must not be used."
        if errors
        else "the warnings are for you to judge."
        if found
        else "nothing is wrong with it that can be seen from the file."
    )
    results.print(Text(f"{path}: {verdict}"), soft_wrap=True)
    return not errors


def _number(number: int, thing: str) -> str:
    return f"{number or 'no'} {thing}{'' if number == 1 else 's'}"


def _add_preflight(parsers: argparse._SubParsersAction) -> None:
    about = (
        "Look for what is wrong with a photom reference file, whoever wrote it: entries that the "
        "pipeline misreads or leaves out, and factors that jump. Status 1 if it must not be used."
    )
    parser = add_command(
        parsers,
        "preflight",
        preflight,
        ("what is wrong with a photom reference file, before the pipeline takes it", about),
        "mirical preflight photom.fits --against jwst_miri_photom_0218.fits",
    )
    parser.add_argument("file", metavar="FILE", type=Path, help="reference file, anybody's")
    parser.add_argument(
        "--against",
        dest="other",
        metavar="OTHER",
        type=Path,
        help="reference file whose factors this one should go on from",
    )
    parser.add_argument(
        "--from",
        dest="first",
        metavar="T",
        type=epoch,
        help="first epoch it is to be used at [59720]",
    )
    parser.add_argument("--to", dest="last", metavar="T", type=epoch, help="last one [62000]")
