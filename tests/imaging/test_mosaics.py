"""Mosaics: flux, errors and header of what is resampled; the settings of the stages before."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from jwst.pipeline import Detector1Pipeline, Image2Pipeline, Image3Pipeline
from jwst.resample import ResampleStep
from photutils.aperture import CircularAperture
from stdatamodels.jwst import datamodels

from dithered import CENTRE, FACTOR, dithers, scene
from miri_facts import BANDS, MIRI, PIXEL_SOLID_ANGLE
from mirical.errors import InputError
from mirical.imaging.aperture_photometry import measure
from mirical.imaging.background import subtract_background
from mirical.imaging.dithers import band_of
from mirical.imaging.encircled_energy import combine, model_curve, observed_curve
from mirical.imaging.images import read_image
from mirical.imaging.mosaics import mosaic, save_mosaic
from mirical.imaging.star_finding import locate
from mirical.pipeline_settings import PIPELINE_SETTINGS, settings_text
from mirical.simulation.scene_images import Target, exposures
from mirical.simulation.scene_psf import scene_psf
from mirical.simulation.scenes import Background
from mirical.tables.apertures import published_apertures
from photometric import net_rate


@pytest.fixture(scope="module")
def made() -> datamodels.ImageModel:
    """A mosaic of four exposures of unlike epochs, background subtracted."""
    models = dithers(scene(rate=1e5), motion=(0.3, -0.2), program="4498")
    for i, model in enumerate(models):
        model.meta.exposure.mid_time += 0.01 * i
    return mosaic(subtract_background(models))


@pytest.mark.parametrize(
    ("band", "loss", "phase"),
    [("F560W", 0.0001, 0.0001), ("F1000W", 0.0058, 0.0013), ("F1500W", 0.0036, 0.0008)],
)
def test_resampling_broadens_the_star_by_what_the_module_says(band: str, loss: float, phase: float):
    star = scene(band)
    flux = net_rate(mosaic(dithers(star)), band)
    assert flux / star.aperture_rate - 1 == pytest.approx(-loss, abs=phase)


def test_surface_brightness_and_pixel_area_keep_the_light(made: datamodels.ImageModel):
    star = scene(rate=1e5)
    photometry = made.meta.photometry
    assert photometry.pixelarea_arcsecsq == pytest.approx(0.11**2, rel=1e-6)
    rows, columns = np.indices(made.data.shape)
    x, y = made.meta.wcs.invert(made.meta.target.ra, made.meta.target.dec)
    disc = np.hypot(columns - x, rows - y) < 12  # under the mask, where nothing is taken away
    area = photometry.pixelarea_steradians / PIXEL_SOLID_ANGLE.value
    found = made.data[disc].sum(dtype=float) * area / FACTOR
    image = star.expected(CENTRE, CENTRE) - 100.0
    rows, columns = np.indices(image.shape)
    inside = image[np.hypot(columns - CENTRE, rows - CENTRE) < 12 * area**0.5].sum()
    assert found == pytest.approx(inside, rel=0.005)


def test_added_in_quadrature_the_errors_are_the_scatter_of_an_aperture():
    sky = scene(rate=1.0, background=Background(200.0), exposure_time=400.0, shape=(200, 200))
    models = dithers(sky, 16, 100)
    made = mosaic(models)
    x, y = (grid.ravel() for grid in np.meshgrid(np.arange(30, 180, 9), np.arange(30, 180, 9)))
    ra, dec = made.meta.wcs(x, y)

    def sums(model: datamodels.ImageModel) -> tuple[np.ndarray, np.ndarray]:
        """Return the sums and their variances in some 300 apertures on an empty sky."""
        at = np.transpose(model.meta.wcs.invert(ra, dec, with_bounding_box=False))
        scale = model.meta.photometry.pixelarea_steradians / PIXEL_SOLID_ANGLE.value
        circles = CircularAperture(at, 4.6 * scale**-0.5)
        data, variance = np.asarray(model.data, float), np.asarray(model.err, float) ** 2
        found, uncertain = (circles.do_photometry(each)[0] for each in (data, variance))
        return found * scale, uncertain * scale**2

    each, variances = np.mean([sums(model) for model in models], axis=0)
    together, unc = sums(made)
    # The exposures' pixels are independent: their own scatter takes the luck out of the draw.
    luck = np.std(each) / np.sqrt(np.mean(variances) / len(models))
    assert np.std(together) / np.sqrt(np.mean(unc)) == pytest.approx(luck, rel=0.05)
    assert luck == pytest.approx(1, abs=0.15)


def test_the_header_is_that_of_the_exposures(made: datamodels.ImageModel):
    meta = made.meta
    assert meta.instrument.filter == "F1000W" and meta.subarray.name == "SUB256"
    there = Target(motion=(0.3, -0.2)).position()
    assert (meta.target.ra, meta.target.dec) == pytest.approx(there, abs=1e-9)
    assert (meta.target.proper_motion_ra, meta.target.proper_motion_dec) == (0.3, -0.2)
    assert meta.target.catalog_name == "BD+60 1753"
    assert meta.observation.program_number == "04498"
    assert meta.program.title == "SIMULATED by mirical"
    assert meta.exposure.mid_time == pytest.approx(59800.015, abs=1e-9)
    assert meta.exposure.integration_time == 20.0
    assert meta.exposure.exposure_time == pytest.approx(1e14)
    assert meta.photometry.conversion_megajanskys == FACTOR
    assert meta.bunit_data == "MJy/sr" and meta.resample.pointings == 4


def test_the_header_says_what_was_done(made: datamodels.ImageModel):
    resample, step = made.meta.resample, made.meta.cal_step
    assert (resample.kernel, resample.weight_type) == ("square", "exptime")
    assert step.resample == "COMPLETE"
    assert {step.tweakreg, step.skymatch, step.outlier_detection} == {"SKIPPED"}
    background = made.meta.background
    assert background.subtracted is True and background.method == "custom mean of 4 exposures"
    assert background.level == pytest.approx(FACTOR * 100, rel=0.1)


def test_the_level_subtracted_counts_exposures_by_their_time():
    models = dithers(scene(), count=2)
    for model, level, time in zip(models, (1.0, 5.0), (100.0, 300.0), strict=True):
        model.meta.background.subtracted, model.meta.background.level = True, level
        model.meta.exposure.exposure_time = time
    assert mosaic(models).meta.background.level == pytest.approx(4.0)


def test_a_background_left_in_is_not_claimed_to_be_subtracted():
    made = mosaic(dithers(scene(), count=2))
    assert not made.meta.background.subtracted
    assert made.data[60, 60] == pytest.approx(FACTOR * 100, rel=0.1)


def test_exposures_are_left_as_they_are_and_the_scale_can_be_chosen():
    models = dithers(scene(), count=2)
    models[0].data[3, 3] = np.nan  # which resampling would flag
    before = models[0].dq.copy()
    made = mosaic(models, pixel_scale=0.22)
    np.testing.assert_array_equal(models[0].dq, before)
    assert made.meta.photometry.pixelarea_arcsecsq == pytest.approx(0.22**2, rel=1e-6)


def test_a_coronagraphs_header_stays_as_it_was_given():
    models = dithers(scene("F1550C", subarray="MASK1550"), count=2, filter_keyword="F1500W")
    made = mosaic(models)
    meta = made.meta
    assert (meta.instrument.filter, meta.subarray.name) == ("F1500W", "MASK1550")
    assert band_of(made) is BANDS["F1550C"]


def test_exposures_of_two_observations_are_refused():
    models = dithers(scene(), count=2)
    models[1].meta.instrument.filter = "F770W"
    with pytest.raises(InputError, match="filter is 'F770W' but that of .* is 'F1000W'; give"):
        mosaic(models)


def test_a_mosaic_comes_back_from_its_file(made: datamodels.ImageModel, tmp_path: Path):
    path = tmp_path / "new" / "star_i2d.fits"
    save_mosaic(made, path)
    assert list(path.parent.iterdir()) == [path]
    with datamodels.ImageModel(path) as read:
        np.testing.assert_array_equal(read.data, made.data)
        np.testing.assert_array_equal(read.err, made.err)
        assert read.meta.filename == "star_i2d.fits"
        assert read.meta.wcs(10, 20) == pytest.approx(made.meta.wcs(10, 20), abs=1e-10)


def test_a_mosaic_that_cannot_be_written_leaves_nothing(
    made: datamodels.ImageModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def full(self: object, path: str, **options: object) -> None:
        Path(path).write_bytes(b"half")
        raise OSError(28, "No space left on device")

    old = tmp_path / "star_i2d.fits"
    old.write_bytes(b"old")
    monkeypatch.setattr(datamodels.ImageModel, "save", full)
    with pytest.raises(InputError, match=r"star_i2d.fits: cannot be written \(No space left"):
        save_mosaic(made, old)
    assert list(tmp_path.iterdir()) == [old] and old.read_bytes() == b"old"


PIPELINES = {
    "calwebb_detector1": Detector1Pipeline,
    "calwebb_image2": Image2Pipeline,
    "calwebb_image3": Image3Pipeline,
}


@pytest.mark.parametrize("pipeline", PIPELINES)
def test_the_pipeline_knows_every_setting(pipeline: str):
    steps = PIPELINES[pipeline].step_defs
    for step, parameters in PIPELINE_SETTINGS[pipeline].items():
        known = steps[step].load_spec_file()
        assert set(parameters) <= set(known), step


def test_the_settings_are_those_of_section_2():
    skipped = {
        (pipeline, step)
        for pipeline, steps in PIPELINE_SETTINGS.items()
        for step, parameters in steps.items()
        if parameters.get("skip")
    }
    assert skipped == {
        ("calwebb_detector1", "emicorr"),
        *(
            ("calwebb_image3", step)
            for step in ("outlier_detection", "tweakreg", "skymatch", "source_catalog")
        ),
    }
    assert "calwebb_detector1: jump.find_showers = False" in settings_text()
    step = ResampleStep(**PIPELINE_SETTINGS["calwebb_image3"]["resample"])
    assert (step.kernel, step.weight_type, step.pixel_scale) == ("square", "exptime", 0.11)


@pytest.mark.slow
def test_radii_measured_on_mosaics_make_up_for_the_broadening(tmp_path: Path):
    """F1000W loses 0.6 % in Table 4's aperture; 0.15 % covers the phases of four dithers."""
    star = scene(shape=(128, 128))
    psf = scene_psf("F1000W").image((201, 201), 100.0, 100.0)
    model = model_curve(psf, 100.0, 100.0)
    images, random = [], np.random.default_rng(0)
    for i in range(8):
        corners = np.array([(-9, -9), (9, -9), (-9, 9), (9, 9)]) + random.random((4, 2))
        resampled = mosaic(exposures(star, Target(factor=FACTOR), CENTRE + corners))
        save_mosaic(resampled, tmp_path / f"{i}_i2d.fits")
        images.append(read_image(tmp_path / f"{i}_i2d.fits"))
    published = published_apertures(MIRI)["F1000W"]
    curves = []
    for image in images[:4]:
        position = locate(image, published.r_a, published.r_b2)
        curve = observed_curve(image.data, position.x, position.y, model, 40.0, pixel=image.scale)
        curves.append(curve)
    measured = combine(curves).aperture
    by_own, by_table = (
        [measure(image, own).iflux * own.correction / star.rate - 1 for image in images[4:]]
        for own in (measured, published)
    )
    assert np.mean(by_table) < -0.003 and abs(np.mean(by_own)) < 0.0015
