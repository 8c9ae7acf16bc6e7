"""The published coefficients (Gordon et al. 2025, Tables 7 and 8) as a calibration."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from astropy.table import QTable

from mirical.bands import SUBARRAYS, UNIT_SUBARRAYS
from mirical.calibration.calibration import NO_FLUX_SCALE, Query
from mirical.calibration.coefficients import band_table, subarray_table
from mirical.calibration.point_estimates import QuotedCalibration
from mirical.storage.shipped import data_file
from mirical.tables.apertures import Aperture, published_apertures


@dataclass(frozen=True)
class PublishedCalibration(QuotedCalibration):
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
    def apertures(self) -> Mapping[str, Aperture]:
        """Those of Table 4."""
        return published_apertures()

    @property
    def stated_repeatability(self) -> Mapping[str, float]:
        """sigma(repeat) by band, percent; NaN where it is blank."""
        percent = self.coefficients["sigma_repeat_pct"].to_value("%").filled(np.nan)
        return dict(zip(self.bands, map(float, percent), strict=True))

    @property
    def provenance(self) -> Mapping[str, object]:
        """The paper."""
        return {"source": "Gordon, K. D., et al. 2025, AJ 169, 6, Tables 7 and 8"}

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
            *query.assumptions(),
            "the published error is sigma(CF) at every epoch: it holds no error of B, tau or D, "
            "and no covariance between bands.",
            f"{NO_FLUX_SCALE}.",
        ]
