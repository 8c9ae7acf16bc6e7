"""Figures of a report, one function each."""

from __future__ import annotations

import re

import numpy as np
from astropy.table import QTable
from matplotlib import rc_context
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from mirical.instruments.instrument import Instrument
from mirical.number_text import floats, rows_with, value, words
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
from mirical.plotting.marks import (
    OUTLIER,
    curve_handles,
    draw_curve,
    draw_point,
    draw_rows,
    drawn_names,
    hollow_handle,
    marks,
    name_band,
    row_handles,
    rows_and_basis,
    type_handles,
)
from mirical.reporting.result_tables import predicted_stars

_WIDE = 10.0
"""Error of a row, in that of the median row of its band, above which it tells nothing."""


@rc_context(STYLE)
def factor_differences(differences: QTable, simulated: bool) -> Figure:
    """Draw each band's factor at the reference epoch relative to the published one.

    Parameters
    ----------
    differences : QTable
        As `mirical.reporting.curves.factor_differences` makes it.
    simulated : bool
        Whether the figure must say that its data are simulated.
    """
    figure = blank(3.7, simulated)
    axes = figure.subplots()
    place = np.arange(len(differences))
    published = floats(differences["published_std_pct"])
    axes.bar(place, 2 * published, bottom=-published, width=0.62, color=PUBLISHED, alpha=0.3, lw=0)
    axes.axhline(0, color=PUBLISHED, lw=1.2, ls="--")
    for x, row in enumerate(differences):
        draw_point(axes, (x, row["diff_pct"]), ("y", row["std_pct"]), OURS, "o", str(row["basis"]))
    axes.set_xticks(place, words(differences["filter"]), fontsize=10)
    axes.tick_params(axis="x", length=0)
    axes.set_xlim(-0.6, len(differences) - 0.4)
    axes.set_ylabel("Difference from published (%)")
    ours = Line2D([], [], color=OURS, marker="o", label=r"this run, $\pm 1\sigma$")
    theirs = Patch(color=PUBLISHED, alpha=0.3, lw=0, label=r"published, $\pm 1\sigma$")
    legend_below(figure, [ours, theirs, *hollow_handle(differences["basis"])], 3)
    return figure


@rc_context(STYLE)
def factor_curves(
    curves: QTable, predictive: QTable, instrument: Instrument, simulated: bool
) -> Figure:
    """Draw C(t) of every fitted band in the reference readout, its rows and the published curve.

    Rows are drawn without the offsets of their stars.

    Parameters
    ----------
    curves, predictive : QTable
        As `mirical.reporting.curves` makes them.
    instrument : Instrument
        Whose.
    simulated : bool
        Whether the figure must say that its data are simulated.
    """
    bands = list(dict.fromkeys(words(curves["filter"])))
    # Tables of runs of before rows were aligned have the plain factor alone.
    factor = "factor_aligned" if "factor_aligned" in predictive.colnames else "factor_full"
    figure, grid = panels(len(bands), 2.25, simulated)
    for axes, band in zip(grid, bands, strict=True):
        curve = rows_with(curves, "filter", band)
        rows = rows_with(predictive, "filter", band)
        draw_curve(axes, curve)
        values, errors = (floats(rows[name]) for name in (factor, "factor_full_std"))
        telling = _telling(rows, errors)
        shown = [floats(curve[f"c_{q}"]) for q in ("q025", "q975")]
        sound = values[telling], errors[telling]
        axes.set_ylim(limits(np.concatenate([*shown, sound[0] - sound[1], sound[0] + sound[1]])))
        axes.set_xlim(float(floats(curve["mjd"]).min()), float(floats(curve["mjd"]).max()))
        draw_rows(axes, (floats(rows["mjd"]), values), errors, rows, instrument)
        axes.xaxis.set_major_locator(MaxNLocator(4, integer=True))
        axes.yaxis.set_major_locator(MaxNLocator(5))
        name_band(axes, band, instrument)
    label_below(grid, "Epoch (MJD)")
    figure.supylabel(f"$C$ [{_in_powers(instrument)}]")
    handles = curve_handles("published" in curves.colnames)
    legend_below(figure, [*handles, *row_handles(predictive, instrument)], 4)
    return figure


@rc_context(STYLE)
def star_offsets(stars: QTable, instrument: Instrument, simulated: bool) -> Figure:
    """Draw the offset of each star's predicted flux, by type; hollow where data did not decide it.

    Stars of unknown flux have none.

    Parameters
    ----------
    stars : QTable
        As `mirical.reporting.run_tables.star_table` makes it.
    instrument : Instrument
        Whose.
    simulated : bool
        Whether the figure must say that its data are simulated.
    """
    looks = marks(instrument)
    kinds = list(looks)
    stars = predicted_stars(stars)
    order = sorted(stars, key=lambda r: (kinds.index(str(r["srctype"])), -value(r["offset_pct"])))
    figure = blank(1.7 + 0.3 * len(stars), simulated)
    axes = figure.subplots()
    axes.axvline(0, color=GREY, lw=0.9)
    for y, row in enumerate(order):
        mark = looks[str(row["srctype"])]
        at, error = (value(row["offset_pct"]), y), ("x", row["offset_pct_std"])
        draw_point(axes, at, error, mark.colour, mark.marker, str(row["basis"]))
    axes.set_yticks(range(len(order)), drawn_names(row["name"] for row in order))
    beside = axes.secondary_yaxis("right")
    beside.set_yticks(
        range(len(order)), [rows_and_basis(row["n_rows"], row["basis"]) for row in order]
    )
    for side in (axes, beside):
        side.tick_params(axis="y", length=0)
    axes.set_ylim(len(order) - 0.4, -0.6)
    axes.set_xlabel("Offset of the predicted flux (%); positive: predicted too bright")
    handles = type_handles(words(stars["srctype"]), instrument)
    legend_below(figure, [*handles, *hollow_handle(stars["basis"])], 4)
    return figure


@rc_context(STYLE)
def predictive_rows(predictive: QTable, instrument: Instrument, simulated: bool) -> Figure:
    """Draw every fitted row over the interval the model predicts for it, a panel a band.

    Parameters
    ----------
    predictive : QTable
        As `mirical.reporting.curves.predictive_table` makes it.
    instrument : Instrument
        Whose.
    simulated : bool
        Whether the figure must say that its data are simulated.
    """
    present = set(words(predictive["filter"]))
    bands = [band for band in instrument.bands if band in present]
    figure, grid = panels(len(bands), 2.1, simulated)
    for axes, band in zip(grid, bands, strict=True):
        rows = rows_with(predictive, "filter", band)
        rows = rows[np.argsort(floats(rows["mjd"]), kind="stable")]
        place = np.arange(len(rows), dtype=float)
        wide = float(np.clip(120 / len(rows), 1.5, 9))
        for lower, upper, alpha in (("q025", "q975", 0.2), ("q16", "q84", 0.35)):
            edges = floats(rows[lower]), floats(rows[upper])
            axes.vlines(place, *edges, color=OURS, alpha=alpha, lw=wide)
        axes.axhline(0, color=OURS, lw=0.9)
        observed = floats(rows["observed"])
        low, high = floats(rows["q025"]), floats(rows["q975"])
        within = high - low <= _WIDE * np.median(high - low)
        sound = observed[_telling(rows, high - low)]
        axes.set_ylim(limits([*low[within], *high[within], *sound]))
        axes.set_xlim(-0.7, len(rows) - 0.3)
        draw_rows(axes, (place, observed), None, rows, instrument)
        every = -(-len(rows) // 9)
        axes.set_xticks(place[::every], words(rows["row"])[::every])
        axes.yaxis.set_major_locator(MaxNLocator(5))
        name_band(axes, band, instrument)
    label_below(grid, "Row, in order of time")
    figure.supylabel("Observed minus predicted (%)")
    shades = [
        Patch(color=OURS, alpha=alpha, lw=0, label=f"{level} % of replicated rows")
        for alpha, level in ((0.48, 68), (0.2, 95))
    ]
    legend_below(figure, [*shades, *row_handles(predictive, instrument)], 3)
    return figure


@rc_context(STYLE)
def tail_shares(histogram: QTable, simulated: bool) -> Figure:
    """Draw how many rows lie where within their predictive distributions.

    Parameters
    ----------
    histogram : QTable
        As `mirical.reporting.curves.tail_histogram` makes it.
    simulated : bool
        Whether the figure must say that its data are simulated.
    """
    figure = blank(3.6, simulated, width=6.4)
    axes = figure.subplots()
    edges = np.append(floats(histogram["low"]), floats(histogram["high"])[-1])
    low, middle, high = (
        float(floats(histogram[f"expected{end}"])[0]) for end in ("_low", "", "_high")
    )
    axes.axhspan(low, high, color=SHADE, lw=0, label="95 % interval of it")
    axes.axhline(middle, color=GREY, ls="--", label="expected number")
    axes.stairs(floats(histogram["n_rows"]), edges, fill=True, color=OURS, alpha=0.45, label="rows")
    axes.stairs(floats(histogram["n_rows"]), edges, color=OURS, lw=1.2)
    axes.set_xlim(0, 1)
    axes.tick_params(axis="x", pad=7)
    axes.yaxis.set_major_locator(MaxNLocator(6, integer=True))
    axes.set_xlabel("Share of replicated rows below the observed one")
    axes.set_ylabel("Number of rows")
    legend_below(figure, axes.get_legend_handles_labels()[0][::-1], 3)
    return figure


def _telling(rows: QTable, errors: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return which rows of a band set the limits of its panel.

    A deviant row would leave no room to the others, and so would one whose error is many times
    theirs, which tells nothing.
    """
    sound = floats(rows["outlier_probability"]) <= OUTLIER
    return sound & (errors <= _WIDE * np.median(errors))


def _in_powers(instrument: Instrument) -> str:
    """Return the unit of factors as an axis has it."""
    count = instrument.count_unit.replace("/", " ")
    count = re.sub(r" (\w+)$", r" \1$^{-1}$", count)
    if instrument.factor.pixel_solid_angle is None:
        return f"{instrument.factor.unit}/({count})"
    return f"({instrument.factor.unit} sr$^{{-1}}$)/({count} pixel$^{{-1}}$)"
