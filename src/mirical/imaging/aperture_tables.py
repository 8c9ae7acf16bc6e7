"""Encircled energies and apertures of some bands, as tables and files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from astropy import units as u
from astropy.table import QTable
from numpy.typing import NDArray

import mirical
from mirical.bands import BANDS
from mirical.imaging.encircled_energy import ApertureEstimate
from mirical.storage.files import whole_folder
from mirical.tables.formats import write_ecsv

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

    def table(self) -> QTable:
        """Return one row a band: radii, correction, their scatter and covariance."""
        bands = [band for band in BANDS if band in self.estimates]
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
    table.meta["origin"] = "mirical apertures: method of Gordon et al. 2025, section 2.1"
    table.meta["version"] = f"mirical {mirical.__version__}"
    if study.images:
        table.meta["sha256"] = dict(study.images)
    if study.simulated:
        table.meta["simulated"] = True
    return table


def write_study(study: ApertureStudy, folder: Path) -> None:
    """Write the tables (apertures, radii, curves), ``apcorr.fits`` and ``encircled.png``.

    Raises
    ------
    InputError
        If the folder cannot be written.
    """
    from mirical.exports.apcorr_file import write_apcorr
    from mirical.imaging.figures import draw_encircled

    with whole_folder(folder) as beside:
        write_ecsv(study.table(), beside / "apertures.ecsv")
        write_ecsv(study.radius_table(), beside / "radii.ecsv")
        write_ecsv(study.curve_table(), beside / "curves.ecsv")
        write_apcorr(study, beside / "apcorr.fits")
        (beside / "encircled.png").write_bytes(draw_encircled(study))
