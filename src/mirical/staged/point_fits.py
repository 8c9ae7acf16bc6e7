"""The paper's staged procedure: time law, then subarray ratios, then averages.

1. The time law of each imaging band is fitted to the repeat star and to pairs
   of other stars that bridge its gap (section 3.1; `time_law`).
2. The subarrays' throughputs follow from ratios of factors corrected for time
   (section 3.3; `averages`).
3. A is the average of the factors corrected for both, each star weighing one,
   rows beyond 3.5 sigma left out; its standard error is sigma(CF) (section 3.6).

No row is weighted by its error and no stage passes its error on: this is the
baseline the joint model is compared with, not a recommendation.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from astropy import units as u
from astropy.table import QTable
from astropy.utils.masked import Masked
from numpy.typing import NDArray

from mirical.calibration.calibration import NO_FLUX_SCALE
from mirical.calibration.coefficients import band_table, subarray_table
from mirical.calibration.factors import Query
from mirical.calibration.point_estimates import QuotedCalibration
from mirical.calibration.provenance import run_record, stamp
from mirical.instruments.instrument import Instrument
from mirical.staged.averages import (
    Average,
    StagedRows,
    Throughput,
    clipped_average,
    measured_throughputs,
)
from mirical.staged.time_law import StagedLaw, fit_laws
from mirical.storage.files import whole_folder
from mirical.tables.apertures import Aperture
from mirical.tables.calibration_factors import CalibrationFactors
from mirical.tables.formats import write_ecsv
from mirical.tables.photometry import Observations

ONE_STAR = 0.02
"""sigma(CF) of a band with one star, fraction: how well a single star is modelled (section 3.6)."""

_COLUMNS = {
    "filter": "Band",
    "A": "Factor after the response loss has decayed",
    "B": "Amplitude of the time-dependent term, not positive",
    "tau": "Time constant; 200 d by assumption up to {band} and where B is zero",
    "sigma_cf": "Standard deviation of the mean over stars",
    "sigma_cf_pct": "The same in percent of A",
    "n_stars": "Number of stars averaged, non-integral where rows were clipped",
    "repeatability_pct": "Scatter of the repeat star about the time law",
    "note": "What was assumed",
    "subarray": "Subarray",
    "D": "Throughput relative to {reference}",
    "n_ratios": "Number of ratios D is the weighted mean of",
}
_ROUNDS = 100  # of time law and subarray ratios, each corrected for the other
_SETTLED = 1e-7  # change of D between rounds that ends them


@dataclass(frozen=True)
class StagedCalibration(QuotedCalibration):
    """Point fits and their quoted errors.

    Attributes
    ----------
    coefficients : QTable
        Indexed by filter: A, B, tau, sigma_cf, sigma_cf_pct, n_stars, repeatability_pct, note.
    subarrays : QTable
        Columns subarray, D, n_ratios, note.
    instrument : Instrument
        Whose rows they are.
    name : str
        How tables and figures call it.
    apertures : mapping of {str : Aperture}
        By band.
    """

    coefficients: QTable
    subarrays: QTable
    instrument: Instrument
    name: str = "staged"
    apertures: Mapping[str, Aperture] = field(default_factory=dict)

    @property
    def bands(self) -> list[str]:
        """Bands with rows."""
        return [str(band) for band in self.coefficients["filter"]]

    @property
    def throughput(self) -> dict[str, float]:
        """D by subarray; one where it is so by definition."""
        named = zip(self.subarrays["subarray"], self.subarrays["D"], strict=True)
        return {str(a): float(d) for a, d in named} | dict.fromkeys(
            self.instrument.unit_subarrays, 1.0
        )

    @property
    def simulated(self) -> bool:
        """Whether the rows were simulated."""
        return bool(self.coefficients.meta.get("simulated", False))

    @property
    def stated_repeatability(self) -> Mapping[str, float]:
        """Scatter of the repeat star by band, percent; NaN where it was not measured."""
        percent = np.ma.filled(self.coefficients["repeatability_pct"].value, np.nan)
        return dict(zip(self.bands, map(float, percent), strict=True))

    @property
    def provenance(self) -> Mapping[str, object]:
        """What the fits recorded of their rows."""
        return self.coefficients.meta

    @property
    def epochs(self) -> dict[str, tuple[float, float]]:
        """Empty: the rows are not part of the fits."""
        return {}

    def stated_coefficients(self) -> QTable:
        """Return the fitted numbers; they have an error of A alone."""
        fitted = self.coefficients
        stated = {name: fitted[name] for name in ("A", "B", "tau", "repeatability_pct")}
        stated |= {"A_std": fitted["sigma_cf"]}
        return band_table(self.bands, stated, self.instrument.factor_unit)

    def stated_subarrays(self) -> QTable:
        """Return the measured or given D, which have no errors."""
        return subarray_table(
            [str(name) for name in self.subarrays["subarray"]], self.subarrays["D"]
        )

    def cautions(self, query: Query) -> list[str]:
        """Return what the errors leave out and what was assumed for these points."""
        said = [
            *query.assumptions(),
            "the staged error is sigma(CF) at every epoch: it holds no error of B, tau or D, "
            "and no covariance between bands.",
            f"{NO_FLUX_SCALE}.",
        ]
        noted = dict(zip(self.bands, map(str, self.coefficients["note"]), strict=True))
        for band in dict.fromkeys(query.filters):
            if noted.get(band):
                said.append(f"{band}: {noted[band]}.")
        noted = dict(zip(self.subarrays["subarray"], self.subarrays["note"], strict=True))
        for term in dict.fromkeys(query.terms):
            if term != self.instrument.reference and noted[term]:
                said.append(f"D of {term}: {noted[term]}.")
        return said


def fit_staged(
    factors: CalibrationFactors,
    throughput: Mapping[str, float] | None = None,
    time_fit_knows_subarrays: bool = True,
) -> StagedCalibration:
    """Fit the staged procedure to all rows without a flag.

    Parameters
    ----------
    factors : CalibrationFactors
        The rows.
    throughput : mapping of {str : float}, optional
        D of every subarray; measured from the rows if not given.
    time_fit_knows_subarrays : bool
        Whether the time law is fitted to factors from which D is divided
        out, the two being repeated until they agree. The 2024 code did not,
        and fitted BD+60 1753 in two subarrays as if they were one.
    """
    rows, instrument = StagedRows.of(factors), factors.observations.instrument
    subarrays = instrument.subarrays
    found = {a: Throughput(1.0) for a in subarrays}
    if throughput is not None:
        found = {a: Throughput(float(throughput[a]), note="given") for a in subarrays}
    plain = dict.fromkeys(subarrays, 1.0)
    for _ in range(_ROUNDS):
        d = _values(found)
        laws = fit_laws(rows, d if time_fit_knows_subarrays else plain, instrument)
        level = rows.factor / _relative(rows, laws)
        averages = _averages(rows, level, d)
        if throughput is not None:
            break
        kept = _kept(rows, averages)
        found = measured_throughputs(rows.where(kept), level[kept], instrument)
        if max(abs(d[a] - found[a].value) for a in subarrays) < _SETTLED:
            break
    tables = _coefficient_table(laws, averages, instrument), _subarray_table(found)
    for table, what in zip(tables, ("factors", "subarray ratios"), strict=True):
        _describe(table, what, factors.observations)
    return StagedCalibration(*tables, instrument, apertures=factors.apertures)


def write_staged(calibration: StagedCalibration, folder: Path) -> None:
    """Write ``coefficients.ecsv`` and ``subarrays.ecsv``, both or neither.

    Raises
    ------
    InputError
        If the folder cannot be written.
    """
    with whole_folder(folder) as beside:
        for name in ("coefficients", "subarrays"):
            write_ecsv(getattr(calibration, name), beside / f"{name}.ecsv")


def _values(found: Mapping[str, Throughput]) -> dict[str, float]:
    return {subarray: throughput.value for subarray, throughput in found.items()}


def _relative(rows: StagedRows, laws: dict[str, StagedLaw]) -> NDArray[np.float64]:
    relative = np.empty(len(rows))
    for band, law in laws.items():
        inside = rows.band == band
        relative[inside] = law.relative(rows.elapsed[inside])
    return relative


def _averages(
    rows: StagedRows, level: NDArray[np.float64], throughput: dict[str, float]
) -> dict[str, Average]:
    at_infinity = level * np.array([throughput[str(a)] for a in rows.subarray])
    inside = {band: rows.band == band for band in dict.fromkeys(map(str, rows.band))}
    return {b: clipped_average(at_infinity[i], rows.star[i]) for b, i in inside.items()}


def _kept(rows: StagedRows, averages: dict[str, Average]) -> NDArray[np.bool_]:
    kept = np.ones(len(rows), dtype=bool)
    for band, average in averages.items():
        kept[rows.band == band] = average.kept
    return kept


def _coefficient_table(
    laws: dict[str, StagedLaw], averages: dict[str, Average], instrument: Instrument
) -> QTable:
    bands = list(laws)
    mean, std, n = (
        np.array([getattr(averages[band], name) for band in bands])
        for name in ("mean", "std", "n_stars")
    )
    single = n < 1.5  # a star of which rows were clipped counts less than one
    sigma = np.where(single, ONE_STAR * mean, std / np.sqrt(n))
    loss, tau, repeat = (
        np.array([getattr(law, name) for law in laws.values()])
        for name in ("loss", "tau", "repeatability")
    )
    table = QTable({"filter": bands})
    # Subtracted from 0 because a band without loss would else have B = -0.0.
    unit = instrument.factor_unit
    table["A"], table["B"], table["tau"] = mean * unit, (0 - loss * mean) * unit, tau * u.d
    table["sigma_cf"], table["sigma_cf_pct"] = sigma * unit, 100 * sigma / mean * u.percent
    table["n_stars"] = n
    table["repeatability_pct"] = Masked(100 * repeat, mask=~np.isfinite(repeat)) * u.percent
    alone = f"one star: sigma(CF) taken as {100 * ONE_STAR:.0f} %"
    notes = [
        "; ".join(filter(None, (law.note, alone if one else "")))
        for law, one in zip(laws.values(), single, strict=True)
    ]
    table["note"] = notes
    table.meta["t0_mjd"] = instrument.t0
    table.add_index("filter")
    return table


def _subarray_table(found: Mapping[str, Throughput]) -> QTable:
    table = QTable({"subarray": list(found)})
    for column, name in (("D", "value"), ("n_ratios", "n_ratios"), ("note", "note")):
        table[column] = [getattr(one, name) for one in found.values()]
    return table


def _describe(table: QTable, what: str, observations: Observations) -> None:
    instrument = observations.instrument
    above = np.inf if instrument.staged is None else instrument.staged.free_tau_above
    shorter = [name for name in instrument.imaging_bands if instrument.bands[name].pivot <= above]
    words = {"band": shorter[-1], "reference": instrument.reference}
    for column in table.itercols():
        column.info.description = _COLUMNS[column.info.name].format(**words)
    mark = "SIMULATED: " if observations.simulated else ""
    table.meta["title"] = f"{mark}staged {what} of {observations.source}"
    known = {"photometry": observations.source, "photometry_sha256": observations.data_hash}
    stamp(table, run_record(known | {"simulated": observations.simulated}))
    used = observations.table["time"][np.asarray(observations.table["flag"]) == ""].to_value("d")
    table.meta["rows_mjd"] = [float(used.min()), float(used.max())]
