"""Printed tables: every digit is there, however narrow the terminal."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from astropy import units as u
from astropy.table import QTable, Table
from rich.console import Console

from drawn import drawn_calibration
from made_runs import make_run
from miri_facts import MIRI
from mirical.calibration.error_budget import Observation, error_budget
from mirical.calibration.factors import Query
from mirical.calibration.published import PublishedCalibration
from mirical.console import printing
from mirical.reporting.comparison_folder import compare
from mirical.terminal import print_sheet

DRAWN = drawn_calibration()
PUBLISHED = PublishedCalibration(MIRI)
FOLDER = Path("reports") / "one"
QUERY = Query.of(MIRI, ["F770W", "F2550W", "F560W"], ["SUB64", "FULL", "BRIGHTSKY"], 60123.4)


def checked() -> Any:
    where = "the visit of 2MASS J17430448+6655015 on MJD 59724.4 in F560W and in F770W as well"
    checks = Table({"check": ["rows", "dependence"], "p_value": [0.00012, 0.75]})
    checks["p_median"], checks["fires"] = [0.0013, 0.5], [True, False]
    checks["extreme"] = [where, "nothing"]
    return SimpleNamespace(
        tables={"checks": checks}, simulated=False, name="one", sentences=("said",)
    )


def models() -> Any:
    table = Table({"model": ["hierarchical", "gaussian-without-colour"], "elpd": [1766.3, 1755.0]})
    table["behind"], table["behind_se"], table["weight"] = [0.0, -11.3], [0.0, 4.2], [0.9, 0.1]
    return SimpleNamespace(tables={"models": table}, simulated=True, name="one")


def audit() -> QTable:
    parts = ("rows and fluxes", "aperture", "loss", "subarray", "clipping", "weights", "total")
    table = QTable({"filter": ["F560W", "F2550W"]})
    for i, name in enumerate(parts):
        table[name] = [0.17 * i, -3.21 - i]
    table.meta["simulated"] = False
    return table


def photometry() -> QTable:
    table = QTable({"filter": ["F770W", "F770W"], "name": ["GD 71", "GD 153"]})
    table["flag"], table["note"], table["file"] = ["", "no star"], ["", ""], ["a", "b"]
    table["reason"] = ["", "nothing is there"]
    table["iflux"], table["ifluxunc"] = [4300.0, 1.0] * u.adu, [6.47, 1.0] * u.adu
    return table


def apertures() -> QTable:
    table = QTable({"filter": ["F2550W"], "n_observations": [12]})
    for name, radius in (("r_a", 9.87), ("r_b1", 16.21), ("r_b2", 21.03)):
        table[name], table[f"{name}_unc"] = [radius], [0.12]
    table["a_cor"], table["a_fixed_unc"] = [1.5062], [0.0034]
    return table


def fluxes() -> QTable:
    table = QTable({"name": ["GD 71", "HD 2811"], "filter": ["F770W", "F2550W"]})
    table["status"], table["flux"], table["shipped"] = ["new", "same"], [1.2345, 2.0], [1.25, 2.0]
    return table


PRINTED: dict[str, Callable[[Console], None]] = {
    "check": lambda console: printing.print_check(checked(), FOLDER, console),
    "rivals": lambda console: printing.print_models(models(), ("said",), FOLDER, console),
    "error": lambda console: printing.print_budget(
        error_budget(DRAWN, Observation(QUERY, extended=True)), console
    ),
    "factors": lambda console: printing.print_table(DRAWN.at(QUERY).table(), MIRI, console),
    "compare": lambda console: printing.print_comparison(compare(DRAWN, PUBLISHED, None), console),
    "audit": lambda console: printing.print_audit(audit(), (), console),
    "photometry": lambda console: printing.print_photometry(photometry(), console),
    "apertures": lambda console: printing.print_apertures(apertures(), console),
    "fluxes": lambda console: printing.print_flux_differences(fluxes(), console),
}


def printed(prints: Callable[[Console], None], width: int) -> str:
    """Return what is printed on a terminal of a width."""
    file = io.StringIO()
    prints(Console(file=file, width=width, highlight=False, force_terminal=True, color_system=None))
    return file.getvalue()


def numbers(text: str) -> set[str]:
    """Return every word with a digit, whatever lines and blanks stand between them."""
    return {word for word in re.split(r"[\s│┃]+", text) if re.search(r"\d", word)}


def assert_whole(prints: Callable[[Console], None], width: int) -> None:
    narrow = printed(prints, width)
    assert numbers(narrow) == numbers(printed(prints, 1000))
    assert "…" not in narrow
    assert all(len(line) <= width for line in narrow.splitlines() if line[:1] in "│┃┏└┡")


@pytest.mark.parametrize("width", [60, 80, 100, 160])
@pytest.mark.parametrize("command", PRINTED)
def test_no_width_cuts_a_digit(command: str, width: int):
    assert_whole(PRINTED[command], width)


@pytest.mark.parametrize("width", [60, 80, 100, 160])
def test_no_width_cuts_a_digit_of_a_run(width: int):
    run = make_run()
    assert_whole(lambda console: printing.print_run(run, FOLDER, console), width)


def test_a_run_prints_what_its_numbers_rest_on_and_why_rows_were_flagged():
    run = make_run()
    table = run.tables["comparison"]
    partly = (table["quantity"] == "C_ref") & (table["filter"] == "F1800W")
    table["basis"] = np.where(partly, "partly prior", "data")
    text = printed(lambda console: printing.print_run(run, FOLDER, console), 160)
    lines = {line.split()[1]: line for line in text.splitlines() if line.startswith("│")}
    assert "partly prior" in lines["F1800W"] and "partly prior" not in lines["F770W"]
    flagged = run.tables["rows"][-1]
    assert f"row {flagged['row']} flagged (16 Cyg B, F560W, FULL, MJD 59790.0): " in text
    assert str(flagged["reason"]) in text


def test_zero_points_and_free_stars_are_printed_where_a_run_has_them():
    run = make_run()
    card = run.instrument
    factor = SimpleNamespace(view="AB")
    run.instrument = SimpleNamespace(
        factor=factor, published=None, reference="FULL", factor_text=card.factor_text
    )
    table = run.tables["coefficients"]
    table["zero_point"], table["zero_point_std"] = 25.56377 * u.mag, 0.01132 * u.mag
    table["n_free_stars"] = 23
    text = printed(lambda console: printing.print_run(run, FOLDER, console), 160)
    heads, line = (
        next(line for line in text.splitlines() if word in line) for word in ("band", "F770W")
    )
    assert "AB zero point" in heads and "published" not in heads
    assert "3 + 23 free" in line and "25.5638 │  0.0113" in line


def test_columns_that_do_not_fit_follow_beneath_with_their_keys():
    lines = [("F770W", "FULL", "1.2345", "0.0006", "9.8765")]
    heads = ("band", "subarray", "one", "± of it", "other")
    text = printed(lambda console: print_sheet("title", heads, lines, console, keys=2), 36)
    body = [line.strip("│").split("│") for line in text.splitlines() if line.startswith("│")]
    assert [[cell.strip() for cell in line] for line in body] == [
        ["F770W", "FULL", "1.2345"],
        ["F770W", "FULL", "0.0006"],
        ["F770W", "FULL", "9.8765"],
    ]


def test_an_error_stays_beside_its_value():
    heads = ("band", "one", "two", "± of it")
    lines = [("F770W", "1.2345", "2.3456", "0.0006")]
    text = printed(lambda console: print_sheet("title", heads, lines, console), 34)
    body = [line.count("│") - 1 for line in text.splitlines() if line.startswith("│")]
    assert body == [2, 3]


def test_text_of_a_table_is_no_markup():
    text = printed(lambda c: print_sheet("[bold]t", ("[red]a",), [("[link=x]b",)], c), 60)
    assert "[bold]t" in text and "[red]a" in text and "[link=x]b" in text
