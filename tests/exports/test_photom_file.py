"""The pipeline's photom reference file: written, read, and applied by the pipeline."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from stdatamodels.jwst import datamodels

from drawn import drawn_calibration
from miri_facts import BANDS, MIRI, NEWER_SUBARRAYS, SUBARRAYS
from mirical.calibration.calibration import Calibration
from mirical.calibration.factors import Query
from mirical.calibration.published import PublishedCalibration
from mirical.errors import InputError
from mirical.exports.photom_file import About, PhotomRows, read_photom, write_photom
from mirical.exports.pipeline_check import (
    TOLERANCE,
    applied_factors,
    check_in_pipeline,
    one_of_each,
    spread_epochs,
)
from mirical.exports.pipeline_export import about, draw_rows, mean_rows
from mirical.exports.pipeline_law import epochs, fit_kind
from mirical.laws.pipeline_throughput import relative_throughput
from mirical.laws.timelaw import LAWS

ABOUT = About("made", "SIMULATION", "2022-05-21T00:00:00", ["first line", "second line"])
ROWS = PhotomRows(
    ("F770W", "F2550W"),
    ("FULL", "SLITLESSPRISM_IPS"),
    np.array([0.25, 0.9]),
    np.array([0.001, 0.01]),
    {
        "exponential": {
            "t0": np.full(2, 59720.0),
            "amplitude": np.array([0.01, 0.22]),
            "tau": np.array([200.0, 235.4]),
            "const": np.ones(2),
        },
        "linear": {"t0": np.full(2, 59720.0), "lossperyear": np.array([0.001, 0.002])},
    },
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "photom.fits"
    write_photom(ROWS, ABOUT, path)
    return path


def test_what_was_written_is_read_as_single_precision_keeps_it(path: Path):
    back, stored = read_photom(path), ROWS.as_stored()
    assert (back.filters, back.subarrays) == (ROWS.filters, ROWS.subarrays)
    np.testing.assert_array_equal(back.photmjsr, stored.photmjsr)
    assert back.tables.keys() == stored.tables.keys()
    for name, of in stored.tables.items():
        for key, values in of.items():
            np.testing.assert_array_equal(back.tables[name][key], values)
    np.testing.assert_allclose(back.photmjsr, ROWS.photmjsr, rtol=1e-7)


def test_a_history_that_is_not_ascii_is_escaped(tmp_path: Path, path: Path):
    about = About("façade", ABOUT.pedigree, ABOUT.useafter, ["calibration réf ± 1"])
    other = tmp_path / "autre réf.fits"
    write_photom(read_photom(path), about, other)
    assert [p.name for p in tmp_path.glob("*.fits") if p != path] == [other.name]
    header = fits.getheader(other)
    assert header["FILENAME"] == r"autre r\xe9f.fits"
    assert header["DESCRIP"] == r"fa\xe7ade" and r"r\xe9f +/- 1" in str(header["HISTORY"])


def test_it_is_a_valid_reference_file_with_names_of_17_characters(path: Path):
    with datamodels.open(path, strict_validation=True) as model:
        model.validate()
        assert isinstance(model, datamodels.MirImgPhotomModel)
        assert model.timecoeff_linear["subarray"][1] == "SLITLESSPRISM_IPS"
        assert model.meta.photometry.pixelarea_steradians == 2.8606325654256e-13
    assert "first line" in str(fits.getheader(path)["HISTORY"])


@pytest.mark.parametrize("mjd", [59720.25, 59800.5, 61234.75])
def test_the_pipeline_multiplies_by_the_factor_the_rows_mean(path: Path, mjd: float):
    # epochs that single precision holds exactly: what is left is its rounding of numbers
    found = applied_factors(path, ROWS, np.array([0, 1]), np.full(2, mjd))
    np.testing.assert_allclose(found, read_photom(path).factors(mjd), rtol=3e-7)


def test_a_row_that_is_missing_is_noticed_though_the_pipeline_says_complete(path: Path):
    more = PhotomRows(("F560W",), ("FULL",), np.ones(1), np.ones(1))
    with pytest.raises(InputError, match="finds no row of F560W in FULL, and leaves the image"):
        applied_factors(path, more, np.array([0]), np.array([60000.0]))


def test_other_files_are_refused(tmp_path: Path, path: Path):
    empty, text = tmp_path / "empty.fits", tmp_path / "text.fits"
    fits.PrimaryHDU().writeto(empty)
    text.write_text("no FITS")
    with fits.open(path) as file:
        file["PHOTOM"].columns.del_col("uncertainty")
        lacking = tmp_path / "lacking.fits"
        file.writeto(lacking, checksum=True)
    with fits.open(path) as file:
        file["TIMECOEFF_LINEAR"].data = file["TIMECOEFF_LINEAR"].data[[1, 0]]
        reordered = tmp_path / "reordered.fits"
        file.writeto(reordered, checksum=True)
    short = tmp_path / "short.fits"
    short.write_bytes(path.read_bytes()[:6000])
    for wrong, sentence in {
        tmp_path / "none.fits": "no such file; expected a photom reference file",
        empty: "empty.fits: has no PHOTOM table",
        text: "text.fits: cannot be read as FITS",
        lacking: "lacking.fits: PHOTOM: column 'uncertainty' is missing",
        reordered: "reordered.fits: TIMECOEFF_LINEAR: its rows are not those of PHOTOM",
        short: "short.fits: ",
    }.items():
        with pytest.raises(InputError, match=sentence):
            read_photom(wrong)


def test_every_readout_of_every_band_has_a_row_with_the_throughput_it_is_said_to_have():
    published = PublishedCalibration(MIRI)
    rows = mean_rows(published).rows
    assert set(zip(rows.filters, rows.subarrays, strict=True)) == {
        (band, name) for band in BANDS for name in MIRI.readouts(band)
    }
    for name, of in NEWER_SUBARRAYS.items():
        one, other = rows.row_of("F560W", name), rows.row_of("F560W", of)
        assert rows.photmjsr[one] == rows.photmjsr[other]
    full, sub256 = rows.row_of("F770W", "FULL"), rows.row_of("F770W", "SUB256")
    assert rows.photmjsr[full] / rows.photmjsr[sub256] == pytest.approx(0.98, rel=1e-9)


CALIBRATIONS: dict[str, Calibration] = {"published": PublishedCalibration(MIRI)}
CALIBRATIONS |= {law: drawn_calibration(law) for law in LAWS}


@pytest.mark.parametrize("name", CALIBRATIONS)
def test_the_coefficients_stay_within_a_tenth_of_the_error_of_the_mean_factor(name: str):
    calibration = CALIBRATIONS[name]
    exported = mean_rows(calibration)
    rows = exported.rows.as_stored()
    worst = 0.0
    for band in calibration.bands:
        for subarray in (name for name in SUBARRAYS if name in MIRI.readouts(band)):
            mjd = np.linspace(59720.0, 62000.0, 39)
            answer = calibration.at(Query.of(MIRI, band, subarray, mjd))
            row = rows.row_of(band, subarray)
            off = [
                abs(rows.factors(at)[row] - mean) for at, mean in zip(mjd, answer.mean, strict=True)
            ]
            worst = max(worst, float(np.max(off / answer.std)))
    assert worst < 0.1
    assert worst <= 1.1 * exported.worst + 0.001  # what it says of itself holds


@pytest.mark.parametrize("law", ["exponential", "exponential-linear", "linear", "power"])
def test_a_draw_of_a_law_the_pipeline_has_goes_over_as_it_is(law: str):
    calibration = CALIBRATIONS[law]
    files = draw_rows(calibration, 5, seed=2)
    query = Query.of(MIRI, files[0].filters, files[0].subarrays, 60321.0)
    np.testing.assert_allclose(
        [rows.factors(60321.0) for rows in files], calibration.draws(query, 5, seed=2), rtol=1e-12
    )


def test_a_run_of_the_linear_law_goes_over_as_the_linear_table_alone():
    exported = mean_rows(CALIBRATIONS["linear"])
    assert list(exported.rows.tables) == ["linear"]
    assert exported.worst < 0.1


@pytest.mark.parametrize("law", ["exponential", "additive"])
def test_draws_and_uncertainty_carry_the_flux_scale(law: str):
    plain = drawn_calibration(law)
    absolute = drawn_calibration(law, absolute=("flux_scale",))
    scale = np.exp(-absolute.run_draws.flat("flux_scale"))[absolute.chosen(3, 2)]
    for one, two, by in zip(draw_rows(absolute, 3, 2), draw_rows(plain, 3, 2), scale, strict=True):
        np.testing.assert_allclose(one.factors(60321.0), by * two.factors(60321.0), rtol=1e-4)
    one, two = (mean_rows(each).rows.uncertainty for each in (absolute, plain))
    assert np.all(one > two)
    said = about(absolute, mean_rows(absolute)).history
    assert "uncertainty is absolute, one sigma at MJD 59760" in said


@pytest.mark.parametrize("name", ["additive", "two-exponentials", "published"])
def test_a_draw_of_another_law_is_fitted_closely(name: str):
    calibration = CALIBRATIONS[name]
    files = draw_rows(calibration, 5, seed=2)
    for mjd in (59720.0, 60000.0, 62000.0):
        query = Query.of(MIRI, files[0].filters, files[0].subarrays, mjd)
        off = np.array([rows.factors(mjd) for rows in files]) - calibration.draws(query, 5, seed=2)
        assert np.abs(off / calibration.at(query).std).max() < 0.12


def test_more_draws_than_there_are_is_refused():
    with pytest.raises(InputError, match="^drawn: 401 draws were asked for; expected from 1 to"):
        draw_rows(CALIBRATIONS["additive"], 401)


def test_the_fit_finds_coefficients_it_was_made_with():
    mjd = epochs()
    tables = {name: {k: v[:1] for k, v in of.items()} for name, of in ROWS.tables.items()}
    curve = np.log(
        0.25
        / relative_throughput(
            {n: {k: v[0] for k, v in of.items()} for n, of in tables.items()}, mjd
        )
    )
    found = fit_kind(("exponential", "linear"), mjd, curve[None], np.full((1, len(mjd)), 0.01))
    assert found.worst[0] < 1e-5
    assert found.photmjsr == pytest.approx([0.25], rel=1e-5)
    assert found.tables["linear"]["lossperyear"] == pytest.approx([0.001], rel=1e-2)


def test_a_simulated_calibration_is_labelled_in_the_file(tmp_path: Path):
    calibration = drawn_calibration(bands=("F770W",))
    exported, path = mean_rows(calibration), tmp_path / "p.fits"
    write_photom(exported.rows, about(calibration, exported), path)
    header = fits.getheader(path)
    assert header["PEDIGREE"] == "SIMULATION" and header["DESCRIP"].startswith("SIMULATED")
    history = " ".join(map(str, header["HISTORY"]))
    assert "SUB64_IP: no standard star was observed in it; D of SUB64 is assumed" in history
    assert "fitted to rows from MJD 59730.0 to 60620.0" in history


def test_the_check_in_the_pipeline_covers_every_band_and_subarray(tmp_path: Path):
    rows = mean_rows(PublishedCalibration(MIRI)).rows
    some = one_of_each(rows)
    assert {rows.filters[i] for i in some} == set(rows.filters)
    assert {rows.subarrays[i] for i in some} == set(rows.subarrays)
    path = tmp_path / "p.fits"
    write_photom(rows, ABOUT, path)
    checked = check_in_pipeline(path, some[:3], spread_epochs(3))
    assert checked.passes and checked.rows == 3 and 0 < checked.worst < TOLERANCE
    assert "MORE than" not in checked.sentence()
