"""Error budget of an observation's fluxes: what the calibration contributes, in parts.

    covariance of ln flux = flux_scale + types                the factor's (`Calibration.parts`)
                          + scale + colour + time + subarray  the same
                          + repeatability                     of a visit and of each observation
                          + aperture                          for extended sources alone

The absolute error is that of the sum. The relative error, which compares fluxes of one
instrument, is what is left if the flux scale and the types of star were exact: the sum without
the first two parts.

It holds nothing of photon noise, read noise and flat field, which the pipeline
reports: the two add up (paper section 3.6). A point source measured in the apertures
of the standard stars has no error of the aperture correction, which cancels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from astropy import units as u
from astropy.table import QTable
from numpy.typing import NDArray

from mirical.calibration.calibration import (
    ABSOLUTE,
    NO_FLUX_SCALE,
    PARTS,
    Calibration,
    Scatter,
    simulated,
)
from mirical.calibration.factors import Query
from mirical.errors import InputError
from mirical.inference.schema import FLUX_SCALE
from mirical.tables.visits import visit_starts
from mirical.version import __version__

Floats = NDArray[np.float64]

ALL_PARTS = (*PARTS, "repeatability", "aperture")


@dataclass(frozen=True)
class Observation:
    """What was observed.

    Attributes
    ----------
    query : Query
        Band, subarray and epoch of each flux.
    extended : bool
        Whether surface brightness is asked for, or a flux in another aperture.
    visits : int
        Visits each flux is the mean of.
    objects : tuple of str
        What each flux is of; all of one object if empty. Visits are of one object.
    """

    query: Query
    extended: bool = False
    visits: int = 1
    objects: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.visits < 1:
            raise InputError(f"visits: {self.visits} is no number of visits; expected 1 or more.")

    @property
    def same_visit(self) -> NDArray[np.bool_]:
        """Which fluxes share a visit, (point, point): of one object, within a day."""
        objects = self.objects or ("",) * len(self.query)
        starts = visit_starts(objects, self.query.mjd, self.query.instrument.visit_length)
        return np.equal.outer(np.array(objects), np.array(objects)) & np.equal.outer(starts, starts)


@dataclass(frozen=True)
class ErrorBudget:
    """The covariance of an observation's fluxes, as fractions of them, in parts.

    Attributes
    ----------
    calibration : Calibration
        Whose.
    observation : Observation
        Of what.
    variances : dict of {str : (point,) array}
        By `ALL_PARTS`; they add up to the whole.
    unknown : tuple of str
        What is not in it because nobody measured it, in sentences.
    """

    calibration: Calibration
    observation: Observation
    variances: dict[str, Floats]
    unknown: tuple[str, ...]

    @cached_property
    def parts(self) -> dict[str, Floats]:
        """Covariance of ln flux by `ALL_PARTS`, (point, point); they add up to the whole.

        Raises
        ------
        InputError
            If there are too many points for it.
        """
        query, extended = self.observation.query, self.observation.extended
        parts = self.calibration.parts(query)
        parts["repeatability"] = _repeatability(self.observation, self.calibration.scatter)
        parts["aperture"] = np.zeros((len(query), len(query)))
        if extended:
            parts["aperture"] = _aperture(query, self.calibration.aperture_errors)
        return parts

    @cached_property
    def covariance(self) -> Floats:
        """Covariance of ln flux, (point, point)."""
        return np.sum(list(self.parts.values()), axis=0)

    @property
    def std(self) -> Floats:
        """Absolute error of each flux as a fraction of it, one sigma: of all parts."""
        return np.sqrt(np.sum(list(self.variances.values()), axis=0))

    @property
    def relative_std(self) -> Floats:
        """Relative error of each flux, one sigma: without flux scale and types of star."""
        left = [variance for name, variance in self.variances.items() if name not in ABSOLUTE]
        return np.sqrt(np.sum(left, axis=0))

    def table(self) -> QTable:
        """Return a row a flux: its point, each part, relative and absolute error, 1 sigma in %."""
        query = self.observation.query
        table = QTable({"filter": list(query.filters), "subarray": list(query.subarrays)})
        table["mjd"] = query.mjd
        for name, variance in self.variances.items():
            table[f"{name}_pct"] = _percent(np.sqrt(variance))
        table["relative_pct"], table["absolute_pct"] = map(_percent, (self.relative_std, self.std))
        table["basis"] = self.calibration.basis(query)
        table.meta["title"] = f"{simulated(self.calibration)}calibration error of an observation"
        table.meta |= {"calibration": self.calibration.name, "visits": self.observation.visits}
        table.meta |= {"source": "extended" if self.observation.extended else "point"}
        return table

    def sentence(self) -> str:
        """Return what a paper may say of it."""
        source = "an extended source" if self.observation.extended else "a point source"
        visits = self.observation.visits
        visits_text = "one visit" if visits == 1 else f"the mean of {visits} visits"
        shares = {name: 100 * np.sqrt(variance) for name, variance in self.variances.items()}
        said = [
            f"{_WORDS[name]} {_range(values)}"
            for name, values in shares.items()
            if np.any(values >= 0.005)
        ]
        common = (
            "; errors between bands are correlated, use the covariance"
            if self._bands_correlate()
            else ""
        )
        kind, beside = self._meaning()
        size = self._range_of(self.std)
        return (
            f"The flux calibration contributes {kind} error (1 sigma) of {size} for "
            f"{source} observed in {visits_text} ({', '.join(said)}), to be added in "
            f"quadrature to the pipeline's photometric errors{common}{beside} "
            f"({_whose(self.calibration)})."
        )

    def _meaning(self) -> tuple[str, str]:
        """Return which error the sum of the parts is, and what the sentence says beside it."""
        held, left = self.calibration.absolute_parts, self.calibration.without
        beside = f"; left out as asked: {_listed(left)}" if left else ""
        if not left and FLUX_SCALE not in held:
            beside = f"; {NO_FLUX_SCALE}"
        if not held:
            return "a relative", beside
        relative = (
            f"; between fluxes of this instrument, {_listed(held)} taken as exact, the relative "
            f"error is {self._range_of(self.relative_std)}"
        )
        return "an absolute" if FLUX_SCALE in held else "an", relative + beside

    def _range_of(self, std: Floats) -> str:
        """Return the smallest and the largest of the points' errors in %, and where they are."""
        query, std = self.observation.query, 100 * std
        low, high = int(np.argmin(std)), int(np.argmax(std))
        where = [
            f"{query.filters[i]}, {query.subarrays[i]}, MJD {query.mjd[i]:.1f}" for i in (low, high)
        ]
        if len(query) == 1:
            return f"{std[low]:.2f} % in {where[0]}"
        return f"{std[low]:.2f} % ({where[0]}) to {std[high]:.2f} % ({where[1]})"

    def _bands_correlate(self) -> bool:
        """Whether errors of different bands go along, judged by one point of each."""
        query = self.observation.query
        bands = dict.fromkeys(query.filters)
        at = [query.filters.index(band) for band in bands]
        subarrays = tuple(query.subarrays[i] for i in at)
        one_each = Query(tuple(bands), subarrays, query.mjd[at], query.instrument)
        objects = tuple(self.observation.objects[i] for i in at if self.observation.objects)
        few = replace(self.observation, query=one_each, objects=objects)
        covariance = replace(self, observation=few).covariance
        return bool(np.any(covariance[~np.eye(len(at), dtype=bool)]))


_WORDS = {
    "flux_scale": "flux scale",
    "types": "types of star",
    "scale": "scale common to all bands",
    "colour": "band",
    "time": "response loss",
    "subarray": "subarray",
    "repeatability": "repeatability",
    "aperture": "aperture correction",
}


def error_budget(calibration: Calibration, observation: Observation) -> ErrorBudget:
    """Return what a calibration contributes to the errors of an observation's fluxes.

    Raises
    ------
    InputError
        If a band is asked for that the calibration has not.
    """
    query = observation.query
    variances = calibration.variances(query)
    unknown = []
    scatter = calibration.scatter
    private = _of_bands(query, scatter.repeatability) ** 2
    variances["repeatability"] = (private + scatter.visit**2) / observation.visits
    blank = [b for b in dict.fromkeys(query.filters) if np.isnan(scatter.repeatability[b])]
    if blank:
        unknown.append(f"the repeatability of {', '.join(blank)} was not measured: none is added.")
    variances["aperture"] = np.zeros(len(query))
    if observation.extended:
        errors = calibration.aperture_errors
        variances["aperture"] = _of_bands(query, errors) ** 2 + _unmodelled(query) ** 2
        blank = [b for b in dict.fromkeys(query.filters) if np.isnan(errors.get(b, np.nan))]
        if blank:
            unknown.append(
                f"the error of the aperture correction of {', '.join(blank)} was not measured: "
                "none is added."
            )
    return ErrorBudget(calibration, observation, variances, tuple(unknown))


def _of_bands(query: Query, errors: Mapping[str, float]) -> Floats:
    """Return each point's error by its band, none where nobody measured it."""
    return np.nan_to_num(np.array([errors.get(band, np.nan) for band in query.filters]))


def _unmodelled(query: Query) -> Floats:
    known = query.instrument.bands
    return np.array([known[band].aperture_error for band in query.filters])


def _repeatability(observation: Observation, scatter: Scatter) -> Floats:
    private = np.diag(_of_bands(observation.query, scatter.repeatability) ** 2)
    shared = scatter.visit**2 * observation.same_visit
    return (private + shared) / observation.visits


def _aperture(query: Query, errors: Mapping[str, float]) -> Floats:
    """Return the part of the aperture corrections: a band's own, and the cruciform's in common."""
    filters, of_band = np.array(query.filters), _of_bands(query, errors)
    own = np.outer(of_band, of_band) * np.equal.outer(filters, filters)
    cruciform = _unmodelled(query)
    return own + np.outer(cruciform, cruciform)


def _percent(fraction: Floats) -> u.Quantity:
    return np.round(100.0 * fraction, 6) * u.percent


def _listed(parts: Sequence[str]) -> str:
    return " and ".join(ABSOLUTE[part] for part in parts)


def _range(values: Floats) -> str:
    low, high = float(np.min(values)), float(np.max(values))
    return f"{high:.2f} %" if high - low < 0.005 else f"{low:.2f}-{high:.2f} %"


def _whose(calibration: Calibration) -> str:
    known = calibration.provenance
    said = [f"mirical {__version__}", calibration.name]
    said += [str(known["source"])] if "source" in known else []
    said += [f"card {known['card']}"] if "card" in known else []
    if "photometry_sha256" in known:
        said.append(f"rows sha256 {str(known['photometry_sha256'])[:12]}")
    prefix = "SIMULATED rows; " if calibration.simulated else ""
    return prefix + ", ".join(said)
