"""Tables of a run: coefficients, subarrays, stars, and every row with its fate."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from astropy import units as u
from astropy.table import QTable
from astropy.utils.masked import Masked
from numpy.typing import NDArray

from mirical.calibration.basis import NO_DATA, basis, coefficient_basis, subarray_basis
from mirical.calibration.calibration import errors_hold
from mirical.calibration.coefficients import absolute
from mirical.calibration.draws import Draws
from mirical.calibration.posterior import PosteriorCalibration
from mirical.inference.posterior_predictive import RowChecks
from mirical.inference.quoted_errors import MEANING, mean_and_error
from mirical.inference.schema import DIMS
from mirical.instruments.instrument import Instrument
from mirical.instruments.magnitudes import PER_MAGNITUDE, zero_points
from mirical.laws.timelaw import LAWS
from mirical.model.design import Design
from mirical.model.detector_terms import DETECTOR_TERMS
from mirical.number_text import words
from mirical.tables.apertures import Aperture
from mirical.tables.calibration_factors import CalibrationFactors
from mirical.tables.flags import FLAGS
from mirical.tables.free_stars import FREE, PREDICTED


def coefficient_table(
    calibration: PosteriorCalibration, design: Design, apertures: Mapping[str, Aperture]
) -> QTable:
    """Return one row a band of the instrument: A, B, tau, C at the reference epoch, repeatability.

    Errors are absolute; that of C without flux scale and types of star stands beside it.
    Bands without rows have no numbers; what the prior decided is marked so
    in the ``*_basis`` columns.
    """
    draws, every = calibration.run_draws, list(calibration.instrument.bands)
    factor = calibration.instrument.factor_unit
    bands = list(design.bands)
    table = QTable({"filter": every})
    units = {"A": factor, "B": factor, "tau": u.d, "C_ref": factor}
    for name, unit in units.items():
        mean, given = mean_and_error(draws.values(name))
        std = absolute(name, mean, given, draws.flux_scale_error)
        table[name] = _spread(mean, bands, every) * unit
        table[f"{name}_std"] = _spread(std, bands, every) * unit
    table["B"].info.description = f"Amplitude of the response loss at t0, MJD {design.t0:.0f}"
    if "loss_per_year" in LAWS[calibration.time_law].of_band:
        mean, std = mean_and_error(100 * draws.values("loss_per_year"))
        table["loss_per_year_pct"] = _spread(mean, bands, every) * u.percent
        table["loss_per_year_pct_std"] = _spread(std, bands, every) * u.percent
    mean, given = mean_and_error(draws.values("C_ref"))
    std = absolute("C_ref", mean, given, draws.flux_scale_error)
    relative = calibration.at(
        calibration.in_reference(bands, calibration.reference_mjd)
    ).relative_std
    table["C_ref_relative_std"] = _spread(relative, bands, every) * factor
    table["sigma_cf_pct"] = _spread(100 * std / mean, bands, every) * u.percent
    if calibration.instrument.factor.view is not None:
        points = zero_points(mean, bands, calibration.instrument)
        table["zero_point"] = _spread(points, bands, every) * u.mag
        for name, error in (("std", std), ("relative_std", relative)):
            magnitude = PER_MAGNITUDE * error / mean
            table[f"zero_point_{name}"] = _spread(magnitude, bands, every) * u.mag
    known = {b: 100 * apertures[b].relative_unc for b in bands}
    known = {band: percent for band, percent in known.items() if np.isfinite(percent)}
    table["aperture_pct"] = _spread(np.array(list(known.values())), list(known), every) * u.percent
    table["aperture_pct"].info.description = (
        "Error of the band's aperture correction, in no other column: it cancels for point "
        "sources measured in the same aperture; blank where nobody measured it"
    )
    mean, std = mean_and_error(100 * draws.values("repeatability"))
    table["repeatability_pct"] = _spread(mean, bands, every) * u.percent
    table["repeatability_pct_std"] = _spread(std, bands, every) * u.percent
    free = np.asarray(design.free)[design.star] > 0
    table["n_stars"] = _star_numbers(~free, design, every)
    if design.has_free:
        table["n_stars"].info.description = "Stars with predicted fluxes and fitted rows"
        table["n_free_stars"] = _star_numbers(free, design, every)
    for name, entries in coefficient_basis(draws).items():
        known = dict(zip(bands, entries, strict=True))
        table[f"{name}_basis"] = [known.get(band, NO_DATA) for band in every]
    table.meta |= _meta(draws, f"Coefficients: posterior mean, and error (_std: {MEANING})")
    table.meta["C_ref_mjd"] = float(draws.attrs["reference_mjd"])
    table.meta["errors"] = errors_hold(calibration)
    if draws.flux_scale_error:
        table.meta["flux_scale_pct"] = 100 * draws.flux_scale_error
    return table


def _star_numbers(rows: NDArray[np.bool_], design: Design, every: list[str]) -> list[int]:
    """Return how many stars some rows are of, in each of all bands."""
    seen = {design.bands[b]: set(design.star[rows & (design.band == b)]) for b in set(design.band)}
    return [len(seen.get(band, ())) for band in every]


def subarray_table(draws: Draws, design: Design, instrument: Instrument) -> QTable:
    """Return the throughput D of each subarray relative to the reference, and what it rests on."""
    mean, std = mean_and_error(draws.values("D"))
    rows = np.bincount(design.subarray, minlength=len(design.subarrays))
    table = QTable({"subarray": list(design.subarrays), "D": mean, "D_std": std})
    table["n_rows"], table["basis"] = rows, subarray_basis(draws)
    table.meta |= _meta(draws, f"Throughput of each subarray relative to {instrument.reference}")
    return table


def subarray_band_table(calibration: PosteriorCalibration, design: Design) -> QTable:
    """Return the throughput D of each subarray in each band that has rows in it.

    For readouts that have nothing in common in different bands. Where the instrument's factors
    are seen as zero points, 2.5 log10 D stands beside D in magnitudes.
    """
    draws, instrument = calibration.run_draws, calibration.instrument
    table = calibration.band_throughputs()
    if instrument.factor.view is not None:
        table["zero_point_offset"] = 2.5 * np.log10(table["D"]) * u.mag
        table["zero_point_offset_std"] = PER_MAGNITUDE * table["D_std"] / table["D"] * u.mag
    pairs = [
        (design.bands.index(band), design.subarrays.index(subarray))
        for band, subarray in zip(table["filter"], table["subarray"], strict=True)
    ]
    rested = basis(draws, "D_band")
    table["n_rows"] = [int(np.sum((design.band == b) & (design.subarray == a))) for b, a in pairs]
    table["basis"] = [rested[b][a] for b, a in pairs]
    title = f"Throughput of each subarray in each band relative to {instrument.reference}"
    table.meta |= _meta(draws, title)
    return table


def detector_table(draws: Draws) -> QTable:
    """Return what the rows say of each detector term, in percent of C, where it is not fixed.

    Columns term, filter, subarray, of (date of a step in MJD, or reduction), effect_pct and
    effect_pct_std; a slope is a decade's.
    """
    lines = []
    for term in DETECTOR_TERMS:
        if not draws.has(term) or term == "time_departure":  # a curve, not a number a band
            continue
        mean, std = mean_and_error(100 * draws.values(term))
        dims = DIMS[term]
        for place in zip(*np.nonzero(std > 0), strict=True):
            at = {dim: draws.labels(dim)[i] for dim, i in zip(dims, place, strict=True)}
            of = at.get("step_mjd", at.get("reduction", ""))
            found = (mean[place], std[place])
            lines.append((term, at.get("band", ""), at.get("subarray", ""), of, *found))
    names = ("term", "filter", "subarray", "of", "effect_pct", "effect_pct_std")
    table = QTable(rows=lines, names=names) if lines else QTable({name: [] for name in names})
    for name in names[4:]:
        table[name] = np.asarray(table[name], dtype=float) * u.percent
    table.meta |= _meta(draws, f"Detector terms, percent of C (_std: {MEANING})")
    return table


def star_table(draws: Draws, design: Design) -> QTable:
    """Return each star's gray offset of the predicted flux in percent, and its colour term.

    Both are blank for a star of unknown flux, which has no prediction to be off; column ``flux``,
    where there are such stars, tells them from the others.
    """
    free = np.asarray(design.free) > 0
    mean, std = mean_and_error(100 * draws.values("star_offset"))
    table = QTable({"name": list(design.stars)})
    table["srctype"] = [design.types[i] for i in design.star_type]
    blank = free if design.has_free else None
    for name, values in (("offset_pct", mean), ("offset_pct_std", std)):
        table[name] = _known(values, blank) * u.percent
    colour, colour_std = mean_and_error(100 * draws.values("star_band_offset"))
    pairs = np.zeros(colour.shape, dtype=bool)
    pairs[design.star, design.band] = True
    strength = np.where(pairs, np.abs(colour) / np.maximum(colour_std, 1e-12), -np.inf)
    worst = np.argmax(strength, axis=1)
    stars = np.arange(len(design.stars))
    table["largest_colour_band"] = np.where(free, "", [design.bands[i] for i in worst])
    for name, values in (("", colour), ("_std", colour_std)):
        table[f"largest_colour_pct{name}"] = _known(values[stars, worst], blank) * u.percent
    table["n_rows"] = np.bincount(design.star, minlength=len(design.stars))
    table["n_bands"] = pairs.sum(axis=1)
    table["basis"] = np.where(free, "", basis(draws, "star_offset"))
    if design.has_free:
        table["flux"] = np.where(free, FREE, PREDICTED)
        table["flux"].info.description = "Whether the star's flux is predicted, or free and fitted"
    table.meta |= _meta(
        draws, "Offset of each star's predicted flux (positive: predicted too bright)"
    )
    return table


def row_table(
    draws: Draws, factors: CalibrationFactors, checks: RowChecks, design: Design
) -> QTable:
    """Return every input row with its fate, in input order.

    Rows that were not fitted have no residual and no outlier probability.
    """
    observed = factors.observations.table
    names = ("row", "name", "PID", "srctype", "filter", "subarray", "time", "iflux", "ifluxunc")
    table = observed[(*names, "model_flux", "visit")]
    flags = [str(flag) for flag in observed["flag"]]
    for name in ("aperture_correction", "aperture_correction_unc", "factor"):
        table[name] = factors.table[name]
    for name in ("log_factor", "log_factor_unc"):
        values = np.asarray(factors.table[name])
        table[name] = Masked(values, mask=~np.isfinite(values))
    if np.any(factors.table["free"]):
        for name in ("free", "nominal_flux"):
            table[name] = factors.table[name]
    if factors.observations.instrument.published is None:  # the usual words are of the paper
        table["PID"].info.description = "Observing program"
        table["factor"].info.description = "Calibration factor of the row"
    table["fate"] = ["flagged" if flag else "used" for flag in flags]
    table["flag"] = flags
    table["reason"] = [
        f"{FLAGS[flag]}: {own}" if own else FLAGS[flag]
        for flag, own in zip(flags, words(observed["reason"]), strict=True)
    ]
    place = {row: i for i, row in enumerate(design.rows)}
    at = np.array([place.get(int(row), -1) for row in observed["row"]])
    for name in ("residual", "outlier_probability"):
        table[f"{name}_sigma" if name == "residual" else name] = Masked(
            getattr(checks, name)[at], mask=at < 0
        )
    table.meta |= _meta(draws, "Every input row and what became of it")
    return table


def _spread(values: NDArray[np.float64], bands: list[str], every: list[str]) -> Any:
    """Place the values of the fitted bands in a column over all bands, masked elsewhere."""
    found = dict(zip(bands, values, strict=True))
    return Masked(
        np.array([found.get(band, np.nan) for band in every]),
        mask=np.array([band not in found for band in every]),
    )


def _known(values: NDArray[np.float64], blank: NDArray[np.bool_] | None) -> Any:
    """Return values, some of them blank, which a table of none must not mention."""
    return values if blank is None else Masked(values, mask=blank)


def _meta(draws: Draws, title: str) -> dict[str, Any]:
    keys = ("job", "card", "seed", "photometry", "photometry_sha256", "mirical", "simulated")
    return {"title": title} | {key: draws.attrs[key] for key in keys if key in draws.attrs}
