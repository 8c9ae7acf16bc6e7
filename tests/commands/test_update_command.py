"""A run updated from the command line: a folder as any run's that says where it is from."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from arviz_stats.base.array import array_stats
from astropy.table import Table

from believed import believe
from mirical.calibration.store import read_run
from mirical.cli import main
from mirical.fast import batches, fit
from mirical.fast.coordinates import Coordinates
from mirical.fast.fit import Effort
from mirical.model.nesting import roomy_rows
from mirical.model.terms import colour_correlation
from mirical.reporting.stored_inputs import open_job
from mirical.storage.shipped import data_file
from mirical.tables.photometry import load_photometry
from mirical.updating import added, runs, weighing
from mirical.weighting.assimilation import new_rows
from mirical.weighting.sampled_sites import told_names
from simulated_outputs import silent

SHORT = ["--chains", "2", "--warmup", "150", "--draws", "250"]
POINT = ["--filter", "F770W", "--subarray", "FULL", "--mjd", "60000"]


def written(rows: Table, path: Path) -> str:
    rows.write(path, format="ascii.ecsv", overwrite=True)
    return str(path)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Table]:
    """Return the folder of a short run of the first rows of Table 5, and all rows by date.

    They are labelled as simulated, so that all that is made of them must say so.
    """
    folder = tmp_path_factory.mktemp("update")
    rows = Table.read(data_file("table5"), format="ascii.ecsv")
    rows.sort("time")
    rows.meta["simulated"] = True
    old = written(rows[:-2], folder / "old.ecsv")
    run = folder / "run"
    main(["run", "table5", "--photometry", old, "--out", str(run), *SHORT])
    believe(run)
    return run, rows


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the few effective draws of short chains be enough: five."""
    for module in (runs, weighing):
        monkeypatch.setattr(module, "WEIGHTED_ESS", 5)


@pytest.mark.usefixtures("few")
def test_an_updated_run_is_a_run_that_can_be_updated(
    made: tuple[Path, Table], tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    run, rows = made
    new = written(rows[-4:-1], tmp_path / "new.ecsv")
    second = tmp_path / "second"
    assert main(["update", str(run), new, "--out", str(second)]) == 0
    said = capsys.readouterr().err
    assert "new.ecsv: 1 of 3 rows are new; the run has the others (2) already." in said
    assert "updated by weights: Pareto k" in said
    assert silent(second) == []

    found = read_run(second)
    attrs = found.posterior.attrs
    assert found.believable and attrs["method"] == "update" and attrs["parent"] == "run"
    digest = hashlib.sha256((run / "manifest.json").read_bytes()).hexdigest()
    assert attrs["parent_sha256"] == digest
    assert attrs["new_rows_sha256"] == hashlib.sha256(Path(new).read_bytes()).hexdigest()
    manifest = json.loads((second / "manifest.json").read_text())
    assert manifest["parent_sha256"] == digest and "photometry.ecsv" in manifest["sha256"]
    diagnostics = json.loads((second / "diagnostics.json").read_text())
    assert found.fewest_ess == diagnostics["min_ess_bulk"]
    assert diagnostics["method"] == "update" and diagnostics["pareto_k"] == attrs["pareto_k"]
    assert digest in (second / "report.html").read_text()

    fitted = Table.read(second / "rows.ecsv", format="ascii.ecsv")
    before = Table.read(run / "rows.ecsv", format="ascii.ecsv")
    assert list(fitted["row"]) == list(range(1, len(rows)))
    assert list(fitted["fate"][:-1]) == list(before["fate"])

    moved = second.rename(tmp_path / "moved")  # with nothing beside it
    assert main(["factors", str(moved), *POINT]) == 0
    last = written(rows[-2:], tmp_path / "last.ecsv")
    third = tmp_path / "third"
    assert main(["update", str(moved), last, "--out", str(third)]) == 0
    chained = read_run(third).posterior.attrs
    digest = hashlib.sha256((moved / "manifest.json").read_bytes()).hexdigest()
    assert chained["parent_sha256"] == digest
    assert chained["effective_draws"] <= attrs["effective_draws"]
    assert len(Table.read(third / "rows.ecsv", format="ascii.ecsv")) == len(rows)


def two_new_rows(made: tuple[Path, Table], folder: Path, brighter: float = 1.0) -> added.Update:
    run, rows = made
    new = rows[-2:]
    new["iflux"] *= brighter
    parent, job, before = open_job(run)
    observations = load_photometry(written(new, folder / "new.ecsv"), before.instrument, "test")
    prepared = added.prepare_update(parent, job, before, observations)
    assert prepared is not None
    return prepared


def test_batches_give_the_posterior_that_weights_give(
    made: tuple[Path, Table], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Means within 4.5 Monte-Carlo errors (one run in 1000 fails)."""
    prepared = two_new_rows(made, tmp_path)
    weighed = weighing.weigh(prepared)
    monkeypatch.setattr(batches, "_EVEN", 0.9999)
    enough = iter([False, True])
    monkeypatch.setattr(fit, "_enough", lambda drawn, design: next(enough))
    said = []
    moved, doubts = weighing.assimilate_in_batches(prepared, weighed, said.append)
    assert "1 of 2 new rows assimilated" in said and doubts == ()
    assert moved.sites["A"].shape[:2] == (4, 16 * 2 * Effort().steps)  # once more as many steps
    again = weighing.draw_again(prepared, weighed)
    for name in ("A", "repeatability", "star_scale", "outlier_width", "expected"):
        one, two = moved.sites[name], again.sites[name]
        assert one.shape[2:] == two.shape[2:]
        error = [each.std((0, 1)) / np.sqrt(_effective(each)) for each in (one, two)]
        off = np.abs(one.mean((0, 1)) - two.mean((0, 1)))
        assert np.all(off < 4.5 * np.hypot(*error)), name


@pytest.mark.parametrize("brighter", [1.02, 1.3])
def test_two_batches_without_steps_are_the_weights_of_all_rows(
    made: tuple[Path, Table], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, brighter: float
):
    """Rows a little brighter, so that means differ without weights; and much, so that both are
    outliers. Limits are 4.5 times the noise of two resamplings."""
    monkeypatch.setattr(batches, "_EVEN", 0.9999)
    monkeypatch.setattr(batches, "_STEPS", 0)
    prepared = two_new_rows(made, tmp_path, brighter)
    weighed = weighing.weigh(prepared)
    design, card = prepared.inputs.design, prepared.inputs.card
    rows = roomy_rows(design, colour_correlation(design, card))
    new = new_rows(rows.design, len(design.rows), len(prepared.before.design.rows))
    sites, drawn, weights = weighed.sites, weighed.drawn, weighed.weights.values
    sites = {n: v for n, v in sites.items() if n != "star_band_offset"}
    sites["colour_precision"] = drawn.colour_precision
    old = batches.OfOldRows(sites, drawn.outlier * new.given, rows, new, card, seed=4)
    found = batches.assimilate_batches(old, lambda design: None, [].append)  # type: ignore[arg-type,return-value]
    names = {n: v for n, v in sites.items() if n in told_names(rows.design, card)}
    coordinates = Coordinates.of(rows.design, card)
    x = batches._told(names, rows.design, coordinates, seed=5)
    noise = x.std(0) * np.sqrt(2 / len(x))
    off, without = (np.abs(each.mean(0) - weights @ x) / noise for each in (found.x, x))
    wrong = weights @ drawn.outlier
    assert np.any(without > 7) if brighter < 1.1 else np.all(wrong[new.asked[:2]] > 0.5)
    assert np.all(off < 4.5)
    noise = np.sqrt(2 * (wrong + 1 / len(x)) / len(x))
    assert np.all(np.abs(found.outlier.mean(0) - wrong) < 4.5 * noise)


def _effective(values: np.ndarray) -> np.ndarray:
    """Return effective draws of (chain, draw, ...) values."""
    axes = {"chain_axis": 0, "draw_axis": 1, "method": "mean"}
    return np.asarray(array_stats.ess(values, **axes))  # type: ignore[arg-type]


def test_a_plan_for_a_simulated_run_says_so(made: tuple[Path, Table], tmp_path: Path):
    run, _ = made
    table = Table(rows=[("16 Cyg B", "F2550W", "SUB64", 61300.0, 1.0)],
                  names=("name", "filter", "subarray", "time", "cost_hours"))  # fmt: skip
    asked = ["--candidates", written(table, tmp_path / "c.ecsv"), "--goal", "F2550W at MJD 61500"]
    assert main(["plan", str(run), *asked, "--draws", "100", "--out", str(tmp_path / "plan")]) == 0
    assert silent(tmp_path / "plan") == []


def test_the_same_update_twice_is_the_same_run(made: tuple[Path, Table], tmp_path: Path):
    run, rows = made
    new = written(rows[-2:-1], tmp_path / "new.ecsv")
    parent, job, before = open_job(run)
    observations = load_photometry(new, before.instrument, "test")
    draws = []
    for seed in (5, 5, 6):
        prepared = added.prepare_update(parent, job, before, observations, seed)
        assert prepared is not None
        drawn = weighing.draw_again(prepared, weighing.weigh(prepared))
        draws.append(drawn.sites["A"])
    np.testing.assert_array_equal(draws[0], draws[1])
    assert np.all(draws[0] != draws[2])


def test_rows_that_the_run_has_write_no_folder(
    made: tuple[Path, Table], tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    run, rows = made
    known = written(rows[3:8], tmp_path / "known.ecsv")
    assert main(["update", str(run), known, "--out", str(tmp_path / "out")]) == 0
    assert "all rows of known.ecsv are rows of the run already" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_changed_row_is_refused(
    made: tuple[Path, Table], tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    run, rows = made
    changed = rows[-4:]
    changed["iflux"][0] *= 1.01
    path = written(changed, tmp_path / "changed.ecsv")
    assert main(["update", str(run), path, "--out", str(tmp_path / "out")]) == 2
    said = capsys.readouterr().err
    assert "changed.ecsv row 1: column 'iflux'" in said and "run the job again" in said
    assert not (tmp_path / "out").exists()


def test_what_cannot_be_weighed_is_said_and_fitted_only_if_allowed(
    made: tuple[Path, Table],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
):
    """Rows are not what the run expects, a fast fit fails, and chains fit all rows."""
    run, rows = made
    doubtful = SimpleNamespace(believable=False, sentences=("Pareto k is large; run again.",))
    told = []

    def not_trusted(prepared, tell, watch):
        told.append(prepared.origin)
        return SimpleNamespace(verdict=doubtful)

    monkeypatch.setattr(runs, "fit_fast_again", not_trusted)
    monkeypatch.setattr(weighing, "LEAST_P_VALUE", 1.0)  # whatever the rows are
    new = written(rows[-2:], tmp_path / "new.ecsv")
    command = ["update", str(run), new, "--out", str(tmp_path / "out")]
    assert main([*command, "--no-full"]) == 1
    said = " ".join(capsys.readouterr().err.split())
    assert "no update of the draws (the new rows are not what the run expects" in said
    assert "a fast fit to all rows" in said and told[0]["parent"]
    assert "must not be trusted (Pareto k is large), and --no-full allows no full fit" in said
    assert "nothing is written" in said
    assert not (tmp_path / "out").exists()

    asked = []

    def instead(job, inputs, course, tell, origin):
        asked.append((job, inputs, origin))
        raise KeyboardInterrupt

    monkeypatch.setattr(runs, "run_job", instead)
    assert main(command) == 130
    assert "a full fit to all rows" in " ".join(capsys.readouterr().err.split())
    ((job, inputs, origin),) = asked
    assert len(inputs.factors.observations.table) == len(rows)
    assert origin["method"] == "fit of all rows" and origin["parent"] == "run"
    assert job.name == "old"


def test_a_run_whose_table_is_gone_is_refused(
    made: tuple[Path, Table], tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    run, rows = made
    new = written(rows[-2:], tmp_path / "new.ecsv")
    old = run.parent / "old.ecsv"
    gone = old.rename(tmp_path / "gone.ecsv")
    try:
        assert main(["update", str(run), new, "--out", str(tmp_path / "out")]) == 2
    finally:
        gone.rename(old)
    assert "does not exist" in capsys.readouterr().err
    assert main(["update", str(run), new, "--out", str(run)]) == 2
    assert "is the run itself" in capsys.readouterr().err
