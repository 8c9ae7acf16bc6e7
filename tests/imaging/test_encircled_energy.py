"""Encircled energies: a known PSF's radii come back, and repeats tell how well."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from miri_facts import BANDS, MIRI
from mirical.errors import InputError
from mirical.imaging.encircled_energy import (
    EnergyCurve,
    combine,
    model_curve,
    observed_curve,
    usual_transition,
)
from mirical.simulation.scene_psf import scene_psf
from mirical.simulation.scenes import Background, Scene, exposure_time
from mirical.tables.apertures import Aperture, published_apertures

RADII = np.arange(0.0, 120.0, 0.25)


def straight(slope: float) -> EnergyCurve:
    """Energy that grows by `slope` a pixel, up to one."""
    return EnergyCurve(RADII, np.minimum(slope * RADII, 1.0))


def image_and_model(band: str, snr: float, seed: int = 0):
    """A star on an unknown background, and a model whose core is wrong by half."""
    size = 129 if BANDS[band].mask is None else 181
    at = np.random.default_rng(seed).uniform(size // 2 - 0.5, size // 2 + 0.5, 2)
    scene = Scene(band, "SUB128", 1e6, Background(500.0), seed=seed, shape=(size, size))
    scene = replace(scene, exposure_time=exposure_time(scene, snr))
    psf = scene_psf(band).image((301, 301), 150.0, 150.0)
    core = np.hypot(*(np.indices(psf.shape) - 150)) < 8
    wrong = np.where(core, psf.mean(where=core), psf)  # flattened: the same share inside 8 pixels
    return scene.draw(*at)[0], at, model_curve(wrong, 150.0, 150.0)


@pytest.mark.parametrize("band", BANDS)
def test_radii_and_corrections_come_back_whatever_the_models_core(band: str):
    """Against Table 4: 0.02 pixel and 0.2 %, so bright that no band owes it to its noise.

    At a tenth of this S/N the outer radius of F2300C, whose profile is the flattest there,
    scatters by 0.03 pixel.
    """
    image, at, model = image_and_model(band, 1e7)
    found = observed_curve(image, *at, model, usual_transition(band)).aperture()
    truth = published_apertures(MIRI)[band]
    for radius in ("r_a", "r_b1", "r_b2"):
        assert getattr(found, radius) == pytest.approx(getattr(truth, radius), abs=0.02)
    assert found.correction == pytest.approx(truth.correction, rel=0.002)


def test_repeats_tell_how_well_the_radii_are_known():
    """Eight images of S/N 3000; |mean - truth| within 3.5 standard errors of each quantity."""
    curves = []
    for seed in range(8):
        image, at, model = image_and_model("F770W", 3000.0, seed)
        curves.append(observed_curve(image, *at, model, 41.0))
    found, truth = combine(curves), published_apertures(MIRI)["F770W"]
    for name in ("r_a", "r_b1", "r_b2"):
        off = getattr(found.aperture, name) - getattr(truth, name)
        scatter = getattr(found.aperture, f"{name}_unc")
        assert 0 < scatter < 0.5 and abs(off) < 3.5 * scatter / np.sqrt(8)
    off = found.fixed_correction - truth.correction
    assert abs(off) < 3.5 * found.fixed_correction_unc / np.sqrt(8)
    assert found.fixed_correction_unc < 0.003
    assert found.aperture.correction_unc == found.fixed_correction_unc


def test_the_background_is_found_with_the_profile():
    image, at, model = image_and_model("F1000W", 1e5)
    one = observed_curve(image, *at, model, 41.0).aperture()
    two = observed_curve(image - 12345.0, *at, model, 41.0).aperture()
    assert two.r_b2 == pytest.approx(one.r_b2, abs=1e-5)


def test_missing_pixels_do_no_harm():
    image, at, model = image_and_model("F1500W", 1e6)
    holes = image.copy()
    holes[np.random.default_rng(1).random(image.shape) < 0.02] = np.nan
    one, two = (observed_curve(each, *at, model, 41.0).aperture() for each in (image, holes))
    assert two.r_a == pytest.approx(one.r_a, abs=0.05)
    holes[(np.hypot(*(np.indices(image.shape) - 64)) > 20) & (np.indices(image.shape)[0] > 50)] = (
        np.nan
    )
    with pytest.raises(InputError, match=r"less than half of the annulus at 2\d\.?\d* pixels"):
        observed_curve(holes, *at, model, 41.0)


def test_a_correction_by_hand():
    """E = r / 20: 70, 80, 85 % at 14, 16, 17; S = 0.05 x 196 / 33, by any aperture alike."""
    curve = straight(1 / 20)
    aperture = curve.aperture()
    assert (aperture.r_a, aperture.r_b1, aperture.r_b2) == pytest.approx((14, 16, 17))
    assert aperture.correction == pytest.approx(1 / (0.7 - 0.05 * 196 / 33))
    assert curve.correction(aperture) == pytest.approx(aperture.correction)
    other = Aperture(10.0, 12.0, 15.0)
    assert curve.correction(other) == pytest.approx(1 / (0.5 - 0.15 * 100 / 81))


def test_the_covariance_is_that_of_the_observations_by_hand():
    """Radii of three curves are 0.9, 1, 1.1 times as large: all move together, A_cor stays."""
    found = combine([straight(1 / (20 * size)) for size in (0.9, 1.0, 1.1)])
    assert (found.aperture.r_a, found.aperture.r_a_unc) == pytest.approx((14, 1.4))
    assert found.covariance[0, 2] == pytest.approx(1.4 * 1.7)
    assert found.covariance[0, 3] == pytest.approx(0, abs=1e-9)
    # In the mean aperture the energies differ: E grows by 1 / 0.9, 1, 1 / 1.1 and so A falls.
    factors = np.array([0.9, 1.0, 1.1]) * found.aperture.correction
    assert found.fixed_correction == pytest.approx(factors.mean())
    assert found.fixed_correction_unc == pytest.approx(factors.std(ddof=1))


def test_one_observation_knows_no_scatter():
    found = combine([straight(1 / 20)])
    assert np.isnan(found.fixed_correction_unc) and np.all(np.isnan(found.covariance))


def test_a_model_in_other_units_or_finer_pixels_is_the_same_model():
    psf = scene_psf("F770W")
    plain = model_curve(psf.image((201, 201), 100.0, 100.0), 100.0, 100.0)
    assert plain.at(4.22) == pytest.approx(0.7, abs=3e-4)
    assert plain.energy[-1] == pytest.approx(float(psf.encircled_energy(plain.radii[-1])), abs=1e-4)
    whole = 7.0 * psf.image((201, 201), 100.0, 100.0)
    share = psf.image((201, 201), 100.0, 100.0).sum()
    assert model_curve(whole, 100.0, 100.0).at(4.22) == pytest.approx(plain.at(4.22) / share)
    twice = replace(psf, widths=2 * psf.widths)
    fine = model_curve(twice.image((401, 401), 200.0, 200.0), 200.0, 200.0, scale=0.5)
    assert fine.at(10.0) == pytest.approx(plain.at(10.0), abs=5e-4)


def test_what_does_not_reach_far_enough_is_refused():
    image, at, model = image_and_model("F770W", 1000.0)
    with pytest.raises(InputError, match=r"the image reaches 6\d\.\d pixels from the star; the tr"):
        observed_curve(image, *at, model, transition=80.0)
    short = EnergyCurve(model.radii[:100], model.energy[:100])
    with pytest.raises(InputError, match=r"the model PSF reaches 24\.8 pixels from the star"):
        observed_curve(image, *at, short, 41.0)
    with pytest.raises(InputError, match="the observed profile does not fall with the model's"):
        observed_curve(-image, *at, model, 41.0)
    with pytest.raises(ValueError, match=r"the encircled energy does not reach 0\.85"):
        combine([EnergyCurve(RADII, 0.8 * np.minimum(RADII / 20, 1.0))])


def test_a_psf_of_small_pixels_reaches_as_far_as_its_image():
    """41 pixels of half the nominal side: 10.25 nominal pixels from the centre to the edge."""
    curve = model_curve(np.full((41, 41), 1 / 41**2), 20.0, 20.0, 0.5)
    assert 9.75 <= curve.radii[-1] <= 10.25
    # A round aperture of r nominal pixels holds pi (2 r)^2 of the 1681 pixels.
    assert curve.at(5.0) == pytest.approx(np.pi * 100 / 1681, rel=1e-6)
