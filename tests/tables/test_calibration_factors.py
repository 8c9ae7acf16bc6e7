"""From rows to log calibration factors."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from astropy import units as u
from astropy.table import Table

from miri_facts import FACTOR, MIRI, PIXEL_SOLID_ANGLE
from mirical.errors import InputError
from mirical.tables.apertures import published_apertures
from mirical.tables.calibration_factors import CalibrationFactors, calibration_factors
from mirical.tables.photometry import load_photometry
from samples import blanking, photometry, write_ecsv

PREDICTED = {
    ("16 Cyg B", "F1130W"): 421.4,
    ("G 191-B2B", "F770W"): 0.4607,
    ("G 191-B2B", "F1130W"): 0.2113,
}


def factors(table: Table, folder: Path, predicted: dict = PREDICTED) -> CalibrationFactors:
    observations = load_photometry(str(write_ecsv(table, folder / "rows.ecsv")), MIRI, "test")
    return calibration_factors(observations, predicted, published_apertures(MIRI))


def test_equation_3_by_hand():
    # 1 Jy over 1000 DN/s, nothing lost, one pixel's solid angle: 1e-6 MJy / (1000 x Omega)
    factor = MIRI.factors(1 * u.Jy, 1000 * u.DN / u.s, 1.0, ["F770W"])[0]
    assert factor.unit == FACTOR
    assert factor.value == pytest.approx(1e-9 / PIXEL_SOLID_ANGLE.value, rel=1e-14)


def test_the_factor_is_inverse_to_count_rate_and_aperture_correction():
    one = MIRI.factors(1 * u.mJy, 500 * u.DN / u.s, 1.4, ["F770W"])
    two = MIRI.factors(2 * u.mJy, 250 * u.DN / u.s, np.array([0.7]), ["F770W"])
    assert two[0].value / one.value == pytest.approx(8, rel=1e-14)


def test_the_log_factor_has_the_photometric_error_alone(tmp_path: Path):
    made = factors(photometry(), tmp_path)
    np.testing.assert_array_equal(made.table["log_factor"], np.log(made.table["factor"].value))
    np.testing.assert_allclose(
        made.table["log_factor_unc"], [1070 / 879000, 6.47 / 4300, 2.12 / 472], rtol=1e-14
    )
    rows = made.observations.table
    assert list(rows["model_flux"].to_value("mJy")) == list(PREDICTED.values())
    assert list(rows["model_flux_unc"].to_value("mJy")) == [0, 0, 0]


def test_a_row_without_prediction_is_flagged_and_kept(tmp_path: Path):
    known = {key: flux for key, flux in PREDICTED.items() if key[1] != "F770W"}
    made = factors(photometry(), tmp_path, known)
    assert list(made.observations.table["flag"]) == ["", "no_prediction", ""]
    assert list(np.isnan(made.table["log_factor"])) == [False, True, False]
    assert list(np.isnan(made.table["log_factor_unc"])) == [False, True, False]


def test_an_earlier_flag_outranks_a_missing_prediction(tmp_path: Path):
    table = photometry()
    blanking("iflux", 2)(table)
    known = {key: flux for key, flux in PREDICTED.items() if key[1] != "F770W"}
    assert list(factors(table, tmp_path, known).observations.table["flag"])[1] == "not_measured"


def test_a_table_with_nothing_to_fit_is_refused_with_the_reasons(tmp_path: Path):
    table = photometry()
    blanking("iflux", 1)(table)
    sentence = (
        r"^rows\.ecsv: every row is flagged \(no_prediction, not_measured\); nothing to fit\.$"
    )
    with pytest.raises(InputError, match=sentence):
        factors(table, tmp_path, {})


def test_a_star_that_may_be_a_slip_is_told_so(tmp_path: Path):
    table = photometry()
    table["name"] = ["HD 163467", "HD 163467", "My Star"]
    table["time"][2] += 7.0  # else the last two are one observation
    table["srctype"], table["filter"] = "ADwarfs", "F770W"
    table.remove_column("flux")  # else the rows contradict one another
    rows = factors(table, tmp_path, {("My Star", "F770W"): 0.5}).observations.table
    slip = "no predicted flux of 'HD 163467' in F770W; did you mean 'HD 163466'?"
    assert list(rows["reason"]) == [slip, slip, ""]
    table["name"] = "HD 163467"
    ending = re.escape(f"every row is flagged (no_prediction); nothing to fit: {slip}") + "$"
    with pytest.raises(InputError, match=ending):
        factors(table, tmp_path, {})


def test_a_users_star_finds_its_prediction_however_it_is_spelled(tmp_path: Path):
    table = photometry()
    table["name"] = ["HD 1234", "hd1234", "HD\u00a01234"]
    table["time"][2] += 7.0  # else the last two are one observation
    table["srctype"], table["filter"] = "ADwarfs", "F770W"
    table.remove_column("flux")  # else the rows contradict one another
    predicted = {("hd_1234", "F770W"): 2.0}
    rows = factors(table, tmp_path, predicted).observations.table
    assert set(rows["name"]) == {"HD 1234"}
    assert list(rows["model_flux"].to_value("mJy")) == [2.0, 2.0, 2.0]
