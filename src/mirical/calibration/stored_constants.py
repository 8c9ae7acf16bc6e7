"""What a run stores beside its draws of its apertures and of its stars' fluxes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from mirical.calibration.draws import APERTURE_ERROR, STAR_FLUX
from mirical.tables.apertures import Aperture

if TYPE_CHECKING:
    import xarray as xr

    from mirical.tables.calibration_factors import CalibrationFactors


def with_apertures(posterior: xr.DataTree, apertures: Mapping[str, Aperture]) -> xr.DataTree:
    """Return the posterior with the apertures' relative errors by band in its constant data."""
    bands = [str(band) for band in posterior["posterior"].to_dataset()["band"].values]
    errors = [apertures[band].relative_unc for band in bands]
    return _with_constants(posterior, {APERTURE_ERROR: ("band", errors)}, band=bands)


def with_fluxes(posterior: xr.DataTree, factors: CalibrationFactors) -> xr.DataTree:
    """Return the posterior with the fluxes of its stars and their types in its constant data.

    A flux [mJy] is the predicted one, or nominal where it is free; NaN where no row of the star was
    fitted in the band.
    """
    known = posterior["posterior"].to_dataset()
    stars, bands, types = (list(map(str, known[n].values)) for n in ("star", "band", "srctype"))
    flux, kind = np.full((len(stars), len(bands)), np.nan), np.zeros(len(stars), dtype=np.int32)
    rows, table = factors.observations.table, factors.table
    quoted = np.where(table["free"], table["nominal_flux"].value, rows["model_flux"].value)
    columns = (rows[name] for name in ("name", "filter", "srctype", "flag"))
    for star, band, srctype, flag, value in zip(*columns, quoted, strict=True):
        if not flag:
            place = stars.index(str(star))
            flux[place, bands.index(str(band))] = value
            kind[place] = types.index(str(srctype))
    more = {STAR_FLUX: (("star", "band"), flux), "type_index": ("star", kind)}
    return _with_constants(posterior, more, star=stars, band=bands)


def stored_fluxes(posterior: xr.DataTree) -> dict[tuple[str, str], float]:
    """Return the fluxes that `with_fluxes` stored, by star and band; none of an older run."""
    data = posterior["constant_data"].to_dataset()
    if STAR_FLUX not in data:
        return {}
    fluxes = data[STAR_FLUX].transpose("star", "band")
    known = np.argwhere(np.isfinite(fluxes.values)).tolist()
    stars, bands = (list(map(str, fluxes[dim].values)) for dim in ("star", "band"))
    return {(stars[i], bands[j]): float(fluxes.values[i, j]) for i, j in known}


def _with_constants(
    posterior: xr.DataTree, more: Mapping[str, object], **coordinates: list[str]
) -> xr.DataTree:
    data = posterior["constant_data"].to_dataset().assign_coords(coordinates)
    posterior["constant_data"] = type(posterior)(data.assign(more))
    return posterior
