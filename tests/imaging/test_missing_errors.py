"""A missing error is filled or told, never counted as zero."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from miri_facts import MIRI
from mirical.imaging.aperture_photometry import measure
from mirical.imaging.image_files import Unmeasurable
from mirical.imaging.images import Image
from mirical.imaging.missing_errors import fill_errors, known_errors
from mirical.simulation.scenes import Background, Scene
from mirical.tables.apertures import published_apertures
from mirical.validation.scene_study import image_of

AT = 130.2, 120.7
APERTURE = published_apertures(MIRI)["F1500W"]


def image(flat: float = 0.0, share: float = 0.0) -> Image:
    """A star with that share of its errors gone, the flat field's relative error in them."""
    scene = Scene("F1500W", "SUB256", 50000.0, Background(18.0), exposure_time=60.0, seed=1)
    made = image_of(scene, AT)
    err = np.hypot(made.err, flat * made.data)
    err[np.random.default_rng(3).random(err.shape) < share] = np.nan
    return replace(made, err=err)


@pytest.mark.parametrize("flat", [0.0, 0.01])
def test_errors_come_back_from_pixels_of_like_brightness(flat: float):
    whole, holed = measure(image(flat), APERTURE), measure(image(flat, 0.6), APERTURE)
    assert whole.without_error == 0 and holed.without_error > 50
    assert holed.noise_unc == pytest.approx(whole.noise_unc, rel=0.01)
    assert holed.ifluxunc == pytest.approx(whole.ifluxunc, rel=0.01)
    assert holed.iflux == whole.iflux


def test_what_cannot_be_an_error_is_none():
    stated = np.array([[1.0, 0.0, -2.0, np.nan, np.inf]])
    np.testing.assert_array_equal(known_errors(stated), [[1.0, np.nan, np.nan, np.nan, np.nan]])


def test_too_many_missing_errors_are_told():
    sentence = (
        r"9\d % of the aperture has no error \(ERR is zero, negative or no number\); up to 75"
    )
    with pytest.raises(Unmeasurable, match=sentence):
        measure(image(share=0.95), APERTURE)


def test_errors_missing_where_the_star_is_brightest_are_told():
    """Nothing else is as bright, so there is nothing to fill them by."""
    made = image()
    err = np.where(made.data > 0.2 * np.nanmax(made.data), np.nan, made.err)
    with pytest.raises(Unmeasurable, match="pixels of the aperture have no error .* no pixels as"):
        measure(replace(made, err=err), APERTURE)


def test_one_odd_error_does_not_decide():
    data, inside = np.tile(np.arange(20.0), (20, 1)), np.ones((20, 20))
    err = np.sqrt(4.0 + data)
    err[::2, ::3] = np.nan
    err[1, 1], err[3, 4] = 1e-6, 1e6
    filled, number = fill_errors(data, err, inside)
    assert number == 70
    lacking = np.isnan(err)
    assert filled[lacking] == pytest.approx(np.sqrt(4.0 + data)[lacking], rel=0.02)
    np.testing.assert_array_equal(filled[~lacking], err[~lacking])
