"""Small good inputs of every reader, made once and written where a test wants them."""

from __future__ import annotations

import gzip
import warnings
from collections.abc import Callable
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from astropy import units as u
from astropy.io import fits
from astropy.table import Table

from drawn import write_drawn
from miri_facts import MIRI
from mirical.calibration.factors import Query
from mirical.calibration.published import PublishedCalibration
from mirical.exports.covariance_file import Covariance, write_covariance
from mirical.exports.photom_file import About, PhotomRows, write_photom
from mirical.instruments.skeleton import skeleton_text
from mirical.simulation.scene_images import Target, exposures, mosaic
from mirical.simulation.scenes import Background, Scene
from mirical.simulation.simulated_program import simulate_program
from samples import card_text, photometry, with_units, write_ecsv, write_fits, write_mrt

MJD = 59999.25
POINTS = Table(
    {
        "filter": ["F770W", "F2550W", "F560W"],
        "subarray": ["FULL", "SUB64", "FULL"],
        "mjd": [59800.0, 60000.0, 61000.0],
    }
)
_SCENE = Scene("F770W", "SUB64", 5000.0, Background(18.0), exposure_time=60.0, seed=1)

Maker = Callable[[Path], Path]


def once(name: str, write: Callable[[Path], object]) -> Maker:
    """Return a maker that lets `write` make a file of that name once, and copies it then."""

    @cache
    def content() -> bytes:
        with TemporaryDirectory() as folder:
            write(Path(folder) / name)
            return (Path(folder) / name).read_bytes()

    def make(folder: Path) -> Path:
        (folder / name).write_bytes(content())
        return folder / name

    return make


def text(name: str, content: Callable[[], str]) -> Maker:
    """Return a maker of a text file."""
    return once(name, lambda path: path.write_text(content(), encoding="utf-8"))


def rows() -> Table:
    """Return a photometry table with columns that may be missing, too."""
    table = photometry()
    table["model_flux"], table["model_flux_unc"] = [400.0, 0.45, 0.21], [4.0, 0.01, 0.004]
    table["visit"], table["inttime"] = ["a", "b", "c"], [10.0, 20.0, 30.0]
    return with_units(table)


def zipped(path: Path) -> None:
    """Write a photometry table as gzipped ECSV."""
    plain = write_ecsv(rows(), path.with_suffix(""))
    path.write_bytes(gzip.compress(plain.read_bytes(), mtime=0))


def delimited(path: Path) -> None:
    """Write a photometry table as a German spreadsheet's CSV: semicolons and decimal commas."""
    table = rows()
    table.rename_columns(table.colnames, [f"{n} [{table[n].unit or ''}]" for n in table.colnames])
    table.write(path, format="ascii.csv", delimiter=";")
    names, _, numbers = path.read_text(encoding="utf-8").partition("\n")
    path.write_text(f"{names}\n{numbers.replace('.', ',')}", encoding="utf-8")


def votable(path: Path) -> None:
    """Write a photometry table as a VOTable."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of units that the format does not have
        rows().write(path, format="votable")


def parquet(path: Path) -> None:
    """Write a photometry table as pandas' Parquet."""
    rows().to_pandas().to_parquet(path)


def fluxes(path: Path) -> None:
    """Write a table of predicted fluxes."""
    names = {"name": ["G 191-B2B", "Mine"], "filter": ["F770W", "F560W"], "model_flux": [0.5, 2.0]}
    write_ecsv(with_units(Table(names)), path)


def instrument_text() -> str:
    """Return the card of a toy camera."""
    return skeleton_text("toy")


def bandpass(path: Path) -> None:
    """Write a bandpass about 0.475 micron."""
    wavelength = np.linspace(4000.0, 5500.0, 31)
    table = Table({"wavelength": wavelength, "throughput": np.sin(np.linspace(0, np.pi, 31))})
    table["throughput"] = np.abs(table["throughput"]).round(6)
    table["wavelength"].unit = "Angstrom"
    write_ecsv(table, path)


def zero_points(path: Path) -> None:
    """Write zero points of the toy camera, with all columns that may be there."""
    table = Table({"filter": ["g", "r"], "zeropoint": [24.1, 23.7]})
    table["zeropoint_std"], table["repeatability"] = [0.002, 0.003], [0.004, 0.003]
    table["sub_offset"], table["sub_offset_std"] = [-0.03, 0.01], [0.003, 0.004]
    table["ab_gd71"] = [12.8, 13.3]
    for name in table.colnames[1:]:
        table[name].unit = u.mag
    write_ecsv(table, path)


def truth(path: Path) -> None:
    """Write the truth of a simulated program."""
    write_ecsv(simulate_program(1).truth, path)


def grid(path: Path) -> None:
    """Write points that factors are asked at."""
    table = POINTS.copy()
    table["mjd"].unit, table["name"] = u.d, ["a", "b", "c"]
    write_ecsv(table, path)


def candidates(path: Path) -> None:
    """Write candidates for the paper's printed rows."""
    names = {"name": ["16 Cyg B", "G 191-B2B"], "filter": ["F2550W", "F770W"]}
    table = Table(names | {"subarray": ["SUB64", "FULL"], "time": [61500.0, 61510.5]})
    table["inttime"], table["exposures"], table["visit"] = [100.0, 40.0], [1, 4], ["a", ""]
    table["ifluxunc"] = [0.004, 0.01]
    write_ecsv(table, path)


def to_calibrate(path: Path) -> None:
    """Write count rates that `apply` calibrates."""
    table = POINTS.copy()
    table["iflux"], table["ifluxunc"] = [4000.0, 300.0, 50.0], [4.0, 3.0, 0.5]
    write_ecsv(with_units(table), path)


def calibrated_before(path: Path) -> None:
    """Write fluxes that were calibrated before, with the factor they were."""
    table = POINTS.copy()
    table["flux"], table["fluxunc"], table["photmjsr"] = [3.0, 2.0, 1.0], [0.1] * 3, [0.3, 0.9, 0.4]
    for name in ("flux", "fluxunc"):
        table[name].unit = "mJy"
    write_ecsv(table, path)


def apertures(path: Path) -> None:
    """Write a table of apertures."""
    table = Table({"filter": ["F770W"], "r_a": [3.0], "r_b1": [5.0], "r_b2": [8.0]})
    table["r_a_unc"], table["a_fixed_unc"] = [0.1], [0.01]
    write_ecsv(table, path)


def spectrum(path: Path) -> None:
    """Write a spectrum of constant F_nu as CALSPEC does."""
    wavelength = np.geomspace(40_000.0, 320_000.0, 400)
    table = Table({"WAVELENGTH": wavelength, "FLUX": 1e-8 / wavelength**2})
    extension = fits.table_to_hdu(table)
    extension.header["TUNIT1"], extension.header["TUNIT2"] = "ANGSTROMS", "FLAM"
    fits.HDUList([fits.PrimaryHDU(), extension]).writeto(path)


def psf(path: Path) -> None:
    """Write a model PSF as stpsf does, all in all."""
    y, x = np.indices((241, 241)) - 120.0
    image = 1 / (1 + (x**2 + y**2) / 6.0) ** 1.7
    extension = fits.ImageHDU(image / image.sum(), name="DET_DIST")
    extension.header["PIXELSCL"] = 0.11
    primary = fits.PrimaryHDU()
    primary.header["FILTER"] = "F770W"
    fits.HDUList([primary, extension]).writeto(path)


def image(path: Path) -> None:
    """Write a mosaic of a star."""
    mosaic(_SCENE, Target(factor=0.26), (33.2, 30.7)).save(str(path))


def exposure(path: Path) -> None:
    """Write an exposure of a star."""
    exposures(_SCENE, Target(factor=0.26), [(33.2, 30.7)])[0].save(str(path))


def rate(path: Path) -> None:
    """Write an exposure of a star in DN/s."""
    model = exposures(_SCENE, Target(physical=False, mjd=MJD), [(33.2, 30.7)])[0]
    photometry = model.meta.photometry
    photometry.conversion_megajanskys = photometry.pixelarea_steradians = None
    photometry.pixelarea_arcsecsq = None
    model.meta.cal_step.flat_field = "COMPLETE"
    model.save(str(path))


def photom(path: Path) -> None:
    """Write a photom reference file."""
    count = 2
    tables = {
        "exponential": {
            "t0": np.full(count, 59720.0),
            "amplitude": np.array([0.01, 0.22]),
            "tau": np.array([200.0, 235.4]),
            "const": np.ones(count),
        },
        "linear": {"t0": np.full(count, 59720.0), "lossperyear": np.array([0.001, 0.002])},
    }
    factors, errors = np.array([0.25, 0.9]), np.array([0.001, 0.01])
    made = PhotomRows(("F770W", "F2550W"), ("FULL", "FULL"), factors, errors, tables)
    write_photom(made, About("made", "SIMULATION", "2022-05-21T00:00:00", ["line"]), path)


def covariance(path: Path) -> None:
    """Write values with their covariance."""
    query = Query.of(MIRI, list(POINTS["filter"]), list(POINTS["subarray"]), list(POINTS["mjd"]))
    found = PublishedCalibration(MIRI).at(query)
    half = np.asarray(found.covariance) / 2
    draws = found.mean * (1 + 0.01 * np.arange(12.0).reshape(4, 3))
    parts = {"scale": half, "rest": half}
    objects = ("a", "b", "c")
    made = Covariance(query, found.mean, 2 * half, u.mJy, parts, draws=draws, objects=objects)
    write_covariance(made, path, "fluxes", ["line"], simulated=True)


@cache
def _run_files() -> dict[str, bytes]:
    with TemporaryDirectory() as folder:
        run = Path(folder) / "run"
        write_drawn(run)
        return {path.name: path.read_bytes() for path in run.iterdir() if path.is_file()}


def of_a_run(name: str) -> Maker:
    """Return a maker of a run's folder, of which one file is mutated."""

    def make(folder: Path) -> Path:
        run = folder / "run"
        run.mkdir(exist_ok=True)
        for each, content in _run_files().items():
            (run / each).write_bytes(content)
        return run / name

    return make


JOB = """photometry = "rows.ecsv"
model = "card.toml"
predicted_fluxes = "fluxes.ecsv"
apertures = "apertures.ecsv"
[sampler]
chains = 2
warmup = 100
draws = 50
seed = 1
target_accept = 0.9
density = "collapsed"
"""


def job(folder: Path) -> Path:
    """Write a job with all that it names."""
    write_ecsv(rows(), folder / "rows.ecsv")
    (folder / "card.toml").write_text(card_text(), encoding="utf-8")
    fluxes(folder / "fluxes.ecsv")
    apertures(folder / "apertures.ecsv")
    (folder / "own.toml").write_text(JOB, encoding="utf-8")
    return folder / "own.toml"


ECSV, MRT, TABLE = (
    once("rows.ecsv", lambda path: write_ecsv(rows(), path)),
    once("rows.txt", lambda path: write_mrt(rows(), path)),
    once("rows.fits", lambda path: write_fits(rows(), path)),
)
