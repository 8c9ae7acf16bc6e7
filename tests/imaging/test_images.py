from __future__ import annotations

import contextlib
import os
from dataclasses import replace
from pathlib import Path

import gwcs
import numpy as np
import pytest
from astropy.io import fits
from astropy.modeling import models

from miri_facts import MIRI
from mirical.imaging import images
from mirical.imaging.image_files import Unmeasurable
from mirical.imaging.image_headers import true_band
from mirical.imaging.images import Image, read_image
from mirical.imaging.photometry_rows import Settings, row_of
from mirical.simulation.scene_images import Target, exposures, mosaic
from mirical.simulation.scenes import Background, Scene
from mirical.tables.apertures import published_apertures

SCENE = Scene("F770W", "SUB64", 5000.0, Background(18.0), exposure_time=60.0, seed=1)
AT = 33.2, 30.7


def written(folder: Path, model) -> Path:
    path = folder / "simulated_i2d.fits"
    model.save(str(path))
    return path


def read(folder: Path, change=None, **target) -> Image:
    model = mosaic(SCENE, Target(**({"factor": 0.26} | target)), AT)
    if change is not None:
        change(model)
    return read_image(written(folder, model))


def test_an_image_is_read_back_as_it_was_drawn(tmp_path: Path):
    image = read(tmp_path, name="BD+60-1753", program="1536", mjd=59999.25)
    drawn, photon, readout = SCENE.draw(*AT)
    assert image.data == pytest.approx(drawn, rel=1e-6)  # float32 in the file
    assert image.err == pytest.approx(np.sqrt(photon + readout), rel=1e-6)
    exposure = image.exposure
    assert (exposure.name, exposure.program) == ("BD+60 1753", "1536")
    assert (exposure.band, exposure.subarray) == ("F770W", "SUB64")
    assert (exposure.mjd, exposure.integration_time) == (59999.25, 20.0)
    assert exposure.simulated and exposure.subtracted == 0
    assert exposure.reduction == ""
    assert image.scale == pytest.approx(1, rel=1e-6)


def test_a_row_states_the_pipeline_and_the_reference_files_of_its_image(tmp_path: Path):
    model = mosaic(SCENE, Target(factor=0.26), AT)
    model.meta.calibration_software_version = "1.17.1"
    model.meta.ref_file.crds.context_used = "jwst_1322.pmap"
    row = row_of(written(tmp_path, model), Settings(published_apertures(MIRI)))
    assert row["reduction"] == "1.17.1 jwst_1322.pmap"


def test_a_newer_readout_is_known_and_said_to_have_an_assumed_throughput(tmp_path: Path):
    model = mosaic(SCENE, Target(factor=0.26), AT)
    model.meta.subarray.name = "SUB64_IP"
    row = row_of(written(tmp_path, model), Settings(published_apertures(MIRI)))
    assert (row["subarray"], row["flag"]) == ("SUB64_IP", "")
    said = "SUB64_IP: no standard star was observed in it; D of SUB64 is assumed"
    assert said in row["note"]


def test_physical_units_are_undone(tmp_path: Path):
    physical, rate = read(tmp_path), read(tmp_path, physical=False)
    assert physical.data == pytest.approx(rate.data, rel=1e-6)
    assert physical.err == pytest.approx(rate.err, rel=1e-6)


def test_the_star_is_sought_where_its_motion_took_it(tmp_path: Path):
    """A star moving 5 arcsec a year is 35 arcsec, 320 pixels, from where it was in 2016."""

    def forget(model):
        model.meta.target.ra = model.meta.target.dec = None

    for mjd in (59600.0, 60500.0):
        image = read(tmp_path, forget, motion=(3.0, -4.0), mjd=mjd)
        assert image.expected == (pytest.approx(AT, abs=0.02),)

    def still(model):
        model.meta.target.proper_motion_ra = model.meta.target.proper_motion_dec = 0.0

    image = read(tmp_path, still, motion=(3.0, -4.0), mjd=60500.0)
    assert np.hypot(*(np.array(image.expected[0]) - AT)) > 300  # without the motion
    assert image.expected[1] == pytest.approx(AT, abs=1e-6)  # as the pipeline moved it


def test_a_removed_background_is_remembered(tmp_path: Path):
    def subtracted(model):
        model.meta.background.subtracted = True
        model.meta.background.level = 4.68  # MJy/sr, of 0.26 a DN/s

    assert read(tmp_path, subtracted).exposure.subtracted == pytest.approx(18.0)


def test_pixels_of_another_size_count_what_nominal_ones_would(tmp_path: Path):
    from astropy.modeling import models

    def finer(model):
        wcs = model.meta.wcs
        shrink = models.Scale(0.5) & models.Scale(0.5)
        wcs.insert_transform("detector", shrink, after=True)

    image = read(tmp_path, finer)
    assert image.scale == pytest.approx(0.5, rel=1e-6)
    assert image.data == pytest.approx(0.25 * read(tmp_path).data, rel=1e-6)


def test_bad_pixels_are_left_out_and_saturated_ones_known(tmp_path: Path):
    model = exposures(replace(SCENE, bad_fraction=0.01), Target(factor=0.26), [AT])[0]
    dq = model.dq.copy()
    dq[5, 6] |= 2
    model.data[:] = np.nan_to_num(model.data, nan=1e6)
    model.dq = dq
    image = read_image(written(tmp_path, model))
    assert np.isnan(image.data).sum() == (dq & 1).astype(bool).sum() > 20
    assert np.nanmax(image.data) < 1e5
    assert image.saturated.sum() == 1 and image.saturated[5, 6]


@pytest.mark.parametrize(
    ("keyword", "subarray", "mask", "factor", "band"),
    [
        ("F770W", "FULL", None, 0.26, "F770W"),
        ("F2550W", "SUB64", None, 0.9064 - 0.2011, "F2550W"),
        ("F1130W", "MASK1140", None, 2.87, "F1140C"),
        ("F1500W", "MASK1550", None, np.nan, "F1550C"),
        ("F2100W", "MASKLYOT", None, 1.1, "F2300C"),
        ("F1000W", "FULL", "4QPM_1065", np.nan, "F1065C"),
        ("F1280W", "FULL", None, 41.2, "FND"),
        ("FND", "FULL", None, 41.2, "FND"),
        ("F1280W", "FULL", None, np.nan, "F1280W"),
    ],
)
def test_the_true_band_is_found_whatever_the_header_calls_it(keyword, subarray, mask, factor, band):
    assert true_band(keyword, subarray, mask, factor) == band


def test_a_band_that_cannot_be_told_is_refused():
    with pytest.raises(Unmeasurable, match="filter 'F323N' is not a MIRI band"):
        true_band("F323N", "FULL", None, np.nan)
    with pytest.raises(Unmeasurable, match=r"PHOTMJSR is 1\.09, but F770W's is near 0\.2579: proc"):
        true_band("F770W", "FULL", None, 1.09)


def setting(path: str, value: object):
    def change(model):
        *groups, last = path.split(".")
        node = model.meta
        for group in groups:
            node = getattr(node, group)
        setattr(node, last, value)

    return change


def array(name: str, value: float):
    def change(model):
        setattr(model, name, np.full(SCENE.size, value, np.float32))

    return change


def coarse(wcs):
    """Return a WCS of pixels a hundred times as large."""
    (frame, transform), sky = ((step.frame, step.transform) for step in wcs.pipeline)
    return gwcs.WCS([(frame, models.Scale(100.0) & models.Scale(100.0) | transform), sky])


REFUSED = {
    "not a MIRI image but of NIRCAM": setting("instrument.name", "NIRCAM"),
    "has no valid pixel": array("data", np.nan),
    "has no ERR array, so its photometry would have no error": array("err", 0.0),
    "is in 'ELECTRONS'; expected MJy/sr or DN/s": setting("bunit_data", "ELECTRONS"),
    "is in MJy/sr but has no PHOTMJSR": setting("photometry.conversion_megajanskys", None),
    "subarray 'SUB640' is none of the imager's": setting("subarray.name", "SUB640"),
    "has no exposure time": setting("exposure", {}),
    "names no target": setting("target", {}),
    "has no WCS": setting("wcs", None),
    "has no unit .BUNIT.; expected MJy/sr or DN/s": setting("bunit_data", None),
    "filter '' is not a MIRI band": setting("instrument.filter", None),
    "was exposed at MJD 2459800.5 .EXPMID.; expected 59573": setting(
        "exposure.mid_time", 2459800.5
    ),
    "keywords TARG_RA and TARG_DEC are 10 and 95: no place": setting(
        "target", {"catalog_name": "HD 2811", "ra": 10.0, "dec": 95.0}
    ),
    "its DQ array .uint32, .3, 3.. does not go with its image": lambda model: setattr(
        model, "dq", np.zeros((3, 3), np.uint32)
    ),
    "its WCS makes pixels .* times as large as the imager's": lambda model: setattr(
        model.meta, "wcs", coarse(model.meta.wcs)
    ),
}


@pytest.mark.filterwarnings("ignore")  # the data models warn of what is wrong on purpose
@pytest.mark.parametrize("reason", REFUSED)
def test_an_image_that_lacks_what_photometry_needs_is_refused(tmp_path: Path, reason: str):
    with pytest.raises(Unmeasurable, match=reason):
        read(tmp_path, REFUSED[reason])


def test_a_broken_file_is_refused(tmp_path: Path):
    path = written(tmp_path, mosaic(SCENE, Target(factor=0.26), AT))
    whole = path.read_bytes()
    for part, reason in (
        (5000, "not a whole FITS file .truncated"),
        (whole.index(b"XTENSION= 'BINTABLE'"), "is the file cut short"),
    ):
        path.write_bytes(whole[:part])
        with pytest.raises(Unmeasurable, match=reason):
            read_image(path)
    path.write_text("no picture")
    with pytest.raises(Unmeasurable, match=r"not a whole FITS file \(text or another format\)"):
        read_image(path)


def test_what_is_no_file_is_refused_without_waiting(tmp_path: Path):
    """A pipe that nobody writes to would be waited for for ever."""
    os.mkfifo(tmp_path / "pipe.fits")
    (tmp_path / "folder.fits").mkdir()
    (tmp_path / "empty.fits").touch()
    (tmp_path / "packed.fits").write_bytes(b"\x1f\x8b" + 2878 * b" ")
    for name, reason in {
        "pipe": "not a file but a folder or a device",
        "folder": "not a file but a folder or a device",
        "empty": r"not a whole FITS file \(empty\)",
        "packed": "is compressed with gzip; unpack it first",
        "missing": r"cannot be read as a JWST image \(No such file or directory\)",
    }.items():
        with pytest.raises(Unmeasurable, match=f"^{reason}$"):
            read_image(tmp_path / f"{name}.fits")


def test_a_damaged_file_is_a_reason_and_never_an_exception(tmp_path: Path):
    """Bytes changed at 60 places of a file by a fixed seed: measured, or told why not."""
    path = written(tmp_path, mosaic(SCENE, Target(factor=0.26), AT))
    whole, random = path.read_bytes(), np.random.default_rng(18)
    asdf = whole.index(b"#ASDF")
    for _ in range(60):
        content = bytearray(whole)
        near = random.choice([0, whole.index(b"XTENSION"), asdf, asdf + 3000])
        for place in near + random.integers(0, 3000, 3):
            content[place] = random.integers(256)
        path.write_bytes(content)
        with contextlib.suppress(Unmeasurable):
            assert np.any(np.isfinite(read_image(path).data))


def test_a_fault_of_our_own_is_no_damaged_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = written(tmp_path, mosaic(SCENE, Target(factor=0.26), AT))

    def wrong(*_):
        return {}["nothing"]

    monkeypatch.setattr(images, "_pixel_sizes", wrong)
    with pytest.raises(KeyError):
        read_image(path)


def test_what_the_reader_warned_of_is_kept(tmp_path: Path):
    path = written(tmp_path, mosaic(SCENE, Target(factor=0.26), AT))
    with fits.open(path, mode="update") as extensions:
        extensions[0].header["TARG_DEC"] = "north"
    image = read_image(path)
    assert image.warned == (
        "While validating meta.target.dec the following error occurred: 'north' is not of type "
        "'number'",
    )


def test_zeros_without_an_error_are_no_data(tmp_path: Path):
    """Older mosaics hold exact zeros where no exposure reached, and no flag says so."""

    def unreached(model):
        model.data[3, 5], model.err[3, 5] = 0.0, np.nan
        model.data[4, 5] = 0.0  # a rate that happens to be zero has an error

    image = read(tmp_path, unreached)
    assert np.isnan(image.data[3, 5]) and image.data[4, 5] == 0.0
