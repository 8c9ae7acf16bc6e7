"""Queries, factors, and the calibration a posterior gives."""

from __future__ import annotations

import re

import numpy as np
import pytest
import xarray as xr

from drawn import drawn_calibration
from miri_facts import BANDS, FACTOR, MIRI, SUBARRAYS
from mirical.calibration.coefficients import subarray_table
from mirical.calibration.factors import Factors, Query
from mirical.calibration.posterior import PosteriorCalibration
from mirical.calibration.stored_constants import with_apertures
from mirical.errors import InputError
from mirical.inference.quoted_errors import covariance, half_width
from mirical.tables.apertures import published_apertures


def test_scalars_and_sequences_broadcast_against_each_other():
    query = Query.of(MIRI, ["F770W", "F560W"], "FULL", 59760)
    assert (query.filters, query.subarrays) == (("F770W", "F560W"), ("FULL", "FULL"))
    assert query.mjd.tolist() == [59760.0, 59760.0] and len(query) == 2
    assert len(Query.of(MIRI, "F770W", "SUB64", [59760, 59800, 59900])) == 3


@pytest.mark.parametrize("band", [b for b in BANDS.values() if b.mask])
def test_a_coronagraph_band_may_be_asked_for_in_its_mask_or_full(band):
    assert Query.of(MIRI, band.name, [band.mask, "FULL"], 59760).subarrays == (band.mask, "FULL")


REFUSED = {
    "unknown band": (
        ("F700W", "FULL", 59760),
        "q: band 'F700W' is not a MIRI band; did you mean 'F770W'?",
    ),
    "unknown subarray": (
        ("F770W", "SUB46", 59760),
        "q: subarray 'SUB46' is unknown; did you mean 'SUB64'?",
    ),
    "the second of two": (
        (["F770W", "F771W"], "FULL", 59760),
        "q row 2: band 'F771W' is not a MIRI band; did you mean 'F770W'?",
    ),
    "imaging band in a mask": (
        ("F770W", "MASK1065", 59760),
        "q: band 'F770W' is not observed in 'MASK1065'; expected FULL, BRIGHTSKY, SUB256, SUB128 "
        "or SUB64.",
    ),
    "coronagraph band in another mask": (
        ("F1065C", "MASK1140", 59760),
        "q: band 'F1065C' is not observed in 'MASK1140'; expected FULL or MASK1065.",
    ),
    "JD instead of MJD": (
        ("F770W", "FULL", 2459760.5),
        "q: mjd 2459760.5 is not an epoch of JWST; expected one such as 59760.",
    ),
    "before JWST observed": (
        ("F770W", "FULL", 59619.9),
        "q: mjd 59619.9 is not an epoch of JWST; expected one such as 59760.",
    ),
    "no number": (
        ("F770W", "FULL", np.nan),
        "q: mjd nan is not an epoch of JWST; expected one such as 59760.",
    ),
    "nothing": (
        ([], [], []),
        "q: no rows; give at least one band, subarray and epoch.",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_query_that_has_no_answer_is_refused(case: str):
    asked, sentence = REFUSED[case]
    with pytest.raises(InputError, match=f"^{re.escape(sentence)}$"):
        Query.of(MIRI, *asked, where="q")


def test_the_answer_is_a_table_in_the_order_of_the_query_with_units():
    query = Query.of(MIRI, ["F770W", "F560W"], ["SUB64", "FULL"], [59760, 59800])
    one, two = np.array([1.0, 2.0]), np.eye(2)
    table = Factors(query, one, 0.1 * one, 0.8 * one, 0.9 * one, 1.1 * one, 1.2 * one, two).table()
    assert table.colnames == [
        *("filter", "subarray", "mjd", "c_mean", "c_std", "c_relative_std", "c_q16", "c_q84")
    ]
    assert [tuple(r) for r in table["filter", "subarray", "mjd"].iterrows()] == [
        ("F770W", "SUB64", 59760.0),
        ("F560W", "FULL", 59800.0),
    ]
    assert table["c_q84"].unit == FACTOR and list(table["c_q84"].value) == [1.1, 2.2]


# A posterior of 2 chains x 3 draws in two bands, every number given.

A = np.array([[1.0, 1.1, 1.2], [0.9, 1.0, 1.1]])


@pytest.fixture
def posterior() -> xr.DataTree:
    by_band = ("chain", "draw", "band")
    d_band = np.ones((2, 3, 2, len(SUBARRAYS)))
    d_band[..., SUBARRAYS.index("SUB64")] = 0.966
    posterior = xr.Dataset(
        {
            "A": (by_band, np.stack([A, 2 * A[::-1]], axis=-1)),
            "B": (by_band, np.stack([-0.2 * A, 0 * A], axis=-1)),
            "loss": (by_band, np.stack([-np.log(0.8 * A / A), 0 * A], axis=-1)),
            "tau": (by_band, np.full((2, 3, 2), 200.0)),
            "D_band": ((*by_band, "subarray"), d_band),
        },
        coords={"band": ["F770W", "F1065C"], "subarray": list(SUBARRAYS)},
    )
    rows = xr.Dataset(
        {
            "subarray_index": ("row", [0, 0, 4]),
            "band_index": ("row", [0, 1, 0]),
            "elapsed": ("row", [10.0, 40.0, 110.0]),
        }
    )
    return xr.DataTree.from_dict({"posterior": posterior, "constant_data": rows})


@pytest.fixture
def calibration(posterior: xr.DataTree) -> PosteriorCalibration:
    return PosteriorCalibration.of(posterior, MIRI, name="by hand")


def test_the_posterior_factor_is_equation_4_draw_by_draw(calibration: PosteriorCalibration):
    query = Query.of(
        MIRI, ["F770W", "F770W", "F1065C"], ["FULL", "SUB64", "FULL"], [59920, 59920, 59760]
    )
    draws = calibration.draws(query)
    at_tau = (A - 0.2 * A / np.e).ravel()
    expected = np.stack([at_tau, at_tau / 0.966, 2 * A[::-1].ravel()], axis=-1)
    np.testing.assert_allclose(draws, expected, rtol=1e-14)
    answer = calibration.at(query)
    np.testing.assert_allclose(answer.mean, expected.mean(axis=0), rtol=1e-14)
    np.testing.assert_allclose(answer.std, half_width(expected), rtol=1e-14)
    np.testing.assert_allclose(answer.covariance, covariance(expected), rtol=1e-12)
    np.testing.assert_allclose(answer.std**2, np.diag(answer.covariance), rtol=1e-12)
    np.testing.assert_allclose(answer.q16, np.quantile(expected, 0.16, axis=0), rtol=1e-14)
    np.testing.assert_allclose(answer.q84, np.quantile(expected, 0.84, axis=0), rtol=1e-14)


def test_one_point_has_a_covariance_matrix_too(calibration: PosteriorCalibration):
    assert calibration.at(Query.of(MIRI, "F770W", "FULL", 59760)).covariance.shape == (1, 1)


def test_a_mask_and_full_have_the_same_posterior_factor(calibration: PosteriorCalibration):
    draws = calibration.draws(Query.of(MIRI, "F1065C", ["MASK1065", "FULL"], 59760))
    np.testing.assert_array_equal(draws[:, 0], draws[:, 1])


def test_a_band_without_rows_has_no_factor(calibration: PosteriorCalibration):
    assert calibration.bands == ["F770W", "F1065C"]
    sentence = (
        "^band 'F560W': this run fitted no rows in it, so its factor is unknown; it has F770W"
    )
    for answer in (calibration.at, calibration.parts, calibration.variances, calibration.draws):
        with pytest.raises(InputError, match=sentence):
            answer(Query.of(MIRI, "F560W", "FULL", 59760))


def test_an_answer_that_leans_on_priors_says_so(calibration: PosteriorCalibration):
    # Rows in FULL and SUB64, from t0 + 10 to t0 + 110 d.
    assert calibration.cautions(Query.of(MIRI, "F770W", ["FULL", "SUB64"], [59730, 59830])) == []
    (subarray,) = calibration.cautions(Query.of(MIRI, "F770W", "SUB128", 59760))
    assert subarray.startswith("no rows in SUB128: its throughput D")
    (epoch,) = calibration.cautions(Query.of(MIRI, "F770W", "FULL", 59831))
    assert epoch.startswith("the last row is of MJD 59830.0 (2022-09-08), 1.0 d before MJD 59831.0")
    (epoch,) = calibration.cautions(Query.of(MIRI, "F770W", "FULL", 59729))
    assert epoch == (
        "the first row is of MJD 59730.0 (2022-05-31), 1.0 d after MJD 59729.0: factors before it "
        "rest on the time law and its priors."
    )
    assert calibration.cautions(Query.of(MIRI, "F1065C", "MASK1065", 59760)) == []


def test_the_error_a_caution_states_at_and_after_the_last_row_is_that_of_the_factors(
    calibration: PosteriorCalibration,
):
    query = Query.of(MIRI, "F770W", "SUB64", [59740, 60230])
    said, *_ = calibration.cautions(query)
    ends = calibration.at(Query.of(MIRI, "F770W", "FULL", [59830, 60230]))
    now, then = 100 * ends.std / ends.mean
    assert said == (
        "the last row is of MJD 59830.0 (2022-09-08), 400.0 d before MJD 60230.0: factors after it "
        "rest on the time law and its priors, and their errors on that law still holding; the "
        f"error of F770W in FULL is {now:.2f} % at the last row and {then:.2f} % there."
    )


def test_the_aperture_error_is_kept_apart_from_the_factors(
    posterior: xr.DataTree, calibration: PosteriorCalibration
):
    query = Query.of(MIRI, ["F1065C", "F770W"], ["FULL", "SUB64"], [59920, 59920])
    before = calibration.at(query)
    assert before.aperture is None and "c_aperture_std" not in before.table().colnames
    apertures = published_apertures(MIRI)
    after = PosteriorCalibration.of(with_apertures(posterior, apertures), MIRI).at(query)
    expected = [apertures[b].relative_unc for b in query.filters]
    assert after.aperture == pytest.approx(expected)
    np.testing.assert_array_equal(after.covariance, before.covariance)
    assert after.table()["c_aperture_std"].value == pytest.approx(after.mean * expected)


def test_some_of_the_draws_are_any_of_them_once_each_as_the_seed_has_it():
    calibration, query = drawn_calibration(), Query.of(MIRI, "F770W", "FULL", 60000.0)
    everything = calibration.draws(query)[:, 0]
    one, two = (calibration.draws(query, 50, seed)[:, 0] for seed in (1, 2))
    assert set(one) <= set(everything) and len(set(one)) == 50
    assert set(one) != set(two) and set(one) != set(everything[:50])
    np.testing.assert_array_equal(one, calibration.draws(query, 50, 1)[:, 0])
    for number in (0, len(everything) + 1):
        with pytest.raises(InputError, match=f"^drawn: {number} draws were asked for; expected"):
            calibration.draws(query, number)


def test_a_factor_is_asked_for_by_band_subarray_and_epoch():
    calibration = drawn_calibration()
    one = calibration.factor(["F770W", "F560W"], "SUB64", 60000.0)
    other = calibration.at(Query.of(MIRI, ["F770W", "F560W"], ["SUB64"] * 2, [60000.0] * 2))
    np.testing.assert_array_equal(one.covariance, other.covariance)


def test_a_camera_of_one_readout_has_a_table_of_throughputs():
    table = subarray_table(["FULL"], np.ones(1))
    assert table["D"][0] == 1 and table["D_std"].mask[0]
