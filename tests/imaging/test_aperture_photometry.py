from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from photutils.aperture import ApertureStats, CircularAnnulus, CircularAperture, aperture_photometry

from miri_facts import BANDS, MIRI
from mirical.imaging.aperture_photometry import measure
from mirical.imaging.image_files import Unmeasurable
from mirical.imaging.star_finding import centre_of_mass
from mirical.simulation.scene_psf import scene_psf
from mirical.simulation.scenes import Background, Scene, exposure_time
from mirical.tables.apertures import published_apertures
from mirical.validation.scene_study import image_of, random_scene, subarrays_of

AT = 120.3, 130.7


def scene(band="F770W", **changes) -> Scene:
    made = Scene(band, "SUB256", 20000.0, Background(18.0), exposure_time=60.0, seed=5)
    return replace(made, **changes)


@pytest.mark.parametrize("uneven", [False, True], ids=["flat", "uneven"])
def test_the_flux_is_unbiased_and_its_error_is_the_scatter(uneven: bool):
    """280 scenes over all bands and subarrays, S/N 50 to 1000.

    False alarm 1 in 1000 each: mean pull within 3.3 / sqrt(280), spread within
    3.3 / sqrt(560) of one (structured backgrounds: 1.0 to 1.2, see reports/validation).
    """
    random = np.random.default_rng(59720)
    pulls, offsets, errors = [], [], []
    for band in BANDS:
        for i in range(20):
            subarray = subarrays_of(band)[i % len(subarrays_of(band))]
            made, at = random_scene(band, subarray, random, uneven)
            found = measure(image_of(made, at), published_apertures(MIRI)[band])
            assert not found.flag, (band, subarray, found.reason)
            pulls.append((found.iflux - made.aperture_rate) / found.ifluxunc)
            offsets.append(found.iflux / made.aperture_rate - 1)
            errors.append(found.ifluxunc / found.iflux)
    assert abs(np.mean(pulls)) < 0.2
    low, high = (0.86, 1.14) if not uneven else (0.86, 1.2)
    assert low < np.std(pulls) < high
    weights = 1 / np.array(errors) ** 2
    assert abs(np.average(offsets, weights=weights)) < 0.001


@pytest.mark.parametrize("band", BANDS)
def test_a_bright_star_loses_nothing(band: str):
    """Without noise the flux is Table 4's share: 0.1 % anywhere in a pixel, 0.02 % on average.

    What is left at one position is the sharing out of edge pixels by area.
    """
    made = scene(band, rate=1e6, exposure_time=1e12)
    lost = []
    for x, y in np.random.default_rng(2).uniform(127.5, 128.5, (24, 2)):
        found = measure(image_of(made, (x, y)), published_apertures(MIRI)[band])
        lost.append(found.iflux / made.aperture_rate - 1)
        assert np.hypot(found.position.x - x, found.position.y - y) < 0.01
    assert np.max(np.abs(lost)) < 1e-3
    assert abs(np.mean(lost)) < 2e-4


def test_the_sums_are_those_of_plain_photutils():
    image = image_of(scene(), AT)
    aperture = published_apertures(MIRI)["F770W"]
    found = measure(image, aperture)
    position = found.position.x, found.position.y
    circle = CircularAperture(position, aperture.r_a)
    plain = aperture_photometry(image.data, circle, method="exact")["aperture_sum"][0]
    assert found.aperture_sum == pytest.approx(plain, rel=1e-9)
    assert found.iflux == pytest.approx(plain - circle.area * found.background.level, rel=1e-9)
    ring = CircularAnnulus(position, aperture.r_b1, aperture.r_b2)
    everything = ApertureStats(image.data, ring, sum_method="exact")
    # 400 pixels, of which the clipping leaves out a few beyond three sigma
    assert found.background.clipped < 8
    per_pixel = found.background.scatter / np.sqrt(ring.area)
    assert abs(found.background.level - everything.sum / ring.area) < per_pixel
    share = circle.to_mask(method="exact").to_image(image.data.shape)
    assert found.noise_unc == pytest.approx(np.sqrt(np.sum((share * image.err) ** 2)), rel=1e-9)
    # The mean of some 400 pixels, the noise of one known to 4 % by their scatter
    assert found.background_unc == pytest.approx(circle.area * per_pixel, rel=0.1)
    parts = found.noise_unc, found.background_unc, found.structure_unc
    assert found.ifluxunc == pytest.approx(np.linalg.norm(parts), rel=1e-9)


def test_what_a_smooth_annulus_holds_is_kept_whole():
    """The star's wings fall across the annulus; clipping about the mean would take their top."""
    image = image_of(scene("F1130W", rate=1e6, exposure_time=1e6), AT)
    aperture = published_apertures(MIRI)["F1130W"]
    found = measure(image, aperture)
    ring = CircularAnnulus((found.position.x, found.position.y), aperture.r_b1, aperture.r_b2)
    plain = ApertureStats(image.data, ring, sum_method="exact").sum / ring.area
    wings = plain - 18.0
    assert found.background.level - 18.0 == pytest.approx(wings, rel=2e-3)


def test_a_neighbour_in_the_annulus_is_left_out_and_flagged():
    image = image_of(scene(), AT)
    alone = measure(image, published_apertures(MIRI)["F770W"])
    beside = 4000 * scene_psf("F770W").image(image.data.shape, AT[0] + 11, AT[1])
    found = measure(replace(image, data=image.data + beside), published_apertures(MIRI)["F770W"])
    assert not alone.flag and found.flag == "crowded"
    assert found.reason == "a neighbour 19 % as bright lies in the annulus or inside it"
    assert found.iflux == pytest.approx(alone.iflux, rel=0.01)


def test_a_neighbour_at_the_level_of_noise_is_none():
    faint = replace(scene(), rate=2000.0, exposure_time=1.0)
    faint = replace(faint, exposure_time=exposure_time(faint, 50))
    assert not measure(image_of(faint, AT), published_apertures(MIRI)["F770W"]).flag


def with_gap(image, *pixels):
    data = image.data.copy()
    for x, y in pixels:
        data[y, x] = np.nan
    return replace(image, data=data)


def test_few_gaps_are_filled_within_their_error():
    """One missing pixel anywhere in the aperture but the core: pulls against the whole aperture."""
    image, aperture = image_of(scene("F1280W"), AT), published_apertures(MIRI)["F1280W"]
    whole = measure(image, aperture)
    pulls = []
    for dx in range(-4, 5):
        for dy in range(-4, 5):
            if not 1.7 < np.hypot(dx, dy) < 4:
                continue
            found = measure(with_gap(image, (120 + dx, 131 + dy)), aperture)
            assert found.interpolated == 1
            added = np.sqrt(max(found.noise_unc**2 - whole.noise_unc**2, 1e-9))
            pulls.append((found.iflux - whole.iflux) / np.hypot(added, 0.2 * whole.noise_unc))
    assert np.std(pulls) < 1.5
    assert abs(found.iflux / whole.iflux - 1) < 0.002


def test_gaps_that_cannot_be_filled_are_refused():
    image, aperture = image_of(scene(), AT), published_apertures(MIRI)["F770W"]
    with pytest.raises(Unmeasurable, match="pixels in the star's core have no data"):
        measure(with_gap(image, (120, 131)), aperture)
    row = [(x, 134) for x in range(117, 124)]
    with pytest.raises(Unmeasurable, match=r"\d+ % of the aperture has no data; up to 5 % could"):
        measure(with_gap(image, *row), aperture)
    hollow = image.data.copy()
    radius = np.hypot(*(np.indices(hollow.shape)[::-1] - np.array(AT)[:, None, None]))
    hollow[(radius > 8) & (radius < 14)] = np.nan
    with pytest.raises(Unmeasurable, match=r"only \d+ % of the background annulus has data"):
        measure(replace(image, data=hollow), aperture)


def test_a_star_on_the_edge_or_off_the_image_is_refused():
    aperture = published_apertures(MIRI)["F770W"]
    with pytest.raises(Unmeasurable, match=r"is 2\.\d pixels from the edge, nearer than"):
        measure(image_of(scene(), (2.3, 100.0)), aperture)
    with pytest.raises(Unmeasurable, match=r"off the image: expected at pixel \(-20, 100\) of 256"):
        measure(image_of(scene(), (-20.0, 100.0)), aperture)
    with pytest.raises(Unmeasurable, match="no source above 5 sigma within 59 pixels"):
        measure(replace(image_of(scene(rate=1e-3), AT)), aperture)


def test_part_of_an_annulus_is_enough():
    """At 12 pixels from the edge a fifth of the annulus lies outside."""
    made = scene()
    found = measure(image_of(made, (12.2, 130.7)), published_apertures(MIRI)["F770W"])
    assert (found.iflux - made.aperture_rate) / found.ifluxunc == pytest.approx(0, abs=3.5)
    assert not found.flag


def test_saturated_pixels_flag_the_row():
    image = image_of(scene(), AT)
    saturated = np.zeros(image.data.shape, dtype=bool)
    saturated[131, 120] = True
    found = measure(replace(image, saturated=saturated), published_apertures(MIRI)["F770W"])
    assert (found.flag, found.reason) == ("saturated", "1 pixels of the aperture are saturated")
    saturated[:] = False
    saturated[131, 140] = True
    assert not measure(replace(image, saturated=saturated), published_apertures(MIRI)["F770W"]).flag


def test_sub64_takes_the_brightest_source_where_coordinates_fail():
    made = scene(subarray="SUB64", shape=(64, 72))
    image = replace(image_of(made, (33.2, 30.7)), expected=((-300.0, 30.0),))
    found = measure(image, published_apertures(MIRI)["F770W"])
    assert found.position.note == "coordinates off the image: brightest source taken"
    assert found.position.x == pytest.approx(33.2, abs=0.02)
    assert np.isnan(found.position.offset)


def test_the_source_nearest_the_coordinates_is_not_left_for_a_brighter_one():
    image = image_of(scene(), AT)
    brighter = 5e5 * scene_psf("F770W").image(image.data.shape, AT[0] + 50, AT[1])
    found = measure(replace(image, data=image.data + brighter), published_apertures(MIRI)["F770W"])
    assert found.position.x == pytest.approx(AT[0], abs=0.1)


def test_central_rate_holds_the_background():
    made = scene(exposure_time=1e9)
    found = measure(image_of(made, (120.0, 131.0)), published_apertures(MIRI)["F770W"])
    peak = made.expected(120.0, 131.0)[131, 120]
    assert found.pixrate == pytest.approx(peak, rel=1e-4)


def test_central_rate_holds_a_background_that_was_subtracted():
    image, aperture = image_of(scene(), AT), published_apertures(MIRI)["F770W"]
    exposure = replace(image.exposure, subtracted=3.0)
    gain = measure(replace(image, exposure=exposure), aperture).pixrate
    assert gain - measure(image, aperture).pixrate == pytest.approx(3.0)


def test_a_slope_does_not_move_the_centre():
    """A slope of 2 % of the peak a pixel, the star 0.3 pixel off a pixel's centre."""
    y, x = np.indices((61, 61))
    star = np.exp(-0.5 * ((x - 30.3) ** 2 + (y - 29.8) ** 2) / 1.5**2)
    found = centre_of_mass(star + 0.02 * x - 0.01 * y, (30, 30), 4.0)
    assert found == pytest.approx((30.3, 29.8), abs=0.02)
