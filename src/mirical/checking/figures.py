"""Figures of a check."""

from __future__ import annotations

import numpy as np
from astropy.table import QTable
from matplotlib import rc_context
from matplotlib.figure import Figure
from scipy.stats import binom

from mirical.checking.score_directions import PARAMETERS
from mirical.instruments.instrument import Instrument
from mirical.number_text import floats, rows_with, words
from mirical.plotting.canvas import (
    GREY,
    OURS,
    PUBLISHED,
    SHADE,
    STYLE,
    blank,
    label_below,
    legend_below,
    log_x,
    panels,
)
from mirical.plotting.marks import draw_rows, drawn_names, name_band, type_handles

AXES = {
    "flux": "Predicted flux (mJy)",
    "background": "Background (DN/s/pixel)",
    "rate": "Central-pixel rate (DN/s)",
    "well": "Well depth (DN)",
    "inttime": "Integration time (s)",
    "time": "Years since MJD 59720",
}
"""What stands below a parameter's axis."""

_BINS = 10
_ONE_ROW = 3  # panels
_LARGEST_SHIFT = 2.0  # sigma, at the ends of the colours


@rc_context(STYLE)
def slope_figure(dependences: QTable, simulated: bool) -> Figure:
    """Draw each band's slope with each parameter, with its error."""
    present = [name for name in AXES if name in words(dependences["parameter"])]
    figure, grid = panels(len(present), 3.3, simulated)
    for axes, name in zip(grid, present, strict=True):
        of = rows_with(dependences, "parameter", name)
        place = np.arange(len(of))
        axes.axvline(0, color=GREY, lw=0.8)
        axes.errorbar(
            floats(of["slope"]), place, xerr=floats(of["slope_unc"]), fmt="o", ms=4, color=OURS
        )
        axes.set_yticks(place, words(of["filter"]), fontsize=9)
        axes.invert_yaxis()
        axes.set_title(PARAMETERS.get(name, name), fontsize=12)
        axes.set_xlabel("% a year" if name == "time" else "% a decade")
    return figure


@rc_context(STYLE)
def dependence_figure(
    parameter: str, points: QTable, slopes: QTable, instrument: Instrument, simulated: bool
) -> Figure:
    """Draw the rows of each band against a parameter, with the slope and its 68 % (Figs. 6-17)."""
    of = rows_with(slopes, "parameter", parameter)
    bands = [band for band in instrument.bands if band in words(of["filter"])]
    figure, grid = panels(len(bands), 2.5, simulated)
    for axes, band in zip(grid, bands, strict=True):
        rows = rows_with(points, "filter", band)
        rows = rows[np.isfinite(floats(rows[parameter]))]
        x, y = floats(rows[parameter]), floats(rows["off"])
        line = rows_with(of, "filter", band)
        slope, error = float(floats(line["slope"])[0]), float(floats(line["slope_unc"])[0])
        scaled = x if parameter == "time" else np.log10(x)
        along = np.linspace(scaled.min(), scaled.max(), 30)
        steps = along - scaled.mean()
        at = along if parameter == "time" else 10**along
        axes.axhline(0, color=GREY, lw=0.8)
        low, high = np.sort([steps * (slope - error), steps * (slope + error)], axis=0)
        axes.fill_between(at, low, high, color=OURS, alpha=0.25, lw=0)
        axes.plot(at, steps * slope, color=OURS)
        if parameter != "time":
            log_x(axes, x)
        reach = 1.15 * float(np.quantile(np.abs(y), 0.95)) + 0.2
        axes.set_ylim(-reach, reach)
        draw_rows(axes, (x, y), floats(rows["off_unc"]), rows, instrument)
        name_band(axes, band, instrument)
    label_below(grid, AXES[parameter])
    apart = "\n" if len(bands) <= _ONE_ROW else " "  # it is longer than one panel is tall
    figure.supylabel(f"ln C beyond time law,{apart}subarray, star and visit (%)")
    legend_below(figure, type_handles(words(points["srctype"]), instrument), 3)
    return figure


@rc_context(STYLE)
def pit_figure(rows: QTable, curve: QTable, simulated: bool) -> Figure:
    """Draw where the rows lie in what all others predict of them: histogram, and against uniform.

    `curve` is as `mirical.checking.tables.pit_table` returns it.
    """
    figure = blank(3.6, simulated)
    left, right = figure.subplots(1, 2)
    n = len(rows)
    low, high = binom.interval(0.95, n, 1 / _BINS)
    left.axhspan(low, high, color=SHADE, lw=0)
    left.axhline(n / _BINS, color=GREY, ls="--")
    counts, edges = np.histogram(floats(rows["pit"]), bins=_BINS, range=(0, 1))
    left.stairs(counts, edges, fill=True, color=OURS, alpha=0.45)
    left.set_ylabel("Number of rows")
    at = floats(curve["share"])
    label = f"{100 * curve.meta['band']:.0f} % interval (left, of each bar; right, of the curve)"
    right.fill_between(
        at, floats(curve["lower"]), floats(curve["upper"]), color=SHADE, lw=0, label=label
    )
    right.axhline(0, color=GREY, ls="--", label="expected")
    right.plot(at, floats(curve["difference"]), color=OURS, label="rows")
    right.set_ylabel("Share of rows below, minus expected")
    for axes in (left, right):
        axes.set_xlim(0, 1)
        axes.set_xlabel("Share of the prediction below the row")
    legend_below(figure, right.get_legend_handles_labels()[0][::-1], 3)
    return figure


@rc_context(STYLE)
def influence_figure(influence: QTable, simulated: bool) -> Figure:
    """Draw what leaving out each star does to A of each band, in standard deviations."""
    stars = list(dict.fromkeys(words(influence["name"])))
    bands = list(dict.fromkeys(words(influence["filter"])))
    shape = len(stars), len(bands)
    shift = floats(influence["shift_sigma"]).reshape(shape)
    known = (np.array(words(influence["basis"])) != "unknown").reshape(shape)
    alone = np.asarray(influence["alone"]).reshape(shape)
    figure = blank(0.27 * len(stars) + 1.9, simulated)
    axes = figure.subplots()
    picture = axes.imshow(
        np.where(alone | ~known, np.nan, shift),
        cmap="RdBu",
        vmin=-_LARGEST_SHIFT,
        vmax=_LARGEST_SHIFT,
        aspect="auto",
    )
    for i, j in np.argwhere(~known | alone):
        sign = "·" if alone[i, j] else "?"
        axes.text(j, i, sign, ha="center", va="center", color=GREY, fontsize=10)
    axes.set_xticks(range(len(bands)), bands, rotation=60, ha="right", fontsize=9)
    axes.set_yticks(range(len(stars)), drawn_names(stars), fontsize=9)
    axes.tick_params(length=0)
    bar = figure.colorbar(picture, ax=axes, pad=0.02)
    bar.set_label("Change of A (σ)")
    return figure


@rc_context(STYLE)
def excess_figure(anomalies: QTable, simulated: bool) -> Figure:
    """Draw each star's probability of an infrared excess."""
    figure = blank(0.24 * len(anomalies) + 1.4, simulated, width=6.8)
    axes = figure.subplots()
    place = np.arange(len(anomalies))
    p = floats(anomalies["p_excess"])
    colours = np.where(p > 0.5, PUBLISHED, OURS)
    axes.barh(place, p, color=colours, height=0.65)
    axes.set_yticks(place, drawn_names(words(anomalies["name"])), fontsize=9)
    axes.invert_yaxis()
    axes.set_xlim(0, 1)
    axes.axvline(0.5, color=GREY, ls="--", lw=0.8)
    axes.set_xlabel("Probability of an infrared excess")
    return figure
