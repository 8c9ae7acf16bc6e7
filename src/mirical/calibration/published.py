"""Published coefficients, such as Gordon et al. 2025, Tables 7 and 8, as a calibration."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from astropy.table import QTable

from mirical.calibration.calibration import NO_FLUX_SCALE
from mirical.calibration.coefficients import band_table, subarray_table
from mirical.calibration.factors import Query
from mirical.calibration.point_estimates import QuotedCalibration
from mirical.instruments.instrument import Instrument
from mirical.instruments.published import (
    published_coefficients,
    published_throughput,
    require_published,
)
from mirical.tables.apertures import Aperture, published_apertures


@dataclass(frozen=True)
class PublishedCalibration(QuotedCalibration):
    """A, B, tau with sigma(CF) and D_SA as the instrument's card has them, such as Tables 7 and 8.

    The paper gives one fractional error per band, the same at every epoch
    and in every subarray, and none between bands; the covariance says so.
    """

    instrument: Instrument
    name: str = "published"
    simulated: bool = False

    @cached_property
    def coefficients(self) -> QTable:
        """The coefficients, indexed by filter."""
        table = published_coefficients(self.instrument).copy()
        table.add_index("filter")
        return table

    @property
    def bands(self) -> list[str]:
        """All bands with coefficients."""
        return [str(band) for band in self.coefficients["filter"]]

    @cached_property
    def throughput(self) -> dict[str, float]:
        """D_SA by subarray; one where it is so by definition."""
        unit = dict.fromkeys(self.instrument.unit_subarrays, 1.0)
        return published_throughput(self.instrument) | unit

    @property
    def apertures(self) -> Mapping[str, Aperture]:
        """Those of the card."""
        return published_apertures(self.instrument)

    @property
    def stated_repeatability(self) -> Mapping[str, float]:
        """sigma(repeat) by band, percent; NaN where it is blank."""
        percent = self.coefficients["sigma_repeat_pct"].to_value("%").filled(np.nan)
        return dict(zip(self.bands, map(float, percent), strict=True))

    @property
    def provenance(self) -> Mapping[str, object]:
        """The publication."""
        return {"source": require_published(self.instrument).source}

    @property
    def epochs(self) -> dict[str, tuple[float, float]]:
        """Empty: the paper's rows are not part of its coefficients."""
        return {}

    def stated_coefficients(self) -> QTable:
        """Return the coefficients; an error is stated of A alone."""
        printed = self.coefficients
        stated = {name: printed[name] for name in ("A", "B", "tau")}
        stated |= {"A_std": printed["sigma_cf"], "repeatability_pct": printed["sigma_repeat_pct"]}
        return band_table(self.bands, stated, self.instrument.factor_unit)

    def stated_subarrays(self) -> QTable:
        """Return D, of which no errors are stated."""
        names = self.instrument.subarrays
        return subarray_table(names, [self.throughput[name] for name in names])

    def cautions(self, query: Query) -> list[str]:
        """Return what the printed errors leave out."""
        return [
            *query.assumptions(),
            "the published error is sigma(CF) at every epoch: it holds no error of B, tau or D, "
            "and no covariance between bands.",
            f"{NO_FLUX_SCALE}.",
        ]
