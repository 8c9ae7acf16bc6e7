"""Images of bright stars and model PSFs in, encircled energies and apertures out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from mirical.errors import InputError
from mirical.imaging.aperture_tables import ApertureStudy
from mirical.imaging.encircled_energy import (
    ApertureEstimate,
    EnergyCurve,
    combine,
    observed_curve,
    usual_transition,
)
from mirical.imaging.image_files import Unmeasurable, distinct_names, file_hash
from mirical.imaging.images import Image, read_image
from mirical.imaging.model_psf import make_model, read_model
from mirical.imaging.star_finding import Position, locate
from mirical.tables.apertures import published_apertures


def study_apertures(
    images: Sequence[Path],
    psfs: Mapping[str, Path],
    only: Path | None,
    transition: float | None,
    fractions: tuple[float, ...],
) -> ApertureStudy:
    """Measure encircled energies band by band.

    A band with a model but no image gets the model at all radii, as F2550W in
    the paper.

    Parameters
    ----------
    images : sequence of Path
        Mosaics of bright stars in empty fields.
    psfs : mapping of {str : Path}
        Model PSF images by band.
    only : Path or None
        The model PSF image of the one band `psfs` does not name.
    transition : float or None
        Radius inside which the observations count, pixel; by default `usual_transition`.
    fractions : tuple of float
        Encircled energies whose radii are asked for.

    Raises
    ------
    InputError
        For the first image or model that cannot be used.
    """
    _refuse_twice(images)
    stars: dict[str, list[tuple[Image, Position, str]]] = {band: [] for band in psfs}
    exposures = []
    for path in images:
        try:
            image = read_image(path)
            band = image.exposure.band
            usual = published_apertures()[band]
            position = locate(image, usual.r_a / image.scale, usual.r_b2 / image.scale)
        except Unmeasurable as why:
            raise InputError(f"{path.name}: {why}.") from why
        exposures.append(image.exposure)
        stars.setdefault(band, []).append((image, position, path.name))
    _refuse_shared(only, [band for band in stars if band not in psfs])
    transitions = {band: transition or usual_transition(band) for band in stars}
    estimates = {}
    for band, observed in stars.items():
        model = _model(band, psfs.get(band, only))
        radius = transitions[band]
        curves = [_observed(star, model, radius) for star in observed] or [model]
        estimates[band] = _combined(band, curves, fractions)
    counts = {band: len(observed) for band, observed in stars.items()}
    dates = [exposure.mjd for exposure in exposures]
    span = (min(dates), max(dates)) if dates else None
    simulated = any(exposure.simulated for exposure in exposures)
    files = [*images, *psfs.values(), *filter(None, [only])]
    hashes = dict(zip(distinct_names(files), map(file_hash, files), strict=True))
    return ApertureStudy(estimates, counts, transitions, fractions, span, simulated, hashes)


def _model(band: str, path: Path | None) -> EnergyCurve:
    return make_model(band) if path is None else read_model(path, band)


def _refuse_twice(images: Sequence[Path]) -> None:
    """Refuse an image given twice: its scatter against itself is zero, not a measurement."""
    seen: set[Path] = set()
    for path in images:
        if path.resolve() in seen:
            raise InputError(f"{path.name}: is given twice; give each image once.")
        seen.add(path.resolve())


def _refuse_shared(psf: Path | None, bands: Sequence[str]) -> None:
    """Refuse a model PSF that is not said to be of one band: another's is wrong by a tenth."""
    if psf is not None and len(bands) != 1:
        raise InputError(
            f"apertures: --psf {psf} names no band, and {len(bands)} want a model PSF"
            f"{': ' * bool(bands)}{', '.join(bands)}; give --psf BAND=FILE for each band."
        )


def _observed(
    star: tuple[Image, Position, str], model: EnergyCurve, transition: float
) -> EnergyCurve:
    image, position, name = star
    try:
        return observed_curve(image.data, position.x, position.y, model, transition, image.scale)
    except InputError as error:
        raise InputError(f"{name}: {error}") from error


def _combined(
    band: str, curves: Sequence[EnergyCurve], fractions: tuple[float, ...]
) -> ApertureEstimate:
    try:
        for curve in curves:
            for fraction in fractions:
                curve.radius(fraction)  # refused here, not while the tables are made
        return combine(curves)
    except ValueError as error:
        raise InputError(
            f"{band}: {error}; is the model PSF large enough, and its centre the star's?"
        ) from error
