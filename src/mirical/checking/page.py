"""Page and folder of a check."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from astropy.table import QTable
from matplotlib.figure import Figure

from mirical.checking.check import CheckedRun
from mirical.checking.figures import (
    AXES,
    dependence_figure,
    excess_figure,
    influence_figure,
    pit_figure,
    slope_figure,
)
from mirical.checking.infrared_excess import PRIOR, TEMPERATURES
from mirical.checking.predictive_pvalues import ALARM, ALARM_MEDIAN, REPLICATES
from mirical.checking.prior_sensitivity import THRESHOLD
from mirical.checking.quantities import FINDING_DRAWS, K_LIMIT, SLOPE_SPREAD
from mirical.checking.score_directions import PARAMETERS
from mirical.checking.verdict import moved_by
from mirical.number_text import (
    Sheet,
    count,
    floats,
    measured,
    number,
    rows_with,
    signed,
    text,
    words,
)
from mirical.pages.page import page_of
from mirical.pages.page_folder import write_page
from mirical.pages.pictures import Picture, pictures_of
from mirical.plotting.canvas import png

_LISTED = 10
_BESIDE = "dependence_"


def write_check(checked: CheckedRun, folder: Path) -> None:
    """Write ``check.html``, its tables and ``figures/``, all or nothing.

    Raises
    ------
    InputError
        If the folder cannot be written.
    """
    figures = draw(checked)
    # The figures of single parameters are large, and stand beside the page.
    large = {name: figure for name, figure in figures.items() if name.startswith(_BESIDE)}
    shown = pictures_of({name: figures[name] for name in figures if name not in large})
    pictures = shown | {name: Picture(png(figure)) for name, figure in large.items()}
    write_page(checked, "check.html", render(checked, pictures), pictures, folder)


def draw(checked: CheckedRun) -> dict[str, Figure]:
    """Return the figures by file name without ``.png``."""
    tables, simulated = checked.tables, checked.simulated
    drawn = {
        "influence": influence_figure(tables["influence"], simulated),
        "excess": excess_figure(tables["anomalies"], simulated),
        "pit": pit_figure(tables["loo"], tables["pit"], simulated),
    }
    slopes = tables["dependences"]
    if len(slopes):
        drawn["slopes"] = slope_figure(slopes, simulated)
    for name in _parameters(slopes):
        drawn[_BESIDE + name] = dependence_figure(
            name, tables["points"], slopes, checked.instrument, simulated
        )
    return drawn


def render(checked: CheckedRun, pictures: dict[str, Picture]) -> str:
    """Return the page; every text from a table is escaped."""
    return page_of("check.html", _content(checked) | {"pictures": pictures})


def _content(checked: CheckedRun) -> dict[str, Any]:
    tables = checked.tables
    return {
        "name": checked.name,
        "attrs": checked.attrs,
        "sentences": checked.sentences,
        "checks": check_sheet(tables["checks"]),
        "dependences": dependence_sheet(tables["dependences"]),
        "n_slopes": len(tables["dependences"]),
        "n_step_dates": len(tables["steps"]),
        "anomalies": anomaly_sheet(tables["anomalies"]),
        "groups": group_sheet(tables["left_out"]),
        "rows": loo_sheet(tables["loo"]),
        "loo": tables["loo"].meta,
        "pit": tables["pit"].meta,
        "priors": prior_sheet(tables["psense"]),
        "words": word_sheet(tables["prior_words"]),
        "fixed": tables["psense"].meta["fixed"],
        "weight_limit": tables["psense"].meta["pareto_k_limit"],
        "threshold": THRESHOLD,
        "each": [(name, PARAMETERS.get(name, name)) for name in _parameters(tables["dependences"])],
        "replicates": REPLICATES,
        "finding_draws": FINDING_DRAWS,
        "alarm": ALARM,
        "alarm_median": ALARM_MEDIAN,
        "spread": SLOPE_SPREAD,
        "star_limit": tables["influence"].meta["pareto_k_limit"],
        "k_limit": K_LIMIT,
        "temperatures": TEMPERATURES,
        "prior": PRIOR,
    }


def _parameters(slopes: QTable) -> list[str]:
    return [name for name in AXES if name in words(slopes["parameter"])]


def check_sheet(checks: QTable) -> Sheet:
    """Return every check with its p-value, those that fire first."""
    order = np.lexsort((floats(checks["p_value"]), ~np.asarray(checks["fires"])))
    lines = tuple(
        (
            text(row["question"]),
            number(float(row["p_value"]), 4),
            number(float(row["p_median"]), 3),
            text("fires" if row["fires"] else ""),
            text(row["extreme"]),
            measured(float(row["size"].value), float(row["size_unc"].value)),
            signed(float(row["z"]), 1),
        )
        for row in checks[order]
    )
    heads = ("Question", "p", "Median p", "", "Where", "Size (%)", "z")
    return Sheet("Predictive checks", heads, lines)


def dependence_sheet(slopes: QTable) -> Sheet:
    """Return the slopes farthest from zero."""
    order = np.argsort(-np.abs(floats(slopes["sigma"])))[:_LISTED]
    lines = tuple(
        (
            text(row["filter"]),
            text(PARAMETERS.get(str(row["parameter"]), str(row["parameter"]))),
            measured(float(row["slope"].value), float(row["slope_unc"].value)),
            signed(float(row["sigma"]), 1),
            number(float(row["span"]), 2),
            count(row["rows"]),
        )
        for row in slopes[order]
    )
    heads = ("Band", "Parameter", "Slope (%)", "σ", "Span", "Rows")
    return Sheet("Largest slopes, a decade of the parameter or a year", heads, lines)


def anomaly_sheet(anomalies: QTable) -> Sheet:
    """Return the stars likeliest to have an excess."""
    order = np.argsort(-floats(anomalies["p_excess"]))[:_LISTED]
    lines = tuple(
        (
            text(row["name"]),
            number(float(row["p_excess"]), 3),
            measured(float(row["excess"].value), float(row["excess_unc"].value)),
            number(float(row["temperature"].value), 0),
        )
        for row in anomalies[order]
    )
    heads = ("Star", "Probability", "Excess at 25.4 µm, if any (%)", "Temperature (K)")
    return Sheet("Stars likeliest to have an infrared excess", heads, lines)


def group_sheet(left_out: QTable) -> Sheet:
    """Return the visits and programs that move a factor most, each with its band."""
    known = rows_with(left_out, "basis", "formula")
    most: dict[tuple[str, str], QTable.Row] = {}
    for row in known[np.argsort(-np.abs(floats(known["shift_sigma"])))]:
        most.setdefault((str(row["left_out"]), str(row["name"])), row)
    lines = tuple(
        (
            text(f"{kind} {name}"),
            count(row["rows"]),
            text(row["filter"]),
            signed(float(row["shift"].value), 2),
            signed(float(row["shift_sigma"]), 2),
            number(float(row["pareto_k"]), 2),
        )
        for (kind, name), row in list(most.items())[:_LISTED]
    )
    heads = ("Left out", "Rows", "Band", "Change of C_ref (%)", "σ", "Pareto k")
    return Sheet("Visits and programs that move a factor most", heads, lines)


def loo_sheet(rows: QTable) -> Sheet:
    """Return the rows predicted worst by all others."""
    order = np.argsort(floats(rows["elpd"]))[:_LISTED]
    lines = tuple(
        (
            count(row["row"]),
            text(row["name"]),
            text(row["filter"]),
            number(float(row["elpd"]), 1),
            number(float(row["pit"]), 4),
            number(float(row["pareto_k"]), 2),
        )
        for row in rows[order]
    )
    heads = ("Row", "Star", "Band", "Log density", "Share below", "Pareto k")
    return Sheet("Rows predicted worst", heads, lines)


def prior_sheet(sensitivity: QTable) -> Sheet:
    """Return each prior that can be scaled, by the number that moves most with it."""
    moved = sensitivity[np.asarray(sensitivity["moves"])]
    order = np.argsort(-floats(sensitivity["sensitivity"]))
    most: dict[str, QTable.Row] = {}
    for row in sensitivity[order]:
        most.setdefault(str(row["prior"]), row)
    lines = tuple(
        (
            text(prior),
            text(moved_by(rows_with(moved, "prior", prior)) or "none"),
            text(f"{row['number']} of {row['of']}"),
            number(float(row["sensitivity"]), 3),
            signed(float(row["shift_half"]), 2),
            signed(float(row["shift_double"]), 2),
            number(float(row["error_half"]), 2),
            number(float(row["error_double"]), 2),
            number(float(row["pareto_k"]), 2),
        )
        for prior, row in most.items()
    )
    each = ("power ½", "power 2")
    heads = ("Prior", "Numbers that move", "Moves most", "Sensitivity", *each, *each, "Pareto k")
    groups = (("", 4), ("Shift (σ)", 2), ("Error over error", 2), ("", 1))
    return Sheet("Reported numbers that move with a prior", heads, lines, groups)


def word_sheet(rests_on: QTable) -> Sheet:
    """Return the numbers whose sensitivity speaks against what the report says they rest on."""
    lines = tuple(
        (
            text(f"{row['number']} of {row['of']}"),
            text(row["basis"]),
            number(float(row["sensitivity"]), 3),
            text(row["prior"]),
        )
        for row in rests_on[~np.asarray(rests_on["agrees"])]
    )
    heads = ("Number", "Report says", "Largest sensitivity", "To the prior of")
    return Sheet("Words that disagree with the sensitivity", heads, lines)
