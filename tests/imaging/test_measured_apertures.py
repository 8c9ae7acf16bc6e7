"""The apertures command: images and model PSFs in, table, curves, figure, reference file out."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import QTable
from PIL import Image
from stdatamodels.jwst import datamodels

import mirical
from miri_facts import MIRI
from mirical.cli import main
from mirical.errors import InputError
from mirical.imaging.model_psf import make_model, read_model
from mirical.jobs.inputs import job_factors
from mirical.jobs.job import load_job
from mirical.reporting.run_folder import _resolved_job
from mirical.simulation.scene_images import Target, mosaic
from mirical.simulation.scene_psf import scene_psf
from mirical.simulation.scenes import Background, Scene, exposure_time
from mirical.tables.apertures import load_apertures, published_apertures
from mirical.tables.calibration_factors import calibration_factors
from mirical.tables.photometry import load_photometry
from simulated_outputs import silent


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three images of one band, two model PSFs, and what the command made of them."""
    here = tmp_path_factory.mktemp("apertures")
    for seed in range(3):
        scene = Scene("F770W", "SUB128", 1e6, Background(100.0), seed=seed, shape=(129, 129))
        scene = replace(scene, exposure_time=exposure_time(scene, 20000.0))
        path = here / f"simulated_{seed}_i2d.fits"
        mosaic(scene, Target(factor=0.26), (64.0 + 0.3 * seed, 63.8)).save(str(path))
    (here / "other").mkdir()
    scene = replace(scene, band="F1500W", seed=9)
    mosaic(scene, Target(factor=0.37), (64.0, 64.0)).save(str(here / "other" / "long_i2d.fits"))
    for band in ("F770W", "F2300C"):
        psf = scene_psf(band).image((241, 241), 120.0, 120.0)
        fits.PrimaryHDU(psf).writeto(here / f"{band}.fits")
    images = [str(path) for path in sorted(here.glob("*_i2d.fits"))]
    psfs = [f"--psf={band}={here / f'{band}.fits'}" for band in ("F770W", "F2300C")]
    assert main(["apertures", *images, *psfs, "--out", str(here / "out")]) == 0
    return here


def test_the_table_holds_radii_corrections_and_covariance(made: Path):
    table = QTable.read(made / "out" / "apertures.ecsv", format="ascii.ecsv")
    assert table.meta["simulated"] is True
    assert silent(made / "out") == []
    with Image.open(made / "out" / "encircled.png") as picture:
        assert json.loads(picture.text["sha256"]) == table.meta["sha256"]
    assert "simulated_0_i2d.fits" in repr(fits.getheader(made / "out" / "apcorr.fits")["HISTORY"])
    first, last = table.meta["images_mjd"]
    assert 59720 < first <= last < 62000
    assert list(table["transition"].value) == pytest.approx([40, 2.2 * 27.25])
    assert list(table["filter"]) == ["F770W", "F2300C"]
    assert list(table["n_observations"]) == [3, 0]
    row = table[0]
    assert row["r_a"].value == pytest.approx(4.22, abs=0.05)
    assert row["a_cor"] == pytest.approx(1.4422, rel=0.002)
    bound = row["r_a_unc"] * row["r_b2_unc"]
    assert 0 < abs(row["cov_r_a_r_b2"]) <= bound * (1 + 1e-9)
    assert np.isnan(table["a_fixed_unc"][1])  # a model alone knows no scatter
    radii = QTable.read(made / "out" / "radii.ecsv", format="ascii.ecsv")
    assert radii.meta["simulated"] is True and len(radii) == 2 * 8
    of_band = radii[radii["filter"] == "F770W"]
    assert list(of_band["fraction"]) == [0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.85]
    assert of_band["radius"][5] == row["r_a"] and of_band["radius_unc"][7] == row["r_b2_unc"]
    curves = QTable.read(made / "out" / "curves.ecsv", format="ascii.ecsv")
    assert set(curves["observation"][curves["filter"] == "F770W"]) == {1, 2, 3}
    for each in (table, radii, curves):
        assert each.meta["version"] == f"mirical {mirical.__version__}"
        assert len(each.meta["sha256"]) >= 4 and all(map(len, each.meta["sha256"].values()))
        assert all(each[name].info.description for name in each.colnames)


def test_the_reference_file_is_the_pipelines_and_holds_the_corrections(made: Path):
    from jwst.source_catalog.reference_data import ReferenceData  # the pipeline's own reader

    path = made / "out" / "apcorr.fits"
    with datamodels.open(path) as model:
        assert isinstance(model, datamodels.MirImgApcorrModel)
        assert model.meta.description.startswith("SIMULATED")
        assert model.meta.pedigree == "SIMULATION"
        rows = model.apcorr_table
        assert len(rows) == 8 * (5 + 1)
        assert {str(a).strip() for a in rows["subarray"][rows["filter"] == "F2300C"]} == {
            "MASKLYOT"
        }
    apertures = load_apertures(str(made / "out" / "apertures.ecsv"), MIRI, "test")
    scene = Scene("F770W", "SUB128", 1e6, Background(100.0), shape=(129, 129))
    image = mosaic(scene, Target(factor=0.26), (64.0, 64.0))
    reference = ReferenceData(image, [str(path), None], (60, 70, 80))
    found = reference.aperture_params
    assert found["aperture_radii"][1] == pytest.approx(apertures["F770W"].r_a, rel=1e-6)
    assert found["aperture_corrections"][1] == pytest.approx(
        apertures["F770W"].correction, rel=1e-6
    )
    assert found["bkg_aperture_inner_radius"] == pytest.approx(apertures["F770W"].r_b1, rel=1e-6)


def test_the_table_serves_a_run_and_other_bands_keep_table_4(made: Path):
    apertures = load_apertures(str(made / "out" / "apertures.ecsv"), MIRI, "test")
    assert apertures["F1000W"] == published_apertures(MIRI)["F1000W"]
    assert apertures["F770W"].correction_unc == pytest.approx(0.0005, abs=0.0005)
    observations = load_photometry("table5", MIRI, "test")
    predicted = {(str(r["name"]), str(r["filter"])): 1.0 for r in observations.table}
    factors = calibration_factors(observations, predicted, apertures)
    corrections = factors.table["aperture_correction"][observations.table["filter"] == "F770W"]
    assert set(corrections) == {apertures["F770W"].correction}


def test_the_figure_shows_every_curve_and_its_radii(made: Path):
    from mirical.imaging.figures import encircled_figure
    from mirical.imaging.measured_apertures import study_apertures
    from mirical.imaging.observed_curves import Models

    images = sorted(made.glob("*_i2d.fits"))
    psfs = {band: made / f"{band}.fits" for band in ("F770W", "F2300C")}
    marked = (0.33, 0.7)
    study = study_apertures(images, Models(psfs), marked)
    figure = encircled_figure(study)
    assert figure.get_suptitle() == "simulated data"
    imaging, coronagraphs = figure.axes
    assert len(imaging.lines) == 3 + 1 + 1  # curves, dots, where the model begins
    dots = imaging.containers[0].lines[0]
    radii = [np.mean([c.radius(f) for c in study.estimates["F770W"].curves]) for f in marked]
    assert dots.get_xdata() == pytest.approx(radii)
    assert coronagraphs.texts[0].get_text() == "F2300C (model)"


@pytest.mark.parametrize(
    ("span", "simulated", "pedigree"),
    [
        ((59720.3, 60127.9), False, "INFLIGHT 2022-05-21 2023-07-02"),
        (None, False, "MODEL"),
        ((59720.3, 60127.9), True, "SIMULATION"),
    ],
)
def test_the_reference_file_claims_the_dates_of_its_images(
    made: Path, tmp_path: Path, span, simulated: bool, pedigree: str
):
    from mirical.exports.apcorr_file import write_apcorr
    from mirical.imaging.measured_apertures import study_apertures
    from mirical.imaging.observed_curves import Models

    study = study_apertures([], Models({"F770W": made / "F770W.fits"}), (0.7,))
    write_apcorr(replace(study, span=span, simulated=simulated), tmp_path / "apcorr.fits")
    with datamodels.open(tmp_path / "apcorr.fits") as model:
        assert model.meta.pedigree == pedigree


def write(folder: Path, text: str) -> str:
    path = folder / "own.ecsv"
    path.write_text("# %ECSV 1.0\n# ---\n# datatype:\n" + text)
    return str(path)


COLUMNS = "".join(f"# - {{name: {n}, datatype: float64}}\n" for n in ("r_a", "r_b1", "r_b2"))
HEAD = "# - {name: filter, datatype: string}\n" + COLUMNS + "filter r_a r_b1 r_b2\n"


@pytest.mark.parametrize(
    ("rows", "sentence"),
    [
        ("F700W 1 2 3\n", "own.ecsv row 1: band 'F700W' is not a MIRI band; did you mean 'F770W'?"),
        ("F770W 1 2 3\nF770W 1 2 3\n", "own.ecsv row 2: band 'F770W' has an aperture above"),
        ("F770W 4 9 1e9\n", "own.ecsv row 1: .* grow in this order, up to 500 pixels"),
        ("F770W 4 3 9\n", "own.ecsv row 1: r_a, r_b1, r_b2 are 4, 3, 9; expected positive radii"),
    ],
)
def test_a_table_that_cannot_be_used_is_refused(tmp_path: Path, rows: str, sentence: str):
    with pytest.raises(InputError, match=f"^{sentence.replace('?', '[?]')}"):
        load_apertures(write(tmp_path, HEAD + rows), MIRI, "test")


ERRORS = ("r_a_unc", "r_b1_unc", "r_b2_unc", "a_fixed_unc")
WITH_ERRORS = HEAD.replace(
    "filter r_a", "".join(f"# - {{name: {n}, datatype: float64}}\n" for n in ERRORS) + "filter r_a"
).replace("r_b2\n", "r_b2 " + " ".join(ERRORS) + "\n")


@pytest.mark.parametrize("errors", ["-0.1 0.5 1 0.003", "0.1 inf 1 0.003", "0.1 0.5 1 -0.003"])
def test_a_scatter_that_is_none_is_refused(tmp_path: Path, errors: str):
    sentence = r"own.ecsv row 1: (r_a_unc|r_b1_unc|a_fixed_unc) is (-0.1|inf|-0.003); expected a"
    with pytest.raises(InputError, match=f"^{sentence}"):
        load_apertures(write(tmp_path, WITH_ERRORS + f"F770W 4 8 14 {errors}\n"), MIRI, "test")


def test_what_was_not_measured_stays_unknown_and_hides_nothing_that_was(tmp_path: Path):
    rows = "F770W 4 8 14 0.1 0.5 1 nan\nF1000W 4 8 14 nan nan nan nan\nFND 4 8 14 0.1 0.5 1 0.002\n"
    found = load_apertures(write(tmp_path, WITH_ERRORS + rows), MIRI, "test")
    radii_alone = replace(found["FND"], stated_correction_unc=None).correction_unc
    assert radii_alone > 0.002
    assert found["F770W"].correction_unc == radii_alone
    assert np.isnan(found["F1000W"].correction_unc) and np.isnan(found["F1000W"].relative_unc)
    assert found["FND"].correction_unc == 0.002


MISTAKES = {
    "apertures --out o": "apertures: give images, or --psf BAND=FILE for the model alone.",
    "apertures --psf F700W=x.fits --out o": "apertures: --psf 'F700W=x.fits': band 'F700W' is not",
    "apertures --psf F770W=no.fits --out o": "no.fits: no such file; expected a FITS image of",
    "apertures --psf F770W=text.fits --out o": "text.fits: cannot be read as FITS; expected an",
    "apertures text.fits --psf p.fits --out o": "text.fits: not a whole FITS file (text or",
    "apertures {image} --out o": "apertures: no model PSF is given for F770W, and stpsf",
    "apertures {image} {other} --psf {psf} --out o": "apertures: --psf {psf} names no band, and "
    "2 want a model PSF: F770W, F1500W; give --psf BAND=FILE",
    "apertures {image} --psf F770W={psf} --psf {psf} --out o": "apertures: --psf {psf} names no "
    "band, and 0 want a model PSF; give",
    "apertures {image} --psf {psf} --psf {psf} --out o": "apertures: --psf '{psf}' comes after "
    "another without a band; give",
    "apertures --psf F770W={psf} --psf F770W={psf} --out o": "apertures: --psf 'F770W={psf}' comes "
    "after another of F770W; give",
    "apertures {image} {image} --psf {psf} --out o": "simulated_0_i2d.fits: is given twice; give",
    "apertures {image} --psf {psf} --radius-fractions 0.5 1 --out o": "apertures: "
    "--radius-fractions 0.5 1; expected numbers",
    "apertures {image} --psf {psf} --radius-fractions 0.999 --out o": "F770W: the encircled energy "
    "does not reach 0.999; is the",
    "apertures {image} --psf {psf} --transition 90 --out o": "simulated_0_i2d.fits: the image",
    "apertures {image} --psf {psf} --transition 0 --out o": "apertures: --transition 0; expect",
    "run --apertures no.ecsv": "job table5: apertures 'no.ecsv' do not exist; give a path",
}


@pytest.mark.parametrize("line", MISTAKES)
def test_a_mistake_is_one_sentence(
    made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys, line: str
):
    monkeypatch.chdir(tmp_path)
    Path("text.fits").write_text("nothing")
    monkeypatch.delenv("STPSF_PATH", raising=False)
    files = {
        "image": made / "simulated_0_i2d.fits",
        "other": made / "other" / "long_i2d.fits",
        "psf": made / "F770W.fits",
    }
    assert main(line.format(**files).split()) == 2
    assert capsys.readouterr().err.startswith(f"mirical: {MISTAKES[line].format(**files)}")
    assert not Path("o").exists()


def test_stpsf_is_asked_where_it_and_its_data_are_installed(monkeypatch: pytest.MonkeyPatch):
    """A stand-in for the package: its files hold several images, the detector's named DET_DIST."""
    asked = {}

    class Miri:
        filter = ""

        def calc_psf(self, **options):
            asked.update(options, filter=self.filter)
            psf = scene_psf("F770W")
            fine = replace(psf, widths=4 * psf.widths).image((805, 805), 402.0, 402.0)
            plain = psf.image((201, 201), 100.0, 100.0)
            images = [fits.PrimaryHDU(fine), fits.ImageHDU(plain, name="DET_DIST")]
            for image, side in zip(images, (0.11032 / 4, 0.11032), strict=True):
                image.header["PIXELSCL"] = side
            return fits.HDUList(images)

    stpsf = ModuleType("stpsf")
    stpsf.MIRI = Miri  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "stpsf", stpsf)
    monkeypatch.delenv("STPSF_PATH", raising=False)
    with pytest.raises(InputError, match="or STPSF_PATH does not name its data files"):
        make_model("F770W")
    assert not asked  # stpsf would have begun to download
    monkeypatch.setenv("STPSF_PATH", "somewhere")
    curve = make_model("F770W")
    assert asked["filter"] == "F770W" and asked["fov_pixels"] % 2 == 1
    assert asked["normalize"] == "exit_pupil"
    assert curve.radius(0.7) == pytest.approx(4.22, abs=0.02)


def test_a_finer_psf_says_its_scale(tmp_path: Path):
    psf = scene_psf("F1500W")
    fine = replace(psf, widths=4 * psf.widths).image((805, 805), 402.0, 402.0)
    image = fits.PrimaryHDU(fine.astype(np.float32))
    image.header["PIXELSCL"] = 0.11032 / 4
    image.writeto(tmp_path / "fine.fits")
    # Fine pixels smooth less than the detector's, whose radii Table 4 gives.
    found = read_model(tmp_path / "fine.fits", "F1500W")
    assert found.radius(0.8) == pytest.approx(8.63, abs=0.05)


STOPPED = {"PUPIL": "MASKFQPM", "NORMALIZ": "first"}


@pytest.mark.parametrize(
    ("image", "header", "sentence"),
    [
        (np.zeros((9, 9)), {}, "its sum is not positive, so it is no PSF"),
        (np.full((9, 9), -1.0), {}, "its sum is not positive, so it is no PSF"),
        (3 * np.eye(9) - 0.1, {}, "its negative pixels make 38 % of its sum; expected a model PSF"),
        (np.full((9, 9), 1e36), {}, r"has a pixel of 1e\+36; expected shares of the flux"),
        (np.ones((9, 9, 9)), {}, "holds no image of two dimensions and up to 4096 pixels a side"),
        (np.ones((1, 4097), np.int8), {}, "holds no image of two dimensions and up to 4096 pixels"),
        (np.ones((9, 9)), {}, "reaches 0.5 pixels of the imager from its centre, less than the"),
        (np.ones((9, 9)), {"PIXELSCL": 1e-300}, "PIXELSCL is 1e-300; expected the pixel's side in"),
        (np.ones((9, 9)), {"PIXELSCL": True}, "PIXELSCL is True; expected the pixel's side in"),
        (None, {}, "holds no image of two dimensions"),
        (np.where(np.eye(9) > 0, np.nan, 1.0), {}, "has pixels without a number"),
        (np.ones((9, 9)), {"PIXELSCL": 0.0}, r"PIXELSCL is 0\.0; expected the pixel's side in"),
        (np.ones((9, 9)), {"PIXELSCL": "fine"}, "PIXELSCL is 'fine'; expected the pixel's side"),
        (np.ones((9, 9)), {"FILTER": "F1500W"}, "is a PSF of F1500W by its header; expected one"),
        (np.ones((9, 9)), STOPPED, "lacks the light its pupil mask MASKFQPM stops"),
    ],
)
def test_an_image_that_is_no_psf_of_the_band_is_refused(
    tmp_path: Path, image, header: dict, sentence: str
):
    fits.PrimaryHDU(image, fits.Header(header)).writeto(tmp_path / "psf.fits")
    with pytest.raises(InputError, match=f"^psf.fits: {sentence}"):
        read_model(tmp_path / "psf.fits", "F1065C")


def mended(content: bytes, old: bytes, new: bytes) -> bytes:
    assert len(old) == len(new) and old in content
    return content.replace(old, new, 1)


BROKEN = {
    r"cannot be read as FITS \(.*\); expected an image": lambda content: content[:6000],
    "keyword NAXIS is 99999999999; FITS allows up to 999; expect": lambda content: mended(
        content, f"NAXIS   = {2:20}".encode(), f"NAXIS   = {99999999999:20}".encode()
    ),
    "cannot be read as FITS .*Unparsable card .EXTNAME": lambda content: mended(
        content, f"EXTEND  = {'T':>20}".encode(), b"EXTNAME =         \xff\xfe bad     T"
    ),
}


@pytest.mark.parametrize("sentence", BROKEN)
def test_a_damaged_psf_file_is_one_sentence(tmp_path: Path, sentence: str):
    fits.PrimaryHDU(np.ones((99, 99))).writeto(tmp_path / "psf.fits")
    content = BROKEN[sentence]((tmp_path / "psf.fits").read_bytes())
    (tmp_path / "psf.fits").write_bytes(content)
    with pytest.raises(InputError, match=f"^psf.fits: {sentence}"):
        read_model(tmp_path / "psf.fits", "F770W")


def test_a_stops_loss_does_no_harm_once_the_exit_pupil_is_the_unit(tmp_path: Path):
    psf = scene_psf("F1065C").image((301, 301), 150.0, 150.0)
    header = fits.Header(STOPPED | {"NORMALIZ": "exit_pupil", "FILTER": "F1065C"})
    fits.PrimaryHDU(psf, header).writeto(tmp_path / "psf.fits")
    r_b2 = published_apertures(MIRI)["F1065C"].r_b2
    assert read_model(tmp_path / "psf.fits", "F1065C").radius(0.85) == pytest.approx(r_b2, abs=0.02)


def test_a_job_names_its_apertures_and_so_does_the_run_it_becomes(made: Path):
    path = made / "out" / "apertures.ecsv"
    file = made / "mine.toml"
    lines = ['photometry = "table5"', 'model = "hierarchical"', 'apertures = "out/apertures.ecsv"']
    file.write_text("\n".join(lines))
    job = load_job(str(file))
    assert job_factors(job).apertures["F770W"].r_a != published_apertures(MIRI)["F770W"].r_a

    def written(job) -> str:
        card, attrs = (
            SimpleNamespace(name="hierarchical"),
            SimpleNamespace(attrs={"reference_mjd": 59760.0}),
        )
        return _resolved_job(
            SimpleNamespace(  # type: ignore[arg-type]
                job=job, inputs=SimpleNamespace(card=card), posterior=attrs, photometry=None
            )
        )

    assert f'apertures = "{path}"' in written(job)
    assert "apertures" not in written(load_job("table5"))
