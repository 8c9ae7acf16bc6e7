"""Fluxes of stars under a calibration, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from drawn import drawn_stars, drawn_tree
from miri_facts import MIRI
from mirical.calibration.posterior import PosteriorCalibration
from mirical.calibration.star_fluxes import star_fluxes
from mirical.errors import InputError


@pytest.fixture
def calibration() -> PosteriorCalibration:
    """Two stars: one predicted, seen in F560W alone; one free, seen in both bands."""
    return PosteriorCalibration.of(drawn_stars(), MIRI, name="drawn")


def test_a_predicted_star_has_its_prediction_less_what_it_is_off(calibration):
    found = star_fluxes(calibration)
    assert list(zip(found.stars, found.bands, found.prior, strict=True)) == [
        ("known", "F560W", "predicted"),
        ("free", "F560W", "free"),
        ("free", "F770W", "free"),
    ]
    mean, logs = found.mean, found.logs
    assert mean[0] == pytest.approx(4.0 * np.exp(-0.02 + 0.005 - 0.001 - 0.004), rel=3e-4)
    np.testing.assert_allclose(mean[1:], [np.exp(0.1), 0.5 * np.exp(0.1)], rtol=1e-3)
    assert logs.std(axis=0) == pytest.approx([0.001, 0.003, 0.003], rel=0.15)


def test_the_flux_scale_is_common_to_all_and_may_be_left_out(calibration):
    table = star_fluxes(calibration).table()
    relative = table["flux_relative_std"] / table["flux"]
    absolute = table["flux_std"] / table["flux"]
    scale = calibration.run_draws.flux_scale_error
    assert scale == pytest.approx(0.006, rel=0.1)
    np.testing.assert_allclose(absolute**2 - relative**2, scale**2, rtol=1e-9)
    covariance = star_fluxes(calibration).covariance
    assert covariance[0, 1] == pytest.approx(scale**2, rel=0.02)  # chance alone is added
    left = star_fluxes(calibration.leaving_out(["flux_scale"])).table()
    np.testing.assert_allclose(left["flux_std"], table["flux_relative_std"])


def test_magnitudes_are_those_of_the_fluxes(calibration):
    table = star_fluxes(calibration).table()
    by_hand = -2.5 * np.log10(table["flux"].value / 3631e3)
    np.testing.assert_allclose(table["mag_ab"].value, by_hand, atol=1e-12)
    expected = 2.5 / np.log(10) * (table["flux_std"] / table["flux"])
    np.testing.assert_allclose(table["mag_ab_std"].value, expected)


def test_a_run_of_before_is_refused():
    calibration = PosteriorCalibration.of(drawn_tree(), MIRI, name="drawn")
    with pytest.raises(InputError, match="holds no fluxes of its stars; an earlier version"):
        star_fluxes(calibration)
