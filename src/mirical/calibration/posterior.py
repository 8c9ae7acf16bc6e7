"""Calibration from a run's posterior draws."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from astropy.table import QTable
from numpy.typing import NDArray

from mirical.calibration.basis import basis_sentences, factor_basis
from mirical.calibration.calibration import (
    Calibration,
    Factors,
    Query,
    Scatter,
    refuse_many,
)
from mirical.calibration.coefficients import COEFFICIENTS, band_table, subarray_table
from mirical.calibration.covariance_parts import covariance_parts, directions, variance_parts
from mirical.calibration.draws import APERTURE_ERROR, ROWS, Draws
from mirical.conventions import REFERENCE_MJD, T0_MJD
from mirical.errors import InputError
from mirical.inference.quoted_errors import (
    LEVELS,
    covariance,
    mean_and_error,
    normal_image,
    scatter_half_width,
)
from mirical.laws.departures import curve_effect, step_effect
from mirical.laws.timelaw import ADDITIVE, LAWS, log_relative_factor
from mirical.tables.apertures import Aperture

if TYPE_CHECKING:
    import xarray as xr

Floats = NDArray[np.float64]

_NUMBERS_AT_ONCE = 1_000_000  # draws times points that are computed together: 8 MB an array
_MOST_NUMBERS = 50_000_000  # of one answer: 400 MB
_DEPARTURES = (
    ("step", "step", step_effect),
    ("time_departure", "knot", curve_effect),
)
"""Variables that change the factors with time beside the time law, and the dim of their dates."""

_EXACT, _EPOCHS = 200, 6  # points whose own epochs make up the part of time; else epochs a band
_NODES = 200  # epochs of one band and subarray


def with_apertures(posterior: xr.DataTree, apertures: Mapping[str, Aperture]) -> xr.DataTree:
    """Return the posterior with the apertures' relative errors by band in its constant data."""
    bands = [str(band) for band in posterior["posterior"].to_dataset()["band"].values]
    errors = [apertures[band].relative_unc for band in bands]
    rows = posterior["constant_data"].to_dataset().assign_coords(band=bands)
    posterior["constant_data"] = type(posterior)(rows.assign({APERTURE_ERROR: ("band", errors)}))
    return posterior


@dataclass(frozen=True)
class PosteriorCalibration(Calibration):
    """The calibration a run's posterior gives.

    Attributes
    ----------
    run_draws : Draws
        Draws and rows of the run.
    name : str
        How tables and figures call it.
    believable : bool
        Whether the run's verdict allows to use it.
    doubts : tuple of str
        What a user should know of the run's folder, in sentences.
    """

    run_draws: Draws
    name: str = "mirical"
    believable: bool = True
    doubts: tuple[str, ...] = ()

    @classmethod
    def of(cls, posterior: xr.DataTree, name: str = "mirical") -> PosteriorCalibration:
        """Return the calibration of a posterior as `mirical.inference.posterior` builds it."""
        return cls(Draws.of(posterior), name)

    @property
    def bands(self) -> list[str]:
        """Bands the run has rows in."""
        return self.run_draws.labels("band")

    @property
    def simulated(self) -> bool:
        """Whether the run's rows were simulated."""
        return bool(self.run_draws.attrs.get("simulated", 0))

    @property
    def provenance(self) -> Mapping[str, object]:
        """What the run recorded of its rows, card, seed and software."""
        return dict(self.run_draws.attrs)

    @property
    def subarrays(self) -> list[str]:
        """Subarrays that have a throughput of their own."""
        return self.run_draws.labels("subarray")

    @cached_property
    def scatter(self) -> Scatter:
        """Half the central 68 % interval of the visit offsets and of a row about its visit.

        Visit scale and repeatabilities are as uncertain as the posterior has them.
        """
        drawn = self.run_draws
        of_bands = drawn.flat("repeatability").T
        sizes = {b: scatter_half_width(of) for b, of in zip(self.bands, of_bands, strict=True)}
        visits = drawn.flat("visit_scale") if drawn.has("visit_scale") else np.zeros(1)
        return Scatter(scatter_half_width(visits), sizes)

    @property
    def aperture_errors(self) -> Mapping[str, float]:
        """Of the apertures the rows were measured in; empty for a run of an earlier mirical."""
        if not self.run_draws.has(APERTURE_ERROR, ROWS):
            return {}
        errors = self.run_draws.values(APERTURE_ERROR, ROWS)
        return dict(zip(self.bands, errors.tolist(), strict=True))

    @property
    def n_stars(self) -> Mapping[str, float]:
        """Stars with rows in each band."""
        star, band = (self.run_draws.values(f"{of}_index", ROWS) for of in ("star", "band"))
        return {name: len(np.unique(star[band == i])) for i, name in enumerate(self.bands)}

    @property
    def reference_mjd(self) -> float:
        """Epoch at which the run quotes one factor a band, MJD in days."""
        return float(self.run_draws.attrs.get("reference_mjd", REFERENCE_MJD))

    @property
    def time_law(self) -> str:
        """Name of the time law the run was fitted with; see `mirical.laws.timelaw.LAWS`."""
        return str(self.run_draws.attrs.get("time_law", ADDITIVE))

    @property
    def departures(self) -> tuple[str, ...]:
        """Terms that change the factors with time beside the time law."""
        return tuple(name for name, _, _ in _DEPARTURES if self.run_draws.has(name))

    def _dates(self, dim: str) -> tuple[float, ...]:
        return tuple(float(date) for date in self.run_draws.labels(dim))

    @property
    def epochs(self) -> dict[str, tuple[float, float]]:
        """First and last epoch of the run's rows by band, MJD in days."""
        elapsed, index = (self.run_draws.values(of, ROWS) for of in ("elapsed", "band_index"))
        mine = {band: T0_MJD + elapsed[index == i] for i, band in enumerate(self.bands)}
        return {band: (float(at.min()), float(at.max())) for band, at in mine.items() if len(at)}

    def stated_coefficients(self) -> QTable:
        """Return posterior means and quoted errors of every band's coefficients."""
        stated = {}
        for name in COEFFICIENTS:
            mean, std = self._stated(name.removesuffix("_pct"))
            scale = 100 if name.endswith("_pct") else 1
            stated |= {name: scale * mean, f"{name}_std": scale * std}
        return band_table(self.bands, stated)

    def stated_subarrays(self) -> QTable:
        """Return posterior mean and quoted error of every subarray's D."""
        return subarray_table(self.subarrays, *self._stated("D"))

    def _stated(self, name: str) -> tuple[Floats, Floats]:
        return mean_and_error(self.run_draws.values(name))

    def draws(self, query: Query, number: int | None = None, seed: int = 0) -> Floats:
        """Return posterior draws of the factors, shape (draw, point); see `Calibration.draws`.

        Raises
        ------
        InputError
            If the run has no rows in a band that is asked for, or not so many draws, or more
            numbers are asked for than memory should hold.
        """
        numbers = len(query) * len(self.chosen(number, seed))
        if numbers > _MOST_NUMBERS:
            raise InputError(
                f"draws: {numbers:.3g} numbers (draws times points) were asked for; expected "
                f"{_MOST_NUMBERS:.0e} at most. Ask for fewer points at a time."
            )
        return self._drawing(query, number, seed)(query)

    def _drawing(
        self, query: Query, number: int | None = None, seed: int = 0
    ) -> Callable[[Query], Floats]:
        """Return what draws the factors of points in the bands of a query, (draw, point)."""
        law, chosen = self.time_law, self.chosen(number, seed)
        drawn = self.parameters(["A", "D_band", *LAWS[law].parameters])
        departures = {
            name: (self._dates(dim), effect)
            for name, dim, effect in _DEPARTURES
            if self.run_draws.has(name)
        }
        drawn |= self.parameters([*departures])
        fitted = self.bands
        self._refuse_others(query)
        of = {name: value[chosen] for name, value in drawn.items()}
        subarrays = self.subarrays

        def draw(points: Query) -> Floats:
            band = np.array([fitted.index(b) for b in points.filters])
            term = [subarrays.index(name) for name in points.terms]
            relative = log_relative_factor(law, points.mjd - T0_MJD, of, band)
            for name, (dates, effect) in departures.items():
                relative = relative + effect(points.mjd - T0_MJD, dates, of[name], band)
            return of["A"][:, band] * np.exp(relative) / of["D_band"][:, band, term]

        return draw

    def _refuse_others(self, query: Query) -> None:
        """Refuse bands that the run has no rows in."""
        fitted = self.bands
        for band in dict.fromkeys(query.filters):
            if band not in fitted:
                raise InputError(
                    f"band {band!r}: this run fitted no rows in it, so its factor is unknown; "
                    f"it has {', '.join(fitted)}."
                )

    def parameters(self, names: Sequence[str]) -> dict[str, Floats]:
        """Return the draws of variables of the posterior, chains one after the other."""
        return {name: self.run_draws.flat(name) for name in names}

    def chosen(self, number: int | None = None, seed: int = 0) -> NDArray[np.intp]:
        """Return which draws are taken if so many are wanted: any, once each.

        Raises
        ------
        InputError
            If there are not so many.
        """
        sizes = self.run_draws.sizes
        available = sizes["chain"] * sizes["draw"]
        if number is None:
            return np.arange(available)
        if not 0 < number <= available:
            raise InputError(
                f"{self.name}: {number} draws were asked for; expected from 1 to the run's "
                f"{available}."
            )
        return np.sort(np.random.default_rng(seed).permutation(available)[:number])

    def cautions(self, query: Query) -> list[str]:
        """Say in sentences where the answer to a query leans on priors rather than rows."""
        rows = self.run_draws
        observed = {self.subarrays[i] for i in rows.values("subarray_index", ROWS)} | {"FULL"}
        said = [*self.doubts, *query.assumptions()]
        said += [
            f"no rows in {term}: its throughput D, and so the factor there, rests on the prior."
            for term in dict.fromkeys(query.terms)
            if term not in observed
        ]
        first, last = (T0_MJD + float(f(rows.values("elapsed", ROWS))) for f in (np.min, np.max))
        if np.any((query.mjd < first) | (query.mjd > last)):
            said.append(
                f"rows end at MJD {first:.1f} and {last:.1f}: factors outside rest on the time "
                "law and its priors."
            )
        return [*said, *basis_sentences(self.basis(query), query)]

    def at(self, query: Query) -> Factors:
        """Return mean, quoted error and covariance of the posterior draws."""
        draw, found = self._drawing(query), []
        for points in query.in_pieces(self._at_once):
            draws = draw(points)
            low, high, *ends = np.quantile(draws, [*LEVELS, 0.025, 0.16, 0.84, 0.975], axis=0)
            found.append([draws.mean(axis=0), 0.5 * (high - low), *ends])
        mean, std, q025, q16, q84, q975 = np.concatenate(found, axis=1)
        known = self.aperture_errors
        aperture = np.array([known[band] for band in query.filters]) if known else None

        def joint() -> Floats:
            return covariance(draw(query))

        return Factors(query, mean, std, q025, q16, q84, q975, joint, aperture)

    @property
    def _at_once(self) -> int:
        """Points whose draws are in memory at once."""
        return max(1, _NUMBERS_AT_ONCE // len(self.chosen()))

    def basis(self, query: Query) -> list[str]:
        """Return what the factor of each point rests on (`mirical.calibration.basis`)."""
        return factor_basis(self.run_draws, query)

    def parts(self, query: Query) -> dict[str, Floats]:
        """Return the relative covariance of the factors in parts, one explained after the other.

        Scale is what goes along with the mean of ln C over all bands of the run at the
        reference epoch in FULL; colour what is left and goes along with each band's; time what
        is left and goes along with ln C in FULL at the points' epochs; subarray the rest,
        which is the throughput's. The parts add up to the covariance, and each is one;
        all of them are of normal scores, as quoted errors are (`inference.quoted_errors`).
        """
        refuse_many(len(query))
        return covariance_parts(normal_image(np.log(self.draws(query))), self._stages(query))

    def variances(self, query: Query) -> dict[str, Floats]:
        """Return the diagonals of `parts`, a few points at a time.

        Many epochs of one band and subarray are interpolated between `_NODES` over their range.
        """
        if len(query) > _EXACT:
            return self._interpolated(query)
        return self._variances(query)

    def _interpolated(self, query: Query) -> dict[str, Floats]:
        pairs = np.array([f"{b} {a}" for b, a in zip(query.filters, query.terms, strict=True)])
        names, of = np.unique(pairs, return_inverse=True)
        nodes = []
        for i in range(len(names)):
            mjd = np.unique(query.mjd[of == i])
            nodes.append(mjd if len(mjd) <= _NODES else np.linspace(mjd[0], mjd[-1], _NODES))
        sizes = [len(mjd) for mjd in nodes]
        bands, terms = zip(*(name.split() for name in names), strict=True)
        points = Query(
            tuple(np.repeat(bands, sizes).tolist()),
            tuple(np.repeat(terms, sizes).tolist()),
            np.concatenate(nodes),
        )
        at_nodes = {
            name: np.split(part, np.cumsum(sizes)[:-1])
            for name, part in self._variances(points).items()
        }
        found = {name: np.empty(len(query)) for name in at_nodes}
        for i, mjd in enumerate(nodes):
            for name, parts in at_nodes.items():
                found[name][of == i] = np.interp(query.mjd[of == i], mjd, parts[i])
        return found

    def _variances(self, query: Query) -> dict[str, Floats]:
        along, draw = directions(self._stages(query)), self._drawing(query)
        found = [
            variance_parts(normal_image(np.log(draw(points))), along)
            for points in query.in_pieces(self._at_once)
        ]
        return {name: np.concatenate([one[name] for one in found]) for name in found[0]}

    def _stages(self, query: Query) -> dict[str, Floats]:
        """Return normal scores of what explains the factors, stage by stage.

        Of more than `_EXACT` points the epochs of a band are stood for by `_EPOCHS` over their
        range: ln C(t) between them is what they predict.
        """
        self._refuse_others(query)
        bands = list(dict.fromkeys(query.filters))
        at_reference = np.log(self.draws(Query.of(self.bands, "FULL", self.reference_mjd)))
        in_bands = at_reference[:, [self.bands.index(band) for band in bands]]
        if len(query) > _EXACT:
            mine = [query.mjd[np.array(query.filters) == band] for band in bands]
            filters = np.repeat(bands, _EPOCHS)
            mjd = np.ravel([np.linspace(of.min(), of.max(), _EPOCHS) for of in mine])
        else:
            filters, mjd = np.array(query.filters), query.mjd
        in_full = np.log(self.draws(Query.of(filters, "FULL", mjd)))
        stages = {
            "scale": at_reference.mean(axis=1, keepdims=True),
            "colour": in_bands,
            "time": in_full,
        }
        return {name: normal_image(stage) for name, stage in stages.items()}
