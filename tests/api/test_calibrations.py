"""Calibrations from Python: answers in the same names and numbers as the command line's."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from astropy import units as u
from astropy.table import QTable

import mirical as ml
from drawn import drawn_calibration, write_drawn
from mirical.api.calibrations import Calibration
from mirical.cli import main

POINTS = ["F560W", "F2550W"], "FULL", [60000.0, 60500.0]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "drawn"
    write_drawn(folder, absolute=("flux_scale", "types"))
    return folder


def fluxes() -> QTable:
    table = QTable({"filter": ["F560W", "F2550W"], "subarray": ["FULL", "FULL"]})
    table["mjd"] = [60000.0, 60500.0] * u.d
    table["iflux"] = [4000.0, 300.0] * u.Unit("DN/s")
    table["ifluxunc"] = [4.0, 3.0] * u.Unit("DN/s")
    return table


def test_factors_and_their_table_are_those_of_the_command_line(run: Path, tmp_path: Path):
    answer = ml.open(run).calibration.factor(*POINTS)
    out = tmp_path / "c.ecsv"
    points = ["--filter", *POINTS[0], "--mjd", *map(str, POINTS[2])]
    assert main(["factors", str(run), *points, "--out", str(out)]) == 0
    table = QTable.read(out, format="ascii.ecsv")
    for name in ("mean", "std", "relative_std", "q16", "q84"):
        np.testing.assert_array_equal(table[f"c_{name}"].value, getattr(answer, name))
    assert table["c_mean"].unit == answer.unit == ml.open(run).calibration.unit
    np.testing.assert_allclose(np.sqrt(np.diag(answer.covariance)), answer.std, rtol=0.2)


def test_errors_are_those_of_the_command_line(run: Path, tmp_path: Path):
    found = ml.open(run).calibration.error(*POINTS, source="extended", visits=2)
    out = tmp_path / "e.ecsv"
    points = ["--filter", *POINTS[0], "--mjd", *map(str, POINTS[2])]
    asked = ["error", str(run), *points, "--source", "extended", "--visits", "2"]
    assert main([*asked, "--out", str(out)]) == 0
    table = QTable.read(out, format="ascii.ecsv")
    np.testing.assert_allclose(table["absolute_pct"].value, 100 * found.std, atol=1e-4)
    assert "SIMULATED rows" in found.sentence()
    with pytest.raises(ml.InputError, match="source is 'galaxy'; expected 'point' or 'extended'"):
        ml.open(run).calibration.error(*POINTS, source="galaxy")


def test_a_table_in_memory_is_calibrated_as_its_file(run: Path, tmp_path: Path):
    path, calibration = tmp_path / "mine.ecsv", ml.open(run).calibration
    fluxes().write(path, format="ascii.ecsv")
    of_file, of_memory = calibration.apply(path), calibration.apply(fluxes())
    np.testing.assert_array_equal(of_file.covariance, of_memory.covariance)
    np.testing.assert_array_equal(of_file.mean, of_memory.table["flux_calibrated"].value)
    assert of_memory.unit == of_memory.table["flux_calibrated"].unit
    np.testing.assert_allclose(of_memory.std**2, np.diag(of_memory.covariance), rtol=1e-12)
    assert main(["apply", str(run), str(path), "--out", str(tmp_path / "made.ecsv")]) == 0
    back = ml.read_covariance(tmp_path / "made.cov.fits")
    np.testing.assert_allclose(back.covariance, of_memory.covariance, rtol=1e-12)
    np.testing.assert_array_equal(back.mean, of_memory.mean)


def test_a_photmjsr_less_table_takes_the_factor_of_another_calibration(run: Path):
    table = fluxes()
    table["flux"] = [1.0, 1.0] * u.mJy
    table.remove_columns(["iflux", "ifluxunc"])
    ours, theirs = ml.open(run).calibration, ml.published()
    for before in (theirs, "published"):
        made = ours.apply(table, before=before)
        ratio = ours.factor(*POINTS).mean / theirs.factor(*POINTS).mean
        np.testing.assert_allclose(made.mean, ratio, rtol=1e-12)


def test_parts_can_be_left_out_and_draws_taken(run: Path):
    whole = ml.open(run).calibration
    left = whole.leaving_out("flux_scale")
    answer = whole.factor(*POINTS)
    assert np.all(left.factor(*POINTS).std < answer.std)
    assert whole.draws(answer.query, 7).shape == (7, 2)
    assert whole.basis(answer.query) == ["not judged", "not judged"]
    late = whole.factor("F560W", None, 60900.0).query
    assert "MJD 60900" in " ".join(whole.cautions(late))
    with pytest.raises(ml.InputError, match="'typos' cannot be left out; did you mean 'types'"):
        whole.leaving_out(["typos"])


def test_the_published_calibration_has_numbers_and_no_figures():
    calibration = ml.published()
    assert calibration.factor("F770W", None, 59760.0).mean[0] == pytest.approx(0.2583, abs=1e-3)
    assert "A" in calibration.coefficients.colnames and calibration.name == "published"
    with pytest.raises(ml.InputError, match="figures show the rows of a run"):
        calibration.plot.curves()
    with pytest.raises(ml.InputError, match="has no stars of its own"):
        calibration.stars()


def test_a_calibration_tells_a_notebook_what_it_is(run: Path):
    html = ml.open_calibration(run)._repr_html_()
    assert html.startswith("<p><b>SIMULATED Calibration drawn</b></p>")
    assert "SIMULATED calibration factors" in html and "F2550W" in html
    doubtful = Calibration(drawn_calibration().__class__(
        drawn_calibration().run_draws, drawn_calibration().instrument, "<x>", False, ("<doubt>",)
    ))  # fmt: skip
    assert "&lt;doubt&gt;" in doubtful._repr_html_() and "<doubt>" not in doubtful._repr_html_()


def test_plots_are_the_figures_of_the_report(fitted: ml.Run, stored: ml.Run):
    for calibration in (fitted.calibration, stored.calibration):
        figure = calibration.plot.curves(["F770W"])
        titles = [axes.get_title(loc="left") for axes in figure.axes]
        assert titles == ["F770W"]
        assert len(calibration.plot.predictive().axes) == 2
        differences = calibration.plot.differences().axes[0]
        assert [label.get_text() for label in differences.get_xticklabels()] == ["F770W", "F1130W"]
    with pytest.raises(ml.InputError, match="curves: the run has no rows in band 'F560W'"):
        stored.calibration.plot.curves("F560W")


def test_simulated_figures_say_so(stored: ml.Run):
    from mirical.api.plots import Plots

    plots = Plots(stored.tables, stored.calibration.instrument, True)
    for name in ("curves", "differences", "predictive", "tails", "stars", "subarrays"):
        assert getattr(plots, name)()._suptitle.get_text() == "simulated data", name
