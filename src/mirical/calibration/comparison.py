"""Comparison of two calibrations, factor by factor and coefficient by coefficient."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from astropy import units as u
from astropy.table import MaskedColumn, QTable, Row, Table
from numpy.typing import NDArray

from mirical.calibration.calibration import Calibration, Floats
from mirical.calibration.factors import Query
from mirical.calibration.published import PublishedCalibration
from mirical.errors import InputError
from mirical.instruments.instrument import Instrument
from mirical.number_text import floats, value, words

Side = tuple[Floats, Floats]
"""Values and errors of one calibration, NaN where it states none."""

_COMPARED = ("C_ref", "A", "B", "tau")
_STATED: dict[str, Any] = {
    "C_ref": None,
    "A": None,
    "B": None,
    "tau": u.d,
    "repeatability": u.percent,
}
"""What is compared, with its unit; None for that of calibration factors."""


def compare_factors(ours: Calibration, theirs: Calibration, query: Query) -> QTable:
    """Return both calibrations' factors at the points of a query and how they differ.

    Returns
    -------
    QTable
        Columns filter, subarray, mjd, c, c_std, c_other, c_other_std
        [the instrument's unit], diff_pct [%] (ours minus theirs, of theirs) and
        diff_sigma (in both errors combined).
    """
    one, two = ours.at(query), theirs.at(query)
    table, unit = QTable(), query.instrument.factor_unit
    table["filter"], table["subarray"] = list(query.filters), list(query.subarrays)
    table["mjd"] = query.mjd * u.d
    table["c"], table["c_std"] = one.mean * unit, one.std * unit
    table["c_other"], table["c_other_std"] = two.mean * unit, two.std * unit
    table["diff_pct"] = 100 * (one.mean / two.mean - 1) * u.percent
    table["diff_sigma"] = (one.mean - two.mean) / np.hypot(one.std, two.std)
    table.meta["ours"], table.meta["theirs"] = ours.name, theirs.name
    return table


def shared_bands(ours: Calibration, theirs: Calibration) -> list[str]:
    """Return the bands both have, in the order of `ours`.

    Raises
    ------
    InputError
        If there is none.
    """
    bands = [band for band in ours.bands if band in theirs.bands]
    if not bands:
        raise InputError(
            f"{ours.name} and {theirs.name} have no band in common, so there is nothing to "
            f"compare; the first has {', '.join(ours.bands)}."
        )
    return bands


def default_query(
    instrument: Instrument,
    bands: Sequence[str],
    mjd: Sequence[float] | None,
    reference_mjd: float | None = None,
) -> Query:
    """Return some bands in the reference readout at the given epochs.

    Without epochs: the reference epoch, and one and three years after it.
    """
    first = instrument.reference_mjd if reference_mjd is None else reference_mjd
    epochs = mjd or [first, first + 365, first + 1095]
    filters, at = np.repeat(bands, len(epochs)), np.tile(epochs, len(bands))
    return Query.of(instrument, filters, instrument.reference, at)


def compare_stated(ours: Calibration, theirs: Calibration) -> QTable:
    """Return the coefficients of the bands both have side by side, in long form.

    Returns
    -------
    QTable
        Columns filter, quantity (C_ref, the factor at our reference
        epoch; A; B; tau; repeatability), ours, ours_std, theirs, theirs_std
        [each row in its ``unit``], diff_pct [%], diff_sigma, unit; masked where
        a calibration states no number or no error.
    """
    bands = shared_bands(ours, theirs)
    one, two = (_stated(each, bands, ours.reference_mjd) for each in (ours, theirs))
    table = QTable({"filter": np.repeat(bands, len(_STATED))})
    table["quantity"] = np.tile(list(_STATED), len(bands))
    _put_beside(table, one, two)
    units = [unit or ours.instrument.factor_unit for unit in _STATED.values()]
    table["unit"] = np.tile([unit.to_string() for unit in units], len(bands))
    table.meta |= {"ours": ours.name, "theirs": theirs.name, "C_ref_mjd": ours.reference_mjd}
    return table


def compare_subarrays(ours: Calibration, theirs: Calibration) -> QTable:
    """Return the throughputs D of the subarrays both have side by side.

    Returns
    -------
    QTable
        Columns subarray (and filter before it, where both are of each band), ours, ours_std,
        theirs, theirs_std, diff_pct [%] and diff_sigma; masked where a calibration states no
        error.
    """
    keys = ["subarray"]
    if ours.private_readouts and theirs.private_readouts:
        keys = ["filter", "subarray"]
        one, two = ours.band_throughputs(), theirs.band_throughputs()
    else:
        one, two = ours.stated_subarrays(), theirs.stated_subarrays()
    known = [list(zip(*(words(of[key]) for key in keys), strict=True)) for of in (one, two)]
    shared = [name for name in known[0] if name in known[1]]
    table = QTable({key: [name[i] for name in shared] for i, key in enumerate(keys)})
    sides = []
    for stated, names in zip((one, two), known, strict=True):
        at = [names.index(name) for name in shared]
        sides.append(tuple(floats(stated[name])[at] for name in ("D", "D_std")))
    _put_beside(table, *sides)
    table.meta["ours"], table.meta["theirs"] = ours.name, theirs.name
    return table


def _stated(calibration: Calibration, bands: list[str], mjd: float) -> Side:
    """Return values and errors of the bands' coefficients, quantity by quantity in each band."""
    stated = calibration.stated_coefficients()
    at = [words(stated["filter"]).index(band) for band in bands]
    factor = calibration.at(calibration.in_reference(bands, mjd))
    names = [f"{name}_pct" if name == "repeatability" else name for name in _STATED][1:]
    values = [factor.mean, *(floats(stated[name])[at] for name in names)]
    errors = [factor.std, *(floats(stated[f"{name}_std"])[at] for name in names)]
    return np.transpose(values).ravel(), np.transpose(errors).ravel()


def _put_beside(table: QTable, one: Side, two: Side) -> None:
    """Add both sides and their difference to a table."""
    (ours, ours_std), (theirs, theirs_std) = one, two
    # An error that is not stated counts as none: the difference is then in the other's alone.
    combined = np.hypot(np.nan_to_num(ours_std), np.nan_to_num(theirs_std))
    nothing = np.full(len(ours), np.nan)
    ratio = np.divide(ours, theirs, out=nothing.copy(), where=theirs != 0)
    columns = {"ours": ours, "ours_std": ours_std, "theirs": theirs, "theirs_std": theirs_std}
    columns["diff_pct"] = 100 * (ratio - 1)
    columns["diff_sigma"] = np.divide(ours - theirs, combined, out=nothing, where=combined > 0)
    for name, numbers in columns.items():
        table[name] = MaskedColumn(numbers, mask=~np.isfinite(numbers))
    table["diff_pct"].unit = u.percent


def compare_coefficients(
    coefficients: QTable, published: PublishedCalibration | None, instrument: Instrument
) -> QTable:
    """Return each coefficient of a run beside the published one, in long form.

    Parameters
    ----------
    coefficients : QTable
        As `mirical.reporting.run_tables.coefficient_table` makes it.
    published : PublishedCalibration or None
        The published ones, if there are.
    instrument : Instrument
        Whose.

    Returns
    -------
    QTable
        Columns filter, quantity, ours, ours_std, basis, published,
        published_std, diff_pct, diff_sigma, unit; masked where nothing is published
        or no error is stated, or one of the two has no number. Errors are without that of the
        flux scale, on which both rest.
    """
    fitted = coefficients[~_missing(coefficients["A"])]
    factor_at = {}
    for row in fitted:
        if published is None:
            continue
        mjd = coefficients.meta["C_ref_mjd"]
        answer = published.at(published.in_reference(row["filter"], mjd))
        factor_at[str(row["filter"])] = (answer.mean[0], answer.std[0])
    flux_scale = coefficients.meta.get("flux_scale_pct", 0.0) / 100
    records = [
        _compare(row, quantity, (published, instrument), factor_at, flux_scale)
        for row in fitted
        for quantity in _COMPARED
    ]
    table = _long_table(records)
    if flux_scale:
        table[
            "ours_std"
        ].info.description = (
            "Its error, one sigma, without that of the flux scale, on which both rest"
        )
    return table


def _missing(column: object) -> NDArray[np.bool_]:
    return np.asarray(getattr(column, "mask", np.zeros(len(column), dtype=bool)))  # type: ignore[arg-type]


def _compare(
    row: QTable.Row,
    quantity: str,
    of: tuple[PublishedCalibration | None, Instrument],
    factor_at: dict,
    flux_scale: float,
) -> dict[str, object]:
    band, (published, instrument) = str(row["filter"]), of
    of_factors = quantity != "tau"
    unit = instrument.factor_unit if of_factors else u.d
    ours, ours_std = (float(row[name].to_value(unit)) for name in (quantity, f"{quantity}_std"))
    if flux_scale and of_factors:
        ours_std = np.sqrt(max(ours_std**2 - (ours * flux_scale) ** 2, 0.0))
    if published is None:
        theirs = theirs_std = np.nan
    elif quantity == "C_ref":
        theirs, theirs_std = factor_at[band]
    else:
        printed = published.coefficients.loc[band]
        theirs = float(printed[quantity].to_value(unit))
        theirs_std = float(printed["sigma_cf"].to_value(unit)) if quantity == "A" else np.nan
    # The paper states no error of B and tau: the difference is then in our errors alone.
    combined = np.hypot(ours_std, np.nan_to_num(theirs_std))
    return {
        "filter": band,
        "quantity": quantity,
        "ours": ours,
        "ours_std": ours_std,
        "basis": str(row[f"{quantity}_basis"]),
        "published": theirs,
        "published_std": theirs_std,
        "diff_pct": 100 * (ours / theirs - 1) if theirs else np.nan,
        "diff_sigma": (ours - theirs) / combined if combined else np.nan,
        "unit": unit.to_string(),
    }


def _long_table(records: list[dict[str, object]]) -> QTable:
    table = QTable(rows=records)
    masked = "published_std", "diff_pct", "diff_sigma"
    for name in masked if np.all(np.isfinite(table["published"])) else ("published", *masked):
        table[name] = MaskedColumn(table[name], mask=~np.isfinite(table[name]))
    table["diff_pct"].unit = u.percent
    return table


def glance(factors: Table) -> list[str]:
    """Say in a sentence how far the factors of a comparison differ, and where most."""
    ours, theirs = factors.meta["ours"], factors.meta["theirs"]
    percent = np.array([value(one) for one in factors["diff_pct"]], dtype=float)
    sigma = np.array([value(one) for one in factors["diff_sigma"]], dtype=float)
    known = np.flatnonzero(np.isfinite(sigma))
    widest = int(np.nanargmax(np.abs(percent)))
    said = (
        f"{ours} against {theirs}: {len(factors)} factors differ by {np.nanmean(percent):+.2f} % "
        f"in the mean, rms {np.sqrt(np.nanmean(percent**2)):.2f} %, most in "
        f"{_point(factors[widest])} ({percent[widest]:+.2f} %)"
    )
    if not len(known):
        return [f"{said}; no errors are stated to judge that by."]
    within = int(np.sum(np.abs(sigma[known]) <= 1))
    most = known[int(np.argmax(np.abs(sigma[known])))]
    return [
        f"{said}. Of {len(known)} with errors {within} lie within one sigma; the largest is "
        f"{sigma[most]:+.1f} sigma, {_point(factors[most])}."
    ]


def _point(row: Row) -> str:
    return f"{row['filter']} at MJD {value(row['mjd']):.0f}"
