"""Calibrations of point estimates with one fractional error a band (published, staged)."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from astropy.table import QTable
from numpy.typing import NDArray

from mirical.calibration.basis import throughput_note
from mirical.calibration.calibration import DRAWS, PARTS, Calibration, Scatter
from mirical.calibration.factors import RELATIVE, Factors, Query, refuse_many
from mirical.errors import InputError
from mirical.tables.apertures import Aperture

Floats = NDArray[np.float64]

_MOST_NUMBERS = 50_000_000  # of one answer: 400 MB

# Of the normal distribution, in standard deviations from the mean: 2.5, 16, 84 and 97.5 %.
_QUANTILES = (-1.959964, -0.994458, 0.994458, 1.959964)


class QuotedCalibration(Calibration):
    """Eq. 4 with given coefficients; the error of a band is the same everywhere and its own alone.

    What a subclass brings: `instrument`, `coefficients`, indexed by filter (A, B [the
    instrument's unit of factors], tau [d], sigma_cf_pct [%]), `throughput` D by subarray,
    `apertures` by band and `stated_repeatability`, percent by band.
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
        errors = self.aperture_errors
        aperture = np.array([errors[band] for band in query.filters])

        def joint() -> dict[str, Floats]:
            return {RELATIVE: np.outer(std, std) * _same_band(query)}

        return Factors(query, mean, std, q025, q16, q84, q975, joint, aperture)

    def draws(self, query: Query, number: int | None = None, seed: int = 0) -> Floats:
        """Return normal draws, one deviate a band: (draw, point); see `Calibration.draws`."""
        number = DRAWS if number is None else number
        if number < 1:
            raise InputError(f"{self.name}: {number} draws were asked for; expected at least one.")
        if number * len(query) > _MOST_NUMBERS:
            raise InputError(
                f"draws: {number * len(query):.3g} numbers (draws times points) were asked for; "
                f"expected {_MOST_NUMBERS:.0e} at most. Ask for fewer points at a time."
            )
        deviates = np.random.default_rng(seed).standard_normal((number, len(self.bands)))
        band = [self.bands.index(self.instrument.find_band(b, "query").name) for b in query.filters]
        return self._mean(query) * (1 + self._fractions(query) * deviates[:, band])

    def parts(self, query: Query) -> dict[str, Floats]:
        """Return the quoted error as colour: no other part is stated, none of `ABSOLUTE`."""
        refuse_many(len(query))
        fractions = self._fractions(query)
        none = np.zeros((len(query), len(query)))
        colour = np.outer(fractions, fractions) * _same_band(query)
        return dict.fromkeys(PARTS, none) | {"colour": colour}

    def variances(self, query: Query) -> dict[str, Floats]:
        """Return the diagonals of `parts`."""
        return dict.fromkeys(PARTS, np.zeros(len(query))) | {"colour": self._fractions(query) ** 2}

    def basis(self, query: Query) -> list[str]:
        """Return the calibration's name, and where D is 1 by definition or assumed."""
        points = zip(query.filters, query.subarrays, strict=True)
        return [
            ", ".join(filter(None, (self.name, throughput_note(*p, self.instrument))))
            for p in points
        ]

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
        bands = self.bands
        for band in dict.fromkeys(query.filters):
            if band not in bands:
                raise InputError(
                    f"band {band!r}: the {self.name} fits have no rows in it; "
                    f"they have {', '.join(self.bands)}."
                )
        at, unit = [bands.index(band) for band in query.filters], self.instrument.factor_unit
        a, b = (self.coefficients[name].to_value(unit)[at] for name in ("A", "B"))
        tau = self.coefficients["tau"].to_value("d")[at]
        elapsed = query.mjd - self.instrument.t0
        return (a + b * np.exp(-elapsed / tau)) / self.throughputs(query)

    def throughputs(self, query: Query) -> Floats:
        """Return D of each point, (point,)."""
        throughput = self.throughput
        return np.array([throughput[term] for term in query.terms])

    def _fractions(self, query: Query) -> Floats:
        bands = self.bands
        at = [bands.index(band) for band in query.filters]
        return self.coefficients["sigma_cf_pct"].to_value("%")[at] / 100


def _same_band(query: Query) -> NDArray[np.bool_]:
    return np.equal.outer(np.array(query.filters), np.array(query.filters))
