"""The published coefficients (Gordon et al. 2025, Tables 7 and 8) as a calibration."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from astropy.table import QTable

from mirical.bands import SUBARRAYS, UNIT_SUBARRAYS
from mirical.conventions import FACTOR, T0_MJD
from mirical.observations.apertures import Aperture, published_apertures
from mirical.products.calibration import Factors, Query
from mirical.products.stated import band_table, subarray_table
from mirical.shipped import data_file

# Of the normal distribution, in standard deviations from the mean: 2.5, 16, 84 and 97.5 %.
_QUANTILES = (-1.959964, -0.994458, 0.994458, 1.959964)


@dataclass(frozen=True)
class PublishedCalibration:
    """Table 8's A, B, tau with sigma(CF), and Table 7's D_SA.

    The paper gives one fractional error per band, the same at every epoch
    and in every subarray, and none between bands; the covariance says so.
    """

    name: str = "published"
    simulated: bool = False

    @cached_property
    def coefficients(self) -> QTable:
        """Table 8, indexed by filter."""
        table = QTable.read(data_file("table8"), format="ascii.ecsv")
        table.add_index("filter")
        return table

    @property
    def bands(self) -> list[str]:
        """All bands of Table 8."""
        return [str(band) for band in self.coefficients["filter"]]

    @cached_property
    def throughput(self) -> dict[str, float]:
        """Table 7: D_SA by subarray; one for the masks and the prism subarray."""
        table = QTable.read(data_file("table7"), format="ascii.ecsv")
        printed = {str(row["subarray"]): float(row["d_sa"]) for row in table}
        return printed | dict.fromkeys(UNIT_SUBARRAYS, 1.0)

    @property
    def epochs(self) -> dict[str, tuple[float, float]]:
        """Empty: the paper's rows are not part of its coefficients."""
        return {}

    def stated_coefficients(self) -> QTable:
        """Return Table 8; it states an error of A alone."""
        printed = self.coefficients
        stated = {name: printed[name] for name in ("A", "B", "tau")}
        stated |= {"A_std": printed["sigma_cf"], "repeatability_pct": printed["sigma_repeat_pct"]}
        return band_table(self.bands, stated)

    def stated_subarrays(self) -> QTable:
        """Return Table 7, which states no errors."""
        return subarray_table(SUBARRAYS, [self.throughput[name] for name in SUBARRAYS])

    def cautions(self, query: Query) -> list[str]:
        """Return what the printed errors leave out."""
        return [
            "the published error is sigma(CF) at every epoch: it holds no error of B, tau or D, "
            "and no covariance between bands."
        ]

    def at(self, query: Query) -> Factors:
        """Return Eq. 4 with the printed coefficients and sigma(CF) as the error."""
        return quoted_factors(query, self.coefficients, self.throughput, published_apertures())


def quoted_factors(
    query: Query,
    coefficients: QTable,
    throughput: dict[str, float],
    apertures: Mapping[str, Aperture],
) -> Factors:
    """Return Eq. 4 with one fractional error a band, at every epoch and in every subarray.

    Parameters
    ----------
    query : Query
        The points.
    coefficients : QTable
        Indexed by filter: A, B [(MJy/sr)/(DN/s/pixel)], tau [d], sigma_cf_pct [%].
    throughput : dict of {str : float}
        D by subarray.
    apertures : mapping of {str : Aperture}
        By band; whence the error of the aperture correction.
    """
    rows = [coefficients.loc[band] for band in query.filters]
    a, b = (np.array([row[c].to_value(FACTOR) for row in rows]) for c in ("A", "B"))
    tau = np.array([row["tau"].to_value("d") for row in rows])
    fraction = np.array([row["sigma_cf_pct"].to_value("%") / 100 for row in rows])
    divisor = np.array([throughput[subarray] for subarray in query.subarrays])
    mean = (a + b * np.exp(-(query.mjd - T0_MJD) / tau)) / divisor
    std = mean * fraction
    same_band = np.equal.outer(np.array(query.filters), np.array(query.filters))
    q025, q16, q84, q975 = mean + np.multiply.outer(_QUANTILES, std)
    covariance = np.outer(std, std) * same_band
    aperture = np.array([apertures[band].relative_unc for band in query.filters])
    return Factors(query, mean, std, q025, q16, q84, q975, covariance, aperture)
