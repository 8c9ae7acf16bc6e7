"""The main job from the command line to its folder: the paper's real rows, fitted once."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from astropy.table import Table

from miri_facts import IMAGING_BANDS, REFERENCE_MJD
from mirical.cli import main
from mirical.storage.shipped import data_file

TABLES = ("coefficients", "subarrays", "stars", "rows", "comparison", "curves", "predictive")


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Path:
    """Return the folder of the default job, run in full."""
    folder = tmp_path_factory.mktemp("run") / "table5"
    assert main(["run", "--target-ess", "1000", "--out", str(folder)]) == 0
    return folder


def table(folder: Path, name: str) -> Table:
    return Table.read(folder / f"{name}.ecsv", format="ascii.ecsv")


def test_every_row_reaches_the_table_with_its_fate(run):
    rows = table(run, "rows")
    assert len(rows) == 31
    flagged = rows[rows["fate"] == "flagged"]
    assert [(r["name"], r["filter"], r["flag"]) for r in flagged] == [
        ("G 191-B2B", "F1000W", "inconsistent")
    ]
    assert flagged["outlier_probability"].mask.all() and flagged["log_factor"].mask.all()


def test_every_row_carries_its_log_factor_and_aperture_correction_with_errors(run):
    row = table(run, "rows")[0]
    assert row["filter"] == "F1130W"
    assert row["log_factor"] == pytest.approx(np.log(row["factor"]))
    assert row["log_factor_unc"] == pytest.approx(1070 / 879000)
    assert row["aperture_correction"] == pytest.approx(1.4618, abs=5e-5)
    # Eq. (2) with Table 4's 4.92 +/- 0.26, 7.06 +/- 0.29, 11.22 +/- 1.40, errors by hand:
    # annulus term 0.05 r_a^2 / (r_b2^2 - r_b1^2) = 0.015916, relative error 0.4298.
    assert row["aperture_correction_unc"] == pytest.approx(1.4618**2 * 0.015916 * 0.4298, rel=2e-4)


def test_the_faint_row_is_fitted_and_recognised_as_deviant(run):
    rows = table(run, "rows")
    probability = rows["outlier_probability"].filled(0.0)
    assert [(r["filter"], r["time"]) for r in rows[probability > 0.95]] == [("F560W", 59724.4)]
    assert np.all(probability[(probability <= 0.95)] < 0.5)


def test_the_factors_agree_with_the_published_ones_within_their_errors(run):
    compared = table(run, "comparison")
    factors = compared[compared["quantity"] == "C_ref"]
    assert tuple(factors["filter"]) == IMAGING_BANDS
    assert np.all(np.abs(factors["diff_pct"]) < 7)
    assert np.all(np.abs(factors["diff_sigma"]) < 3.5)
    # Of the middle 68 %: a band that one star was seen in has Student's tails, and the standard
    # deviation of 4000 draws then rests on one or two of them.
    curves = table(run, "curves")
    curves = curves[curves["within_data"] == True]  # noqa: E712 (a column)
    percent = 50 * (curves["c_q84"] - curves["c_q16"]) / curves["c_q50"]
    assert len(curves) > 0
    assert np.all((percent > 0.3) & (percent < 8))


def test_what_the_rows_cannot_tell_is_not_called_data(run):
    coefficients, subarrays = table(run, "coefficients"), table(run, "subarrays")
    dark = coefficients[coefficients["n_stars"] == 0]
    assert set(dark["filter"]) == {"F1065C", "F1140C", "F1550C", "F2300C", "FND"}
    for name in ("A", "B", "tau", "C_ref", "repeatability_pct"):
        assert dark[name].mask.all(), name
    assert set(coefficients["tau_basis"]) == {"prior", "no data"}
    single = coefficients[np.isin(coefficients["filter"], ["F1800W", "F2100W", "F2550W"])]
    assert set(single["B_basis"]) == {"borrowed"}
    assert set(single["C_ref_basis"]) == {"partly prior"}
    unseen = subarrays[subarrays["n_rows"] == 0]
    assert set(unseen["basis"]) == {"prior"}


def test_the_chains_may_be_believed(run):
    verdict = json.loads((run / "diagnostics.json").read_text())
    assert verdict["believable"] and verdict["divergences"] == 0
    assert verdict["worst_rhat"] <= 1.01
    assert min(verdict["min_ess_bulk"], verdict["min_ess_tail"]) >= 400


def test_the_posterior_has_the_groups_and_dims_of_the_contract(run):
    with xr.open_datatree(run / "posterior.nc", engine="h5netcdf") as tree:
        groups = "posterior posterior_predictive log_likelihood sample_stats observed_data"
        groups += " log_likelihood_given_offsets"
        assert set(groups.split()) | {"prior", "constant_data"} == set(tree.children)
        posterior = tree["posterior"]
        assert posterior["A"].dims == ("chain", "draw", "band")
        assert posterior["star_band_offset"].dims == ("chain", "draw", "star", "band")
        assert posterior["D"].sel(subarray="FULL").values == pytest.approx(1.0)
        assert tree["log_likelihood"]["log_factor"].dims == ("chain", "draw", "row")
        assert tree.attrs["seed"] == 59720


def test_factors_of_the_run_carry_the_covariance_of_common_stars(run, tmp_path, capsys):
    grid = Table({"filter": ["F560W", "F770W"], "subarray": ["FULL"] * 2, "mjd": [59760.0] * 2})
    grid.write(tmp_path / "grid.ecsv")
    arguments = ["factors", str(run), "--at", str(tmp_path / "grid.ecsv")]
    out, covariance = tmp_path / "c.ecsv", tmp_path / "c.npy"
    assert main([*arguments, "--out", str(out), "--covariance", str(covariance)]) == 0
    answer, matrix = Table.read(out), np.load(covariance)
    assert answer["c_std"] == pytest.approx(np.sqrt(np.diag(matrix)))
    assert matrix[0, 1] / np.sqrt(matrix[0, 0] * matrix[1, 1]) > 0.5
    coefficients = table(run, "coefficients")
    reference = coefficients["C_ref"][coefficients["filter"] == "F560W"][0]
    assert REFERENCE_MJD == 59760 and answer["c_mean"][0] == pytest.approx(reference, rel=1e-12)


def test_compare_prints_both_calibrations(run, capsys):
    assert main(["compare", str(run), "--with", "published", "--mjd", "59760"]) == 0
    printed = capsys.readouterr().out
    assert "published" in printed and all(band in printed for band in IMAGING_BANDS)


@pytest.mark.slow
def test_removing_the_deviant_row_hardly_moves_the_factor(run, tmp_path):
    rows = Table.read(data_file("table5"), format="ascii.ecsv")
    keep = ~((rows["filter"] == "F560W") & (rows["time"] == 59724.4))
    rows[keep].write(tmp_path / "without.ecsv", format="ascii.ecsv")
    out = tmp_path / "out"
    command = ["run", "--photometry", str(tmp_path / "without.ecsv"), "--draws", "1000"]
    assert main([*command, "--out", str(out)]) in (0, 1)  # enough for a third of an error
    one, two = (table(folder, "coefficients")[0] for folder in (run, out))
    assert one["filter"] == two["filter"] == "F560W"
    assert abs(one["C_ref"] - two["C_ref"]) < 0.3 * two["C_ref_std"]


def test_the_same_seed_gives_the_same_bytes_and_the_run_can_be_run_again(short_run, tmp_path):
    first, second = short_run, tmp_path / "second"
    assert main(["run", str(first / "job.toml"), "--out", str(second)]) in (0, 1)
    for name in TABLES:
        one = (first / f"{name}.ecsv").read_bytes()
        # The second job is called after its file; nothing else may differ.
        again = (second / f"{name}.ecsv").read_bytes().replace(b"job: job", b"job: table5")
        assert one == again, name
