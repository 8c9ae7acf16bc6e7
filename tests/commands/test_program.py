"""The whole simulated program by the default card; minutes, so run by `make check-slow`."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from astropy.table import QTable, Table

from miri_facts import MIRI
from mirical.calibration.factors import Query
from mirical.calibration.store import open_calibration
from mirical.cli import main
from mirical.simulation.simulated_program import simulate_program, write_program

pytestmark = pytest.mark.slow

SHORT = ["--chains", "2", "--warmup", "300", "--draws", "400"]


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Path:
    """Return the folder of the job `program`, run in full."""
    folder = tmp_path_factory.mktemp("program") / "run"
    assert main(["run", "program", "--out", str(folder)]) == 0
    return folder


def test_the_program_converges(run):
    found = json.loads((run / "diagnostics.json").read_text())
    assert found["worst_rhat"] <= 1.01 and found["divergences"] == 0
    assert found["min_ess_bulk"] >= 400 and found["min_ess_tail"] >= 400


def test_the_report_says_it_is_simulated(run):
    assert "simulated" in (run / "report.html").read_text().lower()


def test_the_true_factors_are_recovered(run):
    """14 factors within 4 sigma of Tables 7-8, the truth; false alarm below 0.1 %."""
    compared = Table.read(run / "comparison.ecsv", format="ascii.ecsv")
    factors = compared[compared["quantity"] == "C_ref"]
    assert len(factors) == 14
    assert np.all(np.abs(factors["diff_sigma"]) < 4)
    percent = 100 * factors["ours_std"] / factors["ours"]
    assert np.all((percent > 0.3) & (percent < 2))


@pytest.mark.parametrize(
    ("band", "neighbours"),
    [
        ("F2300C", ("F1800W", "F2100W", "F2550W")),
        ("F1550C", ("F1280W", "F1500W", "F1800W")),
    ],
)
def test_a_band_that_borrows_knows_less_without_its_neighbours(band, neighbours, run, tmp_path):
    write_program(simulate_program(59720, "published"), tmp_path)
    rows = QTable.read(tmp_path / "photometry.ecsv", format="ascii.ecsv")
    rows = rows[~np.isin(rows["filter"], neighbours)]
    rows.write(tmp_path / "fewer.ecsv", format="ascii.ecsv")
    folder = tmp_path / "fewer"
    assert main(
        ["run", "program", "--photometry", str(tmp_path / "fewer.ecsv"), "--out", str(folder)]
        + SHORT
    ) in (0, 1)  # too few draws for the verdict's limits is no matter here
    query = Query.of(MIRI, band, "FULL", 59720.0)
    width = [float(open_calibration(str(path)).at(query).std[0]) for path in (run, folder)]
    assert width[1] > 1.15 * width[0], width
