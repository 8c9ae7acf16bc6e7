"""A camera of one's own, from a new card to calibrated fluxes, as docs/instruments.md tells it."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from astropy import units as u
from astropy.table import QTable, Table

from mirical.cli import main
from mirical.instruments.skeleton import skeleton_text

FEW = ["--chains", "2", "--warmup", "100", "--draws", "100"]
MODEL = """
title = "mycam: readouts known to two percent"
base = "imager"

[term.subarray.prior.subarray_scale]
distribution = "half-normal"
scale = 0.02
unit = "1"
reason = "a test"
"""
JOB = 'instrument = "mycam"\nphotometry = "simulated/photometry.ecsv"\nmodel = "mycam-model.toml"\n'
POINT = ["--filter", "g", "r", "--subarray", "SUB", "--mjd", "60100"]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a run of a new card's simulated rows, moved after it was made."""
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(home)
        assert main(["instrument", "new", "mycam"]) == 0
        assert main(["instrument", "check", "mycam"]) == 0
        assert main(["simulate", "--instrument", "mycam", "--seed", "1", "--out", "simulated"]) == 0
        Path("mycam-model.toml").write_text(MODEL, encoding="utf-8")
        Path("job.toml").write_text(JOB, encoding="utf-8")
        assert main(["run", "job.toml", *FEW]) in (0, 1)
    (home / "elsewhere").mkdir()
    shutil.move(home / "reports" / "job", home / "elsewhere" / "moved")
    shutil.rmtree(home / "mycam")
    return home


@pytest.fixture
def run(home: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return the run as commands in the home folder name it."""
    monkeypatch.chdir(home)
    return str(Path("elsewhere", "moved"))


def test_the_run_has_the_truth_within_its_errors(run: str):
    """Within 4 sigma, which an error-free run misses once in some 2000 tests."""
    truth = Table.read("simulated/truth.ecsv", format="ascii.ecsv")
    of = {(str(row["quantity"]), str(row["filter"] or row["subarray"])): row for row in truth}
    found = QTable.read(Path(run, "coefficients.ecsv"), format="ascii.ecsv")
    assert found["C_ref"].unit == u.uJy * u.s / u.electron
    for row in found:  # C at t0 is A + B
        true = sum(float(of[name, str(row["filter"])]["value"]) for name in ("A", "B"))
        assert abs(row["C_ref"].value - true) < 4 * row["C_ref_std"].value
        assert row["C_ref_std"].value < 0.05 * true
    (d,) = [row for row in Table.read(Path(run, "subarrays.ecsv"), format="ascii.ecsv")
            if row["subarray"] == "SUB"]  # fmt: skip
    assert abs(d["D"] - float(of["D", "SUB"]["value"])) < 4 * d["D_std"] < 0.08


def test_a_run_that_was_moved_answers(run: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    out = str(tmp_path / "c.ecsv")
    assert main(["factors", run, *POINT, "--out", out]) in (0, 1)
    table = QTable.read(out, format="ascii.ecsv")
    assert table["c_mean"].unit == u.uJy * u.s / u.electron and table.meta["simulated"]
    assert main(["error", run, *POINT]) in (0, 1)
    assert main(["compare", run, "--with", run]) in (0, 1)
    said = capsys.readouterr()
    assert "uJy/(electron/s)" in said.out and "MIRI" not in said.out + said.err


def test_a_table_is_calibrated_by_the_factors(run: str, tmp_path: Path):
    rates = QTable({"filter": ["g", "r"], "subarray": ["FULL", "SUB"]})
    rates["mjd"] = [60100.0, 60200.0] * u.d
    rates["iflux"] = [2e4, 3e4] * u.electron / u.s
    rates["ifluxunc"] = [20.0, 30.0] * u.electron / u.s
    rates.write(tmp_path / "rates.ecsv")
    out = tmp_path / "fluxes.ecsv"
    assert main(["apply", run, str(tmp_path / "rates.ecsv"), "--out", str(out)]) in (0, 1)
    grid = str(tmp_path / "c.ecsv")
    assert main(["factors", run, "--at", str(tmp_path / "rates.ecsv"), "--out", grid]) in (0, 1)
    fluxes, factors = (QTable.read(path, format="ascii.ecsv") for path in (out, grid))
    expected = (rates["iflux"] * factors["c_mean"]).to_value(u.mJy)
    np.testing.assert_allclose(fluxes["flux_calibrated"].to_value(u.mJy), expected, rtol=1e-9)
    by_zero_point = 3631e3 * rates["iflux"].value * 10 ** (-0.4 * fluxes["zero_point"].value)
    np.testing.assert_allclose(by_zero_point, expected, rtol=1e-9)  # mJy, AB


def test_the_difference_from_zero_points_of_others_is_audited(
    run: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    theirs = QTable({"filter": ["g", "r"], "zeropoint": [24.0, 23.5] * u.mag})
    theirs["zeropoint_std"] = 0.01 * u.mag
    theirs["ab_SIM standard 1"] = [16.0, 16.5] * u.mag
    theirs.write(tmp_path / "zero.ecsv")
    asked = ["--with", str(tmp_path / "zero.ecsv"), "--out", str(tmp_path / "compared")]
    assert main(["compare", run, *asked]) in (0, 1)
    assert "mmag from the table's zero point" in capsys.readouterr().out
    audit = QTable.read(tmp_path / "compared" / "audit.ecsv", format="ascii.ecsv")
    found = QTable.read(Path(run, "coefficients.ecsv"), format="ascii.ecsv")
    expected = found["zero_point"] - [24.0, 23.5] * u.mag
    # The audit takes the mean of ln C, the table ln of its mean.
    np.testing.assert_allclose(audit["total"].value, expected.value, atol=1e-3)


def test_what_only_a_pipeline_has_is_refused_and_tables_are_written(
    run: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    assert main(["export", run, "--to", "jwst-photom", str(tmp_path / "photom.fits")]) == 2
    assert "not for mycam, whose card lacks [pipeline]" in capsys.readouterr().err
    image = tmp_path / "image.fits"
    image.write_bytes(b"SIMPLE  =                    T")
    assert main(["apply", run, str(image), "--out", str(tmp_path / "made.fits")]) == 2
    assert "apply to an image: not for mycam" in capsys.readouterr().err
    assert main(["compare", run, "--with", "published"]) == 2
    assert "states no published coefficients" in capsys.readouterr().err
    assert main(["export", run, "--to", "latex", str(tmp_path / "table.tex")]) in (0, 1)
    text = (tmp_path / "table.tex").read_text()
    assert "uJy/(electron/s)" in text and "instrument: mycam" in text
    assert {path.name for path in tmp_path.iterdir()} == {"image.fits", "table.tex"}


def test_the_report_is_of_this_camera_alone(run: str):
    page = Path(run, "report.html").read_text(encoding="utf-8")
    words = re.sub(r"base64,[^\"]*", "", page[page.index("<body") :])
    words = re.sub(r"<script>.*?</script>", "", words, flags=re.DOTALL)  # code, the same for all
    assert "mycam imaging" in words and "uJy/(electron/s)" in words
    assert not any(word in words for word in ("MIRI", "JWST", "F770W", "ublished", "FND"))


def test_any_cameras_rows_need_no_job(home: Path, capsys: pytest.CaptureFixture[str]):
    """The job `imager` is taken with --instrument; it says what it lacks."""
    (home / "again").mkdir(exist_ok=True)
    (home / "again" / "instrument.toml").write_text(skeleton_text("mycam"), encoding="utf-8")
    assert main(["run", "--instrument", str(home / "again")]) == 2
    assert "job imager: names no photometry table" in capsys.readouterr().err
    rows = ["--photometry", str(home / "simulated" / "photometry.ecsv")]
    command = ["run", "--instrument", str(home / "again"), *rows, "--model", "hierarchical"]
    assert main(command) == 2
    assert "base the card on 'imager', which fits any instrument" in capsys.readouterr().err
