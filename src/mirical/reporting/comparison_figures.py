"""Figures of a comparison of two calibrations."""

from __future__ import annotations

import numpy as np
from astropy.table import QTable
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from mirical.instruments.instrument import Instrument
from mirical.number_text import DATA, floats, rows_with, words
from mirical.plotting.canvas import (
    GREY,
    OURS,
    PUBLISHED,
    SHADE,
    STYLE,
    blank,
    label_below,
    legend_below,
    limits,
    panels,
)
from mirical.plotting.marks import draw_point, name_band
from mirical.text import drawn_text

_LONGEST_NAME = 30


@rc_context(STYLE)
def curve_differences(curves: QTable, instrument: Instrument, simulated: bool) -> Figure:
    """Draw our C(t) in the reference readout relative to theirs in percent, a panel a band.

    Parameters
    ----------
    curves : QTable
        As `mirical.reporting.comparison_folder.compare_curves` makes it.
    instrument : Instrument
        Whose.
    simulated : bool
        Whether the figure must say that its data are simulated.
    """
    full = rows_with(curves, "subarray", instrument.reference)
    bands = list(dict.fromkeys(words(full["filter"])))
    figure, grid = panels(len(bands), 2.1, simulated)
    for axes, band in zip(grid, bands, strict=True):
        _draw_differences(axes, rows_with(full, "filter", band))
        name_band(axes, band, instrument)
    label_below(grid, "Epoch (MJD)")
    ours, theirs = (drawn_text(curves.meta[side], _LONGEST_NAME) for side in ("ours", "theirs"))
    figure.supylabel(f"{ours} minus {theirs}, {instrument.reference} (%)")
    handles = [
        Line2D([], [], color=OURS, label=f"{ours}, mean"),
        Patch(color=OURS, alpha=0.43, lw=0, label="68 % (dark), 95 % (light)"),
        Line2D([], [], color=PUBLISHED, ls="--", label=theirs),
        Patch(color=PUBLISHED, alpha=0.35, lw=0, label=f"{theirs}, 68 %"),
    ]
    if not np.all(curves["within_data"]):
        handles.append(Patch(color=SHADE, lw=0, label="no rows at these epochs"))
    legend_below(figure, handles, 3)
    return figure


@rc_context(STYLE)
def reference_figure(differences: QTable, simulated: bool) -> Figure:
    """Draw how each band's factor at the reference epoch differs, in percent and in sigma.

    Parameters
    ----------
    differences : QTable
        As `mirical.reporting.comparison_folder.reference_differences` makes it.
    simulated : bool
        Whether the figure must say that its data are simulated.
    """
    figure = blank(5.4, simulated)
    percent, sigma = figure.subplots(2, 1, sharex=True, height_ratios=(3, 2))
    place = np.arange(len(differences))
    theirs = floats(differences["other_std_pct"])
    percent.bar(place, 2 * theirs, bottom=-theirs, width=0.62, color=PUBLISHED, alpha=0.3, lw=0)
    percent.axhline(0, color=PUBLISHED, lw=1.2, ls="--")
    for x, row in enumerate(differences):
        draw_point(percent, (x, row["diff_pct"]), ("y", row["std_pct"]), OURS, "o", DATA)
    percent.use_sticky_edges = False  # else the longest bar ends on the frame
    percent.set_ylabel("Difference (%)")
    for within in (2, 1):
        sigma.axhspan(-within, within, color=GREY, alpha=0.12, lw=0, zorder=0)
    sigma.axhline(0, color=GREY, lw=0.9)
    differ = floats(differences["diff_sigma"])
    sigma.vlines(place, 0, differ, color=OURS, lw=1.5)
    sigma.plot(place, differ, color=OURS, marker="o", ms=7, ls="")
    widest = max(2.5, 1.15 * float(np.nanmax(np.abs(differ), initial=0.0)))
    sigma.set_ylim(-widest, widest)
    sigma.set_ylabel(r"Difference ($\sigma$)")
    sigma.yaxis.set_major_locator(MaxNLocator(5, integer=True))
    sigma.set_xticks(place, words(differences["filter"]), fontsize=10)
    sigma.set_xlim(-0.6, len(differences) - 0.4)
    for axes in (percent, sigma):
        axes.tick_params(axis="x", length=0)
    figure.align_ylabels()
    names = (drawn_text(differences.meta[side], _LONGEST_NAME) for side in ("ours", "theirs"))
    legend_below(figure, _reference_handles(*names), 4)
    return figure


def _draw_differences(axes: Axes, curve: QTable) -> None:
    mjd = floats(curve["mjd"])
    inside = mjd[np.asarray(curve["within_data"], dtype=bool)]
    if len(inside):
        for low, high in ((mjd.min(), inside.min()), (inside.max(), mjd.max())):
            axes.axvspan(low, high, color=SHADE, lw=0, zorder=0)
    ours = {name: floats(curve[f"diff_{name}_pct"]) for name in ("q025", "q16", "q84", "q975")}
    low, high = (floats(curve[f"other_{name}_pct"]) for name in ("q16", "q84"))
    axes.fill_between(mjd, ours["q025"], ours["q975"], color=OURS, alpha=0.18, lw=0)
    axes.fill_between(mjd, ours["q16"], ours["q84"], color=OURS, alpha=0.3, lw=0)
    axes.fill_between(mjd, low, high, color=PUBLISHED, alpha=0.35, lw=0)
    axes.axhline(0, color=PUBLISHED, ls="--")
    axes.plot(mjd, floats(curve["diff_pct"]), color=OURS)
    axes.set_xlim(float(mjd.min()), float(mjd.max()))
    axes.set_ylim(limits([*ours["q025"], *ours["q975"], *low, *high]))
    axes.xaxis.set_major_locator(MaxNLocator(4, integer=True))
    axes.yaxis.set_major_locator(MaxNLocator(5))


def _reference_handles(ours: str, theirs: str) -> list[Line2D | Patch]:
    return [
        Line2D([], [], color=OURS, marker="o", label=f"{ours}, ± 1σ"),
        Patch(color=PUBLISHED, alpha=0.3, lw=0, label=f"{theirs}, ± 1σ"),
        Patch(color=GREY, alpha=0.24, lw=0, label=r"within 1 (dark), 2 (light) $\sigma$ of both"),
    ]
