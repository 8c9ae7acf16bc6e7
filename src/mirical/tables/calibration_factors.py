"""Log calibration factors of checked rows, with their errors (paper Eq. 3)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from astropy import units as u
from astropy.table import QTable

from mirical.errors import InputError
from mirical.stars import star_hint, star_key
from mirical.tables.apertures import Aperture, refuse_other_apertures
from mirical.tables.free_stars import free_rows, nominal_fluxes
from mirical.tables.photometry import Observations
from mirical.tables.predicted_fluxes import predicted_fluxes


@dataclass(frozen=True)
class CalibrationFactors:
    """The log calibration factor of every row.

    Attributes
    ----------
    observations : Observations
        The rows, with flags final (``no_prediction`` included) and
        ``model_flux``, ``model_flux_unc`` [mJy] filled in.
    table : QTable
        One row per observation: ``factor`` [the instrument's unit],
        ``log_factor`` and ``log_factor_unc`` (natural logarithm, NaN where flagged),
        ``aperture_correction`` and ``aperture_correction_unc``; ``free``, whether the row is of a
        star of unknown flux, whose factor is that of its ``nominal_flux`` [mJy].
    apertures : dict of {str : Aperture}
        Apertures the count rates were measured in, by band. The error of
        their corrections is common to a band, cancels for point sources
        measured the same way, and is therefore not part of ``log_factor_unc``.
    """

    observations: Observations
    table: QTable
    apertures: dict[str, Aperture]

    def nominal_fluxes(self) -> dict[tuple[str, str], float]:
        """Return the nominal fluxes of free stars by star and band, mJy."""
        rows = self.observations.table[self.table["free"]]
        place = zip(map(str, rows["name"]), map(str, rows["filter"]), strict=True)
        fluxes = self.table["nominal_flux"][self.table["free"]].to_value(u.mJy)
        return dict(zip(place, fluxes.tolist(), strict=True))


def calibration_factors(
    observations: Observations,
    predicted: dict[tuple[str, str], float],
    apertures: dict[str, Aperture],
    predicted_unc: Mapping[tuple[str, str], float] | None = None,
    free_stars: bool = False,
    nominal: Mapping[tuple[str, str], float] | None = None,
) -> CalibrationFactors:
    """Return C = F / (N A_cor Omega_pix) of every row (Eq. 3) and its logarithm.

    Parameters
    ----------
    observations : Observations
        Checked rows.
    predicted : dict of {(star, band) : float}
        Predicted flux densities in mJy, used where a row brings no ``model_flux``.
    apertures : dict of {str : Aperture}
        Aperture and annulus of each band.
    predicted_unc : mapping of {(star, band) : float}, optional
        Errors of the predicted flux densities in mJy, where they are stated.
    free_stars : bool
        Whether stars without a predicted flux in any band are fitted, with fluxes of their own.
    nominal : mapping of {(star, band) : float}, optional
        Nominal fluxes of such stars in mJy that are kept; others are found from the rows.

    Raises
    ------
    InputError
        If no row is left to fit, rows contradict each other on a star's predicted flux, they
        were measured in other apertures, or no star with a predicted flux was observed in a band.
    """
    refuse_other_apertures(observations.source, observations.measured_in, apertures)
    rows = observations.table.copy()
    errors = np.nan_to_num(_looked_up(rows, predicted_unc or {}))
    predicted_fluxes(rows, _looked_up(rows, predicted), errors.tolist(), observations.source)
    unpredicted = ~np.isfinite(rows["model_flux"].value)
    free = free_rows(rows) & free_stars
    unpredicted &= ~free
    rows["flag"] = [
        "no_prediction" if lost and not flag else str(flag)
        for flag, lost in zip(rows["flag"], unpredicted, strict=True)
    ]
    rows["reason"] = [
        reason or (_unpredicted(str(name), str(band)) if flag == "no_prediction" else "")
        for reason, flag, name, band in zip(
            rows["reason"], rows["flag"], rows["name"], rows["filter"], strict=True
        )
    ]
    if all(rows["flag"]):
        reasons = ", ".join(sorted({str(flag) for flag in rows["flag"]}))
        hints = [reason for reason in rows["reason"][unpredicted] if "did you mean" in reason]
        raise InputError(
            f"{observations.source}: every row is flagged ({reasons}); nothing to fit"
            + (f": {hints[0]}" if hints else ".")
        )

    free &= np.array([not flag for flag in rows["flag"]])
    quoted = nominal_fluxes(rows, free, observations.source, nominal)
    # A flagged row may not even know its band.
    unknown = Aperture(np.nan, np.nan, np.nan)
    used_apertures = [apertures.get(str(band), unknown) for band in rows["filter"]]
    corrections = np.array([aperture.correction for aperture in used_apertures])
    flux = np.where(free, quoted, rows["model_flux"].to_value(u.mJy)) * u.mJy
    factor = observations.instrument.factors(flux, rows["iflux"], corrections, rows["filter"])
    used = np.array([not flag for flag in rows["flag"]])
    table = QTable(
        {
            "factor": factor,
            "log_factor": np.where(used, np.log(factor.value), np.nan),
            "log_factor_unc": np.where(used, (rows["ifluxunc"] / rows["iflux"]).value, np.nan),
            "aperture_correction": corrections,
            "aperture_correction_unc": [aperture.correction_unc for aperture in used_apertures],
            "free": free,
            "nominal_flux": quoted * u.mJy,
        }
    )
    return CalibrationFactors(replace(observations, table=rows), table, apertures)


def _looked_up(rows: QTable, predicted: Mapping[tuple[str, str], float]) -> list[float]:
    by_key = {(star_key(name), band): flux for (name, band), flux in predicted.items()}
    return [
        by_key.get((star_key(str(name)), str(band)), np.nan)
        for name, band in zip(rows["name"], rows["filter"], strict=True)
    ]


def _unpredicted(name: str, band: str) -> str:
    """Return why a row has no predicted flux, where its star's name may be a slip; else nothing."""
    hint = star_hint(name)
    return f"no predicted flux of {name!r} in {band}{hint}" if hint else ""
