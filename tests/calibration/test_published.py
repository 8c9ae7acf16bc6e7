"""The published coefficients as a calibration."""

from __future__ import annotations

import numpy as np
import pytest

from miri_facts import BANDS, FACTOR, MIRI, SUBARRAYS, UNIT_SUBARRAYS
from mirical.calibration.factors import Query
from mirical.calibration.published import PublishedCalibration

PUBLISHED = PublishedCalibration(MIRI)


def test_it_has_every_band_and_a_throughput_for_every_subarray():
    assert set(PUBLISHED.bands) == set(BANDS)
    assert set(PUBLISHED.throughput) == {*SUBARRAYS, *UNIT_SUBARRAYS}
    assert {PUBLISHED.throughput[s] for s in ("FULL", *UNIT_SUBARRAYS)} == {1.0}


def test_the_factor_at_t0_is_a_plus_b_and_tends_to_a():
    early, late = PUBLISHED.at(Query.of(MIRI, "F2550W", "FULL", [59720, 99999])).mean
    assert early == pytest.approx(0.9064 - 0.2011, rel=1e-12)
    assert late == pytest.approx(0.9064, rel=1e-12)


@pytest.mark.parametrize("band", [b for b in BANDS.values() if b.mask])
def test_a_mask_and_full_have_the_same_factor(band):
    one, two = PUBLISHED.at(Query.of(MIRI, band.name, [band.mask, "FULL"], 59760)).mean
    assert one == two


def test_the_factor_of_a_subarray_is_that_of_full_over_its_throughput():
    full, sub = PUBLISHED.at(Query.of(MIRI, "F770W", ["FULL", "SUB256"], 59760)).mean
    assert full / sub == pytest.approx(0.98, rel=1e-14)


def test_the_error_is_sigma_cf_everywhere_shared_within_a_band_and_not_between_bands():
    query = Query.of(
        MIRI, ["F770W", "F560W", "F770W"], ["FULL", "FULL", "SUB64"], [59720, 59760, 60800]
    )
    answer = PUBLISHED.at(query)
    np.testing.assert_allclose(answer.std / answer.mean, 0.0037, rtol=1e-12)
    s = answer.std
    expected = [[s[0] ** 2, 0, s[0] * s[2]], [0, s[1] ** 2, 0], [s[0] * s[2], 0, s[2] ** 2]]
    np.testing.assert_allclose(answer.covariance, expected, rtol=1e-12)


def test_the_interval_is_the_central_68_percent_of_a_normal_distribution():
    answer = PUBLISHED.at(Query.of(MIRI, "F770W", "FULL", 59760))
    # the 16 % quantile of the standard normal distribution
    np.testing.assert_allclose((answer.q16 - answer.mean) / answer.std, -0.9944579, atol=1e-6)
    np.testing.assert_allclose((answer.q84 - answer.mean) / answer.std, 0.9944579, atol=1e-6)


def test_it_says_what_its_error_leaves_out():
    sentence, scale = PUBLISHED.cautions(Query.of(MIRI, "F770W", "FULL", 59760))
    assert scale == "no error of the flux scale is stated, so absolute errors are unknown."
    assert "no error of B, tau or D" in sentence and "no covariance between bands" in sentence


def test_the_error_of_the_aperture_correction_stands_beside_the_factor():
    """F1130W: A^2 S sqrt(sum of the radii's relative parts) / A, Table 4 by hand: 1.0 %."""
    answer = PublishedCalibration(MIRI).at(Query.of(MIRI, "F1130W", "FULL", 60000))
    area = 11.22**2 - 7.06**2
    spilt = 0.05 * 4.92**2 / area
    parts = [2 * 0.26 / 4.92, 2 * 7.06 * 0.29 / area, 2 * 11.22 * 1.40 / area]
    fraction = spilt / (0.7 - spilt) * np.sqrt(np.sum(np.square(parts)))
    assert answer.aperture == pytest.approx([fraction]) and 0.009 < fraction < 0.011
    error = answer.table()["c_aperture_std"]
    assert error.value == pytest.approx(answer.mean * fraction) and error.unit == FACTOR
    assert answer.std == pytest.approx(answer.mean * 0.0048)  # sigma(CF) alone, as printed


def test_the_parts_of_its_error_are_the_bands_alone():
    query = Query.of(
        MIRI, ["F770W", "F560W", "F770W"], ["FULL", "FULL", "SUB64"], [59720, 59760, 60800]
    )
    answer, parts = PUBLISHED.at(query), PUBLISHED.parts(query)
    relative = answer.covariance / np.outer(answer.mean, answer.mean)
    np.testing.assert_allclose(parts["colour"], relative, rtol=1e-12)
    assert all(np.all(part == 0) for name, part in parts.items() if name != "colour")
