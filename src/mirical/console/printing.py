"""Tables that commands print on the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from astropy import units as u
from astropy.table import Table
from rich.console import Console
from rich.text import Text

from mirical.calibration.calibration import ABSOLUTE
from mirical.calibration.comparison import glance
from mirical.instruments.miri import miri
from mirical.json_answer import JsonAnswer
from mirical.number_text import (
    NOTHING,
    measured,
    percent,
    signed,
    stars_counted,
    value,
)
from mirical.terminal import print_sheet

if TYPE_CHECKING:
    from mirical.calibration.error_budget import ErrorBudget
    from mirical.checking.check import CheckedRun
    from mirical.instruments.instrument import Instrument
    from mirical.reporting.comparison_folder import Comparison
    from mirical.reporting.run import Run
    from mirical.rivals.comparison import ModelComparison

_UNITS = {"tau": " (d)", "repeatability": " (%)"}
_POINTS = 1000  # of an answer that are printed
_NAMED = 20  # flagged rows that are printed; the rest is counted


def print_run(run: Run, folder: Path, console: Console) -> None:
    """Print a run's factors beside the published ones, its verdict and where the report is."""
    coefficients, comparison = run.tables["coefficients"], run.tables["comparison"]
    at_reference = comparison[comparison["quantity"] == "C_ref"]
    simulated = "SIMULATED DATA · " if run.posterior.attrs["simulated"] else ""
    title = (
        f"{simulated}{run.job.name}: C at MJD {coefficients.meta['C_ref_mjd']:.0f}, "
        f"{run.instrument.reference}, {run.instrument.factor_text}"
    )
    published, view = run.instrument.published is not None, run.instrument.factor.view
    heads = ("band", "stars", "C", "±", "± relative")
    heads += (f"{view} zero point", "± (mag)") if view else ()
    heads += ("rests on",)
    heads += ("published", "±", "differs", "sigma") if published else ()
    of_band = dict(zip(coefficients["filter"], coefficients, strict=True))
    lines = [
        (
            row["filter"],
            stars_counted(of_band[row["filter"]]).text,
            f"{row['ours']:.4f}",
            f"{value(of_band[row['filter']]['C_ref_std']):.4f}",
            f"{value(of_band[row['filter']]['C_ref_relative_std']):.4f}",
            *_zero_point(of_band[row["filter"]]),
            row["basis"],
            *(_differs(row) if published else ()),
        )
        for row in at_reference
    ]
    print_sheet(title, heads, lines, console, table=coefficients)
    for sentence in _fates(run.tables["rows"]):
        console.print(Text(sentence), soft_wrap=True)
    for sentence in run.verdict.sentences:
        console.print(Text(sentence))
    console.print(Text(f"Report: {folder / 'report.html'}"), soft_wrap=True)


def _differs(row: Table.Row) -> tuple[str, str, str, str]:
    """Return a band's published factor, its error, and how far the run's is from it."""
    return (
        f"{row['published']:.4f}",
        f"{row['published_std']:.4f}",
        f"{row['diff_pct'].value:+.1f} %",
        f"{row['diff_sigma']:+.1f}",
    )


def _zero_point(row: Table.Row) -> tuple[str, ...]:
    """Return a band's zero point and its error as printed, where its instrument has one."""
    if "zero_point" not in row.colnames:
        return ()
    return f"{value(row['zero_point']):.4f}", f"{value(row['zero_point_std']):.4f}"


def _fates(rows: Table) -> list[str]:
    """Say how many rows were fitted, and why each of the others was not."""
    flagged = rows[rows["fate"] == "flagged"]
    count = len(rows)
    said = [f"{count} rows: {count - len(flagged)} fitted, {len(flagged)} flagged (rows.ecsv)."]
    for row in flagged[:_NAMED]:
        of = f"{row['name']}, {row['filter']}, {row['subarray']}, MJD {value(row['time']):.1f}"
        said.append(f"row {row['row']} flagged ({of}): {row['reason']}")
    if len(flagged) > _NAMED:
        said.append(f"and {len(flagged) - _NAMED} more flagged rows, each with its reason there.")
    return said


def print_check(checked: CheckedRun, folder: Path, console: Console) -> None:
    """Print every check, the verdict and where the page is."""
    title = f"{'SIMULATED DATA · ' if checked.simulated else ''}{checked.name}: predictive checks"
    lines = [
        (
            row["check"],
            f"{row['p_value']:.4f}",
            f"{row['p_median']:.3f}",
            "yes" if row["fires"] else "",
            row["extreme"],
        )
        for row in checked.tables["checks"]
    ]
    heads = ("check", "p", "median p", "fires", "where")
    print_sheet(title, heads, lines, console, table=checked.tables["checks"])
    for sentence in checked.sentences:
        console.print(Text(sentence))
    console.print(Text(f"Report: {folder / 'check.html'}"), soft_wrap=True)


def print_models(
    compared: ModelComparison, sentences: Sequence[str], folder: Path, console: Console
) -> None:
    """Print how every model stands, what that comes to and where the page is."""
    title = f"{'SIMULATED DATA · ' if compared.simulated else ''}{compared.name}: rival models"
    lines = [
        (
            row["model"],
            f"{float(row['elpd']):.1f}",
            measured(float(row["behind"]), float(row["behind_se"])).text,
            f"{float(row['weight']):.2f}",
        )
        for row in compared.tables["models"]
    ]
    heads = ("model", "elpd", "elpd below the best", "weight")
    print_sheet(title, heads, lines, console, table=compared.tables["models"])
    for sentence in sentences:
        console.print(Text(sentence))
    console.print(Text(f"Report: {folder / 'rivals.html'}"), soft_wrap=True)


def print_budget(budget: ErrorBudget, console: Console, described: Table | None = None) -> None:
    """Print the parts of each flux's error (described in a table) and the sentence for a paper.

    Parts of an absolute error that the calibration does not state have no column.
    """
    table: Table = budget.table() if described is None else described
    unstated = {f"{name}_pct" for name in ABSOLUTE} - {
        f"{name}_pct" for name in budget.calibration.absolute_parts
    }
    parts = [name for name in table.colnames if name.endswith("_pct") and name not in unstated]
    heads = [name.removesuffix("_pct").replace("_", " ") for name in parts]
    lines = [
        (
            row["filter"],
            row["subarray"],
            f"{value(row['mjd']):.1f}",
            *(f"{value(row[name]):.2f}" for name in parts),
            row["basis"],
        )
        for row in table[:_POINTS]
    ]
    title = f"{table.meta['title']}, %"
    shown = ("band", "subarray", "MJD", *heads, "rests on")
    print_sheet(title, shown, lines, console, keys=3, table=table)
    _print_cut(len(table), console)
    console.print(Text(budget.sentence()), soft_wrap=True)


def print_audit(table: Table, sentences: Sequence[str], console: Console) -> None:
    """Print the parts of each band's difference from the published factor or zero point."""
    mark = "SIMULATED DATA · " if table.meta["simulated"] else ""
    parts = [name for name in table.colnames if name not in ("filter", "biggest")]
    of_zero_points = table["total"].unit == u.mag
    unit = "mmag, of the zero point" if of_zero_points else "%, of ln C"
    scale, places = (1000, 1) if of_zero_points else (1, 2)
    title = f"{mark}difference from published, in parts ({unit})"
    lines = [
        (row["filter"], *(signed(scale * value(row[name]), places).text for name in parts))
        for row in table
    ]
    print_sheet(title, ("band", *parts), lines, console, table=table)
    for sentence in sentences:
        console.print(Text(sentence))


def print_stars(table: Table, console: Console) -> None:
    """Print the fluxes of stars, a line a star and band."""
    mag = next(name for name in table.colnames if name.startswith("mag_"))
    mark = "SIMULATED DATA · " if table.meta.get("simulated") else ""
    lines = [
        (
            row["name"],
            row["filter"],
            row["n_rows"],
            row["prior"],
            measured(value(row["flux"]), value(row["flux_std"])).text,
            *(f"{value(row[f'{mag}{end}']):.4f}" for end in ("", "_std", "_relative_std")),
        )
        for row in table[:_POINTS]
    ]
    system = mag.removeprefix("mag_").upper()
    heads = ("star", "band", "rows", "before", "flux (mJy)", f"{system} mag", "±", "± relative")
    print_sheet(f"{mark}fluxes of stars", heads, lines, console, keys=2, table=table)
    _print_cut(len(table), console)


def print_table(table: Table, instrument: Instrument, console: Console) -> None:
    """Print calibration factors, one line a point."""
    names = {
        "filter": "band",
        "subarray": "subarray",
        "mjd": "MJD",
        "c_mean": "C",
        "c_std": "±",
        "c_relative_std": "± relative",
        "c_q16": "16 %",
        "c_q84": "84 %",
    }
    if "zero_point" in table.colnames:
        names["zero_point"] = f"{instrument.factor.view} zero point"
        names["zero_point_std"] = "± (mag)"
    if "c_aperture_std" in table.colnames:
        names["c_aperture_std"] = "± aperture"
    if "basis" in table.colnames:
        names["basis"] = "rests on"
    mark = "SIMULATED DATA · " if table.meta.get("simulated") else ""
    lines = [[_entry(row[name], name) for name in names] for row in table[:_POINTS]]
    title = f"{mark}C in {instrument.factor_text}"
    print_sheet(title, list(names.values()), lines, console, keys=3, table=table)
    _print_cut(len(table), console)


def print_comparison(comparison: Comparison, console: Console) -> None:
    """Print what two calibrations differ by in sentences, then factors and coefficients."""
    for sentence in (*glance(comparison.factors), *comparison.sentences):
        console.print(Text(sentence))
    _print_factors(comparison, console)
    _print_coefficients(comparison, console)


def _print_factors(comparison: Comparison, console: Console) -> None:
    table, instrument = comparison.factors, comparison.pair[0].instrument
    ours, theirs = table.meta["ours"], table.meta["theirs"]
    mark = "SIMULATED DATA · " if table.meta["simulated"] else ""
    title = f"{mark}C of {ours} against {theirs}, {instrument.factor_text}"
    columns = ["band", "subarray", "MJD", ours, "±", theirs, "±", "differs", "sigma"]
    names = ["filter", "subarray", "mjd", "c", "c_std", "c_other", "c_other_std"]
    subarrays = set(table["subarray"])
    if len(subarrays) == 1:
        title += f", {subarrays.pop()}"
        columns.remove("subarray")
        names.remove("subarray")
    lines = [
        (
            *(_entry(row[name], name) for name in names),
            signed(value(row["diff_pct"]), 1, " %").text,
            signed(value(row["diff_sigma"]), 1).text,
        )
        for row in table
    ]
    keys = columns.index("MJD") + 1
    print_sheet(title, columns, lines, console, keys=keys, table=table)


def _print_coefficients(comparison: Comparison, console: Console) -> None:
    """Print what either side has of A, B, tau and repeatability of each band, and of D."""
    coefficients, subarrays = comparison.coefficients, comparison.subarrays
    ours, theirs = subarrays.meta["ours"], subarrays.meta["theirs"]
    mark = "SIMULATED DATA · " if comparison.simulated else ""
    title = f"{mark}coefficients of {ours} against {theirs}; sigma in the errors that are stated"
    if isinstance(console, JsonAnswer):
        console.keep_table(title, coefficients)
        console.keep_table(f"{mark}D of {ours} against {theirs}", subarrays)
        return
    lines = [
        (
            row["filter"],
            f"{row['quantity']}{_UNITS.get(str(row['quantity']), '')}",
            *_side_by_side(row),
        )
        for row in coefficients[coefficients["quantity"] != "C_ref"]
        if np.any(np.isfinite([value(row["ours"]), value(row["theirs"])]))
    ]
    for row in subarrays:
        of = f"{row['filter']}, {row['subarray']}" if "filter" in row.colnames else row["subarray"]
        lines.append((of, "D", *_side_by_side(row)))
    print_sheet(title, ("of", "quantity", ours, theirs, "differs", "sigma"), lines, console, keys=2)


def _side_by_side(row: Table.Row) -> list[str]:
    sides = [measured(value(row[name]), value(row[f"{name}_std"])) for name in ("ours", "theirs")]
    difference = percent(value(row["diff_pct"])), signed(value(row["diff_sigma"]), 1).text
    return [*(side.text for side in sides), *difference]


def print_flux_differences(table: Table, console: Console) -> None:
    """Print which predicted fluxes differ from the shipped ones, and how many do not."""
    same = table["status"] == "same"
    lines = [[_entry(row[name], name) for name in table.colnames] for row in table[~same]]
    if lines:
        title = "predicted fluxes that differ from the shipped table"
        print_sheet(title, table.colnames, lines, console, keys=2, table=table[~same])
    console.print(f"{int(np.sum(same))} fluxes as shipped, {int(np.sum(~same))} not.")


def _print_cut(number: int, console: Console) -> None:
    """Say how many points a long answer has beyond those that are printed."""
    if number > _POINTS and not isinstance(console, JsonAnswer):
        console.print(f"and {number - _POINTS} more points; --out FILE.ecsv writes all of them.")


def _entry(value: object, name: str) -> str:
    """Return a cell as it is printed."""
    number = getattr(value, "value", value)
    if np.ma.is_masked(number):
        return ""
    if isinstance(number, float | np.floating):
        if not np.isfinite(number):
            return NOTHING
        digits = 2 if name.endswith("_std") else 4
        return f"{number:.1f}" if name == "mjd" else f"{number:#.{digits}g}"
    return str(number)


def _known(error: object, digits: int) -> str:
    """Return an error as text, or a dash: one image has no scatter."""
    number = value(error)
    return f"{number:.{digits}f}" if np.isfinite(number) else NOTHING


def print_photometry(table: Table, console: Console) -> None:
    """Print how many images of each band were measured, and each of the others with its reason."""
    used = np.array([not flag for flag in table["flag"]], dtype=bool)
    title = "SIMULATED DATA · photometry" if table.meta.get("simulated") else "photometry"
    lines = []
    for band in (b for b in miri().bands if b in set(table["filter"][used])):
        rows = table[used & (np.asarray(table["filter"]) == band)]
        error = 100 * np.median((rows["ifluxunc"] / rows["iflux"]).value)
        stars = len(set(rows["name"]))
        lines.append((band, len(rows), stars, f"{error:.2f}"))
    heads = ("band", "images", "stars", "median error (%)")
    print_sheet(title, heads, lines, console, table=table)
    for row in table[~used]:
        line = Text(f"{row['file']}: kept, but flagged {row['flag']}: {row['reason']}")
        console.print(line, soft_wrap=True)
    for row in table[used & (np.asarray(table["note"]) != "")]:
        console.print(Text(f"{row['file']}: note: {row['note']}"), soft_wrap=True)


def print_apertures(table: Table, console: Console) -> None:
    """Print each band's radii and correction with their scatter."""
    title = "SIMULATED DATA · apertures" if table.meta.get("simulated") else "apertures"
    heads = ("band", "images", "r_a", "r_b1", "r_b2", "A_cor", "± fixed aperture")
    lines = []
    for row in table:
        radii = [
            f"{value(row[name]):.2f} ± {_known(row[name + '_unc'], 2)}"
            for name in ("r_a", "r_b1", "r_b2")
        ]
        correction = f"{value(row['a_cor']):.4f}", _known(row["a_fixed_unc"], 4)
        lines.append((row["filter"], row["n_observations"], *radii, *correction))
    print_sheet(title, heads, lines, console, table=table)
