"""A table of fluxes under a calibration."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.table import Table
from astropy.time import Time

from drawn import drawn_calibration
from miri_facts import MIRI
from mirical.calibration.published import PublishedCalibration
from mirical.errors import InputError
from mirical.exports.calibrated_table import CalibratedFluxes, calibrate_table, flux_draws
from mirical.tables.apertures import published_apertures
from mirical.tables.formats import write_ecsv

DRAWN, PUBLISHED = drawn_calibration(), PublishedCalibration(MIRI)
APERTURES = published_apertures(MIRI)


def rows(**columns: object) -> Table:
    table = Table({"filter": ["F770W", "F2550W"], "subarray": ["FULL", "SUB256"]})
    table["mjd"] = [60000.0, 60000.2]
    for name, values in columns.items():
        table[name] = values
    return table


def calibrated(tmp_path: Path, table: Table, **options: object) -> CalibratedFluxes:
    path = tmp_path / "fluxes.ecsv"
    write_ecsv(table, path)
    return calibrate_table(path, DRAWN, APERTURES, **options)  # type: ignore[arg-type]


COUNTS = rows(iflux=[1000.0, 500.0] * u.DN / u.s, ifluxunc=[10.0, 20.0] * u.DN / u.s)
FLUXES = rows(flux=[1.0, 2000.0] * u.uJy, fluxunc=[0.01, 20.0] * u.uJy, photmjsr=[0.25, 0.9])


def test_a_count_rate_becomes_the_flux_of_equation_3(tmp_path: Path):
    made = calibrated(tmp_path, COUNTS)
    flux, factor = made.table["flux_calibrated"], made.table["c_mean"].value
    correction = np.array([APERTURES[b].correction for b in ("F770W", "F2550W")])
    again = MIRI.factors(
        flux.value * u.mJy, COUNTS["iflux"].quantity, correction, made.table["filter"]
    )
    np.testing.assert_allclose(again.value, factor, rtol=1e-12)
    assert flux.unit == u.mJy


def test_a_flux_is_rid_of_the_factor_it_came_with(tmp_path: Path):
    made = calibrated(tmp_path, FLUXES)
    factor = made.table["c_mean"].value
    np.testing.assert_allclose(
        made.table["flux_calibrated"].value,
        [1e-3 * factor[0] / 0.25, 2.0 * factor[1] / 0.9],
        rtol=1e-12,
    )
    plain = FLUXES.copy()
    plain.remove_column("photmjsr")
    before = calibrated(tmp_path, plain, before=PUBLISHED)
    old = PUBLISHED.factor(["F770W", "F2550W"], ["FULL", "SUB256"], [60000.0, 60000.2]).mean
    np.testing.assert_allclose(
        before.table["flux_calibrated"].value, [1e-3, 2.0] * factor / old, rtol=1e-12
    )
    same = calibrated(tmp_path, plain, before=DRAWN)
    np.testing.assert_allclose(same.table["flux_calibrated"].value, [1e-3, 2.0], rtol=1e-12)


def test_surface_brightness_stays_surface_brightness(tmp_path: Path):
    table = rows(flux=[1.0, 2.0] * u.MJy / u.sr, photmjsr=[0.25, 0.9])
    made = calibrated(tmp_path, table, extended=True)
    assert made.table["flux_calibrated"].unit == u.MJy / u.sr
    assert np.sqrt(made.joint.parts["aperture"][0, 0]) > 0.03 * made.joint.mean[0]


def test_the_covariance_is_of_statistical_and_calibration_errors(tmp_path: Path):
    made = calibrated(tmp_path, COUNTS)
    covariance, table = made.joint, made.table
    np.testing.assert_allclose(
        np.diag(covariance.covariance),
        table["flux_stat_std"].value ** 2 + table["flux_cal_std"].value ** 2,
        rtol=1e-12,
    )
    np.testing.assert_allclose(
        table["flux_stat_std"].value / table["flux_calibrated"].value, [0.01, 0.04], rtol=1e-12
    )
    np.testing.assert_allclose(sum(covariance.parts.values()), covariance.covariance, rtol=1e-12)
    # one visit of one star: the bands share scale and visit
    assert covariance.covariance[0, 1] > 0.5 * 0.008**2 * np.prod(covariance.mean)


def test_a_fit_to_fluxes_of_one_instrument_takes_the_relative_covariance(tmp_path: Path):
    path = tmp_path / "fluxes.ecsv"
    write_ecsv(COUNTS, path)
    absolute = drawn_calibration(absolute=("flux_scale", "types"))
    made = calibrate_table(path, absolute, APERTURES)
    left = calibrate_table(path, absolute.leaving_out(["flux_scale", "types"]), APERTURES)
    relative = made.joint.relative
    np.testing.assert_allclose(relative.covariance, left.joint.covariance, rtol=1e-12)
    assert {"flux_scale", "types"}.isdisjoint(relative.parts) and relative.relative is relative
    for name, of in (("flux_cal_std", made), ("flux_cal_relative_std", left)):
        np.testing.assert_allclose(made.table[name], of.table["flux_cal_std"], rtol=1e-12)
    assert np.all(made.table["flux_cal_std"] > made.table["flux_cal_relative_std"])


def test_draws_have_the_calibrations_covariance(tmp_path: Path):
    made = calibrated(tmp_path, COUNTS)
    draws = flux_draws(made, DRAWN, None, seed=3)
    wanted = made.joint.covariance - made.joint.parts["statistical"]
    # 400 draws: standard deviations are good to 3.5 %, tested at four times that
    np.testing.assert_allclose(draws.std(axis=0, ddof=1), np.sqrt(np.diag(wanted)), rtol=0.14)
    np.testing.assert_array_equal(draws, flux_draws(made, DRAWN, None, seed=3))


def test_draws_hold_what_is_not_the_factors_too(tmp_path: Path):
    # of an extended source at F770W that is the aperture correction's 3 %, beside 1 %
    made = calibrated(tmp_path, FLUXES, extended=True)
    draws = flux_draws(made, DRAWN, None, seed=3)
    wanted = np.sqrt(made.joint.covariance - made.joint.parts["statistical"])[0, 0]
    assert wanted > 0.03 * made.joint.mean[0]
    assert draws[:, 0].std(ddof=1) == pytest.approx(wanted, rel=0.14)


def test_a_surface_brightness_has_the_errors_of_an_extended_source(tmp_path: Path):
    table = rows(flux=[1.0, 2.0] * u.MJy / u.sr, fluxunc=[0.1, 0.1] * u.MJy / u.sr)
    table["photmjsr"] = [0.25, 0.9]
    asked = calibrated(tmp_path, table, extended=True)
    made = calibrated(tmp_path, table)
    np.testing.assert_array_equal(made.joint.covariance, asked.joint.covariance)
    assert made.cautions[0].startswith("fluxes.ecsv: column 'flux' is a surface brightness, so")
    assert not any("surface brightness" in sentence for sentence in asked.cautions)


def test_errors_in_magnitudes_are_those_of_the_flux(tmp_path: Path):
    table = rows(photmjsr=[0.25, 0.9])
    for name, values in {"flux": [16.4, 15.6], "fluxunc": [0.01, 0.02]}.items():
        table[name] = values
        table[name].unit = "mag(AB)"
    made = calibrated(tmp_path, table).table
    ratio = made["flux_stat_std"].value / made["flux_calibrated"].value
    np.testing.assert_allclose(ratio, 0.4 * np.log(10) * np.array([0.01, 0.02]), rtol=1e-12)
    linear = rows(flux=[16.4, 15.6] * u.ABmag, photmjsr=[0.25, 0.9])
    linear["flux"] = linear["flux"].to(u.mJy)
    np.testing.assert_allclose(
        made["flux_calibrated"].value,
        calibrated(tmp_path, linear).table["flux_calibrated"].value,
        rtol=1e-12,
    )


def test_errors_that_are_not_stated_are_not_known(tmp_path: Path):
    table = FLUXES.copy()
    table.remove_column("fluxunc")
    made = calibrated(tmp_path, table)
    assert np.all(np.isnan(made.table["flux_stat_std"]))
    assert "statistical" not in made.joint.parts
    with_errors = calibrated(tmp_path, FLUXES).joint
    np.testing.assert_allclose(
        made.joint.covariance,
        with_errors.covariance - with_errors.parts["statistical"],
        rtol=1e-9,
    )
    assert made.cautions[0].startswith("fluxes.ecsv: states no errors of its fluxes;")


def test_times_and_places_of_a_table_stay_what_they_are(tmp_path: Path):
    table = COUNTS.copy()
    table["mjd"] = Time([60000.0, 60000.2], format="mjd")
    table["place"] = SkyCoord([1.0, 2.0] * u.deg, [3.0, 4.0] * u.deg)
    table.write(tmp_path / "fluxes.ecsv", overwrite=True)
    made = calibrate_table(tmp_path / "fluxes.ecsv", DRAWN, APERTURES)
    assert list(made.joint.query.mjd) == [60000.0, 60000.2]
    write_ecsv(made.table, tmp_path / "made.ecsv")
    again = Table.read(tmp_path / "made.ecsv")
    assert isinstance(again["mjd"], Time) and isinstance(again["place"], SkyCoord)


@pytest.mark.parametrize("times", (["2023-02-25", "2023-02-25T12:00"], [2460000.5, 2460001.0]))
def test_dates_and_julian_dates_are_written_as_the_mjd_that_the_column_says(
    tmp_path: Path, times: list[object]
):
    made = calibrated(tmp_path, rows(mjd=times, iflux=[1000.0, 500.0] * u.DN / u.s))
    write_ecsv(made.table, tmp_path / "made.ecsv")
    again = Table.read(tmp_path / "made.ecsv")["mjd"]
    assert list(again) == [60000.0, 60000.5] and again.unit == u.d


REFUSED = {
    "no flux": (rows(), {}, "has neither 'iflux'"),
    "both": (rows(iflux=[1.0, 1.0], flux=[1.0, 1.0] * u.mJy), {}, "has both 'iflux' and 'flux'"),
    "no unit": (rows(flux=[1.0, 1.0]), {}, "column 'flux' is in no unit; expected a flux density"),
    "wrong unit": (rows(flux=[1.0, 1.0] * u.m), {}, "column 'flux' is in m; expected"),
    "old factor unknown": (rows(flux=[1.0, 1.0] * u.mJy), {}, "nothing says what factor 'flux'"),
    "missing": (
        rows(flux=[1.0, np.nan] * u.mJy, photmjsr=[1.0, 1.0]),
        {},
        "row 2: column 'flux' has no usable number",
    ),
    "negative error": (
        rows(iflux=[1.0, 1.0], ifluxunc=[-1.0, 1.0]),
        {},
        "row 1: column 'ifluxunc' has no usable number",
    ),
    "zero error": (
        rows(flux=[1.0, 1.0] * u.mJy, fluxunc=[0.1, 0.0] * u.mJy, photmjsr=[1.0, 1.0]),
        {},
        "row 2: column 'fluxunc' has no usable number; fill it in or leave the row out, or the "
        "column if errors are not known",
    ),
    "flux a pixel": (
        rows(flux=[1.0, 1.0] * u.mJy / u.pix),
        {},
        "column 'flux' is in mJy / pix; expected a flux density such as mJy or a surface",
    ),
    "surface brightness for counts": (
        rows(iflux=[1.0, 1.0] * u.MJy / u.sr),
        {},
        "column 'iflux' is in MJy / sr; expected DN / s",
    ),
    "no factor": (
        rows(flux=[1.0, 1.0] * u.mJy, photmjsr=[1.0, 0.0]),
        {},
        "row 2: column 'photmjsr' has no usable number",
    ),
    "extended counts": (COUNTS, {"extended": True}, "column 'iflux' is the count rate of a point"),
    "no rows": (COUNTS[:0], {}, "0 rows; expected from 1 to 5000"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_table_that_cannot_be_calibrated_is_refused(case: str, tmp_path: Path):
    table, options, sentence = REFUSED[case]
    with pytest.raises(InputError, match=f"^fluxes.ecsv:? ?{sentence}"):
        calibrated(tmp_path, table, **options)


def test_a_table_is_calibrated_once(tmp_path: Path):
    made = calibrated(tmp_path, COUNTS)
    with pytest.raises(InputError, match="was calibrated here before, by SIMULATED drawn; give"):
        calibrated(tmp_path, made.table)
    stripped = made.table.copy()
    stripped.meta.clear()
    with pytest.raises(InputError, match="was calibrated here before"):
        calibrated(tmp_path, stripped)


def test_count_rates_of_another_aperture_are_not_corrected_for_this_one(tmp_path: Path):
    table = COUNTS.copy()
    table.meta["apertures_pix"] = {"F770W": list(APERTURES["F770W"].radii)}
    calibrated(tmp_path, table)
    table.meta["apertures_pix"] = {"F770W": [3.0, 6.0, 8.0]}
    with pytest.raises(InputError, match="F770W was measured with r_a, r_b1, r_b2 = 3, 6, 8"):
        calibrated(tmp_path, table)
