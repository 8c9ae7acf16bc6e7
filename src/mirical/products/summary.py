"""What the commands print: tables for the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from astropy.table import Table
from rich.console import Console
from rich.table import Table as Sheet
from rich.text import Text

from mirical.bands import BANDS
from mirical.conventions import FACTOR_TEXT
from mirical.products.entries import NOTHING, measured, percent, signed, value

if TYPE_CHECKING:
    from mirical.products.check import CheckedRun
    from mirical.products.error_budget import ErrorBudget
    from mirical.products.rivals import ModelComparison
    from mirical.products.runs import Run
    from mirical.products.side_by_side import Comparison

_UNITS = {"tau": " (d)", "repeatability": " (%)"}


def print_run(run: Run, folder: Path, console: Console) -> None:
    """Print a run's factors beside the published ones, its verdict and where the report is."""
    coefficients, comparison = run.tables["coefficients"], run.tables["comparison"]
    at_reference = comparison[comparison["quantity"] == "C_ref"]
    simulated = "SIMULATED DATA · " if run.posterior.attrs["simulated"] else ""
    title = (
        f"{simulated}{run.job.name}: C at MJD {coefficients.meta['C_ref_mjd']:.0f}, FULL, "
        f"{FACTOR_TEXT}"
    )
    sheet = _sheet(title, "band", "stars", "C", "±", "published", "±", "differs", "sigma")
    stars = dict(zip(coefficients["filter"], coefficients["n_stars"], strict=True))
    for row in at_reference:
        sheet.add_row(
            Text(str(row["filter"])),
            str(stars[row["filter"]]),
            f"{row['ours']:.4f}",
            f"{row['ours_std']:.4f}",
            f"{row['published']:.4f}",
            f"{row['published_std']:.4f}",
            f"{row['diff_pct'].value:+.1f} %",
            f"{row['diff_sigma']:+.1f}",
        )
    console.print(sheet)
    rows = run.tables["rows"]
    flagged = int(np.sum(rows["fate"] == "flagged"))
    console.print(
        f"{len(rows)} rows: {len(rows) - flagged} fitted, {flagged} flagged (see rows.ecsv)."
    )
    for sentence in run.verdict.sentences:
        console.print(Text(sentence))
    console.print(Text(f"Report: {folder / 'report.html'}"), soft_wrap=True)


def print_check(checked: CheckedRun, folder: Path, console: Console) -> None:
    """Print every check, the verdict and where the page is."""
    title = f"{'SIMULATED DATA · ' if checked.simulated else ''}{checked.name}: predictive checks"
    sheet = _sheet(title, "check", "p", "median p", "fires", "where")
    for row in checked.tables["checks"]:
        sheet.add_row(
            str(row["check"]),
            f"{row['p_value']:.4f}",
            f"{row['p_median']:.3f}",
            "yes" if row["fires"] else "",
            Text(str(row["extreme"])),
        )
    console.print(sheet)
    for sentence in checked.sentences:
        console.print(Text(sentence))
    console.print(Text(f"Report: {folder / 'check.html'}"), soft_wrap=True)


def print_models(
    compared: ModelComparison, sentences: Sequence[str], folder: Path, console: Console
) -> None:
    """Print how every model stands, what that comes to and where the page is."""
    title = f"{'SIMULATED DATA · ' if compared.simulated else ''}{compared.name}: rival models"
    sheet = _sheet(title, "model", "elpd", "behind the best", "weight")
    for row in compared.tables["models"]:
        behind = measured(float(row["behind"]), float(row["behind_se"])).text
        weight = f"{float(row['weight']):.2f}"
        sheet.add_row(str(row["model"]), f"{float(row['elpd']):.1f}", behind, weight)
    console.print(sheet)
    for sentence in sentences:
        console.print(Text(sentence))
    console.print(Text(f"Report: {folder / 'rivals.html'}"), soft_wrap=True)


def print_budget(budget: ErrorBudget, console: Console) -> None:
    """Print the parts of each flux's error and the sentence for a paper."""
    table = budget.table()
    parts = [name for name in table.colnames if name.endswith("_pct")]
    heads = [name.removesuffix("_pct") for name in parts]
    sheet = _sheet(str(table.meta["title"]) + ", %", "band", "subarray", "MJD", *heads)
    for row in table:
        numbers = [f"{float(row[name].value):.2f}" for name in parts]
        place = Text(str(row["filter"])), str(row["subarray"]), f"{float(row['mjd']):.1f}"
        sheet.add_row(*place, *numbers)
    console.print(sheet)
    console.print(Text(budget.sentence()), soft_wrap=True)


def print_audit(table: Table, sentences: Sequence[str], console: Console) -> None:
    """Print the parts of each band's difference from the published factor."""
    title = "SIMULATED DATA · " if table.meta["simulated"] else ""
    parts = [name for name in table.colnames if name not in ("filter", "biggest")]
    sheet = _sheet(f"{title}difference from published, in parts (%, of ln C)", "band", *parts)
    for row in table:
        sheet.add_row(str(row["filter"]), *(signed(value(row[name]), 2).text for name in parts))
    console.print(sheet)
    for sentence in sentences:
        console.print(Text(sentence))


def print_table(table: Table, console: Console) -> None:
    """Print calibration factors, one line a point."""
    names = {
        "filter": "band",
        "subarray": "subarray",
        "mjd": "MJD",
        "c_mean": "C",
        "c_std": "±",
        "c_q16": "16 %",
        "c_q84": "84 %",
    }
    if "c_aperture_std" in table.colnames:
        names["c_aperture_std"] = "± aperture"
    sheet = _sheet(f"C in {FACTOR_TEXT}", *names.values())
    for row in table:
        sheet.add_row(*(_entry(row[name], name) for name in names))
    console.print(sheet)


def print_comparison(comparison: Comparison, console: Console) -> None:
    """Print two calibrations side by side: factors, then coefficients."""
    console.print(_factor_sheet(comparison.factors))
    console.print(_coefficient_sheet(comparison))
    for sentence in comparison.sentences:
        console.print(Text(sentence))


def _factor_sheet(table: Table) -> Sheet:
    ours, theirs = table.meta["ours"], table.meta["theirs"]
    mark = "SIMULATED DATA · " if table.meta["simulated"] else ""
    title = f"{mark}C of {ours} against {theirs}, {FACTOR_TEXT}"
    columns = ["band", "subarray", "MJD", ours, "±", theirs, "±", "differs", "sigma"]
    names = ["filter", "subarray", "mjd", "c", "c_std", "c_other", "c_other_std"]
    subarrays = set(table["subarray"])
    if len(subarrays) == 1:
        title += f", {subarrays.pop()}"
        columns.remove("subarray")
        names.remove("subarray")
    sheet = _sheet(title, *columns)
    for row in table:
        differences = (
            signed(value(row["diff_pct"]), 1, " %").text,
            signed(value(row["diff_sigma"]), 1).text,
        )
        sheet.add_row(*(_entry(row[name], name) for name in names), *differences)
    return sheet


def _coefficient_sheet(comparison: Comparison) -> Sheet:
    """Return A, B, tau and repeatability of each band, and D of each subarray."""
    coefficients, subarrays = comparison.coefficients, comparison.subarrays
    ours, theirs = subarrays.meta["ours"], subarrays.meta["theirs"]
    mark = "SIMULATED DATA · " if comparison.simulated else ""
    title = f"{mark}coefficients of {ours} against {theirs}; sigma in the errors that are stated"
    sheet = _sheet(title, "of", "quantity", ours, theirs, "differs", "sigma")
    for row in coefficients[coefficients["quantity"] != "C_ref"]:
        quantity = f"{row['quantity']}{_UNITS.get(str(row['quantity']), '')}"
        sheet.add_row(str(row["filter"]), quantity, *_side_by_side(row))
    for row in subarrays:
        sheet.add_row(str(row["subarray"]), "D", *_side_by_side(row))
    return sheet


def _side_by_side(row: Table.Row) -> list[str]:
    sides = [measured(value(row[name]), value(row[f"{name}_std"])) for name in ("ours", "theirs")]
    difference = percent(value(row["diff_pct"])), signed(value(row["diff_sigma"]), 1).text
    return [*(side.text for side in sides), *difference]


def print_flux_differences(table: Table, console: Console) -> None:
    """Print which predicted fluxes differ from the shipped ones, and how many do not."""
    same = table["status"] == "same"
    sheet = _sheet("predicted fluxes that differ from the shipped table", *table.colnames)
    for row in table[~same]:
        sheet.add_row(*(_entry(row[name], name) for name in table.colnames))
    if not np.all(same):
        console.print(sheet)
    console.print(f"{int(np.sum(same))} fluxes as shipped, {int(np.sum(~same))} not.")


def _sheet(title: str, *columns: str) -> Sheet:
    sheet = Sheet(title=Text(title), title_justify="left")
    for column in columns:
        sheet.add_column(Text(column), justify="right", no_wrap=True)
    return sheet


def _entry(value: object, name: str) -> str | Text:
    """Return a cell; text from a table never speaks the terminal's markup."""
    number = getattr(value, "value", value)
    if np.ma.is_masked(number):
        return ""
    if isinstance(number, float | np.floating):
        if not np.isfinite(number):
            return NOTHING
        digits = 2 if name.endswith("_std") else 4
        return f"{number:.1f}" if name == "mjd" else f"{number:#.{digits}g}"
    return Text(str(number))


def _known(error: object, digits: int) -> str:
    """Return an error as text, or a dash: one image has no scatter."""
    number = value(error)
    return f"{number:.{digits}f}" if np.isfinite(number) else NOTHING


def print_photometry(table: Table, console: Console) -> None:
    """Print how many images of each band were measured, and each of the others with its reason."""
    used = np.array([not flag for flag in table["flag"]], dtype=bool)
    title = "SIMULATED DATA · photometry" if table.meta.get("simulated") else "photometry"
    sheet = _sheet(title, "band", "images", "stars", "median error (%)")
    for band in (b for b in BANDS if b in set(table["filter"][used])):
        rows = table[used & (np.asarray(table["filter"]) == band)]
        error = 100 * np.median((rows["ifluxunc"] / rows["iflux"]).value)
        stars = len(set(rows["name"]))
        sheet.add_row(band, str(len(rows)), str(stars), f"{error:.2f}")
    console.print(sheet)
    for row in table[~used]:
        line = Text(f"{row['file']}: kept, but flagged {row['flag']}: {row['reason']}")
        console.print(line, soft_wrap=True)
    for row in table[used & (np.asarray(table["note"]) != "")]:
        console.print(Text(f"{row['file']}: note: {row['note']}"), soft_wrap=True)


def print_apertures(table: Table, console: Console) -> None:
    """Print each band's radii and correction with their scatter."""
    title = "SIMULATED DATA · apertures" if table.meta.get("simulated") else "apertures"
    sheet = _sheet(title, "band", "images", "r_a", "r_b1", "r_b2", "A_cor", "± fixed aperture")
    for row in table:
        radii = [
            f"{value(row[name]):.2f} ± {_known(row[name + '_unc'], 2)}"
            for name in ("r_a", "r_b1", "r_b2")
        ]
        correction = f"{value(row['a_cor']):.4f}", _known(row["a_fixed_unc"], 4)
        sheet.add_row(str(row["filter"]), str(row["n_observations"]), *radii, *correction)
    console.print(sheet)
