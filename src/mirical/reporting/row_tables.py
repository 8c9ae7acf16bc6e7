"""Printed tables of a run's rows: stars, flagged rows, outliers, predicted rows."""

from __future__ import annotations

import numpy as np
from astropy.table import QTable

from mirical.instruments.instrument import Instrument
from mirical.number_text import (
    NOTHING,
    Entry,
    Sheet,
    count,
    floats,
    measured,
    number,
    rows_with,
    signed,
    text,
    value,
    words,
)
from mirical.plotting.marks import OUTLIER, marks
from mirical.reporting.result_tables import Tables
from mirical.tables.free_stars import FREE, PREDICTED

FAR = 3.0
"""Residual in sigma beyond which a fitted row is listed."""

_ROW_HEADS = ("Row", "Star", "Program", "Band", "Subarray", "MJD")


def input_sheet(tables: Tables, instrument: Instrument) -> Sheet:
    """Return which stars were observed where and when, and how many rows were fitted."""
    lines, told = [], "free" in tables["rows"].colnames
    for name in dict.fromkeys(words(tables["rows"]["name"])):
        rows = rows_with(tables["rows"], "name", name)
        fitted = len(rows_with(rows, "fate", "used"))
        lines.append(
            (
                text(name or "not known"),
                text(_type_label(words(rows["srctype"]), instrument)),
                *([text(_flux_label(rows))] if told else ()),
                *(_listed(rows[column]) for column in ("PID", "filter", "subarray")),
                _span(floats(rows["time"])),
                count(fitted),
                count(len(rows) - fitted),
            )
        )
    heads = ("Star", "Type", *(["Flux"] if told else []), "Program", "Bands", "Subarrays", "MJD")
    over = (("", len(heads)), ("Rows", 2))
    return Sheet("Stars observed", (*heads, "Fitted", "Flagged"), tuple(lines), groups=over)


def flagged_sheet(tables: Tables, instrument: Instrument) -> Sheet:
    """Return every row that was not fitted, and why."""
    lines = tuple(
        (
            *_row_name(row),
            measured(value(row["iflux"]), value(row["ifluxunc"])),
            text(str(row["flag"]).replace("_", " ")),
            text(row["reason"]),
        )
        for row in rows_with(tables["rows"], "fate", "flagged")
    )
    heads = (*_ROW_HEADS, f"Count rate ({instrument.count_unit})", "Flag", "Reason")
    return Sheet("Rows flagged and not fitted", heads, lines)


def outlier_sheet(tables: Tables) -> Sheet:
    """Return the fitted rows that are probably outliers or lie far from the model."""
    rows, predictive = rows_with(tables["rows"], "fate", "used"), tables["predictive"]
    probability = floats(rows["outlier_probability"])
    listed = (probability > OUTLIER) | (np.abs(floats(rows["residual_sigma"])) > FAR)
    off = dict(zip(floats(predictive["row"]), floats(predictive["observed"]), strict=True))
    lines = tuple(
        (
            *_row_name(row),
            signed(off[value(row["row"])], 1),
            signed(value(row["residual_sigma"]), 1),
            number(value(row["outlier_probability"]), 3),
        )
        for row in rows[listed]
    )
    heads = (*_ROW_HEADS, "Off by (%)", "Residual (σ)", "Outlier probability")
    return Sheet("Fitted rows that deviate", heads, lines)


def coverage_sheet(coverage: QTable) -> Sheet:
    """Return how many rows of each band lie outside their predictive intervals."""
    lines = tuple(
        (
            text(row["filter"]),
            count(row["n_rows"]),
            count(row["outside_68"]),
            number(value(row["expected_68"]), 1),
            count(row["outside_95"]),
            number(value(row["expected_95"]), 1),
        )
        for row in coverage
    )
    return Sheet(
        "Rows outside their predictive interval",
        ("Band", "Rows", "found", "expected", "found", "expected"),
        lines,
        groups=(("", 2), ("Outside 68 %", 2), ("Outside 95 %", 2)),
    )


def _type_label(types: list[str], instrument: Instrument) -> str:
    """Return the type of a star's rows; flagged rows may leave it blank."""
    known = next(filter(None, types), None)
    return marks(instrument)[known].label if known else "not known"


def _flux_label(rows: QTable) -> str:
    """Return whether a star's flux is predicted or free; a dash where no row was fitted."""
    if not len(rows_with(rows, "fate", "used")):
        return NOTHING
    return FREE if np.any(np.asarray(rows["free"])) else PREDICTED


def _row_name(row: QTable.Row) -> tuple[Entry, ...]:
    named = (text(row[name]) for name in ("name", "PID", "filter", "subarray"))
    return count(row["row"]), *named, number(value(row["time"]), 1)


def _listed(column: object) -> Entry:
    return text(", ".join(dict.fromkeys(words(column))))


def _span(epochs: np.ndarray) -> Entry:
    known = epochs[np.isfinite(epochs)]
    if not len(known):
        return number(np.nan, 1)
    ends = (number(float(end), 1).text for end in (known.min(), known.max()))
    return Entry(" to ".join(dict.fromkeys(ends)))
