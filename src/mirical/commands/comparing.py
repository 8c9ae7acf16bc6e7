"""The commands ``compare`` and ``staged``: another calibration, and the paper's point fits."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from mirical.console.command_parsers import add_command
from mirical.console.shared import (
    EPOCHS,
    SUCCESS,
    TABLES,
    add_instrument,
    consoles,
    epoch,
    print_notes,
    status_of,
    write_table,
)
from mirical.errors import InputError
from mirical.storage.files import check_outputs

if TYPE_CHECKING:
    from astropy.table import Table
    from rich.console import Console

    from mirical.calibration.calibration import Calibration


def compare(options: argparse.Namespace) -> int:
    """Set two calibrations side by side."""
    from mirical.console.printing import print_comparison
    from mirical.reporting.comparison_folder import check_target, compare, write_comparison

    out: Path | None = options.out
    folder = None if out is None or out.suffix in TABLES else out
    if folder is not None:
        check_target(folder)
        check_outputs(folders=[folder])
    else:
        check_outputs([out])
    pair = _pair(options.run, options.other)
    comparison = compare(*pair, options.mjd)
    results, cautions = consoles()
    audited = _audit(options.run, pair, cautions) if options.audit else None
    table = None if audited is None else audited[0]
    if folder is not None:
        write_comparison(comparison, folder, table)
    elif out is not None:
        write_table(comparison.factors, out)
    print_comparison(comparison, results)
    if audited is not None:
        from mirical.console.printing import print_audit

        print_audit(*audited, results)
    return status_of(*pair)


def _pair(run: str, other: str) -> tuple[Calibration, Calibration]:
    """Return a calibration and what it is compared with, the truth of simulated rows included."""
    from mirical.calibration.store import open_calibration
    from mirical.reporting.stored_inputs import open_pair
    from mirical.validation.truth_file import is_truth, read_truth

    if not is_truth(Path(other)):
        return open_pair(run, other)
    ours = open_calibration(run)
    return ours, read_truth(Path(other), ours.instrument)


def _audit(
    run: str, pair: tuple[Calibration, Calibration], cautions: Console
) -> tuple[Table, tuple[str, ...]] | None:
    """Return what a run's difference from published factors or zero points is made of, and why.

    None for other pairs, or without rows.
    """
    from mirical.audits.published import audit, audit_sentences
    from mirical.audits.zero_points import audit_zero_points, zero_point_sentences
    from mirical.calibration.posterior import PosteriorCalibration
    from mirical.calibration.published import PublishedCalibration
    from mirical.calibration.store import run_folder
    from mirical.calibration.zero_point_table import ZeroPointCalibration
    from mirical.reporting.stored_inputs import open_run

    ours, theirs = pair
    if not isinstance(ours, PosteriorCalibration):
        return None
    try:
        if isinstance(theirs, PublishedCalibration):
            table = audit(*open_run(run_folder(run)))
            return table, audit_sentences(table)
        if isinstance(theirs, ZeroPointCalibration) and theirs.assumed:
            table = audit_zero_points(*open_run(run_folder(run)), theirs)
            return table, zero_point_sentences(table)
        return None
    except InputError as error:
        # The factors alone can be compared without the rows.
        cautions.print(f"note: no audit of the differences: {error}", markup=False)
        return None


def staged(options: argparse.Namespace) -> int:
    """Fit a table by the staged procedure."""
    from mirical.console.printing import print_table
    from mirical.instruments.cards import load_instrument
    from mirical.instruments.published import published_throughput
    from mirical.instruments.uses import require_staged
    from mirical.staged.point_fits import fit_staged, write_staged
    from mirical.tables.apertures import published_apertures
    from mirical.tables.calibration_factors import calibration_factors
    from mirical.tables.photometry import load_photometry
    from mirical.tables.predicted_fluxes import by_star_band, shipped_fluxes

    check_outputs(folders=[options.out])
    instrument = load_instrument(options.instrument, "staged")
    require_staged(instrument, "staged")
    observations = load_photometry(options.table, instrument, "staged")
    predicted = by_star_band(shipped_fluxes(instrument))
    factors = calibration_factors(observations, predicted, published_apertures(instrument))
    given = published_throughput(instrument) if options.subarrays == "published" else None
    calibration = fit_staged(factors, given, time_fit_knows_subarrays=not options.mix_subarrays)
    write_staged(calibration, options.out)
    results, cautions = consoles()
    query = calibration.in_reference(calibration.bands, calibration.reference_mjd)
    table = calibration.at(query).table()
    table["basis"] = calibration.basis(query)
    table.meta["simulated"] = calibration.simulated
    print_table(table, calibration.instrument, results)
    print_notes([*observations.notes, *calibration.cautions(query)], cautions)
    return SUCCESS


def add_parsers(parsers: argparse._SubParsersAction) -> None:
    """Add the commands of this module to the command line."""
    _add_compare(parsers)
    _add_staged(parsers)


def _add_compare(parsers: argparse._SubParsersAction) -> None:
    about = (
        "Set a calibration beside another: what they differ by, in sentences, in factors and in "
        "coefficients; and why a run differs from the published factors, one change at a time."
    )
    parser = add_command(
        parsers,
        "compare",
        compare,
        ("one calibration against another", about),
        "mirical compare table5",
        "mirical compare table5 --with staged --mjd 59760 60500 --out compared",
        "mirical compare reports/mine --with simulated/truth.ecsv",
    )
    what = parser.add_argument_group("what is compared")
    what.add_argument("run", metavar="RUN", help="a run's folder, or 'published'")
    what.add_argument(
        "--with",
        dest="other",
        metavar="OTHER",
        default="published",
        help="a run's folder, 'staged' for point fits to the rows of RUN, a table of zero points, "
        "the truth.ecsv of 'mirical simulate', or [published]",
    )
    what.add_argument(
        "--mjd",
        metavar="T",
        type=epoch,
        nargs="+",
        help=f"epochs to compare at, {EPOCHS} [that of RUN's C_ref, one and three years later]",
    )
    what.add_argument(
        "--no-audit",
        dest="audit",
        action="store_false",
        help="do not read the run's rows to say why it differs from the published factors",
    )
    written = parser.add_written()
    written.add_argument(
        "--out",
        metavar="DIR",
        type=Path,
        help="folder to write tables and figures to, or FILE.ecsv, FILE.csv for factors alone",
    )


def _add_staged(parsers: argparse._SubParsersAction) -> None:
    about = (
        "Fit a photometry table as the paper did: the time law of each band, then the throughput "
        "of subarrays, then averages over stars; point values with their scatter, no posterior."
    )
    parser = add_command(
        parsers,
        "staged",
        staged,
        ("the paper's staged point fits on any table", about),
        "mirical staged table5 --out staged",
    )
    what = parser.add_argument_group("what is fitted")
    what.add_argument("table", metavar="TABLE", help="photometry table, or 'table5'")
    add_instrument(what)
    how = parser.add_argument_group("how")
    how.add_argument(
        "--subarrays",
        choices=("measured", "published"),
        default="measured",
        help="D from the rows by a stated rule, or from Table 7 [measured]",
    )
    how.add_argument(
        "--mix-subarrays",
        action="store_true",
        help="fit the time law without dividing out D, as the 2024 code did",
    )
    written = parser.add_written()
    written.add_argument("--out", metavar="DIR", type=Path, required=True, help="folder to write")
