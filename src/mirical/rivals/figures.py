"""Figures of rival models."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import cycle

import numpy as np
from astropy.table import QTable
from astropy.time import Time
from matplotlib import rc_context
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from mirical.instruments.instrument import Instrument
from mirical.number_text import floats, rows_with, words
from mirical.plotting.canvas import (
    GREY,
    INK,
    OURS,
    PUBLISHED,
    SHADE,
    STYLE,
    blank,
    label_below,
    legend_below,
    panels,
)
from mirical.plotting.marks import name_band
from mirical.rivals.comparison import STACK
from mirical.rivals.fits import LADDER, TIME_LAWS
from mirical.text import drawn_text

_COLOURS: dict[str, str] = dict(
    zip(TIME_LAWS, (OURS, PUBLISHED, "#009E73", "#CC79A7", "#E69F00"), strict=True)
)
_OTHERS = "#56B4E9", "#999999", *list(_COLOURS.values())[2:]
_SHADES = {"c_q025": "#E4E4E4", "c_q16": "#C4C4C4"}
_UPPER = {"c_q025": "c_q975", "c_q16": "c_q84"}


def _coloured(names: Iterable[str]) -> dict[str, str]:
    """Return the colour of each model but the stack, the shipped time laws first."""
    of = [name for name in dict.fromkeys(names) if name != STACK]
    others = [name for name in of if name not in TIME_LAWS]
    return {name: _COLOURS[name] for name in TIME_LAWS if name in of} | dict(
        zip(others, cycle(_OTHERS))
    )


def years(mjd: object) -> np.ndarray:
    """Return epochs in years."""
    return np.asarray(Time(floats(mjd), format="mjd", scale="tdb").jyear)


@rc_context(STYLE)
def model_figure(models: QTable, simulated: bool) -> Figure:
    """Draw each model's elpd difference from the best, the ladder and the time laws apart."""
    figure = blank(4.2, simulated)
    known = models[np.isfinite(floats(models["behind"]))]
    of = np.array(words(known["model"]))
    others = [name for name in of if name not in LADDER and name not in TIME_LAWS]
    asked = {"Ladder of models": (*LADDER, *others), "Time laws": TIME_LAWS}
    shown = {title: [n for n in names if n in of] for title, names in asked.items()}
    if not shown["Time laws"]:
        shown = {"Models": shown["Ladder of models"]}
    axes = figure.subplots(1, len(shown), squeeze=False)[0]
    for one, (title, here) in zip(axes, shown.items(), strict=True):
        lines = known[[int(np.flatnonzero(of == name)[0]) for name in here]]
        place = np.arange(len(here))
        one.axvline(0, color=GREY, lw=0.8)
        one.errorbar(
            -floats(lines["behind"]), place, xerr=floats(lines["behind_se"]), fmt="o", color=OURS
        )
        one.set_yticks(place, list(map(drawn_text, here)))
        one.invert_yaxis()
        one.set_title(title)
        one.set_xlabel("Log predictive density less the best's")
    return figure


@rc_context(STYLE)
def forecast_figure(forecast: QTable, instrument: Instrument, simulated: bool) -> Figure:
    """Draw C of each band under each time law, in percent of the stack's at the last row."""
    bands = [band for band in instrument.bands if band in words(forecast["filter"])]
    figure, grid = panels(len(bands), 2.5, simulated)
    end = float(forecast.meta["rows_end_mjd"])
    models = _coloured(words(forecast["model"]))
    for axes, band in zip(grid, bands, strict=True):
        of = rows_with(forecast, "filter", band)
        stack = rows_with(of, "model", STACK)
        mjd = floats(stack["mjd"])
        now = float(floats(stack["c_q50"])[int(np.argmin(np.abs(mjd - end)))])
        for low, shade in _SHADES.items():
            below, above = (100 * (floats(stack[name]) / now - 1) for name in (low, _UPPER[low]))
            axes.fill_between(years(stack["mjd"]), below, above, color=shade, lw=0)
        for name in models:
            lines = rows_with(of, "model", name)
            at = 100 * (floats(lines["c_q50"]) / now - 1)
            axes.plot(years(lines["mjd"]), at, color=models[name], lw=1.1)
        axes.axvline(float(years(np.array([end]))[0]), color=GREY, lw=0.8, ls=":")
        name_band(axes, band, instrument)
    label_below(grid, "Year")
    figure.supylabel(f"C in {instrument.reference} (%) relative to the stack at the last row")
    handles: list[Line2D | Patch] = [Line2D([], [], color=c, label=n) for n, c in models.items()]
    handles.append(Patch(color=_SHADES["c_q16"], label="stack, 68 and 95 %"))
    legend_below(figure, handles, 3)
    return figure


@rc_context(STYLE)
def hindcast_figure(hindcasts: QTable, simulated: bool) -> Figure:
    """Draw how the models predict later rows, by cut date: score, and share inside 68 %."""
    figure = blank(3.8, simulated)
    score, inside = figure.subplots(1, 2)
    reference = floats(rows_with(hindcasts, "model", STACK)["log_score"])
    inside.axhspan(60, 76, color=SHADE, lw=0)
    inside.axhline(68, color=GREY, lw=0.8)
    colours = _coloured(words(hindcasts["model"]))
    for name in (*colours, STACK):
        of = rows_with(hindcasts, "model", name)
        known = floats(of["rows_before"])
        at = 100 * known / (known + floats(of["rows_after"]))
        style = {"color": colours.get(name, INK), "marker": "o", "ms": 4, "label": name}
        style["lw"] = 2 if name == STACK else 1
        if len(of) == len(reference):
            score.plot(at, floats(of["log_score"]) - reference, **style)
        inside.plot(at, 100 * floats(of["inside_68"]) / floats(of["rows_after"]), **style)
    for axes in (score, inside):
        axes.set_xlabel("Rows known (%)")
    score.set_ylabel("Log score of a later row less the stack's")
    inside.set_ylabel("Later rows inside 68 % (%)")
    handles, _ = inside.get_legend_handles_labels()
    legend_below(figure, handles, 3)
    return figure
