"""Encircled energies of images of bright stars, each with its band's model PSF beyond a radius."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

from mirical.errors import InputError
from mirical.imaging.encircled_energy import EnergyCurve, observed_curve, usual_transition
from mirical.imaging.image_files import Unmeasurable, file_hash
from mirical.imaging.images import Image, read_image
from mirical.imaging.model_psf import make_model, read_model
from mirical.imaging.photometry_rows import PACKAGES
from mirical.imaging.star_finding import Position, locate
from mirical.instruments.miri import miri
from mirical.many.tasks import Perform, Recipe, Result, Runner, Task
from mirical.tables.apertures import published_apertures


@dataclass(frozen=True)
class Models:
    """Model PSFs of bands.

    Attributes
    ----------
    psfs : mapping of {str : Path}
        Model PSF images by band.
    only : Path or None
        The model PSF image of the one band `psfs` does not name.
    transition : float or None
        Radius inside which the observations count, pixel; by default `usual_transition`.
    """

    psfs: Mapping[str, Path]
    only: Path | None = None
    transition: float | None = None

    def files(self) -> list[Path]:
        """Return all model PSF images."""
        return [*self.psfs.values(), *filter(None, [self.only])]

    def radius(self, band: str) -> float:
        """Return the radius inside which the observations of a band count, pixel."""
        return self.transition or usual_transition(band)

    def curve(self, band: str) -> EnergyCurve:
        """Return the encircled energy of a band's model."""
        path = self.psfs.get(band, self.only)
        return make_model(band) if path is None else read_model(path, band)

    def refuse_shared(self, bands: Sequence[str]) -> None:
        """Refuse a model not said to be of one band: another's is wrong by a tenth.

        Raises
        ------
        InputError
            If more or less than one of the bands would take it.
        """
        bands = [band for band in dict.fromkeys(bands) if band not in self.psfs]
        if self.only is not None and len(bands) != 1:
            raise InputError(
                f"apertures: --psf {self.only} names no band, and {len(bands)} want a model PSF"
                f"{': ' * bool(bands)}{', '.join(bands)}; give --psf BAND=FILE for each band."
            )


@dataclass(frozen=True)
class Observed:
    """What an image gives.

    Attributes
    ----------
    band : str
        Its band.
    mjd : float
        When it was taken [d].
    simulated : bool
        Whether it says that it is simulated.
    curve : EnergyCurve
        Encircled energy of its star.
    """

    band: str
    mjd: float
    simulated: bool
    curve: EnergyCurve


def bands_of(images: Sequence[Path]) -> list[str]:
    """Return the band of each image.

    Raises
    ------
    InputError
        For one that cannot be used.
    """
    return [_located(path)[0].exposure.band for path in images]


def measure_curves(
    images: Sequence[Path], models: Models, advance: Callable[[], None], run: Runner
) -> list[Observed]:
    """Measure the encircled energy of the star in each image.

    Raises
    ------
    InputError
        For an image or a model that cannot be used.
    """
    psfs = {band: file_hash(path) for band, path in models.psfs.items()}
    inputs = {"study": "apertures", "psfs": psfs, "transition": models.transition}
    inputs |= {"only": models.only and file_hash(models.only)}
    recipe = Recipe(inputs, PACKAGES, partial(_measuring, models), processes=True)
    found: dict[int, Observed] = {}

    def take(number: int, result: Result) -> None:
        curve = EnergyCurve(result["radii"], result["energy"])
        found[number] = Observed(result["band"], result["mjd"], result["simulated"], curve)
        advance()

    run([Task(recipe, [os.path.abspath(path), file_hash(path)]) for path in images], take)
    return [found[number] for number in sorted(found)]


def _measuring(models: Models) -> Perform:
    """Return the function that measures the star of an image by its path."""
    model = cache(models.curve)

    def measure_one(item: Sequence[str], _: threading.Event) -> Result:
        path = Path(item[0])
        image, at = _located(path)
        band = image.exposure.band
        of_model, radius = model(band), models.radius(band)
        try:
            curve = observed_curve(image.data, at.x, at.y, of_model, radius, image.scale)
        except InputError as error:
            raise InputError(f"{path.name}: {error}") from error
        about = {"band": band, "mjd": image.exposure.mjd, "simulated": image.exposure.simulated}
        return {**about, "radii": curve.radii, "energy": curve.energy}

    return measure_one


def _located(path: Path) -> tuple[Image, Position]:
    """Return an image and where its star is."""
    try:
        image = read_image(path)
        usual = published_apertures(miri())[image.exposure.band]
        return image, locate(image, usual.r_a / image.scale, usual.r_b2 / image.scale)
    except Unmeasurable as why:
        raise InputError(f"{path.name}: {why}.") from why
