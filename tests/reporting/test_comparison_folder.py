"""`mirical compare` from a run's folder to its tables and figures, without sampling."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from astropy.table import Table

from miri_facts import IMAGING_BANDS, MIRI, SUBARRAYS, T0_MJD
from mirical.calibration.comparison import compare_stated
from mirical.calibration.manifest import write_manifest
from mirical.calibration.published import PublishedCalibration
from mirical.cli import main
from mirical.inference.posterior import write_posterior
from mirical.number_text import floats
from mirical.plotting.canvas import OURS
from mirical.reporting.comparison_figures import curve_differences, reference_figure
from mirical.reporting.comparison_folder import compare, reference_differences
from mirical.reporting.stored_inputs import open_pair
from mirical.tables.photometry import load_photometry

PUBLISHED = PublishedCalibration(MIRI)
JOB = 'photometry = "table5"\nmodel = "hierarchical"\n'
TABLES = ("factors", "coefficients", "subarrays", "curves")


def posterior(bands=IMAGING_BANDS, simulated: int = 0, scale: float = 1.0) -> xr.DataTree:
    """Draws about the published coefficients, with a spread of about 1 %."""
    spread = scale * (1 + 0.01 * np.linspace(-1, 1, 40).reshape(2, 20, 1))
    printed = [PUBLISHED.coefficients.loc[band] for band in bands]
    dims = ("chain", "draw", "band")
    numbers = {name: np.array([row[name].value for row in printed]) for name in ("A", "B", "tau")}
    drawn = {name: (dims, spread * numbers[name]) for name in numbers}
    loss = np.log(numbers["A"] / (numbers["A"] + numbers["B"]))
    drawn["loss"] = (dims, np.broadcast_to(loss, drawn["A"][1].shape))
    drawn["repeatability"] = (dims, 0.004 * spread * np.ones(len(bands)))
    d = np.array([PUBLISHED.throughput[name] for name in SUBARRAYS])
    d_drawn = np.where(np.array(SUBARRAYS) == "FULL", 1.0, d * spread / scale)
    drawn["D"] = (("chain", "draw", "subarray"), d_drawn)
    in_band = np.repeat(d_drawn[:, :, None], len(bands), axis=2)
    drawn["D_band"] = (("chain", "draw", "band", "subarray"), in_band)
    coords = {"band": list(bands), "subarray": list(SUBARRAYS)}
    rows = {
        "elapsed": ("row", np.tile([10.0, 100.0], len(bands))),
        "band_index": ("row", np.repeat(np.arange(len(bands)), 2)),
        "subarray_index": ("row", np.zeros(2 * len(bands), dtype=int)),
        "star_index": ("row", np.zeros(2 * len(bands), dtype=int)),
    }
    tree = xr.DataTree.from_dict(
        {"posterior": xr.Dataset(drawn, coords=coords), "constant_data": xr.Dataset(rows)}
    )
    data_hash = load_photometry("table5", MIRI, "test").data_hash
    tree.attrs |= {"photometry_sha256": data_hash, "simulated": simulated}
    return tree


def make_folder(folder: Path, **changes) -> Path:
    folder.mkdir(parents=True)
    write_posterior(posterior(**changes), folder / "posterior.nc")
    (folder / "job.toml").write_text(JOB)
    (folder / "diagnostics.json").write_text('{"believable": true}')
    write_manifest(folder, {})
    return folder


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """Return a run's folder in the bands of Table 5."""
    return make_folder(tmp_path / "made")


def test_a_run_against_published_writes_tables_and_figures(run, tmp_path, capsys):
    out = tmp_path / "out"
    assert main(["compare", str(run), "--mjd", "59760", "--out", str(out)]) == 0
    assert {p.name for p in out.iterdir()} == {
        *(f"{name}.ecsv" for name in TABLES),
        *("comparison.png", "differences.png", "comparison.html"),
    }
    found = {name: Table.read(out / f"{name}.ecsv", format="ascii.ecsv") for name in TABLES}
    assert len(found["factors"]) == len(IMAGING_BANDS)
    assert len(found["coefficients"]) == 5 * len(IMAGING_BANDS)
    assert found["coefficients"].meta["ours"] == "made"
    np.testing.assert_allclose(found["subarrays"]["diff_pct"], 0, atol=1e-9)
    assert list(np.ma.getmaskarray(found["subarrays"]["diff_sigma"])) == [True] + [False] * 4
    printed = capsys.readouterr().out
    page = (out / "comparison.html").read_text(encoding="utf-8")
    for sentence in (printed.splitlines()[0], "Only published has FND, F1065C, F1140C, F1550C"):
        assert sentence in page
    assert "coefficients of made against published" in printed and "SIMULATED" not in printed
    assert "Only published has FND, F1065C, F1140C, F1550C, F2300C." in printed


def test_a_run_against_the_staged_fits_to_its_own_rows(run):
    ours, theirs = open_pair(str(run), "staged")
    assert (ours.name, theirs.name) == ("made", "staged")
    table = compare_stated(ours, theirs)
    assert set(table["filter"]) == set(IMAGING_BANDS)
    is_a = np.asarray(table["quantity"]) == "A"
    stated = np.isfinite(floats(table["theirs_std"]))
    assert stated[is_a].all() and not stated[np.asarray(table["quantity"]) == "tau"].any()
    np.testing.assert_allclose(floats(table["theirs"])[is_a], floats(theirs.coefficients["A"]))


def test_rows_that_changed_since_the_run_are_refused(run, capsys):
    tree = posterior()
    tree.attrs["photometry_sha256"] = "other"
    write_posterior(tree, run / "posterior.nc")
    write_manifest(run, {})
    assert main(["compare", str(run), "--with", "staged"]) == 2
    assert "table5 has changed since the run, whose rows were others" in capsys.readouterr().err


REFUSED = {
    "published --with staged": "compare: 'published' has no rows for the staged fits; give",
    "made --with nothing": "run 'nothing' does not exist; give a run's folder",
    "made --out made": "made: is a run's folder, whose tables would be overwritten; choose",
    "made --out file": "file: is a file; --out needs a folder, or a file named *.ecsv.",
    "bare --with staged": "bare: no manifest.json there, as earlier miricals wrote it",
    "made --with masked": "made and masked have no band in common, so there is nothing to",
}


@pytest.mark.parametrize("command", REFUSED)
def test_what_cannot_be_compared_is_refused(command, run, monkeypatch, capsys):
    monkeypatch.chdir(run.parent)
    Path("file").touch()
    Path("bare").mkdir()
    shutil.copy(run / "posterior.nc", "bare")
    make_folder(Path("masked"), bands=("F1065C",))
    assert main(["compare", *command.split()]) == 2
    assert capsys.readouterr().err.startswith(f"mirical: {REFUSED[command]}")


def test_two_runs_of_one_name_are_told_apart_by_what_was_typed(run, tmp_path, monkeypatch):
    make_folder(tmp_path / "again" / "made", scale=1.01)
    monkeypatch.chdir(tmp_path)
    ours, theirs = open_pair("made", "again/made")
    assert (ours.name, theirs.name) == ("made", "again/made")
    table = compare_stated(ours, theirs)
    np.testing.assert_allclose(
        floats(table["diff_pct"])[np.asarray(table["quantity"]) == "A"], 100 * (1 / 1.01 - 1)
    )


def test_simulated_rows_are_called_so_in_print_and_on_every_figure(tmp_path, capsys):
    folder = make_folder(tmp_path / "made", simulated=1)
    assert main(["compare", str(folder)]) == 0
    assert capsys.readouterr().out.count("SIMULATED DATA") == 2
    comparison = compare(*open_pair(str(folder), "published"), None)
    at_reference = reference_differences(comparison.coefficients)
    for figure in (
        curve_differences(comparison.curves, MIRI, comparison.simulated),
        reference_figure(at_reference, comparison.simulated),
    ):
        assert figure.get_suptitle() == "simulated data"
    assert all(getattr(comparison, name).meta["simulated"] for name in TABLES)


def test_each_panel_draws_the_curve_of_its_band_in_full(run):
    curves = compare(*open_pair(str(run), "published"), None).curves
    figure = curve_differences(curves, MIRI, False)
    assert [axes.get_title(loc="left") for axes in figure.axes] == list(IMAGING_BANDS)
    for axes, band in zip(figure.axes, IMAGING_BANDS, strict=True):
        mine = curves[(curves["filter"] == band) & (curves["subarray"] == "FULL")]
        (line,) = [line for line in axes.get_lines() if line.get_color() == OURS]
        np.testing.assert_allclose(line.get_xydata()[:, 0], mine["mjd"].value)
        np.testing.assert_allclose(line.get_xydata()[:, 1], mine["diff_pct"].value)
        within = mine["mjd"][mine["within_data"]].value
        assert (within.min(), within.max()) == (T0_MJD + 10, T0_MJD + 100)


def test_the_figure_at_the_reference_epoch_draws_percent_and_sigma(run):
    table = reference_differences(compare_stated(*open_pair(str(run), "published")))
    percent, sigma = reference_figure(table, False).axes
    points = [line for line in percent.get_lines() if line.get_marker() == "o"]
    drawn = [point.get_ydata()[0] for point in points]
    np.testing.assert_allclose(drawn, floats(table["diff_pct"]), atol=1e-12)
    (dots,) = [line for line in sigma.get_lines() if line.get_marker() == "o"]
    np.testing.assert_allclose(dots.get_ydata(), floats(table["diff_sigma"]))
