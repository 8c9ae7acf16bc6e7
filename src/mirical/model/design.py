"""Design of a fit: the band, subarray, star and visit of each row."""

from __future__ import annotations

from dataclasses import dataclass, replace

import jax
import numpy as np
from jaxtyping import Bool, Float, Int
from numpy.typing import NDArray

from mirical.cards.card import Card
from mirical.model.covariates import Covariates, covariates_of
from mirical.model.sampler_units import (
    LEFT_OUT,
    Data,
    Units,
    fitted_rows,
    measure_units,
    no_units,
)
from mirical.tables.calibration_factors import CalibrationFactors


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
    free : (star,) array
        One for a star of unknown flux, zero for one with predicted fluxes.
    units : Units
        In what units the sampler moves; set by the rows and no part of the model.
    bands, subarrays, stars, types, visits : tuple of str
        Names. Bands, stars, types and visits are those with rows to fit;
        all subarrays are there, so that one without rows keeps its prior.
    rows : tuple of int
        Row numbers in the photometry table, counted from 1.
    states_flux_unc : bool
        Whether any `flux_unc` is not zero.
    has_free : bool
        Whether any `free` is not zero.
    covariates : Covariates
        What the detector terms rest on.
    t0 : float
        Zero point of the time law, MJD in days.
    usual_mjd : float
        The instrument's reference epoch, MJD in days.
    """

    log_factor: Float[Data, " row"]
    log_factor_unc: Float[Data, " row"]
    elapsed: Float[Data, " row"]
    band: Int[Data, " row"]
    subarray: Int[Data, " row"]
    star: Int[Data, " row"]
    visit: Int[Data, " row"]
    star_type: Int[Data, " star"]
    log_wavelength: Float[Data, " band"]
    flux_unc: Float[Data, "star band"]
    free: Float[Data, " star"]
    units: Units
    bands: tuple[str, ...]
    subarrays: tuple[str, ...]
    stars: tuple[str, ...]
    types: tuple[str, ...]
    visits: tuple[str, ...]
    rows: tuple[int, ...]
    states_flux_unc: bool
    has_free: bool
    covariates: Covariates
    t0: float
    usual_mjd: float

    @property
    def reference_mjd(self) -> float:
        """Epoch among the rows at which one factor a band is quoted, MJD in days.

        That of the instrument where rows lie on both sides of it, else the median
        epoch of the rows to a day.
        """
        epochs = self.t0 + np.asarray(self.elapsed)
        first, last = float(epochs.min()), float(epochs.max())
        if first <= self.usual_mjd <= last:
            return self.usual_mjd
        return float(np.clip(np.round(np.median(epochs)), first, last))


_NAMES = "bands", "subarrays", "stars", "types", "visits", "rows"
_STATIC = (*_NAMES, "states_flux_unc", "has_free", "t0", "usual_mjd")
jax.tree_util.register_dataclass(
    Design,
    data_fields=[f for f in Design.__dataclass_fields__ if f not in _STATIC],
    meta_fields=list(_STATIC),
)


def with_rows(design: Design, log_factor: Float[Data, " row"]) -> Design:
    """Return the design with other values of its rows, and the units they set."""
    place = design.star, design.band, design.subarray, design.visit
    shape = len(design.stars), len(design.bands), len(design.subarrays), len(design.visits)
    errors, free = design.log_factor_unc, design.free
    units = measure_units(log_factor, errors, design.elapsed, place, shape, free)
    return replace(design, log_factor=log_factor, units=units)


def without_rows(design: Design, left_out: NDArray[np.bool_]) -> Design:
    """Return the design with some rows left out of the fit and in their places: (row,) bool.

    The flux of a free star in a band all of whose rows are left out is unknown: it is drawn about
    theirs with their error, `LEFT_OUT`.
    """
    unc = np.where(left_out, LEFT_OUT, np.asarray(design.log_factor_unc))
    return with_rows(replace(design, log_factor_unc=unc), design.log_factor)


UNBOUNDED = 1e100
"""Error of ln C of a row that says nothing, not even in the last digit."""


def filled_up(design: Design, rows: int, visits: int) -> Design:
    """Return the design with so many rows and visits: more of them behind, which say nothing.

    The rows are copies of the first with an error without bound, in a visit of their own if there
    are any. Code that was compiled for one design then serves others of the same numbers.
    """
    more, more_visits = rows - len(design.rows), visits - len(design.visits)

    def repeated(of_rows: Data) -> NDArray:
        return np.append(of_rows, np.repeat(np.asarray(of_rows)[:1], more))

    seen = design.covariates
    described = "log_rate", "log_well", "reduction"
    columns = "log_factor", "elapsed", "band", "subarray", "star"
    return replace(
        design,
        **{name: repeated(getattr(design, name)) for name in columns},
        log_factor_unc=np.append(design.log_factor_unc, np.full(more, UNBOUNDED)),
        visit=np.append(design.visit, np.full(more, len(design.visits), dtype=np.int32)),
        rows=(*design.rows, *[0] * more),
        visits=(*design.visits, *[""] * more_visits),
        covariates=replace(seen, **{name: repeated(getattr(seen, name)) for name in described}),
    )


def has_weight(design: Design) -> Bool[Data, " row"]:
    """Return which rows have a bounded error; others fill up (`filled_up`) or are yet to come."""
    return design.log_factor_unc < UNBOUNDED


def unnamed(design: Design) -> Design:
    """Return the design without the names of its rows, visits and stars, only as many.

    The densities ask for no more, and what is compiled for one design then serves others.
    """
    return replace(
        design,
        rows=(0,) * len(design.rows),
        visits=("",) * len(design.visits),
        stars=("",) * len(design.stars),
    )


def unchecked_rows(design: Design) -> NDArray[np.bool_]:
    """Return which rows no other row says anything of, (row,): alone in a band of a free star.

    Whatever the factor, such a row is explained by its star's flux; rows left out do not count.
    """
    n_bands = len(design.bands)
    cell = np.asarray(design.star) * n_bands + np.asarray(design.band)
    fitted = np.asarray(fitted_rows(design.log_factor_unc))
    others = np.bincount(cell, weights=fitted, minlength=len(design.stars) * n_bands)[cell] - fitted
    return (np.asarray(design.free)[np.asarray(design.star)] > 0) & (others == 0)


def make_design(factors: CalibrationFactors, card: Card | None = None) -> Design:
    """Return the design of all rows without a flag, in table order.

    Parameters
    ----------
    factors : CalibrationFactors
        The rows.
    card : Card, optional
        Whose detector terms say what of the rows they need.
    """
    observed, instrument = factors.observations.table, factors.observations.instrument
    used = np.flatnonzero([not flag for flag in observed["flag"]])
    rows = observed[used]
    present = set(rows["filter"])
    bands = tuple(b for b in instrument.bands if b in present)
    stars = tuple(dict.fromkeys(str(name) for name in rows["name"]))
    kind_of = dict(zip(rows["name"], rows["srctype"], strict=True))
    types = tuple(t for t in instrument.types if t in kind_of.values())
    visits = tuple(dict.fromkeys(str(visit) for visit in rows["visit"]))
    terms = [instrument.assumed_term(a, factors.observations.source) for a in rows["subarray"]]
    star, band = _index(rows["name"], stars), _index(rows["filter"], bands)
    flux_unc = np.zeros((len(stars), len(bands)))
    stated = (rows["model_flux_unc"] / rows["model_flux"]).value
    free = np.asarray(factors.table["free"][used], dtype=float)
    flux_unc[star, band] = np.where(free > 0, 0.0, stated)
    elapsed = rows["time"].to_value("d") - instrument.t0
    log_factor = np.asarray(factors.table["log_factor"][used], dtype=float)
    design = Design(
        log_factor=log_factor,
        log_factor_unc=np.asarray(factors.table["log_factor_unc"][used], dtype=float),
        elapsed=elapsed,
        band=band,
        subarray=_index(terms, instrument.subarrays),
        star=star,
        visit=_index(rows["visit"], visits),
        star_type=_index([kind_of[s] for s in stars], types),
        log_wavelength=instrument.log_pivots(bands),
        flux_unc=flux_unc,
        free=np.bincount(star, weights=free, minlength=len(stars)).clip(max=1.0),
        units=no_units(len(bands)),
        bands=bands,
        subarrays=instrument.subarrays,
        stars=stars,
        types=types,
        visits=visits,
        rows=tuple(int(r) for r in rows["row"]),
        states_flux_unc=bool(np.any(flux_unc > 0)),
        has_free=bool(np.any(free > 0)),
        covariates=covariates_of(rows, card),
        t0=instrument.t0,
        usual_mjd=instrument.reference_mjd,
    )
    return with_rows(design, log_factor)


def _index(entries: object, names: tuple[str, ...]) -> NDArray[np.int32]:
    position = {name: i for i, name in enumerate(names)}
    return np.array([position[str(entry)] for entry in entries], dtype=np.int32)  # type: ignore[union-attr]
