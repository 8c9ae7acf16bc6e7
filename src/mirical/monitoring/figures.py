"""Figures of a monitor: standardised residuals of each band, and the statistic in time."""

from __future__ import annotations

import numpy as np
from astropy.table import QTable
from matplotlib import rc_context
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from mirical.instruments.instrument import Instrument
from mirical.number_text import floats, rows_with, words
from mirical.plotting.canvas import (
    GREY,
    INK,
    OURS,
    PUBLISHED,
    SHADE,
    STYLE,
    WARNING,
    blank,
    label_below,
    legend_below,
    panels,
)
from mirical.plotting.marks import draw_rows, name_band, row_handles

LAMPS = {"green": "#1a7f37", "amber": "#c77700", "red": WARNING}
"""Colours of the lights."""

_NAMED = 4  # parts of the statistic drawn by themselves: the highest
_REACH = 4.5  # sigma


@rc_context(STYLE)
def residual_figure(
    rows: QTable, lamps: dict[str, str], instrument: Instrument, simulated: bool
) -> Figure:
    """Draw the innovations of each band in time, in sigma; the band's light is a dot above."""
    bands = [band for band in instrument.bands if band in words(rows["filter"])]
    figure, grid = panels(len(bands), 2.5, simulated)
    first, last = float(rows["time"][0].value), float(rows["time"][-1].value)
    room = 0.04 * (last - first) + 3
    for axes, band in zip(grid, bands, strict=True):
        of = rows_with(rows, "filter", band)
        axes.set_xlim(first - room, last + room)
        axes.set_ylim(-_REACH, _REACH)
        axes.axhspan(-2, 2, color=SHADE, lw=0, zorder=0)
        axes.axhline(0, color=GREY, lw=0.8)
        draw_rows(axes, (floats(of["time"]), floats(of["innovation"])), None, of, instrument)
        axes.plot(
            0.97, 0.9, "o", ms=10, color=LAMPS[lamps[band]], mec=INK, mew=0.6, zorder=7,
            transform=axes.transAxes,
        )  # fmt: skip
        name_band(axes, band, instrument)
    label_below(grid, "MJD (d)")
    figure.supylabel("Residual (σ)")
    legend_below(figure, row_handles(rows, instrument), 4)
    return figure


@rc_context(STYLE)
def statistic_figure(statistic: QTable, simulated: bool) -> Figure:
    """Draw the statistic in time with its highest parts, and the levels of alarm and amber."""
    figure = blank(3.8, simulated)
    axes = figure.subplots()
    mjd, parts = floats(statistic["mjd"]), statistic.colnames[2:]
    parts = sorted(parts, key=lambda name: -float(np.max(floats(statistic[name]))))[:_NAMED]
    for name, style in zip(parts, ("-", "--", "-.", ":"), strict=False):
        label = name.replace("_", " ")
        axes.plot(mjd, floats(statistic[name]), ls=style, color=GREY, lw=1.1, label=label)
    axes.plot(mjd, floats(statistic["statistic"]), "o-", ms=4, color=OURS, label="all together")
    axes.axhline(statistic.meta["alarm_level"], color=WARNING, lw=1.2)
    axes.axhline(statistic.meta["watch_level"], color=PUBLISHED, lw=1.0, ls="--")
    axes.set_yscale("log")
    axes.set_xlabel("MJD (d)")
    axes.set_ylabel("Statistic (yr)")
    handles = [
        *axes.get_legend_handles_labels()[0],
        Line2D([], [], color=WARNING, lw=1.2, label="alarm"),
        Line2D([], [], color=PUBLISHED, lw=1.0, ls="--", label="amber"),
    ]
    legend_below(figure, handles, 4)
    return figure
