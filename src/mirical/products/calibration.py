"""The one noun at the end: the calibration factor of a band, subarray and time, and its error."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import xarray as xr
from astropy.table import QTable
from numpy.typing import NDArray

from mirical.bands import find_band, subarray_term
from mirical.conventions import FACTOR, T0_MJD
from mirical.errors import InputError
from mirical.model.timelaw import ADDITIVE, LAWS, log_relative_factor
from mirical.observations.apertures import Aperture
from mirical.products.stated import COEFFICIENTS, band_table, subarray_table

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Query:
    """Points at which calibration factors are asked for.

    Attributes
    ----------
    filters, subarrays : tuple of str
        Band and subarray of each point.
    mjd : (point,) array
        Epochs, MJD in days.
    """

    filters: tuple[str, ...]
    subarrays: tuple[str, ...]
    mjd: Floats

    @classmethod
    def of(cls, filters: object, subarrays: object, mjd: object, where: str = "query") -> Query:
        """Return a checked query; scalars and sequences broadcast against each other.

        Raises
        ------
        InputError
            If there is no point, a band or subarray is unknown, or an epoch is
            before JWST observed or not a number.
        """
        bands, terms, epochs = np.broadcast_arrays(
            np.atleast_1d(np.asarray(filters, dtype=str)),
            np.atleast_1d(np.asarray(subarrays, dtype=str)),
            np.atleast_1d(np.asarray(mjd, dtype=float)),
        )
        if len(bands) == 0:
            raise InputError(f"{where}: no rows; give at least one band, subarray and epoch.")
        for i, (band, subarray, epoch) in enumerate(zip(bands, terms, epochs, strict=True), 1):
            place = where if len(bands) == 1 else f"{where} row {i}"
            known = find_band(str(band), place)
            subarray_term(str(subarray), place)
            if str(subarray).startswith("MASK") and subarray != known.mask:
                raise InputError(
                    f"{place}: band {known.name!r} is not observed in {str(subarray)!r}; expected "
                    f"{known.mask or 'FULL or an imaging subarray'}."
                )
            if not T0_MJD - 100 <= epoch <= 100000:
                raise InputError(
                    f"{place}: mjd {epoch:.10g} is not an epoch of JWST; "
                    "expected one such as 59760."
                )
        return cls(tuple(map(str, bands)), tuple(map(str, terms)), epochs.astype(float))

    def __len__(self) -> int:
        return len(self.filters)


@dataclass(frozen=True)
class Factors:
    """Calibration factors at the points of a query, in (MJy/sr)/(DN/s/pixel).

    Attributes
    ----------
    query : Query
        The points.
    mean, std : (point,) array
        Mean and standard deviation.
    q025, q16, q84, q975 : (point,) array
        Central 95 % and 68 % intervals.
    covariance : (point, point) array
        Covariance between the points.
    aperture : (point,) array or None
        Relative error of the aperture correction, NaN if unknown, no part of the above: common to
        all stars of a band, it cancels for a point source measured in the same aperture, and does
        not for another aperture or an extended source.
    """

    query: Query
    mean: Floats
    std: Floats
    q025: Floats
    q16: Floats
    q84: Floats
    q975: Floats
    covariance: Floats
    aperture: Floats | None = None

    def table(self) -> QTable:
        """Return one row a point: filter, subarray, mjd, c_mean, c_std, c_q16, c_q84.

        And c_aperture_std, where known.
        """
        answer = QTable()
        answer["filter"] = list(self.query.filters)
        answer["subarray"] = list(self.query.subarrays)
        answer["mjd"] = self.query.mjd
        for name in ("mean", "std", "q16", "q84"):
            answer[f"c_{name}"] = getattr(self, name) * FACTOR
        if self.aperture is not None:
            answer["c_aperture_std"] = self.mean * self.aperture * FACTOR
        return answer


APERTURE_ERROR = "aperture_correction_unc"
"""Variable of a run's constant data: relative error of each band's aperture correction."""


def with_apertures(posterior: xr.DataTree, apertures: Mapping[str, Aperture]) -> xr.DataTree:
    """Return the posterior with the apertures' relative errors by band in its constant data."""
    bands = [str(band) for band in posterior["posterior"].to_dataset()["band"].values]
    errors = [apertures[band].relative_unc for band in bands]
    rows = posterior["constant_data"].to_dataset().assign_coords(band=bands)
    posterior["constant_data"] = xr.DataTree(rows.assign({APERTURE_ERROR: ("band", errors)}))
    return posterior


class Calibration(Protocol):
    """Anything that answers with factors: a posterior, published numbers, point fits."""

    @property
    def name(self) -> str:
        """How tables and figures call it."""
        ...

    @property
    def bands(self) -> list[str]:
        """Bands it has factors for."""
        ...

    @property
    def simulated(self) -> bool:
        """Whether it rests on simulated rows."""
        ...

    @property
    def epochs(self) -> Mapping[str, tuple[float, float]]:
        """First and last epoch with rows by band, MJD in days; empty if it holds no rows."""
        ...

    def stated_coefficients(self) -> QTable:
        """Return A, B, tau and repeatability as `mirical.products.stated.band_table` has them."""
        ...

    def stated_subarrays(self) -> QTable:
        """Return D as `mirical.products.stated.subarray_table` has it."""
        ...

    def cautions(self, query: Query) -> list[str]:
        """Return what a user of the answer to a query should know, in sentences."""
        ...

    def at(self, query: Query) -> Factors:
        """Return the factors with covariance; by Eq. 4, C = [A + B exp(-(t - t0)/tau)] / D."""
        ...


@dataclass(frozen=True)
class PosteriorCalibration:
    """The calibration a run's posterior gives.

    Attributes
    ----------
    posterior : DataTree
        As `mirical.inference.posterior` builds it.
    name : str
        How tables and figures call it.
    """

    posterior: xr.DataTree
    name: str = "mirical"

    @property
    def bands(self) -> list[str]:
        """Bands the run has rows in."""
        return [str(band) for band in self.posterior["posterior"].to_dataset()["band"].values]

    @property
    def simulated(self) -> bool:
        """Whether the run's rows were simulated."""
        return bool(self.posterior.attrs.get("simulated", 0))

    @property
    def time_law(self) -> str:
        """Name of the time law the run was fitted with; see `mirical.model.timelaw.LAWS`."""
        return str(self.posterior.attrs.get("time_law", ADDITIVE))

    @property
    def epochs(self) -> dict[str, tuple[float, float]]:
        """First and last epoch of the run's rows by band, MJD in days."""
        rows = self.posterior["constant_data"].to_dataset()
        elapsed, index = (rows[name].values for name in ("elapsed", "band_index"))
        mine = {band: T0_MJD + elapsed[index == i] for i, band in enumerate(self.bands)}
        return {band: (float(at.min()), float(at.max())) for band, at in mine.items() if len(at)}

    def stated_coefficients(self) -> QTable:
        """Return posterior means and standard deviations of every band's coefficients."""
        stated = {}
        for name in COEFFICIENTS:
            mean, std = self._moments(name.removesuffix("_pct"))
            scale = 100 if name.endswith("_pct") else 1
            stated |= {name: scale * mean, f"{name}_std": scale * std}
        return band_table(self.bands, stated)

    def stated_subarrays(self) -> QTable:
        """Return posterior mean and standard deviation of every subarray's D."""
        names = self.posterior["posterior"].to_dataset()["subarray"].values
        return subarray_table([str(name) for name in names], *self._moments("D"))

    def _moments(self, name: str) -> tuple[Floats, Floats]:
        values = self.posterior["posterior"].to_dataset()[name]
        over = ("chain", "draw")
        return values.mean(over).values, values.std(over, ddof=1).values

    def draws(self, query: Query) -> Floats:
        """Return posterior draws of the factors, shape (draw, point).

        Raises
        ------
        InputError
            If the run has no rows in a band that is asked for.
        """
        posterior = self.posterior["posterior"].to_dataset()
        law = self.time_law
        names = ["A", "D_band", *LAWS[law].parameters]
        drawn = posterior[names].stack(sample=("chain", "draw"), create_index=False)
        drawn = drawn.transpose("sample", ...)
        fitted = self.bands
        for band in query.filters:
            if band not in fitted:
                raise InputError(
                    f"band {band!r}: this run fitted no rows in it, so its factor is unknown; "
                    f"it has {', '.join(fitted)}."
                )
        band = np.array([fitted.index(b) for b in query.filters])
        subarrays = [str(name) for name in drawn["subarray"].values]
        term = [subarrays.index(subarray_term(a, "query")) for a in query.subarrays]
        of = {name: drawn[name].values for name in names}
        relative = log_relative_factor(law, query.mjd - T0_MJD, of, band)
        return of["A"][:, band] * np.exp(relative) / of["D_band"][:, band, term]

    def cautions(self, query: Query) -> list[str]:
        """Say in sentences where the answer to a query leans on priors rather than rows."""
        drawn = self.posterior["posterior"].to_dataset()
        names = [str(name) for name in drawn["subarray"].values]
        rows = self.posterior["constant_data"].to_dataset()
        observed = {names[i] for i in rows["subarray_index"].values} | {"FULL"}
        said = [
            f"no rows in {term}: its throughput D, and so the factor there, rests on the prior."
            for term in dict.fromkeys(subarray_term(a, "query") for a in query.subarrays)
            if term not in observed
        ]
        first, last = (T0_MJD + float(f(rows["elapsed"])) for f in (np.min, np.max))
        if np.any((query.mjd < first) | (query.mjd > last)):
            said.append(
                f"rows end at MJD {first:.1f} and {last:.1f}: factors outside rest on the time "
                "law and its priors."
            )
        return said

    def at(self, query: Query) -> Factors:
        """Return mean, spread and covariance of the posterior draws."""
        draws = self.draws(query)
        q025, q16, q84, q975 = np.quantile(draws, [0.025, 0.16, 0.84, 0.975], axis=0)
        mean, std = draws.mean(axis=0), draws.std(axis=0, ddof=1)
        covariance = np.atleast_2d(np.cov(draws, rowvar=False))
        return Factors(
            query, mean, std, q025, q16, q84, q975, covariance, self._aperture_errors(query)
        )

    def _aperture_errors(self, query: Query) -> Floats | None:
        rows = self.posterior["constant_data"].to_dataset()
        if APERTURE_ERROR not in rows:  # a run of an earlier mirical
            return None
        known = dict(zip(self.bands, rows[APERTURE_ERROR].values, strict=True))
        return np.array([known[band] for band in query.filters])
