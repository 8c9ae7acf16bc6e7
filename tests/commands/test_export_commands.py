"""`mirical factors`, `error`, `apply` and `export`, as typed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from astropy import units as u
from astropy.table import QTable, Table
from jwst.source_catalog.reference_data import ReferenceData
from stdatamodels.jwst import datamodels

from drawn import drawn_calibration, write_drawn
from miri_facts import MIRI
from mirical.calibration.factors import Query
from mirical.cli import main
from mirical.exports.apcorr_file import USE
from mirical.exports.covariance_file import read_covariance
from mirical.exports.photom_file import read_photom
from mirical.inference.quoted_errors import covariance
from mirical.tables.apertures import published_apertures
from mirical.tables.formats import write_ecsv


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a run's folder, its posterior made by hand."""
    folder = tmp_path_factory.mktemp("runs") / "drawn"
    write_drawn(folder)
    return folder


def test_factors_gives_covariance_and_draws_of_any_points(run: Path, tmp_path: Path):
    files = {name: tmp_path / name for name in ("c.ecsv", "c.fits", "c.npy", "d.npy")}
    asked = ["--filter", "F770W", "F2550W", "--subarray", "SUB64", "SUB128_IP", "--mjd", "60000.5"]
    command = ["factors", str(run), *asked, "--out", str(files["c.ecsv"])]
    command += ["--draws", str(files["d.npy"])]
    assert main([*command, "--covariance", str(files["c.fits"])]) == 0
    assert main([*command, "--covariance", str(files["c.npy"]), "--overwrite"]) == 0
    query = Query.of(MIRI, ["F770W", "F2550W"], ["SUB64", "SUB128_IP"], 60000.5)
    answer = drawn_calibration().at(query)
    table, draws = Table.read(files["c.ecsv"]), np.load(files["d.npy"])
    np.testing.assert_allclose(table["c_mean"], answer.mean, rtol=1e-12)
    np.testing.assert_allclose(np.load(files["c.npy"]), answer.covariance, rtol=1e-12)
    np.testing.assert_allclose(read_covariance(files["c.fits"]).covariance, answer.covariance)
    np.testing.assert_allclose(covariance(draws), answer.covariance, rtol=1e-10)


def test_flux_scale_and_types_are_left_out_by_name(tmp_path: Path):
    folder = tmp_path / "absolute"
    write_drawn(folder, absolute=("flux_scale", "types"))
    calibration = drawn_calibration(absolute=("flux_scale", "types"))
    asked = ["--filter", "F770W", "F2550W", "--mjd", "60000.5"]
    answer = calibration.at(Query.of(MIRI, ["F770W", "F2550W"], "FULL", 60000.5))
    table, matrix, draws = (tmp_path / name for name in ("c.ecsv", "c.fits", "d.npy"))
    command = ["factors", str(folder), *asked, "--out", str(table), "--covariance", str(matrix)]
    command += ["--draws", str(draws)]
    assert main(command) == 0
    back = Table.read(table)
    np.testing.assert_allclose(back["c_std"], answer.std, rtol=1e-12)
    np.testing.assert_allclose(back["c_relative_std"], answer.relative_std, rtol=1e-12)
    assert back.meta["errors"].startswith("errors are absolute") and "without" not in back.meta
    found = read_covariance(matrix)
    assert set(found.parts) == {"flux_scale", "types", "relative"}
    np.testing.assert_allclose(found.relative.std, answer.relative_std, rtol=1e-12)
    assert main([*command, "--without", "flux_scale,types", "--overwrite"]) == 0
    back = Table.read(table)
    np.testing.assert_allclose(back["c_std"], answer.relative_std, rtol=1e-12)
    assert back.meta["without"] == ["flux_scale", "types"]
    assert read_covariance(matrix).parts == {}
    assert '"without": [' in draws.with_name("d.npy.json").read_text()
    table.unlink()
    assert main(["error", str(folder), *asked, "--out", str(table), "--without", "flux_scale"]) == 0
    back = QTable.read(table)
    assert np.all(back["flux_scale_pct"] == 0) and np.all(back["types_pct"] > 0)
    command = ["export", str(folder), "--to", "covariance", str(matrix), "--without", "types"]
    assert main([*command, "--overwrite"]) == 0
    assert set(read_covariance(matrix).parts) == {"flux_scale", "relative"}


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("factors RUN --filter F770W --mjd 6e4 --without colour", "--without: 'colour' cannot be"),
        ("error RUN --filter F770W --mjd 6e4 --without ,", "--without: ',' cannot be left out;"),
        ("export RUN --to latex t.tex --without types", "export: --without is for --to covariance"),
    ],
)
def test_what_cannot_be_left_out_is_told(
    command: str, said: str, run: Path, capsys: pytest.CaptureFixture[str]
):
    assert main(command.replace("RUN", str(run)).split()) == 2
    assert said in capsys.readouterr().err


def test_lists_of_points_must_fit_together(run: Path, capsys: pytest.CaptureFixture[str]):
    asked = ["--filter", "F770W", "F2550W", "--mjd", "60000", "60001", "60002"]
    assert main(["factors", str(run), *asked]) == 2
    assert "factors: --filter has 2 entries and another option 3" in capsys.readouterr().err


def test_error_prints_and_writes_the_parts(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    table, matrix = tmp_path / "e.ecsv", tmp_path / "e.fits"
    asked = ["--filter", "F770W", "F2550W", "--mjd", "60000.5", "--source", "extended"]
    written = ["--visits", "3", "--out", str(table), "--covariance", str(matrix)]
    assert main(["error", str(run), *asked, *written]) == 0
    said = capsys.readouterr()
    assert "The flux calibration contributes a relative error (1 sigma) of" in said.out
    assert "SIMULATED" in said.out and "F2550W was not measured" in said.err
    back, parts = QTable.read(table), read_covariance(matrix)
    assert set(parts.parts) == {
        name.removesuffix("_pct") for name in back.colnames if name.endswith("_pct")
    } - {"relative", "absolute"}
    np.testing.assert_allclose(back["absolute_pct"].value, 100 * parts.std, atol=1e-4)


def test_error_knows_of_several_objects(run: Path, tmp_path: Path):
    grid = Table({"filter": ["F770W"] * 3, "subarray": ["FULL"] * 3, "mjd": [60000.0] * 3})
    grid["name"] = ["a", "a", "b"]
    write_ecsv(grid, tmp_path / "grid.ecsv")
    matrix = tmp_path / "e.fits"
    command = ["error", str(run), "--at", str(tmp_path / "grid.ecsv"), "--covariance", str(matrix)]
    assert main(command) == 0
    back = read_covariance(matrix)
    visit = back.parts["repeatability"]
    assert back.objects == ("a", "a", "b") and visit[0, 1] > 0 and visit[0, 2] == 0


def test_apply_calibrates_a_table_and_does_not_overwrite(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    rows = Table(
        {"filter": ["F770W", "F560W"], "subarray": ["FULL"] * 2, "mjd": [60000.0, 60000.1]}
    )
    rows["iflux"], rows["ifluxunc"] = [1000.0, 900.0] * u.DN / u.s, [5.0, 5.0] * u.DN / u.s
    source, out = tmp_path / "rows.ecsv", tmp_path / "fluxes.ecsv"
    write_ecsv(rows, source)
    command = ["apply", str(run), str(source), "--out", str(out), "--draws", "50", "--seed", "4"]
    assert main(command) == 0
    beside = read_covariance(tmp_path / "fluxes.cov.fits")
    np.testing.assert_allclose(Table.read(out)["flux_calibrated"], beside.mean, rtol=1e-12)
    assert beside.draws is not None and beside.draws.shape == (50, 2)
    before = out.read_bytes()
    assert main(command) == 2 and out.read_bytes() == before
    assert "exists; choose another path, or --overwrite" in capsys.readouterr().err
    assert main([*command, "--overwrite"]) == 0 and out.read_bytes() == before
    assert main(["apply", str(run), str(out), "--out", str(tmp_path / "twice.ecsv")]) == 2
    assert "was calibrated here before" in capsys.readouterr().err
    assert not (tmp_path / "twice.ecsv").exists()


def test_apply_calibrates_an_image_once(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    rate, out = tmp_path / "x_rate.fits", tmp_path / "x_cal.fits"
    image = datamodels.ImageModel(data=np.ones((4, 4), np.float32), err=np.ones((4, 4), np.float32))
    image.meta.instrument.name, image.meta.instrument.detector = "MIRI", "MIRIMAGE"
    image.meta.instrument.filter, image.meta.subarray.name = "F770W", "SUB64"
    image.meta.exposure.type, image.meta.exposure.mid_time = "MIR_IMAGE", 60000.5
    image.meta.bunit_data = image.meta.bunit_err = "DN/s"
    with image:
        image.save(str(rate))
    assert main(["apply", str(run), str(rate), "--out", str(out)]) == 0
    factor = drawn_calibration().at(Query.of(MIRI, "F770W", "SUB64", 60000.5)).mean[0]
    with datamodels.open(out) as made:
        assert made.meta.bunit_data == "MJy/sr" and made.meta.cal_step.photom == "COMPLETE"
        np.testing.assert_allclose(made.data, factor, rtol=1e-6)
    assert "flat field" in capsys.readouterr().err
    assert main(["apply", str(run), str(out), "--out", str(tmp_path / "y_cal.fits")]) == 2
    assert "is calibrated already" in capsys.readouterr().err
    assert main(["apply", str(run), str(rate), "--out", str(out), "--draws", "5"]) == 2
    assert main(["apply", str(run), str(tmp_path / "z"), "--out", str(out)]) == 2


def test_export_writes_a_file_the_pipeline_applies(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    path = tmp_path / "photom.fits"
    # Of five bands alone: preflight says so, and that such a file must not be used.
    assert main(["export", str(run), "--to", "jwst-photom", str(path)]) == 1
    said = capsys.readouterr().out
    assert "missing-band" in said and "this file must not be used" in said
    assert "SIMULATED" in said and "of its standard deviation at most" in " ".join(said.split())
    assert "by the installed pipeline's photom step" in said
    answer = drawn_calibration().at(Query.of(MIRI, "F2550W", "SUB256", 60500.0))
    rows = read_photom(path)
    factor = rows.factors(60500.0)[rows.row_of("F2550W", "SUB256")]
    assert abs(factor - answer.mean[0]) < 0.1 * answer.std[0]


def test_export_writes_draws_as_files(run: Path, tmp_path: Path):
    folder = tmp_path / "draws"
    command = ["export", str(run), "--to", "jwst-photom-draws", str(folder), "--draws", "3"]
    assert main(command) == 0
    files = sorted(path.name for path in folder.iterdir())
    assert files == ["draw_0000.fits", "draw_0001.fits", "draw_0002.fits"]
    one, two = (read_photom(folder / name).photmjsr for name in files[:2])
    assert np.all(one != two)


@pytest.mark.parametrize(
    ("to", "name"),
    [("jwst-apcorr", "a.fits"), ("covariance", "c.fits"), ("latex", "t.tex"), ("mrt", "t.txt")],
)
def test_export_knows_other_formats(to: str, name: str, tmp_path: Path):
    path = tmp_path / name
    assert main(["export", "published", "--to", to, str(path)]) == 0
    if to == "jwst-apcorr":
        with datamodels.open(path) as model:
            assert isinstance(model, datamodels.MirImgApcorrModel)
            rows = [
                r for r in model.apcorr_table if (r["filter"], r["subarray"]) == ("F770W", "FULL")
            ]
            assert rows[0]["apcorr"] == pytest.approx(1.4422, abs=5e-5)
            assert [round(100 * r["eefraction"]) for r in rows] == [70, 80, 85]
            assert [r["radius"] for r in rows[1:]] == [rows[0]["skyin"], rows[0]["skyout"]]
            spilt = 0.05 / (rows[0]["skyout"] ** 2 - rows[0]["skyin"] ** 2)
            for r in rows:
                expected = 1 / (r["eefraction"] - spilt * r["radius"] ** 2)
                assert r["apcorr"] == pytest.approx(expected, rel=1e-6)
    elif to == "covariance":
        assert len(read_covariance(path).mean) == 14 * 9
    else:
        assert "F2550W" in path.read_text()


def test_the_pipelines_source_catalogue_takes_the_exported_corrections(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    path = tmp_path / "jwst_miri_apcorr_0001.fits"
    assert main(["export", "published", "--to", "jwst-apcorr", str(path)]) == 0
    assert USE == "--aperture_ee1=70 --aperture_ee2=80 --aperture_ee3=85"
    told = capsys.readouterr().err
    assert "source_catalog step stops at this file" in told and f"run it with {USE}" in told
    with datamodels.ImageModel((4, 4)) as model:
        model.meta.instrument.name, model.meta.instrument.detector = "MIRI", "MIRIMAGE"
        model.meta.instrument.filter, model.meta.subarray.name = "F770W", "SUB256"
        model.meta.exposure.type = "MIR_IMAGE"
        files = [str(path), "N/A"]
        found = ReferenceData(model, files, (70, 80, 85)).aperture_params
        one = published_apertures(MIRI)["F770W"]
        known = [one.correction_of(*of) for of in zip((0.7, 0.8, 0.85), one.radii, strict=True)]
        np.testing.assert_allclose(found["aperture_corrections"], known, rtol=1e-6)
        with pytest.raises(RuntimeError, match="30 appears to be invalid"):
            _ = ReferenceData(model, files, (30, 50, 70)).aperture_params


def test_export_refuses_a_name_the_formats_readers_would_not_know(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    path = tmp_path / "photom.dat"
    assert main(["export", "published", "--to", "jwst-photom", str(path)]) == 2
    assert "expected a file name that ends with .fits" in capsys.readouterr().err


def test_a_run_that_must_not_be_believed_says_so_wherever_it_goes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    folder, table = tmp_path / "short", tmp_path / "table8.tex"
    write_drawn(folder, believable=False)
    asked = ["--filter", "F770W", "--mjd", "60000"]
    assert main(["factors", str(folder), *asked]) == 1
    assert "this run must not be believed" in capsys.readouterr().err.replace("\n", " ")
    assert main(["error", str(folder), *asked]) == 1
    assert "this run must not be believed" in capsys.readouterr().err
    assert main(["export", str(folder), "--to", "latex", str(table)]) == 1 and table.exists()
    assert "this run must not be believed" in capsys.readouterr().err
    write_drawn(folder)
    table.unlink()
    assert main(["export", str(folder), "--to", "latex", str(table)]) == 0
    assert "must not be believed" not in capsys.readouterr().err
