"""Two calibrations side by side: factor by factor and coefficient by coefficient."""

from __future__ import annotations

import numpy as np
from astropy import units as u
from astropy.table import MaskedColumn, QTable
from numpy.typing import NDArray

from mirical.conventions import FACTOR, REFERENCE_MJD
from mirical.products.calibration import Calibration, Query
from mirical.products.published import PublishedCalibration

_COMPARED = ("C_ref", "A", "B", "tau")


def compare_factors(ours: Calibration, theirs: Calibration, query: Query) -> QTable:
    """Return both calibrations' factors at the points of a query and how they differ.

    Returns
    -------
    QTable
        Columns filter, subarray, mjd, c, c_std, c_other, c_other_std
        [(MJy/sr)/(DN/s/pixel)], diff_pct [%] (ours minus theirs, of theirs)
        and diff_sigma (in both errors combined).
    """
    one, two = ours.at(query), theirs.at(query)
    table = QTable()
    table["filter"], table["subarray"] = list(query.filters), list(query.subarrays)
    table["mjd"] = query.mjd * u.d
    table["c"], table["c_std"] = one.mean * FACTOR, one.std * FACTOR
    table["c_other"], table["c_other_std"] = two.mean * FACTOR, two.std * FACTOR
    table["diff_pct"] = 100 * (one.mean / two.mean - 1) * u.percent
    table["diff_sigma"] = (one.mean - two.mean) / np.hypot(one.std, two.std)
    table.meta["ours"], table.meta["theirs"] = ours.name, theirs.name
    return table


def default_query(ours: Calibration, mjd: list[float] | None) -> Query:
    """Return every band `ours` knows, in FULL, at the given epochs.

    Without epochs: the reference epoch, and one and three years after it.
    """
    epochs = mjd or [REFERENCE_MJD, REFERENCE_MJD + 365, REFERENCE_MJD + 1095]
    bands = ours.bands
    return Query.of(np.repeat(bands, len(epochs)), "FULL", np.tile(epochs, len(bands)))


def compare_coefficients(coefficients: QTable, published: PublishedCalibration) -> QTable:
    """Return each coefficient of a run beside the published one, in long form.

    Parameters
    ----------
    coefficients : QTable
        As `mirical.products.tables.coefficient_table` makes it.
    published : PublishedCalibration
        Tables 7 and 8.

    Returns
    -------
    QTable
        Columns filter, quantity, ours, ours_std, basis, published,
        published_std, diff_pct, diff_sigma, unit; masked where the paper states
        no error, or one of the two has no number.
    """
    fitted = coefficients[~_missing(coefficients["A"])]
    factor_at = {}
    for row in fitted:
        query = Query.of(row["filter"], "FULL", coefficients.meta["C_ref_mjd"])
        answer = published.at(query)
        factor_at[str(row["filter"])] = (answer.mean[0], answer.std[0])
    records = [
        _compare(row, quantity, published, factor_at) for row in fitted for quantity in _COMPARED
    ]
    return _long_table(records)


def _missing(column: object) -> NDArray[np.bool_]:
    return np.asarray(getattr(column, "mask", np.zeros(len(column), dtype=bool)))  # type: ignore[arg-type]


def _compare(
    row: QTable.Row, quantity: str, published: PublishedCalibration, factor_at: dict
) -> dict[str, object]:
    band = str(row["filter"])
    printed = published.coefficients.loc[band]
    unit = u.d if quantity == "tau" else FACTOR
    ours, ours_std = (float(row[name].to_value(unit)) for name in (quantity, f"{quantity}_std"))
    if quantity == "C_ref":
        theirs, theirs_std = factor_at[band]
    else:
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
        "diff_sigma": (ours - theirs) / combined,
        "unit": unit.to_string(),
    }


def _long_table(records: list[dict[str, object]]) -> QTable:
    table = QTable(rows=records)
    for name in ("published_std", "diff_pct"):
        table[name] = MaskedColumn(table[name], mask=~np.isfinite(table[name]))
    table["diff_pct"].unit = u.percent
    return table
