"""The custom background: what it removes, what it leaves of the star, what errors it makes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from stdatamodels.jwst import datamodels
from stdatamodels.jwst.datamodels import dqflags

from dithered import CENTRE, FACTOR, dithers, scene
from miri_facts import MIRI
from mirical.errors import InputError
from mirical.imaging.background import (
    CustomBackground,
    custom_background,
    subtract_background,
)
from mirical.imaging.dithers import open_exposures, star_position
from mirical.simulation.scenes import Background
from photometric import net_rate

DEAD = dqflags.pixel["DO_NOT_USE"]
MASKED = 11.58 + 1  # r_b2 of F1000W in Table 4 and a pixel


def test_the_background_is_the_mean_over_the_exposures_whose_star_is_elsewhere():
    rng = np.random.default_rng(1)
    models = dithers(scene(rate=1e6))
    for model in models:
        model.data = rng.normal(50, 1, model.data.shape).astype(np.float32)
    stars = [(84, 84), (44, 84), (84, 44), (44, 44)]
    for model, (x, y) in zip(models, stars, strict=True):
        model.data[y, x] += 1e4
    image = custom_background(models, match_levels=False).image
    rows, columns = np.indices(image.shape)
    total, count = np.zeros(image.shape), np.zeros(image.shape)
    for model, (x, y) in zip(models, stars, strict=True):
        used = np.hypot(columns - x, rows - y) > MASKED
        total[used] += model.data[used]
        count[used] += 1
    assert set(np.unique(count)) == {3, 4}
    np.testing.assert_allclose(image, total / count, rtol=1e-12)


@pytest.mark.parametrize("band", ["F560W", "F1000W", "F1500W"])
def test_the_default_mask_leaves_the_flux_alone_and_the_papers_does_not(band: str):
    models = dithers(scene(band))
    flux = np.mean([net_rate(model, band) for model in models])

    def bias(radius: float | None) -> float:
        subtracted = subtract_background(models, radius)
        return float(np.mean([net_rate(model, band) for model in subtracted]) / flux - 1)

    assert abs(bias(None)) < 2e-4
    # Half a FWHM, "the region within the FWHM" as a circle: the star subtracts itself.
    assert bias(0.5) < -0.1


def test_structure_that_stays_with_the_detector_is_removed():
    star = scene(rate=5e3, background=Background(1000.0, (0.1, 0.05), structure=0.02))
    errors = []
    for models in (dithers(star), subtract_background(dithers(star))):
        flux = np.mean([net_rate(model, "F1000W") for model in models])
        errors.append(abs(flux / star.aperture_rate - 1))
    before, after = errors
    assert before > 0.005 and after < 5e-4


def test_levels_are_matched_and_recorded():
    models = dithers(scene(rate=1e3))
    plain = subtract_background(models)
    for i, model in enumerate(models):
        model.data = model.data + np.float32(2.0 * i)
    matched = subtract_background(models)
    for i, (new, old) in enumerate(zip(matched, plain, strict=True)):
        np.testing.assert_allclose(new.data, old.data, atol=2e-5)
        assert new.meta.background.subtracted is True
        assert new.meta.background.method == "custom mean of 4 exposures"
        level = new.meta.background.level
        assert level == pytest.approx(old.meta.background.level + 2.0 * i, abs=1e-4)
        # The mean of the image: the level of 100 DN/s and what of the star is outside the mask.
        assert FACTOR * 100 < old.meta.background.level < FACTOR * 101
    unmatched = subtract_background(models, match_levels=False)
    assert unmatched[3].data[2, 2] - unmatched[0].data[2, 2] == pytest.approx(6.0, abs=5e-3)


def test_the_exposures_given_are_left_as_they_are():
    models = dithers(scene())
    before = models[0].data.copy()
    subtract_background(models)
    np.testing.assert_array_equal(models[0].data, before)
    assert models[0].meta.background.subtracted is None


def test_the_variance_is_that_of_many_draws():
    # Three exposures, two pixels: the first exposure's star covers the second pixel.
    used = np.array([[[True, False]], [[True, True]], [[True, True]]])
    variances = np.array([[[1.0, 1.0]], [[4.0, 4.0]], [[9.0, 9.0]]])
    background = CustomBackground(np.zeros((1, 2)), np.zeros(3), used)
    draws = np.random.default_rng(2).normal(size=(200_000, 3, 1, 2)) * np.sqrt(variances)
    mean = (draws * used).sum(axis=1) / used.sum(axis=0)
    for i in range(3):
        scatter = (draws[:, i] - mean).var(axis=0)
        np.testing.assert_allclose(background.variance(i, variances), scatter, rtol=0.02)


def test_errors_shrink_beside_the_star_and_grow_under_it():
    models = dithers(scene(rate=1.0, exposure_time=400.0))
    models[0].data[84, 84] += 1e3  # so that the star is found
    new, old = subtract_background(models)[0], models[0]
    ratio = new.err / old.err
    assert ratio[2, 2] == pytest.approx((1 - 1 / 4) ** 0.5, rel=1e-3)
    assert ratio[84, 84] == pytest.approx((1 + 1 / 3) ** 0.5, rel=1e-2)
    np.testing.assert_allclose(new.err**2, new.var_poisson + new.var_rnoise, rtol=1e-5)


def test_bad_pixels_stay_out_of_the_mean():
    models = dithers(scene(rate=1e3))
    clean = custom_background(models).image
    models[1].data[10, 20], models[1].dq[10, 20] = 1e6, DEAD
    models[2].data[10, 21] = np.nan
    for model in models:
        model.dq[10, 22] |= DEAD
    image = custom_background(models).image
    np.testing.assert_allclose(image[10, 20:22], clean[10, 20:22], rtol=1e-4)
    assert np.isnan(image[10, 22]) and np.isnan(image).sum() == 1
    subtracted = subtract_background(models)[0]
    assert np.isnan(subtracted.data[10, 22]) and subtracted.dq[10, 22] & DEAD


def test_a_pixel_whose_background_nobody_knows_is_flagged():
    models = dithers(scene())
    for model in models[1:]:
        model.dq[84, 84] |= DEAD
    subtracted = subtract_background(models)[0]
    assert np.isnan(subtracted.data[84, 84]) and subtracted.dq[84, 84] & DEAD


def test_the_star_is_found_beside_its_coordinates_and_a_hot_pixel_is_not_it():
    model = dithers(scene())[0]
    target = model.meta.target
    target.ra, target.dec = model.meta.wcs(84.2 - 5, 84.1 + 6)
    model.data[84 + 6, 84 - 6] = 2 * model.data.max()
    assert star_position(model) == pytest.approx((84.2, 84.1), abs=0.05)


def test_the_mask_of_a_coronagraph_is_as_wide_as_its_own_band_says():
    models = dithers(scene("F1550C", subarray="MASK1550"), filter_keyword="F1500W")
    assert models[0].meta.instrument.filter == "F1500W"
    used = custom_background(models, mask_radius=3.0).used[0]
    assert (~used).sum() == pytest.approx(np.pi * (3 * MIRI.fwhm("F1550C")) ** 2, rel=0.01)
    assert not used[84, 84]


def other(**meta: str) -> list[datamodels.ImageModel]:
    """Return two exposures, the second of which differs in its header."""
    models = dithers(scene(), count=2)
    for key, value in meta.items():
        models[1][f"meta.{key.replace('__', '.')}"] = value
    return models


def far() -> list[datamodels.ImageModel]:
    models = dithers(scene(), count=2)
    models[1].meta.target.ra += 1.0
    models[1].meta.target.proposer_ra += 1.0
    return models


def twice() -> list[datamodels.ImageModel]:
    models = dithers(scene(), count=2)
    models[0].meta.background.subtracted = True
    return models


REFUSED = {
    "exposures: none given; expected the level-2 files of one": list,
    r"_00001_cal.fits: the only exposure, but a custom background": (lambda: dithers(scene())[:1]),
    r"_00002_cal.fits: filter is 'F770W' but that of .*_00001_cal.fits is 'F1000W'": (
        lambda: other(instrument__filter="F770W")
    ),
    "_00002_cal.fits: subarray is 'FULL' but that of": lambda: other(subarray__name="FULL"),
    "_00002_cal.fits: detector is 'MIRIFULONG' but": (
        lambda: other(instrument__detector="MIRIFULONG")
    ),
    "_00002_cal.fits: target is 'Vega' but that of": lambda: other(target__catalog_name="Vega"),
    "_00002_cal.fits: unit is 'DN/s' but that of": lambda: other(bunit_data="DN/s"),
    r"F1000W_SUB256_0_00001_cal.fits: has \(48, 48\) pixels but .* has \(128, 128\)": (
        lambda: dithers(scene(), count=2)[:1] + dithers(scene(shape=(48, 48)), 10, 24, 1)
    ),
    "_00002_cal.fits: the star is off the image: expected at pixel .* of 128 x 128; leave": far,
    "_00001_cal.fits: a background is subtracted already; give": twice,
    r"_00001_cal.fits: \d+ pixels are under the star's mask in all 4 exposures": (
        lambda: dithers(scene(), 10)
    ),
}


@pytest.mark.parametrize("sentence", REFUSED)
def test_exposures_without_a_custom_background_are_refused(sentence: str):
    with pytest.raises(InputError, match=sentence):
        custom_background(REFUSED[sentence]())


def test_exposures_without_a_common_pixel_have_no_levels_to_match():
    models = dithers(scene(), count=2)
    models[0].dq[:, ::2] |= DEAD
    models[1].dq[:, 1::2] |= DEAD
    with pytest.raises(InputError, match="no good pixel in common to match their levels by"):
        custom_background(models)


def written(tmp_path: Path, **changes: object) -> Path:
    model = dithers(scene(shape=(48, 48)), 10, 24, 1)[0]
    for key, value in changes.items():
        model[f"meta.{key.replace('__', '.')}"] = value
    path = tmp_path / "one_cal.fits"
    model.save(path)
    return path


def test_exposures_come_back_from_their_files(tmp_path: Path):
    path = written(tmp_path)
    (model,) = open_exposures([path])
    assert model.meta.filename == "one_cal.fits"
    assert star_position(model) == pytest.approx((29.2, 29.1), abs=0.05)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"cal_step__resample": "COMPLETE"}, "one_cal.fits: is a mosaic already; expected a"),
        ({"instrument__detector": "NRS1"}, "one_cal.fits: no image of MIRIMAGE with a sky WCS"),
        ({"wcs": None}, "one_cal.fits: no image of MIRIMAGE with a sky WCS"),
        ({"target__ra": None}, "one_cal.fits: keywords TARG_RA and TARG_DEC are missing; exp"),
        ({"instrument__filter": "F070W"}, "one_cal.fits: filter 'F070W' is not a MIRI band"),
        ({"instrument__filter": None}, "one_cal.fits: keyword FILTER is missing; expected a lev"),
    ],
)
def test_a_file_that_is_no_exposure_of_the_imager_is_refused(
    tmp_path: Path, changes: dict[str, object], sentence: str
):
    with pytest.raises(InputError, match=sentence):
        open_exposures([written(tmp_path, **changes)])


def test_a_broken_file_is_refused(tmp_path: Path):
    path = written(tmp_path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(InputError, match="one_cal.fits: not a JWST image .*; expected a level-2"):
        open_exposures([path])
    with pytest.raises(InputError, match="none_cal.fits: does not exist; expected a level-2 file"):
        open_exposures([tmp_path / "none_cal.fits"])


def test_the_centre_of_the_square_is_where_the_tests_believe():
    for model, dx, dy in zip(dithers(scene()), (20, -20, 20, -20), (20, 20, -20, -20), strict=True):
        assert star_position(model) == pytest.approx((CENTRE + dx, CENTRE + dy), abs=0.5)


def test_a_star_too_faint_to_see_is_masked_at_its_coordinates():
    model = dithers(scene(rate=1e-3, exposure_time=100.0))[0]
    assert star_position(model) == pytest.approx((84.2, 84.1), abs=1e-3)


def test_a_missing_error_stays_missing():
    """Zero is no error: it must not come out of the sum with the background's as a small one."""
    models = dithers(scene())
    for model in models:
        model.err[10, 12] = model.var_poisson[10, 12] = model.var_rnoise[10, 12] = 0.0
    for new in subtract_background(models):
        assert np.isnan(new.err[10, 12])
        assert np.isfinite(new.err[30, 12]) and new.err[30, 12] > 0
