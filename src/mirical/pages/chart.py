"""Interactive chart of a run's rows, a band at a time: the numbers that the page's script draws.

The script (``templates/chart.js``) computes no more than where on the screen a number goes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
from astropy.table import QTable
from markupsafe import Markup
from numpy.typing import NDArray

from mirical.instruments.instrument import Instrument
from mirical.number_text import day, floats, rows_with, value, words
from mirical.plotting.marks import OUTLIER, marks

SCRIPT = "chart.js"

_QUANTILES = ("q025", "q16", "q50", "q84", "q975")
_DIGITS = 6
_UNSAFE = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026"}
"""Characters that would end the element of the page in which the numbers stand."""


def chart_data(tables: Mapping[str, QTable], instrument: Instrument, simulated: bool) -> Markup:
    """Return what the chart shows as JSON that may stand in a page's ``<script>``.

    Parameters
    ----------
    tables : mapping of {str : QTable}
        A run's; curves, predictive and rows are used.
    instrument : Instrument
        Whose.
    simulated : bool
        Whether the chart must say that its data are simulated.

    Returns
    -------
    Markup
        An object: ``unit``, ``simulated``, ``outlier`` (probability above which a row is probably
        one), ``types`` (label, marker, colour), ``stars`` (name, place of its type), and for each
        band its curves and rows, column by column. Factors are in the instrument's unit, errors
        and percent as in the tables.
    """
    predictive, looks = tables["predictive"], marks(instrument)
    kinds = list(looks)
    known = dict(zip(words(predictive["name"]), words(predictive["srctype"]), strict=True))
    stars = sorted(known, key=lambda name: (kinds.index(known[name]), name))
    present = words(tables["curves"]["filter"])
    found = {
        "unit": instrument.factor_text,
        "simulated": simulated,
        "outlier": OUTLIER,
        "types": [vars(mark) for mark in looks.values()],
        "stars": [[name, kinds.index(known[name])] for name in stars],
        "bands": [
            _curve_of(band, tables["curves"], instrument) | {"rows": _rows_of(band, tables, stars)}
            for band in dict.fromkeys(present)
        ],
    }
    text = json.dumps(found, separators=(",", ":"), allow_nan=False)
    for character, escaped in _UNSAFE.items():
        text = text.replace(character, escaped)
    return Markup(text)


def _curve_of(band: str, curves: QTable, instrument: Instrument) -> dict[str, Any]:
    curve = rows_with(curves, "filter", band)
    mjd = floats(curve["mjd"])
    inside = mjd[np.asarray(curve["within_data"], dtype=bool)]
    columns = {name: f"c_{name}" for name in _QUANTILES}
    if "published" in curve.colnames:
        columns |= {name: name for name in ("published", "published_std")}
    return {
        "name": band,
        "pivot": _short(np.array([instrument.bands[band].pivot]))[0],
        "mjd": _short(mjd, 9),
        "within": _short(np.array([inside.min(), inside.max()]), 9),
        "curve": {name: _short(floats(curve[column])) for name, column in columns.items()},
    }


def _rows_of(band: str, tables: Mapping[str, QTable], stars: list[str]) -> dict[str, list[Any]]:
    rows = rows_with(tables["predictive"], "filter", band)
    rows = rows[np.argsort(floats(rows["mjd"]), kind="stable")]
    every = {int(value(one["row"])): one for one in tables["rows"]}
    inputs = [every[int(row)] for row in rows["row"]]
    return {
        "row": [int(row) for row in rows["row"]],
        "star": [stars.index(name) for name in words(rows["name"])],
        "pid": [str(one["PID"]) for one in inputs],
        "subarray": words(rows["subarray"]),
        "mjd": _short(floats(rows["mjd"]), 9),
        "date": [day(mjd) for mjd in floats(rows["mjd"])],
        "factor": _short(floats(rows["factor_full"])),
        "aligned": _short(floats(rows["factor_aligned"])),
        "error": _short(floats(rows["factor_full_std"])),
        "curve": _short(floats(rows["factor_curve"])),
        "residual": _short(np.array([value(one["residual_sigma"]) for one in inputs]), 3),
        "outlier": _short(floats(rows["outlier_probability"]), 3),
    }


def _short(numbers: NDArray[np.float64], digits: int = _DIGITS) -> list[float | None]:
    """Return numbers with as many digits as a screen can show; None for those that are none."""
    return [float(f"{one:.{digits}g}") if np.isfinite(one) else None for one in numbers]
