from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from jwst.photom import PhotomStep
from stdatamodels.jwst import datamodels

import mirical
from miri_facts import MIRI, PIXEL_SOLID_ANGLE
from mirical.calibration.factors import Factors, Query
from mirical.calibration.published import PublishedCalibration
from mirical.errors import InputError
from mirical.exports.calibrated_image import CARDS, CalibratedImage, calibrate_image
from mirical.exports.photom_file import About, PhotomRows, write_photom
from mirical.imaging.images import read_image
from mirical.simulation.scene_images import Target, exposures
from mirical.simulation.scenes import Background, Scene

MJD = 59999.25
PUBLISHED = PublishedCalibration(MIRI)
ARRAYS = {"data": 1, "err": 1, "var_poisson": 2, "var_rnoise": 2, "var_flat": 2}
"""Powers of the factor each is multiplied by."""
REMEDY = "give the imager's rates from before the photom step, such as a _rate file."

Change = Callable[[Any], None]


@cache
def rates() -> datamodels.ImageModel:
    scene = Scene("F770W", "SUB64", 5000.0, Background(18.0), exposure_time=60.0, seed=1)
    model = exposures(scene, Target(physical=False, mjd=MJD), [(33.2, 30.7)])[0]
    model.var_flat = (1e-4 * model.data**2).astype(np.float32)
    photometry = model.meta.photometry
    photometry.conversion_megajanskys = photometry.pixelarea_steradians = None
    photometry.pixelarea_arcsecsq = None
    model.meta.cal_step.flat_field = "COMPLETE"
    return model


def saved(model: Any, path: Path) -> Path:
    model.save(str(path))
    return path


def rate_file(folder: Path, change: Change | None = None) -> Path:
    model = rates().copy()
    if change is not None:
        change(model)
    return saved(model, folder / "star_rate.fits")


def setting(**values: object) -> Change:
    """Return what sets places of the header; two underscores stand for a dot."""

    def change(model: Any) -> None:
        for name, value in values.items():
            model["meta." + name.replace("__", ".")] = value

    return change


def calibrated(folder: Path, change: Change | None = None, **options: Any) -> CalibratedImage:
    path = rate_file(folder, change)
    return calibrate_image(PUBLISHED, path, folder / "star_cal.fits", **options)


def published(band: str = "F770W", subarray: str = "SUB64") -> float:
    return float(PUBLISHED.at(Query.of(MIRI, band, subarray, MJD)).mean[0])


def test_rates_become_surface_brightness_exactly(tmp_path: Path):
    made = calibrated(tmp_path)
    factor = published()
    assert (made.band, made.subarray, made.mjd) == ("F770W", "SUB64", MJD)
    assert made.factor == factor
    assert made.factor_std == float(PUBLISHED.at(Query.of(MIRI, "F770W", "SUB64", MJD)).std[0])
    with datamodels.open(made.out) as after:
        assert type(after) is datamodels.ImageModel
        for name, power in ARRAYS.items():
            expected = getattr(rates(), name) * np.float32(factor**power)
            found = getattr(after, name)
            assert found.dtype.itemsize == 4 and np.nanmax(found) > 0
            np.testing.assert_array_equal(found, expected)
        np.testing.assert_array_equal(after.dq, rates().dq)
        photometry = after.meta.photometry
        assert after.meta.bunit_data == after.meta.bunit_err == "MJy/sr"
        assert after.meta.cal_step.photom == "COMPLETE"
        assert after.meta.filename == "star_cal.fits"
        assert photometry.conversion_megajanskys == factor
        # One MJy/sr is 1e12 uJy spread over the square arcseconds of a steradian.
        arcsec2 = (180 * 3600 / np.pi) ** 2
        assert photometry.conversion_microjanskys == pytest.approx(factor * 1e12 / arcsec2)
        assert photometry.pixelarea_steradians == PIXEL_SOLID_ANGLE.value
        assert photometry.pixelarea_arcsecsq == pytest.approx(0.11032**2, rel=1e-4)


def photom_step(folder: Path, factor: float, monkeypatch: pytest.MonkeyPatch) -> PhotomStep:
    rows = PhotomRows(("F770W",), ("SUB64",), np.array([factor]), np.array([0.0]))
    about = About("test", "SIMULATION", "2022-01-01T00:00:00")
    write_photom(rows, about, folder / "photom.fits")
    monkeypatch.setenv("STPIPE_DISABLE_CRDS_STEPPARS", "true")
    step = PhotomStep()
    step.override_photom, step.override_area = str(folder / "photom.fits"), "N/A"
    return step


def test_the_pipeline_step_with_the_same_factor_does_the_same(tmp_path: Path, monkeypatch):
    made = calibrated(tmp_path)
    step = photom_step(tmp_path, made.factor, monkeypatch)
    piped = step.process(rates().copy())
    with datamodels.open(made.out) as after:
        for name in ARRAYS:
            np.testing.assert_allclose(getattr(after, name), getattr(piped, name), rtol=3e-7)
        ours, theirs = (model.meta.photometry.instance for model in (after, piped))
        assert ours == pytest.approx(theirs, rel=1e-6) and len(ours) == 4
        for place in ("bunit_data", "bunit_err", "cal_step.photom"):
            assert after[f"meta.{place}"] == piped[f"meta.{place}"]


def test_the_pipeline_step_undoes_it(tmp_path: Path, monkeypatch):
    made = calibrated(tmp_path)
    step = photom_step(tmp_path, made.factor, monkeypatch)
    step.inverse = True
    with datamodels.open(made.out) as after:
        undone = step.process(after)
        assert undone.meta.bunit_data == undone.meta.bunit_err == "DN/s"
        for name in ARRAYS:
            np.testing.assert_allclose(getattr(undone, name), getattr(rates(), name), rtol=5e-7)


def test_photometry_finds_the_rates_again(tmp_path: Path):
    made = calibrated(tmp_path)
    after, before = read_image(made.out), read_image(tmp_path / "star_rate.fits")
    np.testing.assert_allclose(after.data, before.data, rtol=2e-7)
    np.testing.assert_allclose(after.err, before.err, rtol=2e-7)
    assert after.exposure.factor == made.factor


def test_the_factor_s_error_stands_in_cards_that_survive_the_data_model(tmp_path: Path):
    provenance = {"card": "hierarchical", "seed": "5", "data": "Größe\nof " + 80 * "x"}
    made = calibrated(
        tmp_path, lambda model: model.add_history_entry("older"), provenance=provenance
    )
    with datamodels.open(made.out) as after:
        saved(after, tmp_path / "again.fits")
    for path in (made.out, tmp_path / "again.fits"):
        header = fits.getheader(path)
        aperture = PUBLISHED.at(Query.of(MIRI, "F770W", "SUB64", MJD)).aperture
        assert aperture is not None
        assert header["CALFRAC"] == pytest.approx(made.factor_std / made.factor, rel=1e-12)
        assert header["CALREL"] == header["CALFRAC"]  # the paper states no other part
        assert header["CALAPER"] == pytest.approx(aperture[0], rel=1e-12)
        assert header["CALNAME"] == "published" and header["CALSW"] == mirical.__version__
        assert header["CALSIM"] is False
        assert all(header.comments[card] == text for card, text in CARDS.items())
        history = "".join(header["HISTORY"])
        assert history.startswith("older")
        for line in (
            f"rates multiplied by {made.factor:.7g} (MJy/sr)/(DN/s/pixel)",
            "of F770W in SUB64 at MJD 59999.2500; calibration published",
            "CALFRAC: no error of the flux scale is stated, so absolute errors are unknown",
            "card: hierarchical",
            "seed: 5",
            r"data: Gr\xf6\xdfe of " + 80 * "x",
            f"caution: {PUBLISHED.cautions(Query.of(MIRI, 'F770W', 'SUB64', MJD))[0]}",
        ):
            assert line in history


@dataclass(frozen=True)
class Vague(PublishedCalibration):
    """A simulated calibration of great error whose name needs two cards."""

    name: str = "a calibration " * 8
    simulated: bool = True

    def at(self, query: Query) -> Factors:
        found = super().at(query)
        return replace(found, std=0.3 * found.mean, aperture=None)


def test_err_holds_nothing_of_the_factor_s_error(tmp_path: Path):
    made = calibrated(tmp_path)
    vague = calibrate_image(Vague(MIRI), tmp_path / "star_rate.fits", tmp_path / "vague_cal.fits")
    with datamodels.open(made.out) as one, datamodels.open(vague.out) as other:
        for name in ARRAYS:
            np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
    header = fits.getheader(vague.out)
    assert header["CALFRAC"] == pytest.approx(0.3) and header["CALSIM"] is True
    assert header["CALNAME"] == Vague(MIRI).name.strip()
    assert "CALAPER" not in header


def test_an_unknown_aperture_error_is_no_card(tmp_path: Path):
    made = calibrated(tmp_path, setting(instrument__filter="F2550W"))
    assert made.factor == published("F2550W")
    header = fits.getheader(made.out)
    assert "CALFRAC" in header and "CALAPER" not in header


@pytest.mark.parametrize(
    ("header", "band", "like"),
    [
        ({"subarray__name": "MASK1140", "instrument__filter": "F1130W"}, "F1140C", "FULL"),
        ({"subarray__name": "SUB64_IP"}, "F770W", "SUB64"),
        ({"subarray__name": "SUBPRISM", "instrument__filter": "F1000W"}, "F1000W", "FULL"),
        (
            {
                "subarray__name": "MASK1140",
                "instrument__filter": "F1000W",
                "instrument__coronagraph": "4QPM_1140",
                "exposure__type": "MIR_TACQ",
            },
            "F1000W",
            "FULL",
        ),
    ],
)
def test_the_factor_is_that_of_the_true_band_and_subarray(tmp_path: Path, header, band, like):
    made = calibrated(tmp_path, setting(**header))
    assert (made.band, made.subarray) == (band, header["subarray__name"])
    assert made.factor == published(band, like)


def test_a_stated_band_is_believed(tmp_path: Path):
    made = calibrated(tmp_path, setting(instrument__filter="F1280W"), band="FND")
    assert made.band == "FND" and made.factor == published("FND")


def test_integrations_are_calibrated_each(tmp_path: Path):
    plane = rates()
    cube = datamodels.CubeModel(data=np.stack([plane.data, 2 * plane.data]))
    cube.err, cube.var_poisson = np.stack([plane.err] * 2), np.stack([plane.var_poisson] * 2)
    cube.update(plane)
    path = saved(cube, tmp_path / "star_rateints.fits")
    made = calibrate_image(PUBLISHED, path, tmp_path / "star_calints.fits")
    factor = np.float32(made.factor)
    with datamodels.open(made.out) as after:
        assert type(after) is datamodels.CubeModel and after.meta.bunit_err == "MJy/sr"
        np.testing.assert_array_equal(after.data, cube.data * factor)
        np.testing.assert_array_equal(after.err, cube.err * factor)
        np.testing.assert_array_equal(
            after.var_poisson, cube.var_poisson * np.float32(made.factor**2)
        )


def test_a_removed_background_and_foreign_parts_go_along(tmp_path: Path):
    def change(model: Any) -> None:
        setting(background__subtracted=True, background__level=18.0)(model)
        model.meta.photometry.pixelarea_steradians = 2.0e-13
        model.extra_fits = {
            "PRIMARY": {"header": [["OBSERVER", "Galle", ""]]},
            "EXTRA": {"data": np.arange(4.0, dtype=np.float32).reshape(2, 2)},
        }

    made = calibrated(tmp_path, change)
    assert read_image(made.out).exposure.subtracted == pytest.approx(18.0)
    with fits.open(made.out) as extensions:
        assert extensions[0].header["OBSERVER"] == "Galle"
        assert extensions[0].header["CALNAME"] == "published"
        assert extensions["SCI"].header["PIXAR_SR"] == 2.0e-13
        assert extensions["EXTRA"].data.sum() == 6.0


def test_a_missing_flat_field_is_said(tmp_path: Path):
    assert not any("flat field" in sentence for sentence in calibrated(tmp_path).cautions)
    made = calibrated(tmp_path, setting(cal_step__flat_field=None))
    assert made.cautions[-1] == (
        "the flat field was not divided out before: the factor holds for flat-fielded rates, so "
        "each pixel is off by its flat."
    )
    assert "caution: the flat field was not divided" in "".join(fits.getheader(made.out)["HISTORY"])


def refused(sentence: str, path: Path, out: Path, calibration=PUBLISHED, **options: Any) -> None:
    """Assert that a file is refused with exactly that sentence, and that nothing is touched."""
    before = {file: file.read_bytes() for file in sorted(out.parent.iterdir())}
    with pytest.raises(InputError, match=f"^{re.escape(sentence)}$"):
        calibrate_image(calibration, path, out, **options)
    assert {file: file.read_bytes() for file in sorted(out.parent.iterdir())} == before


TWICE = f"is calibrated already, and once more would be wrong; {REMEDY}"
REFUSED = {
    TWICE: setting(cal_step__photom="COMPLETE"),
    f"is in 'ELECTRONS'; expected DN/s: {REMEDY}": setting(bunit_data="ELECTRONS"),
    f"has no unit (BUNIT); expected DN/s: {REMEDY}": setting(bunit_data=None),
    f"not a MIRI image but of NIRCAM; {REMEDY}": setting(instrument__name="NIRCAM"),
    f"not of MIRI's imager but of detector MIRIFULONG; {REMEDY}": setting(
        instrument__detector="MIRIFULONG"
    ),
    f"filter 'OPAQUE' is not a MIRI band; {REMEDY}": setting(instrument__filter="OPAQUE"),
    f"subarray 'SUB640' is none of the imager's; {REMEDY}": setting(subarray__name="SUB640"),
    f"has no exposure time (EXPMID); {REMEDY}": setting(exposure={}),
    "mjd 50000 is not an epoch of JWST; expected one such as 59760.": setting(
        exposure__mid_time=50000.0
    ),
    "is spectroscopic (P750L), and a calibration factor holds for images; give an image taken "
    "through a filter.": setting(instrument__filter="P750L"),
}


@pytest.mark.filterwarnings("ignore")  # the data models warn of what is wrong on purpose
@pytest.mark.parametrize("reason", REFUSED)
def test_what_cannot_be_calibrated_is_refused(tmp_path: Path, reason: str):
    path = rate_file(tmp_path, REFUSED[reason])
    refused(f"star_rate.fits: {reason}", path, tmp_path / "out.fits")


def test_nothing_is_calibrated_twice(tmp_path: Path):
    made = calibrated(tmp_path)
    refused(f"star_cal.fits: {TWICE}", made.out, tmp_path / "twice.fits")

    def skipped(extensions: fits.HDUList) -> None:
        extensions[0].header["S_PHOTOM"] = "SKIPPED"

    def told_to_be_rates(extensions: fits.HDUList) -> None:
        extensions["SCI"].header["BUNIT"] = "DN/s"

    with fits.open(made.out) as extensions:
        for i, step in enumerate((skipped, told_to_be_rates)):
            step(extensions)  # the unit still tells, then only our own cards
            extensions.writeto(tmp_path / f"less{i}.fits")
            refused(f"less{i}.fits: {TWICE}", tmp_path / f"less{i}.fits", tmp_path / "twice.fits")


def test_what_the_pipeline_calibrated_is_refused(tmp_path: Path, monkeypatch):
    piped = photom_step(tmp_path, 0.26, monkeypatch).process(rates().copy())
    for step in ("COMPLETE", "SKIPPED"):  # the unit tells as well
        piped.meta.cal_step.photom = step
        path = saved(piped, tmp_path / "piped_cal.fits")
        refused(f"piped_cal.fits: {TWICE}", path, tmp_path / "twice.fits")


def test_a_band_without_a_factor_is_refused_by_the_file_s_name(tmp_path: Path):
    class Silent(PublishedCalibration):
        def at(self, query: Query) -> Factors:
            raise InputError(f"band {query.filters[0]!r}: this run fitted no rows in it.")

    sentence = "star_rate.fits: band 'F770W': this run fitted no rows in it."
    refused(sentence, rate_file(tmp_path), tmp_path / "out.fits", Silent(MIRI))
    sentence = "star_rate.fits: band 'F771W' is not a MIRI band; did you mean 'F770W'?"
    refused(sentence, tmp_path / "star_rate.fits", tmp_path / "out.fits", band="F771W")


def test_a_broken_file_is_refused(tmp_path: Path):
    path, out = rate_file(tmp_path), tmp_path / "out.fits"
    whole = path.read_bytes()
    for size in (5000, len(whole) // 2 // 2880 * 2880, len(whole) - 2880):
        path.write_bytes(whole[:size])
        refused(f"star_rate.fits: not a whole FITS file (truncated); {REMEDY}", path, out)
    path.write_text("no picture")
    broken = "not a whole FITS file (text or another format)"
    refused(f"star_rate.fits: {broken}; {REMEDY}", path, out)
    path.unlink()
    refused(f"{path}: no such file; {REMEDY}", path, out)


@pytest.mark.filterwarnings("ignore")  # the data models warn of what is wrong on purpose
def test_a_file_without_its_arrays_is_refused(tmp_path: Path):
    path, out = rate_file(tmp_path), tmp_path / "out.fits"
    for name in ("ERR", "SCI"):
        with fits.open(path) as extensions:
            for gone in {name, "ASDF"} & {extension.name for extension in extensions}:
                del extensions[gone]
            extensions.writeto(tmp_path / "less_rate.fits", overwrite=True)
        sentence = f"less_rate.fits: has no {name} array (is the file cut short?); {REMEDY}"
        refused(sentence, tmp_path / "less_rate.fits", out)
    with fits.open(path) as extensions:
        extensions["SCI"].data = np.zeros((1, 2, 8, 8), np.float32)
        extensions.writeto(tmp_path / "ramp.fits")
    sentence = f"ramp.fits: holds an array of 4 dimensions, no image; {REMEDY}"
    refused(sentence, tmp_path / "ramp.fits", out)


def test_an_image_is_not_replaced_by_itself(tmp_path: Path):
    path, out = rate_file(tmp_path), tmp_path / "star_cal.fits"
    original = path.read_bytes()
    itself = f"{path}: is the image to be calibrated itself; choose another --out."
    refused(itself, path, path)
    (tmp_path / "link.fits").symlink_to(path)
    refused(itself.replace("star_rate", "link"), path, tmp_path / "link.fits")
    name = f"{tmp_path / 'star.asdf'}: not a name of a FITS file; expected FILE_cal.fits."
    refused(name, path, tmp_path / "star.asdf")
    out.write_text("old")
    calibrate_image(PUBLISHED, path, out)
    assert fits.getheader(out)["CALNAME"] == "published"
    assert path.read_bytes() == original
    assert {file.name for file in tmp_path.iterdir()} == {path.name, out.name, "link.fits"}


def test_an_interrupted_writing_leaves_nothing(tmp_path: Path, monkeypatch):
    path = rate_file(tmp_path)

    def half(model: Any, to: str, **_: Any) -> None:
        Path(to).write_text("half")
        raise KeyboardInterrupt

    monkeypatch.setattr(datamodels.ImageModel, "save", half)
    with pytest.raises(KeyboardInterrupt):
        calibrate_image(PUBLISHED, path, tmp_path / "out.fits")
    assert [file.name for file in tmp_path.iterdir()] == ["star_rate.fits"]
