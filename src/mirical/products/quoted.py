"""Calibrations that quote coefficients and one fractional error a band, and nothing more."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from astropy.table import QTable
from numpy.typing import NDArray

from mirical.bands import find_band
from mirical.conventions import FACTOR, T0_MJD
from mirical.errors import InputError
from mirical.observations.apertures import Aperture
from mirical.products.calibration import DRAWS, PARTS, Calibration, Factors, Query, Scatter

Floats = NDArray[np.float64]

# Of the normal distribution, in standard deviations from the mean: 2.5, 16, 84 and 97.5 %.
_QUANTILES = (-1.959964, -0.994458, 0.994458, 1.959964)


class QuotedCalibration(Calibration):
    """Eq. 4 with given coefficients; the error of a band is the same everywhere and its own alone.

    What a subclass brings: `coefficients`, indexed by filter (A, B [(MJy/sr)/(DN/s/pixel)],
    tau [d], sigma_cf_pct [%]), `throughput` D by subarray, `apertures` by band and
    `stated_repeatability`, percent by band.
    """

    coefficients: QTable
    throughput: dict[str, float]
    apertures: Mapping[str, Aperture]
    stated_repeatability: Mapping[str, float]

    def at(self, query: Query) -> Factors:
        """Return Eq. 4 with the quoted error, at every epoch and in every subarray.

        Raises
        ------
        InputError
            If a band is asked for that has no coefficients.
        """
        mean = self._mean(query)
        std = mean * self._fractions(query)
        q025, q16, q84, q975 = mean + np.multiply.outer(_QUANTILES, std)
        covariance = np.outer(std, std) * _same_band(query)
        aperture = np.array([self.apertures[band].relative_unc for band in query.filters])
        return Factors(query, mean, std, q025, q16, q84, q975, covariance, aperture)

    def draws(self, query: Query, number: int | None = None, seed: int = 0) -> Floats:
        """Return normal draws, one deviate a band: (draw, point); see `Calibration.draws`."""
        number = DRAWS if number is None else number
        if number < 1:
            raise InputError(f"{self.name}: {number} draws were asked for; expected at least one.")
        deviates = np.random.default_rng(seed).standard_normal((number, len(self.bands)))
        band = [self.bands.index(find_band(b, "query").name) for b in query.filters]
        return self._mean(query) * (1 + self._fractions(query) * deviates[:, band])

    def parts(self, query: Query) -> dict[str, Floats]:
        """Return the quoted error as colour: no other part is stated."""
        fractions = self._fractions(query)
        none = np.zeros((len(query), len(query)))
        colour = np.outer(fractions, fractions) * _same_band(query)
        return dict.fromkeys(PARTS, none) | {"colour": colour}

    @property
    def n_stars(self) -> Mapping[str, float]:
        """Stars that were averaged."""
        return dict(zip(self.bands, map(float, self.coefficients["n_stars"]), strict=True))

    @property
    def scatter(self) -> Scatter:
        """The stated repeatability; nothing is said of visits."""
        stated = self.stated_repeatability
        return Scatter(0.0, {band: percent / 100 for band, percent in stated.items()})

    @property
    def aperture_errors(self) -> Mapping[str, float]:
        """Of the apertures the rows were measured in."""
        return {band: self.apertures[band].relative_unc for band in self.bands}

    def _mean(self, query: Query) -> Floats:
        for band in query.filters:
            if band not in self.bands:
                raise InputError(
                    f"band {band!r}: the {self.name} fits have no rows in it; "
                    f"they have {', '.join(self.bands)}."
                )
        rows = [self.coefficients.loc[band] for band in query.filters]
        a, b = (np.array([row[c].to_value(FACTOR) for row in rows]) for c in ("A", "B"))
        tau = np.array([row["tau"].to_value("d") for row in rows])
        divisor = np.array([self.throughput[term] for term in query.terms])
        return (a + b * np.exp(-(query.mjd - T0_MJD) / tau)) / divisor

    def _fractions(self, query: Query) -> Floats:
        rows = [self.coefficients.loc[band] for band in query.filters]
        return np.array([row["sigma_cf_pct"].to_value("%") / 100 for row in rows])


def _same_band(query: Query) -> NDArray[np.bool_]:
    return np.equal.outer(np.array(query.filters), np.array(query.filters))
