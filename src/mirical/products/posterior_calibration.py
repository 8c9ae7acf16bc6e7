"""The calibration a run's posterior gives."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr
from astropy.table import QTable
from numpy.typing import NDArray

from mirical.conventions import REFERENCE_MJD, T0_MJD
from mirical.errors import InputError
from mirical.inference.quoted_errors import (
    covariance,
    half_width,
    mean_and_error,
    normal_image,
    scatter_half_width,
)
from mirical.model.timelaw import ADDITIVE, LAWS, log_relative_factor
from mirical.observations.apertures import Aperture
from mirical.products.calibration import UNBELIEVABLE, Calibration, Factors, Query, Scatter
from mirical.products.explained import explained
from mirical.products.stated import COEFFICIENTS, band_table, subarray_table

Floats = NDArray[np.float64]

APERTURE_ERROR = "aperture_correction_unc"
"""Variable of a run's constant data: relative error of each band's aperture correction."""


def with_apertures(posterior: xr.DataTree, apertures: Mapping[str, Aperture]) -> xr.DataTree:
    """Return the posterior with the apertures' relative errors by band in its constant data."""
    bands = [str(band) for band in posterior["posterior"].to_dataset()["band"].values]
    errors = [apertures[band].relative_unc for band in bands]
    rows = posterior["constant_data"].to_dataset().assign_coords(band=bands)
    posterior["constant_data"] = xr.DataTree(rows.assign({APERTURE_ERROR: ("band", errors)}))
    return posterior


@dataclass(frozen=True)
class PosteriorCalibration(Calibration):
    """The calibration a run's posterior gives.

    Attributes
    ----------
    posterior : DataTree
        As `mirical.inference.posterior` builds it.
    name : str
        How tables and figures call it.
    believable : bool
        Whether the run's verdict allows to use it.
    """

    posterior: xr.DataTree
    name: str = "mirical"
    believable: bool = True

    @property
    def bands(self) -> list[str]:
        """Bands the run has rows in."""
        return [str(band) for band in self.posterior["posterior"].to_dataset()["band"].values]

    @property
    def simulated(self) -> bool:
        """Whether the run's rows were simulated."""
        return bool(self.posterior.attrs.get("simulated", 0))

    @property
    def provenance(self) -> Mapping[str, object]:
        """What the run recorded of its rows, card, seed and software."""
        return {str(key): value for key, value in self.posterior.attrs.items()}

    @property
    def subarrays(self) -> list[str]:
        """Subarrays that have a throughput of their own."""
        return [str(name) for name in self.posterior["posterior"].to_dataset()["subarray"].values]

    @property
    def scatter(self) -> Scatter:
        """Half the central 68 % interval of what visits share and of a sound row beside it.

        Visit scale and repeatabilities are as uncertain as the posterior has them.
        """
        drawn = self.posterior["posterior"].to_dataset()
        of_bands = self.parameters(["repeatability"])["repeatability"].T
        sizes = {b: scatter_half_width(of) for b, of in zip(self.bands, of_bands, strict=True)}
        visits = drawn["visit_scale"].values.ravel() if "visit_scale" in drawn else np.zeros(1)
        return Scatter(scatter_half_width(visits), sizes)

    @property
    def aperture_errors(self) -> Mapping[str, float]:
        """Of the apertures the rows were measured in; empty for a run of an earlier mirical."""
        rows = self.posterior["constant_data"].to_dataset()
        if APERTURE_ERROR not in rows:
            return {}
        return dict(zip(self.bands, rows[APERTURE_ERROR].values.tolist(), strict=True))

    @property
    def n_stars(self) -> Mapping[str, float]:
        """Stars with rows in each band."""
        rows = self.posterior["constant_data"].to_dataset()
        star, band = rows["star_index"].values, rows["band_index"].values
        return {name: len(np.unique(star[band == i])) for i, name in enumerate(self.bands)}

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
        return mean_and_error(self.posterior["posterior"].to_dataset()[name])

    def draws(self, query: Query, number: int | None = None, seed: int = 0) -> Floats:
        """Return posterior draws of the factors, shape (draw, point); see `Calibration.draws`.

        Raises
        ------
        InputError
            If the run has no rows in a band that is asked for, or not so many draws.
        """
        law, chosen = self.time_law, self.chosen(number, seed)
        drawn = self.parameters(["A", "D_band", *LAWS[law].parameters])
        fitted = self.bands
        for band in query.filters:
            if band not in fitted:
                raise InputError(
                    f"band {band!r}: this run fitted no rows in it, so its factor is unknown; "
                    f"it has {', '.join(fitted)}."
                )
        band = np.array([fitted.index(b) for b in query.filters])
        term = [self.subarrays.index(name) for name in query.terms]
        of = {name: value[chosen] for name, value in drawn.items()}
        relative = log_relative_factor(law, query.mjd - T0_MJD, of, band)
        return of["A"][:, band] * np.exp(relative) / of["D_band"][:, band, term]

    def parameters(self, names: Sequence[str]) -> dict[str, Floats]:
        """Return the draws of variables of the posterior, chains one after the other."""
        drawn = self.posterior["posterior"].to_dataset()[list(names)]
        drawn = drawn.stack(sample=("chain", "draw"), create_index=False)
        drawn = drawn.transpose("sample", ...)
        return {name: drawn[name].values for name in names}

    def chosen(self, number: int | None = None, seed: int = 0) -> NDArray[np.intp]:
        """Return which draws are taken if so many are wanted: any, once each.

        Raises
        ------
        InputError
            If there are not so many.
        """
        sizes = self.posterior["posterior"].to_dataset().sizes
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
        rows = self.posterior["constant_data"].to_dataset()
        observed = {self.subarrays[i] for i in rows["subarray_index"].values} | {"FULL"}
        said = query.assumptions() if self.believable else [UNBELIEVABLE, *query.assumptions()]
        said += [
            f"no rows in {term}: its throughput D, and so the factor there, rests on the prior."
            for term in dict.fromkeys(query.terms)
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
        """Return mean, quoted error and covariance of the posterior draws."""
        draws = self.draws(query)
        q025, q16, q84, q975 = np.quantile(draws, [0.025, 0.16, 0.84, 0.975], axis=0)
        mean, std = draws.mean(axis=0), half_width(draws)
        known = self.aperture_errors
        aperture = np.array([known[band] for band in query.filters]) if known else None
        return Factors(query, mean, std, q025, q16, q84, q975, covariance(draws), aperture)

    def parts(self, query: Query) -> dict[str, Floats]:
        """Return the relative covariance of the factors in parts, one explained after the other.

        Scale is what goes along with the mean of ln C over all bands of the run at the
        reference epoch in FULL; colour what is left and goes along with each band's; time what
        is left and goes along with ln C in FULL at the points' epochs; subarray the rest,
        which is the throughput's. The parts add up to the covariance, and each is one;
        all of them are of normal scores, as quoted errors are (`inference.quoted_errors`).
        """
        bands = list(dict.fromkeys(query.filters))
        at_reference = np.log(self.draws(Query.of(self.bands, "FULL", REFERENCE_MJD)))
        in_bands = at_reference[:, [self.bands.index(band) for band in bands]]
        in_full = np.log(self.draws(Query.of(query.filters, "FULL", query.mjd)))
        stages = {
            "scale": at_reference.mean(axis=1, keepdims=True),
            "colour": in_bands,
            "time": in_full,
        }
        images = {name: normal_image(stage) for name, stage in stages.items()}
        return explained(normal_image(np.log(self.draws(query))), images)
