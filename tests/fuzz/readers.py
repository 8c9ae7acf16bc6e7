"""The table of readers: a line each, so that a new reader is fuzzed by one line.

A reader's line: its name, what makes a good file, what reads it as the program does, what judges
the result, what happens to the file, and the modules of mirical whose reading is tried.
"""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from astropy.table import Table
from synphot import SpectralElement

from designs import crowded_design
from fuzz import good_files as good
from fuzz.judging import Reader, not_a_covariance, not_finite
from fuzz.mutations import BYTES, FITS, TEXT, change_dataset, compressed
from miri_facts import BANDS, MIRI
from mirical.calibration.calibration import Calibration
from mirical.calibration.factors import Factors, Query
from mirical.calibration.manifest import write_manifest
from mirical.calibration.published import PublishedCalibration
from mirical.calibration.store import open_calibration
from mirical.calibration.zero_point_table import ZeroPointCalibration, read_zero_points
from mirical.cards.card import Card, load_card
from mirical.catalogues.photometry import NEEDED, as_photometry
from mirical.catalogues.published_files import read_published
from mirical.console.points import asked_points
from mirical.errors import InputError
from mirical.exports.calibrated_image import CalibratedImage, calibrate_image
from mirical.exports.calibrated_table import CalibratedFluxes, calibrate_table
from mirical.exports.covariance_file import Covariance, read_covariance
from mirical.exports.photom_file import PhotomRows, read_photom
from mirical.exports.preflight import preflight
from mirical.exports.preflight_file import Finding
from mirical.imaging.dithers import open_exposures
from mirical.imaging.encircled_energy import EnergyCurve
from mirical.imaging.images import Unmeasurable
from mirical.imaging.model_psf import read_model
from mirical.imaging.photometry_rows import Settings, row_of
from mirical.instruments.bandpasses import bandpass
from mirical.instruments.cards import load_instrument, parse_instrument
from mirical.instruments.instrument import Instrument
from mirical.instruments.uses import USES
from mirical.jobs.inputs import Inputs, resolve_job
from mirical.jobs.job import load_job
from mirical.jobs.sampler import Sampler
from mirical.many.result_files import ResultFolder, encode
from mirical.many.tasks import Recipe, Task, nothing
from mirical.planning.candidates import Candidates, read_candidates
from mirical.tables.apertures import Aperture, load_apertures, published_apertures
from mirical.tables.calibration_factors import CalibrationFactors, calibration_factors
from mirical.tables.photometry import load_photometry
from mirical.tables.predicted_fluxes import by_star_band, read_fluxes, shipped_fluxes
from mirical.tables.spectra import band_fluxes
from mirical.validation.rank_file import RankFile
from mirical.validation.replicates import DISTORTIONS, Replicate, Study
from mirical.validation.truth_file import TrueCalibration, read_truth

PUBLISHED = PublishedCalibration(MIRI)


def photometry(path: Path) -> CalibrationFactors:
    """Read rows and make factors of them."""
    predicted = by_star_band(shipped_fluxes(MIRI))
    return calibration_factors(
        load_photometry(str(path), MIRI, "fuzz"), predicted, published_apertures(MIRI)
    )


def judge_photometry(found: CalibrationFactors) -> Iterator[str]:
    table = found.observations.table
    used = np.array([not flag for flag in table["flag"]])
    for name in ("time", "iflux", "ifluxunc"):
        yield from not_finite(name, table[name][used], positive=True)
    yield from not_finite("log_factor", found.table["log_factor"][used])
    yield from not_finite("log_factor_unc", found.table["log_factor_unc"][used], positive=True)
    for band in table["filter"][used]:
        if band not in BANDS:
            yield f"band {band!r} is in use"


def published(path: Path) -> Table:
    """Read a downloaded table and make photometry of it."""
    notes: list[str] = []
    return as_photometry(read_published(path, NEEDED, notes), MIRI, path.name, notes)


def judge_published(table: Table) -> Iterator[str]:
    for name in ("name", "filter", "iflux"):
        if name not in table.colnames:
            yield f"there is no column {name!r}"


def judge_fluxes(table: Any) -> Iterator[str]:
    yield from not_finite("model_flux", table["model_flux"], positive=True)


def ask_grid(path: Path) -> Factors:
    """Read points and ask the published factors at them."""
    query = asked_points("factors", Namespace(at=path, filter=None, mjd=None), MIRI)[1]
    return PUBLISHED.at(query)


def judge_factors(found: Factors) -> Iterator[str]:
    yield from not_finite("a factor", found.mean, positive=True)
    yield from not_finite("its error", found.std, positive=True)
    yield from not_a_covariance("covariance", found.covariance, len(found.mean))


@cache
def printed_rows() -> Inputs:
    """Return the paper's printed rows and the default card."""
    return resolve_job(load_job("table5"))


def judge_candidates(found: Candidates) -> Iterator[str]:
    for name in ("mjd", "exposures", "unc"):
        yield from not_finite(name, getattr(found, name), positive=True)
    yield from not_finite("hours", list(found.hours.values()), positive=True)


def judge_calibrated(found: CalibratedFluxes) -> Iterator[str]:
    size = len(found.table)
    for name in ("flux_calibrated", "flux_cal_std", "c_mean"):
        yield from not_finite(name, found.table[name])
    yield from not_a_covariance("covariance", found.covariance, size)


def judge_apertures(found: dict[str, Aperture]) -> Iterator[str]:
    for band, aperture in found.items():
        yield from not_finite(f"radius of {band}", aperture.radii, positive=True)
        yield from not_finite(f"correction of {band}", aperture.correction, positive=True)
        if aperture.correction_unc < 0:
            yield f"error of the correction of {band} is negative"


def read_instrument(path: Path) -> Instrument:
    """Read a card and ask it what it can be used for."""
    found = load_instrument(str(path), "fuzz")
    return found if [use.lacks(found) for use in USES] else found


def judge_instrument(found: Instrument) -> Iterator[str]:
    yield from not_finite("pivots", [band.pivot for band in found.bands.values()], positive=True)
    if not found.bands or not found.reference or len(found.subarrays) < 1:
        yield "a card without bands or reference"


def read_bandpass(path: Path) -> SpectralElement:
    """Read the bandpass of a toy card whose folder holds the file."""
    card = good.instrument_text().replace("pivot = 0.475", 'pivot = 0.473875\nbandpass = "g.ecsv"')
    return bandpass("g", parse_instrument(card, "fuzz", path.parent))


def judge_bandpass(found: SpectralElement) -> Iterator[str]:
    yield from not_finite("pivot", found.pivot(), positive=True)


def read_zeros(path: Path) -> ZeroPointCalibration:
    """Read a table of zero points of the toy card."""
    return read_zero_points(path, parse_instrument(good.instrument_text(), "fuzz", path.parent))


def judge_zeros(found: ZeroPointCalibration) -> Iterator[str]:
    factors = found.at(found.in_reference(found.bands, 60000.0))
    yield from not_finite("factors", factors.mean, positive=True)
    yield from not_finite("offsets", list(found.offsets.values()))


def judge_truth(found: TrueCalibration) -> Iterator[str]:
    factors = found.at(found.in_reference(found.bands, 60000.0))
    yield from not_finite("factors", factors.mean, positive=True)


def judge_spectrum(found: dict[str, Any]) -> Iterator[str]:
    for band, flux in found.items():
        yield from not_finite(f"flux in {band}", flux, positive=True)


def judge_curve(found: EnergyCurve) -> Iterator[str]:
    yield from not_finite("radii", found.radii)
    yield from not_finite("energy", found.energy)
    yield from judge_apertures({"F770W": found.aperture()})


def measure(path: Path) -> dict[str, Any]:
    """Measure an image as `photometry` does; a row that says why not is a refusal."""
    row = row_of(path, Settings(published_apertures(MIRI)))
    if row["flag"] == "unmeasured":
        raise Unmeasurable(f"{path.name}: {row['reason']}.")
    return row


def judge_row(row: dict[str, Any]) -> Iterator[str]:
    for name in ("iflux", "ifluxunc", "time"):
        yield from not_finite(name, row[name], positive=True)
    if not row["flag"] and not row["name"]:
        yield "a star without a name"


def apply_to_image(path: Path) -> CalibratedImage:
    return calibrate_image(PUBLISHED, path, path.parent / "out.fits")


def judge_image(found: CalibratedImage) -> Iterator[str]:
    yield from not_finite("factor", [found.factor, found.factor_std, found.mjd], positive=True)


def judge_exposures(models: list[Any]) -> Iterator[str]:
    for model in models:
        if not np.any(np.isfinite(model.data)):
            yield "an exposure without a pixel"


def judge_findings(found: list[Finding]) -> Iterator[str]:
    for finding in found:
        if "\n" in finding.sentence:
            yield "a finding of more than one line"


def judge_photom(rows: PhotomRows) -> Iterator[str]:
    yield from not_finite("photmjsr", rows.photmjsr, positive=True)
    yield from not_finite("uncertainty", rows.uncertainty)
    yield from not_finite("factors", rows.factors(60000.0), positive=True)


def judge_covariance(found: Covariance) -> Iterator[str]:
    size = len(found.query)
    if found.mean.shape != (size,):
        yield f"{found.mean.shape} values of {size} points"
    yield from not_finite("mean", found.mean)
    yield from not_finite("mjd", found.query.mjd)
    yield from not_a_covariance("covariance", found.covariance, size)
    for name, part in found.parts.items():
        yield from not_a_covariance(name, part, size)
    if found.draws is not None:
        yield from not_finite("draws", found.draws)
        if found.draws.ndim != 2 or found.draws.shape[1] != size:
            yield f"draws of shape {found.draws.shape} for {size} points"
    if found.objects and len(found.objects) != size:
        yield f"{len(found.objects)} objects of {size} points"


def tie_again(path: Path) -> None:
    """Write the checksums of a run's folder again, which would refuse every change."""
    write_manifest(path.parent, {})


def ask_run(path: Path) -> tuple[Calibration, Factors, Any]:
    """Open a run and ask it all that commands ask."""
    calibration = open_calibration(str(path.parent))
    query = Query.of(MIRI, calibration.bands, "FULL", 60000.0)
    calibration.cautions(query)
    return calibration, calibration.at(query), calibration.stated_coefficients()


def judge_run(found: tuple[Calibration, Factors, Any]) -> Iterator[str]:
    calibration, factors, coefficients = found
    yield from judge_factors(factors)
    yield from not_finite("scatter", [calibration.scatter.visit])
    for name in ("A", "B", "A_std"):
        yield from not_finite(name, np.ma.compressed(np.ma.masked_invalid(coefficients[name])))


def judge_card(card: Card) -> Iterator[str]:
    for name, prior in card.priors.items():
        yield from not_finite(name, list(prior.parameters.values()))
        prior.distribution()


def read_job(path: Path) -> Inputs:
    return resolve_job(load_job(str(path)))


def judge_inputs(inputs: Inputs) -> Iterator[str]:
    yield from judge_photometry(inputs.factors)
    yield from judge_card(inputs.card)


@cache
def _study() -> Study:
    return Study(
        crowded_design(), load_card("hierarchical", "fuzz", MIRI), Sampler(), DISTORTIONS[None]
    )


def make_ranks(folder: Path) -> Path:
    ranks = RankFile(folder, _study())
    for k in range(3):
        one = Replicate(k, "", 400, 0, 1.0, 400.0, {"A[F770W]": (k, 99), "D": (5, 99)})
        ranks.replicates[k] = one
    ranks.write()
    return ranks.path


def read_ranks(path: Path) -> dict[int, Replicate]:
    return RankFile(path.parent, _study()).replicates


def judge_ranks(replicates: dict[int, Replicate]) -> Iterator[str]:
    for number, one in replicates.items():
        if isinstance(number, bool) or not isinstance(number, int) or number < 0:
            yield f"replicate {number!r}"
        for label, (rank, count) in one.ranks.items():
            if not 0 <= rank <= count:
                yield f"rank {rank!r} of {count!r} of {label!r}"


_TASK = Task(Recipe({}, (), nothing), 1)  # type: ignore[arg-type]


def make_result(folder: Path) -> Path:
    kept = ResultFolder(folder)
    with kept.held(collects=False):
        kept.save(_TASK, encode({"draws": np.ones((3, 2)), "problem": "", "ranks": {"A": [1, 2]}}))
    return next(folder.glob("*.npz"))


def read_result(path: Path) -> Any:
    return ResultFolder(path.parent).load(_TASK)


def judge_result(found: Any) -> Iterator[str]:
    """A damaged file is made again; one that is read is whole."""
    if found is not None:
        yield from not_finite("draws", found["draws"])


_IMAGES = "imaging.image_files"
_COVARIANCE = "storage.fits_files"
_FORMATS = (
    "tables.formats",
    "table_files.table_file",
    "table_files.file_contents",
    "table_files.fits_tables",
)
_REFUSES = (InputError, Unmeasurable)

READERS: tuple[Reader, ...] = (
    Reader("photometry.ecsv", good.ECSV, photometry, judge_photometry, TEXT,
           (*_FORMATS, "tables.photometry")),
    Reader("photometry.mrt", good.MRT, photometry, judge_photometry, TEXT, _FORMATS),
    Reader("published", good.MRT, published, judge_published, TEXT,
           ("catalogues.published_files", "commands.fetching")),
    Reader("photometry.fits", good.TABLE, photometry, judge_photometry, FITS, _FORMATS),
    Reader("photometry.ecsv.gz", good.once("rows.ecsv.gz", good.zipped), photometry,
           judge_photometry, compressed(TEXT), _FORMATS),
    Reader("photometry.csv", good.once("rows.csv", good.delimited), photometry, judge_photometry,
           TEXT, _FORMATS),
    Reader("photometry.vot", good.once("rows.vot", good.votable), photometry, judge_photometry,
           TEXT, (*_FORMATS, "table_files.votables")),
    Reader("photometry.parquet", good.once("rows.parquet", good.parquet), photometry,
           judge_photometry, BYTES, (*_FORMATS, "table_files.parquet")),
    Reader("fluxes", good.once("fluxes.ecsv", good.fluxes),
           lambda path: read_fluxes(path, MIRI), judge_fluxes, TEXT,
           ("tables.predicted_fluxes",)),
    Reader("grid", good.once("grid.ecsv", good.grid), ask_grid, judge_factors, TEXT,
           ("console.points",)),
    Reader("candidates", good.once("next.ecsv", good.candidates),
           lambda path: read_candidates(path, printed_rows()), judge_candidates, TEXT,
           ("planning.candidates",)),
    Reader("rates", good.once("rates.ecsv", good.to_calibrate),
           lambda path: calibrate_table(path, PUBLISHED, published_apertures(MIRI)),
           judge_calibrated, TEXT, ("exports.calibrated_table",)),
    Reader("calibrated", good.once("mine.ecsv", good.calibrated_before),
           lambda path: calibrate_table(path, PUBLISHED, published_apertures(MIRI)),
           judge_calibrated, TEXT, ("exports.calibrated_table",)),
    Reader("apertures", good.once("apertures.ecsv", good.apertures),
           lambda path: load_apertures(str(path), MIRI, "fuzz"), judge_apertures, TEXT,
           ("tables.apertures",)),
    Reader("spectrum", good.once("star.fits", good.spectrum),
           lambda path: band_fluxes(path, MIRI), judge_spectrum, FITS,
           ("tables.spectrum_files",)),
    Reader("psf", good.once("psf.fits", good.psf), lambda path: read_model(path, "F770W"),
           judge_curve, FITS, ("imaging.model_psf",)),
    Reader("mosaic", good.once("star_i2d.fits", good.image), measure, judge_row, FITS, (_IMAGES,),
           _REFUSES),
    Reader("exposure", good.once("star_cal.fits", good.exposure), measure, judge_row, FITS,
           (_IMAGES,), _REFUSES),
    Reader("rate", good.once("star_rate.fits", good.rate), apply_to_image, judge_image, FITS,
           ("exports.calibrated_image",)),
    Reader("exposures", good.once("star_cal.fits", good.exposure),
           lambda path: open_exposures([path]), judge_exposures, FITS, ("imaging.dithers",)),
    Reader("photom", good.once("photom.fits", good.photom), read_photom, judge_photom, FITS,
           ("storage.fits_files",)),
    Reader("preflight", good.once("photom.fits", good.photom), preflight, judge_findings, FITS,
           ("storage.fits_files",)),
    Reader("covariance", good.once("c.fits", good.covariance), read_covariance, judge_covariance,
           FITS, (_COVARIANCE,)),
    Reader("posterior", good.of_a_run("posterior.nc"), ask_run, judge_run, BYTES,
           ("calibration.store", "calibration.draws"), mend=tie_again),
    Reader("draws", good.of_a_run("posterior.nc"), ask_run, judge_run, (change_dataset,),
           ("calibration.store", "calibration.draws"), mend=tie_again),
    Reader("diagnostics", good.of_a_run("diagnostics.json"), ask_run, judge_run, TEXT,
           ("calibration.manifest",), mend=tie_again),
    Reader("manifest", good.of_a_run("manifest.json"), ask_run, judge_run, TEXT,
           ("calibration.manifest",)),
    Reader("card", good.text("own.toml", good.card_text),
           lambda path: load_card(str(path), "fuzz", MIRI), judge_card, TEXT,
           ("model.card_files", "storage.toml_files")),
    Reader("instrument", good.text("instrument.toml", good.instrument_text), read_instrument,
           judge_instrument, TEXT, ("instruments.cards", "storage.toml_files")),
    Reader("bandpass", good.once("g.ecsv", good.bandpass), read_bandpass, judge_bandpass, TEXT,
           ("instruments.card_tables", "instruments.bandpasses")),
    Reader("zero points", good.once("zero.ecsv", good.zero_points), read_zeros, judge_zeros, TEXT,
           ("calibration.zero_point_table",)),
    Reader("truth", good.once("truth.ecsv", good.truth), lambda path: read_truth(path, MIRI),
           judge_truth, TEXT, ("validation.truth_file",)),
    Reader("job", good.job, read_job, judge_inputs, TEXT, ("jobs.job", "storage.toml_files")),
    Reader("ranks", make_ranks, read_ranks, judge_ranks, TEXT, ("validation.rank_file",)),
    Reader("result", make_result, read_result, judge_result, BYTES, ("many.result_files",)),
)  # fmt: skip
"""Every reader of the program."""
