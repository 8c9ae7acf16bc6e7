"""`mirical check` and the audit of `mirical compare`, from the command line on the paper's rows."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from astropy.table import QTable, Table

from mirical.audits.published import PARTS
from mirical.calibration.manifest import write_manifest
from mirical.calibration.store import read_run
from mirical.cli import main
from mirical.inference.posterior import write_posterior
from written import content


@pytest.fixture(scope="module")
def run(short_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    # Of its own: a check is written into the run's folder, and others compare that run's bytes.
    return Path(shutil.copytree(short_run, tmp_path_factory.mktemp("checked") / short_run.name))


@pytest.fixture(scope="module")
def checked(run: Path) -> tuple[int, Path]:
    return main(["check", str(run), "--draws", "60", "--no-refit"]), run / "check"


def table(folder: Path, name: str) -> Table:
    return Table.read(folder / f"{name}.ecsv", format="ascii.ecsv")


def test_a_check_leaves_a_page_tables_and_figures(checked: tuple[int, Path]):
    status, folder = checked
    assert status == 1  # so few draws must not be believed
    page = (folder / "check.html").read_text()
    assert page.index('id="verdict"') < page.index('id="check-table"')
    assert "SIMULATED" not in page
    assert "steps.ecsv" not in page  # so few visits are not asked about a step
    for name in ("slopes", "influence", "excess", "pit", "dependence_flux"):
        assert (folder / "figures" / f"{name}.png").stat().st_size > 5000


def test_every_row_star_and_band_has_its_line(checked: tuple[int, Path]):
    _, folder = checked
    points = table(folder, "points")
    assert len(table(folder, "loo")) == 30 == len(points)
    assert points["time"].unit == "yr" and 0 < points["time"].min() < points["time"].max() < 1
    stars = set(table(folder, "anomalies")["name"])
    assert stars == {"16 Cyg B", "2MASS J17430448+6655015", "G 191-B2B"}
    assert len(table(folder, "influence")) == 3 * 9
    slopes = table(folder, "dependences")
    # Three rows a band at least; the prior is 1 % a decade and the rows can only narrow it.
    assert np.all(slopes["rows"] >= 3) and np.all(slopes["slope_unc"] < 1.05)


def test_every_visit_and_program_is_left_out_in_turn(checked: tuple[int, Path]):
    _, folder = checked
    left_out = table(folder, "left_out")
    programs = left_out[left_out["left_out"] == "program"]
    assert set(map(str, programs["name"])) == {"1027", "1536", "1537", "1538"}
    # Only the monitoring star of one program was seen in these bands.
    assert {"F1800W", "F2100W", "F2550W"} <= set(programs["filter"])
    assert np.sum(left_out["left_out"] == "visit") > len(programs)


def test_so_few_visits_are_not_asked_about_a_step_of_all_bands(checked: tuple[int, Path]):
    _, folder = checked
    assert len(table(folder, "steps")) == 0
    assert "step" not in set(table(folder, "checks")["check"])


def test_every_prior_that_can_be_scaled_meets_every_reported_number(checked: tuple[int, Path]):
    _, folder = checked
    found, words = table(folder, "psense"), table(folder, "prior_words")
    numbers = 5 * 9 + 4  # D of FULL is 1
    assert len(words) == numbers and len(found) == numbers * len(set(found["prior"]))
    assert {"A", "tau_median", "type_scale", "outlier_fraction"} < set(found["prior"])
    assert "flux_scale_unc" in found.meta["fixed"] and "type_scale" not in found.meta["fixed"]
    # These rows hardly tell a time constant: the report says so, and its prior moves it.
    tau = (found["number"] == "tau") & (found["prior"] == "tau_median")
    assert np.all(found["sensitivity"][tau] > 0.1)
    assert set(words["prior"][words["number"] == "tau"]) == {"tau_median"}
    page = (folder / "check.html").read_text()
    assert 'id="prior-table"' in page and "flux_scale_unc" in page
    assert "Reported numbers move with" in page and "tau_median (tau of 9 bands)" in page


def test_a_band_of_one_star_is_said_to_be(checked: tuple[int, Path]):
    _, folder = checked
    influence = table(folder, "influence")
    alone = influence[[str(entry) == "True" for entry in influence["alone"]]]
    only = {("16 Cyg B", band) for band in ("F1800W", "F2100W", "F2550W")}
    # G 191-B2B's one row in F1000W is flagged.
    assert {(r["name"], r["filter"]) for r in alone} == only | {
        ("2MASS J17430448+6655015", "F1000W")
    }


@pytest.mark.slow
def test_a_check_in_shares_leaves_the_same_bytes(
    run: Path, checked: tuple[int, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    command = ["check", str(run), "--draws", "60", "--no-refit", "--out", str(tmp_path / "out")]
    assert main([*command, "--shard", "2/3"]) == 0
    assert "share 2/3 is done; 4 of 12 results are in" in capsys.readouterr().out
    assert main(command) == checked[0]
    assert content(tmp_path) == {f"out/{name}": of for name, of in content(checked[1]).items()}


@pytest.mark.slow
def test_what_the_draws_cannot_tell_is_fitted_again(
    run: Path, checked: tuple[int, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    before = table(checked[1], "influence")
    largest = float(np.max(before["pareto_k"]))
    monkeypatch.setattr("mirical.checking.tables.k_limit", lambda _: largest - 1e-6)
    main(["check", str(run), "--draws", "60", "--out", str(tmp_path)])
    after = table(tmp_path, "influence")
    again = np.array([str(entry) == "refit" for entry in after["basis"]])
    np.testing.assert_array_equal(again, before["pareto_k"] == largest)
    shared = again & np.array([str(entry) == "False" for entry in after["alone"]])
    assert np.all(np.isfinite(after["shift"][shared]))
    assert np.all(after["shift"][shared] != before["shift"][shared])


def test_the_parts_of_the_audit_sum_to_the_difference(run: Path, tmp_path: Path, capsys):
    out = tmp_path / "compared"
    assert main(["compare", str(run), "--out", str(out)]) == 1  # so few draws
    audit = QTable.read(out / "audit.ecsv", format="ascii.ecsv")
    parts = np.sum([audit[name].value for name in PARTS], axis=0)
    np.testing.assert_allclose(parts, audit["total"].value, atol=1e-10)
    comparison = QTable.read(run / "comparison.ecsv", format="ascii.ecsv")
    reference = comparison[comparison["quantity"] == "C_ref"]
    expected = 100 * np.log1p(reference["diff_pct"].value / 100)
    # The mean of ln C is a little less than the ln of the mean.
    np.testing.assert_allclose(audit["total"].value, expected, atol=0.3)
    assert np.all(audit["aperture"].value == 0)
    assert "from published; most by" in capsys.readouterr().out


def write_few_draws(run: Path, folder: Path) -> None:
    """Write a run of eight draws of each chain of another."""
    for name in ("job.toml", "hierarchical.toml"):
        shutil.copy(run / name, folder / name)
    tree = read_run(run).posterior
    fewer = {
        name: node.to_dataset().isel(draw=slice(8), missing_dims="ignore")
        for name, node in tree.children.items()
    }
    cut = xr.DataTree.from_dict(fewer)
    cut.attrs = tree.attrs
    write_posterior(cut, folder / "posterior.nc")
    (folder / "diagnostics.json").write_text('{"believable": false}')
    write_manifest(folder, {})


MISTAKES = {
    "check nowhere": "mirical: run 'nowhere' does not exist",
    "check {run} --draws 10": "mirical: check: 10 draws were asked for; expected at least 50.",
    "check {few} --draws 60": "has 16 draws; at least 50 are needed: run the job with more.",
    "check {run} --out {run}/job.toml": "is a file; --out needs a folder.",
}


@pytest.mark.parametrize("command", MISTAKES)
def test_a_mistake_is_one_sentence(
    run: Path, tmp_path: Path, command: str, capsys: pytest.CaptureFixture[str]
):
    if "{few}" in command:
        write_few_draws(run, tmp_path)
    assert main(command.format(run=run, few=tmp_path).split()) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.count("\n") == 1 and MISTAKES[command] in err


def test_rows_that_changed_since_the_run_are_refused(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    for name in ("posterior.nc", "hierarchical.toml"):
        (tmp_path / name).write_bytes((run / name).read_bytes())
    job = (run / "job.toml").read_text()
    rows = Table.read(run / "rows.ecsv", format="ascii.ecsv")["name", "filter"]
    rows.write(tmp_path / "mine.ecsv", format="ascii.ecsv")
    changed = job.replace('photometry = "table5"', f'photometry = "{tmp_path / "mine.ecsv"}"')
    (tmp_path / "job.toml").write_text(changed)
    assert main(["check", str(tmp_path)]) == 2
    assert capsys.readouterr().err.startswith("mirical: ")
