"""`mirical plan` from the command line, on a short run of the paper's rows."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from astropy.table import Table

from mirical.cli import main
from simulated_outputs import undescribed

GOAL = ["--goal", "F2550W at MJD 61500"]


@pytest.fixture(scope="module")
def run(short_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    # Of its own: a plan is written into the run's folder, and others compare that run's bytes.
    return Path(shutil.copytree(short_run, tmp_path_factory.mktemp("planned") / short_run.name))


@pytest.fixture(scope="module")
def candidates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    rows = [
        ("16 Cyg B", "F2550W", "BRIGHTSKY", 61300.0, "autumn"),
        ("16 Cyg B", "F2100W", "BRIGHTSKY", 61300.0, "autumn"),
        ("16 Cyg B", "F2550W", "BRIGHTSKY", 61400.0, ""),
        ("G 191-B2B", "F560W", "SUB64", 61400.0, ""),
    ]
    table = Table(rows=rows, names=("name", "filter", "subarray", "time", "visit"))
    table["cost_hours"] = [1.0, 1.0, 1.0, 1.0]
    path = tmp_path_factory.mktemp("candidates") / "c.ecsv"
    table.write(path, format="ascii.ecsv")
    return path


def read(path: Path) -> Table:
    return Table.read(path, format="ascii.ecsv")


def test_a_plan_ranks_candidates_and_chooses_a_set(
    run: Path, candidates: Path, capsys: pytest.CaptureFixture[str]
):
    status = main(["plan", str(run), "--candidates", str(candidates), *GOAL, "--hours", "3"])
    assert status == 1  # so few draws must not be believed
    said = capsys.readouterr().out
    assert "F2550W at MJD 61500: its error is" in said and "stays so if nothing" in said
    folder = run / "plan"
    ranked, chosen = read(folder / "plan.ecsv"), read(folder / "set.ecsv")
    assert sorted(ranked["candidate"]) == ["autumn", "row 3", "row 4"]
    assert ranked["candidate"][0] == "row 3"  # the goal's own band, at half the cost of a visit
    assert np.all(np.diff(ranked["fall_per_hour_pct"]) <= 0)
    np.testing.assert_allclose(ranked["fall_pct"] / ranked["cost_hours"],
                               ranked["fall_per_hour_pct"])  # fmt: skip
    both = ranked[ranked["candidate"] == "autumn"][0]
    assert (both["filter"], both["cost_hours"]) == ("F2550W, F2100W", 2.0)
    assert chosen["candidate"][0] == "row 3" and chosen["total_hours"][-1] <= 3
    # The first addition is the candidate alone, and the errors are what the falls leave.
    assert chosen["fall_pct"][0] == pytest.approx(chosen["alone_pct"][0])
    now = ranked.meta["error_now_pct"]
    left = now * np.sqrt(1 - np.cumsum(chosen["fall_pct"]) / 100)
    np.testing.assert_allclose(chosen["error_after_pct"], left, rtol=1e-6)
    alone = now * np.sqrt(1 - ranked["fall_pct"] / 100)
    np.testing.assert_allclose(ranked["error_after_pct"], alone, rtol=1e-6)
    assert undescribed(folder / "plan.ecsv") == [] == undescribed(folder / "set.ecsv")
    page = (folder / "plan.html").read_text()
    assert page.index('id="verdict"') < page.index('id="set-table"') < page.index('id="plan-table"')
    assert (folder / "figures" / "plan.png").stat().st_size > 5000


def test_a_budget_below_any_cost_is_told(
    run: Path, candidates: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    few = ["--hours", "0.5", "--draws", "100", "--out", str(tmp_path / "p")]
    main(["plan", str(run), "--candidates", str(candidates), *GOAL, *few])
    assert "costs 0.5 h or less; the cheapest candidate costs 1 h" in capsys.readouterr().out
    assert len(read(tmp_path / "p" / "set.ecsv")) == 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--draws", "99"], "--draws is 99; expected at least 100"),
        (["--hours", "-1"], "--hours is -1; expected hours above 0"),
        (["--hours", "nan"], "--hours is nan"),
        (["--goal", "all of it"], "--goal 'all of it' is no goal"),
        (["--candidates", "none.ecsv"], "none.ecsv: no such file; expected a table"),
    ],
)
def test_a_mistake_is_told_in_one_sentence(
    run: Path,
    candidates: Path,
    tmp_path: Path,
    options: list[str],
    message: str,
    capsys: pytest.CaptureFixture[str],
):
    out = tmp_path / "p"
    usual = ["--candidates", str(candidates), *GOAL, "--out", str(out)]
    assert main(["plan", str(run), *usual, *options]) == 2
    assert message in capsys.readouterr().err and not out.exists()
