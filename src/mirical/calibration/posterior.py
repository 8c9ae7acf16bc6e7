"""Calibration from a run's posterior draws."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from astropy.table import QTable
from numpy.typing import NDArray

from mirical.calibration.basis import basis_sentences, factor_basis, outside_rows
from mirical.calibration.calibration import ABSOLUTE, PARTS, TYPES, Calibration, Scatter
from mirical.calibration.coefficients import COEFFICIENTS, absolute, band_table, subarray_table
from mirical.calibration.covariance_parts import REST, FactorParts, covariance_parts, directions
from mirical.calibration.draws import APERTURE_ERROR, ROWS, Draws
from mirical.calibration.factors import RELATIVE, Factors, Query, refuse_many
from mirical.errors import InputError
from mirical.inference.quoted_errors import (
    LEVELS,
    covariance,
    mean_and_error,
    normal_image,
    scatter_half_width,
)
from mirical.inference.schema import FLUX_SCALE
from mirical.instruments.instrument import Instrument
from mirical.laws.departures import curve_effect, step_effect
from mirical.laws.timelaw import ADDITIVE, LAWS, log_relative_factor

if TYPE_CHECKING:
    import xarray as xr


Floats = NDArray[np.float64]

_MOST_NUMBERS = 50_000_000  # of one answer: 400 MB
_DEPARTURES = (
    ("step", "step_mjd", step_effect),
    ("time_departure", "knot", curve_effect),
)
"""Variables that change the factors with time beside the time law, and the dim of their dates."""


@dataclass(frozen=True)
class PosteriorCalibration(Calibration):
    """The calibration a run's posterior gives.

    Attributes
    ----------
    run_draws : Draws
        Draws and rows of the run.
    instrument : Instrument
        Whose rows they are.
    name : str
        How tables and figures call it.
    believable : bool
        Whether the run's verdict allows to use it.
    doubts : tuple of str
        What a user should know of the run's folder, in sentences.
    without : tuple of str
        What of `ABSOLUTE` is left out of errors and draws.
    """

    run_draws: Draws
    instrument: Instrument
    name: str = "mirical"
    believable: bool = True
    doubts: tuple[str, ...] = ()
    without: tuple[str, ...] = ()

    @classmethod
    def of(
        cls, posterior: xr.DataTree, instrument: Instrument, name: str = "mirical"
    ) -> PosteriorCalibration:
        """Return the calibration of a posterior as `mirical.inference.posterior` builds it."""
        return cls(Draws.of(posterior), instrument, name)

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
        attrs = dict(self.run_draws.attrs)
        # A run names a card of its own folder by its place there.
        return attrs | {"instrument": self.instrument.name} if "instrument" in attrs else attrs

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
        """Stars with predicted fluxes and rows in each band."""
        star, band = (self.run_draws.values(f"{of}_index", ROWS) for of in ("star", "band"))
        if "free" in self.run_draws.groups[ROWS]:
            predicted = self.run_draws.values("free", ROWS)[star] == 0
            star, band = star[predicted], band[predicted]
        return {name: len(np.unique(star[band == i])) for i, name in enumerate(self.bands)}

    @property
    def reference_mjd(self) -> float:
        """Epoch at which the run quotes one factor a band, MJD in days."""
        return float(self.run_draws.attrs.get("reference_mjd", self.instrument.reference_mjd))

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
        mine = {band: self.instrument.t0 + elapsed[index == i] for i, band in enumerate(self.bands)}
        return {band: (float(at.min()), float(at.max())) for band, at in mine.items() if len(at)}

    def stated_coefficients(self) -> QTable:
        """Return posterior means and errors of every band's coefficients, types in them always."""
        stated = {}
        for name in COEFFICIENTS:
            mean, std = self._stated(name.removesuffix("_pct"))
            std = absolute(name, mean, std, self._flux_scale_error)
            scale = 100 if name.endswith("_pct") else 1
            stated |= {name: scale * mean, f"{name}_std": scale * std}
        return band_table(self.bands, stated, self.instrument.factor_unit)

    @property
    def private_readouts(self) -> bool:
        """Whether the run's card gives the bands nothing in common of a readout's throughput."""
        common, own = self.run_draws.values("D"), self.run_draws.values("D_band")
        return bool(np.all(common == 1) and np.any(own != 1))

    def band_throughputs(self) -> QTable:
        """Return D of each readout in each band that has rows in it, and its error."""
        band, subarray = (self.run_draws.values(f"{of}_index", ROWS) for of in ("band", "subarray"))
        pairs = sorted({(int(b), int(a)) for b, a in zip(band, subarray, strict=True) if a})
        mean, std = mean_and_error(self.run_draws.values("D_band"))
        names = self.bands, self.subarrays
        lines = [(names[0][b], names[1][a], mean[b, a], std[b, a]) for b, a in pairs]
        columns = "filter", "subarray", "D", "D_std"
        return QTable(rows=lines, names=columns) if lines else QTable({n: [] for n in columns})

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
        chosen, types = self.chosen(number, seed), self._types_left_out(query)
        # What types explain is known of all draws together alone.
        made = chosen if types is None else self.chosen()
        numbers = len(query) * len(made)
        if numbers > _MOST_NUMBERS:
            raise InputError(
                f"draws: {numbers:.3g} numbers (draws times points) were asked for; expected "
                f"{_MOST_NUMBERS:.0e} at most. Ask for fewer points at a time."
            )
        draws = self._drawing(query, made)(query)
        if types is not None:
            draws = _unexplained(draws, types)[chosen]
        return draws * self.flux_scales[chosen, None]

    def _drawing(
        self, query: Query, chosen: NDArray[np.intp] | None = None
    ) -> Callable[[Query], Floats]:
        """Return what draws the factors of points in the bands of a query, (draw, point).

        Given an exact flux scale.
        """
        law = self.time_law
        drawn = self.parameters(["A", "D_band", *LAWS[law].parameters])
        departures = {
            name: (self._dates(dim), effect)
            for name, dim, effect in _DEPARTURES
            if self.run_draws.has(name)
        }
        drawn |= self.parameters([*departures])
        fitted, t0 = self.bands, self.instrument.t0
        self._refuse_others(query)
        of = {name: value if chosen is None else value[chosen] for name, value in drawn.items()}
        subarrays = self.subarrays

        def draw(points: Query) -> Floats:
            band = np.array([fitted.index(b) for b in points.filters])
            term = [subarrays.index(name) for name in points.terms]
            relative = log_relative_factor(law, points.mjd - t0, of, band)
            for name, (dates, effect) in departures.items():
                relative = relative + effect(points.mjd, dates, of[name], band)
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
        observed = {self.subarrays[i] for i in rows.values("subarray_index", ROWS)} | {
            self.instrument.reference
        }
        said = [*self.doubts, *query.assumptions()]
        said += [
            f"no rows in {term}: its throughput D, and so the factor there, rests on the prior."
            for term in dict.fromkeys(query.terms)
            if term not in observed
        ]
        said += outside_rows(self, query)
        return [*said, *basis_sentences(self.basis(query), query)]

    def at(self, query: Query) -> Factors:
        """Return mean, quoted error and covariance of the posterior draws.

        The mean is that given an exact flux scale, whose error is added in quadrature: it is
        independent of all else, which its draws are by chance alone only roughly.
        """
        draw, parts, found = self._drawing(query), self._parts, []
        types = self._types_left_out(query)
        for points in query.in_pieces(parts.at_once):
            draws = draw(points)
            low, high = np.quantile(draws, LEVELS, axis=0)
            shown = draws if types is None else _unexplained(draws, types)
            shown = shown * self.flux_scales[:, None]
            ends = np.quantile(shown, [0.025, 0.16, 0.84, 0.975], axis=0)
            found.append([draws.mean(axis=0), 0.5 * (high - low), *ends])
        mean, given, q025, q16, q84, q975 = np.concatenate(found, axis=1)
        relative = given * np.sqrt(1 - parts.types_share(query))
        std = np.hypot(relative if TYPES in self.without else given, mean * self._flux_scale_error)
        known = self.aperture_errors
        aperture = np.array([known[band] for band in query.filters]) if known else None

        def joint() -> dict[str, Floats]:
            return self._covariances(draw(query), mean, parts.types(query))

        return Factors(query, mean, std, q025, q16, q84, q975, joint, aperture, relative)

    def _covariances(
        self, draws: Floats, mean: Floats, types: Mapping[str, Floats]
    ) -> dict[str, Floats]:
        """Return the parts of the covariance that there are and that were not left out."""
        if types:
            parts = covariance_parts(normal_image(draws), types)
            whole = {TYPES: parts[TYPES], RELATIVE: parts[REST]}
        else:
            whole = {RELATIVE: covariance(draws)}
        if self._flux_scale_error:
            whole[FLUX_SCALE] = np.outer(mean, mean) * self._flux_scale_error**2
        return {name: part for name, part in whole.items() if name not in self.without}

    @property
    def absolute_parts(self) -> tuple[str, ...]:
        """Those of `ABSOLUTE` that the run's card has and that were not left out."""
        stated = {FLUX_SCALE: self.run_draws.has(FLUX_SCALE), TYPES: self._parts.has_types}
        return tuple(part for part in ABSOLUTE if stated[part] and part not in self.without)

    def leaving_out(self, parts: Collection[str]) -> PosteriorCalibration:
        """Return the calibration without some of `ABSOLUTE`; see `Calibration.leaving_out`."""
        left = {*self.without, *parts}
        return replace(self, without=tuple(part for part in ABSOLUTE if part in left))

    @property
    def _flux_scale_error(self) -> float:
        return 0.0 if FLUX_SCALE in self.without else self.run_draws.flux_scale_error

    @cached_property
    def flux_scales(self) -> Floats:
        """Draws of what the flux scale multiplies every factor by, (draw,): 1 if it is exact."""
        if FLUX_SCALE in self.absolute_parts:
            return np.exp(-self.run_draws.flat(FLUX_SCALE))
        return np.ones(len(self.chosen()))

    def _types_left_out(self, query: Query) -> Floats | None:
        """Return the directions of the draws that types explain, if they are left out."""
        if TYPES not in self.without or not self._parts.has_types:
            return None
        return directions(self._parts.types(query))[TYPES]

    @property
    def _parts(self) -> FactorParts:
        def factors(query: Query) -> Floats:
            return self._drawing(query)(query)

        return FactorParts(
            self.run_draws, factors, self.in_reference(self.bands, self.reference_mjd)
        )

    def basis(self, query: Query) -> list[str]:
        """Return what the factor of each point rests on (`mirical.calibration.basis`)."""
        return factor_basis(self.run_draws, query)

    def parts(self, query: Query) -> dict[str, Floats]:
        """Return the relative covariance of the factors in parts, which add up to it.

        The flux scale's is common to all points; the others are `FactorParts`.
        """
        refuse_many(len(query))
        self._refuse_others(query)
        return self._with_flux_scale(self._parts.covariances(query), (len(query), len(query)))

    def variances(self, query: Query) -> dict[str, Floats]:
        """Return the diagonals of `parts`, of any number of points."""
        self._refuse_others(query)
        return self._with_flux_scale(self._parts.variances(query), (len(query),))

    def _with_flux_scale(
        self, given: Mapping[str, Floats], shape: tuple[int, ...]
    ) -> dict[str, Floats]:
        """Return all of `PARTS`: those given an exact flux scale, and its own; zero if left out."""
        none = np.zeros(shape)
        known = {TYPES: none, **given, FLUX_SCALE: np.full(shape, self._flux_scale_error**2)}
        return {name: none if name in self.without else known[name] for name in PARTS}


def _unexplained(draws: Floats, axes: Floats) -> Floats:
    """Return factors (draw, point) less what directions of the draws (draw, axis) explain."""
    logs = np.log(draws)
    return np.exp(logs - axes @ (axes.T @ (logs - logs.mean(axis=0))))
