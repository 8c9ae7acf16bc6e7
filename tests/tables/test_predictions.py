"""One predicted flux a star and band: the table's own before what is looked up."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from astropy.table import QTable

from miri_facts import MIRI
from mirical.errors import InputError
from mirical.tables.apertures import published_apertures
from mirical.tables.calibration_factors import calibration_factors
from samples import blanking, load, repeated

SHIPPED = {("G 191-B2B", "F770W"): 0.4607}


def predicted(folder: Path, flux: list[float], unc: list[float] | None = None) -> QTable:
    """Return the rows of one star and band that state these fluxes and errors, NaN for blank."""
    table = repeated(len(flux), model_flux=flux)
    if unc is not None:
        table["model_flux_unc"] = unc
        table["model_flux_unc"].unit = "mJy"
    return calibration_factors(
        load(table, folder), SHIPPED, published_apertures(MIRI)
    ).observations.table


def test_a_row_s_own_flux_counts_and_no_other_is_looked_up(tmp_path: Path):
    rows = predicted(tmp_path, [0.42, np.nan], [0.004, np.nan])
    np.testing.assert_allclose(rows["model_flux"].to_value("mJy"), [0.42, 0.42], rtol=1e-14)
    np.testing.assert_allclose(rows["model_flux_unc"].to_value("mJy"), [0.004, 0.004], rtol=1e-14)


def test_a_flux_that_no_row_states_is_looked_up_with_the_error_that_is_stated(tmp_path: Path):
    rows = predicted(tmp_path, [np.nan, np.nan], [np.nan, 0.01])
    np.testing.assert_allclose(rows["model_flux"].to_value("mJy"), [0.4607] * 2, rtol=1e-14)
    np.testing.assert_allclose(rows["model_flux_unc"].to_value("mJy"), [0.01] * 2, rtol=1e-14)


def test_a_looked_up_flux_without_error_leaves_it_to_the_fit(tmp_path: Path):
    assert list(predicted(tmp_path, [np.nan], [np.nan])["model_flux_unc"].value) == [0]
    assert list(predicted(tmp_path, [0.42])["model_flux_unc"].value) == [0]


@pytest.mark.parametrize("order", [[0, 1], [1, 0]])
def test_the_order_of_rows_does_not_choose_the_error(order: list[int], tmp_path: Path):
    unc = np.array([0.0040, 0.0041])[order]
    rows = predicted(tmp_path, [0.42, 0.42], list(unc))
    np.testing.assert_allclose(rows["model_flux_unc"].value, [0.0041] * 2, rtol=1e-14)


REFUSED = {
    "two fluxes": (
        ([0.42, 0.462], None),
        r"^rows\.ecsv: star 'G 191-B2B' in F770W has two predicted fluxes, 0\.42 mJy \(row 1\) and "
        r"0\.462 mJy \(row 2\); give one for all its rows, or blank the wrong one\.$",
    ),
    "two errors": (
        ([0.42, 0.42], [0.004, 0.008]),
        r"^rows\.ecsv: star 'G 191-B2B' in F770W has two errors of its predicted flux, 0\.004 mJy "
        r"\(row 1\) and 0\.008 mJy \(row 2\); give one",
    ),
    "blank error": (
        ([0.42, 0.42], [np.nan, np.nan]),
        r"^rows\.ecsv row 1: column 'model_flux_unc' is blank, and no row of 'G 191-B2B' in F770W "
        r"states it; fill it in, with 0 where the scatter that the fit learns is to stand for it",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_predictions_that_cannot_both_be_right_are_refused(case: str, tmp_path: Path):
    stated, sentence = REFUSED[case]
    with pytest.raises(InputError, match=sentence):
        predicted(tmp_path, *stated)


def test_what_a_flagged_row_states_is_nobodys_business(tmp_path: Path):
    table = repeated(3, model_flux=[0.42, 0.9, 0.42])
    blanking("iflux", 2)(table)
    rows = calibration_factors(
        load(table, tmp_path), {}, published_apertures(MIRI)
    ).observations.table
    assert list(rows["flag"]) == ["", "not_measured", ""]
