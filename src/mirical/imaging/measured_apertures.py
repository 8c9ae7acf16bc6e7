"""Apertures measured on images of bright stars and model PSFs, with their tables (section 2.1)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from astropy import units as u
from astropy.table import QTable
from numpy.typing import NDArray

from mirical.errors import InputError
from mirical.imaging.encircled_energy import ApertureEstimate, EnergyCurve, combine
from mirical.imaging.image_files import distinct_names, file_hash
from mirical.imaging.observed_curves import Models, bands_of, measure_curves
from mirical.instruments.miri import miri
from mirical.many.running import run_here
from mirical.many.tasks import Runner, nothing
from mirical.version import __version__

_NAMES = ("r_a", "r_b1", "r_b2", "a_cor")
_DESCRIPTIONS = {
    "filter": "Band",
    "r_a": "Radius enclosing 70 % of the flux",
    "r_b1": "Radius enclosing 80 %: inner edge of the annulus",
    "r_b2": "Radius enclosing 85 %: outer edge of the annulus",
    "a_cor": "Aperture correction by Eq. (1)-(2)",
    "a_fixed": "Mean correction of the mean aperture by each observation's own energies",
    "a_fixed_unc": "Its scatter between observations: the error in a fixed aperture",
    "transition": "Radius inside which the images counted, the model outside",
    "n_observations": "Observed images; 0 where the model alone was used",
}


_OF_CURVES = {
    "filter": "Band",
    "fraction": "Encircled energy: share of the flux inside the radius",
    "radius": "Radius, in pixels of 0.11 arcsec",
    "radius_unc": "Scatter of the radius between observations",
    "observation": "Number of the image within its band, or 1 for the model alone",
    "energy": "Share of the flux inside the radius",
}


@dataclass(frozen=True)
class ApertureStudy:
    """Apertures of some bands.

    Attributes
    ----------
    estimates : dict of {str : ApertureEstimate}
        By band.
    observed : dict of {str : int}
        Number of observed images by band; 0 where the model alone was used.
    transitions : dict of {str : float}
        Radius inside which the observations count by band, pixel.
    fractions : tuple of float
        Encircled energies whose radii were asked for.
    span : (float, float) or None
        MJD of the first and last image [d]; None without images.
    simulated : bool
        Whether any image says it is simulated.
    images : dict of {str : str}
        First digits of the SHA-256 of every image and model PSF, by file name.
    """

    estimates: Mapping[str, ApertureEstimate]
    observed: Mapping[str, int]
    transitions: Mapping[str, float]
    fractions: tuple[float, ...]
    span: tuple[float, float] | None
    simulated: bool
    images: Mapping[str, str] = field(default_factory=dict)

    def record(self) -> dict[str, Any]:
        """Return where the numbers come from, as tables and figure carry it."""
        known: dict[str, Any] = {
            "origin": "mirical apertures: method of Gordon et al. 2025, section 2.1",
            "version": f"mirical {__version__}",
        }
        if self.images:
            known["sha256"] = dict(self.images)
        if self.span:
            known["images_mjd"] = list(self.span)
        if self.simulated:
            known["simulated"] = True
        return known

    def table(self) -> QTable:
        """Return one row a band: radii, correction, their scatter and covariance."""
        bands = [band for band in miri().bands if band in self.estimates]
        found = [self.estimates[band] for band in bands]
        table = QTable({"filter": bands})
        means = np.array([_means(estimate) for estimate in found])
        for i, name in enumerate(_NAMES):
            table[name] = means[:, i] * (u.pix if name.startswith("r") else 1)
            scatter = np.sqrt([estimate.covariance[i, i] for estimate in found])
            table[f"{name}_unc"] = scatter * (u.pix if name.startswith("r") else 1)
            table[f"{name}_unc"].info.description = f"Scatter of {name} between observations"
        table["a_fixed"] = [estimate.fixed_correction for estimate in found]
        table["a_fixed_unc"] = [estimate.fixed_correction_unc for estimate in found]
        table["transition"] = [self.transitions[band] for band in bands] * u.pix
        table["n_observations"] = [self.observed[band] for band in bands]
        for i, one in enumerate(_NAMES):
            for j, two in enumerate(_NAMES[:i]):
                name = f"cov_{two}_{one}"
                unit = u.pix if one == "a_cor" else u.pix**2
                table[name] = [estimate.covariance[i, j] for estimate in found] * unit
                table[name].info.description = f"Covariance of {two} and {one} between observations"
        for name, text in _DESCRIPTIONS.items():
            table[name].info.description = text
        return _labelled(table, "apertures and their corrections", self)

    def mean_radii(self, band: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return each fraction's mean radius and its scatter between observations [pixel].

        The scatter of one observation is NaN.
        """
        curves = self.estimates[band].curves
        each = np.array([[curve.radius(f) for f in self.fractions] for curve in curves])
        unknown = np.full(each.shape[1], np.nan)
        return each.mean(axis=0), each.std(axis=0, ddof=1) if len(each) > 1 else unknown

    def radius_table(self) -> QTable:
        """Return one row a band and fraction: filter, fraction, radius, radius_unc [pix]."""
        parts = [
            (band, *row)
            for band in self.estimates
            for row in zip(self.fractions, *self.mean_radii(band), strict=True)
        ]
        table = QTable(rows=parts, names=("filter", "fraction", "radius", "radius_unc"))
        for name in ("radius", "radius_unc"):
            table[name] = table[name] * u.pix
        _describe(table)
        return _labelled(table, "radii of given encircled energies", self)

    def curve_table(self) -> QTable:
        """Return the encircled energies: filter, observation, radius [pix], energy."""
        parts = [
            (band, i, radius, energy)
            for band, estimate in self.estimates.items()
            for i, curve in enumerate(estimate.curves, start=1)
            for radius, energy in zip(curve.radii, curve.energy, strict=True)
        ]
        table = QTable(rows=parts, names=("filter", "observation", "radius", "energy"))
        table["radius"] = table["radius"] * u.pix
        _describe(table)
        return _labelled(table, "encircled energies", self)


def _means(estimate: ApertureEstimate) -> tuple[float, float, float, float]:
    aperture = estimate.aperture
    return aperture.r_a, aperture.r_b1, aperture.r_b2, aperture.correction


def _describe(table: QTable) -> None:
    for name in table.colnames:
        table[name].info.description = _OF_CURVES[name]


def _labelled(table: QTable, what: str, study: ApertureStudy) -> QTable:
    table.meta["title"] = f"{'SIMULATED: ' if study.simulated else ''}{what}"
    table.meta |= study.record()
    return table


def study_apertures(
    images: Sequence[Path],
    models: Models,
    fractions: tuple[float, ...],
    advance: Callable[[], None] = nothing,
    run: Runner = run_here,
) -> ApertureStudy:
    """Measure encircled energies band by band.

    A band with a model but no image gets the model at all radii, as F2550W in
    the paper.

    Parameters
    ----------
    images : sequence of Path
        Mosaics of bright stars in empty fields.
    models : Models
        Model PSFs, and how far out they count.
    fractions : tuple of float
        Encircled energies whose radii are asked for.
    advance : callable
        Told of every image measured.
    run : Runner
        Measures them.

    Raises
    ------
    InputError
        For an image or a model that cannot be used.
    """
    _refuse_twice(images)
    if models.only is not None:  # refused before the work
        models.refuse_shared([*models.psfs, *bands_of(images)])
    found = measure_curves(images, models, advance, run)
    curves: dict[str, list[EnergyCurve]] = {band: [] for band in models.psfs}
    for one in found:
        curves.setdefault(one.band, []).append(one.curve)
    estimates = {
        band: _combined(band, observed or [models.curve(band)], fractions)
        for band, observed in curves.items()
    }
    counts = {band: len(observed) for band, observed in curves.items()}
    dates = [one.mjd for one in found]
    span = (min(dates), max(dates)) if dates else None
    simulated = any(one.simulated for one in found)
    files = [*images, *models.files()]
    hashes = dict(zip(distinct_names(files), map(file_hash, files), strict=True))
    transitions = {band: models.radius(band) for band in curves}
    return ApertureStudy(estimates, counts, transitions, fractions, span, simulated, hashes)


def _refuse_twice(images: Sequence[Path]) -> None:
    """Refuse an image given twice: its scatter against itself is zero, not a measurement."""
    seen: set[Path] = set()
    for path in images:
        if path.resolve() in seen:
            raise InputError(f"{path.name}: is given twice; give each image once.")
        seen.add(path.resolve())


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
