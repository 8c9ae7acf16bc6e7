"""The apertures command: images and model PSFs in, table, curves, figure, reference file out."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import QTable
from stdatamodels.jwst import datamodels

from mirical.cli import main
from mirical.errors import InputError
from mirical.inference.jobs import job_factors, load_job
from mirical.inference.scene_models import Target, mosaic
from mirical.inference.scene_psf import scene_psf
from mirical.inference.scenes import Background, Scene, exposure_time
from mirical.observations.apertures import load_apertures, published_apertures
from mirical.observations.factors import calibration_factors
from mirical.observations.model_psf import make_model, read_model
from mirical.observations.tables import load_photometry
from mirical.products.runs import _resolved_job


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three images of one band, two model PSFs, and what the command made of them."""
    here = tmp_path_factory.mktemp("apertures")
    for seed in range(3):
        scene = Scene("F770W", "SUB128", 1e6, Background(100.0), seed=seed, shape=(129, 129))
        scene = replace(scene, exposure_time=exposure_time(scene, 20000.0))
        path = here / f"simulated_{seed}_i2d.fits"
        mosaic(scene, Target(factor=0.26), (64.0 + 0.3 * seed, 63.8)).save(str(path))
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
    assert list(table["transition"].value) == pytest.approx([40, 2.2 * 27.25])
    assert list(table["filter"]) == ["F770W", "F2300C"]
    assert list(table["n_observations"]) == [3, 0]
    row = table[0]
    assert row["r_a"].value == pytest.approx(4.22, abs=0.05)
    assert row["a_cor"] == pytest.approx(1.4422, rel=0.002)
    bound = row["r_a_unc"] * row["r_b2_unc"]
    assert 0 < abs(row["cov_r_a_r_b2"]) <= bound * (1 + 1e-9)
    assert np.isnan(table["a_fixed_unc"][1])  # a model alone knows no scatter
    curves = QTable.read(made / "out" / "curves.ecsv", format="ascii.ecsv")
    assert set(curves["observation"][curves["filter"] == "F770W"]) == {1, 2, 3}


def test_the_reference_file_is_the_pipelines_and_holds_the_corrections(made: Path):
    from jwst.source_catalog.reference_data import ReferenceData  # the pipeline's own reader

    path = made / "out" / "apcorr.fits"
    with datamodels.open(path) as model:
        assert isinstance(model, datamodels.MirImgApcorrModel)
        assert model.meta.description.startswith("SIMULATED")
        rows = model.apcorr_table
        assert len(rows) == 8 * (5 + 1)
        assert {str(a).strip() for a in rows["subarray"][rows["filter"] == "F2300C"]} == {
            "MASKLYOT"
        }
    apertures = load_apertures(str(made / "out" / "apertures.ecsv"), "test")
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
    apertures = load_apertures(str(made / "out" / "apertures.ecsv"), "test")
    assert apertures["F1000W"] == published_apertures()["F1000W"]
    assert apertures["F770W"].correction_unc == pytest.approx(0.0005, abs=0.0005)
    observations = load_photometry("table5", "test")
    predicted = {(str(r["name"]), str(r["filter"])): 1.0 for r in observations.table}
    factors = calibration_factors(observations, predicted, apertures)
    corrections = factors.table["aperture_correction"][observations.table["filter"] == "F770W"]
    assert set(corrections) == {apertures["F770W"].correction}


def test_the_figure_shows_every_curve_and_its_radii(made: Path):
    from mirical.products.aperture_study import study_apertures
    from mirical.products.encircled_figure import MARKED, encircled_figure

    images = sorted(made.glob("*_i2d.fits"))
    psfs = {band: made / f"{band}.fits" for band in ("F770W", "F2300C")}
    study = study_apertures(images, psfs, None, None)
    figure = encircled_figure(study)
    assert figure.get_suptitle() == "simulated data"
    imaging, coronagraphs = figure.axes
    assert len(imaging.lines) == 3 + 1 + 1  # curves, dots, where the model begins
    dots = imaging.containers[0].lines[0]
    radii = [np.mean([c.radius(f) for c in study.estimates["F770W"].curves]) for f in MARKED]
    assert dots.get_xdata() == pytest.approx(radii)
    assert coronagraphs.texts[0].get_text() == "F2300C (model)"


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
        ("F770W 4 3 9\n", "own.ecsv row 1: r_a, r_b1, r_b2 are 4, 3, 9; expected positive radii"),
    ],
)
def test_a_table_that_cannot_be_used_is_refused(tmp_path: Path, rows: str, sentence: str):
    with pytest.raises(InputError, match=f"^{sentence.replace('?', '[?]')}"):
        load_apertures(write(tmp_path, HEAD + rows), "test")


MISTAKES = {
    "apertures --out o": "apertures: give images, or --psf BAND=FILE for the model alone.",
    "apertures --psf F700W=x.fits --out o": "apertures: --psf 'F700W=x.fits': band 'F700W' is not",
    "apertures --psf F770W=no.fits --out o": "no.fits: no such file; expected a FITS image of",
    "apertures --psf F770W=text.fits --out o": "text.fits: cannot be read as FITS; expected an",
    "apertures text.fits --psf p.fits --out o": "text.fits: not a whole FITS file (text or",
    "apertures {image} --out o": "apertures: no model PSF is given for F770W, and stpsf",
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
    given = line.format(image=made / "simulated_0_i2d.fits", psf=made / "F770W.fits")
    assert main(given.split()) == 2
    assert capsys.readouterr().err.startswith(f"mirical: {MISTAKES[line]}")
    assert not Path("o").exists()


def test_stpsf_is_asked_where_it_is_installed(monkeypatch: pytest.MonkeyPatch):
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
    curve = make_model("F770W")
    assert asked["filter"] == "F770W" and asked["fov_pixels"] % 2 == 1
    assert curve.radius(0.7) == pytest.approx(4.22, abs=0.02)


def test_a_finer_psf_says_its_scale(tmp_path: Path):
    psf = scene_psf("F1500W")
    fine = replace(psf, widths=4 * psf.widths).image((805, 805), 402.0, 402.0)
    image = fits.PrimaryHDU(fine.astype(np.float32))
    image.header["PIXELSCL"] = 0.11032 / 4
    image.writeto(tmp_path / "fine.fits")
    # Fine pixels smooth less than the detector's, whose radii Table 4 gives.
    assert read_model(tmp_path / "fine.fits").radius(0.8) == pytest.approx(8.63, abs=0.05)
    fits.PrimaryHDU(np.zeros((9, 9))).writeto(tmp_path / "empty.fits")
    with pytest.raises(InputError, match=r"^empty.fits: its sum is not positive, so it is no PSF"):
        read_model(tmp_path / "empty.fits")
    fits.PrimaryHDU().writeto(tmp_path / "none.fits")
    with pytest.raises(InputError, match="^none.fits: holds no image of two dimensions"):
        read_model(tmp_path / "none.fits")


def test_a_job_names_its_apertures_and_so_does_the_run_it_becomes(made: Path):
    path = made / "out" / "apertures.ecsv"
    file = made / "mine.toml"
    lines = ['photometry = "table5"', 'model = "hierarchical"', 'apertures = "out/apertures.ecsv"']
    file.write_text("\n".join(lines))
    job = load_job(str(file))
    assert job_factors(job).apertures["F770W"].r_a != published_apertures()["F770W"].r_a

    def written(job) -> str:
        card, attrs = SimpleNamespace(name="hierarchical"), SimpleNamespace(attrs={})
        return _resolved_job(
            SimpleNamespace(job=job, inputs=SimpleNamespace(card=card), posterior=attrs)  # type: ignore[arg-type]
        )

    assert f'apertures = "{path}"' in written(job)
    assert "apertures" not in written(load_job("table5"))
