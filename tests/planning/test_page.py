"""Page and tables of a plan, made by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from astropy import units as u
from astropy.table import QTable

from made_runs import ATTRS
from miri_facts import MIRI
from mirical.planning.page import LISTED, write_plan
from mirical.planning.plan import Plan
from simulated_outputs import silent


def made_plan(name: str = "<b>16 Cyg B</b>", simulated: int = 1) -> Plan:
    n = LISTED + 5
    table = QTable({"candidate": [f"row {i}" for i in range(n)], "name": [name] * n})
    table["filter"], table["subarray"], table["mjd"] = "F2550W", "SUB64", np.full(n, 61500.0) * u.d
    table["exposures"], table["cost_hours"] = 1, np.ones(n) * u.h
    falls = np.linspace(30, 1, n) * u.percent
    table["fall_pct"], table["fall_pct_mc"] = falls, 0.1 * falls
    table["fall_per_hour_pct"], table["error_after_pct"] = falls / u.h, falls
    table["step"], table["rank"] = 0, np.arange(1, n + 1)
    table.meta["draws"] = 500
    steps = table["candidate", "name", "filter", "subarray", "mjd", "cost_hours", "fall_pct"][:2]
    steps["step"], steps["total_hours"] = [1, 2], [1.0, 2.0] * u.h
    steps["alone_pct"] = steps["fall_pct"]
    steps["error_after_pct"], steps["error_after_pct_mc"] = [2.0, 1.5] * u.percent, 0.1 * u.percent
    attrs = ATTRS | {"simulated": simulated}
    tables = {"plan": table, "set": steps}
    return Plan("made", attrs, tables, MIRI, "F2550W at MJD 61500", 3.0, 2.5, 0.1, ("Said so.",))


def test_a_plan_of_simulated_rows_says_so_everywhere(tmp_path: Path):
    write_plan(made_plan(), tmp_path / "plan")
    assert silent(tmp_path / "plan") == []


def test_the_page_lists_the_first_candidates_and_escapes_names(tmp_path: Path):
    write_plan(made_plan(simulated=0), tmp_path / "plan")
    page = (tmp_path / "plan" / "plan.html").read_text()
    assert "&lt;b&gt;16 Cyg B" in page and "<b>16 Cyg B" not in page
    assert f"row {LISTED - 1}<" in page and f"row {LISTED}<" not in page
    assert f"{LISTED} of {LISTED + 5}" in page and "SIMULATED" not in page
