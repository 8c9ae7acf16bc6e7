"""Throughputs of the readouts in a report: figure and printed table."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from astropy.table import QTable
from matplotlib import rc_context
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import ArrayLike

from mirical.instruments.instrument import Instrument
from mirical.instruments.published import published_throughput
from mirical.number_text import DATA, Sheet, count, measured, number, signed, text, value
from mirical.plotting.canvas import GREY, OURS, PUBLISHED, STYLE, blank, legend_below
from mirical.plotting.marks import draw_point, hollow_handle, rows_and_basis
from mirical.reporting.result_tables import Tables

COMMON, BY_BAND = "subarrays", "subarray_bands"
"""Tables of throughputs; the latter is there where a readout has none in common to all bands."""

_SIDE_BY_SIDE = 6
"""Readouts whose labels have room for two lines alone."""


def throughput_figure(
    tables: Tables, published: Mapping[str, float], instrument: Instrument, simulated: bool
) -> Figure:
    """Draw the throughputs of a run, of each band where they have nothing in common."""
    if BY_BAND in tables:
        return band_throughputs(tables[BY_BAND], instrument, simulated)
    return subarray_throughputs(tables[COMMON], published, instrument, simulated)


def throughput_sheet(tables: Tables, instrument: Instrument) -> Sheet:
    """Return the throughputs of a run, of each band where they have nothing in common."""
    if BY_BAND in tables:
        return _band_sheet(tables[BY_BAND], instrument)
    return _subarray_sheet(tables[COMMON], instrument)


@rc_context(STYLE)
def subarray_throughputs(
    subarrays: QTable, published: Mapping[str, float], instrument: Instrument, simulated: bool
) -> Figure:
    """Draw the throughput D of each subarray beside the published one.

    Parameters
    ----------
    subarrays : QTable
        As `mirical.reporting.run_tables.subarray_table` makes it.
    published : dict of {str : float}
        Published D by subarray; empty if there are none.
    instrument : Instrument
        Whose.
    simulated : bool
        Whether the figure must say that its data are simulated.
    """
    figure = blank(3.9, simulated, width=7.2)
    axes = figure.subplots()
    axes.axhline(1, color=GREY, lw=0.9)
    for x, row in enumerate(subarrays):
        draw_point(axes, (x, row["D"]), ("y", row["D_std"]), OURS, "o", _judged(row, instrument))
        known = published.get(str(row["subarray"]), np.nan)
        axes.plot([x + 0.2], [known], marker="D", ms=6, color=PUBLISHED, ls="")
    below = [f"{r['subarray']}\n{rows_and_basis(r['n_rows'], r['basis'])}" for r in subarrays]
    if len(below) > _SIDE_BY_SIDE:
        below = [label.replace(", ", "\n") for label in below]
    axes.set_xticks(range(len(below)), below, fontsize=10.5)
    axes.tick_params(axis="x", length=0)
    axes.set_xlim(-0.6, len(subarrays) - 0.4)
    axes.set_ylabel(f"Throughput $D$ relative to {instrument.reference}")
    ours = Line2D([], [], color=OURS, marker="o", label=r"this run, $\pm 1\sigma$")
    theirs = Line2D([], [], color=PUBLISHED, marker="D", ls="", label="published (no error stated)")
    judged = [_judged(row, instrument) for row in subarrays]
    both = [ours, theirs] if published else [ours]
    legend_below(figure, [*both, *hollow_handle(judged)], 3)
    return figure


@rc_context(STYLE)
def band_throughputs(pairs: QTable, instrument: Instrument, simulated: bool) -> Figure:
    """Draw the throughput D of each subarray in each band; hollow where data did not decide it.

    Parameters
    ----------
    pairs : QTable
        As `mirical.reporting.run_tables.subarray_band_table` makes it.
    instrument : Instrument
        Whose.
    simulated : bool
        Whether the figure must say that its data are simulated.
    """
    figure = blank(1.9 + 0.3 * len(pairs), simulated, width=7.2)
    axes = figure.subplots()
    axes.axvline(1, color=GREY, lw=0.9)
    for y, row in enumerate(pairs):
        draw_point(axes, (row["D"], y), ("x", row["D_std"]), OURS, "o", str(row["basis"]))
    axes.set_yticks(range(len(pairs)), [f"{row['filter']}, {row['subarray']}" for row in pairs])
    beside = axes.secondary_yaxis("right")
    beside.set_yticks(
        range(len(pairs)), [rows_and_basis(row["n_rows"], row["basis"]) for row in pairs]
    )
    for side in (axes, beside):
        side.tick_params(axis="y", length=0)
    axes.set_ylim(len(pairs) - 0.4, -0.6)
    axes.set_xlabel(f"Throughput $D$ relative to {instrument.reference}")
    if instrument.factor.view is not None:
        axes.tick_params(axis="x", top=False)
        label = f"{instrument.factor.view} zero point relative to {instrument.reference} (mmag)"
        axes.secondary_xaxis("top", functions=(_millimagnitudes, _throughput)).set_xlabel(label)
    ours = Line2D([], [], color=OURS, marker="o", label=r"this run, $\pm 1\sigma$")
    legend_below(figure, [ours, *hollow_handle(pairs["basis"])], 2)
    return figure


def _millimagnitudes(throughput: ArrayLike) -> ArrayLike:
    return 2500 * np.log10(np.asarray(throughput))


def _throughput(millimagnitudes: ArrayLike) -> ArrayLike:
    return 10 ** (np.asarray(millimagnitudes) / 2500)


def _judged(row: QTable.Row, instrument: Instrument) -> str:
    """Return what a subarray's D rests on; that of the reference needs no data."""
    return DATA if str(row["subarray"]) == instrument.reference else str(row["basis"])


def _subarray_sheet(subarrays: QTable, instrument: Instrument) -> Sheet:
    """Return the throughput of each subarray beside the published one."""
    published = dict.fromkeys(instrument.subarrays, np.nan)
    if instrument.published is not None:
        published |= published_throughput(instrument)
    lines = []
    for row in subarrays:
        name, basis = str(row["subarray"]), str(row["basis"])
        ours, error, theirs = value(row["D"]), value(row["D_std"]), published[name]
        # The reference is the unit of D: there is nothing to differ.
        known = error > 0
        lines.append(
            (
                text(name),
                measured(ours, error, basis),
                number(theirs, 3),
                signed(100 * (ours / theirs - 1) if known else np.nan, 1, basis=basis),
                signed((ours - theirs) / error if known else np.nan, 1, basis=basis),
                count(row["n_rows"]),
            )
        )
    sheet = Sheet(
        f"Throughput D relative to {instrument.reference}",
        ("Subarray", "this run", "published", "(%)", "(σ)", "Rows"),
        tuple(lines),
        groups=(("", 1), ("D", 2), ("Difference", 2), ("", 1)),
    )
    return sheet if instrument.published else sheet.columns([0, 1, 5])


def _band_sheet(pairs: QTable, instrument: Instrument) -> Sheet:
    """Return the throughput of each subarray in each band, where there is a view in mmag too."""
    lines = []
    for row in pairs:
        basis = str(row["basis"])
        offset = ()
        if instrument.factor.view is not None:
            mmag, error = (1000 * value(row[f"zero_point_offset{end}"]) for end in ("", "_std"))
            offset = (measured(mmag, error, basis),)
        d = measured(value(row["D"]), value(row["D_std"]), basis)
        lines.append((text(row["filter"]), text(row["subarray"]), d, *offset, count(row["n_rows"])))
    view = instrument.factor.view
    heads = ("Band", "Subarray", "D", *([f"{view} zero point (mmag)"] if view else []), "Rows")
    title = f"Throughput D in each band, and zero point, relative to {instrument.reference}"
    return Sheet(title if view else title.replace(", and zero point,", ""), heads, tuple(lines))
