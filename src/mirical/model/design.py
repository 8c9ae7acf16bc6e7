"""The design of a fit: which row belongs to which band, subarray, star and visit."""

from __future__ import annotations

from dataclasses import dataclass

import jax
import numpy as np
from jaxtyping import Array, Float, Int
from numpy.typing import NDArray

from mirical.bands import BANDS, SUBARRAYS, subarray_term
from mirical.conventions import T0_MJD
from mirical.observations.factors import CalibrationFactors
from mirical.stars import STAR_TYPES


_TYPICAL_TAU = 200.0  # d
_TYPICAL_REPEATABILITY, _TYPICAL_STAR_OFFSET = 0.005, 0.02


@dataclass(frozen=True)
class Design:
    """The rows to fit as plain arrays; everything float64, fractions of one and days.

    Attributes
    ----------
    log_factor, log_factor_unc : (row,) array
        z = ln C of each row and its photometric error.
    elapsed : (row,) array
        Days since t0.
    band, subarray, star, visit : (row,) int array
        Index into the names below.
    star_type : (star,) int array
        Index of each star's type.
    log_wavelength : (band,) array
        ln of the pivot wavelength in micron.
    flux_unc : (star, band) array
        Fractional error of the predicted flux where the table states one, else 0.
    loss_information, scatter_information : (band,) array
        Rough inverse variances with which the rows determine the response loss
        and ln of the repeatability of each band. They set the sampler's units
        (`terms.informed_normals`) and nothing else.
    bands, subarrays, stars, types, visits : tuple of str
        Names. Bands, stars, types and visits are those with rows to fit;
        all subarrays are there, so that one without rows keeps its prior.
    rows : tuple of int
        Row numbers in the photometry table, counted from 1.
    states_flux_unc : bool
        Whether any `flux_unc` is not zero.
    """

    log_factor: Float[Array, " row"]
    log_factor_unc: Float[Array, " row"]
    elapsed: Float[Array, " row"]
    band: Int[Array, " row"]
    subarray: Int[Array, " row"]
    star: Int[Array, " row"]
    visit: Int[Array, " row"]
    star_type: Int[Array, " star"]
    log_wavelength: Float[Array, " band"]
    flux_unc: Float[Array, "star band"]
    loss_information: Float[Array, " band"]
    scatter_information: Float[Array, " band"]
    bands: tuple[str, ...]
    subarrays: tuple[str, ...]
    stars: tuple[str, ...]
    types: tuple[str, ...]
    visits: tuple[str, ...]
    rows: tuple[int, ...]
    states_flux_unc: bool


_STATIC = ("bands", "subarrays", "stars", "types", "visits", "rows", "states_flux_unc")
jax.tree_util.register_dataclass(
    Design,
    data_fields=[f for f in Design.__dataclass_fields__ if f not in _STATIC],
    meta_fields=list(_STATIC),
)


def make_design(factors: CalibrationFactors) -> Design:
    """Return the design of all rows without a flag, in table order."""
    observed = factors.observations.table
    used = np.flatnonzero([not flag for flag in observed["flag"]])
    rows = observed[used]
    present = set(rows["filter"])
    bands = tuple(b for b in BANDS if b in present)
    stars = tuple(dict.fromkeys(str(name) for name in rows["name"]))
    kind_of = dict(zip(rows["name"], rows["srctype"], strict=True))
    types = tuple(t for t in STAR_TYPES if t in kind_of.values())
    visits = tuple(dict.fromkeys(str(visit) for visit in rows["visit"]))
    terms = [subarray_term(a, factors.observations.source) for a in rows["subarray"]]
    star, band = _index(rows["name"], stars), _index(rows["filter"], bands)
    flux_unc = np.zeros((len(stars), len(bands)))
    flux_unc[star, band] = (rows["model_flux_unc"] / rows["model_flux"]).value
    elapsed = rows["time"].to_value("d") - T0_MJD
    loss_information, scatter_information = _information(star, band, elapsed, len(bands))
    return Design(
        log_factor=np.asarray(factors.table["log_factor"][used], dtype=float),
        log_factor_unc=np.asarray(factors.table["log_factor_unc"][used], dtype=float),
        elapsed=elapsed,
        band=band,
        subarray=_index(terms, SUBARRAYS),
        star=star,
        visit=_index(rows["visit"], visits),
        star_type=_index([kind_of[s] for s in stars], types),
        log_wavelength=np.log([BANDS[b].pivot for b in bands]),
        flux_unc=flux_unc,
        loss_information=loss_information,
        scatter_information=scatter_information,
        bands=bands,
        subarrays=SUBARRAYS,
        stars=stars,
        types=types,
        visits=visits,
        rows=tuple(int(r) for r in rows["row"]),
        states_flux_unc=bool(np.any(flux_unc > 0)),
    )


def _information(
    star: NDArray, band: NDArray, elapsed: NDArray, n_bands: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the information on loss and ln repeatability, from the spread of epochs and repeats.

    A loss L changes ln C by -L exp(-x / tau). Epochs of one star in one band
    compare to the repeatability, those of different stars to their offsets.
    """
    shape = np.exp(-elapsed / _TYPICAL_TAU)
    group = star * n_bands + band
    count = np.bincount(group)
    mean = np.bincount(group, weights=shape) / np.maximum(count, 1)
    within = np.bincount(band, weights=(shape - mean[group]) ** 2, minlength=n_bands)
    groups = np.flatnonzero(count)
    of_band, level = groups % n_bands, mean[groups]
    n_groups = np.bincount(of_band, minlength=n_bands)
    centre = np.bincount(of_band, weights=level, minlength=n_bands) / n_groups
    between = np.bincount(of_band, weights=(level - centre[of_band]) ** 2, minlength=n_bands)
    loss = within / _TYPICAL_REPEATABILITY**2 + between / _TYPICAL_STAR_OFFSET**2
    repeats = np.bincount(band, minlength=n_bands) - n_groups
    return loss, 2.0 * repeats


def _index(entries: object, names: tuple[str, ...]) -> Int[Array, " entry"]:
    position = {name: i for i, name in enumerate(names)}
    return np.array([position[str(entry)] for entry in entries], dtype=np.int32)  # type: ignore[union-attr]
