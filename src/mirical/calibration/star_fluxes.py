"""Fluxes of a run's stars under its calibration: new secondary standards, with covariance."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from astropy import units as u
from astropy.table import QTable
from numpy.typing import NDArray

from mirical.calibration.calibration import errors_hold
from mirical.calibration.draws import ROWS, STAR_FLUX
from mirical.calibration.posterior import PosteriorCalibration
from mirical.conventions import FLUX
from mirical.errors import InputError
from mirical.inference.quoted_errors import covariance, half_width
from mirical.instruments.magnitudes import PER_MAGNITUDE, magnitudes
from mirical.tables.free_stars import FREE, PREDICTED

Floats = NDArray[np.float64]

_OFFSETS = ("star_offset", "star_band_offset", "flux_offset")


@dataclass(frozen=True)
class StarFluxes:
    """Fluxes of stars, a star and band each point.

    Attributes
    ----------
    stars, bands : tuple of str
        Star and band of each point.
    prior : tuple of str
        `FREE` or `PREDICTED`.
    rows : (point,) int array
        Rows behind each.
    logs : (draw, point) array
        Draws of ln flux [mJy], given an exact flux scale.
    flux_scale : float
        Relative error of the flux scale, common to all points.
    calibration : PosteriorCalibration
        Whose.
    """

    stars: tuple[str, ...]
    bands: tuple[str, ...]
    prior: tuple[str, ...]
    rows: NDArray[np.int_]
    logs: Floats
    flux_scale: float
    calibration: PosteriorCalibration

    @property
    def mean(self) -> Floats:
        """Flux density, mJy, (point,)."""
        return np.exp(self.logs.mean(axis=0))

    @property
    def covariance(self) -> Floats:
        """Covariance of ln flux, that of the flux scale included, (point, point)."""
        return covariance(self.logs) + self.flux_scale**2

    def table(self) -> QTable:
        """Return name, filter, prior, n_rows, flux [mJy] and magnitude with errors.

        Errors are absolute, ``_relative_std`` without the error of the flux scale. The magnitude is
        of the system that the card names, AB if it names none.
        """
        relative = half_width(self.logs)
        absolute = np.hypot(relative, self.flux_scale)
        instrument = self.calibration.instrument
        system = instrument.factor.view or "AB"
        table = QTable({"name": list(self.stars), "filter": list(self.bands)})
        table["prior"], table["n_rows"] = list(self.prior), self.rows
        table["flux"] = self.mean * FLUX
        for name, error in (("std", absolute), ("relative_std", relative)):
            table[f"flux_{name}"] = self.mean * error * FLUX
        mag = f"mag_{system.lower()}"
        table[mag] = magnitudes(table["flux"], self.bands, system, instrument) * u.mag
        for name, error in (("std", absolute), ("relative_std", relative)):
            table[f"{mag}_{name}"] = PER_MAGNITUDE * error * u.mag
        table.meta["title"] = "Fluxes of stars under the calibration"
        table.meta["errors"] = errors_hold(self.calibration)
        return table


def star_fluxes(calibration: PosteriorCalibration) -> StarFluxes:
    """Return the fluxes of every star in every band that it was fitted in.

    Of a star with a predicted flux, it is that less what the fit found it to be off.

    Raises
    ------
    InputError
        If the run does not hold the fluxes: an earlier version wrote it.
    """
    draws = calibration.run_draws
    if not draws.has(STAR_FLUX, ROWS):
        raise InputError(
            f"{calibration.name}: holds no fluxes of its stars; an earlier version wrote it: run "
            "the job again."
        )
    quoted = draws.values(STAR_FLUX, ROWS)
    names, bands = draws.labels("star"), draws.labels("band")
    off = np.zeros((len(calibration.chosen()), *quoted.shape))
    for name in _OFFSETS:
        if draws.has(name):
            values = draws.flat(name)
            off += values[:, :, None] if name == "star_offset" else values
    if draws.has("type_band_offset"):
        off += draws.flat("type_band_offset")[:, draws.values("type_index", ROWS)]
    free = np.zeros(len(names), dtype=bool)
    if draws.has("free", ROWS):
        free = draws.values("free", ROWS) > 0
        off[:, free] = -draws.flat("free_flux")[:, free]
    star, band = np.nonzero(np.isfinite(quoted))
    of_rows = (draws.values(f"{of}_index", ROWS) for of in ("star", "band"))
    counts = np.zeros(quoted.shape, dtype=int)
    np.add.at(counts, tuple(of_rows), 1)
    scale = draws.flux_scale_error if "flux_scale" in calibration.absolute_parts else 0.0
    return StarFluxes(
        stars=tuple(names[i] for i in star),
        bands=tuple(bands[i] for i in band),
        prior=tuple(FREE if free[i] else PREDICTED for i in star),
        rows=counts[star, band],
        logs=np.log(quoted[star, band]) - off[:, star, band],
        flux_scale=scale,
        calibration=calibration,
    )
