from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table
from astropy.wcs import WCS
from photutils.aperture import CircularAperture
from stdatamodels.jwst import datamodels

from miri_facts import BANDS, MIRI
from mirical.cli import main
from mirical.simulation.scene_images import TITLE, Target, exposures, mosaic
from mirical.simulation.scene_psf import scene_psf
from mirical.simulation.scenes import Background, Scene, exposure_time
from mirical.tables.apertures import published_apertures

SCENE = Scene("F1000W", "SUB64", 5000.0, Background(30.0), exposure_time=40.0, seed=3)


@pytest.mark.parametrize("band", BANDS)
def test_the_psf_goes_through_the_radii_of_table_4(band: str):
    """On pixels, averaged over 36 sub-pixel places; 1e-4 is a fiftieth of the radii's scatter."""
    aperture, psf = published_apertures(MIRI)[band], scene_psf(band)
    radii = aperture.r_a, aperture.r_b1, aperture.r_b2
    assert psf.encircled_energy(np.array(radii)) == pytest.approx([0.7, 0.8, 0.85], abs=1e-9)
    assert psf.radius(0.7) == pytest.approx(aperture.r_a, abs=1e-6)
    sums = []
    for place in np.random.default_rng(1).uniform(49.5, 50.5, (36, 2)):
        image = psf.image((101, 101), *place)
        circles = [CircularAperture(place, radius) for radius in radii]
        sums.append([circle.do_photometry(image, method="exact")[0][0] for circle in circles])
        assert np.all(image >= 0)
    assert np.mean(sums, axis=0) == pytest.approx([0.7, 0.8, 0.85], abs=1e-4)
    assert psf.weights.sum() == pytest.approx(1, abs=1e-9)
    outward = psf.image((1, 301), 0.0, 0.0)[0]
    assert np.all(np.diff(outward[:200]) <= 0)


def test_noise_has_the_variance_that_is_stated():
    """Pulls of 4608 pixels: standard deviation within 3.3 / sqrt(9216) of one."""
    image, photon, read = SCENE.draw(33.0, 31.0)
    pulls = (image - SCENE.expected(33.0, 31.0)) / np.sqrt(photon + read)
    assert np.std(pulls) == pytest.approx(1, abs=0.035)
    assert photon[5, 5] == pytest.approx(30.0 / (3.1 * 40), rel=0.05)
    assert read[0, 0] == pytest.approx((14.0 / (3.1 * 40)) ** 2)


def test_a_background_has_the_slope_and_structure_that_are_stated():
    level = Background(100.0, (0.1, -0.2), 0.05, 4.0).image((128, 128), 1)
    flat = Background(100.0, (0.1, -0.2)).image((128, 128), 1)
    assert flat[64, -1] - flat[64, 0] == pytest.approx(10.0)
    assert flat[-1, 64] - flat[0, 64] == pytest.approx(-20.0)
    assert np.std(level - flat) == pytest.approx(5.0, rel=1e-6)
    rough = level - flat
    beside = np.corrcoef(rough[:, 1:].ravel(), rough[:, :-1].ravel())[0, 1]
    # 80 independent patches: 1 - 0.984 is found to 15 %
    assert beside == pytest.approx(np.exp(-1 / (4 * 16)), abs=0.008)


def test_the_exposure_time_gives_the_ratio_asked_for():
    """Error of the aperture's sum less the annulus's mean, by the pixels' own variances."""
    made = replace(SCENE, exposure_time=exposure_time(SCENE, 200.0))
    aperture = published_apertures(MIRI)["F1000W"]
    photon, read = made.variances(made.expected(33.0, 31.0))
    circle = CircularAperture((33.0, 31.0), aperture.r_a)
    inside = circle.do_photometry(photon + read, method="exact")[0][0]
    ring = np.pi * (aperture.r_b2**2 - aperture.r_b1**2)
    per_pixel = (photon + read)[0, 0]
    error = np.sqrt(inside + per_pixel * circle.area**2 / ring)
    assert made.aperture_rate / error == pytest.approx(200, rel=0.02)


def test_dithers_share_background_and_dead_pixels_and_move_the_star(tmp_path: Path):
    background = Background(30.0, structure=0.3)
    made = replace(SCENE, rate=1e5, bad_fraction=0.01, background=background, exposure_time=1e6)
    places = [(30.2, 30.7), (40.1, 33.6)]
    models = exposures(made, Target(motion=(0.5, 0.5)), places)
    for i, (model, place) in enumerate(zip(models, places, strict=True)):
        path = tmp_path / f"{i}.fits"
        model.save(str(path))
        with datamodels.open(path) as again:
            assert again.meta.program.title == TITLE
            there = again.meta.wcs.invert(again.meta.target.ra, again.meta.target.dec)
            assert there == pytest.approx(place, abs=1e-6)
            row, column = np.unravel_index(np.nanargmax(again.data), again.data.shape)
            assert abs(column - place[0]) < 1 and abs(row - place[1]) < 1
            dead = (again.dq & 1) > 0
            assert np.array_equal(dead, np.isnan(again.data)) and dead.sum() > 20
    assert np.array_equal(models[0].dq, models[1].dq)
    corners = [model.data[:10, :15].ravel() for model in models]
    valid = np.isfinite(corners[0])
    same = np.corrcoef(corners[0][valid], corners[1][valid])[0, 1]
    assert same > 0.99


@pytest.mark.slow
def test_a_program_as_images_is_recovered(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """Images of one band, measured, are the rows the truth gives: 62 pulls of the flux.

    False alarm 1 in 1000 each: mean within 3.3 / sqrt(62), largest below 4.2.
    """
    folder, rows = tmp_path / "simulated", tmp_path / "rows.ecsv"
    arguments = ["--truth", "perturbed", "--mosaics", "FND", "F1065C", "--out", str(folder)]
    assert main(["simulate", "--seed", "7", *arguments]) == 0
    assert "SIMULATED mosaics" in capsys.readouterr().out
    truth = Table.read(folder / "truth.ecsv")
    assert truth.meta["simulated"]
    assert main(["photometry", str(folder / "mosaics"), "--out", str(rows)]) == 0
    from mirical.simulation.scene_program import scene_program

    expected = scene_program(7, "perturbed").photometry
    found = Table.read(rows)
    number = [int(name.split("_")[1]) - 1 for name in found["file"]]
    for column in ("name", "PID", "srctype", "filter", "subarray"):
        assert list(found[column]) == [str(expected[column][i]) for i in number]
    assert found["time"] == pytest.approx(expected["time"][number].value)
    pulls = (found["iflux"] - expected["iflux"][number].value) / found["ifluxunc"]
    assert len(pulls) > 15
    assert abs(np.mean(pulls)) < 3.3 / np.sqrt(len(pulls)) and np.max(np.abs(pulls)) < 4.2
    ratio = found["ifluxunc"] / expected["ifluxunc"][number].value
    assert np.median(ratio) == pytest.approx(1, abs=0.1)


REAL = (
    "DATE-BEG EXPOSURE EXPMID EXPSTART EXP_TYPE FILTER MU_DEC MU_EPOCH MU_RA NGROUPS NINTS "
    "READPATT SUBARRAY TARGNAME TARG_DEC TARG_RA TFRAME TGROUP"
).split()
"""Keywords of the primary header of every real mosaic that other tools read."""


@pytest.mark.filterwarnings("ignore:'datfix' made the change")  # of the pipeline's products too
def test_a_mosaic_has_what_other_tools_read(tmp_path: Path):
    """Plain FITS readers know no gwcs; the data model's WCS and theirs are one."""
    scene = Scene("F770W", "SUB128", 5000.0, Background(18.0), bad_fraction=0.01, seed=1)
    made = mosaic(scene, Target(motion=(0.3, -0.2)), (70.3, 55.8))
    made.save(str(tmp_path / "a_i2d.fits"), checksum=True)
    with fits.open(tmp_path / "a_i2d.fits", checksum=True) as extensions:
        primary, header = extensions[0].header, extensions["SCI"].header
        assert [keyword for keyword in REAL if keyword not in primary] == []
        assert primary["TITLE"].startswith("SIMULATED")
        assert header["PHOTMJSR"] == 0.35 and header["BUNIT"] == "MJy/sr"
        assert (primary["READPATT"], primary["NINTS"], primary["NGROUPS"]) == ("FASTR1", 5, 168)
        reached = np.isfinite(extensions["SCI"].data)
        assert np.array_equal(extensions["WHT"].data, np.where(reached, 100.0, 0.0))
        assert np.array_equal(extensions["CON"].data[0], np.where(reached, 15, 0))
        plain = WCS(header)
    assert plain.array_shape == scene.size and plain.wcs.radesys == "ICRS"
    x, y = np.random.default_rng(1).uniform(0, 127, (2, 50))
    sky = made.meta.wcs(x, y)
    there = plain.world_to_pixel_values(*sky)
    assert np.max(np.hypot(there[0] - x, there[1] - y)) < 1e-6
    star = plain.world_to_pixel_values(primary["TARG_RA"], primary["TARG_DEC"])
    assert star == (pytest.approx(70.3, abs=1e-6), pytest.approx(55.8, abs=1e-6))
